"""Programmes after their submission: statuses, amendments, extensions, history, and packaged ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import httpx
import pytest
from pydantic import SecretStr

from mmptf_catalog.programmes.domain import SOURCED, STAGE_OF_STATUS
from mmptf_catalog.programmes.examples import CONTENT
from mmptf_catalog.programmes.rules import NEXT_STATUSES, OWN_STEPS
from mmptf_catalog.programmes.schemas import ProgrammeContentSent
from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from tests.conftest import RunningApp, running_app, service_of
from tests.integration.ledger_client import copied, running_ledger
from tests.integration.programmes_client import (
    AGENCY,
    API,
    DRAFTS,
    FUND,
    OTHER,
    PROGRAMMES,
    amend,
    body,
    drafted,
    errors,
    extend,
    lines,
    move,
    moved,
    refused,
    submit,
    submitted,
    sums,
    today,
    way_to,
)
from tests.serving import served
from tests.tokens import bearer, writing


@pytest.fixture(scope="module")
async def ledger_beside(catalog_service: RunningApp, new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    """The ledger that copies the catalogue, and that it asks whether money is settled."""
    async with (
        served(catalog_service.app) as catalogue_url,
        running_ledger(new_database("funding"), catalogue_url) as ledger,
        served(ledger.running.app) as url,
    ):
        catalog_service.set(funding_url=url)
        yield ledger.running


# --- statuses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", get_args(ProgrammeStatusSent.__value__))
async def test_every_step_from_a_status(
    client: httpx.AsyncClient, catalog_service: RunningApp, ledger_beside: RunningApp, status: str
) -> None:
    """Without any money in the ledger, which is settled."""
    programme = await submitted(client)
    for step in way_to(status):
        programme = await moved(client, programme, step)
        await copied(ledger_beside, catalog_service)
    assert (programme.json()["status"], programme.json()["stage"]) == (status, STAGE_OF_STATUS[status])
    for to in get_args(ProgrammeStatusSent.__value__):
        for who in (FUND, AGENCY, OTHER):
            answer = await move(client, programme, to, who, "?dry_run=true")
            if who == OTHER:
                assert refused(answer) == (403, "forbidden"), (status, to, who)
            elif to not in NEXT_STATUSES[status]:
                assert refused(answer) == (409, "transition_not_allowed"), (status, to, who)
                (error,) = answer.json()["errors"]
                assert (error["pointer"], error["allowed"]) == ("/status", list(NEXT_STATUSES[status]))
            elif who == FUND or (status, to) in OWN_STEPS:
                assert (answer.status_code, answer.json()["status"]) == (200, to), (status, to, who)
            else:
                assert refused(answer) == (403, "forbidden"), (status, to, who)
    now = await client.get(f"{PROGRAMMES}/{programme.json()['code']}")
    assert now.headers["etag"] == programme.headers["etag"]


async def test_a_status_that_no_source_states_may_be_set(client: httpx.AsyncClient) -> None:
    programme = await client.get(f"{PROGRAMMES}/IRQ-JOR-LBN-01")
    assert programme.json()["status"] == "not_stated"
    for to in get_args(ProgrammeStatusSent.__value__):
        answer = await move(client, programme, to, FUND, "?dry_run=true")
        if to not in NEXT_STATUSES["not_stated"]:
            assert refused(answer) == (409, "transition_not_allowed")
        elif to == "approved":
            assert errors(answer) == [("missing_member", "/budget_lines"), ("missing_member", "/duration")]
        else:
            assert answer.json()["status"] == to
            assert {"status", "stage"}.isdisjoint(gap["field"] for gap in answer.json()["gaps"])


async def test_an_organization_withdraws_and_submits_again(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    code = note.json()["code"]
    withdrawn = await move(client, note, "withdrawn", AGENCY)
    assert (withdrawn.status_code, withdrawn.json()["stage"]) == (200, "dropped")
    # What was submitted stays readable, and is counted as dropped.
    assert (await client.get(f"{PROGRAMMES}/{code}")).json() == withdrawn.json()
    dropped = (await client.get(f"{PROGRAMMES}?stage=dropped&limit=200")).json()["items"]
    assert code in {programme["code"] for programme in dropped}
    assert refused(await amend(client, withdrawn, AGENCY, title="Other")) == (409, "not_amendable")
    again = await move(client, withdrawn, "concept_note", AGENCY)
    assert (again.status_code, again.json()["stage"]) == (200, "concept")
    history = again.json()["status_history"]
    assert [(h["status"], h["reason"], h["decision"]) for h in history] == [
        ("concept_note", "Submitted by IOM.", None),
        ("withdrawn", "Now withdrawn.", None),
        ("concept_note", "Now concept_note.", None),
    ]
    assert [h["sources"][0]["note"] for h in history[1:]] == ["Stated by IOM."] * 2
    assert (await amend(client, again, AGENCY, title="Other")).json()["title"] == "Other"


async def test_the_fund_names_its_decision(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    answer = await move(client, note, "pipeline", decision=None)
    assert (answer.status_code, errors(answer)) == (422, [("missing_member", "/decision")])


async def test_a_status_is_of_a_day_that_fits(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    tomorrow, yesterday = (today() + timedelta(days) for days in (1, -1))
    future = await move(client, note, "pipeline", date=tomorrow.isoformat(), decision=None)
    assert errors(future) == [("in_the_future", "/date"), ("missing_member", "/decision")]
    past = await move(client, note, "pipeline", date=yesterday.isoformat())
    assert errors(past) == [("too_early", "/date")]
    no_day = await move(client, note, "pipeline", date="2026-02-30")
    assert (no_day.status_code, errors(no_day)[0][1]) == (422, "/date")
    printed = await client.get(f"{PROGRAMMES}/TUR-01")
    assert errors(await move(client, printed, "withdrawn", date="2023-12-31")) == [("too_early", "/date")]
    assert (await move(client, printed, "withdrawn", FUND, "?dry_run=true", date="2024-02-29")).status_code == 200


async def test_an_approval_makes_an_allocation_of_a_requirement(client: httpx.AsyncClient) -> None:
    budget = Decimal(CONTENT["budget"])
    bare = await moved(client, await submitted(client, budget_lines=None), "pipeline")
    assert errors(await move(client, bare, "approved")) == [("missing_member", "/budget_lines")]
    before = await sums(client)
    amended = await amend(client, bare, AGENCY, budget_lines=CONTENT["budget_lines"])
    approved = await moved(client, amended, "approved")
    after = await sums(client)
    assert (approved.json()["budget"]["stage"], approved.json()["budget"]["precision"]) == ("allocation", "exact")
    assert before["requirement"] - after.get("requirement", Decimal(0)) == budget
    assert after["allocation"] - before.get("allocation", Decimal(0)) == budget
    # Printed budgets stay a stage of their own.
    assert after["programme_budget"] == before["programme_budget"]
    assert (await moved(client, approved, "implementation")).json()["budget"]["stage"] == "allocation"


# --- amendments ----------------------------------------------------------------------------------------------------


async def test_an_organization_amends_its_own_until_it_is_approved(client: httpx.AsyncClient) -> None:
    programme = await submitted(client)
    for steps in ([], ["pipeline"]):
        programme = await moved(client, programme, *steps)
        assert refused(await amend(client, programme, OTHER, title="Theirs")) == (403, "forbidden")
        for who in (AGENCY, FUND):
            programme = await amend(client, programme, who, title=f"By {who[0]}")
            assert (programme.status_code, programme.json()["title"]) == (200, f"By {who[0]}")
    for status in ("approved", "implementation", "suspended"):
        programme = await moved(client, programme, status)
        for who in (AGENCY, OTHER):
            assert refused(await amend(client, programme, who, title="Theirs")) == (403, "forbidden")
        programme = await amend(client, programme, FUND, title=f"When {status}")
        assert programme.json()["title"] == f"When {status}"
    programme = await moved(client, programme, "operationally_closed")
    for who in (AGENCY, FUND):
        assert refused(await amend(client, programme, who, title="Too late")) == (409, "not_amendable")


async def test_an_amended_budget_stays_what_it_is(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    less = lines(at_0={"amount": "500000.00"}, at_2={"amount": "63000.00"})
    assert errors(await amend(client, note, AGENCY, budget_lines=less)) == [("budget_does_not_add_up", "/budget_lines")]
    note = await amend(client, note, AGENCY, budget_lines=less, budget="2033000.00")
    assert (note.json()["budget"]["amount"], note.json()["budget"]["stage"]) == ("2033000.00", "requirement")
    approved = await moved(client, note, "pipeline", "approved")
    before = {"budget": CONTENT["budget"], "budget_lines": CONTENT["budget_lines"]}
    assert errors(await amend(client, approved, FUND, **before)) == [("missing_member", "/decision")]
    assert errors(await amend(client, approved, FUND, **before, decision="SC-12")) == [("unknown_code", "/decision")]
    more = await amend(client, approved, FUND, **before, decision="Decision 12")
    assert (more.json()["budget"]["amount"], more.json()["budget"]["stage"]) == (CONTENT["budget"], "allocation")
    (source,) = more.json()["budget"]["sources"]
    assert source["note"] == "Stated by MMPTF-FMU. By decision: Decision 12"
    longer = {"start": "2027-01-01", "end": "2029-12-31"}
    assert refused(await amend(client, more, FUND, duration=longer)) == (409, "not_amendable")


async def test_who_leads_takes_part(client: httpx.AsyncClient) -> None:
    note = await submitted(client, budget_lines=None)
    answer = await amend(client, note, AGENCY, organizations=["ILO"])
    assert errors(answer) == [("missing_member", "/organizations")]


async def test_an_amendment_has_a_reason(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    assert errors(await amend(client, note, AGENCY, reason=" "))[0][1] == "/reason"
    assert (await amend(client, note, AGENCY, status="approved")).status_code == 422
    assert (await amend(client, note, AGENCY, title=None)).status_code == 422


# --- extensions ----------------------------------------------------------------------------------------------------


async def test_a_programme_under_way_is_extended_by_the_fund(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    assert refused(await extend(client, note, FUND, "2029-06-30")) == (409, "not_extendable")
    programme = await moved(client, note, "pipeline", "approved")
    assert refused(await extend(client, programme, AGENCY, "2029-06-30")) == (403, "forbidden")
    for end in ("2028-12-31", "2028-12-30"):
        assert errors(await extend(client, programme, FUND, end)) == [("too_early", "/end")]
    once = await extend(client, programme, FUND, "2029-06-30")
    twice = await extend(client, await moved(client, once, "implementation", "suspended"), FUND, "2029-12-31")
    assert twice.status_code == 200
    duration = twice.json()["duration"]
    assert (duration["start"], duration["end"]) == ("2027-01-01", "2029-12-31")
    assert [(e["previous_end"], e["end"], e["decision"]) for e in duration["extensions"]] == [
        ("2028-12-31", "2029-06-30", "Steering Committee"),
        ("2029-06-30", "2029-12-31", "Steering Committee"),
    ]
    assert twice.json()["budget"] == programme.json()["budget"]
    late = await amend(client, twice, FUND, budget_lines=lines(at_1={"year": 2029}), decision="Decision 13")
    assert late.status_code == 200
    closed = await moved(client, late, "operationally_closed")
    assert refused(await extend(client, closed, FUND, "2031-01-01")) == (409, "not_extendable")
    printed = await client.get(f"{PROGRAMMES}/MKD-01")
    assert refused(await extend(client, printed, FUND, "2031-01-01")) == (409, "not_extendable")


# --- organizations -------------------------------------------------------------------------------------------------


async def test_an_organization_is_listed_and_takes_part(client: httpx.AsyncClient) -> None:
    listing, sent = f"{API}/organizations", {"code": "UN-WOMEN", "name": "UN Women"}
    assert refused(await client.post(DRAFTS, json=body(), headers=writing("agency", "UN-WOMEN")))[0] == 403
    assert refused(await client.post(listing, json=sent, headers=writing(*AGENCY))) == (403, "forbidden")
    added = await client.post(listing, json=sent, headers=writing(*FUND))
    assert (added.status_code, added.headers["location"]) == (201, f"{listing}/UN-WOMEN")
    assert added.json() in (await client.get(f"{listing}?limit=200")).json()["items"]
    (source,) = added.json()["sources"]
    (change,) = (await client.get(source["locator"])).json()["items"]
    assert (change["action"], change["key"]) == ("create", "UN-WOMEN")
    assert refused(await client.post(listing, json=sent, headers=writing(*FUND))) == (409, "code_taken")
    members = {"organizations": ["UN-WOMEN"], "budget_lines": None}
    draft = await drafted(client, who=("agency", "UN-WOMEN"), **members)
    note = await submit(client, draft, ("agency", "UN-WOMEN"))
    assert note.json()["organizations"] == [{"code": "UN-WOMEN", "name": "UN Women"}]


# --- history -------------------------------------------------------------------------------------------------------


async def test_the_history_says_who_when_what_and_why(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    code = note.json()["code"]
    amended = await amend(client, note, AGENCY, title="Better", reason="The donor asked for it.")
    pipeline = await moved(client, amended, "pipeline")
    approved = await moved(client, pipeline, "approved")
    extended = await extend(client, approved, FUND, "2029-06-30")
    page = (await client.get(f"{PROGRAMMES}/{code}/history")).json()
    assert page["more"] is False
    entries = [(c["action"], c["organization"], c["reason"], c["changed"]) for c in page["items"]]
    assert entries == [
        ("create", "IOM", "submitted", []),
        ("amend", "IOM", "The donor asked for it.", ["sources", "title"]),
        ("amend", "MMPTF-FMU", "Now pipeline.", ["stage", "status", "status_history"]),
        ("amend", "MMPTF-FMU", "Now approved.", ["budget", "stage", "status", "status_history"]),
        ("amend", "MMPTF-FMU", "Elections delayed it.", ["duration"]),
    ]
    versions = [note, amended, pipeline, approved, extended]
    assert [c["after"] for c in page["items"]] == [version.json() for version in versions]
    assert [c["before"] for c in page["items"]] == [None, *(version.json() for version in versions[:-1])]
    assert [c["at"] for c in page["items"]] == [version.json()["updated"] for version in versions]
    for change, version in zip(page["items"], versions, strict=True):
        then = await client.get(f"{PROGRAMMES}/{code}?as_of={change['revision']}")
        assert then.json() == version.json()
    # Who of an organization it was is for auditors alone.
    assert all("actor" not in change for change in page["items"])
    path = f"{API}/audit?entity=programme&after={page['items'][0]['seq'] - 1}"
    audit = (await client.get(path, headers=bearer("admin"))).json()["items"]
    assert [a["actor"] for a in audit] == ["agency", "agency", *["management-unit"] * 3]
    assert [a["request_id"] for a in audit] == [version.headers["x-request-id"] for version in versions]


# --- gaps ------------------------------------------------------------------------------------------------------------


def not_stated(programme: Mapping[str, Any]) -> set[str]:
    """The members of a programme's record that nothing states."""
    names = ("title", "thematic_area", "objectives", "places", "organizations", "duration", "budget", "budget_lines")
    lists = ("partners", "beneficiaries", "components", "localities")
    empty = {name for name in (*names, *lists, "lead_organization") if not programme[name]}
    shares = {place["share"] for place in programme["places"]}
    return empty | ({"places.share"} if shares == {None} else set()) | {
        name for name in ("status", "stage") if programme[name] == "not_stated"
    }  # fmt: skip


def gaps(programme: Mapping[str, Any]) -> list[str]:
    return [gap["field"] for gap in programme["gaps"] if gap["kind"] == "not_stated_in_source"]


@pytest.mark.parametrize("member", [*ProgrammeContentSent.model_fields, "places.share"])
async def test_what_an_amendment_removes_is_a_gap_until_it_is_stated_again(
    client: httpx.AsyncClient, member: str
) -> None:
    whole = await submitted(client)
    assert gaps(whole.json()) == []
    name = member.partition(".")[0]
    removed: list[object] = [[{"code": "KEN"}, {"code": "UGA"}]] if name != member else [None, [], ""]
    taken = []
    for value in removed:
        without = await amend(client, whole, AGENCY, **{name: value})
        if without.status_code == 422:
            assert without.json()["errors"][0]["pointer"].startswith(f"/{name}")
            continue
        taken.append(value)
        # A programme without figures lacks nothing.
        missing = [member] if member != "figures" else []
        assert gaps(without.json()) == missing
        listed = await client.get(f"{PROGRAMMES}/{whole.json()['code']}")
        card = await client.get(f"{API}/cards/programmes/{whole.json()['code']}")
        assert listed.json()["gaps"] == card.json()["facts"]["gaps"] == without.json()["gaps"]
        # It stays while others are amended.
        other = await amend(client, without, AGENCY, **({"title": "Other"} if name != "title" else {"summary": "x"}))
        assert gaps(other.json()) == missing
        whole = await amend(client, other, AGENCY, **{name: CONTENT[name]})
        assert gaps(whole.json()) == []
    assert bool(taken) == (member in ("places.share", "budget_lines", *SOURCED))


async def test_the_gaps_of_every_packaged_programme_are_those_of_its_record(
    new_database: Callable[[str], str],
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        for programme in (await running.client.get(f"{PROGRAMMES}?limit=200")).json()["items"]:
            assert sorted(gaps(programme)) == sorted(not_stated(programme))
            now = await running.client.get(f"{PROGRAMMES}/{programme['code']}")
            for member, value in CONTENT.items():
                # The lines belong to the budget, the organizations and the duration that are stated before them.
                amended = await amend(running.client, now, FUND, **{member: value})
                if amended.status_code == 200:
                    now = amended
                assert sorted(gaps(now.json())) == sorted(not_stated(now.json())), (programme["code"], member)
            for member in ("budget_lines", "places"):
                value = [] if member == "budget_lines" else [{"code": "KEN"}, {"code": "UGA"}]
                amended = await amend(running.client, now, FUND, **{member: value})
                if amended.status_code == 200:
                    now = amended
                    assert {"budget_lines": "budget_lines", "places": "places.share"}[member] in gaps(now.json())
                assert sorted(gaps(now.json())) == sorted(not_stated(now.json())), (programme["code"], member)


# --- what the package brings ---------------------------------------------------------------------------------------


async def test_a_packaged_programme_is_corrected_for_good(new_database: Callable[[str], str]) -> None:
    url = new_database("catalog")
    six = ("ALB", "BIH", "XKX", "MNE", "MKD", "SRB")
    async with running_app("catalog", url, None) as running:
        client = running.client
        printed = await client.get(f"{PROGRAMMES}/WBALKANS-01")
        others = (await client.get(f"{PROGRAMMES}?limit=200")).json()["items"]
        assert refused(await amend(client, printed, AGENCY, title="Ours")) == (403, "forbidden")
        places = [{"code": code, "share": "16.66" if n else "16.70"} for n, code in enumerate(six)]
        amended = await amend(client, printed, FUND, title="Western Balkans", objectives=["5"], places=places)
        assert amended.status_code == 200
        before, after = printed.json(), amended.json()
        stated = {"title", "objectives", "places"}
        assert [g for g in before["gaps"] if g["field"] not in {*stated, "places.share"}] == after["gaps"]
        kept = [source for source in before["sources"] if source["field"] not in stated]
        assert after["sources"][: len(kept)] == kept
        assert {s["field"]: s["document"] for s in after["sources"][len(kept) :]} == dict.fromkeys(stated, "submission")
        assert len(after["sources"]) == len(kept) + len(stated)
        assert (after["budget"], after["place_label"]) == (before["budget"], before["place_label"])
        (kosovo,) = [place for place in after["places"] if place["code"] == "XKX"]
        assert "1244 (1999)" in kosovo["footnote"]
        # Divided as it is stated now, the amount is still what was printed.
        path = f"{PROGRAMMES}/totals?by=country&budget_min=3000000&budget_max=3000000&q=western+balkans"
        (total,) = (await client.get(path)).json()["totals"]
        parts = {group["keys"][0]["value"]: group["sum"]["amount"] for group in total["groups"]}
        assert parts == {code: "499800.00" if n else "501000.00" for n, code in enumerate(six)}
        revision = (await client.get(PROGRAMMES)).json()["revision"]
        assert await cli.seed(service_of("catalog"), ServiceSettings(database_url=SecretStr(url))) == revision
        assert (await client.get(f"{PROGRAMMES}/WBALKANS-01")).json() == after
        now = (await client.get(f"{PROGRAMMES}?limit=200")).json()["items"]
        assert now == [after if programme["code"] == "WBALKANS-01" else programme for programme in others]


async def test_totals_by_organization_are_of_its_budget_lines(client: httpx.AsyncClient) -> None:
    """To the cent, where there are lines; a budget without is shared by those who take part."""
    title = "Lines of organizations"
    await submitted(client, title=title)
    without = {"title": title, "budget_lines": None, "places": [{"code": "KEN", "share": "100.00"}]}
    await submitted(client, **without, budget="0.02")
    await submitted(client, **without, budget="5.00", organizations=["IOM"])
    (total,) = (await client.get(f"{PROGRAMMES}/totals?by=organization&q=lines+of+organizations")).json()["totals"]
    found = {group["keys"][0]["value"]: (group["sum"]["amount"], group["rows"]) for group in total["groups"]}
    assert found == {"ILO": ("1070000.00", 1), "IOM": ("1070005.00", 2), "shared": ("0.02", 1)}
    assert total["sum"]["amount"] == "2140005.02"
    assert [group["link"] for group in total["groups"]] == [None, None, None]


async def test_participants_amend_a_programme_without_a_known_lead(client: httpx.AsyncClient) -> None:
    printed = await client.get(f"{PROGRAMMES}/TUR-02")
    assert refused(await move(client, printed, "withdrawn", AGENCY)) == (403, "forbidden")
    named = await amend(client, printed, FUND, organizations=["IOM"])
    assert refused(await amend(client, named, OTHER, title="Theirs")) == (403, "forbidden")
    ours = await amend(client, named, AGENCY, title="Ours")
    assert (ours.status_code, ours.json()["lead_organization"]) == (200, None)
    # A printed budget is a stage of its own until somebody states it anew.
    assert ours.json()["budget"] == printed.json()["budget"]
    exact = await amend(client, ours, AGENCY, budget="3987654.32")
    assert (exact.json()["budget"]["stage"], exact.json()["budget"]["precision"]) == ("requirement", "exact")
