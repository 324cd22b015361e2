"""The whole suite as real processes, on databases that are filled already: one for each file of tests that stops a
process, and one that all others share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import free_port
from mmptf_local.suite import Suite, running_suite
from tests.conftest import SHARING_A_SUITE, serving_url
from tests.suite import DATABASE_VARIABLES, NAMES, NO_LOTS, ROOT, SERVICES


def whole_contract(gateway: httpx.Client) -> httpx.Response:
    """The merged contract, asked for again as the answer says while a service still makes its own."""
    end = time.monotonic() + 30
    while (answer := gateway.get("/openapi.json", timeout=30)).status_code == 503 and time.monotonic() < end:
        time.sleep(int(answer.headers["retry-after"]))
    assert all(any(path.startswith(f"/{name}/v1/") for path in answer.json()["paths"]) for name in SERVICES)
    return answer


@contextmanager
def filled_suite(new_database: Callable[[str], str], redis_url: str) -> Iterator[Suite]:
    environment = {variable: serving_url(new_database(name)) for name, variable in DATABASE_VARIABLES.items()}
    environment |= {**NO_LOTS, "REDIS_URL": redis_url, "PORT": str(free_port())}
    environment |= {f"{name.upper()}_METRICS_PORT": str(free_port()) for name in NAMES}
    with running_suite(Path("/nowhere"), environment) as running:
        yield running


@pytest.fixture(scope="session")
def shared_suite(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[Suite]:
    with filled_suite(new_database, redis_server.url) as running:
        yield running


@pytest.fixture(scope="module")
def suite(request: pytest.FixtureRequest, new_database: Callable[[str], str], redis_server: Cache) -> Iterator[Suite]:
    if request.path.relative_to(ROOT).as_posix() in SHARING_A_SUITE:
        yield request.getfixturevalue("shared_suite")
    else:
        with filled_suite(new_database, redis_server.url) as running:
            yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that share a suite come in the order in which they are named."""
    order = {ROOT / file: n for n, file in enumerate(SHARING_A_SUITE)}
    places = [n for n, item in enumerate(items) if item.path in order]
    ordered = sorted((items[n] for n in places), key=lambda item: order[item.path])
    for n, item in zip(places, ordered, strict=True):
        items[n] = item
