"""What an assessment states, what it lacks, and which of its grades differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from mmptf_common.wire.problems import ErrorDetail, InvalidRequest
from mmptf_markers.actions.schemas import OpenAction
from mmptf_markers.assessments import rules
from mmptf_markers.assessments.schemas import (
    AssessmentContent,
    CriterionAnswer,
    DeclarationSent,
    DerivedGrade,
    PlannedAction,
    Review,
    ReviewedAnswer,
)
from mmptf_markers.engine.completeness import CatalogueFacts
from mmptf_markers.engine.rubric import NOT_APPLICABLE
from mmptf_markers.evidence.schemas import Evidence, Risk
from mmptf_markers.rubrics.rules import published_code, score_or_raise
from tests.unit.markers.rubrics import STAGE, loaded, small

SHARES = {"type": "weighted_share", "bands": [{"grade": "A", "minimum": "1/2"}, {"grade": "B", "minimum": "0"}]}
COMPUTED = loaded(small(SHARES, ["A", "B"], [1, 1]))
MANUAL = loaded(small({"type": "manual"}, ["A", "B"], [1, 1]))
RISK = {"risk": "Data could reach enforcement.", "people": "Migrants", "measure": "Firewalls.", "owner": "Team"}


def answered(answer: int | str, justification: str | None = "As the document says.") -> CriterionAnswer:
    return CriterionAnswer(answer=answer, justification=justification, evidence=[], actions=[])


def stating(declared: str | None = None, **answers: CriterionAnswer) -> rules.Content:
    return rules.Content(answers=answers, due_diligence=[], declared_grade=declared, document_date=date(2026, 1, 1))


def sent(**members: Any) -> AssessmentContent:
    return AssessmentContent.model_validate(members)


def places(errors: list[ErrorDetail]) -> list[tuple[str, str | None]]:
    return [(error.code, error.pointer) for error in errors]


PROGRAMME = CatalogueFacts(objectives={"13"}, thematic_areas={"3"}, places={"SRB"})


def lacking(
    rubric: Any, content: rules.Content, *missing: str, earlier: Sequence[OpenAction] = ()
) -> list[ErrorDetail]:
    return rules.completeness_errors(rubric, STAGE, content, missing, PROGRAMME, earlier)


def earlier_action(kind: Any, criterion: str | None) -> OpenAction:
    """One that an earlier assessment planned."""
    return OpenAction(
        code="ACT-000001", kind=kind, assessment="A-000001", criterion=criterion, action="x", owner="Team", due=None
    )


def test_what_is_sent_becomes_dates_and_every_member_is_there() -> None:
    action = {"action": "Agree on referral.", "owner": "Team", "due": "2026-06-30"}
    answers = {"c0": {"answer": 2, "actions": [action]}}
    content = rules.amend_content(rules.NOTHING_STATED, sent(answers=answers, due_diligence=[RISK]))
    due = PlannedAction(action="Agree on referral.", owner="Team", due=date(2026, 6, 30))
    assert content.answers == {"c0": CriterionAnswer(answer=2, justification=None, evidence=[], actions=[due])}
    assert content.due_diligence == [Risk(**RISK, due=None)]
    assert content.declared_grade is None


def test_answers_replace_one_another_one_by_one_in_their_order() -> None:
    before = stating("A", c0=answered(0), c1=answered(1), c2=answered(2))
    change = sent(answers={"c3": {"answer": 1}, "c1": {"answer": 2}, "c0": None, "c9": None})
    after = rules.amend_content(before, change)
    assert [(criterion, answer.answer) for criterion, answer in after.answers.items()] == [
        ("c1", 2),
        ("c2", 2),
        ("c3", 1),
    ]
    assert after.answers["c1"].justification is None
    assert after.declared_grade == "A"
    assert [answer.answer for answer in before.answers.values()] == [0, 1, 2]


def test_a_member_that_is_not_sent_stays_and_null_takes_a_grade_back() -> None:
    before = rules.Content({"c0": answered(1)}, [Risk(**RISK, due=None)], "B", date(2026, 1, 1))
    assert rules.amend_content(before, sent()) == before
    assert rules.amend_content(before, sent(declared_grade=None)) == rules.Content(
        before.answers, before.due_diligence, None, date(2026, 1, 1)
    )
    assert rules.amend_content(before, sent(due_diligence=[])).due_diligence == []
    assert rules.amend_content(before, sent(document_date="2025-02-03")).document_date == date(2025, 2, 3)
    assert rules.amend_content(before, sent(document_date=None)).document_date is None


@pytest.mark.parametrize(
    ("stage", "year", "expected"),
    [
        ("annual_report", 2025, []), ("concept_note", None, []),
        ("annual_report", None, [("missing_member", "/year", "/year: an annual_report is of a year")]),
        ("evaluation", None, [("missing_member", "/year", "/year: an evaluation is of a year")]),
        ("evaluation", 2026, []),
        ("annual_report", 2027, [("in_the_future", "/year", "/year: 2027 is not past")]),
        ("final_report", 2025, [("not_applicable", "/year", "/year: a final_report is of no year")]),
    ],
)  # fmt: skip
def test_reports_of_a_year_alone_are_of_a_year(stage: Any, year: int | None, expected: list[Any]) -> None:
    errors = rules.year_errors(stage, year, date(2026, 11, 28))
    assert [(error.code, error.pointer, error.detail) for error in errors] == expected


def test_a_draft_lacks_answers_then_reasons_then_a_grade() -> None:
    content = stating(c0=answered(2, justification=None))
    missing, unjustified = ("missing_member", "/answers/c1"), ("missing_member", "/answers/c0/justification")
    assert places(lacking(COMPUTED, content, "c1")) == [missing, unjustified]
    errors = lacking(MANUAL, content, "c1")
    assert places(errors) == [missing, unjustified, ("missing_member", "/declared_grade")]
    assert errors[-1].allowed == ["A", "B"]
    complete = {"c0": answered(2), "c1": answered(NOT_APPLICABLE)}
    assert lacking(COMPUTED, stating(**complete)) == []
    assert lacking(MANUAL, stating("B", **complete)) == []
    for rubric in (COMPUTED, MANUAL):
        errors = lacking(rubric, stating("D", **complete))
        assert places(errors) == [("unknown_code", "/declared_grade")]


def test_what_supports_an_answer_is_needed_as_the_rubric_says() -> None:
    document = small(SHARES, ["A", "B"], [1, 1])
    document["criteria"][0] |= {"evidence_from": 1, "register_from": 2, "justification_min": 10}
    document["criteria"][0]["checks"] = [{"code": "rule", "level": 2, "text": "A rule is written."}]
    document["criteria"][1] |= {"applies_if": {"objectives": ["13"], "places": ["LBY"]}, "action_below": 2}
    rubric = loaded(document)
    full = answered(2, "The document says so in section 2.")
    shown = Evidence(title="Report", url=None, document="Report", locator="p. 3")
    open_action = PlannedAction(action="x", owner="Team", due=date(2027, 1, 1))
    full = full.model_copy(update={"checks": ["rule"], "evidence": [shown]})
    low = answered(1).model_copy(update={"actions": [open_action]})
    day = date(2026, 1, 1)
    content = rules.Content({"c0": full, "c1": low}, [Risk(**RISK, due=None)], None, day)
    assert lacking(rubric, content) == []
    unplaced = full.model_copy(update={"evidence": [shown.model_copy(update={"locator": None})], "checks": []})
    done = low.model_copy(update={"actions": [open_action.model_copy(update={"done": date(2026, 1, 1)})]})
    assert places(lacking(rubric, rules.Content({"c0": unplaced, "c1": done}, [], None, day))) == [
        ("missing_member", "/answers/c0/checks"),
        ("missing_member", "/answers/c0/evidence"),
        ("missing_member", "/due_diligence"),
        ("missing_member", "/answers/c1/actions"),
    ]
    # What earlier assessments planned goes on, and counts.
    planned = [earlier_action("measure", None), earlier_action("action", "c1"), earlier_action("action", "c0")]
    bare = {"c0": full, "c1": low.model_copy(update={"actions": []})}
    assert lacking(rubric, rules.Content(bare, [], None, day), earlier=planned) == []
    assert places(lacking(rubric, rules.Content(bare, [], None, day), earlier=planned[2:])) == [
        ("missing_member", "/due_diligence"),
        ("missing_member", "/answers/c1/actions"),
    ]
    short = {"c0": answered(0, "As said."), "c1": answered(NOT_APPLICABLE, "AS  said.")}
    errors = lacking(rubric, stating(**short))
    assert places(errors) == [
        ("invalid_value", "/answers/c0/justification"),
        ("invalid_value", "/answers/c0/justification"),
        ("not_applicable_refused", "/answers/c1/answer"),
    ]
    assert "objective 13" in errors[2].detail and "LBY" not in errors[2].detail


@pytest.mark.parametrize(
    ("rubric", "grade", "expected"),
    [
        (COMPUTED, None, []), (COMPUTED, "A", [("not_applicable", "/grade")]),
        (MANUAL, None, [("missing_member", "/grade")]), (MANUAL, "A", []), (MANUAL, "D", [("unknown_code", "/grade")]),
    ],
)  # fmt: skip
def test_a_reviewer_states_the_grade_where_the_answers_give_none(rubric: Any, grade: str | None, expected: Any) -> None:
    assert places(rules.reviewed_grade_errors(rubric, grade)) == expected


def derived(grade: str | None) -> DerivedGrade:
    return DerivedGrade(grade=grade, before_gates=grade, share=None, reason="x")


def review(grade: str, *own: str) -> Review:
    answers = {criterion: ReviewedAnswer(answer=1, instead_of=2, reason="x") for criterion in own}
    return Review(
        decision="accept",
        organization="OHCHR",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        comment="x",
        answers=answers,
        derived=derived(grade),
        grade=grade,
    )


@pytest.mark.parametrize(
    ("declared", "by_answers", "reviewed", "expected"),
    [
        (None, None, None, []),
        ("A", None, None, []),
        ("A", derived("B"), None, ["declared_derived"]),
        (None, derived("B"), review("B"), []),
        ("A", derived(None), review("B"), ["declared_reviewed"]),
        ("A", derived("B"), review("B"), ["declared_derived", "declared_reviewed"]),
        ("A", derived("A"), review("B", "c0"), ["derived_reviewed", "declared_reviewed", "answers"]),
        ("A", derived("B"), review("C"), ["declared_derived", "derived_reviewed", "declared_reviewed"]),
        (None, derived("A"), review("A", "c0"), ["answers"]),
    ],
)
def test_grades_that_differ_are_named(declared: Any, by_answers: Any, reviewed: Any, expected: list[str]) -> None:
    assert rules.find_differences(declared, by_answers, reviewed) == expected


def test_every_error_of_a_declaration_is_stated_at_once() -> None:
    declaration = {
        "programme": "SRB-01", "marker": "test", "stage": "annual_report", "grade": "D", "date": "2026-01-02",
        "organization": "IMO", "source": {"document": "Programme document", "locator": "p. 1"},
    }  # fmt: skip
    known = {"grades": {"test": ["A", "B"]}, "participants": {"ILO", "IOM"}, "today": date(2026, 1, 1)}
    errors = rules.declaration_errors(DeclarationSent.model_validate(declaration), **known)
    assert places(errors) == [
        ("missing_member", "/year"), ("unknown_code", "/grade"), ("unknown_code", "/organization"),
        ("in_the_future", "/date"),
    ]  # fmt: skip
    # IMO is another organization than IOM, and iom is none.
    assert [error.suggestion for error in errors] == [None, None, None, None]
    lower = rules.declaration_errors(DeclarationSent.model_validate({**declaration, "organization": "iom"}), **known)
    assert [error.suggestion for error in lower] == [None, None, "IOM", None]
    other = {**declaration, "marker": "tests", "year": 2025, "organization": "ILO", "date": "2026-01-01"}
    (error,) = rules.declaration_errors(DeclarationSent.model_validate(other), **known)
    assert (error.pointer, error.allowed, error.suggestion) == ("/marker", ["test"], "test")


def test_answers_that_do_not_fit_their_rubric_are_named_in_the_body() -> None:
    assert published_code(COMPUTED) == "small.1"
    with pytest.raises(InvalidRequest) as refused:
        score_or_raise(COMPUTED, {"c0": 9, "c01": 1}, STAGE)
    assert places(refused.value.errors) == [("unknown_level", "/answers/c0"), ("unknown_criterion", "/answers/c01")]
    assert refused.value.errors[1].suggestion == "c1"
    assert refused.value.errors[0].allowed == ["0", "1", "2", NOT_APPLICABLE]
