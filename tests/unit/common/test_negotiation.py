"""`Accept` as RFC 9110 reads it: quality, the most specific range, and the order of the header among equals."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from mmptf_common.http.negotiation import representation
from mmptf_common.http.parameters import ListQuery
from mmptf_common.wire.problems import NotAcceptable


def negotiated(accept: str | None, **query: str) -> str:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    return representation(
        Request({"type": "http", "headers": headers}), ListQuery.model_validate({"sort": ["code"]} | query)
    )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "json"),
        ("*/*", "json"),
        ("text/*", "csv"),
        ("Application/JSON", "json"),
        ("text/csv; charset=utf-8", "csv"),
        ("text/csv;q=9", "csv"),
        # Browsers, and the client that most pages use.
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "json"),
        ("application/json, text/plain, */*", "json"),
        # Among equals, the first that is asked for.
        ("text/csv, application/json", "csv"),
        ("application/json, text/csv", "json"),
        ("text/*, application/json", "csv"),
        ("*/*, application/json", "json"),
        ("application/ndjson;q=0.5, text/csv;q=0.5", "ndjson"),
        ("*/*;q=0.5, text/csv", "csv"),
        ("text/csv;q=0.1, */*;q=0.5", "json"),
        # The most specific range decides.
        ("application/json;q=0, */*", "csv"),
        ("application/json;q=0.5, */*", "csv"),
        ("*/*;q=0, text/csv;q=0.1", "csv"),
        ("application/*;q=0, */*;q=0.1", "csv"),
        ("application/*, application/json;q=0.5", "ndjson"),
        # What cannot be read is passed over.
        ("nonsense, text/csv", "csv"),
        (", text/csv ,", "csv"),
        ('application/json;profile="a,b", text/csv;q=0.9', "json"),
    ],
)
def test_the_best_representation(accept: str | None, expected: str) -> None:
    assert negotiated(accept) == expected


@pytest.mark.parametrize(
    "accept", ["", "*", "text/html", "application/json;q=0", "*/*;q=0.0", "text/csv;q=0, text/*", "text/*;q=0, image/*"]
)
def test_none_is_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiated(accept)


def test_format_comes_first() -> None:
    assert negotiated("text/html", format="csv") == "csv"
