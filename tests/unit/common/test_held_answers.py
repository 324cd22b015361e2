"""Answers that readers do not take: the memory of a process is bounded, and readers at an ordinary pace get theirs."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from mmptf_common.process.protocol import HELD_BYTES
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until

READERS, ANSWER, SECONDS = 200, 1_300_000, 3.0
# What the process needs beside the answers that it holds: those that are being made, and parts of its heap that are
# free and too small.
BESIDE = 24_000_000
ORDINARY = 1_000_000


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def process(log: list[str]) -> Iterator[tuple[int, int]]:
    """The id and the port of a process whose answers are large."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("large_answers.py")), str(port)]
    with Child("answers", command, log=lambda _, line: log.append(line)) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/1"), child, seconds=30)
        yield child.process.pid, port


def memory(pid: int, field: str) -> int:
    """Bytes of the memory of a process: now (VmRSS) or at most until now (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return 1024 * int(status.split(f"{field}:")[1].split()[0])


@asynccontextmanager
async def asked(port: int, size: int, *, receive_buffer: int = 0) -> AsyncIterator[socket.socket]:
    """A connection on which an answer of so many bytes was asked for."""
    with socket.socket() as connection:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (LOOPBACK, port))
        await loop.sock_sendall(connection, f"GET /{size} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        yield connection


async def take(port: int, size: int, rate: int) -> int:
    """Take an answer at so many bytes a second; the number of bytes of its body that came."""
    received = bytearray()
    began = time.monotonic()
    async with asked(port, size) as connection:
        with suppress(ConnectionResetError):
            while piece := await asyncio.get_running_loop().sock_recv(connection, 65_536):
                received += piece
                await asyncio.sleep(max(0.0, began + len(received) / rate - time.monotonic()))
    return len(received.partition(b"\r\n\r\n")[2])


async def take_slowly(port: int) -> None:
    """Take ten bytes a second to the end."""
    async with asked(port, ANSWER, receive_buffer=4096) as connection:
        with suppress(ConnectionResetError):
            while await asyncio.get_running_loop().sock_recv(connection, 1):  # noqa: ASYNC110  # it is the pace
                await asyncio.sleep(0.1)


async def take_nothing_again_and_again(port: int) -> None:
    """Ask twice a second, without an end to the requests before."""
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(asked(port, ANSWER, receive_buffer=4096))
            await asyncio.sleep(0.5)


@asynccontextmanager
async def beside(number: int, reader: Callable[[int], Awaitable[None]], port: int) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(reader(port)) for _ in range(number)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(("number", "reader"), [(READERS, take_slowly), (20, take_nothing_again_and_again)])
async def test_slow_readers_of_large_answers(
    process: tuple[int, int], log: list[str], number: int, reader: Callable[[int], Awaitable[None]]
) -> None:
    pid, port = process
    at_rest = memory(pid, "VmRSS")
    async with beside(number, reader, port):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            taken = await asyncio.gather(*(take(port, ANSWER, ORDINARY) for _ in range(5)))
            assert taken == [ANSWER] * 5
        most = memory(pid, "VmHWM") - at_rest
    print(f"{number} x {reader.__name__}: {most:,} bytes at most, of which {HELD_BYTES:,} may be held")
    assert HELD_BYTES / 2 < most < HELD_BYTES + BESIDE
    (line,) = [line for line in log if "wait for their readers" in line][:1]
    assert '"level": "WARNING"' in line
    assert len(log) < 10  # whatever the number of readers
    assert await take(port, ANSWER, 100 * ORDINARY) == ANSWER


async def test_many_readers_at_an_ordinary_pace_get_their_answers(process: tuple[int, int], log: list[str]) -> None:
    """As many at once as hold three quarters of what may be held."""
    _, port = process
    number = HELD_BYTES * 3 // 4 // ANSWER
    for _ in range(2):
        assert await asyncio.gather(*(take(port, ANSWER, ORDINARY) for _ in range(number))) == [ANSWER] * number
    assert log == []


async def test_one_answer_may_be_larger_than_all_that_may_be_held(process: tuple[int, int]) -> None:
    _, port = process
    size = 2 * HELD_BYTES
    assert await take(port, size, 1000 * ORDINARY) == size
