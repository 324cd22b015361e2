"""Request context: a caller's identifiers are kept where they are well-formed, else replaced."""

from __future__ import annotations

import re

import pytest

from mmptf_common.process.context import new_context

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def test_the_trace_goes_on_under_a_span_of_our_own() -> None:
    context = new_context(b"req-1", PARENT, b"vendor=1")
    assert context.trace_id == TRACE
    traceparent = context.headers()["traceparent"]
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", traceparent)
    assert "00f067aa0ba902b7" not in traceparent
    assert context.headers() == {"x-request-id": "req-1", "traceparent": traceparent, "tracestate": "vendor=1"}


def test_without_a_caller_each_request_is_a_trace_of_its_own() -> None:
    first, second = new_context(), new_context(b"req-1")
    for context in (first, second):
        headers = context.headers()
        assert headers.keys() == {"x-request-id", "traceparent"}
        assert TRACEPARENT.fullmatch(headers["traceparent"])
        # Whether it is recorded is for those to decide who record.
        assert headers["traceparent"].startswith(f"00-{context.trace_id}-")
        assert headers["traceparent"].endswith("-00")
    assert first.trace_id != second.trace_id
    assert (len(first.request_id), second.request_id) == (24, "req-1")


@pytest.mark.parametrize("parent", [PARENT, PARENT[:-2] + b"03", b"42" + PARENT[2:], b"42" + PARENT[2:] + b"-more"])
def test_flags_and_later_versions_of_the_header_are_understood(parent: bytes) -> None:
    context = new_context(b"", parent, b"vendor=1,other@tenant=a b")
    headers = context.headers()
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["traceparent"].endswith(parent[52:55].decode())
    assert headers["tracestate"] == "vendor=1,other@tenant=a b"


@pytest.mark.parametrize("state", [b"", b"no pair", b"UPPER=1", b"a=1,a=2", "a=é".encode(), b"a=" + b"x" * 511])
def test_a_malformed_state_is_dropped_and_the_trace_goes_on(state: bytes) -> None:
    headers = new_context(b"", PARENT, state).headers()
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert "tracestate" not in headers


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"nonsense",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        PARENT + b"-more",
        PARENT * 20,
    ],
)
def test_a_malformed_trace_begins_a_new_one_without_its_state(parent: bytes) -> None:
    context = new_context(b"", parent, b"vendor=1")
    assert TRACEPARENT.fullmatch(context.headers()["traceparent"])
    assert context.trace_id.lower() != TRACE
    assert "tracestate" not in context.headers()


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"a\nb", "é".encode()])
def test_a_request_id_that_could_forge_a_log_line_is_replaced(given: bytes) -> None:
    assert new_context(given).request_id not in {"", given.decode("utf-8", "replace")}
