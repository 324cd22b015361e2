"""The whole suite with servers of its own, as `make up` starts it, and what is left when one process is gone."""

from __future__ import annotations

import json
import os
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256

import httpx
import pytest

from mmptf_local.cache import redis_binary
from mmptf_local.processes import free_port
from mmptf_local.state import temporary_state
from mmptf_local.suite import Suite, running_suite
from tests.e2e.conftest import whole_contract
from tests.suite import SERVICES

# For an answer that the gateway has not kept.
ANEW = {"cache-control": "no-cache"}
PATHS = {
    "catalog": "/catalog/v1/programmes",
    "funding": "/funding/v1/contributions",
    "markers": "/markers/v1/rubrics",
}


@pytest.fixture(scope="module")
def log() -> list[tuple[str, str]]:
    """Every line that the suite's processes print, with the name of its process."""
    return []


@pytest.fixture(scope="module")
def suite(log: list[tuple[str, str]]) -> Iterator[Suite]:
    environment = {k: v for k, v in os.environ.items() if not k.endswith(("_URL", "PORT"))} | {"PORT": str(free_port())}
    with (
        temporary_state() as state,
        running_suite(
            state, environment, cache_binary=redis_binary(), durable=False, log=lambda *line: log.append(line)
        ) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def gateway(suite: Suite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=suite.urls["gateway"], timeout=10) as client:
        yield client


def test_the_real_data_are_read_through_the_gateway(gateway: httpx.Client) -> None:
    assert gateway.get("/catalog/v1/programmes").json()["total"] == 18
    contributions = gateway.get("/funding/v1/contributions").json()["items"]
    assert sum(Decimal(c["sum"]["amount"]) for c in contributions) == Decimal("57425741.00")
    progress = gateway.get("/funding/v1/progress").json()["targets"][0]
    assert progress["target"]["sum"]["amount"] == "150000000.00"
    assert progress["contributed"][0]["share"]["per_cent"] == "38.28"
    assert gateway.get("/markers/v1/rubrics").json()["items"][0]["status"] == "illustrative"


def test_the_target_of_the_marker_is_undetermined_on_the_packaged_data(gateway: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while (found := gateway.get("/markers/v1/indicator").json())["whole"]["programmes"] < 9:
        assert time.monotonic() < deadline, "the programmes are not copied"
        time.sleep(0.5)
    whole, (claim,) = found["whole"], found["target"]["claims"]
    assert (whole["standing"], whole["assessed"], whole["programmes"]) == ("undetermined", 0, 9)
    assert (found["coverage"]["held"], found["coverage"]["printed"]) == (9, 21)
    assert (claim["year"], claim["standing"], claim["sources"][0]["line"]) == (2022, "met", 42)


def test_status_states_what_every_service_holds(gateway: httpx.Client) -> None:
    services = {s["service"]: s for s in gateway.get("/status").json()["services"]}
    assert tuple(services) == SERVICES
    assert all(s["reachable"] and s["version"] and s["build"] and s["revision"] > 0 for s in services.values())
    assert services["catalog"]["counts"]["programmes"] == 18
    assert services["funding"]["counts"]["contributions"] == 22
    assert any(document["year"] == 2024 for document in services["funding"]["vintage"])


def test_links_work_at_the_gateway_as_at_the_service(suite: Suite, gateway: httpx.Client) -> None:
    path: str | None = "/catalog/v1/programmes?limit=7"
    codes: list[str] = []
    while path:
        page = gateway.get(path)
        assert page.json() == httpx.get(suite.urls["catalog"] + path).json()
        codes += [p["code"] for p in page.json()["items"]]
        path = page.json()["next"]
    assert len(set(codes)) == 18


def test_conditional_requests_pass_through(gateway: httpx.Client) -> None:
    for path in PATHS.values():
        first = gateway.get(path)
        again = gateway.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


def test_one_request_is_found_in_every_log_by_its_id_and_its_trace(
    gateway: httpx.Client, log: list[tuple[str, str]]
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"x-request-id": "integrator-42", "traceparent": f"00-{trace}-00f067aa0ba902b7-01", **ANEW}
    assert gateway.get("/funding/v1/progress", headers=headers).headers["x-request-id"] == "integrator-42"
    end = time.monotonic() + 5
    found: dict[str, dict[str, object]] = {}
    while set(found) != {"gateway", "funding"} and time.monotonic() < end:
        time.sleep(0.05)
        found = {label: json.loads(line) for label, line in log if '"integrator-42"' in line}
    assert set(found) == {"gateway", "funding"}
    assert {line["trace_id"] for line in found.values()} == {trace}
    assert (found["gateway"]["internal"], found["funding"]["internal"]) == (False, True)


def test_the_line_of_a_request_says_who_asked_and_hides_secrets(
    suite: Suite, gateway: httpx.Client, log: list[tuple[str, str]]
) -> None:
    form = {"grant_type": "client_credentials", "client_id": "agent"}
    token: str = httpx.post(f"{suite.urls['issuer']}/token", data=form).json()["access_token"]
    payload = token.split(".")[1]
    subject = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    headers = {
        "authorization": f"Bearer {token}",
        "idempotency-key": "who-asked",
        "x-request-id": "who-asked",
        "x-forwarded-for": "203.0.113.7",
    }
    answer = gateway.post(f"/funding/v1/ledger?dry_run=true&access_token={token}", headers=headers, json={})
    assert answer.status_code == 422
    end = time.monotonic() + 5
    found: dict[str, dict[str, object]] = {}
    while set(found) != {"gateway", "funding"} and time.monotonic() < end:
        time.sleep(0.05)
        found = {label: json.loads(line) for label, line in log if '"who-asked"' in line}
    for line in found.values():
        assert (line["method"], line["path"], line["status"]) == ("POST", "/funding/v1/ledger", 422)
        assert line["query"] == "dry_run=true&access_token=***"
        assert (line["client"], line["bytes"]) == ("203.0.113.7", len(answer.content))
    assert found["gateway"]["subject"] is None
    assert found["funding"]["subject"] == sha256(subject.encode()).hexdigest()[:16]
    assert not any(token in line or f'"{subject}"' in line for _, line in log)


@pytest.mark.parametrize("name", PATHS)
def test_killing_one_service_leaves_the_others_answering(suite: Suite, gateway: httpx.Client, name: str) -> None:
    contract = whole_contract(gateway)
    suite.children[name].process.kill()
    suite.children[name].process.wait()
    for other, path in PATHS.items():
        answer = gateway.get(path, headers=ANEW)
        if suite.children[other].process.poll() is None:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 502
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "service_unreachable"
            assert answer.headers["retry-after"] == "2"
    status = gateway.get("/status").json()
    assert {s["service"]: s["reachable"] for s in status["services"]}[name] is False
    assert name in status["missing"]
    after = gateway.get("/openapi.json")
    assert (after.status_code, after.content) == (200, contract.content)
