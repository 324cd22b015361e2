"""No verb of a service touches a database that is another's, a newer version's, or not at its schema."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mmptf_common import cli
from mmptf_common.storage import migrations, schema_version
from mmptf_common.storage.schema_version import UnsuitableDatabase
from mmptf_local.postgres import Postgres
from tests.conftest import SERVICES, asyncio_run, running_app, service_of
from tests.integration.described import contents_of
from tests.integration.test_schema_history import IN_EVERY_RUN, VERSION, Variant, sql_of, variants
from tests.integration.test_schema_history import run as send

SOURCES = Path(__file__).parents[2] / "services"
EDITION = sorted((SOURCES / "funding/src/mmptf_funding/data/MI-2015").glob("*.csv"))
RUBRIC = SOURCES / "markers/src/mmptf_markers/data/rubrics/hr-marker-illustrative-1.json"
VERBS = {
    "catalog": (("migrate",), ("seed",)),
    "funding": (("migrate",), ("seed",), ("import", *map(str, EDITION))),
    "markers": (("migrate",), ("seed",), ("publish", str(RUBRIC))),
}
FOREIGN = tuple(permutations(SERVICES, 2))


def run(service: str, verb: tuple[str, ...], url: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(sys, "argv", [f"mmptf-{service}", *verb])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"mmptf_{service}.__main__").main()
    return int(ended.value.code or 0)


def execute(url: str, *statements: str) -> None:
    asyncio_run(send(url, list(statements)))


def contents(url: str) -> dict[str, str]:
    found: dict[str, str] = {}

    async def read() -> None:
        connection = await asyncpg.connect(url)
        try:
            found.update(await contents_of(connection))
        finally:
            await connection.close()

    asyncio_run(read())
    return found


def serve(service: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = {"DATABASE_URL": url, "HOST": "127.0.0.1", "PORT": "0"}
    command = [sys.executable, "-m", f"mmptf_{service}", "serve"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def refusals(
    service: str, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """What each verb says; none has done anything."""
    before = contents(url)
    said = {}
    for verb in VERBS[service]:
        assert run(service, verb, url, monkeypatch) == 1, verb
        out, err = capsys.readouterr()
        assert out == ""
        said[verb[0]] = err.strip().removeprefix(f"{service}: {verb[0]} failed: ")
        assert "\n" not in said[verb[0]]

    async def start() -> None:
        with pytest.raises(UnsuitableDatabase) as refused:
            async with running_app(service, url, None):
                pass
        said["serve"] = str(refused.value)

    asyncio_run(start())
    assert contents(url) == before
    return said


@pytest.fixture(scope="module")
def filled(new_database: Callable[[str], str]) -> dict[str, str]:
    """A database of each service, which no test changes."""
    return {service: new_database(service) for service in SERVICES}


@pytest.mark.parametrize(("service", "owner"), FOREIGN)
def test_the_database_of_another_service_is_left_alone(
    filled: dict[str, str],
    service: str,
    owner: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refusals(service, filled[owner], monkeypatch, capsys)
    assert set(said.values()) == {
        f"this is the database of {owner}, not of {service};"
        f" set DATABASE_URL to the database of {service}, or to an empty one"
    }


@pytest.mark.parametrize("verb", ["serve", "migrate", "seed"])
def test_an_older_server_is_refused_in_one_line(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    monkeypatch.setattr(schema_version, "OLDEST_VERSION", (99, 1))
    monkeypatch.setenv("DATABASE_URL", new_database("catalog"))
    assert cli.main(service_of("catalog"), [verb]) == (3 if verb == "serve" else 1)
    said = capsys.readouterr().err
    assert re.fullmatch(
        rf"catalog: {verb} failed: the server is PostgreSQL \d+\.\d+, and catalog needs 99\.1 or newer\n", said
    )


# All that a process adds to what is tested above is how it ends: each service is started once in every run.
STARTED = {service: (service, owner) for service, owner in FOREIGN}.values()


@pytest.mark.parametrize(
    ("service", "owner"),
    [pytest.param(*pair, marks=() if pair in STARTED else pytest.mark.longer) for pair in FOREIGN],
)
def test_a_process_that_would_serve_the_database_of_another_service_ends(
    filled: dict[str, str], service: str, owner: str
) -> None:
    before = contents(filled[owner])
    ended = serve(service, filled[owner])
    assert ended.returncode == 3
    assert f"this is the database of {owner}, not of {service}" in ended.stdout + ended.stderr
    assert contents(filled[owner]) == before


@pytest.mark.longer
def test_alembic_itself_leaves_the_database_of_another_service_alone(filled: dict[str, str]) -> None:
    before = contents(filled["catalog"])
    for arguments in (("upgrade", "head"), ("stamp", "head"), ("check",)):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=SOURCES / "funding",
            env={"DATABASE_URL": filled["catalog"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "this is the database of catalog, not of funding" in done.stdout + done.stderr
    assert contents(filled["catalog"]) == before


ONE_OF_EACH_VERSION = list({(variant.service, variant.version): variant for variant in variants()}.values())


def of_another_service() -> Iterator[Any]:
    """A database of each version and a service that is not its own.

    All of them in `make longer`; in every run the oldest, whose version is a number, and the newest of each service.
    """
    for n, variant in enumerate(ONE_OF_EACH_VERSION):
        others = [service for service in SERVICES if service != variant.service]
        for place, service in enumerate(others):
            is_in_every_run = variant in IN_EVERY_RUN and n % len(others) == place
            marks = () if is_in_every_run else pytest.mark.longer
            yield pytest.param(variant, service, id=f"{variant.service}-{variant.version}-{service}", marks=marks)


@pytest.mark.parametrize(("variant", "service"), list(of_another_service()))
def test_an_older_database_of_another_service_is_left_alone(
    postgres: Postgres,
    variant: Variant,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its revision is a number only, which may be one of the service that is asked to use it, or names its service."""
    name = f"old_{variant.service}_{variant.version}"
    url = postgres.create_database(name)
    execute(url, *(sql_of(variant.service, file) for file in variant.files), VERSION.format(variant.version))
    for sentence in refusals(service, url, monkeypatch, capsys).values():
        if variant.version.isdigit():
            assert sentence.startswith(f"the database {name} is of another application, not of {service}:")
            assert f"it is at schema {variant.version} and has no table" in sentence
        else:
            assert sentence.startswith(f"this is the database of {variant.service}, not of {service};")
    postgres.drop_database(name)


@pytest.mark.parametrize("service", SERVICES)
def test_a_database_of_something_else_is_left_alone(
    postgres: Postgres, service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.create_database(f"else_{service}")
    execute(url, "CREATE TABLE wp_posts (id int PRIMARY KEY, title text)", "INSERT INTO wp_posts VALUES (1, 'Hello')")
    for verb, sentence in refusals(service, url, monkeypatch, capsys).items():
        assert sentence == (
            f"the database else_{service} is not one of {service}: it has no schema version, and has tables (wp_posts);"
            f" set DATABASE_URL to the database of {service}, or to an empty one"
        ), verb
    # One that another application migrates with the same tool.
    execute(url, VERSION.format("3a1f0c2b9d4e"))
    for verb, sentence in refusals(service, url, monkeypatch, capsys).items():
        assert sentence.startswith(
            f"the database else_{service} is of another application, not of {service}: it is at schema 3a1f0c2b9d4e"
        ), verb
    postgres.drop_database(f"else_{service}")


def test_what_extensions_bring_makes_a_database_no_less_empty(postgres: Postgres) -> None:
    url = postgres.create_database("extended")
    execute(postgres.admin_url("extended"), "CREATE EXTENSION pg_stat_statements")
    execute(postgres.admin_url("extended"), "CREATE SCHEMA elsewhere", "CREATE TABLE elsewhere.jobs (id int)")
    migrated: list[object] = []

    async def migrate() -> None:
        migrated.append(await migrations.migrate(url, "mmptf_catalog"))

    asyncio_run(migrate())
    assert migrated == [(None, migrations.head("mmptf_catalog"))]


@pytest.mark.parametrize("numbered", ["{service}_0099", "0099"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_database_of_a_newer_version_is_left_alone_and_what_to_do_is_said(
    new_database: Callable[[str], str],
    service: str,
    numbered: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, revision = new_database(service), numbered.format(service=service)
    execute(url, f"UPDATE alembic_version SET version_num = '{revision}', oldest_code = '{revision}'")
    for verb, sentence in refusals(service, url, monkeypatch, capsys).items():
        assert sentence == (
            f"the database of {service} is at schema {revision}, which this version does not know; a newer version of"
            f" mmptf-{service} has migrated it: deploy that version, or restore the backup from before the upgrade"
        ), verb


@pytest.mark.parametrize("service", SERVICES)
def test_every_verb_but_migrate_wants_the_schema_of_its_version(
    postgres: Postgres, service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    older = {"catalog": "0004", "funding": "0005", "markers": "0006"}[service]
    (files,) = [v.files for v in ONE_OF_EACH_VERSION if (v.service, v.version) == (service, older)]
    url = postgres.create_database(f"behind_{service}")
    for found, statements in (
        ("none", ()),
        (older, (*(sql_of(service, file) for file in files), VERSION.format(older))),
    ):
        execute(url, *statements)
        before = contents(url)
        for verb in VERBS[service][1:]:
            assert run(service, verb, url, monkeypatch) == 1
            assert capsys.readouterr().err == (
                f"{service}: {verb[0]} failed: the database of {service} is at schema {found} and this version needs"
                f" {migrations.head(f'mmptf_{service}')}; run: python -m mmptf_{service} migrate\n"
            )
        assert contents(url) == before
    assert run(service, ("migrate",), url, monkeypatch) == 0
    assert capsys.readouterr().out == f"{service}: schema at {migrations.head(f'mmptf_{service}')} (was {older})\n"
    for verb in VERBS[service][1:]:
        assert run(service, verb, url, monkeypatch) == 0


def test_older_databases_of_every_version_are_tried() -> None:
    every = {
        "catalog": (
            *("0001", "0003", "0004", "catalog_0008", "catalog_0009", "catalog_0012", "catalog_0015", "catalog_0016"),
            *("catalog_0017", "catalog_0019", "catalog_0021"),
        ),
        "funding": (
            *("0001", "0002", "0003", "0004", "0005", "funding_0009", "funding_0010", "funding_0013", "funding_0015"),
            *("funding_0016", "funding_0019", "funding_0020", "funding_0029", "funding_0034", "funding_0036"),
            *("funding_0038", "funding_0039", "funding_0040"),
        ),
        "markers": (
            *("0001", "0002", "0005", "0006", "0007", "markers_0012", "markers_0013", "markers_0015", "markers_0017"),
            *("markers_0018", "markers_0020", "markers_0021", "markers_0025", "markers_0026", "markers_0027"),
        ),
    }
    assert sorted((v.service, v.version) for v in ONE_OF_EACH_VERSION) == [
        (service, version) for service, versions in every.items() for version in versions
    ]
