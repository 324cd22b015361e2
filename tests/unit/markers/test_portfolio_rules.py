"""Whether a target is met, against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_markers.indicator.rules import short_by, target_status

NINE_TENTHS = Fraction(9, 10)
COUNTS = st.integers(0, 10**6)
MINIMA = st.fractions(min_value=0, max_value=1, max_denominator=10**6)


@pytest.mark.parametrize(
    ("counted", "programmes", "expected", "short"),
    [
        (19, 21, "met", 0), (18, 21, "not_met", 1), (0, 21, "not_met", 19), (21, 21, "met", 0),
        (9, 10, "met", 0), (8, 10, "not_met", 1), (90, 100, "met", 0), (89, 99, "not_met", 1), (90, 99, "met", 0),
        (899_999, 1_000_000, "not_met", 1), (900_000, 1_000_000, "met", 0), (1, 1, "met", 0), (0, 1, "not_met", 1),
        (0, 0, "not_applicable", 0),
    ],
)  # fmt: skip
def test_nine_tenths_of_the_programmes_are_reached_or_missed(
    counted: int, programmes: int, expected: str, short: int
) -> None:
    assert target_status(counted, 0, programmes, 0, NINE_TENTHS) == expected
    assert short_by(counted, programmes, NINE_TENTHS) == short


@pytest.mark.parametrize(
    ("counted", "unassessed", "programmes", "expected"),
    [
        (0, 9, 9, "undetermined"), (1, 8, 9, "undetermined"), (8, 1, 9, "undetermined"), (9, 0, 9, "met"),
        (0, 8, 9, "not_met"), (8, 0, 9, "not_met"), (19, 2, 21, "met"), (18, 1, 21, "undetermined"),
        (18, 0, 21, "not_met"), (0, 19, 21, "undetermined"), (0, 18, 21, "not_met"), (0, 0, 0, "not_applicable"),
    ],
)  # fmt: skip
def test_unassessed_programmes_decide_a_target_that_they_can_still_change(
    counted: int, unassessed: int, programmes: int, expected: str
) -> None:
    assert target_status(counted, unassessed, programmes, 0, NINE_TENTHS) == expected


@given(counted=COUNTS, others=COUNTS, minimum=MINIMA)
def test_a_share_is_compared_as_it_is(counted: int, others: int, minimum: Fraction) -> None:
    programmes = counted + others
    reached = counted * minimum.denominator >= minimum.numerator * programmes
    expected = ("met" if reached else "not_met") if programmes else "not_applicable"
    assert target_status(counted, 0, programmes, 0, minimum) == expected


@given(counted=st.integers(0, 40), unassessed=st.integers(0, 40), others=st.integers(0, 40), minimum=MINIMA)
def test_a_target_is_undetermined_exactly_while_the_unassessed_can_end_it_either_way(
    counted: int, unassessed: int, others: int, minimum: Fraction
) -> None:
    programmes = counted + unassessed + others
    ends = {target_status(counted + more, 0, programmes, 0, minimum) for more in range(unassessed + 1)}
    found = target_status(counted, unassessed, programmes, 0, minimum)
    assert found == ("undetermined" if len(ends) == 2 else ends.pop())


@given(counted=COUNTS, others=st.integers(1, 10**6), minimum=MINIMA)
def test_what_is_short_is_the_least_that_reaches_the_target(counted: int, others: int, minimum: Fraction) -> None:
    programmes = counted + others
    short = short_by(counted, programmes, minimum)
    assert 0 <= short <= others
    assert target_status(counted + short, 0, programmes, 0, minimum) == "met"
    if short:
        assert target_status(counted + short - 1, 0, programmes, 0, minimum) == "not_met"


@given(counted=st.integers(0, 40), undecided=st.integers(0, 40), others=st.integers(0, 40), not_held=st.integers(0, 40),
       minimum=MINIMA)  # fmt: skip
def test_programmes_that_are_not_held_decide_it_too(
    counted: int, undecided: int, others: int, not_held: int, minimum: Fraction
) -> None:
    """Whatever is found out of those without a grade, and of those of which nothing is known, of how many there are."""
    programmes = counted + undecided + others
    ends = {
        target_status(counted + more, 0, programmes + not_held, 0, minimum) for more in range(undecided + not_held + 1)
    }
    found = target_status(counted, undecided, programmes, not_held, minimum)
    if programmes:
        assert found == ("undetermined" if len(ends) == 2 else ends.pop())
    else:
        assert found == "not_applicable"
