"""What is read from the marker service: published rubrics, and a score of answers under one of them."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional
from mmptf_common.http.openapi import dump
from mmptf_common.http.parameters import PointInTime, canonical, parse
from mmptf_common.lists.listing import VERSION, Filter, Listing
from mmptf_common.lists.pages import fetch_item
from mmptf_common.lists.publications import publications_of
from mmptf_common.storage.engines import reading
from mmptf_common.wire.problems import InvalidRequest, error_detail, not_one_of, unknown_code
from mmptf_markers import rubrics, schemas
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.rubric import Rubric, answers_schema
from mmptf_markers.engine.translation import Translation, translated

PATH = "/markers/v1"

PUBLICATIONS = publications_of("markers")


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


TRANSLATIONS = Listing(
    path=f"{PATH}/translations",
    entity="translation",
    item=schemas.PublishedTranslation,
    page=schemas.PublishedTranslationPage,
    rows="translation",
    query=schemas.TranslationQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "rubric": Filter("rubric = ANY({}::text[])", "SELECT code FROM rubric", f"{PATH}/rubrics"),
        "language": Filter(
            "language = ANY({}::text[])", "SELECT DISTINCT language FROM translation", f"{PATH}/translations"
        ),
    },
    columns={
        "code": "code",
        "rubric": "rubric",
        "language": "language",
        "verified": "document->>'verified'",
        "translated": "document#>>'{coverage,translated}'",
        "texts": "document#>>'{coverage,texts}'",
        "updated": "document->>'updated'",
    },
)


async def answer_answers_schema(request: Request, code: str) -> Response:
    """The JSON Schema that answers under one published rubric have to satisfy."""
    query = parse(request, schemas.AnswersSchemaQuery)
    found = await fetch_item(request, RUBRICS, code, PointInTime())
    if isinstance(found, Response):
        return found
    document, version = found
    rubric = rubrics.read(document)
    if query.language not in (None, rubric.language):
        translation, version = await _translation(request, rubric, query.language)
        rubric = translated(rubric, translation)
    tag = conditional.etag(request, version, canonical(query))
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    headers = {**conditional.headers(tag), "Content-Language": rubric.language}
    schema = answers_schema(rubric, query.stage)
    return Response(dump(schema), media_type="application/schema+json", headers=headers)


async def _translation(request: Request, rubric: Rubric, language: str) -> tuple[Translation, str]:
    """A rubric's translation and its version; InvalidRequest names the languages that there are."""
    async with reading(request.app.state.database) as connection:
        rows = await connection.fetch(
            f"SELECT language, document::text, {VERSION} AS version FROM translation WHERE rubric = $1 ORDER BY 1",
            f"{rubric.code}.{rubric.version}",
        )
    found = {row["language"]: row for row in rows}
    if language not in found:
        raise InvalidRequest([not_one_of("unknown_code", "language", language, [rubric.language, *found])])
    stored = json.loads(found[language]["document"])
    facts = {name: stored[name] for name in ("hash", "language", "texts", "source", "verified")}
    return Translation(rubric=rubric.code, version=rubric.version, **facts), found[language]["version"]


async def score_answers(request: Request, asked: schemas.ScoreRequest) -> Score:
    """Grade answers under a published rubric, keeping nothing; InvalidRequest names every answer that does not fit."""
    async with reading(request.app.state.database) as connection:
        rows = await connection.fetch(
            "SELECT version, status, document->>'superseded_by' AS superseded_by, document::text FROM rubric"
            " WHERE rubric = $1"
            f" ORDER BY {rubrics.PUBLISHED} DESC",
            asked.rubric,
        )
        if not rows:
            known = [row[0] for row in await connection.fetch("SELECT DISTINCT rubric FROM rubric")]
            raise InvalidRequest([unknown_code("/rubric", asked.rubric, known)])
    versions = {row["version"]: row for row in rows}
    in_force = [row["version"] for row in rows if row["status"] != "superseded"]
    if asked.version is None and not in_force:
        named = ", ".join(f"{row['version']} by {row['superseded_by']}" for row in rows)
        detail = f"every version of {asked.rubric} is superseded: {named}; name one to score under it all the same"
        raise InvalidRequest([error_detail("superseded", detail, pointer="/version", allowed=list(versions))])
    version = asked.version or in_force[0]
    if version not in versions:
        raise InvalidRequest([unknown_code("/version", version, list(versions))])
    published = versions[version]
    result = rubrics.scored(rubrics.read(published["document"]), asked.answers, asked.stage)
    return result.model_copy(update={"rubric": result.rubric.model_copy(update={"status": published["status"]})})
