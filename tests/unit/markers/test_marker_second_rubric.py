"""The second packaged rubric: what a grade under it rests on, over random sets of answers at every stage."""

from __future__ import annotations

import os
import random
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from mmptf_markers.engine.completeness import CatalogueFacts, StatedAnswer, find_lacking
from mmptf_markers.engine.loading import dump_rubric, load_rubric
from mmptf_markers.engine.rubric import (
    NOT_APPLICABLE,
    STAGES,
    AssessmentStage,
    checks_at,
    criteria_at,
    level_text,
    stages_of,
)
from mmptf_markers.engine.scoring import score
from tests.unit.markers.rubrics import Answers, Ticked, every_check, held

CONTENT = (files("mmptf_markers") / "data/rubrics/hr-marker-illustrative-2.json").read_bytes()
RUBRIC = load_rubric(CONTENT)
CORE = {
    "obligations-analysis", "equality", "participation", "due-diligence", "firewall", "security-support",
    "return-detention", "accountability-remedy",
}  # fmt: skip
# A long run before a release, as of the random rubrics.
SETS = int(os.environ.get("RUBRIC_EXAMPLES") or "400")
NOWHERE = CatalogueFacts((), (), ())


def drawn(draw: random.Random, stage: AssessmentStage) -> tuple[Answers, Ticked]:
    """Random answers and ticks; most are high, since of what is drawn evenly next to nothing is an A."""
    least = draw.choice([0, 1, 1, 2, 2])
    answers: Answers = {}
    for criterion in criteria_at(RUBRIC, stage):
        level = draw.randint(draw.choice([0, least, least, least]), 3)
        left_out = criterion.not_applicable and draw.random() < 0.3
        answers[criterion.code] = NOT_APPLICABLE if left_out else level
    share = draw.choice([1, 1, 1, 0.9, 0.5])
    ticked = {
        code: {check for check in checks if draw.random() < share}
        for code, checks in every_check(RUBRIC, stage).items()
    }
    return answers, ticked


@pytest.mark.tries_more
@pytest.mark.parametrize("stage", stages_of(RUBRIC))
def test_no_grade_hides_a_core_criterion_that_is_too_low(stage: AssessmentStage) -> None:
    draw = random.Random(stage)
    grades: Counter[str] = Counter()
    for _ in range(SETS):
        answers, ticked = drawn(draw, stage)
        result = score(RUBRIC, answers, stage, ticked)
        counted = held(RUBRIC, answers, stage, ticked)
        core = [counted[code] for code in CORE & counted.keys() if counted[code] != NOT_APPLICABLE]
        assert result.grade is not None
        assert result.grade != "A" or min(core) >= 2, answers
        assert result.grade == "C" or min(core) >= 1, answers
        grades[result.grade] += 1
        # The way to each better grade keeps to the floors, too.
        for way in result.better:
            more = {change.criterion: ticked[change.criterion] | {*change.checks} for change in way.changes}
            raised = answers | {change.criterion: change.to for change in way.changes}
            assert score(RUBRIC, raised, stage, ticked | more).grade == way.grade
    assert min(grades[grade] for grade in "ABC") > SETS / 50, grades


def supported(answers: Answers, ticked: Ticked) -> dict[str, StatedAnswer]:
    """Answers with everything that the rubric asks for."""
    return {
        code: StatedAnswer(answer, f"What the document says about {code}. ".ljust(100, "."), 1, 1, ticked[code])
        for code, answer in answers.items()
    }


@pytest.mark.parametrize("stage", stages_of(RUBRIC))
def test_an_a_rests_on_justifications_evidence_checks_and_the_register(stage: AssessmentStage) -> None:
    ticked = every_check(RUBRIC, stage)
    answers = {criterion.code: 2 + criterion.core for criterion in criteria_at(RUBRIC, stage)}
    assert score(RUBRIC, answers, stage, ticked).grade == "A"
    full = supported(answers, ticked)
    assert find_lacking(RUBRIC, stage, full, 1, NOWHERE) == []
    assert [finding.path for finding in find_lacking(RUBRIC, stage, full, 0, NOWHERE)] == ["/due_diligence"]
    for criterion in criteria_at(RUBRIC, stage):
        lacking: list[tuple[str, Any]] = [("justification", "Yes."), ("evidence", 0)]
        lacking += [("checks", ())] if checks_at(criterion, stage) else []
        for name, nothing in lacking:
            without = full | {criterion.code: full[criterion.code]._replace(**{name: nothing})}
            [finding] = find_lacking(RUBRIC, stage, without, 1, NOWHERE)
            assert finding.path == f"/answers/{criterion.code}/{name}"
        low = full | {criterion.code: full[criterion.code]._replace(answer=1, actions=0)}
        assert f"/answers/{criterion.code}/actions" in [f.path for f in find_lacking(RUBRIC, stage, low, 1, NOWHERE)]


def test_what_the_catalogue_says_applies_is_answered_with_a_level() -> None:
    stage: AssessmentStage = "programme_document"
    ticked = every_check(RUBRIC, stage)
    answers: Answers = {
        criterion.code: NOT_APPLICABLE if criterion.not_applicable else 3 for criterion in criteria_at(RUBRIC, stage)
    }
    refused = {}
    for objective in map(str, range(1, 24)):
        findings = find_lacking(RUBRIC, stage, supported(answers, ticked), 1, CatalogueFacts([objective], (), ()))
        if findings:
            refused[objective] = [finding.path for finding in findings]
    assert refused == {
        "6": ["/answers/work/answer"],
        "11": ["/answers/security-support/answer", "/answers/return-detention/answer"],
        "13": ["/answers/return-detention/answer"],
        "21": ["/answers/return-detention/answer"],
    }


def test_every_level_has_a_text_of_its_own_at_each_stage() -> None:
    assert dump_rubric(RUBRIC) == CONTENT
    assert stages_of(RUBRIC) == list(STAGES)
    assert {criterion.code for criterion in RUBRIC.criteria if criterion.core} == CORE
    assert len(RUBRIC.criteria) == 14
    general = {level.description for level in RUBRIC.scale.levels}
    for criterion in RUBRIC.criteria:
        texts = [level_text(RUBRIC, criterion, level, stage) for level in range(4) for stage in criterion.stages]
        assert general.isdisjoint(texts)
        assert len({*texts}) == 4 * len({stage.startswith(("concept", "programme")) for stage in criterion.stages})
        # What fits a level stands at the level.
        assert "0:" not in criterion.guidance and "Evidence:" in criterion.guidance


def test_the_second_rubric_is_illustrative_and_says_so() -> None:
    assert (RUBRIC.status, RUBRIC.endorsement, RUBRIC.source_document) == ("illustrative", None, None)
    assert "official self-assessment matrix" in RUBRIC.notes[0] and "not held" in RUBRIC.notes[0]
    assert [(floor.below, floor.cap) for floor in RUBRIC.core_floors] == [(2, "B"), (1, "C")]
