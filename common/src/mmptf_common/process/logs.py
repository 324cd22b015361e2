"""Logs as JSON lines, one for each request, each with the request id and the trace id."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
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
_EVERY_RECORD = logging.makeLogRecord({}).__dict__
_NO_EXTRAS = frozenset(_EVERY_RECORD) | {"message", "asctime", "taskName", "color_message"}


class _RequestRecord(logging.LogRecord):
    """The record of one request: without what a logger looks up for records of code, which takes half of the time.

    fields: the extras; as_json: the same as members of an object
    """

    def __init__(self, level: int, message: str, fields: dict[str, Any], as_json: str) -> None:
        self.__dict__ = {**_EVERY_RECORD, **fields}
        self.name, self.msg = access_log.name, message
        self.levelno, self.levelname = level, logging.getLevelName(level)
        self.created = time.time()
        self.msecs = self.created % 1 * 1000
        self._as_json = as_json

    def extras(self) -> str:
        """The extras as members of a JSON object."""
        return self._as_json


class JsonLines(logging.Formatter):
    """One JSON object a line: time (RFC 3339 UTC), level, logger, message, request and trace id, exception, extras."""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._moment = -1, ""

    def format(self, record: logging.LogRecord) -> str:
        line = (
            f'{{"time": "{self._to_second(int(record.created))}.{int(record.msecs):03d}Z",'
            f' "level": "{record.levelname}", "logger": "{record.name}", "message": {_text(record.getMessage())}'
        )
        if context := current.get():
            line += f', "request_id": "{context.request_id}", "trace_id": "{context.trace_id}"'
        if isinstance(record, _RequestRecord):
            return f"{line}, {record.extras()}}}"
        extras = {name: value for name, value in record.__dict__.items() if name not in _NO_EXTRAS}
        if record.stack_info:
            extras = {"stack_info": self.formatStack(record.stack_info), **extras}
        if record.exc_info or record.exc_text:
            exception = self.formatException(record.exc_info) if record.exc_info else record.exc_text
            extras = {"exception": exception, **extras}
        return f"{line}, {_encode(extras)[1:]}" if extras else f"{line}}}"

    def _to_second(self, second: int) -> str:
        """The moment without its milliseconds; a busy process writes hundreds of lines in each second."""
        if second != self._second:
            self._second, self._moment = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._moment


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
            self._lines.append(self.format(record))
        except Exception:
            self.handleError(record)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another thread, or no server
            loop = None
        if loop is None or record.levelno >= logging.WARNING or len(self._lines) >= MOST_LINES:
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
    reason: str | None = None,
) -> None:
    """Write the line of one request.

    sent: bytes of the body of the answer; client: where the request comes from, as trusted proxies say
    subject: that of the caller's token as a hash (`subject_hash`); internal: whether a process of the suite sent it
    reason: why the server refused it before the app; such a line is a warning
    """
    level = logging.INFO if reason is None else logging.WARNING
    if not access_log.isEnabledFor(level):
        return
    path = path[:LONGEST_TARGET]
    if "eyJ" in path:
        path = _TOKEN.sub(MASK, path)
    asked = masked(query.decode("latin-1")[:LONGEST_TARGET])
    address = client[0][:64] if client else None
    ms = round(ms, 2)
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
    as_json = (
        f'"method": {_text(method)}, "path": {_text(path)}, "query": {_text(asked)}, "status": {status},'
        f' "ms": {ms}, "bytes": {sent}, "client": {"null" if address is None else _text(address)},'
        f' "subject": {"null" if subject is None else _text(subject)}, "internal": {"true" if internal else "false"}'
    )
    if reason is not None:
        fields["reason"] = reason
        as_json += f', "reason": {_text(reason)}'
    message = f"{method or '-'} {path or '-'} {status}"
    access_log.handle(_RequestRecord(level, message, fields, as_json))


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
