"""Rules of the indicator: whether a target is met, and shares of criteria, by exact fractions, never rounded."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from mmptf_common.wire.shares import share
from mmptf_markers.engine.rubric import NOT_APPLICABLE, Rubric
from mmptf_markers.indicator.schemas import AnswerCount, CriterionSummary, TargetStatus


def target_status(counted: int, undecided: int, programmes: int, not_held: int, minimum: Fraction) -> TargetStatus:
    """Whether enough of the programmes count for a target, whatever is still found out.

    undecided: the programmes among them that may still get a grade which counts
    not_held: how many more programmes there may be, of which nothing is known here
    `met`: enough count already; `not_met`: too few would count even if every undecided one did; `undetermined`: those
    or the ones that are not held decide it; `not_applicable`: there are no programmes
    """
    if not programmes:
        return "not_applicable"
    if Fraction(counted, programmes + not_held) >= minimum:
        return "met"
    most = Fraction(counted + undecided + not_held, programmes + not_held)
    return "undetermined" if most >= minimum else "not_met"


def short_by(counted: int, programmes: int, minimum: Fraction) -> int:
    """The number of programmes that are missing to meet a target; 0 when it is met."""
    return max(0, needed(programmes, minimum) - counted)


def needed(programmes: int, minimum: Fraction) -> int:
    """The number of programmes that have to count for a target to be met."""
    return math.ceil(minimum * programmes)


def criteria_of(rows: Iterable[Mapping[str, Any]], rubrics: Mapping[str, Rubric]) -> list[CriterionSummary]:
    """How the criteria of rubrics are answered, the weakest first; rows: rubric, criterion, answer, programmes."""
    given: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        given[row["rubric"]][row["criterion"]][row["answer"]] += row["programmes"]
    found = []
    for code, criteria in given.items():
        rubric = rubrics[code]
        best = Fraction(rubric.scale.levels[-1].value)
        for criterion in rubric.criteria:
            answers = criteria.get(criterion.code, Counter())
            levels = [(level, answers[str(level.value)]) for level in rubric.scale.levels]
            answered = sum(number for _, number in levels)
            points = sum((Fraction(level.value) * number for level, number in levels), Fraction())
            found.append(
                CriterionSummary(
                    rubric=code,
                    criterion=criterion.code,
                    principle=criterion.principle,
                    question=criterion.question,
                    answered=answered,
                    not_applicable=answers[NOT_APPLICABLE],
                    share=share(points, best * answered) if answered else None,
                    levels=[
                        AnswerCount(answer=level.value, label=level.label, programmes=number)
                        for level, number in levels
                    ],
                )
            )
    return sorted(found, key=_weakness)


def _weakness(criterion: CriterionSummary) -> tuple[bool, Fraction, str, str]:
    reached = criterion.share.exact if criterion.share else Fraction(1)
    return criterion.share is None, reached, criterion.rubric, criterion.criterion
