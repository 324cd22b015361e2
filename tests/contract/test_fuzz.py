"""Schemathesis with every check on, at each door; SCHEMATHESIS_EXAMPLES=200 makes it thorough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.contract.contracts import DOORS, ROOT, document

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")
FEW = "15"
# Through the gateway a few are enough to show that nothing changes on the way: the same operations are run at the
# services, with all systematic cases.
FEWER = "5"


@pytest.fixture(scope="module")
def runs(urls: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The folder of each door's run; all are started at once, since each waits for its service most of the time."""
    folders = {door: tmp_path_factory.mktemp(door) for door in DOORS}
    running = [start(door, urls[door], folder) for door, folder in folders.items()]
    try:
        for process in running:
            process.wait()
        yield folders
    finally:
        for process in running:
            process.kill()


def start(door: str, url: str, folder: Path) -> subprocess.Popen[str]:
    """Schemathesis on one door; what it says and its report go to the folder."""
    command: list[str | Path] = [Path(sys.executable).with_name("st"), "--no-color"]
    command += ["--config-file", ROOT / "tests/contract/schemathesis.toml", "run", f"{url}/openapi.json"]
    command += ["--checks", "all", "--mode", "all", "--report", "json", "--report-json-path", folder / "report.json"]
    command += ["--max-examples", EXAMPLES or (FEWER if door == "gateway" else FEW)]
    if door == "gateway" and EXAMPLES is None:
        command += ["--phases", "examples,fuzzing,stateful"]
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "FUZZED_URL": url, "PYTHONPATH": path}
    with (folder / "output.txt").open("w") as output:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output, text=True)


@pytest.mark.parametrize("door", DOORS)
def test_every_check_holds(runs: dict[str, Path], door: str) -> None:
    report_file, output = runs[door] / "report.json", (runs[door] / "output.txt").read_text()
    assert report_file.exists(), output
    report = json.loads(report_file.read_text())
    assert report["exit_code"] == 0, output[-20_000:]
    assert report["complete"]
    assert report["operations"]["tested"] == sum(len(item) for item in document(door)["paths"].values())
    assert not any(report["warnings"].values())
