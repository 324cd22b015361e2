"""The assessments that are written out in the documentation are graded as it says."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mmptf_markers.engine.completeness import CatalogueFacts, StatedAnswer, find_lacking
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.rubric import NOT_APPLICABLE, checks_at, criteria_at
from mmptf_markers.engine.scoring import score

RUBRIC = load_rubric((files("mmptf_markers") / "data" / "rubrics" / "hr-marker-illustrative-2.json").read_bytes())
PAGE = (Path(__file__).parents[3] / "docs" / "marker-examples.md").read_text("utf-8")
EXAMPLES = PAGE.split("\n## ")[1:]
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d|not_applicable) \| (.*) \|$", re.MULTILINE)
# Which criterion the next steps begin with.
WEAKEST = {
    "Fair": "equality", "Border": "participation", "Return": "participation", "Skills": "obligations-analysis",
    "Cash": "firewall", "Awareness": "due-diligence",
}  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split(" ")[0])
def test_an_example_has_its_grade(example: str) -> None:
    stage: Any = example.partition("Stage: `")[2].partition("`")[0]
    rows = ROW.findall(example)
    answers: dict[str, int | str] = {code: said if said == NOT_APPLICABLE else int(said) for code, said, _ in rows}
    asked = criteria_at(RUBRIC, stage)
    assert list(answers) == [criterion.code for criterion in asked]
    ticked = {criterion.code: [check.code for check in checks_at(criterion, stage)] for criterion in asked}
    found = score(RUBRIC, answers, stage, ticked)
    assert f"**Grade {found.grade}.** {found.reason}\n" in example
    assert found.next_steps[0].criterion == WEAKEST[example.split(" ")[0]]
    # With evidence and actions beside them, which are left out there, they could be submitted.
    stated = {
        code: StatedAnswer(answers[code], said, evidence=1, actions=1, checks=ticked[code]) for code, _, said in rows
    }
    assert find_lacking(RUBRIC, stage, stated, 1, CatalogueFacts((), (), ())) == []


def test_two_are_strong_two_middling_and_two_weak() -> None:
    assert sorted(re.findall(r"\*\*Grade ([A-C])\.\*\*", PAGE)) == ["A", "A", "B", "B", "C", "C"]
