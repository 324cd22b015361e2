"""A made-up edition of funding requirements as files of the template, of any number of rows, with correct totals."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from mmptf_funding.imports.template import TEMPLATE, TableName

CODE = "MADEUP"
DOCUMENT = "made-up-edition-of-nobody"
REGIONS = [f"region-{n}" for n in range(1, 10)]
AREAS = [f"area-{n}" for n in range(1, 8)]
POPULATIONS = [f"population-{n}" for n in range(1, 10)]
TOPICS = [f"topic-{n}" for n in range(1, 77)]
# As many places, and with the areas as many totals, as the packaged edition has. The codes are among those that
# ISO 3166-1 leaves to its users, so that no country has them.
PLACES = [f"X{first}{second}" for first in "ABCDEF" for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"][:144]
# Every sixteenth place, one in each region, is not a single country.
PLACES_OF_A_REGION = len(PLACES) // len(REGIONS)
SHARE = Decimal("0.1")
NOTE = 'Row {} of those that do not exist: "made up", with a comma, an é, and as long as the notes of a real edition.'
# Words that every row has, and the number of a district, which few have.
PURPOSE = "Trains the officials of some made-up district {} in how to count travellers, and equips their offices there"
DISTRICTS = 1000


@dataclass
class Totals:
    """Sums of all rows in cents, by region, by place, and by region and area, filled while the rows are written.

    They include amounts that are missing in the source, since an edition omits the amount of a row and not the totals.
    """

    regions: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    areas: Counter[tuple[str, str]] = field(default_factory=Counter)


def write_edition(folder: Path, rows: int) -> list[Path]:
    """The files of an edition of so many requirements, which are written with the same bytes at every call.

    The requirements are in the order of their codes and in the form of PostgreSQL's CSV, so that an export can be
    compared with them byte for byte.
    """
    totals = Totals()
    tables: dict[TableName, Iterable[dict[str, Any]]] = {
        "edition": [_edition(rows)],
        "vocabulary": _vocabulary(),
        "requirements": _requirements(rows, totals),
        "printed-totals": _printed_totals(totals),
    }
    files = []
    for table, found in tables.items():
        files.append(folder / f"{table}.csv")
        with files[-1].open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, TEMPLATE.columns(table), restval=None, lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    return files


def _edition(rows: int) -> dict[str, Any]:
    return {
        "code": CODE,
        "name": f"A made-up edition of {rows} requirements",
        "publisher": "nobody",
        "year": 2015,
        "document": DOCUMENT,
        "currency": "USD",
        "note": "None of these requirements exists.",
    }


def _vocabulary() -> Iterator[dict[str, Any]]:
    for kind, codes in (
        *(("region", REGIONS), ("area", AREAS)),
        *(("target_population", POPULATIONS), ("topic", TOPICS)),
    ):
        for code in codes:
            yield {"edition": CODE, "kind": kind, "code": code, "name": _name(code)}
    for number, place in enumerate(PLACES):
        yield {
            "edition": CODE,
            "kind": "place",
            "code": place,
            "name": _name(place),
            "as_printed": _name(place).upper(),
            "region_code": _region_of(number),
            "country_code": _country_of(number),
        }


def _name(code: str) -> str:
    return f"Made-up {code}" if code in PLACES else f"Made-up {code.replace('-', ' number ')} of some"


def _region_of(place: int) -> str:
    return REGIONS[place // PLACES_OF_A_REGION]


def _country_of(place: int) -> str | None:
    return PLACES[place] if place % PLACES_OF_A_REGION else None


def _requirements(rows: int, totals: Totals) -> Iterator[dict[str, Any]]:
    """Rows as long as those of the packaged edition, every status and kind of cell among them."""
    chance = random.Random(rows)
    names = {code: _name(code) for code in (*REGIONS, *AREAS, *PLACES)}
    for n in range(1, rows + 1):
        number = chance.randrange(len(PLACES))
        place, region, area = PLACES[number], _region_of(number), AREAS[n % len(AREAS)]
        status = "missing_in_source" if n % 50_000 == 64 else "funded" if n % 16 == 1 else "required"
        cents = chance.randrange(1, 30_000) * 100_000 + (0 if n % 8 else n % 100)
        if status != "funded":
            totals.regions[region] += cents
            totals.places[place] += cents
            totals.areas[region, area] += cents
        yield {
            "code": f"{CODE}-{n:08d}",
            "edition": CODE,
            "region_code": region,
            "region": names[region],
            "place_code": place,
            "place": names[place],
            "place_as_printed": names[place].upper(),
            "country_code": _country_of(number),
            "area_code": area,
            "area": names[area],
            "area_as_printed": names[area],
            "amount_usd": _amount(cents) if status == "required" else None,
            "status": status,
            "implied_amount_usd": _amount(cents) if status == "missing_in_source" else None,
            "amount_as_printed": {"required": _printed(cents), "funded": "funded"}.get(status),
            "target_populations": "|".join(POPULATIONS[n % 5 : n % 5 + n % 4]),
            "confidence": ("high", "high", "medium", "low")[n % 4],
            "note": NOTE.format(n) if n % 2 == 0 else None,
            "source_document": DOCUMENT,
            "source_line": 10 * n + 4,
            "heading_line": 10 * n + 1,
            "place_line": 10 * n,
            "target_populations_line": 10 * n + 8 if n % 4 else None,
            "purpose": PURPOSE.format(district(n)),
            "topics": "|".join(f"topic-{1 + (n + 13 * k) % len(TOPICS)}:{10 * n + 5}" for k in range(n % 6)),
            "narrative": f"{10 * n + 5}-{10 * n + 7}",
            "funders_named": f"Nobody, made up:{10 * n + 6}" if n % 8 == 0 else None,
        }


def _printed_totals(totals: Totals) -> Iterator[dict[str, Any]]:
    for place, cents in totals.places.items():
        yield _total("place", place, _amount(cents), _printed(cents))
    for (region, area), cents in totals.areas.items():
        yield _total("area", area, _amount(cents), _printed(cents), region)
        share = str((Decimal(cents * 100) / totals.regions[region]).quantize(SHARE, ROUND_HALF_UP))
        yield _total("area", area, share, f"{share}%", region, "per_cent")
    for area in AREAS:
        cents = sum(part for (_, of), part in totals.areas.items() if of == area)
        yield _total("area", area, _amount(cents), _printed(cents))
    for region, cents in totals.regions.items():
        yield _total("region", region, _amount(cents), _printed(cents))
    cents = totals.regions.total()
    yield _total("edition", CODE, _amount(cents), _printed(cents))


def _total(
    division: str, value: str, printed: str, as_printed: str, region: str | None = None, unit: str = "USD"
) -> dict[str, Any]:
    return {
        "edition": CODE,
        "division": division,
        "region_code": region,
        "value": value,
        "unit": unit,
        "printed": printed,
        "as_printed": as_printed,
        "source_document": DOCUMENT,
    }


def district(row: int) -> str:
    """The number of the district of a row; that of no other one begins with it."""
    return f"{row % DISTRICTS:06d}"


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _printed(cents: int) -> str:
    return f"{cents // 100:,}"
