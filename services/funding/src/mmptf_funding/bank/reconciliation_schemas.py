"""The wire shapes of what is computed from both sides: proposed matches, and the reconciliation of an account."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import Field

from mmptf_common.http.parameters import TableQuery
from mmptf_common.wire.base import Code, Day, ResponseModel
from mmptf_common.wire.money import Money
from mmptf_funding.bank.domain import ProposalReason
from mmptf_funding.bank.schemas import StatementGap
from mmptf_funding.ledger.domain import LedgerEntryKind

# --- proposals ------------------------------------------------------------------------------------------------------


class MatchProposal(ResponseModel):
    """Ledger entries that may be the same money as a bank entry, and why."""

    bank_entry: Code
    """Code of the bank entry."""
    ledger_entries: list[Code]
    """Codes of the ledger entries."""
    bank_sum: Money
    """Amount of the bank entry."""
    ledger_sum: Money
    """What the ledger entries add up to, in the account's currency."""
    difference: Money
    """`bank_sum` less `ledger_sum`. Where it is not zero, the match is confirmed once what is missing, such as a bank
    charge, is entered into the ledger.
    """
    days: int
    """Days between the value dates: of the bank entry, and of the ledger entry that is farthest from it."""
    score: Annotated[int, Field(ge=0, le=100)]
    """How much speaks for it: 60 for the reference, 30 for the amount, up to 10 for the days."""
    reasons: list[ProposalReason]
    """What speaks for it."""
    unambiguous: bool
    """Whether no other proposal for the bank entry, or for any of the ledger entries, has as high a score, and nothing
    differs.
    """


class MatchProposals(ResponseModel):
    """Proposed matches of an account, those with the highest score first for each bank entry."""

    account: Code
    """Code of the bank account."""
    days: int
    """Largest number of days between a bank entry and a ledger entry without the same reference."""
    bank_entries: int
    """Number of bank entries that were looked at: those that are not reconciled, the earliest first."""
    left_out: int
    """Number of further bank entries that are not reconciled; look at them from `date_from` on."""
    proposals: list[MatchProposal]
    """The proposals, in the order of the bank entries and, of each, of the score."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ProposalQuery(TableQuery):
    """Which bank entries matches are proposed for."""

    days: Annotated[
        int,
        Field(ge=0, le=30, description="Largest number of days between the value dates, where references differ."),
    ] = 5
    date_from: Annotated[
        Day | None,
        Field(
            description="Only bank entries booked on this day, from its beginning, or later.", examples=["2026-01-01"]
        ),
    ] = None
    date_to: Annotated[
        Day | None,
        Field(description="Only bank entries booked on this day, to its end, or earlier.", examples=["2026-12-31"]),
    ] = None


# --- reconciliation -------------------------------------------------------------------------------------------------


class ReconciliationQuery(TableQuery):
    """Which day a reconciliation is of."""

    on: Annotated[
        Day | None,
        Field(
            description="Day at whose end both balances are compared; without it the last day of the last statement.",
            examples=["2026-12-31"],
        ),
    ] = None


class LedgerItem(ResponseModel):
    """An entry of the ledger that is not on the bank statements up to the day."""

    code: Code
    """Code of the ledger entry."""
    kind: LedgerEntryKind
    """What happened to the money."""
    date: datetime.date
    """Posting date."""
    value_date: datetime.date | None
    """Value date; null where none was stated."""
    sum: Money | None
    """Amount in the account's currency, negative for what went out; null where it was given in another currency."""
    bank_reference: str | None
    """Reference of the bank; null where none was stated."""
    match: Code | None
    """Code of the match with a bank entry that is booked after the day, or that was confirmed once the day was closed;
    null where there is none.
    """
    link: str
    """Path of the entry."""


class BankItem(ResponseModel):
    """An entry of the bank statements that is not in the ledger up to the day."""

    code: Code
    """Code of the bank entry."""
    booking_date: datetime.date
    """Day on which the bank booked it."""
    value_date: datetime.date
    """Day from which the bank counts it for interest."""
    sum: Money
    """Amount, negative for what went out."""
    references: list[str]
    """References of the bank, the payer and the transaction."""
    match: Code | None
    """Code of the match with ledger entries that are dated after the day, or that was confirmed once the day was
    closed; null where there is none.
    """
    link: str
    """Path of the entry."""


class ReconciledDay(ResponseModel):
    """Both balances at the end of a day on which one of them changed."""

    date: datetime.date
    """Day at whose end both balances are compared."""
    ledger: Money
    """Balance of the account by the ledger."""
    bank: Money
    """Balance of the account by the bank statements."""
    difference: Money
    """`ledger` less `bank`."""


class OpeningComparison(ResponseModel):
    """The ledger's balance before the first bank statement, beside that statement's opening balance."""

    date: datetime.date
    """First day of the first statement."""
    ledger: Money
    """Sum of the ledger entries dated before it, and of opening balances of that day, without those that a later bank
    entry is matched with.
    """
    bank: Money
    """Opening balance of the statement."""
    difference: Money
    """`ledger` less `bank`."""


class BankReconciliation(ResponseModel):
    """A bank account on a day: the balance by the ledger less the balance by the bank is what the lists here explain.

    `ledger` less `bank` is the sum of `ledger_only` less the sum of `bank_only`, and `unexplained`.
    """

    account: Code
    """Code of the bank account."""
    on: datetime.date | None
    """The day; null where there is no bank statement yet and none was asked for: then all entries count."""
    statement: Code | None
    """Code of the last bank statement that begins on the day or before; null where there is none."""
    complete: bool
    """Whether the statements reach the day; otherwise bank entries of the last days may be missing."""
    ledger: Money
    """Balance of the account by the ledger: of all its entries dated up to the day."""
    bank: Money | None
    """Balance of the account by the bank statements; null where there is none."""
    matched: Money
    """Sum of the bank entries that are matched with ledger entries, both up to the day."""
    matches: int
    """Number of these bank entries."""
    opening: OpeningComparison | None
    """What was there before the first bank statement; null where there is none."""
    gaps: list[StatementGap]
    """Days between bank statements of which none is here; their sums are part of `unexplained`."""
    ledger_only_sum: Money
    """What the entries in `ledger_only` add up to."""
    ledger_only: list[LedgerItem]
    """Entries of the ledger up to the day that no bank entry up to the day is matched with. An entry and its reversal
    that the bank never saw are left out.
    """
    bank_only_sum: Money
    """What the entries in `bank_only` add up to."""
    bank_only: list[BankItem]
    """Bank entries up to the day that no ledger entry up to the day is matched with."""
    other_currency: list[LedgerItem]
    """Entries of the ledger that name the account and were given in another currency, so that no balance contains them.
    """
    without_account: list[LedgerItem]
    """Cash entries of the ledger that name none of the listed bank accounts; no balance contains them. Where only one
    account is listed, those that name none at all belong to it, and later those that its bank entries are matched with.
    """
    days: list[ReconciledDay]
    """Both balances on each day of the last statement on which one of them changed (running balance)."""
    unexplained: Money | None
    """What of the difference the lists do not explain; null where there is no bank statement."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ReconciliationLine(ResponseModel):
    """A line of a reconciliation as a table."""

    line: str
    """What the line is: `ledger`, `bank`, `opening`, `gap`, `ledger_only`, `bank_only`, `other_currency`,
    `without_account` or `unexplained`.
    """
    code: str | None
    """Code of the entry of the ledger or of the bank."""
    kind: str | None
    """Kind of a ledger entry."""
    date: datetime.date | None
    """Posting or booking date; of a balance its day."""
    value_date: datetime.date | None
    """Day from which the bank counts it for interest."""
    sum: Money | None
    """The amount."""
    reference: str | None
    """Reference of the bank."""
    match: str | None
    """Code of a match that does not count yet on the day."""
