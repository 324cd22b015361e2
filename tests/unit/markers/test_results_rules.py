"""Progress, standings, parts and unreported targets, against exact decimals and fractions."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.shares import share
from mmptf_markers.indicator.schemas import Indicator
from mmptf_markers.results import rules, schemas

DAY = date(2026, 6, 30)
VALUES = st.decimals(-(10**9), 10**9, places=6)
AMOUNTS = st.integers(0, 10**9)


def indicator(**members: Any) -> schemas.ResultsIndicator:
    """An indicator of a programme whose values are summed, from 0 to 100 people in two steps."""
    return schemas.ResultsIndicator.model_validate(
        {
            "code": "people", "scope": "programme", "programme": "ETH-01", "name": "People", "definition": "People.",
            "unit": "people", "direction": "increase", "aggregation": "sum", "level": "output",
            "baseline": {"value": "0", "date": None, "source": None},
            "targets": [{"value": "40", "due": "2025-12-31"}, {"value": "100", "due": "2027-12-31"}],
            "means_of_verification": None, "responsible_organization": None, "disaggregations": {"sex": ["women"]},
            "computed": False, "marker_target": None, "sources": [], "updated": "2026-01-01T00:00:00Z", **members,
        }
    )  # fmt: skip


def of(first: str, end: str, value: str) -> rules.Reported:
    return rules.Reported(date.fromisoformat(first), date.fromisoformat(end), Decimal(value))


YEARS = [of("2024-01-01", "2024-12-31", "30"), of("2025-01-01", "2025-12-31", "20")]


@pytest.mark.parametrize(
    ("aggregation", "value", "fraction"), [("sum", "50", "0.5000"), ("latest", "20", "0.2000"),
                                           ("cumulative", "20", "0.2000")],
)  # fmt: skip
def test_values_of_several_periods_are_summed_or_the_latest_counts(aggregation: str, value: str, fraction: str) -> None:
    found = rules.progress_of(indicator(aggregation=aggregation), YEARS, DAY)
    assert (found.value, found.values, found.value_end) == (value, 2, date(2025, 12, 31))
    assert found.fraction is not None and found.fraction.decimal == fraction
    assert (found.standing, found.targets_due, found.unreported_targets) == ("not_met", 1, [])
    assert found.next_target is not None and found.final_target == found.next_target
    assert found.next_target.value == "100"


def test_nothing_that_is_reported_is_not_zero() -> None:
    found = rules.progress_of(indicator(), [], DAY)
    assert (found.value, found.fraction, found.standing) == (None, None, "unreported")
    assert [target.value for target in found.unreported_targets] == ["40"]
    zero = rules.progress_of(indicator(), [of("2025-01-01", "2025-12-31", "0")], DAY)
    assert zero.fraction is not None
    assert (zero.value, zero.fraction.decimal, zero.standing) == ("0", "0.0000", "not_met")
    summary = rules.Summary()
    for each in (found, zero):
        summary.add(each)
    counts = summary.whole.answer()
    assert (counts.indicators, counts.with_value, counts.without_value) == (2, 1, 1)
    assert counts.share == share(1, 2)
    assert (counts.targets_due, counts.targets_due_unreported) == (2, 1)


@pytest.mark.parametrize(
    ("direction", "value", "standing"),
    [("increase", "100", "met"), ("increase", "99", "not_met"), ("increase", "101", "met"),
     ("decrease", "100", "met"), ("decrease", "99", "met"), ("decrease", "101", "not_met"), ("maintain", "100", None)],
)  # fmt: skip
def test_a_target_is_met_in_the_direction_of_the_indicator(direction: str, value: str, standing: str | None) -> None:
    found = rules.progress_of(indicator(direction=direction), [of("2025-01-01", "2025-12-31", value)], DAY)
    assert found.standing == standing


def test_without_baseline_or_targets_there_is_no_fraction() -> None:
    for missing in ({"baseline": None}, {"targets": []}):
        assert rules.progress_of(indicator(**missing), YEARS, DAY).fraction is None
    assert rules.progress_of(indicator(targets=[]), YEARS, DAY).standing is None
    assert rules.progress_of(indicator(targets=[]), [], DAY).standing is None
    same = indicator(baseline={"value": "100", "date": None, "source": None})
    assert rules.progress_of(same, YEARS, DAY).fraction is None


@given(VALUES, VALUES, VALUES)
def test_the_fraction_is_exact_and_its_decimal_is_rounded_down(
    value: Decimal, baseline: Decimal, target: Decimal
) -> None:
    found = rules.fraction_of(Fraction(value), Fraction(baseline), Fraction(target))
    if baseline == target:
        assert found is None
        return
    assert found is not None
    exact = Fraction(int(found.numerator), int(found.denominator))
    assert exact * (Fraction(target) - Fraction(baseline)) == Fraction(value) - Fraction(baseline)
    assert 0 <= exact - Fraction(found.decimal) < Fraction(1, 10_000)
    # A fraction is never shown as the whole before the target is reached, and never limited.
    assert (Fraction(found.decimal) >= 1) == (exact >= 1)
    assert (found.numerator.startswith("-")) == (exact < 0)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30), AMOUNTS), max_size=8))
def test_days_that_no_value_is_of_are_all_unreported(steps: list[tuple[int, int, int]]) -> None:
    values, day = [], date(2024, 1, 1)
    for gap, length, value in steps:
        first = day + timedelta(days=gap)
        values.append(rules.Reported(first, first + timedelta(days=length), Decimal(value)))
        day = values[-1].end + timedelta(days=1)
    missing = {
        period.start + timedelta(days=n)
        for period in rules.unreported_periods(values)
        for n in range((period.end - period.start).days + 1)
    }
    covered = {each.first + timedelta(days=n) for each in values for n in range((each.end - each.first).days + 1)}
    days = (values[-1].end - values[0].first).days + 1 if values else 0
    assert not missing & covered
    assert missing | covered == {values[0].first + timedelta(days=n) for n in range(days)} if values else not missing
    total = rules.counted_value(values, "sum")
    assert total == (sum(value for _, _, value in steps) if steps else None)


@pytest.mark.parametrize(
    ("values", "unreported"),
    [
        ([], ["10", "20"]),
        # A value after the day of the target before, and no later than its own.
        ([of("2024-07-01", "2024-07-01", "1")], ["20"]),
        ([of("2024-12-31", "2024-12-31", "1")], ["20"]),
        ([of("2025-01-01", "2025-01-01", "1")], ["10"]),
        # A period that contains the day of a target, and one that reaches over both.
        ([of("2024-06-01", "2025-06-30", "1")], []),
        ([of("2026-01-01", "2026-03-31", "1")], ["10", "20"]),
    ],
)  # fmt: skip
def test_a_target_that_is_due_is_unreported_until_a_value_is_of_it(
    values: list[rules.Reported], unreported: list[str]
) -> None:
    days = (("10", "2024-12-31"), ("20", "2025-12-31"), ("30", "2026-06-30"), ("40", None))
    found = rules.progress_of(indicator(targets=[{"value": v, "due": due} for v, due in days]), values, DAY)
    assert [target.value for target in found.unreported_targets] == unreported
    assert (found.targets_due, found.targets_due_unreported) == (2, len(unreported))
    assert found.next_target is not None and found.next_target.value == "30"
    assert found.final_target is not None and found.final_target.due is None


@given(st.lists(AMOUNTS, min_size=1, max_size=5), st.integers(-3, 3), st.sampled_from(sorted(rules.ADDITIVE)))
def test_parts_add_up_to_the_value_in_units_that_are_counted(
    parts: list[int], more: int, unit: schemas.ResultUnit
) -> None:
    value = sum(parts) + more
    assume(value >= 0)
    codes = [f"c{n}" for n in range(len(parts))]
    stated = dict(zip([*codes[1:], "not_stated"], map(str, parts), strict=True))
    errors = list(rules.parts_errors(str(value), {"sex": stated}, unit, {"sex": codes}))
    assert [error.code for error in errors] == ([ProblemCode.PARTS_DO_NOT_ADD_UP] if more else [])
    for error in errors:
        assert error.pointer == "/disaggregation/sex"
        assert f"the difference is {more}" in error.detail
    # The rest goes to what is not stated.
    if more > 0:
        stated["not_stated"] = str(int(stated["not_stated"]) + more)
        assert not list(rules.parts_errors(str(value), {"sex": stated}, unit, {"sex": codes}))
    assert not list(rules.parts_errors(str(value), {"sex": stated}, "per_cent", {"sex": codes}))


def test_parts_are_of_the_dimensions_and_codes_of_the_indicator() -> None:
    parts = {"sex": {"women": "1", "girls": "1"}, "age": {"18-24": "2"}}
    errors = list(rules.parts_errors("2", parts, "people", {"sex": ["women", "men"]}))
    assert [(error.code, error.pointer) for error in errors] == [
        (ProblemCode.UNKNOWN_CODE, "/disaggregation/sex/girls"), (ProblemCode.UNKNOWN_CODE, "/disaggregation/age"),
    ]  # fmt: skip
    assert errors[0].allowed == ["women", "men", "not_stated"]


@pytest.mark.parametrize(
    ("unit", "right", "wrong"),
    [("people", ["0", "12"], ["-1", "1.5"]), ("usd", ["0", "1.25"], ["-1", "1.255"]), ("yes_no", ["0", "1"], ["2"]),
     ("per_cent", ["-5", "37.5", "150"], []), ("number", ["-5", "1.5"], []), ("score", ["2.5"], [])],
)  # fmt: skip
def test_a_value_is_of_its_unit(unit: schemas.ResultUnit, right: list[str], wrong: list[str]) -> None:
    assert not [error for value in right for error in rules.value_errors("/value", value, unit)]
    assert [error.code for value in wrong for error in rules.value_errors("/value", value, unit)] == [
        ProblemCode.INVALID_VALUE for _ in wrong
    ]


@given(VALUES)
def test_a_value_has_one_text(value: Decimal) -> None:
    text = schemas.value_text(value)
    assert Decimal(text) == value
    assert text == schemas.value_text(Decimal(text) + Decimal("0.000000"))
    assert text != "-0" and not ("." in text and text.endswith("0"))


@pytest.mark.parametrize(
    ("standing", "told", "value", "shown"),
    [("met", "met", "91.3", "91.3"), ("not_met", "not_met", "50", "50"), ("undetermined", "undetermined", None, None),
     ("not_applicable", None, None, None)],
)  # fmt: skip
def test_a_computed_indicator_has_no_value_while_it_is_not_certain(
    standing: str, told: str | None, value: str | None, shown: str | None
) -> None:
    counted = {"programmes": 1000, "counted": int(Decimal(value or "1") * 10), "unassessed": 3, "not_held": 2}
    share_of = None if standing == "not_applicable" else share(counted["counted"], 1000)
    found = Indicator.model_construct(**counted, standing=standing, share=share_of)
    of_target = indicator(unit="per_cent", targets=[{"value": "90", "due": None}], computed=True, aggregation="latest")
    progress = rules.computed_progress(of_target, "human-rights-90", found, "/markers/v1/indicator", DAY)
    assert (progress.standing, progress.value, progress.values) == (told, shown, 0)
    assert (progress.fraction is None) == (value is None)
    assert progress.computed is not None and progress.computed.share == share_of
    summary = rules.Summary()
    summary.add(progress)
    assert summary.whole.answer().with_value == (value is not None)
