"""The verb `check`: a line for each setting and each server, no secret, and 0 only where the process could serve."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from pydantic import Secret, SecretStr

from mmptf_catalog.app import SERVICE as CATALOG
from mmptf_common import cli
from mmptf_common.process.findings import masked, of_settings
from mmptf_common.process.metrics import Exposition, Figure
from mmptf_common.storage.connections import SERVER_SETTINGS
from mmptf_common.storage.schema_version import head
from mmptf_funding.app import SERVICE as FUNDING
from mmptf_funding.settings import FundingSettings
from mmptf_gateway.__main__ import run as run_gateway
from mmptf_local.cache import Cache
from mmptf_local.processes import LOOPBACK, free_port
from tests.collector import running_collector
from tests.conftest import execute, serving_app, serving_url
from tests.drills.servers import PASSWORD
from tests.integration.database_servers import Pair, pgbouncer, pgbouncer_program, replicated_pair
from tests.integration.programme_writes import submitted
from tests.tokens import identity, issuer

NOWHERE = f"http://127.0.0.1:{free_port()}"
Lines = dict[str, tuple[str, str]]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FundingSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def database_url(new_database: Callable[[str], str]) -> str:
    """A database of the catalogue, under its owner."""
    return new_database("catalog")


class Check:
    """Runs the verb in an environment, and reads what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    async def __call__(self, service: str, **environment: str) -> tuple[int, Lines]:
        """The exit code, and the lines of standard output: what was looked at -> state, detail."""
        with self._monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            run = {
                "catalog": lambda: cli.main(CATALOG, ["check"]),
                "funding": lambda: cli.main(FUNDING, ["check"]),
                "gateway": lambda: run_gateway(["check"]),
            }[service]
            code = await asyncio.to_thread(run)
        printed = self._capsys.readouterr()
        assert printed.err == ""
        *lines, last = printed.out.splitlines()
        assert last == (f"{service}: could serve" if code == 0 else f"{service}: could not serve, 1 failed")
        for secret in (urlsplit(value).password for value in environment.values()):
            assert secret is None or secret not in printed.out
        found: Lines = {}
        for line in lines:
            state, what, detail = line.split(maxsplit=2)
            found[detail.partition("=")[0] if what == "setting" else what] = (state, detail)
        return code, found


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    return Check(monkeypatch, capsys)


async def test_a_service_that_could_serve(
    check: Check, new_database: Callable[[str], str], redis_server: Cache, catalogue_url: str
) -> None:
    owner = new_database("funding")
    code, found = await check(
        "funding",
        DATABASE_URL=serving_url(owner),
        MIGRATION_DATABASE_URL=owner,
        REDIS_URL=redis_server.url,
        CATALOG_URL=catalogue_url,
        ENVIRONMENT="development",
        **identity(),
    )
    states = {what: state for what, (state, _) in found.items()}
    assert set(states.values()) == {"ok"}, found
    assert code == 0
    role, database = urlsplit(serving_url(owner)).username, owner.rpartition("/")[2]
    assert f", {database} as {role}, answers in " in found["database"][1]
    assert found["schema"][1] == head("mmptf_funding")
    assert found["role"][1] == "may serve, and cannot rewrite the journal"
    assert found["clock"][1].startswith("that of the database is 0.")
    assert found["migration"][1] == f"{urlsplit(owner).username} owns the tables"
    assert found["redis"][1] == "stores and returns a value"
    assert found["identity"][1] == f"{issuer().url} publishes 1 key, for ES256"
    assert found["catalog"][1].startswith(f"{catalogue_url} answers: version 0.1.0, data at revision ")
    assert found["CATALOG_URL"][1] == f"CATALOG_URL={catalogue_url}"
    assert found["DATABASE_URL"][1].startswith(f"DATABASE_URL=postgresql://{role}:***@")


async def test_what_a_service_goes_on_without_is_a_warning(check: Check, database_url: str, catalogue_url: str) -> None:
    code, found = await check(
        "catalog",
        DATABASE_URL=database_url,
        REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}/0",
        # That is the catalogue itself.
        FUNDING_URL=catalogue_url,
    )
    assert code == 0
    assert {what: state for what, (state, _) in found.items() if state != "ok"} == {
        "role": "warning",
        "redis": "warning",
        "identity": "warning",
        "funding": "warning",
    }
    assert "may rewrite the journal" in found["role"][1]
    assert found["redis"][1] == "Redis cannot be reached, or broke the connection."
    assert found["identity"][1] == "no identity provider: every write is refused"
    assert found["funding"][1] == f"{catalogue_url} answers, and not as funding does (404)"
    code, found = await check("catalog", DATABASE_URL=database_url, FUNDING_URL=NOWHERE)
    assert (code, found["funding"][0]) == (0, "warning")
    assert found["funding"][1].startswith(f"{NOWHERE} cannot be reached (")


async def test_a_role_that_lacks_a_privilege(check: Check, new_database: Callable[[str], str]) -> None:
    url = new_database("catalog")
    role = urlsplit(serving_url(url)).username
    await execute(url, f'REVOKE UPDATE ON programme FROM "{role}"', f'REVOKE SELECT ON change FROM "{role}"')
    code, found = await check("catalog", DATABASE_URL=serving_url(url))
    assert code == 1
    assert found["role"][0] == "failed"
    assert found["role"][1].startswith("lacks SELECT on change, UPDATE on programme: run migrate")


async def test_a_database_without_a_schema(check: Check, database_url: str) -> None:
    base = database_url.rpartition("/")[0]
    code, found = await check("funding", DATABASE_URL=database_url)
    assert (code, found["schema"][0]) == (1, "failed")
    assert found["schema"][1].startswith("this is the database of catalog, not of funding")
    assert "role" not in found
    code, found = await check("funding", DATABASE_URL=f"{base}/no-such-database")
    assert (code, found["database"][0]) == (1, "failed")
    assert 'database "no-such-database" does not exist' in found["database"][1]


async def test_a_database_that_cannot_be_reached(check: Check) -> None:
    url = f"postgresql://catalog_serve:secret@127.0.0.1:{free_port()}/catalog"
    code, found = await check("catalog", DATABASE_URL=url)
    assert (code, found["database"][0]) == (1, "failed")
    assert not {"schema", "role", "clock"} & found.keys()


async def test_keys_that_cannot_be_fetched(check: Check, database_url: str) -> None:
    code, found = await check(
        "catalog",
        DATABASE_URL=database_url,
        ENVIRONMENT="development",
        IDENTITY_ISSUER=NOWHERE,
        IDENTITY_AUDIENCE="mmptf",
    )
    assert (code, found["identity"][0]) == (1, "failed")
    assert found["identity"][1].startswith(f"the keys of {NOWHERE} cannot be fetched (")
    # The same provider under another name than its own.
    other = issuer().url.replace(LOOPBACK, "localhost")
    settings = {"ENVIRONMENT": "development", "IDENTITY_ISSUER": other, "IDENTITY_AUDIENCE": "mmptf"}
    code, found = await check("catalog", DATABASE_URL=database_url, **settings)
    assert code == 1
    assert f"its configuration is of '{issuer().url}', and the same is expected" in found["identity"][1]


async def test_the_gateway(check: Check, redis_server: Cache, catalogue_url: str) -> None:
    code, found = await check(
        "gateway", SERVICES=f"catalog={catalogue_url},funding={NOWHERE}", REDIS_URL=redis_server.url
    )
    assert code == 0
    assert (found["catalog"][0], found["funding"][0], found["redis"][0]) == ("ok", "warning", "ok")
    code, found = await check("gateway", SERVICES=f"funding={NOWHERE}")
    assert (code, found["funding"][0], found["redis"][0]) == (1, "failed", "warning")


async def test_the_address_beside_a_pooler(check: Check, database_url: str, new_database: Callable[[str], str]) -> None:
    other = new_database("funding")
    served, role = serving_url(database_url), urlsplit(serving_url(database_url)).username
    name, other_name = database_url.rpartition("/")[2], other.rpartition("/")[2]
    for url, state, said in (
        (served, "ok", f"{name} as {role}, without a pooler"),
        (database_url, "warning", f"{name} as catalog: another role than {role} of DATABASE_URL"),
        (other, "warning", f"{other_name} as funding: another database than {name} of DATABASE_URL"),
        (f"postgresql://u:secret@{LOOPBACK}:{free_port()}/{name}", "warning", None),
    ):
        code, found = await check("catalog", DATABASE_URL=served, DATABASE_DIRECT_URL=url)
        assert (code, found["direct"][0]) == (0, state), found
        assert said is None or found["direct"][1] == said


IGNORED = ", ".join(name for name in SERVER_SETTINGS if name not in ("application_name", "timezone"))


@pytest.mark.skipif(pgbouncer_program() is None, reason="pgbouncer is not installed")
@pytest.mark.parametrize(
    ("mode", "state", "said"),
    [
        ("transaction", "warning", "a pooler, which shares its connections"),
        ("session", "ok", "through a pooler that seems to give each its own connection"),
    ],
)
async def test_a_pooler_at_the_address_beside_it(
    check: Check, database_url: str, mode: str, state: str, said: str
) -> None:
    settings = (f"pool_mode = {mode}", f"ignore_startup_parameters = {IGNORED}")
    served = serving_url(database_url)
    with pgbouncer(str(pgbouncer_program()), served, *settings) as url:
        for pooled in (url, served):
            code, found = await check("catalog", DATABASE_URL=pooled, DATABASE_DIRECT_URL=url)
            assert (code, found["direct"][0]) == (0, state), found
            assert found["direct"][1].endswith(said)


async def test_what_is_no_replica(check: Check, database_url: str) -> None:
    served = serving_url(database_url)
    for url, said in (
        (served, "no streaming replica; reads go to the database"),
        (f"postgresql://u:secret@{LOOPBACK}:{free_port()}/catalog", "; reads go to the database"),
    ):
        code, found = await check("catalog", DATABASE_URL=served, DATABASE_READ_URL=url)
        assert (code, found["replica"][0]) == (0, "warning"), found
        assert found["replica"][1].endswith(said)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with replicated_pair() as pair:
        yield pair


@pytest.mark.longer
async def test_a_replica(check: Check, pair: Pair) -> None:
    async def replica(url: str) -> tuple[str, str]:
        code, found = await check("catalog", DATABASE_URL=pair.url(pair.primary), DATABASE_READ_URL=url)
        assert code == 0, found
        return found["replica"]

    url = pair.url(pair.replica)
    state, said = await replica(url)
    assert state == "ok", said
    assert ", catalog as catalog_serve, has all writes" in said
    pair.primary.run("GRANT CONNECT ON DATABASE postgres TO PUBLIC", f"CREATE ROLE reads LOGIN PASSWORD '{PASSWORD}'")
    pair.primary.run("GRANT CONNECT ON DATABASE catalog TO reads")
    for unsuitable, why in (
        (f"{url.removesuffix('/catalog')}/postgres", "another database than catalog of DATABASE_URL"),
        (url.replace("//catalog_serve:", "//reads:"), "the role may not read alembic_version, call, "),
    ):
        state, said = await replica(unsuitable)
        assert state == "warning"
        assert why in said
        assert said.endswith("; reads go to the database")
    pair.replica.run("SELECT pg_wal_replay_pause()")
    try:
        async with serving_app("catalog", pair.url(pair.primary)) as (_, client):
            assert (await submitted(client)).status_code == 201
        state, said = await replica(url)
        assert state == "warning"
        assert "lacks 1 writes and " in said
    finally:
        pair.replica.run("SELECT pg_wal_replay_resume()")
    assert (await replica(url))[0] == "ok"
    if program := pgbouncer_program():
        settings = ("pool_mode = transaction", f"ignore_startup_parameters = {IGNORED}")
        with pgbouncer(program, url, *settings) as pooled:
            state, said = await replica(pooled)
        assert state == "warning"
        assert "a pooler is in between" in said


@asynccontextmanager
async def figures_at(port: int, service: str) -> AsyncIterator[None]:
    """The figures of a process of this name, answered as each process answers its own."""

    async def nothing_more() -> Iterable[Figure]:
        return ()

    exposition = Exposition(service, "0.1.0", "0123456789ab")
    exposition.ask(nothing_more)
    with exposition.served(LOOPBACK, port):
        yield


async def test_the_port_of_the_figures(check: Check, database_url: str, catalogue_url: str) -> None:
    port = free_port()
    settings = {"DATABASE_URL": serving_url(database_url), "HOST": LOOPBACK, "METRICS_PORT": str(port)}

    async def metrics(code: int) -> tuple[str, str]:
        found = await check("catalog", **settings)
        assert found[0] == code
        return found[1]["metrics"]

    assert await metrics(0) == ("ok", f"port {port} of {LOOPBACK} is free")
    async with figures_at(port, "catalog"):
        assert await metrics(0) == ("ok", f"port {port} of {LOOPBACK} answers for the catalog that runs")
    async with figures_at(port, "funding"):
        assert await metrics(1) == ("failed", f"port {port} of {LOOPBACK} is in use by the figures of funding")
        gateway = {"HOST": LOOPBACK, "METRICS_PORT": str(port), "SERVICES": f"catalog={catalogue_url}"}
        code, found = await check("gateway", **gateway)
        assert (code, found["metrics"][0]) == (1, "failed")
    with socket.create_server((LOOPBACK, port)):
        state, said = await metrics(1)
        assert (state, said.partition("(")[0]) == ("failed", f"port {port} of {LOOPBACK} is not to be had ")


async def test_the_collector_of_spans(check: Check, database_url: str, catalogue_url: str) -> None:
    with running_collector() as collector:
        for endpoint, state, said in (
            (collector.url, "ok", f"{collector.url} takes spans"),
            (catalogue_url, "warning", f"{catalogue_url} takes no spans (404)"),
            (
                NOWHERE.replace("//", "//u:secret@"),
                "warning",
                f"{NOWHERE.replace('//', '//u:***@')} cannot be reached (",
            ),
        ):
            settings = {
                "DATABASE_URL": serving_url(database_url),
                "ENVIRONMENT": "development",
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            }
            code, found = await check("catalog", **settings)
            assert (code, found["telemetry"][0]) == (0, state), found
            assert found["telemetry"][1].startswith(said)
        # A request without a span is what is sent.
        assert (collector.bodies, collector.spans) == ([b""], [])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgresql://u:p@ss@h,i/d?sslpassword=x&target_session_attrs=any", None),
        ("redis://:p@h:1/0", "redis://:***@h:1/0"),
        ("redis://h/0", "redis://h/0"),
        ("postgresql://u@h/d?password=p", "postgresql://u@h/d?password=***"),
        ("postgresql://u:p?x@h/d", "postgresql://u:***@h/d"),
        ("p", "***"),
        ("u:p@h", "***"),
    ],
)
def test_a_secret_is_not_shown(url: str, shown: str | None) -> None:
    assert masked(url) == (shown or "postgresql://u:***@h,i/d?sslpassword=***&target_session_attrs=***")


def test_settings_are_shown_as_they_are_read() -> None:
    settings = FundingSettings(
        database_url=SecretStr("postgresql://u:secret@h/d"),
        identity_issuer="https://login.example",
        identity_audience="a,b",
        identity_organizations={"azp": {"portal": "IOM", "other": "UNDP"}},
        rate_limits="pages=10",
        rate_limit_addresses=True,
        https_proxy=Secret("http://u:secret@proxy:1"),
    )
    assert [finding.detail for finding in of_settings(settings)] == [
        "RATE_LIMITS=pages=10,expensive=600,writes=600,computations=600,imports=60",
        "DATABASE_URL=postgresql://u:***@h/d",
        "RATE_LIMIT_ADDRESSES=true",
        "IDENTITY_ISSUER=https://login.example",
        "IDENTITY_AUDIENCE=a,b",
        "IDENTITY_ORGANIZATIONS=azp=2",
        "HTTPS_PROXY=http://u:***@proxy:1",
    ]
