"""What the runner prints of a child's line, on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout

import pytest

from mmptf_local.console import Console
from mmptf_local.processes import CannotStart


class Screen(io.StringIO):
    """A standard output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


def line(message: str, *, logger: str = "mmptf.access", level: str = "INFO", **more: object) -> str:
    """A line of a process's log."""
    return json.dumps(
        {"time": "2026-07-01T12:00:00.000Z", "level": level, "logger": logger, "message": message, **more}
    )


def printed(*lines: str, is_started: bool = True) -> str:
    """What a terminal shows of lines of the catalogue, the time left out."""
    with redirect_stdout(Screen()) as screen:
        console = Console()
        console.is_started = is_started
        for each in lines:
            console.log("catalog", each)
    return re.sub(r"^\d\d:\d\d:00", "TIME", screen.getvalue(), flags=re.MULTILINE)


def test_only_what_is_no_success_has_a_colour() -> None:
    text = printed(*(line(f"GET /x {status}", query="", ms=1.4) for status in (200, 304, 404, 503)))
    assert text.splitlines() == [
        "TIME  200  GET          1 ms  catalog   /x",
        "TIME  304  GET          1 ms  catalog   /x",
        "TIME  \x1b[33m404\x1b[0m  GET          1 ms  catalog   /x",
        "TIME  \x1b[31m503\x1b[0m  GET          1 ms  catalog   /x",
    ]


def test_a_path_cannot_move_the_cursor_nor_end_the_line() -> None:
    text = printed(line("GET /a b\x1b[2J\n\u202e/c 200", query="\x9b1m", ms=0))
    unknown = "\N{REPLACEMENT CHARACTER}"
    assert text == f"TIME  200  GET          0 ms  catalog   /a b{unknown}[2J{unknown}{unknown}/c?{unknown}1m\n"


def test_what_the_suite_asks_itself_is_not_shown() -> None:
    own = line("GET /health/ready 200", query="", ms=1.0, internal=True)
    news = line("Started server process [7]", logger="uvicorn.error")
    assert printed(own, news) == ""


def test_a_failure_is_shown_with_its_traceback() -> None:
    failed = line(
        "unhandled failure", level="ERROR", logger="mmptf.error", request_id="r-1", trace_id="t", path="/x",
        exception='Traceback (most recent call last):\n  File "x.py"\nValueError: a\x1b[31m',
    )  # fmt: skip
    assert printed(failed).splitlines() == [
        "TIME  \x1b[31mERROR\x1b[0m  catalog: unhandled failure (request_id=r-1, path=/x)",
        "    Traceback (most recent call last):",
        '      File "x.py"',
        "    ValueError: a\N{REPLACEMENT CHARACTER}[31m",
    ]


def test_a_traceback_as_a_message_is_shown_as_its_reason() -> None:
    text = 'Traceback (most recent call last):\n  File "x.py"\nConnectionRefusedError: refused\n'
    shown = "TIME  \x1b[31mERROR\x1b[0m  catalog: ConnectionRefusedError: refused\n"
    failed = line(text, level="ERROR", logger="uvicorn.error")
    assert printed(failed) == shown
    problem = CannotStart(f"catalog ended while starting (exit code 3):\n{line('Started', logger='x')}\n{failed}\nbye")
    with redirect_stdout(Screen()) as screen:
        Console().failure(problem)
    sentence, reason, last = screen.getvalue().splitlines()
    assert sentence == "cannot start: catalog ended while starting (exit code 3):"
    assert reason.endswith(shown.removeprefix("TIME").rstrip()) and last == "bye"


def test_warnings_begin_when_all_processes_are_ready() -> None:
    warning = line("the source cannot be replicated", level="WARNING", logger="mmptf.replication", service="funding")
    failure = line("replication failed", level="ERROR", logger="mmptf.replication")
    assert printed(warning, failure, is_started=False) == ""
    assert "ERROR\x1b[0m  catalog: replication failed\n" in printed(failure)
    assert "WARNING\x1b[0m  catalog: the source cannot be replicated (service=funding)\n" in printed(warning)


@pytest.mark.parametrize("other", ["WARNING:  out of memory", "[1, 2]", '{"level": "INFO"}', '{"time": 1}', "{", "7"])
def test_a_line_that_is_no_log_entry_is_shown_after_its_label(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(other) == f"catalog  │ {other}\n"


def test_lines_stay_as_they_are_where_everything_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    own = line("GET /health/ready 200", query="", ms=1.0, internal=True)
    assert printed(own).endswith(f" {own}\n")


def test_lines_stay_as_they_are_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    own = line("GET /health/ready 200", query="", ms=1.0, internal=True)
    Console().log("catalog", own)
    assert capsys.readouterr().out == f"catalog  │ {own}\n"
