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

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.sources import SourceRef

AssessmentStage = TypeAliasType(
    "AssessmentStage",
    Literal["concept_note", "programme_document", "annual_report", "final_report"],
)
"""Stage of a programme's life at which it is assessed, by the document that is assessed.

- `concept_note`: the concept note
- `programme_document`: the joint programme document
- `annual_report`: an annual report, for one year
- `final_report`: the final report
"""

STAGES: Final[tuple[AssessmentStage, ...]] = get_args(AssessmentStage.__value__)
RubricStatus = TypeAliasType(
    "RubricStatus",
    Literal["illustrative", "official", "superseded"],
)
"""Status of a published rubric now.

- `illustrative`: an illustration of ours; no official document is behind it
- `official`: taken from the official document
- `superseded`: another version holds in its place
"""

RubricContentStatus = TypeAliasType(
    "RubricContentStatus",
    Literal["illustrative", "official"],
)
"""Status that the content of a rubric states of itself, which never changes.

- `illustrative`: an illustration of ours; no official document is behind it
- `official`: taken from the official document
"""

NOT_APPLICABLE: Final = "not_applicable"


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

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
ShareText = Annotated[str, Field(pattern=r"^([0-9]{1,6}/[1-9][0-9]{0,5}|[0-9]{1,3}(\.[0-9]{1,6})?)$")]


class RubricGrade(ResponseModel):
    """One outcome of the marker, what it means, and where that is printed."""

    code: Code
    """Code of the grade, such as `A`."""
    name: Text
    """Name of the grade, for people."""
    meaning: Text
    """What a programme with this grade has achieved."""
    source: SourceRef
    """Where that is printed."""


class ScaleLevel(ResponseModel):
    """One answer on the scale; `value` is an exact integer or decimal string."""

    value: ExactNumber
    """Value of the answer, as an integer or decimal text."""
    label: Text
    """The answer in a few words."""
    description: Text
    """When this answer is the right one."""


class AnswerScale(ResponseModel):
    """The answers to choose from, lowest first, and whether a criterion may allow `not_applicable`."""

    levels: tuple[ScaleLevel, ...]
    """The answers, the lowest first."""
    not_applicable: bool
    """Whether a criterion may be answered with `not_applicable`."""


class RubricPrinciple(ResponseModel):
    """A principle which criteria serve."""

    code: Code
    """Code by which criteria name it."""
    name: Text
    """Name, for people."""
    description: Text
    """What the principle demands."""


class Criterion(ResponseModel):
    """One question, the weight of its answer, and the stages at which it is asked."""

    code: Code
    """Code by which answers name it."""
    principle: Code
    """Code of the principle that the criterion serves."""
    question: Text
    """The question that is answered."""
    guidance: Text
    """What to look at before answering."""
    weight: ExactNumber
    """Weight of its answer, as an integer or decimal text."""
    stages: tuple[AssessmentStage, ...]
    """Stages of a programme's life at which it is asked."""
    not_applicable: bool
    """Whether `not_applicable` is an answer to it."""


class ShareBand(ResponseModel):
    """A grade and the least share of points that gives it: an exact fraction or decimal string, 0 to 1."""

    grade: Code
    """Code of the grade."""
    minimum: ShareText
    """Least share of points that gives it, from 0 to 1, as a fraction or decimal text."""


class CountBand(ResponseModel):
    """A grade and the least number of criteria met that gives it."""

    grade: Code
    """Code of the grade."""
    minimum: Annotated[int, Field(ge=0)]
    """Least number of criteria met that gives it."""


Bands = Sequence[ShareBand | CountBand]


class WeightedShareRule(ResponseModel):
    """Points (weight times value) as a share of those to be had; `not_applicable` is left out of both."""

    type: Literal["weighted_share"]
    """The rule: points as a share of those to be had."""
    bands: tuple[ShareBand, ...]
    """The grades with their thresholds, the best first."""


class CountRule(ResponseModel):
    """The number of criteria answered at `level` or above; `not_applicable` does not count as met."""

    type: Literal["count"]
    """The rule: how many criteria are met."""
    level: ExactNumber
    """The answer from which on a criterion is met."""
    bands: tuple[CountBand, ...]
    """The grades with their thresholds, the best first."""


class ManualRule(ResponseModel):
    """The assessor sets the grade and the answers support it."""

    type: Literal["manual"]
    """The rule: the assessor sets the grade."""


class GradeGate(ResponseModel):
    """An answer below this level on this criterion caps the grade."""

    criterion: Code
    """Code of the criterion in the rubric."""
    below: ExactNumber
    """The answer below which the gate applies."""
    cap: Code
    """Best grade that the gate leaves."""
    reason: Text
    """Why the rubric has it, for people."""


class SourceDocument(ResponseModel):
    """The document a rubric was taken from; `sha256` is the hash of the file."""

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
    """Who adopted it."""
    date: date
    """Day on which it was adopted."""
    reference: Text | None
    """The decision by its number; null where there is none."""


class Rubric(ResponseModel):
    """One version of a marker's questionnaire, from `load_rubric`, never changed; grades are best first."""

    code: Code
    """Code of the rubric, the same for all its versions."""
    version: Code
    """Version, which is never published twice."""
    title: Text
    """Title, for people."""
    status: RubricContentStatus
    """Whether it was taken from the official document or is an illustration."""
    language: Language
    """BCP 47 tag of the language, such as `en`."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    grades: tuple[RubricGrade, ...]
    """The grades, the best first."""
    scale: AnswerScale
    """The answers to choose from."""
    principles: tuple[RubricPrinciple, ...]
    """The principles that criteria serve."""
    criteria: tuple[Criterion, ...]
    """The questions, in their order."""
    rule: Annotated[WeightedShareRule | CountRule | ManualRule, Field(discriminator="type")]
    """How a grade comes from the answers."""
    gates: tuple[GradeGate, ...]
    """Answers that cap the grade."""
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


def content_hash(rubric: Rubric) -> str:
    """SHA-256, in hex, of the canonical JSON (sorted keys, no spaces, UTF-8) of all but `hash` itself."""
    content = rubric.model_dump(mode="json", exclude={"hash"})
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def answers_schema(rubric: Rubric, stage: AssessmentStage | None) -> dict[str, JsonValue]:
    """JSON Schema 2020-12 of the answers object at one stage; with null, of the criteria of all stages.

    The object is closed. Nothing in it is required, because incomplete answers are scored too.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{rubric.title}, version {rubric.version}: answers" + (f" at {stage}" if stage else ""),
        "type": "object",
        "properties": {
            criterion.code: _answer_schema(rubric, criterion)
            for criterion in (criteria_at(rubric, stage) if stage else rubric.criteria)
        },
        "additionalProperties": False,
    }


def _answer_schema(rubric: Rubric, criterion: Criterion) -> JsonValue:
    choices: list[JsonValue] = [
        {"const": level.value, "title": level.label, "description": level.description} for level in rubric.scale.levels
    ]
    if criterion.not_applicable:
        choices.append({"const": NOT_APPLICABLE, "title": "Not applicable"})
    return {"title": criterion.question, "description": criterion.guidance, "oneOf": choices}


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
