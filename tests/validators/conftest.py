"""The pinned validators, and the suite that the contract describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmptf_local.cache import Cache
from tests.commands import install
from tests.contract.prelude import prepare
from tests.serving import packaged_suite
from tests.tokens import identity


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs."""
    folder = tmp_path_factory.mktemp("validators")
    install(folder, Path(__file__).parent)
    return folder / "node_modules" / ".bin"


@pytest.fixture(scope="session")
def gateway(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[str]:
    """URL of the gateway; beside the packaged data there is what the examples of the contract name."""
    with packaged_suite(new_database, redis_server.url, **identity()) as suite:
        prepare(suite)
        yield suite.urls["gateway"]
