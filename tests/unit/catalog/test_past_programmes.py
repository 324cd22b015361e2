"""Rows of an import of programmes: the days of statuses as they are written, and their order."""

from __future__ import annotations

from datetime import date

import pytest

from mmptf_catalog.imports import rules
from mmptf_catalog.imports.rules import KnownCodes
from mmptf_catalog.imports.template import STATUSES, PastProgrammeRow, StatusDay
from mmptf_catalog.programmes.rules import NEXT_STATUSES
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.wire.tables import read_row

KNOWN = KnownCodes(("1",), ("6",), ("KEN", "UGA"), ("IOM", "ILO"))
TODAY = date(2026, 11, 28)


def row_of(**cells: str) -> PastProgrammeRow:
    row, errors = read_row(PastProgrammeRow, RawRow(2, {"code": "PAST-1", "title": "One", **cells}))
    assert row is not None, errors
    return row


def found(**cells: str) -> list[tuple[str, str | None]]:
    return [(error.code, error.pointer) for error in rules.row_errors(2, row_of(**cells), KNOWN, TODAY)]


def test_every_status_of_the_procedure_has_a_column() -> None:
    assert set(STATUSES) == NEXT_STATUSES.keys() - {"not_stated"}
    assert set(STATUSES) <= PastProgrammeRow.model_fields.keys()


@pytest.mark.parametrize(
    ("cell", "days"),
    [
        ("2021-06-15", [StatusDay(date(2021, 6, 15), "day", None)]),
        ("2021-06", [StatusDay(date(2021, 6, 1), "month", None)]),
        ("2021", [StatusDay(date(2021, 1, 1), "year", None)]),
        ("2021-06-15  SC-2021-02/04", [StatusDay(date(2021, 6, 15), "day", "SC-2021-02/04")]),
        ("2021-06-15 By post, in June", [StatusDay(date(2021, 6, 15), "day", "By post, in June")]),
        ("2021|2022-03", [StatusDay(date(2021, 1, 1), "year", None), StatusDay(date(2022, 3, 1), "month", None)]),
    ],
)  # fmt: skip
def test_a_day_is_known_as_far_as_it_is_written(cell: str, days: list[StatusDay]) -> None:
    assert list(row_of(concept_note=cell).concept_note) == days


@pytest.mark.parametrize(
    "cell",
    [
        "15.06.2021",
        "2021-02-30",
        "2021-06-15SC-1",
        "1066-10-14",
        "2021|",
        "44362",
        f"2021 {'x' * 301}",
        "|".join(["2021"] * 21),
    ],
)
def test_what_is_no_day_is_refused(cell: str) -> None:
    row, (error,) = read_row(PastProgrammeRow, RawRow(2, {"code": "PAST-1", "concept_note": cell}))
    assert (row, error.code, error.pointer) == (None, "invalid_value", "/programmes/2/concept_note")


def test_statuses_of_one_day_are_in_an_order_in_which_they_may_follow() -> None:
    same = "2021-06-15"
    row = row_of(concept_note=f"2021-01-01|{same}", withdrawn=same, pipeline=same, approved=same)
    assert [status for status, _ in rules.statuses_of(row)] == [
        "concept_note", "withdrawn", "concept_note", "pipeline", "approved",
    ]  # fmt: skip
    row = row_of(suspended="2022-01-01", implementation="2021-07-01|2023-01-01", approved=same)
    assert [status for status, _ in rules.statuses_of(row)] == [
        "approved", "implementation", "suspended", "implementation",
    ]  # fmt: skip


def test_everything_that_is_wrong_with_a_row() -> None:
    assert found(concept_note="2021", places="KEN|UGA", shares="60.00|40", start="2022-01-01", end="2023-01-01") == []
    assert found(pipeline="2026-11-29") == [("in_the_future", "/programmes/2/pipeline")]
    assert found(approved="2021-01-01", not_selected="2022-01-01") == [
        ("transition_not_allowed", "/programmes/2/not_selected")
    ]
    assert found(
        concept_note="2021", places="KEN|KEN", shares="60|50", organizations="IOM", lead_organization="ILO",
        start="2022-01-02", end="2022-01-01",
    ) == [
        ("does_not_match", "/programmes/2/lead_organization"),
        ("repeated_code", "/programmes/2/places"),
        ("shares_do_not_add_up", "/programmes/2/shares"),
        ("invalid_range", "/programmes/2/end"),
    ]  # fmt: skip
