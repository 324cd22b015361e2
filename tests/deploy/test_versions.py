"""One version for the whole suite: stated by every member, by the changelog, by every contract and every command."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmptf_common.process.build import build_of
from tests.suite import FOLDERS, NAMES, ROOT


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


PATTERNS = project(ROOT)["tool"]["uv"]["workspace"]["members"]
MEMBERS = [project(folder)["project"] for pattern in PATTERNS for folder in sorted(ROOT.glob(pattern))]


def newest() -> str:
    """The version of the changelog's first heading."""
    found = re.search(
        r"^## (\d+\.\d+\.\d+)(?: \(unreleased\)|, \d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M
    )
    assert found, "CHANGELOG.md begins with `## 1.2.3 (unreleased)` or `## 1.2.3, 2026-12-31`"
    return found[1]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member["name"])
def test_every_member_has_the_version_of_the_changelog(member: dict[str, Any]) -> None:
    assert len(MEMBERS) == len(NAMES) + len(("common", "local"))
    assert member["version"] == newest()
    assert version(member["name"]) == newest(), "installed before the version changed: run `make .venv/tests`"


def test_the_chart_has_the_version_of_the_changelog() -> None:
    chart = yaml.safe_load((ROOT / "deploy" / "chart" / "Chart.yaml").read_text("utf-8"))
    assert chart["version"] == chart["appVersion"] == newest()


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_every_contract_has_the_version_of_the_changelog(folder: Path) -> None:
    contract = json.loads((folder / "openapi.json").read_text("utf-8"))
    assert contract["info"]["version"] == newest()


@pytest.mark.parametrize("name", [*NAMES, "local"])
def test_every_command_says_its_version_and_its_build(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"mmptf-{name}", "--version"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"mmptf_{name}.__main__").main()
    assert not ended.value.code
    assert capsys.readouterr().out == f"mmptf-{name} {newest()} (build {build_of(f'mmptf-{name}')})\n"
    assert re.fullmatch("[0-9a-f]{12}", build_of(f"mmptf-{name}"))
