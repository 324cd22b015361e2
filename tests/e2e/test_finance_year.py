"""A year of the Fund's money: the files are what the script writes, and the guide's commands print what it says."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mmptf_local.suite import Suite
from tests.e2e.guides import GUIDES, addresses_of, guide_entries, run_guide

FILES = GUIDES / "examples" / "finance-year"
SCRIPT = GUIDES.parent / "scripts" / "finance_year"


def rows(name: str) -> list[dict[str, str]]:
    with (FILES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_of_the_year_are_what_the_script_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True, timeout=60)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {path.name: path.read_bytes() for path in FILES.iterdir() if path.name != "README.md"} == written


def test_the_year_is_as_large_as_the_guide_says() -> None:
    ledger, programmes = rows("ledger.csv"), rows("programmes.csv")
    assert len(ledger) == len({row["id"] for row in ledger}) == 2_000
    assert len({row["original_currency"] or "USD" for row in ledger if row["kind"] == "deposit"}) == 5
    assert len({row["contributor"] for row in ledger if row["contributor"]}) == 12
    assert len({row["programme"] for row in ledger if row["programme"]}) == len(programmes) == 21
    assert len({code for row in programmes for code in row["organizations"].split("|")}) == 23
    kinds = Counter(row["kind"] for row in rows("differences.csv"))
    assert (kinds.total(), len(kinds)) == (40, 15)


@pytest.mark.longer
def test_the_commands_of_the_year(suite: Suite) -> None:
    entries = guide_entries("finance")
    assert len(entries) == 95
    # The guide begins in the checkout.
    assert not run_guide("finance", addresses_of(suite), instead={entries[0][0]: f"cp -r {FILES}/. ."})
