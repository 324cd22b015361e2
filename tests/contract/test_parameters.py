"""Every parameter of every operation is held strictly: what an operation does not take, it refuses and explains."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.contracts import (
    LISTS,
    OPERATIONS,
    PARAMETERS,
    PROBLEM,
    Document,
    Operation,
    is_many,
    takes_codes,
    words_of,
)

Doors = dict[str, httpx.AsyncClient]
LONG_NUMBER = "1" * 30


async def ask(doors: Doors, operation: Operation, query: str = "", **options: Any) -> httpx.Response:
    """One request as the contract exemplifies it, with a query string that is sent as it stands."""
    body = operation.body
    return await doors[operation.door].request(
        operation.method.upper(),
        f"{operation.path}?{query}" if query else operation.path,
        **({"json": body} if body is not None else {}),
        **options,
    )


def problem(operation: Operation, answer: httpx.Response, status: int = 422) -> Document:
    """The problem document of an answer, after it was held against the contract."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    found: Document = answer.json()
    operation.check(status, found)
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["errors"]
    assert found["code"] == found["errors"][0]["code"]
    return found


def fault(operation: Operation, answer: httpx.Response, parameter: str) -> Document:
    """The first fault that a 422 names, which must be that parameter's."""
    first: Document = problem(operation, answer)["errors"][0]
    assert first["parameter"] == parameter
    return first


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_an_unknown_parameter_is_refused_with_all_that_are_known(doors: Doors, operation: Operation) -> None:
    found = fault(operation, await ask(doors, operation, "nobody_knows_this=1"), "nobody_knows_this")
    assert found["code"] == "unknown_parameter"
    assert found["allowed"] == list(operation.query)
    assert found["suggestion"] is None


@pytest.mark.parametrize(("operation", "name"), [(o, n) for o, n in PARAMETERS if len(n) > 3], ids=str)
async def test_a_misspelt_parameter_is_refused_with_the_one_that_was_meant(
    doors: Doors, operation: Operation, name: str
) -> None:
    for misspelt in (name[:1] + name[2:], name + "x", name.upper()):
        found = fault(operation, await ask(doors, operation, f"{misspelt}=1"), misspelt)
        assert (found["code"], found["suggestion"]) == ("unknown_parameter", name)


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_contry_is_not_country(doors: Doors, operation: Operation) -> None:
    found = fault(operation, await ask(doors, operation, "contry=SRB"), "contry")
    assert found["code"] == "unknown_parameter"
    if "country" in operation.query:
        assert found["suggestion"] == "country"


@pytest.mark.parametrize(("operation", "name"), PARAMETERS, ids=str)
async def test_what_no_value_may_be_is_refused_by_name(doors: Doors, operation: Operation, name: str) -> None:
    for wrong in ("%25", "a%25b", "%00", "%ff", "%C3%28", "%ED%A0%80", "%0A", "%7F"):
        found = fault(operation, await ask(doors, operation, f"{name}={wrong}"), name)
        assert found["code"] == "invalid_characters", wrong
    found = fault(operation, await ask(doors, operation, f"{name}="), name)
    assert found["code"] in {"invalid_parameter", "invalid_cursor", "unknown_code"}
    assert found["allowed"] or name == "q"


@pytest.mark.parametrize(("operation", "name"), PARAMETERS, ids=str)
async def test_a_number_of_thirty_digits_is_only_ever_a_word(doors: Doors, operation: Operation, name: str) -> None:
    answer = await ask(doors, operation, f"{name}={LONG_NUMBER}")
    if name == "q":
        assert answer.status_code == 200
    else:
        fault(operation, answer, name)


@pytest.mark.parametrize(("operation", "name"), PARAMETERS, ids=str)
async def test_only_filters_that_take_several_values_may_be_repeated(
    doors: Doors, operation: Operation, name: str
) -> None:
    value = (words_of(operation.query[name]) or ["1"])[0]
    answer = await ask(doors, operation, f"{name}={value}&{name}={value}")
    if not is_many(operation.query[name]):
        assert fault(operation, answer, name)["code"] == "repeated_parameter"
    elif words_of(operation.query[name]):
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("operation", "name"), [(o, n) for o, n in PARAMETERS if takes_codes(o.query[n])], ids=str
)
async def test_a_code_that_nobody_has_is_refused_with_the_codes_that_exist(
    doors: Doors, operation: Operation, name: str
) -> None:
    found = fault(operation, await ask(doors, operation, f"{name}=No-such-code"), name)
    assert found["code"] == "unknown_code"
    if words := words_of(operation.query[name]):
        assert found["allowed"] == words
        near = fault(operation, await ask(doors, operation, f"{name}={words[0]}x"), name)
        assert near["suggestion"] == words[0]
    else:
        (where,) = found["allowed"]
        listed = await doors[operation.door].get(where.removeprefix("see "), params={"limit": 1000})
        assert listed.json()["total"] > 0


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_all_faults_are_told_at_once(doors: Doors, operation: Operation) -> None:
    query = "&".join(["unheard_of=1", *(f"{name}=%25" for name in operation.query)])
    named = [error["parameter"] for error in problem(operation, await ask(doors, operation, query))["errors"]]
    assert named == ["unheard_of", *operation.query]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_a_query_of_more_parameters_than_anyone_needs_is_refused(doors: Doors, operation: Operation) -> None:
    found = problem(operation, await ask(doors, operation, "&".join(["x=1"] * 201)))
    assert found["code"] == "too_many_parameters"


IN_PATH = [o for o in OPERATIONS if "{code}" in o.template]


@pytest.mark.parametrize("operation", IN_PATH, ids=str)
@pytest.mark.parametrize(
    "code",
    ["%25", "%00", "%ff", "%C3%28", "%0A", "%20", "a%2Fb", "..%2f", "-", "'", LONG_NUMBER, "x" * 64, "x" * 65,
     "x" * 2000, quote("кód"), "%"],
)  # fmt: skip
async def test_a_code_in_the_path_that_cannot_be_is_a_problem(doors: Doors, operation: Operation, code: str) -> None:
    answer = await ask(doors, operation)
    assert answer.status_code == 200
    url = doors[operation.door].base_url.copy_with(raw_path=operation.template.replace("{code}", code).encode())
    answer = await doors[operation.door].get(url)
    assert answer.status_code in {404, 422}
    found = problem_of_path(operation, answer)
    if answer.status_code == 422:
        assert found["errors"][0]["parameter"] == "code"


def problem_of_path(operation: Operation, answer: httpx.Response) -> Document:
    """The problem of a path that may not be an operation's at all, and then names no fault."""
    assert answer.headers["content-type"] == PROBLEM
    found: Document = answer.json()
    operation.check(answer.status_code, found)
    assert found["request_id"] == answer.headers["x-request-id"]
    return found


@pytest.mark.parametrize("operation", IN_PATH, ids=str)
async def test_a_code_that_nobody_has_is_a_404_with_the_nearest(doors: Doors, operation: Operation) -> None:
    known = operation.contract["parameters"][0]["schema"]["examples"][0]
    for given, meant in (("no-such-code-anywhere", None), (f"{known}x" if len(known) > 2 else "nothing", known)):
        answer = await doors[operation.door].get(operation.template.replace("{code}", given))
        found = problem(operation, answer, 404)
        assert found["code"] == "unknown_code" or found["code"] == "not_found"
        if len(known) > 2:
            assert found["errors"][0]["suggestion"] == meant
