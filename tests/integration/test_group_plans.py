"""The indicator by group reads what triggers have counted: as many rows of five times as many programmes."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import asyncpg
import pytest
import sqlalchemy as sa

from mmptf_common.storage.as_of import PLANNING
from mmptf_common.storage.connections import SERVER_SETTINGS
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_local.postgres import Postgres
from mmptf_markers.indicator.schemas import IndicatorDivision
from tests.conftest import RunningApp, running_app
from tests.integration.grown import grow
from tests.integration.marked import CURRENT_GRADES, INDICATOR
from tests.integration.plans import Sent, explained, read

# Of five assessments each; both are of 200 organizations in 4 countries.
FEW, MANY = 200, 1_000
QUESTIONS = ["", *(f"by={by}" for by in get_args(IndicatorDivision.__value__)), "by=region&grade=B"]


async def rows_read(running: RunningApp, sent: Sent, number: int) -> dict[str, float]:
    """The rows that all statements of each answer read, with those that steps of their plans hand on."""
    found = {}
    connection = await asyncpg.connect(running.database_url, server_settings=SERVER_SETTINGS)
    for then in ("", f"as_of={number}"):
        await connection.execute(PLANNING if then else "RESET ALL")
        for question in QUESTIONS:
            sent.clear()
            answer = await running.client.get(f"{INDICATOR}?{question}&{then}")
            assert answer.status_code == 200, answer.text
            plans = [await explained(connection, sql, *values) for sql, values in [*sent]]
            found[f"{question}&{then.partition('=')[0]}"] = sum(map(read, plans))
    await connection.close()
    return found


@pytest.mark.longer
async def test_the_indicator_by_group_reads_as_many_rows_of_five_times_as_many_programmes(
    new_database: Callable[[str], str], postgres: Postgres, sent: Sent
) -> None:
    found = []
    for programmes in (FEW, MANY):
        url = new_database("markers")
        await grow(postgres.admin_url(url.rpartition("/")[2]), "markers", 5 * programmes)
        async with running_app("markers", url, None) as running:
            assert (await running.client.get(CURRENT_GRADES)).json()["total"] == programmes
            connection = await asyncpg.connect(url)
            before = await connection.fetchval("SELECT max(number) FROM revision")
            await connection.close()
            async with writing(running.app.state.database) as session:
                await begin_write(session, Author("test"), "graded otherwise")
                touched = "(record::jsonb || jsonb_build_object('touched', 1))::json"
                await session.execute(
                    sa.text(f"UPDATE assessment SET grade = 'A', record = {touched} WHERE programme = 'MANY-7'")
                )
            found.append(await rows_read(running, sent, before))
    few, many = found
    assert {asked: (few[asked], rows) for asked, rows in many.items() if rows > 1.2 * few[asked]} == {}
