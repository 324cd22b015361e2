"""The gateway's own paths, its settings, and what its process does without."""

import asyncio
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from mmptf_common.process.build import build_of
from mmptf_gateway.__main__ import run
from mmptf_gateway.app import create_app
from mmptf_gateway.settings import GatewaySettings

STATUS = {
    **{"service": "a", "version": "0.1", "build": "0123456789ab", "revision": 7, "changed": None},
    **{"counts": {"programmes": 26}, "vintage": []},
}
CONTRACT = {
    "openapi": "3.1.0",
    "info": {"title": "A", "version": "1"},
    "paths": {"/a/v1/x": {"get": {"operationId": "list_x", "responses": {"200": {"description": "ok"}}}}},
}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx would load the certificates for each client


class Stub:
    """A service with a status and a contract, each an answer that a test may change, after some seconds."""

    def __init__(self) -> None:
        self.answers = {"/a/v1/status": (200, STATUS), "/openapi.json": (200, CONTRACT)}
        self.asked: list[str] = []
        self.seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        self.asked.append(scope["path"])
        await asyncio.sleep(self.seconds)
        status, document = self.answers[scope["path"]]
        body = json.dumps(document).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def get(origin: str, path: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=origin, verify=NO_TLS) as client:
        return await client.get(path, **more)


async def test_health_is_the_gateways_own(client: httpx.AsyncClient, raw: Any) -> None:
    away = "The service 'markers' cannot be reached."
    for path, reason in (("/health/live", None), ("/health/ready", away)):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "reason": reason})
        assert answer.headers["cache-control"] == "no-store"
    assert (await client.head("/health/live")).status_code == 200


async def test_the_index_links_everything(client: httpx.AsyncClient, raw: Any) -> None:
    answer = (await client.get("/")).json()
    assert answer["services"] == {"catalog": "/catalog/v1", "funding": "/funding/v1", "markers": "/markers/v1"}
    # The contract of a service that is down has never been fetched.
    statuses = {name: (await client.get(path)).status_code for name, path in answer["links"].items()}
    assert statuses.pop("contract") == 503
    assert set(statuses.values()) == {200}


async def test_status_names_what_is_missing(client: httpx.AsyncClient, raw: Any, serve: Callable[..., Any]) -> None:
    raw.answers(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 35\r\n\r\n" + b'{"code":"unavailable","detail":"x"}'
    )
    with serve(stub := Stub()) as origin:
        services = {"a": origin, "f": raw.origin, "m": "http://127.0.0.1:1"}
        with serve(create_app(GatewaySettings(services=services))) as gateway:
            answer = await get(gateway, "/status")
            stub.answers["/a/v1/status"] = (200, {k: v for k, v in STATUS.items() if k != "build"})
            older = (await get(gateway, "/status")).json()
            stub.answers["/a/v1/status"] = (200, {"no": "status"})
            later = (await get(gateway, "/status")).json()
    assert answer.status_code == 200
    said = answer.json()
    assert (said["complete"], said["missing"]) == (False, ["f", "m"])
    a, f, m = said["services"]
    assert (a["revision"], a["counts"], a["error"], a["reachable"]) == (7, {"programmes": 26}, None, True)
    assert (said["build"], a["version"], a["build"]) == (build_of("mmptf-gateway"), "0.1", "0123456789ab")
    assert a["milliseconds"] > 0
    assert (f["reachable"], f["error"], f["revision"]) == (True, "unavailable: x", None)
    assert m["reachable"] is False
    assert m["error"].startswith("service_unreachable: ")
    assert (older["services"][0]["error"], older["services"][0]["build"]) == (None, None), "before an upgrade"
    assert later["services"][0]["error"].startswith("invalid_answer: ")


async def test_the_contract_is_what_the_services_say(serve: Callable[..., Any]) -> None:
    with serve(stub := Stub()) as origin, serve(create_app(GatewaySettings(services={"a": origin}))) as gateway:
        first = await get(gateway, "/openapi.json")
        again = await get(gateway, "/openapi.json", headers={"If-None-Match": first.headers["etag"]})
        partly = await get(gateway, "/openapi.json?partial=true")
        plain = await get(gateway, "/openapi.json", headers={"Accept-Encoding": "identity"})
        either = await get(
            gateway,
            "/openapi.json",
            headers={"If-None-Match": first.headers["etag"], "Accept-Encoding": "identity"},
        )
    assert first.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert first.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"', "a strong tag for each coding"
    assert plain.content == first.content
    assert (either.status_code, either.headers["etag"]) == (304, plain.headers["etag"])
    assert "Accept-Encoding" in first.headers["vary"] and "Accept-Encoding" in either.headers["vary"]
    OpenAPIV31SpecValidator(first.json()).validate()
    assert "/a/v1/x" in first.json()["paths"]
    assert "x-missing-services" not in first.json()
    assert first.headers["cache-control"] == "public, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert stub.asked == ["/openapi.json"]
    assert (partly.content, partly.headers["etag"]) == (first.content, first.headers["etag"]), "nothing is missing"


async def test_a_contract_that_lacks_a_service_is_given_only_as_a_part(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One service is down, and one makes its contract for longer than the gateway waits, until a later request."""
    monkeypatch.setattr("mmptf_gateway.contracts.FIRST_LIMIT_SECONDS", 0.2)
    slow, quick = Stub(), Stub()
    slow.answers["/openapi.json"] = (200, {**CONTRACT, "paths": {"/s/v1/x": CONTRACT["paths"]["/a/v1/x"]}})
    slow.seconds = 1.0
    with serve(slow) as slow_origin, serve(quick) as origin, serve(other := Stub()) as other_origin:
        other.answers["/openapi.json"] = (500, {})
        services = {"a": origin, "s": slow_origin, "m": other_origin}
        with serve(create_app(GatewaySettings(services=services))) as gateway:
            refused = await get(gateway, "/openapi.json")
            partly = await get(gateway, "/openapi.json?partial=true")
            stale = {"If-None-Match": "*"}
            revalidated = await get(gateway, "/openapi.json?partial=true", headers=stale)
            slow.seconds = 0.0
            still = await get(gateway, "/openapi.json?partial=false")
            other.answers["/openapi.json"] = (200, {**CONTRACT, "paths": {"/m/v1/x": CONTRACT["paths"]["/a/v1/x"]}})
            whole = await get(gateway, "/openapi.json")
            unknown = await get(gateway, "/openapi.json?partial=yes&part=1")
    problem = refused.json()
    assert (refused.status_code, refused.headers["retry-after"], refused.headers["cache-control"]) == (
        503, "2", "no-store",
    )  # fmt: skip
    assert refused.headers["content-type"] == "application/problem+json"
    assert (problem["code"], [error["code"] for error in problem["errors"]]) == (
        "unavailable", ["missing_contract"] * 2,
    )  # fmt: skip
    assert "contract of m, s could" in problem["detail"] and "?partial=true" in problem["detail"]
    assert partly.json()["x-missing-services"] == ["m", "s"]
    assert partly.json()["info"]["description"].startswith("**Not whole:** the contract of m, s ")
    assert "/a/v1/x" in partly.json()["paths"] and not {"/s/v1/x", "/m/v1/x"} & set(partly.json()["paths"])
    OpenAPIV31SpecValidator(partly.json()).validate()
    for answer in (partly, revalidated):
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert "etag" not in answer.headers
    assert (still.status_code, [error["detail"] for error in still.json()["errors"]]) == (
        503, ["The service 'm' gave no contract that can be used."],
    )  # fmt: skip
    assert {"/a/v1/x", "/s/v1/x", "/m/v1/x"} <= set(whole.json()["paths"])
    assert not {"x-missing-services"} & set(whole.json()) and "Not whole" not in whole.json()["info"]["description"]
    assert unknown.status_code == 422
    assert {error["parameter"] for error in unknown.json()["errors"]} == {"partial", "part"}


async def test_the_first_contract_of_a_service_is_waited_for_longer_than_a_later_one(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmptf_gateway.contracts.LIMIT_SECONDS", 0.2)
    monkeypatch.setattr("mmptf_gateway.contracts.FRESH_SECONDS", -1)
    with serve(stub := Stub()) as origin:
        stub.seconds = 0.6
        with serve(create_app(GatewaySettings(services={"a": origin}))) as gateway:
            first = await get(gateway, "/openapi.json")
            stub.answers["/openapi.json"] = (200, {**CONTRACT, "paths": {}})
            kept = await get(gateway, "/openapi.json")
    assert (first.status_code, kept.status_code) == (200, 200)
    assert "/a/v1/x" in first.json()["paths"]
    assert kept.content == first.content, "the copy answers when the service is slow"


@pytest.mark.parametrize("broken", [(500, CONTRACT), (200, []), (200, {"paths": {"/a/v1/x": 3}}), (200, {"paths": 1})])
async def test_an_unusable_contract_takes_away_nothing_else(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    monkeypatch.setattr("mmptf_gateway.contracts.FRESH_SECONDS", -1)
    with serve(stub := Stub()) as origin:
        stub.answers["/openapi.json"] = broken
        with serve(create_app(GatewaySettings(services={"a": origin}))) as gateway:
            before = (await get(gateway, "/openapi.json?partial=true")).json()
            stub.answers["/openapi.json"] = (200, CONTRACT)
            good = (await get(gateway, "/openapi.json")).json()
            stub.answers["/openapi.json"] = broken
            after = (await get(gateway, "/openapi.json")).json()
    assert before["x-missing-services"] == ["a"]
    assert good == after
    assert "/a/v1/x" in good["paths"]


async def test_the_documentation_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert not re.search(r"(https?:)?//", page.text.removeprefix("<!DOCTYPE html>"))
    assert re.findall(r"default-src 'none'|script-src 'self'", page.headers["content-security-policy"])
    loaded = re.findall(r'(?:src|href)="([^":]+)"', page.text)
    assert len(loaded) == 5
    for path in loaded:
        answer = await client.get(f"/{path}")
        assert (answer.status_code, len(answer.content) > 100) == (200, True)
        plain = await client.get(f"/{path}", headers={"Accept-Encoding": "gzip;q=0, br"})
        assert plain.content == answer.content and "content-encoding" not in plain.headers
        assert answer.headers["content-encoding"] == "gzip" and "Accept-Encoding" in answer.headers["vary"]
        if "assets" in path:
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert int(answer.headers["content-length"]) < len(answer.content) / 2
    assert (await client.get("/docs/assets/0123456789abcdef/start.js")).status_code == 404
    start = (await client.get(f"/{loaded[-1]}")).text
    assert not re.search(r"(https?:)//", start)
    shown = re.search(r'url: "([^"]+)"', start)
    assert shown and (await client.get(f"/{shown[1]}")).json()["x-missing-services"], "also while a service is down"


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICES", "catalog=http://127.0.0.1:8001, new-one=https://host/ ,")
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, http://localhost:3000")
    monkeypatch.setenv("ANSWER_SECONDS", "5")
    settings = GatewaySettings()
    assert settings.services == {"catalog": "http://127.0.0.1:8001", "new-one": "https://host"}
    assert settings.cors_origins == ("https://a.example", "http://localhost:3000")
    assert (settings.connect_seconds, settings.answer_seconds) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("catalog", "'catalog' is not of the form"),
        ("Catalog=http://h", "in small letters"),
        ("health=http://h", "path of the gateway itself"),
        ("a=http://h,a=http://i", "named twice"),
        ("a=ftp://h", "http://host:port without a path is expected"),
        ("a=http://h/v1", "without a path"),
        ("a=http://u:p@h", "without a path"),
        ("a=http://h:99999", "out of range"),
        ("a=http://:80", "is expected"),
        (" , ", "at least one service"),
    ],
)
def test_malformed_services_are_refused_in_words(value: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        GatewaySettings(services=value)


def test_serve_refuses_to_start_without_services(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SERVICES", raising=False)
    assert run(["serve"]) == 1
    assert capsys.readouterr().err == "SERVICES: Field required\n"
    monkeypatch.setenv("SERVICES", "x")
    monkeypatch.setenv("CORS_ORIGINS", "example.org")
    assert run(["serve"]) == 1
    assert set(re.findall("^[A-Z_]+", capsys.readouterr().err, re.MULTILINE)) == {"SERVICES", "CORS_ORIGINS"}


async def test_only_named_origins_may_read(serve: Callable[..., Any]) -> None:
    settings = GatewaySettings(services={"a": "http://127.0.0.1:1"}, cors_origins="https://a.example")
    with serve(create_app(settings)) as gateway:
        mine = await get(gateway, "/a/v1/x", headers={"Origin": "https://a.example"})
        other = await get(gateway, "/a/v1/x", headers={"Origin": "https://b.example"})
        program = await get(gateway, "/a/v1/x")
        read = await get(gateway, "/", headers={"Origin": "https://a.example"})
    for answer in (mine, other, program):
        assert answer.headers["vary"] == "Origin"
    assert "origin" in read.headers["vary"].lower()
    assert mine.headers["access-control-allow-origin"] == "https://a.example"
    for answer in (other, program):
        assert "access-control-allow-origin" not in answer.headers


def test_the_process_does_without_a_database() -> None:
    code = (
        "import sys, mmptf_gateway.__main__;"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " {'sqlalchemy', 'sqlmodel', 'asyncpg', 'redis', 'alembic'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
