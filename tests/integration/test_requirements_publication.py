"""The packaged requirements against the figures that the publication prints."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import httpx
import pytest
from pydantic import BaseModel

from mmptf_funding.editions import schemas
from mmptf_funding.regions import schemas as regions
from tests.integration.requirement_rows import (
    DOCUMENT,
    EDITION,
    FUNDING,
    MILLION,
    NINE_REGIONS,
    REQUIREMENTS,
    Row,
    amount,
    half_up,
    lines,
    sums,
    total_of,
)

INITIATIVES = f"{FUNDING}/initiatives"
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
AREAS = {
    "Operations, Emergencies and Post-crisis",
    "Migration Health",
    "Immigration and Border Management",
    "Migrant Assistance",
    "Labour Migration and Human Development",
    "Migration Policy and Research",
    "Migration and Environment",
}
# The percentages that the printed totals beside them contradict: region, area, as printed.
CONTRADICTED = {
    ("East and Horn of Africa", "Migration Policy and Research", "2.8%"),
    ("Middle East and North Africa", "Migration Policy and Research", "1%"),
    ("Asia and the Pacific", "Migration Health", "22%"),
    ("Central and North America and the Caribbean", "Operations, Emergencies and Post-crisis", "38%"),
}
GEORGIA = "South-Eastern Europe, Eastern Europe and Central Asia"

# The table by place prints the word "funded" for these, in place of a figure.
FUNDED_PLACES = {"AUS", "JPN", "AUT", "EST", "IRL", "LUX"}


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


async def test_the_edition_has_every_row_of_the_publication(rows: list[Row], terms: dict[tuple[str, str], Row]) -> None:
    assert len(rows) == len({row["code"] for row in rows}) == 760
    assert len({row["place"]["code"] for row in rows}) == 152
    assert {row["region"]["name"] for row in rows} == set(REGIONS)
    assert {row["area"]["name"] for row in rows} == AREAS
    assert Counter(row["status"] for row in rows) == {"required": 705, "funded": 54, "missing_in_source": 1}
    assert len({(row["place"]["code"], row["area"]["code"]) for row in rows}) == 760
    assert Counter(kind for kind, _ in terms) == {
        "region": 9,
        "area": 7,
        "target_population": 9,
        "place": 152,
        "topic": 75,
    }


async def test_every_requirement_says_what_it_is_for(rows: list[Row], terms: dict[tuple[str, str], Row]) -> None:
    taken: set[int] = set()
    for row in rows:
        assert 0 < len(row["purpose"].split()) <= 25
        lines = [line for part in row["narrative"] for line in range(part["first"], part["last"] + 1)]
        assert lines and not taken & set(lines)
        taken |= set(lines)
        assert row["topics"]
        for located in (*row["topics"], *row["funders_named"]):
            assert located["line"] in lines
        (source,) = [source for source in row["sources"] if source["field"] == "purpose"]
        assert (source["line"], source["verified"]) == (row["narrative"][0]["first"], True)
    assert all(term["note"] for (kind, _), term in terms.items() if kind == "topic")


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
    # The note of the remaining one is on where it belongs.
    doubtful = {total["code"] for total in printed if total["confidence"] != "high"}
    assert {total["code"] for total in printed if total["note"]} == set(contradicted) | doubtful
    assert len(doubtful) == 1 and not doubtful & set(contradicted)
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


async def test_every_requirement_has_its_line_in_the_publication(funding: httpx.AsyncClient, rows: list[Row]) -> None:
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
    used |= {("topic", topic["code"]) for row in rows for topic in row["topics"]}
    assert all(topic["name"] == terms["topic", topic["code"]]["name"] for row in rows for topic in row["topics"])
    assert used == set(terms)
    assert {(total["division"], total["value"]) for total in printed} == {
        key for key in terms if key[0] not in ("target_population", "topic")
    }


@pytest.mark.parametrize(
    ("path", "model", "count"),
    [
        (REQUIREMENTS, schemas.Requirement, 760),
        (f"{EDITION}/printed-totals", schemas.PrintedTotal, 270),
        (f"{EDITION}/vocabulary", schemas.VocabularyTerm, 252),
        (f"{EDITION}/frameworks", regions.Framework, 11),
        (f"{EDITION}/framework-items", regions.FrameworkItem, 445),
        (f"{EDITION}/offices", regions.RegionalOffice, 10),
        (f"{EDITION}/groups", regions.RegionalGroup, 69),
        (f"{EDITION}/acronyms", regions.PrintedAcronym, 93),
        (f"{FUNDING}/initiatives", schemas.Initiative, 56),
        (f"{EDITION}/partners", schemas.Partner, 173),
        (f"{EDITION}/figures", schemas.StatedFigure, 352),
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
        assert row["place"]["footnote"] == (
            "References to Kosovo shall be understood to be in the context of United Nations Security Council"
            " resolution 1244 (1999)."
        )
    assert {row["place"]["code"] for row in rows if row["place"]["footnote"]} == {"XKX"}


async def test_partners_are_what_their_names_say_or_it_is_not_verified(funding: httpx.AsyncClient) -> None:
    partners = await lines(funding, f"{EDITION}/partners")
    assert Counter(partner["kind"] for partner in partners) == {
        "state": 60, "territory": 1, "un_organization": 24, "multi_partner_trust_fund": 11,
        "international_financial_institution": 3, "intergovernmental_organization": 6, "public_body": 5,
        "non_governmental_organization": 32, "foundation": 5, "private_sector": 13, "academia": 9, "other": 4,
    }  # fmt: skip
    for partner in partners:
        name, kind = partner["sources"]
        assert (name["field"], name["as_printed"], name["verified"]) == ("as_printed", partner["as_printed"], True)
        assert 32495 <= name["line"] <= 32541
        assert (kind["field"], kind["verified"]) == ("kind", kind["as_printed"] is not None)
        assert (kind["as_printed"] or "") in partner["as_printed"]
        assert (kind["note"] is None) == kind["verified"]
        assert (partner["country"] is not None) == (partner["kind"] in ("state", "territory"))
        assert ("Kosovo" in partner["as_printed"]) == (partner["footnote"] is not None)
    funds = [p for p in partners if p["kind"] == "multi_partner_trust_fund"]
    assert [p["sources"][1]["as_printed"] for p in funds].count("MPTF") == 10
    (unsaid,) = (p for p in funds if not p["sources"][1]["verified"])
    assert unsaid["as_printed"].startswith("JP Kenya")


async def test_partners_are_linked_to_the_contributors_and_organizations_that_they_are(
    funding: httpx.AsyncClient, catalog: httpx.AsyncClient
) -> None:
    partners = await lines(funding, f"{EDITION}/partners")
    contributors = {c["code"]: c for c in await lines(funding, f"{FUNDING}/contributors")}
    countries = {c["country"]: c["code"] for c in contributors.values() if c["country"]}
    for partner in partners:
        assert partner["contributor"] == countries.get(partner["country"])
    organizations = {o["code"]: o["name"] for o in await lines(catalog, "/catalog/v1/organizations")}
    linked = {p["organization"]: p["name"] for p in partners if p["organization"]}
    assert linked == {code: organizations[code] for code in ("ILO", "WHO")}
    assert {p["name"] for p in partners} & set(organizations.values()) == set(linked.values())


async def test_partners_are_found_by_kind_country_and_words(funding: httpx.AsyncClient) -> None:
    partners = await lines(funding, f"{EDITION}/partners")

    async def found(query: str) -> list[str]:
        return [partner["as_printed"] for partner in await lines(funding, f"{EDITION}/partners?{query}")]

    some = [p["as_printed"] for p in partners if p["kind"] in ("academia", "foundation")]
    assert await found("kind=academia&kind=foundation") == some
    assert await found("country=nor&country=XKX") == [
        "Norway, Kingdom of",
        "UNSC resolution 1244-administered Kosovo",
    ]
    # A country without a row is no error; one that does not exist is.
    assert await found("country=KEN") == []
    assert (await funding.get(f"{EDITION}/partners?country=NRO")).status_code == 422
    assert (await funding.get(f"{EDITION}/partners?kind=ngo")).status_code == 422
    assert len(await found("country=not_stated")) == 112
    assert await found("q=türkiye") == ["Turkey, Republic of"]
    assert await found('q="humanitarian fund"') == [
        "CAR Common Humanitarian Fund \N{EN DASH} MPTF",
        "South Sudan Common Humanitarian Fund - MPTF",
        "Sudan Common Humanitarian Fund - MPTF",
    ]
    assert await found("q=undp&sort=-name") == [
        "United Nations Development Programme (UNDP)",
        "UN Development Programme (UNDP)",
        "UNDP Project Clearing Account",
    ]


async def test_initiatives_without_an_amount_stand_where_the_document_prints_them(funding: httpx.AsyncClient) -> None:
    found = {i["code"]: i for i in await lines(funding, INITIATIVES)}
    assert [*found].index("MI-2015-initiative-35") == [*found].index("MI-2015-co-funding-14") + 1
    for code, title, line in (
        ("MI-2015-initiative-35", "New York Migration Series 2015", 29590),
        ("MI-2015-initiative-36", "PLURAL+ Youth Video Festival on Migration, Diversity and Social Inclusion", 29597),
    ):
        initiative = found[code]
        assert (initiative["kind"], initiative["name"], initiative["sum"]) == ("initiative", title, None)
        assert [(source["field"], source["line"]) for source in initiative["sources"]] == [("name", line)]
        assert initiative["countries"] == [{"code": "USA", "line": 29530}]
    assert found["MI-2015-initiative-36"]["partners"] == [
        {"as_printed": "United Nations Alliance of Civilizations", "line": 29599}
    ]


async def test_initiatives_have_the_countries_partners_and_areas_of_their_texts(funding: httpx.AsyncClient) -> None:
    initiatives = await lines(funding, INITIATIVES)
    found = {i["code"].removeprefix("MI-2015-"): i for i in initiatives}
    studied = ["DOM", "HTI", "KEN", "MUS", "PNG", "VNM"]
    # The same project stands in two tables.
    for code in ("initiative-09", "co-funding-02"):
        assert [country["code"] for country in found[code]["countries"]] == studied
    assert found["initiative-09"]["partners"] == [{"as_printed": "European Commission", "line": 31523}]
    for initiative in initiatives:
        kosovo = "XKX" in [country["code"] for country in initiative["countries"]]
        assert kosovo == (initiative["footnote"] is not None)
        areas = [source for source in initiative["sources"] if source["field"] == "area"]
        assert len(areas) == (initiative["area"] is not None)
        assert all(not source["verified"] and source["note"] and source["line"] for source in areas)
    assert Counter(initiative["area"] for initiative in initiatives) == {
        None: 29, "emergencies": 13, "environment": 6, "research": 5, "health": 3,
    }  # fmt: skip


async def test_initiatives_are_found_by_country_area_and_region(
    funding: httpx.AsyncClient, terms: dict[tuple[str, str], Row]
) -> None:
    initiatives = await lines(funding, INITIATIVES)
    regions = {term["country"]: term["region"] for (kind, _), term in terms.items() if kind == "place"}
    of: dict[str, dict[str, list[str]]] = {
        initiative["code"]: {
            "country": (countries := [country["code"] for country in initiative["countries"]]),
            "region": list({regions[country] for country in countries if country in regions}),
            "area": [initiative["area"]] if initiative["area"] else [],
            "kind": [initiative["kind"]],
            "edition": ["MI-2015"],
        }
        for initiative in initiatives
    }

    def matching(filter_: str, *values: str) -> list[str]:
        return [code for code, terms in of.items() if {*values} & {*terms[filter_]}]

    async def found(query: str) -> list[str]:
        return [initiative["code"] for initiative in await lines(funding, f"{INITIATIVES}?{query}")]

    assert await found("country=KEN&country=SAU") == matching("country", "KEN", "SAU")
    assert await found("area=health&area=research") == matching("area", "health", "research")
    assert await found("region=southern-africa") == matching("region", "southern-africa")
    assert await found("country=not_stated") == [code for code, terms in of.items() if not terms["country"]]
    assert await found("area=not_stated") == [code for code, terms in of.items() if not terms["area"]]
    # Saudi Arabia is no place of the edition, so that it is in none of its regions.
    assert await found("country=SAU&region=middle-east-north-africa") == ["MI-2015-co-funding-01"]
    assert await found("country=DEU") == []
    for wrong in ("country=XXX", "area=helth", "region=southern-afrika"):
        assert (await funding.get(f"{INITIATIVES}?{wrong}")).status_code == 422
    facets = (await funding.get(f"{INITIATIVES}/facets")).json()
    assert facets["total"] == len(initiatives)
    for name, values in facets["facets"].items():
        counted = {value["value"]: value["count"] for value in values}
        expected = Counter(value for terms in of.values() for value in terms[name] or [None])
        assert counted == expected, name
        for value in values:
            assert len(await lines(funding, value["link"])) == value["count"]
    under = (await funding.get(f"{INITIATIVES}/facets?region=southern-africa&kind=co_funding")).json()
    assert under["total"] == 1


async def test_frameworks_have_their_items_as_trees(funding: httpx.AsyncClient) -> None:
    frameworks = {f["code"]: f for f in await lines(funding, f"{EDITION}/frameworks")}
    items = await lines(funding, f"{EDITION}/framework-items")
    assert [item for f in frameworks.values() for item in f["items"]] == items
    for framework in frameworks.values():
        numbers = [item["number"] for item in framework["items"]]
        assert len(set(numbers)) == len(numbers)
        assert {item["parent"] for item in framework["items"]} - {None} < set(numbers)
        levels = [(level["code"], level["name"]) for level in framework["levels"]]
        assert levels == list(dict.fromkeys((i["level"], i["level_as_printed"]) for i in framework["items"]))
        for item in framework["items"]:
            assert [source["field"] for source in item["sources"]] == [m for m in ("title", "text") if item[m]]
            assert all(source["verified"] and source["line"] for source in item["sources"])
            assert len((item["text"] or "").split()) <= 25
    printed = {f["region"]: (f["kind"], f["period_from"], f["period_to"]) for f in frameworks.values() if f["region"]}
    assert printed == {
        "east-horn-africa": ("results_matrix", None, None), "southern-africa": ("results_matrix", 2014, 2016),
        "west-central-africa": ("strategy", 2014, 2016), "middle-east-north-africa": ("strategy", None, None),
        "asia-pacific": ("strategy", 2012, 2015), "see-eeca": ("strategy", 2015, 2020),
        "eu-switzerland-norway": ("strategy", 2014, 2020), "central-north-america-caribbean": ("strategy", 2014, 2016),
        "south-america": ("strategy", 2014, 2014),
    }  # fmt: skip
    matrices = [Counter(i["level"] for i in f["items"]) for f in frameworks.values() if f["kind"] == "results_matrix"]
    assert [(m["impact"], m["strategic_objective"], m["outcome"], m["output"], m["operational_result"])
            for m in matrices] == [(1, 0, 3, 8, 0), (1, 7, 15, 0, 1)]  # fmt: skip
    strategy = frameworks["MI-2015-framework-twelve-points"]["items"]
    assert [i["number"] for i in strategy if i["level"] == "point"] == [str(n) for n in range(1, 13)]


async def test_frameworks_and_their_items_are_found_by_region_kind_level_and_words(funding: httpx.AsyncClient) -> None:
    async def found(query: str, noun: str = "frameworks") -> list[str]:
        return [
            row["code"].removeprefix("MI-2015-framework-") for row in await lines(funding, f"{EDITION}/{noun}?{query}")
        ]

    assert await found("region=not_stated") == ["twelve-points", "high-level-dialogue"]
    assert await found("kind=results_matrix&level=operational_result") == ["southern-africa"]
    assert await found("level=impact&level=point&region=not_stated&region=southern-africa") == [
        "twelve-points", "high-level-dialogue", "southern-africa",
    ]  # fmt: skip
    # Words of different items of one framework.
    assert "high-level-dialogue" in await found("q=stranded trafficking")
    assert await found("q=stranded trafficking&region=not_stated", "framework-items") == []
    assert await found("region=southern-africa&level=operational_result", "framework-items") == ["southern-africa.OR"]
    assert (await funding.get(f"{EDITION}/framework-items?level=target")).status_code == 422
    assert (await funding.get(f"{EDITION}/frameworks?region=southern-afric")).status_code == 422


async def test_offices_groups_and_acronyms_are_found_by_region_and_country(funding: httpx.AsyncClient) -> None:
    offices = await lines(funding, f"{EDITION}/offices")
    regional = [o for o in offices if o["name"].startswith("Regional Office")]
    assert {o["region"]: len(o["covers"]) for o in regional} == {
        "east-horn-africa": 10, "southern-africa": 4, "west-central-africa": 2, "middle-east-north-africa": 17,
        "asia-pacific": 39, "see-eeca": 0, "eu-switzerland-norway": 0, "central-north-america-caribbean": 20,
        "south-america": 9,
    }  # fmt: skip
    assert [o["seat"] for o in await lines(funding, f"{EDITION}/offices?country=BHR&country=VEN")] == [
        "Cairo", "Buenos Aires",
    ]  # fmt: skip
    assert len(await lines(funding, f"{EDITION}/offices?country=not_stated")) == 3
    (almaty,) = await lines(funding, f"{EDITION}/groups?kind=consultative_process&country=IRN")
    assert [c["code"] for c in almaty["members"]] == ["AFG", "AZE", "KAZ", "KGZ", "PAK", "TJK", "TUR", "TKM"]
    groups = await lines(funding, f"{EDITION}/groups")
    for group in groups:
        assert group["members_stated"] is None or group["members_stated"] >= len(group["members"])
        assert (group["footnote"] is not None) == ("XKX" in {c["code"] for c in group["members"]})
    assert [g["members_stated"] for g in groups if g["region"] == "west-central-africa" and g["members_stated"]] == [
        15, 8, 10, 6, 4,
    ]  # fmt: skip
    acronyms = await lines(funding, f"{EDITION}/acronyms?q=SADC")
    assert {a["region"] for a in acronyms} == {"east-horn-africa", "southern-africa"}
    assert {a["expansion"] for a in acronyms} == {"Southern African Development Community"}
