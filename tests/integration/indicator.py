"""Requests for the indicator and for current grades, and programmes for them."""

from __future__ import annotations

from typing import Any

from mmptf_markers.engine.rubric import STAGES
from tests.integration.marked import (
    API,
    CURRENT_GRADES,
    INDICATOR,
    Json,
    Markers,
    place,
    region,
)

CRITERIA, OVER_TIME = f"{API}/criteria", f"{INDICATOR}/over-time"
REGIONS = {"KEN": ("002", "202", "014"), "UGA": ("002", "202", "014"), "SRB": ("150", "039")}
PLACES = [*(place(code, *within) for code, within in REGIONS.items())]
PLACES += [region(code) for code in ("002", "202", "014", "150", "039")]
LIFE: list[str] = list(STAGES)


def named(*codes: str) -> list[Json]:
    return [{"code": code, "name": code} for code in codes]


def action(due: str) -> Json:
    return {"action": "Agree on referral.", "owner": "Programme team", "due": due}


async def current_grades(markers: Markers, **query: Any) -> dict[str, Json]:
    """The current grade of each programme by its code, read in one page."""
    page = await markers.get(CURRENT_GRADES, **{"marker": "human_rights", "limit": 1000, **query})
    assert page["next"] is None
    return {item["programme"]: item for item in page["items"]}


async def whole(markers: Markers, **query: Any) -> Json:
    found: Json = (await markers.get(INDICATOR, **query))["whole"]
    return found


async def listed(markers: Markers, link: str) -> list[str]:
    """The codes of the programmes at a link."""
    answered = await markers.running.client.get(f"{link}&limit=1000")
    assert answered.status_code == 200, f"{link}: {answered.text}"
    return [item["programme"] for item in answered.json()["items"]]


def unlinked(indicator: Json) -> Json:
    share = indicator["share"]
    return {
        **indicator,
        "share": share and (share["numerator"], share["denominator"]),
        "grades": [{name: grade[name] for name in grade if name != "link"} for grade in indicator["grades"]],
    }
