"""Capture the examples of the contracts anew: python -m tests.contract.refresh_examples, then `make contracts`.

The requests stay those that are in the files; an operation that has none yet is asked as its contract exemplifies it.
"""

from __future__ import annotations

import json
import os

import httpx

from mmptf_local.processes import free_port
from mmptf_local.state import temporary_state
from mmptf_local.suite import running_suite
from tests.contract.contracts import APIS, OWN, Operation, ids_in_every_contract
from tests.contract.examples import SHARED, csv_request, file_of, load, shown, shown_csv
from tests.contract.prelude import prepare
from tests.suite import NO_LOTS
from tests.tokens import identity


def first_request(operation: Operation) -> str:
    query = "?limit=1" if "limit" in operation.query else "?dry_run=true" if operation.writes else ""
    if "partial" in operation.query:
        query += "&partial=true"
    return f"{operation.method.upper()} {operation.path}{query}"


def capture(name: str, operations: list[Operation], client: httpx.Client) -> None:
    """Ask every operation, and write the file of this name."""
    known = load(name)
    examples = {}
    for operation in operations:
        request = known.get(operation.id, {}).get("request") or first_request(operation)
        method, path = request.split(" ")
        answer = client.request(method, path, **operation.sent)
        examples[operation.id] = {
            "request": request,
            "body": operation.body,
            "status": answer.raise_for_status().status_code,
            "response": shown(answer),
        }
        if operation.has_csv:
            table = client.get(csv_request(operation, request), headers=operation.headers)
            examples[operation.id]["csv"] = shown_csv(table.raise_for_status())
    file_of(name).write_text(json.dumps(examples, ensure_ascii=False, indent=1) + "\n", "utf-8")


def main() -> None:
    environment = {**os.environ, **NO_LOTS, "PORT": str(free_port()), **identity()}
    with temporary_state() as state, running_suite(state, environment, durable=False) as suite:
        prepare(suite)
        shared = ids_in_every_contract()
        for name in (*APIS, SHARED):
            # What every process has is asked of the gateway.
            api = "gateway" if name == SHARED else name
            operations = [o for o in OWN if o.api == api and (o.id in shared) == (name == SHARED)]
            with httpx.Client(base_url=suite.urls[api]) as client:
                capture(name, operations, client)


if __name__ == "__main__":
    main()
