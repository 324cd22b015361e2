"""The load: a fixed number of connections, each sending a request as soon as it has its answer, for a fixed time."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from itertools import cycle
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Caller(asyncio.Protocol):
    """One connection. Everything but a complete 200 of a stated length is an error and ends it."""

    def __init__(self, requests: cycle[bytes], until: float) -> None:
        self.requests = requests
        self.until = until
        self.seconds: list[float] = []
        self.error: str | None = None
        self.ended = asyncio.get_running_loop().create_future()
        self._missing = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._missing == 0:
            self._head += data
            head, blank, body = self._head.partition(b"\r\n\r\n")
            if not blank:
                return
            length = _LENGTH.search(head)
            if not head.startswith(b"HTTP/1.1 200") or length is None:
                self._end(head.decode("latin-1"))
                return
            self._head = b""
            self._missing = int(length[1]) - len(body)
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self.seconds.append(time.perf_counter() - self._asked)
            if time.perf_counter() < self.until:
                self._ask()
            else:
                self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the connection was closed")

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self.transport.write(next(self.requests))

    def _end(self, error: str | None) -> None:
        if not self.ended.done():
            self.error = error
            self.ended.set_result(None)
            self.transport.close()


async def run(port: int, connections: int, seconds: float, targets: list[str]) -> dict[str, object]:
    """The counts, the seconds, and the median and 99th percentile in ms, of requests for the targets in turn."""
    requests = cycle([f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode() for target in targets])
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(requests, began + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + 10):
        await asyncio.gather(*(caller.ended for caller in callers))
    taken = time.perf_counter() - began
    times = sorted(s for caller in callers for s in caller.seconds)
    return {
        "requests": len(times),
        "seconds": taken,
        "errors": [caller.error for caller in callers if caller.error],
        "p50_ms": times[len(times) // 2] * 1000 if times else None,
        "p99_ms": times[len(times) * 99 // 100] * 1000 if times else None,
    }


if __name__ == "__main__":
    # Arguments: port, connections, seconds; the targets come one a line on standard input.
    port, connections, seconds = sys.argv[1:]
    result = uvloop.run(run(int(port), int(connections), float(seconds), sys.stdin.read().split()))
    json.dump(result, sys.stdout)
