"""What the changes give of every record is what reads of it give: after seeds, and after writes of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mmptf_common.storage import migrations
from mmptf_common.storage.journal import PUBLIC_JOURNAL
from mmptf_local.postgres import Postgres
from tests.conftest import RunningApp, running_app, service_of
from tests.integration.feed_and_reads import changes_of, require_feed_equals_reads
from tests.integration.ledger_client import LedgerClient
from tests.integration.lookups import listings
from tests.integration.marked import Markers
from tests.integration.older_schema import migrate_to
from tests.integration.programme_writes import drafted, moved, submitted
from tests.integration.programmes_client import FUND, amend
from tests.integration.random_writes import give
from tests.integration.test_schema_history import run, seed
from tests.suite import SERVICES


@pytest.mark.parametrize("service", SERVICES)
async def test_after_seeds_the_changes_give_what_reads_give(new_database: Callable[[str], str], service: str) -> None:
    url = new_database(service)
    async with running_app(service, url, None) as running:
        assert await require_feed_equals_reads(running) >= 3
        last = (await changes_of(running.client, service))[-1]["revision"]
        assert await require_feed_equals_reads(running, last)
        await seed(service, url)
        await require_feed_equals_reads(running)


@pytest.mark.parametrize("service", SERVICES)
def test_every_list_that_gives_another_form_is_declared_for_the_feed(service: str) -> None:
    """The feed gives the records of these lists in the form of the lists."""
    declared = service_of(service)
    tables = declared.metadata.tables.values()
    entities = {table.info["entity"] for table in tables if table.info.get("journal") is PUBLIC_JOURNAL}
    formed = {each.entity for each in listings(service) if each.record != "record::text"}
    assert {each.entity for each in declared.listings} == formed & entities - declared.private


async def test_after_writes_of_programmes_the_changes_give_what_reads_give(catalog_service: RunningApp) -> None:
    client = catalog_service.client
    await drafted(client)
    first = await submitted(client)
    before = (await changes_of(client, "catalog"))[-1]["revision"]
    await moved(client, first, "pipeline")
    assert (await amend(client, await submitted(client), FUND, summary="Another summary.")).status_code == 200
    assert await require_feed_equals_reads(catalog_service) > 3
    await require_feed_equals_reads(catalog_service, before)


async def test_after_writes_of_assessments_the_changes_give_what_reads_give(marker_service: Markers) -> None:
    await marker_service.accepted(await marker_service.copied())
    before = await marker_service.revision()
    await marker_service.reviewed(await marker_service.submitted(await marker_service.copied()))
    assert (await marker_service.declare(await marker_service.copied())).status_code == 201
    assert await require_feed_equals_reads(marker_service.running) > 3
    await require_feed_equals_reads(marker_service.running, before)


async def test_after_writes_of_the_ledger_the_changes_give_what_reads_give(ledger: LedgerClient) -> None:
    await ledger.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
    before = await ledger.revision()
    assert (await ledger.reverse("L-000001")).status_code == 201
    await give(ledger.running)
    assert await require_feed_equals_reads(ledger.running) > 3
    await require_feed_equals_reads(ledger.running, before)


def entry(code: str, amount: str, reverses: str | None) -> str:
    """The statement that stores an entry as it was stored until reversals amended the reversed one."""
    record = {
        "code": code, "kind": "interest", "date": "2026-01-15", "sum": {"amount": amount, "currency": "USD"},
        **dict.fromkeys(("original", "contributor", "programme", "organization", "thematic_area", "category")),
        **dict.fromkeys(("tranche", "follows")), "reverses": reverses, "reference": None, "note": 'a "note"',
        "flags": [], "recorded_by": None, "sources": [], "updated": "2026-02-01T00:00:00Z",
    }  # fmt: skip
    text = json.dumps(record, separators=(",", ":"))
    named = f"'{reverses}'" if reverses else "NULL"
    return (
        "INSERT INTO ledger_entry (code, record, updated, number, kind, date, amount, reverses, flags) VALUES"
        f" ('{code}', '{text}', '2026-02-01T00:00:00Z', {int(code[2:])}, 'interest', '2026-01-15', {amount}, {named},"
        " '{}')"
    )


BEGIN = """SELECT set_config('mmptf.first', first::text, true), set_config('mmptf.write', json_build_object('at', at,
 'actor', 'an operator', 'reason', 'one reason')::text, true) FROM (SELECT greatest(clock_timestamp(), max(at)
 + interval '1 microsecond') AS at, coalesce(max(number), 0) + 1 AS first FROM revision) AS next"""


async def test_a_migration_names_earlier_reversals_for_those_who_have_read_already(postgres: Postgres) -> None:
    url = postgres.create_database("funding_reversed")
    await migrate_to(url, "funding", "funding_0009")
    for stored in (
        entry("L-000001", "5.00", None), entry("L-000002", "7.00", None),
        entry("L-000003", "-5.00", "L-000001"), entry("L-000004", "9.00", None),
    ):  # fmt: skip
        await run(url, [f"BEGIN; {BEGIN}; {stored}; COMMIT"])
    begun = datetime.now(UTC)
    await migrations.migrate(url, "mmptf_funding")
    async with running_app("funding", url, None) as running:
        client, path = running.client, "/funding/v1/ledger/L-000001"
        await require_feed_equals_reads(running)
        # Who had read up to the fourth change learns it as the fifth.
        page = (await client.get("/funding/v1/changes", params={"after": 4, "entity": "ledger_entry"})).json()
        (amended,) = page["items"]
        assert (amended["key"], amended["action"], amended["changed"]) == ("L-000001", "amend", ["reversed_by"])
        assert (amended["revision"], amended["organization"]) == (5, None)
        now = await client.get(path)
        assert now.json() == amended["after"]
        assert now.json()["reversed_by"] == "L-000003"
        assert datetime.fromisoformat(now.json()["updated"]) >= begun
        # Behind it are the members that entries have had since.
        members = list(now.json())
        assert members[members.index("reversed_by") :][:2] == ["reversed_by", "corrects"]
        # What was answered before is answered as it was: looked up in the entries of then.
        as_of = {n: (await client.get(path, params={"as_of": n})).json() for n in (1, 2, 3, 4, 5)}
        assert [one["reversed_by"] for one in as_of.values()] == [None, None, "L-000003", "L-000003", "L-000003"]
        assert [one["updated"] for one in as_of.values()] == ["2026-02-01T00:00:00Z"] * 4 + [now.json()["updated"]]
        for revision in (1, 2, 5):
            await require_feed_equals_reads(running, revision)
        reasons = [c["reason"] for c in (await client.get(f"{path}/history")).json()["items"]]
        assert reasons == ["one reason", amended["reason"]]
        unreversed = (await client.get("/funding/v1/ledger/L-000004/history")).json()["items"]
        assert [change["after"]["reversed_by"] for change in unreversed] == [None]
    # Without a reversal nothing is written.
    other = postgres.create_database("funding_not_reversed")
    await migrate_to(other, "funding", "funding_0009")
    await run(other, [f"BEGIN; {BEGIN}; {entry('L-000001', '5.00', None)}; COMMIT"])
    await migrations.migrate(other, "mmptf_funding")
    async with running_app("funding", other, None) as running:
        assert [change["seq"] for change in await changes_of(running.client, "funding")] == [1]
        await require_feed_equals_reads(running)


async def test_computed_figures_of_facts_follow_from_the_contributions_by_seed(
    new_database: Callable[[str], str],
) -> None:
    url, path = new_database("funding"), "/funding/v1/facts/contributions-mobilised"
    # As it was stored until its computed figure was part of it.
    earlier = (
        "UPDATE fact SET record = replace(record::text, ',\"computed\":' || (record->'computed')::text, '')::json"
        " WHERE code = 'contributions-mobilised'"
    )
    async with running_app("funding", url, None) as running:
        client = running.client
        (first,) = (await client.get("/funding/v1/contributions?limit=1")).json()["items"]
        amount = first["sum"]["amount"]
        before = (await client.get(path)).json()
        assert before["computed"]["value"] == "57425741"
        last = (await changes_of(client, "funding"))[-1]["seq"]
        await run(url, [f"BEGIN; {BEGIN}; {earlier}; COMMIT"])
        assert (await client.get(path)).json() == before
        lower = Decimal(amount) - Decimal("0.50")
        corrected = (
            f"UPDATE contribution SET amount = {lower}, record = replace(record::text, '{amount}', '{lower}')::json"
            f" WHERE code = '{first['code']}'"
        )
        await run(url, [f"BEGIN; {BEGIN}; {corrected}; COMMIT"])
        await seed("funding", url)
        now = (await client.get(path)).json()
        assert now["computed"] == {**before["computed"], "value": "57425740.5", "difference": "74259.5"}
        assert now["updated"] > before["updated"]
        *_, change = (await client.get("/funding/v1/changes", params={"after": last, "entity": "fact"})).json()["items"]
        assert (change["action"], change["changed"], change["after"]) == ("amend", ["computed"], now)
        await require_feed_equals_reads(running)
        # What was answered before is answered as it was.
        for revision in (last + 1, last + 2):
            then = (await client.get(path, params={"as_of": revision})).json()["computed"]
            assert then["link"] == f"{before['computed']['link']}&as_of={revision}"
            assert then["value"] == ("57425741" if revision == last + 1 else "57425740.5")
        await seed("funding", url)
        assert (await client.get(path)).json() == now
