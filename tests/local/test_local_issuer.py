"""The development issuer as a process: it runs nowhere else, and speaks as OAuth 2 says."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from mmptf_common.http.identity import Identity
from mmptf_common.http.tokens import open_verifier
from mmptf_common.process.settings import ServiceSettings
from mmptf_local.__main__ import token_commands
from mmptf_local.issuer import AUDIENCE, CLIENTS, LIFETIME
from mmptf_local.processes import Child, answers_ready, free_port, wait_until
from mmptf_local.suite import running_suite
from tests.suite import DATABASE_VARIABLES, NAMES

COMMAND = [sys.executable, "-m", "mmptf_local.issuer"]
CLEAN = {name: value for name, value in os.environ.items() if name not in {"ENVIRONMENT", "HOST", "PORT", "LOG_LEVEL"}}
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Child("issuer", COMMAND, env=CLEAN | {"PORT": str(port), "ENVIRONMENT": "development"}) as child:
        wait_until(lambda: answers_ready(f"{url}/health/ready"), child, seconds=30)
        yield url


@pytest.fixture(scope="module")
def issuer(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client


def holder_of(url: str, token: str) -> Identity:
    """The identity that a service makes of a token."""
    return asyncio.run(_holder_of(url, token))


async def _holder_of(url: str, token: str) -> Identity:
    settings = ServiceSettings(
        database_url=SecretStr("postgresql://nowhere"),
        environment="development",
        identity_issuer=url,
        identity_audience=AUDIENCE,
    )
    async with open_verifier(settings) as verifier:
        assert verifier is not None
        return await verifier.identity(token)


@pytest.mark.parametrize("environment", [{}] + [{"ENVIRONMENT": value} for value in ("", "production", "dev")])
def test_it_runs_in_development_only(environment: dict[str, str]) -> None:
    env = CLEAN | {"PORT": str(free_port())} | environment
    done = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == (
        "This issuer gives anybody a token for anything; it runs only where ENVIRONMENT is development.\n"
    )
    assert done.stdout == ""


def test_a_wrong_setting_is_named() -> None:
    env = CLEAN | {"PORT": "http", "ENVIRONMENT": "development"}
    done = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("PORT: ")


def test_it_says_where_everything_is(url: str, issuer: httpx.Client) -> None:
    configuration = issuer.get("/.well-known/openid-configuration").json()
    assert configuration["issuer"] == url
    assert configuration["token_endpoint"] == f"{url}/token"
    (key,) = issuer.get(configuration["jwks_uri"]).json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}, "nothing of it may be private"
    assert issuer.get("/token").status_code == 405
    assert issuer.get("/").status_code == 404


@pytest.mark.parametrize(
    ("client", "organization", "roles", "scope"),
    [
        ("agency", "IOM", set(), "catalog:write funding:write markers:assess"),
        ("reviewer", "OHCHR", set(), "markers:review"),
        ("management-unit", "MMPTF-FMU", {"management_unit"}, "catalog:write funding:write markers:review"),
        ("agent", "MPTFO", {"agent"}, "funding:write"),
        ("admin", None, set(), "admin"),
    ],
)
def test_each_client_gets_a_token_that_services_accept(
    url: str, issuer: httpx.Client, client: str, organization: str | None, roles: set[str], scope: str
) -> None:
    answer = issuer.post("/token", data=GRANT | {"client_id": client, "unknown": "ignored", "scope": ""})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    granted = answer.json()
    token = granted.pop("access_token")
    assert granted == {"token_type": "Bearer", "expires_in": LIFETIME, "scope": scope}
    expected = Identity(client, organization, frozenset(roles), frozenset(scope.split()))
    assert holder_of(url, token) == expected


def test_a_client_may_ask_for_less_and_for_another_organization(url: str, issuer: httpx.Client) -> None:
    form = GRANT | {"client_id": "agency", "organization": "UNICEF", "scope": "markers:assess"}
    granted = issuer.post("/token", data=form).json()
    assert granted["scope"] == "markers:assess"
    who = holder_of(url, granted["access_token"])
    assert who == Identity("agency", "UNICEF", frozenset(), frozenset({"markers:assess"}))


FORM = "application/x-www-form-urlencoded"
AGENCY = "grant_type=client_credentials&client_id=agency"


@pytest.mark.parametrize(
    ("body", "media", "error"),
    [
        ("", FORM, "invalid_request"),
        ("client_id=agency", FORM, "invalid_request"),
        ("grant_type=client_credentials", FORM, "invalid_request"),
        ("grant_type=client_credentials&client_id=", FORM, "invalid_request"),
        (f"{AGENCY}&client_id=agency", FORM, "invalid_request"),
        (f"{AGENCY}&organization=no+code", FORM, "invalid_request"),
        (f"{AGENCY}&organization=IOM%0A", FORM, "invalid_request"),
        (f"{AGENCY}&organization={'A' * 65}", FORM, "invalid_request"),
        (f"{AGENCY}&organization=%FF", FORM, "invalid_request"),
        (b"\xff", FORM, "invalid_request"),
        ("a=1&" * 30, FORM, "invalid_request"),
        ('{"grant_type": "client_credentials", "client_id": "agency"}', "application/json", "invalid_request"),
        (AGENCY, "", "invalid_request"),
        ("grant_type=password&client_id=agency", FORM, "unsupported_grant_type"),
        ("grant_type=client_credentials&client_id=nobody", FORM, "invalid_client"),
        (f"{AGENCY}&scope=admin", FORM, "invalid_scope"),
        (f"{AGENCY}&scope=catalog:write+markers:review", FORM, "invalid_scope"),
        (f"{AGENCY}&scope=+", FORM, "invalid_scope"),
    ],
)
def test_what_is_not_granted_is_said_as_oauth_says_it(
    issuer: httpx.Client, body: str | bytes, media: str, error: str
) -> None:
    answer = issuer.post("/token", content=body, headers={"Content-Type": media})
    assert (answer.status_code, answer.headers["cache-control"]) == (400, "no-store")
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.json()["error"] == error
    # RFC 6749, 5.2, allows no quotation mark, no backslash and nothing beyond ASCII there.
    assert not {'"', "\\"} & set(answer.json()["error_description"]) and answer.json()["error_description"].isascii()


def test_the_form_may_name_its_characters(issuer: httpx.Client) -> None:
    answer = issuer.post("/token", content=AGENCY, headers={"Content-Type": f"{FORM}; charset=UTF-8"})
    assert answer.status_code == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="the commands use curl")
def test_the_commands_that_are_shown_give_each_client_its_token(url: str) -> None:
    commands = token_commands(url)
    assert list(commands) == list(CLIENTS)
    script = "".join(f'{command}\necho "$TOKEN"\n' for command in commands.values())
    done = subprocess.run(["/bin/sh", "-ec", script], capture_output=True, text=True, timeout=30)
    tokens = done.stdout.split()
    assert [holder_of(url, token).subject for token in tokens] == list(CLIENTS)


def test_a_suite_that_is_run_as_in_production_has_no_issuer_of_its_own(environment: dict[str, str]) -> None:
    given = dict.fromkeys(DATABASE_VARIABLES.values(), "postgresql://elsewhere/x")
    env = environment | given | {"REDIS_URL": "redis://elsewhere", "ENVIRONMENT": "production"}
    with running_suite(Path("/nowhere"), env) as suite:
        assert tuple(suite.children) == NAMES
        seen = httpx.get(f"{suite.urls['funding']}/environment").json()
    assert not {"IDENTITY_ISSUER", "IDENTITY_AUDIENCE"} & set(seen)
