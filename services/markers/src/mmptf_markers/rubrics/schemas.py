"""The wire shapes of published rubrics, their translations and scores."""

import json
from datetime import datetime
from typing import Annotated

import yaml
from pydantic import Field

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.pages import Page
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import AssessmentStage, Language, Rubric, RubricStatus, Sha256, SourceDocument
from mmptf_markers.engine.translation import TranslationCoverage


class PublishedRubric(ResponseModel):
    """One published version of a marker's questionnaire: its content never changes, its status can."""

    code: Code
    """Code of this version: rubric and version, such as `hr-marker-illustrative.1`."""
    rubric: Code
    """Code of the rubric, the same for all its versions, such as `hr-marker-illustrative`."""
    version: Code
    """The version alone, such as `1`."""
    title: str
    """Title of the questionnaire, for people."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    status: RubricStatus
    """Whether this version is official or illustrative."""
    superseded: bool
    """Whether another version replaces this one, which is then for corrections of assessments under it alone."""
    superseded_by: Code | None
    """Code of the version that replaces this one; null while it is in force."""
    hash: Sha256
    """SHA-256 of the rubric's content, in hexadecimal digits; the same hash is the same rubric."""
    answers_schema: str
    """Path of the JSON Schema that answers under it have to satisfy."""
    content: Rubric
    """The questionnaire as it was published."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class PublishedRubricPage(Page[PublishedRubric]):
    """One page of published rubrics."""


EXAMPLE_SOURCE = """
      field: meaning
      document: example
      line: null
      locator: null
      as_printed: null
      verified: false
      note: null"""
# A rubric as it is sent. Its marker is that of the example alone.
EXAMPLE_RUBRIC = f"""\
code: example-rubric
version: "1"
title: An example of a rubric
status: illustrative
language: en
marker: example_marker
grades:
  - code: A
    name: Achieved
    meaning: Those concerned decide with others.
    source: {EXAMPLE_SOURCE}
  - code: B
    name: Not achieved
    meaning: Others decide for those concerned.
    source: {EXAMPLE_SOURCE}
scale:
  levels:
    - {{value: 0, label: "No", description: It is not so.}}
    - {{value: 1, label: "Yes", description: It is so.}}
  not_applicable: false
principles:
  - {{code: participation, name: Participation, description: Those concerned take part in decisions.}}
criteria:
  - code: participation
    principle: participation
    question: Do those concerned take part in decisions?
    guidance: Look for seats in the steering body.
    weight: 1
    stages: [concept_note, programme_document]
    not_applicable: false
    checks:
      - {{code: seats, level: 1, text: They have seats in the steering body.}}
    justification_min: 80
rule:
  type: weighted_share
  bands:
    - {{grade: A, minimum: "1"}}
    - {{grade: B, minimum: "0"}}
gates: []
source_document: null
endorsement: null
notes: []
hash: null
"""
EXAMPLE_RUBRIC_AS_JSON = json.dumps(yaml.safe_load(EXAMPLE_RUBRIC), ensure_ascii=False, indent=2)


class PublishedTranslation(ResponseModel):
    """The texts of one published rubric in another language."""

    code: Code
    """Code of the translation: rubric, version and language, such as `hr-marker-illustrative.1.fr`."""
    rubric: Code
    """Code of the version of the rubric, such as `hr-marker-illustrative.1`."""
    language: Language
    """BCP 47 tag of the language of the translation, such as `fr`."""
    hash: Sha256
    """SHA-256 of the content of the rubric that is translated, in hexadecimal digits, equal to the rubric's `hash`."""
    verified: bool
    """Whether those who answer for the rubric have confirmed the translation."""
    source: SourceDocument | None
    """The document that the texts were taken from; null where there is none."""
    coverage: TranslationCoverage
    """How many of the rubric's texts it has."""
    texts: dict[str, str]
    """The translated texts, by JSON Pointers (RFC 6901) into the rubric's `content`, such as `/criteria/0/question`."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class PublishedTranslationPage(Page[PublishedTranslation]):
    """One page of translations of published rubrics."""


class ScoreRequest(ResponseModel):
    """Answers that are scored and not stored."""

    rubric: Code
    """Code of the rubric without version, such as `hr-marker-illustrative`."""
    version: Code | None
    """Version of the rubric, such as `1`; null for the last published official one that is not superseded, and without
    one for the last published illustrative one.
    """
    stage: AssessmentStage
    """Stage of the programme's life; it decides which criteria are asked."""
    answers: Annotated[dict[Code, Answer], Field(max_length=200)]
    """Value of the answer by code of the criterion: one of the scale, or `not_applicable`. Criteria may be left out."""
    checks: Annotated[dict[Code, Annotated[list[Code], Field(max_length=50)]], Field(max_length=200)] = {}
    """Codes of the ticked checks by code of the criterion, where the rubric has checks."""
    language: Language | None = None
    """Language of the rubric's texts in the score, of which a translation is there; without it, that of the rubric."""
