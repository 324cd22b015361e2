"""The whole suite for the screens of generated clients, on the packaged data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mmptf_local.cache import Cache
from tests.serving import packaged_suite


@pytest.fixture(scope="module")
def gateway(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[str]:
    """URL of the gateway."""
    with packaged_suite(new_database, redis_server.url) as suite:
        yield suite.urls["gateway"]
