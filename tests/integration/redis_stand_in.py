"""A server that speaks the protocol of Redis and answers reads as it is told to, right or wrong."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mmptf_local.processes import LOOPBACK


def bulk(value: bytes | None) -> bytes:
    """A value as Redis sends it."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


@dataclass
class StandIn:
    """A running server.

    wrong: the name of a way to answer reads in ANSWERS; None to answer rightly
    flooded: the bytes that were sent behind announcements of a large value
    """

    port: int = 0
    wrong: str | None = None
    values: dict[bytes, bytes] = field(default_factory=dict)
    asked: int = 0
    flooded: int = 0

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the commands of one connection."""
        try:
            while command := await _command(reader):
                await self._answer(command, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, command: list[bytes], writer: asyncio.StreamWriter) -> None:
        verb, *arguments = command
        if verb == b"GET":
            self.asked += 1
            if self.wrong in STREAMS:
                await STREAMS[self.wrong](self, writer)
                return
            writer.write(ANSWERS[self.wrong](self, arguments[0]) if self.wrong else bulk(self.values.get(arguments[0])))
        elif verb == b"SET":
            self.values[arguments[0]] = arguments[1]
            writer.write(b"+OK\r\n")
        else:
            writer.write(b"+OK\r\n")


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    line = await reader.readline()
    parts = []
    for _ in range(int(line[1:]) if line else 0):
        length = int((await reader.readline())[1:])
        parts.append((await reader.readexactly(length + 2))[:-2])
    return parts


async def _hang(server: StandIn, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def _flood(server: StandIn, writer: asyncio.StreamWriter) -> None:
    writer.write(b"$536870912\r\n")
    piece = b"x" * 1_048_576
    for _ in range(512):
        writer.write(piece)
        await writer.drain()
        server.flooded += len(piece)


async def _announce_elements(server: StandIn, writer: asyncio.StreamWriter) -> None:
    writer.write(b"*1073741824\r\n" + b":1\r\n" * 1000)


ANSWERS: dict[str, Callable[[StandIn, bytes], bytes]] = {
    "another key's value": lambda server, key: bulk(next(v for k, v in server.values.items() if k != key)),
    "a truncated value": lambda server, key: bulk(server.values[key][:-3]),
    "a longer value": lambda server, key: bulk(server.values[key] + b" "),
    "a value without its check": lambda server, key: bulk(server.values[key].partition(b"\n")[2]),
    "a value with one other byte": lambda server, key: bulk(server.values[key].replace(b"1", b"2", 1)),
    "an empty value": lambda server, key: bulk(b""),
    "nothing stored": lambda server, key: bulk(None),
    "OK": lambda server, key: b"+OK\r\n",
    "an integer": lambda server, key: b":1\r\n",
    "a long integer": lambda server, key: b":" + b"9" * 10_000 + b"\r\n",
    "an error": lambda server, key: b"-ERR unknown command\r\n",
    "a moved key": lambda server, key: b"-MOVED 3999 127.0.0.1:6381\r\n",
    "loading": lambda server, key: b"-LOADING Redis is loading the dataset in memory\r\n",
    "an array": lambda server, key: b"*2\r\n" + bulk(b"a") + bulk(b"b"),
    "an absent array": lambda server, key: b"*-1\r\n",
    "arrays in arrays": lambda server, key: b"*1\r\n" * 20_000,
    "a map": lambda server, key: b"%1\r\n+a\r\n+b\r\n",
    "noise": lambda server, key: os.urandom(4000),
    "a web page": lambda server, key: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "a line without end": lambda server, key: b"+" + b"x" * 1_000_000,
    "half an answer": lambda server, key: bulk(server.values[key])[:-20],
    "a negative length": lambda server, key: b"$-5\r\n",
    "two answers": lambda server, key: bulk(b"one") + bulk(server.values[key]),
}
STREAMS = {"no answer": _hang, "512 MB": _flood, "a billion elements": _announce_elements}


@asynccontextmanager
async def standing_in(context: ssl.SSLContext | None = None) -> AsyncIterator[StandIn]:
    """A running server on a free port, with TLS where there is a context."""
    server = StandIn()
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(server.serve(reader, writer)))

    listening = await asyncio.start_server(accept, LOOPBACK, 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
