"""Logs as JSON lines, one for each request, each with the request id and the trace id."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS, BaseJsonFormatter

from mmptf_common.process.context import current

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
    logging.getLogger("alembic").setLevel(logging.WARNING)
