"""What is written of rubrics: each version once and for good, and their translations."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import document_of, load, moment_text
from mmptf_common.wire.problems import Conflict, closest_match
from mmptf_markers.engine.rubric import Rubric
from mmptf_markers.engine.translation import coverage, load_translation, rubric_named
from mmptf_markers.models import RubricRow, TranslationRow
from mmptf_markers.rubrics.schemas import PublishedRubric, PublishedTranslation


async def publish_rubric(write: Write, rubric: Rubric, supersedes: str | None) -> str:
    """Publish a rubric, and with it that another one is superseded; what is so already stays as it is.

    supersedes: the code of that other rubric, with its version. Returns the code under which the rubric is published.
    Raises Conflict when that code has another content, or the other rubric cannot be superseded by this one.
    """
    row = _row(rubric, write.at)
    there = await write.session.get(RubricRow, row.code)
    if there is None:
        write.session.add(row)
    elif there.hash != row.hash:
        raise Conflict(
            f"{row.code} is published with another content, of hash {there.hash}; a correction is another version"
        )
    if supersedes is not None:
        await _supersede(write, supersedes, by=there or row)
    await write.session.flush()
    return row.code


async def publish_translation(write: Write, content: bytes) -> str:
    """Publish a translation of a published rubric, from its file; one that is there gives way to it.

    Returns its code. Raises InvalidTranslation with every fault, and Conflict when the rubric is not published.
    """
    named = rubric_named(content)
    published = await _published(write, f"{named.rubric}.{named.version}")
    rubric = Rubric.model_validate(published.document["content"])
    translation = load_translation(content, rubric)
    code = f"{published.code}.{translation.language}"
    facts = {
        **translation.model_dump(mode="json", exclude={"version"}),
        "code": code,
        "rubric": published.code,
        "coverage": coverage(rubric, translation).model_dump(),
    }
    row = TranslationRow(
        code=code,
        rubric=published.code,
        language=translation.language,
        updated=write.at,
        document=document_of(PublishedTranslation, facts, write.at),
    )
    await load(write, [row], keep_corrections=False)
    return code


async def _published(write: Write, code: str) -> RubricRow:
    found = await write.session.get(RubricRow, code)
    if found is None:
        known = list(await write.session.scalars(sa.text("SELECT code FROM rubric ORDER BY code")))
        meant = closest_match(code, known)
        hint = f"; did you mean {meant}?" if meant else ""
        raise Conflict(f"{code!r} is not published; published are {', '.join(known)}{hint}")
    return found


async def _supersede(write: Write, code: str, *, by: RubricRow) -> None:
    old = await _published(write, code)
    if code == by.code:
        raise Conflict(f"{code} cannot supersede itself")
    if by.status == "superseded":
        raise Conflict(f"{by.code} is superseded by {by.document['superseded_by']} and can supersede nothing")
    if old.document["marker"] != by.document["marker"]:
        raise Conflict(f"{code} is of the marker {old.document['marker']}, and {by.code} of {by.document['marker']}")
    if old.status != "superseded":
        standing = {"status": "superseded", "superseded_by": by.code, "updated": moment_text(write.at)}
        old.document = {**old.document, **standing}
        old.status, old.updated = "superseded", write.at
    elif old.document["superseded_by"] != by.code:
        raise Conflict(f"{code} is superseded already, by {old.document['superseded_by']}")


def _row(rubric: Rubric, at: datetime) -> RubricRow:
    code = f"{rubric.code}.{rubric.version}"
    published = PublishedRubric(
        code=code,
        rubric=rubric.code,
        version=rubric.version,
        title=rubric.title,
        marker=rubric.marker,
        status=rubric.status,
        superseded_by=None,
        hash=rubric.hash,
        answers_schema=f"/markers/v1/rubrics/{code}/answers-schema",
        content=rubric,
        updated=at,
    )
    document = {**published.model_dump(mode="json"), "updated": moment_text(at)}
    return RubricRow(
        code=code,
        rubric=rubric.code,
        version=rubric.version,
        status=rubric.status,
        hash=rubric.hash,
        updated=at,
        document=document,
    )
