"""When a card changed: with every write of what it shows, and with no other; as it was then, too."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from mmptf_funding.ledger import rules
from tests.integration.assessments import graded
from tests.integration.ledger_client import ADMIN, MEMBERS, LedgerClient, body
from tests.integration.marked import RUBRIC_CODE, Json, Markers, answer, answers, made, place, programme
from tests.integration.programmes_client import AGENCY, amend, drafted, extend, moved, submitted
from tests.tokens import writing
from tests.unit.markers.rubrics import CONTENT
from tests.writes import write_sql

Step = Callable[[], Awaitable[Any]]


async def card(client: httpx.AsyncClient, service: str, code: str, **query: int) -> Json:
    found = await client.get(f"/{service}/v1/cards/programmes/{code}", params=query or None)
    assert found.status_code == 200, found.text
    content: Json = found.json()
    return content


async def hold(client: httpx.AsyncClient, service: str, code: str, name: str, step: Step, *, shown: bool) -> None:
    """Carry out a write; assert that `changed` moves just where the card shows another content, and its tag with it."""
    path = f"/{service}/v1/cards/programmes/{code}"
    before, tag = await card(client, service, code), (await client.get(path)).headers["etag"]
    began = datetime.now(UTC)
    await step()
    after = await card(client, service, code)
    assert (after["facts"] != before["facts"]) == shown, name
    if shown:
        assert began <= datetime.fromisoformat(after["changed"]) <= datetime.now(UTC), name
        assert (await client.get(path, headers={"if-none-match": tag})).status_code == 200, name
    else:
        assert after["changed"] == before["changed"], name
    then = await card(client, service, code, as_of=before["revision"])
    assert then["changed"] == before["changed"], name


# --- the catalogue's -------------------------------------------------------------------------------------------------


async def test_the_catalogues_card_changes_with_its_programme(client: httpx.AsyncClient) -> None:
    ours, other = await submitted(client), await submitted(client)
    code = ours.json()["code"]

    async def again() -> httpx.Response:
        return await client.get(f"/catalog/v1/programmes/{code}")

    async def amended() -> None:
        assert (await amend(client, ours, AGENCY, title="Another title")).status_code == 200

    async def approved() -> None:
        await moved(client, await again(), "pipeline", "approved")

    async def extended() -> None:
        assert (await extend(client, await again(), ("management-unit", None), "2029-06-30")).status_code == 200

    async def other_amended() -> None:
        assert (await amend(client, other, AGENCY, title="Of the other one")).status_code == 200

    async def drafted_one() -> None:
        await drafted(client)

    async def listed() -> None:
        sent = {"code": "CARDS", "name": "An organization", "full_name": None}
        answer = await client.post("/catalog/v1/organizations", json=sent, headers=writing("admin"))
        assert answer.status_code in (201, 422), answer.text

    for step, shown in (
        (other_amended, False),
        (amended, True),
        (drafted_one, False),
        (approved, True),
        (listed, False),
        (extended, True),
    ):
        await hold(client, "catalog", code, step.__name__, step, shown=shown)


# --- the ledger's ----------------------------------------------------------------------------------------------------


async def test_the_ledgers_card_changes_with_every_entry_of_its_programme(ledger: LedgerClient) -> None:
    client = ledger.running.client
    for kind, amount, members in (
        ("commitment", "9000.00", {"contributor": "DEU"}),
        ("deposit", "9000.00", {"contributor": "DEU"}),
        ("allocation", "2000.00", {"programme": "ETH-01"}),
        ("allocation", "2000.00", {"programme": "MDA-01"}),
        ("transfer", "500.00", {"programme": "ETH-01", "organization": "ILO"}),
        ("transfer", "500.00", {"programme": "MDA-01", "organization": "IOM"}),
    ):
        await ledger.enter(kind, amount, **members)
    kinds = {kind for kind, rule in rules.KINDS.items() if "programme" in rule.needs | rule.takes}
    assert kinds == {"allocation", "transfer", "expenditure", "refund"}
    # The service enters itself what follows from a deposit.
    for kind, rule in [(kind, rule) for kind, rule in rules.KINDS.items() if kind not in rules.DERIVED]:
        sent = body(kind, "10.85", reference="SC-1", **{name: MEMBERS[name] for name in rule.needs})

        async def enter(sent: Json = sent) -> Json:
            answer = await ledger.post(ADMIN, sent)
            assert answer.status_code == 201, answer.text
            found: Json = answer.json()
            return found

        async def of_another(sent: Json = sent) -> None:
            answer = await ledger.post(ADMIN, {**sent, "programme": "MDA-01", "organization": "IOM"})
            assert answer.status_code == 201, answer.text

        await hold(client, "funding", "ETH-01", kind, enter, shown=kind in kinds)
        if kind in kinds - {"allocation"}:
            await hold(client, "funding", "ETH-01", f"{kind} of another", of_another, shown=False)

        entered = await enter()

        async def reverse(code: str = entered["code"]) -> None:
            assert (await ledger.reverse(code)).status_code == 201

        await hold(client, "funding", "ETH-01", f"reversal of {kind}", reverse, shown=kind in kinds)


async def test_the_ledgers_card_changes_with_what_it_holds_of_its_programme(ledger: LedgerClient) -> None:
    client, url = ledger.running.client, ledger.running.database_url
    for code in ("ETH-01", "MDA-01"):
        await ledger.enter("allocation", "2000.00", programme=code)

    def retitled(code: str) -> Step:
        async def write() -> None:
            await write_sql(
                url,
                "UPDATE programme SET updated = clock_timestamp(), record = (record::jsonb ||"
                f" jsonb_build_object('title', 'Another'))::json WHERE code = '{code}'",
            )

        return write

    await hold(client, "funding", "ETH-01", "another programme", retitled("MDA-01"), shown=False)
    await hold(client, "funding", "ETH-01", "the programme", retitled("ETH-01"), shown=True)


# --- the markers' ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def bare(marker_service: Markers) -> str:
    """A programme without assessments and allocations."""
    return await marker_service.copied()


async def test_the_markers_card_changes_with_all_that_it_shows(marker_service: Markers, bare: str) -> None:
    code, other = await marker_service.copied(), bare
    action = {"action": "Ask again.", "owner": "Team", "due": "2026-12-31"}
    asked = answers(2, accountability_remedy=answer(2, actions=[action]))
    client, url = marker_service.running.client, marker_service.running.database_url
    submitted_one: list[httpx.Response] = []

    async def described() -> None:
        await marker_service.copy(programme(code, title="Another title"))

    async def other_described() -> None:
        await marker_service.copy(programme(other, title="Another title"))

    async def allocated() -> None:
        await marker_service.allocate(code, "600.00")

    async def taken_back() -> None:
        await marker_service.allocate(code, "-100.00")

    async def copied_without_it() -> None:
        await write_sql(url, f"DELETE FROM allocation WHERE programme = '{code}' AND amount < 0")

    async def other_allocated() -> None:
        await marker_service.allocate(other, "600.00")

    async def drafted_one() -> None:
        await marker_service.draft(code, stage="annual_report", year=2025)

    async def sent() -> None:
        submitted_one[:] = [await marker_service.submitted(code, stage="concept_note")]

    async def returned() -> None:
        await marker_service.reviewed(submitted_one[0], decision="return")

    async def accepted_with_an_action() -> None:
        await marker_service.accepted(code, answers=asked)

    async def accepted_without_counting() -> None:
        await marker_service.accepted(code, stage="concept_note")

    async def declared() -> None:
        made(await marker_service.declare(code, "C", stage="final_report"))

    async def other_accepted() -> None:
        await marker_service.accepted(other)

    async def place_copied() -> None:
        await marker_service.copy(places=[place("UGA", "002")])

    for step, shown in (
        (described, True),
        (other_described, False),
        (allocated, True),
        (other_allocated, False),
        (taken_back, True),
        (copied_without_it, True),
        (drafted_one, False),
        (sent, True),
        (returned, True),
        (accepted_with_an_action, True),
        # It stands in `updated` of the grade.
        (accepted_without_counting, True),
        (other_accepted, False),
        (place_copied, False),
        (declared, True),
    ):
        await hold(client, "markers", code, step.__name__, step, shown=shown)


async def test_the_markers_card_changes_with_the_rubrics_behind_it(marker_service: Markers, bare: str) -> None:
    client = marker_service.running.client
    assessed = await marker_service.copied()
    await marker_service.accepted(assessed)
    document = json.loads(CONTENT)

    async def superseded() -> None:
        await marker_service.publish({**document, "version": "2", "hash": None}, supersedes=RUBRIC_CODE)

    async def first_of_a_marker() -> None:
        await marker_service.publish(graded("cards", {"type": "manual"}))

    async def second_of_a_marker() -> None:
        await marker_service.publish(graded("cards", {"type": "manual"}, version="2"), supersedes="cards.1")

    # A step is carried out once: the other programme is looked at before and after it.
    for step, of_assessed, of_bare in (
        (superseded, True, False),
        (first_of_a_marker, True, True),
        (second_of_a_marker, False, False),
    ):

        async def both(step: Step = step, of_bare: bool = of_bare) -> None:
            await hold(client, "markers", bare, step.__name__, step, shown=of_bare)

        await hold(client, "markers", assessed, step.__name__, both, shown=of_assessed)
