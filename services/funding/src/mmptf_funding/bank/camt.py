"""Reading a bank statement of ISO 20022, camt.053: its XML in pieces, without document types, entities or depth.

It runs in a process of its own (`reading.py`), which ends a file that takes more than it may.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.raw_rows import ReadingError, UnreadableFile
from mmptf_common.writes.read_tables import write_messages
from mmptf_common.writes.table_files import unreadable
from mmptf_funding.bank.domain import MAX_REFERENCES, StatedEntry, StatedStatement, bank_text, references_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Statements, booked entries and elements of one file; elements within one another; characters of a text.
MAX_STATEMENTS, MAX_ENTRIES, MAX_ELEMENTS, MAX_DEPTH, MAX_CHARACTERS = 100, 10_000, 1_000_000, 32, 64 * 1024
_MESSAGE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:([a-z]+\.[0-9]+\.[0-9]+\.[0-9]+)\}Document")
_STATEMENT = re.compile(r"camt\.053\.001\.(0[2-9]|1[0-9])")
_AMOUNT = re.compile(r"[0-9]{1,16}(\.[0-9]{1,2}0{0,3})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# The codes of the booked balance before the first entry (of the day before, where it is `PRCD`) and after the last.
_OPENING, _BEFORE, _CLOSING = "OPBD", "PRCD", "CLBD"


def statements(file: BinaryIO) -> Iterator[StatedStatement]:
    """The statements of a file; raises UnreadableFile where it is no camt.053, or lacks what a statement has to have.

    Supported are the versions 001.02 to 001.19; what another version adds and no member takes is left out.
    """
    # Imported here: only the process that reads a file needs it.
    from defusedxml.ElementTree import iterparse

    try:
        yield from _statements(iter(iterparse(file, ("start", "end"), forbid_dtd=True)))
    except (UnreadableFile, OSError, MemoryError):
        raise
    except Exception as error:
        # Each kind of forbidden, broken or wrongly encoded XML raises another exception; it is an error of the file.
        reason = "it declares a document type" if "DTD" in type(error).__name__ else "its XML cannot be read"
        raise unreadable(ProblemCode.NOT_A_STATEMENT, f"the file is no statement in camt.053: {reason}") from error


def _statements(events: Iterator[tuple[str, Element]]) -> Iterator[StatedStatement]:
    space = ""
    depth = elements = found = 0
    entries: list[StatedEntry] = []
    pending = 0
    for event, element in events:
        if event == "start":
            depth, elements = depth + 1, elements + 1
            if depth == 1:
                space = _namespace(element.tag)
            _check(depth, MAX_DEPTH, "elements within one another")
            _check(elements, MAX_ELEMENTS, "elements")
            continue
        depth -= 1
        _check(len(element.text or ""), MAX_CHARACTERS, "characters in a text")
        if element.tag == f"{space}Ntry" and depth == 3:
            reader = _Reader(element, space, f"/statements/{found}/entries/{len(entries) + pending}")
            if reader.text("Sts/Cd") or reader.text("Sts"):
                if (reader.text("Sts/Cd") or reader.text("Sts")) == "BOOK":
                    entries.append(_entry(reader, len(entries) + 1))
                    _check(len(entries), MAX_ENTRIES, "entries")
                else:
                    pending += 1
            else:
                raise reader.missing("Sts")
            element.clear()
        elif element.tag == f"{space}Stmt" and depth == 2:
            yield _statement(_Reader(element, space, f"/statements/{found}"), tuple(entries), pending)
            entries, pending, found = [], 0, found + 1
            _check(found, MAX_STATEMENTS, "statements")
            element.clear()
    if not found:
        raise unreadable(ProblemCode.NOT_A_STATEMENT, "the file has no statement (Stmt)")


def _namespace(tag: str) -> str:
    """The namespace of the message in braces; raises UnreadableFile where it is no camt.053."""
    match = _MESSAGE.fullmatch(tag)
    if match is None or not _STATEMENT.fullmatch(match[1]):
        raise unreadable(
            ProblemCode.NOT_A_STATEMENT,
            f"the message is {match[1] if match else tag[:100]!r}; camt.053.001.02 or a later version is expected",
        )
    return tag.removesuffix("Document")


def _check(count: int, most: int, of_what: str) -> None:
    if count > most:
        raise unreadable(ProblemCode.FILE_TOO_LARGE, f"a statement of at most {most:,} {of_what} is read")


class _Reader:
    """One element of a message, and where it is for errors."""

    def __init__(self, element: Element, space: str, pointer: str) -> None:
        self.element, self.space, self.pointer = element, space, pointer

    def each(self, path: str) -> list[_Reader]:
        found = self.element.findall("/".join(f"{self.space}{name}" for name in path.split("/")))
        return [_Reader(element, self.space, f"{self.pointer}/{path}") for element in found]

    def text(self, *paths: str) -> str | None:
        """The text of the first of these paths that has one."""
        for path in paths:
            found = self.element.findtext("/".join(f"{self.space}{name}" for name in path.split("/")))
            if found and found.strip():
                return found.strip()
        return None

    def day(self, path: str) -> date | None:
        """The day of a date or a moment, as the bank states it, whatever its time zone."""
        text = self.text(f"{path}/Dt", f"{path}/DtTm")
        if text is None:
            return None
        try:
            return date.fromisoformat(text[:10] if _DAY.match(text) else text)
        except ValueError:
            raise self.invalid(path, f"{text[:40]!r} is no day") from None

    def amount(self) -> Decimal:
        """`Amt` with the sign of `CdtDbtInd`."""
        text, indicator = self.text("Amt"), self.text("CdtDbtInd")
        if text is None or indicator is None:
            raise self.missing("Amt" if text is None else "CdtDbtInd")
        if not _AMOUNT.fullmatch(text):
            raise self.invalid("Amt", f"{text[:40]!r} is no amount with at most two decimal places")
        if indicator not in ("CRDT", "DBIT"):
            raise self.invalid("CdtDbtInd", f"{indicator[:40]!r} is neither CRDT nor DBIT")
        amount = Decimal(text).quantize(Decimal("0.01"))
        return amount if indicator == "CRDT" else -amount

    def currency(self) -> str | None:
        (amount, *_) = [*self.each("Amt"), None]
        return amount.element.get("Ccy") if amount else None

    def missing(self, name: str) -> UnreadableFile:
        pointer = f"{self.pointer}/{name}"
        return UnreadableFile([ReadingError(ProblemCode.MISSING_MEMBER, f"{pointer} is not there", pointer)])

    def invalid(self, name: str, reason: str) -> UnreadableFile:
        pointer = f"{self.pointer}/{name}"
        return UnreadableFile([ReadingError(ProblemCode.INVALID_VALUE, f"{pointer}: {reason}", pointer)])


def _entry(reader: _Reader, position: int) -> StatedEntry:
    """One booked entry; of a batch of transactions, what all of them have in common, and the references of each."""
    amount = reader.amount()
    booked = reader.day("BookgDt")
    if booked is None:
        raise reader.missing("BookgDt")
    transactions = reader.each("NtryDtls/TxDtls")[:MAX_REFERENCES]
    party = "Dbtr" if amount > 0 else "Cdtr"
    # Since version 08 a party is an organization or an agent, one element deeper.
    names = {t.text(f"RltdPties/{party}/Pty/Nm", f"RltdPties/{party}/Nm") for t in transactions}
    accounts = {
        t.text(f"RltdPties/{party}Acct/Id/IBAN", f"RltdPties/{party}Acct/Id/Othr/Id") for t in transactions
    }  # fmt: skip
    remittances = [
        line.element.text for t in transactions for line in [*t.each("RmtInf/Ustrd"), *t.each("AddtlTxInf")]
    ]  # fmt: skip
    further = (
        t.text(f"Refs/{name}") for t in transactions for name in ("AcctSvcrRef", "EndToEndId", "TxId", "InstrId")
    )
    creditors = (t.text("RmtInf/Strd/CdtrRefInf/Ref") for t in transactions)
    return StatedEntry(
        position=position,
        booking_date=booked,
        value_date=reader.day("ValDt") or booked,
        amount=amount,
        references=references_of([reader.text("AcctSvcrRef"), reader.text("NtryRef"), *further, *creditors]),
        counterparty=bank_text(names.pop(), 300) if len(names) == 1 else None,
        counterparty_account=bank_text(accounts.pop(), 64) if len(accounts) == 1 else None,
        text=bank_text(" ".join(dict.fromkeys(filter(None, [*remittances, reader.text("AddtlNtryInf")])))),
    )


def _statement(reader: _Reader, entries: tuple[StatedEntry, ...], pending: int) -> StatedStatement:
    account = reader.text("Acct/Id/IBAN", "Acct/Id/Othr/Id")
    if account is None:
        raise reader.missing("Acct/Id")
    balances = {balance.text("Tp/CdOrPrtry/Cd"): balance for balance in reader.each("Bal")}
    opening = balances.get(_OPENING) or balances.get(_BEFORE)
    closing = balances.get(_CLOSING)
    if opening is None or closing is None:
        raise reader.missing(f"Bal ({_CLOSING if opening else _OPENING})")
    on, ends = opening.day("Dt"), closing.day("Dt")
    if on is None or ends is None:
        raise (opening if on is None else closing).missing("Dt")
    if _OPENING not in balances:
        on += timedelta(days=1)
    stated = reader.text("FrToDt/FrDtTm", "FrToDt/FrDt")
    begins = date.fromisoformat(stated[:10]) if stated and _DAY.match(stated) else on
    return StatedStatement(
        pointer=reader.pointer,
        account=account[:64],
        currency=(closing.currency() or reader.text("Acct/Ccy") or "")[:3],
        identification=bank_text(reader.text("Id"), 64),
        date_from=begins,
        date_to=ends,
        opening=opening.amount(),
        closing=closing.amount(),
        pending=pending,
        entries=entries,
    )


def messages(file: BinaryIO) -> Iterator[object]:
    """What the process writes of a file: a statement without its entries, and then each of these."""
    for statement in statements(file):
        yield ["statement", statement.model_dump(mode="json", exclude={"entries"})]
        for entry in statement.entries:
            yield ["entry", entry.model_dump(mode="json")]


if __name__ == "__main__":
    sys.exit(write_messages(messages(open(0, "rb", closefd=False))))  # noqa: SIM115  # ends with the process
