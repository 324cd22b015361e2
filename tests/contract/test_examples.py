"""Examples that are true: each operation has one in its contract, and it is what a service answers today."""

from __future__ import annotations

import pytest

from tests.contract.asking import ApiClients
from tests.contract.contracts import APIS, EXPLANATIONS, OPERATIONS, OWN, Operation, contract_of, ids_in_every_contract
from tests.contract.examples import SHARED, csv_request, examples_of, load, shown, shown_csv


@pytest.mark.parametrize("operation", OPERATIONS + EXPLANATIONS, ids=str)
async def test_every_operation_shows_an_answer(operation: Operation) -> None:
    if operation.done == 204:
        return
    (content, *_) = operation.contract["responses"][str(operation.done)]["content"].values()
    if "$ref" in content["schema"]:
        operation.check(operation.done, content["example"])
    assert content["example"]


@pytest.mark.parametrize("api", APIS)
def test_no_example_is_of_an_operation_that_is_gone(api: str) -> None:
    assert set(load(api)) == {o.id for o in OWN if o.api == api} - set(load(SHARED))


def test_shared_examples_are_of_the_operations_that_every_process_has() -> None:
    assert set(load(SHARED)) == ids_in_every_contract()


@pytest.mark.parametrize("operation", OWN + EXPLANATIONS, ids=str)
async def test_an_example_is_what_is_answered(apis: ApiClients, operation: Operation) -> None:
    example = examples_of(operation.api)[operation.id]
    method, path = example["request"].split(" ")
    assert (method.lower(), example["body"]) == (operation.method, operation.body)
    for api in {operation.api, "gateway"} if path.startswith(f"/{operation.api}/") else {operation.api}:
        answer = await apis[api].request(method, path, **operation.sent)
        assert (answer.status_code, shown(answer)) == (example["status"], example["response"])
    if operation.has_csv:
        answer = await apis[operation.api].get(csv_request(operation, example["request"]), headers=operation.headers)
        assert shown_csv(answer) == example["csv"]
        assert operation.response(200)["content"]["text/csv"]["example"] == example["csv"]
    if operation.done != 204:
        (content, *_) = operation.contract["responses"][str(operation.done)]["content"].values()
        assert content["example"] == example["response"]


@pytest.mark.parametrize("api", APIS)
async def test_the_example_of_a_problem_is_what_is_answered(apis: ApiClients, api: str) -> None:
    (content,) = contract_of(api)["components"]["responses"]["Problem"]["content"].values()
    answer = await apis[api].get(content["example"]["instance"])
    assert answer.json() | {"request_id": content["example"]["request_id"]} == content["example"]
