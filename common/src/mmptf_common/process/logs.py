"""Logs as JSON lines, one for each request, each with the request id and the trace id."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_plus

from mmptf_common.process.context import current
from mmptf_common.process.failure_log import WithoutReported

access_log = logging.getLogger("mmptf.access")
MASK = "***"
# How long, and how many, lines of requests wait to be written together.
FLUSH_SECONDS = 0.01
MOST_LINES = 100
# Most characters of a path and of a query in a line.
LONGEST_TARGET = 2000
_SECRET_NAME = re.compile(
    r"token|passw|secret|authorization|credential|signature|api[-_.]?key|^(access[-_.]?|private[-_.]?)?key$|^pwd$|^auth$|^sig$",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w.-]*")
# What no query without one of these has to be looked at for.
_MAY_BE_SECRET = ("token", "pass", "secret", "auth", "cred", "sig", "key", "pwd", "eyj")

# Created once: json.dumps would create an encoder for each line.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
# The same for a text, in a quarter of the time.
_text = json.encoder.encode_basestring
# What every record has, and what the libraries add for their own use.
_NO_EXTRAS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


@lru_cache(maxsize=2)
def _to_second(second: int) -> str:
    """The moment without its milliseconds; a busy process writes hundreds of lines in each second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class JsonLines(logging.Formatter):
    """One JSON object a line: time (RFC 3339 UTC), level, logger, message, request and trace id, exception, extras."""

    def format(self, record: logging.LogRecord) -> str:
        context = current.get()
        ids = (context.request_id, context.trace_id) if context else None
        line = _opening(record.created, record.levelname, record.name, record.getMessage(), ids)
        extras = {name: value for name, value in record.__dict__.items() if name not in _NO_EXTRAS}
        if record.stack_info:
            extras = {"stack_info": self.formatStack(record.stack_info), **extras}
        if record.exc_info or record.exc_text:
            exception = self.formatException(record.exc_info) if record.exc_info else record.exc_text
            extras = {"exception": exception, **extras}
        return f"{line}, {_encode(extras)[1:]}" if extras else f"{line}}}"


def _opening(created: float, level: str, logger: str, message: str, ids: tuple[str, str] | None) -> str:
    """The members that every line begins with; ids: those of the request and of the trace."""
    second = int(created)
    line = (
        f'{{"time": "{_to_second(second)}.{int((created - second) * 1000):03d}Z", "level": "{level}",'
        f' "logger": "{logger}", "message": {_text(message)}'
    )
    return f'{line}, "request_id": "{ids[0]}", "trace_id": "{ids[1]}"' if ids else line


class BufferedLines(logging.Handler):
    """Writes lines to standard output, those of an event loop together: each would cost a system call.

    Lines of requests wait for FLUSH_SECONDS at most; a warning or an error is written at once, and all before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        # The loop that writes them soon.
        self._writer: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.add(line, is_urgent=record.levelno >= logging.WARNING)

    def add(self, line: str, *, is_urgent: bool = False) -> None:
        """Write a line soon, or at once, with all that wait, where it is urgent."""
        self._lines.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another thread, or no server
            loop = None
        if loop is None or is_urgent or len(self._lines) >= MOST_LINES:
            self.flush()
        elif loop is not self._writer:
            self._writer = loop
            loop.call_later(FLUSH_SECONDS, self._flush_later)

    def _flush_later(self) -> None:
        self._writer = None
        self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                sys.stdout.write("\n".join([*lines, ""]))
                sys.stdout.flush()
        finally:
            self.release()


def log_request(
    method: str,
    path: str,
    query: bytes,
    status: int,
    *,
    ms: float,
    sent: int,
    client: tuple[str, int] | None,
    subject: str | None = None,
    internal: bool = False,
    routine: bool = False,
    reason: str | None = None,
    ids: tuple[str, str] | None = None,
) -> None:
    """Write the line of one request.

    sent: bytes of the body of the answer; client: where the request comes from, as trusted proxies say
    subject: that of the caller's token as a hash (`subject_hash`); internal: whether a process of the suite sent it
    routine: whether it is sent again and again and needs no line, which is written where DEBUG is logged only
    reason: why the server refused it before the app; such a line is a warning
    ids: of the request and of the trace, by default those of the current context
    """
    level = logging.DEBUG if routine else logging.INFO if reason is None else logging.WARNING
    if not access_log.isEnabledFor(level):
        return
    path = path[:LONGEST_TARGET]
    if "eyJ" in path:
        path = _TOKEN.sub(MASK, path)
    asked = masked(query.decode("latin-1")[:LONGEST_TARGET])
    address = client[0][:64] if client else None
    message = f"{method or '-'} {path or '-'} {status}"
    ms = round(ms, 2)
    handlers = logging.root.handlers
    if level == logging.INFO and len(handlers) == 1 and isinstance(lines := handlers[0], BufferedLines):
        # Past what a logger does for records of code, which takes two thirds of the time.
        if ids is None and (context := current.get()):
            ids = context.request_id, context.trace_id
        line = _opening(time.time(), "INFO", access_log.name, message, ids)
        lines.add(
            f'{line}, "method": {_text(method)}, "path": {_text(path)}, "query": {_text(asked)}, "status": {status},'
            f' "ms": {ms}, "bytes": {sent}, "client": {"null" if address is None else _text(address)},'
            f' "subject": {"null" if subject is None else _text(subject)},'
            f' "internal": {"true" if internal else "false"}}}'
        )
        return
    fields: dict[str, Any] = {
        "method": method,
        "path": path,
        "query": asked,
        "status": status,
        "ms": ms,
        "bytes": sent,
        "client": address,
        "subject": subject,
        "internal": internal,
    }
    access_log.log(level, message, extra=fields if reason is None else {**fields, "reason": reason})


def masked(query: str) -> str:
    """A query with `***` in place of the values of parameters named like a secret, and of what looks like a token."""
    plain = (unquote_plus(query) if "%" in query else query).casefold()
    for word in _MAY_BE_SECRET:
        if word in plain:
            break
    else:
        return query
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if equals and _SECRET_NAME.search(unquote_plus(name)):
            value = MASK
        elif _TOKEN.search(unquote_plus(part)):
            name, value = (name, MASK) if equals and not _TOKEN.search(unquote_plus(name)) else (MASK, "")
        parts.append(name + equals + value)
    return "&".join(parts)


def subject_hash(subject: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a token's `sub`.

    Whoever knows the subject finds its lines, in the logs of every process; nobody reads the subject from a line.
    """
    return sha256(subject.encode()).hexdigest()[:16]


def configure_logging(level: str) -> None:
    """Send every logger of this process to standard output as JSON lines."""
    # No line contains thread or process names, so they need not be looked up for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = BufferedLines()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.error").addFilter(WithoutReported())
    # Each migration, and each request that a process sends.
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
