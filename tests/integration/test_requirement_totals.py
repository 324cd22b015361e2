"""Totals of requirements: every figure is proven by the rows at its link, also after and during writes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, product

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mmptf_common.lists.totals import FilteredTotals
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_common.wire.money import Money
from mmptf_common.wire.problems import InvalidRequest
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.writes.table_files import Tables
from mmptf_funding.imports.commands import import_edition
from mmptf_funding.imports.schemas import ImportReport
from mmptf_local.cache import Cache
from tests.conftest import RunningApp, running_app
from tests.integration.requirement_model import (
    FUNDING,
    REQUIREMENTS,
    TERMS,
    TOTALS,
    WAYS,
    Pairs,
    Row,
    all_pages,
    asking,
    check_totals,
    codes,
    export,
    journalled,
    questions,
    terms,
    ways,
)

AUTHOR = Author("test")

# --- the packaged edition -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Packaged:
    """The service on its packaged data, and all its requirements; what a failed example shows of it is short."""

    running: RunningApp = field(repr=False)
    rows: list[Row] = field(repr=False)


@pytest.fixture(scope="module")
async def edition(apps: dict[str, RunningApp]) -> Packaged:
    rows = await export(apps["funding"].client, REQUIREMENTS)
    assert len(rows) == 760
    return Packaged(apps["funding"], rows)


@settings(max_examples=20)
@given(pairs=questions(), by=ways)
async def test_every_figure_is_proven_by_the_rows_at_its_link(edition: Packaged, pairs: Pairs, by: list[str]) -> None:
    await check_totals(edition.running, edition.rows, pairs, by)


@pytest.mark.parametrize("by", [["region", "area"], ["target_population"]])
async def test_the_whole_edition_is_proven(edition: Packaged, by: list[str]) -> None:
    totals = await check_totals(edition.running, edition.rows, [], by)
    (total,) = totals.totals
    assert (total.sum, total.rows) == (Money(amount="1629112000.00", currency="USD"), 705)


@pytest.mark.parametrize("by", [["region", "place", "area"], list(WAYS), ["region", "region", "area"], ["status"] * 3])
async def test_more_than_two_dimensions_are_rejected(funding: httpx.AsyncClient, by: list[str]) -> None:
    answer = await funding.get(TOTALS, params={"by": by})
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == ["by"]


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (["regoin"], "unknown_code"),
        (["amount"], "unknown_code"),
        (["region", ""], "invalid_parameter"),
        (["edition"], "unknown_code"),
    ],
)
async def test_an_unknown_dimension_is_rejected(funding: httpx.AsyncClient, by: list[str], code: str) -> None:
    answer = await funding.get(TOTALS, params={"by": by})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["code"], error["parameter"], set(error["allowed"])) == (code, "by", set(WAYS))


async def test_a_dimension_that_is_named_twice_counts_once(funding: httpx.AsyncClient) -> None:
    twice = await funding.get(TOTALS, params={"by": ["area", "area"]})
    once = await funding.get(TOTALS, params={"by": "area"})
    assert twice.json()["by"] == ["area"]
    assert (twice.content, twice.headers["ETag"]) == (once.content, once.headers["ETag"])


async def test_totals_are_by_region_without_a_dimension(funding: httpx.AsyncClient) -> None:
    plain = await funding.get(TOTALS)
    assert plain.json()["by"] == ["region"]
    asked = await funding.get(TOTALS, params={"by": "region"})
    assert (asked.content, asked.headers["ETag"]) == (plain.content, plain.headers["ETag"])


# --- a second edition, and writes ---------------------------------------------------------------------------------


SECOND = "SE-2016"
DOCUMENT = "second-edition-2016"
# Codes that both editions use, with the same meaning, a country in another region under another name, and own codes.
VOCABULARY = [
    {"kind": "region", "code": "asia-pacific", "name": "Asia and the Pacific"},
    {"kind": "region", "code": "north", "name": "The North"},
    {"kind": "area", "code": "health", "name": "Migration Health"},
    {"kind": "area", "code": "cities", "name": "Migrants and Cities"},
    {"kind": "target_population", "code": "migrants", "name": "Migrants and vulnerable populations"},
    {"kind": "target_population", "code": "youth", "name": "Youth"},
    {"kind": "target_population", "code": "media", "name": "Media"},
    {
        "kind": "place",
        "code": "AFG",
        "name": "Afghanistan of 2016",
        "region_code": "asia-pacific",
        "country_code": "AFG",
    },
    {"kind": "place", "code": "KEN", "name": "Kenya", "region_code": "north", "country_code": "KEN"},
    {"kind": "place", "code": "KEN-coast", "name": "Kenya, coast", "region_code": "north", "country_code": "KEN"},
    {"kind": "place", "code": "RP-north", "name": "Regional Programmes", "region_code": "north"},
]
NAMES = {term["code"]: term["name"] for term in VOCABULARY}
PLACES = {"AFG": "asia-pacific", "KEN": "north", "KEN-coast": "north", "RP-north": "north"}
SLOTS = [f"{SECOND}-{place}-{area}" for place, area in product(PLACES, ("health", "cities"))]


@dataclass(frozen=True)
class Cell:
    """What a requirement says: its state, its money (stated or implied), whom it names."""

    status: str
    money: Decimal | None
    populations: tuple[str, ...]

    @property
    def amount(self) -> Decimal | None:
        return self.money if self.status == "required" else None

    @property
    def implied(self) -> Decimal | None:
        return self.money if self.status == "missing_in_source" else None


money = st.decimals(0, 10**10, places=2)
cells = st.builds(
    lambda state, populations: Cell(state[0], state[1], tuple(populations)),
    st.one_of(
        st.tuples(st.just("required"), money),
        st.tuples(st.just("required"), money),
        st.just(("funded", None)),
        st.tuples(st.just("missing_in_source"), st.one_of(st.none(), money)),
    ),
    st.lists(st.sampled_from(["migrants", "youth", "media"]), unique=True),
)
FIRST = Cell("required", Decimal("0.10"), ("migrants",))


def written(number: int, **filled: str) -> RawRow:
    return RawRow(number, {name: value for name, value in filled.items() if value})


def tables(stated: Mapping[str, Cell], vocabulary: list[dict[str, str]] = VOCABULARY) -> Tables:
    """The second edition as an import reads it."""
    about = {"code": SECOND, "name": "Second Edition", "year": "2016", "document": DOCUMENT, "currency": "USD"}
    requirements = []
    for number, (code, cell) in enumerate(stated.items(), start=2):
        place, _, area = code.removeprefix(f"{SECOND}-").rpartition("-")
        filled = {
            "code": code, "edition": SECOND, "region_code": PLACES.get(place, "north"), "place_code": place,
            "area_code": area, "status": cell.status, "amount_usd": "" if cell.amount is None else str(cell.amount),
            "implied_amount_usd": "" if cell.implied is None else str(cell.implied),
            "target_populations": "|".join(cell.populations), "source_document": DOCUMENT, "source_line": str(number),
        }  # fmt: skip
        requirements.append(written(number, **filled))
    return {
        "edition": iter([written(2, **about)]),
        "vocabulary": iter([written(n, edition=SECOND, **term) for n, term in enumerate(vocabulary, start=2)]),
        "requirements": iter(requirements),
    }


async def imported(
    running: RunningApp, stated: Mapping[str, Cell], *, dry: bool = False, vocabulary: list[dict[str, str]] = VOCABULARY
) -> ImportReport:
    async with writing(running.app.state.database) as session:
        report = await import_edition(await begin_write(session, AUTHOR), tables(stated, vocabulary))
        await (session.rollback() if dry else session.commit())
    return report


async def amended(running: RunningApp, code: str, cell: Cell) -> None:
    """Correct one requirement as an operator does: its columns and its record, in one write."""
    async with writing(running.app.state.database) as session:
        at = (await begin_write(session, AUTHOR)).at
        before = await session.scalar(sa.text("SELECT record FROM requirement WHERE code = :code"), {"code": code})
        after = {
            **before,
            "status": cell.status,
            "sum": None if cell.amount is None else {"amount": f"{cell.amount:.2f}", "currency": "USD"},
            "implied": None if cell.implied is None else {"amount": f"{cell.implied:.2f}", "currency": "USD"},
            "target_populations": [{"code": p, "name": NAMES[p], "as_printed": None} for p in cell.populations],
            "updated": at.isoformat().replace("+00:00", "Z"),
        }
        await session.execute(
            sa.text(
                "UPDATE requirement SET status = :status, amount = :amount, implied = :implied,"
                " populations = :populations, updated = :at, record = CAST(:record AS json) WHERE code = :code"
            ),
            {
                "code": code, "status": cell.status, "amount": cell.amount, "implied": cell.implied,
                "populations": list(cell.populations), "at": at, "record": json.dumps(after),
            },
        )  # fmt: skip


@pytest.fixture(scope="module")
async def writable(new_database: Callable[[str], str], redis_server: Cache) -> AsyncIterator[RunningApp]:
    """A funding service of its own with two editions, behind the cache."""
    async with running_app("funding", new_database("funding"), redis_server.url) as running:
        report = await imported(running, dict.fromkeys(SLOTS, FIRST))
        assert report.tables["requirements"].created == len(SLOTS)
        yield running


def as_stated(rows: Iterable[Row]) -> dict[str, Cell]:
    found = {}
    for row in rows:
        stated = row["sum"] or row["implied"]
        populations = tuple(terms(row, "target_population"))
        found[row["code"]] = Cell(row["status"], Decimal(stated["amount"]) if stated else None, populations)
    return found


CHANGES = st.one_of(
    st.tuples(st.just("import"), st.dictionaries(st.sampled_from(SLOTS), cells, min_size=1)),
    st.tuples(st.just("import"), st.dictionaries(st.sampled_from(SLOTS), cells, min_size=1)),
    st.tuples(st.just("amend"), st.dictionaries(st.sampled_from(SLOTS), cells, min_size=1, max_size=1)),
    st.tuples(
        st.just("amend"),
        st.dictionaries(st.sampled_from(["MI-2015-KEN-health", "MI-2015-AFG-health"]), cells, min_size=1, max_size=1),
    ),
    st.tuples(st.just("dry run"), st.dictionaries(st.sampled_from(SLOTS), cells, min_size=1)),
    st.tuples(st.just("refused"), st.dictionaries(st.sampled_from(SLOTS), cells, min_size=1)),
)
# Questions that find rows of both editions, of one, and those that only some writes bring about.
OF_BOTH: list[Pairs] = [
    [],
    [("edition", SECOND)],
    [("edition", SECOND), ("edition", "MI-2015"), ("area", "health"), ("region", "asia-pacific")],
    [("country", "KEN")],
    [("place", "KEN"), ("place", "RP-north"), ("status", "required")],
    [("target_population", "media"), ("target_population", "youth")],
    [("populations_named", "none")],
    [("populations_named", "one"), ("area", "health")],
    [("status", "funded"), ("status", "missing_in_source")],
    [("amount_min", "0.00"), ("amount_max", "5000000")],
    [("q", "health KEN")],
    [("region", "north")],
]


# What fails is shown as it was found: to make it smaller would take minutes of writes.
@settings(max_examples=5, phases=(Phase.reuse, Phase.generate))
@given(
    start=st.lists(cells, min_size=len(SLOTS), max_size=len(SLOTS)),
    steps=st.lists(st.tuples(CHANGES, st.sampled_from(OF_BOTH), ways), min_size=1, max_size=4),
)
async def test_totals_change_with_every_write_and_editions_are_separate(
    writable: RunningApp, start: list[Cell], steps: list[tuple[tuple[str, dict[str, Cell]], Pairs, list[str]]]
) -> None:
    stated = dict(zip(SLOTS, start, strict=True))
    await imported(writable, stated)
    for (kind, changed), pairs, by in steps:
        # Asked before the write too, so that an answer kept from then would be found out.
        await writable.client.get(asking(pairs, by))
        before, revision = as_stated(await export(writable.client, REQUIREMENTS)), await journalled(writable)
        if kind == "amend":
            for code, cell in changed.items():
                await amended(writable, code, cell)
        elif kind == "refused":
            wrong = {**stated, **changed, f"{SECOND}-KEN-helth": FIRST}
            with pytest.raises(InvalidRequest):
                await imported(writable, wrong)
        else:
            await imported(writable, {**stated, **changed}, dry=kind == "dry run")
        if kind in ("import", "amend"):
            stated |= {code: cell for code, cell in changed.items() if code in stated}
        rows = await export(writable.client, REQUIREMENTS)
        now = as_stated(rows)
        expected = {**before, **(changed if kind in ("import", "amend") else {})}
        assert now == expected
        # Every change is one entry of the journal; an amendment is one also if it says the same again.
        changes = len(changed) if kind == "amend" else sum(now[code] != before[code] for code in now)
        assert await journalled(writable) == revision + changes
        await check_totals(writable, rows, pairs, by)


async def test_two_editions_are_two_totals(writable: RunningApp) -> None:
    await imported(writable, dict.fromkeys(SLOTS, FIRST))
    rows = await export(writable.client, REQUIREMENTS)
    totals = await check_totals(writable, rows, [("place", "KEN")], ["region"])
    first, second = totals.totals
    assert (first.basis, second.basis) == ("MI-2015", SECOND)
    assert second.sum == Money(amount="0.20", currency="USD")
    assert [key.value for total in totals.totals for group in total.groups for key in group.keys] == [
        "east-horn-africa", "north",
    ]  # fmt: skip
    only = await check_totals(writable, rows, [("edition", SECOND)], ["area", "place"])
    (total,) = only.totals
    assert total.sum == Money(amount="0.80", currency="USD")
    assert len(total.groups) == len(SLOTS)


async def test_lists_below_an_edition_are_its_own(writable: RunningApp) -> None:
    cursors = {}
    for edition, expected in (("MI-2015", len(TERMS)), (SECOND, len(VOCABULARY))):
        path = f"{FUNDING}/editions/{edition}/vocabulary"
        page = (await writable.client.get(path, params={"limit": "1"})).json()
        assert page["total"] == expected
        assert {term["edition"] for term in await export(writable.client, path)} == {edition}
        cursors[edition] = httpx.URL(page["next"]).params["cursor"]
    for asked, given_by in product(cursors, cursors):
        path = f"{FUNDING}/editions/{asked}/vocabulary"
        answer = await writable.client.get(path, params={"limit": "1", "cursor": cursors[given_by]})
        assert answer.status_code == (200 if asked == given_by else 422)
    for noun in ("printed-totals", "frameworks"):
        page = (await writable.client.get(f"{FUNDING}/editions/{SECOND}/{noun}")).json()
        assert (page["items"], page["total"], page["next"]) == ([], 0, None)
    reconciliation = (await writable.client.get(f"{FUNDING}/editions/{SECOND}/reconciliation")).json()
    assert (reconciliation["figures"], set(reconciliation["counts"].values())) == ([], {0})


async def test_facets_count_rows_that_name_nobody(writable: RunningApp) -> None:
    nobody = Cell("funded", None, ())
    await imported(writable, {**dict.fromkeys(SLOTS, FIRST), SLOTS[0]: nobody, SLOTS[1]: nobody})
    answer = (await writable.client.get(f"{REQUIREMENTS}/facets?edition={SECOND}")).json()
    counts = {name: {v["value"]: v["count"] for v in values} for name, values in answer["facets"].items()}
    assert counts["target_population"] == {"migrants": 6, None: 2}
    (link,) = [v["link"] for v in answer["facets"]["target_population"] if v["value"] is None]
    assert codes(await all_pages(writable.client, link)) == sorted(SLOTS[:2])
    either = await all_pages(writable.client, f"{REQUIREMENTS}?edition={SECOND}&target_population=not_stated,migrants")
    assert len(either) == 8
    assert counts["populations_named"] == {"one": 6, "none": 2}
    assert counts["edition"] == {"MI-2015": 760, SECOND: 8}
    assert answer["ranges"]["amount"] == {"min": "0.10", "max": "0.10", "not_stated": 2}


async def test_the_largest_amounts_add_up(new_database: Callable[[str], str]) -> None:
    """Sums have more digits than the largest amount that the template takes."""
    largest = Cell("required", Decimal("9999999999999999.99"), ("youth",))
    async with running_app("funding", new_database("funding"), None) as running:
        await imported(running, dict.fromkeys(SLOTS, largest))
        rows = await export(running.client, REQUIREMENTS)
        (total,) = (await check_totals(running, rows, [("edition", SECOND)], ["place", "area"])).totals
        assert total.sum is not None
        assert total.sum.amount == "79999999999999999.92"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("target_population", "none"),
        ("target_population", "shared"),
        ("topic", "shared"),
        ("place", "shared"),
        ("area", "not_stated"),
    ],
)
async def test_a_code_that_groups_of_totals_use_is_no_term(writable: RunningApp, kind: str, code: str) -> None:
    """A group is named by its code: what would be taken for a group of another meaning is refused."""
    term = {"kind": kind, "code": code, "name": "Called so", "region_code": "north" if kind == "place" else ""}
    with pytest.raises(InvalidRequest) as refused:
        await imported(writable, dict.fromkeys(SLOTS, FIRST), dry=True, vocabulary=[*VOCABULARY, term])
    assert [error.pointer for error in refused.value.errors] == [f"/vocabulary/{len(VOCABULARY) + 2}/code"]


# --- while somebody writes ----------------------------------------------------------------------------------------


# Each moves money or rows from one group to another.
WRITES = (
    "UPDATE requirement SET amount = amount + 1 WHERE area IN ('health', 'labour')",
    "UPDATE requirement SET populations = CASE cardinality(populations) WHEN 1 THEN '{media,youth}'::text[]"
    " ELSE '{media}' END WHERE region = 'south-america'",
    "UPDATE requirement SET topics = CASE cardinality(topics) WHEN 1 THEN '{hiv,malaria}'::text[] ELSE '{malaria}' END"
    " WHERE area = 'health'",
    "UPDATE requirement SET status = 'funded', amount = NULL WHERE place = 'KEN'",
    "UPDATE requirement SET status = 'required', amount = 12345.67 WHERE place = 'KEN'",
    "UPDATE requirement SET country = CASE country WHEN 'none' THEN 'KEN' ELSE 'none' END WHERE place LIKE 'RP-%'",
)


@pytest.mark.parametrize("by", [["region", "target_population"], ["topic"], ["area", "status"], ["country", "status"]])
async def test_a_total_and_its_parts_are_of_one_moment_while_somebody_writes(
    new_database: Callable[[str], str], by: list[str]
) -> None:
    database = new_database("funding")
    done = asyncio.Event()

    async def write() -> None:
        connection = await asyncpg.connect(database)
        writes = 0
        while not done.is_set():
            await connection.execute(WRITES[writes % len(WRITES)])
            writes += 1
        await connection.close()

    # Without a cache, since these writes are no changes that the journal knows.
    async with running_app("funding", database, None) as running, asyncio.timeout(60):
        writer = asyncio.create_task(write())
        seen, asked = set(), 0
        try:
            # Until several writes have come between the answers.
            while asked < 25 or len(seen) <= 5:
                asked += 1
                answer = FilteredTotals.model_validate((await running.client.get(TOTALS, params={"by": by})).json())
                (total,) = answer.totals
                assert total.sum is not None
                assert sum(Decimal(g.sum.amount) for g in total.groups if g.sum) == Decimal(total.sum.amount)
                assert sum(group.rows for group in total.groups) == total.rows
                parts = Counter[str]()
                for left_out in chain.from_iterable(group.left_out for group in total.groups):
                    parts[left_out.reason] += left_out.rows
                assert parts == {left_out.reason: left_out.rows for left_out in total.left_out}
                assert total.rows + parts.total() == answer.rows == 760
                seen.add(total.sum.amount)
        finally:
            done.set()
            await writer
