"""Rules of accounting periods: in which order they are opened, closed, opened again and certified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, error_detail, unknown_code
from mmptf_funding.periods.domain import PeriodFigureLine, Term


def opening_errors(start: date, end: date, last: Term | None) -> Iterator[ErrorDetail]:
    """An error where a new period ends before it begins, or does not begin on the day after the last one."""
    if end < start:
        yield error_detail(ProblemCode.INVALID_RANGE, f"/end: {end} is before the first day {start}", pointer="/end")
    if last is None:
        return
    expected = last.end + timedelta(days=1)
    if start != expected:
        yield error_detail(
            ProblemCode.PERIOD_NOT_CONTIGUOUS,
            f"/start: {last.code} ends on {last.end}, so that the next period begins on {expected}",
            pointer="/start",
            allowed=[f"{expected}"],
        )


def require_closable(period: Term, terms: Sequence[Term], today: date) -> None:
    """Raise Conflict for a period that is not open, has not ended, or has an open one before it."""
    if period.status != "open":
        raise _not_allowed(f"{period.code} is {period.status} already.")
    if today <= period.end:
        raise _not_allowed(f"{period.code} ends on {period.end}, and is closed on a later day.")
    if before := next((term for term in terms if term.end < period.end and term.status == "open"), None):
        raise _not_allowed(f"{before.code} is open; close it first.")


def require_reopenable(period: Term, terms: Sequence[Term]) -> None:
    """Raise Conflict for a period that is not closed, or has a closed or certified one after it."""
    if period.status != "closed":
        raise _not_allowed(
            f"{period.code} is certified, and is not opened again; correct it by entries of an open period."
            if period.status == "certified"
            else f"{period.code} is open already."
        )
    after = [term for term in terms if term.end > period.end and term.status != "open"]
    if after:
        raise _not_allowed(f"{after[0].code} is {after[0].status}, and its opening balance would change.")


def require_certifiable(period: Term) -> None:
    """Raise Conflict for a period that is not closed."""
    if period.status != "closed":
        raise _not_allowed(
            f"{period.code} is certified already, and a certified figure never changes."
            if period.status == "certified"
            else f"{period.code} is open; close it first."
        )


def certification_errors(day: date, lines: Sequence[PeriodFigureLine], end: date, today: date) -> Iterator[ErrorDetail]:
    """An error for a day of signature that is not after the period or in the future, and for a line sent twice."""
    if not end < day <= today:
        yield error_detail(
            ProblemCode.IN_THE_FUTURE if day > today else ProblemCode.TOO_EARLY,
            f"/date: {day} is not between the end of the period, {end}, and today",
            pointer="/date",
            allowed=[f"{end + timedelta(days=1)} to {today}"],
        )
    seen: set[str] = set()
    for n, line in enumerate(lines):
        if line in seen:
            pointer = f"/figures/{n}/line"
            yield error_detail(ProblemCode.REPEATED_CODE, f"{pointer}: {line} is stated twice", pointer=pointer)
        seen.add(line)


def require_certified(period: Term) -> None:
    """Raise Conflict for a period without certified figures."""
    if period.status != "certified":
        raise _not_allowed(f"{period.code} is not certified: there is no certified figure to explain.")


def explanation_errors(line: PeriodFigureLine, certified: Sequence[PeriodFigureLine]) -> list[ErrorDetail]:
    """An error for a line without a certified figure."""
    return [] if line in certified else [unknown_code("/line", line, certified)]


def _not_allowed(detail: str) -> Conflict:
    return Conflict(detail, code=ProblemCode.TRANSITION_NOT_ALLOWED)
