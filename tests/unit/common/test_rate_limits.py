"""Kinds of requests, who a client is, and what the middleware adds to answers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from mmptf_common.http.rate_limits import RateLimitMiddleware, RateLimits, kind_of, rate_limits_of
from mmptf_common.process.context import new_context
from mmptf_common.process.settings import RATE_LIMITS, ServerSettings

LIMITS = {"pages": 5, "expensive": 2, "writes": 3, "computations": 1, "imports": 1}
TRUSTED = "127.0.0.1,172.16.0.0/12,proxy-socket"


def scope_of(path: str = "/a/v1/x", *, method: str = "GET", client: str = "203.0.113.7", accept: str = "") -> Any:
    raw, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(b"accept", accept.encode())] if accept else [],
        "client": (client, 1),
        "state": {"context": new_context()},
    }


@pytest.mark.parametrize(
    ("path", "method", "accept", "kind"),
    [
        ("/a/v1/programmes?limit=50", "GET", "", "pages"),
        ("/a/v1/programmes", "HEAD", "application/json", "pages"),
        ("/a/v1/changes?after=7&wait=15", "GET", "", "pages"),
        ("/a/v1/programmes?as_of=2025-01-01", "GET", "", "expensive"),
        ("/a/v1/programmes?limit=5&format=csv", "GET", "", "expensive"),
        ("/a/v1/programmes?limit=5&form%61t=csv", "GET", "", "expensive"),
        ("/a/v1/programmes?%61s_of=3", "GET", "", "expensive"),
        ("/a/v1/programmes?format=json", "GET", "", "pages"),
        ("/a/v1/programmes?format=CSV", "GET", "", "expensive"),
        ("/a/v1/programmes?format=c%C5%BFv-Spreadsheet", "GET", "", "expensive"),
        ("/a/v1/programmes?limit=1&format=NDJSON", "GET", "application/json", "expensive"),
        ("/a/v1/programmes?format=json", "GET", "text/csv", "pages"),
        ("/a/v1/programmes", "GET", "text/*", "expensive"),
        ("/a/v1/programmes", "GET", "application/ndjson", "expensive"),
        ("/a/v1/programmes", "GET", "application/json;q=0, */*", "expensive"),
        ("/a/v1/programmes", "GET", "application/json, text/csv;q=0.1", "pages"),
        ("/a/v1/programmes", "GET", "text/html,application/xhtml+xml,*/*;q=0.8", "pages"),
        ("/a/v1/programmes", "GET", "image/png", "pages"),
        ("/a/v1/programmes", "GET", "a," * 600, "expensive"),
        ("/a/v1/programmes", "GET", "Application/X-NDJSON", "expensive"),
        ("/a/v1/ledger/totals?by=stage", "GET", "", "expensive"),
        ("/a/v1/ledger/facets", "GET", "", "expensive"),
        ("/a/v1/statement/programmes", "GET", "", "expensive"),
        ("/a/v1/ledger", "POST", "", "writes"),
        ("/a/v1/ledger/batch", "POST", "text/csv", "writes"),
        ("/a/v1/drafts/x", "DELETE", "", "writes"),
        ("/a/v1/score", "POST", "", "computations"),
        ("/a/v1/assessments/x/score", "GET", "", "pages"),
        ("/a/v1/imports?dry_run=true", "POST", "", "imports"),
        ("/a/v1/imports/template", "GET", "", "pages"),
    ],
)
def test_the_kind_of_a_request(path: str, method: str, accept: str, kind: str) -> None:
    assert kind_of(scope_of(path, method=method, accept=accept)) == kind


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", None),
        ("127.8.8.8", None),
        ("::1", None),
        ("172.18.0.5", None),
        ("::ffff:172.18.0.5", None),
        ("", None),
        ("what a proxy made up" * 9, ("what a proxy made up" * 9)[:64]),
    ],
)
def test_who_a_client_is(address: str, client: str | None) -> None:
    assert RateLimits(LIMITS, trusted=TRUSTED).client_of((address, 1)) == client


def test_where_every_proxy_is_trusted_clients_are_counted() -> None:
    limits = RateLimits(LIMITS, trusted="*")
    assert limits.client_of(("172.18.0.5", 1)) == "172.18.0.5"
    assert limits.client_of(None) is None


async def asked(app: Any, scope: Any) -> tuple[int, dict[str, list[str]], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, None, send)
    headers: dict[str, list[str]] = {}
    for name, value in sent[0]["headers"]:
        headers.setdefault(name.decode(), []).append(value.decode())
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def behind(*, addresses: bool, subject: str | None = None) -> Any:
    limits = RateLimits(LIMITS, trusted=TRUSTED)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if subject:
            limits.count_subject(scope, subject)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b'"1"')]})
        await send({"type": "http.response.body", "body": b"done"})

    return RateLimitMiddleware(app, limits=limits, addresses=addresses)


async def test_answers_say_what_is_left_and_then_when_to_come_again() -> None:
    app = behind(addresses=True)
    for left in (4, 3, 2, 1, 0):
        status, headers, body = await asked(app, scope_of())
        assert (status, body, headers["etag"]) == (200, b"done", ['"1"'])
        assert headers["ratelimit-policy"] == ['"pages";q=5;w=60']
        assert re.fullmatch(rf'"pages";r={left};t=\d+', headers["ratelimit"][0])
    status, headers, body = await asked(app, scope_of())
    problem = json.loads(body)
    assert (status, problem["code"], headers["cache-control"]) == (429, "too_many_requests", ["no-store"])
    assert headers["content-type"] == ["application/problem+json"]
    (wait,) = headers["retry-after"]
    assert headers["ratelimit"] == [f'"pages";r=0;t={wait}']
    assert 1 <= int(wait) <= 120 and f"in {wait} s" in problem["detail"] and "5 requests that read" in problem["detail"]
    assert (await asked(app, scope_of(client="203.0.113.8")))[0] == 200
    assert (await asked(app, scope_of("/a/v1/totals")))[0] == 200, "another kind"
    assert [(await asked(app, scope_of("/health/ready")))[0] for _ in range(9)] == [200] * 9
    # What is not there is counted as everywhere.
    unknown = scope_of("/health/unknown", client="203.0.113.99")
    assert [(await asked(app, dict(unknown, state={"context": new_context()})))[0] for _ in range(6)][-1] == 429
    status, headers, _ = await asked(app, scope_of(client="127.0.0.1"))
    assert status == 200 and "ratelimit" not in headers


async def test_one_network_of_ipv6_is_one_client() -> None:
    app = behind(addresses=True)
    statuses = [(await asked(app, scope_of(client=f"2001:db8::{number:x}")))[0] for number in range(9)]
    assert statuses == [200] * 5 + [429] * 4


async def test_a_subject_is_counted_wherever_it_comes_from() -> None:
    app = behind(addresses=False, subject="agency")
    found = []
    for number in range(4):
        try:
            scope = scope_of(method="POST", client=f"172.18.0.{number}")
            _, headers, _ = await asked(app, scope)
            found.append(headers["ratelimit-policy"])
        except Exception as problem:
            found.append(type(problem).__name__)  # FastAPI makes an answer of it
    assert found == [['"subject-writes";q=3;w=60']] * 3 + ["TooManyRequests"]
    assert (await asked(app, scope_of(method="POST", client="127.0.0.1")))[0] == 200


async def test_a_request_may_count_on_its_address_and_on_its_subject() -> None:
    _, headers, _ = await asked(behind(addresses=True, subject="agency"), scope_of(method="POST"))
    assert headers["ratelimit-policy"] == ['"writes";q=3;w=60', '"subject-writes";q=3;w=60']
    assert len(headers["ratelimit"]) == 2


def test_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ServerSettings().rate_limits == RATE_LIMITS
    monkeypatch.setenv("RATE_LIMITS", " pages=10 , imports=1")
    assert ServerSettings().rate_limits == {**RATE_LIMITS, "pages": 10, "imports": 1}
    monkeypatch.setenv("RATE_LIMITS", "off")
    assert rate_limits_of(ServerSettings()) is None
    for wrong in ("page=10", "pages", "pages=0", "pages=-1", "pages=x", "on"):
        monkeypatch.setenv("RATE_LIMITS", wrong)
        with pytest.raises(ValidationError, match="is not of the form kind=requests"):
            ServerSettings()
