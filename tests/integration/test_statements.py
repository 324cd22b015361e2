"""What the services state of their sources: values read in the documents by hand, and data releases that reach them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_common.wire.codes import THEMATIC_AREAS
from tests.conftest import RunningApp, running_app, service_of

Json = dict[str, Any]


async def items(client: httpx.AsyncClient, path: str, **query: Any) -> list[Json]:
    answer = await client.get(path, params={"limit": 1000, **query})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


# What records of initiatives lack that were stored before it was read.
OF_TEXTS: Json = {"area": None, "countries": [], "partners": [], "footnote": None}


async def store(running: RunningApp, table: str, record: Json, author: str = "seed") -> None:
    """Replace what is stored of a record, as an earlier release of the packaged data had it."""
    async with writing(running.app.state.database) as session:
        await begin_write(session, Author(author), "as it was stored before")
        await session.execute(
            sa.text(f"UPDATE {table} SET record = CAST(:record AS json) WHERE code = :code"),
            {"record": json.dumps(record, ensure_ascii=False, separators=(",", ":")), "code": record["code"]},
        )


async def seed(running: RunningApp) -> None:
    await cli.seed(service_of(running.name), ServiceSettings(database_url=SecretStr(running.database_url)))


# --- objectives ------------------------------------------------------------------------------------------------------


async def test_objectives_have_their_official_names_and_a_short_one_of_our_own(catalog: httpx.AsyncClient) -> None:
    found = {o["code"]: o for o in await items(catalog, "/catalog/v1/objectives")}
    assert [*found] == [str(number) for number in range(1, 24)]
    assert found["8"]["name"] == "Save lives and establish coordinated international efforts on missing migrants"
    assert found["8"]["short_name"] == "Save lives, missing migrants"
    assert found["12"]["name"] == (
        "Strengthen certainty and predictability in migration procedures for appropriate screening,"
        " assessment and referral"
    )
    assert found["23"]["name"].endswith("for safe, orderly and regular migration")
    for objective in found.values():
        name, short_name = objective["sources"]
        assert (name["field"], name["document"]) == ("name", "a-res-73-195")
        assert name["verified"] == (objective["number"] not in range(3, 12))
        assert (short_name["field"], short_name["document"], short_name["verified"]) == ("short_name", "suite", False)
    rows = (await catalog.get("/catalog/v1/objectives", params={"format": "csv"})).text.splitlines()
    assert rows[0].startswith("code,name,number,short_name,")


async def test_an_objective_of_an_earlier_release_is_answered_whole_and_gets_its_name_by_seed(
    new_database: Callable[[str], str],
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        path = "/catalog/v1/objectives/8"
        now = (await running.client.get(path)).json()
        earlier = {**now, "name": now["short_name"], "sources": []}
        del earlier["short_name"]
        await store(running, "objective", earlier)
        answered = (await running.client.get(path)).json()
        assert answered == {**earlier, "short_name": now["short_name"]}
        assert answered in await items(running.client, "/catalog/v1/objectives")
        revision = (await running.client.get("/catalog/v1/objectives")).json()["revision"]
        await seed(running)
        assert {**(await running.client.get(path)).json(), "updated": None} == {**now, "updated": None}
        assert (await running.client.get(path, params={"as_of": revision})).json() == answered


# --- what is verified ------------------------------------------------------------------------------------------------


async def test_names_of_organizations_are_verified_where_a_document_prints_them(catalog: httpx.AsyncClient) -> None:
    found = {
        organization["code"]: [
            (source["document"], source["line"], source["verified"])
            for source in organization["sources"]
            if source["field"] == "name"
        ]
        for organization in await items(catalog, "/catalog/v1/organizations")
    }
    assert found["IOM"] == [("migration-initiatives-2015", 32552, True)]
    assert found["OHCHR"] == [("migration-initiatives-2015", 9373, True)]
    assert found["UNDRR"] == found["UN-HABITAT"] == [("suite", None, False)]
    document = (await catalog.get("/catalog/v1/documents/migration-initiatives-2015")).json()
    assert document["title"] == "Migration Initiatives 2015: Migrants and Cities"


async def test_what_the_suite_assigns_itself_is_not_verified(
    catalog: httpx.AsyncClient, funding: httpx.AsyncClient
) -> None:
    kinds = [
        (contributor["type"], source["document"], source["verified"])
        for contributor in await items(funding, "/funding/v1/contributors")
        for source in contributor["sources"]
        if source["field"] == "type"
    ]
    assert len(kinds) == 22
    assert {kind[1:] for kind in kinds} == {("suite", False)}
    principles = await items(catalog, "/catalog/v1/guiding-principles")
    unverified = {p["code"] for p in principles if not p["sources"][0]["verified"]}
    assert unverified == {"sustainable-development", "human-rights", "gender-responsive"}
    assert [p["name"] for p in principles][-2:] == ["Whole-of-government approach", "Whole-of-society approach"]


# --- an edition ------------------------------------------------------------------------------------------------------

FUNDING, EDITION = "/funding/v1", "/funding/v1/editions/MI-2015"


async def test_notes_for_users_are_apart_from_notes_on_the_reading(funding: httpx.AsyncClient) -> None:
    found = {r["code"]: r for r in await items(funding, f"{FUNDING}/requirements")}
    assert sum(r["note"] is not None for r in found.values()) == 13
    assert sum(r["reading_note"] is not None for r in found.values()) == 478
    georgia = found["MI-2015-GEO-emergencies"]
    assert georgia["note"] == "The document prints no amount under this heading; its tables imply 1,000,000."
    assert "not read here" not in json.dumps([*found.values()])
    assert found["MI-2015-CAF-assistance"]["note"].count("Migrant Assistance") == 1
    assert found["MI-2015-CAF-assistance"]["reading_note"].startswith("What the money is for: ")
    # A line of the document is of use to whoever checks a figure, and to nobody else.
    for row in found.values():
        assert not re.search("[0-9]{4,5}(?![0-9,])", (row["note"] or "").replace("1,000,000", "")), row["note"]
    initiatives = {i["code"]: i for i in await items(funding, f"{FUNDING}/initiatives")}
    assert initiatives["MI-2015-co-funding-02"]["note"].endswith("do not count twice.")
    assert initiatives["MI-2015-co-funding-05"]["note"] is None


async def test_what_is_printed_on_several_lines_says_so(funding: httpx.AsyncClient) -> None:
    lines: Counter[str] = Counter()
    for row in await items(funding, f"{FUNDING}/requirements"):
        for source in row["sources"]:
            # What the money is for may stand in pieces.
            if source["field"] != "purpose" and (source["locator"] or "").startswith("lines "):
                assert source["locator"].startswith(f"lines {source['line']}-")
                lines[source["field"]] += 1
    assert lines == {"area": 137, "place": 49}
    several = {
        i["code"]: (i["sources"][0]["line"], i["sources"][0]["locator"])
        for i in await items(funding, f"{FUNDING}/initiatives")
        if i["sources"][0]["locator"]
    }
    assert several == {
        "MI-2015-initiative-02": (31387, "lines 31387-31388"),
        "MI-2015-initiative-20": (31898, "lines 31898-31899"),
        "MI-2015-fund-02": (32423, "lines 32423-32424"),
    }


async def test_a_fund_has_the_target_that_its_note_speaks_of(funding: httpx.AsyncClient) -> None:
    targets = {
        i["code"]: (i["target"], i["target_as_printed"], i["sources"][1]["line"])
        for i in await items(funding, f"{FUNDING}/initiatives")
        if i["target"]
    }
    assert targets == {
        "MI-2015-fund-04": ({"amount": "10000000.00", "currency": "USD"}, "USD 10 million", 32456),
        "MI-2015-fund-06": ({"amount": "5000000.00", "currency": "USD"}, "USD 5 million", 32492),
    }


async def test_a_percentage_that_fits_two_areas_says_so(funding: httpx.AsyncClient) -> None:
    totals = {t["code"]: t for t in await items(funding, f"{EDITION}/printed-totals")}
    doubtful = {code: t["note"] for code, t in totals.items() if t["confidence"] != "high"}
    assert [*doubtful] == ["MI-2015.area.south-america.border.share"]
    assert "fits Immigration and Border Management (2.98 %) and Labour Migration (3.47 %) equally" in str(doubtful)
    figures = (await funding.get(f"{EDITION}/reconciliation")).json()["figures"]
    (figure,) = [f for f in figures if f["confidence"] == "low"]
    assert (figure["printed"], figure["agreement"], figure["note"]) == (
        "MI-2015.area.south-america.border.share", "equal", doubtful["MI-2015.area.south-america.border.share"],
    )  # fmt: skip


async def test_the_note_of_an_edition_has_its_lines(funding: httpx.AsyncClient) -> None:
    (edition,) = await items(funding, f"{FUNDING}/editions")
    assert "2014" not in edition["note"] and "UNTERM" in edition["note"]
    source = of_field(edition, "note")
    assert (source["field"], source["line"], source["locator"]) == ("note", 125, "lines 125-128")


def of_field(row: dict[str, Any], field: str) -> dict[str, Any]:
    (source,) = [source for source in row["sources"] if source["field"] == field]
    return source


async def test_target_populations_of_tajikistan_stand_where_their_texts_end(funding: httpx.AsyncClient) -> None:
    rows = {r["area"]["code"]: r for r in await items(funding, f"{FUNDING}/requirements", place="TJK")}
    lines = {
        area: (
            of_field(row, "target_populations")["line"],
            "private-sector" in [p["code"] for p in row["target_populations"]],
        )
        for area, row in rows.items()
    }
    assert (lines["assistance"], lines["research"]) == ((21881, False), (21837, True))
    assert rows["assistance"]["confidence"] == rows["research"]["confidence"] == "medium"


async def test_a_requirement_of_an_earlier_release_is_answered_whole_and_gets_its_notes_by_seed(
    new_database: Callable[[str], str],
) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        for table, path, absent in (
            ("requirement", f"{FUNDING}/requirements/MI-2015-GEO-emergencies", {"reading_note": None}),
            ("initiative", f"{FUNDING}/initiatives/MI-2015-fund-04",
             {"reading_note": None, "target": None, "target_as_printed": None, **OF_TEXTS}),
            ("initiative", f"{FUNDING}/initiatives/MI-2015-fund-03", OF_TEXTS),
            ("printed_total", None, {"confidence": "high"}),
            ("edition", EDITION, {"sources": []}),
            ("edition", EDITION, {"annotations": []}),
            ("edition", EDITION, {"annotations": [], "sources": []}),
        ):  # fmt: skip
            read = path or f"{EDITION}/printed-totals"
            now = (await running.client.get(read)).json()
            now = now if path else now["items"][0]
            earlier = {name: value for name, value in now.items() if name not in absent}
            await store(running, table, earlier)
            answered = (await running.client.get(read)).json()
            assert (answered if path else answered["items"][0]) == {**earlier, **absent}
        await seed(running)
        again = (await running.client.get(f"{FUNDING}/requirements/MI-2015-GEO-emergencies")).json()
        assert again["reading_note"].startswith("The table by place")
        edition = (await running.client.get(EDITION)).json()
        assert len(edition["sources"]) == 1 + len(edition["annotations"]) == 4


# --- the Fund --------------------------------------------------------------------------------------------------------


async def test_figures_of_the_fund_have_all_their_lines_and_targets_their_last_day(funding: httpx.AsyncClient) -> None:
    funded = (await funding.get(f"{FUNDING}/facts/joint-programmes-funded")).json()
    assert [source["line"] for source in funded["sources"]] == [25, 48]
    targets = {t["code"]: (t["due"], t["due_precision"]) for t in await items(funding, f"{FUNDING}/targets")}
    assert targets == {"IMRF-2026": ("2026-12-31", "year"), "IMRF-2022": ("2022-12-31", "year")}


async def test_a_target_that_is_due_in_a_month_or_on_a_day_is_compared_with_it(
    new_database: Callable[[str], str],
) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        now = (await running.client.get(f"{FUNDING}/targets/IMRF-2022")).json()
        # The contributions are counted to the end of January 2024.
        for due, precision, after in (
            ("2024-01-01", "month", False), ("2024-01-30", "day", True), ("2024-01-31", "day", False),
            ("2024-01-01", "year", False), ("2023-12-01", "month", True), ("2023-01-01", "year", True),
        ):  # fmt: skip
            await store(running, "target", {**now, "due": due, "due_precision": precision})
            targets = (await running.client.get(f"{FUNDING}/progress")).json()["targets"]
            (found,) = [t for t in targets if t["target"]["code"] == "IMRF-2022"]
            assert found["contributed"][0]["after_due"] is after, (due, precision)


async def test_the_ledger_names_areas_as_the_catalogue_does(catalog: httpx.AsyncClient) -> None:
    areas = await items(catalog, "/catalog/v1/thematic-areas")
    assert {area["code"]: area["name"] for area in areas} == THEMATIC_AREAS


async def test_the_article_has_its_public_address(catalog: httpx.AsyncClient) -> None:
    article = (await catalog.get("/catalog/v1/documents/who-mptf-article")).json()
    assert article["url"].startswith("https://www.emro.who.int/") and "publisher is that of" in article["note"]


async def test_a_country_that_a_region_covers_without_a_requirement_is_told_to_be_one(
    funding: httpx.AsyncClient,
) -> None:
    path = f"{FUNDING}/requirements"
    regions = {t["code"]: t["covers"] for t in await items(funding, f"{EDITION}/vocabulary", kind="region")}
    offices = await items(funding, f"{EDITION}/offices")
    for region, covers in regions.items():
        named = [c["code"] for office in offices if office["region"] == region for c in office["covers"]]
        assert covers == list(dict.fromkeys(named))
    without = set()
    for region, covers in regions.items():
        for code in covers:
            page = (await funding.get(path, params={"country": code, "limit": 1})).json()
            # What a region covers finds none of its rows.
            assert {row["place"]["country"] for row in page["items"]} <= {code, "MUS"}
            assert page["remarks"] == ([] if page["total"] else [{
                "country": code, "edition": "MI-2015", "region": region,
                "detail": f"{code} is covered by the region {region} of MI-2015, which states no requirement for it.",
            }])  # fmt: skip
            without |= set() if page["total"] else {code}
    assert {"BHR", "QAT", "VEN"} <= without and not {"KEN", "MDG"} & without
    several = (await funding.get(path, params={"country": ["QAT", "BHR", "ISL"]})).json()
    assert [remark["country"] for remark in several["remarks"]] == ["BHR", "QAT"]
    for query in (
        {"country": "ISL"},
        {"country": "KEN", "area": "environment"},
        {"q": "zzz"},
        {"country": ["BHR", "KEN"]},
    ):
        assert (await funding.get(path, params=query)).json()["remarks"] == []
    before = (await funding.get(path, params={"country": "BHR", "edition": "MI-2015", "as_of": 0})).json()
    assert (before["total"], before["remarks"]) == (0, [])


async def test_a_place_is_found_by_every_country_that_it_covers(funding: httpx.AsyncClient) -> None:
    path = f"{FUNDING}/requirements"
    mauritius = [r["code"] for r in await items(funding, path, country="MUS")]
    assert len(mauritius) == 7 and all(code.startswith("MI-2015-MUS-") for code in mauritius)
    for code in ("MDG", "SYC", "COM"):
        assert [r["code"] for r in await items(funding, path, country=code)] == mauritius
        totals = (await funding.get(f"{FUNDING}/totals", params={"country": code, "by": "country"})).json()
        (total,) = totals["totals"]
        (group,) = total["groups"]
        assert ([key["value"] for key in group["keys"]], group["rows"]) == (["MUS"], 7)
        # No filter finds the rows of MUS among those of this country alone.
        assert group["link"] is None
        facets = (await funding.get(f"{path}/facets", params={"country": code})).json()
        assert facets["total"] == 7
    both = [r["code"] for r in await items(funding, path, country=["MDG", "KEN"])]
    assert set(both) == {*mauritius, *[r["code"] for r in await items(funding, path, country="KEN")]}
    covering = {t["code"]: t["covers"] for t in await items(funding, f"{EDITION}/vocabulary", kind="place")}
    assert {code: covers for code, covers in covering.items() if covers} == {"MUS": ["MDG", "SYC", "COM"]}


async def test_totals_of_programmes_say_how_many_of_the_printed_ones_are_held(
    catalog: httpx.AsyncClient, funding: httpx.AsyncClient
) -> None:
    for query in ({}, {"by": "country"}, {"stage": "pipeline"}, {"country": "SRB", "by": "stage"}):
        coverage = (await catalog.get("/catalog/v1/programmes/totals", params=query)).json()["coverage"]
        found = {c["value"]: (c["by"], c["held"], c["printed"], c["share"]["per_cent"]) for c in coverage}
        assert found == {"funded": ("stage", 9, 21, "42.85"), "pipeline": ("stage", 8, 33, "24.24")}, query
        lines = [(s["document"], s["line"]) for c in coverage for s in c["sources"]]
        assert lines == [("mptf-human-rights-brochure-2024", line) for line in (25, 48, 163)]
    assert (await funding.get(f"{FUNDING}/totals")).json()["coverage"] == []
