"""A marker's questionnaire as data: its models, its content hash, and the JSON Schema of its answers."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, JsonValue, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel, worded
from mmptf_common.wire.sources import SourceRef

AssessmentStage = TypeAliasType(
    "AssessmentStage",
    Literal["concept_note", "programme_document", "annual_report", "final_report", "evaluation"],
)
"""Stage of a programme's life at which it is assessed, named by the document that is read for it; in this order.

- `concept_note`: the idea, before it is worked out
- `programme_document`: the full proposal, as it is approved
- `annual_report`: the report on one year of work, which `year` names
- `final_report`: the report after the end of the work
- `evaluation`: the evaluation of the programme by others, during the work or after it, in the year that `year` names
"""

STAGES: Final[tuple[AssessmentStage, ...]] = get_args(AssessmentStage.__value__)
# The stages of a year, at which there is one assessment for each.
YEARLY: Final[frozenset[AssessmentStage]] = frozenset({"annual_report", "evaluation"})
RubricStatus = TypeAliasType(
    "RubricStatus",
    Literal["illustrative", "official"],
)
"""Where the content of a rubric comes from, which never changes.

- `illustrative`: written for this software to show how a marker works; it is not the Fund's
- `official`: taken from the Fund's document, which it names with its endorsement
"""

Phase = TypeAliasType("Phase", Literal["design", "delivery"])
"""Whether an answer is about what a programme plans or about what it did.

- `design`: the concept note and the programme document, in which only what is written down counts
- `delivery`: every later stage, at which only what happened counts
"""

NOT_APPLICABLE: Final = "not_applicable"


def unstated(member: object) -> bool:
    """Whether a member that may be left out says nothing; then it is neither written nor part of the hash."""
    return member is None or member is False or member == ()


def _one_error(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        raise PydanticCustomError("exact_number", "is neither an integer nor a decimal string") from None


Text = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f][^\x00-\x08\x0b-\x1f\x7f]*$", max_length=4000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]{1,6}(\.[0-9]{1,6})?$")]
ExactNumber = TypeAliasType(
    "ExactNumber",
    Annotated[Annotated[int, Field(ge=-999_999, le=999_999)] | DecimalText, WrapValidator(_one_error)],
)
"""A number of a rubric without rounding: an integer, or a decimal number as a text."""

Language = Annotated[
    str,
    Field(
        pattern=worded(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "the BCP 47 tag of a language, such as en or fr-CA"),
        max_length=35,
    ),
]
ShareText = Annotated[str, Field(pattern=r"^([0-9]{1,6}/[1-9][0-9]{0,5}|[0-9]{1,3}(\.[0-9]{1,6})?)$")]


class RubricGrade(ResponseModel):
    """One of the grades that a rubric gives, what it means, and where that is printed."""

    code: Code
    """Code of the grade, such as `A`."""
    name: Text
    """Name of the grade, such as Largely achieved."""
    meaning: Text
    """What a programme with this grade has achieved."""
    source: SourceRef
    """Where the meaning is printed."""


class ScaleLevel(ResponseModel):
    """One of the answers to choose from."""

    value: ExactNumber
    """Value of the answer, as an integer or decimal text, such as `2`; points are weight times value."""
    label: Text
    """The answer in a few words, such as Partly built in."""
    description: Text
    """When this answer is the right one."""


class AnswerScale(ResponseModel):
    """The answers to choose from, the same for all criteria."""

    levels: tuple[ScaleLevel, ...]
    """The answers, the lowest first."""
    not_applicable: bool
    """Whether the scale has the further answer `not_applicable`, which a criterion has to allow, too."""


class RubricPrinciple(ResponseModel):
    """A principle, such as participation, that criteria of the rubric serve."""

    code: Code
    """Code of the principle, such as `analysis`, by which criteria name it."""
    name: Text
    """Name of the principle, for people."""
    description: Text
    """What the principle demands of a programme."""


class LevelText(ResponseModel):
    """When a level is the right answer to one criterion, for each phase in which the criterion is asked."""

    value: ExactNumber
    """Value of the level on the scale."""
    design: Annotated[Text | None, Field(exclude_if=unstated)] = None
    """What a concept note or a programme document has to say for this level; left out where it is not asked then."""
    delivery: Annotated[Text | None, Field(exclude_if=unstated)] = None
    """What has to have happened for this level; left out where the criterion is not asked after the design."""


class LevelCheck(ResponseModel):
    """A question to be answered with yes or no, without which its level and those above it do not hold."""

    code: Code
    """Code of the check within its criterion, such as `written-rule`."""
    level: ExactNumber
    """Value of the lowest level that does not hold before the check is ticked."""
    phase: Annotated[Phase | None, Field(exclude_if=unstated)] = None
    """The phase in which it is asked; left out where it is asked in both."""
    text: Text
    """What is true where the check is ticked."""


class Applicability(ResponseModel):
    """The codes of the catalogue with which a criterion applies: a programme that has one of them has to answer it."""

    objectives: Annotated[tuple[Code, ...], Field(exclude_if=unstated)] = ()
    """Codes of objectives of the Global Compact, as at `/catalog/v1/objectives`, such as `13`."""
    thematic_areas: Annotated[tuple[Code, ...], Field(exclude_if=unstated)] = ()
    """Codes of thematic areas, as at `/catalog/v1/thematic-areas`."""
    places: Annotated[tuple[Code, ...], Field(exclude_if=unstated)] = ()
    """Codes of places, as at `/catalog/v1/places`, such as `LBY`."""


class Criterion(ResponseModel):
    """One question of a rubric, how much its answer weighs, the stages at which it is asked, and what supports it.

    A member that is left out asks for nothing.
    """

    code: Code
    """Code of the criterion, by which answers name it, such as `due-diligence`."""
    principle: Code
    """Code of the principle that the criterion serves, such as `analysis`."""
    question: Text
    """The question as it is put to the assessor."""
    guidance: Text
    """What to look at before answering."""
    weight: ExactNumber
    """Weight of the answer, as an integer or decimal text: its points are weight times value of the answer."""
    stages: tuple[AssessmentStage, ...]
    """Stages of a programme's life at which it is asked."""
    not_applicable: bool
    """Whether the criterion may be answered with `not_applicable`."""
    applies_if: Annotated[Applicability | None, Field(exclude_if=unstated)] = None
    """Programmes to which it applies for certain, so that their answer is not `not_applicable`."""
    core: Annotated[bool, Field(exclude_if=unstated)] = False
    """Whether the core floors of the rubric hold for its answer."""
    levels: Annotated[tuple[LevelText, ...], Field(exclude_if=unstated)] = ()
    """When each level of the scale is the right answer to this criterion, the lowest first; in place of the texts of
    the scale.
    """
    checks: Annotated[tuple[LevelCheck, ...], Field(exclude_if=unstated)] = ()
    """What has to be true for a level to hold; all checks of a level and of those below it have to be ticked."""
    justification_min: Annotated[Annotated[int, Field(ge=1, le=4000)] | None, Field(exclude_if=unstated)] = None
    """Least number of characters of the justification, which is then no other criterion's either."""
    evidence_from: Annotated[ExactNumber | None, Field(exclude_if=unstated)] = None
    """Value of the lowest answer that needs evidence."""
    register_from: Annotated[ExactNumber | None, Field(exclude_if=unstated)] = None
    """Value of the lowest answer that needs a risk in the register of due diligence."""
    action_below: Annotated[ExactNumber | None, Field(exclude_if=unstated)] = None
    """An answer below this value needs an action with an owner and a due date."""


class ShareBand(ResponseModel):
    """A grade and the least share of points that gives it."""

    grade: Code
    """Code of the grade, such as `A`."""
    minimum: ShareText
    """Least share of the points to be had that gives the grade, from 0 to 1, as a fraction or decimal text, such as
    `3/4`.
    """


class CountBand(ResponseModel):
    """A grade and the least number of criteria met that gives it."""

    grade: Code
    """Code of the grade, such as `A`."""
    minimum: Annotated[int, Field(ge=0)]
    """Least number of criteria met that gives the grade."""


Bands = Sequence[ShareBand | CountBand]


class WeightedShareRule(ResponseModel):
    """The grade follows from the points of all answers, as a share of the most that could be had.

    The points of an answer are its weight times its value; a criterion that is not applicable counts in neither.
    """

    type: Literal["weighted_share"]
    """Always `weighted_share`, by which programs recognize this kind of rule."""
    bands: tuple[ShareBand, ...]
    """The grades, the best first, each with the least share that gives it."""


class CountRule(ResponseModel):
    """The grade follows from the number of criteria that are met; one that is not applicable is not met."""

    type: Literal["count"]
    """Always `count`, by which programs recognize this kind of rule."""
    level: ExactNumber
    """Value of the lowest answer with which a criterion is met."""
    bands: tuple[CountBand, ...]
    """The grades, the best first, each with the least number that gives it."""


class ManualRule(ResponseModel):
    """The assessor sets the grade, and the answers support it; none is computed."""

    type: Literal["manual"]
    """Always `manual`, by which programs recognize this kind of rule."""


class GradeGate(ResponseModel):
    """A condition on one criterion: where its answer is too low, the grade is no better than `cap`, whatever the
    points.
    """

    criterion: Code
    """Code of the criterion whose answer is looked at."""
    below: ExactNumber
    """The condition fails where the answer is below this value of the scale."""
    cap: Code
    """Code of the best grade that is left then."""
    reason: Text
    """Why the rubric has the gate, for people."""


class CoreFloor(ResponseModel):
    """A condition on every core criterion: where one answer is too low, the grade is no better than `cap`."""

    below: ExactNumber
    """The condition fails where the answer to a core criterion is below this value of the scale."""
    cap: Code
    """Code of the best grade that is left then."""
    reason: Text
    """Why the rubric has the floor, for people."""


class SourceDocument(ResponseModel):
    """The document that a rubric or its translation was taken from."""

    title: Text
    """Title as printed."""
    edition: Text | None
    """Edition or date, as printed; null where there is none."""
    url: Text | None
    """Address at which it is published; null where there is none."""
    sha256: Sha256 | None
    """SHA-256 of the file, in hexadecimal digits; null where there is no file."""


class Endorsement(ResponseModel):
    """Who adopted the rubric, and when."""

    body: Text
    """Name of the body that adopted the rubric."""
    date: date
    """Day on which the rubric was adopted."""
    reference: Text | None
    """The decision, such as by its number; null where there is none."""


class Rubric(ResponseModel):
    """One version of a marker's questionnaire, which never changes: questions, answers, and the rule that gives the
    grade.
    """

    code: Code
    """Code of the rubric without version, such as `hr-marker-illustrative`."""
    version: Code
    """Version of the rubric; a correction has another one."""
    title: Text
    """Title of the questionnaire, for people."""
    status: RubricStatus
    """Whether it was taken from the Fund's document, or is an illustration of how a marker works."""
    language: Language
    """BCP 47 tag of the language of its texts, such as `en`."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    grades: tuple[RubricGrade, ...]
    """The grades, the best first."""
    scale: AnswerScale
    """The answers to choose from."""
    principles: tuple[RubricPrinciple, ...]
    """The principles that the criteria serve."""
    criteria: tuple[Criterion, ...]
    """The questions, in their order."""
    rule: Annotated[WeightedShareRule | CountRule | ManualRule, Field(discriminator="type")]
    """How a grade comes from the answers."""
    gates: tuple[GradeGate, ...]
    """Conditions on single criteria under which the grade is no better than a certain one."""
    core_floors: Annotated[tuple[CoreFloor, ...], Field(exclude_if=unstated)] = ()
    """Conditions that hold for each core criterion; left out where no criterion is core."""
    source_document: SourceDocument | None
    """The document that it was taken from; null for an illustrative one."""
    endorsement: Endorsement | None
    """Who adopted it; null for an illustrative one."""
    notes: tuple[Text, ...]
    """What a reader has to know before using it."""
    hash: Sha256
    """SHA-256 of the rubric's content, in hexadecimal digits; the same hash is the same rubric."""

    @cached_property
    def points(self) -> dict[str, list[Fraction]]:
        """Points of each level, from the lowest on, by criterion, under a computed rule.

        weighted_share: weight times value. count: 1 at or above the rule's level, else 0.
        """
        values = [level.value for level in self.scale.levels]
        if isinstance(self.rule, CountRule):
            met = level_position(self, self.rule.level)
            counted = [Fraction(level >= met) for level in range(len(values))]
            return {criterion.code: counted for criterion in self.criteria}
        shares = [Fraction(value) for value in values]
        return {c.code: [Fraction(c.weight) * share for share in shares] for c in self.criteria}

    @cached_property
    def floors(self) -> tuple[GradeGate, ...]:
        """The core floors as gates, one of each core criterion and floor."""
        return tuple(
            GradeGate(criterion=criterion.code, below=floor.below, cap=floor.cap, reason=floor.reason)
            for criterion in self.criteria
            if criterion.core
            for floor in self.core_floors
        )

    @cached_property
    def caps(self) -> tuple[GradeGate, ...]:
        """Everything that can cap the grade: the gates, then the core floors."""
        return self.gates + self.floors


def content_hash(rubric: Rubric) -> str:
    """SHA-256, in hex, of the canonical JSON (sorted keys, no spaces, UTF-8) of all that is stated but `hash`."""
    content = rubric.model_dump(mode="json", exclude={"hash"})
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def answers_schema(rubric: Rubric, stage: AssessmentStage | None) -> dict[str, JsonValue]:
    """JSON Schema 2020-12 of the answers object at one stage; with null, of the criteria of all stages.

    The object is closed. Nothing in it is required, because incomplete answers are scored too. Where the rubric has
    checks, `$defs` has the schema of those that are ticked, by criterion.
    """
    criteria = criteria_at(rubric, stage) if stage else rubric.criteria
    checks: dict[str, JsonValue] = {
        criterion.code: _ticked_schema(asked) for criterion in criteria if (asked := checks_at(criterion, stage))
    }
    schema: dict[str, JsonValue] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{rubric.title}, version {rubric.version}: answers" + (f" at {stage}" if stage else ""),
        "type": "object",
        "properties": {criterion.code: _answer_schema(rubric, criterion, stage) for criterion in criteria},
        "additionalProperties": False,
    }
    if checks:
        schema["$defs"] = {"checks": {"type": "object", "properties": checks, "additionalProperties": False}}
    return schema


def _answer_schema(rubric: Rubric, criterion: Criterion, stage: AssessmentStage | None) -> JsonValue:
    choices: list[JsonValue] = [
        {"const": level.value, "title": level.label, "description": level_text(rubric, criterion, at, stage)}
        for at, level in enumerate(rubric.scale.levels)
    ]
    if criterion.not_applicable:
        choices.append({"const": NOT_APPLICABLE, "title": "Not applicable"})
    return {"title": criterion.question, "description": criterion.guidance, "oneOf": choices}


def _ticked_schema(checks: Sequence[LevelCheck]) -> JsonValue:
    choices: list[JsonValue] = [{"const": check.code, "title": check.text} for check in checks]
    return {"type": "array", "items": {"oneOf": choices}, "uniqueItems": True}


def phase_of(stage: AssessmentStage) -> Phase:
    """The phase that a stage belongs to."""
    return "design" if stage in ("concept_note", "programme_document") else "delivery"


def level_text(rubric: Rubric, criterion: Criterion, level: int, stage: AssessmentStage | None) -> str:
    """When a level is the right answer to a criterion at a stage; with null, and without a text of its own, in general.

    level: position on the scale
    """
    own = getattr(criterion.levels[level], phase_of(stage)) if stage and criterion.levels else None
    return own or rubric.scale.levels[level].description


def checks_at(criterion: Criterion, stage: AssessmentStage | None) -> list[LevelCheck]:
    """The checks of a criterion that are asked at a stage; with null, all of them."""
    return [check for check in criterion.checks if stage is None or check.phase in (None, phase_of(stage))]


def stages_of(rubric: Rubric) -> list[AssessmentStage]:
    """The stages at which at least one criterion applies, in the order of the life cycle."""
    return [stage for stage in STAGES if criteria_at(rubric, stage)]


def criteria_at(rubric: Rubric, stage: str) -> list[Criterion]:
    """The criteria which apply at a stage, in the order of the rubric."""
    return [criterion for criterion in rubric.criteria if stage in criterion.stages]


def needed(rubric: Rubric, band: ShareBand | CountBand, of: Fraction) -> Fraction:
    """The fewest points which reach a band, when `of` points can be had."""
    return Fraction(band.minimum) * of if isinstance(band, ShareBand) else Fraction(band.minimum)


def level_position(rubric: Rubric, value: int | str) -> int:
    """Position of a level on the scale, by its value as written; ValueError when there is none."""
    return [level.value for level in rubric.scale.levels].index(value)


def grade_position(rubric: Rubric, code: str) -> int:
    """Position of a grade, 0 being the best; ValueError when there is none."""
    return [grade.code for grade in rubric.grades].index(code)
