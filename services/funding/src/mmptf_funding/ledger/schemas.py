"""The wire shapes of the ledger: what is sent to it, its entries, and its statements."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from mmptf_common.http.parameters import ListQuery, PointInTime, TotalsQuery, Values
from mmptf_common.routers.cards import Card
from mmptf_common.wire.base import COUNTRY_PATTERN, Code, Day, RequestModel, ResponseModel, Text, worded
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.money import AmountSent, Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.periods import Interval
from mmptf_common.wire.shares import Share
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.contributions.domain import ContributorType
from mmptf_funding.currencies import Currency
from mmptf_funding.ledger import domain
from mmptf_funding.ledger.domain import Flag, Kind, KindSent

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


class OriginalSent(RequestModel):
    """An amount in the currency in which it was given: US dollars for one unit of it, on a day, by a source."""

    amount: AmountSent
    currency: Annotated[Currency, Field(examples=["EUR"])]
    rate: Rate
    rate_date: Day
    rate_source: Annotated[Text, Field(max_length=200)]

    def original(self) -> domain.Original:
        """The amount with its exact figures and its day."""
        return domain.Original(
            sum=domain.Sum(amount=Decimal(self.amount), currency=self.currency),
            rate=Decimal(self.rate),
            rate_date=datetime.date.fromisoformat(self.rate_date),
            rate_source=self.rate_source,
        )


class EntrySent(RequestModel):
    """An entry to be written, in US dollars. Errors name the members that a kind needs and those that it takes.

    follows: the pledge of a commitment, or the commitment that a deposit pays
    """

    kind: KindSent
    date: Annotated[Day, Field(description="The day on which it counts.")]
    amount: AmountSent
    original: OriginalSent | None = None
    contributor: Code | None = None
    programme: Code | None = None
    organization: Code | None = None
    thematic_area: Annotated[Code | None, Field(description="What a contribution is earmarked to.")] = None
    category: BudgetCategory | None = None
    tranche: Annotated[int, Field(ge=1, le=99)] | None = None
    follows: Code | None = None
    reference: Annotated[Text, Field(max_length=300, description="The document or the decision behind it.")] | None = (
        None
    )
    note: Annotated[Text, Field(max_length=2000)] | None = None

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


class EntryBatch(RequestModel):
    """Entries that are written together, in this order."""

    entries: Annotated[list[EntrySent], Field(min_length=1, max_length=1000)]


class ReversalSent(RequestModel):
    """A reversal: from when on the entry does not count, and why."""

    date: Day
    reason: Reason


# Another code or a name of a country is an error that names the code, which a pattern could not.
CountrySent = Annotated[str, Field(max_length=300), WithJsonSchema({"type": "string", "pattern": COUNTRY_PATTERN})]


class ContributorSent(RequestModel):
    """A contributor to the Fund; a Member State has the ISO 3166-1 alpha-3 code of its country."""

    code: Code
    name: Annotated[Text, Field(max_length=300)]
    type: ContributorType
    country: CountrySent | None = None


class Original(ResponseModel):
    """An amount in the currency in which it was given, and how it became US dollars."""

    sum: Money
    rate: str
    rate_date: datetime.date
    rate_source: str


class Entry(ResponseModel):
    """One entry of the ledger, which is never changed: a mistake is corrected by an entry that reverses it.

    `sum` is negative for a reversal, so that whatever is added up is net. `flags` were raised when it was written.
    `recorded_by` is the organization on whose behalf it was.
    """

    code: Code
    kind: Kind
    date: datetime.date
    sum: Money
    original: Original | None
    contributor: Code | None
    programme: Code | None
    organization: Code | None
    thematic_area: Code | None
    category: BudgetCategory | None
    tranche: int | None
    follows: Code | None
    reverses: Code | None
    reference: str | None
    note: str | None
    flags: list[Flag]
    recorded_by: str | None
    sources: list[SourceRef]
    updated: datetime.datetime
    reversed_by: Code | None


class EntryPage(Page[Entry]):
    """One page of entries."""


class EntryFilter(PointInTime):
    """Which entries: any of a repeated filter, all of different ones; `not_stated` finds those without a value."""

    kind: Annotated[list[Kind], Field(default_factory=list, max_length=100, examples=["deposit"])]
    contributor: Annotated[Values, Field(description="Code of a contributor.")]
    programme: Annotated[Values, Field(description="Code of a programme that the ledger knows.")]
    organization: Annotated[Values, Field(description="Code of a participating organization.")]
    thematic_area: Annotated[Values, Field(description="Code of the area that a contribution is earmarked to.")]
    category: Annotated[list[Literal[BudgetCategory, "not_stated"]], Field(default_factory=list, max_length=100)]
    flag: Annotated[
        list[Literal[Flag, "not_stated"]],
        Field(default_factory=list, max_length=100, description="What calls for a question."),
    ]
    reversal: Annotated[
        Literal["true", "false"] | None, Field(description="Only entries that reverse others, or only the others.")
    ] = None
    date_from: Annotated[Day | None, Field(description="The first day that counts, from its beginning.")] = None
    date_to: Annotated[Day | None, Field(description="The last day that counts, to its end.")] = None


class EntryQuery(EntryFilter, ListQuery):
    """Which entries, and in which order."""

    sort: Annotated[Literal["code", "-code", "date", "-date", "amount", "-amount"], Field(description="The order.")] = (
        "code"
    )


EntryDivision = Literal["kind", "contributor", "programme", "organization", "thematic_area", "category", "year"]


class EntryTotalsQuery(EntryFilter, TotalsQuery):
    """Which entries are summed, and what the sums are divided by."""

    by: Annotated[
        list[EntryDivision],
        Field(min_length=1, max_length=2, description="One or two ways to divide the sums.", examples=["kind"]),
    ] = ["kind"]


class StatementQuery(PointInTime):
    """Which day a statement is of."""

    on: OnDay = None


class CapitalizationQuery(PointInTime):
    """How time is divided."""

    interval: Annotated[Interval, Field(description="The length of a period.")] = "year"


class Line(ResponseModel):
    """What the entries of a kind add up to, reversals among them; `rows` counts them and `link` lists them."""

    kind: Kind
    sum: Money
    rows: int
    link: str


class Delivery(ResponseModel):
    """What was spent of what was transferred and not refunded, exactly; null where nothing was transferred."""

    net_funded: Money
    expenditure: Money
    share: Share | None


class Commitments(ResponseModel):
    """What was committed in signed arrangements, what of it was paid, and what is still to come."""

    committed: Line
    paid: Money
    outstanding: Money


class FundStatement(ResponseModel):
    """The Fund on a day: sources minus uses are the balance with the administrative agent.

    Pledges, commitments, allocations and expenditure are other stages of the same money, and stand beside the cash.
    """

    on: datetime.date | None
    sources: list[Line]
    total_sources: Money
    uses: list[Line]
    total_uses: Money
    balance: Money
    pledges: Line
    commitments: Commitments
    allocations: Line
    not_yet_transferred: Money
    delivery: Delivery
    revision: int


class ContributorStatement(ResponseModel):
    """What one contributor has announced, signed and paid, and what is still to come."""

    contributor: Code
    name: str
    pledges: Line
    commitments: Commitments
    deposits: Line


class ProgrammeBudget(ResponseModel):
    """A programme's budget as the catalogue stated it when the ledger last asked, and how much of it was allocated."""

    sum: Money
    stage: str
    asked: datetime.datetime
    allocated: Share


class ProgrammeStatement(ResponseModel):
    """What one programme was allocated, received and spent, beside what it asks for."""

    programme: Code
    title: str | None
    budget: ProgrammeBudget | None
    allocations: Line
    transfers: Line
    refunds: Line
    not_yet_transferred: Money
    delivery: Delivery
    overspent: bool


class LedgerCard(Card[ProgrammeStatement]):
    """What the ledger holds on a programme; `changed` is when its last entry was written, or its budget asked for."""


class OrganizationStatement(ResponseModel):
    """What one organization received and spent, over all programmes."""

    organization: Code
    transfers: Line
    refunds: Line
    delivery: Delivery
    overspent: bool


class ContributorStatements(ResponseModel):
    """The statement of every contributor that ledger entries name."""

    on: datetime.date | None
    items: list[ContributorStatement]
    revision: int


class ProgrammeStatements(ResponseModel):
    """The statement of every programme that ledger entries name."""

    on: datetime.date | None
    items: list[ProgrammeStatement]
    revision: int


class OrganizationStatements(ResponseModel):
    """The statement of every organization that ledger entries name."""

    on: datetime.date | None
    items: list[OrganizationStatement]
    revision: int


class OutstandingCommitment(ResponseModel):
    """A commitment, what was paid of it, and what is still to come; `link` lists its payments."""

    commitment: Code
    contributor: Code
    date: datetime.date
    committed: Money
    paid: Money
    outstanding: Money


class OutstandingCommitments(ResponseModel):
    """Commitments that are not fully paid, the oldest first."""

    on: datetime.date | None
    items: list[OutstandingCommitment]
    outstanding: Money
    revision: int


class TargetShare(ResponseModel):
    """How much of a capitalization target a sum is, exactly."""

    target: Code
    share: Share


class Capitalized(ResponseModel):
    """What was pledged, committed and deposited up to the end of a period; `targets` are shares of the deposits."""

    end: datetime.date
    pledges: Money
    commitments: Money
    deposits: Money
    targets: list[TargetShare]


class Capitalization(ResponseModel):
    """The capitalization of the Fund over time, from the first entry to the last, cumulative."""

    periods: list[Capitalized]
    revision: int


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
