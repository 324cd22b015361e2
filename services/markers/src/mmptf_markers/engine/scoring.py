"""Scores answers: the grade by exact arithmetic, a reason for each part, the fewest changes to better grades."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Final, NamedTuple

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.shares import Share, share
from mmptf_markers.engine.results import (
    AnswerError,
    AnswerErrorCode,
    AnswerToRaise,
    AppliedGate,
    BetterGrade,
    CriterionScore,
    NextStep,
    ProvisionalScore,
    RubricUsed,
    Score,
)
from mmptf_markers.engine.rubric import (
    NOT_APPLICABLE,
    AssessmentStage,
    CountRule,
    Criterion,
    GradeGate,
    ManualRule,
    Rubric,
    WeightedShareRule,
    checks_at,
    criteria_at,
    grade_position,
    level_position,
    level_text,
    needed,
    stages_of,
)

Levels = Mapping[str, int | None]
Ticked = Mapping[str, Collection[str]]
SET_BY_ASSESSOR: Final = "set by the assessor"


class InvalidAnswers(ValueError):
    """Answers are invalid; `errors` lists everything found."""

    def __init__(self, errors: Sequence[AnswerError]) -> None:
        """Store the errors, and list them all in the message."""
        super().__init__("; ".join(f"{error.criterion or 'answers'}: {error.reason}" for error in errors))
        self.errors = tuple(errors)


class _Outcome(NamedTuple):
    points: Fraction
    of: Fraction
    before: int
    grade: int
    gates: list[GradeGate]


class _Case(NamedTuple):
    """What is scored: the criteria of a stage, the answers as given, the levels that count, and the ticked checks.

    levels, counted: position on the scale by criterion, None for not applicable
    """

    rubric: Rubric
    stage: AssessmentStage
    criteria: Sequence[Criterion]
    levels: Levels
    counted: Levels
    ticked: Ticked


class _Raise(NamedTuple):
    steps: int
    gain: int


def score(rubric: Rubric, answers: Mapping[str, object], stage: AssessmentStage, ticked: Ticked | None = None) -> Score:
    """Grade the answers given at one stage: criterion code to level value, or "not_applicable".

    ticked: by criterion, the codes of its checks that are ticked. A level counts only where all checks of it and of the
    levels below it are; what counts of an answer is the highest such level that is not above it.
    The grade is null while a criterion is unanswered and where the assessor sets it. Shares are exact
    fractions, points exact decimal strings. Raises InvalidAnswers with every error.
    """
    criteria = criteria_at(rubric, stage)
    levels = _levels(rubric, criteria, answers, stage, ticked or {})
    case = _Case(rubric, stage, criteria, levels, _counted(rubric, criteria, levels, stage, ticked or {}), ticked or {})
    missing = [criterion.code for criterion in criteria if criterion.code not in levels]
    outcome = None if isinstance(rubric.rule, ManualRule) else _outcome(rubric, rubric.rule, criteria, case.counted)
    final = None if missing else outcome
    better = _better_grades(case, final)
    return Score(
        rubric=RubricUsed(
            code=rubric.code,
            version=rubric.version,
            hash=rubric.hash,
            status=rubric.status,
            marker=rubric.marker,
        ),
        stage=stage,
        complete=not missing,
        grade=rubric.grades[final.grade].code if final else None,
        grade_before_gates=rubric.grades[final.before].code if final else None,
        reason=_reason(rubric, final, missing, len(criteria)),
        share=_share(final),
        provisional=ProvisionalScore(
            answered=len(criteria) - len(missing), criteria=len(criteria), share_of_answered=_share(outcome)
        )
        if missing
        else None,
        missing=missing,
        criteria=[_criterion_score(case, criterion) for criterion in criteria],
        gates=_applied(rubric, rubric.gates, case.counted, final),
        floors=_applied(rubric, rubric.floors, case.counted, final),
        next_grade=better[0] if better else None,
        better=better,
        next_steps=_next_steps(case),
    )


def _counted(
    rubric: Rubric, criteria: Sequence[Criterion], levels: Levels, stage: AssessmentStage, ticked: Ticked
) -> Levels:
    """The level of each answer that counts: the highest that is not above it and whose checks are all ticked."""
    counted: dict[str, int | None] = {}
    for criterion in criteria:
        if criterion.code in levels:
            level = levels[criterion.code]
            lacking = [
                level_position(rubric, check.level) - 1
                for check in checks_at(criterion, stage)
                if check.code not in ticked.get(criterion.code, ())
            ]
            counted[criterion.code] = None if level is None else min([level, *lacking])
    return counted


def not_ticked(
    rubric: Rubric, criterion: Criterion, level: int, stage: AssessmentStage, ticked: Collection[str]
) -> list[str]:
    """The codes of the checks of a level (its position on the scale) and of those below it that are not ticked."""
    return [
        check.code
        for check in checks_at(criterion, stage)
        if level_position(rubric, check.level) <= level and check.code not in ticked
    ]


def _levels(
    rubric: Rubric, criteria: Sequence[Criterion], answers: Mapping[str, object], stage: AssessmentStage, ticked: Ticked
) -> Levels:
    """The position on the scale by criterion code, None for not applicable; raises InvalidAnswers."""
    if not criteria:
        reason = f"the rubric has no criterion at {stage!r}"
        raise InvalidAnswers([_error(None, ProblemCode.STAGE_NOT_COVERED, reason, stages_of(rubric))])
    at_stage = {criterion.code: criterion for criterion in criteria}
    elsewhere = {criterion.code: criterion for criterion in rubric.criteria}
    values = [level.value for level in rubric.scale.levels]
    levels: dict[str, int | None] = {}
    errors: list[AnswerError] = []
    for code, answer in answers.items():
        if code not in elsewhere:
            errors.append(
                _error(code, ProblemCode.UNKNOWN_CRITERION, "the rubric has no such criterion", list(at_stage))
            )
            continue
        if code not in at_stage:
            at = elsewhere[code].stages
            errors.append(
                _error(
                    code, ProblemCode.WRONG_STAGE, f"is not asked at {stage}, only at {', '.join(at)}", list(at_stage)
                )
            )
            continue
        allowed = [*values, NOT_APPLICABLE] if at_stage[code].not_applicable else values
        # Types are compared too: in Python True equals 1 and 2.0 equals 2, but neither is an answer.
        place = next((at for at, value in enumerate(values) if type(answer) is type(value) and answer == value), None)
        if place is not None:
            levels[code] = place
        elif answer != NOT_APPLICABLE:
            errors.append(_error(code, ProblemCode.UNKNOWN_LEVEL, "the answer is no level of the scale", allowed))
        elif at_stage[code].not_applicable:
            levels[code] = None
        else:
            errors.append(_error(code, ProblemCode.NOT_APPLICABLE_REFUSED, "this criterion always applies", allowed))
    errors += _tick_errors(at_stage, answers.keys(), stage, ticked)
    if not errors and len(levels) == len(at_stage) and all(level is None for level in levels.values()):
        errors.append(_error(None, ProblemCode.NOTHING_APPLICABLE, "at least one criterion must apply", []))
    if errors:
        raise InvalidAnswers(errors)
    return levels


def _tick_errors(
    at_stage: Mapping[str, Criterion], answers: Collection[str], stage: AssessmentStage, ticked: Ticked
) -> list[AnswerError]:
    """The errors of checks that are said to be ticked and that the rubric does not ask at the stage."""
    errors: list[AnswerError] = []
    for code, checks in ticked.items():
        if code not in at_stage:
            # Of a criterion that is answered, too, the same is said already.
            if code in answers:
                continue
            reason = f"the rubric has no criterion with checks of this code at {stage}"
            errors.append(_error(code, ProblemCode.UNKNOWN_CRITERION, reason, list(at_stage), in_checks=True))
            continue
        known = [check.code for check in checks_at(at_stage[code], stage)]
        errors += [
            _error(code, ProblemCode.UNKNOWN_CODE, f"has no check {check!r} at {stage}", known, in_checks=True)
            for check in checks
            if check not in known
        ]
    return errors


def _outcome(
    rubric: Rubric, rule: WeightedShareRule | CountRule, criteria: Sequence[Criterion], levels: Levels
) -> _Outcome | None:
    """The points and the grade of the answers given so far; None while no answer has points."""
    points = of = Fraction()
    for criterion in criteria:
        level = levels.get(criterion.code)
        if level is not None:
            points += rubric.points[criterion.code][level]
        if level is not None or (criterion.code in levels and isinstance(rule, CountRule)):
            of += _full(rubric, criterion)
    if not of:
        return None
    before = next(grade_position(rubric, band.grade) for band in rule.bands if points >= needed(rubric, band, of))
    gates = [gate for gate in rubric.caps if _below(rubric, gate, levels)]
    grade = max([before, *(grade_position(rubric, gate.cap) for gate in gates)])
    return _Outcome(points, of, before, grade, gates)


def _better_grades(case: _Case, outcome: _Outcome | None) -> list[BetterGrade]:
    """The fewest changes to each better grade, nearest first; grades that no changes lead to are left out."""
    better: list[BetterGrade] = []
    rule = case.rubric.rule
    if isinstance(rule, ManualRule) or outcome is None:
        return better
    grade = outcome.grade
    # The fewest changes to a grade or better that end at a better one are also the fewest to that better one.
    while grade and (found := _changes_to(case, rule, outcome, grade - 1)):
        better.append(found)
        grade = grade_position(case.rubric, found.grade)
    return better


def _changes_to(case: _Case, rule: WeightedShareRule | CountRule, outcome: _Outcome, target: int) -> BetterGrade | None:
    """The changes that lead to a grade or a better one: the fewest criteria, then the fewest level steps."""
    rubric, levels = case.rubric, case.counted
    # The best grade always has a band, so `enough` is not empty; its last band requires the fewest points.
    enough = [band for band in rule.bands if grade_position(rubric, band.grade) <= target]
    deficit = needed(rubric, enough[-1], outcome.of) - outcome.points
    open_criteria = [criterion for criterion in case.criteria if levels[criterion.code] is not None]
    gates = [gate for gate in outcome.gates if grade_position(rubric, gate.cap) > target]
    points = [rubric.points[criterion.code] for criterion in open_criteria]
    # Scaled to integers, which are as exact as fractions and many times faster.
    unit = lcm(deficit.denominator, *(share.denominator for shares in points for share in shares))
    options = [
        _raises(rubric, criterion, levels[criterion.code] or 0, [int(share * unit) for share in shares], gates)
        for criterion, shares in zip(open_criteria, points, strict=True)
    ]
    chosen = _cheapest(options, int(deficit * unit))
    if chosen is None:
        return None
    raised = [
        (criterion, (levels[criterion.code] or 0) + steps)
        for criterion, steps in zip(open_criteria, chosen, strict=True)
        if steps
    ]
    reached = _outcome(rubric, rule, case.criteria, {**levels, **{c.code: level for c, level in raised}})
    if reached is None or reached.grade > target:
        raise AssertionError("the changes found do not lead to the grade")
    return BetterGrade(
        grade=rubric.grades[reached.grade].code,
        steps=sum(chosen),
        changes=[_answer_to_raise(case, criterion, level) for criterion, level in raised],
    )


def _answer_to_raise(case: _Case, criterion: Criterion, to: int) -> AnswerToRaise:
    scale, level = case.rubric.scale.levels, case.counted[criterion.code] or 0
    return AnswerToRaise(
        criterion=criterion.code,
        answer=scale[level].value,
        label=scale[level].label,
        to=scale[to].value,
        to_label=scale[to].label,
        steps=to - level,
        text=level_text(case.rubric, criterion, to, case.stage),
        checks=not_ticked(case.rubric, criterion, to, case.stage, case.ticked.get(criterion.code, ())),
    )


def _next_steps(case: _Case) -> list[NextStep]:
    """One level more for each answer that has one above it: core criteria first, then the lowest answers."""
    found = [
        (criterion, level)
        for criterion in case.criteria
        if (level := case.counted.get(criterion.code)) is not None and level + 1 < len(case.rubric.scale.levels)
    ]
    steps: list[NextStep] = []
    for criterion, level in sorted(found, key=lambda one: (not one[0].core, one[1])):
        change = _answer_to_raise(case, criterion, level + 1)
        steps.append(
            NextStep(
                criterion=criterion.code,
                question=criterion.question,
                core=criterion.core,
                answer=change.answer,
                label=change.label,
                to=change.to,
                to_label=change.to_label,
                text=change.text,
                guidance=criterion.guidance,
                checks=change.checks,
            )
        )
    return steps


def _raises(
    rubric: Rubric, criterion: Criterion, level: int, points: Sequence[int], gates: Sequence[GradeGate]
) -> list[_Raise]:
    """The possible raises of one answer: only those that satisfy the gates on it; points: of each level."""
    floor = max(
        (level_position(rubric, gate.below) for gate in gates if gate.criterion == criterion.code), default=level
    )
    return [_Raise(to - level, points[to] - points[level]) for to in range(floor, len(points))]


def _cheapest(options: Sequence[Sequence[_Raise]], deficit: int) -> list[int] | None:
    """Steps for each criterion that gain at least `deficit` points together; None when no choice does.

    Fewest criteria changed, then fewest steps; among equals the criterion earlier in the rubric is changed,
    by as few steps as still work.
    """
    limit = _fewest(options, deficit)
    if limit is None:
        return None
    # tails[i]: for criteria i and after, the greatest gain for each (criteria changed, steps).
    tails: list[dict[tuple[int, int], int]] = [{(0, 0): 0}]
    for choices in reversed(options):
        table: dict[tuple[int, int], int] = {}
        for (changed, steps), gain in tails[-1].items():
            for choice in choices:
                key = (changed + bool(choice.steps), steps + choice.steps)
                if key[0] <= limit and (key not in table or table[key] < gain + choice.gain):
                    table[key] = gain + choice.gain
        tails.append(table)
    tails.reverse()
    changed, steps = min(key for key, gain in tails[0].items() if gain >= deficit)
    chosen: list[int] = []
    for choices, tail in zip(options, tails[1:], strict=True):
        for choice in sorted(choices, key=lambda choice: (not choice.steps, choice.steps)):
            rest = (changed - bool(choice.steps), steps - choice.steps)
            if rest in tail and tail[rest] + choice.gain >= deficit:
                chosen.append(choice.steps)
                (changed, steps), deficit = rest, deficit - choice.gain
                break
    return chosen


def _fewest(options: Sequence[Sequence[_Raise]], deficit: int) -> int | None:
    """The least number of criteria to change: those under a gate, then those that gain most; None if too few."""
    forced = [choices for choices in options if choices[0].steps]
    free = sorted((choices[-1].gain for choices in options if not choices[0].steps), reverse=True)
    deficit -= sum(choices[-1].gain for choices in forced)
    for count in range(len(free) + 1):
        if sum(free[:count]) >= deficit:
            return len(forced) + count
    return None


def _criterion_score(case: _Case, criterion: Criterion) -> CriterionScore:
    rubric = case.rubric
    answer: int | str | None = None
    counted: int | str | None = None
    label = points = of = None
    lacking: list[str] = []
    manual = isinstance(rubric.rule, ManualRule)
    if not manual:
        of = _decimal(_full(rubric, criterion))
    given, level = case.levels.get(criterion.code), case.counted.get(criterion.code)
    if criterion.code not in case.levels:
        explanation = "Not answered yet."
    elif given is None or level is None:
        answer, label = NOT_APPLICABLE, "Not applicable"
        if isinstance(rubric.rule, CountRule):
            points, explanation = "0", "Not applicable, so not counted as met."
        else:
            of, explanation = None, "Not applicable, so left out of the share."
    else:
        answer, label = rubric.scale.levels[given].value, rubric.scale.levels[given].label
        lacking = not_ticked(rubric, criterion, given, case.stage, case.ticked.get(criterion.code, ()))
        said = f"Answered {answer} ({label})"
        if level < given:
            counted = rubric.scale.levels[level].value
            label_counted = rubric.scale.levels[level].label
            said += f" without {', '.join(lacking)}, so counted as {counted} ({label_counted})"
        explanation = f"{said}; the assessor weighs it."
        if not manual:
            points = _decimal(rubric.points[criterion.code][level])
            if isinstance(rubric.rule, CountRule):
                met = "meets" if points == "1" else "does not meet"
                explanation = f"{said}, which {met} the required level {rubric.rule.level}."
            else:
                explanation = f"{said} with weight {criterion.weight}: {points} of {of} points."
    return CriterionScore(
        criterion=criterion.code,
        principle=criterion.principle,
        answer=answer,
        label=label,
        counted=counted,
        not_ticked=lacking,
        weight=criterion.weight,
        points=points,
        of=of,
        explanation=explanation,
    )


def _applied(rubric: Rubric, gates: Sequence[GradeGate], levels: Levels, final: _Outcome | None) -> list[AppliedGate]:
    """Those of the gates whose condition fails."""
    applied: list[AppliedGate] = []
    for gate in gates:
        if _below(rubric, gate, levels):
            answer = rubric.scale.levels[levels[gate.criterion] or 0]
            lowers = final is not None and grade_position(rubric, gate.cap) > final.before
            applied.append(
                AppliedGate(
                    criterion=gate.criterion,
                    answer=answer.value,
                    label=answer.label,
                    below=gate.below,
                    cap=gate.cap,
                    capped=rubric.grades[final.before].code if final and lowers else None,
                    reason=gate.reason,
                )
            )
    return applied


def _reason(rubric: Rubric, final: _Outcome | None, missing: Sequence[str], asked: int) -> str:
    if missing:
        return f"{len(missing)} of {asked} criteria are not answered"
    share = _share(final)
    if final is None or share is None:
        return SET_BY_ASSESSOR
    before, grade = rubric.grades[final.before].code, rubric.grades[final.grade].code
    points, of = _decimal(final.points), _decimal(final.of)
    if isinstance(rubric.rule, CountRule):
        text = f"{points} of {of} criteria are met, which gives {before}"
    else:
        text = f"{points} of {of} points, {share.per_cent} %, give {before}"
    if before == grade:
        return text
    by = "a gate" if any(gate in rubric.gates for gate in final.gates if gate.cap == grade) else "a core floor"
    return f"{text}, capped at {grade} by {by}"


def _share(outcome: _Outcome | None) -> Share | None:
    return share(outcome.points, outcome.of) if outcome else None


def _decimal(number: Fraction) -> str:
    text = f"{Decimal(number.numerator) / Decimal(number.denominator):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _full(rubric: Rubric, criterion: Criterion) -> Fraction:
    return rubric.points[criterion.code][-1]


def _below(rubric: Rubric, gate: GradeGate, levels: Levels) -> bool:
    level = levels.get(gate.criterion)
    return level is not None and level < level_position(rubric, gate.below)


def _error(
    criterion: str | None,
    code: AnswerErrorCode,
    reason: str,
    allowed: Sequence[int | str],
    *,
    in_checks: bool = False,
) -> AnswerError:
    return AnswerError(criterion=criterion, code=code, reason=reason, allowed=list(allowed), in_checks=in_checks)
