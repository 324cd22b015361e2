"""The gateway and services as processes of their own, and requests on connections of their own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.suite import ROOT


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]
    seconds: float


async def ask(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """The answer to one request on a connection of its own."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        sent = {
            "Host": "x",
            "Connection": "close",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        writer.write(
            "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{n}: {v}\r\n" for n, v in sent.items()), "\r\n"]).encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
        body = await reader.read()
    finally:
        writer.close()
    is_json = "json" in found.get("content-type", "") and "transfer-encoding" not in found
    return Answer(int(head[0].split()[1]), json.loads(body) if is_json else body, found, time.perf_counter() - began)


@contextmanager
def serving(label: str, *command: str, port: int, **environment: str) -> Iterator[Child]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOST": LOOPBACK, "PORT": str(port), **environment}
    with Child(label, (sys.executable, "-m", *command), env=env) as child:
        yield child


@contextmanager
def quick_service() -> Iterator[tuple[int, Child]]:
    """A service as a process of its own, which answers everything at once; its port."""
    port = free_port()
    arguments = ("uvicorn", "tests.gateway.conftest:echo", "--port", str(port), "--log-level", "warning")
    with serving("quick", *arguments, port=port) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/"), child, seconds=20)
        yield port, child


@contextmanager
def gateway_process(services: Mapping[str, int], **environment: str) -> Iterator[tuple[int, Child]]:
    """The gateway of these services, by name and port, with further settings; its port."""
    port = free_port()
    named = ",".join(f"{name}=http://{LOOPBACK}:{at}" for name, at in services.items())
    with serving("gateway", "mmptf_gateway", "serve", port=port, SERVICES=named, **environment) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/health/live"), child, seconds=20)
        yield port, child
