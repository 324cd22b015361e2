"""Rules of the results framework: what an indicator and a value may state, and how far an indicator has come.

Everything is computed with exact decimals and fractions; what is rounded says how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

from mmptf_common.wire.base import Code
from mmptf_common.wire.codes import NOT_STATED
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail, unknown_code
from mmptf_common.wire.shares import share
from mmptf_markers.indicator.schemas import Indicator
from mmptf_markers.results import schemas
from mmptf_markers.results.schemas import ResultsIndicator, ResultUnit, ValueAggregation

ADDITIVE: frozenset[ResultUnit] = frozenset({"people", "number", "usd"})
"""The units in which the parts of a value add up to it, and values of several periods may be summed."""

Parts = Mapping[Code, Mapping[Code, str]]
"""Dimension -> code -> value of the part, as decimal text."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A reported value that counts, of the days from `first` to `end`."""

    first: date
    end: date
    value: Decimal


@dataclass(slots=True)
class Counts:
    """How many indicators there are, and how many of them have a value."""

    indicators: int = 0
    with_value: int = 0
    met: int = 0
    targets_due: int = 0
    targets_due_unreported: int = 0

    def add(self, progress: schemas.IndicatorProgress) -> None:
        self.indicators += 1
        self.with_value += progress.value is not None
        self.met += progress.standing == "met"
        self.targets_due += progress.targets_due
        self.targets_due_unreported += progress.targets_due_unreported

    def answer(self) -> schemas.ReportedCounts:
        """The counts as they are sent."""
        return schemas.ReportedCounts(
            indicators=self.indicators,
            with_value=self.with_value,
            without_value=self.indicators - self.with_value,
            share=share(self.with_value, self.indicators) if self.indicators else None,
            met=self.met,
            targets_due=self.targets_due,
            targets_due_unreported=self.targets_due_unreported,
        )


@dataclass(slots=True)
class Summary:
    """The progress of indicators that are added one after the other, with the counts of the whole and of each group."""

    indicators: list[schemas.IndicatorProgress] = field(default_factory=list)
    whole: Counts = field(default_factory=Counts)
    groups: dict[Code | None, Counts] = field(default_factory=dict)

    def add(self, progress: schemas.IndicatorProgress) -> None:
        self.indicators.append(progress)
        self.whole.add(progress)
        self.groups.setdefault(progress.programme, Counts()).add(progress)


def in_order(targets: Iterable[schemas.ResultTarget]) -> list[schemas.ResultTarget]:
    """Targets by their days; those without one come last."""
    return sorted(targets, key=lambda target: (target.due is None, target.due or date.min))


def value_errors(pointer: str, value: str, unit: ResultUnit) -> Iterator[ErrorDetail]:
    """An error where a value is none of its unit."""
    number = Decimal(value)
    whole = number == number.to_integral_value()
    match unit:
        case "people":
            is_right, expected = whole and number >= 0, "a whole number that is not below zero"
        case "usd":
            is_right, expected = number >= 0 and number == round(number, 2), "an amount of two decimals at most"
        case "yes_no":
            is_right, expected = value in ("0", "1"), "1 for yes or 0 for no"
        case _:
            return
    if not is_right:
        detail = f"{pointer}: {value} is no value in {unit}, which takes {expected}"
        yield error_detail(ProblemCode.INVALID_VALUE, detail, pointer=pointer)


def indicator_errors(
    unit: ResultUnit,
    aggregation: ValueAggregation,
    baseline: schemas.IndicatorBaseline | None,
    targets: Sequence[schemas.ResultTarget],
    disaggregations: Mapping[Code, Sequence[Code]],
) -> Iterator[ErrorDetail]:
    """The errors of what an indicator states; targets in the order in which they were sent."""
    if aggregation == "sum" and unit not in ADDITIVE:
        yield error_detail(
            ProblemCode.NOT_APPLICABLE,
            f"/aggregation: values in {unit} have no sum",
            pointer="/aggregation",
            allowed=["latest", "cumulative", *(f"unit {name}" for name in sorted(ADDITIVE))],
        )
    if baseline:
        yield from value_errors("/baseline/value", baseline.value, unit)
    days: set[date | None] = set()
    for n, target in enumerate(targets):
        yield from value_errors(f"/targets/{n}/value", target.value, unit)
        if target.due in days:
            pointer = f"/targets/{n}/due"
            detail = f"{pointer}: another target is due on {target.due}"
            yield error_detail(ProblemCode.REPEATED_CODE, detail, pointer=pointer)
        days.add(target.due)
    for dimension, codes in disaggregations.items():
        for n, code in enumerate(codes):
            if code in codes[:n]:
                pointer = f"/disaggregations/{dimension}/{n}"
                yield error_detail(ProblemCode.REPEATED_CODE, f"{pointer}: {code} is there already", pointer=pointer)


def missing_codes_errors(
    disaggregations: Mapping[Code, Sequence[Code]], used: Iterable[tuple[Code, Code]]
) -> Iterator[ErrorDetail]:
    """An error for each code that a reported value uses and that is no longer there; used: dimension and code."""
    for dimension, code in sorted(set(used)):
        if code != NOT_STATED and code not in disaggregations.get(dimension, ()):
            pointer = f"/disaggregations/{dimension}"
            detail = f"{pointer}: reported values use {code}, which stays"
            yield error_detail(ProblemCode.MISSING_MEMBER, detail, pointer=pointer, allowed=[code])


def responsible_errors(organization: Code | None, participants: frozenset[str] | None) -> Iterator[ErrorDetail]:
    """An error where the responsible organization takes no part in the programme, or the indicator is of the Fund.

    participants: the organizations that take part in the programme; None for an indicator of the Fund
    """
    pointer = "/responsible_organization"
    if organization and participants is None:
        detail = f"{pointer}: indicators of the Fund are reported by its management unit, and by no organization"
        yield error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer=pointer, allowed=["null"])
    elif organization and participants is not None and organization not in participants:
        detail = f"{pointer}: {organization} takes no part in the programme"
        yield error_detail(ProblemCode.NOT_TAKING_PART, detail, pointer=pointer, allowed=sorted(participants))


def period_errors(start: date | None, end: date, aggregation: ValueAggregation, today: date) -> Iterator[ErrorDetail]:
    """An error for a period that ends before it begins or after today, or has no beginning where it needs one."""
    if start is None and aggregation == "sum":
        detail = "/start: values of this indicator are summed, so that each is of a period with a first day"
        yield error_detail(ProblemCode.MISSING_MEMBER, detail, pointer="/start")
    if start is not None and end < start:
        yield error_detail(ProblemCode.INVALID_RANGE, f"/end: {end} is before the first day {start}", pointer="/end")
    if end > today:
        detail = f"/end: {end} is after today; a value is reported once its period has ended"
        yield error_detail(ProblemCode.IN_THE_FUTURE, detail, pointer="/end", allowed=[f"up to {today}"])


def parts_errors(
    value: str, parts: Parts, unit: ResultUnit, disaggregations: Mapping[Code, Sequence[Code]]
) -> Iterator[ErrorDetail]:
    """The errors of the parts of a value: unknown codes, and in additive units parts that do not add up to it."""
    for dimension, stated in parts.items():
        if dimension not in disaggregations:
            yield unknown_code(f"/disaggregation/{dimension}", dimension, sorted(disaggregations))
            continue
        known = [*disaggregations[dimension], NOT_STATED]
        for code, part in stated.items():
            pointer = f"/disaggregation/{dimension}/{code}"
            if code not in known:
                yield unknown_code(pointer, code, known)
            yield from value_errors(pointer, part, unit)
        together = sum(map(Decimal, stated.values()), Decimal())
        if unit in ADDITIVE and together != Decimal(value):
            pointer = f"/disaggregation/{dimension}"
            rest = schemas.value_text(Decimal(value) - together)
            detail = (
                f"{pointer}: the parts add up to {schemas.value_text(together)} and the value is {value};"
                f" the difference is {rest}, and what is not known of it goes to {NOT_STATED}"
            )
            yield error_detail(ProblemCode.PARTS_DO_NOT_ADD_UP, detail, pointer=pointer)


def overlap_error(start: date | None, end: date, code: Code, other: tuple[date, date]) -> ErrorDetail:
    """The error for a period that has days in common with that of another value; other: its first and last day."""
    period = f"{start} to {end}" if start else f"{end}"
    pointer = "/start" if start else "/end"
    detail = f"{pointer}: {period} has days in common with {code}, which is of {other[0]} to {other[1]}; correct that"
    return error_detail(ProblemCode.PERIOD_OVERLAPS, detail, pointer=pointer)


def counted_value(values: Sequence[Reported], aggregation: ValueAggregation) -> Decimal | None:
    """What counts of reported values in the order of their days; None where there are none, which is not zero."""
    if not values:
        return None
    if aggregation == "sum":
        return sum((each.value for each in values), Decimal())
    return values[-1].value


def fraction_of(value: Fraction, baseline: Fraction, target: Fraction) -> schemas.ProgressFraction | None:
    """How far a value has come from a baseline to a target, never limited; None where both are the same.

    The decimal is rounded down, towards less, to four places (ROUND_FLOOR) from the exact fraction.
    """
    if target == baseline:
        return None
    exact = (value - baseline) / (target - baseline)
    places = exact.numerator * 10_000 // exact.denominator
    return schemas.ProgressFraction(
        numerator=str(exact.numerator),
        denominator=str(exact.denominator),
        decimal=f"{'-' if places < 0 else ''}{abs(places) // 10_000}.{abs(places) % 10_000:04d}",
    )


def unreported_targets(
    targets: Sequence[schemas.ResultTarget], values: Sequence[Reported], day: date
) -> list[schemas.ResultTarget]:
    """The targets whose day is past and of which no value is reported; targets in their order.

    A value is of a target where its period ends after the day of the target before, and begins no later than its own.
    """
    found, before = [], date.min
    for target in targets:
        if target.due is None or target.due >= day:
            break
        if not any(value.end > before and value.first <= target.due for value in values):
            found.append(target)
        before = target.due
    return found


def unreported_periods(values: Sequence[Reported]) -> list[schemas.UnreportedPeriod]:
    """The days between reported values, in the order of their days, of which none is."""
    one = timedelta(days=1)
    return [
        schemas.UnreportedPeriod(start=before.end + one, end=after.first - one)
        for before, after in pairwise(values)
        if after.first > before.end + one
    ]


def progress_of(indicator: ResultsIndicator, values: Sequence[Reported], day: date) -> schemas.IndicatorProgress:
    """How far an indicator has come by its reported values, in the order of their days; day: when targets are due."""
    value = counted_value(values, indicator.aggregation)
    return _progress(
        indicator,
        day,
        None if value is None else Fraction(value),
        unreported=unreported_targets(indicator.targets, values, day),
        value=None if value is None else schemas.value_text(value),
        value_end=values[-1].end if values else None,
        values=len(values),
        unreported_periods=unreported_periods(values) if indicator.aggregation == "sum" else [],
        standing="unreported" if value is None else None,
        computed=None,
    )


def computed_progress(
    indicator: ResultsIndicator, target: Code, found: Indicator, link: str, day: date
) -> schemas.IndicatorProgress:
    """How far a computed indicator has come; target: that of the marker, whose indicator was found at the link.

    As long as grades that are not known decide whether the target is met, there is no value.
    """
    assert found.standing is not None
    is_certain = found.standing in ("met", "not_met")
    reached = found.share if is_certain else None
    return _progress(
        indicator,
        day,
        reached.exact * 100 if reached else None,
        unreported=[],
        value=schemas.value_text(Decimal(reached.per_cent)) if reached else None,
        value_end=None,
        values=0,
        unreported_periods=[],
        standing=None if found.standing == "not_applicable" else found.standing,
        computed=schemas.ComputedResult(
            marker_target=target,
            standing=found.standing,
            counted=found.counted,
            programmes=found.programmes,
            unassessed=found.unassessed,
            not_held=found.not_held,
            share=found.share,
            link=link,
        ),
    )


def _progress(
    indicator: ResultsIndicator,
    day: date,
    reached: Fraction | None,
    *,
    unreported: list[schemas.ResultTarget],
    standing: schemas.ResultStanding | None,
    **members: Any,
) -> schemas.IndicatorProgress:
    """The progress of an indicator with its targets, the fraction of the way, and whether the last target is met.

    reached: the exact value; standing: where it does not follow from the value
    """
    final = indicator.targets[-1] if indicator.targets else None
    fraction = None
    if reached is not None and indicator.baseline and final:
        fraction = fraction_of(reached, Fraction(indicator.baseline.value), Fraction(final.value))
    if final is None:
        standing = None
    elif standing is None and reached is not None:
        standing = _standing(indicator.direction, reached, Fraction(final.value))
    return schemas.IndicatorProgress(
        code=indicator.code,
        scope=indicator.scope,
        programme=indicator.programme,
        name=indicator.name,
        unit=indicator.unit,
        baseline=indicator.baseline,
        next_target=next((each for each in indicator.targets if each.due is None or each.due >= day), None),
        final_target=final,
        fraction=fraction,
        standing=standing,
        targets_due=sum(each.due is not None and each.due < day for each in indicator.targets),
        targets_due_unreported=len(unreported),
        unreported_targets=unreported,
        **members,
    )


def _standing(
    direction: schemas.ResultDirection, value: Fraction, target: Fraction
) -> Literal["met", "not_met"] | None:
    """Whether a value has reached a target; None where values are to stay as they are."""
    if direction == "maintain":
        return None
    is_met = value >= target if direction == "increase" else value <= target
    return "met" if is_met else "not_met"
