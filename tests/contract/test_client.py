"""A client generated from the committed contract reads, pages, parses a problem, and type-checks strictly."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients import openapi_python_client
from tests.commands import run

CLIENTS = Path(openapi_python_client.__file__).parent
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
    """A folder that holds the package `generated`, and screens that are made with it."""
    folder = tmp_path_factory.mktemp("client")
    shutil.copy(CLIENTS / "python" / "screens.py", folder)
    openapi_python_client.generate(folder)
    return folder


def test_a_generated_client_works(folder: Path, urls: Mapping[str, str]) -> None:
    done = run(folder, sys.executable, "-c", USE, urls["gateway"])
    assert json.loads(done) == {
        "order": "-code",
        "codes": ["WBALKANS-01", "SRB-01", "PER-01"],
        "total": 3,
        "budget": "2000000.00",
        "refused": ["unknown_code", "country"],
    }


@pytest.mark.longer
def test_a_generated_client_and_its_screens_type_check_strictly(folder: Path) -> None:
    mypy = Path(sys.executable).with_name("mypy")
    run(folder, mypy, "--config-file", CLIENTS / "mypy.ini", "generated", "screens.py")
