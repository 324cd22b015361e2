"""Bank statements in camt.053, made by hand in the form of two of its versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

OLD, NEW = "001.02", "001.08"


@dataclass(frozen=True)
class Booked:
    """An entry of a statement; a negative amount is a debit."""

    amount: str
    day: str
    reference: str = "NOTPROVIDED"
    value: str | None = None
    party: str = "A payer"
    text: str = "for the Fund"
    end_to_end: str = "NOTPROVIDED"
    status: str = "BOOK"


@dataclass(frozen=True)
class Stated:
    """A statement of an account."""

    opening: str
    closing: str
    begins: str = "2026-01-01"
    ends: str = "2026-01-31"
    entries: Iterable[Booked] = field(default_factory=tuple)
    account: str = "CH9300762011623852957"
    currency: str = "USD"


def _signed(amount: str, currency: str) -> str:
    indicator = "DBIT" if amount.startswith("-") else "CRDT"
    return f'<Amt Ccy="{currency}">{amount.removeprefix("-")}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>'


def _balance(code: str, amount: str, currency: str, day: str) -> str:
    kind = f"<Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
    return f"<Bal>{kind}{_signed(amount, currency)}<Dt><Dt>{day}</Dt></Dt></Bal>"


def _entry(entry: Booked, currency: str, version: str) -> str:
    status = entry.status if version == OLD else f"<Cd>{entry.status}</Cd>"
    name = f"<Nm>{entry.party}</Nm>"
    party, role = (name if version == OLD else f"<Pty>{name}</Pty>"), "Cdtr" if entry.amount[0] == "-" else "Dbtr"
    return (
        f"<Ntry>{_signed(entry.amount, currency)}<Sts>{status}</Sts><BookgDt><Dt>{entry.day}</Dt></BookgDt>"
        f"<ValDt><DtTm>{entry.value or entry.day}T12:00:00+01:00</DtTm></ValDt>"
        f"<AcctSvcrRef>{entry.reference}</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>{entry.end_to_end}"
        f"</EndToEndId></Refs><RltdPties><{role}>{party}</{role}><{role}Acct><Id><IBAN>DE89370400440532013000</IBAN></Id>"
        f"</{role}Acct></RltdPties><RmtInf><Ustrd>{entry.text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def _statement(stated: Stated, version: str) -> str:
    currency = stated.currency
    entries = "".join(_entry(entry, currency, version) for entry in stated.entries)
    period = f"<FrToDt><FrDtTm>{stated.begins}T00:00:00</FrDtTm><ToDtTm>{stated.ends}T24:00:00</ToDtTm></FrToDt>"
    return (
        f"<Stmt><Id>1/2026</Id>{period}<Acct><Id><IBAN>{stated.account}</IBAN></Id><Ccy>{currency}</Ccy></Acct>"
        + _balance("OPBD", stated.opening, currency, stated.begins)
        + _balance("CLBD", stated.closing, currency, stated.ends)
        + entries
        + "</Stmt>"
    )


def camt(*statements: Stated, version: str = NEW, prologue: str = "") -> bytes:
    """A message in camt.053 with these statements."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prologue}'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.{version}"><BkToCstmrStmt><GrpHdr><MsgId>m</MsgId>'
        f"</GrpHdr>{''.join(_statement(stated, version) for stated in statements)}</BkToCstmrStmt></Document>"
    ).encode()
