"""Programmes that an earlier schema holds as their public records alone are stated by codes after the migration."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_catalog.code_lists.schemas import Objective, Organization, Place, ThematicArea
from mmptf_catalog.programmes.domain import StatedProgramme
from mmptf_catalog.programmes.schemas import CodeNames, Programme
from mmptf_catalog.seed import PACKAGE
from mmptf_common.storage import migrations
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import moment_text, read_packaged
from mmptf_local.postgres import Postgres
from tests.integration.older_schema import copy_rows, migrate_to

TABLES = ("programme", "programme_past")


async def amend(url: str) -> None:
    """Amend each programme of a database of the schema before once."""
    engine = write_engine(url, size=1)
    try:
        async with AsyncSession(engine) as session, session.begin():
            write = await begin_write(session, Author("an operator"))
            await session.execute(
                sa.text(
                    "UPDATE programme SET updated = :at, document ="
                    " (document::jsonb || jsonb_build_object('summary', 'Corrected.', 'updated', CAST(:text AS text)))"
                    "::json"
                ),
                {"at": write.at, "text": moment_text(write.at)},
            )
            # What a record of the first schema has no member for.
            await session.execute(
                sa.text(
                    "UPDATE programme SET document = (document::jsonb - 'lead_organization' - 'duration'"
                    " - 'budget_lines' #- '{status_history,0,decision}')::json WHERE code = 'MKD-01'"
                )
            )
    finally:
        await engine.dispose()


async def records(connection: asyncpg.Connection, columns: str) -> list[Any]:
    return [
        list(await connection.fetch(f"SELECT code, updated, {columns} FROM {table} ORDER BY code")) for table in TABLES
    ]


async def test_the_migration_states_every_programme_by_its_codes(
    postgres: Postgres, new_database: Callable[[str], str]
) -> None:
    url = postgres.create_database("catalog_stated")
    await migrate_to(url, "catalog", "0004")
    await copy_rows(new_database("catalog"), url, ("thematic_area", "programme"))
    await amend(url)
    connection = await asyncpg.connect(url)
    try:
        before = await records(connection, "document::text")
        changes = await connection.fetch("SELECT seq, before::text, after::text FROM change ORDER BY seq")
        await migrations.migrate(url, "mmptf_catalog")
        after = await records(connection, "record::text, stated::text")
        assert [[tuple(row)[:3] for row in rows] for rows in after] == [[tuple(row) for row in rows] for rows in before]
        assert await connection.fetch("SELECT seq, before::text, after::text FROM change ORDER BY seq") == changes

        at = after[0][0]["updated"]
        lists = {
            "thematic_areas": ThematicArea, "objectives": Objective, "organizations": Organization, "places": Place,
        }  # fmt: skip
        names = CodeNames.of(*(read_packaged(PACKAGE, name, model, updated=at) for name, model in lists.items()))
        packaged = {programme.code: programme for programme in read_packaged(PACKAGE, "programmes", StatedProgramme)}
        for rows in after:
            assert [row["code"] for row in rows] == sorted(packaged)
            for row in rows:
                stated = StatedProgramme.model_validate_json(row["stated"])
                stored = json.loads(row["record"])
                new = {"lead_organization": None, "duration": None, "budget_lines": []}
                for entry in stored["status_history"]:
                    entry.setdefault("decision", None)
                record = Programme.of(stated, names, row["updated"]).model_dump(mode="json")
                assert record == {**new, **stored}
                # Only the order of the sources is another one: those of the budget come last.
                expected = packaged[row["code"]]
                assert stated.model_copy(update={"sources": [], "summary": ""}) == expected.model_copy(
                    update={"sources": [], "summary": ""}
                )
                assert sorted(map(str, stated.sources)) == sorted(map(str, expected.sources))
    finally:
        await connection.close()
