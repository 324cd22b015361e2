"""The examples of the contract, asked of a suite that has nothing but the packaged data."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from mmptf_common.http.openapi import NOT_PACKAGED
from mmptf_local.processes import free_port
from mmptf_local.state import temporary_state
from mmptf_local.suite import running_suite
from tests.contract.contracts import OWN, Operation
from tests.tokens import identity

READS = [operation for operation in OWN if operation.is_read]
# The lists of what is only ever written, and their facets and totals.
WRITTEN = (
    "/catalog/v1/drafts", "/funding/v1/ledger", "/markers/v1/drafts", "/markers/v1/assessments", "/markers/v1/actions",
    "/markers/v1/translations",
)  # fmt: skip


@pytest.fixture(scope="module")
def packaged() -> Iterator[dict[str, str]]:
    """`http://127.0.0.1:port` of each API of a suite without any write; the markers have copied their sources."""
    environment = {**os.environ, "PORT": str(free_port()), **identity()}
    with temporary_state() as state, running_suite(state, environment, durable=False) as suite:
        copies = f"{suite.urls['markers']}/markers/v1/copies"
        while any(copy["caught_up"] is None for copy in httpx.get(copies).json()["copies"]):
            time.sleep(0.1)
        yield dict(suite.urls)


def parameters(operation: Operation, place: str) -> list[dict[str, Any]]:
    return [p for p in operation.contract.get("parameters", ()) if p["in"] == place]


def rows(answer: httpx.Response) -> int | None:
    """How many rows an answer has or sums; None where it is no list, facets or totals."""
    found = answer.json() if answer.headers["content-type"] == "application/json" else {}
    if "totals" in found:
        return sum(total["rows"] for total in found["totals"])
    return found.get("total")


@pytest.mark.parametrize("operation", READS, ids=str)
def test_the_examples_are_of_the_packaged_data(packaged: dict[str, str], operation: Operation) -> None:
    url = packaged[operation.api] + operation.path
    codes, filters = parameters(operation, "path"), parameters(operation, "query")
    examples = [(p["name"], p["schema"]["examples"][0]) for p in filters if "examples" in p["schema"]]
    # What a documentation page fills in and sends: the examples of parameters, and the defaults of their schemas.
    assert not any("example" in p or "examples" in p for p in filters), "a filter nobody chose would be sent"
    filled_in = [(p["name"], p["schema"]["default"]) for p in filters if "default" in p["schema"]]
    if any(p["description"].endswith(NOT_PACKAGED) for p in codes):
        answer = httpx.get(url, headers=operation.headers, timeout=30)
        assert answer.status_code == 404, answer.text
        return
    unfiltered = httpx.get(url, headers=operation.headers, timeout=30)
    assert unfiltered.status_code == 200, unfiltered.text
    assert (rows(unfiltered) == 0) == operation.path.startswith(WRITTEN)
    for query in (filled_in, *([example] for example in examples), examples):
        answer = httpx.get(url, params=urlencode(query, doseq=True), headers=operation.headers, timeout=30)
        assert answer.status_code == 200, (query, answer.text)
        assert rows(answer) != 0 or rows(unfiltered) == 0, query


@pytest.mark.parametrize("operation", [o for o in OWN if not o.is_read and o.code], ids=str)
def test_a_code_of_a_record_that_is_written_first_says_so(packaged: dict[str, str], operation: Operation) -> None:
    (code,) = parameters(operation, "path")
    found = httpx.get(
        packaged[operation.api] + "/".join(operation.path.split("/")[:5]), headers=operation.headers, timeout=30
    )
    assert (found.status_code == 404) == code["description"].endswith(NOT_PACKAGED)
