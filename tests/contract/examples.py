"""Examples of the contracts: captured answers, with what differs from one installation to the next set to one value."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx

from mmptf_common.wire.problems import PROBLEMS
from tests.contract.contracts import CSV_NEEDS, Operation

# The package whose examples are those of the operations that every process has.
SHARED = "common"
MOMENT = "2026-01-01T00:00:00Z"
# When records were written.
MOMENTS = {"updated", "changed", "at", "copied", "caught_up"}
# How often anything was written, how far a copy has come, and how long that is ago or an answer took.
NUMBERS = {"revision", "last", "milliseconds", "reached", "age_seconds"}
# What a file of the packages changes, such as the one that holds the examples.
BUILD = "0123456789ab"
# The codes of drafts, which are random, and the one that stands for all.
DRAFT_CODE, A_DRAFT_CODE = re.compile(r"D-[0-9A-HJKMNP-TV-Z]{8}"), "D-7K3M9QWT"
# The pseudonyms of reviewers and of who decides, which are random, and the one that stands for all.
PSEUDONYM, A_PSEUDONYM = re.compile(r"[0-9a-f]{16}"), "0f1e2d3c4b5a6978"
# The numbers of changes of drafts, which are made from moments, are higher than that.
MOST_SEQ = 10**12
# The id of the request that made a change.
A_REQUEST = "request-1"
# Texts that name a place in the journal.
PLACES = {"next", "locator", "link"}


def file_of(api: str) -> Path:
    """Where the examples of a service, of the gateway or of what they share are committed."""
    return Path(str(files(f"mmptf_{api}"))) / "examples.json"


def load(api: str) -> dict[str, dict[str, Any]]:
    """The examples in a file: operationId -> request, body, status, response, and csv of what has one."""
    found: dict[str, dict[str, Any]] = json.loads(file_of(api).read_text("utf-8"))
    return found


def examples_of(api: str) -> dict[str, dict[str, Any]]:
    """The examples of every operation of a service, or of the gateway's own paths; as `load`."""
    return load(SHARED) | load(api)


def settled(answer: Any, name: str = "") -> Any:
    """An answer with its moments and passing numbers set to one value; `name` is the member that holds it."""
    if isinstance(answer, dict):
        # A range of moments is an object under the name of the moment.
        return {key: settled(value, name if name in MOMENTS else key) for key, value in answer.items()}
    if isinstance(answer, list):
        return [settled(value, name) for value in answer]
    if name in MOMENTS and isinstance(answer, str):
        return MOMENT
    if name == "request_id" and isinstance(answer, str):
        return A_REQUEST
    if name == "build" and isinstance(answer, str):
        return BUILD
    if name == "seq" and answer > MOST_SEQ:
        return 1
    if name in ("code", "key") and isinstance(answer, str) and DRAFT_CODE.fullmatch(answer):
        return A_DRAFT_CODE
    if name in ("reviewer", "person", "code") and isinstance(answer, str) and PSEUDONYM.fullmatch(answer):
        return A_PSEUDONYM
    if name == "period_end":
        return MOMENT[:10]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    if name in PLACES and isinstance(answer, str):
        return re.sub(r"\b(after|as_of)=\d+", r"\1=1", answer).replace(today, MOMENT[:10])
    if name == "due" and answer == f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}":
        return MOMENT[:10]
    if answer == today:
        return MOMENT[:10]
    return 1 if name in NUMBERS else answer


def csv_request(operation: Operation, request: str) -> str:
    """The path and query of the CSV of what a request asks for; an export has no pages."""
    path, _, query = request.partition(" ")[2].partition("?")
    pairs = [pair for pair in parse_qsl(query) if pair[0] != "limit"]
    return f"{path}?{urlencode([*pairs, ('format', 'csv'), *CSV_NEEDS.get(operation.id, {}).items()])}"


def shown_csv(answer: httpx.Response) -> str:
    """The header of a CSV and its first two rows, settled as JSON is."""
    header, *rows = csv.reader(io.StringIO(answer.text))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_settled_cell(*cell) for cell in zip(row, header, strict=True)] for row in rows[:2])
    return text.getvalue()


def _settled_cell(cell: str, column: str) -> Any:
    """A cell of a CSV settled as the member of its column, whose name may follow those of what contains it."""
    member = column.rpartition("_")[2]
    return cell and settled(settled(cell, column), member)


def shown(answer: httpx.Response) -> Any:
    """An answer as an example shows it: JSON settled, other text as it is, null where there is nothing.

    The list of all error codes is no page, so that its first item stands for it as `limit=1` does for other lists.
    """
    if not answer.content:
        return None
    media = answer.headers["content-type"].partition(";")[0]
    if not media.endswith("json"):
        return answer.text
    found = settled(answer.json())
    return {**found, "items": found["items"][:1]} if answer.request.url.path == PROBLEMS else found
