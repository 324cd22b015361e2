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


def problem(operation: Operation, answer: httpx.Response, status: int = 422) -> Contract:
    """The problem document of an answer, after it was held against the contract."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    found: Contract = answer.json()
    operation.check(status, found)
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    return found


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
