"""One programme on one screen: every service's card as it is, and whoever has none is named with the reason."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from mmptf_gateway import programmes
from mmptf_gateway.app import create_app
from mmptf_gateway.settings import GatewaySettings
from tests.gateway.conftest import NO_TLS, NOTHING_HERE, closed_origin

Json = dict[str, Any]
Serve = Callable[..., Any]

CODE = "ETH-01"
FACTS = {
    "of": ["any", {"shape": None}],
    "amount": "1500000.00",
    "title": "Éthiopie αβγ",
    "number": 12345678901234567890,
}
UNKNOWN = {"parameter": "code", "pointer": None, "code": "unknown_code", "detail": "x", "allowed": None}


def card(service: str, code: str = CODE, **members: Any) -> Json:
    return {
        "service": service,
        "code": code,
        "title": "A heading",
        "revision": 7,
        "changed": "2026-01-01T00:00:00Z",
        "links": {"more": f"/{service}/v1/more?programme={code}"},
        "facts": FACTS,
        **members,
    }


def problem(status: int, code: str, detail: str, *errors: Json) -> tuple[int, Json]:
    return status, {"status": status, "code": code, "detail": detail, "errors": list(errors)}


def unknown(detail: str = "No entry names it.", suggestion: str | None = None) -> tuple[int, Json]:
    return problem(404, "not_found", detail, {**UNKNOWN, "suggestion": suggestion})


class Cards:
    """Services whose cards a test writes: path -> status and what is answered with it, JSON unless it is bytes."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[Any, ...]] = {}
        self.asked: list[tuple[str, str]] = []
        self.together: asyncio.Barrier | None = None

    def set_answer(self, service: str, *answer: Any, code: str = CODE) -> None:
        """What a service says under a code; its card where nothing is given."""
        self.answers[f"/{service}/v1/cards/programmes/{code}"] = answer or (200, card(service, code))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        headers = dict(scope["headers"])
        self.asked.append((scope["path"], headers[b"x-request-id"].decode()))
        if self.together:
            await self.together.wait()
        status, said, *more = self.answers.get(scope["path"], (404, b""))
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        sent = [(b"content-length", str(len(body)).encode())] if status != 204 else []
        await send({"type": "http.response.start", "status": status, "headers": [*sent, *more]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def served_cards(serve: Serve) -> Any:
    with serve(cards := Cards()) as origin:
        yield cards, origin


@pytest.fixture
def cards(served_cards: tuple[Cards, str]) -> Cards:
    cards, _ = served_cards
    cards.answers, cards.asked = {}, []
    return cards


@pytest.fixture(scope="module")
def gateway(served_cards: tuple[Cards, str], serve: Serve) -> Any:
    """The gateway, not in alphabetical order."""
    settings = GatewaySettings(services=dict.fromkeys(("markers", "catalog", "funding"), served_cards[1]))
    with serve(create_app(settings)) as origin:
        yield origin


@asynccontextmanager
async def at(serve: Serve, **services: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway of its own."""
    with serve(create_app(GatewaySettings(services=services))) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=10, verify=NO_TLS) as client:
            yield client


async def view(client: httpx.AsyncClient, code: str = CODE) -> Json:
    answer = await client.get(f"/programmes/{code}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    assert found["missing"] == [part["service"] for part in found["parts"] if part["card"] is None]
    assert found["complete"] == (found["missing"] == [])
    for part in found["parts"]:
        assert (part["card"] is None) != (part["missing"] is None)
        assert part["age_seconds"] is None or part["card"]
    return found


def parts(found: Json) -> dict[str, Json]:
    return {part["service"]: part for part in found["parts"]}


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    said: Json = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, said["status"], said["code"]) == (status, status, code), answer.text
    return said


# --- what is there ---------------------------------------------------------------------------------------------------


async def test_every_card_is_passed_on_unread_in_the_order_of_the_settings(
    cards: Cards, client: httpx.AsyncClient
) -> None:
    for service in ("catalog", "funding", "markers"):
        cards.set_answer(service)
    answer = await client.get(f"/programmes/{CODE}", headers={"x-request-id": "asked-once"})
    found = answer.json()
    assert [part["service"] for part in found["parts"]] == ["markers", "catalog", "funding"]
    assert [part["card"] for part in found["parts"]] == [card(s) for s in ("markers", "catalog", "funding")]
    assert [part["missing"] for part in found["parts"]] == [None] * 3
    assert (found["code"], found["complete"], found["missing"]) == (CODE, True, [])
    assert answer.headers["cache-control"] == "no-store"
    assert {request_id for _, request_id in cards.asked} == {"asked-once"}
    assert len(cards.asked) == 3
    head = await client.head(f"/programmes/{CODE}")
    assert (head.status_code, head.content) == (200, b"")


async def test_all_services_are_asked_at_once(cards: Cards, client: httpx.AsyncClient) -> None:
    for service in ("catalog", "funding", "markers"):
        cards.set_answer(service)
    # Each answers when all were asked.
    cards.together = asyncio.Barrier(3)
    try:
        assert (await view(client))["complete"]
    finally:
        cards.together = None


async def test_an_age_is_counted_from_what_the_card_says(cards: Cards, client: httpx.AsyncClient) -> None:
    now = datetime.now(UTC)
    cards.set_answer("catalog", 200, card("catalog", changed=(now - timedelta(seconds=90)).isoformat()))
    cards.set_answer("funding", 200, card("funding", changed=(now + timedelta(hours=1)).isoformat()))
    cards.set_answer("markers", 200, card("markers", changed=None))
    found = parts(await view(client))
    assert 90 <= found["catalog"]["age_seconds"] < 100
    assert (found["funding"]["age_seconds"], found["markers"]["age_seconds"]) == (0, None)
    assert found["markers"]["card"]["changed"] is None


async def test_a_member_of_a_later_convention_makes_a_card_no_worse(cards: Cards, client: httpx.AsyncClient) -> None:
    cards.set_answer("catalog", 200, card("catalog", later={"a": 1}))
    assert parts(await view(client))["catalog"]["card"] == card("catalog")


# --- what is missing -------------------------------------------------------------------------------------------------

NO_CARD: dict[str, tuple[tuple[Any, ...], str]] = {
    "unknown": (unknown(), "not_found"),
    "no such path": (problem(404, "not_found", "Not Found"), "no_cards"),
    "no such path, of another framework": ((404, {"detail": "Not Found"}), "no_cards"),
    "404 without a word": ((404, b""), "no_cards"),
    "a page with 404": ((404, b"<html>"), "no_cards"),
    "another code is unknown": (problem(404, "not_found", "x", {**UNKNOWN, "parameter": "edition"}), "no_cards"),
    "no database": (problem(503, "unavailable", "The database of this service cannot be reached."), "unavailable"),
    "a problem without errors": ((503, {"code": "unavailable", "detail": "x"}), "unavailable"),
    "a page with 500": ((500, b"<html>"), "invalid_answer"),
    "403": ((403, b""), "invalid_answer"),
    "a page": ((200, b"<html>"), "invalid_answer"),
    "nothing": ((200, b""), "invalid_answer"),
    "204": ((204, b""), "invalid_answer"),
    "a list": ((200, []), "invalid_answer"),
    "null": ((200, None), "invalid_answer"),
    "no facts": ((200, {k: v for k, v in card("funding").items() if k != "facts"}), "invalid_answer"),
    "facts that are a list": ((200, card("funding", facts=[])), "invalid_answer"),
    "a moment that is none": ((200, card("funding", changed="yesterday")), "invalid_answer"),
    "a moment without a zone": ((200, card("funding", changed="2026-01-01T00:00:00")), "invalid_answer"),
    "a moment that is a number": ((200, card("funding", changed=1767225600)), "invalid_answer"),
    "a revision that is a text": ((200, card("funding", revision="7")), "invalid_answer"),
    "a link that is none": ((200, card("funding", links={"more": None})), "invalid_answer"),
    "a code that is none": ((200, card("funding", code="../x")), "invalid_answer"),
    "a card of another service": ((200, card("catalog")), "invalid_answer"),
    "a card of another programme": ((200, card("funding", code="MKD-01")), "invalid_answer"),
    "not a number": ((200, card("funding", facts={"share": float("nan")})), "invalid_answer"),
    "a number that no JSON writes": (
        (200, json.dumps(card("funding", facts={"share": 0})).replace('"share": 0', '"share": 1e400').encode()),
        "invalid_answer",
    ),
    "too deep": (
        (200, json.dumps(card("funding")).replace('"any"', "[" * 5000 + "]" * 5000).encode()),
        "invalid_answer",
    ),
    "broken UTF-8": ((200, json.dumps(card("funding", title="@")).encode().replace(b"@", b"\xff")), "invalid_answer"),
    "led in a circle": (
        (308, b"", (b"location", b"/funding/v1/cards/programmes/ETH-01")),
        "invalid_answer",
    ),
    "led to nothing": ((308, b"", (b"location", b"/funding/v1/cards/programmes/NONE")), "no_cards"),
    "led nowhere": ((308, b""), "invalid_answer"),
    "packed wrongly": ((200, b"{}", (b"content-encoding", b"gzip")), "service_unreachable"),
}


@pytest.mark.parametrize("kind", NO_CARD)
async def test_a_service_without_a_card_is_named_with_the_reason(
    cards: Cards, client: httpx.AsyncClient, kind: str
) -> None:
    answer, code = NO_CARD[kind]
    cards.set_answer("catalog")
    cards.set_answer("markers")
    cards.set_answer("funding", *answer)
    found = await view(client)
    assert (found["code"], found["missing"]) == (CODE, ["funding"])
    part = parts(found)["funding"]
    assert (part["missing"]["code"], part["age_seconds"]) == (code, None)
    if code in ("not_found", "unavailable"):
        assert part["missing"]["detail"] == answer[1]["detail"]
    else:
        unread = part["missing"]["detail"].startswith(f"The service answered {answer[0]} ")
        assert ("'funding'" in part["missing"]["detail"]) != unread
    assert parts(found)["catalog"]["card"] == card("catalog")


async def test_what_does_not_answer_is_waited_for_no_longer_than_the_limit(
    cards: Cards, served_cards: Any, serve: Serve, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programmes, "LIMIT_SECONDS", 0.3)
    cards.set_answer("catalog")
    async with at(serve, funding=raw.origin, catalog=served_cards[1], markers=closed_origin()) as client:
        raw.answers(b"")
        began = time.perf_counter()
        found = await view(client)
        took = time.perf_counter() - began
        reasons = {name: part["missing"] for name, part in parts(found).items()}
        assert reasons["catalog"] is None
        assert reasons["funding"]["code"] == "service_timeout"
        assert "0.3 seconds" in reasons["funding"]["detail"]
        assert reasons["markers"]["code"] == "service_unreachable"
        assert found["missing"] == ["funding", "markers"]
        assert 0.3 <= took < 3
        # Its head comes, its body never does.
        raw.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        assert parts(await view(client))["funding"]["missing"]["code"] == "service_timeout"
        for broken in (b"this is not HTTP\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"):
            raw.breaks_off(broken)
            assert parts(await view(client))["funding"]["missing"]["code"] == "service_unreachable"
        raw.answers(NOTHING_HERE)
        assert parts(await view(client))["funding"]["missing"]["code"] == "no_cards"


# --- nothing at all --------------------------------------------------------------------------------------------------


async def test_an_unknown_programme_is_a_404_with_the_closest_match(cards: Cards, client: httpx.AsyncClient) -> None:
    cards.set_answer("catalog", *unknown(suggestion="ETH-02"))
    cards.set_answer("funding", *unknown(suggestion=None))
    said = refused(await client.get(f"/programmes/{CODE}"), 404, "not_found")
    (error,) = said["errors"]
    assert (error["code"], error["parameter"], error["suggestion"]) == ("unknown_code", "code", "ETH-02")
    assert said["detail"] == "No service tells of a programme 'ETH-01'. Did you mean ETH-02?"
    cards.set_answer("catalog", *unknown())
    (error,) = refused(await client.get(f"/programmes/{CODE}"), 404, "not_found")["errors"]
    assert error["suggestion"] is None


async def test_where_no_service_has_cards_nothing_is_found(cards: Cards, client: httpx.AsyncClient) -> None:
    refused(await client.get(f"/programmes/{CODE}"), 404, "not_found")


async def test_without_any_card_a_failure_is_no_404(
    cards: Cards, served_cards: Any, serve: Serve, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programmes, "LIMIT_SECONDS", 0.3)
    raw.answers(b"")
    cards.set_answer("catalog", *unknown())
    async with at(serve, catalog=served_cards[1], funding=closed_origin()) as client:
        said = refused(await client.get(f"/programmes/{CODE}"), 502, "service_unreachable")
        assert [error["code"] for error in said["errors"]] == ["service_unreachable"]
        assert "'funding'" in said["detail"]
    async with at(serve, markers=raw.origin, funding=raw.origin, catalog=served_cards[1]) as client:
        said = refused(await client.get(f"/programmes/{CODE}"), 504, "service_timeout")
        assert [error["code"] for error in said["errors"]] == ["service_timeout"] * 2
    async with at(serve, markers=raw.origin, funding=closed_origin(), catalog=closed_origin()) as client:
        said = refused(await client.get(f"/programmes/{CODE}"), 502, "service_unreachable")
        assert [error["code"] for error in said["errors"]] == [
            "service_timeout",
            "service_unreachable",
            "service_unreachable",
        ]


# --- renamed ---------------------------------------------------------------------------------------------------------


def rename(cards: Cards, service: str, new: str = CODE, old: str = "ETH-00") -> None:
    cards.set_answer(service, 308, b"", (b"location", f"/{service}/v1/cards/programmes/{new}".encode()), code=old)
    cards.set_answer(service, code=new)


async def test_a_renamed_programme_is_shown_under_its_present_code(cards: Cards, client: httpx.AsyncClient) -> None:
    for service in ("catalog", "funding", "markers"):
        rename(cards, service)
    found = await view(client, "ETH-00")
    assert (found["code"], found["complete"]) == (CODE, True)
    assert {part["card"]["code"] for part in found["parts"]} == {CODE}


async def test_who_knows_nothing_of_the_old_code_is_asked_for_the_new_one(
    cards: Cards, client: httpx.AsyncClient
) -> None:
    rename(cards, "catalog")
    cards.set_answer("funding", *unknown(), code="ETH-00")
    cards.set_answer("funding")
    cards.set_answer("markers", *unknown(), code="ETH-00")
    cards.set_answer("markers", *unknown("Nor under this one."))
    found = await view(client, "ETH-00")
    assert (found["code"], found["missing"]) == (CODE, ["markers"])
    assert [part["service"] for part in found["parts"]] == ["markers", "catalog", "funding"]
    assert parts(found)["funding"]["card"] == card("funding")
    assert parts(found)["markers"]["missing"]["detail"] == "Nor under this one."


async def test_where_services_disagree_the_code_is_as_asked_for(cards: Cards, client: httpx.AsyncClient) -> None:
    rename(cards, "catalog")
    cards.set_answer("funding", code="ETH-00")
    found = await view(client, "ETH-00")
    assert (found["code"], found["missing"]) == ("ETH-00", ["markers"])
    assert [part["card"] and part["card"]["code"] for part in found["parts"]] == [None, CODE, "ETH-00"]


# --- the path --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", ["as_of", "limit", "on"])
async def test_it_takes_no_parameters(cards: Cards, client: httpx.AsyncClient, parameter: str) -> None:
    said = refused(await client.get(f"/programmes/{CODE}", params={parameter: "1"}), 422, "unknown_parameter")
    assert [(error["parameter"], error["allowed"]) for error in said["errors"]] == [(parameter, [])]
    assert cards.asked == []


@pytest.mark.parametrize("code", ["-", "a b", "%25", "%00", "x" * 65, "..%2fx", "'"])
async def test_a_malformed_code_is_rejected_before_any_service_is_asked(
    cards: Cards, client: httpx.AsyncClient, code: str
) -> None:
    url = client.base_url.copy_with(raw_path=f"/programmes/{code}".replace(" ", "%20").encode())
    answer = await client.get(url)
    if "%2f" in code:
        refused(answer, 404, "not_found")
    else:
        (error,) = refused(answer, 422, "invalid_parameter")["errors"]
        assert error["parameter"] == "code"
    assert cards.asked == []


async def test_it_is_only_read_and_has_no_list(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/programmes/{CODE}")
    assert answer.headers["allow"] == "GET, HEAD"
    refused(answer, 405, "method_not_allowed")
    refused(await client.get("/programmes"), 404, "not_found")


async def test_the_contract_has_the_path_whether_the_services_answer_or_not(serve: Serve) -> None:
    async with at(serve, catalog=closed_origin()) as client:
        contract = (await client.get("/openapi.json?partial=true")).json()
    assert contract["x-missing-services"] == ["catalog"]
    operation = contract["paths"]["/programmes/{code}"]["get"]
    assert operation["operationId"] == "get_programme_view"
    assert set(operation["responses"]) == {"200", "404", "422", "429", "502", "504", "default"}
    assert [p["name"] for p in operation["parameters"]] == ["code"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    shown = contract["components"]["schemas"][schema.rpartition("/")[2]]
    assert set(shown["properties"]) == {"code", "complete", "missing", "parts"}


def test_no_service_can_take_the_path() -> None:
    with pytest.raises(ValueError, match="path of the gateway itself"):
        GatewaySettings(services="programmes=http://h")
