"""Writes of many rows, right and wrong: statements do not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx
import pytest

from mmptf_common.writes.bodies import XLSX
from tests.conftest import RunningApp
from tests.integration.assessments import CODES, RISK
from tests.integration.editions import MADE_UP, Edition, requirement, send, term, workbook_of
from tests.integration.ledger_client import ADMIN, ETHIOPIA, Json, LedgerClient, body
from tests.integration.marked import IOM, Markers, answer, at
from tests.integration.programme_writes import submitted
from tests.integration.test_batches import BATCH, row_of
from tests.integration.test_ledger_batches import allocations
from tests.tokens import writing
from tests.writes import statements_of

FEW, MANY = 10, 200
DRAFTS = "/catalog/v1/drafts"
COPYING = ("UPDATE replication", "SELECT coalesce(max(seq), 0) FROM change")


async def require_constant(running: RunningApp, send_rows: Callable[[int], Any], *, status: int = 200) -> None:
    """Compare a write of few rows with one of many, once the connections have been used.

    What is copied from the catalogue may be written in between: of two that are the same, the one with fewer counts.
    """
    found: dict[int, list[str]] = {}
    for number in (FEW, FEW, MANY, MANY):
        with statements_of(running) as executed:
            said = await send_rows(number)
        assert said.status_code == status, said.text
        # Those of the write, and not of what copies the catalogue beside it and waits for changes there.
        own = [text for text in executed[executed.index("BEGIN") :] if not text.startswith(COPYING)]
        assert len(own) > 3
        found[number] = min(own, found.get(number, own), key=len)
    assert len(found[FEW]) == len(found[MANY]), found[MANY]


# --- the ledger ------------------------------------------------------------------------------------------------------

ENTRIES: dict[str, Callable[[int], Json]] = {
    "right": lambda n: body("expenditure", "0.20", category="travel", note=f"note {n}", **ETHIOPIA),
    "with fees": lambda n: body("deposit", "10.00", contributor="DEU"),
    "beyond a balance": lambda n: body("bank_charge", "99999999.00"),
    "of unknown contributors": lambda n: body("deposit", "10.00", contributor=f"UNKNOWN-{n}"),
    "after unknown entries": lambda n: body("deposit", "10.00", contributor="DEU", follows=f"L-{900000 + n}"),
    "after entries of the batch": lambda n: body("deposit", "10.00", contributor="DEU", follows=f"L-{n + 1:06d}"),
}


@pytest.mark.parametrize("kind", ENTRIES)
@pytest.mark.parametrize("partial", ["true", "false"])
async def test_a_batch_of_entries(shared_ledger: LedgerClient, kind: str, partial: str) -> None:
    async def send_rows(number: int) -> httpx.Response:
        entries = map(ENTRIES[kind], range(number))
        return await shared_ledger.batch(*entries, who=ADMIN, dry_run="true", partial=partial)

    refused = partial == "false" and kind not in ("right", "with fees")
    await require_constant(shared_ledger.running, send_rows, status=422 if refused else 200)


@pytest.mark.parametrize("code", ["ETH-01", "eth-01", "XXX-{}"])
async def test_a_batch_of_entries_that_name_programmes(shared_ledger: LedgerClient, code: str) -> None:
    async def send_rows(number: int) -> httpx.Response:
        entries = allocations(code.format(n) for n in range(number))
        return await shared_ledger.batch(*entries, who=ADMIN, dry_run="true", partial="true")

    await require_constant(shared_ledger.running, send_rows)


# --- programmes ------------------------------------------------------------------------------------------------------


async def test_a_batch_of_status_changes(catalog_service: RunningApp) -> None:
    note = await submitted(catalog_service.client)
    unlisted = {**row_of(note, "pipeline"), "etag": "*"}

    async def send_rows(number: int) -> httpx.Response:
        rows = [{**unlisted, "programme": f"UNLISTED-{n}"} for n in range(number)] + [unlisted]
        headers = writing("management-unit")
        return await catalog_service.client.post(
            f"{BATCH}?dry_run=true&partial=true", json={"changes": rows}, headers=headers
        )

    await require_constant(catalog_service, send_rows)


async def test_programmes_that_change_twice(catalog_service: RunningApp) -> None:
    notes = [await submitted(catalog_service.client) for _ in range(FEW + 2)]

    async def send_rows(number: int) -> httpx.Response:
        rows = [row_of(note, status, etag="*") for note in notes[:number] for status in ("pipeline", "not_selected")]
        headers = writing("management-unit")
        return await catalog_service.client.post(f"{BATCH}?dry_run=true", json={"changes": rows}, headers=headers)

    await require_constant(catalog_service, send_rows)


async def test_a_draft_with_unknown_codes(catalog_service: RunningApp) -> None:
    async def send_rows(number: int) -> httpx.Response:
        lines = [
            {"organization": f"UNLISTED-{n}", "year": 2027, "category": "travel", "amount": "1.00"}
            for n in range(number)
        ]
        sent = {"programme_code": "KEN-77", "objectives": ["97", "98"], "budget_lines": lines}
        return await catalog_service.client.post(f"{DRAFTS}?dry_run=true", json=sent, headers=writing("agency", "IOM"))

    await require_constant(catalog_service, send_rows, status=422)


# --- assessments -----------------------------------------------------------------------------------------------------


async def test_a_draft_of_an_assessment(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied())

    async def send_rows(number: int) -> httpx.Response:
        given = {code: answer(1) for code in CODES[:number]}
        risks = [{**RISK, "risk": f"Risk {n}."} for n in range(min(number, 20))]
        sent = {"answers": given, "due_diligence": risks}
        return await marker_service.send("PATCH", f"{at(draft)}?dry_run=true", IOM, sent, match="*")

    await require_constant(marker_service.running, send_rows)


# --- editions --------------------------------------------------------------------------------------------------------


def edition_of(number: int) -> Edition:
    """The made-up edition with so many rows more in its tables."""
    edition = deepcopy(MADE_UP)
    edition["vocabulary"] += [term("target_population", f"group-{n}", f"Group {n}") for n in range(number)]
    edition["vocabulary"] += [term("area", f"area-{n}", f"Area {n}") for n in range(number)]
    edition["requirements"] += [
        {**requirement("KEN", f"area-{n}", 100 + n, status="funded"), "amount_as_printed": "Funded"}
        for n in range(number)
    ]
    edition["initiatives"] += [{**edition["initiatives"][0], "code": f"ME-2016-fund-{n}"} for n in range(2, number + 2)]
    return edition


@pytest.mark.parametrize("wrong", [None, "several editions", "unknown terms"])
async def test_an_import(two_editions: RunningApp, wrong: str | None) -> None:
    async def send_rows(number: int) -> httpx.Response:
        edition = edition_of(number)
        if wrong == "several editions":
            edition["edition"] += [
                {**edition["edition"][0], "code": f"ME-{n}", "document": f"made-up-{n}"} for n in range(number)
            ]
        elif wrong:
            edition["requirements"] += [requirement("KEN", f"no-area-{n}", 900 + n) for n in range(number)]
        return await send(two_editions, workbook_of(edition), XLSX, dry_run=True)

    await require_constant(two_editions, send_rows, status=422 if wrong else 200)
