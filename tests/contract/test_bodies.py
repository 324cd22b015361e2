"""What is wrong with a body is said in words, with a code of its own, at the member's place: for every member."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from mmptf_common.wire.base import in_words
from tests.contract.asking import ApiClients, ask, problem
from tests.contract.contracts import AT_SERVICES, Contract, Operation, contract_of

WITH_BODY = [o for o in AT_SERVICES if o.body is not None]
JSON = {"content-type": "application/json"}
# Parts of regular expressions that no text for people has.
TRACES = ("^", "[0-9", "[A-Z", "\\x", "\\.", "{1,", "{0,")
Steps = tuple[str | int, ...]


def resolved(operation: Operation, schema: Contract) -> Contract:
    """A schema without its reference, and without null where it allows it beside something else."""
    while "$ref" in schema:
        schema = contract_of(operation.api)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    options = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return resolved(operation, options[0]) if len(options) == 1 else schema


def members(operation: Operation, schema: Contract, at: Steps = ()) -> Iterator[tuple[Steps, Contract]]:
    """The body, and every member and item in it: the steps to it, and its schema."""
    schema = resolved(operation, schema)
    yield at, schema
    for name, member in schema.get("properties", {}).items():
        yield from members(operation, member, (*at, name))
    for member in schema.get("patternProperties", {}).values():
        yield from members(operation, member, (*at, "equality"))
    if "items" in schema:
        yield from members(operation, schema["items"], (*at, 0))


def all_members(operation: Operation) -> list[tuple[Steps, Contract]]:
    content = operation.contract["requestBody"]["content"]["application/json"]
    return list(members(operation, content["schema"]))


def changed(body: Any, at: Steps, value: Any) -> Any:
    """A copy of a body with a value at a place, which is made where the body has not got it."""
    if not at:
        return value
    step, *rest = at
    body = copy.deepcopy(body)
    if isinstance(step, int):
        old = body[0] if isinstance(body, list) and body else {}
        return [changed(old, tuple(rest), value)]
    body = body if isinstance(body, dict) else {}
    return {**body, step: changed(body.get(step), tuple(rest), value)}


def pointer(at: Steps) -> str:
    return "".join(f"/{step}" for step in at)


async def errors_of(apis: ApiClients, operation: Operation, body: Any) -> list[Contract]:
    """The errors of a body, without a trace of a regular expression."""
    found = problem(operation, await ask(apis, operation, json=body))
    assert not any(trace in json.dumps(found["errors"]) for trace in TRACES), found
    assert not any(trace in found["detail"] for trace in TRACES), found
    errors: list[Contract] = found["errors"]
    return errors


async def errors_at(apis: ApiClients, operation: Operation, at: Steps, value: Any) -> list[Contract]:
    """The errors at a place of a body that has this value there."""
    errors = await errors_of(apis, operation, changed(operation.body, at, value))
    return [error for error in errors if error["pointer"] == pointer(at)]


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_form_that_a_text_has_not_got_is_said_in_words(apis: ApiClients, operation: Operation) -> None:
    patterns = [(at, schema["pattern"]) for at, schema in all_members(operation) if "pattern" in schema]
    assert patterns or not any(schema.get("type") == "string" for _, schema in all_members(operation))
    for at, pattern in patterns:
        (found,) = await errors_at(apis, operation, at, " ")
        if found["code"] == "unknown_code":
            # Codes that are looked up: the error says where they are listed.
            assert "ISO 4217" in found["detail"] or "is not listed at /" in found["detail"]
            continue
        assert found["code"] == "invalid_value"
        words = in_words(pattern)
        assert words
        assert found["detail"] == f"{pointer(at)}: it takes {words}"
        assert "such as" in words


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_member_of_another_type_is_said_with_both(apis: ApiClients, operation: Operation) -> None:
    for at, schema in all_members(operation):
        wrong: Any = 7 if schema.get("type") == "string" else {"x": 1} if schema.get("type") != "object" else [1]
        found = await errors_at(apis, operation, at, wrong)
        assert [error["code"] for error in found] == ["invalid_type"], (at, found)
        assert "it takes " in found[0]["detail"]
        assert " was sent" in found[0]["detail"]
        assert found[0]["allowed"] == schema.get("enum")


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_an_unknown_member_is_refused_with_those_of_its_object(apis: ApiClients, operation: Operation) -> None:
    for at, schema in all_members(operation):
        if "properties" not in schema:
            continue
        (nobody,) = await errors_at(apis, operation, (*at, "nobody_knows_this"), 1)
        assert nobody["code"] == "unknown_member"
        assert nobody["allowed"] == list(schema["properties"])
        assert nobody["suggestion"] is None
        body = operation.body
        for name in schema["properties"]:
            body = changed(body, (*at, f"{name}x"), 1)
        unknown = [error for error in await errors_of(apis, operation, body) if error["code"] == "unknown_member"]
        assert [(error["pointer"], error["suggestion"]) for error in unknown] == [
            (pointer((*at, f"{name}x")), name) for name in schema["properties"]
        ]


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_every_missing_member_is_named(apis: ApiClients, operation: Operation) -> None:
    for at, schema in all_members(operation):
        if not schema.get("required"):
            continue
        answer = await ask(apis, operation, json=changed(operation.body, at, {}))
        found = problem(operation, answer)["errors"]
        missing = [error["pointer"] for error in found if error["code"] == "missing_member"]
        # An object that the example lacks, and that is made for this, lacks members too.
        here = [place for place in missing if place.rpartition("/")[0] == pointer(at)]
        assert here == [pointer((*at, name)) for name in schema["required"]]


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_member_that_is_there_twice_is_refused(apis: ApiClients, operation: Operation) -> None:
    whole = json.dumps(operation.body)
    name = next(iter(operation.body))
    again = f'{{"{name}": {json.dumps(operation.body[name])}, {whole[1:]}'
    inside = f'{{"x": [1, {{"a/b": {{"c": 1, "d": 2, "c": 1}}}}], {whole[1:]}'
    for sent, where in ((again, f"/{name}"), (inside, "/x/1/a~1b/c")):
        answer = await ask(apis, operation, json=None, content=sent.encode(), headers=JSON)
        (found,) = problem(operation, answer)["errors"]
        assert (found["code"], found["pointer"]) == ("repeated_member", where)


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_what_only_looks_like_json_is_a_problem(apis: ApiClients, operation: Operation) -> None:
    for value, said in (
        ("NaN", "NaN"), ("-Infinity", "-Infinity"), ("1" * 5000, "too many digits"),
        ("[" * 50_000, "nested too deeply"), ('{"a":' * 10_000, "nested too deeply"), ("01", "not JSON"),
    ):  # fmt: skip
        sent = f'{{"x": {value}, {json.dumps(operation.body)[1:]}'
        answer = await ask(apis, operation, json=None, content=sent.encode(), headers=JSON)
        found = problem(operation, answer, 400)
        assert said in found["detail"]
    for sent in ('{"\\ud800": 1, "\\ud800": 2}', '{"\\ud800": "\\udfff"}', f'{{"x": 1e999, "x{"y" * 50_000}": 1}}'):
        problem(operation, await ask(apis, operation, json=None, content=sent.encode(), headers=JSON), 422)
