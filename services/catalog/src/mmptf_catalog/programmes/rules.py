"""What a programme may become, and what its shares and its budget have to add up to; no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from mmptf_common.wire.codes import NOT_STATED, SHARED
from mmptf_common.wire.problems import ErrorDetail, error_detail

CENT = Decimal("0.01")
WHOLE = Decimal(100)

STAGE_OF_STATUS = {
    "concept_note": "concept",
    "pipeline": "pipeline",
    "approved": "funded",
    "implementation": "funded",
    "suspended": "funded",
    "operationally_closed": "closed",
    "financially_closed": "closed",
    "not_selected": "dropped",
    "withdrawn": "dropped",
    "cancelled": "dropped",
    "not_stated": "not_stated",
}


def divide(amount: Decimal, shares: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Divide an amount by shares of per cent, to the cent: the parts add up to the amount exactly.

    Every part is rounded down; the cents that are left go one each to the largest remainders (ties by code).
    Raises ValueError when the shares do not add up to 100.
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
    """Whose an undivided amount is: the only group's, shared when there are several, not stated when there is none.

    A list that is not complete never owns the amount alone: there may be another group that no source names.
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
    """The amount by country and by region: divided where every share is stated, else never repeated per place."""
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


Facts = Mapping[str, Any]

# From a status to those that may follow it. The names are our own, as the status of the life cycle says.
FOLLOWING: Mapping[str, tuple[str, ...]] = {
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
    # What no source states may be stated by whoever knows.
    "not_stated": ("concept_note", "pipeline", "approved", "implementation", "operationally_closed", "not_selected"),
}

# What an organization does by itself; all else is decided by the Fund.
OWN_STEPS = frozenset({("concept_note", "withdrawn"), ("pipeline", "withdrawn"), ("withdrawn", "concept_note")})
# While a programme has one of these, its organization amends it; from the approval on, the Fund does.
AMENDED_BY_ORGANIZATION = frozenset({"concept_note", "pipeline"})
AMENDED_BY_FUND = AMENDED_BY_ORGANIZATION | {"approved", "implementation", "suspended", "not_stated"}
EXTENDED = frozenset({"approved", "implementation", "suspended"})
INDIRECT = "indirect_costs"
# A participating organization's indirect costs, of what it spends directly.
INDIRECT_PER_CENT = Decimal(7)


def owns(programme: Facts, organization: str | None) -> bool:
    """Whether a programme is an organization's own: it submitted it, or takes part where nobody is known to have."""
    if organization is None:
        return False
    lead = programme["lead_organization"]
    return bool(lead == organization if lead else organization in programme["organizations"])


NEEDED = ("title", "summary", "thematic_area", "objectives", "places", "organizations", "duration", "budget")


def missing(draft: Facts) -> list[ErrorDetail]:
    """What a draft has to say before it can be submitted, and does not yet."""
    found = [
        error_detail("missing", f"/{name}: has to be stated before the draft is submitted", pointer=f"/{name}")
        for name in NEEDED
        if not draft[name]
    ]
    if draft["organization"] not in draft["organizations"] and draft["organizations"]:
        detail = f"/organizations: {draft['organization']} submits the programme and has to take part in it"
        found.append(error_detail("missing", detail, pointer="/organizations"))
    return found


def emptied(stated: Facts) -> list[ErrorDetail]:
    """What an amendment would take away from a programme that is submitted, and cannot."""
    return [
        error_detail("missing", f"/{name}: a programme that is submitted states it", pointer=f"/{name}")
        for name in NEEDED
        if name in stated and not stated[name]
    ]


def errors_of(programme: Facts) -> list[ErrorDetail]:
    """Everything in which a programme's parts do not fit one another."""
    return [
        *_repeated(programme),
        *_of_shares(programme["places"]),
        *_of_duration(programme["duration"]),
        *_of_budget(programme),
    ]


def _repeated(programme: Facts) -> Iterator[ErrorDetail]:
    for name in ("objectives", "organizations", "places"):
        codes = [entry["code"] if isinstance(entry, Mapping) else entry for entry in programme[name]]
        for n, code in enumerate(codes):
            if code in codes[:n]:
                yield error_detail("repeated", f"/{name}/{n}: {code} is there already", pointer=f"/{name}/{n}")


def _of_shares(places: Sequence[Facts]) -> Iterator[ErrorDetail]:
    stated = [Decimal(place["share"]) for place in places if place["share"] is not None]
    if not stated:
        return
    if len(stated) < len(places):
        yield error_detail("shares_incomplete", "/places: every place has a share, or none has", pointer="/places")
    elif sum(stated) != WHOLE:
        detail = f"/places: the shares add up to {sum(stated)}, and 100.00 is expected"
        yield error_detail("shares_do_not_add_up", detail, pointer="/places", allowed=["100.00"])
    for n, place in enumerate(places):
        if place["share"] is not None and Decimal(place["share"]) == 0:
            detail = f"/places/{n}/share: a place without a share is left out"
            yield error_detail("invalid_share", detail, pointer=f"/places/{n}/share")


def _of_duration(duration: Facts | None) -> Iterator[ErrorDetail]:
    if duration and duration["end"] < duration["start"]:
        detail = f"/duration/end: {duration['end']} is before the start, {duration['start']}"
        yield error_detail("ends_before_it_starts", detail, pointer="/duration/end")


def _of_budget(programme: Facts) -> Iterator[ErrorDetail]:
    lines = programme["budget_lines"]
    if not lines:
        return
    pointer = "/budget_lines"
    if programme["budget"] is None:
        yield error_detail("missing", "/budget: budget lines have to add up to a budget", pointer="/budget")
    else:
        total, stated = sum(Decimal(line["amount"]) for line in lines), Decimal(programme["budget"]["amount"])
        if total != stated:
            detail = f"{pointer}: the lines add up to {total}, and the budget is {stated}"
            yield error_detail("budget_does_not_add_up", detail, pointer=pointer, allowed=[str(stated)])
    keys = [(line["organization"], line["year"], line["category"]) for line in lines]
    duration = programme["duration"]
    for n, key in enumerate(keys):
        where = f"{pointer}/{n}"
        if key in keys[:n]:
            yield error_detail(
                "repeated", f"{where}: this organization, year and category are there already", pointer=where
            )
        if key[0] not in programme["organizations"]:
            detail = f"{where}/organization: {key[0]} does not take part in the programme"
            allowed = list(programme["organizations"])
            yield error_detail("not_taking_part", detail, pointer=f"{where}/organization", allowed=allowed)
        if duration and not int(duration["start"][:4]) <= key[1] <= int(duration["end"][:4]):
            detail = f"{where}/year: {key[1]} is outside the duration, {duration['start']} to {duration['end']}"
            yield error_detail("outside_the_duration", detail, pointer=f"{where}/year")
    yield from _of_indirect_costs(lines)


def _of_indirect_costs(lines: Sequence[Facts]) -> Iterator[ErrorDetail]:
    for organization in dict.fromkeys(line["organization"] for line in lines):
        own = [line for line in lines if line["organization"] == organization]
        indirect = sum((Decimal(line["amount"]) for line in own if line["category"] == INDIRECT), Decimal(0))
        direct = sum((Decimal(line["amount"]) for line in own if line["category"] != INDIRECT), Decimal(0))
        most = (direct * INDIRECT_PER_CENT / WHOLE).quantize(CENT, ROUND_HALF_UP)
        if indirect > most:
            detail = (
                f"/budget_lines: {organization} plans indirect costs of {indirect}; {INDIRECT_PER_CENT} per cent of its"
                f" direct costs of {direct} are {most}"
            )
            yield error_detail("indirect_costs_too_high", detail, pointer="/budget_lines", allowed=[f"0.00 to {most}"])


def status_errors(history: Sequence[Facts], sent: Facts, today: date) -> list[ErrorDetail]:
    """What is wrong with the day and the decision of a status change."""
    found = []
    if sent["date"] > today.isoformat():
        detail = f"/date: {sent['date']} is not past yet"
        found.append(error_detail("in_the_future", detail, pointer="/date", allowed=[f"up to {today}"]))
    if history and sent["date"] < history[-1]["date"]:
        detail = f"/date: {sent['date']} is before the present status, which is of {history[-1]['date']}"
        found.append(
            error_detail("before_the_last", detail, pointer="/date", allowed=[f"from {history[-1]['date']} on"])
        )
    return found


def approval_errors(programme: Facts) -> list[ErrorDetail]:
    """What has to be stated before a programme is approved: how the approved amount is to be spent, to the cent."""
    needed = {"budget_lines": "how the approved amount is to be spent", "duration": "from when to when it runs"}
    return [
        error_detail("missing", f"/{name}: a programme is approved with {what}; amend it first", pointer=f"/{name}")
        for name, what in needed.items()
        if not programme[name]
    ]
