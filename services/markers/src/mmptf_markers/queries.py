"""What is read from the marker service: published rubrics, and a score of answers under one of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common import conditional
from mmptf_common.db import reading
from mmptf_common.documents import documents_of
from mmptf_common.listing import Filter, Listing
from mmptf_common.openapi import dump
from mmptf_common.pages import fetch_item
from mmptf_common.problems import InvalidRequest, fault, near
from mmptf_common.query import PointInTime, canonical, parse
from mmptf_markers import schemas
from mmptf_markers.rubric import Rubric, answers_schema
from mmptf_markers.scoring import InvalidAnswers, score

PATH = "/markers/v1"

DOCUMENTS = documents_of("markers")


RUBRICS = Listing(
    path=f"{PATH}/rubrics",
    entity="rubric",
    item=schemas.PublishedRubric,
    page=schemas.PublishedRubricPage,
    rows="rubric",
    query=schemas.RubricQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "rubric": Filter("rubric = ANY({}::text[])", "SELECT DISTINCT rubric FROM rubric", f"{PATH}/rubrics"),
        "status": Filter("status = ANY({}::text[])"),
    },
    columns={
        "code": "code",
        "rubric": "rubric",
        "version": "version",
        "title": "document->>'title'",
        "marker": "document->>'marker'",
        "status": "status",
        "hash": "hash",
        "criteria": "json_array_length(document#>'{content,criteria}')",
        "answers_schema": "document->>'answers_schema'",
        "updated": "document->>'updated'",
    },
)


@lru_cache(maxsize=64)
def _content(document: str) -> Rubric:
    """A published rubric; the text never changes, so it is read once."""
    return schemas.PublishedRubric.model_validate_json(document).content


async def answer_answers_schema(request: Request, code: str) -> Response:
    """The JSON Schema that answers under one published rubric have to satisfy."""
    query = parse(request, schemas.AnswersSchemaQuery)
    found = await fetch_item(request, RUBRICS, code, PointInTime())
    if isinstance(found, Response):
        return found
    document, revision = found
    tag = conditional.etag(request, revision, canonical(query))
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    schema = answers_schema(_content(document), query.stage)
    return Response(dump(schema), media_type="application/schema+json", headers=conditional.headers(tag))


async def score_answers(request: Request, asked: schemas.ScoreRequest) -> schemas.Score:
    """Grade answers under a published rubric, keeping nothing; InvalidRequest names every answer that does not fit."""
    async with reading(request.app.state.database) as connection:
        rows = await connection.fetch(
            "SELECT version, document::text FROM rubric WHERE rubric = $1 ORDER BY updated DESC, code DESC",
            asked.rubric,
        )
        if not rows:
            known = [row[0] for row in await connection.fetch("SELECT DISTINCT rubric FROM rubric")]
            raise InvalidRequest([_not_published("/rubric", asked.rubric, known)])
    versions: dict[str, Any] = {row["version"]: row["document"] for row in rows}
    version = asked.version or rows[0]["version"]
    if version not in versions:
        raise InvalidRequest([_not_published("/version", version, list(versions))])
    try:
        return score(_content(versions[version]), asked.answers, asked.stage)
    except InvalidAnswers as error:
        raise InvalidRequest(
            [
                fault(
                    f.code,
                    f"{f.criterion or 'answers'}: {f.reason}",
                    pointer=f"/answers/{f.criterion}" if f.criterion else "/answers",
                    allowed=[str(value) for value in f.allowed],
                    suggestion=near(f.criterion, map(str, f.allowed))
                    if f.criterion and f.code == "unknown_criterion"
                    else None,
                )
                for f in error.faults
            ]
        ) from error


def _not_published(pointer: str, value: str, known: list[str]) -> Any:
    return fault(
        "unknown_code",
        f"{value!r} is not published; published are {', '.join(known)}",
        pointer=pointer,
        allowed=known,
        suggestion=near(value, known),
    )
