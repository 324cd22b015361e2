"""The whole suite as real processes, one for each file of tests, on databases that are filled already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import free_port
from mmptf_local.suite import Suite, running_suite
from tests.conftest import serving_url
from tests.suite import DATABASE_VARIABLES, SERVICES


def whole_contract(gateway: httpx.Client) -> httpx.Response:
    """The merged contract, asked for again as the answer says while a service still makes its own."""
    end = time.monotonic() + 30
    while (answer := gateway.get("/openapi.json")).status_code == 503 and time.monotonic() < end:
        time.sleep(int(answer.headers["retry-after"]))
    assert all(any(path.startswith(f"/{name}/v1/") for path in answer.json()["paths"]) for name in SERVICES)
    return answer


@pytest.fixture(scope="module")
def suite(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[Suite]:
    environment = {variable: serving_url(new_database(name)) for name, variable in DATABASE_VARIABLES.items()}
    environment |= {"REDIS_URL": redis_server.url, "PORT": str(free_port())}
    with running_suite(Path("/nowhere"), environment) as running:
        yield running
