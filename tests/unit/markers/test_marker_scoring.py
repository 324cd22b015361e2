"""Scoring: worked examples, and properties held against a plain re-computation on small rubrics."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib.resources import files
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmptf_markers.loading import InvalidRubric, load_rubric
from mmptf_markers.rubric import NOT_APPLICABLE, Rubric
from mmptf_markers.schemas import Score, ScoreRequest
from mmptf_markers.scoring import InvalidAnswers, score

SHIPPED = load_rubric((files("mmptf_markers") / "data/rubrics/hr-marker-illustrative-1.json").read_bytes())
STAGE: Any = "programme_document"
Answers = dict[str, Any]


def everywhere(level: int, **changes: Any) -> Answers:
    named = {code.replace("_", "-"): answer for code, answer in changes.items()}
    return {criterion.code: level for criterion in SHIPPED.criteria} | named


def small(
    rule: dict[str, Any],
    grades: list[str],
    weights: list[Any],
    values: list[Any] | None = None,
    gates: list[tuple[int, Any, str]] | None = None,
) -> dict[str, Any]:
    """A rubric document with criteria c0, c1 … at one stage; gates are (criterion, below, cap)."""
    source = dict.fromkeys(("line", "locator", "as_printed", "note")) | {
        "field": "meaning",
        "document": "test",
        "verified": False,
    }
    scale = [{"value": v, "label": f"level {v}", "description": "x"} for v in values or [0, 1, 2]]
    return {
        "code": "small",
        "version": "1",
        "title": "Small",
        "status": "illustrative",
        "language": "en",
        "marker": "test",
        "grades": [{"code": code, "name": code, "meaning": code, "source": source} for code in grades],
        "scale": {"levels": scale, "not_applicable": True},
        "principles": [{"code": "p", "name": "p", "description": "p"}],
        "criteria": [
            {
                "code": f"c{at}",
                "principle": "p",
                "question": "x?",
                "guidance": "x",
                "weight": weight,
                "stages": [STAGE],
                "not_applicable": True,
            }
            for at, weight in enumerate(weights)
        ],
        "rule": rule,
        "gates": [{"criterion": f"c{at}", "below": below, "cap": cap, "reason": "x"} for at, below, cap in gates or []],
        "source_document": None,
        "endorsement": None,
        "notes": [],
        "hash": None,
    }


def loaded(document: dict[str, Any]) -> Rubric:
    return load_rubric(json.dumps(document).encode())


def test_complete_answers_give_a_grade_with_its_reasons() -> None:
    result = score(SHIPPED, everywhere(2, equality=3, national_institutions=NOT_APPLICABLE), STAGE)
    assert (result.grade, result.grade_before_gates, result.complete) == ("B", "B", True)
    assert result.share is not None
    assert (result.share.numerator, result.share.denominator, result.share.percentage) == (5, 7, "71.42")
    assert result.rubric.hash == SHIPPED.hash and result.rubric.status == "illustrative"
    by_code = {criterion.criterion: criterion for criterion in result.criteria}
    assert (by_code["equality"].points, by_code["equality"].of, by_code["equality"].label) == (
        "6",
        "6",
        "Fully built in",
    )
    assert (by_code["national-institutions"].points, by_code["national-institutions"].of) == (None, None)
    assert "left out" in by_code["national-institutions"].explanation
    assert result.next_grade is not None and result.next_grade.grade == "A"
    assert [(change.criterion, change.to) for change in result.next_grade.changes] == [("obligations-analysis", 3)]


def test_a_gate_caps_the_grade_and_opening_it_may_skip_a_grade() -> None:
    result = score(SHIPPED, everywhere(3, due_diligence=0), STAGE)
    assert (result.grade_before_gates, result.grade) == ("A", "C")
    assert [(gate.criterion, gate.below, gate.cap, gate.capped) for gate in result.gates] == [
        ("due-diligence", 1, "C", "A")
    ]
    assert result.next_grade is not None
    assert (result.next_grade.grade, result.next_grade.steps) == ("A", 1)


def test_the_best_grade_has_no_next_one() -> None:
    result = score(SHIPPED, everywhere(3), STAGE)
    assert (result.grade, result.next_grade, result.gates) == ("A", None, [])


def test_a_band_is_met_by_the_exact_fraction_not_by_its_rounding() -> None:
    bands = [{"grade": "Y", "minimum": "2/3"}, {"grade": "N", "minimum": "0"}]
    rubric = loaded(small({"type": "weighted_share", "bands": bands}, ["Y", "N"], [1, 1, 1], [0, 1]))
    assert score(rubric, {"c0": 1, "c1": 1, "c2": 0}, STAGE).grade == "Y"
    bands[0]["minimum"] = "0.666667"
    rubric = loaded(small({"type": "weighted_share", "bands": bands}, ["Y", "N"], [1, 1, 1], [0, 1]))
    assert score(rubric, {"c0": 1, "c1": 1, "c2": 0}, STAGE).grade == "N"


def test_decimal_weights_and_values_are_exact() -> None:
    bands = [{"grade": "Y", "minimum": "0.5"}, {"grade": "N", "minimum": "0"}]
    rubric = loaded(small({"type": "weighted_share", "bands": bands}, ["Y", "N"], ["0.1", "0.2"], [0, "0.3", "1.5"]))
    result = score(rubric, {"c0": "1.5", "c1": "0.3"}, STAGE)
    assert [(criterion.points, criterion.of) for criterion in result.criteria] == [
        ("0.15", "0.15"),
        ("0.06", "0.3"),
    ]
    assert result.share is not None and (result.share.numerator, result.share.denominator) == (7, 15)


def test_incomplete_answers_have_no_grade() -> None:
    result = score(SHIPPED, {"equality": 1, "due-diligence": 0}, STAGE)
    assert (result.complete, result.grade, result.share, result.next_grade) == (False, None, None, None)
    assert len(result.missing) == 8 and result.reason == "8 of 10 criteria are not answered"
    assert result.provisional is not None and result.provisional.share_of_answered is not None
    assert result.provisional.share_of_answered.percentage == "16.66"
    assert [gate.capped for gate in result.gates] == [None, None]
    empty = score(SHIPPED, {}, STAGE)
    assert empty.provisional is not None and empty.provisional.share_of_answered is None


def test_a_manual_rule_leaves_the_grade_to_the_assessor() -> None:
    rubric = loaded(small({"type": "manual"}, ["A", "B"], [1, 1]))
    result = score(rubric, {"c0": 1, "c1": 2}, STAGE)
    assert (result.complete, result.grade, result.reason) == (True, None, "set by the assessor")
    assert [(criterion.points, criterion.of) for criterion in result.criteria] == [(None, None)] * 2


def test_a_count_marker_graded_0_to_3_works_with_the_same_code() -> None:
    bands = [{"grade": str(3 - at), "minimum": minimum} for at, minimum in enumerate([4, 3, 1, 0])]
    rubric = loaded(small({"type": "count", "level": 1, "bands": bands}, ["3", "2", "1", "0"], [1] * 4))
    grades = [score(rubric, {f"c{at}": 2 * (at < met) for at in range(4)}, STAGE).grade for met in range(5)]
    assert grades == ["0", "1", "1", "2", "3"]
    result = score(rubric, {"c0": 1, "c1": 0, "c2": 0, "c3": 0}, STAGE)
    assert result.next_grade is not None
    assert [(change.criterion, change.to) for change in result.next_grade.changes] == [("c1", 1), ("c2", 1)]
    out_of_reach = score(rubric, {"c0": 1, "c1": 1, "c2": 1, "c3": NOT_APPLICABLE}, STAGE)
    assert (out_of_reach.grade, out_of_reach.next_grade) == ("2", None)
    assert out_of_reach.share is not None and out_of_reach.share.denominator == 4


def test_every_fault_in_the_answers_is_reported() -> None:
    answers = {
        "nothing": 1,
        "sustainability": 2,
        "equality": 4,
        "participation": True,
        "due-diligence": 2.0,
        "obligations-analysis": NOT_APPLICABLE,
        "rights-holders-capacity": None,
        "duty-bearers-capacity": "2",
    }
    with pytest.raises(InvalidAnswers) as caught:
        score(SHIPPED, answers, "concept_note")
    assert [(fault.criterion, fault.code) for fault in caught.value.faults] == [
        ("nothing", "unknown_criterion"),
        ("sustainability", "wrong_stage"),
        ("equality", "unknown_level"),
        ("participation", "unknown_level"),
        ("due-diligence", "unknown_level"),
        ("obligations-analysis", "not_applicable_refused"),
        ("rights-holders-capacity", "unknown_level"),
        ("duty-bearers-capacity", "unknown_level"),
    ]
    assert caught.value.faults[2].allowed == [0, 1, 2, 3]
    assert "sustainability" not in caught.value.faults[0].allowed


def test_a_stage_without_criteria_and_answers_without_criteria_are_refused() -> None:
    rubric = loaded(small({"type": "manual"}, ["A", "B"], [1, 1]))
    with pytest.raises(InvalidAnswers) as caught:
        score(rubric, {"c0": 1}, "final_report")
    assert [(fault.code, fault.allowed) for fault in caught.value.faults] == [("stage_not_covered", [STAGE])]
    with pytest.raises(InvalidAnswers) as caught:
        score(rubric, {"c0": NOT_APPLICABLE, "c1": NOT_APPLICABLE}, STAGE)
    assert [fault.code for fault in caught.value.faults] == ["nothing_applicable"]


def test_the_wire_shapes_are_closed_and_without_defaults() -> None:
    request = {
        "rubric": "hr-marker-illustrative",
        "version": None,
        "stage": STAGE,
        "answers": {"equality": 2},
    }
    assert ScoreRequest.model_validate_json(json.dumps(request)).answers == {"equality": 2}
    schema = Score.model_json_schema(mode="serialization")
    for model in [schema, *schema["$defs"].values()]:
        assert model["additionalProperties"] is False
        assert model["required"] == list(model["properties"])
    result = score(SHIPPED, everywhere(1), STAGE)
    assert Score.model_validate_json(result.model_dump_json()) == result


def test_a_grade_that_only_a_gate_gives_is_unreachable_behind_a_stricter_gate() -> None:
    bands = [{"grade": "A", "minimum": "1/2"}, {"grade": "C", "minimum": "0"}]
    rule = {"type": "weighted_share", "bands": bands}
    assert loaded(small(rule, ["A", "B", "C"], [1, 9], gates=[(0, 2, "B"), (0, 1, "C")]))
    with pytest.raises(InvalidRubric, match="B is unreachable"):
        loaded(small(rule, ["A", "B", "C"], [1, 9], gates=[(0, 1, "B"), (0, 2, "C")]))


@st.composite
def rubrics(draw: st.DrawFn) -> dict[str, Any]:
    """Small rubric documents, well formed though perhaps with grades that cannot be reached."""
    grades = ["G0", "G1", "G2", "G3"][: draw(st.integers(2, 4))]
    values: list[Any] = draw(st.sampled_from([[0, 1], [0, 1, 2], [0, 1, 2, 3], [1, 2, 3], [0, "0.5", 2]]))
    weights: list[Any] = draw(st.lists(st.sampled_from([1, 2, 3, "0.5", "2.25"]), min_size=1, max_size=4))
    if draw(st.booleans()):
        minima = draw(st.sets(st.integers(1, 12), min_size=len(grades) - 1, max_size=len(grades) - 1))
        texts: list[Any] = [f"{minimum}/12" for minimum in sorted(minima, reverse=True)] + ["0"]
        rule: dict[str, Any] = {"type": "weighted_share"}
    else:
        minima = draw(st.sets(st.integers(1, 4), min_size=len(grades) - 1, max_size=len(grades) - 1))
        texts = [*sorted(minima, reverse=True), 0]
        rule = {"type": "count", "level": draw(st.sampled_from(values[1:]))}
    bands = [{"grade": g, "minimum": text} for g, text in zip(grades, texts, strict=True)]
    rule["bands"] = [bands[0], *(band for band in bands[1:-1] if draw(st.booleans())), bands[-1]]
    gates = draw(
        st.lists(
            st.tuples(st.integers(0, len(weights) - 1), st.sampled_from(values[1:]), st.sampled_from(grades[1:])),
            max_size=3,
            unique_by=lambda gate: gate[:2],
        )
    )
    return small(rule, grades, weights, values, gates)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Rubric, list[int | None]]:
    """A rubric and complete answers as positions on the scale, null (but not all) for not applicable."""
    rubric = Rubric.model_validate_json(json.dumps(draw(rubrics()) | {"hash": "0" * 64}))
    answer = st.one_of(st.integers(0, len(rubric.scale.levels) - 1), st.none())
    size = len(rubric.criteria)
    given_answers = st.lists(answer, min_size=size, max_size=size)
    return rubric, draw(given_answers.filter(lambda answers: any(one is not None for one in answers)))


def as_answers(rubric: Rubric, levels: Any) -> Answers:
    values = [level.value for level in rubric.scale.levels]
    return {f"c{at}": NOT_APPLICABLE if one is None else values[one] for at, one in enumerate(levels)}


def plain_grade(rubric: Rubric, levels: Any) -> int:
    """The rule as a person would work it out on paper; 0 is the best grade."""
    values = [Fraction(level.value) for level in rubric.scale.levels]
    codes = [grade.code for grade in rubric.grades]
    rule: Any = rubric.rule
    if rule.type == "count":
        reached = Fraction(sum(one is not None and values[one] >= Fraction(rule.level) for one in levels))
    else:
        pairs = [(Fraction(c.weight), one) for c, one in zip(rubric.criteria, levels, strict=True)]
        asked = [(weight, one) for weight, one in pairs if one is not None]
        reached = sum(w * values[one] for w, one in asked) / sum(w * values[-1] for w, _ in asked)
    grade = min(codes.index(band.grade) for band in rule.bands if reached >= Fraction(band.minimum))
    for gate in rubric.gates:
        one = levels[int(gate.criterion[1:])]
        if one is not None and values[one] < Fraction(gate.below):
            grade = max(grade, codes.index(gate.cap))
    return grade


@settings(max_examples=150, deadline=None)
@given(cases())
def test_complete_answers_have_exactly_the_grade_of_the_rule(case: tuple[Rubric, list[int | None]]) -> None:
    rubric, levels = case
    result = score(rubric, as_answers(rubric, levels), STAGE)
    assert result.complete and result.grade == rubric.grades[plain_grade(rubric, levels)].code
    assert score(rubric, dict(reversed(as_answers(rubric, levels).items())), STAGE) == result


@settings(max_examples=150, deadline=None)
@given(cases(), st.data())
def test_raising_an_answer_never_lowers_the_grade(case: tuple[Rubric, list[int | None]], data: Any) -> None:
    rubric, levels = case
    at = data.draw(st.sampled_from([at for at, one in enumerate(levels) if one is not None]))
    raised = data.draw(st.integers(levels[at] or 0, len(rubric.scale.levels) - 1))
    codes = [grade.code for grade in rubric.grades]
    before = score(rubric, as_answers(rubric, levels), STAGE).grade
    after = score(rubric, as_answers(rubric, [*levels[:at], raised, *levels[at + 1 :]]), STAGE).grade
    assert before is not None and after is not None and codes.index(after) <= codes.index(before)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_next_grade_is_reached_and_no_smaller_set_of_changes_reaches_one(
    case: tuple[Rubric, list[int | None]],
) -> None:
    rubric, levels = case
    present = plain_grade(rubric, levels)
    top = len(rubric.scale.levels)
    better: list[tuple[Any, tuple[int | None, ...]]] = []
    for raised in product(*([None] if one is None else range(one, top) for one in levels)):
        if plain_grade(rubric, raised) < present:
            steps = [(new or 0) - (old or 0) for new, old in zip(raised, levels, strict=True)]
            order = [(step == 0, step) for step in steps]
            better.append(((sum(map(bool, steps)), sum(steps), order), raised))
    answers = as_answers(rubric, levels)
    found = score(rubric, answers, STAGE).next_grade
    if not better:
        assert found is None
        return
    (count, steps, _), expected = min(better)
    assert found is not None
    changed = answers | {change.criterion: change.to for change in found.changes}
    assert changed == as_answers(rubric, expected)
    assert (len(found.changes), found.steps) == (count, steps)
    assert score(rubric, changed, STAGE).grade == found.grade


@settings(max_examples=150, deadline=None)
@given(rubrics())
def test_loading_refuses_exactly_the_grades_that_no_answers_reach(document: dict[str, Any]) -> None:
    rubric = Rubric.model_validate_json(json.dumps(document | {"hash": "0" * 64}))
    everything = product(range(len(rubric.scale.levels)), repeat=len(rubric.criteria))
    reached = {plain_grade(rubric, levels) for levels in everything}
    try:
        loaded(document)
        refused = set()
    except InvalidRubric as error:
        refused = {fault.path for fault in error.faults}
    assert bool(refused) == (len(reached) < len(rubric.grades))
    if not any(path.startswith("/rule") for path in refused):
        assert refused == {f"/grades/{at}" for at in range(len(rubric.grades)) if at not in reached}
