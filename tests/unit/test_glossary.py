"""docs/glossary.md names only what the contract has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.suite import ROOT

CONTRACT = json.loads((ROOT / "gateway" / "openapi.json").read_text("utf-8"))
ENTRIES = re.findall(
    r"^- \*\*(.+?)\*\*: (.+(?:\n  .+)*)", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.MULTILINE
)
PLACES = [
    (path, member)
    for _, text in ENTRIES
    for path, members in re.findall(r"`(/[^`]+)`: ((?:`\w+`(?:,\s+)?)+)", text)
    for member in re.findall(r"`(\w+)`", members)
]


def names(node: Any, seen: set[str]) -> Iterator[str]:
    """The parameters and members below a part of the contract, through its references."""
    if isinstance(node, list):
        for each in node:
            yield from names(each, seen)
    elif isinstance(node, dict):
        if "in" in node and "schema" in node:
            yield node["name"]
        if isinstance(node.get("properties"), dict):
            yield from node["properties"]
        for key, value in node.items():
            if key in ("example", "examples", "links"):
                continue
            if key != "$ref":
                yield from names(value, seen)
            elif value not in seen:
                seen.add(value)
                target: Any = CONTRACT
                for part in value.removeprefix("#/").split("/"):
                    target = target[part.replace("~1", "/")]
                yield from names(target, seen)


def test_every_term_is_in_order_and_has_a_place() -> None:
    terms = [term for term, _ in ENTRIES]
    assert len(terms) > 30
    assert terms == sorted(terms, key=str.lower)
    assert [term for term, text in ENTRIES if "`/" not in text] == []


@pytest.mark.parametrize(("path", "member"), PLACES)
def test_places_of_the_glossary_are_in_the_contract(path: str, member: str) -> None:
    assert member in set(names(CONTRACT["paths"][path], set()))
