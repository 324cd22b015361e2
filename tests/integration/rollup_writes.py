"""Random writes to the tables that have rollups, by several connections at once, some of which are killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from tests.conftest import service_of
from tests.suite import SERVICES

WRITERS = 4
# The rows of a table that a statement changes, or makes others from.
_SOME = "(SELECT code FROM {table} WHERE {where} ORDER BY hashtext(code || {seed}) LIMIT {rows})"
_RECORD = "'record', record::jsonb || jsonb_build_object('code', {code}, 'touched', {seed})"
# Table -> (the columns that are set anew, by SQL over a row and `seed`; what rows that are made lack or have instead).
# Every column that a rollup compares, sums or looks for extremes in is among them.
CHANGED = {
    "requirement": {
        "status": "(ARRAY['required', 'funded', 'missing_in_source'])[1 + {seed} % 3]",
        "amount": "CASE WHEN {seed} % 4 > 0 THEN {seed} % 9999 + 0.25 END",
        "implied": "CASE WHEN {seed} % 5 = 0 THEN {seed} % 77 + 0.5 END",
        "populations": "(ARRAY['{{}}', '{{a}}', '{{a,b}}', '{{b,c,d}}'])[1 + {seed} % 4]::text[]",
        "area": "(ARRAY[area, 'health', 'border'])[1 + {seed} % 3]",
        "updated": "updated + ({seed} % 100 - 50) * interval '1 second'",
    },
    "contribution": {
        "amount": "{seed} % 9999 + 0.25",
        "basis": "(ARRAY[basis, 'commitment'])[1 + {seed} % 2]",
        "country": "(ARRAY[country, NULL, 'ISL'])[1 + {seed} % 3]",
        "as_of": "as_of + {seed} % 30 - 15",
        "updated": "updated + ({seed} % 100 - 50) * interval '1 second'",
    },
    "ledger_entry": {
        "kind": "(ARRAY[kind, 'pledge', 'deposit'])[1 + {seed} % 3]",
        "amount": "{seed} % 9999 - 5000.25",
        "date": "date + {seed} % 30 - 15",
        "flags": "CASE {seed} % 3 WHEN 0 THEN '{{}}' WHEN 1 THEN '{{refund_exceeds_unspent}}'"
        " ELSE '{{refund_exceeds_unspent,deposit_exceeds_commitment}}' END::text[]",
        "thematic_area": "(ARRAY[thematic_area, NULL, '4'])[1 + {seed} % 3]",
    },
    "assessment": {
        "status": "(ARRAY['accepted', 'submitted', 'returned'])[1 + {seed} % 3]",
        "grade": "(ARRAY['A', 'B', NULL])[1 + {seed} % 3]",
        "organization": "(ARRAY['IOM', 'ILO'])[1 + {seed} % 2]",
    },
    "allocation": {
        "programme": "'P-' || {seed} % 9",
        "amount": "(ARRAY[{seed} % 999 - 500.25, 100, -100])[1 + {seed} % 3]",
    },
}
# Table that is not written here itself, and the records instead that change its rows.
_RECORDS = {"current_grade": ("assessment", "allocation"), "programme": ()}
# What a row that is made from another one has for itself alone.
OWN = {
    "ledger_entry": "'number', 1000000 + n + 100 * {seed}, 'follows', NULL, 'reverses', NULL, 'reversed_by', NULL,",
    "assessment": "'version', 100000 + n + 100 * {seed},",
}
# The first rows of tables of which the packaged data have none.
FIRST = {
    "ledger_entry": [
        """
        INSERT INTO ledger_entry (code, number, kind, date, amount, contributor, organization, thematic_area, category,
                                  flags, updated, record)
        SELECT 'FIRST-' || n, 900000 + n, (ARRAY['pledge', 'deposit', 'transfer', 'expenditure'])[1 + n % 4],
               date '2024-01-01' + n * 7 % 300, n * 10.25, CASE n % 2 WHEN 0 THEN 'DEU' END,
               (ARRAY['IOM', 'ILO', NULL])[1 + n % 3], CASE n % 5 WHEN 0 THEN '2' END,
               CASE n % 4 WHEN 3 THEN 'travel' END,
               CASE n % 7 WHEN 0 THEN '{expenditure_exceeds_transfers}' ELSE '{}' END::text[], now(),
               json_build_object('code', 'FIRST-' || n)
          FROM generate_series(1, 60) AS n""",
    ],
    # Programmes of every kind: in no place, in two of one region or of several, with shares and lines or without.
    "assessment": [
        """
        INSERT INTO place (code, kind, regions, updated, record)
        SELECT 'C' || n, 'country', ARRAY['R' || n % 2], now(),
               json_build_object('code', 'C' || n, 'name', 'C' || n, 'region', 'R' || n % 2,
                                 'subregion', CASE n WHEN 1 THEN 'S' END, 'intermediate_region', NULL)
          FROM generate_series(1, 3) AS n""",
        """
        INSERT INTO programme (code, stage, thematic_area, organizations, countries, amount, currency, budget_stage,
                               updated, record)
        SELECT 'P-' || n, 'funded', CASE WHEN n % 4 > 0 THEN (n % 4)::text END, organizations, countries, 100, 'USD',
               'allocation', now(), json_build_object(
                 'code', 'P-' || n, 'title', 'Programme ' || n, 'partly_stated', '[]'::json,
                 'places', (SELECT json_agg(json_build_object('code', c, 'share', CASE WHEN n % 2 = 0 THEN 50 END))
                              FROM unnest(countries) AS c),
                 'budget_by_organization', CASE WHEN n % 3 = 0 THEN json_build_object('IOM', 60, 'ILO', 40)
                                                ELSE '{}' END)
          FROM (SELECT n, (ARRAY['{IOM,ILO}', '{IOM}', '{}'])[1 + n % 3]::text[] AS organizations,
                       (ARRAY['{C1,C2}', '{C1,C3}', '{}', '{C2}'])[1 + n % 4]::text[] AS countries
                  FROM generate_series(0, 8) AS n) AS made""",
        """
        INSERT INTO allocation (code, programme, amount, updated, record)
        SELECT 'FIRST-' || n, 'P-' || n % 9, 50 * n, now(), json_build_object('code', 'FIRST-' || n)
          FROM generate_series(1, 20) AS n""",
        """
        INSERT INTO assessment (code, programme, marker, stage, year, version, organization, rubric, status, grade,
                                updated, record)
        SELECT 'FIRST-' || n, 'P-' || n % 9, rubric.record->>'marker', 'annual_report', 2000 + n, 1, 'IOM', rubric.code,
               'accepted', 'B', now(), json_build_object('code', 'FIRST-' || n)
          FROM (SELECT * FROM rubric ORDER BY code LIMIT 1) AS rubric, generate_series(1, 60) AS n""",
    ],
}
# The rows that may be deleted: those that were made, to which no others refer.
MADE = "code LIKE 'MADE-%'"


@dataclass
class Done:
    """What came of the writes: committed, undone on purpose, ended with their connection; and crashes of the server."""

    committed: int = 0
    undone: int = 0
    killed: int = 0
    crashed: int = 0


@cache
def _written(table: str) -> list[str]:
    """The columns of a table that whoever writes a row states: what the database computes is none of them."""
    of = next(of for service in SERVICES if (of := service_of(service).metadata.tables.get(table)) is not None)
    return [column.name for column in of.columns if column.computed is None]


def tables_written(tables: Iterable[str]) -> list[str]:
    """The tables that are written here so that those change which have rollups."""
    return list(dict.fromkeys(name for table in tables for name in _RECORDS.get(table, (table,))))


def statements(table: str, chance: random.Random) -> list[str]:
    """SQL of one to three random changes of some rows of a table."""
    found = []
    for _ in range(chance.randint(1, 3)):
        seed, rows = chance.randrange(1, 10**7), chance.choice((1, 1, 2, 5, 40))
        some = _SOME.format(table=table, where="true", seed=seed, rows=rows)
        changed = {name: sql.format(seed=seed) for name, sql in CHANGED[table].items()}
        names = chance.sample(sorted(changed), chance.randint(1, len(changed)))
        match chance.choice(("make", "change", "delete")):
            case "make":
                members = ", ".join(f"'{name}', {changed[name]}" for name in names)
                record = _RECORD.format(code=f"'MADE-{seed}-' || n", seed=seed)
                columns = ", ".join(_written(table))
                found.append(
                    f"INSERT INTO {table} ({columns}) SELECT {', '.join(f'made.{name}' for name in _written(table))}"
                    f" FROM (SELECT *, row_number() OVER () AS n FROM {table}"
                    f" WHERE code IN {some}) AS first CROSS JOIN LATERAL jsonb_populate_record(NULL::{table},"
                    f" to_jsonb(first) || jsonb_build_object('code', 'MADE-{seed}-' || n, {members},"
                    f" {OWN.get(table, '').format(seed=seed)} {record},"
                    " 'revised', current_setting('mmptf.first')::bigint)) AS made"
                )
            case "change":
                sets = ", ".join(f"{name} = {changed[name]}" for name in names)
                touched = f"record::jsonb || jsonb_build_object('touched', {seed})"
                found.append(f"UPDATE {table} SET {sets}, record = ({touched})::json WHERE code IN {some}")
            case "delete":
                # More than are made, so that the tables stay small.
                some = _SOME.format(table=table, where=MADE, seed=seed, rows=3 * rows)
                found.append(f"DELETE FROM {table} WHERE code IN {some}")
    return found


async def random_writes(
    url: str, tables: list[str], writes: int, *, seconds: float, admin: str, crash_seconds: float | None = None
) -> Done:
    """Carry out random writes, some of which are undone, while the connections of writers are ended.

    url: of the owner of the tables; tables: those that have rollups; admin: the URL of the superuser
    seconds: after which no further one is begun
    crash_seconds: after which a process of PostgreSQL is killed each time, so that all of it begins anew
    """
    tables = tables_written(tables)
    done, until = Done(), time.monotonic() + seconds
    engines = [write_engine(url, size=1) for _ in range(WRITERS)]
    async with AsyncSession(engines[0]) as session, session.begin():
        await begin_write(session, Author("test"))
        for sql in (sql for table in tables for sql in FIRST.get(table, ())):
            await (await session.connection()).exec_driver_sql(sql)

    async def write(number: int) -> None:
        chance = random.Random(number)
        while done.committed + done.undone < writes and time.monotonic() < until:
            try:
                async with AsyncSession(engines[number]) as session, session.begin() as transaction:
                    await begin_write(session, Author("test"))
                    for sql in statements(chance.choice(tables), chance):
                        await (await session.connection()).exec_driver_sql(sql)
                    if chance.random() < 0.1:
                        await transaction.rollback()
                        done.undone += 1
                        continue
                done.committed += 1
            except (DBAPIError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # None is expected of the statements themselves, only of those that an operator or a crash has ended.
                state = getattr(getattr(error, "orig", error), "sqlstate", None)
                if state and not state.startswith(("57", "08")):
                    raise
                done.killed += 1
                await asyncio.sleep(0.01)

    async def kill() -> None:
        chance = random.Random(20261127)
        crash = time.monotonic() + (crash_seconds or seconds)
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(admin)
                try:
                    while True:
                        # Where there are thousands of writes, most of the time would be that of new connections.
                        await asyncio.sleep(chance.uniform(0.02, 0.2) * (10 if crash_seconds else 1))
                        writer = await connection.fetchval(
                            "SELECT pid FROM pg_stat_activity WHERE application_name = 'mmptf' AND datname = $1"
                            " ORDER BY random() LIMIT 1",
                            url.rpartition("/")[2],
                        )
                        if writer and crash_seconds and time.monotonic() > crash:
                            crash = time.monotonic() + crash_seconds
                            done.crashed += 1
                            os.kill(writer, signal.SIGKILL)
                        await connection.execute("SELECT pg_terminate_backend($1)", writer)
                finally:
                    connection.terminate()

    killing = asyncio.create_task(kill())
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(write(number))
    finally:
        killing.cancel()
        for engine in engines:
            await engine.dispose()
    return done
