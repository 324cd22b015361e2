"""The wire shapes of accounting periods and of their certified figures."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, order_by
from mmptf_common.wire.attachments import Attachment, AttachmentSent
from mmptf_common.wire.base import Code, Day, NewCode, RequestModel, ResponseModel, Text, worded
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.periods.domain import FigureComparison, PeriodFigureLine, PeriodStatus

Reason = Annotated[Text, Field(max_length=2000)]
Line = Annotated[Text, Field(max_length=300)]
SignedAmountSent = Annotated[
    str,
    Field(
        pattern=worded(
            r"^(-?[1-9][0-9]{0,13}\.[0-9]{2}|0\.00|-?0\.(0[1-9]|[1-9][0-9]))$",
            'an amount as text with two decimals and without separators, such as "1070000.00", "0.00" or "-12.50"',
        ),
        examples=["1500000.00"],
    ),
]


class PeriodSent(RequestModel):
    """A period to be opened. The first one begins on any day; each later one on the day after the last one's end."""

    code: NewCode
    """Code of the period, such as `2026` or `2026-Q1`."""
    start: Day
    """First day of the period."""
    end: Day
    """Last day of the period."""
    reason: Reason | None = None
    """What a reader has to know about it."""


class PeriodClosingSent(RequestModel):
    """Why a period is closed."""

    reason: Reason
    """Why it is closed, such as that its entries are reconciled with the bank statement."""


class PeriodReopeningSent(RequestModel):
    """Why a closed period is opened again."""

    reason: Reason
    """Why it is opened again, such as an entry that was left out."""


class Signatory(RequestModel):
    """Who has signed the certified figures, as the document names them."""

    name: Line
    """Name of the signatory."""
    function: Line
    """Function in which the document was signed, such as `Executive Coordinator, MPTF Office`."""


class CertifiedFigureSent(RequestModel):
    """One figure of the certified statement."""

    line: PeriodFigureLine
    """Which figure it is."""
    amount: SignedAmountSent
    """The amount in US dollars, as it is certified."""
    as_printed: Line
    """The line as the document prints it: its label, its figure, or both."""
    explanation: Reason | None = None
    """Why it differs from the figure that is computed from the ledger, where it does and that is known."""


class CertificationSent(RequestModel):
    """The certification of a closed period: the document, its signatory and day, and its figures line by line."""

    document: AttachmentSent
    """The document with the certified figures, which is stored elsewhere."""
    signatory: Signatory
    """Who has signed it."""
    date: Day
    """Day of the signature, after the end of the period."""
    figures: Annotated[list[CertifiedFigureSent], Field(min_length=1, max_length=100)]
    """The certified figures, each line once."""


class FigureExplanationSent(RequestModel):
    """Why a certified figure differs from the computed one; the figure itself never changes."""

    line: PeriodFigureLine
    """Line of the certified figure."""
    explanation: Reason
    """Why the two differ. It replaces an earlier explanation, which the history keeps."""


class PeriodStep(ResponseModel):
    """A change of a period's status."""

    status: PeriodStatus
    """Status that the period had from then on."""
    at: datetime.datetime
    """When it was changed, in UTC."""
    recorded_by: Code | None
    """Code of the organization on whose behalf it was changed; null where that was the operator of the service."""
    reason: str | None
    """Why; null where none was stated."""


class CertifiedFigure(ResponseModel):
    """A figure of the certified statement; it never changes."""

    line: PeriodFigureLine
    """Which figure it is."""
    sum: Money
    """The certified amount."""
    as_printed: str
    """The line as the document prints it."""
    explanation: str | None
    """Why it differs from the computed figure; null where nobody has said."""


class CertificationSignatory(ResponseModel):
    """Who has signed the certified figures."""

    name: str
    """Name of the signatory, as the document has it."""
    function: str
    """Function in which the document was signed."""


class Certification(ResponseModel):
    """The certification of a period: the document, who signed it and when, and its figures."""

    document: Attachment
    """The document with the certified figures, which is stored elsewhere."""
    signatory: CertificationSignatory
    """Who has signed it."""
    date: datetime.date
    """Day of the signature."""
    figures: list[CertifiedFigure]
    """The certified figures, in the order in which they were sent."""


class AccountingPeriod(ResponseModel):
    """A period of the ledger. While it is closed, no entry is dated in it or before it."""

    code: Code
    """Code of the period, such as `2026` or `2026-Q1`."""
    start: datetime.date
    """First day of the period."""
    end: datetime.date
    """Last day of the period; the next period begins on the day after it."""
    status: PeriodStatus
    """Whether it is open, closed or certified."""
    steps: list[PeriodStep]
    """Who opened, closed, opened again and certified it, when and why, in order."""
    certification: Certification | None
    """Document, signatory and figures of the certification; null where it is not certified."""
    sources: list[SourceRef]
    """Where the facts were taken from."""
    updated: datetime.datetime
    """When the record was last written here, in UTC."""


class AccountingPeriodPage(Page[AccountingPeriod]):
    """One page of accounting periods."""


class PeriodQuery(ListQuery):
    """Which periods, and in which order."""

    sort: tuple[Literal["start", "-start", "code", "-code"], ...] = order_by("start")
    status: Annotated[
        list[PeriodStatus],
        Field(
            default_factory=list,
            max_length=100,
            description="Only periods that are open, closed or certified.",
            examples=["open"],
        ),
    ]
    on: Annotated[
        Day | None,
        Field(
            description="Only the period that this day is in, its first day and its end included.",
            examples=["2022-03-31"],
        ),
    ] = None


class PeriodFigure(ResponseModel):
    """A line of the Fund's statement for a period: the certified and the computed figure, and their difference."""

    line: PeriodFigureLine
    """Which figure it is."""
    certified: Money | None
    """The certified amount; null where none is stored."""
    as_printed: str | None
    """The line as the certified document prints it; null where no certified figure is stored."""
    computed: Money
    """The amount that the ledger gives."""
    difference: Money | None
    """`certified` less `computed`; null where no certified figure is stored."""
    comparison: FigureComparison
    """Whether both are equal, and whether a difference is explained."""
    explanation: str | None
    """Why they differ; null where nobody has said."""
    rows: int
    """Number of the entries that the computed amount is the sum of."""
    link: str
    """Path that lists these entries; in a balance and in `total_uses` some of them count as negative."""


class PeriodFigures(ResponseModel):
    """The certified and the computed figures of a period, line by line."""

    period: Code
    """Code of the period."""
    start: datetime.date
    """First day of the period."""
    end: datetime.date
    """Last day of the period."""
    status: PeriodStatus
    """Whether it is open, closed or certified."""
    items: list[PeriodFigure]
    """Every line of the Fund's statement for the period."""
    unexplained: int
    """Number of lines whose figures differ without an explanation."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# The examples of request bodies in the contract: invented.
PERIOD: dict[str, Any] = {"code": "2025", "start": "2025-01-01", "end": "2025-12-31"}
CLOSING = {"reason": "All entries of the year are reconciled with the bank statement of 31 December."}
REOPENING = {"reason": "A bank charge of November was left out."}
CERTIFICATION: dict[str, Any] = {
    "document": {
        "title": "Certified annual financial statement 2023",
        "url": "https://example.org/statement-2023.pdf",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
    "signatory": {"name": "A. Signatory", "function": "Executive Coordinator"},
    "date": "2024-05-31",
    "figures": [{"line": "deposit", "amount": "542500.00", "as_printed": "Contributions from donors 542,500"}],
}
EXPLANATION = {"line": "deposit", "explanation": "The statement counts a deposit of 2 January with December."}
