"""The commands of the documentation give what it says they give."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from mmptf_local.suite import Suite
from tests.e2e.guides import guide_entries, guide_files, run_guide

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = re.search(r"```console\n(.*?)```", README, re.DOTALL)
ENTRIES = re.findall(r"\$ (.+)\n((?:[^$].*\n)*)", CONSOLE[1] if CONSOLE else "")


def test_the_readme_shows_fourteen_questions() -> None:
    assert len(ENTRIES) == 14


@pytest.mark.parametrize(("command", "output"), ENTRIES)
def test_commands_of_the_readme(suite: Suite, command: str, output: str) -> None:
    here = command.replace("localhost:8000", suite.urls["gateway"].removeprefix("http://"))
    answer = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=30, check=False)
    assert answer.stdout.replace("\r", "") == output


def addresses(suite: Suite) -> dict[str, str]:
    return {port: urlsplit(suite.urls[name]).netloc for port, name in (("8000", "gateway"), ("8001", "issuer"))}


@pytest.mark.parametrize(
    ("guide", "commands", "times"),
    [("frontend", 7, 1), ("analysts", 8, 1), ("integrators", 18, 2), ("assessors", 22, 1)],
)
def test_commands_of_a_guide(suite: Suite, guide: str, commands: int, times: int) -> None:
    """times: 2 where the guide says that it can be run again on the same data

    Those that only read come first, since they show the figures of the packaged data.
    """
    assert len(guide_entries(guide)) == commands
    left_out: set[str] = set()
    for _ in range(times):
        left_out |= run_guide(guide, addresses(suite))
        # The guide's new code is made of the second.
        time.sleep(1)
    if left_out:
        pytest.skip(f"all else was as written; not installed: {', '.join(left_out)}")


def test_the_table_with_pandas(suite: Suite, tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not among the test tools, for its size")
    export = httpx.get(f"{suite.urls['gateway']}/funding/v1/requirements?format=csv")
    (tmp_path / "requirements.csv").write_bytes(export.content)
    program = [sys.executable, "-c", guide_files("analysts")["frame.py"]]
    answer = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout == "760 233745000.00\n"
