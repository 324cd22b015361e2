"""The catalogue on its packaged data: every programme right, every total provable."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from urllib.parse import urlencode

import httpx
import pytest

PROGRAMMES = "/catalog/v1/programmes"

# Read in the brochures by hand: thematic area, stage, budget as printed, its document and line, places.
HUMAN_RIGHTS, EUROPE = "mptf-human-rights-brochure-2024", "mptf-europe-brochure-2024"
PRINTED = {
    "MKD-01": ("1", "funded", "1500000.00", {(HUMAN_RIGHTS, 52), (EUROPE, 57)}, {"MKD"}),
    "SRB-01": ("1", "funded", "2000000.00", {(HUMAN_RIGHTS, 63), (EUROPE, 65)}, {"SRB"}),
    "MDA-01": ("4", "funded", "2000000.00", {(EUROPE, 73)}, {"MDA"}),
    "TJK-01": ("2", "funded", "2200000.00", {(HUMAN_RIGHTS, 75)}, {"TJK"}),
    "TTO-01": ("2", "funded", "2600000.00", {(HUMAN_RIGHTS, 85)}, {"TTO"}),
    "GMB-01": ("2", "funded", "2350000.00", {(HUMAN_RIGHTS, 97)}, {"GMB"}),
    "ETH-01": ("3", "funded", "1500000.00", {(HUMAN_RIGHTS, 111)}, {"ETH"}),
    "ECU-01": ("4", "funded", "1500000.00", {(HUMAN_RIGHTS, 138)}, {"ECU"}),
    "ZAF-01": ("5", "funded", "2600000.00", {(HUMAN_RIGHTS, 153)}, {"ZAF"}),
    "WBALKANS-01": ("4", "pipeline", "3000000.00", {(EUROPE, 83)}, {"ALB", "BIH", "XKX", "MNE", "MKD", "SRB"}),
    "TUR-01": ("4", "pipeline", "2500000.00", {(EUROPE, 95)}, {"TUR"}),
    "TUR-02": ("5", "pipeline", "4000000.00", {(EUROPE, 104)}, {"TUR"}),
    "MENA-01": ("2", "pipeline", "2850000.00", {(HUMAN_RIGHTS, 170)}, {"DJI", "EGY", "LBY"}),
    "SLV-01": ("2", "pipeline", "3400000.00", {(HUMAN_RIGHTS, 183)}, {"SLV"}),
    "ZWE-01": ("2", "pipeline", "2500000.00", {(HUMAN_RIGHTS, 195)}, {"ZWE"}),
    "SASIA-01": ("3", "pipeline", "5000000.00", {(HUMAN_RIGHTS, 208)}, {"BGD", "IND", "NPL"}),
    "PER-01": ("5", "pipeline", "2000000.00", {(HUMAN_RIGHTS, 220)}, {"PER"}),
    "IRQ-JOR-LBN-01": (None, "not_stated", None, set(), {"IRQ", "JOR", "LBN"}),
}


async def test_every_programme_is_as_printed(catalog: httpx.AsyncClient) -> None:
    page = (await catalog.get(PROGRAMMES)).json()
    found = {
        p["code"]: (
            p["thematic_area"] and p["thematic_area"]["code"],
            p["stage"],
            p["budget"] and p["budget"]["amount"],
            {(s["document"], s["line"]) for s in p["budget"]["sources"]} if p["budget"] else set(),
            {place["code"] for place in p["places"]},
        )
        for p in page["items"]
    }
    assert page["total"] == 18
    assert found == PRINTED


async def test_what_no_source_states_is_named(catalog: httpx.AsyncClient) -> None:
    for p in (await catalog.get(PROGRAMMES)).json()["items"]:
        gaps = {gap["field"]: gap["kind"] for gap in p["gaps"]}
        for name in ("title", "budget", "thematic_area"):
            assert (p[name] is None) == (gaps.get(name) == "not_stated_in_source"), (p["code"], name)
        assert (p["organizations"] == []) == (gaps.get("organizations") == "not_stated_in_source"), p["code"]
        assert (p["objectives"] == []) == ("objectives" in gaps)
        assert all(place["share"] is None for place in p["places"]) == ("places.share" in gaps), p["code"]
        named = {source["field"] for source in p["sources"]}
        assert {"places", "summary"} <= named


async def test_kosovo_always_carries_its_footnote(catalog: httpx.AsyncClient) -> None:
    place = (await catalog.get("/catalog/v1/places/XKX")).json()
    assert place["user_assigned"]
    assert place["m49"] is None
    assert place["footnote"] == (
        "References to Kosovo shall be understood to be in the context of United Nations Security Council resolution"
        " 1244 (1999)."
    )
    western_balkans = (await catalog.get(f"{PROGRAMMES}/WBALKANS-01")).json()
    (kosovo,) = [p for p in western_balkans["places"] if p["code"] == "XKX"]
    assert kosovo["footnote"] == place["footnote"]


async def test_the_clustering_is_a_partition_and_unverified(catalog: httpx.AsyncClient) -> None:
    (scheme,) = (await catalog.get("/catalog/v1/clusterings")).json()["items"]
    clustered = [code for area in scheme["areas"] for code in area["objectives"]]
    assert sorted(map(int, clustered)) == list(range(1, 24))
    assert not scheme["verified"]


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("country=SRB", {"SRB-01", "WBALKANS-01"}),
        ("code=srb-01,PER-01&code=NO-SUCH-01", {"SRB-01", "PER-01"}),
        ("code=NO-SUCH-01", set()),
        ("code=SRB-01&country=PER", set()),
        ("country=SRB&stage=funded", {"SRB-01"}),
        ("country=SRB&country=PER", {"SRB-01", "WBALKANS-01", "PER-01"}),
        ("region=039", {"MKD-01", "SRB-01", "WBALKANS-01"}),
        ("region=019", {"TTO-01", "ECU-01", "SLV-01", "PER-01"}),
        ("thematic_area=3", {"ETH-01", "SASIA-01"}),
        ("organization=WHO", {"ETH-01", "IRQ-JOR-LBN-01"}),
        ("stage=not_stated", {"IRQ-JOR-LBN-01"}),
        ("budget_min=3400000&budget_max=4000000.00", {"SLV-01", "TUR-02"}),
        ("q=unaccompanied+ZIMBABWE", {"ZWE-01"}),
        ("q=sucumbios", {"ECU-01"}),
        ("objective=10", set()),
        ("updated_since=2999-01-01", set()),
    ],
)
async def test_filters(catalog: httpx.AsyncClient, query: str, codes: set[str]) -> None:
    page = (await catalog.get(f"{PROGRAMMES}?{query}")).json()
    assert {p["code"] for p in page["items"]} == codes
    assert page["total"] == len(codes)


@pytest.mark.parametrize("sort", ["code", "-code", "title", "-title", "budget", "-budget", "updated", "-updated"])
@pytest.mark.parametrize("limit", [1, 5, 18])
async def test_pages_hold_every_row_once_in_order(catalog: httpx.AsyncClient, sort: str, limit: int) -> None:
    whole = [p["code"] for p in (await catalog.get(PROGRAMMES, params={"sort": sort})).json()["items"]]
    walked: list[str] = []
    path: str | None = f"{PROGRAMMES}?{urlencode({'sort': sort, 'limit': limit})}"
    while path:
        page = (await catalog.get(path)).json()
        assert page["total"] == 18
        assert len(page["items"]) <= limit
        walked += [p["code"] for p in page["items"]]
        path = page["next"]
    assert walked == whole
    assert len(set(walked)) == 18


async def test_pages_go_on_under_a_long_filter(catalog: httpx.AsyncClient) -> None:
    places = (await catalog.get("/catalog/v1/places", params={"kind": "country", "limit": 1000})).json()["items"]
    codes = [place["code"] for place in places]
    named = {"MKD", "SRB", "TUR", "PER"}
    asked = [*named, *[code for code in codes if code not in named][:96]]
    path: str | None = f"{PROGRAMMES}?{urlencode({'country': asked, 'limit': 1, 'sort': 'title'}, doseq=True)}"
    walked = []
    while path:
        page = (await catalog.get(path)).json()
        walked += [p["code"] for p in page["items"]]
        path = page["next"]
    assert len(walked) == len(set(walked)) == page["total"] > 5


async def test_exports_are_complete_and_the_same_rows(catalog: httpx.AsyncClient) -> None:
    page = (await catalog.get(PROGRAMMES)).json()["items"]
    ndjson = (await catalog.get(PROGRAMMES, params={"format": "ndjson"})).text
    assert [json.loads(line) for line in ndjson.splitlines()] == page
    answer = await catalog.get(PROGRAMMES, headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["code"] for row in rows] == [p["code"] for p in page]
    assert [row["budget_amount"] for row in rows] == [p["budget"]["amount"] if p["budget"] else "" for p in page]


@pytest.mark.parametrize("by", ["thematic_area", "objective", "country", "region", "organization", "stage"])
@pytest.mark.parametrize("question", ["", "country=SRB", "stage=pipeline", "thematic_area=4&thematic_area=2", "q=zz"])
async def test_totals_add_up_and_repeat_nothing(catalog: httpx.AsyncClient, by: str, question: str) -> None:
    rows = (await catalog.get(f"{PROGRAMMES}?{question}")).json()["items"]
    expected = sum((Decimal(p["budget"]["amount"]) for p in rows if p["budget"]), Decimal(0))
    answer = (await catalog.get(f"{PROGRAMMES}/totals?by={by}&{question}")).json()
    assert answer["rows"] == len(rows)
    assert sum(part["rows"] for part in answer["left_out"]) == sum(p["budget"] is None for p in rows)
    if not expected:
        assert answer["totals"] == []
        return
    (total,) = answer["totals"]
    parts = total["groups"]
    assert total["stage"] == "programme_budget"
    assert Decimal(total["sum"]["amount"]) == expected
    assert sum(Decimal(part["sum"]["amount"]) for part in parts) == expected
    for group in parts:
        (key,) = group["keys"]
        assert group["link"] is None or key["value"] != "shared"
        # A programme has one area and one stage, and no other group has a part of its budget.
        assert group["link"] is not None or by not in {"thematic_area", "stage"}
        if group["link"]:
            linked = (await catalog.get(group["link"])).json()
            assert linked["total"] == group["rows"]
            assert sum(Decimal(p["budget"]["amount"]) for p in linked["items"]) == Decimal(group["sum"]["amount"])


async def test_a_shared_budget_is_never_given_to_one_country(catalog: httpx.AsyncClient) -> None:
    answer = (await catalog.get(f"{PROGRAMMES}/totals?by=country")).json()
    (total,) = answer["totals"]
    groups = {group["keys"][0]["value"]: (group["sum"]["amount"], group["rows"]) for group in total["groups"]}
    assert groups["shared"] == ("10850000.00", 3)
    assert groups["SRB"] == ("2000000.00", 1)


@pytest.mark.parametrize("question", ["", "stage=funded", "budget_min=2500000&q=migra"])
async def test_facets_count_what_the_filter_returns(catalog: httpx.AsyncClient, question: str) -> None:
    facets = (await catalog.get(f"{PROGRAMMES}/facets?{question}")).json()
    stated = [(name, v) for name, values in facets["facets"].items() for v in values if v["value"] is not None]
    assert len(stated) > 20
    for name, facet in stated:
        others = "&".join(pair for pair in question.split("&") if not pair.startswith(f"{name}="))
        asked = f"{others}&{name}={facet['value']}"
        page = (await catalog.get(f"{PROGRAMMES}?{asked}")).json()
        assert page["total"] == facet["count"], (name, facet)


async def test_an_unknown_code_is_rejected_with_the_one_that_was_meant(catalog: httpx.AsyncClient) -> None:
    answer = await catalog.get(PROGRAMMES, params={"country": "RS"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["code"], error["parameter"]) == ("unknown_code", "country")
    assert (error["suggestion"], error["allowed"]) == ("SRB", ["see /catalog/v1/places?kind=country"])
    assert error["detail"].endswith("; SRB is the code of Serbia")
    missing = await catalog.get(f"{PROGRAMMES}/MKD01")
    assert missing.status_code == 404
    assert missing.json()["errors"][0]["suggestion"] == "MKD-01"
