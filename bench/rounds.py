"""The measurement: the cost of requests to every contender, once in each round, in an order that changes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench import processes
from bench.contenders import ROOT, Contender
from bench.data import PATH, QUESTIONS
from mmptf_local.postgres import Postgres
from mmptf_local.processes import LOOPBACK

CONNECTIONS = 16
COUNTED = 20


@dataclass(frozen=True)
class Measured:
    """One contender in one round: CPU microseconds per request, requests per second, latency in milliseconds.

    server: of all server processes together; hop: of the one that the client talks to; database: of PostgreSQL
    """

    server: float
    hop: float
    database: float
    rate: float
    p50_ms: float
    p99_ms: float


def check_bodies(contenders: Sequence[Contender]) -> int:
    """The mean length of a body, after checking that all contenders answer every query with the same bytes."""
    total = 0
    for question in QUESTIONS:
        bodies = {c.name: _get(c.port, question) for c in contenders}
        expected = bodies["service"]
        page = json.loads(expected)
        if len(page["items"]) != 50 or page["total"] <= 1000:
            raise SystemExit(f"{question} finds {page['total']} rows, and more than 1,000 are wanted")
        if different := [name for name, body in bodies.items() if body != expected]:
            raise SystemExit(f"{question} is answered differently by {', '.join(different)}")
        total += len(expected)
    return total // len(QUESTIONS)


def run_round(contenders: Sequence[Contender], postgres: Postgres, seconds: float) -> dict[str, Any]:
    """The measurement of each contender, under load for some seconds, in the given order."""
    return {c.name: _load(c, postgres, seconds) for c in contenders}


def _load(contender: Contender, postgres: Postgres, seconds: float) -> Measured:
    pids = [child.process.pid for child in contender.children]
    before = [processes.cpu(pid) for pid in (*pids, postgres.child.process.pid)]
    command = [sys.executable, "-m", "bench.load", str(contender.port), str(CONNECTIONS), str(seconds)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        input="\n".join(f"{PATH}?{question}" for question in QUESTIONS),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the load on {contender.name} failed:\n{done.stderr}")
    after = [processes.cpu(pid) for pid in (*pids, postgres.child.process.pid)]
    result = json.loads(done.stdout)
    if result["errors"] or not result["requests"]:
        raise SystemExit(f"{contender.name} failed under load: {result['errors'][:1]}\n{contender.child.text()}")
    *servers, database = [(b - a) * 1e6 / result["requests"] for a, b in zip(before, after, strict=True)]
    return Measured(
        sum(servers), servers[0], database, result["requests"] / result["seconds"], result["p50_ms"], result["p99_ms"]
    )


def count_statements(contenders: Sequence[Contender], postgres: Postgres, lines: list[str]) -> dict[str, float]:
    """Messages to PostgreSQL per request of a warm contender, as the server logs them into `lines`."""
    found = {}
    _admin(postgres, "ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    time.sleep(0.5)
    for contender in contenders:
        lines.clear()
        for question in QUESTIONS[:COUNTED]:
            _get(contender.port, question)
        time.sleep(0.2)
        logged = sum(line.startswith(("LOG:  statement: ", "LOG:  execute ")) for line in lines)
        found[contender.name] = logged / COUNTED
    _admin(postgres, "ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
    return found


def held_connections(contenders: Sequence[Contender]) -> dict[str, int]:
    """The number of connections that each contender holds to PostgreSQL or, for a forwarder, to the service."""
    return {c.name: processes.connections(c.child.process.pid, c.next_port) for c in contenders}


def _get(port: int, question: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{LOOPBACK}:{port}{PATH}?{question}", timeout=10) as response:
        body: bytes = response.read()
    return body


def _admin(postgres: Postgres, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(postgres.admin_url(), ssl=False)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())
