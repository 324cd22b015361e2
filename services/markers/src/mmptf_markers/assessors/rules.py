"""Who takes part in a programme and so assesses it, who submits, and the errors of a settlement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, Forbidden, error_detail


@dataclass(frozen=True, slots=True)
class Participation:
    """Who assesses a programme.

    organizations: those that take part, by the catalogue, or by a settlement where it names none
    lead: the one of them that submits; None where each of them may
    settled: those of a settlement, also where the catalogue's count
    """

    programme: str
    organizations: frozenset[str]
    lead: str | None
    settled: frozenset[str] = frozenset()

    @property
    def concerned(self) -> frozenset[str]:
        """All that the programme concerns in some way: none of them is independent."""
        return self.organizations | self.settled


def require_participant(participation: Participation, organization: str) -> None:
    """Raise Forbidden where an organization takes no part in a programme, and so may not assess it."""
    if not participation.organizations:
        raise Forbidden(
            f"The catalogue names no organization that takes part in {participation.programme}; the Fund's management"
            f" unit can settle who assesses it, at {link('/markers/v1/assessors')}."
        )
    if organization not in participation.organizations:
        named = ", ".join(sorted(participation.organizations))
        raise Forbidden(f"{organization} takes no part in {participation.programme}; it is assessed by {named}.")


def require_lead(participation: Participation, organization: str) -> None:
    """Raise Forbidden where an organization may not submit or discard the drafts of a programme."""
    require_participant(participation, organization)
    if participation.lead not in (None, organization):
        raise Forbidden(
            f"{participation.lead} leads {participation.programme}, and submits or discards its drafts; {organization}"
            " writes them with the others, and states its position on what is submitted."
        )


def settlement_errors(organizations: Sequence[str], lead: str | None) -> list[ErrorDetail]:
    """The errors of the organizations that are to assess a programme, and of the one that is to lead it."""
    errors = [
        error_detail(ProblemCode.REPEATED_CODE, f"{pointer}: {code} is there already", pointer=pointer)
        for n, code in enumerate(organizations)
        if code in organizations[:n] and (pointer := f"/organizations/{n}")
    ]
    if lead is not None and lead not in organizations:
        pointer = "/lead_organization"
        detail = f"{pointer}: {lead} is none of the organizations"
        errors.append(error_detail(ProblemCode.NOT_TAKING_PART, detail, pointer=pointer, allowed=sorted(organizations)))
    return errors
