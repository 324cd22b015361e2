"""The marker service's wire shapes that are not the engine's own: published rubrics and how they are asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmptf_common.listing import Page
from mmptf_common.query import ListQuery, Values
from mmptf_common.schemas import Code, Wire
from mmptf_markers.rubric import Rubric, Stage

RubricStatus = Literal["illustrative", "official", "superseded"]


class PublishedRubric(Wire):
    """One published version of a rubric: `content` never changes, `hash` proves it, `status` is its standing now."""

    code: Code
    rubric: Code
    version: Code
    title: str
    marker: Code
    status: RubricStatus
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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


class AnswersSchemaQuery(BaseModel):
    """For which stage the answers are described."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Annotated[
        Stage | None, Field(description="One stage; without it, the criteria of all.", examples=["programme_document"])
    ] = None
