"""Schemathesis with every check on, at each door: no finding, no warning, no operation left out."""

from __future__ import annotations

import json

import pytest

from tests.contract.conftest import Fuzzed
from tests.contract.contracts import DOORS, document


@pytest.mark.parametrize("door", DOORS)
def test_every_check_holds(fuzzing: dict[str, Fuzzed], door: str) -> None:
    process, folder = fuzzing[door]
    process.wait()
    report_file, output = folder / "report.json", (folder / "output.txt").read_text()
    assert report_file.exists(), output
    report = json.loads(report_file.read_text())
    assert report["exit_code"] == 0, output[-20_000:]
    assert report["complete"]
    assert report["operations"]["tested"] == sum(len(item) for item in document(door)["paths"].values())
    assert not any(report["warnings"].values())
