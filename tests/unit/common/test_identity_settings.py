"""Settings of the identity provider: the issuer's URL and what is rejected at the start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from mmptf_common.process.settings import ServiceSettings
from tests.unit.common.identity_provider import Claims

ISSUER, NOWHERE = "https://login.example/", SecretStr("postgresql://nowhere")

GOOD = {"identity_issuer": ISSUER, "identity_audience": "a"}
AT_HOME = GOOD | {"identity_issuer": "http://127.0.0.1:9000"}


@pytest.mark.parametrize(
    ("environment", "values"),
    [("production", {}), ("production", GOOD), ("development", GOOD), ("development", AT_HOME)],
)
def test_an_issuer_is_taken_letter_by_letter(environment: Any, values: Claims) -> None:
    settings = ServiceSettings(database_url=NOWHERE, environment=environment, **values)
    assert settings.identity_issuer == values.get("identity_issuer")


def test_without_them_claims_and_audiences_are_as_they_were() -> None:
    settings = ServiceSettings(database_url=NOWHERE, **GOOD)
    assert settings.identity_audience == ("a",)
    assert (settings.identity_scopes_claim, settings.identity_roles_claim) == (("scope", "scp"), ("roles",))
    assert (settings.identity_organization_claim, settings.identity_organizations) == ("organization", {})


@pytest.mark.parametrize(
    ("environment", "values", "field", "said"),
    [
        ("production", AT_HOME, "identity_issuer", "https is needed when ENVIRONMENT is production"),
        ("production", GOOD | {"identity_keys_url": "http://x/keys"}, "identity_keys_url", "https is needed"),
        ("development", GOOD | {"identity_issuer": "login.example"}, "identity_issuer", "form https://"),
        ("development", GOOD | {"identity_issuer": "ftp://x"}, "identity_issuer", "form https://"),
        ("development", GOOD | {"identity_issuer": "http:///x"}, "identity_issuer", "form https://"),
        ("development", GOOD | {"identity_issuer": "http://x:y"}, "identity_issuer", "Port"),
        ("production", {"identity_issuer": ISSUER}, "identity_audience", "set both or neither"),
        ("production", {"identity_audience": "a"}, "identity_audience", "set both or neither"),
        ("production", GOOD | {"identity_audience": " , "}, "identity_audience", "a name is expected, or several"),
        ("production", GOOD | {"identity_roles_claim": ","}, "identity_roles_claim", "a name is expected, or several"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(
    environment: Any, values: Claims, field: str, said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        ServiceSettings(database_url=NOWHERE, environment=environment, **values)
    (error,) = caught.value.errors()
    assert error["loc"] == (field,)
    assert said in error["msg"]
