"""`fields` on every list: these members or columns and no other, exactly as they are without it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests.contract.asking import ApiClients, ask, error_detail
from tests.contract.contracts import AT_SERVICES, LISTS, Contract, Operation

AT_LISTS = [o for o in LISTS if o in AT_SERVICES]


def exact(text: str) -> Any:
    """A JSON text with its numbers as they are written and its members in order."""
    return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=lambda pairs: pairs)


def only(item: list[tuple[str, Any]], names: list[str]) -> list[tuple[str, Any]]:
    """The members of an item with these names, in the order of the item."""
    return [(name, value) for name, value in item if name in names]


@pytest.mark.parametrize("operation", AT_LISTS, ids=str)
async def test_items_have_the_named_members_only(apis: ApiClients, operation: Operation) -> None:
    whole = dict(exact((await ask(apis, operation, "limit=7")).text))
    members = operation.members
    for names in ([members[0]], [members[-1]], [members[-1], members[1]], members):
        asked = f"limit=7&fields={','.join(names)}"
        answer = await ask(apis, operation, asked)
        assert answer.status_code == 200, answer.text
        page = dict(exact(answer.text))
        assert page["items"] == [only(item, names) for item in whole["items"]]
        assert {**page, "items": 0, "next": 0} == {**whole, "items": 0, "next": 0}
        repeated = await ask(apis, operation, "limit=7&" + "&".join(f"fields={name.upper()}" for name in names[::-1]))
        assert (repeated.headers["etag"], repeated.content) == (answer.headers["etag"], answer.content)
        again = await ask(apis, operation, asked, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        lines = (await ask(apis, operation, f"format=ndjson&fields={','.join(names)}")).text.splitlines()
        assert [exact(line) for line in lines][:7] == page["items"]


@pytest.mark.parametrize("operation", AT_LISTS, ids=str)
async def test_a_csv_has_the_named_columns_only(apis: ApiClients, operation: Operation) -> None:
    whole = await table(apis, operation, "format=csv")
    columns = list(whole[0])
    for names in ([columns[0]], [columns[-1], columns[1]], columns):
        found = await table(apis, operation, f"format=csv&fields={','.join(names)}")
        assert list(found[0]) == [column for column in columns if column in names]
        assert found == [{column: row[column] for column in columns if column in names} for row in whole]


async def table(apis: ApiClients, operation: Operation, query: str) -> list[dict[str, str]]:
    answer = await ask(apis, operation, query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("operation", AT_LISTS, ids=str)
async def test_an_unknown_field_is_refused_with_those_that_there_are(apis: ApiClients, operation: Operation) -> None:
    header = (await ask(apis, operation, "format=csv")).text.partition("\n")[0].split(",")
    for query, names in (("", operation.members), ("format=ndjson&", operation.members), ("format=csv&", header)):
        for wrong, meant in ((f"{names[-1]}s", names[-1]), ("no_such_thing", None)):
            found = error_detail(operation, await ask(apis, operation, f"{query}fields=code,{wrong}"), "fields")
            assert (found["code"], found["allowed"]) == ("unknown_code", names)
            assert found["suggestion"] == meant or names[-1] not in (found["suggestion"], wrong)
    of_csv = [name for name in header if name not in operation.members][:1]
    for name in of_csv:
        found = error_detail(operation, await ask(apis, operation, f"fields={name}"), "fields")
        assert found["allowed"] == operation.members


@pytest.mark.parametrize("operation", AT_LISTS, ids=str)
async def test_the_next_page_has_the_same_fields_and_a_cursor_those_that_are_asked(
    apis: ApiClients, operation: Operation
) -> None:
    first = (await ask(apis, operation, "limit=1&fields=code")).json()
    if first["next"] is None:
        return
    assert "fields=code" in first["next"]
    second: Contract = (await apis[operation.api].get(first["next"], headers=operation.headers)).json()
    whole = (await ask(apis, operation, "limit=2")).json()["items"]
    assert first["items"] + second["items"] == [{"code": item["code"]} for item in whole]
    other = await apis[operation.api].get(first["next"].replace("fields=code&", ""), headers=operation.headers)
    assert other.json()["items"] == whole[1:]


async def test_fields_and_codes_that_do_not_exist_are_said_at_once(apis: ApiClients) -> None:
    operation = next(o for o in AT_LISTS if str(o) == "catalog:list_programmes")
    answer = await ask(apis, operation, "fields=titel,budget_amount&country=XXQ")
    assert [(e["parameter"], e["suggestion"]) for e in answer.json()["errors"]] == [
        ("fields", None),
        ("fields", "title"),
        ("country", None),
    ]
