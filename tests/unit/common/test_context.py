"""Request context: a caller's identifiers are kept where they are well-formed, else replaced."""

from __future__ import annotations

import pytest

from mmptf_common.process.context import TRACEPARENT, new_context

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_trace_goes_on_under_a_span_of_our_own() -> None:
    context = new_context(b"req-1", PARENT, b"vendor=1")
    assert context.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert context.traceparent.startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    assert context.traceparent.endswith("-01")
    assert "00f067aa0ba902b7" not in context.traceparent
    assert context.headers() == {"x-request-id": "req-1", "traceparent": context.traceparent, "tracestate": "vendor=1"}


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"nonsense",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ],
)
def test_a_malformed_trace_begins_a_new_one_without_its_state(parent: bytes) -> None:
    context = new_context(b"", parent, b"vendor=1")
    assert TRACEPARENT.match(context.traceparent)
    assert "tracestate" not in context.headers()


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"a\nb", "é".encode()])
def test_a_request_id_that_could_forge_a_log_line_is_replaced(given: bytes) -> None:
    assert new_context(given).request_id not in {"", given.decode("utf-8", "replace")}
