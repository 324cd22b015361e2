"""The wire shapes of evidence and of risks to human rights, each of which says who may read it."""

from __future__ import annotations

from datetime import date
from operator import not_
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, Day, RequestModel, ResponseModel, Text, worded
from mmptf_common.wire.texts import HIDDEN, visible_text

Visibility = TypeAliasType(
    "Visibility",
    Literal["restricted", "public"],
)
"""Who may read a piece of evidence or a row of due diligence.

- `restricted`: the participating organizations, whoever has claimed the review, and the Fund's management unit; all
  others see how many there are
- `public`: everybody
"""

EvidenceKind = TypeAliasType(
    "EvidenceKind",
    Literal["programme_document", "procedure", "minutes", "data", "report", "other"],
)
"""What an answer rests on.

- `programme_document`: the document of the programme, its results framework or its budget
- `procedure`: a rule, an agreement or terms of reference that is in force
- `minutes`: the record of a meeting or of consultations
- `data`: figures that were collected
- `report`: a report, a study or an evaluation
- `other`: none of these; its title says what it is
"""

Likelihood = TypeAliasType(
    "Likelihood",
    Literal["unlikely", "possible", "likely"],
)
"""How likely it is that a risk comes true, as the organization sees it.

- `unlikely`: it would be a surprise
- `possible`: it may come about
- `likely`: it is expected, or has happened before
"""

Severity = TypeAliasType(
    "Severity",
    Literal["limited", "serious", "grave"],
)
"""What a risk would mean for the people, as the organization sees it.

- `limited`: it is soon made good
- `serious`: it is made good with effort
- `grave`: it cannot be made good, such as harm to life, liberty or health
"""

LongText = Annotated[Text, Field(max_length=4000)]
Line = Annotated[Text, Field(max_length=300)]
Url = Annotated[
    str,
    Field(
        pattern=worded(
            rf"^https?://[^\s{HIDDEN}]+$",
            "an address that begins with http:// or https:// and has no spaces, such as https://example.org/report.pdf",
        ),
        max_length=2000,
    ),
    AfterValidator(visible_text),
]


class Evidence(ResponseModel):
    """Where a reader finds what an answer rests on: a link, a document with the place in it, or both."""

    title: Line
    """Title or description of the evidence, such as Programme document."""
    kind: EvidenceKind | None = None
    """Sort of source; null, or left out, where it was stated before that was asked for."""
    url: Url | None
    """Address at which it is published; null where it is not."""
    document: Line | None
    """Title of the document; null where there is only a link."""
    locator: Line | None
    """Where in the document it stands, such as section 2.1; null where that is not stated."""
    visibility: Visibility = "restricted"
    """Who may read it."""


class EvidenceSent(RequestModel):
    """Where a reader finds what an answer rests on: a document or a link, and the place in it."""

    title: Line
    """Title or description of the evidence, such as Programme document."""
    kind: EvidenceKind
    """Sort of source, such as the minutes of a meeting."""
    url: Url | None = None
    """Address at which it is published; needed where there is no `document`."""
    document: Line | None = None
    """Title of the document; needed where there is no `url`."""
    locator: Line
    """Where in it, such as section 2.1: nobody looks through a document for what an answer rests on."""
    visibility: Visibility = "restricted"
    """Who may read it once the assessment is submitted."""


class RiskSent(RequestModel):
    """A risk to human rights that due diligence has found, and what is done about it."""

    risk: LongText
    """What could happen to people."""
    people: Annotated[Line, Field(description="Whose rights are at risk, such as migrants in an irregular situation.")]
    measure: LongText
    """What is done to prevent or lessen it."""
    owner: Line
    """The role or unit that does it; not the name of a person."""
    due: Day | None = None
    """Day by which the measure is to be taken."""
    likelihood: Likelihood | None = None
    """How likely it is without the measure."""
    severity: Severity | None = None
    """How severe it would be for the people."""
    residual: Likelihood | None = None
    """How likely it is with the measure."""
    suspends_when: LongText | None = None
    """What would have to happen for the work to be suspended."""
    visibility: Visibility = "restricted"
    """Who may read it once the assessment is submitted; that there is a risk, and how far the measure has come, is
    public.
    """


class Risk(ResponseModel):
    """A risk to human rights that due diligence has found, and what is done about it."""

    risk: str
    """What could happen to people."""
    people: str
    """Whose rights are at risk, such as migrants in an irregular situation."""
    measure: str
    """What is done to prevent or lessen it."""
    owner: str
    """The role or unit that does it; never the name of a person."""
    due: date | None
    """Day by which the measure is to be taken; null where none is set."""
    likelihood: Likelihood | None = None
    """How likely it is without the measure; null, or left out, where that is not stated."""
    severity: Severity | None = None
    """How severe it would be for the people; null, or left out, where that is not stated."""
    residual: Likelihood | None = None
    """How likely it is with the measure; null, or left out, where that is not stated."""
    suspends_when: str | None = None
    """What would have to happen for the work to be suspended; null, or left out, where that is not stated."""
    visibility: Visibility = "restricted"
    """Who may read it."""
    code: Annotated[Code | None, Field(exclude_if=not_)] = None
    """Code under which the measure goes on by itself, at `/markers/v1/actions`; left out in drafts."""
