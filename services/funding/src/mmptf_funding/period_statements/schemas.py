"""The wire shapes of statements for a period, of earmarked money, and of budgets against expenditure."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from mmptf_common.http.parameters import TableQuery, Values
from mmptf_common.wire.base import Code, Day, ResponseModel
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.money import Money
from mmptf_common.wire.shares import Share
from mmptf_funding.ledger.domain import LedgerEntryKind
from mmptf_funding.ledger.schemas import OnDay, StatementLine
from mmptf_funding.periods.domain import PeriodStatus

_PERIOD = Field(
    description="Code of an accounting period, as at `/funding/v1/periods`, in place of `date_from` and `date_to`.",
    examples=["2022"],
)


class PeriodStatementQuery(TableQuery):
    """Which days a statement is for: those of an accounting period, or any others; without a limit all days count."""

    period: Annotated[Code | None, _PERIOD] = None
    date_from: Annotated[
        Day | None,
        Field(
            description="First day of the statement, from its beginning; earlier entries are its opening.",
            examples=["2026-01-01"],
        ),
    ] = None
    date_to: Annotated[
        Day | None,
        Field(
            description="Last day of the statement, to its end; later entries do not count.", examples=["2026-12-31"]
        ),
    ] = None


class PeriodLine(ResponseModel):
    """What the entries of one kind add up to before, within and up to the end of a period, net of reversals."""

    kind: LedgerEntryKind
    """Kind of the entries."""
    opening: Money
    """Exact sum of the entries before the period."""
    sum: Money
    """Exact sum of the entries within the period."""
    rows: int
    """Number of the entries within the period, reversals among them."""
    link: str
    """Path that lists the entries within the period."""
    closing: Money
    """`opening` and `sum` together."""


class PeriodBalance(ResponseModel):
    """A balance before a period, its change within the period, and at its end."""

    opening: Money
    """The balance at the end of the day before the period."""
    change: Money
    """What the entries within the period change."""
    closing: Money
    """The balance at the end of the period."""


class _Head(ResponseModel):
    """The days of a statement."""

    period: Code | None
    """Code of the accounting period; null where days were asked for."""
    status: PeriodStatus | None
    """Status of the accounting period; null where days were asked for."""
    date_from: datetime.date | None
    """First day of the statement; null where there is no limit, and nothing is before it."""
    date_to: datetime.date | None
    """Last day of the statement; null where there is no limit."""


class FundPeriodStatement(_Head):
    """The Fund within a period: its cash at the beginning, what came in and went out, and its cash at the end.

    Pledges, commitments, allocations and expenditure are other stages of the same money: they stand beside the cash,
    and are never added to it.
    """

    sources: list[PeriodLine]
    """Money that came in, by kind."""
    total_sources: PeriodBalance
    """Sum of `sources`."""
    uses: list[PeriodLine]
    """Money that went out, by kind; and what reduces it, such as refunds."""
    total_uses: PeriodBalance
    """Sum of `uses`, from which what reduces them is subtracted."""
    cash: PeriodBalance
    """`total_sources` less `total_uses`: the cash with the administrative agent."""
    pledges: PeriodLine
    """What contributors have announced."""
    commitments: PeriodLine
    """What contributors have promised in signed arrangements."""
    commitment_amendments: PeriodLine
    """What amendments and partial cancellations have added to it, or taken from it."""
    exchange_differences: PeriodLine
    """What deposits in another currency are more, or below zero less, in US dollars than at the rates of commitments.
    """
    allocations: PeriodLine
    """What the Steering Committee has approved for programmes."""
    expenditures: PeriodLine
    """What organizations have reported as spent."""
    not_yet_transferred: PeriodBalance
    """Allocations less transfers: what is approved for programmes and not paid to organizations yet."""
    available_to_allocate: PeriodBalance
    """`cash` less `not_yet_transferred`: what came in, refunds among it, and is not allocated, less fees and costs."""
    balance_with_organizations: PeriodBalance
    """Transfers less refunds and expenditure: what organizations hold."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ProgrammePeriodStatement(ResponseModel):
    """One programme within a period."""

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    title: str | None
    """Title of the programme in the catalogue; null where it has none."""
    allocations: PeriodLine
    """What the Steering Committee has approved for the programme."""
    transfers: PeriodLine
    """What was paid to organizations for the programme."""
    refunds: PeriodLine
    """What organizations have returned of it."""
    expenditures: PeriodLine
    """What organizations have reported as spent for it."""
    not_yet_transferred: PeriodBalance
    """Allocations less transfers."""
    balance_with_organizations: PeriodBalance
    """Transfers less refunds and expenditure: what organizations hold of it."""


class OrganizationPeriodStatement(ResponseModel):
    """One organization within a period, over all programmes."""

    organization: Code
    """Code of the participating UN organization, as at `/catalog/v1/organizations`, such as `ILO`."""
    transfers: PeriodLine
    """What was paid to the organization."""
    refunds: PeriodLine
    """What the organization has returned."""
    expenditures: PeriodLine
    """What the organization has reported as spent."""
    balance_with_organization: PeriodBalance
    """Transfers less refunds and expenditure: what the organization holds."""


class ContributorPeriodStatement(ResponseModel):
    """One contributor within a period."""

    contributor: Code
    """Code of the contributor, as at `/funding/v1/contributors`, such as `DEU`."""
    name: str
    """Name of the contributor as at `/funding/v1/contributors`."""
    pledges: PeriodLine
    """What the contributor has announced."""
    commitments: PeriodLine
    """What the contributor has promised in signed arrangements."""
    commitment_amendments: PeriodLine
    """What amendments and partial cancellations have added to it, or taken from it."""
    deposits: PeriodLine
    """What the contributor has paid, with and without a commitment."""
    exchange_differences: PeriodLine
    """What deposits in another currency are more, or below zero less, in US dollars than at the rates of commitments.
    """
    refunds: PeriodLine
    """What was returned to the contributor."""


class ThematicAreaPeriodStatement(ResponseModel):
    """One thematic area within a period: what was restricted to it, and what was allocated to its programmes.

    Fees count in the area of their deposits, what names a programme in that of the programme, all else in the area to
    which it is restricted or in none.
    """

    thematic_area: Code
    """Code of the thematic area, as at `/catalog/v1/thematic-areas`; `not_stated` for money without one."""
    name: str | None
    """Name of the thematic area; null for `not_stated`."""
    pledges: PeriodLine
    """What contributors have announced for the area."""
    commitments: PeriodLine
    """What contributors have promised for the area in signed arrangements."""
    commitment_amendments: PeriodLine
    """What amendments and partial cancellations have added to it, or taken from it."""
    deposits: PeriodLine
    """What contributors have paid for the area."""
    contributor_refunds: PeriodLine
    """What was returned to them of it."""
    agent_fees: PeriodLine
    """Fees of the administrative agent for these deposits."""
    allocations: PeriodLine
    """What was approved for programmes of the area."""
    refunds: PeriodLine
    """What organizations have returned of it."""
    other: PeriodBalance
    """Other income less other costs; where they are restricted to no area, they are in `not_stated`."""
    available: PeriodBalance
    """Deposits and refunds less fees, allocations and what was returned to contributors, with `other`. It is below zero
    where more was allocated to programmes of the area than was received for it. The sum over all areas and `not_stated`
    is what the Fund has available.
    """


class ProgrammePeriodStatements(_Head):
    """The statement of every programme that ledger entries up to the end of the period name."""

    items: list[ProgrammePeriodStatement]
    """One statement for each programme, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class OrganizationPeriodStatements(_Head):
    """The statement of every organization that ledger entries up to the end of the period name."""

    items: list[OrganizationPeriodStatement]
    """One statement for each organization, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ContributorPeriodStatements(_Head):
    """The statement of every contributor that ledger entries up to the end of the period name."""

    items: list[ContributorPeriodStatement]
    """One statement for each contributor, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ThematicAreaPeriodStatements(_Head):
    """The statement of every thematic area that money up to the end of the period belongs to, and of that without."""

    items: list[ThematicAreaPeriodStatement]
    """One statement for each area, in the order of their codes; `not_stated` is the last one."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class EarmarkedMoney(ResponseModel):
    """The money of one thematic area on a day: what was received for it, what is allocated, and what is free."""

    thematic_area: Code
    """Code of the thematic area, as at `/catalog/v1/thematic-areas`; `not_stated` for money without one."""
    name: str | None
    """Name of the thematic area; null for `not_stated`."""
    deposits: StatementLine
    """What contributors have paid for the area."""
    contributor_refunds: StatementLine
    """What was returned to them of it."""
    agent_fees: StatementLine
    """Fees of the administrative agent for these deposits."""
    other: Money
    """Other income less other costs; where they are restricted to no area, they are in `not_stated`."""
    received: Money
    """Deposits less fees and what was returned to contributors, with `other`."""
    allocations: StatementLine
    """What was approved for programmes of the area; in `not_stated` for those without one."""
    refunds: StatementLine
    """What organizations have returned of it."""
    allocated: Money
    """Allocations less refunds."""
    from_unearmarked: Money
    """What is allocated beyond `received`: it is taken from the money without an area. Zero in `not_stated`."""
    free: Money
    """What is not allocated of `received`; in `not_stated` less what all areas have taken from it, and below zero
    where these have used the money of other areas. The sum over all items is what the Fund has available to allocate.
    """
    uses_other_areas: bool
    """Whether the area has taken more than its own money while the money without an area is used up: money that is
    restricted to other areas was used. False in `not_stated`.
    """


class EarmarkStatement(ResponseModel):
    """Money by the thematic area to which contributors have restricted it, on a day."""

    on: datetime.date | None
    """Day of the statement: entries dated later are left out; null where all count."""
    items: list[EarmarkedMoney]
    """One item for each area, in the order of their codes; `not_stated` is the last one. Empty without entries."""
    available_to_allocate: Money
    """Sum of `free`: what the Fund has received and not allocated, less fees and costs."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class EarmarkQuery(TableQuery):
    """Which day the statement is of."""

    on: OnDay = None


BudgetDivision = TypeAliasType("BudgetDivision", Literal["organization", "year", "category"])
"""What a programme's budget and expenditure are divided by.

- `organization`: organization that spends it
- `year`: calendar year of the budget line, and of the date of the expenditure
- `category`: UNSDG budget category
"""


class BudgetQuery(TableQuery):
    """Which day the statement is of, which programmes it has, and what each is divided by."""

    on: OnDay = None
    programme: Annotated[Values, Field(description="Code of a programme, as in the catalogue.", examples=["ETH-01"])]
    by: Annotated[
        list[BudgetDivision],
        Field(
            max_length=3,
            description="What the figures of each programme are divided by, one to three of these.",
            examples=["category"],
        ),
    ] = ["organization", "year", "category"]


class BudgetComparison(ResponseModel):
    """The budget of a part of a programme, and what was spent of it."""

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    organization: Code | None
    """Code of the organization; null where the figures are not divided by it."""
    year: int | None
    """Calendar year; null where the figures are not divided by it."""
    category: BudgetCategory | None
    """UNSDG budget category; null where the figures are not divided by it."""
    budget: Money | None
    """Sum of the budget lines; null where the programme's copy of the catalogue states no lines."""
    expenditure: StatementLine
    """What was reported as spent."""
    remaining: Money | None
    """`budget` less `expenditure`, below zero where more is spent; null where no budget line is stated."""
    delivery: Share | None
    """`expenditure` divided by `budget`; null where that is not above zero."""


class BudgetStatement(ResponseModel):
    """Budgets against expenditure, for every programme with budget lines or expenditure."""

    on: datetime.date | None
    """Day of the statement: entries dated later are left out; null where all count."""
    items: list[BudgetComparison]
    """One item for each part of each programme, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """
