"""Prism as a proxy before the gateway: it holds every request and every answer against the merged contract.

A request that it finds wrong is sent on all the same, so that what the contract forbids and what the suite refuses are
compared: an answer of success to a request that breaks the contract is a mismatch, too.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.commands import NPM
from tests.contract.contracts import COMMITTED, Contract, Operation
from tests.validators import requests
from tests.validators.requests import Request

pytestmark = NPM


@dataclass(frozen=True)
class Answer:
    """What came back to a request, and what Prism says of both."""

    request: Request
    response: httpx.Response
    violations: list[Contract]

    @property
    def mismatches(self) -> list[Contract]:
        """What Prism says against the answer, and against a request that was carried out."""
        done = self.response.status_code < 400
        return [
            each
            for each in self.violations
            if (done or each["location"][0] != "request") and not self.is_left_out(each)
        ]

    def is_left_out(self, violation: Contract) -> bool:
        """Whether it is a member of an item that the request leaves out by `fields`, which no schema can say."""
        return (
            "fields=" in self.request.target
            and violation["code"] == "required"
            and violation["location"][:3] == ["response", "body", "items"]
        )


@contextmanager
def proxied(tools: Path, contract: Path, upstream: str) -> Iterator[httpx.Client]:
    """A client of Prism before an API."""
    url = f"http://{LOOPBACK}:{(port := free_port())}"
    command = [str(tools / "prism"), "proxy", str(contract), upstream, "--host", LOOPBACK, "--port", str(port)]
    with Child("prism", [*command, "--verboseLevel", "fatal"]) as child:
        wait_until(lambda: answers_ready(f"{url}/health/live"), child, seconds=120)
        # Prism decompresses an answer and forwards the header that says how it was compressed.
        with httpx.Client(base_url=url, headers={"accept-encoding": "identity"}, timeout=60) as client:
            yield client


@pytest.fixture(scope="module")
def prism(tools: Path, gateway: str) -> Iterator[httpx.Client]:
    with proxied(tools, COMMITTED["gateway"], gateway) as client:
        yield client


def send(client: httpx.Client, request: Request) -> Answer:
    response = client.request(
        request.operation.method, request.target, headers=request.headers, json=request.json, content=request.content
    )
    return Answer(request, response, violations_of(response))


def violations_of(response: httpx.Response) -> list[Contract]:
    """What Prism says; one that names all where they are too many for the header."""
    said = response.headers.get("sl-violations", "[]")
    if not said.startswith("["):
        return [{"location": ["response"], "code": "many", "message": said[:1000]}]
    found: list[Contract] = json.loads(said)
    return found


def without_mismatch(client: httpx.Client, asked: Iterable[Request]) -> list[Answer]:
    """The answers to requests; fails with every request of which Prism finds a mismatch."""
    answers = [send(client, request) for request in asked]
    found = [
        f"{answer.response.status_code} {answer.request}: {each['location']} {each['message']}"
        for answer in answers
        for each in answer.mismatches
    ]
    assert not found, "\n".join(found)
    return answers


def statuses(answers: Iterable[Answer]) -> Counter[int]:
    return Counter(answer.response.status_code for answer in answers)


@pytest.fixture(scope="module")
def examples(prism: httpx.Client) -> list[Answer]:
    """Every read, as the contract exemplifies it."""
    return without_mismatch(prism, requests.examples())


def test_examples_of_reads(prism: httpx.Client, examples: list[Answer]) -> None:
    assert statuses(examples) == {200: len(requests.READS)}
    assert len(examples) > 100


def test_unchanged_reads(prism: httpx.Client, examples: list[Answer]) -> None:
    again = [
        requests.read(answer.request.operation, **{"if-none-match": answer.response.headers["etag"]})
        for answer in examples
        if "etag" in answer.response.headers
    ]
    assert statuses(without_mismatch(prism, again)) == {304: len(again)}
    assert len(again) > 70


def test_varied_reads(prism: httpx.Client) -> None:
    answers = without_mismatch(prism, requests.varied(cursors(prism)))
    assert len(answers) > 500
    assert statuses(answers) == {200: len(answers)}, [a.response.text for a in answers if a.response.is_error]


def cursors(client: httpx.Client) -> dict[Operation, str]:
    """The cursor of the second page of every list that has one, with one row a page."""
    found = {}
    for operation in requests.READS:
        if operation.is_list:
            page = client.get(operation.path, params={"limit": 1}, headers=operation.headers).json()
            if page["next"]:
                found[operation] = httpx.URL(page["next"]).params["cursor"]
    return found


def test_wrong_reads(prism: httpx.Client) -> None:
    found = statuses(without_mismatch(prism, requests.wrong()))
    assert {401, 404, 406, 422} <= set(found)
    assert sum(count for status, count in found.items() if status >= 400) > 350


def test_writes(prism: httpx.Client) -> None:
    answers = without_mismatch(prism, requests.writes())
    assert all(answer.response.is_success for answer in answers), [a.response.text for a in answers]
    assert len(answers) == len(requests.WRITES)


def test_wrong_writes(prism: httpx.Client) -> None:
    found = statuses(without_mismatch(prism, requests.wrong_writes()))
    assert {400, 401, 403, 415, 422, 428} <= set(found)
    assert sum(count for status, count in found.items() if status >= 400) > 150


def test_an_answer_that_does_not_match_is_found(
    tools: Path, gateway: str, tmp_path: Path, examples: list[Answer]
) -> None:
    # Prism says nothing where it cannot compile a schema, so each schema of an answer is compiled with a member more.
    contract = copy.deepcopy(json.loads(COMMITTED["gateway"].read_text("utf-8")))
    described = []
    for operation in requests.READS:
        content = contract["paths"][operation.template]["get"]["responses"]["200"].get("content", {})
        if schema := content.get("application/json", {}).get("schema"):
            content["application/json"]["schema"] = {"allOf": [schema, {"required": ["no_such_member"]}]}
            described.append(requests.read(operation))
    changed = tmp_path / "openapi.json"
    changed.write_text(json.dumps(contract))
    with proxied(tools, changed, gateway) as client:
        answers = [send(client, request) for request in described]
    assert [str(answer.request) for answer in answers if not answer.mismatches] == []
    assert len(answers) > 100
