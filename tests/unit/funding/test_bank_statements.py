"""Bank statements: what is read of camt.053, what is refused, and what a statement has to be."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest

from mmptf_common.wire.raw_rows import UnreadableFile
from mmptf_funding.bank import camt, rules
from mmptf_funding.bank.domain import StatedStatement, bank_text
from tests.unit.funding.bank_files import NEW, OLD, Booked, Stated
from tests.unit.funding.bank_files import camt as message

ENTRIES = (
    Booked("1000.00", "2026-01-15", "FT1", end_to_end="SC-1", value="2026-01-16"),
    Booked("-15.50", "2026-01-31", text="=charges\u200b of  January"),
    Booked("7.00", "2026-01-31", "FT9", status="PDNG"),
)
JANUARY = Stated("-10.00", "974.50", entries=ENTRIES)


def read(xml: bytes) -> list[StatedStatement]:
    return list(camt.statements(io.BytesIO(xml)))


def refused(xml: bytes) -> list[tuple[str, str | None, str]]:
    with pytest.raises(UnreadableFile) as raised:
        read(xml)
    return [(error.code, error.pointer, error.detail) for error in raised.value.errors]


@pytest.mark.parametrize("version", [OLD, NEW])
def test_both_forms_of_a_message_are_the_same_statement(version: str) -> None:
    (statement,) = read(message(JANUARY, version=version))
    assert (statement.account, statement.currency, statement.identification) == (JANUARY.account, "USD", "1/2026")
    assert (statement.date_from, statement.date_to) == (date(2026, 1, 1), date(2026, 1, 31))
    assert (statement.opening, statement.closing) == (Decimal("-10.00"), Decimal("974.50"))
    assert (statement.pending, len(statement.entries)) == (1, 2)
    credit, charge = statement.entries
    assert (credit.amount, credit.booking_date, credit.value_date) == (
        Decimal("1000.00"), date(2026, 1, 15), date(2026, 1, 16)
    )  # fmt: skip
    assert (credit.references, credit.counterparty) == (("FT1", "SC-1"), "A payer")
    assert credit.counterparty_account == "DE89370400440532013000"
    # What a payer wrote is no formula and hides nothing, and words for no reference are none.
    assert (charge.amount, charge.references, charge.text) == (Decimal("-15.50"), (), "charges of January")
    assert rules.statement_errors(statement, rules.Account("USD-1", "USD", JANUARY.account)) == []


def test_several_statements_and_a_balance_of_the_day_before() -> None:
    xml = message(JANUARY, Stated("974.50", "974.50", "2026-02-01", "2026-02-28")).replace(b"OPBD", b"PRCD")
    january, february = read(xml.replace(b"<FrToDt>", b"<X>").replace(b"</FrToDt>", b"</X>"))
    assert (january.date_from, february.date_from, february.entries) == (date(2026, 1, 2), date(2026, 2, 2), ())


BOMB = '<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx">' + "".join(
    f'<!ENTITY {chr(99 + n)} "{f"&{chr(98 + n)};" * 10}">' for n in range(9)
) + "]>"  # fmt: skip
EXTERNAL = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    "xml",
    [
        message(JANUARY, prologue=BOMB).replace(b"for the Fund", b"&k;"),
        message(JANUARY, prologue=EXTERNAL).replace(b"for the Fund", b"&b;"),
        message(JANUARY, prologue='<!DOCTYPE Document SYSTEM "http://127.0.0.1:1/x.dtd">'),
        message(JANUARY, prologue='<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x.dtd"> %p;]>'),
    ],
    ids=["billion laughs", "external entity", "external document type", "parameter entity"],
)
def test_document_types_and_entities_are_refused(xml: bytes) -> None:
    ((code, _, detail),) = refused(xml)
    assert code == "not_a_statement" and "document type" in detail


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"", "not_a_statement"),
        (b"\x00" * 1000, "not_a_statement"),
        (b"<Document/>", "not_a_statement"),
        (message(JANUARY).replace(b"camt.053", b"camt.054"), "not_a_statement"),
        (message(JANUARY).replace(b"001.08", b"001.01"), "not_a_statement"),
        (message(JANUARY).replace(b"A payer", "Crédit".encode("latin-1")), "not_a_statement"),
        (message(JANUARY).replace(b"UTF-8", b"no-such-encoding"), "not_a_statement"),
        (message(JANUARY).replace(b"UTF-8", b"UTF-16"), "not_a_statement"),
        (message(JANUARY)[:-30], "not_a_statement"),
        (message(), "not_a_statement"),
        (message(JANUARY).replace(b"<Ustrd>", b"<Ustrd>" + b"<a>" * 100), "file_too_large"),
        (b"<a>" * 2_000_000, "not_a_statement"),
        (message(JANUARY).replace(b"A payer", b"x" * 70_000), "file_too_large"),
        (message(JANUARY).replace(b"1000.00", b"1000.001"), "invalid_value"),
        (message(JANUARY).replace(b"1000.00", b"1e3"), "invalid_value"),
        (message(JANUARY).replace(b"1000.00", b"9" * 40), "invalid_value"),
        (message(JANUARY).replace(b"2026-01-15", b"2026-02-30"), "invalid_value"),
        (message(JANUARY).replace(b"CRDT", b"NONE"), "invalid_value"),
        (message(JANUARY).replace(b"CLBD", b"ITBD"), "missing_member"),
        (message(JANUARY).replace(b"<IBAN>CH9300762011623852957</IBAN>", b""), "missing_member"),
    ],
)
def test_what_is_no_statement_is_refused(xml: bytes, code: str) -> None:
    assert [found[0] for found in refused(xml)] == [code]


def test_another_encoding_that_is_declared_is_read() -> None:
    xml = message(Stated("0.00", "1.00", entries=[Booked("1.00", "2026-01-01", party="Crédit")]))
    xml = xml.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert read(xml)[0].entries[0].counterparty == "Crédit"


def test_more_than_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("MAX_ENTRIES", 1), ("MAX_ELEMENTS", 20), ("MAX_STATEMENTS", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(camt, name, most)
            assert [found[0] for found in refused(message(JANUARY))] == ["file_too_large"]


def stated(opening: str, closing: str, begins: str, ends: str, *amounts: str) -> StatedStatement:
    entries = [Booked(amount, begins, f"FT{n}") for n, amount in enumerate(amounts)]
    (statement,) = read(message(Stated(opening, closing, begins, ends, entries)))
    return statement


ACCOUNT = rules.Account("USD-1", "USD", JANUARY.account)


def codes(found: list[rules.ErrorDetail]) -> list[tuple[str, str | None]]:
    return [(error.code, error.pointer) for error in found]


def test_a_statement_adds_up_within_its_days() -> None:
    assert codes(rules.statement_errors(stated("1.00", "9.00", "2026-01-01", "2026-01-31", "5.00"), ACCOUNT)) == [
        ("balance_does_not_follow", "/statements/0/closing_balance")
    ]
    backwards = stated("1.00", "6.00", "2026-01-31", "2026-01-01", "5.00")
    assert codes(rules.statement_errors(backwards, rules.Account("EUR-1", "EUR", ""))) == [
        ("does_not_match", "/statements/0/currency"),
        ("invalid_range", "/statements/0/date_to"),
        ("invalid_range", "/statements/0/entries/0/booking_date"),
    ]


def test_a_statement_follows_on_from_its_neighbours() -> None:
    february = stated("6.00", "8.00", "2026-02-01", "2026-02-28", "2.00")
    january = rules.Period("S-000001", date(2026, 1, 1), date(2026, 1, 31), Decimal(0), Decimal(6))
    march = rules.Period("S-000002", date(2026, 3, 1), date(2026, 3, 31), Decimal(8), Decimal(9))
    may = rules.Period("S-000003", date(2026, 5, 1), date(2026, 5, 31), Decimal("9.50"), Decimal(9))
    assert rules.neighbour_errors(february, [january, march, may]) == []
    assert rules.gaps_between([january, rules.period_of(february), march, may]) == [
        rules.Gap(date(2026, 4, 1), date(2026, 4, 30), Decimal("0.50"))
    ]
    wrong = stated("6.01", "8.01", "2026-02-01", "2026-02-28", "2.00")
    assert codes(rules.neighbour_errors(wrong, [january, march])) == [
        ("balance_does_not_follow", "/statements/0/opening_balance"),
        ("balance_does_not_follow", "/statements/0/closing_balance"),
    ]
    over = stated("6.00", "8.00", "2026-01-31", "2026-02-28", "2.00")
    assert codes(rules.neighbour_errors(over, [january])) == [("statement_overlaps", "/statements/0/date_from")]


def test_an_entry_comes_once() -> None:
    twice = stated("0.00", "3.00", "2026-02-01", "2026-02-28", "1.00", "1.00", "1.00")
    assert rules.repeated_entries(twice, {}) == []
    first, *_ = twice.entries
    assert first.identity is not None
    assert codes(rules.repeated_entries(twice, {first.identity: "S-000001"})) == [
        ("repeated_entry", "/statements/0/entries/0")
    ]


def test_a_text_of_a_bank_is_one_line_without_what_nobody_sees() -> None:
    assert bank_text(" \u202ea\tb\x00c\u3164 ") == "a b c"
    assert bank_text('=HYPERLINK("x")') == 'HYPERLINK("x")'
    assert bank_text("+41 22 000") == "+41 22 000"
    assert bank_text("@=\u200b") is None


# --- proposals ------------------------------------------------------------------------------------------------------


def bank(code: str, amount: str, day: int, *references: str) -> rules.BankMovement:
    on = date(2026, 1, day)
    return rules.BankMovement(code, on, on, Decimal(amount), frozenset(references))


def entry(
    code: str, amount: str, day: int, reference: str | None = None, fee: str | None = None
) -> rules.LedgerMovement:
    on = date(2026, 1, day)
    charged = (f"{code}-fee", Decimal(fee)) if fee else None
    return rules.LedgerMovement(code, "deposit", on, on, Decimal(amount), reference, charged)


def proposed(ledger: list[rules.LedgerMovement], *movements: rules.BankMovement) -> list[tuple[object, ...]]:
    found = rules.propose(movements, ledger, 5)
    certain = rules.unambiguous(found)
    return [
        (each.bank_entry, each.ledger_entries, each.score, each.reasons, str(each.difference), n in certain)
        for n, each in enumerate(found)
    ]


def test_what_is_proposed_has_its_reasons_and_one_order() -> None:
    ledger = [
        entry("L-1", "100.00", 10, "ft1"), entry("L-2", "100.00", 12), entry("L-3", "60.00", 20, "ft2"),
        entry("L-4", "40.00", 21, "ft2"), entry("L-5", "50.00", 30, "ft5"), entry("L-6", "200.00", 15, None, "-2.00"),
        entry("L-7", "100.00", 30),
    ]  # fmt: skip
    given = [
        bank("B-1", "100.00", 10, "ft1", "sc-1"), bank("B-2", "100.00", 20, "ft2"), bank("B-3", "45.00", 30, "ft5"),
        bank("B-4", "198.00", 16), bank("B-5", "7.00", 1),
    ]  # fmt: skip
    assert proposed(ledger, *given) == [
        ("B-1", ("L-1",), 100, ("same_reference", "same_amount", "same_day"), "0.00", True),
        ("B-1", ("L-2",), 38, ("same_amount", "near_day"), "0.00", False),
        ("B-2", ("L-3", "L-4"), 99, ("same_reference", "same_sum", "near_day"), "0.00", True),
        ("B-3", ("L-5",), 70, ("same_reference", "same_day"), "-5.00", False),
        ("B-4", ("L-6", "L-6-fee"), 39, ("net_of_fee", "near_day"), "0.00", True),
    ]
    assert proposed(ledger[::-1], *given) == proposed(ledger, *given)


def test_payments_that_the_bank_books_at_once_are_proposed_together() -> None:
    ledger = [entry("L-1", "60.00", 10, "sc-1"), entry("L-2", "40.00", 11, "sc-2"), entry("L-3", "30.00", 11, "sc-3")]
    at_once, short = bank("B-1", "100.00", 11, "sc-1", "sc-2"), bank("B-2", "25.00", 11, "sc-3", "sc-4")
    assert proposed(ledger, at_once, short) == [
        ("B-1", ("L-1", "L-2"), 99, ("same_reference", "same_sum", "near_day"), "0.00", True),
        ("B-1", ("L-2",), 70, ("same_reference", "same_day"), "60.00", False),
        ("B-1", ("L-1",), 69, ("same_reference", "near_day"), "40.00", False),
        ("B-2", ("L-3",), 70, ("same_reference", "same_day"), "-5.00", False),
    ]


def test_two_that_are_alike_are_both_proposed_and_neither_is_certain() -> None:
    alike = [entry("L-1", "100.00", 10), entry("L-2", "100.00", 10)]
    assert [(each[1], each[5]) for each in proposed(alike, bank("B-1", "100.00", 10))] == [
        (("L-1",), False), (("L-2",), False)
    ]  # fmt: skip
    movements = bank("B-1", "100.00", 10), bank("B-2", "100.00", 10)
    assert not any(each[5] for each in proposed(alike[:1], *movements))
