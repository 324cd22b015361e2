"""What depends on the day is not kept beyond it: caches are told of writes, and not of midnight."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

import httpx
import pytest

from tests.conftest import RunningApp
from tests.suite import FOLDERS, SERVICES

# Long enough for every interval to end.
LATER = timedelta(days=400)


class Later(datetime):
    """The clock, on a later day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + LATER


def reads(name: str) -> Iterator[httpx.URL]:
    """Every read of a service's contract: as it is by default, and with each value of each parameter that has a list.

    In the place of a code stands the one of the example.
    """
    contract = json.loads((FOLDERS[name] / "openapi.json").read_text())
    for path, operations in contract["paths"].items():
        if not path.startswith(f"/{name}/") or "get" not in operations:
            continue
        stated = [*operations.get("parameters", ()), *operations["get"].get("parameters", ())]
        url = path
        variants: list[dict[str, str]] = [{}]
        for parameter in stated:
            if parameter["in"] == "path":
                url = url.replace(f"{{{parameter['name']}}}", str(example_of(parameter)))
            elif parameter["in"] == "query" and parameter["name"] != "sort":
                variants += [{parameter["name"]: value} for value in values_of(parameter["schema"], contract)]
        yield from (httpx.URL(url, params=variant) for variant in variants)


def example_of(parameter: dict[str, Any]) -> Any:
    return (
        next(each["value"] for each in parameter["examples"].values())
        if "examples" in parameter
        else (parameter.get("example") or parameter["schema"]["examples"][0])
    )


def values_of(schema: dict[str, Any], contract: dict[str, Any]) -> list[str]:
    """The values of a closed set, also of those in a list or beside null."""
    if "$ref" in schema:
        return values_of(contract["components"]["schemas"][schema["$ref"].rpartition("/")[2]], contract)
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), schema.get("items", {})]
    return [
        *map(str, schema.get("enum", ())),
        *(value for part in parts if part for value in values_of(part, contract)),
    ]


@pytest.mark.parametrize("name", SERVICES)
async def test_what_another_day_changes_is_in_no_cache_group(
    apps: dict[str, RunningApp], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = apps[name].client
    asked = list(reads(name))
    today = {url: await client.get(url) for url in asked}
    for module in [each for key, each in sys.modules.items() if key.startswith(f"mmptf_{name}")]:
        if getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Later)
    changed = {}
    for url in asked:
        later = await client.get(url)
        if today[url].status_code == 200 and today[url].content != later.content:
            changed[url] = later
    for url, later in changed.items():
        assert not {*today[url].headers, *later.headers} & {"cache-groups"}, url
        if etag := today[url].headers.get("etag"):
            assert later.headers["etag"] != etag, url
    assert sum(answer.status_code == 200 for answer in today.values()) > 40
    if name == "markers":
        named = ("indicator/over-time", "report", "results-progress")
        assert {url.path for url in changed} >= {f"/markers/v1/{path}" for path in named}


def test_no_statement_of_a_service_asks_the_database_for_the_day() -> None:
    """It comes from the process, which says with it that the answer depends on it, and the test above can move it."""
    clock = re.compile(r"\b(?:current_date|current_timestamp|localtimestamp|clock_timestamp|now\(\))", re.IGNORECASE)
    found = [
        str(path)
        for name in SERVICES
        for path in sorted((FOLDERS[name] / "src").rglob("*.py"))
        if "migrations" not in path.parts and clock.search(path.read_text())
    ]
    assert found == []
