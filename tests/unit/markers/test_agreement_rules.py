"""The agreement of two raters, compared with scikit-learn over random answers."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score

from mmptf_markers.engine.rubric import NOT_APPLICABLE
from mmptf_markers.reviews.rules import Pair, agreement, exact_text, rounded, weighted_kappa
from mmptf_markers.reviews.schemas import FEW

LEVELS = st.integers(2, 6)
NOT_APPLIED = (NOT_APPLICABLE, NOT_APPLICABLE)


@st.composite
def rated(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """The number of levels, and the pairs of positions that two raters gave."""
    levels = draw(LEVELS)
    position = st.integers(0, levels - 1)
    return levels, draw(st.lists(st.tuples(position, position), min_size=1, max_size=60))


# Where it is not defined, scikit-learn warns and gives what is no number.
@pytest.mark.filterwarnings("ignore")
@given(rated())
def test_kappa_and_agreement_are_those_of_scikit_learn(given_pairs: tuple[int, list[tuple[int, int]]]) -> None:
    levels, pairs = given_pairs
    one, other = zip(*pairs, strict=True)
    found = weighted_kappa(Counter(pairs), levels)
    expected = cohen_kappa_score(one, other, labels=list(range(levels)), weights="quadratic")
    if found is None:
        assert math.isnan(expected)
        assert len({*one, *other}) == 1
    else:
        assert math.isclose(found, expected, abs_tol=1e-12)
    counted = Counter((str(a), str(b)) for a, b in pairs)
    (group,) = agreement([Pair("r.1", None, *key, n) for key, n in counted.items()], {"r.1": list(range(levels))})
    assert math.isclose(group.exact.exact if group.exact else 0, accuracy_score(one, other), abs_tol=1e-12)
    assert group.difference is not None
    assert int(group.difference.sum) == sum(one) - sum(other)
    assert group.difference.mean == rounded(Fraction(sum(one) - sum(other), len(pairs)))
    assert (group.n, group.too_few) == (len(pairs), len(pairs) < FEW)
    assert sum(cell.count for cell in group.counts) == group.n
    assert group.kappa == (None if found is None else rounded(found))


def pairs(*given: tuple[Any, Any, int], rubric: str = "r.1", group: str | None = None) -> list[Pair]:
    return [Pair(rubric, group, str(one), str(other), n) for one, other, n in given]


def test_groups_are_of_one_rubric_and_what_does_not_apply_is_counted_apart() -> None:
    found = agreement(
        [
            *pairs((2, 2, 15), (2, 1, 4), (*NOT_APPLIED, 3), (NOT_APPLICABLE, 1, 2), (0, NOT_APPLICABLE, 5), group="a"),
            *pairs((0, 1, 20), group=None),
            *pairs((*NOT_APPLIED, 1), rubric="other.1", group="a"),
        ],
        {"r.1": [0, 1, 2], "other.1": ["0.5", "1.25"]},
    )
    assert [(one.rubric, one.code) for one in found] == [("other.1", "a"), ("r.1", "a"), ("r.1", None)]
    nothing, some, rest = found
    assert (nothing.n, nothing.exact, nothing.kappa, nothing.difference, nothing.not_applicable) == (
        0, None, None, None, 1,
    )  # fmt: skip
    assert (some.n, some.too_few) == (19, True)
    assert (some.not_applicable, some.not_applicable_one, some.not_applicable_other) == (3, 2, 5)
    assert some.exact is not None and some.difference is not None
    assert (some.exact.numerator, some.exact.denominator) == ("15", "19")
    assert (some.difference.sum, some.difference.count, some.difference.mean) == ("4", 19, "0.2105")
    # One rater gave one answer alone: no more agreement than by chance.
    assert some.kappa == "0.0000"
    assert (rest.n, rest.too_few, rest.kappa) == (20, False, "0.0000")
    assert [(cell.one, cell.other, cell.count) for cell in some.counts] == [(2, 1, 4), (2, 2, 15)]


def test_levels_have_the_distances_of_their_positions_and_differences_those_of_their_values() -> None:
    (found,) = agreement(pairs(("0.5", "4", 1), ("4", "0.5", 1), ("1", "1", 2)), {"r.1": ["0.5", "1", "4"]})
    assert found.kappa == rounded(weighted_kappa({(0, 2): 1, (2, 0): 1, (1, 1): 2}, 3) or Fraction())
    (found,) = agreement(pairs(("0.5", "4", 3)), {"r.1": ["0.5", "1", "4"]})
    assert found.difference is not None
    assert (found.difference.sum, found.difference.mean) == ("-10.5", "-3.5000")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1), "1.0000"),
        (Fraction(-1, 8), "-0.1250"),
        (Fraction(2, 3), "0.6667"),
        (Fraction(1, 20_000), "0.0000"),
        (Fraction(3, 20_000), "0.0002"),
        (Fraction(-1, 30_000), "0.0000"),
    ],
)
def test_figures_have_four_decimals(value: Fraction, text: str) -> None:
    assert rounded(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(100), "100"), (Fraction(-21, 2), "-10.5"), (Fraction(0), "0"), (Fraction(1, 8), "0.125")],
)
def test_sums_are_exact(value: Fraction, text: str) -> None:
    assert exact_text(value) == text
