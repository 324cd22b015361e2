"""The measurement: the cost of requests to every contender, once in each round, in an order that changes."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import processes
from mmptf_local.processes import LOOPBACK, Child

Rounds = Sequence[Mapping[str, "Measured"]]


@dataclass(frozen=True)
class Contender:
    """A server under load.

    children: the processes whose CPU time is its own; database: one whose CPU time is counted apart
    requests: what is sent to it in turn, as `request` writes it; status: of every answer
    """

    name: str
    label: str
    port: int
    children: tuple[Child, ...]
    requests: tuple[bytes, ...]
    database: Child | None = None
    status: int = 200
    connections: int = 16


@dataclass(frozen=True)
class Measured:
    """One contender in one round: CPU microseconds per request, requests per second, latency in milliseconds.

    server: of its own processes; database: of PostgreSQL; busy: the share of the time in which these had the processor
    load: CPU microseconds per request of the load itself
    """

    server: float
    database: float
    rate: float
    p50_ms: float
    p99_ms: float
    busy: float
    load: float

    @property
    def capacity(self) -> float:
        """Requests per second of one core: a second over the CPU time of a request, the database's included."""
        return 1e6 / (self.server + self.database)


def request(target: str, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; underscores in the names of headers stand for hyphens."""
    lines = [f"{method} {target} HTTP/1.1", "host: bench.example"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def measure(
    contenders: Sequence[Contender], rounds: int, seconds: float, progress: Callable[[str], None], what: str
) -> Rounds:
    """So many rounds, after one that warms up; each contender under load for some seconds in each."""
    for contender in contenders:
        _load(contender, seconds / 2)
    measured = []
    for number in range(rounds):
        measured.append({each.name: _load(each, seconds) for each in _turned(contenders, number)})
        progress(f"{what}: round {number + 1} of {rounds}")
    return measured


def _turned(contenders: Sequence[Contender], number: int) -> Sequence[Contender]:
    """The order of one round: each begins once, and every second round runs backwards."""
    first = number % len(contenders)
    turned = [*contenders[first:], *contenders[:first]]
    return turned if number % 2 == 0 else turned[::-1]


def _load(contender: Contender, seconds: float) -> Measured:
    pids = [child.process.pid for child in contender.children]
    database = [contender.database.process.pid] if contender.database else []
    before = [sum(map(processes.cpu, each)) for each in (pids, database)]
    given = {
        "port": contender.port,
        "connections": contender.connections,
        "seconds": seconds,
        "status": contender.status,
        "requests": [each.decode("latin-1") for each in contender.requests],
    }
    done = subprocess.run(
        [sys.executable, "-S", "-m", "bench.load"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
    )
    server, of_database = (
        sum(map(processes.cpu, each)) - then for each, then in zip((pids, database), before, strict=True)
    )
    if done.returncode:
        raise SystemExit(f"the load on {contender.name} failed:\n{done.stderr}")
    result = json.loads(done.stdout)
    if result["error"] or not result["requests"]:
        texts = "\n".join(child.text() for child in contender.children)
        raise SystemExit(f"{contender.name} failed under load: {result['error']}\n{texts[-4000:]}")
    number = result["requests"]
    return Measured(
        server=server * 1e6 / number,
        database=of_database * 1e6 / number,
        rate=number / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        busy=(server + of_database) / result["seconds"],
        load=result["cpu"] * 1e6 / number,
    )


@dataclass(frozen=True)
class Fetched:
    """One answer: its status, its headers with names in lower case, its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def fetch(port: int, target: str, *, body: bytes | None = None, seconds: float = 60, **headers: str) -> Fetched:
    """The answer to one request on a connection of its own; with a body it is a POST."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(f"http://{LOOPBACK}:{port}{target}", body, named)
    try:
        with opener.open(asked, timeout=seconds) as answer:
            return Fetched(answer.status, {n.lower(): v for n, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        return Fetched(error.code, {n.lower(): v for n, v in error.headers.items()}, error.read())
