"""Money is divided as the catalogue divides it, and what no source states is nobody's alone."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from mmptf_catalog.programmes import rules as catalogue
from mmptf_local.cache import Cache
from tests.conftest import running_app
from tests.integration.indicator import named
from tests.integration.marked import INDICATOR, Json, Markers, place, programme, region

AMOUNT = Decimal("100.01")
REGION_OF = {code: ("002", "150", None)[n % 3] for n, code in enumerate("ABCDEFGHIJ")}
PLACES = [
    place("KEN", "002"),
    place("UGA", "002"),
    place("SRB", "150"),
    *(place(code, *([within] if within else [])) for code, within in REGION_OF.items()),
    region("002"),
    region("150"),
]
HALVES = {"KEN": "50.00", "UGA": "50.00"}
LINES = {"IOM": "60.00", "ILO": "40.01"}
Shares = dict[str, str] | tuple[str, ...]


def stated(
    code: str, places: Shares = (), organizations: tuple[str, ...] = (), *, lines: Json | None = None, **members: Any
) -> Json:
    """A programme with a budget of AMOUNT; partly: the members of which sources name only some."""
    shares = places if isinstance(places, dict) else dict.fromkeys(places)
    return programme(
        code,
        places=[{"code": each, "name": each, "share": share} for each, share in shares.items()],
        organizations=named(*organizations),
        lead_organization=None,
        budget={"amount": str(members.pop("amount", AMOUNT)), "currency": "USD", "stage": "allocation"},
        budget_lines=[
            {"organization": each, "year": 2025, "category": "travel", "amount": part}
            for each, part in (lines or {}).items()
        ],
        gaps=[{"field": each, "kind": "partly_stated", "note": None} for each in members.pop("partly", ())],
        **members,
    )


@dataclass(frozen=True)
class Case:
    """parts: group -> its part, of the only group None where nothing is grouped; undivided: the amount that is apart"""

    places: Shares = ()
    organizations: tuple[str, ...] = ()
    lines: Json = field(default_factory=dict)
    partly: tuple[str, ...] = ()
    question: Json = field(default_factory=dict)
    parts: Mapping[Any, str] = field(default_factory=dict)
    undivided: Mapping[Any, str] = field(default_factory=dict)
    amount: Decimal = AMOUNT


BOTH, APART = ("IOM", "ILO"), {None: "100.01"}
CASES = [
    # One place of two, with shares and without.
    Case(HALVES, question={"country": "UGA"}, parts={None: "50.00"}),
    Case(HALVES, question={"country": "KEN"}, parts={None: "50.01"}),
    Case(("KEN", "UGA"), question={"country": "KEN"}, undivided=APART),
    Case(("KEN", "UGA"), question={"country": ["KEN", "UGA"]}, parts=APART),
    Case(("KEN", "UGA"), question={"by": "region"}, parts={"002": "100.01"}),
    Case(("KEN", "UGA"), question={"by": "country"}, parts={"shared": "100.01"}),
    # There may be a third place.
    Case(("KEN", "UGA"), partly=("places",), question={"country": ["KEN", "UGA"]}, undivided=APART),
    Case(("KEN", "UGA"), partly=("places",), question={"by": "region"}, parts={"shared": "100.01"}),
    Case(("KEN",), partly=("places",), question={"by": "country"}, parts={"shared": "100.01"}),
    # No place is asked for: KEN is not in 150, nor is SRB KEN. One that is not named may be.
    Case(("KEN", "SRB"), question={"country": "KEN", "region": "150"}, parts={None: "0.00"}),
    Case(("KEN", "SRB"), question={"country": "KEN", "region": "150", "by": "country"}),
    Case(("KEN", "SRB"), partly=("places",), question={"country": "KEN", "region": "150"}, undivided=APART),
    # Shares that do not add up are none.
    Case({"KEN": "50.00", "UGA": "49.00"}, question={"country": "KEN"}, undivided=APART),
    # The lines of the budget divide it, and no other amount.
    Case((), BOTH, LINES, question={"by": "organization"}, parts={"IOM": "60.00", "ILO": "40.01"}),
    Case((), BOTH, LINES, ("organizations",), {"by": "organization"}, parts={"IOM": "60.00", "ILO": "40.01"}),
    Case((), BOTH, {**LINES, "ILO": "40.00"}, question={"by": "organization"}, parts={"shared": "100.01"}),
    Case((), BOTH, {"IOM": "60.00", "WHO": "40.01"}, question={"by": "organization"}, parts={"shared": "100.01"}),
    Case((), BOTH, {"IOM": "100.01"}, question={"by": "organization"}, parts={"IOM": "100.01", "ILO": "0.00"}),
    Case((), ("IOM",), {"IOM": "1.00"}, question={"by": "organization"}, parts={"IOM": "100.01"}),
    # Of a country by organization: the part of the country is certain, and how it is divided is not.
    Case(HALVES, BOTH, LINES, question={"country": "KEN", "by": "organization"}, parts={"shared": "50.01"}),
    Case(HALVES, BOTH, LINES, question={"country": "KEN", "organization": "IOM"}, undivided=APART),
    Case(
        HALVES, BOTH, LINES, question={"country": "KEN", "organization": "IOM", "by": "organization"},
        undivided={"shared": "100.01"},
    ),
    # What nobody else has is the same by whatever else it is asked for.
    Case(("KEN",), BOTH, LINES, question={"country": "KEN", "organization": "ILO"}, parts={None: "40.01"}),
    Case((), question={"by": "country"}, parts=APART),
    Case((), partly=("places",), question={"country": "not_stated"}, parts=APART),
    Case((), question={"organization": "not_stated", "by": "organization"}, parts=APART),
    # Of nothing each part is nothing.
    Case(("KEN", "UGA"), amount=Decimal("0.00"), question={"by": "country"}, parts={"KEN": "0.00", "UGA": "0.00"}),
]  # fmt: skip


def drawn(draw: random.Random) -> tuple[Decimal, dict[str, Decimal]]:
    """An amount, and shares that add up to 100."""
    number = draw.randrange(1, 8)
    ends = sorted(draw.sample(range(1, 10_000), number - 1))
    shares = [Decimal(end - begin) / 100 for begin, end in zip([0, *ends], [*ends, 10_000], strict=True)]
    codes = draw.sample("ABCDEFGHIJ", number)
    return Decimal(draw.randrange(1, 10**9)) / 100, dict(zip(codes, shares, strict=True))


@pytest.fixture(scope="module")
async def markers(new_database: Callable[[str], str], redis_server: Cache) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), redis_server.url) as running:
        yield Markers(running)


async def money_of(
    markers: Markers, code: str, question: Json, stage: str = "allocation"
) -> tuple[dict[str | None, str], dict[str | None, str]]:
    """The parts of a programme's budget by group, and what is undivided; stage: `allocated` for what the ledger has."""
    found = await markers.get(INDICATOR, programme=code, **question)
    groups = found["groups"] if "by" in question else [{"code": None, "indicator": found["whole"]}]
    parts: dict[str | None, str] = {}
    undivided: dict[str | None, str] = {}
    for group in groups:
        for grade in group["indicator"]["grades"]:
            if stage == "allocated":
                budgets, shared = ([each] if each else [] for each in (grade["allocated"], grade["allocated_shared"]))
            else:
                budgets, shared = ([each["sum"] for each in grade[name]] for name in ("budgets", "shared"))
            parts.update((group["code"], each["amount"]) for each in budgets)
            undivided.update((group["code"], each["amount"]) for each in shared)
    return parts, undivided


async def test_a_part_is_told_where_it_is_certain(markers: Markers) -> None:
    documents = [
        stated(f"C-{n:02}", case.places, case.organizations, lines=case.lines, partly=case.partly, amount=case.amount)
        for n, case in enumerate(CASES)
    ]
    # Codes that a question names are those of some programme.
    await markers.copy(*documents, stated("C-99", (), ("IOM", "ILO", "WHO")), places=PLACES)
    for n, case in enumerate(CASES):
        assert await money_of(markers, f"C-{n:02}", case.question) == (case.parts, case.undivided), case


async def test_what_was_taken_back_is_divided_as_what_was_given(markers: Markers) -> None:
    """The lines of the budget divide the allocations where these are the same amount, of the same currency."""
    await markers.copy(
        stated("T-1", HALVES, BOTH, lines=LINES), stated("T-2", ("KEN", "UGA"), BOTH, lines=LINES), places=PLACES
    )
    for code in ("T-1", "T-2"):
        await markers.allocate(code, f"-{AMOUNT}")
    of_lines = {"IOM": "-60.00", "ILO": "-40.01"}
    for code, by, parts in (
        ("T-1", "country", {"KEN": "-50.01", "UGA": "-50.00"}),
        ("T-1", "organization", of_lines),
        ("T-2", "country", {"shared": "-100.01"}),
        ("T-2", "organization", of_lines),
    ):
        assert await money_of(markers, code, {"by": by}, "allocated") == (parts, {})
    assert await money_of(markers, "T-2", {"country": "KEN"}, "allocated") == ({}, {None: "-100.01"})
    both = {"country": "KEN", "organization": "IOM"}
    assert await money_of(markers, "T-2", {**both, "country": ["KEN", "UGA"]}, "allocated") == ({None: "-60.00"}, {})
    assert await money_of(markers, "T-1", both, "allocated") == ({}, {None: "-100.01"})
    await markers.allocate("T-1", "0.01")
    assert await money_of(markers, "T-1", {"by": "organization"}, "allocated") == ({"shared": "-100.00"}, {})
    in_euros = stated("T-2", (), BOTH, lines=LINES)
    await markers.copy({**in_euros, "budget": {**in_euros["budget"], "currency": "EUR"}})
    assert await money_of(markers, "T-2", {"by": "organization"}, "allocated") == ({"shared": "-100.01"}, {})
    assert await money_of(markers, "T-2", {"by": "organization"}) == (LINES, {})


async def test_countries_and_regions_are_those_of_the_totals_of_the_catalogue(markers: Markers) -> None:
    draw = random.Random(8)
    documents, expected = [], []
    for n in range(60):
        amount, shares = drawn(draw)
        is_complete, has_shares = draw.random() < 0.8, draw.random() < 0.7
        places = {code: share if has_shares else None for code, share in shares.items()}
        expected.append(catalogue.attribute_places(amount, places, REGION_OF, complete=is_complete))
        texts = {code: f"{share:.2f}" for code, share in shares.items()} if has_shares else tuple(shares)
        partly = () if is_complete else ("places",)
        documents.append(stated(f"D-{n:02}", texts, amount=amount, partly=partly))
    await markers.copy(*documents, places=PLACES)
    for document, by_division in zip(documents, expected, strict=True):
        for by, parts in zip(("country", "region"), by_division, strict=True):
            found, undivided = await money_of(markers, document["code"], {"by": by})
            assert {code or "not_stated": Decimal(part) for code, part in found.items()} == parts
            assert undivided == {}


async def test_an_amount_is_divided_as_in_the_catalogue(markers: Markers, new_database: Callable[[str], str]) -> None:
    draw = random.Random(7)
    cases = [drawn(draw) for _ in range(500)]
    connection = await asyncpg.connect(new_database("markers"))
    statement = await connection.prepare("SELECT parts_by_place($1, $2, $3), parts_by_place(-$1::numeric, $2, $3)")
    for amount, shares in cases:
        places = [{"code": code, "share": str(share)} for code, share in shares.items()]
        parts, taken = await statement.fetchrow(amount, [*shares], json.dumps({"places": places}))
        assert dict(zip(shares, parts, strict=True)) == catalogue.divide(amount, shares)
        assert taken == [-part for part in parts]
    await connection.close()
