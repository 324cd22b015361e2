"""Migrations: what they build is what the models say, and several may run at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mmptf_common import migrations
from mmptf_common.db import write_engine
from mmptf_local.postgres import Postgres
from tests.conftest import SERVICES, service_of


@pytest.mark.parametrize("name", SERVICES)
async def test_the_migrated_schema_is_the_one_of_the_models(postgres: Postgres, name: str) -> None:
    url = postgres.create_database(f"{name}_migrated")
    assert await migrations.migrate(url, f"mmptf_{name}") == (None, migrations.head(f"mmptf_{name}"))
    engine = write_engine(url, size=1)

    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, service_of(name).metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_two_deployments_that_migrate_at_once_take_turns(postgres: Postgres) -> None:
    url = postgres.create_database("catalog_raced")
    ends = await asyncio.gather(*(migrations.migrate(url, "mmptf_catalog") for _ in range(4)))
    assert sorted(ends, key=str) == [("0001", "0001")] * 3 + [(None, "0001")]
