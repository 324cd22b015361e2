"""The wire shapes of calls for proposals, meetings and decisions: pages, queries, and what is sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmptf_catalog.decisions.domain import CallForProposals, Decision, DecisionKind, Meeting, MeetingKind
from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common.http.parameters import (
    ListQuery,
    PointInTime,
    Search,
    UpdatedSince,
    Values,
    order_by,
    with_codes,
)
from mmptf_common.http.search import HOW
from mmptf_common.wire.attachments import AttachmentSent
from mmptf_common.wire.base import (
    Code,
    Day,
    ListedCode,
    NewCode,
    PatchModel,
    RequestModel,
    Text,
    unset,
    worded,
)
from mmptf_common.wire.money import AmountSent
from mmptf_common.wire.pages import Page


class CallForProposalsPage(Page[CallForProposals]):
    """One page of calls for proposals."""


class MeetingPage(Page[Meeting]):
    """One page of meetings."""


class DecisionPage(Page[Decision]):
    """One page of decisions."""


class CallQuery(ListQuery):
    sort: tuple[Literal["code", "-code", "opens", "-opens", "updated", "-updated"], ...] = order_by("-opens")
    code: Annotated[list[Code], with_codes("calls for proposals", "CALL-2026")]
    open_on: Annotated[
        Day | None,
        Field(
            description="Only calls that take proposals on this day, to its end: opened by then, and not closed"
            " before.",
            examples=["2026-02-28"],
        ),
    ] = None
    updated_since: UpdatedSince = None


class MeetingFilter(PointInTime):
    code: Annotated[list[Code], with_codes("meetings", "SC-2026-03")]
    kind: Annotated[
        list[MeetingKind],
        Field(default_factory=list, max_length=100, description="Only meetings of this kind.", examples=["regular"]),
    ]
    date_from: Annotated[
        Day | None,
        Field(description="Only meetings on this day, from its beginning, or later.", examples=["2026-01-01"]),
    ] = None
    date_to: Annotated[
        Day | None, Field(description="Only meetings on this day, to its end, or earlier.", examples=["2026-12-31"])
    ] = None
    updated_since: UpdatedSince = None


class MeetingQuery(MeetingFilter, ListQuery):
    sort: tuple[Literal["date", "-date", "code", "-code", "updated", "-updated"], ...] = order_by("-date")


class DecisionFilter(PointInTime):
    """Which decisions: any of a repeated filter, all of different ones."""

    code: Annotated[list[Code], with_codes("decisions", "SC-2026-03-04")]
    meeting: Annotated[
        Values,
        Field(
            description="Only decisions of these meetings: codes as at `/catalog/v1/meetings`, or `not_stated`.",
            examples=["SC-2026-03"],
        ),
    ]
    call: Annotated[
        Values,
        Field(
            description="Only decisions of these calls for proposals: codes as at `/catalog/v1/calls`, or `not_stated`"
            " for those that belong to none.",
            examples=["CALL-2026"],
        ),
    ]
    programme: Annotated[
        Values,
        Field(
            description="Only decisions that concern one of these programmes, or that changes of it name: codes as at"
            " `/catalog/v1/programmes`.",
            examples=["PER-01"],
        ),
    ]
    kind: Annotated[
        list[DecisionKind],
        Field(default_factory=list, max_length=100, description="Only decisions of this kind.", examples=["approval"]),
    ]
    date_from: Annotated[
        Day | None,
        Field(description="Only decisions of this day, from its beginning, or later.", examples=["2026-01-01"]),
    ] = None
    date_to: Annotated[
        Day | None, Field(description="Only decisions of this day, to its end, or earlier.", examples=["2026-12-31"])
    ] = None
    q: Annotated[
        Search | None,
        Field(
            description=f"Only decisions with these words, or words that begin so, in the number or the text. {HOW}",
            examples=["selected"],
        ),
    ] = None
    updated_since: UpdatedSince = None


class DecisionQuery(DecisionFilter, ListQuery):
    sort: tuple[Literal["date", "-date", "code", "-code", "updated", "-updated"], ...] = order_by("-date")


# --- what is sent --------------------------------------------------------------------------------------------------

Title = Annotated[Text, Field(max_length=300)]
Summary = Annotated[Text, Field(max_length=5000)]
Documents = Annotated[list[AttachmentSent], Field(max_length=50)]
Reason = Annotated[
    Text, Field(max_length=2000, description="Why, for people. Everybody can read it in the history of the record.")
]
Number = Annotated[
    str,
    Field(
        max_length=64,
        pattern=worded(
            r"^[A-Za-z0-9]+([-_./][A-Za-z0-9]+)*$",
            "letters and digits, with single hyphens, points, underscores or slashes between them, such as"
            " SC-2026-03/04",
        ),
        examples=["SC-2026-03/04"],
    ),
]


class CallForProposalsSent(RequestModel):
    """A call for proposals to be added."""

    code: NewCode
    """Code of the call, such as `CALL-2026`."""
    title: Title
    """Title of the call, for people."""
    opens: Day | None = None
    """First day on which proposals are taken."""
    closes: Day | None = None
    """Last day on which proposals are taken, not before the first; left out where there is none."""
    summary: Summary | None = None
    """What is called for, in a few sentences."""
    documents: Documents = []
    """Documents of the call that are stored elsewhere."""


class CallForProposalsAmendment(PatchModel):
    """What is to change in a call for proposals, and why. A member that is not sent stays as it is."""

    title: Annotated[Title, Field(default_factory=unset)]
    """Title of the call, for people."""
    opens: Annotated[Day | None, Field(default_factory=unset)]
    """First day on which proposals are taken; null removes it."""
    closes: Annotated[Day | None, Field(default_factory=unset)]
    """Last day on which proposals are taken; null removes it."""
    summary: Annotated[Summary | None, Field(default_factory=unset)]
    """What is called for; null removes it."""
    documents: Annotated[Documents, Field(default_factory=unset)]
    """All documents of the call, in place of those before."""
    reason: Reason


class MeetingSent(RequestModel):
    """A meeting of the Steering Committee to be added, held already or to be held."""

    code: NewCode
    """Code of the meeting, such as `SC-2026-03`."""
    date: Day
    """Day of the meeting, or its last day."""
    kind: MeetingKind
    """Whether it is a regular or an extraordinary meeting, or a written procedure."""
    title: Title | None = None
    """Title of the meeting, for people."""
    documents: Documents = []
    """Documents of the meeting that are stored elsewhere, such as its agenda and minutes."""


class MeetingAmendment(PatchModel):
    """What is to change in a meeting, and why. A member that is not sent stays as it is."""

    date: Annotated[Day, Field(default_factory=unset)]
    """Day of the meeting, not after that of a decision that was taken at it."""
    kind: Annotated[MeetingKind, Field(default_factory=unset)]
    """Whether it is a regular or an extraordinary meeting, or a written procedure."""
    title: Annotated[Title | None, Field(default_factory=unset)]
    """Title of the meeting; null removes it."""
    documents: Annotated[Documents, Field(default_factory=unset)]
    """All documents of the meeting, in place of those before."""
    reason: Reason


class DecidedProgrammeSent(RequestModel):
    """A programme that a decision concerns, and what was decided about it."""

    programme: ListedCode
    """Code of the programme, as at `/catalog/v1/programmes`."""
    status: ProgrammeStatusSent | None = None
    """The status that the programme is to have, where that was decided."""
    amount: AmountSent | None = None
    """The amount that was decided, in US dollars as text, with at most two decimals, such as `1500000.00`."""


Decided = Annotated[list[DecidedProgrammeSent], Field(max_length=200)]


class DecisionSent(RequestModel):
    """A decision of the Steering Committee to be added. It changes no programme by itself: the change names it."""

    code: NewCode
    """Code of the decision, such as `SC-2026-03-04`."""
    number: Number | None = None
    """Number of the decision as the minutes print it, such as `SC-2026-03/04`; the code where it is left out."""
    meeting: ListedCode | None = None
    """Code of the meeting at which it was taken, as at `/catalog/v1/meetings`."""
    call: ListedCode | None = None
    """Code of the call for proposals that it belongs to, as at `/catalog/v1/calls`."""
    date: Day
    """Day on which it was taken: not in the future, and not before that of the meeting."""
    kind: DecisionKind
    """What it is about."""
    text: Summary
    """What was decided, in your own words."""
    programmes: Decided = []
    """The programmes that it concerns, each once."""
    document: AttachmentSent | None = None
    """The document with the decision, which is stored elsewhere."""


class DecisionAmendment(PatchModel):
    """What is to change in a decision, and why. A member that is not sent stays as it is."""

    number: Annotated[Number, Field(default_factory=unset)]
    """Number of the decision as the minutes print it."""
    meeting: Annotated[ListedCode | None, Field(default_factory=unset)]
    """Code of the meeting at which it was taken; null removes it."""
    call: Annotated[ListedCode | None, Field(default_factory=unset)]
    """Code of the call for proposals that it belongs to; null removes it."""
    date: Annotated[Day, Field(default_factory=unset)]
    """Day on which it was taken, not after the first change that names it."""
    kind: Annotated[DecisionKind, Field(default_factory=unset)]
    """What it is about."""
    text: Annotated[Summary, Field(default_factory=unset)]
    """What was decided, in your own words."""
    programmes: Annotated[Decided, Field(default_factory=unset)]
    """All programmes that it concerns, in place of those before."""
    document: Annotated[AttachmentSent | None, Field(default_factory=unset)]
    """The document with the decision; null removes it."""
    reason: Reason


class DecisionBatch(RequestModel):
    """Decisions that are added together, such as those of one meeting."""

    decisions: Annotated[list[DecisionSent], Field(min_length=1, max_length=500)]
    """The decisions, 1 to 500."""
