"""What a programme's parts have to add up to, and what it may become: for any shares, budget and status."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmptf_catalog.programmes import rules
from mmptf_catalog.programmes.rules import STAGE_OF_STATUS
from mmptf_catalog.programmes.schemas import NewStatus, Status
from mmptf_common.wire.codes import BudgetCategory

STATUSES = get_args(Status)
CATEGORIES = [category for category in get_args(BudgetCategory) if category != rules.INDIRECT]
CENTS = st.integers(1, 10**13)
HISTORY = "2026-03-01"
TODAY = date(2026, 7, 1)


def money(cents: int) -> str:
    return f"{Decimal(cents) / 100:.2f}"


def programme(**members: Any) -> dict[str, Any]:
    """A programme in which everything fits."""
    return {
        "objectives": ["6"],
        "organizations": ["IOM", "ILO"],
        "places": [{"code": "KEN", "share": "60.00"}, {"code": "UGA", "share": "40.00"}],
        "duration": {"start": "2027-01-01", "end": "2028-12-31"},
        "budget": {"amount": "107.00"},
        "budget_lines": [line("100.00"), line("7.00", category=rules.INDIRECT)],
        **members,
    }


def line(amount: str, **members: Any) -> dict[str, Any]:
    return {"organization": "IOM", "year": 2027, "category": "supplies", "amount": amount, **members}


def found(facts: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The codes and the pointers of what is wrong."""
    return [(error.code, error.pointer) for error in rules.errors_of(facts)]


def places(*hundredths: int | None) -> list[dict[str, Any]]:
    return [{"code": f"P{n}", "share": None if h is None else money(h)} for n, h in enumerate(hundredths)]


@st.composite
def whole(draw: st.DrawFn) -> list[int]:
    """Shares of at least a hundredth of a per cent that add up to all of it."""
    cuts = sorted(draw(st.sets(st.integers(1, 9_999), max_size=12)))
    return [b - a for a, b in itertools.pairwise([0, *cuts, 10_000])]


def test_a_programme_in_which_everything_fits() -> None:
    assert found(programme()) == []


# --- shares --------------------------------------------------------------------------------------------------------


@given(whole())
def test_shares_of_the_whole_are_taken(shares: list[int]) -> None:
    assert found(programme(places=places(*shares))) == []


@given(whole(), st.integers(-9_999, 9_999), st.data())
def test_shares_that_miss_the_whole_by_any_hundredth_are_refused(
    shares: list[int], difference: int, data: st.DataObject
) -> None:
    n = data.draw(st.integers(0, len(shares) - 1))
    shares[n] += difference
    assume(difference and shares[n] > 0)
    (error,) = rules.errors_of(programme(places=places(*shares)))
    assert (error.code, error.pointer, error.allowed) == ("shares_do_not_add_up", "/places", ["100.00"])
    assert f" {money(sum(shares))}," in error.detail


@given(whole(), st.data())
def test_a_share_for_every_place_or_for_none(shares: list[int], data: st.DataObject) -> None:
    assume(len(shares) > 1)
    silent = data.draw(st.sets(st.integers(0, len(shares) - 1), min_size=1, max_size=len(shares) - 1))
    some = [None if n in silent else share for n, share in enumerate(shares)]
    assert found(programme(places=places(*some))) == [("shares_incomplete", "/places")]
    assert found(programme(places=places(*([None] * len(shares))))) == []


@given(whole())
def test_a_place_without_a_share_of_the_money_is_left_out(shares: list[int]) -> None:
    assert found(programme(places=places(*shares, 0))) == [("invalid_share", f"/places/{len(shares)}/share")]


# --- the budget ----------------------------------------------------------------------------------------------------


@given(st.lists(CENTS, min_size=1, max_size=len(CATEGORIES)))
def test_lines_that_add_up_to_the_cent_are_taken(amounts: list[int]) -> None:
    lines = [line(money(cents), category=category) for cents, category in zip(amounts, CATEGORIES, strict=False)]
    assert found(programme(budget={"amount": money(sum(amounts))}, budget_lines=lines)) == []


@given(st.lists(CENTS, min_size=1, max_size=len(CATEGORIES)), st.integers(-(10**13), 10**13))
def test_lines_that_miss_the_budget_by_any_cent_are_refused(amounts: list[int], difference: int) -> None:
    assume(difference and sum(amounts) + difference > 0)
    lines = [line(money(cents), category=category) for cents, category in zip(amounts, CATEGORIES, strict=False)]
    budget = money(sum(amounts) + difference)
    (error,) = rules.errors_of(programme(budget={"amount": budget}, budget_lines=lines))
    assert (error.code, error.pointer, error.allowed) == ("budget_does_not_add_up", "/budget_lines", [budget])


@given(st.lists(CENTS, min_size=1, max_size=len(CATEGORIES)), st.integers(1, 3))
def test_seven_per_cent_of_the_direct_costs_and_not_a_cent_more(amounts: list[int], organizations: int) -> None:
    """The limit is of each organization by itself, and half a cent counts as one."""
    most = (sum(amounts) * 7 + 50) // 100
    assume(most > 0)
    names = [f"O{n}" for n in range(organizations)]
    direct = [
        line(money(cents), category=category, organization=name)
        for name in names
        for cents, category in zip(amounts, CATEGORIES, strict=False)
    ]

    def with_indirect(last: int) -> dict[str, Any]:
        shares = [most] * (organizations - 1) + [last]
        indirect = [
            line(money(cents), category=rules.INDIRECT, organization=name)
            for name, cents in zip(names, shares, strict=True)
        ]
        total = organizations * sum(amounts) + sum(shares)
        return programme(organizations=names, budget={"amount": money(total)}, budget_lines=direct + indirect)

    assert found(with_indirect(most)) == []
    (error,) = rules.errors_of(with_indirect(most + 1))
    assert (error.code, error.pointer) == ("indirect_costs_too_high", "/budget_lines")
    assert error.allowed == [f"0.00 to {money(most)}"]
    assert error.detail.startswith(f"/budget_lines: {names[-1]} plans ")


def test_indirect_costs_of_several_years_count_together() -> None:
    lines = [line("100.00"), *(line("3.50", category=rules.INDIRECT, year=year) for year in (2027, 2028))]
    assert found(programme(budget_lines=lines)) == []
    lines[-1]["amount"], total = "3.51", {"amount": "107.01"}
    assert found(programme(budget_lines=lines, budget=total)) == [("indirect_costs_too_high", "/budget_lines")]


def test_no_indirect_costs_without_direct_ones() -> None:
    lines = [line("100.00"), line("0.01", organization="ILO", category=rules.INDIRECT)]
    facts = programme(budget_lines=lines, budget={"amount": "100.01"})
    assert found(facts) == [("indirect_costs_too_high", "/budget_lines")]


@pytest.mark.parametrize(
    ("members", "errors"),
    [
        ({"budget": None}, [("missing", "/budget")]),
        ({"budget": None, "budget_lines": []}, []),
        ({"budget_lines": [line("50.00"), line("57.00")]}, [("repeated", "/budget_lines/1")]),
        ({"budget_lines": [line("50.00"), line("57.00", year=2028)]}, []),
        ({"budget_lines": [line("107.00", organization="WHO")]}, [("not_taking_part", "/budget_lines/0/organization")]),
        ({"budget_lines": [line("107.00", year=2026)]}, [("outside_the_duration", "/budget_lines/0/year")]),
        ({"budget_lines": [line("107.00", year=2029)]}, [("outside_the_duration", "/budget_lines/0/year")]),
        ({"budget_lines": [line("107.00", year=2029)], "duration": None}, []),
        ({"duration": {"start": "2027-01-01", "end": "2027-01-01"}}, []),
        ({"duration": {"start": "2027-01-02", "end": "2027-01-01"}}, [("ends_before_it_starts", "/duration/end")]),
        ({"objectives": ["6", "7", "6"]}, [("repeated", "/objectives/2")]),
        ({"organizations": ["IOM", "IOM", "IOM"]}, [("repeated", f"/organizations/{n}") for n in (1, 2)]),
        ({"places": [{"code": "KEN", "share": "50.00"}] * 2}, [("repeated", "/places/1")]),
    ],
)
def test_parts_fit_one_another(members: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    assert found(programme(**members)) == errors


def test_every_error_is_named_at_once() -> None:
    facts = programme(
        objectives=["6", "6"],
        places=places(5_000, 4_999),
        duration={"start": "2028-01-01", "end": "2027-12-31"},
        budget_lines=[line("100.00", organization="WHO", year=2026), line("7.02", category=rules.INDIRECT)],
    )
    assert [code for code, _ in found(facts)] == [
        "repeated", "shares_do_not_add_up", "ends_before_it_starts", "budget_does_not_add_up", "not_taking_part",
        "outside_the_duration", "outside_the_duration", "indirect_costs_too_high",
    ]  # fmt: skip


@given(st.sets(st.sampled_from(["title", "summary", "objectives", "places", "organizations", "duration", "budget"])))
def test_every_missing_member_of_a_draft_is_reported(lacking: set[str]) -> None:
    draft = {**programme(), "organization": "IOM", "title": "A", "summary": "B", "thematic_area": "4"}
    for name in lacking:
        draft[name] = [] if name in ("objectives", "places", "organizations") else None
    errors = rules.missing(draft)
    assert {error.pointer for error in errors} == {f"/{name}" for name in lacking}
    assert {error.code for error in errors} <= {"missing"}
    assert len(errors) == len(lacking)


def test_who_submits_takes_part() -> None:
    draft = {**programme(), "organization": "WHO", "title": "A", "summary": "B", "thematic_area": "4"}
    assert [(error.code, error.pointer) for error in rules.missing(draft)] == [("missing", "/organizations")]


# --- what follows --------------------------------------------------------------------------------------------------


def test_every_status_has_what_follows_it_and_a_stage() -> None:
    assert set(rules.FOLLOWING) == set(STAGE_OF_STATUS) == set(STATUSES)
    for status, following in rules.FOLLOWING.items():
        assert set(following) <= set(get_args(NewStatus))
        assert len(set(following)) == len(following)
        assert status not in following
    assert set(get_args(NewStatus)) == set(STATUSES) - {"not_stated"}


def test_every_status_is_reached_and_only_the_last_is_an_end() -> None:
    reached, new = {"concept_note"}, {"concept_note"}
    while new:
        new = {to for status in new for to in rules.FOLLOWING[status]} - reached
        reached |= new
    assert reached == set(get_args(NewStatus))
    assert [status for status, following in rules.FOLLOWING.items() if not following] == ["financially_closed"]


def test_money_flows_only_after_an_approval() -> None:
    """No step but the approval, and what leads back after it, makes a programme that was not funded a funded one."""
    into = {
        (status, to)
        for status, following in rules.FOLLOWING.items()
        for to in following
        if STAGE_OF_STATUS[to] == "funded" and STAGE_OF_STATUS[status] in ("concept", "pipeline", "dropped")
    }
    assert into == {("pipeline", "approved")}


def test_who_amends_and_decides_is_consistent() -> None:
    for status, to in rules.OWN_STEPS:
        assert to in rules.FOLLOWING[status]
        assert STAGE_OF_STATUS[status] not in ("funded", "closed")
    assert rules.AMENDED_BY_ORGANIZATION < rules.AMENDED_BY_FUND < set(STATUSES)
    assert {STAGE_OF_STATUS[status] for status in rules.AMENDED_BY_ORGANIZATION} == {"concept", "pipeline"}
    assert {STAGE_OF_STATUS[status] for status in rules.EXTENDED} == {"funded"}
    assert {s for s in STATUSES if STAGE_OF_STATUS[s] in ("closed", "dropped")}.isdisjoint(rules.AMENDED_BY_FUND)


@pytest.mark.parametrize(
    ("lead", "organizations", "organization", "owned"),
    [
        ("IOM", ["IOM", "ILO"], "IOM", True),
        ("IOM", ["IOM", "ILO"], "ILO", False),
        (None, ["IOM", "ILO"], "ILO", True),
        (None, ["IOM", "ILO"], "WHO", False),
        (None, [], "IOM", False),
        (None, [], None, False),
        ("IOM", ["IOM"], None, False),
    ],
)
def test_whose_a_programme_is(
    lead: str | None, organizations: list[str], organization: str | None, owned: bool
) -> None:
    assert rules.owns({"lead_organization": lead, "organizations": organizations}, organization) is owned


@given(st.integers(-400, 400))
def test_a_status_is_of_a_day_between_the_last_one_and_today(days: int) -> None:
    day = (TODAY + timedelta(days)).isoformat()
    codes = [error.code for error in rules.status_errors([{"date": HISTORY}], {"date": day}, TODAY)]
    assert codes == (["in_the_future"] if days > 0 else ["before_the_last"] if day < HISTORY else [])
    assert [f.code for f in rules.status_errors([], {"date": day}, TODAY)] == (["in_the_future"] if days > 0 else [])


def test_an_approved_programme_says_how_its_money_is_spent_and_when() -> None:
    assert rules.approval_errors(programme()) == []
    errors = rules.approval_errors(programme(budget_lines=[], duration=None))
    assert [(error.code, error.pointer) for error in errors] == [
        ("missing", "/budget_lines"),
        ("missing", "/duration"),
    ]
