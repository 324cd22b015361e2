"""The query string: everything that is wrong is said at once, and equal questions have one spelling."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from starlette.requests import Request

from mmptf_common.http.parameters import (
    Amount,
    ListQuery,
    Moment,
    Search,
    Values,
    canonical,
    parse,
    search_terms,
    words,
)
from mmptf_common.wire.problems import InvalidRequest


class Query(ListQuery):
    sort: Literal["code", "-code"] = "code"
    country: Annotated[Values, Field()]
    budget_min: Amount | None = None
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
        ("limit=0", [("limit", "invalid_parameter", None)]),
        ("limit=1001", [("limit", "invalid_parameter", None)]),
        ("limit=5.0", [("limit", "invalid_parameter", None)]),
        ("limit=1_0", [("limit", "invalid_parameter", None)]),
        ("limit=" + "9" * 30, [("limit", "invalid_parameter", None)]),
        ("limit=1&limit=2", [("limit", "repeated_parameter", None)]),
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
        ("q=" + "a" * 201, [("q", "invalid_parameter", None)]),
        ("cursor=!", [("cursor", "invalid_cursor", None)]),
        ("&".join(["country=SRB"] * 201), [(None, "too_many_parameters", None)]),
    ],
)
def test_what_is_not_allowed_is_named(query: str, expected: list[tuple[str | None, str, str | None]]) -> None:
    assert errors(query) == expected


def test_all_errors_are_reported_at_once() -> None:
    assert [code for _, code, _ in errors("limt=3&country=%25&limit=0&sort=x&budget_min=-1")] == [
        "unknown_parameter",
        "invalid_characters",
        "invalid_parameter",
        "unknown_code",
        "invalid_parameter",
    ]


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


@given(st.text(max_size=100))
def test_search_terms_are_made_of_folded_words_only(text: str) -> None:
    assert all("'" not in word and "\\" not in word for word in words(text))
    assert search_terms(text).count("'") == 2 * len(words(text))


def test_words_fold_case_and_accents() -> None:
    assert words("Sucumbíos, TÜRKİYE & Côte-d'Ivoire!") == ["sucumbios", "turkiye", "cote", "d", "ivoire"]
