"""Published rubrics as those find them who write under one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.wire.problems import ErrorDetail, InvalidRequest, closest_match, error_detail
from mmptf_markers.engine.results import Answer, AnswerError, Score
from mmptf_markers.engine.rubric import Rubric, Stage
from mmptf_markers.engine.scoring import InvalidAnswers, score

# When a version was published: `updated` moves when it is superseded.
PUBLISHED = "(SELECT min(seq) FROM change WHERE entity = 'rubric' AND key = rubric.code)"


def code_of(rubric: Rubric) -> str:
    """The code under which a version of a rubric is published."""
    return f"{rubric.code}.{rubric.version}"


@lru_cache(maxsize=64)
def read(document: str) -> Rubric:
    """What a published rubric says; it never changes, so it is read once for each standing."""
    return Rubric.model_validate(json.loads(document)["content"])


def scored(rubric: Rubric, answers: Mapping[str, Answer], stage: Stage) -> Score:
    """The grade that answers give, and its reasons; InvalidRequest names every answer that does not fit."""
    try:
        return score(rubric, answers, stage)
    except InvalidAnswers as error:
        raise InvalidRequest([_error_of(found) for found in error.errors]) from error


def _error_of(found: AnswerError) -> ErrorDetail:
    allowed = [str(value) for value in found.allowed]
    return error_detail(
        found.code,
        f"{found.criterion or 'answers'}: {found.reason}",
        pointer=f"/answers/{found.criterion}" if found.criterion else "/answers",
        allowed=allowed,
        suggestion=closest_match(found.criterion, allowed)
        if found.criterion and found.code == "unknown_criterion"
        else None,
    )


async def published(session: AsyncSession, code: str | None, *, marker: str) -> Rubric | None:
    """The version of a rubric that is named, else that of a marker which was published last and is not superseded."""
    which = "code = :named" if code else "document->>'marker' = :named AND status <> 'superseded'"
    found = await session.scalar(
        sa.text(f"SELECT document::text FROM rubric WHERE {which} ORDER BY {PUBLISHED} DESC LIMIT 1"),
        {"named": code or marker},
    )
    return read(found) if found else None


async def codes(session: AsyncSession) -> list[str]:
    """The codes of all versions of all rubrics."""
    return list(await session.scalars(sa.text("SELECT code FROM rubric ORDER BY code")))


async def markers(session: AsyncSession) -> list[str]:
    """The markers that any rubric is of."""
    return list(await session.scalars(sa.text("SELECT DISTINCT document->>'marker' FROM rubric ORDER BY 1")))


async def grades_of(session: AsyncSession, marker: str) -> list[str]:
    """Every grade that any rubric of a marker knows."""
    found = await session.scalars(
        sa.text(
            "SELECT DISTINCT grade->>'code' FROM rubric, json_array_elements(document#>'{content,grades}') AS grade"
            " WHERE document->>'marker' = :marker ORDER BY 1"
        ),
        {"marker": marker},
    )
    return list(found)
