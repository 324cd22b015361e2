"""Every body is bounded: its size, its arrays and maps, and what an answer to a wrong one takes."""

from __future__ import annotations

import json
import time

import pytest

from mmptf_common.wire.problems import ERRORS_IN_DETAIL, MAX_ERRORS
from tests.contract.asking import ApiClients, ask, problem
from tests.contract.test_bodies import JSON, WITH_BODY, Operation, all_members, pointer

# Bytes of the largest answer to a wrong body, which lists MAX_ERRORS errors with what is allowed in place of each.
LARGEST_REFUSAL = 2_000_000
# Seconds for a body of 1 MB on a busy machine.
LONGEST_REFUSAL = 5.0


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_every_array_and_map_of_a_body_has_a_bound(operation: Operation) -> None:
    for at, schema in all_members(operation):
        if schema.get("type") == "array":
            assert "maxItems" in schema, pointer(at)
        if schema.get("type") == "object" and "properties" not in schema:
            assert "maxProperties" in schema, pointer(at)


@pytest.mark.longer
@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_body_of_wrong_members_alone_is_refused_briefly(apis: ApiClients, operation: Operation) -> None:
    members = {f"member-{n}": 1 for n in range(50_000)}
    bodies = [members, *({name: members} for name in operation.body)]
    for body in bodies:
        began = time.monotonic()
        answer = await ask(apis, operation, content=json.dumps(body), headers=JSON)
        assert time.monotonic() - began < LONGEST_REFUSAL
        assert answer.status_code in {413, 422}
        refused = problem(operation, answer, answer.status_code)
        assert len(answer.content) < LARGEST_REFUSAL
        assert len(refused["errors"]) <= MAX_ERRORS
        assert len(refused["detail"]) < ERRORS_IN_DETAIL * 1000


@pytest.mark.parametrize(("answers", "status"), [(70_000, 413), (3_000, 422)])
async def test_unknown_answers_of_a_score_are_refused_briefly(apis: ApiClients, answers: int, status: int) -> None:
    """As many as one may send in a megabyte, and as many as the body of a score has room for."""
    (operation,) = (o for o in WITH_BODY if o.path.endswith("/score") and o.api == "markers")
    body = {**operation.body, "answers": {f"unknown-{n}": 1 for n in range(answers)}}
    began = time.monotonic()
    answer = await ask(apis, operation, json=body)
    assert time.monotonic() - began < LONGEST_REFUSAL
    assert answer.status_code == status, answer.text[:500]
    assert len(answer.content) < LARGEST_REFUSAL
    assert len(problem(operation, answer, status).get("errors", ())) <= MAX_ERRORS


async def test_a_refusal_says_how_many_errors_it_does_not_list(apis: ApiClients) -> None:
    (operation,) = (o for o in WITH_BODY if o.path.endswith("/ledger"))
    body = {**operation.body, **{f"member-{n}": 1 for n in range(5000)}}
    refused = problem(operation, await ask(apis, operation, json=body))
    assert len(refused["errors"]) == MAX_ERRORS
    assert f"and {5000 - ERRORS_IN_DETAIL:,} more errors, of which `errors` lists 990" in refused["detail"]
