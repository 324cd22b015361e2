"""Requests with the examples of the contract, and answers compared with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx

from tests.contract.contracts import PROBLEM, Contract, Operation

ApiClients = dict[str, httpx.AsyncClient]


async def ask(
    apis: ApiClients, operation: Operation, query: str = "", *, method: str | None = None, **options: Any
) -> httpx.Response:
    """One request as the contract exemplifies it, with a query string that is sent as it stands.

    A write that could be carried out is tried only, so that what one test asks another one does not see; what a batch
    refuses it says row by row.
    """
    sent = operation.sent
    headers = {**sent["headers"], **options.pop("headers", {})}
    if {"json", "content"} & options.keys():
        sent = {}
    options = {**sent, **options, "headers": headers}
    for name in ("dry_run", "partial"):
        if name in operation.query and name not in query:
            query = f"{query}&{name}=true" if query else f"{name}=true"
    path = f"{operation.path}?{query}" if query else operation.path
    return await apis[operation.api].request(method or operation.method.upper(), path, **options)


# What any path may answer, which no operation lists: it is in `default`.
OF_ANY_PATH = {400, 404, 405, 431, 500, 501}


def problem(operation: Operation, answer: httpx.Response, status: int = 422) -> Contract:
    """The problem document of an answer, after it was held against the contract, which lists its status."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert str(status) in operation.contract["responses"] or status in OF_ANY_PATH, (str(operation), status)
    found: Contract = answer.json()
    operation.check(status, found)
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["type"] == f"/problems/{found['code']}"
    assert answer.headers["cache-control"] == "no-store"
    check_headers(operation, answer)
    return found


def rows(answer: httpx.Response) -> int | None:
    """How many rows an answer lists or sums; None where it is no list, feed, facets or totals."""
    found = answer.json() if answer.headers["content-type"] == "application/json" else {}
    if "totals" in found:
        return sum(total["rows"] for total in found["totals"])
    return found["total"] if "total" in found else len(found["items"]) if "items" in found else None


# The headers of every answer that the server or HTTP itself defines.
_OF_HTTP = {
    "connection", "content-encoding", "content-length", "content-type", "date", "transfer-encoding",
    "x-content-type-options",
}  # fmt: skip


def check_headers(operation: Operation, answer: httpx.Response) -> None:
    """Hold the headers of an answer against the contract: each is declared, and what is required is there."""
    declared = operation.headers_of(answer.status_code)
    others = {name for name in answer.headers if not name.startswith("access-control-")} - _OF_HTTP
    assert others <= set(declared), (answer.status_code, str(operation), others - set(declared))
    required = {name for name, header in declared.items() if header.get("required")}
    assert required <= set(answer.headers), (answer.status_code, str(operation), required - set(answer.headers))
    for name, header in declared.items():
        if name in answer.headers and header["schema"].get("type") == "integer":
            assert answer.headers[name].isdigit(), name


def error_detail(operation: Operation, answer: httpx.Response, parameter: str) -> Contract:
    """The first error that a 422 names, which must be that parameter's; the document has its code."""
    found = problem(operation, answer)
    first: Contract = found["errors"][0]
    assert (first["parameter"], first["code"]) == (parameter, found["code"])
    return first


async def errors(apis: ApiClients, operation: Operation, pairs: Iterable[tuple[str, str]]) -> list[Contract]:
    """What a 422 says of several parameters, each of them wrong."""
    query = "&".join(f"{name}={value}" for name, value in pairs)
    found: list[Contract] = problem(operation, await ask(apis, operation, query))["errors"]
    return found
