"""A TCP proxy to a database which counts and delays what is sent, and whose connections can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class DatabaseProxy:
    """A proxy whose connections can be cut: its URL, and how often something was sent to the database through it.

    delay: seconds before what is sent reaches the database
    forwards: while it is not set, connections are taken and stay open, and nothing passes in either direction
    """

    url: str = ""
    sent: int = 0
    delay: float = 0.0
    is_cut: bool = False
    forwards: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """Break every connection, and accept none until `mend`."""
        self.is_cut = True
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def mend(self) -> None:
        self.is_cut = False


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[DatabaseProxy]:
    target = urlsplit(url)
    proxy = DatabaseProxy()
    proxy.forwards.set()
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: bool) -> None:
        while data := await reader.read(65_536):
            proxy.sent += counts
            if counts and proxy.delay:
                await asyncio.sleep(proxy.delay)
            await proxy.forwards.wait()
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if proxy.is_cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(target.hostname, target.port)
        proxy.writers.extend((writer, there_writer))
        tasks.update(
            asyncio.create_task(pump(*ends)) for ends in ((reader, there_writer, True), (there_reader, writer, False))
        )

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy.url = target._replace(netloc=f"{target.netloc.rpartition(':')[0]}:{port}").geturl()
        yield proxy
        proxy.forwards.set()
        proxy.cut()
    await asyncio.gather(*tasks, return_exceptions=True)
