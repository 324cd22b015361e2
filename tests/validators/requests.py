"""Requests made from the merged contract, the same in every run: its examples, varied ones, wrong ones, and writes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.contract.contracts import METHODS, Contract, Operation, contract_of, is_many, words_of
from tests.tokens import bearer

OPERATIONS = [
    Operation("gateway", method, template)
    for template, item in contract_of("gateway")["paths"].items()
    for method in METHODS
    if method in item
]
READS = [operation for operation in OPERATIONS if operation.is_read]
WRITES = [operation for operation in OPERATIONS if not operation.is_read]
# How many queries with several parameters are asked of each read that has more than one.
COMBINATIONS = 2
# Values of the parameters that close none: codes that the data have, and what other texts a parameter takes.
CODES = {
    "area": ["assistance", "labour"],
    "contributor": ["DEU", "CYP"],
    "country": ["KEN", "SRB"],
    "edition": ["MI-2015"],
    "grade": ["A", "C"],
    "language": ["fr"],
    "marker": ["human_rights"],
    "objective": ["6", "18"],
    "organization": ["ILO", "IOM"],
    "place": ["AGO", "CHL"],
    "programme": ["ETH-01", "SRB-01"],
    "region": ["150", "002"],
    "rubric": ["hr-marker-illustrative.1"],
    "stage": ["funded", "pipeline"],
    "target_population": ["governments", "migrants"],
    "thematic_area": ["2", "5"],
}
# Where codes are others: the regions of an edition, the parties that an entry names, rubrics without their version.
OWN_CODES = {
    "/funding/v1/requirements": {"region": ["asia-pacific", "see-eeca"]},
    "/funding/v1/totals": {"region": ["asia-pacific", "see-eeca"]},
    "/funding/v1/ledger": {"organization": ["ILO"], "programme": ["ETH-01"]},
    "/funding/v1/transfer-proposals": {"organization": ["ILO"], "programme": ["ETH-01"]},
    "/markers/v1/rubrics": {"rubric": ["hr-marker-illustrative"]},
}
# What is a table only in groups.
IN_GROUPS = {"/markers/v1/indicator": [("by", "country")]}
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
VALUES = {
    "after": ["0", "3"],
    "amount_max": ["750000", "99999999.99"],
    "amount_min": ["0", "1000.50"],
    "as_of": [TODAY],
    "budget_max": ["5000000"],
    "budget_min": ["1000000.00"],
    "date_from": ["2020-01-01"],
    "date_to": ["2030-12-31"],
    "days": ["5"],
    "due_before": ["2027-12-31"],
    "due_for": ["2025"],
    "earlier": ["A-000001"],
    "language": ["fr"],
    "limit": ["1", "7", "200"],
    "on": ["2026-06-30"],
    "q": ["migration", '"human rights" -border', "sante"],
    "stage": ["programme_document"],
    "target": ["human-rights-90"],
    "updated_since": ["2024-02-29", "2024-02-29T12:00:00Z"],
    "wait": ["0"],
}
# No value of any parameter but a search, which is not asked with them.
WRONG = ("no such value", "-1", "9999999999999999999")


@dataclass(frozen=True)
class Request:
    """One request, with the path and query as they are sent."""

    operation: Operation
    target: str
    headers: Contract
    json: Any = None
    content: str | bytes | None = None

    def __str__(self) -> str:
        return f"{self.operation.method.upper()} {self.target} {self.json if self.content is None else self.content!r}"


def read(operation: Operation, *query: tuple[str, str], path: str | None = None, **headers: str) -> Request:
    """A read with a query."""
    target = f"{path or operation.path}?{urlencode(query)}".removesuffix("?")
    return Request(operation, target, {**operation.headers, **headers})


def examples() -> list[Request]:
    """Every read as the contract exemplifies it."""
    return [read(operation) for operation in READS]


def values_of(operation: Operation, name: str) -> list[str]:
    """Values of a query parameter that are valid by themselves."""
    schema = operation.query[name]
    if words := words_of(schema):
        return words
    if name == "fields":
        return operation.members
    if name == "code":
        # Each list has codes of its own, one of which is its example.
        example: list[str] = schema["examples"][0]
        return example
    for template, codes in OWN_CODES.items():
        if operation.template.startswith(template) and name in codes:
            return codes[name]
    known = CODES if is_many(schema) else VALUES
    if name in known:
        return known[name]
    given = schema["examples"][0]
    return given if is_many(schema) else [given]


def varied(cursors: Mapping[Operation, str]) -> Iterator[Request]:
    """Reads with each parameter alone, with several together, in each format, and with the cursor of a second page."""
    chosen = random.Random(1)
    for operation in READS:
        names = [name for name in operation.query if name != "cursor"]
        for name in names:
            values = values_of(operation, name)
            for value in values if name == "format" else chosen.sample(values, 1):
                yield read(operation, *fitting(operation, [(name, value)]))
        if operation in cursors:
            yield read(operation, ("limit", "1"), ("cursor", cursors[operation]))
        for _ in range(COMBINATIONS if len(names) > 1 else 0):
            query = []
            for name in chosen.sample(names, chosen.randint(2, min(5, len(names)))):
                values, schema = values_of(operation, name), operation.query[name]
                # Two orders may be of one key, which has one direction.
                most = schema.get("maxItems", len(values)) if is_many(schema) and name != "sort" else 1
                query += [(name, value) for value in chosen.sample(values, min(2, most, len(values)))]
            yield read(operation, *fitting(operation, query))
        if "format" in operation.query:
            yield read(operation, *IN_GROUPS.get(operation.template, ()), accept=chosen.choice(media_types(operation)))


def media_types(operation: Operation) -> list[str]:
    """Those of a read's answer."""
    return list(operation.response(200)["content"])


def fitting(operation: Operation, query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A query without what does not go with the rest of it.

    An export has no pages, a table has groups, and an accounting period has its own first and last day.

    One item only where members are chosen: each that is left out is a violation, and the header that has them is short.
    """
    given = dict(query)
    if "period" in given:
        query = [(name, value) for name, value in query if name not in ("date_from", "date_to")]
    if given.get("format", "json") != "json":
        query = [(name, value) for name, value in query if name not in ("limit", "fields")]
        query += [pair for pair in IN_GROUPS.get(operation.template, ()) if pair[0] not in given]
    elif "fields" in given:
        query = [*((name, value) for name, value in query if name != "limit"), ("limit", "1")]
    return query


def wrong() -> Iterator[Request]:
    """Reads that are refused: unknown parameters, values, records and media types, and tokens that are none."""
    chosen = random.Random(2)
    for operation in READS:
        yield read(operation, ("no_such_parameter", "1"))
        closed = [name for name in operation.query if name != "q"]
        for name in chosen.sample(closed, min(2, len(closed))):
            yield read(operation, (name, chosen.choice(WRONG)))
        if operation.code:
            path = operation.template.replace("{edition}", "MI-2015").replace(f"{{{operation.code}}}", "No-such-code")
            yield read(operation, path=path)
        if not operation.is_open:
            yield Request(operation, operation.path, {})
            yield Request(operation, operation.path, {"authorization": "Bearer no.such.token"})
        if operation.template.split("/")[1] not in ("health", "problems"):
            yield read(operation, accept="image/png")


def tried(operation: Operation, headers: Contract | None = None, **body: Any) -> Request:
    """The example of a write, with other headers or another body, that is tried only; a batch, row by row."""
    sent = operation.sent
    query = {name: "true" for name in ("dry_run", "partial") if name in operation.query}
    return Request(
        operation,
        f"{operation.path}?{urlencode(query)}".removesuffix("?"),
        sent["headers"] if headers is None else headers,
        **body or {name: value for name, value in sent.items() if name != "headers"},
    )


def writes() -> list[Request]:
    """Every write as the contract exemplifies it, tried only."""
    return [tried(operation) for operation in WRITES]


def wrong_writes() -> Iterator[Request]:
    """Every write without a token, by others, without its key or its condition, and with bodies that are not right."""
    for operation in WRITES:
        headers = operation.sent["headers"]
        if not operation.is_open:
            for left_out in ("authorization", "idempotency-key", "if-match"):
                yield tried(operation, {name: value for name, value in headers.items() if name != left_out})
            yield tried(operation, {**headers, **bearer("reviewer")})
            yield tried(operation, {**headers, "if-match": '"0-0"'})
        if operation.body is not None:
            yield tried(operation, json={})
            yield tried(operation, json=[])
            yield tried(operation, json={**operation.body, "no_such_member": 1})
            for member in operation.body:
                yield tried(operation, json={**operation.body, member: {"no": "such"}})
            yield tried(operation, {**headers, "content-type": "text/plain"}, content=b"text")
