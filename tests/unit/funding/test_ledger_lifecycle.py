"""Entries over the life of a programme: the table is complete and documented, and what is exceeded is exact."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pytest

from mmptf_common.wire.codes import ProgrammeStatus
from mmptf_funding.ledger import lifecycle, rules
from mmptf_funding.ledger.domain import Entry, LedgerEntryKind, LedgerFlag, Sum
from mmptf_funding.ledger.lifecycle import BY_STATUS
from mmptf_funding.ledger.programmes import Programme
from scripts.ledger_rules import page
from tests.suite import ROOT

STATUSES = get_args(ProgrammeStatus.__value__)
HISTORY = [("pipeline", "2024-01-01"), ("approved", "2024-03-01"), ("implementation", "2024-06-01")]


def programme(**members: Any) -> Programme:
    history = [{"status": status, "date": day, "date_precision": "day"} for status, day in HISTORY]
    stated = {
        "code": "ETH-01", "title": None, "status": "implementation", "status_history": history,
        "thematic_area": None, "organizations": [{"code": "IOM"}], "budget": None, "budget_lines": [], **members,
    }  # fmt: skip
    return Programme.model_validate(stated)


def entry(kind: LedgerEntryKind, amount: str = "10.00", day: str = "2024-07-01", **members: Any) -> Entry:
    sum_ = Sum(amount=Decimal(amount), currency="USD")
    return Entry(kind=kind, date=date.fromisoformat(day), sum=sum_, programme="ETH-01", **members)


def test_every_kind_that_names_a_programme_has_a_rule_for_every_status() -> None:
    named = {kind for kind, rule in rules.KINDS.items() if "programme" in rule.needs | rule.takes}
    assert named == BY_STATUS.keys()
    for by_status in BY_STATUS.values():
        assert tuple(by_status) == STATUSES or set(by_status) == set(STATUSES)
        assert all(rule.why for rule in by_status.values())


def test_nothing_but_a_refund_is_entered_once_the_accounts_are_closed() -> None:
    for kind, by_status in BY_STATUS.items():
        assert by_status["financially_closed"].outcome == ("flagged" if kind == "refund" else "refused")
        for status in ("concept_note", "not_selected", "withdrawn"):
            assert by_status[status].outcome == ("flagged" if kind == "refund" else "refused")


def test_the_documentation_is_made_from_the_rules() -> None:
    """`make contracts` writes it."""
    assert (ROOT / "docs/ledger-rules.md").read_text("utf-8") == page()


def test_every_flag_is_documented() -> None:
    assert all(f"`{flag}`" in page() for flag in get_args(LedgerFlag.__value__) if flag != "unusual_for_status")


@pytest.mark.parametrize(
    ("day", "status"),
    [
        ("2024-01-01", "pipeline"), ("2024-02-29", "pipeline"), ("2024-03-01", "approved"),
        ("2024-06-01", "implementation"), ("2026-01-01", "implementation"),
        # Before anything is known of it.
        ("2023-12-31", "implementation"),
    ],
)  # fmt: skip
def test_the_status_is_that_on_the_day_of_the_entry(day: str, status: str) -> None:
    assert programme().status_on(date.fromisoformat(day)) == status
    found = lifecycle.status_errors(entry("allocation", day=day), programme())
    assert [(error.code, error.pointer) for error in found] == (
        [("status_does_not_allow", "/programme")] if status == "pipeline" else []
    )
    if found:
        assert f"on {day}, when ETH-01 was pipeline" in found[0].detail
        assert found[0].allowed == ["approved", "implementation", "suspended", "not_stated"]


@pytest.mark.parametrize(
    ("kind", "organization", "received", "found", "flags"),
    [
        ("transfer", "IOM", "0.00", [], []),
        ("transfer", "ILO", "5.00", ["not_taking_part"], ["no_longer_taking_part"]),
        ("expenditure", "ILO", "0.00", ["not_taking_part"], ["no_longer_taking_part"]),
        ("expenditure", "ILO", "0.01", [], ["no_longer_taking_part"]),
        ("refund", "ILO", "0.00", [], ["no_longer_taking_part"]),
    ],
)
def test_who_has_received_money_accounts_for_it(
    kind: LedgerEntryKind, organization: str, received: str, found: list[str], flags: list[str]
) -> None:
    sent = entry(kind, organization=organization)
    errors = lifecycle.participation_errors(sent, programme(), organization, Decimal(received))
    assert [error.code for error in errors] == found
    assert [flag.flag for flag in lifecycle.flags_of_programme(sent, programme())] == flags
    assert lifecycle.participation_errors(sent, programme(organizations=[]), organization, Decimal(received)) == []


BUDGET = {"amount": "100.00", "currency": "USD", "stage": "allocation"}


@pytest.mark.parametrize(
    ("budget", "allocated", "excess"),
    [(BUDGET, "100.00", None), (BUDGET, "100.01", "0.01"), (None, "1.00", None),
     ({**BUDGET, "currency": "EUR"}, "200.00", None)],
)  # fmt: skip
def test_an_allocation_above_the_budget_is_flagged(budget: Any, allocated: str, excess: str | None) -> None:
    found = lifecycle.flags_of_allocation(programme(budget=budget), Decimal(allocated))
    assert [(flag.flag, flag.excess and str(flag.excess.amount)) for flag in found] == (
        [("allocation_exceeds_budget", excess)] if excess else []
    )
    if found:
        assert found[0].detail == "100.01 USD are allocated to ETH-01, and its budget is 100.00 USD."


@pytest.mark.parametrize(("most", "excess"), [("10.00", None), ("9.99", "0.01"), ("-2.00", "12.00")])
def test_a_transfer_above_what_is_allocated_to_the_organization_is_flagged(most: str, excess: str | None) -> None:
    found = lifecycle.flags_of_transfer(entry("transfer", organization="IOM"), Decimal(most))
    assert [str(flag.excess.amount) for flag in found if flag.excess] == ([excess] if excess else [])


LINES = [
    {"organization": "IOM", "year": 2024, "category": "travel", "amount": "60.00"},
    {"organization": "IOM", "year": 2025, "category": "travel", "amount": "40.00"},
    {"organization": "ILO", "year": 2025, "category": "travel", "amount": "1000.00"},
]


@pytest.mark.parametrize(
    ("category", "spent", "excess"),
    [("travel", "120.00", None), ("travel", "120.01", "0.01"), ("supplies", "1.00", "1.00")],
)
def test_expenditure_beyond_its_budget_lines_is_flagged(category: Any, spent: str, excess: str | None) -> None:
    sent = entry("expenditure", organization="IOM", category=category)
    found = lifecycle.flags_of_spending(sent, programme(budget_lines=LINES), Decimal(spent))
    assert [str(flag.excess.amount) for flag in found if flag.excess] == ([excess] if excess else [])
    assert lifecycle.flags_of_spending(sent, programme(), Decimal(spent)) == []


@pytest.mark.parametrize(
    ("costs", "excess"),
    [
        ([("7.00", "100.00")], None),
        ([("7.01", "100.00")], "0.01"),
        # On one of the days they exceed it: the limit is rounded half up.
        ([("0.01", "0.07"), ("0.01", "0.08"), ("7.00", "100.00")], "0.01"),
        ([("7.00", "100.00"), ("10.00", "20.00"), ("10.00", "200.00")], "8.60"),
    ],
)
def test_indirect_costs_above_their_limit_on_any_day_are_flagged(
    costs: list[tuple[str, str]], excess: str | None
) -> None:
    sent = entry("expenditure", organization="IOM", category="indirect_costs")
    days = [(Decimal(indirect), Decimal(direct)) for indirect, direct in costs]
    found = lifecycle.flags_of_indirect_costs(sent, days)
    assert [str(flag.excess.amount) for flag in found if flag.excess] == ([excess] if excess else [])
