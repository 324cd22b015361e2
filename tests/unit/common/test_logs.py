"""Log lines: one JSON object each, with the members by which operators search."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from mmptf_common.process.context import current, new_context
from mmptf_common.process.logs import (
    FLUSH_SECONDS,
    LONGEST_TARGET,
    MOST_LINES,
    BufferedLines,
    JsonLines,
    access_log,
    configure_logging,
    log_request,
    masked,
    subject_hash,
)


class Log:
    """A logger and what it has written."""

    def __init__(self) -> None:
        self._written = StringIO()
        self.logger = logging.Logger("mmptf.access")
        handler = logging.StreamHandler(self._written)
        handler.setFormatter(JsonLines())
        self.logger.addHandler(handler)

    def text(self) -> str:
        return self._written.getvalue()

    def line(self) -> dict[str, Any]:
        (line,) = self.text().splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def traced() -> Iterator[str]:
    """The id of the trace of a request under way, whose id is req-1."""
    context = new_context(b"req-1")
    token = current.set(context)
    yield context.trace_id
    current.reset(token)


def test_a_line_has_its_members_in_this_order(log: Log, traced: str) -> None:
    before = datetime.now(UTC)
    log.logger.info("%s %s %d", "GET", "/catalog/v1/programmes", 200, extra={"query": "q=ü", "ms": 1.25})
    line = log.line()
    time = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert abs((datetime.fromisoformat(time) - before).total_seconds()) < 5
    assert list(line.items()) == [
        ("level", "INFO"),
        ("logger", "mmptf.access"),
        ("message", "GET /catalog/v1/programmes 200"),
        ("request_id", "req-1"),
        ("trace_id", traced),
        ("query", "q=ü"),
        ("ms", 1.25),
    ]
    assert '"q=ü"' in log.text()


def test_outside_of_a_request_a_line_names_none(log: Log) -> None:
    log.logger.warning("service failed", extra={"service": "catalog"})
    assert log.line().keys() == {"time", "level", "logger", "message", "service"}


def test_a_failure_is_one_line_with_its_traceback(log: Log) -> None:
    try:
        raise ValueError("broken\nin two lines")
    except ValueError:
        log.logger.exception("unhandled failure", extra={"path": "/x"})
    line = log.line()
    assert line.keys() == {"time", "level", "logger", "message", "exception", "path"}
    assert (line["level"], line["message"], line["path"]) == ("ERROR", "unhandled failure", "/x")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("\nValueError: broken\nin two lines")


def test_what_json_does_not_know_is_written_as_text(log: Log) -> None:
    log.logger.info("seen", extra={"amount": Decimal("1.10"), "day": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3)})
    line = log.line()
    assert (line["amount"], line["day"], line["at"]) == ("1.10", "2026-01-02", "2026-01-02 03:00:00")


def test_a_message_for_terminals_is_left_out(log: Log) -> None:
    log.logger.info("Started server process [%d]", 7, extra={"color_message": "Started \x1b[36m%d\x1b[0m"})
    assert log.line().keys() == {"time", "level", "logger", "message"}


def test_a_line_has_the_second_in_which_it_was_written(log: Log) -> None:
    formatter = log.logger.handlers[0].formatter
    assert formatter
    moments = (1767225599.9996, 1767225600.0004, 1767225601.5, 1767225600.25)
    written = [
        json.loads(formatter.format(logging.makeLogRecord({"created": moment, "msecs": moment % 1 * 1000})))["time"]
        for moment in moments
    ]
    assert written == [
        "2025-12-31T23:59:59.999Z",
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:01.500Z",
        "2026-01-01T00:00:00.250Z",
    ]


def test_the_requests_that_a_process_sends_have_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    lines = StringIO()
    monkeypatch.setattr("sys.stdout", lines)
    configure_logging("INFO")
    logging.getLogger("httpx").info("HTTP Request: GET http://127.0.0.1/x")
    logging.getLogger("mmptf.replication").info("copied")
    assert [json.loads(line)["message"] for line in lines.getvalue().splitlines()] == ["copied"]


async def test_lines_are_written_together_soon_and_a_warning_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("sys.stdout", SimpleNamespace(write=written.append, flush=lambda: None))
    handler = BufferedLines()
    logger = logging.Logger("mmptf.access")
    logger.addHandler(handler)
    for number in range(3):
        logger.info(number)
    assert written == []
    await asyncio.sleep(2 * FLUSH_SECONDS)
    logger.info(3)
    logger.warning(4)
    await asyncio.to_thread(logger.info, 5)
    for number in range(MOST_LINES + 1):
        logger.info(number)
    logging.shutdown([lambda: handler])  # type: ignore[list-item]  # it calls what it is given, as it does weak references
    numbers = "".join(f"{number}\n" for number in range(MOST_LINES))
    assert written == ["0\n1\n2\n", "3\n4\n", "5\n", numbers, f"{MOST_LINES}\n"]


def test_a_message_cannot_forge_a_line(log: Log) -> None:
    log.logger.info("%s", 'x\n{"level": "ERROR"}')
    assert log.line()["message"] == 'x\n{"level": "ERROR"}'


JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("", ""),
        ("country=KEN&token=abc", "country=KEN&token=***"),
        ("access_token=abc&ACCESS-TOKEN=x&accessToken=y", "access_token=***&ACCESS-TOKEN=***&accessToken=***"),
        ("to%6ben=abc&pass%57ord=x", "to%6ben=***&pass%57ord=***"),
        ("api_key=1&apikey=2&key=3&X-Api-Key=4", "api_key=***&apikey=***&key=***&X-Api-Key=***"),
        ("client_secret=1&Authorization=Bearer+x&password=2", "client_secret=***&Authorization=***&password=***"),
        ("token", "token"),
        ("token=a=b", "token=***"),
        (f"q={JWT}&limit=5", "q=***&limit=5"),
        (f"q=Bearer%20{JWT}", "q=***"),
        (f"q={JWT.replace('.', '%2E').replace('e', '%65')}", "q=***"),
        (JWT, "***"),
        (f"{JWT}=x&a=b", "***=&a=b"),
        ("keyword=water&monkey=1&code=PASS-01&q=a%20b", "keyword=water&monkey=1&code=PASS-01&q=a%20b"),
    ],
)
def test_secrets_of_a_query_are_not_written(query: str, written: str) -> None:
    assert masked(query) == written


@pytest.mark.parametrize("handler", [logging.StreamHandler, BufferedLines])
def test_the_line_of_a_request(
    handler: type[logging.Handler], traced: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where logs are configured lines are written directly, and are the same."""
    writing = handler() if handler is BufferedLines else logging.StreamHandler(sys.stdout)
    writing.setFormatter(JsonLines())
    monkeypatch.setattr(logging.root, "handlers", [writing])
    monkeypatch.setattr(access_log, "isEnabledFor", lambda level: True)
    log_request(
        "GET",
        f"/a/{JWT}/\n",
        b"token=x&q=" + b"y" * 3000,
        200,
        ms=1.2345,
        sent=17,
        client=("2001:db8::1", 4711),
        subject=subject_hash("somebody@example.org"),
    )
    log_request("", "", b"", 431, ms=0, sent=300, client=None, reason="The head is too large.")
    written = capsys.readouterr().out.splitlines()
    first, second = (json.loads(line) for line in written)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert written[0].isprintable()
    assert first == {
        "level": "INFO",
        "logger": "mmptf.access",
        "message": "GET /a/***/\n 200",
        "request_id": "req-1",
        "trace_id": traced,
        "method": "GET",
        "path": "/a/***/\n",
        "query": "token=***&q=" + "y" * (LONGEST_TARGET - len("token=x&q=")),
        "status": 200,
        "ms": 1.23,
        "bytes": 17,
        "client": "2001:db8::1",
        "subject": hashlib.sha256(b"somebody@example.org").hexdigest()[:16],
        "internal": False,
    }
    assert (second["level"], second["message"], second["reason"]) == ("WARNING", "- - 431", "The head is too large.")
    assert (second["client"], second["subject"], second["bytes"]) == (None, None, 300)
