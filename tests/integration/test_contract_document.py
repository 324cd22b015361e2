"""The contract of a service takes long to be made: nobody but those who ask for it waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.conftest import running_app
from tests.contract.contracts import contract_of
from tests.integration.random_writes import Databases


@pytest.mark.parametrize("service", ["catalog", "funding", "markers"])
async def test_others_are_answered_while_the_contract_is_made(new_database: Databases, service: str) -> None:
    async with running_app(service, new_database(service), None) as running:
        asked = [asyncio.create_task(running.client.get("/openapi.json")) for _ in range(2)]
        # Each of them has come to where it waits for the contract.
        for _ in range(100):
            await asyncio.sleep(0)
        assert (await running.client.get("/health/live")).status_code == 200
        assert not any(task.done() for task in asked)
        first, second = await asyncio.gather(*asked)
        assert first.content == second.content == (await running.client.get("/openapi.json")).content
        assert json.loads(first.content) == contract_of(service)


async def test_a_method_that_is_not_offered_is_told_without_the_contract(new_database: Databases) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:

        def fail() -> dict[str, Any]:
            raise AssertionError("the contract is made")

        running.app.openapi = fail  # type: ignore[method-assign]
        answer = await running.client.put("/catalog/v1/programmes", json={})
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
