"""The listings of published rubrics and translations, answers schemas, and scores of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional
from mmptf_common.http.openapi import dump
from mmptf_common.http.parameters import Flag, ListQuery, Values, canonical, order_by
from mmptf_common.http.snapshot import Snapshot, snapshot
from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.listing import VERSION, Filter, Listing, once
from mmptf_common.lists.pages import fetch_item
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.base import Code
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, error_detail, not_one_of, unknown_code
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import WriteQuery
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.rubric import AssessmentStage, Language, Rubric, RubricStatus, answers_schema
from mmptf_markers.engine.translation import Translation, translated
from mmptf_markers.filters import PATH
from mmptf_markers.rubrics.rules import score_or_raise
from mmptf_markers.rubrics.schemas import (
    PublishedRubric,
    PublishedRubricPage,
    PublishedTranslation,
    PublishedTranslationPage,
    ScoreRequest,
)


class RubricQuery(ListQuery):
    """Which rubrics."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    rubric: Annotated[
        Values,
        Field(
            description="Code of a rubric without version: finds all its versions.", examples=["hr-marker-illustrative"]
        ),
    ]
    status: Annotated[
        list[RubricStatus],
        Field(
            default_factory=list,
            max_length=100,
            description="Only rubrics that are official, or illustrative.",
            examples=["illustrative"],
        ),
    ]
    superseded: Annotated[
        Flag | None,
        Field(
            description="`true`: only versions that another one replaces; `false`: only those in force.",
            examples=[False],
        ),
    ] = None


class TranslationQuery(ListQuery):
    """Which translations."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    rubric: Annotated[
        Values,
        Field(
            description="Code of a published rubric with its version, as at `/markers/v1/rubrics`.",
            examples=["hr-marker-illustrative.1"],
        ),
    ]
    language: Annotated[Values, Field(description="BCP 47 tag of the language of the translation.", examples=["fr"])]


RubricLanguage = Annotated[
    Language | None,
    Field(
        description="Language of the rubric's texts, of which a translation is there; without it, that of the rubric.",
        examples=["fr"],
    ),
]


class AnswersSchemaQuery(BaseModel):
    """For which stage the answers are described, and in which language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Annotated[
        AssessmentStage | None,
        Field(
            description="Only criteria that are asked at this stage; without it, all of them.",
            examples=["programme_document"],
        ),
    ] = None
    language: RubricLanguage = None


class PublicationQuery(WriteQuery):
    """What a rubric replaces that is published."""

    supersedes: Annotated[
        Code | None,
        Field(
            description="Code of the published version that it replaces, such as `hr-marker-illustrative.1`; that one"
            " is `superseded` from then on."
        ),
    ] = None


# Rewrites records that were stored when `superseded` was a status, and hid that of the content.
_AS_SENT = once(
    "record::text",
    """CASE WHEN strpos(whole, '"superseded":') > 0 THEN whole ELSE (
    record::jsonb || jsonb_build_object('status', record#>>'{content,status}',
                                        'superseded', record->>'superseded_by' IS NOT NULL))::text END""",
)

RUBRICS = Listing(
    path=f"{PATH}/rubrics",
    entity="rubric",
    item=PublishedRubric,
    page=PublishedRubricPage,
    rows="rubric",
    record=_AS_SENT,
    query=RubricQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "rubric": Filter("rubric = ANY({}::text[])", codes_in("rubric", "rubric"), f"{PATH}/rubrics"),
        "status": Filter("status = ANY({}::text[])"),
        "superseded": Filter("superseded = {}::text::boolean"),
    },
    columns={
        "code": "code",
        "rubric": "rubric",
        "version": "version",
        "title": "record->>'title'",
        "marker": "record->>'marker'",
        "status": "status",
        "superseded": "superseded::text",
        "hash": "hash",
        "criteria": "jsonb_array_length(record#>'{content,criteria}')",
        "answers_schema": "'{base_path}' || (record->>'answers_schema')",
        "updated": "record->>'updated'",
    },
)

TRANSLATIONS = Listing(
    path=f"{PATH}/translations",
    entity="translation",
    item=PublishedTranslation,
    page=PublishedTranslationPage,
    rows="translation",
    query=TranslationQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "rubric": Filter("rubric = ANY({}::text[])", codes_in("rubric"), f"{PATH}/rubrics"),
        "language": Filter(
            "language = ANY({}::text[])", codes_named_in("translation", "language"), f"{PATH}/translations"
        ),
    },
    columns={
        "code": "code",
        "rubric": "rubric",
        "language": "language",
        "verified": "record->>'verified'",
        "coverage_translated": "record#>>'{coverage,translated}'",
        "coverage_texts": "record#>>'{coverage,texts}'",
        "updated": "record->>'updated'",
    },
)


async def answer_answers_schema(request: Request, code: str, query: AnswersSchemaQuery) -> Response:
    """The JSON Schema that answers under one published rubric have to satisfy."""
    async with snapshot(request, ReadKind.PAGE, query) as data:
        found = await fetch_item(data, RUBRICS, code)
        if isinstance(found, Response):
            return found
        record, version = found
        rubric, of_texts = await rubric_in(data, parse_rubric(record), query.language)
    tag = conditional.etag(request, of_texts or version, canonical(query))
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    headers = {**conditional.headers(tag), "Content-Language": rubric.language}
    schema = answers_schema(rubric, query.stage)
    return Response(dump(schema), media_type="application/schema+json", headers=headers)


async def rubric_in(
    data: Snapshot, rubric: Rubric, language: str | None, *, pointer: str | None = None
) -> tuple[Rubric, str | None]:
    """A rubric with its texts in a language, and the version of its translation for ETags; null where it needs none.

    Texts that are not translated stay as they are. Raises InvalidRequest with the languages that there are.
    pointer: where the language stands in the body of the request; without it, it is the parameter `language`
    """
    if language is None or language == rubric.language:
        return rubric, None
    rows = await data.fetch(
        f"SELECT language, record::text, {VERSION} AS version FROM translation WHERE rubric = $1 ORDER BY 1",
        f"{rubric.code}.{rubric.version}",
    )
    found = {row["language"]: row for row in rows}
    if language not in found:
        known = [rubric.language, *found]
        error = unknown_code(pointer, language, known) if pointer else not_one_of("language", language, known)
        raise InvalidRequest([error])
    stored = json.loads(found[language]["record"])
    facts = {name: stored[name] for name in ("hash", "language", "texts", "source", "verified")}
    translation = Translation(rubric=rubric.code, version=rubric.version, **facts)
    return translated(rubric, translation), found[language]["version"]


async def score_sent(request: Request, body: ScoreRequest) -> Score:
    """The score of answers under a published rubric, not stored; raises InvalidRequest with every invalid answer."""
    async with snapshot(request, ReadKind.PAGE) as data:
        rows = await data.fetch(
            f"""
            SELECT version, superseded, record->>'superseded_by' AS superseded_by, record::text
              FROM rubric WHERE rubric = $1 ORDER BY {IN_FORCE_FIRST}""",
            body.rubric,
        )
        if not rows:
            known = [row[0] for row in await data.fetch("SELECT DISTINCT rubric FROM rubric ORDER BY 1")]
            raise InvalidRequest([unknown_code("/rubric", body.rubric, known)])
        versions = {row["version"]: row for row in rows}
        published = versions[_version_to_score(body, versions)]
        rubric, _ = await rubric_in(data, parse_rubric(published["record"]), body.language, pointer="/language")
    return score_or_raise(rubric, body.answers, body.stage, body.checks, checks_at="/checks/{}")


def _version_to_score(body: ScoreRequest, versions: Mapping[str, Any]) -> str:
    """The version that is named, or the first that is not superseded; raises InvalidRequest where there is none.

    versions: the published ones, in the order in which one of them is taken
    """
    rows = versions.values()
    in_force = [row["version"] for row in rows if not row["superseded"]]
    if body.version is None and not in_force:
        named = ", ".join(f"{row['version']} by {row['superseded_by']}" for row in rows)
        detail = f"every version of {body.rubric} is superseded: {named}; name one to score under it all the same"
        raise InvalidRequest([error_detail(ProblemCode.SUPERSEDED, detail, pointer="/version", allowed=list(versions))])
    version = body.version or in_force[0]
    if version not in versions:
        raise InvalidRequest([unknown_code("/version", version, list(versions))])
    return version


# The order in which one of several rubrics is taken: what was published later is no reason to leave an official one for
# an illustrative one. The moment is that of the journal, because `updated` changes when a rubric is superseded.
IN_FORCE_FIRST = (
    "superseded, status = 'official' DESC,"
    " (SELECT min(seq) FROM change WHERE entity = 'rubric' AND key = rubric.code COLLATE \"default\") DESC"
)


@lru_cache(maxsize=64)
def parse_rubric(record: str) -> Rubric:
    """The rubric of a published record; cached, since a record changes only when its rubric is superseded."""
    return whole_record(Rubric, json.loads(record)["content"])


async def fetch_rubric(session: AsyncSession, code: str | None, *, marker: str) -> Rubric | None:
    """The named version of a rubric, or the one of a marker for new drafts; None without one."""
    which = "code = :named" if code else "record->>'marker' = :named AND NOT superseded"
    found = await session.scalar(
        sa.text(f"SELECT record::text FROM rubric WHERE {which} ORDER BY {IN_FORCE_FIRST} LIMIT 1"),
        {"named": code or marker},
    )
    return parse_rubric(found) if found else None


async def fetch_superseding(session: AsyncSession, code: str) -> str | None:
    """The code of the rubric that supersedes a published one; None where it is in force."""
    found: str | None = await session.scalar(
        sa.text("SELECT record->>'superseded_by' FROM rubric WHERE code = :code"), {"code": code}
    )
    return found


async def fetch_rubric_codes(session: AsyncSession) -> list[str]:
    """The codes of all versions of all rubrics."""
    return list(await session.scalars(sa.text("SELECT code FROM rubric ORDER BY code")))


async def fetch_grades(session: AsyncSession) -> dict[str, list[str]]:
    """The grades of all rubrics of each marker, by marker."""
    found = await session.execute(
        sa.text(
            """
            SELECT record->>'marker' AS marker, array_agg(DISTINCT grade->>'code' ORDER BY grade->>'code') AS grades
              FROM rubric, json_array_elements(record#>'{content,grades}') AS grade
             GROUP BY 1
             ORDER BY 1"""
        )
    )
    return {row.marker: row.grades for row in found}
