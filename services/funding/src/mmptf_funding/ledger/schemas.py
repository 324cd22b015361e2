"""The wire shapes of the ledger: what is sent to it, its entries, and its statements."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema
from typing_extensions import TypeAliasType

from mmptf_common.http.parameters import Flag, ListQuery, PointInTime, TableQuery, TotalsQuery, Values, order_by
from mmptf_common.routers.cards import Card
from mmptf_common.wire.base import (
    COUNTRY_PATTERN,
    Code,
    Day,
    ListedCode,
    NewCode,
    RequestModel,
    ResponseModel,
    Text,
    worded,
)
from mmptf_common.wire.codes import BudgetCategory, ProgrammeBudgetStage
from mmptf_common.wire.money import AmountSent, Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.periods import Interval
from mmptf_common.wire.shares import Share
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.contributions.domain import ContributorType
from mmptf_funding.currencies import Currency
from mmptf_funding.ledger import domain
from mmptf_funding.ledger.domain import LedgerEntryKind, LedgerEntryKindSent, LedgerFlag

Rate = Annotated[
    str,
    Field(
        pattern=worded(
            r"^(0|[1-9][0-9]{0,5})\.[0-9]{1,10}$",
            'a rate as text with one to ten decimals, in US dollars for one unit, such as "1.0850"',
        ),
        examples=["1.0850"],
    ),
]
Reason = Annotated[Text, Field(max_length=2000, description="Why, as the history will say.")]
OnDay = Annotated[
    Day | None,
    Field(
        description="The last day that counts, to its end: entries dated later are left out.", examples=["2026-12-31"]
    ),
]


class OriginalAmountSent(RequestModel):
    """An amount in the currency in which it was given: US dollars for one unit of it, on a day, by a source."""

    amount: AmountSent
    """The amount in the other currency."""
    currency: Annotated[Currency, Field(examples=["EUR"])]
    """ISO 4217 code of that currency."""
    rate: Rate
    """US dollars for one unit of it."""
    rate_date: Day
    """Day of the rate."""
    rate_source: Annotated[Text, Field(max_length=200)]
    """Who published the rate."""

    def original(self) -> domain.Original:
        """The amount with its exact figures and its day."""
        return domain.Original(
            sum=domain.Sum(amount=Decimal(self.amount), currency=self.currency),
            rate=Decimal(self.rate),
            rate_date=datetime.date.fromisoformat(self.rate_date),
            rate_source=self.rate_source,
        )


class LedgerEntrySent(RequestModel):
    """An entry to be written, in US dollars. Errors name the members that a kind needs and those that it takes.

    follows: the pledge of a commitment, or the commitment that a deposit pays
    """

    kind: LedgerEntryKindSent
    """What happened to the money; it decides which other members are needed."""
    date: Annotated[Day, Field(description="The day on which it counts.")]
    amount: AmountSent
    """The amount in US dollars."""
    original: OriginalAmountSent | None = None
    """The amount as it was given, where that was another currency."""
    contributor: ListedCode | None = None
    """Code of the contributor of a pledge, commitment or deposit."""
    programme: Code | None = None
    """Code of the programme that an allocation, transfer, expenditure or refund is for."""
    organization: ListedCode | None = None
    """Code of the participating organization that received, spent or returned it."""
    thematic_area: Annotated[ListedCode | None, Field(description="What a contribution is earmarked to.")] = None
    category: BudgetCategory | None = None
    """UNSDG budget category of an expenditure."""
    tranche: Annotated[int, Field(ge=1, le=99)] | None = None
    """Number of the instalment of a transfer."""
    follows: Code | None = None
    """Code of the pledge of a commitment, or of the commitment that a deposit pays."""
    reference: Annotated[Text, Field(max_length=300)] | None = None
    """The document or the decision behind it."""
    note: Annotated[Text, Field(max_length=2000)] | None = None
    """What a reader of the entry has to know."""

    def entry(self, recorded_by: str | None = None) -> domain.Entry:
        """The entry with exact amounts and days, recorded on behalf of an organization."""
        return domain.Entry(
            kind=self.kind,
            date=datetime.date.fromisoformat(self.date),
            sum=domain.Sum(amount=Decimal(self.amount), currency=domain.CURRENCY),
            original=self.original and self.original.original(),
            contributor=self.contributor,
            programme=self.programme,
            organization=self.organization,
            thematic_area=self.thematic_area,
            category=self.category,
            tranche=self.tranche,
            follows=self.follows,
            reference=self.reference,
            note=self.note,
            recorded_by=recorded_by,
        )


class LedgerEntryBatch(RequestModel):
    """Entries that are written together, in this order."""

    entries: Annotated[list[LedgerEntrySent], Field(min_length=1, max_length=1000)]
    """The entries, written in this order."""


class LedgerReversalSent(RequestModel):
    """A reversal: from when on the entry does not count, and why."""

    date: Day
    """Day from which the entry no longer counts."""
    reason: Reason


# Another code or a name of a country is an error that names the code, which a pattern could not.
CountrySent = Annotated[str, Field(max_length=300), WithJsonSchema({"type": "string", "pattern": COUNTRY_PATTERN})]


class ContributorSent(RequestModel):
    """A contributor to the Fund; a Member State has the ISO 3166-1 alpha-3 code of its country."""

    code: NewCode
    """Code of the contributor: that of the country for a Member State."""
    name: Annotated[Text, Field(max_length=300)]
    """Name, for people."""
    type: ContributorType
    """Sort of contributor."""
    country: CountrySent | None = None
    """ISO 3166-1 alpha-3 code of a Member State; null for other contributors."""


class OriginalAmount(ResponseModel):
    """An amount in the currency in which it was given, and how it became US dollars."""

    sum: Money
    """The amount in the other currency."""
    rate: str
    """US dollars for one unit of it, with as many decimals as were sent."""
    rate_date: datetime.date
    """Day of the rate."""
    rate_source: str
    """Who published the rate."""


class LedgerEntry(ResponseModel):
    """One entry of the ledger. A mistake is corrected by an entry that reverses it, and names it in `reversed_by`.

    Nothing else in an entry changes after it was written. `sum` is negative for a reversal, so that whatever is added
    up is net. `flags` were raised when it was written. `recorded_by` is the organization on whose behalf it was.
    """

    code: Code
    """Code of the entry, in the order of writing."""
    kind: LedgerEntryKind
    """What happened to the money."""
    date: datetime.date
    """Day on which it counts."""
    sum: Money
    """The amount in US dollars, negative for a reversal."""
    original: OriginalAmount | None
    """The amount as it was given; null where that was US dollars."""
    contributor: Code | None
    """Code of the contributor; null for kinds that have none."""
    programme: Code | None
    """Code of the programme; null for kinds that have none."""
    organization: Code | None
    """Code of the participating organization; null for kinds that have none."""
    thematic_area: Code | None
    """Code of the area that a contribution is earmarked to; null where it is not earmarked."""
    category: BudgetCategory | None
    """UNSDG budget category of an expenditure; else null."""
    tranche: int | None
    """Number of the instalment of a transfer; null where it was not stated."""
    follows: Code | None
    """Code of the pledge or commitment that it follows, or the deposit that a fee belongs to; else null."""
    reverses: Code | None
    """Code of the entry that this one reverses; null for all others."""
    reference: str | None
    """The document or the decision behind it; null where none was stated."""
    note: str | None
    """What whoever uses the figure has to know; null where there is nothing."""
    flags: list[LedgerFlag]
    """What was unusual when it was written, and calls for a question; empty where nothing was."""
    recorded_by: str | None
    """Code of the organization on whose behalf it was written; null for the operator."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime.datetime
    """When the record was last written here, in UTC; not when its source was published."""
    reversed_by: Code | None
    """Code of the entry that reverses this one; null while it counts. The reversal amends it, and `updated` with it."""


class LedgerEntryPage(Page[LedgerEntry]):
    """One page of entries."""


BudgetCategoryFilter = TypeAliasType(
    "BudgetCategoryFilter",
    Literal[
        "staff_and_personnel",
        "supplies",
        "equipment",
        "contractual_services",
        "travel",
        "transfers_and_grants",
        "general_operating_costs",
        "indirect_costs",
        "not_stated",
    ],
)
"""UNSDG budget category by which expenditures are found.

- `staff_and_personnel`: staff and other personnel
- `supplies`: supplies, commodities and materials
- `equipment`: equipment, vehicles and furniture
- `contractual_services`: contractual services
- `travel`: travel
- `transfers_and_grants`: transfers and grants to counterparts
- `general_operating_costs`: general operating and other direct costs
- `indirect_costs`: indirect costs of the participating UN organization
- `not_stated`: entries without a category
"""

LedgerFlagFilter = TypeAliasType(
    "LedgerFlagFilter",
    Literal["expenditure_exceeds_transfers", "refund_exceeds_unspent", "deposit_exceeds_commitment", "not_stated"],
)
"""What was unusual when an entry was written, by which entries are found.

- `expenditure_exceeds_transfers`: more is spent than was transferred
- `refund_exceeds_unspent`: more is returned than was left
- `deposit_exceeds_commitment`: more is paid than was promised
- `not_stated`: entries with nothing unusual
"""


class EntryFilter(PointInTime):
    """Which entries: any of a repeated filter, all of different ones; `not_stated` finds those without a value."""

    kind: Annotated[
        list[LedgerEntryKind],
        Field(default_factory=list, max_length=100, description="What happened to the money.", examples=["deposit"]),
    ]
    contributor: Annotated[Values, Field(description="Code of a contributor.", examples=["DEU"])]
    programme: Annotated[Values, Field(description="Code of a programme that the ledger knows.", examples=["ETH-01"])]
    organization: Annotated[Values, Field(description="Code of a participating organization.", examples=["ILO"])]
    thematic_area: Annotated[
        Values, Field(description="Code of the area that a contribution is earmarked to.", examples=["2"])
    ]
    category: Annotated[
        list[BudgetCategoryFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="UNSDG budget category of an expenditure.",
            examples=["supplies"],
        ),
    ]
    flag: Annotated[
        list[LedgerFlagFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="What calls for a question.",
            examples=["expenditure_exceeds_transfers"],
        ),
    ]
    reversal: Annotated[
        Flag | None,
        Field(description="Only entries that reverse others, or only the others.", examples=[False]),
    ] = None
    date_from: Annotated[
        Day | None, Field(description="The first day that counts, from its beginning.", examples=["2026-01-01"])
    ] = None
    date_to: Annotated[
        Day | None, Field(description="The last day that counts, to its end.", examples=["2026-12-31"])
    ] = None


class EntryQuery(EntryFilter, ListQuery):
    """Which entries, and in which order."""

    sort: tuple[Literal["code", "-code", "date", "-date", "amount", "-amount"], ...] = order_by("code")


LedgerEntryDivision = TypeAliasType(
    "LedgerEntryDivision",
    Literal["kind", "contributor", "programme", "organization", "thematic_area", "category", "year"],
)
"""What the totals of the ledger can be divided by.

- `kind`: kind of the entries
- `contributor`: contributor
- `programme`: programme
- `organization`: participating organization
- `thematic_area`: thematic area
- `category`: budget category
- `year`: calendar year of their date
"""


class EntryTotalsQuery(EntryFilter, TotalsQuery):
    """Which entries are summed, and what the sums are divided by."""

    by: Annotated[
        list[LedgerEntryDivision],
        Field(min_length=1, max_length=2, description="One or two ways to divide the sums.", examples=["kind"]),
    ] = ["kind"]


class StatementQuery(TableQuery):
    """Which day a statement is of."""

    on: OnDay = None


class CapitalizationQuery(TableQuery):
    """How time is divided."""

    interval: Annotated[Interval, Field(description="The length of a period.")] = "year"


class StatementLine(ResponseModel):
    """What the entries of a kind add up to, reversals among them; `rows` counts them and `link` lists them."""

    kind: LedgerEntryKind
    """Kind of the entries."""
    sum: Money
    """Exact sum of the entries, those that reverse others among them."""
    rows: int
    """Number of the entries."""
    link: str
    """Path that lists them."""


class Delivery(ResponseModel):
    """What was spent of what was transferred and not refunded, exactly; null where nothing was transferred."""

    net_funded: Money
    """What was transferred less what was refunded."""
    expenditure: Money
    """What was reported as spent."""
    share: Share | None
    """`expenditure` divided by `net_funded`; null where nothing was transferred."""


class CommitmentSums(ResponseModel):
    """What was committed in signed arrangements, what of it was paid, and what is still to come."""

    committed: StatementLine
    """What signed arrangements promise."""
    paid: Money
    """What was deposited under them."""
    outstanding: Money
    """What is still to be paid under them."""


class FundStatement(ResponseModel):
    """The Fund on a day: sources minus uses are the balance with the administrative agent.

    Pledges, commitments, allocations and expenditure are other stages of the same money, and stand beside the cash.
    """

    on: datetime.date | None
    """Last day that counts, to its end; null for everything up to now."""
    sources: list[StatementLine]
    """Money that came in, by kind."""
    total_sources: Money
    """Sum of `sources`."""
    uses: list[StatementLine]
    """Money that went out, by kind; refunds are subtracted."""
    total_uses: Money
    """Sum of `uses`."""
    balance: Money
    """`total_sources` less `total_uses`: the cash with the administrative agent."""
    pledges: StatementLine
    """What was announced."""
    commitments: CommitmentSums
    """What was promised in signed arrangements, and paid of it."""
    allocations: StatementLine
    """What the Steering Committee approved for programmes."""
    not_yet_transferred: Money
    """What was allocated and not transferred yet."""
    delivery: Delivery
    """What was spent of what was transferred."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ContributorStatement(ResponseModel):
    """What one contributor has announced, signed and paid, and what is still to come."""

    contributor: Code
    """Code of the contributor."""
    name: str
    """Name, for people."""
    pledges: StatementLine
    """What was announced."""
    commitments: CommitmentSums
    """What it promised in signed arrangements, and paid of it."""
    deposits: StatementLine
    """What it paid."""


class CataloguedBudget(ResponseModel):
    """A programme's budget as the catalogue stated it when the ledger last asked, and how much of it was allocated."""

    sum: Money
    """The budget in the catalogue."""
    stage: ProgrammeBudgetStage
    """Stage of money of the budget."""
    asked: datetime.datetime
    """When the ledger last read it from the catalogue, in UTC."""
    allocated: Share
    """What was allocated, divided by the budget."""


class ProgrammeStatement(ResponseModel):
    """What one programme was allocated, received and spent, beside what it asks for."""

    programme: Code
    """Code of the programme."""
    title: str | None
    """Title in the catalogue; null where it has none, or was never read."""
    budget: CataloguedBudget | None
    """The budget in the catalogue; null where it states none, or was never read."""
    allocations: StatementLine
    """What the Steering Committee approved for programmes."""
    transfers: StatementLine
    """What was paid to participating organizations."""
    refunds: StatementLine
    """What participating organizations returned."""
    not_yet_transferred: Money
    """What was allocated and not transferred yet."""
    delivery: Delivery
    """What was spent of what was transferred."""
    overspent: bool
    """Whether more was spent than was transferred and not refunded."""


class FundingProgrammeCard(Card[ProgrammeStatement]):
    """What the ledger holds on a programme; `changed` is when its last entry was written, or its budget asked for."""

    service: Literal["funding"]
    """Name of the service whose facts these are."""


class OrganizationStatement(ResponseModel):
    """What one organization received and spent, over all programmes."""

    organization: Code
    """Code of the participating organization."""
    transfers: StatementLine
    """What was paid to participating organizations."""
    refunds: StatementLine
    """What participating organizations returned."""
    delivery: Delivery
    """What was spent of what was transferred."""
    overspent: bool
    """Whether more was spent than was transferred and not refunded."""


class ContributorStatements(ResponseModel):
    """The statement of every contributor that ledger entries name."""

    on: datetime.date | None
    """Last day that counts, to its end; null for everything up to now."""
    items: list[ContributorStatement]
    """One statement for each contributor, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ProgrammeStatements(ResponseModel):
    """The statement of every programme that ledger entries name."""

    on: datetime.date | None
    """Last day that counts, to its end; null for everything up to now."""
    items: list[ProgrammeStatement]
    """One statement for each programme, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class OrganizationStatements(ResponseModel):
    """The statement of every organization that ledger entries name."""

    on: datetime.date | None
    """Last day that counts, to its end; null for everything up to now."""
    items: list[OrganizationStatement]
    """One statement for each organization, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class OutstandingCommitment(ResponseModel):
    """A commitment, what was paid of it, and what is still to come; `link` lists its payments."""

    commitment: Code
    """Code of the entry."""
    contributor: Code
    """Code of the contributor."""
    date: datetime.date
    """Day of the commitment."""
    committed: Money
    """The amount of the commitment."""
    paid: Money
    """What was deposited under it."""
    outstanding: Money
    """What is still to be paid."""


class OutstandingCommitments(ResponseModel):
    """Commitments that are not fully paid, the oldest first."""

    on: datetime.date | None
    """Last day that counts, to its end; null for everything up to now."""
    items: list[OutstandingCommitment]
    """The commitments that are not fully paid, the oldest first."""
    outstanding: Money
    """Sum of what is still to be paid."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class TargetShare(ResponseModel):
    """How much of a capitalization target a sum is, exactly."""

    target: Code
    """Code of the capitalization target."""
    share: Share
    """The sum divided by the target."""


class CapitalizationPeriod(ResponseModel):
    """What was pledged, committed and deposited up to the end of a period; `targets` are shares of the deposits."""

    end: datetime.date
    """Last day of the period."""
    pledges: Money
    """What was pledged up to that day."""
    commitments: Money
    """What was committed up to that day."""
    deposits: Money
    """What was deposited up to that day."""
    targets: list[TargetShare]
    """The deposits as a share of each target."""


class Capitalization(ResponseModel):
    """The capitalization of the Fund over time, from the first entry to the last, cumulative."""

    periods: list[CapitalizationPeriod]
    """The periods, the earliest first."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# The examples of request bodies in the contract: invented, except for the codes.
DEPOSIT: dict[str, Any] = {
    "kind": "deposit",
    "date": "2026-03-02",
    "amount": "542500.00",
    "original": {
        "amount": "500000.00",
        "currency": "EUR",
        "rate": "1.0850",
        "rate_date": "2026-03-01",
        "rate_source": "United Nations operational rates of exchange",
    },
    "contributor": "DEU",
    "thematic_area": "2",
    "reference": "Standard administrative arrangement, second instalment",
}

REVERSAL = {"date": "2026-07-15", "reason": "Reported for the wrong programme."}
CONTRIBUTOR = {"code": "AUT", "name": "Austria", "type": "member_state", "country": "AUT"}
