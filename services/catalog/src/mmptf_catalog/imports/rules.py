"""Rules for the rows of an import of programmes: their statuses in order, and what they may change; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise, permutations
from typing import NamedTuple

from mmptf_catalog.imports.template import STATUSES, PastProgrammeRow, StatusDay
from mmptf_catalog.programmes.domain import (
    ProgrammeContent,
    ProgrammeDraftDuration,
    ProgrammeDraftPlace,
    StatedProgramme,
)
from mmptf_catalog.programmes.rules import NEXT_STATUSES, errors_of
from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common.wire.codes import ProgrammeStatus
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail
from mmptf_common.wire.tables import not_in, row_error

TABLE = PastProgrammeRow.table
# Statuses of one day of which every order is tried.
MOST_OF_A_DAY = 6
# The column in which a member of the content stands, where that is another one.
_COLUMNS = {"duration": "end", "budget": "budget_usd"}


class StatusOfDay(NamedTuple):
    """A status of a row, in the order of their days."""

    status: ProgrammeStatusSent
    given: StatusDay


@dataclass(frozen=True, slots=True)
class KnownCodes:
    """The codes that rows may name."""

    thematic_areas: Sequence[str]
    objectives: Sequence[str]
    places: Sequence[str]
    organizations: Sequence[str]


def statuses_of(row: PastProgrammeRow) -> list[StatusOfDay]:
    """The statuses of a row by their days; of one day, in an order in which they may follow one another."""
    found = [StatusOfDay(status, given) for status in STATUSES for given in getattr(row, status)]
    found.sort(key=lambda each: each.given.day)
    ordered: list[StatusOfDay] = []
    for _, group in groupby(found, key=lambda each: each.given.day):
        ordered += _in_order(ordered[-1].status if ordered else None, list(group))
    return ordered


def _in_order(before: ProgrammeStatus | None, same: list[StatusOfDay]) -> Sequence[StatusOfDay]:
    """The statuses of one day, as they may follow a status and one another; where they may not, as they are."""
    if len(same) > MOST_OF_A_DAY:
        return same
    for order in permutations(same):
        statuses = [before, *(each.status for each in order)]
        if all(one is None or other in NEXT_STATUSES[one] for one, other in pairwise(statuses)):
            return order
    return same


def content_of(row: PastProgrammeRow) -> ProgrammeContent:
    """What a row says of a programme."""
    shares: list[Decimal | None] = [*row.shares] or [None] * len(row.places)
    duration = ProgrammeDraftDuration(start=row.start, end=row.end) if row.start and row.end else None
    return ProgrammeContent(
        title=row.title,
        summary=row.summary or "",
        thematic_area=row.thematic_area,
        objectives=row.objectives,
        places=[ProgrammeDraftPlace(code=code, share=share) for code, share in zip(row.places, shares, strict=False)],
        organizations=row.organizations,
        partners=[],
        beneficiaries=[],
        components=[],
        localities=[],
        figures=[],
        duration=duration,
        budget=row.budget_usd,
        budget_lines=[],
    )


def row_errors(number: int, row: PastProgrammeRow, known: KnownCodes, today: date) -> Iterator[ErrorDetail]:
    """The errors of a row alone: its codes, its content, and its statuses."""
    for column, codes, listed in (
        ("thematic_area", [row.thematic_area] if row.thematic_area else [], known.thematic_areas),
        ("objectives", row.objectives, known.objectives),
        ("places", row.places, known.places),
        ("organizations", row.organizations, known.organizations),
    ):
        for code in codes:
            if code not in listed:
                yield not_in(TABLE, number, column, code, listed)
    if row.lead_organization and row.lead_organization not in row.organizations:
        detail = f"{row.lead_organization} leads the programme and has to be among the organizations"
        yield row_error(TABLE, number, "lead_organization", ProblemCode.DOES_NOT_MATCH, detail)
    if row.shares and len(row.shares) != len(row.places):
        detail = f"{len(row.shares)} shares of {len(row.places)} places; every place has one, or none has"
        yield row_error(TABLE, number, "shares", ProblemCode.SHARES_INCOMPLETE, detail)
    if (row.start is None) != (row.end is None):
        missing = "start" if row.start is None else "end"
        yield row_error(TABLE, number, missing, ProblemCode.EMPTY_CELL, "both days are expected, or none")
    for error in errors_of(content_of(row)):
        member = str(error.pointer).split("/")[1]
        column = "shares" if member == "places" and "share" in error.code else _COLUMNS.get(member, member)
        yield row_error(TABLE, number, column, error.code, error.detail.partition(": ")[2], allowed=error.allowed)
    yield from _status_errors(number, statuses_of(row), today)


def _status_errors(number: int, statuses: Sequence[StatusOfDay], today: date) -> Iterator[ErrorDetail]:
    if not statuses:
        detail = "a programme has at least one status with its day"
        yield row_error(TABLE, number, STATUSES[0], ProblemCode.EMPTY_CELL, detail)
    before: ProgrammeStatus | None = None
    for status, given in statuses:
        if given.day > today:
            detail = f"{given.day} is not past yet"
            yield row_error(TABLE, number, status, ProblemCode.IN_THE_FUTURE, detail, allowed=[f"up to {today}"])
        if before is not None and status not in NEXT_STATUSES[before]:
            allowed = NEXT_STATUSES[before]
            offered = ", ".join(allowed) or "nothing"
            detail = f"on {given.day} it is {before}, after which {offered} follows"
            yield row_error(TABLE, number, status, ProblemCode.TRANSITION_NOT_ALLOWED, detail, allowed=allowed)
        before = status


def new_programme_errors(number: int, row: PastProgrammeRow) -> Iterator[ErrorDetail]:
    """The errors of a row whose programme is not there yet."""
    if row.title is None:
        yield row_error(TABLE, number, "title", ProblemCode.EMPTY_CELL, "a new programme has a title")


def stored_programme_errors(
    number: int, row: PastProgrammeRow, stored: StatedProgramme, text_of: Callable[[str | None], str | None]
) -> Iterator[ErrorDetail]:
    """The errors of a row whose programme is there: it states the days of its statuses and changes nothing else.

    Of what is entered already to the day, nothing may be left out, and no decision is another one.
    text_of: what a record states for a decision that a row names
    """
    content, before = content_of(row), stored.content
    for name in ProgrammeContent.model_fields:
        given, there = getattr(content, name), getattr(before, name)
        if given and given != there:
            detail = f"{stored.code} is there with another value; amend the programme, or leave the cell empty"
            yield row_error(TABLE, number, _COLUMNS.get(name, name), ProblemCode.DOES_NOT_MATCH, detail)
    if row.lead_organization and row.lead_organization != stored.lead_organization:
        detail = f"{stored.code} is there with another value; leave the cell empty"
        yield row_error(TABLE, number, "lead_organization", ProblemCode.DOES_NOT_MATCH, detail)
    decisions = {(status, given.day): text_of(given.decision) for status, given in statuses_of(row)}
    for record in stored.status_history:
        if record.status == "not_stated" or record.date_precision != "day":
            continue
        if (record.status, record.date) not in decisions:
            detail = f"{stored.code} is {record.status} from {record.date} on, which is not in the row"
            yield row_error(TABLE, number, record.status, ProblemCode.ROW_LEFT_OUT, detail)
        elif record.decision and decisions[record.status, record.date] not in (None, record.decision):
            detail = f"the decision of {record.date} is {record.decision!r} already"
            yield row_error(TABLE, number, record.status, ProblemCode.DOES_NOT_MATCH, detail)


def control_total_errors(
    rows: int, total: object, expected: Mapping[str, object]
) -> Iterator[tuple[str, str, ProblemCode]]:
    """The parameter and the text of each control total that the file does not have.

    rows, total: number of rows, and sum of the budgets; expected: those of the request, by their parameters
    """
    for parameter, found, what in (("rows", rows, "rows"), ("budget", total, "US dollars of budgets")):
        wanted = expected.get(parameter)
        if wanted is not None and wanted != found:
            yield parameter, f"{wanted} {what} are expected, and the file has {found}", ProblemCode.TOTAL_DOES_NOT_MATCH
