"""The committed contracts, linted by Spectral and Redocly: neither has anything to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import NPM, run
from tests.contract.contracts import APIS, COMMITTED

HERE = Path(__file__).parent
pytestmark = NPM


def test_spectral_finds_nothing(tools: Path) -> None:
    options = ["--ruleset", HERE / "spectral.yaml", "--fail-severity", "hint"]
    assert "No results" in run(tools, tools / "spectral", "lint", *options, *COMMITTED.values())


@pytest.mark.parametrize("api", APIS)
def test_redocly_finds_nothing(tools: Path, api: str) -> None:
    run(tools, tools / "redocly", "lint", "--config", HERE / "redocly.yaml", "--max-problems", "1000", COMMITTED[api])
