"""What a bank states of an account: statements with their balances, and the movements in them, with exact amounts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from mmptf_common.wire import texts

StatementFormat = TypeAliasType("StatementFormat", Literal["camt.053", "csv"])
"""Form of the file from which a bank statement was imported.

- `camt.053`: the bank-to-customer statement of ISO 20022
- `csv`: the template's table of statements
"""
BankDirection = TypeAliasType("BankDirection", Literal["bank_credit", "bank_debit"])
"""Direction of a movement of a bank account, as the bank states it.

- `bank_credit`: the bank added the amount to the account
- `bank_debit`: the bank took the amount from the account
"""
MatchState = TypeAliasType("MatchState", Literal["confirmed", "cancelled"])
"""Whether a match of bank entry and ledger entries holds.

- `confirmed`: the entries are reconciled with each other
- `cancelled`: the match was undone, and its entries can be matched anew
"""

ProposalReason = TypeAliasType(
    "ProposalReason",
    Literal["same_reference", "same_amount", "same_sum", "net_of_fee", "same_day", "near_day"],
)
"""Why a match is proposed.

- `same_reference`: the ledger's `bank_reference` is among the references of the bank entry
- `same_amount`: one ledger entry has the amount of the bank entry
- `same_sum`: several ledger entries with one reference add up to the amount of the bank entry
- `net_of_fee`: a deposit less the agent's fee that was entered with it is the amount of the bank entry
- `same_day`: the value date of the ledger, or the posting date where there is none, is that of the bank entry
- `near_day`: it is at most `days` days away
"""

# The longest text that is stored of a bank's file, and of one reference; references of one entry.
MAX_TEXT, MAX_REFERENCE, MAX_REFERENCES = 2000, 140, 100
_NOT_STORED = re.compile(f"[{texts.REFUSED}{texts.UNSEEN}]")
# What banks write where the payer gave no reference.
_NO_REFERENCE = {"", "NOTPROVIDED", "NONREF", "NOREF"}


class StatedEntry(BaseModel):
    """A movement as a file states it; the amount is negative where the bank took it from the account.

    position: of the entry in its statement, from 1; references: of the bank, the payer and the transaction, each once
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    position: int
    booking_date: date
    value_date: date
    amount: Annotated[Decimal, Field(max_digits=18, decimal_places=2)]
    references: tuple[str, ...] = ()
    counterparty: str | None = None
    counterparty_account: str | None = None
    text: str | None = None

    @property
    def identity(self) -> tuple[str, date, Decimal] | None:
        """What no two entries of an account have in common; None where the bank gives no reference."""
        return (self.references[0], self.booking_date, self.amount) if self.references else None


class StatedStatement(BaseModel):
    """A statement as a file states it; balances are negative where the account is overdrawn.

    pointer: where it is in the file, for errors; account: code, IBAN or number
    identification: the bank's own of the statement
    pending: the number of entries that are announced and not booked, which no balance counts
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pointer: str
    account: str
    currency: str
    identification: str | None
    date_from: date
    date_to: date
    opening: Annotated[Decimal, Field(max_digits=18, decimal_places=2)]
    closing: Annotated[Decimal, Field(max_digits=18, decimal_places=2)]
    pending: int = 0
    entries: tuple[StatedEntry, ...] = ()


def account_number(text: str) -> str:
    """An IBAN or the number of an account as it is compared: capitals and digits alone."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def bank_text(given: str | None, most: int = MAX_TEXT) -> str | None:
    """A text of a bank in one line, without what nobody sees or a spreadsheet takes for a formula; None where empty.

    Nobody who imports a statement can correct what a payer wrote, so it is not refused.
    """
    shown = "".join(c if c.isprintable() and ord(c) < 0xE0000 else " " for c in _NOT_STORED.sub(" ", given or ""))
    text = " ".join(shown.split())[:most].strip()
    while text:
        try:
            return texts.not_a_formula(text)
        except ValueError:
            text = text[1:].lstrip()
    return None


def references_of(stated: Sequence[str | None]) -> tuple[str, ...]:
    """References in their order, each once, without the words for none."""
    found = [text for each in stated if (text := bank_text(each, MAX_REFERENCE))]
    return tuple(dict.fromkeys(text for text in found if text.upper() not in _NO_REFERENCE))[:MAX_REFERENCES]
