"""A receiver of spans over OTLP, which tests ask what it was sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from mmptf_local.processes import LOOPBACK

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


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
        """The spans of a trace, once there are so many, and each has its parent but that of the gateway, the first one.

        A process sends the span of a request after those of its statements, perhaps in another batch.
        """
        end = time.monotonic() + 10
        while True:
            found = [each for each in self.spans if each.span.trace_id.hex() == of]
            ids = {each.span.span_id for each in found}
            first = [each for each in found if each.span.parent_span_id not in ids]
            if len(found) >= number and [each.service for each in first] == ["mmptf-gateway"]:
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

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
