"""The ledger's copy of the catalogue: entries go on while that is away, and follow what it renames and changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa

from tests.conftest import RunningApp, pool_of, running_app
from tests.integration.changes import amend, write
from tests.integration.ledger_client import (
    ADMIN,
    AGENT,
    ETHIOPIA,
    STATEMENT,
    UNIT,
    LedgerClient,
    body,
    copied,
    errors,
    oldest_copy,
    refused,
    running_ledger,
)
from tests.integration.replicas import Source, source_of
from tests.tokens import bearer, writing

ALLOCATION = body("allocation", programme="MDA-01", reference="SC")


@pytest.fixture
async def source(new_database: Callable[[str], str]) -> AsyncIterator[tuple[Source, str]]:
    """A catalogue of its own that fails on demand, and its URL."""
    async with source_of(new_database("catalog")) as found:
        yield found


async def age(ledger: LedgerClient, seconds: int) -> None:
    """Let the copy be older than it is."""
    await pool_of(ledger.running.app.state.database).execute(
        "UPDATE replication SET caught_up = clock_timestamp() - $1 * interval '1 second'", seconds
    )


async def budget_of(ledger: LedgerClient, code: str) -> str:
    (item,) = [item for item in (await ledger.get(f"{STATEMENT}/programmes"))["items"] if item["programme"] == code]
    return str(item["budget"]["sum"]["amount"])


async def test_entries_go_on_while_the_catalogue_is_away_for_as_long_as_is_stated(
    new_database: Callable[[str], str], source: tuple[Source, str]
) -> None:
    catalogue, url = source
    async with running_ledger(new_database("funding"), url) as ledger:
        await ledger.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
        await catalogue.fail("503")
        # Of a programme that no entry has named before, too.
        assert (await ledger.post(UNIT, ALLOCATION)).status_code == 201
        assert errors(await ledger.post(UNIT, {**ALLOCATION, "programme": "MDA-1"})) == [("unknown_code", "/programme")]
        before = await ledger.revision()
        await age(ledger, 86_000)
        assert (await ledger.post(UNIT, ALLOCATION)).status_code == 201
        await age(ledger, 86_500)
        refused(await ledger.post(UNIT, ALLOCATION), 503, "copy_outdated", "86500 seconds old", "at most 86400")
        refused(await ledger.batch(body("interest"), ALLOCATION), 503, "copy_outdated")
        # What names nothing of the catalogue needs no copy, and neither does a reversal.
        assert (await ledger.post(AGENT, body("interest"))).status_code == 201
        assert (await ledger.reverse("L-000003")).status_code == 201
        # A reversal changes the entry that it reverses, too.
        assert await ledger.revision() == before + 4
        with oldest_copy(ledger, 90_000):
            assert (await ledger.post(UNIT, ALLOCATION)).status_code == 201
        answer = await ledger.running.client.get(f"{STATEMENT}/programmes")
        assert int(answer.headers["catalogue-age"]) >= 86_500
        (state,) = (await ledger.get("/funding/v1/copies"))["copies"]
        assert (state["service"], state["age_seconds"] >= 86_500) == ("catalog", True)
        catalogue.mend()


async def test_without_a_first_copy_no_entry_names_a_programme(new_database: Callable[[str], str]) -> None:
    database = new_database("funding")
    async with running_app("funding", database, None) as running:
        refused(await LedgerClient(running).post(UNIT, ALLOCATION), 503, "not_configured", "CATALOG_URL")
        running.set(catalog_url="http://localhost:1")
        ledger = LedgerClient(running)
        refused(await ledger.post(UNIT, ALLOCATION), 503, "copy_outdated", "not copied yet")
        assert (await ledger.post(AGENT, body("interest"))).status_code == 201
        answer = await running.client.get(f"{STATEMENT}/programmes")
        assert answer.headers["catalogue-age"] == "unknown"
        # Where the address is taken away again, the copy is still there.
        await pool_of(running.app.state.database).execute(
            "INSERT INTO replication VALUES ('catalog', 1, 1, now(), now())"
        )
        running.set(catalog_url=None)
        assert errors(await ledger.post(UNIT, ALLOCATION)) == [("unknown_code", "/programme")]


async def test_the_copy_follows_the_catalogue_without_an_entry(
    new_database: Callable[[str], str], source: tuple[Source, str]
) -> None:
    """A budget that changes, a programme that is new, one that is renamed and one that is gone."""
    catalogue, url = source
    running: RunningApp = catalogue.catalog
    async with running_ledger(new_database("funding"), url) as ledger:
        await ledger.enter("allocation", "100.00", programme="ETH-01")
        assert await budget_of(ledger, "ETH-01") == "1500000.00"
        tag = (await ledger.running.client.get(f"{STATEMENT}/programmes")).headers["etag"]
        budget = {"amount": "1750000.00", "currency": "USD", "stage": "allocation"}
        await write(running, amend("ETH-01", "programme", budget=budget))
        await copied(ledger.running, running)
        assert await budget_of(ledger, "ETH-01") == "1750000.00"
        changed = await ledger.running.client.get(f"{STATEMENT}/programmes", headers={"if-none-match": tag})
        assert changed.status_code == 200

        for noun, old, new in (
            ("programme", "ETH-00", "ETH-01"), ("organization", "ILO-OLD", "ILO"), ("programme", "OLD", "GONE"),
        ):  # fmt: skip
            async with running.as_owner() as session:
                renamed = "INSERT INTO renamed_code (entity, code, current) VALUES (:noun, :old, :new)"
                await session.execute(sa.text(renamed), {"noun": noun, "old": old, "new": new})
        assert (await running.client.get("/catalog/v1/programmes/ETH-00")).status_code == 308
        await copied(ledger.running, running)
        await ledger.enter("deposit", "100.00", "2024-01-10", contributor="DEU")
        for programme, organization in (("ETH-00", "ILO-OLD"), ("eth-00", "ilo-old")):
            found = await ledger.enter("transfer", "10.00", programme=programme, organization=organization)
            assert (found["programme"], found["organization"]) == ("ETH-01", "ILO")
        # An earlier code of what is there no more is unknown.
        assert errors(await ledger.post(UNIT, {**ALLOCATION, "programme": "OLD"})) == [("unknown_code", "/programme")]
        (item,) = (await ledger.get(f"{STATEMENT}/programmes"))["items"]
        assert (item["programme"], item["transfers"]["rows"]) == ("ETH-01", 2)

        await write(running, "DELETE FROM programme WHERE code = 'ETH-01'")
        await copied(ledger.running, running)
        (item,) = (await ledger.get(f"{STATEMENT}/programmes"))["items"]
        assert (item["title"], item["budget"], item["transfers"]["rows"]) == (None, None, 2)
        assert errors(await ledger.post(AGENT, body("transfer", **ETHIOPIA))) == [("unknown_code", "/programme")]


def rename(table: str, old: str, new: str) -> list[str]:
    """Statements that rename a record of the catalogue, as one does by SQL: its code is that of another row now."""
    return [
        f"INSERT INTO {table} SELECT (jsonb_populate_record(old, jsonb_build_object('code', '{new}', 'revised',"
        f" current_setting('mmptf.first')::bigint, 'record', record::jsonb || jsonb_build_object('code', '{new}')))).*"
        f" FROM {table} AS old WHERE code = '{old}'",
        f"DELETE FROM {table} WHERE code = '{old}'",
        f"INSERT INTO renamed_code VALUES ('{table}', '{old}', '{new}')",
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
async def test_entries_of_a_renamed_programme_and_organization_are_found_under_the_present_codes(
    new_database: Callable[[str], str], source: tuple[Source, str], order: tuple[int, ...]
) -> None:
    catalogue, url = source
    running: RunningApp = catalogue.catalog
    async with running_ledger(new_database("funding"), url) as ledger:
        await ledger.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
        await ledger.enter("allocation", "600.00", programme="ETH-01", note='Of the programme "programme":"ETH-01".')
        first = await ledger.enter("transfer", "200.00", **ETHIOPIA)
        wrong = await ledger.enter("transfer", "10.00", **ETHIOPIA)
        assert (await ledger.reverse(wrong["code"])).status_code == 201
        proposed = await ledger.running.client.post(
            "/funding/v1/transfer-proposals", json={"date": "2024-05-05", "amount": "50.00", **ETHIOPIA},
            headers=writing(*AGENT),
        )  # fmt: skip
        assert proposed.status_code == 201, proposed.text
        before = {row["code"]: row for row in await ledger.rows()}
        revision = str(await ledger.revision())
        statement = await ledger.get(f"{STATEMENT}/programmes", as_of=revision)
        for table, old, new in (("programme", "ETH-01", "ETH-02"), ("organization", "ILO", "ILO-NEW")):
            statements = rename(table, old, new)
            await write(running, *(statements[n] for n in order[:1]))
            await write(running, *(statements[n] for n in order[1:]))
        taking_part = [{"code": "ILO-NEW", "name": "ILO"}]
        await write(running, amend("ETH-02", "programme", organizations=taking_part))
        await copied(ledger.running, running)

        # Each entry has the present codes, and nothing else of it is different.
        after = {row["code"]: row for row in await ledger.rows()}
        changed = {"programme", "organization", "updated"}
        for code, row in before.items():
            assert {name for name in row if row[name] != after[code][name]} <= changed
        assert {row["programme"] for row in after.values()} == {None, "ETH-02"}
        assert {row["organization"] for row in after.values()} == {None, "ILO-NEW"}
        assert len(await ledger.rows(programme="ETH-02")) == 4
        assert len(await ledger.rows(organization="ilo-new")) == 3
        (item,) = (await ledger.get(f"{STATEMENT}/programmes"))["items"]
        assert (item["programme"], item["allocations"]["rows"], item["transfers"]["rows"]) == ("ETH-02", 1, 3)
        assert (item["budget"]["sum"]["amount"], item["transfers"]["sum"]["amount"]) == ("1500000.00", "200.00")
        linked = await ledger.get(item["transfers"]["link"])
        assert len(linked["items"]) == 3
        periods = (await ledger.get("/funding/v1/period-statements/organizations"))["items"]
        assert [each["organization"] for each in periods] == ["ILO-NEW"]
        # What is entered now, by either code, is checked against what was entered before.
        new = {"programme": "ETH-02", "organization": "ILO-NEW"}
        for codes in (ETHIOPIA, new):
            entered = await ledger.enter("transfer", "20.00", **codes)
            assert (entered["programme"], entered["organization"], entered["flags"]) == (*new.values(), [])
        refused(await ledger.post(AGENT, body("transfer", "400.00", **new)), 409, "exceeds_allocation")
        headers = {**writing("agent", match="*"), **bearer("agent", sub="another")}
        path = f"{proposed.headers['location']}/approval"
        approved = await ledger.running.client.post(path, headers=headers)
        assert (approved.status_code, approved.json()["programme"]) == (201, "ETH-02"), approved.text
        # Paths with the earlier code lead to the present one, and what was read before is read again.
        moved = await ledger.running.client.get("/funding/v1/settlements/ETH-01")
        assert (moved.status_code, moved.headers["location"]) == (308, "/funding/v1/settlements/ETH-02")
        assert (await ledger.get(f"{STATEMENT}/programmes", as_of=revision))["items"] == statement["items"]
        then = await ledger.get(f"{STATEMENT}/budgets", programme="eth-01", as_of=revision)
        assert str(then["revision"]) == revision
        now = await ledger.running.client.get(f"{STATEMENT}/budgets?programme=ETH-01")
        refused(now, 422, "unknown_code")
        history = (await ledger.get(f"/funding/v1/ledger/{first['code']}/history"))["items"]
        # The feed of the catalogue has them in the order of their renaming.
        assert sorted(change["changed"] for change in history[1:]) == [["organization"], ["programme"]]


async def test_a_certificate_has_the_present_codes_of_what_it_certifies(
    new_database: Callable[[str], str], source: tuple[Source, str]
) -> None:
    catalogue, url = source
    running: RunningApp = catalogue.catalog
    async with running_ledger(new_database("funding"), url) as ledger:
        await ledger.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
        for kind, members in (("allocation", {"programme": "ETH-01"}), ("transfer", ETHIOPIA), ("refund", ETHIOPIA)):
            await ledger.enter(kind, "100.00", **members)
        await write(running, amend("ETH-01", "programme", status="operationally_closed"))
        await copied(ledger.running, running)
        figures = {"organization": "ILO", "transferred": "100.00", "refunded": "100.00", "expenditure": "0.00"}
        sent = {"programme": "ETH-01", "date": "2024-06-30", "document": "A", "signatory": "B", "figures": [figures]}
        closed = await ledger.running.client.post("/funding/v1/closings", json=sent, headers=writing(*AGENT))
        assert closed.status_code == 201, closed.text
        for table, old, new in (("programme", "ETH-01", "ETH-02"), ("organization", "ILO", "ILO-NEW")):
            await write(running, *rename(table, old, new))
        await copied(ledger.running, running)
        moved = await ledger.running.client.get("/funding/v1/closings/ETH-01")
        assert (moved.status_code, moved.headers["location"]) == (308, "/funding/v1/closings/ETH-02")
        settlement = await ledger.get("/funding/v1/settlements/ETH-02")
        assert (settlement["settled"], settlement["certificate"]["code"]) == (True, "ETH-02"), settlement
        assert settlement["certificate"]["figures"][0]["organization"] == "ILO-NEW"
        entry = body("expenditure", programme="ETH-02", organization="ILO-NEW", category="travel")
        assert ("figures_certified", "/programme") in errors(await ledger.post(AGENT, entry))


async def test_unknown_codes_suggest_those_that_were_meant(shared_ledger: LedgerClient) -> None:
    sent = body("transfer", programme="ETH-1", organization="ilo", thematic_area="99")
    answer = await shared_ledger.post(AGENT, sent)
    assert errors(answer)[1:] == [("unknown_code", f"/{n}") for n in ("organization", "programme", "thematic_area")]
    meant = {error["pointer"]: (error["suggestion"], error["allowed"]) for error in answer.json()["errors"][1:]}
    assert meant == {
        "/programme": ("ETH-01", ["see /catalog/v1/programmes"]),
        "/organization": ("ILO", ["see /catalog/v1/organizations"]),
        "/thematic_area": (None, ["see /catalog/v1/thematic-areas"]),
    }


async def test_codes_together_are_answered_as_each_by_itself(
    new_database: Callable[[str], str], source: tuple[Source, str]
) -> None:
    """Those in another case, unknown and earlier ones."""
    catalogue, url = source
    codes = ["ETH-01", "MDA-01", "eth-01", "NO-SUCH-01", "GMB-01", "BIH-01", "CHL-01", "TJK-01", "SLV-01", "OLD-1"]
    codes += [*(f"XXX-{n}" for n in range(8)), "old-2", "OLD-3"]
    renamed = {"OLD-1": "ETH-01", "OLD-2": "MKD-01", "OLD-3": "MDA-01"}
    async with catalogue.catalog.as_owner() as session:
        for old, new in renamed.items():
            await session.execute(sa.text(f"INSERT INTO renamed_code VALUES ('programme', '{old}', '{new}')"))
    entries = [body("allocation", programme=code, reference="SC") for code in codes]
    async with running_ledger(new_database("funding"), url) as ledger:
        alone = []
        for entry in entries:
            alone += (await ledger.batch(entry, who=ADMIN, partial="true", dry_run="true")).json()["outcomes"]
        together = (await ledger.batch(*entries, who=ADMIN, partial="true", dry_run="true")).json()["outcomes"]
    for one, other in zip(alone, together, strict=True):
        assert (one["status"], [error["suggestion"] for error in one["errors"]]) == (
            other["status"], [error["suggestion"] for error in other["errors"]],
        )  # fmt: skip
    written = {code for code, row in zip(codes, together, strict=True) if row["status"] == 200}
    assert {"ETH-01", "MDA-01", "OLD-1", "old-2", "OLD-3"} <= written
    assert "eth-01" not in written
