"""The wire shapes of bank reconciliation: accounts, statements with their entries, matches, proposals, the report."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from mmptf_common.http.parameters import Flag, ListQuery, PointInTime, TotalsQuery, Values, order_by
from mmptf_common.wire.base import Code, Day, NewCode, PatchModel, RequestModel, ResponseModel, Text, unset, worded
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.bank.domain import BankDirection, MatchState, StatementFormat
from mmptf_funding.currencies import Currency
from mmptf_funding.ledger.schemas import BANK_REFERENCE_PATTERN

AccountNumber = Annotated[
    str,
    Field(
        pattern=worded(
            r"^[A-Za-z0-9]([A-Za-z0-9 ./-]{0,46}[A-Za-z0-9])?$",
            "an IBAN or the number of an account, such as CH93 0076 2011 6238 5295 7",
        ),
        examples=["CH93 0076 2011 6238 5295 7"],
    ),
]
SignedText = Annotated[
    str,
    Field(
        pattern=worded(
            r"^-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,2})?$", "an amount as text, negative for a debit, such as -1500.00"
        ),
        examples=["-1500.00"],
    ),
]


# --- accounts -------------------------------------------------------------------------------------------------------


class BankAccountSent(RequestModel):
    """An account of the Fund at a bank."""

    code: NewCode
    """Code of the account, which entries of the ledger name, such as `USD-MAIN`."""
    name: Annotated[Text, Field(max_length=300)]
    """What the account is called."""
    currency: Annotated[Currency, Field(examples=["USD"])]
    """ISO 4217 code of the currency in which it is kept."""
    number: AccountNumber
    """IBAN, or the number of the account where it has none; bank statements are recognized by it."""
    bank: Annotated[Text, Field(max_length=300)]
    """Name of the bank."""


class BankAccountPatch(PatchModel):
    """What changes of a bank account; currency and number never do: another account has another code."""

    name: Annotated[Text, Field(default_factory=unset, max_length=300)]
    """What the account is called."""
    bank: Annotated[Text, Field(default_factory=unset, max_length=300)]
    """Name of the bank."""


class BankAccount(ResponseModel):
    """An account of the Fund at a bank. For the administrative agent and the Fund's management unit."""

    code: Code
    """Code of the account, which entries of the ledger name, such as `USD-MAIN`."""
    name: str
    """What the account is called."""
    currency: str
    """ISO 4217 code of the currency in which it is kept."""
    number: str
    """IBAN, or the number of the account where it has none."""
    bank: str
    """Name of the bank."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime.datetime
    """When the record was last written here, in UTC."""


class BankAccountPage(Page[BankAccount]):
    """One page of bank accounts."""


class BankAccountQuery(ListQuery):
    """Which bank accounts, and in which order."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")


# --- statements -----------------------------------------------------------------------------------------------------


class StatementGap(ResponseModel):
    """Days between two statements of an account of which no statement is here, and what changed in them."""

    date_from: datetime.date
    """First day without a statement."""
    date_to: datetime.date
    """Last day without a statement."""
    sum: Money
    """Opening balance of the later statement less the closing balance of the earlier one."""


class BankStatement(ResponseModel):
    """A statement of a bank account. Its opening balance and its entries add up to its closing balance."""

    code: Code
    """Code of the statement, such as `S-000001`; statements are numbered in the order of import."""
    account: Code
    """Code of the bank account."""
    identification: str | None
    """Number that the bank gave the statement; null where it gave none."""
    format: StatementFormat
    """Form of the file from which it was imported."""
    date_from: datetime.date
    """First day of the statement."""
    date_to: datetime.date
    """Last day of the statement."""
    opening_balance: Money
    """Booked balance before the first entry; negative where the account is overdrawn."""
    closing_balance: Money
    """Booked balance after the last entry."""
    entries: int
    """Number of its booked entries."""
    pending: int
    """Number of entries in the file that are announced and not booked; they are not imported."""
    link: str
    """Path that lists its entries."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime.datetime
    """When the record was last written here, in UTC."""


class BankStatementPage(Page[BankStatement]):
    """One page of bank statements."""


class BankStatementQuery(ListQuery):
    """Which bank statements, and in which order."""

    sort: tuple[Literal["code", "-code", "date", "-date"], ...] = order_by("code")
    account: Annotated[Values, Field(description="Code of a bank account.", examples=["USD-MAIN"])]
    date_from: Annotated[
        Day | None,
        Field(
            description="Only statements that end on this day, from its beginning, or later.", examples=["2026-01-01"]
        ),
    ] = None
    date_to: Annotated[
        Day | None,
        Field(description="Only statements that begin on this day, to its end, or earlier.", examples=["2026-12-31"]),
    ] = None


StatementOutcome = TypeAliasType("StatementOutcome", Literal["imported", "known"])
"""What an import did with a statement.

- `imported`: it was written, or would be by a request that is not a dry run
- `known`: the same statement was imported before, and nothing was written
"""


class ImportedStatement(ResponseModel):
    """What an import did with one statement of the file."""

    outcome: StatementOutcome
    """Whether it was written, or was here already."""
    statement: BankStatement
    """The statement as it is stored."""
    gaps: list[StatementGap]
    """Days without a statement directly before and after it; empty where it follows on from its neighbours."""


class StatementImportReport(ResponseModel):
    """What an import of bank statements did, or would do as a dry run."""

    dry_run: bool
    """Whether the request was only checked and nothing written."""
    statements: list[ImportedStatement]
    """What was done with each statement, in the order of their first days."""
    revision: int | None
    """Number of the write, as `revision` of other answers; null for a dry run."""


# --- entries --------------------------------------------------------------------------------------------------------


class BankEntry(ResponseModel):
    """A movement of a bank account, as the bank has booked it. It is never changed but for `match`."""

    code: Code
    """Code of the entry, such as `B-000001`; entries are numbered in the order of import."""
    account: Code
    """Code of the bank account."""
    statement: Code
    """Code of the bank statement that contains it."""
    position: int
    """Position in that statement, from 1."""
    booking_date: datetime.date
    """Day on which the bank booked it."""
    value_date: datetime.date
    """Day from which the bank counts it for interest."""
    direction: BankDirection
    """Whether the bank added the amount to the account or took it."""
    sum: Money
    """The amount in the account's currency; negative where the bank took it."""
    balance: Money
    """Balance of the account after this entry and those before it in the statement (running balance)."""
    references: list[str]
    """References of the bank, the payer and the transaction, each once; the bank's own first."""
    counterparty: str | None
    """Who paid or was paid; null where the bank does not state it, or several were."""
    counterparty_account: str | None
    """IBAN or number of that party's account; null where the bank does not state it."""
    text: str | None
    """What the payer and the bank wrote, in one line; null where there is nothing."""
    match: Code | None
    """Code of the match that reconciles it with the ledger; null where it is not reconciled."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime.datetime
    """When the record was last written here, in UTC."""


class BankEntryPage(Page[BankEntry]):
    """One page of bank entries."""


class BankEntryFilter(PointInTime):
    """Which bank entries: any of a repeated filter, all of different ones."""

    account: Annotated[Values, Field(description="Code of a bank account.", examples=["USD-MAIN"])]
    statement: Annotated[Values, Field(description="Code of a bank statement.", examples=["S-000001"])]
    direction: Annotated[
        list[BankDirection],
        Field(
            default_factory=list,
            max_length=100,
            description="Whether the bank added the amount to the account or took it.",
            examples=["bank_debit"],
        ),
    ]
    reconciled: Annotated[
        Flag | None,
        Field(description="`true`: only entries with a confirmed match; `false`: only the others.", examples=[False]),
    ] = None
    date_from: Annotated[
        Day | None,
        Field(description="Only entries booked on this day, from its beginning, or later.", examples=["2026-01-01"]),
    ] = None
    date_to: Annotated[
        Day | None,
        Field(description="Only entries booked on this day, to its end, or earlier.", examples=["2026-12-31"]),
    ] = None
    amount: Annotated[
        SignedText | None,
        Field(description="Only entries of exactly this amount, negative for debits.", examples=["-200000.00"]),
    ] = None
    reference: Annotated[
        str | None,
        Field(
            max_length=140,
            pattern=BANK_REFERENCE_PATTERN,
            description="Only entries that have this text among their references.",
            examples=["INV 2026-114"],
        ),
    ] = None


class BankEntryQuery(BankEntryFilter, ListQuery):
    """Which bank entries, and in which order."""

    sort: tuple[Literal["code", "-code", "date", "-date", "amount", "-amount"], ...] = order_by("code")


BankEntryDivision = TypeAliasType("BankEntryDivision", Literal["account", "statement", "reconciled", "month"])
"""What the totals of bank entries can be divided by.

- `account`: bank account
- `statement`: bank statement
- `reconciled`: whether the entries have a confirmed match
- `month`: calendar month of the booking date
"""


class BankEntryTotalsQuery(BankEntryFilter, TotalsQuery):
    """Which bank entries are summed, and what the sums are divided by."""

    by: Annotated[
        list[BankEntryDivision],
        Field(min_length=1, max_length=2, description="What the sums are divided by.", examples=["account"]),
    ] = ["account"]


# --- matches --------------------------------------------------------------------------------------------------------


class BankMatchSent(RequestModel):
    """That one bank entry and these ledger entries are the same money, to the cent."""

    bank_entry: Code
    """Code of the bank entry, such as `B-000001`."""
    ledger_entries: Annotated[list[Code], Field(min_length=1, max_length=100)]
    """Codes of the ledger entries, which add up to the bank entry. What a bank kept back is a `bank_charge` of the
    ledger and one of them.
    """
    note: Annotated[Text, Field(max_length=2000)] | None = None
    """Why they belong together, where that is not plain."""


class BankMatchBatch(RequestModel):
    """Matches that are confirmed together."""

    matches: Annotated[list[BankMatchSent], Field(min_length=1, max_length=1000)]
    """The matches, from one to 1000."""


class MatchCancellationSent(RequestModel):
    """Why a match is undone."""

    reason: Annotated[Text, Field(max_length=2000)]
    """What was wrong with the match."""


class BankMatch(ResponseModel):
    """That a bank entry and ledger entries are the same money. A wrong match is cancelled, a right one confirmed."""

    code: Code
    """Code of the match, such as `M-000001`; matches are numbered in the order of writing."""
    account: Code
    """Code of the bank account."""
    state: MatchState
    """Whether the match holds."""
    bank_entry: Code
    """Code of the bank entry."""
    ledger_entries: list[Code]
    """Codes of the ledger entries."""
    sum: Money
    """The amount of the bank entry, to which the ledger entries add up."""
    charges: Money
    """The part of it that is bank charges of the ledger; zero where there are none."""
    note: str | None
    """Why they belong together; null where that was not stated."""
    cancelled: str | None
    """Why the match was cancelled; null where it holds."""
    recorded_by: str | None
    """Code of the organization on whose behalf it was confirmed; null where that was the operator of the service."""
    updated: datetime.datetime
    """When the record was last written here, in UTC."""


class BankMatchPage(Page[BankMatch]):
    """One page of matches."""


class BankMatchQuery(ListQuery):
    """Which matches, and in which order."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")
    account: Annotated[Values, Field(description="Code of a bank account.", examples=["USD-MAIN"])]
    bank_entry: Annotated[Values, Field(description="Code of a bank entry.", examples=["B-000001"])]
    ledger_entry: Annotated[
        Values, Field(description="Code of a ledger entry that a match contains.", examples=["L-000002"])
    ]
    state: Annotated[
        list[MatchState],
        Field(default_factory=list, max_length=100, description="Whether a match holds.", examples=["confirmed"]),
    ]


# The examples of the contract: an account, a statement of another one, and a match of an entry in it.
ACCOUNT = {
    "code": "EUR-1",
    "name": "Account in euros",
    "currency": "EUR",
    "number": "CH93 0076 2011 6238 5295 7",
    "bank": "A bank",
}
STATEMENT = """\
account,currency,identification,date_from,date_to,opening_balance,closing_balance,booking_date,value_date,amount,bank_reference,counterparty
USD-MAIN,USD,1/2026,2026-03-01,2026-03-31,0.00,342500.00,2026-03-02,2026-03-02,542500.00,INV 2026-114,A contributor
USD-MAIN,USD,1/2026,2026-03-01,2026-03-31,0.00,342500.00,2026-03-20,2026-03-20,-200000.00,FT26079B,An organization
"""
# The same statement as the CSV.
CAMT = """\
<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
  <BkToCstmrStmt>
    <GrpHdr><MsgId>2026-03</MsgId><CreDtTm>2026-04-01T06:00:00Z</CreDtTm></GrpHdr>
    <Stmt>
      <Id>1/2026</Id>
      <FrToDt><FrDtTm>2026-03-01T00:00:00</FrDtTm><ToDtTm>2026-03-31T24:00:00</ToDtTm></FrToDt>
      <Acct><Id><Othr><Id>US-1000-1</Id></Othr></Id><Ccy>USD</Ccy></Acct>
      <Bal>
        <Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="USD">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-01</Dt></Dt>
      </Bal>
      <Bal>
        <Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="USD">342500.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-31</Dt></Dt>
      </Bal>
      <Ntry>
        <Amt Ccy="USD">542500.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
        <BookgDt><Dt>2026-03-02</Dt></BookgDt><ValDt><Dt>2026-03-02</Dt></ValDt><AcctSvcrRef>INV 2026-114</AcctSvcrRef>
        <NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>A contributor</Nm></Pty></Dbtr></RltdPties></TxDtls></NtryDtls>
      </Ntry>
      <Ntry>
        <Amt Ccy="USD">200000.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
        <BookgDt><Dt>2026-03-20</Dt></BookgDt><ValDt><Dt>2026-03-20</Dt></ValDt><AcctSvcrRef>FT26079B</AcctSvcrRef>
        <NtryDtls><TxDtls><RltdPties><Cdtr><Pty><Nm>An organization</Nm></Pty></Cdtr></RltdPties></TxDtls></NtryDtls>
      </Ntry>
    </Stmt>
  </BkToCstmrStmt>
</Document>
"""
MATCH = {"bank_entry": "B-000002", "ledger_entries": ["L-000005"], "note": "The bank gives no reference of the Fund."}
CANCELLATION = {"reason": "It pays another commitment."}
