"""Schemathesis with every check on, against each API, with and without a token: no finding, no operation left out."""

from __future__ import annotations

import json
import re

import pytest

from tests.contract.conftest import Fuzzed
from tests.contract.contracts import APIS, contract_of
from tests.contract.fuzzing import CALLERS, EXAMPLES, HISTORY

# The gateway forwards the operations of the services, and what it has of its own the tests beside this one ask; what
# nobody may do without a token, they ask of every operation, too.
EACH = [
    pytest.param((api, caller), id=f"{api}-{caller}", marks=pytest.mark.tries_more if is_often else pytest.mark.longer)
    for caller in CALLERS
    for api in APIS
    for is_often in [api != "gateway" and caller == "admin"]
]


@pytest.mark.parametrize("fuzzed", EACH)
def test_every_check_holds(fuzzing: dict[tuple[str, str], Fuzzed], fuzzed: tuple[str, str]) -> None:
    done, folder = fuzzing[fuzzed]
    api, caller = fuzzed
    done.result()
    report_file, output = folder / "report.json", (folder / "output.txt").read_text()
    assert report_file.exists(), output
    report = json.loads(report_file.read_text())
    assert report["exit_code"] == 0, output[-20_000:]
    assert report["complete"]
    operations = [o for item in contract_of(api)["paths"].values() for o in item.values()]
    tested = [o for o in operations if EXAMPLES or not re.match(HISTORY, o["operationId"])]
    assert report["operations"]["tested"] == len(tested)
    warned = {kind: len(found) for kind, found in report["warnings"].items() if found}
    # Whoever has no token is refused by every operation that needs one, and by no other.
    refused = sum(bool(o["security"]) for o in tested)
    assert warned == ({} if caller == "admin" else {"missing_auth": refused})
