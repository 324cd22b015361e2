"""What tests of assessments share: people, answers, and what the database has stored."""

from __future__ import annotations

from typing import Any

import httpx
import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_markers.engine.rubric import criteria_at
from tests.integration.marked import ADMIN, DRAFTS, NUMBERS, RUBRIC, Json, Markers, Who, at
from tests.unit.markers.rubrics import small

CODES = [criterion.code for criterion in criteria_at(RUBRIC, "programme_document")]
RISK = {"risk": "Data could reach enforcement.", "people": "Migrants", "measure": "Firewalls.", "owner": "Team"}
# The same as it is answered in a draft.
STATED_RISK = {
    **RISK, "due": None, "likelihood": None, "severity": None, "residual": None, "suspends_when": None,
    "visibility": "restricted",
}  # fmt: skip
BOTH = "markers:assess markers:review"
NOBODYS = Who("admin", None, "somebody", BOTH)


def named(*codes: str) -> list[Json]:
    """Organizations as the catalogue names them."""
    return [{"code": code, "name": code} for code in codes]


async def stored(markers: Markers, assessment: httpx.Response) -> Json:
    return await markers.get(at(assessment))


async def twin(markers: Markers, draft: httpx.Response) -> httpx.Response:
    """A second draft of the same, as databases have them in which each organization had a draft of its own."""
    code = f"D-TWIN{next(NUMBERS):04}"
    async with writing(markers.running.app.state.database) as session:
        await begin_write(session, Author("test"), "drafted", drafts=True)
        await session.execute(
            sa.text(
                "INSERT INTO draft (code, organization, programme, stage, year, updated, record)"
                " SELECT :twin, organization, programme, stage, year, updated,"
                " replace(record::text, :code, :twin)::json FROM draft WHERE code = :code"
            ),
            {"code": draft.json()["code"], "twin": code},
        )
    return await markers.send("GET", f"{DRAFTS}/{code}", ADMIN)


async def history(markers: Markers, path: str, who: Who | None = None) -> list[Json]:
    found: list[Json] = (await markers.get(f"{path}/history", who))["items"]
    return found


def graded(marker: str, rule: Json, grades: list[str] | None = None, **members: Any) -> Json:
    """A rubric of a marker of its own, with three criteria on a scale from 0 to 2."""
    return {**small(rule, grades or ["A", "B", "C"], [1, 1, 1]), "code": marker, "marker": marker, **members}
