"""What the map of the suite says, for the tests that hold for every service."""

from __future__ import annotations

from pathlib import Path

from mmptf_local.suite_map import read_map

ROOT = Path(__file__).parents[1]
DEPLOYABLES = read_map(ROOT / "suite.toml")
NAMES = tuple(each.name for each in DEPLOYABLES)
SERVICES = tuple(each.name for each in DEPLOYABLES if each.is_service)
FOLDERS = {each.name: ROOT / each.folder for each in DEPLOYABLES}
DATABASE_VARIABLES = {each.name: each.database_variable for each in DEPLOYABLES if "database" in each.needs}
# The environment of processes in which no lot is drawn, so that every run has the same outcome.
NO_LOTS = {"SECOND_RATINGS": "0"}
