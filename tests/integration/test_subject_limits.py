"""Limits of the subjects of tokens, counted by the service that verified them."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from mmptf_common.process.settings import RATE_LIMITS
from tests.conftest import running_app
from tests.tokens import bearer

DRAFTS = "/catalog/v1/drafts"


async def test_writes_count_on_the_subject_of_a_verified_token(new_database: Callable[[str], str]) -> None:
    limits = {**RATE_LIMITS, "writes": 3, "pages": 2}
    async with running_app("catalog", new_database("catalog"), None, rate_limits=limits) as running:

        async def write(address: str, headers: dict[str, str]) -> httpx.Response:
            transport = httpx.ASGITransport(app=running.app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.post(DRAFTS, json={}, headers=headers)

        mine, other = bearer("agency", "IOM", sub="mine"), bearer("agency", "IOM", sub="other")
        forged = {"authorization": mine["authorization"][:-6] + "AAAAAA"}
        for number in range(6):
            refused = await write(f"203.0.113.{number}", forged)
            assert (refused.status_code, "ratelimit" in refused.headers) == (401, False), "no subject, no budget"
        answers = [await write(f"203.0.113.{number}", mine) for number in range(5)]
        assert [answer.status_code for answer in answers] == [422, 422, 422, 429, 429]
        assert answers[0].headers["ratelimit-policy"] == '"subject-writes";q=3;w=60'
        assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
            f'"subject-writes";r={left}' for left in (2, 1, 0, 0, 0)
        ]
        problem = answers[3].json()
        assert (problem["code"], problem["instance"]) == ("too_many_requests", DRAFTS)
        assert answers[3].headers["retry-after"] in problem["detail"]
        assert (await write("203.0.113.1", other)).status_code == 422
        assert (await write("127.0.0.1", mine)).status_code == 422, "from the machine itself"
        # Public reads verify no token, and the gateway counts their addresses.
        for _ in range(5):
            assert (await running.client.get("/catalog/v1/programmes", headers=mine)).status_code == 200
