"""What is done to programmes: drafted, submitted, amended, moved from status to status, extended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request

from mmptf_catalog.access import MANAGEMENT_UNIT
from mmptf_catalog.code_lists.queries import ORGANIZATIONS
from mmptf_catalog.models import DraftRow, ObjectiveRow, OrganizationRow, PlaceRow, ProgrammeRow, ThematicAreaRow
from mmptf_catalog.programmes import rules
from mmptf_catalog.programmes.queries import DRAFTS, PROGRAMMES
from mmptf_catalog.programmes.records import draft_row, facts_of, programme_row
from mmptf_catalog.programmes.rules import STAGE_OF_STATUS
from mmptf_catalog.programmes.schemas import (
    Amendment,
    Content,
    DraftSent,
    ExtensionSent,
    StatusOf,
    StatusSent,
)
from mmptf_common.http.identity import Identity, organization_of
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import Facts, submission
from mmptf_common.wire.problems import Conflict, Forbidden, InvalidRequest, error_detail, raise_if_any, unknown_code
from mmptf_common.writes.commands import Created, require_match, row_of

CURRENCY = "USD"
# What stands in the place of a code in paths of its own.
RESERVED = frozenset({"facets", "totals"})
NOTHING_STATED: Facts = {
    "title": None, "summary": None, "thematic_area": None, "objectives": [], "places": [], "organizations": [],
    "duration": None, "budget": None, "budget_lines": [],
}  # fmt: skip


async def create_draft(write: Write, who: Identity, sent: DraftSent) -> Created:
    """Begin a draft for the caller's organization; Conflict when the code is taken."""
    organization = await _listed_organization(write, who)
    if sent.code.lower() in RESERVED:
        detail = f"/code: {sent.code} is part of a path and no code"
        raise InvalidRequest([error_detail("reserved", detail, pointer="/code")])
    await _require_free(write, DraftRow, sent.code)
    await _require_free(write, ProgrammeRow, sent.code)
    draft = {**NOTHING_STATED, "code": sent.code, "organization": organization, **sent.stated()}
    await _names(write, draft)
    write.session.add(draft_row(draft, write.at))
    return Created(DRAFTS, sent.code)


async def amend_draft(write: Write, code: str, sent: Content) -> None:
    """Change what a draft says so far; its parts need not fit before it is submitted."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    draft = {**row.document, **sent.stated()}
    if draft != row.document:
        await _names(write, draft)
        await write.session.merge(draft_row(draft, write.at))


async def discard_draft(write: Write, code: str) -> None:
    """Remove a draft; what was submitted is withdrawn instead."""
    await write.session.delete(await row_of(write, DraftRow, DRAFTS, code))


async def submit_draft(write: Write, code: str) -> Created:
    """Make a programme of a draft, as a concept note; InvalidRequest with everything that it lacks."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    draft: Facts = row.document
    organization = draft["organization"]
    await _require_free(write, ProgrammeRow, code)
    facts: Facts = {
        "code": code,
        "lead_organization": organization,
        "place_label": "",
        "gaps": [],
        "sources": [],
        "status": "concept_note",
        "status_history": [],
        **NOTHING_STATED,
    }
    stated = {name: draft[name] for name in NOTHING_STATED if draft[name]}
    _state(facts, stated, write, organization)
    raise_if_any([*rules.missing(draft), *rules.errors_of(facts)])
    left_out = {"places.share": facts["places"][0]["share"], "budget_lines": facts["budget_lines"]}
    facts["gaps"] = [
        {"field": name, "kind": "not_stated_in_source", "note": None} for name, said in left_out.items() if not said
    ]
    _enter(facts, "concept_note", write.at.date().isoformat(), f"Submitted by {organization}.", None, write, who=None)
    await write.session.delete(row)
    await _store(write, facts)
    return Created(PROGRAMMES, code)


async def amend_programme(write: Write, who: Identity, code: str, sent: Amendment) -> None:
    """Change what a programme says of itself: by its organization until it is approved, by the Fund after that."""
    facts = await _programme(write, code)
    status = facts["status"] or "not_stated"
    _require_part(who, facts)
    allowed = rules.AMENDED_BY_FUND if who.has_role(MANAGEMENT_UNIT) else rules.AMENDED_BY_ORGANIZATION
    if status not in allowed:
        if status in rules.AMENDED_BY_FUND:
            raise Forbidden(f"{code} is {status}; from its approval on the Fund's management unit amends a programme.")
        raise Conflict(f"{code} is {status} and is not amended any more.", code="not_amendable")
    present = _present(facts)
    stated = {name: value for name, value in sent.stated().items() if value != present[name]}
    if not stated:
        return
    if facts["duration"] and "duration" in stated and STAGE_OF_STATUS[status] == "funded":
        raise Conflict(f"{code} is {status}: its end is moved by an extension.", code="not_amendable")
    _state(facts, stated, write, who.organization)
    lead = facts["lead_organization"]
    if lead and lead not in facts["organizations"]:
        detail = f"/organizations: {lead} leads the programme and has to take part in it"
        raise InvalidRequest([error_detail("missing", detail, pointer="/organizations")])
    errors = [*rules.emptied(stated), *rules.errors_of(facts)]
    if "budget_lines" in stated and facts["budget"] and facts["budget"]["stage"] == "allocation":
        errors += rules.approval_errors(facts)
    raise_if_any(errors)
    await _store(write, facts)


async def change_status(write: Write, who: Identity, code: str, sent: StatusSent) -> None:
    """Give a programme another status; Conflict when none leads there, Forbidden when it is not the caller's step."""
    facts = await _programme(write, code)
    status = facts["status"] or "not_stated"
    _require_part(who, facts)
    following = rules.FOLLOWING[status]
    if sent.status not in following:
        offered = ", ".join(following) or "nothing any more"
        raise Conflict(
            f"{code} is {status}, and from there it becomes {offered}.",
            code="transition_not_allowed",
            errors=[
                error_detail("transition_not_allowed", f"/status: {sent.status}", pointer="/status", allowed=following)
            ],
        )
    if not who.has_role(MANAGEMENT_UNIT) and (status, sent.status) not in rules.OWN_STEPS:
        raise Forbidden(f"That {code} becomes {sent.status} is decided by the Fund, not by its organization.")
    change = sent.model_dump(mode="json")
    errors = rules.status_errors(facts["status_history"], change, write.at.date())
    if who.has_role(MANAGEMENT_UNIT) and sent.decision is None:
        errors.append(
            error_detail("missing", "/decision: name the decision that caused the change", pointer="/decision")
        )
    if sent.status == "approved":
        errors += rules.approval_errors(facts)
    raise_if_any(errors)
    budget = facts["budget"]
    if sent.status == "approved" or (
        STAGE_OF_STATUS[sent.status] == "funded" and budget and budget["stage"] == "requirement"
    ):
        budget["stage"] = "allocation"
    if sent.status == "approved":
        # Its lines add up to it to the cent.
        budget["precision"] = "exact"
    facts["gaps"] = [gap for gap in facts["gaps"] if gap["field"] not in ("status", "stage")]
    _enter(facts, sent.status, sent.date, sent.reason, sent.decision, write, who.organization)
    await _store(write, facts)


async def change_status_of(request: Request, write: Write, who: Identity, change: StatusOf) -> str:
    """One row of a batch of status changes; returns the programme's code."""
    await require_match(request, write, PROGRAMMES, change.programme, [change.etag])
    await change_status(write, who, change.programme, change)
    return change.programme


async def extend(write: Write, code: str, sent: ExtensionSent) -> None:
    """Move the last day of a programme without more money; by the Fund's management unit."""
    facts = await _programme(write, code)
    status, duration = facts["status"] or "not_stated", facts["duration"]
    if status not in rules.EXTENDED or duration is None:
        why = f"is {status}" if duration else "has no stated duration"
        raise Conflict(f"{code} {why}, so there is nothing to extend.", code="not_extendable")
    if sent.end <= duration["end"]:
        detail = f"/end: {sent.end} is not after the present end, {duration['end']}"
        raise InvalidRequest([error_detail("not_later", detail, pointer="/end", allowed=[f"after {duration['end']}"])])
    extension = {"end": sent.end, "previous_end": duration["end"], "reason": sent.reason, "decision": sent.decision}
    facts["duration"] = {**duration, "end": sent.end, "extensions": [*duration["extensions"], extension]}
    await _store(write, facts)


async def _listed_organization(write: Write, who: Identity) -> str:
    organization = organization_of(who)
    if await write.session.get(OrganizationRow, organization) is None:
        raise Forbidden(
            f"The access token names the organization {organization}, which is not listed at {ORGANIZATIONS.path}."
        )
    return organization


def _require_part(who: Identity, facts: Facts) -> None:
    if not who.has_role(MANAGEMENT_UNIT) and not rules.owns(facts, who.organization):
        raise Forbidden(f"{facts['code']} is not a programme of {who.organization or 'an organization that you name'}.")


async def _require_free(write: Write, row: type[DraftRow] | type[ProgrammeRow], code: str) -> None:
    """Refuse a code that a record has, or a programme had; codes that differ in their case alone are the same."""
    taken = await write.session.scalar(
        sa.text(
            f"SELECT EXISTS (SELECT FROM {row.__tablename__} WHERE lower(code) = lower(:code))"
            " OR EXISTS (SELECT FROM renamed_code WHERE entity = 'programme' AND lower(code) = lower(:code))"
        ),
        {"code": code},
    )
    if taken:
        raise Conflict(f"The code {code} is taken.", code="code_taken")


async def _programme(write: Write, code: str) -> Facts:
    return facts_of((await row_of(write, ProgrammeRow, PROGRAMMES, code)).document)


def _state(facts: Facts, stated: Facts, write: Write, organization: str | None) -> None:
    """Put what was stated in the place of what was there, with its source, and close the gaps that it fills."""
    printed = {place["code"]: place.get("as_printed", "") for place in facts["places"]}
    facts.update(stated)
    if "places" in stated:
        facts["places"] = [{**place, "as_printed": printed.get(place["code"], "")} for place in stated["places"]]
        if {place["code"] for place in facts["places"]} != set(printed):
            facts["place_label"] = ""
    if stated.get("duration"):
        facts["duration"] = {**stated["duration"], "extensions": []}
    if stated.get("budget"):
        funded = STAGE_OF_STATUS[facts["status"] or "not_stated"] == "funded"
        facts["budget"] = {
            "amount": stated["budget"],
            "currency": CURRENCY,
            "stage": "allocation" if funded else "requirement",
            "precision": "exact",
            "as_printed": None,
        }
    filled = {name for name, value in stated.items() if value}
    if any(place["share"] for place in stated.get("places", ())):
        filled.add("places.share")
    facts["gaps"] = [gap for gap in facts["gaps"] if gap["field"] not in filled]
    path = f"{PROGRAMMES.path}/{facts['code']}"
    facts["sources"] = [source for source in facts["sources"] if source["field"] not in stated] + [
        submission(write, path, name, _stated_by(organization)).model_dump() for name in stated
    ]


def _present(facts: Facts) -> Facts:
    """What a programme says of itself, in the shape in which it is sent."""
    duration, budget = facts["duration"], facts["budget"]
    return {
        **{name: facts[name] for name in NOTHING_STATED},
        "places": [{"code": place["code"], "share": place["share"]} for place in facts["places"]],
        "duration": duration and {"start": duration["start"], "end": duration["end"]},
        # A rounded figure, restated to the cent, says more.
        "budget": budget["amount"] if budget and budget["precision"] == "exact" else None,
    }


def _stated_by(organization: str | None) -> str | None:
    return f"Stated by {organization}." if organization else None


def _enter(
    facts: Facts, status: str, day: str, reason: str, decision: str | None, write: Write, who: str | None
) -> None:
    """Give the facts of a programme another status, dated and with its reason."""
    facts["status"] = status
    facts["status_history"] = [
        *facts["status_history"],
        {
            "status": status,
            "stage": STAGE_OF_STATUS[status],
            "date": day,
            "date_precision": "day",
            "reason": reason,
            "decision": decision,
            "verified": False,
            "sources": [
                submission(write, f"{PROGRAMMES.path}/{facts['code']}", "status", _stated_by(who)).model_dump()
            ],
        },
    ]


async def _store(write: Write, facts: Facts) -> None:
    names = await _names(write, facts)
    for place in facts["places"]:
        place["as_printed"] = place["as_printed"] or names["places"][place["code"]]["name"]
    facts["place_label"] = facts["place_label"] or ", ".join(place["as_printed"] for place in facts["places"])
    await write.session.merge(programme_row(facts, names, write.at))


async def _names(write: Write, facts: Facts) -> Mapping[str, Mapping[str, Facts]]:
    """What the codes of a programme stand for; InvalidRequest names every code that stands for nothing."""
    asked: dict[str, tuple[Any, list[tuple[str, str]]]] = {
        "thematic_areas": (ThematicAreaRow, [("/thematic_area", c) for c in (facts["thematic_area"],) if c]),
        "objectives": (ObjectiveRow, _pointed("/objectives/{}", facts["objectives"])),
        "organizations": (
            OrganizationRow,
            _pointed("/organizations/{}", facts["organizations"])
            + _pointed("/budget_lines/{}/organization", [line["organization"] for line in facts["budget_lines"]]),
        ),
        "places": (PlaceRow, _pointed("/places/{}/code", [place["code"] for place in facts["places"]])),
    }
    names: dict[str, dict[str, Facts]] = {}
    errors = []
    for kind, (row, pointed) in asked.items():
        names[kind] = {}
        if not pointed:
            continue
        rows = await write.session.execute(
            sa.select(row.code, row.document).where(row.code.in_({code for _, code in pointed}))
        )
        names[kind] = {found.code: found.document for found in rows if found.document.get("kind") != "region"}
        unknown = [(pointer, code) for pointer, code in pointed if code not in names[kind]]
        if unknown:
            listing = await write.session.execute(sa.select(row.code, row.document))
            known = [found.code for found in listing if found.document.get("kind") != "region"]
            listed = f"/catalog/v1/{kind.replace('_', '-')}"
            errors += [unknown_code(pointer, code, known, listed_at=listed) for pointer, code in unknown]
    raise_if_any(errors)
    return names


def _pointed(pointer: str, codes: Iterable[str]) -> list[tuple[str, str]]:
    return [(pointer.format(n), code) for n, code in enumerate(codes)]
