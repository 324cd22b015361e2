"""The servers that are compared, each started as in production and reached on a port of its own."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.nginx import nginx_program, running_nginx

ROOT = Path(__file__).resolve().parents[1]
NGINX_HTTP = "upstream service {{ server {host}:{upstream}; keepalive 64; keepalive_requests 1000000; }}"
NGINX_SERVER = """
location / {
  proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_busy_buffers_size 64k;
}
"""


@dataclass(frozen=True)
class Contender:
    """A server under load. A forwarder has another one `behind` it, whose CPU time counts as well."""

    name: str
    label: str
    port: int
    child: Child
    next_port: int
    behind: Contender | None = None

    @property
    def children(self) -> list[Child]:
        """All server processes that a request passes."""
        return [self.child, *(self.behind.children if self.behind else ())]


def start(stack: ExitStack, folder: Path, database_url: str, redis_url: str, database_port: int) -> list[Contender]:
    """Start all contenders that are installed; the stack stops them. CannotStart when one does not start."""
    both = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    service = _python(stack, "service", "catalogue service", ["-m", "mmptf_catalog", "serve"], both, database_port)
    found = [
        service,
        _python(stack, "raw", "raw asyncpg, bare ASGI", ["-m", "bench.raw"], both, database_port),
        _python(stack, "raw_again", "raw asyncpg once more (A/A)", ["-m", "bench.raw"], both, database_port),
    ]
    services = {"SERVICES": f"catalog=http://{LOOPBACK}:{service.port}"}
    gateway = ["-m", "mmptf_gateway", "serve"]
    found.append(_python(stack, "gateway", "service behind the gateway", gateway, services, service.port, service))
    if program := nginx_program():
        found.append(_nginx(stack, folder, program, service))
    return found


def _python(
    stack: ExitStack,
    name: str,
    label: str,
    command: list[str],
    settings: dict[str, str],
    next_port: int,
    behind: Contender | None = None,
) -> Contender:
    port = free_port()
    env = {key: value for key, value in os.environ.items() if key not in {"DATABASE_POOL", "LOG_LEVEL", "SERVICES"}}
    env |= {"PYTHONPATH": str(ROOT), "HOST": LOOPBACK, "PORT": str(port), **settings}
    child = stack.enter_context(Child(name, [sys.executable, *command], env=env))
    probe = f"http://{LOOPBACK}:{port}/health/ready" if "bench.raw" not in command else None
    wait_until(lambda: answers_ready(probe) if probe else _listens(port), child, seconds=60)
    return Contender(name, label, port, child, next_port, behind)


def _nginx(stack: ExitStack, folder: Path, program: Path, service: Contender) -> Contender:
    http = NGINX_HTTP.format(host=LOOPBACK, upstream=service.port)
    port, child = stack.enter_context(running_nginx(program, folder, http=http, server=NGINX_SERVER))
    wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/health/ready"), child, seconds=15)
    return Contender("nginx", "service behind nginx", port, child, service.port, service)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
