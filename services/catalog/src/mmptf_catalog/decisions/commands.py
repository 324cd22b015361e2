"""Commands on calls for proposals, meetings and decisions, and the decisions that changes of programmes name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mmptf_catalog.decisions import rules
from mmptf_catalog.decisions.domain import CallForProposals, Decision, DecisionEffect, Meeting
from mmptf_catalog.decisions.queries import CALLS, DECISIONS, MEETINGS, PROGRAMMES_PATH
from mmptf_catalog.decisions.schemas import (
    CallForProposalsAmendment,
    CallForProposalsSent,
    DecisionAmendment,
    DecisionSent,
    MeetingAmendment,
    MeetingSent,
)
from mmptf_catalog.models import CallRow, DecisionRow, MeetingRow
from mmptf_common.http.identity import Identity
from mmptf_common.http.search import words
from mmptf_common.lists.codes import codes_in, find_with, suggest_each
from mmptf_common.lists.listing import Listing
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import add, put, submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    Conflict,
    ErrorDetail,
    ProblemError,
    error_detail,
    raise_if_any,
    unknown_code,
)
from mmptf_common.wire.sources import SourceRef
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.wire.suggestions import Suggestion
from mmptf_common.writes.commands import Created, row_of

CURRENCY = "USD"
# A text that names a decision by its code or number; any other one, such as a meeting and its date, is in words.
_NAMES_A_DECISION = re.compile(r"[A-Za-z0-9]+([-_./][A-Za-z0-9]+)*")


async def add_call(write: Write, who: Identity, sent: CallForProposalsSent) -> Created:
    """Add a call for proposals; raises Conflict where its code is taken."""
    await _require_free(write, CALLS, sent.code)
    stated = sent.model_dump(mode="json")
    call = CallForProposals.model_validate(
        {**stated, "sources": _sources(write, CALLS, sent.code, _stated(stated), who), "updated": write.at}
    )
    raise_if_any(rules.call_errors(call))
    await add(write, [call_row(call)])
    return Created(CALLS, sent.code)


async def amend_call(write: Write, who: Identity, code: str, sent: CallForProposalsAmendment) -> None:
    """Amend a call for proposals; raises NotFound where there is none with this code."""
    stored = whole_record(CallForProposals, (await row_of(write, CallRow, CALLS, code)).record)
    call = CallForProposals.model_validate(_amended(write, CALLS, stored.model_dump(mode="json"), sent.stated(), who))
    raise_if_any(rules.call_errors(call))
    if call != stored:
        await write.session.merge(call_row(call.model_copy(update={"updated": write.at})))


async def add_meeting(write: Write, who: Identity, sent: MeetingSent) -> Created:
    """Add a meeting; raises Conflict where its code is taken."""
    await _require_free(write, MEETINGS, sent.code)
    stated = sent.model_dump(mode="json")
    meeting = Meeting.model_validate(
        {**stated, "sources": _sources(write, MEETINGS, sent.code, _stated(stated), who), "updated": write.at}
    )
    await add(write, [meeting_row(meeting)])
    return Created(MEETINGS, sent.code)


async def amend_meeting(write: Write, who: Identity, code: str, sent: MeetingAmendment) -> None:
    """Amend a meeting; raises InvalidRequest where it would be after a decision that was taken at it."""
    stored = whole_record(Meeting, (await row_of(write, MeetingRow, MEETINGS, code)).record)
    meeting = Meeting.model_validate(_amended(write, MEETINGS, stored.model_dump(mode="json"), sent.stated(), who))
    first = await write.connection.fetchval("SELECT min(date) FROM decision WHERE meeting = $1", code)
    raise_if_any(rules.meeting_errors(meeting.date, first))
    if meeting != stored:
        await write.session.merge(meeting_row(meeting.model_copy(update={"updated": write.at})))


async def add_decision(write: Write, who: Identity, sent: DecisionSent) -> Created:
    """Add a decision; raises Conflict where its code is taken, InvalidRequest with everything that is wrong."""
    (result,) = await add_decisions(write, who, [sent], partial=False)
    if isinstance(result, ProblemError):
        raise result
    return Created(DECISIONS, result)


async def add_decisions(
    write: Write, who: Identity, all_sent: Sequence[DecisionSent], *, partial: bool
) -> list[str | ProblemError]:
    """Add decisions; returns the code or the error of each.

    partial: store the others where some are refused, else none
    """
    known = await _known(write, [sent.model_dump(mode="json") for sent in all_sent])
    results: list[str | ProblemError] = []
    new: list[DecisionRow] = []
    for sent in all_sent:
        stated = sent.model_dump(mode="json")
        stated["number"] = sent.number or sent.code
        decision = _decision(
            {
                **stated,
                "effects": [],
                "sources": _sources(write, DECISIONS, sent.code, _stated(stated), who),
                "updated": write.at,
            }
        )
        try:
            raise_if_any(known.errors(decision, write.at.date()))
            known.require_new(decision)
        except ProblemError as problem:
            results.append(problem)
            continue
        known.take(decision)
        new.append(decision_row(decision))
        results.append(sent.code)
    if partial or len(new) == len(results):
        await add(write, new)
    return results


async def amend_decision(write: Write, who: Identity, code: str, sent: DecisionAmendment) -> None:
    """Amend a decision; raises InvalidRequest with everything that is wrong."""
    stored = whole_record(Decision, (await row_of(write, DecisionRow, DECISIONS, code)).record)
    decision = _decision(_amended(write, DECISIONS, stored.model_dump(mode="json"), sent.stated(), who))
    if decision == stored:
        return
    known = await _known(write, [decision.model_dump(mode="json")])
    raise_if_any(known.errors(decision, write.at.date()))
    known.require_number(decision)
    await write.session.merge(decision_row(decision.model_copy(update={"updated": write.at})))


# --- decisions that changes name -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamedDecision:
    """A decision that a change names: its code and its day."""

    code: str
    date: date


@dataclass(frozen=True, slots=True)
class NamedDecisions:
    """The decisions that changes of programmes name.

    listed: by the texts that name them; meant: the codes that were probably meant, by texts that name none
    """

    listed: Mapping[str, NamedDecision]
    unknown: Mapping[str, ErrorDetail]

    def text_of(self, given: str | None) -> str | None:
        """What a record states: the code of a listed decision, or the words that were sent."""
        decision = self.listed.get(given or "")
        return decision.code if decision else given

    def errors(self, given: str | None, day: date | None) -> list[ErrorDetail]:
        """The errors of a change of a day that names a decision; None for a change that is of no day."""
        if unknown := self.unknown.get(given or ""):
            return [unknown]
        decision = self.listed.get(given or "")
        return rules.precedence_errors(decision, day) if decision and day else []


async def named_decisions(write: Write, given: Iterable[str | None]) -> NamedDecisions:
    """The listed decisions that texts name by code or number; a text of several words is none that has to be listed."""
    texts = sorted({text for text in given if text and _NAMES_A_DECISION.fullmatch(text)})
    if not texts:
        return NamedDecisions({}, {})
    found = await write.connection.fetch(
        "SELECT code, number, date FROM decision WHERE code = ANY($1::text[]) OR number = ANY($1::text[])", texts
    )
    listed = {row["number"]: NamedDecision(row["code"], row["date"]) for row in found}
    listed |= {row["code"]: NamedDecision(row["code"], row["date"]) for row in found}
    missing = [text for text in texts if text not in listed]
    meant = await suggest_each(find_with(write.connection, codes_in("decision")), missing)
    unknown = {
        text: unknown_code("/decision", text, listed_at=DECISIONS.path, suggestion=meant.get(text)) for text in missing
    }
    return NamedDecisions({text: listed[text] for text in texts if text in listed}, unknown)


async def record_effects(write: Write, effects: Sequence[tuple[str | None, DecisionEffect]]) -> None:
    """Add changes of programmes to the decisions that they name.

    effects: each with the decision that the changed record states; those that state none, or words, have none to add to
    """
    by_code: dict[str, list[DecisionEffect]] = defaultdict(list)
    for code, effect in effects:
        if code and _NAMES_A_DECISION.fullmatch(code):
            by_code[code].append(effect)
    if not by_code:
        return
    found = await write.connection.fetch(
        "SELECT record::text FROM decision WHERE code = ANY($1::text[]) ORDER BY code", list(by_code)
    )
    rows = []
    for (text,) in found:
        stored = whole_record(Decision, text)
        changed = stored.model_copy(update={"effects": [*stored.effects, *by_code[stored.code]], "updated": write.at})
        rows.append(decision_row(changed))
    await put(write, rows)


# --- what is stored ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Known:
    """What decisions are checked against: listed meetings with their days, calls and programmes, and what is taken.

    meant:   by the path of the list and the unknown code, the code that was probably meant
    codes, numbers: of stored decisions, in lower case -> the code
    """

    meetings: Mapping[str, date]
    calls: Collection[str]
    programmes: Collection[str]
    meant: Mapping[tuple[str, str], Suggestion | None]
    codes: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    def require_new(self, decision: Decision) -> None:
        """Raise Conflict where another decision has the code or the number."""
        if taken := self.codes.get(decision.code.lower()):
            raise Conflict(f"The code {taken} is taken.", code=ProblemCode.CODE_TAKEN)
        self.require_number(decision)

    def require_number(self, decision: Decision) -> None:
        """Raise Conflict where another decision has the number, or a number that is the code of this one."""
        for text, pointer in ((decision.number, "/number"), (decision.code, "/code")):
            taken = self.numbers.get(text.lower()) or self.codes.get(text.lower())
            if taken and taken != decision.code:
                detail = f"{pointer}: the decision {taken} has it"
                raise Conflict(
                    f"The number {text} is that of the decision {taken}.",
                    code=ProblemCode.CODE_TAKEN,
                    errors=[error_detail(ProblemCode.CODE_TAKEN, detail, pointer=pointer)],
                )

    def take(self, decision: Decision) -> None:
        self.codes[decision.code.lower()] = self.numbers[decision.number.lower()] = decision.code

    def errors(self, decision: Decision, today: date) -> list[ErrorDetail]:
        """Everything that is wrong with a decision."""
        named: list[tuple[str, str | None, Collection[str], str]] = [
            ("/meeting", decision.meeting, self.meetings, MEETINGS.path),
            ("/call", decision.call, self.calls, CALLS.path),
            *(
                (f"/programmes/{n}/programme", decided.programme, self.programmes, PROGRAMMES_PATH)
                for n, decided in enumerate(decision.programmes)
            ),
        ]
        found = [
            unknown_code(pointer, code, listed_at=path, suggestion=self.meant.get((path, code)))
            for pointer, code, listed, path in named
            if code is not None and code not in listed
        ]
        met = self.meetings.get(decision.meeting or "")
        return [*found, *rules.decision_errors(decision, met, today)]


async def _known(write: Write, stated: Sequence[Mapping[str, Any]]) -> _Known:
    meetings = {each["meeting"] for each in stated if each["meeting"]}
    calls = {each["call"] for each in stated if each["call"]}
    programmes = {decided["programme"] for each in stated for decided in each["programmes"]}
    fetch = write.connection.fetch
    days = {
        row["code"]: row["date"]
        for row in await fetch("SELECT code, date FROM meeting WHERE code = ANY($1::text[])", sorted(meetings))
    }
    listed = {
        table: {row["code"] for row in await fetch(f"SELECT code FROM {table} WHERE code = ANY($1::text[])", codes)}
        for table, codes in (("call", sorted(calls)), ("programme", sorted(programmes)))
    }
    meant: dict[tuple[str, str], Suggestion | None] = {}
    for table, path, unknown in (
        ("meeting", MEETINGS.path, meetings - days.keys()),
        ("call", CALLS.path, calls - listed["call"]),
        ("programme", PROGRAMMES_PATH, programmes - listed["programme"]),
    ):
        found = await suggest_each(find_with(write.connection, codes_in(table)), sorted(unknown))
        meant |= {(path, code): suggestion for code, suggestion in found.items()}
    known = _Known(days, listed["call"], listed["programme"], meant)
    texts = {str(text).lower() for each in stated for text in (each["code"], each["number"]) if text}
    for code, number in await fetch(
        "SELECT code, number FROM decision WHERE lower(code) = ANY($1::text[]) OR lower(number) = ANY($1::text[])",
        sorted(texts),
    ):
        known.codes[code.lower()] = known.numbers[number.lower()] = code
    return known


async def _require_free(write: Write, listing: Listing, code: str) -> None:
    """Raise Conflict for a code that is taken; upper and lower case count as the same."""
    taken = await write.connection.fetchval(
        f"SELECT code FROM {listing.rows} WHERE lower(code) = lower($1::text) LIMIT 1", code
    )
    if taken:
        raise Conflict(f"The code {taken} is taken.", code=ProblemCode.CODE_TAKEN)


def _stated(members: Mapping[str, Any]) -> list[str]:
    """The names of the members that are neither null nor empty, without the code."""
    return [name for name, value in members.items() if value not in (None, []) and name != "code"]


def _sources(write: Write, listing: Listing, code: str, members: Iterable[str], who: Identity) -> list[Any]:
    stated_by = f"Stated by {who.organization}." if who.organization else None
    return [submission(write, f"{listing.path}/{code}", name, stated_by).model_dump(mode="json") for name in members]


def _amended(
    write: Write, listing: Listing, stored: Mapping[str, Any], sent: Mapping[str, Any], who: Identity
) -> dict[str, Any]:
    """The members of a record with those that were sent in place of its own, and the sources of those that differ."""
    changed = {name: value for name, value in sent.items() if stored[name] != _as_stored(name, value)}
    if not changed:
        return dict(stored)
    before = [SourceRef.model_validate(source) for source in stored["sources"]]
    sources = [source.model_dump(mode="json") for source in before if source.field not in changed]
    new = _sources(write, listing, str(stored["code"]), _stated(changed), who)
    return {**stored, **changed, "sources": sources + new}


def _as_stored(name: str, value: Any) -> Any:
    """A member that was sent as it is in the record."""
    return [_decided(each) for each in value] if name == "programmes" else value


def _decided(sent: Mapping[str, Any]) -> dict[str, Any]:
    return {**sent, "currency": CURRENCY if sent["amount"] else None}


def _decision(members: Mapping[str, Any]) -> Decision:
    return Decision.model_validate({**members, "programmes": [_decided(each) for each in members["programmes"]]})


def call_row(call: CallForProposals) -> CallRow:
    """The row of a call for proposals."""
    return CallRow(
        code=call.code,
        opens=call.opens,
        closes=call.closes,
        updated=call.updated,
        record=call.model_dump(mode="json"),
    )


def meeting_row(meeting: Meeting) -> MeetingRow:
    """The row of a meeting."""
    return MeetingRow(
        code=meeting.code,
        date=meeting.date,
        kind=meeting.kind,
        updated=meeting.updated,
        record=meeting.model_dump(mode="json"),
    )


def decision_row(decision: Decision) -> DecisionRow:
    """The row of a decision; its programmes are those that it concerns, and those whose changes name it."""
    programmes = [each.programme for each in decision.programmes] + [each.programme for each in decision.effects]
    return DecisionRow(
        code=decision.code,
        number=decision.number,
        meeting=decision.meeting,
        call=decision.call,
        date=decision.date,
        kind=decision.kind,
        programmes=list(dict.fromkeys(programmes)),
        words=words(f"{decision.number} {decision.text}"),
        updated=decision.updated,
        record=decision.model_dump(mode="json"),
    )
