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
    """One of the stages that money passes through, from what is asked for to what is spent, in words of our own.

    The same money is counted again at each of them, so amounts of different stages are never added together.
    """

    code: Code
    """Code of the stage, as `stage` of other records has it, such as `deposit`."""
    number: int
    """Position in the order in which money passes the stages, from 1."""
    name: str
    """Name of the stage, for people."""
    definition: str
    """Which money counts as this stage, such as cash received by the administrative agent for `deposit`."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ContributorRef(ResponseModel):
    """A contributor as a contribution names it."""

    code: Code
    """Code of the contributor, as at `/funding/v1/contributors`."""
    name: str
    """Name as the United Nations write it, such as United States of America."""
    type: ContributorType
    """Whether it is a Member State, a foundation, or another organization."""
    country: str | None
    """ISO 3166-1 alpha-3 code of a Member State; null for other contributors."""


class Contributor(ResponseModel):
    """Who gives to the Fund: a Member State, a foundation, or another organization that is no government."""

    code: Code
    """Code of the contributor: for a Member State the ISO 3166-1 alpha-3 code of its country."""
    name: str
    """Name as the United Nations write it, such as United States of America."""
    as_printed: str
    """Name as the source prints it, such as UNITED STATES."""
    type: ContributorType
    """Whether it is a Member State, a foundation, or another organization."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None
    """ISO 3166-1 alpha-3 code of a Member State; null for other contributors."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Contribution(ResponseModel):
    """What one contributor has given to the Fund in all up to a day, as the Fund's publications print it.

    Entries of the ledger are other records of the same money: the two are never added together.
    """

    code: Code
    """Code of the record, such as `DEU-2024-01`."""
    contributor: ContributorRef
    """Who gave it."""
    sum: Money
    """The amount given in all up to the day `as_of`, not in one year."""
    stage: ContributionStage
    """Stage of money; `contribution` where the source does not say whether it was committed or deposited."""
    basis: ContributionBasis
    """What the amount counts as its source says, such as deposits; `unspecified` where it does not say."""
    precision: AmountPrecision
    """Whether the amount is exact, or rounded as printed."""
    as_printed: str
    """The amount as the source prints it, such as `19,569,912 USD`."""
    as_of: date
    """Last day that the amount counts. It is a day of the source, not the moment that the parameter `as_of` names."""
    as_of_precision: DatePrecision
    """Whether the source prints a day, a month or a year; of the latter two, `as_of` is the last day."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class CapitalizationTarget(ResponseModel):
    """What the Fund is to raise in all up to a day: its capitalization target. Each review forum has a target of its
    own.
    """

    code: Code
    """Code of the target, such as `IMRF-2026`."""
    name: str
    """Name of the target, for people."""
    sum: Money
    """The amount that is to be raised in all."""
    event: str
    """The review forum by which it is to be raised, such as International Migration Review Forum 2026."""
    due: date
    """Last day on which it can be reached in time."""
    due_precision: DatePrecision
    """Whether the source prints a day, a month or a year; of the latter two, `due` is the last day."""
    as_printed: str | None
    """The amount as the source prints it, such as `USD 150 million`; null where nothing is quoted."""
    verified: bool
    """Whether a text at hand confirms the amount."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class DepositsBeside(ResponseModel):
    """What the ledger has as deposited up to the day of a printed sum, and why the two differ."""

    deposits: Money
    """The deposits of the ledger up to the day that the printed sum counts."""
    difference: Money
    """The printed sum less `deposits`."""
    reason: str | None
    """Why they differ, for people; null where they do not."""


class PrintedContributions(ResponseModel):
    """What sources print as contributed at one stage of money and on one basis, beside the deposits of the ledger."""

    stage: ContributionStage
    """Stage of money of these contributions."""
    basis: ContributionBasis
    """What the amounts count as their source says; `unspecified` where it does not say."""
    sum: Money
    """Exact sum of the printed contributions."""
    link: str
    """Path that lists the contributions."""
    as_of: date
    """Last day that any of the contributions counts."""
    ledger: DepositsBeside
    """The deposits of the ledger up to that day."""


class ContributedSum(ResponseModel):
    """What was contributed at one stage of money and on one basis, and its share of a target."""

    stage: ContributionStage
    """Stage of money of these contributions."""
    basis: ContributionBasis
    """What the amounts count as their source says; `unspecified` where it does not say."""
    sum: Money
    """Exact sum of the contributions."""
    rows: int
    """Number of the contributions."""
    link: str
    """Path that lists the contributions."""
    as_of: date
    """Last day that any of the contributions counts."""
    after_due: bool
    """Whether `as_of` is after `due` of the target; the sum then does not show whether it was reached in time."""
    share: Share
    """The sum divided by the amount of the target."""
    ledger: DepositsBeside | None
    """The deposits of the ledger up to `as_of`; null for another currency than US dollars."""


class CapitalizationTargetProgress(ResponseModel):
    """One target, and what was contributed towards it."""

    target: CapitalizationTarget
    """The target with its amount and day."""
    contributed: list[ContributedSum]
    """One sum for each stage of money and basis; they count the same money, and are never added together."""


class CapitalizationProgress(ResponseModel):
    """How much of each capitalization target the contributions are."""

    targets: list[CapitalizationTargetProgress]
    """Each target with what was contributed, the one that is due last first."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class PrintedFigure(ResponseModel):
    """A figure as a source prints it, and as a number."""

    value: Annotated[str, Field(pattern=NUMBER)]
    """The figure as decimal text in `unit`, such as `57500000.00` where USD 57.5M is printed."""
    unit: FigureUnit
    """Whether it counts US dollars, per cent or things, or is a calendar year."""
    qualifier: FigureQualifier
    """How exact the source says that it is."""
    as_printed: str
    """The words of the source, such as `USD 57.5M`."""


class ComputedFigure(ResponseModel):
    """The same figure computed from the contributions that are listed here."""

    value: Annotated[str, Field(pattern=NUMBER)]
    """The figure as decimal text, in the unit of the printed one."""
    difference: Annotated[str, Field(pattern=NUMBER)]
    """Printed minus computed, as decimal text in the unit of both."""
    link: str
    """Path of the contributions that are counted, or of the progress that is computed from them."""
    rows: int
    """Number of the contributions that are counted."""


class PublishedFigure(ResponseModel):
    """A figure that the Fund publishes, beside what the contributions that are listed here give."""

    code: Code
    """Code of the figure, such as `contributions-mobilised`."""
    name: str
    """What the figure states, for people."""
    printed: PrintedFigure
    """What the source prints: the number, its unit and how exact it is."""
    note: str | None
    """What a reader of the figure has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""
    computed: ComputedFigure | None
    """The same figure computed from contributions; null where they cannot give it."""


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
        Field(
            default_factory=list,
            max_length=100,
            description="What the contributor is, such as a Member State.",
            examples=["member_state"],
        ),
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a Member State. `not_stated` finds contributors that are none.",
            examples=["DEU"],
        ),
    ]


class ContributionFilter(PointInTime):
    """Which contributions: any of a repeated filter, all of different ones."""

    contributor: Annotated[
        Values, Field(description="Code of a contributor, as at `/funding/v1/contributors`.", examples=["DEU"])
    ]
    contributor_type: Annotated[
        list[ContributorType],
        Field(
            default_factory=list,
            max_length=100,
            description="What the contributor is, such as a Member State.",
            examples=["member_state"],
        ),
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a Member State. `not_stated` finds those of other contributors.",
            examples=["DEU"],
        ),
    ]
    stage: Annotated[
        list[ContributionStage],
        Field(
            default_factory=list,
            max_length=100,
            description="Stage of money that the source states.",
            examples=["contribution"],
        ),
    ]
    basis: Annotated[
        list[ContributionBasis],
        Field(
            default_factory=list,
            max_length=100,
            description="What the source says that the amounts count.",
            examples=["unspecified"],
        ),
    ]
    amount_min: Annotated[Amount | None, Field(description="Least amount, in US dollars.", examples=["1000000.00"])] = (
        None
    )
    amount_max: Annotated[
        Amount | None, Field(description="Greatest amount, in US dollars.", examples=["20000000.00"])
    ] = None
    updated_since: UpdatedSince = None


class ContributionQuery(ContributionFilter, ListQuery):
    """Which contributions, and in which order."""

    sort: tuple[Literal["-amount", "amount", "code", "-code", "updated", "-updated"], ...] = order_by("-amount")


ContributionDivision = TypeAliasType(
    "ContributionDivision",
    Literal["contributor", "contributor_type", "stage", "basis"],
)
"""What the total of contributions can be divided by.

- `contributor`: who gave it, such as `DEU`
- `contributor_type`: what the contributor is, such as a Member State
- `stage`: stage of money; a total is of one, which is its only group
- `basis`: what the source says that the amounts count; a total is of one, which is its only group
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
