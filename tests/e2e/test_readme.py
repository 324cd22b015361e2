"""The commands of the documentation give what it says they give."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mmptf_local.suite import Suite
from tests.e2e.guides import guide_entries, run_guide

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


@pytest.mark.parametrize(("guide", "commands", "times"), [("integrators", 18, 2), ("assessors", 22, 1)])
def test_commands_of_a_guide(suite: Suite, guide: str, commands: int, times: int) -> None:
    """times: 2 where the guide says that it can be run again on the same data"""
    assert len(guide_entries(guide)) == commands
    for _ in range(times):
        run_guide(
            guide, {port: urlsplit(suite.urls[name]).netloc for port, name in (("8000", "gateway"), ("8001", "issuer"))}
        )
        # The guide's new code is made of the second.
        time.sleep(1)
