"""What holds for every rubric and every set of answers, against a plain re-computation and an exhaustive search."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmptf_markers.engine.loading import InvalidRubric, dump_rubric, load_rubric
from mmptf_markers.engine.rubric import NOT_APPLICABLE, Rubric, stages_of
from mmptf_markers.engine.scoring import SET_BY_ASSESSOR, InvalidAnswers, score
from tests.unit.markers.rubrics import (
    STAGE,
    Answers,
    cases,
    complete_answers,
    documents,
    loaded,
    on_paper,
    pointed_at,
    rubrics,
    spoilt,
    unchecked,
)

# A long run before a release: RUBRIC_EXAMPLES=10000. Otherwise the same in every run: what fails is the change, and of
# a few that were drawn anew there might be none with some rule.
EXAMPLES = os.environ.get("RUBRIC_EXAMPLES")
RANDOM_RUBRICS = settings(
    max_examples=int(EXAMPLES or "150"), derandomize=EXAMPLES is None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.tries_more
def test_a_rubric_is_refused_with_reasons_or_grades_every_complete_set_of_answers() -> None:
    outcomes: Counter[str] = Counter()

    @RANDOM_RUBRICS
    @given(st.one_of(documents(), spoilt()))
    def refused_or_total(document: dict[str, Any]) -> None:
        outcomes[outcome_of(document)] += 1

    refused_or_total()
    # Where nearly all are refused, or none has some rule, little is shown.
    assert set(outcomes) == {"refused", "weighted_share", "count", "manual"}
    assert outcomes["weighted_share"] + outcomes["count"] > outcomes.total() / 10, outcomes


def outcome_of(document: dict[str, Any]) -> str:
    """`refused`, or the rule by which every complete set of answers was graded; fails where neither holds."""
    try:
        rubric = loaded(document)
    except InvalidRubric as refused:
        assert refused.errors
        for error in refused.errors:
            assert error.reason
            # What is missing is named where it belongs.
            pointed_at(document, error.path.rpartition("/")[0])
        return "refused"
    assert dump_rubric(load_rubric(dump_rubric(rubric))) == dump_rubric(rubric)
    codes = [grade.code for grade in rubric.grades]
    for stage in stages_of(rubric):
        for answers in complete_answers(rubric, stage):
            result = score(rubric, answers, stage)
            assert result.complete and not result.missing
            if rubric.rule.type == "manual":
                assert (result.grade, result.grade_before_gates, result.reason) == (None, None, SET_BY_ASSESSOR)
                assert (result.share, result.gates, result.better) == (None, [], [])
            else:
                before, grade = on_paper(rubric, answers, stage)
                assert (result.grade_before_gates, result.grade) == (codes[before], codes[grade])
    return rubric.rule.type


@settings(max_examples=100)
@given(rubrics())
def test_loading_refuses_exactly_the_grades_that_no_answers_reach(document: dict[str, Any]) -> None:
    rubric = unchecked(document)
    applicable = [a for a in complete_answers(rubric, STAGE) if NOT_APPLICABLE not in a.values()]
    reached = {on_paper(rubric, answers)[1] for answers in applicable}
    try:
        loaded(document)
        refused = set()
    except InvalidRubric as error:
        refused = {error.path for error in error.errors}
    assert bool(refused) == (len(reached) < len(rubric.grades))
    if not any(path.startswith("/rule") for path in refused):
        assert refused == {f"/grades/{at}" for at in range(len(rubric.grades)) if at not in reached}


@settings(max_examples=100)
@given(documents())
def test_a_rubric_survives_its_file_form_byte_for_byte(document: dict[str, Any]) -> None:
    try:
        content = dump_rubric(loaded(document))
    except InvalidRubric:
        return
    assert dump_rubric(load_rubric(content)) == content
    assert {**json.loads(content), "hash": None} == document


@settings(max_examples=100)
@given(cases())
def test_the_explanation_recomputes_to_the_grade(case: tuple[Rubric, Answers]) -> None:
    rubric, answers = case
    result = score(rubric, answers, STAGE)
    assert result.share is not None
    codes = [grade.code for grade in rubric.grades]
    for scored in result.criteria:
        assert scored.answer == answers[scored.criterion]
        if scored.answer == NOT_APPLICABLE:
            continue
        assert scored.points is not None and scored.label == f"level {scored.answer}"
        if rubric.rule.type == "weighted_share":
            assert Fraction(scored.points) == Fraction(scored.weight) * Fraction(scored.answer)
            said = (
                f"Answered {scored.answer} ({scored.label}) with weight {scored.weight}:"
                f" {scored.points} of {scored.of} points."
            )
        else:
            assert rubric.rule.type == "count"
            assert Fraction(scored.points) == (Fraction(scored.answer) >= Fraction(rubric.rule.level))
            met = "meets" if scored.points == "1" else "does not meet"
            said = f"Answered {scored.answer} ({scored.label}), which {met} the required level {rubric.rule.level}."
        assert scored.explanation == said
    points = sum(Fraction(criterion.points) for criterion in result.criteria if criterion.points is not None)
    of = sum(Fraction(criterion.of) for criterion in result.criteria if criterion.of is not None)
    assert result.share.exact == points / of
    assert Fraction(result.share.per_cent) <= 100 * points / of < Fraction(result.share.per_cent) + Fraction(1, 100)
    reached = points / of if rubric.rule.type == "weighted_share" else points
    assert rubric.rule.type != "manual"
    before = next(band.grade for band in rubric.rule.bands if reached >= Fraction(band.minimum))
    assert result.grade_before_gates == before
    assert result.grade == max([before, *(gate.cap for gate in result.gates)], key=codes.index)
    reason = re.fullmatch(
        r"(\S+) of (\S+) (?:points, (\S+) %, give|criteria are met, which gives) (\w+)(?:, capped at (\w+) by a gate)?",
        result.reason,
    )
    assert reason and (Fraction(reason[1]), Fraction(reason[2])) == (points, of)
    assert reason[3] == (result.share.per_cent if rubric.rule.type == "weighted_share" else None)
    assert (reason[4], reason[5]) == (before, result.grade if result.grade != before else None)
    for gate in result.gates:
        assert gate.label == f"level {gate.answer}"
        assert gate.answer == answers[gate.criterion] and Fraction(gate.answer) < Fraction(gate.below)
        assert gate.capped == (before if codes.index(gate.cap) > codes.index(before) else None)
    assert tuple(codes.index(str(grade)) for grade in (before, result.grade)) == on_paper(rubric, answers)
    assert score(rubric, dict(reversed(answers.items())), STAGE) == result


@settings(max_examples=100)
@given(cases(), st.data())
def test_raising_an_answer_never_lowers_the_grade(case: tuple[Rubric, Answers], data: Any) -> None:
    rubric, answers = case
    code = data.draw(st.sampled_from([code for code, answer in answers.items() if answer != NOT_APPLICABLE]))
    values = [level.value for level in rubric.scale.levels]
    raised = data.draw(st.sampled_from(values[values.index(answers[code]) :]))
    codes = [grade.code for grade in rubric.grades]
    before, after = score(rubric, answers, STAGE), score(rubric, answers | {code: raised}, STAGE)
    assert codes.index(str(after.grade)) <= codes.index(str(before.grade))
    assert codes.index(str(after.grade_before_gates)) <= codes.index(str(before.grade_before_gates))


@settings(max_examples=150)
@given(cases())
def test_the_steps_to_each_better_grade_are_those_of_an_exhaustive_search(case: tuple[Rubric, Answers]) -> None:
    rubric, answers = case
    values = [level.value for level in rubric.scale.levels]
    choices = [[one] if one == NOT_APPLICABLE else values[values.index(one) :] for one in answers.values()]
    ways = []
    for chosen in product(*choices):
        raised = dict(zip(answers, chosen, strict=True))
        steps = [
            0 if one == NOT_APPLICABLE else values.index(raised[code]) - values.index(one)
            for code, one in answers.items()
        ]
        # Fewest criteria, fewest steps; then the criterion earlier in the rubric, by as few steps as work.
        cost = (sum(map(bool, steps)), sum(steps), [(step == 0, step) for step in steps])
        ways.append((cost, on_paper(rubric, raised)[1], raised))
    present = on_paper(rubric, answers)[1]
    expected = []
    for grade in range(present - 1, -1, -1):
        cheapest = min((way for way in ways if way[1] <= grade), default=None, key=lambda way: way[0])
        if cheapest and cheapest[1] == grade:
            expected.append((rubric.grades[grade].code, cheapest[0][:2], cheapest[2]))
    result = score(rubric, answers, STAGE)
    found = [
        (way.grade, (len(way.changes), way.steps), answers | {change.criterion: change.to for change in way.changes})
        for way in result.better
    ]
    assert found == expected
    assert result.next_grade == (result.better[0] if expected else None)
    for way, (_, _, raised) in zip(result.better, expected, strict=True):
        assert way.steps == sum(change.steps for change in way.changes)
        assert [change.answer for change in way.changes] == [answers[change.criterion] for change in way.changes]
        assert score(rubric, raised, STAGE).grade == way.grade


@settings(max_examples=100)
@given(cases())
def test_what_is_not_applicable_is_left_out_of_a_share_and_not_met_in_a_count(case: tuple[Rubric, Answers]) -> None:
    rubric, answers = case
    result = score(rubric, answers, STAGE)
    left_out = {code for code, answer in answers.items() if answer == NOT_APPLICABLE}
    if rubric.rule.type == "count":
        lowest = rubric.scale.levels[0].value
        same = score(rubric, answers | dict.fromkeys(left_out, lowest), STAGE)
    else:
        fewer = rubric.model_copy(
            update={
                "criteria": tuple(c for c in rubric.criteria if c.code not in left_out),
                "gates": tuple(gate for gate in rubric.gates if gate.criterion not in left_out),
            }
        )
        same = score(fewer, {code: answer for code, answer in answers.items() if code not in left_out}, STAGE)
        assert (result.grade, result.better) == (same.grade, same.better)
    assert (result.share, result.grade_before_gates) == (same.share, same.grade_before_gates)
    assert left_out.isdisjoint(gate.criterion for gate in result.gates)
    assert left_out.isdisjoint(change.criterion for way in result.better for change in way.changes)


@settings(max_examples=50)
@given(cases(), st.data())
def test_not_applicable_is_refused_where_a_criterion_always_applies(case: tuple[Rubric, Answers], data: Any) -> None:
    rubric, answers = case
    at = data.draw(st.integers(0, len(rubric.criteria) - 1))
    strict = rubric.criteria[at].model_copy(update={"not_applicable": False})
    always = rubric.model_copy(update={"criteria": (*rubric.criteria[:at], strict, *rubric.criteria[at + 1 :])})
    with pytest.raises(InvalidAnswers) as caught:
        score(always, answers | {strict.code: NOT_APPLICABLE}, STAGE)
    assert [(f.criterion, f.code) for f in caught.value.errors] == [(strict.code, "not_applicable_refused")]
    assert NOT_APPLICABLE not in caught.value.errors[0].allowed


@settings(max_examples=50)
@given(cases(), st.data())
def test_without_every_answer_there_is_no_grade(case: tuple[Rubric, Answers], data: Any) -> None:
    rubric, answers = case
    missing = data.draw(st.sets(st.sampled_from(list(answers)), min_size=1))
    result = score(rubric, {code: answer for code, answer in answers.items() if code not in missing}, STAGE)
    assert (result.complete, result.grade, result.grade_before_gates, result.better) == (False, None, None, [])
    assert set(result.missing) == missing
