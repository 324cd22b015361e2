"""Secrets in files, by NAME_FILE and in /run/secrets: for every secret setting, and one line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmptf_catalog.app import SERVICE
from mmptf_catalog.settings import CatalogSettings
from mmptf_common import cli
from mmptf_common.process import secret_files
from mmptf_common.process.secret_files import changing_password, is_secret
from mmptf_gateway.__main__ import run as run_gateway
from mmptf_gateway.settings import GatewaySettings

URL = "postgresql://u:secret@h/d"
SECRETS = sorted(name.upper() for name, field in CatalogSettings.model_fields.items() if is_secret(field))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*SECRETS, "FUNDING_URL", "IDENTITY_ISSUER", "IDENTITY_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    monkeypatch.setattr(secret_files, "FOLDER", tmp_path / "run")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "url"
    found.write_text(f"{URL}\n")
    return found


def test_every_secret_may_be_in_a_file() -> None:
    assert {"DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL"} <= set(SECRETS)


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATION_DATABASE_URL"])
def test_a_secret_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, file: Path, name: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://other")
    monkeypatch.setenv(name, "")
    monkeypatch.setenv(f"{name}_FILE", str(file))
    value = getattr(CatalogSettings(), name.lower())
    assert value.get_secret_value() == URL
    assert "secret" not in repr(value)


@pytest.mark.parametrize("name", ["database_url", "DATABASE_URL"])
def test_a_secret_is_read_from_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text(URL)
    assert CatalogSettings().database_url.get_secret_value() == URL
    monkeypatch.setenv("DATABASE_URL", "postgresql://other")
    assert CatalogSettings().database_url.get_secret_value() == "postgresql://other"


def test_the_gateway_reads_its_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "redis").write_text("redis://:secret@h:1/0\n")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "redis"))
    monkeypatch.setenv("SERVICES", "catalog=http://h:1")
    redis_url = GatewaySettings().redis_url
    assert redis_url and redis_url.get_secret_value() == "redis://:secret@h:1/0"


@pytest.mark.parametrize("verb", ["serve", "check", "migrate", "seed"])
def test_each_fault_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, file: Path, verb: str
) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    monkeypatch.setenv("MIGRATION_DATABASE_URL_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "empty"))
    assert cli.main(SERVICE, [verb]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()) == (
        "",
        [
            f"REDIS_URL: REDIS_URL_FILE: {tmp_path / 'empty'} is empty",
            "DATABASE_URL: DATABASE_URL and DATABASE_URL_FILE are set, and one of them is expected",
            f"MIGRATION_DATABASE_URL: MIGRATION_DATABASE_URL_FILE: {tmp_path / 'missing'} cannot be read"
            " (No such file or directory)",
        ],
    )
    monkeypatch.setenv("SERVICES", "catalog=http://h:1")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "binary"))
    assert run_gateway(["check"]) == 1
    assert capsys.readouterr().err == f"REDIS_URL: REDIS_URL_FILE: {tmp_path / 'binary'} is no text in UTF-8\n"


def test_a_password_is_what_its_file_has_now(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    password = changing_password(CatalogSettings().database_url.get_secret_value())
    assert password and password() == "secret"
    file.write_text("postgresql://u:n%40w@h1:1,h2:2/d?sslmode=prefer\n")
    assert password() == "n@w"
    file.write_text("postgresql://u@h/d?password=a%2Fb+c&sslmode=prefer")
    assert password() == "a/b+c"
    file.unlink()
    assert password() == "secret"
    assert changing_password("postgresql://u:other@h/d") is None
