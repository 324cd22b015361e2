"""Every parameter of every operation is validated: what an operation does not take is rejected with the reason.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mmptf_common.http.parameters import AMOUNT_PATTERN
from tests.contract.asking import ApiClients, ask, error_detail, errors, problem
from tests.contract.contracts import (
    ANY_TEXT,
    LISTS,
    OWN,
    OWN_CODES,
    Operation,
    has_order,
    in_turn,
    is_many,
    takes_codes,
    words_of,
)

LONG_NUMBER = "1" * 30


@pytest.mark.parametrize("operation", OWN, ids=str)
async def test_an_unknown_parameter_is_refused_with_all_that_are_known(apis: ApiClients, operation: Operation) -> None:
    found = error_detail(operation, await ask(apis, operation, "nobody_knows_this=1"), "nobody_knows_this")
    assert found["code"] == "unknown_parameter"
    assert found["allowed"] == list(operation.query)
    assert found["suggestion"] is None


WITH_PARAMETERS = [o for o in OWN if o.query]


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
def test_the_contract_says_which_texts_a_parameter_takes(operation: Operation) -> None:
    """Empty texts and control characters are refused everywhere, so a contract that takes any text is too wide."""
    for name, schema in operation.query.items():
        if schema.get("type") == "string" and words_of(schema) is None and "format" not in schema:
            assert not re.search(schema.get("pattern", ""), ""), name
            assert not re.search(schema.get("pattern", ""), "a\x1f"), name


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
async def test_a_misspelt_parameter_is_refused_with_the_one_that_was_meant(
    apis: ApiClients, operation: Operation
) -> None:
    names = [name for name in operation.query if len(name) > 3]
    ways: list[Callable[[str], str]] = [lambda name: name[:1] + name[2:], lambda name: name + "x", str.upper]
    for misspell in in_turn(ways, WITH_PARAMETERS.index(operation)):
        found = await errors(apis, operation, [(misspell(name), "1") for name in names])
        assert [f["suggestion"] for f in found] == names
        assert {f["code"] for f in found} == {"unknown_parameter"}


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_contry_is_not_country(apis: ApiClients, operation: Operation) -> None:
    found = error_detail(operation, await ask(apis, operation, "contry=SRB"), "contry")
    assert found["code"] == "unknown_parameter"
    if "country" in operation.query:
        assert found["suggestion"] == "country"


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
async def test_characters_that_no_value_may_hold_are_refused_by_name(apis: ApiClients, operation: Operation) -> None:
    values = ("%25", "a%25b", "%", "%00", "%ff", "%C3%28", "%ED%A0%80", "%0A", "%7F")
    for wrong in in_turn(values, WITH_PARAMETERS.index(operation), 2):
        found = await errors(apis, operation, [(name, wrong) for name in operation.query])
        assert [f["parameter"] for f in found] == list(operation.query)
        assert {f["code"] for f in found} == {"invalid_characters"}, wrong


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
async def test_no_parameter_may_be_empty(apis: ApiClients, operation: Operation) -> None:
    for name in operation.query:
        found = error_detail(operation, await ask(apis, operation, f"{name}="), name)
        assert found["code"] == ("invalid_cursor" if name == "cursor" else "invalid_parameter")
        assert "leave the parameter out" in found["detail"]
        assert found["allowed"]


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
async def test_a_number_of_thirty_digits_is_only_ever_a_word(apis: ApiClients, operation: Operation) -> None:
    for name in operation.query:
        answer = await ask(apis, operation, f"{name}={LONG_NUMBER}")
        if name in ANY_TEXT:
            assert answer.status_code == 200
        else:
            error_detail(operation, answer, name)


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
async def test_only_filters_that_take_several_values_may_be_repeated(apis: ApiClients, operation: Operation) -> None:
    values = {name: (words_of(schema) or ["1"])[0] for name, schema in operation.query.items()}
    several = {name for name, schema in operation.query.items() if is_many(schema) and schema["maxItems"] > 1}
    once = [name for name in operation.query if name not in several]
    if once:
        found = await errors(apis, operation, [pair for name in once for pair in [(name, values[name])] * 2])
        assert [f["parameter"] for f in found if f["code"] == "repeated_parameter"] == once
        with_commas = [(name, f"{values[name]},{values[name]}") for name in once if name not in ANY_TEXT]
        for (name, _), each in zip(with_commas, await errors(apis, operation, with_commas), strict=True):
            if operation.query[name].get("pattern") == AMOUNT_PATTERN:
                assert "without a comma" in each["detail"]
            else:
                assert (each["parameter"], each["code"]) == (name, "repeated_parameter")
    ordered = [name for name in operation.query if has_order(operation.query[name])]
    closed = [name for name in operation.query if name in several - {*ordered} and words_of(operation.query[name])]
    answer = await ask(apis, operation, "&".join(f"{name}={values[name]}" for name in closed * 2))
    assert answer.status_code == operation.done, answer.text
    for name in ordered:
        other = values[name].removeprefix("-") if values[name].startswith("-") else f"-{values[name]}"
        for second in (values[name], other):
            found = error_detail(operation, await ask(apis, operation, f"{name}={values[name]},{second}"), name)
            assert (found["code"], found["allowed"]) == ("invalid_parameter", words_of(operation.query[name]))
            assert "more than once" in found["detail"]


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
async def test_an_unknown_code_is_rejected_with_the_codes_that_exist(apis: ApiClients, operation: Operation) -> None:
    for name, schema in operation.query.items():
        if not takes_codes(schema):
            continue
        if name in (OWN_CODES, "reference"):
            answer = await ask(apis, operation, f"{name}=No-such-code")
            assert answer.status_code == 200
            assert not operation.is_list or answer.json()["total"] == 0
            continue
        found = error_detail(operation, await ask(apis, operation, f"{name}=No-such-code"), name)
        assert found["code"] == "unknown_code"
        if words := words_of(schema):
            assert found["allowed"] == words
            closest_match = error_detail(operation, await ask(apis, operation, f"{name}={words[0]}x"), name)
            assert closest_match["suggestion"] == words[0]
        elif name == "fields":
            assert found["allowed"] == operation.members
        else:
            (where,) = found["allowed"]
            where = where.removeprefix("see ")
            listed = (await apis[where.split("/")[1]].get(where, headers=operation.headers)).json()
            assert listed.get("total") or listed["facets"][name]


@pytest.mark.parametrize("operation", OWN, ids=str)
async def test_all_errors_are_reported_at_once_and_too_many_are_not_read(
    apis: ApiClients, operation: Operation
) -> None:
    wrong = [("unheard_of", "1"), *((name, "%25") for name in operation.query)]
    assert [f["parameter"] for f in await errors(apis, operation, wrong)] == [name for name, _ in wrong]
    assert (await errors(apis, operation, [("x", "1")] * 201))[0]["code"] == "too_many_parameters"


IN_PATH = [o for o in OWN if o.code]
IMPOSSIBLE = (
    "%25", "%00", "%ff", "%C3%28", "%0A", "%20", "a%2Fb", "..%2f", "-", "'", "x" * 65, "x" * 2000, "%6B%C3%B3d", "%",
)  # fmt: skip


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", IN_PATH, ids=str)
async def test_a_code_in_the_path_that_cannot_be_is_a_problem(apis: ApiClients, operation: Operation) -> None:
    for code in in_turn(IMPOSSIBLE, IN_PATH.index(operation), 4):
        raw = operation.template.replace(f"{{{operation.code}}}", code).encode()
        url = apis[operation.api].base_url.copy_with(raw_path=raw)
        answer = await apis[operation.api].request(operation.method.upper(), url, **operation.sent)
        # With a slash inside it is another path, and no operation's.
        if answer.status_code != 404:
            error_detail(operation, answer, operation.code)
        else:
            assert "%2" in code
            assert answer.json()["code"] == "not_found"


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", IN_PATH, ids=str)
async def test_an_unknown_code_in_the_path_is_a_404_with_the_one_that_was_meant(
    apis: ApiClients, operation: Operation
) -> None:
    known = next(p for p in operation.contract["parameters"] if p["in"] == "path")["example"]
    last = re.split("[-_.]", known)[-1]
    # Another separator is a typo, and so is one letter more in a word; in a short code or a number it is another code.
    nearby = {f"{known}x": known if last.isalpha() and len(last) >= 5 else None}
    if "-" in known:
        nearby[known.replace("-", "_", 1)] = known
    others = in_turn(("no-such-code-at-all", LONG_NUMBER, "x" * 64, f"{known}-7"), IN_PATH.index(operation))
    for given, meant in {**dict.fromkeys(others), **nearby}.items():
        path = operation.template.replace(f"{{{operation.code}}}", given)
        answer = await apis[operation.api].request(operation.method.upper(), path, **operation.sent)
        (found,) = problem(operation, answer, 404)["errors"]
        assert (found["parameter"], found["code"], found["suggestion"]) == (operation.code, "unknown_code", meant)
