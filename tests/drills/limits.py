"""The limits of processes in the deployment, which the drills measure."""

from __future__ import annotations

from typing import Any

import yaml

from tests.suite import ROOT

_COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
_PROCESSES = yaml.safe_load((ROOT / "compose.external.yaml").read_text("utf-8"))
_UNITS = {"M": 2**20, "G": 2**30}


def _memory_bytes(container: dict[str, Any]) -> int:
    stated = str(container["deploy"]["resources"]["limits"]["memory"])
    return int(stated[:-1]) * _UNITS[stated[-1]]


def _descriptors(container: dict[str, Any]) -> int:
    """The open files of a process: the deployment's limit, else the one that Linux gives a process by default."""
    return int(container.get("ulimits", {}).get("nofile", 1024))


MEMORY_BYTES = _memory_bytes(_PROCESSES["x-process"])
"""The memory of a container of the suite."""

DESCRIPTORS = _descriptors(_PROCESSES["x-process"])

SERVERS = {
    name: (_memory_bytes(_COMPOSE["services"][name]), _descriptors(_COMPOSE["services"][name]))
    for name in ("postgres", "redis")
}
"""The memory of the container of each server, and the open files of each of its processes."""

_REDIS = _COMPOSE["services"]["redis"]["command"]

CACHE_MEMORY = str(_REDIS[_REDIS.index("--maxmemory") + 1])
"""The memory that Redis uses for values before it evicts some."""
