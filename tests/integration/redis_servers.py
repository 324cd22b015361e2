"""Redis and Valkey as operators have them: with TLS, with Sentinels that replace the master, and as a cluster."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

from redis import Redis

from mmptf_local.cache import redis_binary, valkey_binary
from mmptf_local.processes import LOOPBACK, Child, free_port, wait_until
from tests.certificates import Authority

PASSWORD, SENTINEL_PASSWORD = "of redis: a@b/c", "of sentinel"
ENCODED, SENTINEL_ENCODED = "of%20redis%3A%20a%40b%2Fc", "of%20sentinel"
SLOTS = 16_384


def program_with_tls() -> str | None:
    """The program of the system, which has TLS; None where there is none. Those of packages have none."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


@dataclass
class Servers:
    """Servers that belong together, in a folder; authority: of their certificates, where they take TLS alone."""

    program: str
    folder: Path
    stack: ExitStack
    authority: Authority | None = None
    children: dict[int, Child] = field(default_factory=dict)

    @property
    def scheme(self) -> str:
        return "rediss" if self.authority else "redis"

    @property
    def query(self) -> str:
        return f"?ssl_ca_certs={self.authority.file}" if self.authority else ""

    def start(self, *lines: str, password: str = PASSWORD, sentinel: bool = False) -> int:
        """Start a server with further lines of its configuration; returns its port."""
        port = free_port()
        folder = self.folder / f"{port}"
        folder.mkdir()
        settings = [f"bind {LOOPBACK}", f"dir {folder}", f'requirepass "{password}"', *lines]
        if self.authority:
            certificate, key = self.authority.certificate(f"{port}", "localhost", LOOPBACK)
            settings += [
                "port 0", f"tls-port {port}", f"tls-cert-file {certificate}", f"tls-key-file {key}",
                f"tls-ca-cert-file {self.authority.file}", "tls-auth-clients no", "tls-replication yes",
            ]  # fmt: skip
        else:
            settings.append(f"port {port}")
        if not sentinel:
            settings += [
                'save ""',
                "appendonly no",
                "repl-diskless-sync-delay 0",
                f'masterauth "{PASSWORD}"',
                "maxmemory 64mb",
            ]
        file = folder / "server.conf"
        file.write_text("\n".join(settings) + "\n", "utf-8")
        command = [self.program, str(file), *(["--sentinel"] if sentinel else [])]
        child = self.stack.enter_context(Child("redis", command))
        self.children[port] = child
        wait_until(lambda: self._answers(port, password), child, seconds=10)
        return port

    def client(self, port: int, password: str = PASSWORD) -> Redis:
        tls = {"ssl": True, "ssl_ca_certs": str(self.authority.file)} if self.authority else {}
        return Redis(LOOPBACK, port, password=password, socket_timeout=2, **tls)

    def kill(self, port: int) -> None:
        self.children[port].process.kill()
        self.children[port].process.wait()

    def _answers(self, port: int, password: str) -> bool:
        try:
            with self.client(port, password) as client:
                return bool(client.ping())
        except Exception:  # whatever it says while it starts
            return False


@contextmanager
def servers(program: str, folder: Path, *, tls: bool = False) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(program, folder, stack, Authority(folder) if tls else None)


def sentinels(group: Servers) -> tuple[str, int]:
    """The URL of a master with a replica and a Sentinel, behind one that is gone; and the port of the master."""
    master = group.start()
    group.start(f"replicaof {LOOPBACK} {master}")
    watched = [
        f"sentinel monitor the-cache {LOOPBACK} {master} 1",
        f'sentinel auth-pass the-cache "{PASSWORD}"',
        "sentinel down-after-milliseconds the-cache 500",
        "sentinel failover-timeout the-cache 2000",
    ]
    sentinel = group.start(*watched, password=SENTINEL_PASSWORD, sentinel=True)
    with group.client(sentinel, SENTINEL_PASSWORD) as client:
        _wait(lambda: bool(client.sentinel_slaves("the-cache")))
    hosts = f"localhost:{free_port()},localhost:{sentinel}"
    query = f"{group.query or '?'}&sentinel_password={SENTINEL_ENCODED}"
    return f"{group.scheme}+sentinel://:{ENCODED}@{hosts}/the-cache/3{query}", master


def cluster(group: Servers) -> tuple[str, int]:
    """The URL of a cluster of three masters, of which the first one has a replica, and the port of the first one."""
    lines = ["cluster-enabled yes", "cluster-node-timeout 1000", *(["tls-cluster yes"] if group.authority else [])]
    # By default it is the port of clients and 10,000, which may be beyond the last one.
    buses = {group.start(*lines, f"cluster-port {bus}"): bus for bus in [free_port() for _ in range(4)]}
    *masters, replica = buses
    first = masters[0]
    for number, port in enumerate(masters):
        with group.client(port) as client:
            begin, end = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", begin, end)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    # Each with each other, which is quicker than hearing of one another.
    for port, other in permutations(buses, 2):
        with group.client(port) as client:
            client.execute_command("CLUSTER", "MEET", LOOPBACK, other, buses[other])
    for port in buses:
        with group.client(port) as client:
            _wait(lambda: "cluster_known_nodes:4" in _info(client) and "cluster_state:ok" in _info(client))
    with group.client(first) as client:
        name = client.execute_command("CLUSTER", "MYID").decode()
    with group.client(replica) as client:
        client.execute_command("CLUSTER", "REPLICATE", name)
        _wait(lambda: client.info("replication")["master_link_status"] == "up")
    hosts = ",".join(f"localhost:{port}" for port in masters)
    return f"{group.scheme}+cluster://:{ENCODED}@{hosts}{group.query}", first


def _info(client: Redis) -> str:
    found = client.execute_command("CLUSTER", "INFO")
    return found.decode() if isinstance(found, bytes) else "\n".join(f"{name}:{value}" for name, value in found.items())


def _wait(condition: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


PROGRAMS = {"redis": str(redis_binary()), "valkey": str(valkey_binary())}
