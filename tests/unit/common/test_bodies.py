"""JSON bodies are read strictly, and what is wrong with their members is located where the caller sent it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, StrictBool, StrictInt, ValidationError

from mmptf_common.http.bodies import MAX_ERRORS, errors_of_body, parse_json
from mmptf_common.wire.base import Code, RequestModel
from mmptf_common.wire.money import AmountSent
from mmptf_common.wire.problems import BadRequest, InvalidRequest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_any_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_may_be_in_any_encoding_of_unicode(encoding: str) -> None:
    assert parse_json('{"a": "Türkiye"}'.encode(encoding)) == {"a": "Türkiye"}


@pytest.mark.parametrize(
    ("text", "pointers"),
    [
        ('{"a": 1, "a": 1}', ["/a"]),
        ('{"a": 1, "\\u0061": 2, "a": 3}', ["/a"]),
        ('{"": {"~": 1, "~": 2}}', ["//~0"]),
        ('[{"a": 1}, {"a": 1, "b": {"c": 1, "c": 1}, "a": 2}]', ["/1/a", "/1/b/c"]),
        ('{"a": {"x": 1, "x": 1}, "a": {"y": 1, "y": 1}}', ["/a", "/a/x", "/a/y"]),
    ],
)
def test_each_repeated_member_is_named_once(text: str, pointers: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(text.encode())
    assert [(error.code, error.pointer) for error in refused.value.errors] == [("repeated_member", p) for p in pointers]


def test_a_name_may_be_in_two_objects() -> None:
    assert parse_json(b'{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}') == {"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}


@pytest.mark.parametrize("text", [b'{"a": NaN}', b"-Infinity", b"\xff", b"1" * 5000, b"[" * 10**5, b'{"a":' * 10**5])
def test_what_no_other_reader_takes_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_json(text)


def test_a_refusal_of_many_members_is_no_larger_than_that_of_some() -> None:
    twice = ",".join(f'"{n}": 1' for n in [*range(MAX_ERRORS + 5)] * 2)
    with pytest.raises(InvalidRequest) as refused:
        parse_json(f'{{"{"long" * 50_000}": {{{twice}}}}}'.encode())
    assert len(refused.value.errors) == MAX_ERRORS
    assert sum(len(error.model_dump_json()) for error in refused.value.errors) < 1_000_000


class Cat(RequestModel):
    """One of two kinds of members."""

    meows: StrictBool


class Dog(RequestModel):
    """The other one."""

    barks: StrictBool


class Sent(RequestModel):
    """A body with everything that a body may have."""

    amount: AmountSent | None = None
    answer: StrictInt | StrictBool | None = None
    pet: Cat | Dog | None = None
    by_code: Annotated[dict[Code, Cat], Field(default_factory=dict)]
    cats: Annotated[list[Cat], Field(default_factory=list)]


def found_in(body: Any) -> list[tuple[str, str | None]]:
    with pytest.raises(ValidationError) as refused:
        Sent.model_validate(body)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    return [(error.code, error.pointer) for error in errors_of_body(Sent, errors)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ([], [("invalid_type", "")]),
        ({"answer": "x"}, [("invalid_type", "/answer")]),
        ({"answer": {"int": 1}}, [("invalid_type", "/answer")]),
        ({"pet": 1}, [("invalid_type", "/pet")]),
        ({"pet": {"barks": 1}}, [("missing_member", "/pet/meows"), ("unknown_member", "/pet/barks"),
                                ("invalid_type", "/pet/barks")]),
        ({"by_code": {"a b": {"meows": True}}}, [("invalid_value", "/by_code/a b")]),
        ({"by_code": {"a": {"meow": True}}}, [("missing_member", "/by_code/a/meows"),
                                              ("unknown_member", "/by_code/a/meow")]),
        ({"cats": [{"meows": True}, {"meows": None}, 3]}, [("invalid_type", "/cats/1/meows"),
                                                           ("invalid_type", "/cats/2")]),
        ({"a/b~": 1}, [("unknown_member", "/a~1b~0")]),
        ({"amount": 1070000}, [("invalid_type", "/amount")]),
        ({"amount": "1,070,000"}, [("invalid_value", "/amount")]),
    ],
)  # fmt: skip
def test_errors_are_where_the_member_was_sent(body: Any, found: list[tuple[str, str | None]]) -> None:
    assert found_in(body) == found


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("1070000", "1070000.00"), ("1070000.5", "1070000.50"), ("1070000.00", "1070000.00"), ("0.1", "0.10"),
        ("0.01", "0.01"), ("99999999999999", "99999999999999.00"),
    ],
)  # fmt: skip
def test_an_amount_without_cents_is_the_same_amount(sent: str, stored: str) -> None:
    assert Sent(amount=sent, by_code={}, cats=[]).amount == stored


@pytest.mark.parametrize(
    "sent", ["0", "0.0", "0.00", "007", "-1", "1.", ".5", "1e3", "1.005", "1 000", "100000000000000"]
)
def test_other_texts_are_no_amounts(sent: str) -> None:
    assert found_in({"amount": sent}) == [("invalid_value", "/amount")]
