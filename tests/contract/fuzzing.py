"""Schemathesis against one API, as a process beside the other tests; SCHEMATHESIS_EXAMPLES=200 makes it thorough."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.suite import ROOT
from tests.tokens import bearer

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")
# What every test run can afford: a few for each operation at its service. The systematic cases, several thousand,
# belong to the thorough run; what they ask of parameters and bodies the tests beside this one ask of every operation,
# too.
FEW = "4"
CALLERS = ("admin", "nobody")
"""With the token of an administrator, and without one."""
TOKEN_SECONDS = 4 * 3_600
"""Longer than the thorough run takes: nothing but 401 would be answered after it."""
# One mechanism answers the history of every list; drafts have their owner beside it.
HISTORY = "^(?!.*_(document|draft)_history).*_history$"


def wait_for_contract(url: str) -> None:
    """Return once an API answers with its contract, at the latest after a minute: a gateway on a busy machine has none
    before every service has answered in time.
    """
    for _ in range(60):
        if httpx.get(f"{url}/openapi.json", timeout=30).status_code == 200:
            return
        time.sleep(1)


def start(url: str, caller: str, folder: Path) -> subprocess.Popen[str]:
    """Schemathesis against one API, as one of CALLERS; what it says and its report go to the folder."""
    command: list[str | Path] = [Path(sys.executable).with_name("st"), "--no-color"]
    command += ["--config-file", ROOT / "tests/contract/schemathesis.toml", "run", f"{url}/openapi.json"]
    command += ["--checks", "all", "--mode", "all", "--report", "json", "--report-json-path", folder / "report.json"]
    if caller == "admin":
        token = bearer("admin", "IOM", exp=int(time.time()) + TOKEN_SECONDS)
        command += ["--header", f"Authorization: {token['authorization']}"]
    # What failed in an earlier run is not tried again by the next one.
    command += ["--max-examples", EXAMPLES or FEW, "--generation-database", "none"]
    if EXAMPLES is None:
        # The same cases in every run: what fails is the change. New ones are drawn by the thorough run.
        command += ["--seed", "1", "--phases", "examples,fuzzing", "--exclude-operation-id-regex", HISTORY]
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    # Else each process would compute what Hypothesis stores of Unicode, for seconds, in a folder of its own.
    stored = {"HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}
    environment = {**os.environ, **stored, "FUZZED_URL": url, "PYTHONPATH": path}
    with (folder / "output.txt").open("w") as output:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output, text=True)
