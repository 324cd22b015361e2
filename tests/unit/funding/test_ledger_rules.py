"""What the ledger takes, for entries of every sort: each error is found, none is made up, and the fee is exact."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.http.identity import Identity
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.sources import SourceRef
from mmptf_common.wire.suggestions import Suggestion
from mmptf_funding.contributions.domain import Contributor
from mmptf_funding.ledger import rules, schemas
from mmptf_funding.ledger.domain import (
    AgreedFee,
    Attachment,
    Coded,
    Entry,
    FlagDetail,
    Instalment,
    LedgerEntryKind,
    LedgerEntryKindSent,
    Original,
    RecordedEntry,
    Sum,
)
from mmptf_funding.ledger.programmes import CatalogueCodes, Programme
from mmptf_funding.ledger.schemas import LedgerEntrySent

TODAY = date(2026, 6, 30)
CENT = Decimal("0.01")

kinds = st.sampled_from(sorted(rules.KINDS))
days = st.dates(date(1990, 1, 1), date(2099, 12, 31))
amounts = st.decimals(CENT, Decimal("99999999999999.99"), places=2)
rates = st.one_of(
    st.sampled_from(["1.0", "0.5", "1.0850", "0.3333333333", "0.0000001", "999999.9999999999"]).map(Decimal),
    st.decimals(Decimal("0.0001"), Decimal(2000), places=4),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "contributor": st.just("DEU"),
    "programme": st.just("ETH-01"),
    "organization": st.sampled_from(["IOM", "ILO"]),
    "thematic_area": st.just("2"),
    "category": st.sampled_from(get_args(BudgetCategory.__value__)),
    "tranche": st.integers(1, 99),
    "follows": st.just("L-000001"),
    "amendment": st.sampled_from(["increase", "decrease", "cancellation"]),
    "value_date": days,
    "account": st.just("USD-MAIN"),
    "bank_reference": st.just("INV 2026-114"),
    "counterpart_fund": st.just("Another fund"),
}
REFERENCED = (
    *("allocation", "direct_cost", "contributor_refund", "transfer_from_fund", "transfer_to_fund", "other_income"),
    "opening_balance",
)
SOURCE = SourceRef(
    field="sum", document="submission", line=None, locator="/", as_printed=None, verified=False, note=None
)
ARRANGEMENT = Attachment(title="Arrangement", url="https://example.org/saa.pdf", sha256="0" * 64)
MOMENT = datetime(2026, 6, 30, 12, 0, 0, 250, tzinfo=UTC)


def dollars(amount: Decimal) -> Sum:
    return Sum(amount=amount, currency="USD")


def recorded(entry: Entry, code: str = "L-000009") -> RecordedEntry:
    return RecordedEntry.of(entry, code, SOURCE, MOMENT)


@st.composite
def entries(draw: st.DrawFn, *, of: st.SearchStrategy[LedgerEntryKind] = kinds) -> Entry:
    """An entry by itself, right or wrong."""
    day, amount, original = draw(days), draw(amounts), None
    if draw(st.booleans()):
        original = Original(
            sum=Sum(amount=draw(amounts), currency=draw(st.sampled_from(["EUR", "CHF", "USD"]))),
            rate=draw(rates),
            rate_date=draw(st.one_of(st.just(day), days)),
            rate_source="a table",
        )
        exact = Fraction(original.sum.amount) * Fraction(original.rate)
        if draw(st.booleans()) and 0 < (cents := round(exact * 100) + draw(st.integers(-1, 1))) < 10**16:
            amount = Decimal(cents).scaleb(-2)
    promised = original.sum if original else dollars(amount)
    fee = draw(st.one_of(st.none(), st.just(AgreedFee(sum=dollars(draw(amounts)), reason="The arrangement says so."))))
    parts = draw(st.lists(st.tuples(days, amounts), max_size=2))
    if parts and draw(st.booleans()):
        parts = [(day, promised.amount)]
    return Entry(
        kind=draw(of),
        date=day,
        sum=dollars(amount),
        original=original,
        fee=fee,
        corrects=draw(st.sampled_from([None, "L-000001"])),
        instalments=tuple(Instalment(due=due, sum=Sum(amount=a, currency=promised.currency)) for due, a in parts),
        decision=draw(st.sampled_from([None, "SC-1"])),
        attachments=draw(st.sampled_from([(), (ARRANGEMENT,)])),
        reference=draw(st.sampled_from([None, "SC-1"])),
        **{name: draw(st.one_of(st.none(), values)) for name, values in VALUES.items()},
    )


def expected(entry: Entry) -> list[tuple[str, str]]:
    """Every error, found another way."""
    kind = rules.KINDS[entry.kind]
    found = []
    for name in (*VALUES, "original", "instalments", "fee"):
        there = bool(getattr(entry, name))
        if there and name not in kind.needs and name not in kind.takes:
            found.append(("not_applicable", f"/{name}"))
        if not there and name in kind.needs:
            found.append(("missing_member", f"/{name}"))
    if entry.kind in REFERENCED and entry.reference is None:
        found.append(("missing_member", "/reference"))
    if entry.date > TODAY:
        found.append(("in_the_future", "/date"))
    if entry.fee and entry.fee.sum.amount > entry.sum.amount:
        found.append(("invalid_value", "/fee/amount"))
    if entry.value_date and entry.value_date > TODAY:
        found.append(("in_the_future", "/value_date"))
    if entry.instalments and entry.amendment in ("decrease", "cancellation"):
        found.append(("not_applicable", "/instalments"))
    elif entry.instalments:
        whole = entry.original.sum.amount if entry.original else entry.sum.amount
        if sum(Fraction(part.sum.amount) for part in entry.instalments) != Fraction(whole):
            found.append(("amount_does_not_follow", "/instalments"))
    if original := entry.original:
        if original.sum.currency == "USD":
            found.append(("not_applicable", "/original/currency"))
        exact = Fraction(original.sum.amount) * Fraction(original.rate)
        if abs(exact - Fraction(entry.sum.amount)) >= Fraction(1, 100):
            found.append(("amount_does_not_follow", "/amount"))
        if original.rate_date > entry.date:
            found.append(("in_the_future", "/original/rate_date"))
    return sorted(found)


@given(entry=entries())
def test_every_error_is_found_and_none_made_up(entry: Entry) -> None:
    found = rules.errors_of(entry, TODAY)
    assert sorted((error.code, error.pointer) for error in found) == expected(entry)
    # A pointer names what its detail speaks of.
    assert all(error.detail.startswith(f"{error.pointer}: ") for error in found)


@given(entry=entries())
def test_an_entry_without_its_errors_has_none(entry: Entry) -> None:
    mended: dict[str, Any] = dict(entry)
    for error in rules.errors_of(entry, TODAY):
        assert error.pointer is not None
        name = error.pointer.split("/")[1]
        if error.code == "missing_member":
            values = {"category": "travel", "amendment": "increase"}
            mended[name] = "SC-1" if name == "reference" else values.get(name, "X")
        elif error.pointer == "/date":
            mended["date"] = TODAY
        elif name in ("original", "amount"):
            mended["original"], mended["instalments"] = None, ()
        elif name == "instalments":
            mended[name] = ()
        else:
            mended[name] = None
    # A date that moved back may leave a rate that is of a later day.
    if mended["original"] and mended["original"].rate_date > mended["date"]:
        mended["original"], mended["instalments"] = None, ()
    assert rules.errors_of(Entry(**mended), TODAY) == []


@given(entry=entries(of=st.sampled_from(get_args(LedgerEntryKindSent.__value__))))
def test_what_is_sent_is_the_entry_that_was_drawn(entry: Entry) -> None:
    without = {"sum", "reverses", "replaces", "flags", "flag_details", "recorded_by", "proposal"}
    body = entry.model_dump(mode="json", exclude=without)
    body["amount"] = entry.model_dump(mode="json")["sum"]["amount"]
    if entry.fee:
        body["fee"]["amount"] = body["fee"].pop("sum")["amount"]
    body["instalments"] = [{"due": part["due"], "amount": part["sum"]["amount"]} for part in body["instalments"]]
    if entry.original:
        body["original"] |= body["original"].pop("sum")
        # A rate is sent with a point.
        if "." not in body["original"]["rate"]:
            body["original"]["rate"] += ".0"
    found = LedgerEntrySent.model_validate(body).entry()
    if entry.amendment in ("decrease", "cancellation"):
        original = entry.original and entry.original.model_copy(update={"sum": -entry.original.sum})
        entry = entry.model_copy(update={"sum": -entry.sum, "original": original})
    assert found == entry


@given(entry=entries())
def test_what_is_stored_is_the_entry_and_what_readers_get(entry: Entry) -> None:
    flags = (FlagDetail(flag="deposit_exceeds_commitment", detail="Too much.", excess=dollars(entry.sum.amount)),)
    flagged = RecordedEntry.of(entry.model_copy(update={"recorded_by": "IOM"}), "L-000009", SOURCE, MOMENT, flags)
    assert (flagged.flags, flagged.flag_details) == (("deposit_exceeds_commitment",), flags)
    for entered in (flagged, flagged.model_copy(update={"reversed_by": "L-000010"})):
        stored = entered.model_dump_json()
        assert RecordedEntry.model_validate_json(stored) == entered
        assert schemas.LedgerEntry.model_validate_json(stored).model_dump_json() == stored


@given(entry=entries())
def test_an_entry_and_its_reversal_are_nothing_together(entry: Entry) -> None:
    reversal = rules.reversal_of(recorded(entry), TODAY, "A mistake.", "MPTFO")
    assert reversal.sum.amount + entry.sum.amount == 0
    assert (reversal.reverses, reversal.date, reversal.note) == ("L-000009", TODAY, "A mistake.")
    assert (reversal.recorded_by, reversal.flags) == ("MPTFO", ())
    if entry.original:
        assert reversal.original and reversal.original.sum == -entry.original.sum
        assert reversal.original.rate == entry.original.rate
    # A reversal is in no statement of the bank, and what is no longer promised is due on no day.
    of_the_entry = {"original", "amendment", "value_date", "bank_reference", "instalments", "fee"}
    same = {"kind", "reference", "decision", *rules.PARTIES} - of_the_entry
    assert all(getattr(reversal, name) == getattr(entry, name) for name in same)
    assert (reversal.value_date, reversal.bank_reference, reversal.instalments) == (None, None, ())
    assert (reversal.corrects, reversal.fee, reversal.attachments) == (None, None, ())


@pytest.mark.parametrize(
    ("day", "errors"), [("2026-03-01", []), ("2026-06-30", []), ("2026-02-28", ["/date"]), ("2026-07-01", ["/date"])]
)
def test_a_reversal_is_dated_from_its_entry_to_today(day: str, errors: list[str]) -> None:
    entry = recorded(Entry(kind="interest", date=date(2026, 3, 1), sum=dollars(CENT)))
    found = rules.reversal_errors(entry, date.fromisoformat(day), TODAY)
    assert [error.pointer for error in found] == errors
    assert all(error.allowed == ["2026-03-01 to 2026-06-30"] for error in found)


COMMITMENT = Entry(kind="commitment", date=TODAY, sum=dollars(Decimal(100)), contributor="DEU")
DEPOSIT = Entry(kind="deposit", date=TODAY, sum=dollars(Decimal(100)), contributor="DEU", follows="L-000009")


@pytest.mark.parametrize(
    ("changes", "reversed_by", "why"),
    [
        ({}, None, None),
        ({"kind": "pledge"}, None, "is a pledge, and a commitment is expected"),
        ({"reverses": "L-000001"}, None, "is a commitment, and a commitment is expected"),
        ({"contributor": "DNK"}, None, "is of DNK"),
        ({}, "L-000010", "was reversed by L-000010"),
    ],
)
def test_an_entry_follows_one_of_its_contributor_that_counts(
    changes: dict[str, str], reversed_by: str | None, why: str | None
) -> None:
    earlier = recorded(COMMITMENT.model_copy(update=changes)).model_copy(update={"reversed_by": reversed_by})
    found = rules.predecessor_errors(DEPOSIT, earlier)
    assert [error.detail for error in found] == ([f"/follows: L-000009 {why}"] if why else [])


def test_an_agreed_fee_takes_the_place_of_the_usual_one() -> None:
    for amount, reason in (("0.30", "Half of it, by clause 4."), ("0.00", "None is taken.")):
        agreed = AgreedFee(sum=dollars(Decimal(amount)), reason=reason)
        fee = rules.fee_of(recorded(DEPOSIT.model_copy(update={"fee": agreed})))
        assert (fee and (str(fee.sum.amount), fee.note)) == ((amount, reason) if amount > "0.00" else None)


def test_a_deposit_of_less_than_half_a_dollar_costs_nothing() -> None:
    assert rules.fee_of(recorded(DEPOSIT.model_copy(update={"sum": dollars(Decimal("0.49"))}))) is None
    fee = rules.fee_of(recorded(DEPOSIT))
    assert fee == Entry(
        kind="agent_fee", date=TODAY, sum=dollars(Decimal("1.00")), follows="L-000009",
        note="1 per cent of L-000009, kept at deposit.",
    )  # fmt: skip


ETH = Programme(
    code="ETH-01", title=None, status="implementation", status_history=[], thematic_area=None,
    organizations=[Coded(code="IOM")], budget=None, budget_lines=[],
)  # fmt: skip
KNOWN = CatalogueCodes(
    codes={("programme", "ETH-00"): "ETH-01", ("programme", "X"): None, ("organization", "IOM"): "IOM",
           ("organization", "OIM"): "IOM", ("organization", "ILO"): "ILO", ("organization", "Y"): None},
    meant={("organization", "Y"): Suggestion("IOM")},
    programmes={"ETH-01": ETH},
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "programme", "organization", "found"),
    [
        ("transfer", "ETH-00", "IOM", []),
        ("transfer", "ETH-00", "OIM", []),
        ("allocation", "ETH-00", None, []),
        ("transfer", "X", "IOM", [("unknown_code", "/programme")]),
        ("transfer", "X", "Y", [("unknown_code", "/programme"), ("unknown_code", "/organization")]),
        ("refund", "ETH-00", "ILO", []),
    ],
)
def test_codes_are_those_of_the_catalogue(
    kind: LedgerEntryKind, programme: str, organization: str | None, found: list[tuple[str, str]]
) -> None:
    entry = Entry(kind=kind, date=TODAY, sum=dollars(CENT), programme=programme, organization=organization)
    assert [(error.code, error.pointer) for error in rules.catalogue_errors(entry, KNOWN)] == found
    if not found:
        present = organization and KNOWN.codes["organization", organization]
        assert KNOWN.with_current_codes(entry) == entry.model_copy(
            update={"programme": "ETH-01", "organization": present}
        )


def test_a_code_in_another_case_is_named_as_the_catalogue_has_it() -> None:
    known = CatalogueCodes(
        codes={("programme", "eth-01"): None, ("organization", "iom"): None},
        meant={("programme", "eth-01"): Suggestion("ETH-01"), ("organization", "iom"): Suggestion("IOM")},
        programmes={},
    )
    entry = Entry(kind="transfer", date=TODAY, sum=dollars(CENT), programme="eth-01", organization="iom")
    assert [(e.code, e.pointer, e.suggestion, e.allowed) for e in rules.catalogue_errors(entry, known)] == [
        ("unknown_code", "/programme", "ETH-01", ["see /catalog/v1/programmes"]),
        ("unknown_code", "/organization", "IOM", ["see /catalog/v1/organizations"]),
    ]


@pytest.mark.parametrize(
    ("type_", "country", "right"),
    [
        ("member_state", "AUT", True),
        ("member_state", None, False),
        ("foundation", None, True),
        ("foundation", "AUT", False),
    ],
)
def test_member_states_have_a_country_and_nobody_else(type_: Any, country: str | None, right: bool) -> None:
    contributor = Contributor(code="X", name="X", as_printed="X", type=type_, country=country, sources=[SOURCE])
    found = [(error.code, error.pointer) for error in rules.contributor_errors(contributor)]
    assert found == ([] if right else [("not_applicable", "/country")])


def test_the_day_that_is_today_has_come() -> None:
    entry = Entry(kind="interest", date=TODAY, sum=dollars(Decimal("1.00")))
    assert rules.errors_of(entry, TODAY) == []
    (error,) = rules.errors_of(entry.model_copy(update={"date": TODAY + timedelta(days=1)}), TODAY)
    assert (error.code, error.allowed) == ("in_the_future", ["up to 2026-06-30"])


@given(deposit=amounts)
def test_the_fee_is_one_per_cent_to_the_nearest_cent(deposit: Decimal) -> None:
    fee = rules.fee(deposit)
    exact = Fraction(deposit) / 100
    assert fee.as_tuple().exponent == -2
    off = abs(Fraction(fee) - exact)
    assert off < Fraction(1, 200) or (off == Fraction(1, 200) and Fraction(fee) > exact)
    assert 0 <= fee <= deposit
    assert rules.fee(-deposit) == -fee


@given(parts=st.lists(amounts, min_size=2, max_size=5))
def test_a_deposit_in_parts_costs_the_same_but_for_half_a_cent_each(parts: list[Decimal]) -> None:
    whole = rules.fee(sum(parts, Decimal(0)))
    assert abs(sum(map(rules.fee, parts)) - whole) <= (len(parts) + 1) * CENT / 2


@pytest.mark.parametrize(
    ("deposit", "fee"), [("0.49", "0.00"), ("0.50", "0.01"), ("1.50", "0.02"), ("2.50", "0.03"), ("2.49", "0.02")]
)
def test_half_a_cent_is_rounded_up(deposit: str, fee: str) -> None:
    assert str(rules.fee(Decimal(deposit))) == fee


identities = st.builds(
    Identity,
    subject=st.just("somebody"),
    organization=st.sampled_from([None, "IOM", "ILO", "MPTFO"]),
    roles=st.frozensets(st.sampled_from(["management_unit", "agent"])),
    scopes=st.frozensets(st.sampled_from(["funding:write", "catalog:write", "admin"])),
)


@given(who=identities, kind=kinds, organization=st.sampled_from([None, "IOM", "ILO", "MPTFO"]))
def test_a_kind_is_written_by_those_whose_it_is(who: Identity, kind: str, organization: str | None) -> None:
    admin = "admin" in who.scopes
    agent, fund = admin or "agent" in who.roles, admin or "management_unit" in who.roles
    own = organization is not None and who.organization == organization
    allowed = {
        "pledge": agent or fund,
        "allocation": fund,
        "expenditure": agent or own,
        "refund": agent or own,
    }.get(kind, agent)
    assert rules.may_write(who, kind, organization) == allowed
    if not (agent or fund or own):
        assert not rules.may_write(who, kind, organization)


@given(kind=kinds)
def test_a_partner_enters_its_own_expenditure_and_refunds_only(kind: str) -> None:
    """What an organization receives it does not enter, and who transfers does not allocate."""
    partner = Identity("partner", "IOM", frozenset(), frozenset({"funding:write"}))
    if rules.may_write(partner, kind, "IOM"):
        assert kind in ("expenditure", "refund")
    assert not rules.may_write(partner, kind, "ILO")
    assert not rules.may_write(partner, kind, None)


def test_every_kind_can_be_written_or_follows() -> None:
    assert (
        set(rules.KINDS)
        == set(get_args(LedgerEntryKind.__value__))
        == {*get_args(LedgerEntryKindSent.__value__), *rules.DERIVED}
    )
    for kind, rule in rules.KINDS.items():
        assert rules.writers(kind)
        assert not rule.needs & rule.takes
        assert rule.needs | rule.takes <= set(rules.PARTIES)
        assert (rule.follows is not None) == ("follows" in rule.needs | rule.takes)


def test_cash_comes_in_or_goes_out() -> None:
    assert not set(rules.INFLOWS) & set(rules.OUTFLOWS)
    assert {*rules.INFLOWS, *rules.OUTFLOWS} == {*rules.SOURCES, *rules.USES}
    assert {*rules.SOURCES, *(kind for kind in rules.USES if rules.SIGN.get(kind) == -1)} == set(rules.INFLOWS)


def test_the_table_of_members_is_what_the_rules_check() -> None:
    head, _, *lines = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table_lines()]
    assert [line[0] for line in lines] == list(get_args(LedgerEntryKindSent.__value__))
    original = Original(sum=Sum(amount=CENT, currency="EUR"), rate=Decimal(1), rate_date=TODAY, rate_source="a table")
    values = {
        "contributor": "DEU", "programme": "ETH-01", "organization": "IOM", "thematic_area": "2",
        "category": "supplies", "tranche": 1, "follows": "L-000001", "original": original,
        "amendment": "increase", "value_date": TODAY,
        "account": "USD-MAIN", "bank_reference": "INV 1",
        "instalments": (Instalment(due=TODAY, sum=Sum(amount=CENT, currency="EUR")),),
        "fee": AgreedFee(sum=dollars(CENT), reason="So agreed."), "counterpart_fund": "Another", "reference": "SC-1",
    }  # fmt: skip
    assert head[1:] == [*values.keys()] and set(head[1:]) == {*rules.PARTIES, "reference"}
    for kind, *cells in lines:
        stated = dict(zip(head[1:], cells, strict=True))
        whole = {name: values[name] for name, word in stated.items() if word != "refused"}
        assert errors_in(kind, whole) == set()
        for name, word in stated.items():
            without = errors_in(kind, {key: value for key, value in whole.items() if key != name})
            assert without == ({("missing_member", f"/{name}")} if word == "needed" else set()), (kind, name)
            with_it = errors_in(kind, {**whole, name: values[name]})
            assert with_it == ({("not_applicable", f"/{name}")} if word == "refused" else set()), (kind, name)


def table_lines() -> list[str]:
    return rules.members_table().split("\n")


def errors_in(kind: str, members: dict[str, Any]) -> set[tuple[str, str | None]]:
    entry = Entry.model_validate({"kind": kind, "date": TODAY, "sum": dollars(CENT), **members})
    return {(error.code, error.pointer) for error in rules.errors_of(entry, TODAY)}
