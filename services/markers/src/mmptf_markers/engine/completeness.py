"""What an assessment lacks before it is submitted: what its rubric asks for beside the answers."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, NamedTuple

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_markers.engine.reading import pointer
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import (
    NOT_APPLICABLE,
    AssessmentStage,
    Criterion,
    Rubric,
    criteria_at,
    level_position,
)
from mmptf_markers.engine.scoring import not_ticked


class StatedAnswer(NamedTuple):
    """An answer and what supports it.

    evidence: number of pieces of evidence that a reader can find
    actions: number of open actions that have an owner and a due date
    checks: the codes of the checks that are ticked
    """

    answer: Answer
    justification: str | None
    evidence: int
    actions: int
    checks: Collection[str]


class CatalogueFacts(NamedTuple):
    """The codes of a programme in the catalogue that decide which criteria apply to it."""

    objectives: Collection[str]
    thematic_areas: Collection[str]
    places: Collection[str]


class Finding(NamedTuple):
    """One thing that an assessment lacks: where, as a JSON Pointer into its content, and why it is needed."""

    path: str
    code: Literal[ProblemCode.MISSING_MEMBER, ProblemCode.INVALID_VALUE, ProblemCode.NOT_APPLICABLE_REFUSED]
    reason: str


def find_lacking(
    rubric: Rubric,
    stage: AssessmentStage,
    answers: Mapping[str, StatedAnswer],
    risks: int,
    programme: CatalogueFacts,
) -> list[Finding]:
    """Everything that an assessment lacks, in the order of the criteria; empty where the rubric asks for nothing more.

    answers: those that `score` accepts; of one that is missing, and of a missing justification, nothing is said
    risks: number of rows of the register of due diligence
    """
    findings: list[Finding] = []
    for criterion in criteria_at(rubric, stage):
        if (stated := answers.get(criterion.code)) is None:
            continue
        findings += _justification_findings(criterion, stated, answers)
        if stated.answer == NOT_APPLICABLE:
            findings += _applicability_findings(criterion, programme)
        else:
            findings += _support_findings(rubric, criterion, stage, stated, risks)
    return findings


def codes_that_apply(criterion: Criterion, programme: CatalogueFacts) -> list[str]:
    """The codes of a programme with which a criterion applies to it; empty where the catalogue does not say so."""
    stated = criterion.applies_if
    if stated is None:
        return []
    return [
        *(f"objective {code}" for code in stated.objectives if code in programme.objectives),
        *(f"thematic area {code}" for code in stated.thematic_areas if code in programme.thematic_areas),
        *(f"place {code}" for code in stated.places if code in programme.places),
    ]


def _applicability_findings(criterion: Criterion, programme: CatalogueFacts) -> Iterator[Finding]:
    if because := codes_that_apply(criterion, programme):
        reason = f"the criterion applies to the programme, which the catalogue gives {', '.join(because)}"
        yield Finding(_place(criterion, "answer"), ProblemCode.NOT_APPLICABLE_REFUSED, reason)


def _justification_findings(
    criterion: Criterion, stated: StatedAnswer, answers: Mapping[str, StatedAnswer]
) -> Iterator[Finding]:
    if criterion.justification_min is None or not stated.justification:
        return
    place, text = _place(criterion, "justification"), _compared(stated.justification)
    if len(text) < criterion.justification_min:
        reason = f"has {len(text)} characters; the rubric asks for {criterion.justification_min} or more"
        yield Finding(place, ProblemCode.INVALID_VALUE, reason)
    same = [
        code
        for code, other in answers.items()
        if code != criterion.code and other.justification and _compared(other.justification) == text
    ]
    if same:
        reason = f"is the same as that of {', '.join(same)}; each answer has its own"
        yield Finding(place, ProblemCode.INVALID_VALUE, reason)


def _support_findings(
    rubric: Rubric, criterion: Criterion, stage: AssessmentStage, stated: StatedAnswer, risks: int
) -> Iterator[Finding]:
    level = level_position(rubric, stated.answer)
    lacking = not_ticked(rubric, criterion, level, stage, stated.checks)
    if lacking:
        reason = f"the answer {stated.answer} does not hold without the checks {', '.join(lacking)}"
        yield Finding(_place(criterion, "checks"), ProblemCode.MISSING_MEMBER, reason)
    since = criterion.evidence_from
    if since is not None and level >= level_position(rubric, since) and not stated.evidence:
        reason = f"an answer from {since} on needs evidence: a link or a document, and where in it"
        yield Finding(_place(criterion, "evidence"), ProblemCode.MISSING_MEMBER, reason)
    since = criterion.register_from
    if since is not None and level >= level_position(rubric, since) and not risks:
        reason = f"an answer from {since} on to {criterion.code} needs a risk in the register"
        yield Finding("/due_diligence", ProblemCode.MISSING_MEMBER, reason)
    below = criterion.action_below
    if below is not None and level < level_position(rubric, below) and not stated.actions:
        reason = f"an answer below {below} needs an open action with an owner and a due date"
        yield Finding(_place(criterion, "actions"), ProblemCode.MISSING_MEMBER, reason)


def _place(criterion: Criterion, member: str) -> str:
    return pointer(["answers", criterion.code, member])


def _compared(text: str) -> str:
    """A text without differences of case and of spaces."""
    return " ".join(text.split()).casefold()
