"""The wire shapes of the results framework: indicators, reported values, and progress."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue
from typing_extensions import TypeAliasType

from mmptf_common.wire.attachments import Attachment, AttachmentSent
from mmptf_common.wire.base import (
    Code,
    Day,
    ListedCode,
    NewCode,
    OrganizationCode,
    PatchModel,
    RequestModel,
    ResponseModel,
    Text,
    unset,
    worded,
)
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share
from mmptf_common.wire.sources import SourceRef
from mmptf_markers.evidence.schemas import Line, LongText
from mmptf_markers.indicator.schemas import TargetStatus

ResultsScope = TypeAliasType("ResultsScope", Literal["fund", "programme"])
"""Whose results an indicator measures.

- `fund`: those of the Fund as a whole
- `programme`: those of one programme
"""

ResultLevel = TypeAliasType("ResultLevel", Literal["outcome", "output", "impact"])
"""Level of the results chain that an indicator measures.

- `outcome`: what changes for people or institutions
- `output`: what the work itself produces
- `impact`: the lasting change to which outcomes contribute
"""

ResultUnit = TypeAliasType("ResultUnit", Literal["people", "number", "usd", "per_cent", "score", "yes_no"])
"""Unit of the values of an indicator.

- `people`: people, in whole numbers
- `number`: other things that are counted, such as laws or trainings; parts add up
- `usd`: US dollars, with two decimals at most
- `per_cent`: per cent; parts do not add up
- `score`: points on a scale that the definition describes; parts do not add up
- `yes_no`: 1 for yes, 0 for no
"""

ResultDirection = TypeAliasType("ResultDirection", Literal["increase", "decrease", "maintain"])
"""Where the values of an indicator are to go.

- `increase`: a target is met by its value or more
- `decrease`: a target is met by its value or less
- `maintain`: values are to stay as they are; no source says how far they may differ, so nothing is said to be met
"""

ValueAggregation = TypeAliasType("ValueAggregation", Literal["sum", "cumulative", "latest"])
"""What several reported values together are.

- `sum`: each value is of its period alone, and the sum of all counts
- `cumulative`: each value is the total since the beginning, at the end of its period, and the latest counts
- `latest`: each value is the state at the end of its period, and the latest counts
"""

ReportedValueStatus = TypeAliasType("ReportedValueStatus", Literal["reported", "withdrawn"])
"""Whether a reported value counts.

- `reported`: it counts
- `withdrawn`: it was taken back and counts for nothing; its history says why
"""

ResultStanding = TypeAliasType("ResultStanding", Literal["met", "not_met", "undetermined", "unreported"])
"""Whether the last target of an indicator is met.

- `met`: the value that counts has reached it
- `not_met`: the value that counts has not reached it
- `undetermined`: it depends on programmes that are not assessed yet, or not recorded here
- `unreported`: there is no value
"""

ValueSent = Annotated[
    str,
    Field(
        pattern=worded(
            r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,6})?$",
            'a decimal number as text with at most six decimals and without separators, such as "1250" or "37.5"',
        ),
        examples=["120"],
    ),
    AfterValidator(lambda value: value_text(Decimal(value))),
]
# Sums have more digits than what is added up.
ValueText = Annotated[str, Field(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,6})?$")]
_Reason = Annotated[Text, Field(max_length=2000)]
_Disaggregations = dict[NewCode, Annotated[list[NewCode], Field(min_length=1, max_length=40)]]
_PartsSent = dict[Code, Annotated[dict[Code, ValueSent], Field(min_length=1, max_length=41)]]


def value_text(value: Decimal) -> str:
    """A value as text, without zeros that say nothing: `1250`, `37.5`, `0`."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


class IndicatorBaselineSent(RequestModel):
    """What an indicator was before the work began."""

    value: ValueSent
    """Value, as decimal text."""
    date: Day | None = None
    """Day of which the value is; left out where that is not stated."""
    source: Line | None = None
    """What states it, such as the programme document; left out where nothing does."""


class ResultTargetSent(RequestModel):
    """What an indicator is to be on a day."""

    value: ValueSent
    """Value, as decimal text."""
    due: Day
    """Day by which it is to be reached."""


_Targets = Annotated[list[ResultTargetSent], Field(max_length=40)]


class ResultsIndicatorSent(RequestModel):
    """An indicator of the Fund or of a programme."""

    code: NewCode
    """Code of the indicator, unique among all, such as `ETH-01-people-trained`."""
    programme: ListedCode | None = None
    """Code of the programme, as at `/catalog/v1/programmes`; left out for an indicator of the Fund."""
    name: Line
    """What is measured, for people."""
    definition: LongText
    """What exactly counts, and what does not."""
    unit: ResultUnit
    """Unit of its values; it never changes."""
    direction: ResultDirection
    """Where its values are to go."""
    aggregation: ValueAggregation
    """What several reported values together are; it never changes."""
    level: ResultLevel
    """Level of the results chain."""
    baseline: IndicatorBaselineSent | None = None
    """What it was before the work began; left out where that is not stated."""
    targets: _Targets = []
    """What it is to be, and when; each on another day."""
    means_of_verification: LongText | None = None
    """Where its values come from and how they are checked, such as attendance lists."""
    responsible_organization: OrganizationCode | None = None
    """Code of the organization that reports it, which takes part in the programme; null for an indicator of the Fund,
    which its management unit reports.
    """
    disaggregations: Annotated[_Disaggregations, Field(max_length=20)] = {}
    """How values may be divided: dimension, such as `sex`, and its codes, such as `women` and `men`. Each dimension
    also takes `not_stated`, which is not listed.
    """


class ResultsIndicatorAmendment(PatchModel):
    """A change of an indicator. What is not sent stays as it is."""

    name: Annotated[Line, Field(default_factory=unset)]
    """What is measured, for people."""
    definition: Annotated[LongText, Field(default_factory=unset)]
    """What exactly counts, and what does not."""
    direction: Annotated[ResultDirection, Field(default_factory=unset)]
    """Where its values are to go."""
    level: Annotated[ResultLevel, Field(default_factory=unset)]
    """Level of the results chain."""
    baseline: Annotated[IndicatorBaselineSent | None, Field(default_factory=unset)]
    """What it was before the work began; null where that is not stated."""
    targets: Annotated[_Targets, Field(default_factory=unset)]
    """What it is to be, and when; the list replaces the one that was there."""
    means_of_verification: Annotated[LongText | None, Field(default_factory=unset)]
    """Where its values come from and how they are checked."""
    responsible_organization: Annotated[OrganizationCode | None, Field(default_factory=unset)]
    """Code of the organization that reports it."""
    disaggregations: Annotated[_Disaggregations, Field(default_factory=unset, max_length=20)]
    """How values may be divided; the whole replaces what was there, and has every code that a value uses."""
    reason: _Reason
    """Why it is changed, for the public."""


class IndicatorBaseline(ResponseModel):
    """What an indicator was before the work began."""

    value: ValueText
    """Value, as decimal text."""
    date: date | None
    """Day of which the value is; null where that is not stated."""
    source: str | None
    """What states it; null where nothing does."""


class ResultTarget(ResponseModel):
    """What an indicator is to be on a day."""

    value: ValueText
    """Value, as decimal text."""
    due: date | None
    """Day by which it is to be reached; null where no source states one."""


class ResultsIndicator(ResponseModel):
    """An indicator of the results framework of the Fund or of a programme: what is measured, from which baseline, and
    what is to be reached.
    """

    code: Code
    """Code of the indicator, such as `human-rights-90`."""
    scope: ResultsScope
    """Whose results it measures: those of the Fund, or of a programme."""
    programme: Code | None
    """Code of the programme, as at `/catalog/v1/programmes`; null for an indicator of the Fund."""
    name: str
    """What is measured, for people."""
    definition: str
    """What exactly counts, and what does not."""
    unit: ResultUnit
    """Unit of its values."""
    direction: ResultDirection
    """Where its values are to go."""
    aggregation: ValueAggregation
    """What several reported values together are."""
    level: ResultLevel | None
    """Level of the results chain; null where no source states it."""
    baseline: IndicatorBaseline | None
    """What it was before the work began; null where that is not stated."""
    targets: list[ResultTarget]
    """What it is to be, the earliest day first; one without a day is the last."""
    means_of_verification: str | None
    """Where its values come from and how they are checked; null where that is not stated."""
    responsible_organization: Code | None
    """Code of the organization that reports it, as at `/catalog/v1/organizations`; null where none is stated, and for
    indicators of the Fund.
    """
    disaggregations: dict[Code, list[Code]]
    """How values may be divided: dimension, such as `sex`, and its codes; each dimension also takes `not_stated`."""
    computed: bool
    """Whether its value is computed here from other records, so that none is reported."""
    marker_target: Code | None
    """Code of the marker's target, as at `/markers/v1/targets`, from whose indicator at `/markers/v1/indicator` the
    value is computed; null where values are reported.
    """
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ResultsIndicatorPage(Page[ResultsIndicator]):
    """One page of indicators of the results framework."""


class _ValueContent(RequestModel):
    """What both a new value and the correction of one state."""

    start: Day | None = None
    """First day of the period; left out for the value of one day. Of an indicator whose values are summed it is needed.
    """
    end: Day
    """Last day of the period, or the day; not later than today."""
    value: ValueSent
    """Value, as decimal text in the unit of the indicator."""
    disaggregation: Annotated[_PartsSent, Field(max_length=20)] = {}
    """Parts of the value: dimension, code, and the value of the part. In units that are counted the parts of each
    dimension add up to the value; the rest is `not_stated`.
    """
    source: LongText
    """What the value is taken from, such as the annual report."""
    attachment: AttachmentSent | None = None
    """The document of the source, where it is stored; left out where there is none."""
    note: LongText | None = None
    """What a reader of the value has to know; left out where there is nothing."""


class ReportedValueSent(_ValueContent):
    """A value of an indicator in a period, or on a day."""

    indicator: ListedCode
    """Code of the indicator, as at `/markers/v1/results-indicators`."""


class ReportedValueCorrection(_ValueContent):
    """What replaces a reported value as a whole, and why."""

    reason: _Reason
    """Why it is corrected, for the public."""


class ReportedValueWithdrawal(RequestModel):
    """Why a reported value is taken back."""

    reason: _Reason
    """Why it is taken back, for the public."""


class ReportedValue(ResponseModel):
    """A value of an indicator in a period, or on a day, as an organization reported it. A correction replaces it; its
    history has what was there before, and why it was corrected.
    """

    code: Code
    """Code of the value, such as `RV-000001`."""
    indicator: Code
    """Code of the indicator, as at `/markers/v1/results-indicators`."""
    programme: Code | None
    """Code of the programme whose indicator it is; null for one of the Fund."""
    organization: Code | None
    """Code of the organization that reported it, or corrected it last; null where the access token named none."""
    start: date | None
    """First day of the period; null for the value of one day."""
    end: date
    """Last day of the period, or the day."""
    value: ValueText
    """Value, as decimal text in the unit of the indicator."""
    disaggregation: dict[Code, dict[Code, ValueText]]
    """Parts of the value: dimension, such as `sex`, then code, such as `women`, and the value of the part; empty where
    it was reported undivided.
    """
    source: str
    """What the value is taken from, as the organization states it."""
    attachment: Attachment | None
    """The document of the source, where it is stored; null where none was named."""
    note: str | None
    """What a reader of the value has to know; null where there is nothing."""
    status: ReportedValueStatus
    """Whether it counts, or was withdrawn."""
    sources: list[SourceRef]
    """Where it was reported: the submission of the organization."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ReportedValuePage(Page[ReportedValue]):
    """One page of reported values."""


class ProgressFraction(ResponseModel):
    """How far a value has come from the baseline to the last target: the exact fraction in lowest terms, and rounded.

    It is below zero where the value has gone the other way, and above one where it has gone beyond the target.
    """

    numerator: Annotated[str, Field(pattern=r"^-?[0-9]+$")]
    """Number above the line of the fraction, as text: `-1` of -1/4."""
    denominator: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]
    """Number below the line of the fraction, as text: `4` of -1/4."""
    decimal: Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{4}$")]
    """The fraction with four decimals, rounded down (towards less), so that `1.0000` is never shown before the target
    is reached; to be shown, not calculated with.
    """


class UnreportedPeriod(ResponseModel):
    """Days between reported values of which nothing is reported."""

    start: date
    """First of these days."""
    end: date
    """Last of these days."""


class ComputedResult(ResponseModel):
    """From what the value of a computed indicator follows: the indicator of a marker's target."""

    marker_target: Code
    """Code of the marker's target, as at `/markers/v1/targets`."""
    standing: TargetStatus
    """Whether that target is met, as far as that is certain."""
    counted: int
    """Number of the programmes that count for the target."""
    programmes: int
    """Number of the programmes that are recorded here at the stage of the target."""
    unassessed: int
    """Number of them without a current grade."""
    not_held: int
    """Number of programmes that a document counts beside those that are recorded here."""
    share: Share | None
    """`counted` divided by `programmes`; null where there are none. It is no value of the indicator as long as grades
    that are not known decide whether the target is met.
    """
    link: str
    """Path of the marker's indicator, with all of its members."""


class IndicatorProgress(ResponseModel):
    """How far one indicator has come, and what of it is unreported."""

    code: Code
    """Code of the indicator, as at `/markers/v1/results-indicators`."""
    scope: ResultsScope
    """Whose results it measures."""
    programme: Code | None
    """Code of the programme; null for an indicator of the Fund."""
    name: str
    """What is measured, for people."""
    unit: ResultUnit
    """Unit of all values."""
    value: ValueText | None
    """What counts of all reported values, by the aggregation of the indicator; null where there is none, which is not
    zero. Of a computed indicator null while it is not certain whether the target is met; else rounded down to two
    decimals.
    """
    value_end: date | None
    """Last day of the period of the latest value; null where there is none, and where the value is computed."""
    values: int
    """Number of reported values that count."""
    baseline: IndicatorBaseline | None
    """What it was before the work began; null where that is not stated."""
    next_target: ResultTarget | None
    """The first target that is not due before today; null where there is none."""
    final_target: ResultTarget | None
    """The last target; null where there is none."""
    fraction: ProgressFraction | None
    """Value less baseline, divided by the last target less baseline; null where one of the three is missing, or target
    and baseline are the same.
    """
    standing: ResultStanding | None
    """Whether the last target is met; null where there is no target, where values are to stay as they are, and where
    there are no programmes to count.
    """
    targets_due: int
    """Number of targets whose day is past."""
    targets_due_unreported: int
    """Number of these of which no value is reported; none of a computed indicator."""
    unreported_targets: list[ResultTarget]
    """Targets whose day is past, and of which no value is reported: none whose period ends after the day of the target
    before, and begins no later than the day of this one.
    """
    unreported_periods: list[UnreportedPeriod]
    """Days between reported values of which none is, which the sum lacks; empty where values are not summed."""
    computed: ComputedResult | None
    """From what the value is computed; null where values are reported."""


class ReportedCounts(ResponseModel):
    """How many indicators have a value. What is unreported is counted as that, and never as zero."""

    indicators: int
    """Number of indicators."""
    with_value: int
    """Number of them with a value."""
    without_value: int
    """Number of them without one."""
    share: Share | None
    """`with_value` divided by `indicators`; null where there are none."""
    met: int
    """Number of them whose last target is met."""
    targets_due: int
    """Number of their targets whose day is past."""
    targets_due_unreported: int
    """Number of these of which no value is reported."""


class ReportedGroup(ResponseModel):
    """How many indicators of the Fund, or of one programme, have a value."""

    scope: ResultsScope
    """Whose indicators they are."""
    programme: Code | None
    """Code of the programme; null for the Fund."""
    counts: ReportedCounts
    """How many of them have a value."""


class ResultsProgress(ResponseModel):
    """How far the indicators that match the filters have come, and how many have a value."""

    day: date
    """Day on which targets are due or not: today in UTC, or the day of `as_of`."""
    whole: ReportedCounts
    """All of these indicators together."""
    groups: list[ReportedGroup]
    """Those of the Fund, then those of each programme in the order of the codes."""
    indicators: list[IndicatorProgress]
    """Each of the indicators: those of the Fund, then those of each programme, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# The examples of request bodies in the contract.
EXAMPLE_INDICATOR: dict[str, JsonValue] = {
    "code": "fund-trainings",
    "name": "Trainings on human rights of migrants",
    "definition": "Trainings of a day or more that a funded programme has held, each counted once.",
    "unit": "number",
    "direction": "increase",
    "aggregation": "sum",
    "level": "output",
    "baseline": {"value": "0", "date": "2019-05-07", "source": "The Fund had no programmes."},
    "targets": [{"value": "40", "due": "2027-12-31"}],
    "means_of_verification": "Annual reports of the programmes, with lists of participants.",
    "disaggregations": {"language": ["en", "fr", "es"]},
}
EXAMPLE_INDICATOR_AMENDMENT: dict[str, JsonValue] = {
    "targets": [{"value": "300", "due": "2025-12-31"}, {"value": "700", "due": "2027-12-31"}],
    "reason": "The Steering Committee has extended the programme.",
}
EXAMPLE_PROGRAMME_INDICATOR: dict[str, JsonValue] = {
    "code": "ETH-01-people-trained",
    "programme": "ETH-01",
    "name": "Young migrants who have completed vocational training",
    "definition": "Migrants of 15 to 24 years who have completed a course of the programme, each counted once.",
    "unit": "people",
    "direction": "increase",
    "aggregation": "sum",
    "level": "output",
    "baseline": {"value": "0", "date": "2023-01-01", "source": "Programme document"},
    "targets": [{"value": "300", "due": "2025-12-31"}, {"value": "600", "due": "2027-12-31"}],
    "means_of_verification": "Certificates of the training centres.",
    "responsible_organization": "ILO",
    "disaggregations": {"sex": ["women", "men", "other"], "age": ["15-17", "18-24"]},
}
EXAMPLE_VALUE: dict[str, JsonValue] = {
    "indicator": "ETH-01-people-trained",
    "start": "2025-01-01",
    "end": "2025-12-31",
    "value": "180",
    "disaggregation": {"sex": {"women": "95", "men": "80", "not_stated": "5"}},
    "source": "Annual report 2025, section 3",
    "attachment": {
        "title": "Annual report 2025",
        "url": "https://docs.example.org/eth-01-annual-report-2025.pdf",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
}
EXAMPLE_VALUE_CORRECTION: dict[str, JsonValue] = {
    "start": "2024-01-01",
    "end": "2024-12-31",
    "value": "118",
    "disaggregation": {"sex": {"women": "60", "men": "58"}},
    "source": "Annual report 2024, section 3, corrected",
    "reason": "Two people were counted twice.",
}
EXAMPLE_VALUE_WITHDRAWAL: dict[str, JsonValue] = {"reason": "It was reported for another programme."}
