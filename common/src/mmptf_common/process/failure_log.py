"""Log lines of failures at a bounded rate: one for each kind of failure, however many requests fail so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from mmptf_common.wire.problems import ProblemError

# Seconds between two lines of one kind of failure.
INTERVAL_SECONDS = 10.0
# Kinds that are told apart at once; further ones count as one more.
MOST_KINDS = 100
LONGEST_CAUSE = 300
# The statuses of what fails and passes again. A 500 is an error of the code, whose traceback is logged.
LOGGED = frozenset({502, 503, 504, 507})

log = logging.getLogger("mmptf.failure")


@dataclass(slots=True)
class _Kind:
    """A kind of failure that was logged: its last line, until when there is no other, how many were left out since."""

    message: str
    fields: dict[str, Any]
    until: float
    left_out: int = 0


_kinds: dict[Hashable, _Kind] = {}


def report(kind: Hashable, message: str, cause: BaseException | None, **fields: Any) -> None:
    """Log a failure with its cause: the first of its kind at once, then at most one line in INTERVAL_SECONDS.

    The line after an interval has in `left_out` how many of the kind there were without one.
    """
    if kind not in _kinds and len(_kinds) >= MOST_KINDS:
        kind, message, fields = None, "further kinds of failure", {}
    found = _kinds.get(kind)
    now = time.monotonic()
    # An interval ends by a timer; only one whose event loop was closed is later than the next.
    if found and now < found.until + INTERVAL_SECONDS:
        found.left_out += 1
        return
    known = fields | {"cause": _in_words(cause)}
    _write(message, known, 0)
    _kinds[kind] = _Kind(message, known, now + INTERVAL_SECONDS)
    # Without the context of the request: the line is one for many.
    asyncio.get_running_loop().call_later(INTERVAL_SECONDS, _end_interval, kind, context=Context())


def report_problem(problem: ProblemError, *, broken_off: bool = False) -> None:
    """Log a problem that is answered, where it is one that passes again; its cause is that of the exception.

    broken_off: whether it ended an answer that had begun already
    """
    if problem.status in LOGGED:
        fields = {"broken_off": True} if broken_off else {}
        report(
            (problem.status, problem.code, problem.detail, broken_off),
            "request failed",
            problem.__cause__,
            status=problem.status,
            code=str(problem.code),
            reason=problem.detail,
            **fields,
        )


def problem_in(error: BaseException | None) -> ProblemError | None:
    """The problem that an exception is, or was raised from; None where it is another failure."""
    while error is not None and not isinstance(error, ProblemError):
        error = error.__cause__
    return error


class WithoutReported(logging.Filter):
    """Leaves out what the server logs of an answer that broke off with a problem, which is reported already."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and problem_in(record.exc_info[1]))


def _end_interval(kind: Hashable) -> None:
    found = _kinds.get(kind)
    if found is None:
        return
    if not found.left_out:
        del _kinds[kind]
        return
    _write(found.message, found.fields, found.left_out)
    found.left_out, found.until = 0, time.monotonic() + INTERVAL_SECONDS
    asyncio.get_running_loop().call_later(INTERVAL_SECONDS, _end_interval, kind, context=Context())


def _write(message: str, fields: dict[str, Any], left_out: int) -> None:
    log.warning(message, extra=fields | ({"left_out": left_out} if left_out else {}))


def _in_words(cause: BaseException | None) -> str | None:
    """The type of an exception and the first line of its text; of one that a library wraps, that of the driver."""
    if cause is None:
        return None
    cause = getattr(cause, "orig", None) or cause
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"[:LONGEST_CAUSE]
