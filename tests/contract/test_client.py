"""A client generated from the committed contract reads, pages and scores, and parses a problem."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.contract.contracts import COMMITTED

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
USE = """
import json, sys
from generated import Client
from generated.api.programmes import get_programme, list_programmes
from generated.models import ListProgrammesSortItem, Problem

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
order = ListProgrammesSortItem.VALUE_1
page = list_programmes.sync(client=client, country=["SRB", "PER"], limit=2, sort=[order])
codes = [programme.code for programme in page.items]
cursor = page.next_.partition("cursor=")[2].partition("&")[0]
rest = list_programmes.sync(client=client, country=["SRB", "PER"], limit=2, sort=[order], cursor=cursor)
codes += [programme.code for programme in rest.items]
one = get_programme.sync(client=client, code="SRB-01")
refused = list_programmes.sync(client=client, country=["SRV"])
assert isinstance(refused, Problem)
print(json.dumps({
    "order": order.value, "codes": codes, "total": page.total, "budget": one.budget.amount,
    "refused": [refused.code, refused.errors[0].parameter],
}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package `generated`."""
    folder = tmp_path_factory.mktemp("client")
    # The generator knows files as octets only.
    files = (f"  {media}: application/octet-stream\n" for media in ("text/csv", XLSX))
    (folder / "config.yaml").write_text(f"post_hooks: []\ncontent_type_overrides:\n{''.join(files)}")
    generator = Path(sys.executable).with_name("openapi-python-client")
    command: list[str | Path] = [
        generator,
        "generate",
        "--path",
        COMMITTED["gateway"],
        "--meta",
        "none",
        "--fail-on-warning",
    ]
    command += ["--output-path", folder / "generated", "--config", folder / "config.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("api", ["catalog", "gateway"])
def test_a_generated_client_works(folder: Path, urls: Mapping[str, str], api: str) -> None:
    command = [sys.executable, "-c", USE, urls[api]]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "order": "-code",
        "codes": ["WBALKANS-01", "SRB-01", "PER-01"],
        "total": 3,
        "budget": "2000000.00",
        "refused": ["unknown_code", "country"],
    }
