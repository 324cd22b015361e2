"""Calls for proposals, meetings of the Steering Committee and its decisions, as they are stored and read."""

from __future__ import annotations

import datetime
from datetime import date
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from mmptf_common.wire.attachments import Attachment
from mmptf_common.wire.base import Code, ListedCode, ResponseModel
from mmptf_common.wire.codes import ProgrammeStatus
from mmptf_common.wire.money import AmountText
from mmptf_common.wire.sources import SourceRef

MeetingKind = TypeAliasType("MeetingKind", Literal["regular", "extraordinary", "written_procedure"])
"""How the Steering Committee met.

- `regular`: one of its regular meetings
- `extraordinary`: a meeting for one matter, between two regular ones
- `written_procedure`: not in session; its members decided by correspondence, up to the day of the meeting
"""
DecisionKind = TypeAliasType(
    "DecisionKind",
    Literal[
        "approval",
        "allocation",
        "budget_revision",
        "suspension",
        "cancellation",
        "extension",
        "closing",
        "other",
    ],
)
"""What a decision of the Steering Committee is about.

- `approval`: programmes are approved, or are not selected
- `allocation`: money of the Fund is set aside for programmes
- `budget_revision`: the budgets of approved programmes change
- `suspension`: programmes are suspended, or go on after a suspension
- `cancellation`: programmes end before their time
- `extension`: programmes end later, without more money
- `closing`: programmes are closed
- `other`: anything else, such as a change of the pipeline or of the Fund's rules
"""
EffectKind = TypeAliasType("EffectKind", Literal["status", "budget", "extension"])
"""What of a programme was changed by a decision.

- `status`: the programme has another status
- `budget`: the programme has an approved budget
- `extension`: the programme ends later
"""


class CallForProposals(ResponseModel):
    """A call for proposals (round): organizations propose programmes, from one day to another."""

    code: Code
    """Code of the call, such as `CALL-2026`."""
    title: str
    """Title of the call, for people."""
    opens: date | None
    """First day on which proposals are taken; null where it is not stated."""
    closes: date | None
    """Last day on which proposals are taken; null where it is not stated, or where there is none."""
    summary: str | None
    """What is called for, in a few sentences; null where it is not stated."""
    documents: list[Attachment]
    """The documents of the call, which are stored elsewhere; empty where none is stated."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several, or none."""
    updated: datetime.datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Meeting(ResponseModel):
    """A meeting of the Steering Committee, which decides what the Fund pays for."""

    code: Code
    """Code of the meeting, such as `SC-2026-03`."""
    date: datetime.date
    """Day of the meeting, or its last day; of a written procedure the last day on which members could object."""
    kind: MeetingKind
    """Whether it was a regular or an extraordinary meeting, or a written procedure."""
    title: str | None
    """Title of the meeting, for people; null where it is not stated."""
    documents: list[Attachment]
    """Its documents, such as the agenda and the minutes, which are stored elsewhere; empty where none is stated."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several, or none."""
    updated: datetime.datetime
    """When the record was last written here, in UTC; not when its source was published."""


class DecidedProgramme(ResponseModel):
    """A programme that a decision concerns, and what was decided about it."""

    programme: ListedCode
    """Code of the programme, as at `/catalog/v1/programmes`."""
    status: ProgrammeStatus | None
    """The status that the programme is to have; null where the decision is about something else."""
    amount: AmountText | None
    """The amount that was decided, with two decimals: what is approved or allocated, or the whole new budget of a
    revision. Null where the decision states none.
    """
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None
    """ISO 4217 code of the currency of the amount: `USD`. Null without an amount."""


class DecisionEffect(ResponseModel):
    """A change of a programme here that names the decision."""

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`."""
    kind: EffectKind
    """What of the programme was changed."""
    date: datetime.date
    """First day of the status, or of the budget; of an extension the new last day of the programme."""
    status: ProgrammeStatus | None
    """The status that the programme has from that day on; null where something else was changed."""
    amount: AmountText | None
    """The budget of the programme, with two decimals; null where something else was changed."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None
    """ISO 4217 code of the currency of the budget; null without an amount."""


class Decision(ResponseModel):
    """A numbered decision of the Steering Committee: what was decided, and what was changed here because of it.

    Entries of the ledger that carry it out are at `/funding/v1/ledger?decision=` and its code.
    """

    code: Code
    """Code of the decision, such as `SC-2026-03-04`, by which changes of programmes and entries of the ledger name it.
    """
    number: str
    """Number of the decision as the minutes print it, such as `SC-2026-03/04`; no two decisions have the same."""
    meeting: ListedCode | None
    """Code of the meeting at which it was taken, as at `/catalog/v1/meetings`; null where it is not stated."""
    call: ListedCode | None
    """Code of the call for proposals that it belongs to, as at `/catalog/v1/calls`; null where there is none."""
    date: datetime.date
    """Day on which it was taken."""
    kind: DecisionKind
    """What it is about."""
    text: str
    """What was decided, in the words of whoever entered it."""
    programmes: list[DecidedProgramme]
    """The programmes that it concerns, with what was decided about each; empty where it concerns none."""
    document: Attachment | None
    """The document with the decision, which is stored elsewhere; null where none is stated."""
    effects: list[DecisionEffect]
    """The changes of programmes here that name it, in the order in which they were entered; empty where none does."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several, or none."""
    updated: datetime.datetime
    """When the record was last written here, in UTC; not when its source was published."""
