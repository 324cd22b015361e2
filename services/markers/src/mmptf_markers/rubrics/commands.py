"""Commands on rubrics: publish versions, which never change, and translations."""

from __future__ import annotations

from datetime import datetime

from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import load
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, InvalidRequest, error_detail
from mmptf_common.wire.suggestions import suggestion_among
from mmptf_common.writes.commands import Created
from mmptf_markers.engine.loading import InvalidRubric, load_rubric
from mmptf_markers.engine.reading import DocumentError
from mmptf_markers.engine.rubric import Rubric
from mmptf_markers.engine.translation import coverage, load_translation, rubric_named
from mmptf_markers.models import RubricRow, TranslationRow
from mmptf_markers.rubrics.queries import RUBRICS, fetch_rubric_codes
from mmptf_markers.rubrics.rules import published_code
from mmptf_markers.rubrics.schemas import PublishedRubric, PublishedTranslation


class NotPublishable(Exception):
    """A rubric or a translation cannot be published beside those that are there."""


class NotSupersedable(NotPublishable):
    """The rubric that another one would replace is not there, or cannot be replaced by it."""


async def publish_rubric(write: Write, rubric: Rubric, supersedes: str | None) -> str:
    """Publish a rubric, and mark another one as superseded by it; returns the code under which it is published.

    Does nothing where that is the case already. supersedes: the code, with version, of the other rubric.
    Raises NotPublishable when that code has another content, or the other rubric cannot be superseded by this one.
    """
    published = published_rubric(rubric, write.at)
    there = await write.session.get(RubricRow, published.code)
    if there is None:
        write.session.add(rubric_row(published))
    elif there.hash != published.hash:
        raise NotPublishable(
            f"{there.code} is published with another content, of hash {there.hash}; a correction is another version"
        )
    else:
        published = await _require_published(write, published.code)
    if supersedes is not None:
        await _supersede(write, supersedes, by=published)
    await write.session.flush()
    return published.code


def read_sent(content: bytes) -> Rubric:
    """The rubric of a body in JSON or YAML; raises InvalidRequest with every error."""
    try:
        return load_rubric(content)
    except InvalidRubric as error:
        raise InvalidRequest([_error_of(found) for found in error.errors]) from error


async def publish_sent(write: Write, rubric: Rubric, supersedes: str | None) -> Created:
    """Publish a rubric that was sent.

    Raises InvalidRequest where it cannot replace the other one, and Conflict where its code has another content.
    """
    try:
        return Created(RUBRICS, await publish_rubric(write, rubric, supersedes))
    except NotSupersedable as error:
        found = error_detail(ProblemCode.INVALID_PARAMETER, f"supersedes: {error}", parameter="supersedes")
        raise InvalidRequest([found]) from error
    except NotPublishable as error:
        raise Conflict(f"{error}.", code=ProblemCode.CODE_TAKEN) from error


def _error_of(found: DocumentError) -> ErrorDetail:
    return error_detail(ProblemCode.INVALID_VALUE, f"{found.path or '/'}: {found.reason}", pointer=found.path)


async def publish_translation(write: Write, content: bytes) -> str:
    """Publish a translation of a published rubric from its file, replacing an earlier one; returns its code.

    Raises InvalidTranslation with every error, and NotPublishable when the rubric is not published.
    """
    named = rubric_named(content)
    published = await _require_published(write, f"{named.rubric}.{named.version}")
    translation = load_translation(content, published.content)
    translated = PublishedTranslation(
        code=f"{published.code}.{translation.language}",
        rubric=published.code,
        language=translation.language,
        hash=translation.hash,
        verified=translation.verified,
        source=translation.source,
        coverage=coverage(published.content, translation),
        texts=translation.texts,
        updated=write.at,
    )
    await load(write, [_translation_row(translated)], keep_corrections=False)
    return translated.code


def published_rubric(rubric: Rubric, at: datetime) -> PublishedRubric:
    """The published form of a rubric at a time, not superseded."""
    code = published_code(rubric)
    return PublishedRubric(
        code=code,
        rubric=rubric.code,
        version=rubric.version,
        title=rubric.title,
        marker=rubric.marker,
        status=rubric.status,
        superseded=False,
        superseded_by=None,
        hash=rubric.hash,
        answers_schema=f"/markers/v1/rubrics/{code}/answers-schema",
        content=rubric,
        updated=at,
    )


def rubric_row(published: PublishedRubric) -> RubricRow:
    """The row of a published rubric."""
    return RubricRow(
        code=published.code,
        rubric=published.rubric,
        version=published.version,
        status=published.status,
        hash=published.hash,
        updated=published.updated,
        record=published.model_dump(mode="json"),
    )


def _translation_row(translated: PublishedTranslation) -> TranslationRow:
    """The row of a published translation."""
    return TranslationRow(
        code=translated.code,
        rubric=translated.rubric,
        language=translated.language,
        updated=translated.updated,
        record=translated.model_dump(mode="json"),
    )


async def _require_published(write: Write, code: str) -> PublishedRubric:
    found = await write.session.get(RubricRow, code)
    if found is None:
        known = await fetch_rubric_codes(write.session)
        meant = suggestion_among(code, known)
        hint = f"; {meant}" if meant else ""
        raise NotSupersedable(f"{code!r} is not published; published are {', '.join(known)}{hint}")
    # Of a record that was stored when `superseded` was a status, the status is that of the content.
    superseded_by = found.record.get("superseded_by")
    return PublishedRubric.model_validate(
        {**found.record, "status": found.status, "superseded": superseded_by is not None}
    )


async def _supersede(write: Write, code: str, *, by: PublishedRubric) -> None:
    old = await _require_published(write, code)
    if code == by.code:
        raise NotSupersedable(f"{code} cannot supersede itself")
    if by.superseded:
        raise NotSupersedable(f"{by.code} is superseded by {by.superseded_by} and can supersede nothing")
    if old.marker != by.marker:
        raise NotSupersedable(f"{code} is of the marker {old.marker}, and {by.code} of {by.marker}")
    if not old.superseded:
        superseded = old.model_copy(update={"superseded": True, "superseded_by": by.code, "updated": write.at})
        await write.session.merge(rubric_row(superseded))
    elif old.superseded_by != by.code:
        raise NotSupersedable(f"{code} is superseded already, by {old.superseded_by}")
