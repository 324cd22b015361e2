"""What is wrong with a body is said in words, with a code of its own, at the member's place: for every member.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from mmptf_common.wire.base import Text, in_words
from tests.contract.asking import ApiClients, ask, problem
from tests.contract.contracts import AT_SERVICES, Contract, Operation, contract_of, in_turn

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


# Characters that nobody sees, with how an error names them: the first are refused in every text, the others where there
# is nothing else in it.
NEVER = {
    "\x00": "U+0000 a control character",
    "\x1b": "U+001B a control character",
    "\x7f": "U+007F a control character",
    "\x85": "U+0085 a control character",
    "\u202a": "U+202A LEFT-TO-RIGHT EMBEDDING",
    "\u202e": "U+202E RIGHT-TO-LEFT OVERRIDE",
    "\u2066": "U+2066 LEFT-TO-RIGHT ISOLATE",
    "\u2069": "U+2069 POP DIRECTIONAL ISOLATE",
    "\u2060": "U+2060 WORD JOINER",
    "\u2800": "U+2800 BRAILLE PATTERN BLANK",
    "\u3164": "U+3164 HANGUL FILLER",
    "\ufeff": "U+FEFF ZERO WIDTH NO-BREAK SPACE",
    "\U000e0041": "U+E0041 TAG LATIN CAPITAL LETTER A",
}
ALONE = {
    "\u00ad": "U+00AD SOFT HYPHEN",
    "\u200b": "U+200B ZERO WIDTH SPACE",
    "\u200f": "U+200F RIGHT-TO-LEFT MARK",
    "\ufe0f": "U+FE0F VARIATION SELECTOR-16",
}
TEXT_PATTERN = TypeAdapter(Text).json_schema()["pattern"]


def texts(operation: Operation) -> list[tuple[Steps, str]]:
    """The place and the pattern of every text of a body that is not one of a few values."""
    found = [(at, schema) for at, schema in all_members(operation) if "string" in str(schema.get("type"))]
    return [(at, schema["pattern"]) for at, schema in found if "enum" not in schema and "const" not in schema]


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_character_that_nobody_sees_is_refused_in_every_text(apis: ApiClients, operation: Operation) -> None:
    places = [at for at, pattern in texts(operation) if pattern == TEXT_PATTERN]
    for character, name in in_turn([*(NEVER | ALONE).items()], WITH_BODY.index(operation), 5):
        for sent in [character * 2, f"a{character}b"] if character in NEVER else [f" {character}"]:
            body = operation.body
            for at in places:
                body = changed(body, at, sent)
            found = await errors_of(apis, operation, body) if places else []
            details = {error["pointer"]: (error["code"], error["detail"]) for error in found}
            for at in places:
                code, detail = details[pointer(at)]
                assert code == "invalid_value"
                assert detail.endswith(f"; character {sent.index(character) + 1} is {name}")


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_character_that_nobody_sees_is_refused_in_every_code(apis: ApiClients, operation: Operation) -> None:
    for place, (at, pattern) in enumerate(texts(operation), WITH_BODY.index(operation)):
        if pattern != TEXT_PATTERN:
            for character in in_turn(("\u202e", "\u200b"), place):
                answer = await ask(apis, operation, json=changed(operation.body, at, f"A{character}"))
                if answer.status_code != 422:  # a batch says row by row what is wrong
                    assert (answer.json()["written"], answer.json()["refused"]) == (0, 1)
                    continue
                for found in problem(operation, answer)["errors"]:
                    # A code may also be refused as one that is not in a list, or not wanted here.
                    assert found["detail"].endswith((NEVER | ALONE)[character]) or found["code"] != "invalid_value"


# In Arabic with marks of direction, Persian and Hindi with joiners, on two lines, an emoji of several characters.
@pytest.mark.parametrize(
    "text",
    [
        "\u200f\u0633\u0644\u0627\u0645\u200e (IOM)",
        "\u0645\u06cc\u200c\u0631\u0648\u062f",
        "\u0915\u094d\u200d\u0937",
        "one\ttab\nand line",
        "\U0001f469\u200d\U0001f33e\ufe0f",
    ],
)
def test_characters_that_writing_needs_are_taken(text: str) -> None:
    assert TypeAdapter(Text).validate_python(text) == text


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
