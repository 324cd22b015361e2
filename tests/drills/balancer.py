"""A program that balances TCP connections over replicas, as a load balancer with health checks does.

Its argument is JSON: for each port that it listens on, the ports of the replicas. A new connection goes to the next
replica whose `/health/ready` was answered by 200 at the last check, and to another one where that refuses it. Where no
replica is ready all are asked, so that callers get the answers of the services and none of a balancer. A connection
that is open stays, whatever the checks find.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress

LOOPBACK = "127.0.0.1"
CHECK_EVERY, CHECK_WITHIN = 0.3, 2.0
CHUNK = 65_536


class Replicas:
    """The replicas behind one port."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self._ready = dict.fromkeys(ports, True)
        self._turn = 0

    async def check(self, port: int) -> None:
        while True:
            self._ready[port] = await is_ready(port)
            await asyncio.sleep(CHECK_EVERY)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to one of them, None where each refuses it."""
        self._turn += 1
        start = self._turn % len(self.ports)
        turns = self.ports[start:] + self.ports[:start]
        for port in sorted(turns, key=lambda port: not self._ready[port]):
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CHECK_WITHIN):
                    return await asyncio.open_connection(LOOPBACK, port)
        return None

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = await self.connect()
        if ends is None:
            writer.transport.abort()
            return
        there, to_there = ends
        try:
            await asyncio.gather(pump(reader, to_there), pump(there, writer))
        except OSError:
            writer.transport.abort()
            to_there.transport.abort()
        finally:
            writer.close()
            to_there.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what is read, and its end; the other direction stays open."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def is_ready(port: int) -> bool:
    try:
        async with asyncio.timeout(CHECK_WITHIN):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                head = (
                    "GET /health/ready HTTP/1.1\r\nHost: balancer\r\nUser-Agent: mmptf-local\r\nConnection: close\r\n"
                )
                writer.write(f"{head}\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def main() -> None:
    groups = {int(port): Replicas(ports) for port, ports in json.loads(sys.argv[1]).items()}
    async with asyncio.TaskGroup() as tasks:
        for port, replicas in groups.items():
            server = await asyncio.start_server(replicas.accept, LOOPBACK, port, backlog=1024)
            tasks.create_task(server.serve_forever())
            for each in replicas.ports:
                tasks.create_task(replicas.check(each))
        print("balancing", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
