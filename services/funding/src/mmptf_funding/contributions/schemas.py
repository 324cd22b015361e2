"""The wire shapes of contributions, contributors, targets, progress and printed figures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from mmptf_common.http.parameters import Amount, ListQuery, PointInTime, TotalsQuery, UpdatedSince, Values, order_by
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.codes import AmountPrecision, DatePrecision
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.contributions.domain import (
    ContributionBasis,
    ContributionStage,
    ContributorType,
    FigureQualifier,
    FigureUnit,
)

NUMBER = r"^-?[0-9]{1,16}(\.[0-9]{1,2})?$"


class MoneyStageDefinition(ResponseModel):
    """A stage of money; amounts of different stages are never added together."""

    code: Code
    """Name of the stage in other records, such as `deposit`."""
    number: int
    """Position in the order in which money passes the stages, from 1."""
    name: str
    """Name of the stage, for people."""
    definition: str
    """What money at this stage is, and what it is not."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ContributorRef(ResponseModel):
    """A contributor as a contribution names it."""

    code: Code
    """Code of the contributor, as at `/funding/v1/contributors`."""
    name: str
    """Name, for people."""
    type: ContributorType
    """Sort of contributor."""
    country: str | None
    """ISO 3166-1 alpha-3 code of a Member State; null for other contributors."""


class Contributor(ResponseModel):
    """Who gives to the Fund; `country` is the ISO 3166-1 alpha-3 code of a Member State."""

    code: Code
    """Code of the contributor: that of the country for a Member State."""
    name: str
    """Name as the United Nations write it."""
    as_printed: str
    """Name as the source prints it."""
    type: ContributorType
    """Sort of contributor."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None
    """ISO 3166-1 alpha-3 code of a Member State; null for other contributors."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Contribution(ResponseModel):
    """An amount given to the Fund, cumulative to `as_of`.

    `basis` says what the amount counts. It is `unspecified`, and `stage` then `contribution`, where the source does
    not say whether it was committed or deposited. Where a source prints a year or a month only, as `as_of_precision`
    says, `as_of` is its last day.
    """

    code: Code
    """Code of the record."""
    contributor: ContributorRef
    """Who gave it."""
    sum: Money
    """The amount, cumulative to `as_of`."""
    stage: ContributionStage
    """Stage of money; `contribution` where the source does not say which."""
    basis: ContributionBasis
    """What the amount counts; `unspecified` where the source does not say."""
    precision: AmountPrecision
    """Whether the figure is exact, or rounded as printed."""
    as_printed: str
    """The words or the figure as the source prints them."""
    as_of: date
    """Day to which the amount is counted."""
    as_of_precision: DatePrecision
    """Whether the source prints a day, a month or a year; of the latter two, `as_of` is the last day."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class CapitalizationTarget(ResponseModel):
    """A capitalization target: a dated record, since the Fund sets a new one for each review forum.

    Where a source prints a year or a month only, as `due_precision` says, `due` is its last day.
    """

    code: Code
    """Code of the target, such as `IMRF-2026`."""
    name: str
    """Name of the target, for people."""
    sum: Money
    """What is to be raised."""
    event: str
    """The review forum by which it is to be raised."""
    due: date
    """Day by which it is to be raised."""
    due_precision: DatePrecision
    """Whether the source prints a day, a month or a year; of the latter two, `due` is the last day."""
    as_printed: str | None
    """The words of the source; null where none is quoted."""
    verified: bool
    """Whether a text at hand confirms it; false for what only general knowledge or a submission says."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ContributedSum(ResponseModel):
    """What was contributed at one stage and on one basis, and its share of a target.

    `after_due` is true when the contributions are counted to a later date than the target was due, so that they do not
    show whether it was met in time.
    """

    stage: ContributionStage
    """Stage of money of these contributions."""
    basis: ContributionBasis
    """What their amounts count."""
    sum: Money
    """Exact sum of the contributions."""
    rows: int
    """Number of contributions."""
    link: str
    """Path that lists them."""
    as_of: date
    """Latest day to which one of them is counted."""
    after_due: bool
    """Whether that is after the day on which the target was due."""
    share: Share
    """The sum divided by the target."""


class CapitalizationTargetProgress(ResponseModel):
    """How far contributions have come towards one target; bases are never added together."""

    target: CapitalizationTarget
    """The capitalization target with its amount and day."""
    contributed: list[ContributedSum]
    """What was contributed, by stage and basis; these are never added together."""


class CapitalizationProgress(ResponseModel):
    """Progress towards every target, the latest due first."""

    targets: list[CapitalizationTargetProgress]
    """Each target with what was contributed, the latest due first."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class PrintedFigure(ResponseModel):
    """A figure as a source prints it; `value` is its decimal reading in `unit`."""

    value: Annotated[str, Field(pattern=NUMBER)]
    """The figure as a decimal number, in `unit`."""
    unit: FigureUnit
    """What is counted: US dollars, per cent, records, or a calendar year."""
    qualifier: FigureQualifier
    """How exact the source says that it is."""
    as_printed: str
    """The words of the source."""


class ComputedFigure(ResponseModel):
    """The same figure computed from the rows at `link`; `difference` is printed minus computed."""

    value: Annotated[str, Field(pattern=NUMBER)]
    """The figure from our rows as a decimal number, in the unit of the printed one."""
    difference: Annotated[str, Field(pattern=NUMBER)]
    """Printed minus computed."""
    link: str
    """Path that lists the rows."""
    rows: int
    """Number of the rows."""


class PublishedFigure(ResponseModel):
    """A figure that the Fund publishes about itself, beside what our own rows add up to, where they can."""

    code: Code
    """Code by which the record is found, which stays the same."""
    name: str
    """What the figure counts, for people."""
    printed: PrintedFigure
    """What the source prints: the number, its unit and how exact it is."""
    note: str | None
    """What a reader of the figure has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""
    computed: ComputedFigure | None
    """The same figure from our rows; null where they cannot give it."""


class MoneyStageDefinitionPage(Page[MoneyStageDefinition]):
    """One page of stages of money."""


class ContributorPage(Page[Contributor]):
    """One page of contributors."""


class ContributionPage(Page[Contribution]):
    """One page of contributions."""


class CapitalizationTargetPage(Page[CapitalizationTarget]):
    """One page of capitalization targets."""


class PublishedFigurePage(Page[PublishedFigure]):
    """One page of facts of the Fund."""


class StageQuery(ListQuery):
    """Stages of money, all of them."""

    sort: tuple[Literal["number", "-number"], ...] = order_by("number")


class ContributorQuery(ListQuery):
    """Which contributors."""

    sort: tuple[Literal["code", "-code", "name", "-name"], ...] = order_by("code")
    contributor_type: Annotated[
        list[ContributorType],
        Field(default_factory=list, max_length=100, description="Sort of contributor.", examples=["member_state"]),
    ]
    country: Annotated[Values, Field(description="ISO 3166-1 alpha-3 code of a Member State.", examples=["DEU"])]


class ContributionFilter(PointInTime):
    """Which contributions: any of a repeated filter, all of different ones."""

    contributor: Annotated[Values, Field(description="Code of a contributor.", examples=["DEU"])]
    contributor_type: Annotated[
        list[ContributorType],
        Field(default_factory=list, max_length=100, description="Sort of contributor.", examples=["member_state"]),
    ]
    country: Annotated[
        Values, Field(description="ISO 3166-1 alpha-3 code of a contributing Member State.", examples=["DEU"])
    ]
    stage: Annotated[
        list[ContributionStage],
        Field(default_factory=list, max_length=100, description="Stage of money.", examples=["contribution"]),
    ]
    basis: Annotated[
        list[ContributionBasis],
        Field(default_factory=list, max_length=100, description="What the amounts count.", examples=["unspecified"]),
    ]
    amount_min: Annotated[Amount | None, Field(description="Smallest amount, in USD.", examples=["1000000.00"])] = None
    amount_max: Annotated[Amount | None, Field(description="Largest amount, in USD.", examples=["20000000.00"])] = None
    updated_since: UpdatedSince = None


class ContributionQuery(ContributionFilter, ListQuery):
    """Which contributions, and in which order."""

    sort: tuple[Literal["-amount", "amount", "code", "-code", "updated", "-updated"], ...] = order_by("-amount")


ContributionDivision = TypeAliasType(
    "ContributionDivision",
    Literal["contributor", "contributor_type", "stage", "basis"],
)
"""What the total of contributions can be divided by.

- `contributor`: contributor
- `contributor_type`: sort of contributor
- `stage`: stage of money
- `basis`: what the amounts count
"""


class ContributionTotalsQuery(ContributionFilter, TotalsQuery):
    """Which contributions are summed, and what the sum is divided by."""

    by: Annotated[
        list[ContributionDivision],
        Field(min_length=1, max_length=1, description="What the total is divided by.", examples=["contributor_type"]),
    ] = ["contributor_type"]


class TargetQuery(ListQuery):
    """Capitalization targets, all of them."""

    sort: tuple[Literal["-due", "due", "code", "-code"], ...] = order_by("-due")


class FactQuery(ListQuery):
    """Facts of the Fund, all of them."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")
