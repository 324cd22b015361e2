"""Commands on programmes: draft, submit, amend, change the status, extend."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime

from starlette.requests import Request

from mmptf_catalog.access import MANAGEMENT_UNIT
from mmptf_catalog.code_lists.queries import OBJECTIVES, ORGANIZATIONS, PLACES, THEMATIC_AREAS
from mmptf_catalog.code_lists.schemas import Place
from mmptf_catalog.decisions.commands import NamedDecisions, named_decisions, record_effects
from mmptf_catalog.decisions.domain import DecisionEffect
from mmptf_catalog.models import DraftRow, ProgrammeRow
from mmptf_catalog.programmes import rules
from mmptf_catalog.programmes.domain import (
    STAGE_OF_STATUS,
    ProgrammeContent,
    ProgrammeDraft,
    ProgrammeStatusRecord,
    StatedProgramme,
)
from mmptf_catalog.programmes.queries import DRAFTS, PROGRAMMES
from mmptf_catalog.programmes.schemas import (
    CodeNames,
    NoCostExtensionSent,
    Programme,
    ProgrammeAmendment,
    ProgrammeDraftAmendment,
    ProgrammeDraftSent,
    ProgrammeStatusChange,
    StatusChangeSent,
)
from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common.http import conditional
from mmptf_common.http.identity import Identity, organization_of
from mmptf_common.http.search import words
from mmptf_common.lists.codes import codes_in, find_with, suggest_each
from mmptf_common.lists.listing import Arguments
from mmptf_common.storage.journal import Write, state_reasons
from mmptf_common.storage.records import add, put, submission
from mmptf_common.wire.links import link
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    Conflict,
    ErrorDetail,
    Forbidden,
    InvalidRequest,
    ProblemError,
    error_detail,
    raise_if_any,
    unknown_code,
)
from mmptf_common.wire.sources import SourceRef
from mmptf_common.wire.stored_records import read_record, whole_record
from mmptf_common.writes.commands import TURN, Created, not_found_each, require_version, row_of
from mmptf_common.writes.drafts import new_draft_code, replace_draft


async def create_draft(write: Write, who: Identity, sent: ProgrammeDraftSent) -> Created:
    """Create a draft for the caller's organization; raises Conflict when a programme has the code that it is to get."""
    organization = await _listed_organization(write, who)
    await _require_free(write, sent.programme_code)
    code = await new_draft_code(write)
    draft = sent.applied_to(ProgrammeDraft.empty(code, organization, sent.programme_code, write.at))
    await _names(write, draft)
    await add(write, [draft_row(draft)])
    return Created(DRAFTS, code)


async def amend_draft(write: Write, code: str, sent: ProgrammeDraftAmendment) -> None:
    """Change a draft; its parts need not be consistent before it is submitted."""
    draft = whole_record(ProgrammeDraft, (await row_of(write, DraftRow, DRAFTS, code)).record)
    amended = sent.applied_to(draft)
    if amended.programme_code != draft.programme_code:
        await _require_free(write, amended.programme_code)
    if amended != draft:
        await _names(write, amended)
        await write.session.merge(draft_row(amended.model_copy(update={"updated": write.at})))


async def discard_draft(write: Write, _who: Identity, code: str) -> None:
    """Delete a draft; a submitted programme is withdrawn instead."""
    await write.session.delete(await row_of(write, DraftRow, DRAFTS, code))


async def submit_draft(write: Write, _who: Identity, code: str) -> Created:
    """Turn a draft into a programme, a concept note; raises InvalidRequest with everything that is missing or wrong."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    draft = whole_record(ProgrammeDraft, row.record)
    code = draft.programme_code
    await _require_free(write, code)
    raise_if_any([*rules.missing(draft), *rules.errors_of(draft), *rules.locality_errors(draft)])
    names = await _names(write, draft)
    sources = _sources(write, code, rules.stated_members(draft), draft.organization)
    programme = StatedProgramme.submitted(draft, sources, names.place_names)
    reason = f"Submitted by {draft.organization}."
    record = _status_record(write, code, "concept_note", write.at.date(), reason, None, None)
    await _store(write, programme.with_status(record), names)
    return await replace_draft(write, row, Created(PROGRAMMES, code))


async def amend_programme(write: Write, who: Identity, code: str, sent: ProgrammeAmendment) -> None:
    """Amend a programme: its organization may until the approval, the Fund's management unit after it, too."""
    programme = await _programme(write, code)
    status = programme.status
    _require_part(who, programme)
    allowed = rules.AMENDED_BY_FUND if who.has_role(MANAGEMENT_UNIT) else rules.AMENDED_BY_ORGANIZATION
    if status not in allowed:
        if status in rules.AMENDED_BY_FUND:
            raise Forbidden(f"{code} is {status}; from its approval on the Fund's management unit amends a programme.")
        raise Conflict(f"{code} is {status} and is not amended any more.", code=ProblemCode.NOT_AMENDABLE)
    content = sent.applied_to(programme.content)
    changed = rules.changed_members(programme, content, sent.stated().keys())
    if lead := _new_lead(who, programme, content, sent.lead_organization):
        programme = programme.led_by(lead, _source(write, code, "lead_organization", who.organization))
    elif not changed:
        return
    if programme.duration and "duration" in changed and programme.stage == "funded":
        raise Conflict(f"{code} is {status}: its end is moved by an extension.", code=ProblemCode.NOT_AMENDABLE)
    raise_if_any(rules.without_its_lead(programme, content))
    decisions = await named_decisions(write, [sent.decision])
    errors = rules.amendment_errors(programme, content, changed)
    errors += rules.decision_errors(programme, changed, sent.decision)
    raise_if_any([*errors, *decisions.errors(sent.decision, None)])
    names = await _names(write, content)
    # Whoever misspells a place is told so, and not that a locality is elsewhere.
    raise_if_any(rules.locality_errors(content))
    decision = decisions.text_of(sent.decision)
    sources = _sources(write, code, changed, who.organization, decision)
    restated = programme.restated(content, sources, names.place_names)
    await _store(write, restated, names)
    if programme.stage == "funded" and "budget" in changed and restated.budget:
        effect = rules.effect_of_budget(code, restated.budget, write.at.date())
        await record_effects(write, [(decision, effect)])


def _new_lead(who: Identity, programme: StatedProgramme, content: ProgrammeContent, lead: str | None) -> str | None:
    """The organization that is to lead a programme of which no source states one; None where nothing changes.

    Raises InvalidRequest where it takes no part in the programme, Forbidden where it is not the caller's to state,
    Conflict where another one leads it.
    """
    if lead is None or lead == programme.lead_organization:
        return None
    raise_if_any(rules.lead_errors(lead, content))
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden(f"Which organization leads {programme.code} is stated by the Fund's management unit.")
    if programme.lead_organization:
        raise Conflict(
            f"{programme.lead_organization} leads {programme.code}, which is not changed.",
            code=ProblemCode.NOT_AMENDABLE,
        )
    return lead


async def change_status(
    write: Write, who: Identity, code: str, sent: StatusChangeSent, unsettled: Mapping[str, ProblemError | None]
) -> None:
    """Change a programme's status; raises as `_with_new_status` does."""
    decisions = await named_decisions(write, [sent.decision])
    programme = _with_new_status(write, who, await _programme(write, code), sent, decisions, unsettled)
    await _store(write, programme, await _names(write, programme.content))
    await record_effects(write, rules.effects_of(programme, programme.status_history[-1:]))


async def change_statuses(
    request: Request,
    write: Write,
    who: Identity,
    changes: Sequence[ProgrammeStatusChange],
    unsettled: Mapping[str, ProblemError | None],
    *,
    partial: bool,
) -> list[str | ProblemError]:
    """Change the statuses of programmes in this order; returns the code or the error of each.

    What the changes depend on is loaded once, and what is changed is stored together.
    unsettled: why those that are to be closed financially cannot be, as the ledger says
    partial: store the others where some are refused, else none
    """
    found = await write.connection.fetch(
        f"SELECT code, stated::text, {PROGRAMMES.version} FROM programme WHERE code = ANY($1)",
        sorted({change.programme for change in changes}),
    )
    programmes: dict[str, StatedProgramme] = {}
    versions: dict[str, str] = {}
    for code, stated, version in found:
        programmes[code], versions[code] = whole_record(StatedProgramme, stated), version
    names = await fetch_names_of(write, programmes.values())
    decisions = await named_decisions(write, [change.decision for change in changes])
    effects: list[tuple[str | None, DecisionEffect]] = []
    unlisted = await not_found_each(
        write, PROGRAMMES, [change.programme for change in changes if change.programme not in programmes]
    )
    results: list[str | ProblemError] = []
    # The first changes of all programmes, then the second ones: each change of a record is one of the journal.
    new: list[dict[str, tuple[ProgrammeRow, str]]] = []
    times: Counter[str] = Counter()
    for n, change in enumerate(changes):
        if n % TURN == TURN - 1:
            await asyncio.sleep(0)
        code = change.programme
        try:
            tags = conditional.tags_in(change.etag, "/etag")
            if code not in programmes:
                raise unlisted[code]
            require_version(request, PROGRAMMES, code, versions[code], tags)
            programme = _with_new_status(write, who, programmes[code], change, decisions, unsettled)
            row = await _row_of(write, programme, names)
        except ProblemError as problem:
            results.append(problem)
            continue
        if times[code] == len(new):
            new.append({})
        new[times[code]][code] = row, change.reason
        times[code] += 1
        programmes[code], versions[code] = programme, write.version
        effects += rules.effects_of(programme, programme.status_history[-1:])
        results.append(code)
    if partial or all(isinstance(result, str) for result in results):
        for rows in new:
            await _store_changed(write, rows)
        await record_effects(write, effects)
    return results


async def _row_of(write: Write, programme: StatedProgramme, names: CodeNames) -> ProgrammeRow:
    """The row of a programme; raises InvalidRequest where `names` lacks the name of a code that is not listed."""
    try:
        return programme_row(programme, names, write.at)
    except KeyError:
        return programme_row(programme, await _names(write, programme.content), write.at)


async def _store_changed(write: Write, new: Mapping[str, tuple[ProgrammeRow, str]]) -> None:
    """Store rows of programmes, each with the reason of its change."""
    await state_reasons(write, {PROGRAMMES.entity: {code: reason for code, (_, reason) in new.items()}})
    await put(write, [row for row, _ in new.values()])


def _with_new_status(
    write: Write,
    who: Identity,
    programme: StatedProgramme,
    sent: StatusChangeSent,
    decisions: NamedDecisions,
    unsettled: Mapping[str, ProblemError | None],
) -> StatedProgramme:
    """The programme with another status.

    decisions: those that changes of this write name
    Raises Conflict when the present status does not lead to it, or its money is not settled and it is to be closed
    financially; Forbidden when the change is not the caller's to make; the error of the ledger where it did not answer.
    """
    code, status = programme.code, programme.status
    _require_part(who, programme)
    allowed = rules.NEXT_STATUSES[status]
    if sent.status not in allowed:
        offered = ", ".join(allowed) or "nothing any more"
        raise Conflict(
            f"{code} is {status}, and from there it becomes {offered}.",
            code=ProblemCode.TRANSITION_NOT_ALLOWED,
            errors=[
                error_detail(
                    ProblemCode.TRANSITION_NOT_ALLOWED, f"/status: {sent.status}", pointer="/status", allowed=allowed
                )
            ],
        )
    if not who.has_role(MANAGEMENT_UNIT) and (status, sent.status) not in rules.OWN_STEPS:
        raise Forbidden(f"That {code} becomes {sent.status} is decided by the Fund, not by its organization.")
    day = date.fromisoformat(sent.date)
    errors = rules.status_errors(programme.status_history, day, write.at.date())
    if who.has_role(MANAGEMENT_UNIT) and sent.decision is None:
        errors.append(
            error_detail(
                ProblemCode.MISSING_MEMBER, "/decision: name the decision that caused the change", pointer="/decision"
            )
        )
    errors += decisions.errors(sent.decision, day)
    if sent.status == "approved":
        errors += rules.approval_errors(programme.content)
    raise_if_any(errors)
    if sent.status == "financially_closed" and (problem := unsettled[code]):
        raise problem
    decision = decisions.text_of(sent.decision)
    record = _status_record(write, code, sent.status, day, sent.reason, decision, who.organization)
    return programme.with_status(record)


async def extend(write: Write, code: str, sent: NoCostExtensionSent) -> None:
    """Move a programme's last day, without more money; raises Conflict when it cannot be extended."""
    programme = await _programme(write, code)
    status, duration = programme.status, programme.duration
    if status not in rules.EXTENDED or duration is None:
        why = f"is {status}" if duration else "has no stated duration"
        raise Conflict(f"{code} {why}, so there is nothing to extend.", code=ProblemCode.NOT_EXTENDABLE)
    end = date.fromisoformat(sent.end)
    if end <= duration.end:
        detail = f"/end: {end} is not after the present end, {duration.end}"
        raise InvalidRequest(
            [error_detail(ProblemCode.TOO_EARLY, detail, pointer="/end", allowed=[f"after {duration.end}"])]
        )
    decisions = await named_decisions(write, [sent.decision])
    raise_if_any(decisions.errors(sent.decision, None))
    decision = decisions.text_of(sent.decision) or sent.decision
    extended = programme.model_copy(update={"duration": duration.extended(end, sent.reason, decision)})
    await _store(write, extended, await _names(write, programme.content))
    await record_effects(write, [(decision, rules.effect_of_extension(code, end))])


async def _listed_organization(write: Write, who: Identity) -> str:
    organization = organization_of(who)
    if not await write.connection.fetchval("SELECT EXISTS (SELECT FROM organization WHERE code = $1)", organization):
        raise Forbidden(
            f"The access token names the organization {organization}, which is not listed at"
            f" {link(ORGANIZATIONS.path)}.",
            code=ProblemCode.ORGANIZATION_NOT_KNOWN,
        )
    return organization


def _require_part(who: Identity, programme: StatedProgramme) -> None:
    if not who.has_role(MANAGEMENT_UNIT) and not rules.owns(programme, who.organization):
        raise Forbidden(
            f"{programme.code} is not a programme of {who.organization or 'an organization that you name'}."
        )


async def _require_free(write: Write, code: str) -> None:
    """Raise Conflict for a present or earlier code of a programme; upper and lower case count as the same."""
    taken = await write.connection.fetchval(
        "SELECT EXISTS (SELECT FROM programme WHERE lower(code) = lower($1::text))"
        " OR EXISTS (SELECT FROM renamed_code WHERE entity = 'programme' AND lower(code) = lower($1::text))",
        code,
    )
    if taken:
        raise Conflict(f"The code {code} is taken.", code=ProblemCode.CODE_TAKEN)


async def _programme(write: Write, code: str) -> StatedProgramme:
    return whole_record(StatedProgramme, (await row_of(write, ProgrammeRow, PROGRAMMES, code)).stated)


def _sources(
    write: Write, code: str, stated: Iterable[str], organization: str | None, decision: str | None = None
) -> dict[str, SourceRef]:
    """The sources of the members that an organization states, by the members' names; decision: that of a new budget."""
    return {
        name: _source(write, code, name, organization, decision if name in rules.DECIDED else None) for name in stated
    }


def _source(write: Write, code: str, field: str, organization: str | None, decision: str | None = None) -> SourceRef:
    notes = [f"Stated by {organization}."] if organization else []
    notes += [f"By decision: {decision}"] if decision else []
    return submission(write, f"{PROGRAMMES.path}/{code}", field, " ".join(notes) or None)


def _status_record(
    write: Write,
    code: str,
    status: ProgrammeStatusSent,
    day: date,
    reason: str,
    decision: str | None,
    organization: str | None,
) -> ProgrammeStatusRecord:
    return ProgrammeStatusRecord(
        status=status,
        stage=STAGE_OF_STATUS[status],
        date=day,
        date_precision="day",
        reason=reason,
        decision=decision,
        verified=False,
        sources=[_source(write, code, "status", organization)],
    )


async def _store(write: Write, programme: StatedProgramme, names: CodeNames) -> None:
    await write.session.merge(programme_row(programme, names, write.at))


async def _names(write: Write, content: ProgrammeContent) -> CodeNames:
    """The names behind a programme's codes; raises InvalidRequest with every unknown code."""
    area = [("/thematic_area", content.thematic_area)] if content.thematic_area else []
    objectives = _pointed("/objectives/{}", content.objectives)
    organizations = _pointed("/organizations/{}", content.organizations) + _pointed(
        "/budget_lines/{}/organization", [line.organization for line in content.budget_lines]
    )
    places = _pointed("/places/{}/code", [place.code for place in content.places])
    places += _pointed("/localities/{}/place", [locality.place for locality in content.localities])
    places += [
        (f"/partners/{n}/country", partner.country) for n, partner in enumerate(content.partners) if partner.country
    ]
    pointed = (area, objectives, organizations, places)
    names = await _fetch_names(write, *({code for _, code in each} for each in pointed))
    lists = (
        (THEMATIC_AREAS, names.thematic_areas),
        (OBJECTIVES, names.objectives),
        (ORGANIZATIONS, names.organizations),
        (PLACES, names.places),
    )
    errors: list[ErrorDetail] = []
    for given, (listing, listed) in zip(pointed, lists, strict=True):
        if unknown := [(pointer, code) for pointer, code in given if code not in listed]:
            where = "kind = 'country'" if listing is PLACES else "true"
            find = find_with(write.connection, codes_in(listing.rows, where=where))
            meant = await suggest_each(find, [code for _, code in unknown])
            errors += [
                unknown_code(pointer, code, listed_at=listing.path, suggestion=meant.get(code))
                for pointer, code in unknown
            ]
    raise_if_any(errors)
    return names


async def fetch_names_of(write: Write, programmes: Iterable[StatedProgramme | ProgrammeContent]) -> CodeNames:
    """The names behind the codes of programmes, all of which are listed."""
    areas, objectives, organizations, places = set[str](), set[str](), set[str](), set[str]()
    for programme in programmes:
        areas |= {programme.thematic_area} if programme.thematic_area else set()
        objectives |= set(programme.objectives)
        organizations |= set(programme.organizations)
        places |= {place.code for place in programme.places}
    return await _fetch_names(write, areas, objectives, organizations, places)


async def _fetch_names(
    write: Write, areas: Set[str], objectives: Set[str], organizations: Set[str], places: Set[str]
) -> CodeNames:
    """The names behind those of the codes that are listed, with one statement."""
    names: dict[str, dict[str, str]] = {"thematic_area": {}, "objective": {}, "organization": {}}
    arguments = Arguments()
    parts = [
        f"SELECT '{table}', code, name FROM {table} WHERE code = ANY({arguments.bind(sorted(codes))}::text[])"
        for table, codes in zip(names, (areas, objectives, organizations), strict=True)
        if codes
    ]
    if places:
        listed = f"code = ANY({arguments.bind(sorted(places))}::text[]) AND kind = 'country'"
        parts.append(f"SELECT 'place', code, record::text FROM place WHERE {listed}")
    found: dict[str, Place] = {}
    for table, code, text in await write.connection.fetch(" UNION ALL ".join(parts), *arguments) if parts else ():
        if table == "place":
            found[code] = read_record(Place, text)
        else:
            names[table][code] = text
    return CodeNames(
        thematic_areas=names["thematic_area"],
        objectives=names["objective"],
        organizations=names["organization"],
        places=found,
    )


def _pointed(pointer: str, codes: Iterable[str]) -> list[tuple[str, str]]:
    return [(pointer.format(n), code) for n, code in enumerate(codes)]


def _words(content: StatedProgramme | ProgrammeDraft) -> list[str]:
    """The words that `q` searches: of the same texts as `TEXTS` of the listings."""
    texts = [content.title, content.summary]
    texts += [partner.name for partner in content.partners]
    texts += [text for component in content.components for text in (component.name, component.text)]
    texts += [locality.name for locality in content.localities]
    return words(" ".join(filter(None, texts)))


def programme_row(programme: StatedProgramme, names: CodeNames, at: datetime) -> ProgrammeRow:
    """The row of a programme, written at `at`; raises KeyError for a code without a name."""
    budget = programme.budget
    places = [names.places[place.code] for place in programme.places]
    divided = rules.attribution(programme, {place.code: place.region for place in places})
    return ProgrammeRow(
        code=programme.code,
        # Cut, because cursors contain it and have to fit into a URL.
        title_order=(programme.title or programme.place_label).casefold()[:200],
        thematic_area=programme.thematic_area,
        objectives=programme.objectives,
        countries=[place.code for place in places],
        regions=sorted({region for place in places for region in place.regions}),
        organizations=programme.organizations,
        partner_kinds=sorted({partner.kind for partner in programme.partners}),
        beneficiaries=sorted({beneficiary.group for beneficiary in programme.beneficiaries}),
        stage=programme.stage,
        amount=budget.amount if budget else None,
        currency=budget.currency if budget else None,
        money_stage=budget.stage if budget else None,
        basis=None,
        attribution={
            name: {code: amount_text(part) for code, part in parts.items()} for name, parts in divided.items()
        },
        words=_words(programme),
        stated=programme.model_dump(mode="json"),
        updated=at,
        record=Programme.of(programme, names, at).model_dump(mode="json"),
    )


def draft_row(draft: ProgrammeDraft) -> DraftRow:
    """The row of a draft."""
    return DraftRow(
        code=draft.code,
        organization=draft.organization,
        words=_words(draft),
        updated=draft.updated,
        record=draft.model_dump(mode="json"),
    )
