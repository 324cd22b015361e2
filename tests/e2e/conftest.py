"""The whole suite as real processes, one for each file of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from mmptf_local.cache import redis_binary
from mmptf_local.processes import free_port
from mmptf_local.state import temporary_state
from mmptf_local.suite import Suite, running_suite


@pytest.fixture(scope="module")
def log() -> list[tuple[str, str]]:
    """Every line that the suite's processes print, with the name of its process."""
    return []


@pytest.fixture(scope="module")
def suite(log: list[tuple[str, str]]) -> Iterator[Suite]:
    environment = {k: v for k, v in os.environ.items() if not k.endswith(("_URL", "PORT"))} | {"PORT": str(free_port())}
    with (
        temporary_state() as state,
        running_suite(
            state, environment, cache_binary=redis_binary(), durable=False, log=lambda *line: log.append(line)
        ) as running,
    ):
        yield running
