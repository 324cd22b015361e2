"""The wire shapes of contributions, contributors, targets, progress and printed figures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import Amount, ListQuery, PointInTime, TotalsQuery, UpdatedSince, Values
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.contributions.domain import (
    Basis,
    ContributionStage,
    ContributorType,
    DatePrecision,
    Precision,
    PrintedUnit,
    Qualifier,
)

NUMBER = r"^-?[0-9]{1,16}(\.[0-9]{1,2})?$"


class Stage(ResponseModel):
    """A stage of money; amounts of different stages are never added together."""

    code: Code
    number: int
    name: str
    definition: str
    sources: list[SourceRef]
    updated: datetime


class ContributorRef(ResponseModel):
    """A contributor as a contribution names it."""

    code: Code
    name: str
    type: ContributorType
    country: str | None


class Contributor(ResponseModel):
    """Who gives to the Fund; `country` is the ISO 3166-1 alpha-3 code of a Member State."""

    code: Code
    name: str
    as_printed: str
    type: ContributorType
    country: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None
    sources: list[SourceRef]
    updated: datetime


class Contribution(ResponseModel):
    """An amount given to the Fund, cumulative to `as_of`.

    `basis` says what the amount counts. It is `unspecified`, and `stage` then `contribution`, where the source does
    not say whether it was committed or deposited. Where a source prints a year or a month only, as `as_of_precision`
    says, `as_of` is its last day.
    """

    code: Code
    contributor: ContributorRef
    sum: Money
    stage: ContributionStage
    basis: Basis
    precision: Precision
    as_printed: str
    as_of: date
    as_of_precision: DatePrecision
    sources: list[SourceRef]
    updated: datetime


class Target(ResponseModel):
    """A capitalization target: a dated record, since the Fund sets a new one for each review forum.

    Where a source prints a year or a month only, as `due_precision` says, `due` is its last day.
    """

    code: Code
    name: str
    sum: Money
    event: str
    due: date
    due_precision: DatePrecision
    as_printed: str | None
    verified: bool
    sources: list[SourceRef]
    updated: datetime


class Contributed(ResponseModel):
    """What was contributed at one stage and on one basis, and its share of a target.

    `after_due` is true when the contributions are counted to a later date than the target was due, so that they do not
    show whether it was met in time.
    """

    stage: ContributionStage
    basis: Basis
    sum: Money
    rows: int
    link: str
    as_of: date
    after_due: bool
    share: Share


class TargetProgress(ResponseModel):
    """How far contributions have come towards one target; bases are never added together."""

    target: Target
    contributed: list[Contributed]


class Progress(ResponseModel):
    """Progress towards every target, the latest due first."""

    targets: list[TargetProgress]
    revision: int


class PrintedFigure(ResponseModel):
    """A figure as a source prints it; `value` is its decimal reading in `unit`."""

    value: Annotated[str, Field(pattern=NUMBER)]
    unit: PrintedUnit
    qualifier: Qualifier
    as_printed: str


class ComputedFigure(ResponseModel):
    """The same figure computed from the rows at `link`; `difference` is printed minus computed."""

    value: Annotated[str, Field(pattern=NUMBER)]
    difference: Annotated[str, Field(pattern=NUMBER)]
    link: str
    rows: int


class Fact(ResponseModel):
    """A figure that the Fund publishes about itself, beside what our own rows add up to, where they can."""

    code: Code
    name: str
    printed: PrintedFigure
    note: str | None
    sources: list[SourceRef]
    updated: datetime
    computed: ComputedFigure | None


class StagePage(Page[Stage]):
    """One page of stages of money."""


class ContributorPage(Page[Contributor]):
    """One page of contributors."""


class ContributionPage(Page[Contribution]):
    """One page of contributions."""


class TargetPage(Page[Target]):
    """One page of capitalization targets."""


class FactPage(Page[Fact]):
    """One page of facts of the Fund."""


class StageQuery(ListQuery):
    """Stages of money, all of them."""

    sort: Annotated[Literal["number", "-number"], Field(description="The order.")] = "number"


class ContributorQuery(ListQuery):
    """Which contributors."""

    sort: Annotated[Literal["code", "-code", "name", "-name"], Field(description="The order.")] = "code"
    contributor_type: Annotated[list[ContributorType], Field(default_factory=list, max_length=100)]
    country: Annotated[Values, Field(description="ISO 3166-1 alpha-3 code of a Member State.", examples=["DEU"])]


class ContributionFilter(PointInTime):
    """Which contributions: any of a repeated filter, all of different ones."""

    contributor: Annotated[Values, Field(description="Code of a contributor.", examples=["DEU"])]
    contributor_type: Annotated[list[ContributorType], Field(default_factory=list, max_length=100)]
    country: Annotated[Values, Field(description="ISO 3166-1 alpha-3 code of a contributing Member State.")]
    stage: Annotated[list[ContributionStage], Field(default_factory=list, max_length=100)]
    basis: Annotated[list[Basis], Field(default_factory=list, max_length=100)]
    amount_min: Annotated[Amount | None, Field(description="Smallest amount, in USD.")] = None
    amount_max: Annotated[Amount | None, Field(description="Largest amount, in USD.")] = None
    updated_since: UpdatedSince = None


class ContributionQuery(ContributionFilter, ListQuery):
    """Which contributions, and in which order."""

    sort: Annotated[
        Literal["-amount", "amount", "code", "-code", "updated", "-updated"], Field(description="The order.")
    ] = "-amount"


class ContributionTotalsQuery(ContributionFilter, TotalsQuery):
    """Which contributions are summed, and what the sum is divided by."""

    by: Annotated[
        list[Literal["contributor", "contributor_type", "stage", "basis"]],
        Field(min_length=1, max_length=1, description="What the total is divided by.", examples=["contributor_type"]),
    ] = ["contributor_type"]


class TargetQuery(ListQuery):
    """Capitalization targets, all of them."""

    sort: Annotated[Literal["-due", "due", "code", "-code"], Field(description="The order.")] = "-due"


class FactQuery(ListQuery):
    """Facts of the Fund, all of them."""

    sort: Annotated[Literal["code", "-code"], Field(description="The order.")] = "code"
