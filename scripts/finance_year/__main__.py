"""Writes the made-up year of `docs/finance.md` into a folder: the same files each time.

Run as `python scripts/finance_year docs/examples/finance-year`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from books import ROWS, Booked, Entry, expenditures
from differences import KINDS, Books
from fund import (
    CONTRIBUTORS,
    COSTS,
    MAIN,
    NUMBERS,
    OPENING,
    ORGANIZATIONS,
    PROGRAMMES,
    RATES,
    YEAR,
    fee,
    month_end,
    organization_name,
)

LEDGER_COLUMNS = (
    "id", "kind", "date", "amount", "original_amount", "original_currency", "rate", "rate_date", "rate_source",
    "contributor", "programme", "organization", "thematic_area", "category", "tranche", "follows", "amendment",
    "value_date", "account", "bank_reference", "counterpart_fund", "reference",
)  # fmt: skip
# In the order in which entries of one day are made.
KIND_ORDER = (
    "pledge", "commitment", "commitment_amendment", "deposit", "contributor_refund", "allocation", "transfer",
    "expenditure", "refund", "transfer_from_fund", "direct_cost", "bank_charge", "interest", "opening_balance",
)  # fmt: skip
NEXT = date(YEAR + 1, 1, 31)
STATEMENT = "certified-statement.txt"


def table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def lines(records: Iterable[object]) -> str:
    """Records as one line of JSON each."""
    return "".join(f"{compact(record)}\n" for record in records)


def compact(record: object) -> str:
    """A record as JSON in one line."""
    return json.dumps(record, separators=(",", ":"))


# --- the ledger -----------------------------------------------------------------------------------------------------


def ledger_rows(books: Books) -> list[Entry]:
    """The rows of the ledger's file by day and kind."""
    entered = [*books.entered.values(), *expenditures(ROWS - len(books.entered))]
    return sorted(entered, key=lambda entry: (entry.day, KIND_ORDER.index(entry.kind)))


def programme_rows() -> list[dict[str, str]]:
    """The rows of the catalogue's template, with the days of each status."""
    return [
        {
            "code": each.code,
            "title": f"Made-up programme {each.number}",
            "thematic_area": str(1 + each.number % 5),
            "organizations": "|".join(each.organizations),
            "lead_organization": each.organizations[0],
            "start": f"{each.begins}",
            "end": f"{YEAR + 1}-12-31",
            "budget_usd": f"{each.budget():.2f}",
            **each.statuses(),
            "source": "Made-up register",
        }
        for each in PROGRAMMES
    ]


# --- the banks ------------------------------------------------------------------------------------------------------


def statements(books: Books, account: str, year: int) -> list[tuple[date, date, Decimal, list[Booked]]]:
    """The statements of an account: first and last day, opening balance, entries; for each month of the year.

    Of the year after it there is January alone.
    """
    booked = sorted(
        (each for each in books.booked.values() if each.account == account), key=lambda each: (each.day, each.reference)
    )
    balance = OPENING[account]
    found = []
    ends = [*map(month_end, range(1, 13)), NEXT]
    for last in ends:
        first = last.replace(day=1)
        own = [each for each in booked if first <= each.day <= last]
        found.append((first, last, balance, own))
        balance += sum((each.amount for each in own), Decimal(0))
        assert balance > 0
    return [each for each in found if each[0].year == year]


def camt(account: str, stated: Sequence[tuple[date, date, Decimal, list[Booked]]]) -> str:
    """Statements as one message in camt.053.001.08."""
    found = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!-- Made up: no bank has this account, and nobody of this statement exists. -->",
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">',
        "<BkToCstmrStmt>",
        f"<GrpHdr><MsgId>{account}-{stated[0][0]:%Y}</MsgId><CreDtTm>{stated[-1][1]}T23:59:59</CreDtTm></GrpHdr>",
    ]
    for first, last, opening, booked in stated:
        closing = opening + sum((each.amount for each in booked), Decimal(0))
        found += [
            f"<Stmt><Id>{first:%m/%Y}</Id>",
            f"<FrToDt><FrDtTm>{first}T00:00:00</FrDtTm><ToDtTm>{last}T23:59:59</ToDtTm></FrToDt>",
            f"<Acct><Id><IBAN>{NUMBERS[account]}</IBAN></Id><Ccy>USD</Ccy></Acct>",
            *(
                f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(amount)}<Dt><Dt>{day}</Dt></Dt></Bal>"
                for code, amount, day in (("OPBD", opening, first), ("CLBD", closing, last))
            ),
            *map(_entry, booked),
            "</Stmt>",
        ]
    return "\n".join([*found, "</BkToCstmrStmt>", "</Document>", ""])


def _amount(amount: Decimal) -> str:
    return f'<Amt Ccy="USD">{abs(amount):.2f}</Amt><CdtDbtInd>{"CRDT" if amount > 0 else "DBIT"}</CdtDbtInd>'


def _entry(booked: Booked) -> str:
    role = "Dbtr" if booked.amount > 0 else "Cdtr"
    party = f"<RltdPties><{role}><Pty><Nm>{escape(booked.party)}</Nm></Pty></{role}></RltdPties>"
    # The parts of a credit each have a reference; the text is that of the whole.
    transactions = "".join(
        f"<TxDtls><Refs><EndToEndId>{other}</EndToEndId></Refs>{party}</TxDtls>"
        for other in booked.others or ("NOTPROVIDED",)
    )
    return (
        f"<Ntry>{_amount(booked.amount)}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{booked.day}</Dt></BookgDt>"
        f"<AcctSvcrRef>{booked.reference}</AcctSvcrRef>\n <NtryDtls>{transactions}</NtryDtls>"
        f"<AddtlNtryInf>{escape(booked.text)}</AddtlNtryInf></Ntry>"
    )


def statement_rows(account: str, stated: Sequence[tuple[date, date, Decimal, list[Booked]]]) -> list[dict[str, str]]:
    """Statements as rows of the template."""
    found = []
    for first, last, opening, booked in stated:
        closing = opening + sum((each.amount for each in booked), Decimal(0))
        head = {
            "account": NUMBERS[account], "currency": "USD", "identification": f"{first:%m/%Y}",
            "date_from": f"{first}", "date_to": f"{last}", "opening_balance": f"{opening:.2f}",
            "closing_balance": f"{closing:.2f}",
        }  # fmt: skip
        found += [
            {
                **head,
                "booking_date": f"{each.day}",
                "amount": f"{each.amount:.2f}",
                "bank_reference": each.reference,
                "other_references": "|".join(each.others),
                "counterparty": each.party,
                "text": each.text,
            }
            for each in booked
        ] or [head]
    return found


STATEMENT_COLUMNS = (
    "account", "currency", "identification", "date_from", "date_to", "opening_balance", "closing_balance",
    "booking_date", "amount", "bank_reference", "other_references", "counterparty", "text",
)  # fmt: skip


# --- the certified statement ----------------------------------------------------------------------------------------


def certified_figures(books: Books, rows: Iterable[Entry]) -> dict[str, tuple[str, Decimal]]:
    """By line of the Fund's statement, its label and its figure, which are added up here by no code of the suite.

    What correspondents have kept is counted with the direct costs, and the ledger counts it with the bank charges.
    """
    of_kind: dict[str, Decimal] = {}
    true = [*books.true.values(), *(row for row in rows if row.kind == "expenditure")]
    for entry in true:
        of_kind[entry.kind] = of_kind.get(entry.kind, Decimal(0)) + entry.amount
    of_kind["agent_fee"] = sum((fee(entry.amount) for entry in true if entry.kind == "deposit"), Decimal(0))
    kept = kept_by_correspondents(books)
    of_kind["direct_cost"] += kept
    of_kind["bank_charge"] -= kept
    sources = of_kind["deposit"] + of_kind["interest"] + of_kind["transfer_from_fund"]
    paid = ("transfer", "agent_fee", "direct_cost", "bank_charge", "contributor_refund")
    uses = sum((of_kind[kind] for kind in paid), Decimal(0)) - of_kind["refund"]
    opening = of_kind["opening_balance"]
    totals = {"opening_cash": opening, "total_sources": sources, "total_uses": uses}
    figures = {**of_kind, **totals, "closing_cash": opening + sources - uses}
    return {line: (label, figures[line]) for line, label in LABELS.items()}


def kept_by_correspondents(books: Books) -> Decimal:
    """What correspondents have kept of deposits."""
    return sum((entry.amount for entry in books.true.values() if entry.id.startswith("kept of")), Decimal(0))


LABELS = {
    "opening_cash": "Fund balance at the beginning of the year",
    "deposit": "Contributions",
    "interest": "Interest",
    "transfer_from_fund": "From other funds",
    "total_sources": "Total sources",
    "transfer": "Transfers to organizations",
    "refund": "Refunds of organizations",
    "agent_fee": "Administrative agent fee",
    "direct_cost": "Direct costs",
    "bank_charge": "Bank charges",
    "contributor_refund": "Refunds to contributors",
    "total_uses": "Total uses",
    "closing_cash": "Fund balance at the end of the year",
    "allocation": "Approved for programmes",
    "expenditure": "Expenditure reported by organizations",
}


def certified_statement(figures: Mapping[str, tuple[str, Decimal]]) -> str:
    """The certified statement as it is printed."""
    printed = "".join(f"{label:<42}{amount:>16,.2f}\n" for label, amount in figures.values())
    return f"Statement {YEAR} of a made-up fund, in US dollars\n\n{printed}\nSigned: A. Made-up Signatory\n"


def certification(books: Books, figures: Mapping[str, tuple[str, Decimal]]) -> dict[str, Any]:
    """What is sent to certify the year."""
    kept = kept_by_correspondents(books)
    explained = f"The statement counts {kept:.2f} that correspondents have kept with the direct costs."
    return {
        "document": {
            "title": f"Statement {YEAR} of a made-up fund",
            "url": f"https://example.org/{STATEMENT}",
            "sha256": hashlib.sha256(certified_statement(figures).encode()).hexdigest(),
        },
        "signatory": {"name": "A. Made-up Signatory", "function": "Executive Coordinator"},
        "date": f"{YEAR + 1}-05-30",
        "figures": [
            {"line": line, "amount": f"{amount:.2f}", "as_printed": f"{label} {amount:,.2f}"}
            | ({"explanation": explained} if line == "direct_cost" else {})
            for line, (label, amount) in figures.items()
        ],
    }


# --- all files ------------------------------------------------------------------------------------------------------


def difference_rows(books: Books) -> list[dict[str, object]]:
    """The differences, in the order of `KINDS`, and what is done about each."""
    found = sorted(books.found, key=lambda each: (list(KINDS).index(each.kind), each.day))
    counts = {kind: len(list(each)) for kind, each in groupby(found, key=lambda each: each.kind)}
    assert counts == {kind: count for kind, (count, _) in KINDS.items()}
    return [{"number": n, **asdict(each), "what_to_do": KINDS[each.kind][1]} for n, each in enumerate(found, start=1)]


def files() -> dict[str, str]:
    """The files of the year by their names."""
    books = Books()
    rows = ledger_rows(books)
    figures = certified_figures(books, rows)
    _check(books)
    return {
        "organizations.ndjson": lines({"code": code, "name": organization_name(code)} for code in ORGANIZATIONS),
        "contributors.ndjson": lines({"code": c.code, "name": c.name, "type": c.type} for c in CONTRIBUTORS),
        "programmes.csv": table(_columns(programme_rows()), programme_rows()),
        "rates.csv": table(
            ("currency", "month", "usd"),
            [{"currency": of, "month": f"{YEAR}-{month:02d}", "usd": rate} for (of, month), rate in RATES.items()],
        ),
        "ledger.csv": table(LEDGER_COLUMNS, [row.row() for row in rows]),
        "main.xml": camt(MAIN, statements(books, MAIN, YEAR)),
        "main-january.xml": camt(MAIN, statements(books, MAIN, YEAR + 1)),
        "costs.csv": table(STATEMENT_COLUMNS, statement_rows(COSTS, statements(books, COSTS, YEAR))),
        "costs-january.csv": table(STATEMENT_COLUMNS, statement_rows(COSTS, statements(books, COSTS, YEAR + 1))),
        "differences.csv": table(
            ("number", "kind", "account", "day", "voucher", "bank", "ledger_amount", "bank_amount", "what_to_do"),
            difference_rows(books),
        ),
        "missing.json": lines([{"entries": books.missing}]),
        "corrections.txt": "".join(f'"{name}" {compact(sent)}\n' for name, sent in books.corrections.items()),
        "reversals.txt": "".join(
            f'"{name}" {compact({"date": f"{day}", "reason": reason})}\n'
            for name, (day, reason) in books.reversals.items()
        ),
        STATEMENT: certified_statement(figures),
        "certification.json": lines([certification(books, figures)]),
    }  # fmt: skip


def _columns(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _check(books: Books) -> None:
    """What counts in the end is what the banks have booked, and amounts say what belongs together.

    What a bank books without a reference of the ledger is found by its amount, which no other has within ten days.
    """
    for account, opening in OPENING.items():
        own = [entry for entry in books.true.values() if entry.columns.get("account") == account]
        fees = sum((fee(entry.amount) for entry in own if entry.kind == "deposit"), Decimal(0))
        booked = sum((each.amount for each in books.booked.values() if each.account == account), Decimal(0))
        assert sum((entry.moved for entry in own), Decimal(0)) - fees == opening + booked, account
    by_day = sorted(books.booked.values(), key=lambda each: each.day)
    for n, each in enumerate(by_day):
        for other in by_day[n + 1 :]:
            if (other.day - each.day).days >= 10:
                break
            alike = (each.account, each.amount) == (other.account, other.amount)
            assert not alike or (each.others and other.others), (each, other)


def main(folder: str) -> None:
    """Write the files into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (Path(folder) / name).write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
