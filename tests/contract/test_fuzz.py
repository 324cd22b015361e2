"""Schemathesis with every check on, against each API: no finding, no warning, no operation left out."""

from __future__ import annotations

import json
import re

import pytest

from tests.contract.conftest import Fuzzed
from tests.contract.contracts import APIS, contract_of
from tests.contract.fuzzing import EXAMPLES, HISTORY

# The gateway forwards the operations of the services, and what it has of its own the tests beside this one ask.
EACH = [pytest.param(api, marks=pytest.mark.drills if api == "gateway" else pytest.mark.longer) for api in APIS]


@pytest.mark.parametrize("api", EACH)
def test_every_check_holds(fuzzing: dict[str, Fuzzed], api: str) -> None:
    process, folder = fuzzing[api]
    process.wait()
    report_file, output = folder / "report.json", (folder / "output.txt").read_text()
    assert report_file.exists(), output
    report = json.loads(report_file.read_text())
    assert report["exit_code"] == 0, output[-20_000:]
    assert report["complete"]
    operations = [o["operationId"] for item in contract_of(api)["paths"].values() for o in item.values()]
    assert report["operations"]["tested"] == len([o for o in operations if EXAMPLES or not re.match(HISTORY, o)])
    assert not any(report["warnings"].values())
