"""The query string: everything that is wrong is said at once, and equal questions have one spelling."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from starlette.requests import Request

from mmptf_common.http.parameters import (
    Amount,
    Flag,
    ListFormat,
    ListQuery,
    Moment,
    PointInTime,
    Search,
    Values,
    canonical,
    order_by,
    parameter_components,
    parameters,
    parse,
)
from mmptf_common.wire.base import Day
from mmptf_common.wire.places import PlaceKind
from mmptf_common.wire.problems import InvalidRequest


class Query(ListQuery):
    sort: tuple[Literal["code", "-code", "title", "-title"], ...] = order_by("code")
    country: Annotated[Values, Field(examples=["SRB"])]
    stage: Annotated[list[Literal["concept", "pipeline"]], Field(default_factory=list, max_length=100)]
    by: Annotated[list[Literal["country", "year"]], Field(min_length=1, max_length=1)] = ["year"]
    budget_min: Amount | None = None
    budget_max: Amount | None = None
    date_from: Day | None = None
    date_to: Day | None = None
    updated_since: Moment | None = None
    q: Search | None = None


def parsed(query: str | bytes) -> Query:
    raw = query.encode() if isinstance(query, str) else query
    return parse(Request({"type": "http", "query_string": raw, "headers": []}), Query)


def errors(query: str | bytes) -> list[tuple[str | None, str, str | None]]:
    with pytest.raises(InvalidRequest) as caught:
        parsed(query)
    return [(error.parameter, error.code, error.suggestion) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("contry=SRB", [("contry", "unknown_parameter", "country")]),
        ("limit=-0", [("limit", "invalid_parameter", None)]),
        ("limit=1001", [("limit", "invalid_parameter", None)]),
        ("limit=5.0", [("limit", "invalid_parameter", None)]),
        ("limit=1_0", [("limit", "invalid_parameter", None)]),
        ("limit=" + "9" * 30, [("limit", "invalid_parameter", None)]),
        ("limit=1&limit=2", [("limit", "repeated_parameter", None)]),
        ("limit=1,2", [("limit", "repeated_parameter", None)]),
        ("sort=code,-code", [("sort", "invalid_parameter", None)]),
        ("sort=title&sort=code&sort=title", [("sort", "invalid_parameter", None)]),
        ("sort=title,code,-title,code,-code", [("sort", "invalid_parameter", None)]),
        ("sort=title;-code", [("sort", "invalid_parameter", "title,-code")]),
        ("sort=title,", [("sort", "invalid_parameter", None)]),
        ("sort=titel,-cod", [("sort", "unknown_code", "title"), ("sort", "unknown_code", "-code")]),
        ("fields[]=code", [("fields[]", "unknown_parameter", "fields")]),
        ("as_of=1,2", [("as_of", "repeated_parameter", None)]),
        ("date_to=2024-01-01,2024-02-01", [("date_to", "repeated_parameter", None)]),
        ("by=country,year", [("by", "repeated_parameter", None)]),
        ("by=country&by=year", [("by", "repeated_parameter", None)]),
        ("by=country&by=country", [("by", "repeated_parameter", None)]),
        ("country=" + ",".join(["SRB"] * 101), [("country", "invalid_parameter", None)]),
        ("country=SRB;KEN", [("country", "invalid_parameter", "SRB,KEN")]),
        ("country=SRB+%7C+KEN", [("country", "invalid_parameter", "SRB,KEN")]),
        ("country=SRB,", [("country", "invalid_parameter", None)]),
        ("country[]=SRB", [("country[]", "unknown_parameter", "country")]),
        ("country=" + ",".join(f"A{n}" for n in range(101)), [("country", "invalid_parameter", None)]),
        ("budget_min=1,000", [("budget_min", "invalid_parameter", None)]),
        ("budget_min=2&budget_max=1.99", [("budget_min", "invalid_range", None)]),
        ("date_from=2024-04-02&date_to=2024-04-01", [("date_from", "invalid_range", None)]),
        ("date_from=31/03/2026", [("date_from", "invalid_parameter", None)]),
        ("_=1&__=1", [("__", "unknown_parameter", None)]),
        ("sort=cod", [("sort", "unknown_code", "code")]),
        ("budget_min=1e5", [("budget_min", "invalid_parameter", None)]),
        ("budget_min=NaN", [("budget_min", "invalid_parameter", None)]),
        ("budget_min=1.005", [("budget_min", "invalid_parameter", None)]),
        ("budget_min=٣", [("budget_min", "invalid_parameter", None)]),
        ("budget_min=" + "9" * 30, [("budget_min", "invalid_parameter", None)]),
        ("updated_since=0000-01-01", [("updated_since", "invalid_parameter", None)]),
        ("updated_since=2023-02-29", [("updated_since", "invalid_parameter", None)]),
        ("updated_since=9999-12-31T23:59:59-23:59", [("updated_since", "invalid_parameter", None)]),
        ("updated_since=1700000000", [("updated_since", "invalid_parameter", None)]),
        ("country=%25", [("country", "invalid_characters", None)]),
        ("country=%00", [("country", "invalid_characters", None)]),
        ("country=%ff", [("country", "invalid_characters", None)]),
        ("country=%zz", [("country", "invalid_characters", None)]),
        ("q=a*", [("q", "invalid_parameter", None)]),
        ("q=...", [("q", "invalid_parameter", None)]),
        ('q="human rights', [("q", "invalid_search", None)]),
        ("q=-rights", [("q", "invalid_search", None)]),
        ("q=" + "a" * 201, [("q", "invalid_parameter", None)]),
        ("cursor=!", [("cursor", "invalid_cursor", None)]),
        ("&".join(["country=SRB"] * 201), [(None, "too_many_parameters", None)]),
    ],
)
def test_what_is_not_allowed_is_named(query: str, expected: list[tuple[str | None, str, str | None]]) -> None:
    assert errors(query) == expected


def test_all_errors_are_reported_at_once() -> None:
    assert [code for _, code, _ in errors("limt=3&country=%25&limit=-1&sort=x&budget_min=-1")] == [
        "unknown_parameter",
        "invalid_characters",
        "invalid_parameter",
        "unknown_code",
        "invalid_parameter",
    ]


def detail(query: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parsed(query)
    return str(caught.value)


@pytest.mark.parametrize("name", Query.model_fields)
def test_an_empty_value_is_to_be_left_out(name: str) -> None:
    assert detail(f"{name}=") == f"{name}: a value is empty; leave the parameter out where there is none"


def test_what_is_wrong_is_said_in_words() -> None:
    assert "separated by commas, or the parameter is repeated" in detail("country=SRB;KEN")
    assert "at most 100 values" in detail("country=" + ",".join(f"A{n}" for n in range(101)))
    assert "without a comma" in detail("budget_min=1,000.00")
    assert detail("sort=title,code,-title") == (
        "sort: a key has one direction and one place; given more than once: title"
    )
    assert "at most 4 values" in detail("sort=title,-title,code,-code,code")
    assert detail("format=csv,json") == "format takes one value, and is given several"
    assert detail("by=country,year") == "by takes one value, and is given several"
    assert "%2B" in detail("updated_since=2024-01-01T00:00:00+02:00")
    assert "%2B" in detail("as_of=2024-01-01T00:00:00.5+02:00")
    assert "%2B" not in detail("as_of=2024-01-01 00:00:00")
    assert "a day such as 2025-01-31" in detail("date_to=31/03/2026")
    assert detail("budget_min=2&budget_max=1") == "budget_min=2 is beyond budget_max=1: nothing lies between them"


@given(
    st.lists(st.sampled_from(["SRB", "KEN", "DEU"]), min_size=1, max_size=100),
    st.sampled_from([",", "%2C", ", ", "&country="]),
)
def test_several_values_are_a_set_however_they_are_written(codes: list[str], separator: str) -> None:
    query = parsed("country=" + separator.join(codes))
    assert query.country == sorted(set(codes))
    assert canonical(query) == "&".join(f"country={code}" for code in sorted(set(codes)))


@given(
    st.permutations(["code", "title"]),
    st.lists(st.sampled_from(["", "-"]), min_size=2, max_size=2),
    st.sampled_from([",", "%2C", ", ", "&sort="]),
)
def test_the_keys_of_an_order_stay_in_theirs_however_they_are_written(
    names: list[str], directions: list[str], separator: str
) -> None:
    keys = [f"{direction}{name}" for direction, name in zip(directions, names, strict=True)]
    query = parsed(f"sort={separator.join(keys)}&fields=title,code")
    assert query.sort == tuple(keys)
    assert canonical(query) == f"fields=code&fields=title&sort={keys[0]}&sort={keys[1]}"
    assert parsed(canonical(query)) == query


def test_a_name_with_a_comma_is_one_value() -> None:
    assert parsed("country=Korea, Republic of").country == ["Korea, Republic of"]


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("format=CSV", "format=csv"),
        ("sort=-Code", "sort=-code"),
        ("sort=Title,-CODE", "sort=title&sort=-code"),
        ("sort=code", ""),
        ("stage=Concept,PIPELINE", "stage=pipeline&stage=concept"),
        ("by=Country", "by=country"),
        ("by=Year", ""),
        ("country=SRB&_=1700000000", "country=SRB"),
        ("_=1", ""),
        ("limit=050", ""),
    ],
)
def test_queries_that_mean_the_same_are_the_same(query: str, same: str) -> None:
    assert parsed(query) == parsed(same)
    assert canonical(parsed(query)) == canonical(parsed(same))


def test_a_range_of_one_value_is_none_turned_round() -> None:
    query = parsed("budget_min=1.0&budget_max=1&date_from=2024-04-01&date_to=2024-04-01")
    assert query.budget_min == query.budget_max


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-26T17:00:11.4450119+00:00", datetime(2026, 11, 26, 17, 0, 11, 445011, tzinfo=UTC)),
        ("2026-11-26T17:00:11.445011923Z", datetime(2026, 11, 26, 17, 0, 11, 445011, tzinfo=UTC)),
        ("2026-11-26t17:00:11.999999999z", datetime(2026, 11, 26, 17, 0, 11, 999999, tzinfo=UTC)),
        ("2026-11-26T17:00:11.5+05:30", datetime(2026, 11, 26, 11, 30, 11, 500000, tzinfo=UTC)),
    ],
)
def test_moments_are_read_as_other_languages_write_them(value: str, moment: datetime) -> None:
    query = parsed(f"updated_since={quote(value)}&as_of={quote(value)}")
    assert (query.updated_since, query.as_of) == (moment, moment)
    assert parsed(canonical(query)) == query


def test_a_day_begins_what_it_bounds_from_below_and_is_itself_where_it_bounds_from_above() -> None:
    query = parsed("updated_since=2024-01-31&as_of=2024-01-31")
    assert query.updated_since == datetime(2024, 1, 31, tzinfo=UTC)
    assert (query.as_of, type(query.as_of)) == (date(2024, 1, 31), date)
    assert canonical(query) == "as_of=2024-01-31&updated_since=2024-01-31T00%3A00%3A00Z"
    assert parsed(canonical(query)) == query


def test_arrays_are_declared_as_repeated_parameters() -> None:
    declared = {parameter["name"]: parameter for parameter in parameters(Query)}
    for name in ("country", "stage", "by", "sort", "fields"):
        assert (declared[name]["style"], declared[name]["explode"]) == ("form", True)
    assert "style" not in declared["format"]
    assert declared["sort"]["schema"] == {
        "type": "array",
        "items": {"type": "string", "enum": ["code", "-code", "title", "-title"]},
        "default": ["code"],
        "minItems": 1,
        "maxItems": 4,
        "uniqueItems": True,
    }


class Flagged(PointInTime):
    dry_run: Flag = "false"
    kind: Annotated[list[PlaceKind], Field(default_factory=list, max_length=100)]
    format: ListFormat | None = None


def flagged(query: str) -> Flagged:
    return parse(Request({"type": "http", "query_string": query.encode(), "headers": []}), Flagged)


def test_closed_values_with_a_name_are_references_to_components() -> None:
    declared = {parameter["name"]: parameter["schema"] for parameter in parameters(Flagged)}
    assert declared["kind"]["items"] == {"$ref": "#/components/schemas/PlaceKind"}
    assert declared["format"] == {"$ref": "#/components/schemas/ListFormat"}
    assert {name: schema["enum"] for name, schema in parameter_components(Flagged).items()} == {
        "PlaceKind": ["country", "region"],
        "ListFormat": ["json", "csv", "csv-spreadsheet", "ndjson"],
    }
    query = flagged("kind=Region&format=CSV")
    assert (query.kind, query.format) == (["region"], "csv")
    with pytest.raises(InvalidRequest) as caught:
        flagged("kind=regions&format=xml")
    assert [(error.code, error.allowed, error.suggestion) for error in caught.value.errors] == [
        ("unknown_code", ["country", "region"], "region"),
        ("unknown_code", ["json", "csv", "csv-spreadsheet", "ndjson"], None),
    ]


def test_a_flag_is_a_boolean_of_the_contract_and_one_of_two_words_of_a_query() -> None:
    declared = {parameter["name"]: parameter["schema"] for parameter in parameters(Flagged)}
    assert declared["dry_run"] == {"type": "boolean", "default": False}
    assert [flagged(text).dry_run for text in ("", "dry_run=true", "dry_run=False")] == ["false", "true", "false"]
    for wrong in ("1", "yes"):
        with pytest.raises(InvalidRequest) as caught:
            flagged(f"dry_run={wrong}")
        assert [(error.code, error.allowed) for error in caught.value.errors] == [("unknown_code", ["true", "false"])]


def test_examples_are_shown_and_never_filled_in() -> None:
    for parameter in parameters(Query):
        assert not {"example", "examples"} & parameter.keys()
    country = next(parameter for parameter in parameters(Query) if parameter["name"] == "country")
    assert country["schema"]["examples"] == [["SRB"]]
    assert country["description"].endswith("For example `SRB`.")


@pytest.mark.parametrize(
    "text", ["0", "1200", "9" * 15, "2024-01-31", "2024-01-31T00:00:00Z", "2024-01-31t23:59:59.5-12:30"]
)
def test_a_moment_that_the_contract_allows_is_taken(text: str) -> None:
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters(Query)}
    assert schemas["as_of"]["type"] == schemas["updated_since"]["type"] == "string"
    for name in ("as_of", "updated_since"):
        allowed = re.search(schemas[name]["pattern"], text) is not None
        assert allowed == (name == "as_of" or not text.isdecimal())
        if allowed:
            parsed(f"{name}={text}")
        else:
            with pytest.raises(InvalidRequest):
                parsed(f"{name}={text}")


@pytest.mark.parametrize(
    "text", ["-1", "1.0", "9" * 16, "2024-13-01", "2024-01-32", "2024-01-31T24:00:00Z", "2024-01-31T00:00:00", "2024"]
)
def test_a_moment_that_the_contract_does_not_allow_is_refused(text: str) -> None:
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters(Query)}
    for name in ("as_of", "updated_since") if text != "2024" else ("updated_since",):
        assert not re.search(schemas[name]["pattern"], text)
        with pytest.raises(InvalidRequest):
            parsed(f"{name}={text}")


def test_equal_queries_have_one_canonical_form() -> None:
    one = parsed("country=TUR&country=SRB&limit=50&updated_since=2024-01-01&budget_min=1.50")
    same = parsed("budget_min=1.5&updated_since=2024-01-01T01:00:00%2B01:00&country=SRB&country=TUR&country=SRB")
    assert canonical(one) == canonical(same)
    assert parsed(canonical(one)) == parsed(canonical(same))


@given(st.binary(max_size=200))
def test_no_query_string_is_anything_but_understood_or_refused(raw: bytes) -> None:
    try:
        query = parsed(raw)
    except InvalidRequest as refused:
        assert refused.errors
    else:
        assert parsed(canonical(query)) == query


@given(st.decimals(min_value=0, max_value=Decimal("9999999999999999.99"), places=2))
def test_amounts_are_exact(amount: Decimal) -> None:
    assert parsed(f"budget_min={amount:f}").budget_min == amount
