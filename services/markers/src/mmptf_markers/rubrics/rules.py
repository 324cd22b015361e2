"""The code of a published rubric, and scores of answers with the engine's errors as errors of a request."""

from __future__ import annotations

from collections.abc import Mapping

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, InvalidRequest, error_detail
from mmptf_common.wire.suggestions import suggestion_among
from mmptf_markers.engine.results import Answer, AnswerError, RubricUsed, Score
from mmptf_markers.engine.rubric import AssessmentStage, Rubric
from mmptf_markers.engine.scoring import InvalidAnswers, Ticked, score


def published_code(rubric: Rubric | RubricUsed) -> str:
    """The code under which this version of a rubric is published."""
    return f"{rubric.code}.{rubric.version}"


def score_or_raise(
    rubric: Rubric,
    answers: Mapping[str, Answer],
    stage: AssessmentStage,
    ticked: Ticked | None = None,
    *,
    checks_at: str = "/answers/{}/checks",
) -> Score:
    """The score of answers; raises InvalidRequest with every invalid answer.

    ticked: the codes of the ticked checks, by criterion
    checks_at: JSON Pointer of the checks of a criterion in the body, with braces in place of its code
    """
    try:
        return score(rubric, answers, stage, ticked)
    except InvalidAnswers as error:
        raise InvalidRequest([_answer_error(found, checks_at) for found in error.errors]) from error


def _answer_error(found: AnswerError, checks_at: str) -> ErrorDetail:
    allowed = [str(value) for value in found.allowed]
    meant = None
    if found.criterion and found.code == ProblemCode.UNKNOWN_CRITERION:
        meant = suggestion_among(found.criterion, allowed)
    return error_detail(
        found.code,
        f"{found.criterion or 'answers'}: {found.reason}",
        pointer=(checks_at if found.in_checks else "/answers/{}").format(found.criterion)
        if found.criterion
        else "/answers",
        allowed=allowed,
        suggestion=meant and meant.code,
    )
