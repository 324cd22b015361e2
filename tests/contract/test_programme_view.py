"""What the gateway answers of a programme is what the merged contract says of it, whatever the services have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from mmptf_gateway.app import create_app
from mmptf_gateway.settings import GatewaySettings
from tests.contract.contracts import validator
from tests.gateway.conftest import closed_origin, running
from tests.suite import SERVICES

VIEW = "#/components/schemas/ProgrammeView"


def cards_of(answer: httpx.Response) -> dict[str, Any]:
    """The card of each service in a view that is valid under the contract; None where it has none."""
    assert answer.status_code == 200, answer.text
    view = answer.json()
    validator("gateway", VIEW).validate(view)
    return {part["service"]: part["card"] for part in view["parts"]}


async def test_views_with_and_without_budget_ledger_and_assessment_are_valid(urls: Mapping[str, str]) -> None:
    async with httpx.AsyncClient(base_url=urls["gateway"], timeout=30) as client:
        page = (await client.get("/catalog/v1/programmes", params={"limit": 1000})).json()
        cards = [cards_of(await client.get(f"/programmes/{item['code']}")) for item in page["items"]]
    assert {card["catalog"]["facts"]["budget"] is None for card in cards} == {True, False}
    assert {card["funding"] is None for card in cards} == {True, False}
    grades = [grade for card in cards for grade in card["markers"]["facts"]["standings"]]
    assert {grade["grade"] is None for grade in grades} == {True, False}


@pytest.mark.parametrize("away", SERVICES)
async def test_a_view_without_a_service_that_is_away_is_valid(urls: Mapping[str, str], away: str) -> None:
    services = {name: urls[name] for name in SERVICES} | {away: closed_origin()}
    with running(create_app(GatewaySettings(services=services))) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=30) as client:
            cards = cards_of(await client.get("/programmes/SRB-01"))
    assert cards[away] is None
    assert any(cards.values())
