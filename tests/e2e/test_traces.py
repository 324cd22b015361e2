"""Traces over OTLP: one request through the gateway is one trace, down to statements and commands of the cache."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from mmptf_local.cache import Cache
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.collector import TRACE, Collector, running_collector
from tests.conftest import serving_url

PARENT = "00f067aa0ba902b7"
LIST = "/funding/v1/contributions"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as found:
        yield found


@pytest.fixture(scope="module")
def gateway(collector: Collector, new_database: Callable[[str], str], redis_server: Cache) -> Iterator[httpx.Client]:
    """A gateway and the funding service, both of which send spans."""
    ports = {name: free_port() for name in ("funding", "gateway")}
    shared = os.environ | {
        "HOST": LOOPBACK,
        "REDIS_URL": redis_server.url.removesuffix("0") + "9",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "ENVIRONMENT": "development",
    }
    own = {
        "funding": {"DATABASE_URL": serving_url(new_database("funding"))},
        "gateway": {"SERVICES": f"funding=http://{LOOPBACK}:{ports['funding']}"},
    }
    with ExitStack() as stack:
        for name, port in ports.items():
            env = shared | own[name] | {"PORT": str(port)}
            child = stack.enter_context(Child(name, [sys.executable, "-m", f"mmptf_{name}", "serve"], env=env))
            wait_until(lambda port=port: answers_ready(f"http://{LOOPBACK}:{port}/health/ready"), child, seconds=30)
        yield stack.enter_context(httpx.Client(base_url=f"http://{LOOPBACK}:{ports['gateway']}"))


def test_a_request_is_one_trace_from_the_gateway_to_the_database(gateway: httpx.Client, collector: Collector) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "traced-1"}
    answer = gateway.get(f"{LIST}/totals?contributor=DEU", headers=headers)
    assert answer.status_code == 200
    found = collector.trace(5)
    (first,) = [each for each in found if each.service == "mmptf-gateway"]
    assert first.span.name == "funding"
    assert first.span.parent_span_id.hex() == PARENT
    assert (first.span.kind, first.attributes["http.response.status_code"]) == (Span.SPAN_KIND_SERVER, 200)
    (second,) = [each for each in found if each.span.parent_span_id == first.span.span_id]
    assert (second.service, second.span.name) == ("mmptf-funding", "get_contribution_totals")
    assert second.attributes == {
        "http.request.method": "GET", "http.response.status_code": 200, "mmptf.operation": "get_contribution_totals",
        "mmptf.request_id": "traced-1",
    }  # fmt: skip
    below = [each for each in found if each.span.parent_span_id == second.span.span_id]
    assert {each.span.name for each in below} >= {"postgresql SELECT", "redis GET", "redis SET"}
    assert len(below) == len(found) - 2
    for each in found:
        assert first.span.start_time_unix_nano - 2_000_000 <= each.span.start_time_unix_nano
        assert each.span.start_time_unix_nano <= each.span.end_time_unix_nano


def test_a_request_that_names_no_trace_begins_one(gateway: httpx.Client, collector: Collector) -> None:
    while "hit" not in gateway.get(LIST, headers={"x-request-id": "kept"}).headers["cache-status"]:
        time.sleep(0.05)
    assert gateway.get(f"{LIST}/NONE", headers={"x-request-id": "missing"}).status_code == 404
    end = time.monotonic() + 10
    while not (found := [each for each in collector.spans if each.attributes.get("mmptf.request_id") == "missing"]):
        assert time.monotonic() < end
        time.sleep(0.05)
    trace = collector.trace(3, of=found[0].span.trace_id.hex())
    (first,) = [each for each in trace if each.service == "mmptf-gateway"]
    assert first.span.parent_span_id == b""
    assert first.span.status.code == Status.STATUS_CODE_UNSET
    # What the gateway has kept is a span, too.
    assert any(each.attributes.get("mmptf.request_id") == "kept" for each in collector.spans)


def test_what_a_caller_does_not_trace_is_not_traced(gateway: httpx.Client, collector: Collector) -> None:
    untraced, traced = "1" * 32, "2" * 32
    for trace, flags in (untraced, "00"), (traced, "01"):
        gateway.get(f"{LIST}/totals", headers={"traceparent": f"00-{trace}-{PARENT}-{flags}"})
    # The gateway has kept it.
    collector.trace(1, of=traced)
    assert not any(each.span.trace_id.hex() == untraced for each in collector.spans)


def test_no_value_of_a_request_is_sent(gateway: httpx.Client, collector: Collector) -> None:
    headers = {"traceparent": f"00-{'3' * 32}-{PARENT}-01", "authorization": "Bearer eyJsecret"}
    gateway.get(f"{LIST}?q=Somebody&contributor=NOBODY", headers=headers)
    collector.trace(2, of="3" * 32)
    sent = b"".join(collector.bodies)
    for value in (b"Somebody", b"NOBODY", b"eyJ", b"DEU", LOOPBACK.encode(), b"contributor="):
        assert value not in sent, value
