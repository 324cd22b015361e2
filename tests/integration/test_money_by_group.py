"""Money by grade is in one place each: the groups, and what they share, add up to the whole to the cent."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from mmptf_local.cache import Cache
from tests.conftest import running_app
from tests.integration.indicator import REGIONS, named
from tests.integration.marked import API, INDICATOR, Json, Markers, made, place, programme, region

# Places on every level, and one that is in no region.
WITHIN = {**REGIONS, "ETH": ("002", "202", "014"), "EGY": ("002", "015"), "MDA": ("150", "151"), "XXX": ()}
PLACES = [
    *(place(code, *regions) for code, regions in WITHIN.items()),
    *(region(code) for code in sorted({each for regions in WITHIN.values() for each in regions})),
]
ORGANIZATIONS = ("IOM", "ILO", "UNHCR", "UNICEF", "WHO")
OVERLAPPING = ("country", "region", "subregion", "intermediate_region", "organization")
PARTITIONS = ("thematic_area", "assessed_stage", "rubric")
FILTERS: list[Json] = [
    {}, {"grade": ["A", "C"]}, {"assessed": "false"}, {"country": "KEN"}, {"country": ["KEN", "SRB", "not_stated"]},
    {"region": "002"}, {"region": ["150", "not_stated"]}, {"organization": "IOM"},
    {"organization": ["ILO", "not_stated"]},
    {"country": "KEN", "organization": "IOM"}, {"region": "202", "organization": ["IOM", "ILO"], "grade": "B"},
    {"country": ["KEN", "UGA"], "region": "014"}, {"country": "KEN", "region": "150"}, {"thematic_area": "2"},
]  # fmt: skip
# What money is of: grade, stage of money, currency; what the ledger has allocated is a stage of its own.
Money = dict[tuple[str | None, str, str], Decimal]


def cents(draw: random.Random) -> Decimal:
    return Decimal(draw.randrange(1, 10 ** draw.randrange(2, 9))) / 100


def parts_of(draw: random.Random, whole: Decimal, number: int) -> list[Decimal]:
    """Amounts to the cent, all above zero, that add up to the whole."""
    unit = Decimal("0.01")
    ends = sorted(draw.sample(range(1, int(whole / unit)), number - 1))
    return [(end - begin) * unit for begin, end in zip([0, *ends], [*ends, int(whole / unit)], strict=True)]


def drawn(draw: random.Random, number: int) -> tuple[Json, list[str]]:
    """A programme of any kind, and what the ledger has allocated to it."""
    places = named(*draw.sample(sorted(WITHIN), draw.choice((0, 1, 1, 2, 2, 3, 4))))
    if places and draw.random() < 0.6:
        for each, share in zip(places, parts_of(draw, Decimal(100), len(places)), strict=True):
            each["share"] = f"{share:.2f}"
    organizations = draw.sample(ORGANIZATIONS, draw.choice((0, 1, 2, 2, 3)))
    amount = cents(draw)
    lines = []
    if organizations and draw.random() < 0.6 and amount > Decimal("0.10"):
        lines = [
            {"organization": code, "year": year, "category": "travel", "amount": f"{part:.2f}"}
            for (code, year), part in zip(
                [(code, year) for code in organizations for year in (2025, 2026)],
                parts_of(draw, amount, 2 * len(organizations)),
                strict=True,
            )
        ]
    budget = {
        "amount": f"{amount:.2f}",
        "currency": draw.choice(("USD", "USD", "USD", "EUR")),
        "stage": draw.choice(("allocation", "allocation", "requirement")),
    }
    document = programme(
        f"G-{number:02}",
        places=places,
        organizations=named(*organizations),
        lead_organization=organizations[0] if organizations else None,
        thematic_area=draw.choice((None, {"code": "2", "name": "Two"}, {"code": "3", "name": "Three"})),
        budget=budget if draw.random() < 0.9 else None,
        budget_lines=lines,
        gaps=[
            {"field": field, "kind": "partly_stated", "note": None}
            for field in ("places", "organizations")
            if draw.random() < 0.1
        ],
    )
    allocated = draw.choice(([], [f"{amount:.2f}"], [f"{cents(draw):.2f}", "-0.37"], ["-12.34"]))
    return document, allocated


@dataclass(frozen=True)
class Portfolio:
    markers: Markers
    documents: dict[str, Json]
    allocated: dict[str, list[str]]
    grades: dict[str, str]


@pytest.fixture(scope="module")
async def portfolio(new_database: Callable[[str], str], redis_server: Cache) -> AsyncIterator[Portfolio]:
    """Sixty programmes of every kind, drawn with one seed; some have a grade."""
    draw = random.Random(20261128)
    found = [drawn(draw, number) for number in range(60)]
    async with running_app("markers", new_database("markers"), redis_server.url) as running:
        markers = Markers(running)
        await markers.copy(*(document for document, _ in found), places=PLACES)
        grades = {}
        for document, allocated in found:
            for amount in allocated:
                await markers.allocate(document["code"], amount)
            if document["organizations"] and draw.random() < 0.7:
                grades[document["code"]] = draw.choice("ABC")
                named_as = document["organizations"][0]["code"]
                made(await markers.declare(document["code"], grades[document["code"]], organization=named_as))
        by_code = {document["code"]: (document, allocated) for document, allocated in found}
        yield Portfolio(
            markers, {code: one for code, (one, _) in by_code.items()}, {c: a for c, (_, a) in by_code.items()}, grades
        )


def money_of(indicator: Json, *, shared: bool = False) -> Money:
    """The money of an indicator; shared: that of which no source states how much is asked for."""
    found: Money = {}
    for grade in indicator["grades"]:
        for each in grade["shared" if shared else "budgets"]:
            found[grade["grade"], each["stage"], each["sum"]["currency"]] = Decimal(each["sum"]["amount"])
        if allocated := grade["allocated_shared" if shared else "allocated"]:
            found[grade["grade"], "allocated", allocated["currency"]] = Decimal(allocated["amount"])
    return found


def added(*found: Money) -> Money:
    """The sums of several, without those that are zero."""
    sums: Money = defaultdict(Decimal)
    for one in found:
        for key, amount in one.items():
            sums[key] += amount
    return {key: amount for key, amount in sums.items() if amount}


async def asked(portfolio: Portfolio, question: Json, by: str | None = None) -> Json:
    return await portfolio.markers.get(INDICATOR, **question, **({"by": by} if by else {}))


@pytest.mark.parametrize("by", [*OVERLAPPING, *PARTITIONS])
async def test_groups_and_what_they_share_add_up_to_the_whole(portfolio: Portfolio, by: str) -> None:
    for question in FILTERS:
        found = await asked(portfolio, question, by)
        indicators = [group["indicator"] for group in found["groups"]]
        for shared in (False, True):
            whole = money_of(found["whole"], shared=shared)
            assert added(*(money_of(each, shared=shared) for each in indicators)) == added(whole), (question, shared)
        if by in PARTITIONS:
            assert "shared" not in [group["code"] for group in found["groups"]]


async def test_without_filters_the_whole_is_every_budget_once(portfolio: Portfolio) -> None:
    expected: Money = defaultdict(Decimal)
    for code, document in portfolio.documents.items():
        grade, budget = portfolio.grades.get(code), document["budget"]
        if budget:
            expected[grade, budget["stage"], budget["currency"]] += Decimal(budget["amount"])
        if portfolio.allocated[code]:
            expected[grade, "allocated", "USD"] += sum(map(Decimal, portfolio.allocated[code]))
    whole = (await asked(portfolio, {}))["whole"]
    assert added(money_of(whole)) == added(expected)
    assert money_of(whole, shared=True) == {}


async def test_a_filter_gives_the_part_of_what_it_chooses(portfolio: Portfolio) -> None:
    """The same as the group; and with all that it leaves out it is the whole again."""
    everything = money_of((await asked(portfolio, {}))["whole"])
    for by, name in (("country", "country"), ("organization", "organization"), ("region", "region")):
        groups = {group["code"]: group["indicator"] for group in (await asked(portfolio, {}, by))["groups"]}
        codes = [code for code in groups if code not in (None, "shared")]
        assert len(codes) > 1
        for code in codes:
            alone = (await asked(portfolio, {name: code}))["whole"]
            assert added(money_of(alone)) == added(money_of(groups[code])), (name, code)
        together = (await asked(portfolio, {name: [*codes, "not_stated"]}))["whole"]
        known, undivided = money_of(together), money_of(together, shared=True)
        assert added(known, undivided) == added(everything)


async def test_each_programme_alone_is_divided_as_its_sources_say(portfolio: Portfolio) -> None:
    """Of each programme by itself: the sum of its lines by organization, its shares by country, or all of it shared."""
    seen = set()
    for code, document in portfolio.documents.items():
        budget = document["budget"]
        if budget is None:
            continue
        whole = Decimal(budget["amount"])
        partly = {gap["field"] for gap in document["gaps"]}
        lines: dict[str | None, Decimal] = defaultdict(Decimal)
        for line in document["budget_lines"]:
            lines[line["organization"]] += Decimal(line["amount"])
        of_organizations = dict(lines) or alone(whole, document["organizations"], "organizations" in partly)
        shares = {each["code"]: Decimal(each["share"]) for each in document["places"] if "share" in each}
        of_countries = alone(whole, document["places"], "places" in partly)
        for by, expected in (("organization", of_organizations), ("country", of_countries)):
            found = by_group(await asked(portfolio, {"programme": code}, by), budget["stage"])
            assert sum(found.values()) == whole
            if by == "country" and shares and "places" not in partly:
                assert found.keys() == shares.keys()
                for country, share in shares.items():
                    assert abs(found[country] - whole * share / 100) < Decimal("0.01")
                seen.add("shares")
            else:
                assert found == expected, (code, by)
                seen.update(expected.keys() & {"shared", None}, {"lines"} if lines and by == "organization" else ())
    assert seen == {"shares", "lines", "shared", None}


def alone(whole: Decimal, listed: list[Json], is_partly: bool) -> dict[str | None, Decimal]:
    """A whole under the only code, under None where there is none, or shared."""
    if not listed:
        return {None: whole}
    return {listed[0]["code"] if len(listed) == 1 and not is_partly else "shared": whole}


def by_group(found: Json, stage: str) -> dict[str | None, Decimal]:
    return {
        group["code"]: Decimal(each["sum"]["amount"])
        for group in found["groups"]
        for grade in group["indicator"]["grades"]
        for each in grade["budgets"]
        if each["stage"] == stage
    }


async def test_the_numbers_beside_the_sums_are_of_programmes(portfolio: Portfolio) -> None:
    """Each programme of a group has its part there, or is in the group of what is shared; no number is above theirs."""
    for by in OVERLAPPING:
        found = await asked(portfolio, {}, by)
        groups = {group["code"]: group["indicator"] for group in found["groups"]}
        for code, indicator in groups.items():
            assert code is None or indicator["programmes"] == sum(each["programmes"] for each in indicator["grades"])
            for grade in indicator["grades"]:
                summed = sum(each["programmes"] for each in grade["budgets"])
                assert code is None or summed + grade["without_budget"] <= grade["programmes"]
                assert grade["shared"] == [] and grade["allocated_shared"] is None
        assert groups["shared"]["programmes"] > 0
        assert all(grade["link"] is None for grade in groups["shared"]["grades"])


async def test_the_report_has_the_same_money(portfolio: Portfolio) -> None:
    for question in ({}, {"country": "KEN"}, {"organization": "IOM"}):
        report = await portfolio.markers.get(f"{API}/report", **question)
        whole = (await asked(portfolio, question))["whole"]
        assert report["money"] == whole["grades"]
    client = portfolio.markers.running.client
    table = (await client.get(f"{API}/report?format=csv&country=KEN")).text
    assert re.search(r"^money,,,[ABC]?,,allocation / USD,shared_sum,\d+\.\d\d$", table, re.MULTILINE)
    assert re.search(r"^money,,,[ABC]?,,USD,allocated_shared_amount,-?\d+\.\d\d$", table, re.MULTILINE)


def test_the_draw_has_every_kind() -> None:
    draw = random.Random(20261128)
    found: list[Any] = [drawn(draw, number)[0] for number in range(60)]
    assert sum("share" in place for document in found for place in document["places"]) > 20
    assert sum(bool(document["budget_lines"]) for document in found) > 10
    assert sum(bool(document["gaps"]) for document in found) > 3
