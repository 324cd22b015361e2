"""Logs as JSON lines, one for each request, each with the request id and the trace id."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_plus

from pythonjsonlogger.core import RESERVED_ATTRS, BaseJsonFormatter

from mmptf_common.process.context import current
from mmptf_common.process.failure_log import WithoutReported

access_log = logging.getLogger("mmptf.access")
MASK = "***"
# Most characters of a path and of a query in a line.
LONGEST_TARGET = 2000
_SECRET_NAME = re.compile(
    r"token|passw|secret|authorization|credential|signature|api[-_.]?key|^(access[-_.]?|private[-_.]?)?key$|^pwd$|^auth$|^sig$",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w.-]*")
# What no query without one of these has to be looked at for.
_MAY_BE_SECRET = re.compile(r"token|pass|secret|auth|cred|sig|key|pwd|eyj", re.IGNORECASE)

# Created once: json.dumps would create an encoder for each line.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class JsonLines(BaseJsonFormatter):
    """One JSON object a line: time (RFC 3339 UTC), level, logger, message, request and trace id, exception, extras."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message"],
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        if context := current.get():
            message_dict = {"request_id": context.request_id, "trace_id": context.trace_id, **message_dict}
        super().add_fields(log_data, record, message_dict)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        return _encode(log_data)


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
    extra = {
        "method": method,
        "path": path,
        "query": masked(query.decode("latin-1")[:LONGEST_TARGET]),
        "status": status,
        "ms": round(ms, 2),
        "bytes": sent,
        "client": client[0][:64] if client else None,
        "subject": subject,
        "internal": internal,
    }
    if reason is not None:
        extra["reason"] = reason
    access_log.log(level, "%s %s %d", method or "-", path or "-", status, extra=extra)


def masked(query: str) -> str:
    """A query with `***` in place of the values of parameters named like a secret, and of what looks like a token."""
    if not _MAY_BE_SECRET.search(unquote_plus(query) if "%" in query else query):
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
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.error").addFilter(WithoutReported())
    logging.getLogger("alembic").setLevel(logging.WARNING)
