"""Partners, beneficiaries, components, localities and figures of programmes; who leads; groups of places; documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_catalog.programmes.domain import SOURCED, StatedProgramme
from mmptf_catalog.programmes.examples import CONTENT
from mmptf_catalog.seed import PACKAGE
from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import read_packaged
from mmptf_common.storage.writing import writing as store
from tests.conftest import running_app, service_of
from tests.integration.programmes_client import (
    AGENCY,
    DRAFTS,
    FUND,
    OTHER,
    PROGRAMMES,
    amend,
    body,
    drafted,
    errors,
    refused,
    submit,
    submitted,
)
from tests.tokens import writing
from tests.writes import write_sql

Json = dict[str, Any]
HUMAN_RIGHTS, EUROPE, ARTICLE = "mptf-human-rights-brochure-2024", "mptf-europe-brochure-2024", "who-mptf-article"

# Read in the documents by hand: kinds of partners, groups of beneficiaries, numbers of components, localities, figures.
READ: dict[str, tuple[list[str], set[str], list[int], list[str], list[str]]] = {
    "MKD-01": (["government_national", "statistical_office", "government"],
               {"migrants", "refugees", "vulnerable_groups"}, [], [], []),
    "SRB-01": ([], set(), [], [], []),
    "MDA-01": (["government"], {"diaspora"}, [1, 2], [], ["more_than 50 per_cent"]),
    "TJK-01": (["government", "community"], {"families_of_migrants"}, [], ["Khatlon"], ["approximately 10 per_cent"]),
    "TTO-01": (["government", "civil_society", "other"],
               {"migrants", "vulnerable_groups", "women", "children", "victims_of_trafficking"}, [1, 2, 3], [], []),
    "GMB-01": (["government", "government", "civil_society", "community"],
               {"local_communities", "women", "youth", "migrants"},
               [1, 2, 3, 4], ["Trans-Gambia transport corridor"], []),
    "ETH-01": ([], {"children", "youth", "returnees"}, [], ["Addis Ababa"], []),
    "ECU-01": (["government_local", "government_national", "civil_society"],
               {"migrants", "host_communities", "women", "youth"}, [], ["Imbabura", "Sucumbíos"], []),
    "ZAF-01": ([], {"migrants", "host_communities"}, [], [], []),
    "WBALKANS-01": ([], set(), [], [], ["more_than 33.33 per_cent"]),
    "TUR-01": ([], {"migrants"}, [], [], []),
    "TUR-02": ([], {"citizens", "other"}, [], ["İstanbul", "Gaziantep"], ["rounded 3570000 persons"]),
    "MENA-01": (["government"], {"unaccompanied_children", "children"}, [], [], []),
    "SLV-01": (["government"],
               {"migrants", "returnees", "families_of_migrants", "vulnerable_groups", "women", "youth",
                "persons_with_disabilities", "lgbtq_persons"}, [], [], []),
    "ZWE-01": ([], {"unaccompanied_children", "survivors_of_violence", "migrants"}, [], [], ["at_most 5 rank"]),
    "SASIA-01": ([], set(), [], [], []),
    "PER-01": ([], {"migrants", "refugees", "host_communities"}, [], ["San Juan de Lurigancho"], []),
    "IRQ-JOR-LBN-01": (["government_national"] * 3, set(), [], [], []),
}  # fmt: skip


async def programmes(client: httpx.AsyncClient, query: str = "") -> dict[str, Json]:
    page = (await client.get(f"{PROGRAMMES}?limit=200{query}")).json()
    return {programme["code"]: programme for programme in page["items"]}


async def test_every_programme_states_what_its_paragraph_says(catalog: httpx.AsyncClient) -> None:
    found = {
        code: (
            [partner["kind"] for partner in programme["partners"]],
            {beneficiary["group"] for beneficiary in programme["beneficiaries"]},
            [component["number"] for component in programme["components"]],
            [locality["name"] for locality in programme["localities"]],
            [f"{figure['qualifier']} {figure['value']} {figure['unit']}" for figure in programme["figures"]],
        )
        for code, programme in (await programmes(catalog)).items()
    }
    assert found == READ


async def test_each_of_these_facts_has_a_line_and_what_is_missing_is_a_gap(catalog: httpx.AsyncClient) -> None:
    for code, programme in (await programmes(catalog)).items():
        gaps = {gap["field"]: gap["kind"] for gap in programme["gaps"]}
        places = {place["code"] for place in programme["places"]}
        assert not {*SOURCED} & {source["field"] for source in programme["sources"]}
        for name in SOURCED:
            assert (name != "figures" and not programme[name]) == (gaps.get(name) == "not_stated_in_source"), code
            for entry in programme[name]:
                assert entry["sources"], (code, name)
                for source in entry["sources"]:
                    assert (source["field"], source["verified"]) == (name, True)
                    assert source["line"], source["as_printed"]
                    assert len(source["as_printed"].split()) <= 6
        assert {locality["place"] for locality in programme["localities"]} <= places
        assert {partner["country"] for partner in programme["partners"]} <= {*places, None}
        for figure in programme["figures"]:
            assert figure["as_printed"] == figure["sources"][0]["as_printed"]


async def test_three_ministries_are_one_partner_of_three(catalog: httpx.AsyncClient) -> None:
    partner = (await programmes(catalog))["MKD-01"]["partners"][0]
    (source,) = partner.pop("sources")
    assert partner == {"kind": "government_national", "name": "ministries", "country": "MKD", "number": 3}
    assert (source["document"], source["line"], source["as_printed"]) == (EUROPE, 61, "three ministries")


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("partner_kind=statistical_office", {"MKD-01"}),
        ("partner_kind=civil_society&partner_kind=community", {"TTO-01", "GMB-01", "ECU-01", "TJK-01"}),
        ("partner_kind=not_stated&stage=funded", {"SRB-01", "ETH-01", "ZAF-01"}),
        ("beneficiary=children", {"TTO-01", "ETH-01", "MENA-01"}),
        ("beneficiary=lgbtq_persons", {"SLV-01"}),
        ("beneficiary=youth&partner_kind=government", {"GMB-01", "SLV-01"}),
        ("beneficiary=not_stated", {"SRB-01", "WBALKANS-01", "SASIA-01", "IRQ-JOR-LBN-01"}),
        # Localities, partners and components; the names of none of them stand in a summary.
        ("q=gaziantep", {"TUR-02"}),
        ("q=%22state+statistical+office%22", {"MKD-01"}),
        ("q=%22survivors+get+services%22", {"TTO-01"}),
        ("q=coordination", {"TTO-01"}),
        # No phrase reaches from one partner to the next.
        ("q=%22ministries+state+statistical%22", set()),
    ],
)
async def test_filters(catalog: httpx.AsyncClient, query: str, codes: set[str]) -> None:
    assert set(await programmes(catalog, f"&{query}")) == codes


async def test_facets_count_each_kind_and_group(catalog: httpx.AsyncClient) -> None:
    facets = (await catalog.get(f"{PROGRAMMES}/facets?stage=pipeline")).json()["facets"]
    assert {each["value"]: each["count"] for each in facets["partner_kind"]} == {None: 6, "government": 2}
    counted = {each["value"]: each["count"] for each in facets["beneficiary"]}
    assert counted == {
        None: 2, "migrants": 4, "children": 1, "unaccompanied_children": 2, "citizens": 1, "other": 1, "women": 1,
        "youth": 1, "returnees": 1, "families_of_migrants": 1, "vulnerable_groups": 1, "persons_with_disabilities": 1,
        "lgbtq_persons": 1, "survivors_of_violence": 1, "refugees": 1, "host_communities": 1,
    }  # fmt: skip
    assert "by" not in (await catalog.get(f"{PROGRAMMES}/totals?by=stage")).json()["totals"][0]


async def test_a_wrong_code_of_a_filter_is_refused_with_those_that_are_allowed(catalog: httpx.AsyncClient) -> None:
    for name, wrong, allowed in (
        ("partner_kind", "ministry", "government_national"),
        ("beneficiary", "child", "children"),
    ):
        answer = await catalog.get(f"{PROGRAMMES}?{name}={wrong}")
        assert answer.status_code == 422
        assert allowed in answer.json()["errors"][0]["allowed"]


async def test_a_cell_has_each_entry(catalog: httpx.AsyncClient) -> None:
    table = (await catalog.get(f"{PROGRAMMES}?format=csv")).text
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO(table))}
    assert rows["MKD-01"]["partners"] == "ministries|State Statistical Office|policy makers"
    assert rows["MKD-01"]["partner_kinds"] == "government_national|statistical_office|government"
    assert rows["TUR-02"]["localities"] == "İstanbul|Gaziantep"
    assert rows["TUR-02"]["figures"] == "Syrians in Türkiye: 3.57 million Syrians"
    assert rows["ETH-01"]["beneficiary_groups"] == "children|youth|returnees"
    assert len(rows["GMB-01"]["components"].split("|")) == 4
    assert rows["SRB-01"]["partners"] == ""


# --- what organizations state --------------------------------------------------------------------------------------


async def test_what_a_draft_states_is_that_of_the_programme(client: httpx.AsyncClient) -> None:
    draft = await drafted(client)
    stated = {name: draft.json()[name] for name in SOURCED}
    assert stated == {name: CONTENT[name] for name in SOURCED}
    found = await client.get(f"{DRAFTS}?q=%22nakuru+county%22", headers=writing(*AGENCY))
    assert [each["code"] for each in found.json()["items"]] == [draft.json()["code"]]
    programme = (await submit(client, draft)).json()
    for name, entries in stated.items():
        proved = [{k: v for k, v in entry.items() if k not in ("sources", "as_printed")} for entry in programme[name]]
        assert proved == entries
        for entry in programme[name]:
            (source,) = entry["sources"]
            assert (source["document"], source["field"], source["verified"]) == ("submission", name, False)
            assert source["note"] == "Stated by IOM."
    assert programme["figures"][0]["as_printed"] is None
    assert not {*SOURCED} & {source["field"] for source in programme["sources"]}


async def test_an_amendment_keeps_the_sources_of_what_stays_and_is_in_the_history(
    new_database: Callable[[str], str],
) -> None:
    url = new_database("catalog")
    async with running_app("catalog", url, None) as running:
        client = running.client
        printed = await client.get(f"{PROGRAMMES}/MKD-01")
        before = printed.json()
        kept = [{k: v for k, v in partner.items() if k != "sources"} for partner in before["partners"][:2]]
        new = {"kind": "academia", "name": "a university"}
        amended = await amend(client, printed, FUND, partners=[*kept, new], figures=[])
        assert amended.status_code == 200, amended.text
        after = amended.json()
        assert after["partners"][:2] == before["partners"][:2]
        assert after["partners"][2]["sources"][0]["document"] == "submission"
        # That the ministries are not named stands no longer: all partners are stated anew.
        assert "partners" not in [gap["field"] for gap in after["gaps"]]
        assert after["beneficiaries"] == before["beneficiaries"]
        assert set(await programmes(client, "&partner_kind=academia")) == {"MKD-01"}
        (*_, change) = (await client.get(f"{PROGRAMMES}/MKD-01/history")).json()["items"]
        assert change["reason"] == "A correction."
        assert (change["before"]["partners"], change["after"]["partners"]) == (before["partners"], after["partners"])
        earlier = await client.get(f"{PROGRAMMES}?partner_kind=academia&as_of={after_revision(amended) - 1}")
        assert earlier.json()["items"] == []
        # The package leaves what others have stated.
        await cli.seed(service_of("catalog"), ServiceSettings(database_url=SecretStr(url)))
        assert (await client.get(f"{PROGRAMMES}/MKD-01")).json() == after


def after_revision(answer: httpx.Response) -> int:
    return int(answer.headers["etag"].strip('W/"').partition("-")[0])


@pytest.mark.parametrize(
    ("member", "value", "code", "pointer"),
    [
        ("partners", [{"kind": "ministry", "name": "x"}], "unknown_code", "/partners/0/kind"),
        ("partners", [{"kind": "other", "name": ""}], "invalid_value", "/partners/0/name"),
        ("partners", [{"kind": "other", "name": "x" * 301}], "invalid_value", "/partners/0/name"),
        ("partners", [{"kind": "other", "name": "x", "number": 0}], "invalid_value", "/partners/0/number"),
        ("partners", [{"kind": "other", "name": "x", "country": "KNY"}], "unknown_code", "/partners/0/country"),
        ("partners", [{"kind": "other", "name": "x"}] * 201, "invalid_value", "/partners"),
        ("beneficiaries", [{"group": "youth", "name": "=1+1"}], "invalid_value", "/beneficiaries/0/name"),
        ("components", [{"number": 100, "text": "x"}], "invalid_value", "/components/0/number"),
        ("components", [{"number": 1}], "missing_member", "/components/0/text"),
        ("localities", [{"place": "KNY", "name": "x"}], "unknown_code", "/localities/0/place"),
        ("figures", [{"subject": "x", "value": "1,5", "unit": "persons"}], "invalid_value", "/figures/0/value"),
        ("figures", [{"subject": "x", "value": "-1", "unit": "persons"}], "invalid_value", "/figures/0/value"),
        ("figures", [{"subject": "x", "value": "1", "unit": "USD"}], "unknown_code", "/figures/0/unit"),
    ],
)
async def test_what_is_wrong_with_an_entry_is_said_at_its_place(
    client: httpx.AsyncClient, member: str, value: object, code: str, pointer: str
) -> None:
    answer = await client.post(DRAFTS, json=body(**{member: value}), headers=writing(*AGENCY))
    assert answer.status_code == 422
    assert (code, pointer) in [(error["code"], error["pointer"]) for error in answer.json()["errors"]]


async def test_what_does_not_fit_is_said_when_a_draft_is_submitted(client: httpx.AsyncClient) -> None:
    twice = [{"group": "youth", "name": "x"}] * 2
    elsewhere = [{"place": "SRB", "name": "Niš"}]
    answer = await submit(client, await drafted(client, beneficiaries=twice, localities=elsewhere))
    assert answer.status_code == 422
    assert errors(answer) == [("repeated_code", "/beneficiaries/1"), ("not_applicable", "/localities/0/place")]
    # The places of a programme do not change beside its localities.
    whole = await submitted(client)
    moved = await amend(client, whole, AGENCY, places=[{"code": "TZA"}])
    assert errors(moved) == [("not_applicable", "/localities/0/place")]
    assert moved.json()["errors"][0]["allowed"] == ["TZA"]
    without = await submit(client, await drafted(client, **{name: None for name in SOURCED}))
    assert without.status_code == 201
    gaps = {gap["field"] for gap in without.json()["gaps"]}
    assert gaps == {*SOURCED} - {"figures"}


# --- records of before ---------------------------------------------------------------------------------------------


async def test_records_of_before_have_these_lists_and_get_them_with_the_package(
    new_database: Callable[[str], str],
) -> None:
    url = new_database("catalog")
    async with running_app("catalog", url, None) as running:
        programme, draft = await submitted(running.client), await drafted(running.client)
        before = programme.json()
        lists = "ARRAY['partners', 'beneficiaries', 'components', 'localities', 'figures']"
        async with store(running.app.state.database) as session:
            await begin_write(session, Author("seed", "IOM"), "as it was stored before", drafts=True)
            for statement in (
                f"UPDATE programme SET record = (record::jsonb - {lists})::json, stated = stated - {lists},"
                " partner_kinds = '{}', beneficiaries = '{}'",
                f"UPDATE draft SET record = (record::jsonb - {lists})::json",
            ):
                await session.execute(sa.text(statement))
        changes = (await running.client.get("/catalog/v1/changes?entity=programme&limit=1000")).json()["items"]
        told = {change["key"]: change["after"] for change in changes}
        assert all(told["MKD-01"][name] == [] for name in SOURCED)
        for code in ("MKD-01", before["code"]):
            answer = (await running.client.get(f"{PROGRAMMES}/{code}")).json()
            assert [answer[name] for name in SOURCED] == [[]] * 5
        answer = await running.client.get(draft.headers["location"], headers=writing(*AGENCY))
        assert [answer.json()[name] for name in SOURCED] == [[]] * 5
        headers = writing(*AGENCY, match=answer.headers["etag"])
        sent = await running.client.post(f"{draft.headers['location']}/submission", headers=headers)
        assert sent.status_code == 201, sent.text
        await cli.seed(service_of("catalog"), ServiceSettings(database_url=SecretStr(url)))
        packaged = {each.code: each for each in read_packaged(PACKAGE, "programmes", StatedProgramme)}
        found = await programmes(running.client)
        assert len(found["MKD-01"]["partners"]) == len(packaged["MKD-01"].partners)
        stated = found[before["code"]]
        assert {gap["field"] for gap in stated["gaps"]} == {*SOURCED} - {"figures"}
        assert stated["updated"] > before["updated"]


# --- who leads -----------------------------------------------------------------------------------------------------


async def test_the_fund_states_who_leads_once_where_nobody_does(new_database: Callable[[str], str]) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        client = running.client
        silent = await client.get(f"{PROGRAMMES}/PER-01")
        assert silent.json()["lead_organization"] is None
        organizations = ["IOM", "ILO"]
        takes_part = await amend(client, silent, FUND, organizations=organizations)
        # An organization that takes part does not say who leads.
        assert refused(await amend(client, takes_part, AGENCY, lead_organization="IOM")) == (403, "forbidden")
        wrong = await amend(client, takes_part, FUND, lead_organization="WHO")
        assert errors(wrong) == [("not_taking_part", "/lead_organization")]
        assert wrong.json()["errors"][0]["allowed"] == organizations
        led = await amend(client, takes_part, FUND, lead_organization="IOM", reason="By the letter of 3 March.")
        assert led.status_code == 200, led.text
        record = led.json()
        assert record["lead_organization"] == "IOM"
        assert "lead_organization" not in [gap["field"] for gap in record["gaps"]]
        (source,) = [each for each in record["sources"] if each["field"] == "lead_organization"]
        assert (source["document"], source["verified"]) == ("submission", False)
        (*_, change) = (await client.get(f"{PROGRAMMES}/PER-01/history")).json()["items"]
        assert change["reason"] == "By the letter of 3 March."
        # It may amend the programme from now on, and nobody else who takes part.
        assert (await amend(client, led, AGENCY, title="Ours")).status_code == 200
        now = await client.get(f"{PROGRAMMES}/PER-01")
        assert refused(await amend(client, now, OTHER, title="Theirs")) == (403, "forbidden")
        assert refused(await amend(client, now, FUND, lead_organization="ILO")) == (409, "not_amendable")
        # The same once more changes nothing.
        again = await amend(client, now, FUND, lead_organization="IOM")
        assert (again.status_code, again.json()) == (200, now.json())
        # With the organizations in one request.
        both = await amend(
            client, await client.get(f"{PROGRAMMES}/SLV-01"), FUND, organizations=["ILO"], lead_organization="ILO"
        )
        assert (both.status_code, both.json()["lead_organization"]) == (200, "ILO")


# --- groups of places and documents --------------------------------------------------------------------------------


async def test_champion_countries_are_a_group_of_places(catalog: httpx.AsyncClient) -> None:
    (group,) = (await catalog.get("/catalog/v1/place-groups")).json()["items"]
    assert (group["code"], [member["code"] for member in group["members"]]) == ("gcm-champions", ["LUX", "PRT", "TUR"])
    assert {source["line"] for source in group["sources"]} == {29}
    assert all(source["verified"] for source in group["sources"])
    for query, codes in (("group=gcm-champions", ["LUX", "PRT", "TUR"]), ("group=gcm-champions&region=142", ["TUR"])):
        page = (await catalog.get(f"/catalog/v1/places?{query}")).json()
        assert [place["code"] for place in page["items"]] == codes
    wrong = await catalog.get("/catalog/v1/places?group=gcm-champion")
    assert (wrong.status_code, wrong.json()["errors"][0]["suggestion"]) == (422, "gcm-champions")


async def test_documents_have_contacts_and_say_what_their_text_lacks(catalog: httpx.AsyncClient) -> None:
    page = (await catalog.get("/catalog/v1/documents?limit=100")).json()
    documents = {each["code"]: each for each in page["items"]}
    for code, lines in ((HUMAN_RIGHTS, [298, 303, 304, 305]), (EUROPE, [167, 178, 179, 180])):
        contacts = documents[code]["contacts"]
        assert [contact["kind"] for contact in contacts] == ["address", "email", "website", "website"]
        assert [contact["line"] for contact in contacts] == lines
        assert contacts[1]["value"] == "migrationmptf@iom.int"
    (chart,) = [gap for gap in documents[EUROPE]["gaps"] if gap["kind"] == "chart"]
    assert (chart["line"], chart["as_printed"]) == (49, "CONCEPT NOTES FROM THE REGION BY THEMATIC AREA")
    assert "logos" in [gap["kind"] for gap in documents[HUMAN_RIGHTS]["gaps"]]
    assert documents["imrf-progress-declaration-2022"]["year"] == 2022
    assert {"un-charter", "universal-declaration-of-human-rights", "core-human-rights-treaties"} <= documents.keys()
    assert [gap["kind"] for gap in documents[ARTICLE]["gaps"]] == ["photograph"]
    table = (await catalog.get("/catalog/v1/documents?format=csv")).text
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO(table))}
    assert rows[EUROPE]["contacts"].endswith(
        "|migrationmptf@iom.int|migrationnetwork.un.org/mptf|mptf.undp.org/fund/mig00"
    )


async def test_documents_of_before_have_neither_contacts_nor_gaps(new_database: Callable[[str], str]) -> None:
    url = new_database("catalog")
    async with running_app("catalog", url, None) as running:
        await write_sql(url, "UPDATE source_document SET record = (record::jsonb - 'contacts' - 'gaps')::json")
        answer = (await running.client.get(f"/catalog/v1/documents/{EUROPE}")).json()
        assert (answer["contacts"], answer["gaps"]) == ([], [])
        changes = (await running.client.get("/catalog/v1/changes?entity=document&limit=1000")).json()["items"]
        told = {change["key"]: change["after"] for change in changes}
        assert told[EUROPE] == answer
        status = (await running.client.get("/catalog/v1/status")).json()
        assert {(len(each["contacts"]), len(each["gaps"])) for each in status["vintage"]} == {(0, 0)}
