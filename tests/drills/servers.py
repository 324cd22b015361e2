"""PostgreSQL and Redis as the drills need them: killed, stopped and started again on the same port."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.storage import migrations, privileges
from mmptf_local.cache import redis_binary
from mmptf_local.postgres import ADMIN, running_postgres
from mmptf_local.processes import LOOPBACK, Child, free_port, run, wait_until
from mmptf_local.state import UNPRIVILEGED_UID, unprivileged_uid
from tests.conftest import asyncio_run, service_of
from tests.drills.edition import large_edition
from tests.drills.limits import CACHE_MEMORY
from tests.suite import SERVICES

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
    # What a killed server has acknowledged is in the files; only a power cut could lose it, and there is none here.
    "fsync": "off",
    "restart_after_crash": "on",
    "log_checkpoints": "off",
}
VOLUME_MEGABYTES = 640
EXPORTED_ROWS = 8_000
"""Rows of an edition beside the packaged one: an export is longer then than the buffers on the way to its reader."""
PASSWORD = "drill"


@dataclass
class Cluster:
    """A PostgreSQL server with its data, whose processes receive signals."""

    programs: Path
    data: Path
    port: int
    uid: int | None
    log: Path
    child: Child | None = None

    def start(self) -> None:
        """Start it, also after a crash, and return when it accepts connections."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self.child = Child(
            "postgres",
            [str(self.programs / "postgres"), "-D", str(self.data), f"--port={self.port}", *options],
            env=_environment(),
            uid=self.uid,
            log=_to_file(self.log),
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            grace=20,
        )
        wait_until(self.answers, self.child, seconds=60)

    def answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        return True

    def processes(self) -> list[int]:
        """The ids of the server and of its children, which are sessions of their own."""
        assert self.child
        server = self.child.process.pid
        return [server, *children_of(server)]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and to all its children."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        assert self.child
        self.send(signal.SIGKILL)
        self.child.process.wait()

    def stop(self) -> None:
        if self.child and self.child.alive:
            with suppress(ProcessLookupError):
                self.send(signal.SIGCONT)
            self.child.stop()

    def run(self, *statements: str, database: str = ADMIN) -> list[asyncpg.Record]:
        """Carry out statements as the superuser; the rows of the last one."""
        found: list[asyncpg.Record] = []

        async def run_all() -> None:
            url = f"postgresql://{ADMIN}:{PASSWORD}@{LOOPBACK}:{self.port}/{database}"
            connection = await asyncpg.connect(url, ssl=False, timeout=3, command_timeout=20)
            try:
                for statement in statements:
                    found[:] = await connection.fetch(statement)
            finally:
                await connection.close(timeout=2)

        asyncio_run(run_all())
        return found

    def tool(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs against this server, as the superuser."""
        environment = _environment() | {
            "PGHOST": LOOPBACK, "PGPORT": str(self.port), "PGUSER": ADMIN, "PGPASSWORD": PASSWORD,
        }  # fmt: skip
        command = [str(self.programs / name), *arguments]
        subprocess.run(command, env=environment, user=self.uid, check=True, capture_output=True, cwd="/")

    def standby(self, folder: Path, port: int) -> Cluster:
        """A running streaming replica of this server, on a port; every write waits for it from now on."""
        self.tool("pg_basebackup", f"--pgdata={folder}", "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        replica = Cluster(self.programs, folder, port, self.uid, self.log)
        replica.start()
        self.run("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        deadline = time.monotonic() + 10
        while not self.run("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"):
            if time.monotonic() > deadline:
                raise TimeoutError("the streaming replica did not become synchronous")
            time.sleep(0.1)
        return replica

    def promote(self) -> None:
        """Make a replica the primary server, one that waits for no replica."""
        self.run("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()", "SELECT pg_promote()")


@contextmanager
def cluster_files(state: Path) -> Iterator[tuple[Path, Path]]:
    """The programs of PostgreSQL and a folder of data with the migrated and filled database of every service."""
    with running_postgres(state, databases=SERVICES, durable=False) as server:
        for name in SERVICES:
            url, role = server.serving_url(name), privileges.role_of(server.serving_url(name))
            asyncio_run(migrations.migrate(server.url(name), f"mmptf_{name}", serving_role=role))
            definition = service_of(name)
            asyncio_run(cli.seed(definition, definition.settings(database_url=SecretStr(url))))
        workbook = state / "edition.xlsx"
        workbook.write_bytes(large_edition("DRILL-2016", EXPORTED_ROWS))
        command = [sys.executable, "-m", "mmptf_funding", "import", str(workbook)]
        run("import", command, env={**os.environ, "DATABASE_URL": server.serving_url("funding")})
        programs = Path(os.readlink(f"/proc/{server.child.process.pid}/exe")).parent
        asyncio_run(set_one_password(server.admin_url(), SERVICES))
    yield programs, state / "postgres" / "data"


async def set_one_password(url: str, services: Sequence[str]) -> None:
    """Give PASSWORD to the superuser and to both roles of each service."""
    connection = await asyncpg.connect(url, ssl=False)
    for role in (ADMIN, *services, *(f"{name}_serve" for name in services)):
        await connection.execute(f"ALTER ROLE \"{role}\" PASSWORD '{PASSWORD}'")
    await connection.close()


@contextmanager
def small_volume(folder: Path) -> Iterator[bool]:
    """Whether the folder is a file system of its own with little space, which only root can make; else a plain one."""
    folder.mkdir(mode=0o755)
    options = f"size={VOLUME_MEGABYTES}m,mode=755"
    made = os.geteuid() == 0 and not subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]).returncode
    try:
        if os.geteuid() == 0:
            os.chown(folder, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
        yield made
    finally:
        if made:
            subprocess.run(["umount", "--lazy", folder], check=True)


def new_cluster(programs: Path, template: Path, folder: Path, log: Path) -> Cluster:
    """A server with a copy of the data, not yet started."""
    uid = unprivileged_uid()
    shutil.copytree(template, folder)
    if uid is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, UNPRIVILEGED_UID)
    folder.chmod(0o700)
    return Cluster(programs, folder, free_port(), uid, log)


@dataclass
class CacheServer:
    """A Redis server on a fixed port, in whose place something else may listen for a while."""

    port: int = field(default_factory=free_port)
    child: Child | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@{LOOPBACK}:{self.port}/0"

    def start(self, **settings: str) -> None:
        options = {"maxmemory": CACHE_MEMORY, "maxmemory-policy": "allkeys-lru"} | settings
        lines = [f"bind {LOOPBACK}", f"port {self.port}", f"requirepass {PASSWORD}", 'save ""', "appendonly no"]
        lines += [f"{name} {value}" for name, value in options.items()]
        self.child = Child("redis", [str(redis_binary()), "-"], stdin="\n".join(lines).encode())
        wait_until(self.answers, self.child, seconds=15)

    def answers(self) -> bool:
        try:
            return asyncio_result(command(self.port, "PING")) == b"+PONG"
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False

    def kill(self) -> None:
        assert self.child
        self.child.process.send_signal(signal.SIGKILL)
        self.child.process.wait()

    def stop(self) -> None:
        if self.child:
            self.child.stop()


async def command(port: int, *words: str) -> bytes:
    """The first line that a Redis answers to a command."""
    async with asyncio.timeout(2):
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            writer.write(f"AUTH {PASSWORD}\r\n".encode())
            await reader.readline()
            encoded = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            writer.write("".join((f"*{len(words)}\r\n", *encoded)).encode())
            return (await reader.readuntil(b"\r\n")).rstrip()
        finally:
            writer.close()


def asyncio_result(coroutine: Any) -> Any:
    found: list[Any] = []

    async def run() -> None:
        found.append(await coroutine)

    asyncio_run(run())
    return found[0]


def children_of(pid: int) -> list[int]:
    """The ids of the processes that a process has started and that have not ended."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _environment() -> Mapping[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return ours | {"LC_ALL": "C", "TZ": "UTC"}


def _to_file(file: Path) -> Any:
    def log(label: str, line: str) -> None:
        with file.open("a") as stream:
            stream.write(f"{label}  {line}\n")

    return log
