"""Made-up programmes in a database of the benchmark's own, and the questions that are asked about them."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_catalog.app import SERVICE
from mmptf_catalog.models import ProgrammeRow
from mmptf_catalog.programmes.records import programme_row
from mmptf_catalog.seed import PACKAGE
from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage import migrations
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import packaged

PATH = "/catalog/v1/programmes"
REGIONS = ("002", "019", "142", "150")
AREAS = ("1", "2", "3", "4", "5")
PROGRAMMES = 5_000
# Different filters in turn, so that remembering the last one helps nobody. Parameters stand in canonical order.
QUESTIONS = [
    "&".join([*(f"stage={stage}" for stage in stages), *(f"thematic_area={area}" for area in areas)])
    for number in (2, 3, 4)
    for areas in combinations(AREAS, number)
    for stages in (["funded"], ["dropped", "funded"], ["funded", "pipeline"])
]


async def fill(url: str) -> None:
    """Bring a new database to the catalogue's schema, load its packaged data and add the made-up programmes."""
    await migrations.migrate(url, SERVICE.package)
    await cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(url)))
    engine = write_engine(url, size=1)
    try:
        async with AsyncSession(engine) as session, session.begin():
            await begin_write(session, Author("bench"))
            await session.execute(sa.insert(ProgrammeRow), [row.model_dump() for row in made_up(PROGRAMMES)])
            await session.execute(sa.text("ANALYZE"))
    finally:
        await engine.dispose()


def made_up(number: int) -> list[ProgrammeRow]:
    """Programmes that nobody could take for real ones: the same at every call, spread evenly over four regions.

    Their documents are a third as long as the packaged ones: the fewer bytes, the more a service's own work shows.
    """
    chance = random.Random(number)
    lists = ("thematic_areas", "objectives", "organizations", "places")
    names = {name: {entry["code"]: entry for entry in packaged(PACKAGE, name)} for name in lists}
    countries = {
        region: [p["code"] for p in names["places"].values() if p["kind"] == "country" and p["region"] == region]
        for region in REGIONS
    }
    at = datetime.now(UTC)
    return [programme_row(_facts(n, countries, names, chance), names, at) for n in range(1, number + 1)]


def _facts(n: int, countries: dict[str, list[str]], names: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    country = chance.choice(countries[REGIONS[n % len(REGIONS)]])
    (status,) = chance.choices(["approved", "implementation", "pipeline", "withdrawn"], weights=[35, 35, 25, 5])
    source = {"document": "made-up", "locator": None, "as_printed": None, "verified": False, "note": None}
    return {
        "code": f"MADEUP-{n:05d}",
        "title": f"Made-up programme {n}",
        "summary": f"This programme does not exist: it is number {n} of those with which pages are measured.",
        "thematic_area": chance.choice(AREAS),
        "objectives": sorted(chance.sample(sorted(names["objectives"]), 2)),
        "place_label": names["places"][country]["name"],
        "places": [{"code": country, "as_printed": names["places"][country]["name"], "share": "100.00"}],
        "lead_organization": None,
        "organizations": sorted(chance.sample(sorted(names["organizations"]), 2)),
        "budget": {
            "amount": f"{chance.randrange(100_000, 5_000_000)}.00",
            "currency": "USD",
            "stage": "programme_budget",
            "precision": "exact",
            "as_printed": "made up",
        },
        "duration": None,
        "budget_lines": [],
        "status": status,
        "status_history": [],
        "gaps": [],
        "sources": [{**source, "field": field, "line": n} for field in ("budget", "places", "summary")],
    }
