"""The path that was probably meant, and what can be done at and below a path."""

from __future__ import annotations

import pytest

from mmptf_common.http.paths import Operation, closest_path, operations_of

KNOWN = [
    Operation("GET", "/ledger/v1/entries", "List entries"),
    Operation("POST", "/ledger/v1/entries", "Enter"),
    Operation("GET", "/ledger/v1/entries/totals", "Sum entries"),
    Operation("GET", "/ledger/v1/entries/{code}", "Get an entry"),
    Operation("POST", "/ledger/v1/entries/{code}/reversal", "Reverse an entry"),
    Operation("GET", "/ledger/v1/money-stages", "List stages"),
    Operation("GET", "/ledger/v1/terms", "List terms"),
    Operation("GET", "/ledger/v1/teams", "List teams"),
    Operation("GET", "/health/live", "Live"),
]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/ledger/v1/entries/", "/ledger/v1/entries"),
        ("//ledger/v1//entries", "/ledger/v1/entries"),
        ("/ledger/v2/entries", "/ledger/v1/entries"),
        ("/ledger/v1/Entries", "/ledger/v1/entries"),
        ("/ledger/v1/money_stages", "/ledger/v1/money-stages"),
        ("/ledger/v1/money-stage", "/ledger/v1/money-stages"),
        ("/ledger/v1/entires", "/ledger/v1/entries"),
        ("/ledger/v1/entries/L-1/", "/ledger/v1/entries/L-1"),
        ("/ledger/v1/entries/L-1/reversals", "/ledger/v1/entries/L-1/reversal"),
        ("/ledger/v1/entrys/total", "/ledger/v1/entries/totals"),
        ("/health/life", "/health/live"),
        # Two are as near.
        ("/ledger/v1/tems", None),
        ("/ledger/v1/nothing", None),
        ("/ledger/v1", None),
        ("/", None),
        ("", None),
        ("/ledger/v1/entries/L-1/reversal/again", None),
        ("/" * 10_000, None),
    ],
)
def test_the_path_that_was_probably_meant(path: str, meant: str | None) -> None:
    assert closest_path(KNOWN, path) == meant


def test_what_can_be_done_at_and_below_a_path() -> None:
    found = operations_of(KNOWN, "/ledger/v1/entries/L-000001")
    assert [o.path for o in found] == ["/ledger/v1/entries/{code}", "/ledger/v1/entries/{code}/reversal"]
