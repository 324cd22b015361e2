"""A printed figure beside the computed one: exact, and a difference is explained only by what accounts for it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_funding.editions.domain import ReconciledTotal, RegionSum, SummedTotal
from mmptf_funding.editions.rules import per_cent, reconciled

PATH = "/requirements"
AMOUNTS = st.decimals(min_value=0, max_value=Decimal("9999999999999999.99"), places=2)
SOME = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("9999999999999999.99"), places=2)
HALF = Fraction(1, 2)


@pytest.mark.parametrize(
    ("part", "whole", "places", "text"),
    [
        ("1", "8", 0, "13"),
        ("1", "40", 0, "3"),
        ("1", "40", 1, "2.5"),
        ("1", "200", 0, "1"),
        ("0.99", "200", 0, "0"),
        ("1", "2000", 1, "0.1"),
        ("1", "3", 2, "33.33"),
        ("2", "3", 2, "66.67"),
        ("99.99", "100", 0, "100"),
        ("0", "1", 1, "0.0"),
        ("7", "7", 2, "100.00"),
        ("3", "2", 0, "150"),
        ("0.01", "9999999999999999.99", 2, "0.00"),
        ("9999999999999999.99", "0.01", 2, "99999999999999999900.00"),
        ("3900000", "142550000", 1, "2.7"),
    ],
)
def test_per_cent_rounds_half_up(part: str, whole: str, places: int, text: str) -> None:
    assert per_cent(Decimal(part), Decimal(whole), places) == text


@given(AMOUNTS, SOME, st.integers(0, 2))
def test_per_cent_is_the_nearest_one_and_the_upper_of_two(part: Decimal, whole: Decimal, places: int) -> None:
    text = per_cent(part, whole, places)
    assert text is not None
    assert len(text.partition(".")[2]) == places
    steps = Fraction(part) * 100 * 10**places / Fraction(whole)
    assert -HALF <= steps - Fraction(text) * 10**places < HALF


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_exactly_half_a_step_goes_up(steps: int, scale: int) -> None:
    # (steps + 1/2) per cent, whatever the whole is.
    part, whole = Decimal(2 * steps + 1) * scale / 100, Decimal(2) * scale
    assert per_cent(part, whole, 0) == str(steps + 1)
    assert per_cent(part, whole, 1) == f"{steps}.5"


def test_there_is_no_share_of_nothing() -> None:
    assert per_cent(Decimal(0), Decimal(0), 0) is None
    assert per_cent(Decimal(5), Decimal("0.00"), 2) is None


def held(*, wholes: dict[str, RegionSum] | None = None, **facts: Any) -> ReconciledTotal:
    """A printed total in dollars, or what `facts` make of it, held against rows that are all required."""
    stated: dict[str, Any] = {
        "code": "E.place.AAA", "division": "place", "region": None, "value": "AAA", "unit": "USD",
        "printed": Decimal(100), "computed": Decimal(100), "summed": 2, "rows": 2, "funded": 0, "missing": 0,
        "implied": None, "name": "A place", "per_cent": None, "confidence": "high", "note": None, **facts,
    }  # fmt: skip
    total = SummedTotal(**stated, as_printed=f"{stated['per_cent'] or stated['printed']}")
    return reconciled("E", total, wholes or {}, PATH)


def whole(amount: object, implied: object = None, missing: int = 0) -> RegionSum:
    return RegionSum(
        None if amount is None else Decimal(str(amount)), None if implied is None else Decimal(str(implied)), missing
    )


def test_the_same_figure_is_equal() -> None:
    figure = held()
    assert (figure.agreement, figure.difference, figure.explanations) == ("equal", "0.00", [])
    assert (figure.printed_figure, figure.computed_figure) == ("100.00", "100.00")
    assert (figure.printed, figure.name, figure.rows) == ("E.place.AAA", "A place", 2)


def test_a_cent_makes_it_different() -> None:
    for computed, difference in (("99.99", "0.01"), ("100.01", "-0.01")):
        figure = held(computed=Decimal(computed))
        assert (figure.agreement, figure.difference, figure.explanations) == ("different", difference, [])


def test_a_note_explains_a_difference_and_only_a_difference() -> None:
    (explanation,) = (figure := held(computed=Decimal(7), note="a misprint")).explanations
    assert (figure.agreement, figure.difference) == ("explained", "93.00")
    assert (explanation.cause, explanation.detail, explanation.sum) == ("printed_note", "a misprint", None)
    assert (explanation.rows, explanation.link) == (2, figure.link)
    assert (held(note="a misprint").agreement, held(note="a misprint").explanations) == ("equal", [])


def test_printed_funded_agrees_with_rows_that_are_all_funded() -> None:
    figure = held(printed=None, computed=None, summed=0, funded=2)
    assert (figure.agreement, figure.explanations) == ("equal", [])
    assert (figure.printed_figure, figure.computed_figure, figure.difference) == (None, None, None)
    assert (figure.rows, figure.funded) == (0, 2)


@pytest.mark.parametrize("computed", ["5.00", "0.00"])
def test_printed_funded_disagrees_with_a_row_that_asks_for_money(computed: str) -> None:
    facts: dict[str, Any] = {"printed": None, "computed": Decimal(computed), "summed": 1, "funded": 1}
    figure = held(**facts)
    assert (figure.agreement, figure.computed_figure, figure.difference) == ("different", computed, None)
    assert held(**facts, note="one was found later").agreement == "explained"


def test_printed_funded_disagrees_with_a_missing_amount_that_is_not_nothing() -> None:
    figure = held(printed=None, computed=None, summed=0, funded=1, missing=1, implied=Decimal(5))
    assert figure.agreement == "different"


@pytest.mark.parametrize("printed", ["100", "0"])
def test_a_printed_figure_disagrees_with_rows_that_are_all_funded(printed: str) -> None:
    # Funded is neither zero nor unknown.
    figure = held(printed=Decimal(printed), computed=None, summed=0, funded=2)
    assert (figure.agreement, figure.computed_figure, figure.difference) == ("different", None, None)


def test_a_missing_amount_explains_what_is_implied_for_it() -> None:
    figure = held(computed=Decimal(60), rows=3, missing=1, implied=Decimal(40))
    assert (figure.agreement, figure.difference) == ("explained", "40.00")
    (explanation,) = figure.explanations
    assert (explanation.cause, explanation.rows) == ("missing_in_source", 1)
    assert explanation.sum is not None
    assert (explanation.sum.amount, explanation.sum.currency) == ("40.00", "USD")
    assert explanation.link == f"{PATH}?edition=E&place=AAA&status=missing_in_source"


def test_a_total_of_nothing_but_missing_amounts_is_explained_by_them() -> None:
    figure = held(computed=None, summed=0, rows=1, missing=1, implied=Decimal(100))
    assert (figure.agreement, figure.computed_figure, figure.difference) == ("explained", None, None)


@pytest.mark.parametrize("implied", ["39.99", "40.01", "0.00", None])
def test_a_missing_amount_explains_nothing_but_the_exact_difference(implied: str | None) -> None:
    figure = held(computed=Decimal(60), rows=3, missing=1, implied=None if implied is None else Decimal(implied))
    assert (figure.agreement, figure.difference) == ("different", "40.00")
    # What is missing is shown all the same.
    assert [explanation.cause for explanation in figure.explanations] == ["missing_in_source"]


def test_what_is_implied_explains_nothing_where_no_row_is_missing() -> None:
    assert held(computed=Decimal(60), implied=Decimal(40)).agreement == "different"


def test_missing_amount_and_note_both_stand_with_a_difference() -> None:
    figure = held(computed=Decimal(60), rows=3, missing=1, implied=Decimal(1), note="a misprint")
    assert figure.agreement == "explained"
    assert [explanation.cause for explanation in figure.explanations] == ["missing_in_source", "printed_note"]


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 2), st.booleans())
def test_agreement_follows_from_the_exact_sums(
    computed: Decimal, implied: Decimal, other: Decimal, missing: int, fits: bool
) -> None:
    printed = computed + implied if fits else other
    figure = held(printed=printed, computed=computed, missing=missing, implied=implied if missing else None)
    gap = Fraction(printed) - Fraction(computed)
    settled = missing > 0 and gap == Fraction(implied)
    assert figure.agreement == ("equal" if gap == 0 else "explained" if settled else "different")
    assert figure.difference is not None
    assert Fraction(figure.difference) == gap


def share(printed: str, computed: object, region: str | None = "r", **facts: Any) -> ReconciledTotal:
    facts = {"division": "area", "value": "a", "region": region, **facts}
    return held(
        unit="per_cent",
        printed=Decimal(printed),
        per_cent=printed,
        computed=None if computed is None else Decimal(str(computed)),
        **facts,
    )


@pytest.mark.parametrize(
    ("printed", "computed", "agreement", "figure", "difference"),
    [
        ("13", "12.5", "equal", "13", "0"),
        ("12", "12.5", "different", "13", "-1"),
        ("12.5", "12.5", "equal", "12.5", "0.0"),
        ("12.50", "12.5", "equal", "12.50", "0.00"),
        ("12.4", "12.5", "different", "12.5", "-0.1"),
        ("0", None, "equal", "0", "0"),
        ("1", "0.5", "equal", "1", "0"),
        ("1", "0.49", "different", "0", "1"),
    ],
)
def test_a_share_is_compared_as_it_is_printed(
    printed: str, computed: str | None, agreement: str, figure: str, difference: str
) -> None:
    found = share(printed, computed, wholes={"r": whole(100), "other": whole(1)})
    assert (found.agreement, found.computed_figure, found.difference) == (agreement, figure, difference)
    assert found.printed_figure == printed
    assert found.link == f"{PATH}?area=a&edition=E&region=r"


def test_a_share_without_a_region_is_one_of_the_edition() -> None:
    wholes = {"r": whole(100), "other": whole(300), "funded": whole(None)}
    assert share("25", 100, None, wholes=wholes).agreement == "equal"
    assert share("25", 100, None, division="region", value="r", wholes=wholes).agreement == "equal"
    assert share("100", 100, "r", wholes=wholes).agreement == "equal"


def test_a_share_is_explained_by_what_is_missing_from_part_and_whole() -> None:
    # 18 of 100 are stated; with 4 more in the part and in the whole it is 22 of 104.
    wholes = {"r": whole(100, 4, 1), "other": whole(50, 9, 2)}
    figure = share("21", 18, missing=1, implied=Decimal(4), wholes=wholes)
    assert (figure.agreement, figure.computed_figure, figure.difference) == ("explained", "18", "3")
    (explanation,) = figure.explanations
    assert (explanation.cause, explanation.rows) == ("missing_in_source", 1)
    assert explanation.sum is not None
    assert explanation.sum.amount == "4.00"
    assert explanation.link == f"{PATH}?edition=E&region=r&status=missing_in_source"
    assert share("22", 18, missing=1, implied=Decimal(4), wholes=wholes).agreement == "different"
    # Missing from the whole alone.
    assert share("17", 18, wholes=wholes).agreement == "explained"
    # Missing from another region.
    assert share("17", 18, wholes={"r": whole(100), "other": whole(4, 4, 1)}).agreement == "different"
    # All three of the edition: 18 of 150 are stated, 31 of 163 with what is implied.
    edition = share("19", 18, None, missing=3, implied=Decimal(13), wholes=wholes)
    assert (edition.agreement, edition.computed_figure) == ("explained", "12")
    assert [(e.rows, e.link) for e in edition.explanations] == [(3, f"{PATH}?edition=E&status=missing_in_source")]


def test_a_note_explains_a_share() -> None:
    figure = share("22", 23, wholes={"r": whole(100)}, note="does not follow")
    assert (figure.agreement, figure.difference) == ("explained", "-1")
    assert [(e.cause, e.detail) for e in figure.explanations] == [("printed_note", "does not follow")]


@pytest.mark.parametrize("wholes", [{}, {"other": whole(100)}, {"r": whole(None)}, {"r": whole(0)}])
def test_there_is_no_share_of_a_region_that_asks_for_nothing(wholes: dict[str, RegionSum]) -> None:
    figure = share("5", None, wholes=wholes, summed=0, rows=0)
    assert (figure.agreement, figure.computed_figure, figure.difference) == ("different", None, None)


def test_there_is_no_share_of_an_edition_without_rows() -> None:
    assert share("5", None, None, wholes={}, summed=0, rows=0).agreement == "different"


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 2), st.booleans())
def test_agreement_of_a_share_follows_from_the_exact_sums(
    part: Decimal, rest: Decimal, lacking: Decimal, lacking_elsewhere: Decimal, places: int, complete: bool
) -> None:
    # Printed is the rounded share of what is stated, or of what is stated and implied.
    stated, implied = part + rest, lacking + lacking_elsewhere
    of_stated = per_cent(part, stated, places)
    of_all = per_cent(part + lacking, stated + implied, places)
    printed = of_all if complete else of_stated
    if printed is None:
        return
    figure = share(printed, part, wholes={"r": whole(stated, implied, 2)}, rows=4, missing=1, implied=lacking)
    assert figure.agreement == ("equal" if printed == of_stated else "explained")
    assert figure.computed_figure == of_stated


@pytest.mark.parametrize(
    ("facts", "query"),
    [
        ({"division": "edition", "value": "E"}, "edition=E"),
        ({"division": "region", "value": "r"}, "edition=E&region=r"),
        ({"division": "place", "value": "AAA"}, "edition=E&place=AAA"),
        ({"division": "place", "value": "AAA", "region": "r"}, "edition=E&place=AAA&region=r"),
        ({"division": "area", "value": "a"}, "area=a&edition=E"),
        ({"division": "area", "value": "a", "region": "r"}, "area=a&edition=E&region=r"),
    ],
)
def test_the_link_lists_the_rows_behind_the_figure(facts: dict[str, Any], query: str) -> None:
    figure = held(**facts, computed=Decimal(99), missing=1, implied=Decimal(1))
    assert figure.link == f"{PATH}?{query}"
    assert figure.explanations[0].link == f"{PATH}?{query}&status=missing_in_source"
