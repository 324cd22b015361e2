"""Random writes to the tables of the catalogue and of the funding service."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg

from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import moment_text
from mmptf_common.storage.writing import writing as transaction
from mmptf_funding.contributions.commands import derive_facts
from tests.conftest import RunningApp, service_of

Databases = Callable[[str], str]
CATALOG, FUNDING = "/catalog/v1", "/funding/v1"
PROGRAMMES, CONTRIBUTIONS = f"{CATALOG}/programmes", f"{FUNDING}/contributions"
EDITION = f"{FUNDING}/editions/MI-2015"


@dataclass(frozen=True)
class Writing:
    """A write under way, over the driver's own connection."""

    service: str
    write: Write
    connection: asyncpg.Connection

    async def amend(self, table: str, code: str, columns: dict[str, Any], **members: Any) -> None:
        """Set columns of a record, and members of its record."""
        values = {**columns, "updated": self.write.at}
        assignments = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, start=3))
        said = json.dumps({**members, "updated": moment_text(self.write.at)}, default=str)
        await self.connection.execute(
            f"UPDATE {table} SET record = (record::jsonb || $2)::json, {assignments} WHERE code = $1",
            code,
            said,
            *values.values(),
        )

    async def copy(self, table: str, code: str, other: str) -> None:
        """Create a record with the content of another one under a new code."""
        columns = service_of(self.service).metadata.tables[table].columns
        names = ", ".join({column.name for column in columns} - {"code", "record", "revised"})
        await self.connection.execute(
            f"INSERT INTO {table} (code, record, {names})"
            f" SELECT $2, (record::jsonb || jsonb_build_object('code', $2::text))::json, {names}"
            f" FROM {table} WHERE code = $1",
            code,
            other,
        )

    async def remove(self, table: str, code: str) -> None:
        await self.connection.execute(f"DELETE FROM {table} WHERE code = $1", code)

    async def codes(self, table: str) -> list[str]:
        return [row[0] for row in await self.connection.fetch(f"SELECT code FROM {table} ORDER BY code")]


@asynccontextmanager
async def writing(running: RunningApp) -> AsyncIterator[Writing]:
    """One write, committed at the end."""
    async with transaction(running.app.state.database) as session:
        write = await begin_write(session, Author("test"), "a test")
        driver = (await (await session.connection()).get_raw_connection()).driver_connection
        yield Writing(running.name, write, driver)


async def give(running: RunningApp, dollars: int = 1) -> None:
    """Raise the amount of one contribution."""
    async with writing(running) as it:
        amount = await it.connection.fetchval("SELECT amount FROM contribution WHERE code = 'DEU-2024-01'") + dollars
        await it.amend(
            "contribution", "DEU-2024-01", {"amount": amount}, sum={"amount": f"{amount}", "currency": "USD"}
        )
        await derive_facts(it.write)


async def _write_programmes(it: Writing, dice: random.Random) -> None:
    for code in sorted({await _some(it, dice, "programme") for _ in range(3)}):
        row = await it.connection.fetchrow("SELECT amount, attribution::text FROM programme WHERE code = $1", code)
        columns: dict[str, Any] = {
            "stage": dice.choice(("concept", "pipeline", "funded", "closed")),
            "title_order": f"{dice.random()}",
            "words": dice.sample(["migration", "border", "youth"], 2),
            "countries": dice.sample(["SRB", "KEN", "MKD", "ZAF"], 2),
            "partner_kinds": dice.sample(["academia", "government", "other"], dice.randint(0, 2)),
            "beneficiaries": dice.sample(["women", "youth"], dice.randint(0, 2)),
        }
        if row["amount"] is not None:
            more = Decimal(dice.randint(1, 10**7)) / 100
            columns["amount"] = row["amount"] + more
            columns["attribution"] = json.dumps({
                division: {**parts, (key := dice.choice(sorted(parts))): str(Decimal(parts[key]) + more)}
                for division, parts in json.loads(row["attribution"]).items()
            })  # fmt: skip
        await it.amend("programme", code, columns, title=f"A title, {dice.random()}", place_label=None)


async def _write_catalog(it: Writing, dice: random.Random) -> None:
    await _write_programmes(it, dice)
    name = f"Named at {it.write.first}"
    for table in dice.sample(["organization", "place", "thematic_area", "objective", "source_document"], 3):
        columns = {} if table == "source_document" else {"name": name}
        await it.amend(table, await _some(it, dice, table), columns, name=name)
    await it.amend("place_group", "gcm-champions", {"members": dice.sample(["LUX", "PRT", "TUR"], 2)}, note=name)
    await _come_and_go(it, dice, "programme")


async def _write_funding(it: Writing, dice: random.Random) -> None:
    for code in sorted({await _some(it, dice, "contribution") for _ in range(2)}):
        amount = Decimal(dice.randint(1, 10**9)) / 100
        columns: dict[str, Any] = {"amount": amount, "country": dice.choice(("DEU", "THA")), "as_of": date(2025, 1, 1)}
        await it.amend("contribution", code, columns, sum={"amount": f"{amount}", "currency": "USD"})
    for code in sorted({await _some(it, dice, "requirement") for _ in range(5)}):
        funded = dice.random() < 0.3
        columns = {
            "status": "funded" if funded else "required",
            "amount": None if funded else Decimal(dice.randint(1, 10**9)) / 100,
            "implied": None,
            "populations": dice.sample(["youth", "media", "migrants"], dice.randint(0, 3)),
        }
        await it.amend("requirement", code, columns, status=columns["status"])
    name = f"Named at {it.write.first}"
    located = dice.sample(["KEN", "MOZ", "USA"], dice.randint(0, 3))
    countries = [{"code": code, "line": None} for code in located]
    changes: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("contributor", {"name": name}, {"name": name}),
        ("target", {"amount": Decimal(dice.randint(10**6, 10**9))}, {"event": name}),
        ("fact", {"printed": Decimal(dice.randint(1, 10**6))}, {"note": name}),
        ("printed_total", {"printed": Decimal(dice.randint(1, 10**9))}, {"note": name}),
        ("term", {"name": name, "position": dice.randint(-9, 999)}, {"name": name}),
        ("edition", {"name": name}, {"name": name}),
        (
            "initiative",
            {"position": dice.randint(-9, 99), "countries": located},
            {"name": name, "countries": countries},
        ),
        ("partner", {"position": dice.randint(-9, 199)}, {"name": name}),
        ("money_stage", {"position": dice.randint(-9, 99)}, {"name": name}),
        ("figure", {"position": dice.randint(-9, 399), "countries": located}, {"note": name, "countries": located}),
    ]
    of_regions: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("framework", {"position": dice.randint(-9, 99)}, {"title": name}),
        ("framework_item", {"position": dice.randint(-9, 999), "level": "point"}, {"level": "point", "text": name}),
        ("regional_office", {"position": dice.randint(-9, 99)}, {"name": name}),
        ("regional_group", {"position": dice.randint(-9, 99), "name": name}, {"name": name}),
        ("acronym", {"position": dice.randint(-9, 99)}, {"expansion": name}),
    ]
    for table, columns, members in [*dice.sample(changes, 5), *of_regions]:
        await it.amend(table, await _some(it, dice, table), columns, **members)
    await _enter(it, dice)
    await _come_and_go(it, dice, "contribution")
    await _come_and_go(it, dice, "requirement")
    await derive_facts(it.write)


async def _enter(it: Writing, dice: random.Random) -> None:
    """Entries of the ledger, and the reversal of one that is not reversed yet."""
    for kind in dice.sample(["pledge", "commitment", "deposit", "interest"], 2):
        contributor = None if kind == "interest" else await _some(it, dice, "contributor")
        await _append(it, kind, Decimal(dice.randint(1, 10**9)) / 100, contributor)
    found = await it.connection.fetch(
        "SELECT * FROM ledger_entry AS entry WHERE reverses IS NULL"
        " AND NOT EXISTS (SELECT FROM ledger_entry AS later WHERE later.reverses = entry.code) ORDER BY code"
    )
    row = dice.choice(found)
    await _append(it, row["kind"], -row["amount"], row["contributor"], row)


async def _append(
    it: Writing, kind: str, amount: Decimal, contributor: str | None, reversed_entry: asyncpg.Record | None = None
) -> None:
    number = 1 + await it.connection.fetchval("SELECT coalesce(max(number), 0) FROM ledger_entry")
    # No entry is reversed before its own day.
    day = reversed_entry["date"] if reversed_entry else date(2026, 1 + number % 12, 1)
    reverses = reversed_entry["code"] if reversed_entry else None
    await it.connection.execute(
        "INSERT INTO ledger_entry (code, number, kind, date, amount, contributor, reverses, flags, updated, record)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', $8, $9)",
        code := f"L-{number:06d}", number, kind, day, amount, contributor, reverses,
        it.write.at, json.dumps({"code": code, "kind": kind, "sum": {"amount": f"{amount}", "currency": "USD"}}),
    )  # fmt: skip
    if reverses:
        await it.amend("ledger_entry", reverses, {"reversed_by": code}, reversed_by=code)


async def _come_and_go(it: Writing, dice: random.Random, table: str) -> None:
    """Create and delete records, some of them more than once in this write."""
    new = f"{it.write.first}-new"
    await it.copy(table, await _some(it, dice, table), new)
    gone = await _some(it, dice, table)
    await it.copy(table, gone, "SAVED")
    await it.remove(table, gone)
    if dice.random() < 0.5 or len(await it.codes(table)) < 5:
        await it.copy(table, "SAVED", gone)
    await it.remove(table, "SAVED")


async def _some(it: Writing, dice: random.Random, table: str) -> str:
    """A record of a table, often one that is read by itself."""
    codes = await it.codes(table)
    shown = sorted({"WBALKANS-01", "MKD-01", "IOM", "DEU-2024-01", "MI-2015-KEN-health"} & set(codes))
    return dice.choice(shown) if shown and dice.random() < 0.4 else dice.choice(codes)


WRITES = {"catalog": _write_catalog, "funding": _write_funding}
