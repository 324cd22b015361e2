"""The commands of the README give what the README says they give."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mmptf_local.suite import Suite

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
CONSOLE = re.search(r"```console\n(.*?)```", README, re.DOTALL)
ENTRIES = re.findall(r"\$ (.+)\n((?:[^$].*\n)*)", CONSOLE[1] if CONSOLE else "")


def test_the_readme_shows_fourteen_questions() -> None:
    assert len(ENTRIES) == 14


@pytest.mark.parametrize(("command", "output"), ENTRIES)
def test_commands_of_the_readme(suite: Suite, command: str, output: str) -> None:
    here = command.replace("localhost:8000", suite.urls["gateway"].removeprefix("http://"))
    answer = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=30, check=False)
    assert answer.stdout.replace("\r", "") == output
