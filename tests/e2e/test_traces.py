"""Traces over OTLP: one request through the gateway is one trace, down to statements and commands of the cache."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from mmptf_local.cache import Cache
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.conftest import serving_url

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
LIST = "/funding/v1/contributions"


@dataclass(frozen=True)
class Received:
    """A span, and the name of the process that has sent it."""

    service: str
    span: Span

    @property
    def attributes(self) -> Mapping[str, str | int]:
        return {each.key: each.value.string_value or each.value.int_value for each in self.span.attributes}


@dataclass
class Collector:
    """A receiver of OTLP over HTTP, and what it was sent."""

    url: str
    spans: list[Received] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def trace(self, number: int, *, of: str = TRACE) -> list[Received]:
        """The spans of a trace, once there are so many, and that of the gateway, which sends its own, among them."""
        end = time.monotonic() + 10
        while True:
            found = [each for each in self.spans if each.span.trace_id.hex() == of]
            if len(found) >= number and any(each.service == "mmptf-gateway" for each in found):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            found.bodies.append(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {each.key: each.value.string_value for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    found.spans += [Received(names["service.name"], span) for span in scope.spans]
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    found = Collector(f"http://{LOOPBACK}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


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
