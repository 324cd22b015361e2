"""What the ledger takes, for entries of every sort: each fault is found, none is made up, and the fee is exact."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.http.identity import Identity
from mmptf_common.wire.codes import BudgetCategory
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.schemas import EntrySent, Kind, KindSent

Facts = dict[str, Any]

TODAY = date(2026, 6, 30)
CENT = Decimal("0.01")

kinds = st.sampled_from(sorted(rules.KINDS))
days = st.dates(date(1990, 1, 1), date(2099, 12, 31))
amounts = st.decimals(CENT, Decimal("99999999999999.99"), places=2).map(lambda amount: f"{amount:.2f}")
rates = st.one_of(
    st.sampled_from(["1.0", "0.5", "1.0850", "0.3333333333", "999999.9999999999"]),
    st.decimals(Decimal("0.0001"), Decimal(2000), places=4).map(lambda rate: f"{rate:.4f}"),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "contributor": st.just("DEU"),
    "programme": st.just("ETH-01"),
    "organization": st.sampled_from(["IOM", "ILO"]),
    "thematic_area": st.just("2"),
    "category": st.sampled_from(get_args(BudgetCategory)),
    "tranche": st.integers(1, 99),
    "follows": st.just("L-000001"),
}


@st.composite
def entries(draw: st.DrawFn, *, of: st.SearchStrategy[str] = kinds) -> Facts:
    """An entry by itself, right or wrong."""
    entry: Facts = {"kind": draw(of), "date": draw(days).isoformat(), "amount": draw(amounts)}
    entry |= {name: draw(st.one_of(st.none(), values)) for name, values in VALUES.items()}
    entry["reference"] = draw(st.sampled_from([None, "SC-1"]))
    entry["original"] = None
    if draw(st.booleans()):
        rate, original = draw(rates), draw(amounts)
        entry["original"] = {
            "amount": original,
            "currency": draw(st.sampled_from(["EUR", "CHF", "USD"])),
            "rate": rate,
            "rate_date": draw(st.one_of(st.just(date.fromisoformat(entry["date"])), days)).isoformat(),
            "rate_source": "a table",
        }
        exact = Fraction(original) * Fraction(rate)
        if draw(st.booleans()) and 0 < (cents := round(exact * 100) + draw(st.integers(-1, 1))) < 10**16:
            entry["amount"] = f"{Decimal(cents).scaleb(-2):.2f}"
    return entry


def expected(entry: Facts) -> list[tuple[str, str]]:
    """Every fault, found another way."""
    kind = rules.KINDS[entry["kind"]]
    found = []
    for name in (*VALUES, "original"):
        there = entry[name] is not None
        if there and name not in kind.needs and name not in kind.takes:
            found.append(("not_applicable", f"/{name}"))
        if not there and name in kind.needs:
            found.append(("missing", f"/{name}"))
    if entry["kind"] in ("allocation", "direct_cost") and entry["reference"] is None:
        found.append(("missing", "/reference"))
    if date.fromisoformat(entry["date"]) > TODAY:
        found.append(("in_the_future", "/date"))
    if original := entry["original"]:
        if original["currency"] == "USD":
            found.append(("not_applicable", "/original/currency"))
        if abs(Fraction(original["amount"]) * Fraction(original["rate"]) - Fraction(entry["amount"])) >= Fraction(
            1, 100
        ):
            found.append(("amount_does_not_follow", "/amount"))
        if date.fromisoformat(original["rate_date"]) > date.fromisoformat(entry["date"]):
            found.append(("in_the_future", "/original/rate_date"))
    return sorted(found)


@given(entry=entries())
def test_every_error_is_found_and_none_made_up(entry: Facts) -> None:
    found = rules.errors_of(entry, TODAY)
    assert sorted((error.code, error.pointer) for error in found) == expected(entry)
    # A pointer names what its detail speaks of.
    assert all(error.detail.startswith(f"{error.pointer}: ") for error in found)


@given(entry=entries())
def test_an_entry_without_its_errors_has_none(entry: Facts) -> None:
    mended = dict(entry)
    for error in rules.errors_of(entry, TODAY):
        assert error.pointer is not None
        name = error.pointer.split("/")[1]
        if error.code == "missing":
            mended[name] = "SC-1" if name == "reference" else {"category": "travel"}.get(name, "X")
        elif error.pointer == "/date":
            mended["date"] = TODAY.isoformat()
        elif name in ("original", "amount"):
            mended["original"] = None
        else:
            mended[name] = None
    # A date that moved back may leave a rate that is of a later day.
    if mended["original"] and mended["original"]["rate_date"] > mended["date"]:
        mended["original"] = None
    assert rules.errors_of(mended, TODAY) == []


@given(entry=entries(of=st.sampled_from(get_args(KindSent))))
def test_what_is_drawn_here_can_be_sent(entry: Facts) -> None:
    assert EntrySent.model_validate(entry).model_dump(mode="json")["kind"] == entry["kind"]


def test_the_day_that_is_today_has_come() -> None:
    entry: Facts = {**dict.fromkeys([*VALUES, "original", "reference"]), "kind": "interest", "amount": "1.00"}
    assert rules.errors_of({**entry, "date": TODAY.isoformat()}, TODAY) == []
    (error,) = rules.errors_of({**entry, "date": (TODAY + timedelta(days=1)).isoformat()}, TODAY)
    assert (error.code, error.allowed) == ("in_the_future", ["up to 2026-06-30"])


@given(deposit=amounts.map(Decimal))
def test_the_fee_is_one_per_cent_to_the_nearest_cent(deposit: Decimal) -> None:
    fee = rules.fee(deposit)
    exact = Fraction(deposit) / 100
    assert fee.as_tuple().exponent == -2
    off = abs(Fraction(fee) - exact)
    assert off < Fraction(1, 200) or (off == Fraction(1, 200) and int(fee * 100) % 2 == 0)
    assert 0 <= fee < deposit
    assert rules.fee(-deposit) == -fee


@given(parts=st.lists(amounts.map(Decimal), min_size=2, max_size=5))
def test_a_deposit_in_parts_costs_the_same_but_for_half_a_cent_each(parts: list[Decimal]) -> None:
    whole = rules.fee(sum(parts, Decimal(0)))
    assert abs(sum(map(rules.fee, parts)) - whole) <= (len(parts) + 1) * CENT / 2


@pytest.mark.parametrize(
    ("deposit", "fee"), [("0.50", "0.00"), ("0.51", "0.01"), ("1.50", "0.02"), ("2.50", "0.02"), ("3.50", "0.04")]
)
def test_half_a_cent_goes_to_the_even_one(deposit: str, fee: str) -> None:
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
    assert set(rules.KINDS) == set(get_args(Kind)) == {*get_args(KindSent), "agent_fee"}
    for kind, rule in rules.KINDS.items():
        assert rules.writers(kind)
        assert not rule.needs & rule.takes
        assert rule.needs | rule.takes <= set(rules.PARTIES)
        assert (rule.follows is not None) == ("follows" in rule.needs | rule.takes)


def test_cash_comes_in_or_goes_out() -> None:
    assert not set(rules.INFLOWS) & set(rules.OUTFLOWS)
    assert {*rules.INFLOWS, *rules.OUTFLOWS} == {*rules.SOURCES, *rules.USES}
    assert {*rules.SOURCES, *(kind for kind in rules.USES if rules.SIGN.get(kind) == -1)} == set(rules.INFLOWS)
