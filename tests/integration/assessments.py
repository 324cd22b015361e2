"""What tests of assessments share: people, answers, and what the database has stored."""

from __future__ import annotations

from typing import Any

import httpx

from mmptf_markers.engine.rubric import criteria_at
from tests.integration.marked import RUBRIC, Json, Markers, Who, at
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


async def stored(markers: Markers, assessment: httpx.Response) -> Json:
    return await markers.get(at(assessment))


async def history(markers: Markers, path: str, who: Who | None = None) -> list[Json]:
    found: list[Json] = (await markers.get(f"{path}/history", who))["items"]
    return found


def graded(marker: str, rule: Json, grades: list[str] | None = None, **members: Any) -> Json:
    """A rubric of a marker of its own, with three criteria on a scale from 0 to 2."""
    return {**small(rule, grades or ["A", "B", "C"], [1, 1, 1]), "code": marker, "marker": marker, **members}
