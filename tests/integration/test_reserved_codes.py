"""No record gets a code that names a group of totals or a segment of a path: every write that takes a new code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from mmptf_common.wire.codes import RESERVED_CODES
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.wire.tables import read_row
from mmptf_funding.imports import template
from mmptf_markers.engine.loading import InvalidRubric, load_rubric
from tests.conftest import RunningApp
from tests.suite import SERVICES
from tests.tokens import writing

REPOSITORY = Path(__file__).parents[2]
WORDS = [written for word in sorted(RESERVED_CODES) for written in (word, word.upper(), word.capitalize())]
WHO = {
    "/catalog/v1/drafts": ("agency", "IOM"),
    "/catalog/v1/organizations": ("management-unit", None),
    **{f"/catalog/v1/{path}": ("management-unit", None) for path in ("calls", "meetings", "decisions")},
    "/funding/v1/contributors": ("agent", None),
    "/funding/v1/periods": ("agent", None),
    "/funding/v1/bank-accounts": ("agent", None),
    "/markers/v1/results-indicators": ("management-unit", None),
}


def with_new_codes() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Service, path and example body of each operation whose body has the code of a record that is to be."""
    for service in SERVICES:
        contract = json.loads((REPOSITORY / "services" / service / "openapi.json").read_text("utf-8"))
        for path, operations in contract["paths"].items():
            body = operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json")
            if body is None or "$ref" not in body["schema"]:
                continue
            schema = contract["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
            if schema["properties"].keys() & {"code", "programme_code"}:
                example = body.get("example") or next(iter(body["examples"].values()))["value"]
                yield service, path, example


WRITES = list(with_new_codes())
# Members of the examples that name what is written before.
PREPARED = {"meeting", "call"}


def test_every_operation_that_takes_a_new_code_is_known() -> None:
    assert {path for _, path, _ in WRITES} == set(WHO)


@pytest.mark.parametrize(
    ("service", "path", "example"), WRITES, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_no_operation_takes_a_reserved_word(
    service: str, path: str, example: Mapping[str, Any], apps: Mapping[str, RunningApp]
) -> None:
    client: httpx.AsyncClient = apps[service].client
    member = "code" if "code" in example else "programme_code"
    for word in WORDS:
        # Codes of organizations are in capitals, and a reserved word is one in any case.
        answer = await client.post(path, json={**example, member: word.upper()}, headers=writing(*WHO[path]))
        assert answer.status_code == 422, answer.text
        assert [(e["code"], e["pointer"]) for e in answer.json()["errors"]] == [("reserved", f"/{member}")]
    # A code that only contains such a word is one.
    taken = {**{name: value for name, value in example.items() if name not in PREPARED}, member: "SHARED-1"}
    answer = await client.post(f"{path}?dry_run=true", json=taken, headers=writing(*WHO[path]))
    assert answer.status_code == 201, answer.text


# The codes of new records in the tables of the template; that of a printed total is joined from others.
TABLES = {
    template.PartnerRow: ("code",),
    template.FigureRow: ("code",),
    template.EditionRow: ("code", "document"),
    template.VocabularyRow: ("code",),
    template.RequirementRow: ("code",),
    template.InitiativeRow: ("code",),
    template.FrameworkRow: ("code",),
    template.FrameworkItemRow: ("code",),
    template.OfficeRow: ("code",),
    template.GroupRow: ("code",),
    template.AcronymRow: ("code",),
    template.LedgerEntryRow: ("id",),
}


@pytest.mark.parametrize("word", WORDS)
def test_no_import_takes_a_reserved_word(word: str) -> None:
    fields = {row: row.model_fields for row in template.ROWS.values()}
    new = {row for row, of in fields.items() for name in ("code", "id") if name in of and of[name].is_required()}
    assert set(TABLES) == new
    for row, columns in TABLES.items():
        for column in columns:
            _, errors = read_row(row, RawRow(2, {column: word}))
            assert ("reserved", f"/{row.table}/2/{column}") in [(error.code, error.pointer) for error in errors]


@pytest.mark.parametrize("word", WORDS)
def test_no_rubric_takes_a_reserved_word(word: str) -> None:
    rubrics = (files("mmptf_markers") / "data" / "rubrics").iterdir()
    places = (["code"], ["marker"], ["grades", 0, "code"], ["principles", 0, "code"], ["criteria", 0, "code"])
    for file, place in product(rubrics, places):
        rubric = json.loads(file.read_text("utf-8")) | {"hash": None}
        inner = rubric
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = word
        with pytest.raises(InvalidRubric) as refused:
            load_rubric(json.dumps(rubric).encode())
        found = {error.path: error.reason for error in refused.value.errors}
        assert found["/" + "/".join(map(str, place))] == f"{word!r} names a group of totals or a path, and is no code"
