"""The wire shapes of published rubrics, their translations and scores."""

from datetime import datetime

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.pages import Page
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import Language, Rubric, RubricStatus, Sha256, SourceDocument, Stage
from mmptf_markers.engine.translation import Coverage


class PublishedRubric(ResponseModel):
    """One published version of a rubric: `content` never changes, `hash` proves it, `status` is the one it has now.

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


class ScoreRequest(ResponseModel):
    """Answers to score, by criterion, under a rubric at a stage.

    A version of null is the one published last among those that are not superseded.
    """

    rubric: Code
    version: Code | None
    stage: Stage
    answers: dict[str, Answer]
