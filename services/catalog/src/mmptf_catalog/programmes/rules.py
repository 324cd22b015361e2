"""Rules of programmes: which status follows which, and what shares and budgets add up to; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from mmptf_catalog.decisions.domain import DecisionEffect
from mmptf_catalog.programmes.domain import (
    ProgrammeBudgetLine,
    ProgrammeContent,
    ProgrammeDraft,
    ProgrammeDraftDuration,
    ProgrammeDraftPlace,
    ProgrammeStatusRecord,
    StatedBudget,
    StatedProgramme,
)
from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common.wire.codes import NOT_STATED, SHARED, ProgrammeStatus
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail

CENT = Decimal("0.01")
WHOLE = Decimal(100)


def divide(amount: Decimal, shares: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The parts of an amount by percentage shares, to the cent; they add up to the amount exactly.

    Every part is rounded down to the cent; the cents that are left go one each to the largest remainders, ties by
    code. Raises ValueError when the shares do not add up to 100.
    """
    if sum(shares.values()) != WHOLE:
        raise ValueError(f"shares add up to {sum(shares.values())}, not to 100")
    exact = {code: amount * share / WHOLE for code, share in shares.items()}
    parts = {code: part.quantize(CENT, ROUND_DOWN) for code, part in exact.items()}
    left = int((amount - sum(parts.values())) / CENT)
    for code in sorted(exact, key=lambda c: (parts[c] - exact[c], c))[:left]:
        parts[code] += CENT
    return parts


def attribute(amount: Decimal, groups: Sequence[str], *, complete: bool = True) -> dict[str, Decimal]:
    """An undivided amount under its group: the only one, `shared` for several, `not_stated` for none.

    Where the list of groups is not complete the amount is `shared`: there may be a group that no source names.
    """
    distinct = set(groups)
    if not distinct:
        return {NOT_STATED: amount}
    if len(distinct) > 1 or not complete:
        return {SHARED: amount}
    return {distinct.pop(): amount}


def attribute_places(
    amount: Decimal, shares: Mapping[str, Decimal | None], region_of: Mapping[str, str | None], *, complete: bool
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """The amount by country and by region: divided where every share is stated, otherwise attributed as a whole."""
    stated = {code: share for code, share in shares.items() if share is not None}
    if complete and shares and len(stated) == len(shares):
        by_country = divide(amount, stated)
        by_region: dict[str, Decimal] = {}
        for code, part in by_country.items():
            region = region_of[code] or NOT_STATED
            by_region[region] = by_region.get(region, Decimal(0)) + part
        return by_country, by_region
    regions = [region or NOT_STATED for region in (region_of[code] for code in shares)]
    return attribute(amount, list(shares), complete=complete), attribute(amount, regions, complete=complete)


def attribution(programme: StatedProgramme, region_of: Mapping[str, str | None]) -> dict[str, dict[str, Decimal]]:
    """A programme's budget by group, for each division that totals offer; empty where no budget is stated.

    region_of: the widest region of each of its places
    """
    if programme.budget is None:
        return {}
    amount = programme.budget.amount
    partial = {gap.field for gap in programme.gaps if gap.kind == "partly_stated"}
    shares = {place.code: place.share for place in programme.places}
    country, region = attribute_places(amount, shares, region_of, complete="places" not in partial)
    area = programme.thematic_area
    return {
        "thematic_area": attribute(amount, [area] if area else []),
        "objective": attribute(amount, programme.objectives),
        "country": country,
        "region": region,
        "organization": attribute(amount, programme.organizations, complete="organizations" not in partial),
        "stage": {programme.stage: amount},
    }


# The statuses that may follow each status. The names are this project's own.
NEXT_STATUSES: Mapping[ProgrammeStatus, tuple[ProgrammeStatusSent, ...]] = {
    "concept_note": ("pipeline", "not_selected", "withdrawn"),
    "pipeline": ("approved", "not_selected", "withdrawn"),
    "approved": ("implementation", "suspended", "cancelled"),
    "implementation": ("operationally_closed", "suspended", "cancelled"),
    "suspended": ("implementation", "operationally_closed", "cancelled"),
    "operationally_closed": ("financially_closed", "implementation"),
    "not_selected": ("concept_note",),
    "withdrawn": ("concept_note",),
    "cancelled": ("financially_closed",),
    "financially_closed": (),
    # A status that no source states can be entered later.
    "not_stated": ("concept_note", "pipeline", "approved", "implementation", "operationally_closed", "not_selected"),
}

# The changes that an organization makes without the Fund.
OWN_STEPS: frozenset[tuple[ProgrammeStatus, ProgrammeStatusSent]] = frozenset(
    {("concept_note", "withdrawn"), ("pipeline", "withdrawn"), ("withdrawn", "concept_note")}
)
# The statuses in which a programme's organization may amend it, and those in which the management unit may.
AMENDED_BY_ORGANIZATION: frozenset[ProgrammeStatus] = frozenset({"concept_note", "pipeline"})
AMENDED_BY_FUND: frozenset[ProgrammeStatus] = AMENDED_BY_ORGANIZATION | {
    "approved", "implementation", "suspended", "not_stated",
}  # fmt: skip
EXTENDED: frozenset[ProgrammeStatus] = frozenset({"approved", "implementation", "suspended"})
INDIRECT = "indirect_costs"
# The limit of an organization's indirect costs, in per cent of its direct costs.
INDIRECT_PER_CENT = Decimal(7)


def owns(programme: StatedProgramme, organization: str | None) -> bool:
    """Whether an organization owns a programme: it leads it or, where no lead is stated, takes part in it."""
    if organization is None:
        return False
    lead = programme.lead_organization
    return lead == organization if lead else organization in programme.organizations


# What the Steering Committee has approved, and changes by a decision.
DECIDED: frozenset[str] = frozenset({"budget", "budget_lines"})
NEEDED = ("title", "summary", "thematic_area", "objectives", "places", "organizations", "duration", "budget")


def stated_members(content: ProgrammeContent) -> list[str]:
    """The names of the members of a content that are neither null nor empty."""
    return [name for name in ProgrammeContent.model_fields if getattr(content, name)]


def changed_members(programme: StatedProgramme, content: ProgrammeContent, sent: Collection[str]) -> list[str]:
    """The names of the sent members whose values differ from the programme's."""
    before, budget = programme.content, programme.budget
    found = [name for name in sent if getattr(content, name) != getattr(before, name)]
    # The same figure sent to the cent is a change where the stored one is rounded.
    if "budget" in sent and budget and budget.precision == "rounded":
        found.append("budget")
    return [name for name in ProgrammeContent.model_fields if name in found]


def missing(draft: ProgrammeDraft) -> list[ErrorDetail]:
    """An error for each member that a draft still needs before it can be submitted."""
    found = [
        error_detail(
            ProblemCode.MISSING_MEMBER, f"/{name}: has to be stated before the draft is submitted", pointer=f"/{name}"
        )
        for name in NEEDED
        if not getattr(draft, name)
    ]
    if draft.organization not in draft.organizations and draft.organizations:
        detail = f"/organizations: {draft.organization} submits the programme and has to take part in it"
        found.append(error_detail(ProblemCode.MISSING_MEMBER, detail, pointer="/organizations"))
    return found


def lead_errors(lead: str, content: ProgrammeContent) -> list[ErrorDetail]:
    """An error where the organization that is stated to lead a programme takes no part in it."""
    if lead in content.organizations:
        return []
    detail = f"/lead_organization: {lead} does not take part in the programme"
    allowed = content.organizations
    return [error_detail(ProblemCode.NOT_TAKING_PART, detail, pointer="/lead_organization", allowed=allowed)]


def without_its_lead(programme: StatedProgramme, content: ProgrammeContent) -> list[ErrorDetail]:
    """An error where the lead organization is missing from a programme's organizations."""
    lead = programme.lead_organization
    if lead is None or lead in content.organizations:
        return []
    detail = f"/organizations: {lead} leads the programme and has to take part in it"
    return [error_detail(ProblemCode.MISSING_MEMBER, detail, pointer="/organizations")]


def amendment_errors(
    programme: StatedProgramme, content: ProgrammeContent, changed: Collection[str]
) -> list[ErrorDetail]:
    """The errors of amended content of a submitted programme; changed: the names of the amended members."""
    found = [
        error_detail(
            ProblemCode.MISSING_MEMBER, f"/{name}: a programme that is submitted states it", pointer=f"/{name}"
        )
        for name in NEEDED
        if name in changed and not getattr(content, name)
    ]
    found += errors_of(content)
    if "budget_lines" in changed and _is_allocated(programme, restated="budget" in changed):
        found += approval_errors(content)
    return found


def _is_allocated(programme: StatedProgramme, *, restated: bool) -> bool:
    if restated:
        return programme.stage == "funded"
    return programme.budget is not None and programme.budget.stage == "allocation"


def decision_errors(programme: StatedProgramme, changed: Collection[str], decision: str | None) -> list[ErrorDetail]:
    """An error where the budget of an approved programme changes without the decision that changes it."""
    if decision or programme.stage != "funded" or not DECIDED & set(changed):
        return []
    detail = "/decision: the budget of an approved programme changes by a decision; name it"
    return [error_detail(ProblemCode.MISSING_MEMBER, detail, pointer="/decision")]


def errors_of(content: ProgrammeContent) -> list[ErrorDetail]:
    """All inconsistencies between the parts of a programme, but those of `locality_errors`."""
    return [
        *_repeated(content),
        *_of_shares(content.places),
        *_of_duration(content.duration),
        *_of_budget(content),
    ]


def _repeated(content: ProgrammeContent) -> Iterator[ErrorDetail]:
    lists = {
        "objectives": content.objectives,
        "organizations": content.organizations,
        "places": [place.code for place in content.places],
    }
    for name, codes in lists.items():
        for n, code in enumerate(codes):
            if code in codes[:n]:
                yield error_detail(
                    ProblemCode.REPEATED_CODE, f"/{name}/{n}: {code} is there already", pointer=f"/{name}/{n}"
                )
    entries: dict[str, tuple[str, list[tuple[object, ...]]]] = {
        "partners": ("kind, name and country", [(each.kind, each.name, each.country) for each in content.partners]),
        "beneficiaries": ("group and name", [(each.group, each.name) for each in content.beneficiaries]),
        "components": ("number", [(each.number,) for each in content.components]),
        "localities": ("place and name", [(each.place, each.name) for each in content.localities]),
        "figures": ("subject", [(each.subject,) for each in content.figures]),
    }
    for name, (what, keys) in entries.items():
        seen = set[tuple[object, ...]]()
        for n, key in enumerate(keys):
            if key in seen:
                detail = f"/{name}/{n}: an entry with this {what} is there already"
                yield error_detail(ProblemCode.REPEATED_CODE, detail, pointer=f"/{name}/{n}")
            seen.add(key)


def locality_errors(content: ProgrammeContent) -> Iterator[ErrorDetail]:
    """An error for each locality that is in no place of the programme, whose places are listed ones."""
    places = [place.code for place in content.places]
    for n, locality in enumerate(content.localities):
        if locality.place not in places:
            detail = f"/localities/{n}/place: {locality.place} is not a place of the programme"
            yield error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer=f"/localities/{n}/place", allowed=places)


def _of_shares(places: Sequence[ProgrammeDraftPlace]) -> Iterator[ErrorDetail]:
    stated = [place.share for place in places if place.share is not None]
    if not stated:
        return
    if len(stated) < len(places):
        yield error_detail(
            ProblemCode.SHARES_INCOMPLETE, "/places: every place has a share, or none has", pointer="/places"
        )
    elif sum(stated) != WHOLE:
        detail = f"/places: the shares add up to {sum(stated)}, and 100.00 is expected"
        yield error_detail(ProblemCode.SHARES_DO_NOT_ADD_UP, detail, pointer="/places", allowed=["100.00"])
    for n, place in enumerate(places):
        if place.share == 0:
            detail = f"/places/{n}/share: a place without a share is left out"
            yield error_detail(ProblemCode.INVALID_VALUE, detail, pointer=f"/places/{n}/share")


def _of_duration(duration: ProgrammeDraftDuration | None) -> Iterator[ErrorDetail]:
    if duration and duration.end < duration.start:
        detail = f"/duration/end: {duration.end} is before the start, {duration.start}"
        yield error_detail(ProblemCode.INVALID_RANGE, detail, pointer="/duration/end")


def _of_budget(content: ProgrammeContent) -> Iterator[ErrorDetail]:
    lines = content.budget_lines
    if not lines:
        return
    pointer = "/budget_lines"
    if content.budget is None:
        yield error_detail(
            ProblemCode.MISSING_MEMBER, "/budget: budget lines have to add up to a budget", pointer="/budget"
        )
    else:
        total = sum(line.amount for line in lines)
        if total != content.budget:
            detail = f"{pointer}: the lines add up to {total}, and the budget is {content.budget}"
            yield error_detail(
                ProblemCode.BUDGET_DOES_NOT_ADD_UP, detail, pointer=pointer, allowed=[str(content.budget)]
            )
    keys = [(line.organization, line.year, line.category) for line in lines]
    duration = content.duration
    for n, line in enumerate(lines):
        where = f"{pointer}/{n}"
        if keys[n] in keys[:n]:
            yield error_detail(
                ProblemCode.REPEATED_CODE,
                f"{where}: this organization, year and category are there already",
                pointer=where,
            )
        if line.organization not in content.organizations:
            detail = f"{where}/organization: {line.organization} does not take part in the programme"
            allowed = content.organizations
            yield error_detail(ProblemCode.NOT_TAKING_PART, detail, pointer=f"{where}/organization", allowed=allowed)
        if duration and not duration.start.year <= line.year <= duration.end.year:
            detail = f"{where}/year: {line.year} is outside the duration, {duration.start} to {duration.end}"
            yield error_detail(ProblemCode.OUTSIDE_THE_DURATION, detail, pointer=f"{where}/year")
    yield from _of_indirect_costs(lines)


def _of_indirect_costs(lines: Sequence[ProgrammeBudgetLine]) -> Iterator[ErrorDetail]:
    for organization in dict.fromkeys(line.organization for line in lines):
        own = [line for line in lines if line.organization == organization]
        indirect = sum((line.amount for line in own if line.category == INDIRECT), Decimal(0))
        direct = sum((line.amount for line in own if line.category != INDIRECT), Decimal(0))
        # Rounded half up: the limit is an amount in cents, not a share that is shown, which is rounded down.
        most = (direct * INDIRECT_PER_CENT / WHOLE).quantize(CENT, ROUND_HALF_UP)
        if indirect > most:
            detail = (
                f"/budget_lines: {organization} plans indirect costs of {indirect}; {INDIRECT_PER_CENT} per cent of its"
                f" direct costs of {direct} are {most}"
            )
            yield error_detail(
                ProblemCode.INDIRECT_COSTS_TOO_HIGH, detail, pointer="/budget_lines", allowed=[f"0.00 to {most}"]
            )


def status_errors(history: Sequence[ProgrammeStatusRecord], day: date, today: date) -> list[ErrorDetail]:
    """The errors of the day of a status change."""
    found = []
    if day > today:
        detail = f"/date: {day} is not past yet"
        found.append(error_detail(ProblemCode.IN_THE_FUTURE, detail, pointer="/date", allowed=[f"up to {today}"]))
    if history and day < history[-1].date:
        detail = f"/date: {day} is before the present status, which is of {history[-1].date}"
        found.append(
            error_detail(ProblemCode.TOO_EARLY, detail, pointer="/date", allowed=[f"from {history[-1].date} on"])
        )
    return found


def effects_of(
    programme: StatedProgramme, records: Iterable[ProgrammeStatusRecord]
) -> list[tuple[str | None, DecisionEffect]]:
    """What status records of a programme did, each with the decision that the record states."""
    found = []
    for record in records:
        effect = DecisionEffect(
            programme=programme.code, kind="status", date=record.date, status=record.status, amount=None, currency=None
        )
        found.append((record.decision, effect))
        if record.status == "approved" and programme.budget:
            found.append((record.decision, effect_of_budget(programme.code, programme.budget, record.date)))
    return found


def effect_of_budget(programme: str, budget: StatedBudget, day: date) -> DecisionEffect:
    """What an approved budget did: the programme has it from a day on."""
    return DecisionEffect(
        programme=programme,
        kind="budget",
        date=day,
        status=None,
        amount=amount_text(budget.amount),
        currency=budget.currency,
    )


def effect_of_extension(programme: str, end: date) -> DecisionEffect:
    """What an extension of a programme did: it ends on another day."""
    return DecisionEffect(programme=programme, kind="extension", date=end, status=None, amount=None, currency=None)


def approval_errors(content: ProgrammeContent) -> list[ErrorDetail]:
    """An error for each member that an approval needs and that is missing: the budget lines and the duration."""
    needed = {
        "budget_lines": (content.budget_lines, "how the approved amount is to be spent"),
        "duration": (content.duration, "from when to when it runs"),
    }
    return [
        error_detail(
            ProblemCode.MISSING_MEMBER,
            f"/{name}: a programme is approved with {what}; amend it first",
            pointer=f"/{name}",
        )
        for name, (stated, what) in needed.items()
        if not stated
    ]
