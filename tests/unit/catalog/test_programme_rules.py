"""What a programme's parts have to add up to, and what it may become: for any shares, budget and status."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmptf_catalog.programmes import rules
from mmptf_catalog.programmes.domain import (
    SOURCED,
    STAGE_OF_STATUS,
    ProgrammeContent,
    ProgrammeDraft,
    ProgrammeStatusRecord,
    StatedBudget,
    StatedProgramme,
)
from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common.wire.codes import BudgetCategory, ProgrammeStatus
from mmptf_common.wire.sources import SourceRef

STATUSES = get_args(ProgrammeStatus.__value__)
CATEGORIES = [category for category in get_args(BudgetCategory.__value__) if category != rules.INDIRECT]
CENTS = st.integers(1, 10**13)
HISTORY = date(2026, 3, 1)
PLACES = {"KEN": "Kenya", "UGA": "Uganda"}
WRITTEN = datetime(2026, 7, 1, tzinfo=UTC)
TODAY = date(2026, 7, 1)


def money(cents: int) -> str:
    return f"{Decimal(cents) / 100:.2f}"


def line(amount: str, **members: Any) -> dict[str, Any]:
    return {"organization": "IOM", "year": 2027, "category": "supplies", "amount": amount, **members}


FITTING: dict[str, Any] = {
    "title": "A",
    "summary": "B",
    "thematic_area": "4",
    "objectives": ["6"],
    "organizations": ["IOM", "ILO"],
    "places": [{"code": "KEN", "share": "60.00"}, {"code": "UGA", "share": "40.00"}],
    "partners": [
        {"kind": "civil_society", "name": "C", "country": None, "number": 2},
        {"kind": "academia", "name": "C", "country": "KEN", "number": None},
    ],
    "beneficiaries": [{"group": "youth", "name": "D"}, {"group": "women", "name": "D"}],
    "components": [{"number": 1, "name": None, "text": "E"}, {"number": 2, "name": "F", "text": "E"}],
    "localities": [],
    "figures": [{"subject": "G", "value": "12.5", "unit": "per_cent", "qualifier": "approximately"}],
    "duration": {"start": "2027-01-01", "end": "2028-12-31"},
    "budget": "107.00",
    "budget_lines": [line("100.00"), line("7.00", category=rules.INDIRECT)],
}


def content(**members: Any) -> ProgrammeContent:
    """What a programme says in which everything fits, but for the members that are given."""
    return ProgrammeContent.model_validate({**FITTING, **members})


def draft(**members: Any) -> ProgrammeDraft:
    return ProgrammeDraft.model_validate(
        {**FITTING, "code": "D-01", "organization": "IOM", "updated": WRITTEN, **members}
    )


def programme(**members: Any) -> StatedProgramme:
    """A concept note in which everything fits."""
    sources = {name: source(name, "IOM") for name in FITTING}
    return StatedProgramme.submitted(draft(), sources, PLACES).model_copy(update=members)


def source(field: str, organization: str) -> SourceRef:
    return SourceRef(
        field=field, document="submission", line=None, locator=None, as_printed=None, verified=False, note=organization
    )


def record(status: ProgrammeStatus, day: date = HISTORY) -> ProgrammeStatusRecord:
    return ProgrammeStatusRecord(
        status=status,
        stage=STAGE_OF_STATUS[status],
        date=day,
        date_precision="day",
        reason="Decided.",
        decision=None,
        verified=False,
        sources=[],
    )


def found(said: ProgrammeContent) -> list[tuple[str, str | None]]:
    """The codes and the pointers of what is wrong."""
    return [(error.code, error.pointer) for error in rules.errors_of(said)]


def places(*hundredths: int | None) -> list[dict[str, Any]]:
    return [{"code": f"P{n}", "share": None if h is None else money(h)} for n, h in enumerate(hundredths)]


@st.composite
def whole(draw: st.DrawFn) -> list[int]:
    """Shares of at least a hundredth of a per cent that add up to all of it."""
    cuts = sorted(draw(st.sets(st.integers(1, 9_999), max_size=12)))
    return [b - a for a, b in itertools.pairwise([0, *cuts, 10_000])]


def test_a_programme_in_which_everything_fits() -> None:
    assert found(content()) == []


# --- partners, beneficiaries, components, localities, figures ------------------------------------------------------


def test_an_entry_that_is_there_already_is_refused() -> None:
    for name, other in {
        "partners": {"number": 9},
        "beneficiaries": {},
        "components": {"name": "Other", "text": "Other"},
        "figures": {"value": "3"},
    }.items():
        entries = FITTING[name]
        said = content(**{name: [*entries, {**entries[0], **other}]})
        assert found(said) == [("repeated_code", f"/{name}/{len(entries)}")]


def test_a_locality_is_in_a_place_of_the_programme() -> None:
    kept = [{"place": code, "name": "H"} for code in PLACES]
    assert [*rules.locality_errors(content(localities=kept))] == []
    (error,) = rules.locality_errors(content(localities=[*kept, {"place": "SRB", "name": "H"}]))
    assert (error.code, error.pointer, error.allowed) == ("not_applicable", "/localities/2/place", ["KEN", "UGA"])
    assert found(content(localities=[kept[0], kept[0]])) == [("repeated_code", "/localities/1")]


def test_entries_that_stay_keep_their_sources() -> None:
    stated = programme()
    assert {source.field for source in stated.sources}.isdisjoint(SOURCED)
    said = content(partners=[FITTING["partners"][1], {**FITTING["partners"][0], "name": "Other"}], figures=[])
    new = {name: source(name, "ILO") for name in ("partners", "figures")}
    after = stated.restated(said, new, PLACES)
    assert [[s.note for s in partner.sources] for partner in after.partners] == [["IOM"], ["ILO"]]
    assert after.beneficiaries == stated.beneficiaries
    assert (after.figures, after.sources) == ([], stated.sources)
    # No figure is no gap.
    assert after.gaps == stated.gaps
    without = stated.restated(content(partners=[]), {"partners": source("partners", "ILO")}, PLACES)
    assert [gap.field for gap in without.gaps if gap not in stated.gaps] == ["partners"]


def test_a_programme_that_was_stored_before_these_lists_names_them_as_gaps() -> None:
    stored = programme().model_dump(mode="json", exclude={*SOURCED})
    before = StatedProgramme.model_validate(stored)
    assert all(getattr(before, name) == [] for name in SOURCED)
    new = [gap.field for gap in before.gaps if gap not in programme().gaps]
    assert new == ["partners", "beneficiaries", "components"]
    assert StatedProgramme.model_validate(before.model_dump(mode="json")) == before


# --- who leads -----------------------------------------------------------------------------------------------------


def test_the_organization_that_is_stated_to_lead_takes_part() -> None:
    led = programme(lead_organization=None).led_by("ILO", source("lead_organization", "the Fund"))
    assert rules.lead_errors("ILO", content()) == []
    (error,) = rules.lead_errors("ILO", content(organizations=["IOM"]))
    assert (error.code, error.pointer, error.allowed) == ("not_taking_part", "/lead_organization", ["IOM"])
    assert led.sources[-1].field == "lead_organization"
    assert "lead_organization" not in [gap.field for gap in led.gaps]


# --- shares --------------------------------------------------------------------------------------------------------


@given(whole())
def test_shares_of_the_whole_are_taken(shares: list[int]) -> None:
    assert found(content(places=places(*shares))) == []


@given(whole(), st.integers(-9_999, 9_999), st.data())
def test_shares_that_miss_the_whole_by_any_hundredth_are_refused(
    shares: list[int], difference: int, data: st.DataObject
) -> None:
    n = data.draw(st.integers(0, len(shares) - 1))
    shares[n] += difference
    assume(difference and shares[n] > 0)
    (error,) = rules.errors_of(content(places=places(*shares)))
    assert (error.code, error.pointer, error.allowed) == ("shares_do_not_add_up", "/places", ["100.00"])
    assert f" {money(sum(shares))}," in error.detail


@given(whole(), st.data())
def test_a_share_for_every_place_or_for_none(shares: list[int], data: st.DataObject) -> None:
    assume(len(shares) > 1)
    silent = data.draw(st.sets(st.integers(0, len(shares) - 1), min_size=1, max_size=len(shares) - 1))
    some = [None if n in silent else share for n, share in enumerate(shares)]
    assert found(content(places=places(*some))) == [("shares_incomplete", "/places")]
    assert found(content(places=places(*([None] * len(shares))))) == []


@given(whole())
def test_a_place_without_a_share_of_the_money_is_left_out(shares: list[int]) -> None:
    assert found(content(places=places(*shares, 0))) == [("invalid_value", f"/places/{len(shares)}/share")]


# --- the budget ----------------------------------------------------------------------------------------------------


@given(st.lists(CENTS, min_size=1, max_size=len(CATEGORIES)))
def test_lines_that_add_up_to_the_cent_are_taken(amounts: list[int]) -> None:
    lines = [line(money(cents), category=category) for cents, category in zip(amounts, CATEGORIES, strict=False)]
    assert found(content(budget=money(sum(amounts)), budget_lines=lines)) == []


@given(st.lists(CENTS, min_size=1, max_size=len(CATEGORIES)), st.integers(-(10**13), 10**13))
def test_lines_that_miss_the_budget_by_any_cent_are_refused(amounts: list[int], difference: int) -> None:
    assume(difference and sum(amounts) + difference > 0)
    lines = [line(money(cents), category=category) for cents, category in zip(amounts, CATEGORIES, strict=False)]
    budget = money(sum(amounts) + difference)
    (error,) = rules.errors_of(content(budget=budget, budget_lines=lines))
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

    def with_indirect(last: int) -> ProgrammeContent:
        shares = [most] * (organizations - 1) + [last]
        indirect = [
            line(money(cents), category=rules.INDIRECT, organization=name)
            for name, cents in zip(names, shares, strict=True)
        ]
        total = organizations * sum(amounts) + sum(shares)
        return content(organizations=names, budget=money(total), budget_lines=direct + indirect)

    assert found(with_indirect(most)) == []
    (error,) = rules.errors_of(with_indirect(most + 1))
    assert (error.code, error.pointer) == ("indirect_costs_too_high", "/budget_lines")
    assert error.allowed == [f"0.00 to {money(most)}"]
    assert error.detail.startswith(f"/budget_lines: {names[-1]} plans ")


def test_indirect_costs_of_several_years_count_together() -> None:
    lines = [line("100.00"), *(line("3.50", category=rules.INDIRECT, year=year) for year in (2027, 2028))]
    assert found(content(budget_lines=lines)) == []
    lines[-1]["amount"], total = "3.51", "107.01"
    assert found(content(budget_lines=lines, budget=total)) == [("indirect_costs_too_high", "/budget_lines")]


def test_no_indirect_costs_without_direct_ones() -> None:
    lines = [line("100.00"), line("0.01", organization="ILO", category=rules.INDIRECT)]
    said = content(budget_lines=lines, budget="100.01")
    assert found(said) == [("indirect_costs_too_high", "/budget_lines")]


@pytest.mark.parametrize(
    ("members", "errors"),
    [
        ({"budget": None}, [("missing_member", "/budget")]),
        ({"budget": None, "budget_lines": []}, []),
        ({"budget_lines": [line("50.00"), line("57.00")]}, [("repeated_code", "/budget_lines/1")]),
        ({"budget_lines": [line("50.00"), line("57.00", year=2028)]}, []),
        ({"budget_lines": [line("107.00", organization="WHO")]}, [("not_taking_part", "/budget_lines/0/organization")]),
        ({"budget_lines": [line("107.00", year=2026)]}, [("outside_the_duration", "/budget_lines/0/year")]),
        ({"budget_lines": [line("107.00", year=2029)]}, [("outside_the_duration", "/budget_lines/0/year")]),
        ({"budget_lines": [line("107.00", year=2029)], "duration": None}, []),
        ({"duration": {"start": "2027-01-01", "end": "2027-01-01"}}, []),
        ({"duration": {"start": "2027-01-02", "end": "2027-01-01"}}, [("invalid_range", "/duration/end")]),
        ({"objectives": ["6", "7", "6"]}, [("repeated_code", "/objectives/2")]),
        ({"organizations": ["IOM", "IOM", "IOM"]}, [("repeated_code", f"/organizations/{n}") for n in (1, 2)]),
        ({"places": [{"code": "KEN", "share": "50.00"}] * 2}, [("repeated_code", "/places/1")]),
    ],
)
def test_parts_fit_one_another(members: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    assert found(content(**members)) == errors


def test_every_error_is_named_at_once() -> None:
    said = content(
        objectives=["6", "6"],
        places=places(5_000, 4_999),
        duration={"start": "2028-01-01", "end": "2027-12-31"},
        budget_lines=[line("100.00", organization="WHO", year=2026), line("7.02", category=rules.INDIRECT)],
    )
    assert [code for code, _ in found(said)] == [
        "repeated_code", "shares_do_not_add_up", "invalid_range", "budget_does_not_add_up", "not_taking_part",
        "outside_the_duration", "outside_the_duration", "indirect_costs_too_high",
    ]  # fmt: skip


@given(st.sets(st.sampled_from(["title", "summary", "objectives", "places", "organizations", "duration", "budget"])))
def test_every_missing_member_of_a_draft_is_reported(lacking: set[str]) -> None:
    empty = {name: [] if name in ("objectives", "places", "organizations") else None for name in lacking}
    errors = rules.missing(draft(**empty))
    assert {error.pointer for error in errors} == {f"/{name}" for name in lacking}
    assert {error.code for error in errors} <= {"missing_member"}
    assert len(errors) == len(lacking)


def test_who_submits_takes_part() -> None:
    assert [(error.code, error.pointer) for error in rules.missing(draft(organization="WHO"))] == [
        ("missing_member", "/organizations")
    ]


# --- what follows --------------------------------------------------------------------------------------------------


def test_every_status_has_what_follows_it_and_a_stage() -> None:
    assert set(rules.NEXT_STATUSES) == set(STAGE_OF_STATUS) == set(STATUSES)
    for status, following in rules.NEXT_STATUSES.items():
        assert set(following) <= set(get_args(ProgrammeStatusSent.__value__))
        assert len(set(following)) == len(following)
        assert status not in following
    assert set(get_args(ProgrammeStatusSent.__value__)) == set(STATUSES) - {"not_stated"}


def test_every_status_is_reached_and_only_the_last_is_an_end() -> None:
    reached, new = {"concept_note"}, {"concept_note"}
    while new:
        new = {to for status in new for to in rules.NEXT_STATUSES[status]} - reached
        reached |= new
    assert reached == set(get_args(ProgrammeStatusSent.__value__))
    assert [status for status, following in rules.NEXT_STATUSES.items() if not following] == ["financially_closed"]


def test_money_flows_only_after_an_approval() -> None:
    """No step but the approval, and what leads back after it, makes a programme that was not funded a funded one."""
    into = {
        (status, to)
        for status, following in rules.NEXT_STATUSES.items()
        for to in following
        if STAGE_OF_STATUS[to] == "funded" and STAGE_OF_STATUS[status] in ("concept", "pipeline", "dropped")
    }
    assert into == {("pipeline", "approved")}


def test_who_amends_and_decides_is_consistent() -> None:
    for status, to in rules.OWN_STEPS:
        assert to in rules.NEXT_STATUSES[status]
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
    taking_part = programme(lead_organization=lead, organizations=organizations)
    assert rules.owns(taking_part, organization) is owned


@given(st.integers(-400, 400))
def test_a_status_is_of_a_day_between_the_last_one_and_today(days: int) -> None:
    day = TODAY + timedelta(days)
    codes = [error.code for error in rules.status_errors([record("pipeline")], day, TODAY)]
    assert codes == (["in_the_future"] if days > 0 else ["too_early"] if day < HISTORY else [])
    assert [f.code for f in rules.status_errors([], day, TODAY)] == (["in_the_future"] if days > 0 else [])


def test_an_approved_programme_says_how_its_money_is_spent_and_when() -> None:
    assert rules.approval_errors(content()) == []
    errors = rules.approval_errors(content(budget_lines=[], duration=None))
    assert [(error.code, error.pointer) for error in errors] == [
        ("missing_member", "/budget_lines"),
        ("missing_member", "/duration"),
    ]


# --- what is stated anew -------------------------------------------------------------------------------------------


def rounded(**members: Any) -> StatedProgramme:
    """A programme whose budget a brochure prints."""
    budget = StatedBudget(
        amount=Decimal("107.00"), currency="USD", stage="programme_budget", precision="rounded", as_printed="USD 107"
    )
    return programme(budget=budget, **members)


@pytest.mark.parametrize(
    ("stated", "sent", "changed"),
    [
        (programme(), {"title": "A", "places": FITTING["places"], "budget": "107.00"}, []),
        (programme(), {"budget": "107.01", "title": "C"}, ["title", "budget"]),
        (programme(), {"budget_lines": FITTING["budget_lines"][::-1]}, ["budget_lines"]),
        (programme(), {"places": [{"code": "KEN", "share": None}, {"code": "UGA", "share": None}]}, ["places"]),
        (rounded(), {"title": "A"}, []),
        (rounded(), {"title": "A", "budget": "107.00"}, ["budget"]),
    ],
)
def test_what_an_amendment_changes(stated: StatedProgramme, sent: dict[str, Any], changed: list[str]) -> None:
    said = ProgrammeContent.model_validate({**stated.content.model_dump(), **sent})
    assert rules.changed_members(stated, said, sent.keys()) == changed


@pytest.mark.parametrize(
    ("stated", "changed", "errors"),
    [
        (programme(), ["budget_lines"], []),
        (programme().with_status(record("approved")), ["budget_lines"], ["/budget_lines"]),
        (programme().with_status(record("approved")), ["title"], []),
        (rounded().with_status(record("implementation")), ["budget_lines"], []),
        (rounded().with_status(record("implementation")), ["budget", "budget_lines"], ["/budget_lines"]),
        (programme(), ["objectives", "title"], ["/objectives"]),
    ],
)
def test_an_amendment_takes_nothing_away_that_is_needed(
    stated: StatedProgramme, changed: list[str], errors: list[str]
) -> None:
    """An allocated budget keeps its lines; what has a budget that is asked for, or only printed, may be without."""
    said = content(budget_lines=[], objectives=[] if "objectives" in changed else ["6"])
    assert [error.pointer for error in rules.amendment_errors(stated, said, changed)] == errors


def test_what_is_stated_anew_replaces_its_source_and_fills_its_gaps() -> None:
    silent = draft(places=[{"code": "KEN", "share": None}, {"code": "UGA", "share": None}], budget_lines=[])
    stated = ("title", "summary", "thematic_area", "objectives", "places", "organizations", "duration", "budget")
    sources = {name: source(name, "IOM") for name in (*stated, *SOURCED)}
    submitted = StatedProgramme.submitted(silent, sources, PLACES)
    assert [gap.field for gap in submitted.gaps] == ["places.share", "localities", "budget_lines"]
    assert submitted.place_label == "Kenya, Uganda"
    assert [source.field for source in submitted.sources] == list(stated)

    told = {name: source(name, "the Fund") for name in ("places", "budget_lines")}
    printed = [place.model_copy(update={"as_printed": place.code}) for place in submitted.places]
    amended = submitted.model_copy(update={"places": printed, "place_label": "AS PRINTED"})
    same_places = amended.restated(content(), told, PLACES)
    assert [gap.field for gap in same_places.gaps] == ["localities"]
    assert [(source.field, source.note) for source in same_places.sources][-3:] == [
        ("budget", "IOM"), ("places", "the Fund"), ("budget_lines", "the Fund"),
    ]  # fmt: skip
    # What is printed of the places stays until they are others.
    assert (same_places.place_label, [p.as_printed for p in same_places.places]) == ("AS PRINTED", ["KEN", "UGA"])
    one = amended.restated(content(places=[{"code": "UGA", "share": "100.00"}]), told, PLACES)
    assert (one.place_label, [(p.as_printed, p.share) for p in one.places]) == ("UGA", [("UGA", Decimal("100.00"))])


def test_the_budget_is_allocated_to_the_cent_by_the_approval() -> None:
    def budget(stated: StatedProgramme) -> tuple[str, str]:
        assert stated.budget
        return stated.budget.stage, stated.budget.precision

    assert budget(programme()) == ("requirement", "exact")
    assert budget(programme().with_status(record("pipeline"))) == ("requirement", "exact")
    assert budget(programme().with_status(record("implementation"))) == ("allocation", "exact")
    # What a source prints without saying what it is stays so until it is approved.
    assert budget(rounded().with_status(record("implementation"))) == ("programme_budget", "rounded")
    approved = rounded().with_status(record("approved"))
    assert budget(approved) == ("allocation", "exact")
    restated = approved.restated(content(budget="108.00"), {"budget": source("budget", "the Fund")}, PLACES)
    assert (budget(restated), restated.budget and restated.budget.amount) == (
        ("allocation", "exact"),
        Decimal("108.00"),
    )


def test_what_is_stored_of_a_programme_is_the_programme() -> None:
    for stated in (programme(), rounded(duration=None), programme().with_status(record("approved"))):
        stored = json.loads(json.dumps(stated.model_dump(mode="json")))
        assert StatedProgramme.model_validate(stored) == stated
        assert stored["places"][0]["share"] == "60.00"
        assert stored["budget"]["amount"] == "107.00"
