"""The comparisons of `make bench`: each can be imported, and `make longer` runs three of them for a moment."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import bench
from bench.figures import Outcome, goals
from bench.scale import Scale

MODULES = sorted(file.stem for file in Path(bench.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("__init__", "__main__")])
def test_a_module_can_be_imported(name: str) -> None:
    import_module(f"bench.{name}")


@pytest.mark.longer
@pytest.mark.parametrize("name", ["gateway", "growth", "writes"])
def test_a_comparison_runs(name: str) -> None:
    scale = Scale(is_quick=True, rounds=1, seconds=0.2, sizes=(1000, 2000))
    outcome: Outcome = import_module(f"bench.{name}").compare(scale, print)
    assert {figure.name for figure in outcome.figures} & goals().keys()
    assert all(figure.value > 0 for figure in outcome.figures)
    assert outcome.text.count("|---") > 0
