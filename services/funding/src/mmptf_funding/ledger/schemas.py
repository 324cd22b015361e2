"""The wire shapes of the ledger: what is sent to it, its entries, and its statements."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema
from typing_extensions import TypeAliasType

from mmptf_common.http.parameters import Flag, ListQuery, PointInTime, TableQuery, TotalsQuery, Values, order_by
from mmptf_common.routers.cards import Card
from mmptf_common.wire.attachments import Attachment, AttachmentSent
from mmptf_common.wire.base import (
    COUNTRY_PATTERN,
    WHOLE,
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
from mmptf_funding.contributions.schemas import PrintedContributions
from mmptf_funding.currencies import Currency
from mmptf_funding.ledger import domain
from mmptf_funding.ledger.domain import CommitmentAmendment, LedgerEntryKind, LedgerEntryKindSent, LedgerFlag

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
Reason = Annotated[
    Text, Field(max_length=2000, description="Why the entry is reversed; it is the `note` of the reversal.")
]
ValueDate = Annotated[
    Day,
    Field(description="Day on which the bank counts it, before or after `date`; not in the future."),
]
# The code of something that has no list here: letters and digits, as banks and committees write them.
NamedElsewhere = Annotated[
    str,
    Field(
        max_length=40,
        pattern=worded(
            r"^[A-Za-z0-9]+([-_./ ][A-Za-z0-9]+)*$",
            "letters and digits, with single hyphens, points, underscores, slashes or spaces between them, such as"
            " SC-2026/04",
        ),
    ),
]
BANK_REFERENCE_PATTERN = worded(
    r"^[^%\x00-\x1f\x7f\ufffd]+$", "a reference of the bank without % and control characters, such as INV 2026-114"
)
Account = Annotated[
    NamedElsewhere,
    Field(
        description="Code or number of the Fund's bank account that it moved: where any is listed at"
        " `/funding/v1/bank-accounts`, one of them, and the entry gets its code.",
        examples=["USD-MAIN"],
    ),
]
Decision = Annotated[
    NamedElsewhere,
    Field(description="Code of the decision of the Steering Committee that it carries out.", examples=["SC-1"]),
]
OnDay = Annotated[
    Day | None,
    Field(
        description="Day at whose end the statement is: entries dated later are left out. Without it, all count.",
        examples=["2026-12-31"],
    ),
]


FeeAmountSent = Annotated[
    str,
    Field(
        pattern=worded(
            r"^(0|[1-9][0-9]{0,13})(\.[0-9]{1,2})?$",
            'an amount as text with two decimals, without separators, such as "5425.00", or "0.00" for none',
        ),
        examples=["5425.00"],
    ),
]


class OriginalAmountSent(RequestModel):
    """An amount in the currency in which it was given, and how it became US dollars."""

    amount: AmountSent
    """The amount in the other currency, as decimal text above zero."""
    currency: Annotated[Currency, Field(examples=["EUR"])]
    """ISO 4217 code of the other currency; not `USD`."""
    rate: Rate
    """US dollars for one unit of the other currency; the amount times the rate is, to the cent, `amount` of the entry.
    """
    rate_date: Day
    """Day whose rate it is, not after that of the entry."""
    rate_source: Annotated[Text, Field(max_length=200)]
    """Who published the rate."""

    def original(self, sign: int) -> domain.Original:
        """The amount with its exact figures and its day; sign: -1 for one that takes from another amount."""
        return domain.Original(
            sum=domain.Sum(amount=sign * Decimal(self.amount), currency=self.currency),
            rate=Decimal(self.rate),
            rate_date=datetime.date.fromisoformat(self.rate_date),
            rate_source=self.rate_source,
        )


class InstalmentSent(RequestModel):
    """A part of what is promised, and the day on which it is due."""

    due: Day
    """Day on which it is due."""
    amount: AmountSent
    """The amount in the currency in which the whole is given: that of `original`, and US dollars where there is none.
    """

    def instalment(self, currency: str) -> domain.Instalment:
        """The instalment with its exact amount and its day."""
        return domain.Instalment(
            due=datetime.date.fromisoformat(self.due),
            sum=domain.Sum(amount=Decimal(self.amount), currency=currency),
        )


class AgentFeeSent(RequestModel):
    """A fee of the administrative agent that differs from 1 % of the deposit, and why."""

    amount: FeeAmountSent
    """The fee in US dollars, as decimal text; `0.00` where the agent takes none."""
    reason: Annotated[Text, Field(max_length=2000)]
    """Why it differs, such as the clause of the arrangement; it is the `note` of the fee."""


class LedgerEntrySent(RequestModel):
    """An entry to be written, in US dollars. The operation says which members each kind needs, may have and refuses."""

    kind: LedgerEntryKindSent
    """What happened to the money, such as a deposit; it decides which other members are needed."""
    date: Annotated[Day, Field(description="Day from which it counts in balances; not in the future.")]
    amount: AmountSent
    """The amount in US dollars, as decimal text above zero, such as `542500.00`."""
    original: OriginalAmountSent | None = None
    """The amount as it was given, where that was in another currency; left out for US dollars."""
    contributor: ListedCode | None = None
    """Code of who promised, paid or got back the money, as at `/funding/v1/contributors`."""
    programme: Code | None = None
    """Code of the programme that an allocation, transfer, expenditure or refund is for, as in the catalogue."""
    organization: ListedCode | None = None
    """Code of the participating UN organization that received, spent or returned the money, as in the catalogue; of an
    allocation, a direct cost or interest the one that it is for, where it is for one.
    """
    thematic_area: Annotated[
        ListedCode | None,
        Field(description="Code of the thematic area to which the contributor restricts the money (earmarking)."),
    ] = None
    category: BudgetCategory | None = None
    """UNSDG budget category of an expenditure."""
    tranche: Annotated[int, Field(strict=True, ge=1, le=99), WHOLE] | None = None
    """Number of the instalment, from 1, where a transfer is paid in several."""
    follows: Code | None = None
    """For a commitment the code of the pledge that it confirms; for a deposit that of the commitment that it pays, and
    for an amendment that of the commitment that it changes.
    """
    corrects: Code | None = None
    """Code of an earlier entry, often of a closed period, whose mistake this one makes good; both go on to count."""
    amendment: CommitmentAmendment | None = None
    """What an amendment of a commitment does; a decrease and a cancellation take `amount` from what is promised."""
    value_date: ValueDate | None = None
    account: Account | None = None
    bank_reference: Annotated[Text, Field(max_length=140)] | None = None
    """The text by which the statement of the bank names it."""
    instalments: Annotated[list[InstalmentSent], Field(max_length=60)] = []
    """When a pledge or commitment is to be paid, in parts that are the whole together; left out where it is not agreed.
    """
    fee: AgentFeeSent | None = None
    """Fee of the administrative agent where it is not 1 % of the deposit; left out where it is."""
    counterpart_fund: Annotated[Text, Field(max_length=200)] | None = None
    """Name of the other fund, of a transfer between funds."""
    decision: Decision | None = None
    attachments: Annotated[list[AttachmentSent], Field(max_length=20)] = []
    """Documents behind it that are stored elsewhere."""
    reference: Annotated[Text, Field(max_length=300)] | None = None
    """The document or the decision behind it, such as a decision of the Steering Committee."""
    note: Annotated[Text, Field(max_length=2000)] | None = None
    """What a reader of the entry has to know."""

    def entry(self, recorded_by: str | None = None) -> domain.Entry:
        """The entry with exact amounts and days, recorded on behalf of an organization."""
        sign = -1 if self.amendment in ("decrease", "cancellation") else 1
        return domain.Entry(
            kind=self.kind,
            date=datetime.date.fromisoformat(self.date),
            sum=domain.Sum(amount=sign * Decimal(self.amount), currency=domain.CURRENCY),
            original=self.original and self.original.original(sign),
            contributor=self.contributor,
            programme=self.programme,
            organization=self.organization,
            thematic_area=self.thematic_area,
            category=self.category,
            tranche=self.tranche,
            follows=self.follows,
            corrects=self.corrects,
            amendment=self.amendment,
            value_date=self.value_date and datetime.date.fromisoformat(self.value_date),
            account=self.account,
            bank_reference=self.bank_reference,
            instalments=tuple(
                part.instalment(self.original.currency if self.original else domain.CURRENCY)
                for part in self.instalments
            ),
            fee=self.fee
            and domain.AgreedFee(
                sum=domain.Sum(amount=Decimal(self.fee.amount).quantize(domain.CENT), currency=domain.CURRENCY),
                reason=self.fee.reason,
            ),
            counterpart_fund=self.counterpart_fund,
            decision=self.decision,
            attachments=tuple(domain.Attachment(**dict(attached)) for attached in self.attachments),
            reference=self.reference,
            note=self.note,
            recorded_by=recorded_by,
        )


class LedgerEntryBatch(RequestModel):
    """Entries that are written together, in this order."""

    entries: Annotated[list[LedgerEntrySent], Field(min_length=1, max_length=1000)]
    """The entries, from one to 1000, written in this order."""


class LedgerReversalSent(RequestModel):
    """A reversal: from when on the entry does not count, and why."""

    date: Day
    """Day from which the entry no longer counts, between the entry's own date and today."""
    reason: Reason


class LedgerCorrectionSent(LedgerEntrySent):
    """The right entry in place of a wrong one, and from when on the wrong one does not count, and why."""

    reversal_date: Day
    """Day from which the wrong entry no longer counts, between its own date and today. The right one counts from its
    `date`, which is not before this day, except where this is the wrong one's own date: then it never counted.
    """
    reason: Reason


# Another code or a name of a country is an error that names the code, which a pattern could not.
CountrySent = Annotated[str, Field(max_length=300), WithJsonSchema({"type": "string", "pattern": COUNTRY_PATTERN})]


class ContributorSent(RequestModel):
    """A contributor to be added, so that entries of the ledger can name it."""

    code: NewCode
    """Code of the contributor; for a Member State that of its country is usual."""
    name: Annotated[Text, Field(max_length=300)]
    """Name as the United Nations write it, or as the contributor does where it is no Member State."""
    type: ContributorType
    """Whether it is a Member State, a foundation, or another organization."""
    country: CountrySent | None = None
    """ISO 3166-1 alpha-3 code of the country of a Member State, which needs one; left out or null for others."""


class OriginalAmount(ResponseModel):
    """An amount in the currency in which it was given, and how it became US dollars."""

    sum: Money
    """The amount in the other currency, negative where the amount in US dollars is."""
    rate: str
    """US dollars for one unit of the other currency, as decimal text with as many decimals as were sent."""
    rate_date: datetime.date
    """Day whose rate it is, not after that of the entry."""
    rate_source: str
    """Who published the rate."""


class Instalment(ResponseModel):
    """A part of what is promised, and the day on which it is due."""

    due: datetime.date
    """Day on which it is due."""
    sum: Money
    """The amount, in the currency in which the whole was given."""


class AgentFee(ResponseModel):
    """A fee of the administrative agent that differs from 1 % of the deposit, and why."""

    sum: Money
    """The fee, in US dollars; zero where the agent takes none."""
    reason: str
    """Why it differs; it is the `note` of the entry of the fee."""


class LedgerFlagDetail(ResponseModel):
    """What was unusual about an entry, in words."""

    flag: LedgerFlag
    """The flag that is explained."""
    detail: str
    """What was unusual, with the amounts that were compared, for people."""
    excess: Money | None
    """By how much something is exceeded; null where it is no amount."""


class LedgerEntry(ResponseModel):
    """One movement of the Fund's money. A wrong entry is not changed: another one with the opposite amount reverses it.

    Only `reversed_by`, `replaced_by` and `updated` change after an entry was written, when it is reversed or corrected;
    and `programme` and `organization` where the catalogue renames one, so that it is found under the present code.
    """

    code: Code
    """Code of the entry, such as `L-000002`; entries are numbered in the order of writing."""
    kind: LedgerEntryKind
    """What happened to the money; a reversal has the kind of the entry that it reverses."""
    date: datetime.date
    """Day from which it counts in balances."""
    sum: Money
    """The amount in US dollars, so that a sum of entries is what counts: negative for a reversal, for what takes from a
    commitment, and for a loss of exchange.
    """
    original: OriginalAmount | None
    """The amount as it was given in another currency; null where it was given in US dollars."""
    contributor: Code | None
    """Code of who promised, paid or got back the money; null for kinds without a contributor."""
    programme: Code | None
    """Code of the programme that an allocation, transfer, expenditure or refund is for; null for other kinds."""
    organization: Code | None
    """Code of the participating UN organization of a transfer, expenditure or refund, and of an allocation, direct cost
    or interest that names one; null for all others.
    """
    thematic_area: Code | None
    """Code of the thematic area to which the contributor has restricted the money (earmarking); null where it has not.
    """
    category: BudgetCategory | None
    """UNSDG budget category of an expenditure; null for other kinds."""
    tranche: int | None
    """Number of the instalment of a transfer, from 1; null where none was stated, and for other kinds."""
    follows: Code | None
    """Code of the entry before it: the pledge of a commitment, the commitment of a deposit or an amendment, the deposit
    of a fee or an exchange difference; null where there is none. Where that entry was corrected, it rests on the one
    that replaces it.
    """
    reverses: Code | None
    """Code of the entry that this one reverses; null for all others."""
    corrects: Code | None
    """Code of an earlier entry, often of a closed period, whose mistake this one makes good; both count. Null for most.
    """
    replaces: list[Code]
    """Codes of the reversed entries for which this one stands since their correction, the first of them first; what
    follows one of them rests on this one. Empty for most.
    """
    amendment: CommitmentAmendment | None
    """What an amendment of a commitment does; null for other kinds."""
    value_date: datetime.date | None
    """Day on which the bank counts it; null where none was stated, and for kinds that move no cash."""
    account: str | None
    """Code or number of the Fund's bank account that it moved; null where none was stated."""
    bank_reference: str | None
    """The text by which the statement of the bank names it; null where none was stated."""
    instalments: list[Instalment]
    """When a pledge or commitment is to be paid, in parts that are the whole together; empty where nothing was agreed.
    """
    fee: AgentFee | None
    """Fee of the administrative agent for a deposit, where another one than 1 % was agreed; null for all others."""
    counterpart_fund: str | None
    """Name of the other fund, of a transfer between funds; null for other kinds."""
    decision: str | None
    """Code of the decision of the Steering Committee that it carries out; null where none was stated."""
    attachments: list[Attachment]
    """Documents behind it that are stored elsewhere; empty where none was stated."""
    reference: str | None
    """The document or the decision behind it; null where none was stated."""
    note: str | None
    """What whoever uses the amount has to know, for a reversal its reason; null where there is nothing."""
    flags: list[LedgerFlag]
    """What was unusual when it was written and has to be checked with its author; empty where nothing was."""
    flag_details: list[LedgerFlagDetail]
    """Each of `flags` in words, in their order; empty for those of entries of before it was stored."""
    recorded_by: str | None
    """Code of the organization on whose behalf it was written; null where that was the operator of the service."""
    proposal: Code | None
    """Code of the proposal of a transfer that a second person approved; null for all others."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime.datetime
    """When the record was last written here, in UTC; not when its source was published."""
    reversed_by: Code | None
    """Code of the entry that reverses this one; null where none does. `updated` is then the time of the reversal."""
    replaced_by: Code | None
    """Code of the entry that stands for this one since it was corrected; null for most."""


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
"""Budget category of the United Nations Sustainable Development Group (UNSDG) by which expenditures are found.

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
    Literal[
        "expenditure_exceeds_transfers",
        "refund_exceeds_unspent",
        "deposit_exceeds_commitment",
        "deposit_in_other_currency",
        "unusual_for_status",
        "no_longer_taking_part",
        "allocation_exceeds_budget",
        "transfer_exceeds_organization_allocation",
        "expenditure_exceeds_budget_line",
        "indirect_costs_exceed_limit",
        "repeated_bank_reference",
        "transfers_of_day_exceed_limit",
        "not_stated",
    ],
)
"""What was unusual when an entry was written, by which entries are found.

- `expenditure_exceeds_transfers`: more was spent than had been transferred and not refunded
- `refund_exceeds_unspent`: more was returned than had been transferred and not spent
- `deposit_exceeds_commitment`: more was deposited than the commitment promised
- `deposit_in_other_currency`: what was deposited is in another currency than what was promised
- `unusual_for_status`: such entries are unusual for the status that the programme had on their day
- `no_longer_taking_part`: the organization accounts for what it received and does not take part in the programme now
- `allocation_exceeds_budget`: more was allocated to the programme than its budget in the catalogue
- `transfer_exceeds_organization_allocation`: more was transferred to the organization than was allocated to it
- `expenditure_exceeds_budget_line`: more was spent on a category than its budget line, by more than the tolerance
- `indirect_costs_exceed_limit`: the indirect costs of the organization are more than the Fund accepts
- `repeated_bank_reference`: another entry of the same kind has the same reference of the bank
- `transfers_of_day_exceed_limit`: with others of the day a transfer is above the limit, and none of them was approved
- `not_stated`: entries with nothing unusual
"""


class EntryFilter(PointInTime):
    """Which entries: any of a repeated filter, all of different ones; `not_stated` finds those without a value."""

    kind: Annotated[
        list[LedgerEntryKind],
        Field(
            default_factory=list,
            max_length=100,
            description="What happened to the money, such as a deposit; a reversal has the kind of what it reverses.",
            examples=["deposit"],
        ),
    ]
    contributor: Annotated[
        Values,
        Field(description="Code of a contributor. `not_stated` finds entries that name none.", examples=["DEU"]),
    ]
    programme: Annotated[
        Values,
        Field(
            description="Code of a programme that an entry names. `not_stated` finds entries that name none.",
            examples=["ETH-01"],
        ),
    ]
    organization: Annotated[
        Values,
        Field(
            description="Code of an organization that received, spent or returned money. `not_stated` finds entries"
            " that name none.",
            examples=["ILO"],
        ),
    ]
    thematic_area: Annotated[
        Values,
        Field(
            description="Code of the thematic area to which the contributor has restricted the money. `not_stated`"
            " finds entries without one.",
            examples=["2"],
        ),
    ]
    earmark: Annotated[
        Values,
        Field(
            description="Code of the thematic area whose money an entry is: of a fee the area of its deposit, of what"
            " names a programme that of the programme. `not_stated` finds entries of money without an area.",
            examples=["2"],
        ),
    ]
    category: Annotated[
        list[BudgetCategoryFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="UNSDG budget category of an expenditure; `not_stated` finds entries without one.",
            examples=["supplies"],
        ),
    ]
    flag: Annotated[
        list[LedgerFlagFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="What was unusual when the entry was written; `not_stated` finds entries with nothing unusual.",
            examples=["expenditure_exceeds_transfers"],
        ),
    ]
    reversal: Annotated[
        Flag | None,
        Field(description="`true`: only entries that reverse others; `false`: only the others.", examples=[False]),
    ] = None
    date_from: Annotated[
        Day | None,
        Field(description="Only entries dated on this day, from its beginning, or later.", examples=["2026-01-01"]),
    ] = None
    date_to: Annotated[
        Day | None,
        Field(description="Only entries dated on this day, to its end, or earlier.", examples=["2026-12-31"]),
    ] = None
    value_date_from: Annotated[
        Day | None,
        Field(
            description="Only entries that the bank counts on this day, from its beginning, or later.",
            examples=["2026-01-01"],
        ),
    ] = None
    value_date_to: Annotated[
        Day | None,
        Field(
            description="Only entries that the bank counts on this day, to its end, or earlier.",
            examples=["2026-12-31"],
        ),
    ] = None
    account: Annotated[
        Values,
        Field(
            description="Code or number of a bank account. `not_stated` finds entries without one.",
            examples=["USD-MAIN"],
        ),
    ]
    bank_reference: Annotated[
        str | None,
        Field(
            max_length=140,
            pattern=BANK_REFERENCE_PATTERN,
            description="The whole text by which the statement of the bank names an entry, in any case.",
            examples=["INV 2026-114"],
        ),
    ] = None
    decision: Annotated[
        Values,
        Field(
            description="Code of a decision of the Steering Committee. `not_stated` finds entries that name none.",
            examples=["SC-1"],
        ),
    ]
    corrects: Annotated[
        Values,
        Field(
            description="Code of an entry: those that make good its mistake. `not_stated` finds entries that correct"
            " none.",
            examples=["L-000001"],
        ),
    ]


class EntryQuery(EntryFilter, ListQuery):
    """Which entries, and in which order."""

    sort: tuple[Literal["code", "-code", "date", "-date", "amount", "-amount"], ...] = order_by("code")


LedgerEntryDivision = TypeAliasType(
    "LedgerEntryDivision",
    Literal[
        "kind", "contributor", "programme", "organization", "thematic_area", "category", "account", "decision", "year"
    ],
)
"""What the totals of the ledger can be divided by.

- `kind`: kind of the entries; a total is of one, which is its only group
- `contributor`: who gave the money, such as `DEU`
- `programme`: programme that the money is for, such as `ETH-01`
- `organization`: organization that received, spent or returned it, such as `ILO`
- `thematic_area`: thematic area to which the contributor has restricted it
- `category`: UNSDG budget category of expenditure
- `account`: bank account that they moved
- `decision`: decision of the Steering Committee that they carry out
- `year`: calendar year of the date of the entries
"""


class EntryTotalsQuery(EntryFilter, TotalsQuery):
    """Which entries are summed, and what the sums are divided by."""

    by: Annotated[
        list[LedgerEntryDivision],
        Field(
            min_length=1,
            max_length=2,
            description="What the sums are divided by, one or two of these.",
            examples=["kind"],
        ),
    ] = ["kind"]


class StatementQuery(TableQuery):
    """Which day a statement is of."""

    on: OnDay = None


class CapitalizationQuery(TableQuery):
    """How time is divided."""

    interval: Annotated[Interval, Field(description="Length of the periods.")] = "year"


class StatementLine(ResponseModel):
    """What the entries of one kind add up to, net of reversals."""

    kind: LedgerEntryKind
    """Kind of the entries."""
    sum: Money
    """Exact sum of the entries, in which reversals are negative."""
    rows: int
    """Number of the entries, reversals among them."""
    link: str
    """Path that lists the entries."""


class Delivery(ResponseModel):
    """How much of what organizations received they have spent; the share is the delivery rate."""

    net_funded: Money
    """What was transferred to organizations, less what they refunded."""
    expenditure: Money
    """What organizations reported as spent."""
    share: Share | None
    """`expenditure` divided by `net_funded`; null where that is not above zero."""


class CommitmentSums(ResponseModel):
    """What was committed in signed arrangements, how much of it was paid, and what is still to come.

    Each commitment is in US dollars at its own rate: how much of it was paid is settled in its own currency.
    """

    committed: StatementLine
    """What signed arrangements promise."""
    amendments: StatementLine
    """What amendments and partial cancellations have added to it, or taken from it."""
    paid: Money
    """What deposits have settled of these commitments; what exceeds a commitment does not count."""
    outstanding: Money
    """`committed` and `amendments` less `paid`: what is still to be paid."""
    exchange_differences: StatementLine
    """What deposits for commitments in another currency are more, or below zero less, in US dollars on their days than
    at the rates of the commitments.
    """


class FundStatement(ResponseModel):
    """The Fund on a day: what came in less what went out is the cash with the administrative agent.

    Pledges, commitments, allocations and expenditure are other stages of the same money: they stand beside the cash,
    and are never added to it.
    """

    on: datetime.date | None
    """Day of the statement: entries dated later are left out; null where all count."""
    sources: list[StatementLine]
    """Money that came in: deposits, interest, other income, transfers from other funds, and opening balances."""
    total_sources: Money
    """Sum of `sources`."""
    uses: list[StatementLine]
    """Money that went out: transfers, fee of the agent, direct costs, bank charges, refunds to contributors, transfers
    to other funds; and refunds of organizations, which reduce it.
    """
    total_uses: Money
    """Sum of `uses`, in which refunds are subtracted."""
    balance: Money
    """`total_sources` less `total_uses`: the cash with the administrative agent."""
    pledges: StatementLine
    """What contributors have announced."""
    commitments: CommitmentSums
    """What contributors have promised in signed arrangements, and how much of it was paid."""
    allocations: StatementLine
    """What the Steering Committee approved for programmes."""
    not_yet_transferred: Money
    """`allocations` less transfers: what was approved for programmes and is not paid to organizations yet."""
    delivery: Delivery
    """How much of what organizations received they have spent."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ContributorStatement(ResponseModel):
    """What one contributor has announced, signed and paid, and what is still to come."""

    contributor: Code
    """Code of the contributor, as at `/funding/v1/contributors`, such as `DEU`."""
    name: str
    """Name of the contributor as at `/funding/v1/contributors`."""
    pledges: StatementLine
    """What the contributor has announced."""
    commitments: CommitmentSums
    """What the contributor has promised in signed arrangements, and how much of it was paid."""
    deposits: StatementLine
    """What the contributor has paid, with and without a commitment."""
    refunds: StatementLine
    """What was returned to the contributor."""


class CataloguedBudget(ResponseModel):
    """A programme's budget as the catalogue states it, and how much of it was allocated."""

    sum: Money
    """The budget in the catalogue, in its own currency."""
    stage: ProgrammeBudgetStage
    """Stage of money of the budget; another one than `allocation` is not to be added to what was allocated."""
    copied: datetime.datetime
    """When the programme was last copied from the catalogue because it had changed there, in UTC."""
    allocated: Share
    """What the ledger has allocated to the programme, divided by the budget."""
    difference: Money | None
    """`sum` less the allocations of the ledger; null where the budget is at another stage than `allocation`."""
    reason: str | None
    """Why they differ, or cannot be compared, for people; null where they are the same."""


class ProgrammeStatement(ResponseModel):
    """What one programme was allocated, received and spent, beside its budget in the catalogue."""

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    title: str | None
    """Title of the programme in the catalogue; null where it has none."""
    budget: CataloguedBudget | None
    """The budget in the catalogue; null where it states none."""
    allocations: StatementLine
    """What the Steering Committee has approved for the programme."""
    transfers: StatementLine
    """What was paid to organizations for the programme."""
    refunds: StatementLine
    """What organizations have returned of it."""
    not_yet_transferred: Money
    """`allocations` less `transfers`: what was approved and is not paid to organizations yet."""
    delivery: Delivery
    """How much of what organizations received for the programme they have spent."""
    overspent: bool
    """Whether any organization has spent more for the programme than it received and did not refund."""


class FundingProgrammeCard(Card[ProgrammeStatement]):
    """What the ledger holds on a programme; `changed` is when its last entry was written, or the programme copied from
    the catalogue because it had changed there.
    """

    service: Literal["funding"]
    """Name of the service whose facts these are."""


class OrganizationStatement(ResponseModel):
    """What one organization received and spent, over all programmes."""

    organization: Code
    """Code of the participating UN organization, as at `/catalog/v1/organizations`, such as `ILO`."""
    allocations: StatementLine
    """What the Steering Committee has approved for the organization by name."""
    transfers: StatementLine
    """What was paid to the organization."""
    refunds: StatementLine
    """What the organization has returned."""
    delivery: Delivery
    """How much of what it received the organization has spent."""
    direct_costs: StatementLine
    """What was paid to the organization for running the Fund."""
    interest: StatementLine
    """What the organization has earned on the Fund's money and paid to it."""
    overspent: bool
    """Whether it has spent more for any programme than it received for it and did not refund."""


class ContributorStatements(ResponseModel):
    """The statement of every contributor that ledger entries name."""

    on: datetime.date | None
    """Day of the statement: entries dated later are left out; null where all count."""
    items: list[ContributorStatement]
    """One statement for each contributor, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class AllocationComparison(ResponseModel):
    """What the catalogue has as allocated to programmes, beside the allocations of the ledger."""

    budgets: Money
    """Sum of the budgets in US dollars at the stage `allocation` in the catalogue, of all its programmes."""
    programmes: int
    """Number of these programmes."""
    allocations: Money
    """Sum of the allocations of the ledger, of the day of the statement or earlier."""
    difference: Money
    """`budgets` less `allocations`."""
    reason: str | None
    """Why they differ, for people; null where they do not."""


class ProgrammeStatements(ResponseModel):
    """The statement of every programme that ledger entries name."""

    on: datetime.date | None
    """Day of the statement: entries dated later are left out; null where all count."""
    items: list[ProgrammeStatement]
    """One statement for each programme, in the order of their codes."""
    compared: AllocationComparison
    """The allocations of the catalogue and of the ledger, over all programmes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class OrganizationStatements(ResponseModel):
    """The statement of every organization that ledger entries name."""

    on: datetime.date | None
    """Day of the statement: entries dated later are left out; null where all count."""
    items: list[OrganizationStatement]
    """One statement for each organization, in the order of their codes."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class CommitmentInOwnCurrency(ResponseModel):
    """What was promised and paid of a commitment, in the currency in which it was promised."""

    committed: Money
    """The commitment with its amendments."""
    paid: Money
    """What deposits have settled of it; those in another currency by their US dollars, at the rate of the commitment.
    """
    outstanding: Money
    """`committed` less `paid`: what is still to be paid."""


class CommitmentAgeing(ResponseModel):
    """What is still to be paid, by how many days ago it was due, in US dollars at the rates of the commitments.

    Deposits pay what is due first, and what is taken from a commitment is taken from what is due last.
    """

    not_due: Money
    """What is due on the day of the statement or later."""
    past_due_1_to_30: Money
    """What was due 1 to 30 days before."""
    past_due_31_to_90: Money
    """What was due 31 to 90 days before."""
    past_due_91_to_180: Money
    """What was due 91 to 180 days before."""
    past_due_over_180: Money
    """What was due more than 180 days before."""
    no_due_date: Money
    """What no instalment says the day of."""


class OutstandingCommitment(ResponseModel):
    """A commitment that is not fully paid."""

    commitment: Code
    """Code of the entry of the commitment, such as `L-000001`."""
    contributor: Code
    """Code of the contributor, as at `/funding/v1/contributors`, such as `DEU`."""
    date: datetime.date
    """Day of the commitment."""
    committed: Money
    """The commitment with its amendments, in US dollars at its own rate."""
    paid: Money
    """What deposits have settled of it, in US dollars at its own rate."""
    outstanding: Money
    """`committed` less `paid`: what is still to be paid."""
    in_own_currency: CommitmentInOwnCurrency
    """The same in the currency in which it was promised, in which it is settled."""
    received: Money
    """What was deposited for it in US dollars, each deposit at the rate of its own day."""
    ageing: CommitmentAgeing | None
    """`outstanding` by the days on which it was or is due; null where no day of the statement was asked for."""


class OutstandingCommitments(ResponseModel):
    """Commitments that are not fully paid, the oldest first."""

    on: datetime.date | None
    """Day of the statement: entries dated later are left out; null where all count."""
    items: list[OutstandingCommitment]
    """The commitments that are not fully paid, the oldest first."""
    outstanding: Money
    """Sum of what is still to be paid."""
    ageing: CommitmentAgeing | None
    """`outstanding` by the days on which it was or is due; null where no day of the statement was asked for."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class TargetShare(ResponseModel):
    """How much of a capitalization target was deposited."""

    target: Code
    """Code of the capitalization target, as at `/funding/v1/targets`."""
    share: Share
    """The deposits divided by the amount of the target."""


class CapitalizationPeriod(ResponseModel):
    """What was pledged, committed and deposited in all up to the end of a period; the three are never added up."""

    end: datetime.date
    """Last day of the period."""
    pledges: Money
    """What was pledged in all up to that day."""
    commitments: Money
    """What was committed in all up to that day, with the amendments of commitments."""
    deposits: Money
    """What was deposited in all up to that day."""
    targets: list[TargetShare]
    """The deposits as a share of each target in US dollars."""


class Capitalization(ResponseModel):
    """What the Fund has raised over time, from its first pledge, commitment or deposit to the last."""

    periods: list[CapitalizationPeriod]
    """The periods, the earliest first."""
    printed: list[PrintedContributions]
    """What sources print as contributed, which the progress towards the targets is of, beside the deposits of the
    ledger up to the same day.
    """
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
    "value_date": "2026-03-03",
    "account": "USD-MAIN",
    "bank_reference": "INV 2026-114",
    "reference": "Standard administrative arrangement, second instalment",
}

REVERSAL = {"date": "2026-07-15", "reason": "Reported for the wrong programme."}
CORRECTION = {
    "kind": "expenditure",
    "date": "2026-06-30",
    "amount": "145000.00",
    "programme": "ETH-01",
    "organization": "ILO",
    "category": "supplies",
    "reversal_date": "2026-06-30",
    "reason": "Two figures were interchanged.",
}
CONTRIBUTOR = {"code": "AUT", "name": "Austria", "type": "member_state", "country": "AUT"}
