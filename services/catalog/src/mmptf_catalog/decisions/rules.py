"""Rules of calls for proposals, meetings and decisions: which days follow which; no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Protocol

from mmptf_catalog.decisions.domain import CallForProposals, Decision
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail


class Named(Protocol):
    """A decision that a change of a programme names."""

    @property
    def code(self) -> str:
        """Code of the decision."""

    @property
    def date(self) -> date:
        """Day on which it was taken."""


def call_errors(call: CallForProposals) -> Iterator[ErrorDetail]:
    """The errors of a call for proposals."""
    if call.opens and call.closes and call.closes < call.opens:
        detail = f"/closes: {call.closes} is before the first day, {call.opens}"
        yield error_detail(ProblemCode.INVALID_RANGE, detail, pointer="/closes", allowed=[f"from {call.opens} on"])


def meeting_errors(day: date, first_decision: date | None) -> Iterator[ErrorDetail]:
    """The errors of the day of a meeting; first_decision: the day of the first decision that was taken at it."""
    if first_decision and day > first_decision:
        detail = f"/date: {day} is after {first_decision}, on which a decision of the meeting was taken"
        yield error_detail(ProblemCode.IN_THE_FUTURE, detail, pointer="/date", allowed=[f"up to {first_decision}"])


def decision_errors(decision: Decision, met: date | None, today: date) -> Iterator[ErrorDetail]:
    """The errors of a decision alone and against its meeting; met: the day of the meeting, where it names one."""
    day = decision.date
    effective = [effect.date for effect in decision.effects if effect.kind != "extension"]
    latest = min([today, *effective])
    if day > latest:
        why = "is not past yet" if latest == today else f"is after {latest}, from which on it was carried out"
        yield error_detail(
            ProblemCode.IN_THE_FUTURE, f"/date: {day} {why}", pointer="/date", allowed=[f"up to {latest}"]
        )
    if met and day < met:
        detail = f"/date: {day} is before the meeting at which it was taken, which is of {met}"
        yield error_detail(ProblemCode.TOO_EARLY, detail, pointer="/date", allowed=[f"from {met} on"])
    codes = [decided.programme for decided in decision.programmes]
    for n, code in enumerate(codes):
        if code in codes[:n]:
            pointer = f"/programmes/{n}"
            yield error_detail(ProblemCode.REPEATED_CODE, f"{pointer}: {code} is there already", pointer=pointer)


def precedence_errors(decision: Named, day: date, pointer: str = "/date") -> list[ErrorDetail]:
    """An error where a change is dated before the decision that it names."""
    if day >= decision.date:
        return []
    detail = f"{pointer}: {day} is before the decision {decision.code}, which was taken on {decision.date}"
    return [error_detail(ProblemCode.TOO_EARLY, detail, pointer=pointer, allowed=[f"from {decision.date} on"])]
