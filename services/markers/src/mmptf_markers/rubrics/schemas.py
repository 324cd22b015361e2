"""The wire shapes of published rubrics, their translations and scores."""

from datetime import datetime

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.pages import Page
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import AssessmentStage, Language, Rubric, RubricStatus, Sha256, SourceDocument
from mmptf_markers.engine.translation import TranslationCoverage


class PublishedRubric(ResponseModel):
    """One published version of a rubric: `content` never changes, `hash` proves it, `status` is the one it has now.

    `superseded_by` is the rubric that holds in its place, null while it is not superseded.
    """

    code: Code
    """Code of this version: rubric and version."""
    rubric: Code
    """Code of the rubric, the same for all its versions."""
    version: Code
    """Version, which stands after the point in `code`."""
    title: str
    """Title, for people."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    status: RubricStatus
    """Status now, which is that of the content until it is superseded."""
    superseded_by: Code | None
    """Code of the version that holds in its place; null while it is not superseded."""
    hash: Sha256
    """SHA-256 of the rubric's content, in hexadecimal digits; the same hash is the same rubric."""
    answers_schema: str
    """Path of the JSON Schema of its answers."""
    content: Rubric
    """The rubric as it was published."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class PublishedRubricPage(Page[PublishedRubric]):
    """One page of published rubrics."""


class PublishedTranslation(ResponseModel):
    """The texts of a published rubric in one language, by JSON Pointers into its `content`; `hash` is the rubric's.

    `verified` is false where nobody who answers for the rubric has confirmed them.
    """

    code: Code
    """Code of the translation: rubric, version and language."""
    rubric: Code
    """Code of the version of the rubric."""
    language: Language
    """BCP 47 tag of the language, such as `en`."""
    hash: Sha256
    """SHA-256 of the rubric's content, in hexadecimal digits; the same hash is the same rubric."""
    verified: bool
    """Whether a text at hand confirms it; false for what only general knowledge or a submission says."""
    source: SourceDocument | None
    """The document that the texts were taken from; null where there is none."""
    coverage: TranslationCoverage
    """How many of the rubric's texts it has."""
    texts: dict[str, str]
    """The translated texts, by JSON Pointers into the rubric's `content`."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class PublishedTranslationPage(Page[PublishedTranslation]):
    """One page of translations of published rubrics."""


class ScoreRequest(ResponseModel):
    """Answers to score, by criterion, under a rubric at a stage.

    A version of null is the one published last among those that are not superseded.
    """

    rubric: Code
    """Code of the rubric."""
    version: Code | None
    """Version of the rubric; null for the one published last that is not superseded."""
    stage: AssessmentStage
    """Stage of the programme's life at which the criteria are asked."""
    answers: dict[str, Answer]
    """Values of the answers, by criterion."""
