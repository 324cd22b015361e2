"""The wire shapes of published rubrics, their translations and scores."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmptf_common.http.parameters import ListQuery, Values
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.pages import Page
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import Language, Rubric, RubricStatus, Sha256, SourceDocument, Stage
from mmptf_markers.engine.translation import Coverage


class PublishedRubric(ResponseModel):
    """One published version of a rubric: `content` never changes, `hash` proves it, `status` is its standing now.

    `superseded_by` is the rubric that holds in its place, null while it is not superseded.
    """

    code: Code
    rubric: Code
    version: Code
    title: str
    marker: Code
    status: RubricStatus
    superseded_by: Code | None
    hash: Sha256
    answers_schema: str
    content: Rubric
    updated: datetime


class PublishedRubricPage(Page[PublishedRubric]):
    """One page of published rubrics."""


class RubricQuery(ListQuery):
    """Which rubrics."""

    sort: Annotated[Literal["code", "-code", "updated", "-updated"], Field(description="The order.")] = "code"
    rubric: Annotated[Values, Field(description="Code of a rubric, all its versions.")]
    status: Annotated[list[RubricStatus], Field(default_factory=list, max_length=100)]


class PublishedTranslation(ResponseModel):
    """The texts of a published rubric in one language, by JSON Pointers into its `content`; `hash` is the rubric's.

    `verified` is false where nobody who answers for the rubric has confirmed them.
    """

    code: Code
    rubric: Code
    language: Language
    hash: Sha256
    verified: bool
    source: SourceDocument | None
    coverage: Coverage
    texts: dict[str, str]
    updated: datetime


class PublishedTranslationPage(Page[PublishedTranslation]):
    """One page of translations of published rubrics."""


class TranslationQuery(ListQuery):
    """Which translations."""

    sort: Annotated[Literal["code", "-code", "updated", "-updated"], Field(description="The order.")] = "code"
    rubric: Annotated[Values, Field(description="Code of a published rubric, with its version.")]
    language: Annotated[Values, Field(description="Language that rubrics are translated into.")]


class AnswersSchemaQuery(BaseModel):
    """For which stage the answers are described, and in which language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Annotated[
        Stage | None, Field(description="One stage; without it, the criteria of all.", examples=["programme_document"])
    ] = None
    language: Annotated[
        Language | None, Field(description="A language of the rubric's translations; without it, that of the rubric.")
    ] = None


class ScoreRequest(ResponseModel):
    """Answers to score, by criterion, under a rubric at a stage.

    A version of null is the one published last among those that are not superseded.
    """

    rubric: Code
    version: Code | None
    stage: Stage
    answers: dict[str, Answer]
