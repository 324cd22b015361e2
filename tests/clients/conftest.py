"""The whole suite for the screens of generated clients, on the packaged data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import free_port
from mmptf_local.suite import running_suite
from tests.suite import DATABASE_VARIABLES


@pytest.fixture(scope="module")
def gateway(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[str]:
    """URL of the gateway."""
    environment = {variable: new_database(name) for name, variable in DATABASE_VARIABLES.items()}
    environment |= {"REDIS_URL": redis_server.url, "PORT": str(free_port())}
    with running_suite(Path("/nowhere"), environment) as suite:
        yield suite.urls["gateway"]
