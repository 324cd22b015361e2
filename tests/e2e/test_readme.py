"""The commands of the documentation give what it says they give."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from mmptf_local.suite import Suite
from tests.e2e.guides import addresses_of, guide_entries, guide_files, guide_text, run_guide

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


@pytest.mark.parametrize(
    ("guide", "commands", "times"),
    [
        ("frontend", 7, 1),
        ("analysts", 9, 1),
        ("report", 1, 1),
        ("integrators", 25, 2),
        ("assessors", 80, 1),
        ("reconciliation", 39, 1),
    ],
)
def test_commands_of_a_guide(suite: Suite, guide: str, commands: int, times: int) -> None:
    """times: 2 where the guide says that it can be run again on the same data

    Those that only read come first, since they show the figures of the packaged data.
    """
    assert len(guide_entries(guide)) == commands
    left_out: set[str] = set()
    for _ in range(times):
        left_out |= run_guide(guide, addresses_of(suite))
        # The guide's new code is made of the second.
        time.sleep(1)
    if left_out:
        pytest.skip(f"all else was as written; not installed: {', '.join(left_out)}")


# Programs of the guide for analysts, and what each needs. The query of Power BI is run by no test, since only Power BI
# and Excel have its language; the path, the query and the column in it are held against an answer.
FRAMES = {"frame.py": "pandas", "frame_polars.py": "polars"}


@pytest.mark.longer
@pytest.mark.parametrize(("file", "library"), FRAMES.items())
def test_the_table_with_a_library(suite: Suite, tmp_path: Path, file: str, library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed; `make longer` installs it")
    export = httpx.get(f"{suite.urls['gateway']}/funding/v1/requirements?format=csv")
    (tmp_path / "requirements.csv").write_bytes(export.content)
    text = guide_files("analysts")[file].replace("http://localhost:8000", suite.urls["gateway"])
    answer = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stdout == "760 233745000.00\n", answer.stderr


@pytest.mark.longer
def test_the_table_with_r(suite: Suite, tmp_path: Path) -> None:
    if not shutil.which("Rscript"):
        pytest.skip("Rscript is not installed")
    packages = "quit(status = !all(sapply(c('httr2', 'readr'), requireNamespace, quietly = TRUE)))"
    if subprocess.run(["Rscript", "-e", packages], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("the packages httr2 and readr of R are not installed")
    (tmp_path / "table.R").write_text(
        guide_files("analysts")["table.R"].replace("http://localhost:8000", suite.urls["gateway"]), "utf-8"
    )
    answer = subprocess.run(
        ["Rscript", "table.R"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert re.search(r"^\d+ +asia-pacific +233745000$", answer.stdout, re.MULTILINE), answer.stderr


def test_the_query_of_power_bi_names_what_there_is(suite: Suite) -> None:
    (query,) = re.findall(r"```m\n(.*?)```", guide_text("analysts"), re.DOTALL)
    (path,) = re.findall(r'RelativePath = "([^"]+)"', query)
    (form,) = re.findall(r'format = "([^"]+)"', query)
    export = httpx.get(f"{suite.urls['gateway']}/{path}", params={"format": form})
    assert export.headers["content-type"] == "text/csv; charset=utf-8"
    columns = set(export.text.partition("\r\n")[0].split(","))
    (replaced,), (typed,) = re.findall(r'{"(\w+)"}', query), re.findall(r'{{"(\w+)"', query)
    assert {replaced, typed} == {"amount_usd"} <= columns
