"""Made-up programmes in a database of the benchmark, and the queries that are sent."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_catalog.app import SERVICE
from mmptf_catalog.code_lists.schemas import Objective, Organization, Place, ThematicArea
from mmptf_catalog.models import ProgrammeRow
from mmptf_catalog.programmes.commands import programme_row
from mmptf_catalog.programmes.domain import ProgrammeStatus, StatedBudget, StatedPlace, StatedProgramme
from mmptf_catalog.programmes.schemas import CodeNames
from mmptf_catalog.seed import PACKAGE
from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage import migrations
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import read_packaged
from mmptf_common.wire.sources import SourceRef

PATH = "/catalog/v1/programmes"
REGIONS = ("002", "019", "142", "150")
STATUSES: tuple[ProgrammeStatus, ...] = ("approved", "implementation", "pipeline", "withdrawn")
AREAS = ("1", "2", "3", "4", "5")
PROGRAMMES = 5_000
# Different filters in turn, so that caching the last one has no effect. Parameters are in canonical order.
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
    """Rows of programmes that are clearly made up: the same at every call, spread evenly over four regions.

    Their records are a third as long as the packaged ones: with fewer bytes the service's own work is a larger part.
    """
    chance = random.Random(number)
    at = datetime.now(UTC)
    places = read_packaged(PACKAGE, "places", Place, updated=at)
    names = CodeNames.of(
        read_packaged(PACKAGE, "thematic_areas", ThematicArea, updated=at),
        read_packaged(PACKAGE, "objectives", Objective, updated=at),
        read_packaged(PACKAGE, "organizations", Organization, updated=at),
        places,
    )
    countries = {
        region: [place.code for place in places if place.kind == "country" and place.region == region]
        for region in REGIONS
    }
    return [programme_row(_programme(n, countries, names, chance), names, at) for n in range(1, number + 1)]


def _programme(n: int, countries: dict[str, list[str]], names: CodeNames, chance: random.Random) -> StatedProgramme:
    country = chance.choice(countries[REGIONS[n % len(REGIONS)]])
    (status,) = chance.choices(STATUSES, weights=[35, 35, 25, 5])
    name = names.places[country].name
    return StatedProgramme(
        code=f"MADEUP-{n:05d}",
        title=f"Made-up programme {n}",
        summary=f"This programme does not exist: it is number {n} of those with which pages are measured.",
        thematic_area=chance.choice(AREAS),
        objectives=sorted(chance.sample(sorted(names.objectives), 2)),
        place_label=name,
        places=[StatedPlace(code=country, as_printed=name, share=Decimal("100.00"))],
        lead_organization=None,
        organizations=sorted(chance.sample(sorted(names.organizations), 2)),
        duration=None,
        budget=StatedBudget(
            amount=Decimal(f"{chance.randrange(100_000, 5_000_000)}.00"),
            currency="USD",
            stage="programme_budget",
            precision="exact",
            as_printed="made up",
        ),
        budget_lines=[],
        status=status,
        status_history=[],
        gaps=[],
        sources=[
            SourceRef(field=field, document="made-up", line=n, locator=None, as_printed=None, verified=False, note=None)
            for field in ("budget", "places", "summary")
        ],
    )
