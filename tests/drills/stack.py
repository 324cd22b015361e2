"""The whole suite with two processes of each kind, a balancer in front of each, and a supervisor that restarts them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mmptf_local.issuer import AUDIENCE
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.drills.servers import PASSWORD, CacheServer, Cluster, children_of, new_cluster
from tests.suite import DEPLOYABLES, NAMES, SERVICES
from tests.tokens import issuer

REPLICAS = 2
DRAIN_SECONDS = 1
"""As in the images, longer than the balancer needs to see that a process is not ready."""
ANSWER_SECONDS = 7
"""The gateway's time limit in the drills: a short one, and longer than a service waits for a connection."""
RESTART_SECONDS = 0.2
SAMPLE_SECONDS = 0.5


@dataclass
class Use:
    """The most memory and descriptors of a container so far: of a process and those that it has started."""

    memory_bytes: int = 0
    descriptors: int = 0
    """Of the process that has most."""

    def sample(self, child: Child | None) -> None:
        """Look at the processes now; memory is what each has of its own, and once what they share."""
        if child is None:
            return
        kilobytes, shared = 0, Counter[str]()
        for pid in (child.process.pid, *children_of(child.process.pid)):
            with suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                found = {name: int(number) for name, number in re.findall(r"(Rss\w+):\s+(\d+) kB", status)}
                kilobytes += found.pop("RssAnon", 0)
                shared |= Counter(found)
                self.descriptors = max(self.descriptors, len(os.listdir(f"/proc/{pid}/fd")))
        self.memory_bytes = max(self.memory_bytes, (kilobytes + shared.total()) * 1024)


@dataclass
class Process:
    """One process of the suite, started again by the supervisor while it is wanted."""

    name: str
    kind: str
    port: int
    environment: Mapping[str, str]
    log: Path
    descriptors: int
    child: Child | None = None
    is_wanted: bool = True
    starts: int = 0
    use: Use = field(default_factory=Use)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def is_alive(self) -> bool:
        return self.child is not None and self.child.alive

    def is_ready(self) -> bool:
        return self.is_alive and answers_ready(f"{self.url}/health/ready")

    def start(self) -> None:
        """Start it; it may not be ready yet."""
        command = [sys.executable, "-m", f"mmptf_{self.kind}", "serve"]
        stream = self.log.open("a")
        self.child = Child(self.name, command, env=self.environment, log=lambda _, line: print(line, file=stream))
        with suppress(ProcessLookupError):
            resource.prlimit(self.child.process.pid, resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))
        self.starts += 1

    def wait_ready(self) -> None:
        assert self.child
        wait_until(self.is_ready, self.child, seconds=60)

    def send(self, number: signal.Signals) -> None:
        assert self.child
        with suppress(ProcessLookupError):
            self.child.process.send_signal(number)

    def stop(self) -> None:
        self.is_wanted = False
        if self.child:
            self.child.stop()


@dataclass
class Stack:
    """The running suite; `urls` are the addresses of the balancers."""

    folder: Path
    cluster: Cluster
    spare_port: int
    """Where a streaming replica listens, when a drill has made one: the second host of every database address."""
    cache: CacheServer
    urls: Mapping[str, str]
    processes: dict[str, Process]
    balancer: Child
    on_small_volume: bool
    databases: list[Cluster] = field(default_factory=list)
    """The servers that drills have started besides."""
    server_use: dict[str, Use] = field(default_factory=lambda: {"postgres": Use(), "redis": Use()})

    def of(self, *kinds: str) -> list[Process]:
        """The processes of some kinds; of all where none is named."""
        return [process for process in self.processes.values() if not kinds or process.kind in kinds]

    async def supervise(self) -> None:
        """Start again what has ended, and sample memory and descriptors, until cancelled."""
        sampled = 0.0
        while True:
            for process in self.processes.values():
                if process.is_wanted and not process.is_alive:
                    await asyncio.sleep(RESTART_SECONDS)
                    await asyncio.to_thread(process.start)
            if time.monotonic() > sampled + SAMPLE_SECONDS:
                sampled = time.monotonic()
                await asyncio.to_thread(self._sample)
            await asyncio.sleep(0.05)

    def _sample(self) -> None:
        for process in self.processes.values():
            process.use.sample(process.child)
        self.server_use["postgres"].sample(self.cluster.child)
        self.server_use["redis"].sample(self.cache.child)

    def forget_use(self) -> None:
        """Let the most memory and descriptors be those from now on."""
        for process in self.processes.values():
            process.use = Use()
        self.server_use = {name: Use() for name in self.server_use}

    async def all_ready(self, seconds: float = 60) -> None:
        """Return when each process answers that it is ready; raises TimeoutError with the names of the others."""
        deadline = time.monotonic() + seconds
        while waiting := [each.name for each in self.processes.values() if not await asyncio.to_thread(each.is_ready)]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready after {seconds:g} s: {', '.join(waiting)}")
            await asyncio.sleep(0.1)

    def error_lines(self, since: Mapping[str, int]) -> tuple[Counter[str], Counter[str]]:
        """The messages logged as errors and the requests answered by 500, each counted, since places of the logs."""
        messages: Counter[str] = Counter()
        answers: Counter[str] = Counter()
        for process in self.processes.values():
            if not process.log.exists():
                continue
            with process.log.open() as stream:
                stream.seek(since.get(process.name, 0))
                for line in stream:
                    with suppress(ValueError):
                        if line.startswith("Traceback"):
                            messages[f"{process.kind}: a traceback beside the log"] += 1
                        elif '"level": "ERROR"' in line:
                            messages[f"{process.kind}: {json.loads(line)['message']}"] += 1
                        elif '"status": 500' in line:
                            request = json.loads(line)
                            answers[f"{process.kind}: {request['method']} {request['path']}"] += 1
        return messages, answers

    def log_ends(self) -> dict[str, int]:
        return {name: each.log.stat().st_size for name, each in self.processes.items() if each.log.exists()}


@contextmanager
def running_stack(
    folder: Path, programs: Path, template: Path, *, volume: Path, is_small: bool, descriptors: int
) -> Iterator[Stack]:
    """Every process of the suite twice, over one PostgreSQL and one Redis; everything is stopped at the end."""
    with ExitStack() as stack:
        cluster = new_cluster(programs, template, volume / f"data-{folder.name}", folder / "postgres.log")
        stack.callback(cluster.stop)
        cluster.start()
        cache = CacheServer()
        stack.callback(cache.stop)
        cache.start()
        spare = free_port()
        ports: dict[str, list[int]] = {name: [free_port() for _ in range(REPLICAS)] for name in NAMES}
        fronts = {name: free_port() for name in NAMES}
        urls = {name: f"http://{LOOPBACK}:{port}" for name, port in fronts.items()}
        processes: dict[str, Process] = {}
        for each in DEPLOYABLES:
            environment = _environment(each.name, cluster, spare, cache, urls)
            for number, port in enumerate(ports[each.name], 1):
                name = f"{each.name}-{number}"
                processes[name] = Process(
                    name, each.name, port, environment | {"PORT": str(port)}, folder / f"{name}.log", descriptors
                )
        for process in processes.values():
            process.start()
            stack.callback(process.stop)
        groups = json.dumps({str(fronts[name]): ports[name] for name in NAMES})
        program = str(Path(__file__).with_name("balancer.py"))
        balancer = stack.enter_context(Child("balancer", [sys.executable, program, groups]))
        wait_until(lambda: "balancing" in balancer.text(), balancer, seconds=15)
        for process in processes.values():
            process.wait_ready()
        running = Stack(folder, cluster, spare, cache, urls, processes, balancer, is_small)
        yield running
        for server in running.databases:
            stack.callback(server.stop)


def database_url(service: str, *ports: int) -> str:
    """The address of a service's database on one or several servers, of which the one that is no replica is used."""
    hosts = ",".join(f"{LOOPBACK}:{port}" for port in ports)
    return f"postgresql://{service}_serve:{PASSWORD}@{hosts}/{service}?target_session_attrs=primary"


def _environment(
    name: str, cluster: Cluster, spare: int, cache: CacheServer, urls: Mapping[str, str]
) -> dict[str, str]:
    deployable = next(each for each in DEPLOYABLES if each.name == name)
    own = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if key in os.environ}
    own |= {"HOST": LOOPBACK, "ENVIRONMENT": "development", "LOG_LEVEL": "INFO", "PYTHONUNBUFFERED": "1"}
    if "database" in deployable.needs:
        own["DATABASE_URL"] = database_url(name, cluster.port, spare)
    if "cache" in deployable.needs:
        own["REDIS_URL"] = cache.url
    if "identity" in deployable.needs:
        own |= {"IDENTITY_ISSUER": issuer().url, "IDENTITY_AUDIENCE": AUDIENCE}
    own |= {each.address_variable: urls[each.name] for each in DEPLOYABLES if each.name in deployable.asks}
    if name == "gateway":
        own["SERVICES"] = ",".join(f"{service}={urls[service]}" for service in SERVICES)
        own["ANSWER_SECONDS"] = str(ANSWER_SECONDS)
    own["DRAIN_SECONDS"] = str(DRAIN_SECONDS)
    return own
