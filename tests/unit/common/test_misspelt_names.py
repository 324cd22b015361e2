"""Variables whose names are nearly those of settings: told with the right name, and no others."""

from __future__ import annotations

import pytest

from mmptf_common import cli
from mmptf_common.process.misspelt import is_one_edit
from mmptf_common.process.settings import ServiceSettings
from mmptf_funding.app import SERVICE
from mmptf_funding.settings import FundingSettings
from mmptf_gateway.__main__ import run as run_gateway

URL = "postgresql://u:secret@h/d"
ADDRESS = "the address of a service is expected, of the form http://host:port, without a path"
# Of the system, of orchestrators and of other programs.
OTHERS = (
    "HOME", "HOSTS", "HOSTNAME", "PORTS", "POST", "FTP_PROXY", "WS_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILES", "SERVICE",
    "CONNECTION", "CATALOG_PORT", "CATALOG_PORT_8000_TCP", "CATALOG_SERVICE_HOST", "FUNDING_PORT", "REDIS_PORT",
    "REDIS_SERVICE_PORT", "DATABASE_PORT", "DATABASE_HOST", "POSTGRES_URL", "PGHOST", "MARKERS_URL", "IDENTITY_TOKEN",
    "LOG_FORMAT", "RATE_CARDS", "DB_URL", "CATALOG_DATABASE_URL", "TEST_DATABASE_URL",
)  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FundingSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("written", "meant", "field"),
    [
        ("DATABSE_URL", "DATABASE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL", "DATABASE_URL"),
        ("DATABASE_ULR", "DATABASE_URL", "DATABASE_URL"),
        ("database_uri", "DATABASE_URL", "DATABASE_URL"),
        ("DATABASE_URL_FIEL", "DATABASE_URL_FILE", "DATABASE_URL"),
        ("IDENTITY_ISUER", "IDENTITY_ISSUER", "IDENTITY_ISSUER"),
        ("IDENTITY_ROLE_CLAIM", "IDENTITY_ROLES_CLAIM", "IDENTITY_ROLES_CLAIM"),
        ("IDENTITY_ORGANISATION_CLAIM", "IDENTITY_ORGANIZATION_CLAIM", "IDENTITY_ORGANIZATION_CLAIM"),
        ("RATE_LIMIT_ADRESSES", "RATE_LIMIT_ADDRESSES", "RATE_LIMIT_ADDRESSES"),
        ("REDIS_UR", "REDIS_URL", "REDIS_URL"),
        ("CATALOG_URLS", "CATALOG_URL", "CATALOG_URL"),
    ],
)
def test_a_typo_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], written: str, meant: str, field: str
) -> None:
    if field != "DATABASE_URL":
        monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(written, "secret")
    assert cli.main(SERVICE, ["serve"]) == 1
    said = f"{field}: {written.upper()} is set, which is no setting; did you mean {meant}?\n"
    assert capsys.readouterr() == ("", said)


def test_the_gateway_tells_one_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SERVICES", "catalog=http://h:1")
    monkeypatch.setenv("CORS_ORIGIN", "*")
    # Not one of its own settings.
    monkeypatch.setenv("DATABASE_URI", URL)
    assert run_gateway(["check"]) == 1
    said = "CORS_ORIGINS: CORS_ORIGIN is set, which is no setting; did you mean CORS_ORIGINS?\n"
    assert capsys.readouterr().err == said


def test_other_variables_are_nothing_to_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    for name in OTHERS:
        monkeypatch.setenv(name, "x")
    # Where the right one is set, or the other one is empty, nothing is missing.
    monkeypatch.setenv("DATABASE_URI", "x")
    monkeypatch.setenv("REDIS_URI", "")
    assert FundingSettings().redis_url is None
    assert ServiceSettings().database_url.get_secret_value() == URL


def test_every_setting_is_further_from_each_other_one_than_a_typo() -> None:
    names = {name.upper() for name in FundingSettings.model_fields}
    near = {(one, other) for one in names for other in names if is_one_edit(one, other)}
    assert near == {("HTTP_PROXY", "HTTPS_PROXY"), ("HTTPS_PROXY", "HTTP_PROXY")}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("catalog:8000", ADDRESS),
        ("//catalog:8000", ADDRESS),
        (
            "http://catalog:8000/catalog",
            ADDRESS,
        ),
        (
            "http://user:secret@catalog",
            ADDRESS,
        ),
        ("http://catalog:port", "Port could not be cast to integer value as 'port'"),
    ],
)
def test_an_address_of_another_form_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("CATALOG_URL", url)
    assert cli.main(SERVICE, ["serve"]) == 1
    assert capsys.readouterr() == ("", f"CATALOG_URL: {said}\n")
    monkeypatch.setenv("CATALOG_URL", "http://catalog:8000/")
    assert FundingSettings().called == {"catalog": "http://catalog:8000/"}
