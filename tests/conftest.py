"""What every test may ask for: a real PostgreSQL and a real Redis, databases filled with the packaged data, apps."""

from __future__ import annotations

import asyncio
import gc
import importlib
import shutil
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import hypothesis
import pytest
import sqlalchemy as sa
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from mmptf_common import cli
from mmptf_common.service import Service
from mmptf_common.storage import migrations, privileges
from mmptf_common.storage.engines import Database, ReadKind, write_engine
from mmptf_common.storage.journal import CHANNEL
from mmptf_local.cache import Cache, redis_binary, running_cache
from mmptf_local.issuer import AUDIENCE
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.state import temporary_state
from tests.suite import SERVICES
from tests.tokens import issuer


def pytest_configure(config: pytest.Config) -> None:
    """`make test` tries the same examples in every run: what fails is the change. `make longer` draws them anew.

    A busy machine is no finding, so no example has a time within which it must end.
    """
    same = "tries_more" not in config.option.markexpr
    hypothesis.settings.register_profile("suite", deadline=None, derandomize=same)
    hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("tries_more")


# Files whose tests leave the processes of a suite as they are, in the order in which they ask them: first what shows
# the figures of the packaged data, then what writes.
SHARING_A_SUITE = (
    "tests/e2e/test_readme.py",
    "tests/e2e/test_behind_nginx.py",
    "tests/e2e/test_http_server.py",
    "tests/e2e/test_figures.py",
)


class ByFile(LoadScopeScheduling):
    """A file stays with one worker, and so do all files that share the processes that they ask."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in SHARING_A_SUITE:
            return SHARING_A_SUITE[0]
        folder = file.rpartition("/")[0]
        return folder if folder in ("tests/contract", "tests/validators") else file

    def _pending_of(self, workload: dict[str, dict[str, bool]]) -> int:
        """How many of these tests are not done, three at most, since more than two are many to the base class.

        It asks several times for each test that is done, and would count thousands of tests each time.
        """
        backwards = (done for scope in reversed(workload.values()) for done in reversed(scope.values()))
        return sum(1 for _ in islice((done for done in backwards if not done), 3))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The items of all tests are needed to the end: nothing is gained by looking for garbage among them.

    Among what the tests make it is looked for less often than is usual, which took a twelfth of the time of a worker.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(20_000, 20, 20)


def service_of(name: str) -> Service[Any]:
    """The definition of one service."""
    service: Service[Any] = importlib.import_module(f"mmptf_{name}.app").SERVICE
    return service


def memory() -> Path | None:
    """A folder in memory with room for the databases of all workers, which are cloned there in less time; else None."""
    folder = Path("/dev/shm")  # noqa: S108  # each run makes a folder of its own in it
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > 8 * 2**30 else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with temporary_state(memory()) as state, running_postgres(state, databases=SERVICES, durable=False) as server:
        _servers.append(server)
        # It would look every minute into each of a hundred databases, which end before anything is due there.
        off = ("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        asyncio_run(execute(server.admin_url(), *off))
        yield server
        _servers.remove(server)


_servers: list[Postgres] = []


async def execute(url: str, *statements: str) -> None:
    """Execute statements, each for itself, on a connection of their own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def serving_url(url: str) -> str:
    """The URL of a database under the role that serves, also through a proxy; `url` is of its owner."""
    credentials = _servers[-1].serving_url(url.rpartition("/")[2]).rpartition("@")[0]
    return f"{credentials}@{url.rpartition('@')[2]}"


def admin_url(url: str) -> str:
    """The URL of a database under the superuser, who may end the connections of all roles; `url` is of any."""
    return _servers[-1].admin_url(url.rpartition("/")[2])


async def let_serve(url: str) -> None:
    """Let the role that serves do so where it may not yet, as `migrate` does."""
    role = privileges.role_of(serving_url(url))
    engine = write_engine(url, size=1)
    try:
        async with engine.begin() as connection:
            granted = sa.text("SELECT has_table_privilege(:role, to_regclass('alembic_version'), 'SELECT')")
            if role and not await connection.scalar(granted, {"role": role}):
                await privileges.let_serve(connection, role)
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Cache]:
    with running_cache(redis_binary()) as server:
        yield server


@pytest.fixture(scope="session")
def new_database(postgres: Postgres) -> Callable[[str], str]:
    """Make a database of its own, a copy of a service's, migrated and filled; gives the URL for its owner."""
    numbers = count(1)
    templates: set[str] = set()

    def make(service: str) -> str:
        if service not in templates:
            url = postgres.url(service)
            serving, definition = postgres.serving_url(service), service_of(service)
            asyncio_run(migrations.migrate(url, f"mmptf_{service}", serving_role=privileges.role_of(serving)))
            asyncio_run(cli.seed(definition, definition.settings(database_url=SecretStr(serving))))
            # In place of autovacuum; the copies have the same statistics.
            asyncio_run(execute(url, "ANALYZE"))
            templates.add(service)
        return postgres.create_database(f"{service}_{next(numbers)}", template=service)

    return make


def asyncio_run(coroutine: object) -> None:
    """Run to the end in a loop of its own, also where a loop runs already."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()  # type: ignore[arg-type]


def pool_of(database: Database) -> asyncpg.Pool[Any]:
    """The connections for pages of a database, over which tests read what is stored."""
    return database.reads[ReadKind.PAGE].connections


@dataclass(frozen=True)
class RunningApp:
    """An app in this process, its client, and its database under the role of its owner."""

    name: str
    app: FastAPI
    client: httpx.AsyncClient
    database_url: str

    def set(self, **settings: object) -> None:
        """Change some of the settings while it runs: the addresses of the services that it asks."""
        self.app.state.settings = self.app.state.settings.model_copy(update=settings)

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[AsyncSession]:
        """A transaction of the owner of the tables, for what the role that serves may not do.

        Whoever waits for changes is notified as of any write.
        """
        engine = write_engine(self.database_url, size=1)
        try:
            async with AsyncSession(engine) as session, session.begin():
                yield session
                await session.execute(sa.text(f"SELECT pg_notify('{CHANNEL}', '')"))
        finally:
            await engine.dispose()

    async def all_connections_idle(self) -> None:
        """Wait, for a second at most: the driver resets a connection after its caller has left."""
        pools = [each.connections for each in self.app.state.database.reads.values()]
        async with asyncio.timeout(1):
            # The pools have no event for it.
            while any(pool.get_idle_size() < pool.get_size() for pool in pools):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running_app(
    name: str, database_url: str, redis_url: str | None, **settings: object
) -> AsyncIterator[RunningApp]:
    """An app of a service; `settings` are those that only some services have.

    database_url: of the owner of the tables; the app has the role that serves
    """
    await let_serve(database_url)
    async with serving_app(name, serving_url(database_url), redis_url, **settings) as (app, client):
        yield RunningApp(name, app, client, database_url)


@asynccontextmanager
async def serving_app(
    name: str, url: str, redis_url: str | None = None, **settings: object
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The same app and its client at the URL of a database as it is, of any server."""
    known = service_of(name).settings(
        database_url=SecretStr(url),
        redis_url=SecretStr(redis_url) if redis_url else None,
        database_pool=4,
        environment="development",
        identity_issuer=issuer().url,
        identity_audience=AUDIENCE,
        # What is drawn by lot would be another outcome in each run.
        **{"second_ratings": 0, **settings},
    )
    app = importlib.import_module(f"mmptf_{name}.app").create_app(known)
    async with LifespanManager(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield app, client


AppFactory = Callable[[str], AbstractAsyncContextManager[RunningApp]]


@pytest.fixture(scope="session")
async def apps(new_database: Callable[[str], str], redis_server: Cache) -> AsyncIterator[dict[str, RunningApp]]:
    """Every service on the packaged data; tests that use them only read."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(running_app(name, new_database(name), redis_server.url))
            for name in SERVICES
        }


@pytest.fixture(scope="session")
def catalog(apps: dict[str, RunningApp]) -> httpx.AsyncClient:
    return apps["catalog"].client


@pytest.fixture(scope="session")
def funding(apps: dict[str, RunningApp]) -> httpx.AsyncClient:
    return apps["funding"].client


@pytest.fixture(scope="session")
def markers(apps: dict[str, RunningApp]) -> httpx.AsyncClient:
    return apps["markers"].client
