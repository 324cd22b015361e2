"""Scoring: worked examples of every rule, and every error that answers can have."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from mmptf_markers.engine.loading import InvalidRubric, load_rubric
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.rubric import NOT_APPLICABLE
from mmptf_markers.engine.scoring import InvalidAnswers, score
from mmptf_markers.rubrics.schemas import ScoreRequest
from tests.unit.markers.rubrics import CONTENT, STAGE, Answers, loaded, small

SHIPPED = load_rubric(CONTENT)


def everywhere(level: int, **changes: Any) -> Answers:
    named = {code.replace("_", "-"): answer for code, answer in changes.items()}
    return {criterion.code: level for criterion in SHIPPED.criteria} | named


def test_complete_answers_give_a_grade_with_its_reasons() -> None:
    result = score(SHIPPED, everywhere(2, equality=3, national_institutions=NOT_APPLICABLE), STAGE)
    assert (result.grade, result.grade_before_gates, result.complete) == ("B", "B", True)
    assert result.share is not None
    assert (result.share.exact, result.share.per_cent) == (Fraction(5, 7), "71.42")
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
    # In binary floating point a tenth of 3 is more than 0.3.
    bands[0]["minimum"] = "0.1"
    rubric = loaded(small({"type": "weighted_share", "bands": bands}, ["Y", "N"], [1], [0, "0.3", 3]))
    assert score(rubric, {"c0": "0.3"}, STAGE).grade == "Y"


def test_decimal_weights_and_values_are_exact() -> None:
    bands = [{"grade": "Y", "minimum": "0.5"}, {"grade": "N", "minimum": "0"}]
    rubric = loaded(small({"type": "weighted_share", "bands": bands}, ["Y", "N"], ["0.1", "0.2"], [0, "0.3", "1.5"]))
    result = score(rubric, {"c0": "1.5", "c1": "0.3"}, STAGE)
    assert [(criterion.points, criterion.of) for criterion in result.criteria] == [
        ("0.15", "0.15"),
        ("0.06", "0.3"),
    ]
    assert result.share is not None and (result.share.numerator, result.share.denominator) == ("7", "15")


def test_incomplete_answers_have_no_grade() -> None:
    result = score(SHIPPED, {"equality": 1, "due-diligence": 0}, STAGE)
    assert (result.complete, result.grade, result.share, result.next_grade) == (False, None, None, None)
    assert len(result.missing) == 8 and result.reason == "8 of 10 criteria are not answered"
    assert result.provisional is not None and result.provisional.share_of_answered is not None
    assert result.provisional.share_of_answered.per_cent == "16.66"
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
    assert out_of_reach.share is not None and out_of_reach.share.denominator == "4"


def test_every_error_in_the_answers_is_reported() -> None:
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
    assert [(error.criterion, error.code) for error in caught.value.errors] == [
        ("nothing", "unknown_criterion"),
        ("sustainability", "wrong_stage"),
        ("equality", "unknown_level"),
        ("participation", "unknown_level"),
        ("due-diligence", "unknown_level"),
        ("obligations-analysis", "not_applicable_refused"),
        ("rights-holders-capacity", "unknown_level"),
        ("duty-bearers-capacity", "unknown_level"),
    ]
    assert caught.value.errors[2].allowed == [0, 1, 2, 3]
    assert "sustainability" not in caught.value.errors[0].allowed


def test_a_stage_without_criteria_and_answers_without_criteria_are_refused() -> None:
    rubric = loaded(small({"type": "manual"}, ["A", "B"], [1, 1]))
    with pytest.raises(InvalidAnswers) as caught:
        score(rubric, {"c0": 1}, "final_report")
    assert [(error.code, error.allowed) for error in caught.value.errors] == [("stage_not_covered", [STAGE])]
    with pytest.raises(InvalidAnswers) as caught:
        score(rubric, {"c0": NOT_APPLICABLE, "c1": NOT_APPLICABLE}, STAGE)
    assert [error.code for error in caught.value.errors] == ["nothing_applicable"]


def test_the_wire_shapes_are_closed_and_without_defaults() -> None:
    request = {
        "rubric": "hr-marker-illustrative",
        "version": None,
        "stage": STAGE,
        "answers": {"equality": 2},
    }
    assert ScoreRequest.model_validate_json(json.dumps(request)).answers == {"equality": 2}
    schema = Score.model_json_schema(mode="serialization")
    assert {name for name, each in schema["$defs"].items() if "anyOf" in each} == {"Answer", "ExactNumber"}
    for model in [schema, *(each for each in schema["$defs"].values() if not {"enum", "anyOf"} & each.keys())]:
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
