"""Requirements over HTTP: filters, facets, exports, and the lists below an edition."""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.resources import files

import asyncpg
import httpx
import pytest

from mmptf_common.lists.pages import page_statement
from mmptf_funding.editions.queries import REQUIREMENTS as LISTING
from mmptf_funding.editions.schemas import RequirementQuery
from mmptf_funding.imports.template import MOST_POPULATIONS
from tests.conftest import RunningApp, admin_url
from tests.integration.requirement_rows import (
    DOCUMENT,
    EDITION,
    FUNDING,
    MILLION,
    NINE_REGIONS,
    REQUIREMENTS,
    Row,
    amount,
    lines,
)


@pytest.fixture(scope="module")
async def rows(funding: httpx.AsyncClient) -> list[Row]:
    return await lines(funding, REQUIREMENTS)


@pytest.fixture(scope="module")
async def printed(funding: httpx.AsyncClient) -> list[Row]:
    return await lines(funding, f"{EDITION}/printed-totals")


@pytest.fixture(scope="module")
async def terms(funding: httpx.AsyncClient) -> dict[tuple[str, str], Row]:
    return {(term["kind"], term["code"]): term for term in await lines(funding, f"{EDITION}/vocabulary")}


def has(name: str, *values: str) -> Callable[[Row], bool]:
    return lambda row: row[name]["code"] in values


def names_any(*codes: str) -> Callable[[Row], bool]:
    return lambda row: bool({p["code"] for p in row["target_populations"]} & set(codes))


def has_topic(*codes: str) -> Callable[[Row], bool]:
    return lambda row: bool({topic["code"] for topic in row["topics"]} & set(codes))


def between(least: str, most: str = "Infinity") -> Callable[[Row], bool]:
    return lambda row: row["sum"] is not None and Decimal(least) <= amount(row) <= Decimal(most)


def words(text: str) -> list[str]:
    bare = unicodedata.normalize("NFD", text).casefold()
    return re.findall(r"\w+", "".join(c for c in bare if not unicodedata.combining(c)))


def says(*beginnings: str) -> Callable[[Row], bool]:
    """Every one of these begins some word of the place, the region, the area, the topics or the purpose."""

    def found(row: Row) -> bool:
        texts = [row["place"], row["region"], row["area"]]
        spoken = [word for t in texts for word in words(f"{t['name']} {t['as_printed'] or ''}")]
        spoken += [word for topic in row["topics"] for word in words(topic["name"])] + words(row["purpose"])
        return all(any(word.startswith(beginning) for word in spoken) for beginning in beginnings)

    return found


def of_place(code: str, *beginnings: str) -> Callable[[Row], bool]:
    """A row of the place, which is found by each of its names, or one that says these words elsewhere."""
    says_so = says(*beginnings)
    return lambda row: row["place"]["code"] == code or says_so(row)


def country(*codes: str) -> Callable[[Row], bool]:
    return lambda row: (row["place"]["country"] or "none") in codes


def status(*values: str) -> Callable[[Row], bool]:
    return lambda row: row["status"] in values


def every(*conditions: Callable[[Row], bool]) -> Callable[[Row], bool]:
    return lambda row: all(condition(row) for condition in conditions)


FILTERS: list[tuple[str, Callable[[Row], bool]]] = [
    ("edition=MI-2015", lambda row: row["edition"] == "MI-2015"),
    ("region=see-eeca", has("region", "see-eeca")),
    ("region=see-eeca&region=southern-africa", has("region", "see-eeca", "southern-africa")),
    ("country=KEN", country("KEN")),
    ("country=none", country("none")),
    ("country=none&country=XKX&country=XKX", country("none", "XKX")),
    ("place=GEO", has("place", "GEO")),
    ("place=RP-south-america&place=AUT", has("place", "RP-south-america", "AUT")),
    ("area=environment", has("area", "environment")),
    ("area=health&area=border", has("area", "health", "border")),
    ("status=funded", status("funded")),
    ("status=funded&status=missing_in_source", status("funded", "missing_in_source")),
    ("target_population=media", names_any("media")),
    ("target_population=media&target_population=academia", names_any("media", "academia")),
    ("populations_named=one", lambda row: len(row["target_populations"]) == 1),
    ("populations_named=several", lambda row: len(row["target_populations"]) > 1),
    ("amount_min=0", between("0")),
    ("amount_min=1000000", between("1000000")),
    ("amount_min=1000000.01", between("1000000.01")),
    ("amount_max=20000.00", between("0", "20000")),
    ("amount_min=500000&amount_max=500000", between("500000", "500000")),
    ("q=cote%20d%27ivoire", of_place("CIV", "cote", "d", "ivoire")),
    ("q=C%C3%94TE+D%E2%80%99IVOIRE", of_place("CIV", "cote", "d", "ivoire")),
    ("q=cotE%20IVO", of_place("CIV", "cote", "ivo")),
    # The edition prints Turkey, Czech Republic and The former Yugoslav Republic of Macedonia.
    ("q=T%C3%BCrkiye", of_place("TUR", "turkiye")),
    ("q=turkiye", of_place("TUR", "turkiye")),
    ("q=czechia", of_place("CZE", "czechia")),
    ("q=north+macedonia", of_place("MKD", "north", "macedonia")),
    ("q=czech+republic", of_place("CZE", "czech", "republic")),
    ("q=turkiye+health", every(of_place("TUR", "turkiye"), says("health"))),
    ("q=lao", of_place("LAO", "lao")),
    ("q=health+southern", says("health", "southern")),
    ("q=health+-+southern%21", says("health", "southern")),
    ("q=post-crisis", says("post", "crisis")),
    ("q=trafficking", says("trafficking")),
    ("topic=tuberculosis", has_topic("tuberculosis")),
    ("topic=ebola&topic=malaria", has_topic("ebola", "malaria")),
    ("topic=diaspora-engagement&area=labour", every(has_topic("diaspora-engagement"), has("area", "labour"))),
    ("topics_named=one", lambda row: len(row["topics"]) == 1),
    ("topic=tuberculosis&topics_named=several", every(has_topic("tuberculosis"), lambda row: len(row["topics"]) > 1)),
    ("topic=tuberculosis&target_population=migrants", every(has_topic("tuberculosis"), names_any("migrants"))),
    ("target_population=migrants&region=asia-pacific", every(names_any("migrants"), has("region", "asia-pacific"))),
    (
        "region=asia-pacific&area=labour&status=required&target_population=governments&amount_min=1000000&q=pro",
        every(
            has("region", "asia-pacific"), has("area", "labour"), status("required"), names_any("governments"),
            between("1000000"), says("pro"),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("query", "condition"), FILTERS, ids=[query for query, _ in FILTERS])
async def test_filters_find_what_a_plain_reading_finds(
    funding: httpx.AsyncClient, rows: list[Row], query: str, condition: Callable[[Row], bool]
) -> None:
    expected = [row for row in rows if condition(row)]
    assert expected
    assert await lines(funding, f"{REQUIREMENTS}?{query}") == expected
    page = (await funding.get(f"{REQUIREMENTS}?{query}&limit=7")).json()
    assert (page["total"], page["items"]) == (len(expected), expected[:7])


@pytest.mark.parametrize(
    "query", ["populations_named=none", "q=ealth", "country=KEN&place=GEO", "amount_min=120000001"]
)
async def test_what_no_row_fulfils_finds_nothing(funding: httpx.AsyncClient, query: str) -> None:
    assert (await funding.get(f"{REQUIREMENTS}?{query}")).json()["items"] == []
    assert await lines(funding, f"{REQUIREMENTS}?{query}") == []


@pytest.mark.parametrize(
    ("asked", "table"),
    [
        ({"topic": ["tuberculosis"]}, "requirement_rollup_by_topic"),
        ({"topic": ["tuberculosis"], "region": ["asia-pacific"]}, "requirement_rollup_by_topic"),
        ({"target_population": ["not_stated"]}, "requirement_rollup_by_population"),
        ({"topic": ["ebola", "malaria"]}, "requirement"),
        ({"topic": ["tuberculosis"], "country": ["KEN"]}, "requirement"),
    ],
)
def test_the_total_of_one_topic_or_population_is_that_of_its_facet(asked: dict[str, list[str]], table: str) -> None:
    sql = page_statement(LISTING, RequirementQuery.model_validate(asked)).sql
    total = sql[sql.index("(SELECT ", sql.index("UTF8")) :]
    assert f" FROM {table}) AS rows" in total[: total.index("WHERE")]


async def test_updated_since_includes_its_moment(funding: httpx.AsyncClient, rows: list[Row]) -> None:
    (moment,) = {row["updated"] for row in rows}
    assert (await funding.get(REQUIREMENTS, params={"updated_since": moment})).json()["total"] == 760
    assert (await funding.get(REQUIREMENTS, params={"updated_since": moment[:10]})).json()["total"] == 760
    later = (datetime.fromisoformat(moment) + timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    assert (await funding.get(REQUIREMENTS, params={"updated_since": later})).json()["total"] == 0


COVERED = {"MUS": ["MDG", "SYC", "COM"]}
FACETS: dict[str, Callable[[Row], list[str]]] = {
    "edition": lambda row: [row["edition"]],
    "region": lambda row: [row["region"]["code"]],
    "place": lambda row: [row["place"]["code"]],
    "country": lambda row: [row["place"]["country"] or "none", *COVERED.get(row["place"]["code"], ())],
    "area": lambda row: [row["area"]["code"]],
    "status": lambda row: [row["status"]],
    "target_population": lambda row: [p["code"] for p in row["target_populations"]],
    "populations_named": lambda row: ["one" if len(row["target_populations"]) == 1 else "several"],
    "topic": lambda row: [topic["code"] for topic in row["topics"]],
    "topics_named": lambda row: ["one" if len(row["topics"]) == 1 else "several"],
}


async def test_facets_count_what_their_filters_find(
    funding: httpx.AsyncClient, rows: list[Row], terms: dict[tuple[str, str], Row]
) -> None:
    answer = (await funding.get(f"{REQUIREMENTS}/facets")).json()
    assert (answer["total"], set(answer["facets"])) == (760, set(FACETS))
    for name, values in answer["facets"].items():
        counted = Counter(code for row in rows for code in FACETS[name](row))
        assert {value["value"]: value["count"] for value in values} == counted
        for value in values:
            page = await funding.get(REQUIREMENTS, params={name: value["value"], "limit": "1"})
            assert page.json()["total"] == value["count"]
            if (name, value["value"]) in terms:
                assert value["name"] == terms[name, value["value"]]["name"]


@pytest.mark.parametrize(
    "query",
    ["region=see-eeca&status=required", "target_population=media", "q=kyrgyz", "area=labour&amount_min=2500000"],
)
async def test_facets_under_a_filter_count_its_rows(funding: httpx.AsyncClient, query: str) -> None:
    hit = await lines(funding, f"{REQUIREMENTS}?{query}")
    answer = (await funding.get(f"{REQUIREMENTS}/facets?{query}")).json()
    assert answer["total"] == len(hit)
    for name, values in answer["facets"].items():
        others = "&".join(pair for pair in query.split("&") if not pair.startswith(f"{name}="))
        of_others = await lines(funding, f"{REQUIREMENTS}?{others}")
        counted = Counter(code for row in of_others for code in FACETS[name](row))
        assert {value["value"]: value["count"] for value in values} == counted
        assert values == sorted(values, key=lambda value: (-value["count"], value["value"]))
    amounts = [amount(row) for row in hit if row["sum"]]
    ranges = answer["ranges"]["amount"]
    assert ranges["not_stated"] == len(hit) - len(amounts)
    assert (ranges["min"], ranges["max"]) == (
        (f"{min(amounts):.2f}", f"{max(amounts):.2f}") if amounts else (None, None)
    )


CSV_COLUMNS = (
    "edition", "region_code", "region", "place", "country_code", "area_code", "area", "amount_usd", "status",
    "implied_amount_usd", "target_populations", "source_document", "source_line",
)  # fmt: skip


async def test_the_csv_holds_the_rows_of_the_list(funding: httpx.AsyncClient, rows: list[Row]) -> None:
    answer = await funding.get(REQUIREMENTS, params={"format": "csv"})
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [name for name in table[0] if name in CSV_COLUMNS] == list(CSV_COLUMNS)
    assert len(table) == len(rows)
    for line, row in zip(table, rows, strict=True):
        (source,) = [source for source in row["sources"] if source["field"] == "amount"]
        expected = {
            "code": row["code"],
            "edition": row["edition"],
            "region_code": row["region"]["code"],
            "region": row["region"]["name"],
            "place_code": row["place"]["code"],
            "place": row["place"]["name"],
            "country_code": row["place"]["country"] or "",
            "area_code": row["area"]["code"],
            "area": row["area"]["name"],
            "amount_usd": row["sum"]["amount"] if row["sum"] else "",
            "status": row["status"],
            "implied_amount_usd": row["implied"]["amount"] if row["implied"] else "",
            "target_populations": "|".join(p["code"] for p in row["target_populations"]),
            "source_document": source["document"],
            "source_line": str(source["line"] or ""),
        }
        assert {name: line[name] for name in expected} == expected
    assert sum(Decimal(line["amount_usd"] or 0) for line in table) == NINE_REGIONS - MILLION


OF_REGIONS = ("frameworks", "framework-items", "offices", "groups", "acronyms")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{FUNDING}/editions", "edition"),
        (f"{EDITION}/vocabulary", "vocabulary"),
        (REQUIREMENTS, "requirements"),
        (f"{EDITION}/printed-totals", "printed-totals"),
        (f"{FUNDING}/initiatives", "initiatives"),
        *((f"{EDITION}/{name}", name) for name in OF_REGIONS),
        (f"{EDITION}/partners", "partners"),
        (f"{EDITION}/figures", "figures"),
    ],
)
async def test_an_export_is_the_table_that_the_edition_was_imported_from(
    funding: httpx.AsyncClient, path: str, name: str
) -> None:
    exported = (await funding.get(path, params={"format": "csv"})).text
    assert exported == (files("mmptf_funding") / "data" / "MI-2015" / f"{name}.csv").read_text("utf-8")


NESTED = ("vocabulary", "printed-totals", "partners", "figures", *OF_REGIONS)


@pytest.mark.parametrize("path", ["", *(f"/{name}" for name in NESTED), "/figures/facets", "/reconciliation"])
async def test_an_unknown_edition_is_not_found_and_the_one_that_was_meant_is_named(
    funding: httpx.AsyncClient, path: str
) -> None:
    # An edition of another year is another edition.
    for given, meant in (("MI-2051", None), ("MI.2015", "MI-2015")):
        answer = await funding.get(f"{FUNDING}/editions/{given}{path}")
        assert answer.status_code == 404
        problem = answer.json()
        assert problem["code"] == "not_found"
        assert [(error["code"], error["suggestion"]) for error in problem["errors"]] == [("unknown_code", meant)]
    moved = await funding.get(f"{FUNDING}/editions/mi-2015{path}?as_of=1")
    assert (moved.status_code, moved.headers["location"]) == (308, f"{EDITION}{path}?as_of=1")
    known = await funding.get(f"{EDITION}{path}")
    assert known.status_code == 200
    assert (await funding.get(f"{EDITION}{path}", headers={"If-None-Match": known.headers["ETag"]})).status_code == 304


@pytest.mark.parametrize(
    ("name", "count", "limit"),
    [
        ("vocabulary", 252, 10),
        ("printed-totals", 270, 10),
        ("partners", 173, 10),
        ("figures", 352, 20),
        ("frameworks", 11, 2),
        ("framework-items", 445, 50),
        ("offices", 10, 3),
        ("groups", 69, 9),
        ("acronyms", 93, 10),
    ],
)
@pytest.mark.parametrize("order", ["", "-"])
async def test_pages_of_a_nested_list_hold_every_row_once(
    funding: httpx.AsyncClient, name: str, count: int, limit: int, order: str
) -> None:
    sort = f"{order}position"
    whole = await lines(funding, f"{EDITION}/{name}?sort={sort}")
    path: str | None = f"{EDITION}/{name}?limit={limit}&sort={sort}"
    walked: list[Row] = []
    pages = 0
    while path:
        page = (await funding.get(path)).json()
        assert page["total"] == count
        walked += page["items"]
        pages += 1
        path = page["next"]
        assert path is None or path.startswith(f"{EDITION}/{name}?")
    assert walked == whole
    assert len(whole) == count
    assert pages == -(-count // limit)


async def test_a_cursor_of_one_nested_list_is_refused_by_another(funding: httpx.AsyncClient) -> None:
    cursors = {}
    for name in NESTED:
        following = (await funding.get(f"{EDITION}/{name}", params={"limit": "1"})).json()["next"]
        cursors[name] = httpx.URL(following).params["cursor"]
    for asked in NESTED:
        for given in NESTED:
            answer = await funding.get(f"{EDITION}/{asked}", params={"limit": "1", "cursor": cursors[given]})
            assert answer.status_code == (200 if asked == given else 422)
            if asked != given:
                assert [error["code"] for error in answer.json()["errors"]] == ["invalid_cursor"]
    filtered = await funding.get(f"{EDITION}/vocabulary", params={"kind": "place", "cursor": cursors["vocabulary"]})
    assert filtered.status_code == 422


async def test_nested_lists_are_filtered(
    funding: httpx.AsyncClient, printed: list[Row], terms: dict[tuple[str, str], Row]
) -> None:
    for kind in ("region", "area", "target_population", "place"):
        expected = [term for term in terms.values() if term["kind"] == kind]
        assert await lines(funding, f"{EDITION}/vocabulary?kind={kind}") == expected
    expected = [t for t in printed if t["division"] in ("area", "region") and t["unit"] == "USD"]
    query = "division=area&division=region&unit=USD"
    assert await lines(funding, f"{EDITION}/printed-totals?{query}") == expected
    assert len(expected) == 59 + 9


async def test_initiatives_have_separate_currencies_and_no_total(funding: httpx.AsyncClient) -> None:
    initiatives = await lines(funding, f"{FUNDING}/initiatives")
    assert len(initiatives) == 56
    stated = Counter((i["kind"], i["sum"]["currency"] if i["sum"] else None) for i in initiatives)
    assert stated == {
        ("initiative", "USD"): 22,
        ("initiative", None): 14,
        ("fund", "USD"): 6,
        ("co_funding", "EUR"): 14,
    }
    assert sum(initiative["sum"] is not None for initiative in initiatives) == 42
    for initiative in initiatives:
        assert initiative["stage"] == "requirement"
        assert (initiative["sum"] is None) == (initiative["precision"] is None)
        assert (initiative["overall"] is None) == (initiative["overall_as_printed"] is None)
        for source in initiative["sources"]:
            assert source["document"] == DOCUMENT
            assert source["line"]
        fields = [source["field"] for source in initiative["sources"]]
        further = [name for name in ("target", "area") if initiative[name]]
        assert fields == ["amount" if initiative["sum"] else "name", *further]
    table = list(csv.DictReader(io.StringIO((await funding.get(f"{FUNDING}/initiatives?format=csv")).text)))
    assert [(line["amount"], line["currency"]) for line in table] == [
        (i["sum"]["amount"], i["sum"]["currency"]) if i["sum"] else ("", "") for i in initiatives
    ]
    assert await lines(funding, f"{FUNDING}/initiatives?kind=fund&kind=co_funding") == [
        i for i in initiatives if i["kind"] in ("fund", "co_funding")
    ]
    assert (await funding.get(f"{FUNDING}/initiatives/totals")).status_code == 404
    paths = (await funding.get("/openapi.json")).json()["paths"]
    assert {path for path in paths if "totals" in path and "printed" not in path} == {
        f"{FUNDING}/totals",
        f"{FUNDING}/requirements/totals",
        f"{FUNDING}/contributions/totals",
        f"{FUNDING}/ledger/totals",
        f"{FUNDING}/bank-entries/totals",
    }
    # What the one sum of requirements contains is requirements of places alone.
    (total,) = (await funding.get(f"{FUNDING}/totals")).json()["totals"]
    assert httpx.URL(total["link"]).path == REQUIREMENTS


@pytest.mark.parametrize(
    ("sort", "index"), [("amount", "requirement_amount_ascending"), ("-amount", "requirement_amount")]
)
async def test_an_index_is_in_the_order_of_the_amounts(apps: dict[str, RunningApp], sort: str, index: str) -> None:
    """Also behind the last row that states an amount; the packaged rows are too few for the planner to need it."""
    funding = apps["funding"]
    path: str | None = f"{REQUIREMENTS}?sort={sort}&limit=710"
    following = (await funding.client.get(path)).json()["next"]
    cursor = httpx.URL(following).params["cursor"]
    connection = await asyncpg.connect(funding.database_url)
    await connection.execute("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off")
    for given in ({}, {"cursor": cursor}):
        page = page_statement(LISTING, RequirementQuery.model_validate({"sort": [sort], **given}))
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {page.sql}", *page.values))
        assert f"Index Scan using {index} " in plan or f"Index Scan Backward using {index} " in plan, plan
        assert ("Index Cond: (ROW(COALESCE" in plan) == bool(given), plan
    await connection.close()


async def test_a_row_with_the_longest_codes_is_stored(new_database: Callable[[str], str]) -> None:
    """They are one entry of an index, which has a limit; what repeats in them would be compressed."""
    connection = await asyncpg.connect(admin_url(new_database("funding")))
    try:
        await connection.execute("SET session_replication_role = replica")
        longest = [secrets.token_hex(32) for _ in range(5 + MOST_POPULATIONS)]
        codes = dict(zip(("code", "region", "area", "place", "edition"), longest, strict=False))
        changed = json.dumps({**codes, "populations": longest[5:], "amount": "9" * 16 + ".99"})
        await connection.execute(
            "INSERT INTO requirement SELECT made.* FROM (SELECT * FROM requirement LIMIT 1) AS first,"
            " jsonb_populate_record(NULL::requirement, to_jsonb(first) || $1::jsonb) AS made",
            changed,
        )
        found = await connection.fetchval(
            "SELECT cardinality(populations) FROM requirement WHERE code = $1", longest[0]
        )
        assert found == MOST_POPULATIONS
    finally:
        await connection.close()
