"""Fixtures of the runner's tests: a state folder, and stand-ins for the services."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmptf_local.processes import free_port
from mmptf_local.state import temporary_state
from tests.suite import NAMES


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder of this test alone."""
    with temporary_state() as folder:
        yield folder


@pytest.fixture(scope="module")
def module_state() -> Iterator[Path]:
    """A state folder which the tests of one file share."""
    with temporary_state() as folder:
        yield folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `python -m mmptf_catalog` and all others of the map are stand-ins."""
    folder = tmp_path_factory.mktemp("stand_ins")
    for name in NAMES:
        package = folder / f"mmptf_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        shutil.copy(Path(__file__).with_name("stand_in.py"), package / "__main__.py")
    kept = {key: value for key, value in os.environ.items() if not key.endswith(("_URL", "PORT"))}
    return kept | {"PYTHONPATH": str(folder), "PORT": str(free_port())}
