"""The columns of each CSV: the contract states them in order, and they are those of the header."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import urlencode

import pytest

from tests.contract.asking import ApiClients, ask
from tests.contract.contracts import AT_SERVICES, CSV_NEEDS, Operation, contract_of

STATED = [o for o in AT_SERVICES if o.is_versioned and "text/csv" in o.contract["responses"]["200"].get("content", {})]


def stated_columns(operation: Operation) -> list[str]:
    about = operation.contract["responses"]["200"]["content"]["text/csv"]["schema"]["description"]
    (listed,) = re.findall(r"The columns, in order: (.*?)\.(?: |$)", about)
    assert "`|` stands between several values of a cell" in about
    assert "an empty cell states no value" in about
    return re.findall(r"`(\w+)`", listed)


@pytest.mark.parametrize("operation", STATED, ids=str)
async def test_the_stated_columns_are_those_of_the_header(apis: ApiClients, operation: Operation) -> None:
    columns = stated_columns(operation)
    answer = await ask(apis, operation, urlencode({"format": "csv", **CSV_NEEDS.get(operation.id, {})}))
    assert answer.status_code == 200, answer.text
    (header, *_) = csv.reader(io.StringIO(answer.text))
    if columns[:2] == ["by", "by_name"]:
        (by,) = operation.query["by"]["default"]
        columns[:2] = [by, f"{by}_name"]
    assert header == columns


@pytest.mark.parametrize("operation", STATED, ids=str)
def test_the_example_of_a_csv_has_the_stated_columns_and_a_row_or_two(operation: Operation) -> None:
    columns = stated_columns(operation)
    header, *rows = csv.reader(io.StringIO(operation.response(200)["content"]["text/csv"]["example"]))
    if columns[:2] == ["by", "by_name"]:
        assert f"{header[0]}_name" == header[1]
        assert header[0] in operation.query["by"]["items"]["enum"]
        columns[:2] = header[:2]
    assert header == columns
    assert 1 <= len(rows) <= 2
    assert {len(row) for row in rows} == {len(columns)}


@pytest.mark.parametrize("operation", STATED, ids=str)
def test_a_line_of_an_export_names_its_schema(operation: Operation) -> None:
    content = operation.contract["responses"]["200"]["content"]
    if "application/x-ndjson" in content:
        (name,) = re.findall(r"schema `(\w+)`", content["application/x-ndjson"]["schema"]["description"])
        assert list(contract_of(operation.api)["components"]["schemas"][name]["properties"]) == operation.members
