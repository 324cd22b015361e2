"""Every operation can be tried as its contract shows it: with what a documentation page fills in and sends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from mmptf_local.issuer import CLIENTS
from tests.contract.asking import ApiClients, rows
from tests.contract.contracts import APIS, CSV_NEEDS, OPERATIONS, OWN, Operation, operations_of
from tests.tokens import bearer

# Parameters without an example: why none can be given.
WITHOUT_EXAMPLE = {
    "as_of": "which revisions and days there are depends on when an installation was filled",
    "cursor": "only an answer gives one",
    "format": "the media type of the answer, which is chosen among those that are listed",
}
# What no entry of the prepared ledger has: nothing in it is wrong, calls for a question or is of a closed period.
NOT_PREPARED = {"flag", "corrects", "period"}


def signed_in(operation: Operation) -> Iterator[dict[str, str]]:
    """The headers of each client of the local issuer whose token has the scopes that an operation names."""
    if operation.is_open:
        yield {}
        return
    for name, client in CLIENTS.items():
        if any(set(one["bearer"]) <= set(client.scopes) for one in operation.contract["security"]):
            yield bearer(name)


async def tried(apis: ApiClients, operation: Operation, headers: dict[str, str], **options: Any) -> str | None:
    """What is wrong with the answers to a request as it is filled in; None where a client of the issuer gets 2xx."""
    parameters = operation.contract.get("parameters", ())
    headers |= {p["name"]: p["example"] for p in parameters if p["in"] == "header" and "example" in p}
    query = {**operation.filled_in, **options.pop("query", {})}
    answers: list[httpx.Response] = []
    for token in signed_in(operation):
        answers.append(
            await apis[operation.api].request(
                operation.method.upper(),
                operation.path,
                params=urlencode(query, doseq=True),
                headers={**headers, **token},
                **options,
            )
        )
        if answers[-1].is_success:
            return None
    return f"{operation} {query} {headers.get('accept')}: {[answer.text[:400] for answer in answers]}"


def shown(api: str) -> list[Operation]:
    """The operations of an API; of those that the gateway forwards one of each kind, all with COMBINATIONS=all."""
    if api == "gateway" and os.environ.get("COMBINATIONS") != "all":
        return [operation for operation in OPERATIONS if operation.api == api]
    return operations_of(api)


@pytest.mark.tries_more
@pytest.mark.parametrize("api", APIS)
async def test_every_read_is_answered_in_each_representation(apis: ApiClients, api: str) -> None:
    wrong = []
    for operation in shown(api):
        if operation.is_read:
            for media in operation.response(200)["content"]:
                needed = CSV_NEEDS.get(operation.id, {}) if media == "text/csv" else {}
                wrong.append(await tried(apis, operation, {"accept": media}, query=needed))
    assert len(wrong) > 5
    assert not any(wrong), "\n".join(filter(None, wrong))


def bodies(operation: Operation) -> Iterator[tuple[str, Any]]:
    """The bodies that the contract exemplifies: media type and value; an empty one where the operation takes none."""
    content = operation.contract.get("requestBody", {}).get("content", {})
    if not content:
        yield "", None
    for media, shown in content.items():
        for example in [{"value": shown["example"]}] if "example" in shown else shown.get("examples", {}).values():
            yield media, example["value"]


@pytest.mark.parametrize("api", APIS)
def test_the_keys_that_are_filled_in_are_those_of_different_writes(api: str) -> None:
    keys = [
        parameter["example"]
        for operation in operations_of(api)
        for parameter in operation.contract.get("parameters", ())
        if parameter["name"] == "Idempotency-Key" and parameter["required"]
    ]
    assert len(set(keys)) == len(keys)


# Computations, which store nothing.
COMPUTATIONS = {"score_answers"}


@pytest.mark.tries_more
@pytest.mark.parametrize("api", APIS)
async def test_every_write_can_be_tried_with_each_example_of_its_body(apis: ApiClients, api: str) -> None:
    wrong = []
    for operation in shown(api):
        if operation.is_read:
            continue
        assert operation.writes != (operation.id in COMPUTATIONS), f"{operation} has no dry run"
        tries = 0
        for media, value in bodies(operation):
            # A file is shown as its text, also where it is JSON.
            is_file = media != "application/json" or isinstance(value, str)
            body = {"content": value} if is_file else {"json": value}
            headers = {"content-type": media} if media else {}
            query = {"dry_run": "true"} if operation.writes else {}
            wrong.append(await tried(apis, operation, headers, query=query, **body))
            tries += 1
        assert tries, f"{operation} exemplifies no body"
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("operation", [o for o in OWN if o.is_read and o.query], ids=str)
async def test_each_filter_has_an_example_that_finds_something(apis: ApiClients, operation: Operation) -> None:
    examples = operation.filters
    assert set(operation.query) - WITHOUT_EXAMPLE.keys() <= examples.keys() | operation.filled_in.keys()
    wrong = []
    for name, value in examples.items():
        answer = await apis[operation.api].get(
            operation.path, params=urlencode({name: value}, doseq=True), headers=operation.headers
        )
        if answer.status_code != 200 or (rows(answer) == 0 and name not in NOT_PREPARED):
            wrong.append(f"{name}={value}: {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
