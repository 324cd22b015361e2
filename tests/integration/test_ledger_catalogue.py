"""The ledger while the catalogue is away, slow, wrong, or has renamed a programme."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mmptf_funding.ledger import catalogue_client
from mmptf_local.processes import LOOPBACK, free_port
from tests.conftest import running_app
from tests.integration.ledger_client import AGENT, ETHIOPIA, STATEMENT, UNIT, LedgerClient, body, catalogue_at, refused
from tests.serving import served

# --- the catalogue is another service --------------------------------------------------------------------------------


async def test_entries_of_known_programmes_are_written_while_the_catalogue_is_down(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "10.00", **ETHIOPIA)
    funded_ledger.running.set(catalog_url=f"http://{LOOPBACK}:{free_port()}")
    assert (await funded_ledger.post(AGENT, body("transfer", "10.00", **ETHIOPIA))).status_code == 201
    assert (await funded_ledger.post(AGENT, body("interest"))).status_code == 201
    before = await funded_ledger.revision()
    refused(
        await funded_ledger.post(UNIT, body("allocation", programme="MDA-01", reference="SC")),
        502,
        "service_unreachable",
    )
    assert await funded_ledger.revision() == before


async def test_a_catalogue_that_was_not_configured_is_unavailable(shared_ledger: LedgerClient) -> None:
    with catalogue_at(shared_ledger, None):
        answer = await shared_ledger.post(UNIT, body("allocation", programme="MDA-01", reference="SC"))
    refused(answer, 503, "not_configured", "CATALOG_URL")


async def test_a_batch_waits_for_the_catalogue_as_one_entry_does(shared_ledger: LedgerClient) -> None:
    with catalogue_at(shared_ledger, f"http://{LOOPBACK}:{free_port()}"):
        answer = await shared_ledger.batch(body("interest"), body("allocation", programme="MDA-01", reference="SC"))
    refused(answer, 502, "service_unreachable")


NONSENSE: Mapping[str, Callable[[], Response]] = {
    "a failure": lambda: Response(status_code=500),
    "no JSON": lambda: Response("<html>", media_type="text/html"),
    "another shape": lambda: JSONResponse([]),
    "no members": lambda: JSONResponse({}),
    "a budget that is none": lambda: JSONResponse(
        {"code": "MDA-01", "title": None, "thematic_area": None, "organizations": [], "budget": "many"}
    ),
    "a circle": lambda: RedirectResponse("/catalog/v1/programmes/MDA-01", 308),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_a_catalogue_that_answers_nonsense_is_a_bad_gateway(shared_ledger: LedgerClient, nonsense: str) -> None:
    async def answer(request: Request) -> Response:
        return NONSENSE[nonsense]()

    before = await shared_ledger.revision()
    async with served(Starlette(routes=[Route("/{path:path}", answer)])) as url:
        with catalogue_at(shared_ledger, url):
            said = await shared_ledger.post(UNIT, body("allocation", programme="MDA-01", reference="SC"))
    assert said.status_code == 502, said.text
    assert await shared_ledger.revision() == before


async def test_a_slow_catalogue_is_not_waited_for(shared_ledger: LedgerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_client, "ANSWER_SECONDS", 0.2)
    # Connected to, and never answering.
    with (
        socket.create_server((LOOPBACK, 0)) as listening,
        catalogue_at(shared_ledger, f"http://{LOOPBACK}:{listening.getsockname()[1]}"),
    ):
        said = await shared_ledger.post(UNIT, body("allocation", programme="MDA-01", reference="SC"))
    refused(said, 504, "service_timeout")


async def test_a_programme_that_was_renamed_is_entered_under_its_present_code(
    ledger: LedgerClient, new_database: Callable[[str], str]
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running, served(running.app) as url:
        async with running.as_owner() as session:
            renamed = "INSERT INTO renamed_code (entity, code, current) VALUES ('programme', 'ETH-00', 'ETH-01')"
            await session.execute(sa.text(renamed))
        assert (await running.client.get("/catalog/v1/programmes/ETH-00")).status_code == 308
        ledger.running.set(catalog_url=url)
        answer = await ledger.post(UNIT, body("allocation", programme="ETH-00", reference="SC"))
        assert answer.status_code == 201, answer.text
        (item,) = (await ledger.get(f"{STATEMENT}/programmes"))["items"]
        assert (item["programme"], item["allocations"]["rows"]) == ("ETH-01", 1)
