"""The commands of the documentation give what it says they give."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mmptf_local.suite import Suite

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


@pytest.mark.parametrize(("guide", "commands"), [("integrators", 17), ("assessors", 22)])
def test_commands_of_a_guide(suite: Suite, guide: str, commands: int) -> None:
    """All commands in one shell, since each rests on those before it; what they print stands below each of them."""
    blocks = "".join(re.findall(r"```console\n(.*?)```", (ROOT / f"docs/{guide}.md").read_text("utf-8"), re.DOTALL))
    entries = re.findall(r"^\$ (.+)\n((?:[^$].*\n)*)", blocks, re.MULTILINE)
    assert len(entries) == commands
    for port, name in (("8000", "gateway"), ("8001", "issuer")):
        entries = [(c.replace(f"localhost:{port}", suite.urls[name].removeprefix("http://")), o) for c, o in entries]
    script = "\n".join(f"{command}\necho '#'" for command, _ in entries)
    answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert answer.stdout.split("#\n")[:-1] == [output for _, output in entries], answer.stderr
