"""The edition of 2015 as it is served: its rows, what it prints, how far both agree, and what finds them."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from mmptf_funding.editions import schemas

Row = dict[str, Any]

FUNDING = "/funding/v1"
REQUIREMENTS = f"{FUNDING}/requirements"
EDITION = f"{FUNDING}/editions/MI-2015"
DOCUMENT = "migration-initiatives-2015"
MILLION = Decimal(1_000_000)

# As the publication prints them, USD.
REGIONS = {
    "East and Horn of Africa": 142_550_000,
    "Southern Africa": 147_375_000,
    "West and Central Africa": 363_790_000,
    "Middle East and North Africa": 204_485_000,
    "Asia and the Pacific": 233_745_000,
    "South-Eastern Europe, Eastern Europe and Central Asia": 153_115_000,
    "European Union, Switzerland and Norway": 89_347_000,
    "Central and North America and the Caribbean": 118_360_000,
    "South America": 177_345_000,
}
NINE_REGIONS = 1_630_112_000
AREAS = {
    "Operations, Emergencies and Post-crisis",
    "Migration Health",
    "Immigration and Border Management",
    "Migrant Assistance",
    "Labour Migration and Human Development",
    "Migration Policy and Research",
    "Migration and Environment",
}
# The table by place prints the word "funded" for these, in place of a figure.
FUNDED_PLACES = {"AUS", "JPN", "AUT", "EST", "IRL", "LUX"}
# The percentages that the printed totals beside them contradict: region, area, as printed.
CONTRADICTED = {
    ("East and Horn of Africa", "Migration Policy and Research", "2.8%"),
    ("Middle East and North Africa", "Migration Policy and Research", "1%"),
    ("Asia and the Pacific", "Migration Health", "22%"),
    ("Central and North America and the Caribbean", "Operations, Emergencies and Post-crisis", "38%"),
}
GEORGIA = "South-Eastern Europe, Eastern Europe and Central Asia"


async def lines(client: httpx.AsyncClient, path: str) -> list[Row]:
    """The whole of a list, or of a link to a part of it."""
    answer = await client.get(httpx.URL(path).copy_add_param("format", "ndjson"))
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
async def rows(funding: httpx.AsyncClient) -> list[Row]:
    return await lines(funding, REQUIREMENTS)


@pytest.fixture(scope="module")
async def printed(funding: httpx.AsyncClient) -> list[Row]:
    return await lines(funding, f"{EDITION}/printed-totals")


@pytest.fixture(scope="module")
async def terms(funding: httpx.AsyncClient) -> dict[tuple[str, str], Row]:
    return {(term["kind"], term["code"]): term for term in await lines(funding, f"{EDITION}/vocabulary")}


@pytest.fixture(scope="module")
async def figures(funding: httpx.AsyncClient) -> list[Row]:
    answer = await funding.get(f"{EDITION}/reconciliation")
    found: list[Row] = schemas.Reconciliation.model_validate(answer.json()).model_dump(mode="json")["figures"]
    return found


def amount(row: Row) -> Decimal:
    return Decimal(row["sum"]["amount"]) if row["sum"] else Decimal(0)


def sums(rows: list[Row], *names: str) -> dict[tuple[str, ...], Decimal]:
    """What rows add up to, by the codes of some of their terms."""
    found: dict[tuple[str, ...], Decimal] = {}
    for row in rows:
        key = tuple(row[name]["code"] for name in names)
        found[key] = found.get(key, Decimal(0)) + amount(row)
    return found


def total_of(printed: Row) -> tuple[str, ...]:
    """What a printed total is a total of: codes as `sums` has them."""
    return (printed["region"], printed["value"]) if printed["division"] == "area" else (printed["value"],)


def half_up(share: Fraction, places: int) -> Fraction:
    return Fraction((share * 10**places + Fraction(1, 2)).__floor__(), 10**places)


async def test_the_edition_has_every_row_of_the_publication(rows: list[Row], terms: dict[tuple[str, str], Row]) -> None:
    assert len(rows) == len({row["code"] for row in rows}) == 760
    assert len({row["place"]["code"] for row in rows}) == 152
    assert {row["region"]["name"] for row in rows} == set(REGIONS)
    assert {row["area"]["name"] for row in rows} == AREAS
    assert Counter(row["status"] for row in rows) == {"required": 705, "funded": 54, "missing_in_source": 1}
    assert len({(row["place"]["code"], row["area"]["code"]) for row in rows}) == 760
    assert Counter(kind for kind, _ in terms) == {"region": 9, "area": 7, "target_population": 9, "place": 152}


async def test_regions_print_the_totals_of_the_publication(printed: list[Row]) -> None:
    regions = {total["name"]: total for total in printed if total["division"] == "region"}
    assert {name: amount(total) for name, total in regions.items()} == REGIONS
    assert list(regions) == list(REGIONS)
    assert {total["as_printed"] for total in regions.values()} == {f"{figure:,}" for figure in REGIONS.values()}
    assert sum(REGIONS.values()) == sum(map(amount, regions.values())) == NINE_REGIONS


@pytest.mark.parametrize("division", ["place", "area"])
async def test_both_printed_tables_add_up_to_their_regions(
    printed: list[Row], terms: dict[tuple[str, str], Row], division: str
) -> None:
    found = Counter[str]()
    for total in printed:
        if total["division"] == division and total["unit"] == "USD":
            region = total["region"] or terms["place", total["value"]]["region"]
            found[terms["region", region]["name"]] += int(amount(total))
    assert found == REGIONS


async def test_rows_add_up_to_every_printed_total_but_those_of_the_missing_amount(
    rows: list[Row], printed: list[Row]
) -> None:
    (missing,) = [row for row in rows if row["status"] == "missing_in_source"]
    computed = {
        "place": sums(rows, "place"),
        "area": sums(rows, "region", "area"),
        "region": sums(rows, "region"),
    }
    differences = {}
    for total in printed:
        if total["unit"] == "USD":
            found = computed[total["division"]].pop(total_of(total))
            if found != amount(total):
                differences[total["division"], *total_of(total)] = amount(total) - found
    # Every sum of rows has its printed total: none is left.
    assert computed == {"place": {}, "area": {}, "region": {}}
    region = missing["region"]["code"]
    assert differences == {
        ("place", "GEO"): MILLION,
        ("area", region, "emergencies"): MILLION,
        ("region", region): MILLION,
    }


async def test_the_missing_amount_is_implied_and_never_summed(
    funding: httpx.AsyncClient, rows: list[Row], figures: list[Row]
) -> None:
    (missing,) = [row for row in rows if row["status"] == "missing_in_source"]
    assert (missing["place"]["name"], missing["region"]["name"]) == ("Georgia", GEORGIA)
    assert missing["area"]["code"] == "emergencies"
    assert (missing["sum"], missing["as_printed"]) == (None, None)
    assert missing["implied"] == {"amount": "1000000.00", "currency": "USD"}
    assert all(row["implied"] is None for row in rows if row is not missing)
    explained = [figure for figure in figures if figure["unit"] == "USD" and figure["agreement"] != "equal"]
    assert [(f["division"], f["value"]) for f in explained] == [
        ("place", "GEO"), ("area", "emergencies"), ("region", missing["region"]["code"]),
    ]  # fmt: skip
    for figure in explained:
        assert (figure["agreement"], figure["difference"]) == ("explained", "1000000.00")
        (explanation,) = figure["explanations"]
        assert (explanation["cause"], explanation["rows"]) == ("missing_in_source", 1)
        assert explanation["sum"] == missing["implied"]
        assert (await funding.get(explanation["link"])).json()["items"] == [missing]


async def test_every_figure_is_reconciled_with_the_rows_behind_it(
    funding: httpx.AsyncClient, rows: list[Row], printed: list[Row], figures: list[Row]
) -> None:
    assert [figure["printed"] for figure in figures] == [total["code"] for total in printed]
    wholes = sums(rows, "region")
    for figure, total in zip(figures, printed, strict=True):
        assert all(
            figure[name] == total[name] for name in ("division", "value", "name", "region", "unit", "as_printed")
        )
        behind = await lines(funding, figure["link"])
        states = Counter(row["status"] for row in behind)
        assert (figure["rows"], figure["funded"]) == (states["required"], states["funded"])
        found = sum(map(amount, behind), Decimal(0))
        if figure["unit"] == "per_cent":
            assert figure["printed_figure"] == total["per_cent"] == figure["as_printed"].removesuffix("%")
            places = len(figure["printed_figure"].partition(".")[2])
            share = Fraction(found) * 100 / Fraction(wholes[figure["region"],])
            assert Fraction(figure["computed_figure"]) == half_up(share, places)
        else:
            assert figure["printed_figure"] == (total["sum"] and total["sum"]["amount"])
            assert figure["computed_figure"] == (f"{found:.2f}" if states["required"] else None)
        if figure["difference"] is not None:
            difference = Decimal(figure["printed_figure"]) - Decimal(figure["computed_figure"])
            assert Decimal(figure["difference"]) == difference
            assert (difference == 0) == (figure["agreement"] == "equal")


async def test_nothing_differs_without_an_explanation(funding: httpx.AsyncClient, figures: list[Row]) -> None:
    reconciliation = (await funding.get(f"{EDITION}/reconciliation")).json()
    assert reconciliation["counts"] == {"equal": 262, "explained": 8, "different": 0}
    assert Counter(figure["agreement"] for figure in figures) == {"equal": 262, "explained": 8}
    assert (reconciliation["edition"], reconciliation["stage"]) == ("MI-2015", "requirement")
    for figure in figures:
        if figure["agreement"] == "explained":
            assert figure["explanations"]


@pytest.mark.parametrize(
    ("query", "names", "count"),
    [
        ("agreement=explained", {"agreement": ["explained"]}, 8),
        ("agreement=different", {"agreement": ["different"]}, 0),
        ("division=region&division=area", {"division": ["region", "area"]}, 118),
        ("division=area&agreement=explained", {"division": ["area"], "agreement": ["explained"]}, 6),
    ],
)
async def test_figures_are_filtered_and_the_counts_are_those_of_all(
    funding: httpx.AsyncClient, figures: list[Row], query: str, names: dict[str, list[str]], count: int
) -> None:
    answer = (await funding.get(f"{EDITION}/reconciliation?{query}")).json()
    assert answer["figures"] == [f for f in figures if all(f[name] in values for name, values in names.items())]
    assert len(answer["figures"]) == count
    assert answer["counts"] == {"equal": 262, "explained": 8, "different": 0}


async def test_percentages_that_contradict_the_printed_totals_carry_a_note(
    printed: list[Row], figures: list[Row], terms: dict[tuple[str, str], Row]
) -> None:
    # Held against the printed totals alone, not against rows.
    totals = {(t["division"], *total_of(t)): amount(t) for t in printed if t["unit"] == "USD"}
    shares = [total for total in printed if total["unit"] == "per_cent"]
    assert len(shares) == 50
    contradicted = {}
    for total in shares:
        exact = Fraction(totals["area", *total_of(total)]) * 100 / Fraction(totals["region", total["region"]])
        if Fraction(total["per_cent"]) != half_up(exact, len(total["per_cent"].partition(".")[2])):
            contradicted[total["code"]] = (
                terms["region", total["region"]]["name"], total["name"], total["as_printed"],
            )  # fmt: skip
    assert set(contradicted.values()) == CONTRADICTED
    assert {total["code"] for total in printed if total["note"]} == set(contradicted)
    for figure in figures:
        if figure["printed"] in contradicted:
            assert figure["agreement"] == "explained"
            note = next(total["note"] for total in printed if total["code"] == figure["printed"])
            assert [(e["cause"], e["detail"]) for e in figure["explanations"]] == [("printed_note", note)]
        elif figure["unit"] == "per_cent" and figure["agreement"] != "equal":
            # It follows from the printed totals, and from the rows with what is implied for the missing one.
            assert (figure["value"], figure["region"]) == ("assistance", "see-eeca")
            assert (figure["printed_figure"], figure["computed_figure"]) == ("17", "18")
            assert [(e["cause"], e["sum"]["amount"]) for e in figure["explanations"]] == [
                ("missing_in_source", "1000000.00")
            ]


async def test_what_is_funded_has_no_amount_and_is_left_out_of_every_sum(
    funding: httpx.AsyncClient, rows: list[Row], figures: list[Row]
) -> None:
    funded = [row for row in rows if row["status"] == "funded"]
    assert len(funded) == 54
    assert {(row["sum"] is None, row["implied"] is None, row["as_printed"]) for row in funded} == {
        (True, True, "Funded")
    }
    for by in ("region", "place", "country", "area", "target_population", "status"):
        answer = (await funding.get(f"{FUNDING}/totals", params={"by": by})).json()
        (total,) = answer["totals"]
        assert Decimal(total["sum"]["amount"]) == NINE_REGIONS - MILLION
        for left_out in (answer["left_out"], total["left_out"]):
            assert [(reason["rows"], "funded" in reason["reason"]) for reason in left_out] == [(54, True), (1, False)]
            assert [row["code"] for row in await lines(funding, left_out[0]["link"])] == [r["code"] for r in funded]
        parts = [reason for group in total["groups"] for reason in group["left_out"]]
        assert sum(reason["rows"] for reason in parts) == 55
    places = {f["value"]: f for f in figures if f["unit"] == "USD" and f["printed_figure"] is None}
    assert set(places) == FUNDED_PLACES
    for figure in places.values():
        assert (figure["agreement"], figure["computed_figure"], figure["rows"]) == ("equal", None, 0)
        assert figure["as_printed"].lower() == "funded"
        assert figure["funded"] == sum(row["place"]["code"] == figure["value"] for row in funded) > 0


async def test_every_requirement_says_where_it_stands(funding: httpx.AsyncClient, rows: list[Row]) -> None:
    documents = {document["code"] for document in await lines(funding, f"{FUNDING}/documents")}
    assert DOCUMENT in documents
    for row in rows:
        source, *others = row["sources"]
        assert (source["field"], source["document"], source["as_printed"]) == ("amount", DOCUMENT, row["as_printed"])
        assert (source["line"] is None) == (row["status"] == "missing_in_source")
        assert (source["locator"] is None) == (source["line"] is not None)
        assert all(other["document"] == DOCUMENT and other["line"] for other in others)
        if row["status"] == "required":
            # Some amounts are printed with full stops between the thousands.
            assert Decimal(re.sub("[.,]", "", row["as_printed"])) == amount(row) > 0


async def test_no_two_rows_point_at_the_same_amount(rows: list[Row]) -> None:
    places = [(row["sources"][0]["document"], row["sources"][0]["line"]) for row in rows]
    stated = [place for place in places if place[1] is not None]
    assert len(stated) == len(set(stated)) == 759


async def test_every_code_is_a_term_of_the_vocabulary(
    rows: list[Row], printed: list[Row], terms: dict[tuple[str, str], Row]
) -> None:
    for row in rows:
        assert row["edition"] == "MI-2015"
        for kind in ("region", "place", "area"):
            term = terms[kind, row[kind]["code"]]
            assert row[kind]["name"] == term["name"]
            assert row[kind]["as_printed"] is None or row[kind]["as_printed"] in term["as_printed"]
        place = terms["place", row["place"]["code"]]
        assert place["region"] == row["region"]["code"]
        assert (place["country"], place["footnote"]) == (row["place"]["country"], row["place"]["footnote"])
        populations = [p["code"] for p in row["target_populations"]]
        assert len(set(populations)) == len(populations) > 0
        for population in row["target_populations"]:
            assert population["name"] == terms["target_population", population["code"]]["name"]
    used = {("place", row["place"]["code"]) for row in rows} | {("region", row["region"]["code"]) for row in rows}
    used |= {("area", row["area"]["code"]) for row in rows}
    used |= {("target_population", p["code"]) for row in rows for p in row["target_populations"]}
    assert used == set(terms)
    assert {(total["division"], total["value"]) for total in printed} == {
        key for key in terms if key[0] != "target_population"
    }


@pytest.mark.parametrize(
    ("path", "model", "count"),
    [
        (REQUIREMENTS, schemas.Requirement, 760),
        (f"{EDITION}/printed-totals", schemas.PrintedTotal, 270),
        (f"{EDITION}/vocabulary", schemas.Term, 177),
        (f"{EDITION}/results", schemas.ResultsMatrix, 2),
        (f"{FUNDING}/initiatives", schemas.Initiative, 54),
        (f"{FUNDING}/editions", schemas.Edition, 1),
    ],
)
async def test_every_document_is_what_its_schema_writes(
    funding: httpx.AsyncClient, path: str, model: type[BaseModel], count: int
) -> None:
    documents = await lines(funding, path)
    assert len(documents) == count
    for document in documents:
        written = model.model_validate(document).model_dump(mode="json")
        assert written == document
        assert list(written) == list(document)


async def test_kosovo_carries_its_footnote(funding: httpx.AsyncClient, rows: list[Row]) -> None:
    kosovo = [row for row in rows if row["place"]["code"] == "XKX"]
    assert kosovo
    assert await lines(funding, f"{REQUIREMENTS}?country=XKX") == kosovo
    for row in kosovo:
        assert row["place"]["country"] == "XKX"
        assert "1244" in row["place"]["name"]
        assert "Security Council resolution 1244 (1999)" in row["place"]["footnote"]
    assert {row["place"]["code"] for row in rows if row["place"]["footnote"]} == {"XKX"}


def has(name: str, *values: str) -> Callable[[Row], bool]:
    return lambda row: row[name]["code"] in values


def names_any(*codes: str) -> Callable[[Row], bool]:
    return lambda row: bool({p["code"] for p in row["target_populations"]} & set(codes))


def between(least: str, most: str = "Infinity") -> Callable[[Row], bool]:
    return lambda row: row["sum"] is not None and Decimal(least) <= amount(row) <= Decimal(most)


def words(text: str) -> list[str]:
    bare = unicodedata.normalize("NFD", text).casefold()
    return re.findall(r"\w+", "".join(c for c in bare if not unicodedata.combining(c)))


def says(*beginnings: str) -> Callable[[Row], bool]:
    """Every one of these begins some word of the place, the region or the area."""

    def found(row: Row) -> bool:
        texts = [row["place"], row["region"], row["area"]]
        spoken = [word for t in texts for word in words(f"{t['name']} {t['as_printed'] or ''}")]
        return all(any(word.startswith(beginning) for word in spoken) for beginning in beginnings)

    return found


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
    ("q=cote%20d%27ivoire", has("place", "CIV")),
    ("q=C%C3%94TE+D%E2%80%99IVOIRE", has("place", "CIV")),
    ("q=cotE%20IVO", has("place", "CIV")),
    ("q=lao", has("place", "LAO")),
    ("q=health+southern", says("health", "southern")),
    ("q=health+-+southern%21", says("health", "southern")),
    ("q=post-crisis", has("area", "emergencies")),
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


async def test_updated_since_includes_its_moment(funding: httpx.AsyncClient, rows: list[Row]) -> None:
    (moment,) = {row["updated"] for row in rows}
    assert (await funding.get(REQUIREMENTS, params={"updated_since": moment})).json()["total"] == 760
    assert (await funding.get(REQUIREMENTS, params={"updated_since": moment[:10]})).json()["total"] == 760
    later = (datetime.fromisoformat(moment) + timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    assert (await funding.get(REQUIREMENTS, params={"updated_since": later})).json()["total"] == 0


FACETS: dict[str, Callable[[Row], list[str]]] = {
    "edition": lambda row: [row["edition"]],
    "region": lambda row: [row["region"]["code"]],
    "place": lambda row: [row["place"]["code"]],
    "country": lambda row: [row["place"]["country"] or "none"],
    "area": lambda row: [row["area"]["code"]],
    "status": lambda row: [row["status"]],
    "target_population": lambda row: [p["code"] for p in row["target_populations"]],
    "populations_named": lambda row: ["one" if len(row["target_populations"]) == 1 else "several"],
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
        counted = Counter(code for row in hit for code in FACETS[name](row))
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


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{FUNDING}/editions", "edition"),
        (f"{EDITION}/vocabulary", "vocabulary"),
        (REQUIREMENTS, "requirements"),
        (f"{EDITION}/printed-totals", "printed-totals"),
    ],
)
async def test_an_export_is_the_table_that_the_edition_was_imported_from(
    funding: httpx.AsyncClient, path: str, name: str
) -> None:
    exported = (await funding.get(path, params={"format": "csv"})).text
    assert exported == (files("mmptf_funding") / "data" / "MI-2015" / f"{name}.csv").read_text("utf-8")


NESTED = ("vocabulary", "printed-totals", "results")


@pytest.mark.parametrize("path", ["", *(f"/{name}" for name in NESTED), "/reconciliation"])
async def test_an_unknown_edition_is_not_found_and_the_nearest_is_named(funding: httpx.AsyncClient, path: str) -> None:
    answer = await funding.get(f"{FUNDING}/editions/MI-2051{path}")
    assert answer.status_code == 404
    problem = answer.json()
    assert problem["code"] == "not_found"
    assert [(error["code"], error["suggestion"]) for error in problem["errors"]] == [("unknown_code", "MI-2015")]
    known = await funding.get(f"{EDITION}{path}")
    assert known.status_code == 200
    assert (await funding.get(f"{EDITION}{path}", headers={"If-None-Match": known.headers["ETag"]})).status_code == 304


@pytest.mark.parametrize(
    ("name", "count", "limit"), [("vocabulary", 177, 10), ("printed-totals", 270, 10), ("results", 2, 1)]
)
@pytest.mark.parametrize("order", ["", "-"])
async def test_pages_of_a_nested_list_hold_every_row_once(
    funding: httpx.AsyncClient, name: str, count: int, limit: int, order: str
) -> None:
    sort = order + ("code" if name == "results" else "position")
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
    narrowed = await funding.get(f"{EDITION}/vocabulary", params={"kind": "place", "cursor": cursors["vocabulary"]})
    assert narrowed.status_code == 422


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


async def test_initiatives_keep_currencies_apart_and_have_no_total(funding: httpx.AsyncClient) -> None:
    initiatives = await lines(funding, f"{FUNDING}/initiatives")
    assert len(initiatives) == 54
    stated = Counter((i["kind"], i["sum"]["currency"] if i["sum"] else None) for i in initiatives)
    assert stated == {
        ("initiative", "USD"): 22,
        ("initiative", None): 12,
        ("fund", "USD"): 6,
        ("co_funding", "EUR"): 14,
    }
    assert sum(initiative["sum"] is not None for initiative in initiatives) == 42
    for initiative in initiatives:
        assert initiative["stage"] == "requirement"
        assert (initiative["sum"] is None) == (initiative["precision"] is None)
        assert (initiative["overall"] is None) == (initiative["overall_as_printed"] is None)
        (source,) = initiative["sources"]
        assert source["document"] == DOCUMENT
        assert source["line"]
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
        f"{FUNDING}/totals", f"{FUNDING}/contributions/totals", f"{FUNDING}/ledger/totals",
    }  # fmt: skip
    # What the one sum of requirements contains is requirements of places alone.
    (total,) = (await funding.get(f"{FUNDING}/totals")).json()["totals"]
    assert httpx.URL(total["link"]).path == REQUIREMENTS


async def test_two_regions_print_a_results_matrix(
    funding: httpx.AsyncClient, terms: dict[tuple[str, str], Row]
) -> None:
    matrices = await lines(funding, f"{EDITION}/results")
    shapes = {
        terms["region", matrix["region"]]["name"]: [len(outcome["outputs"]) for outcome in matrix["outcomes"]]
        for matrix in matrices
    }
    assert shapes == {"East and Horn of Africa": [2, 3, 3], "Southern Africa": [2, 2, 2, 4, 2, 3]}
    for matrix in matrices:
        assert matrix["impact"]
        assert {source["document"] for source in matrix["sources"]} == {DOCUMENT}
        entries = [entry for outcome in matrix["outcomes"] for entry in (outcome, *outcome["outputs"])]
        assert all(entry["text"] and entry["line"] > 0 for entry in entries)
