"""The programs that the suite is compared with, each started as its own documentation recommends for speed."""

from __future__ import annotations

import csv
import os
import socket
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from mmptf_local.processes import LOOPBACK, Child, free_port, wait_until
from tests.nginx import nginx_program, running_nginx

ROOT = Path(__file__).resolve().parents[1]
# An environment of their own, which `make bench` fills from bench/peers.txt.
PROGRAMS = ROOT / ".peers" / "bin"
# Settings of one of the suite's processes that must not be those of the shell in which the benchmark is started.
_WITHHELD = {"DATABASE_POOL", "DATABASE_URL", "LOG_LEVEL", "REDIS_URL", "SERVICES"}
NO_NGINX = "nginx is neither in the test tools nor on this machine"


def python(stack: ExitStack, label: str, command: Sequence[str], settings: Mapping[str, str]) -> tuple[int, Child]:
    """A server of this environment, once it listens; its port and its process."""
    port = free_port()
    env = {key: value for key, value in os.environ.items() if key not in _WITHHELD}
    env |= {"PYTHONPATH": str(ROOT), "HOST": LOOPBACK, "PORT": str(port), **settings}
    child = stack.enter_context(Child(label, [sys.executable, *command], env=env))
    wait_until(lambda: listens(port), child, seconds=60)
    return port, child


def nginx(stack: ExitStack, folder: Path, *, server: str, http: str = "") -> tuple[int, Child] | None:
    """An nginx of one worker with these lines of configuration; None where it is not installed."""
    program = nginx_program()
    if program is None:
        return None
    folder.mkdir(exist_ok=True)
    return stack.enter_context(running_nginx(program, folder, http=http, server=server))


def roapi(stack: ExitStack, table: str, file: Path) -> tuple[int, Child] | str:
    """ROAPI with a CSV file as its table, held in memory; or why it does not run."""
    program = PROGRAMS / "roapi"
    if not program.exists():
        return "it is not installed: `make bench` installs it from bench/peers.txt"
    port, other = free_port(), free_port()
    addresses = ["--addr-http", f"{LOOPBACK}:{port}", "--addr-postgres", f"{LOOPBACK}:{other}"]
    command = [str(program), *addresses, "--table", f"{table}={file}"]
    child = stack.enter_context(Child("roapi", command, env={**os.environ, "RUST_LOG": "warn"}))
    wait_until(lambda: listens(port), child, seconds=60)
    return port, child


def datasette(
    stack: ExitStack, folder: Path, table: str, file: Path, indexes: Sequence[str]
) -> tuple[int, Child] | str:
    """Datasette with the rows of a CSV file in SQLite, with indexes; or why it does not run."""
    program = PROGRAMS / "datasette"
    if not program.exists():
        return "it is not installed: `make bench` installs it from bench/peers.txt"
    database = folder / "rows.db"
    _fill(database, table, file, indexes)
    port = free_port()
    settings = {"sql_time_limit_ms": 60_000, "num_sql_threads": 3, "suggest_facets": "off", "max_returned_rows": 2000}
    options = [part for name, value in settings.items() for part in ("--setting", name, str(value))]
    command = [str(program), "serve", "--immutable", str(database), "--host", LOOPBACK, "--port", str(port), *options]
    child = stack.enter_context(Child("datasette", command))
    wait_until(lambda: listens(port), child, seconds=60)
    return port, child


def _fill(database: Path, table: str, file: Path, indexes: Sequence[str]) -> None:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        names = next(rows)
        columns = ", ".join(f"{name} {'REAL' if name.endswith('_usd') else 'TEXT'}" for name in names)
        connection = sqlite3.connect(database)
        connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
    for number, index in enumerate(indexes):
        connection.execute(f"CREATE INDEX by_{number} ON {table} ({index})")
    connection.execute("ANALYZE")
    connection.commit()
    connection.close()


def listens(port: int) -> bool:
    """Whether a program of this machine accepts connections on a port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
