"""The load: connections that each send the next request as soon as they have their answer, for a fixed time.

It is a loop over raw sockets, since a server such as nginx answers faster than any client library asks: it reads no
more of an answer than its status and where it ends. What it costs itself stands in every table.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from itertools import cycle
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"
# The body of an answer ends with its last chunk.
_UNTIL_LAST_CHUNK = -1


def run(port: int, connections: int, seconds: float, status: int, requests: list[bytes]) -> dict[str, Any]:
    """The counts, the seconds, and the median and 99th percentile in ms, of the requests in turn on all connections.

    Anything but a complete answer with this status ends the run: `error` says what it was.
    """
    asked_next = cycle(requests)
    expected = b"HTTP/1.1 %d" % status
    buffer = bytearray(1 << 20)
    sockets: dict[int, socket.socket] = {}
    # By the descriptor of a connection: when it asked; bytes that are missing, None before the head.
    asked: dict[int, float] = {}
    missing: dict[int, int | None] = {}
    heads: dict[int, bytes] = {}
    taken: list[float] = []
    error = None
    poll = select.epoll()
    now = began = time.perf_counter()
    until = began + seconds
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)
        number = connection.fileno()
        sockets[number], missing[number], asked[number] = connection, None, now
        poll.register(number, select.EPOLLIN)
        connection.send(next(asked_next))
    under_way = connections
    while under_way and error is None:
        events = poll.poll(30)
        if not events:
            error = "no answer for 30 seconds"
        for number, _ in events:
            connection = sockets[number]
            size = connection.recv_into(buffer)
            left = missing[number]
            if left is None:
                if number in heads:
                    before = heads.pop(number)
                    buffer[len(before) : len(before) + size] = buffer[:size]
                    buffer[: len(before)] = before
                    size += len(before)
                end = buffer.find(b"\r\n\r\n", 0, size)
                if end < 0 and size:
                    heads[number] = bytes(buffer[:size])
                    continue
                if not buffer.startswith(expected, 0, size):
                    error = bytes(buffer[: min(size, 500)]).decode("latin-1") or "the connection was closed"
                    break
                if found := _LENGTH.search(buffer, 0, end + 2):
                    left = 0 if status == 304 else int(found[1]) - (size - end - 4)
                elif _CHUNKED.search(buffer, 0, end + 2):
                    left = 0 if buffer.endswith(_LAST_CHUNK, 0, size) else _UNTIL_LAST_CHUNK
                else:
                    left = 0
            elif size == 0:
                error = "the connection was closed within an answer"
                break
            elif left == _UNTIL_LAST_CHUNK:
                left = 0 if buffer[max(0, size - 7) : size].endswith(_LAST_CHUNK[2:]) else left
            else:
                left -= size
            if left:
                missing[number] = left
                continue
            now = time.perf_counter()
            taken.append(now - asked[number])
            if now < until:
                missing[number], asked[number] = None, now
                connection.send(next(asked_next))
            else:
                # The server may close it while the others wait for their last answer.
                poll.unregister(number)
                under_way -= 1
    ended = time.perf_counter() - began
    for connection in sockets.values():
        connection.close()
    taken.sort()
    return {
        "requests": len(taken),
        "seconds": ended,
        "error": error,
        "p50_ms": taken[len(taken) // 2] * 1000 if taken else None,
        "p99_ms": taken[len(taken) * 99 // 100] * 1000 if taken else None,
        "cpu": time.process_time(),
    }


if __name__ == "__main__":
    # One JSON object on standard input, whose members are the arguments; requests as Latin-1.
    given = json.load(sys.stdin)
    given["requests"] = [request.encode("latin-1") for request in given["requests"]]
    json.dump(run(**given), sys.stdout)
