"""Settings that are wrong are named by their environment variables, before anything is started."""

from __future__ import annotations

import pytest

from mmptf_catalog.app import SERVICE
from mmptf_common.cli import main
from mmptf_common.process.settings import ServerSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_POOL", "PORT", "LOG_LEVEL", "BASE_PATH", "ENVIRONMENT", "IDENTITY_ISSUER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("verb", ["serve", "migrate", "seed"])
def test_each_wrong_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://u:secret@h/d")
    monkeypatch.setenv("MIGRATION_DATABASE_URL", "catalog")
    monkeypatch.setenv("PORT", "http")
    assert main(SERVICE, [verb]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "PORT: Input should be a valid integer, unable to parse string as an integer",
        "DATABASE_URL: a URL of the form postgresql://user:password@host:port/database is expected",
        "MIGRATION_DATABASE_URL: a URL of the form postgresql://user:password@host:port/database is expected",
    ]


def test_a_setting_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SERVICE, ["migrate"]) == 1
    assert capsys.readouterr().err == "DATABASE_URL: Field required\n"


@pytest.mark.parametrize("path", ["", "/api", "/fund/api-v2", "/~mptf_1.0", "/.well-known", "/..."])
def test_a_base_path_that_is_taken(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("BASE_PATH", path)
    assert ServerSettings().base_path == path


@pytest.mark.parametrize(
    "path", ["api", "/", "/api/", "//api", "/api?x=1", "/api#x", "/a b", "/%61pi", "/é", "/./api", "/api/..", "/api\n"]
)
def test_a_base_path_that_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@h/d")
    monkeypatch.setenv("BASE_PATH", path)
    assert main(SERVICE, ["serve"]) == 1
    assert capsys.readouterr().err == (
        "BASE_PATH: a path such as /api is expected: / at its beginning and none at its end, of letters, digits and"
        " - . _ ~\n"
    )
