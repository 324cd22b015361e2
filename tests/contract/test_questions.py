"""Requests that mean the same have one answer and one tag, and different answers never share a tag.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

from itertools import combinations, permutations
from urllib.parse import urlencode

import pytest

from mmptf_common.http.parameters import AS_OF_PATTERN, MOMENT_PATTERN
from tests.contract.asking import ApiClients, ask, error_detail
from tests.contract.contracts import (
    AT_SERVICES,
    LISTS,
    OPERATIONS,
    OWN_CODES,
    SERVICES,
    Contract,
    Operation,
    has_order,
    in_turn,
    is_many,
    orders_of,
    words_of,
)

SEVERAL = [o for o in AT_SERVICES if any(is_many(schema) for schema in o.query.values())]
TAGGED = [o for o in SEVERAL if o.is_versioned]
ENUMERATIONS = [
    (o, name, words) for o in AT_SERVICES for name, schema in o.query.items() if (words := words_of(schema))
]
# How many values of one parameter are combined.
MOST_VALUES = 3
# Codes that are not among the first of the list that has them, or that no list has as codes.
KNOWN = {
    "country": ["MKD", "SRB"],
    "grade": ["A", "B", "C"],
    "criterion": ["equality", "participation"],
    "programme": ["ETH-01"],
    "organization": ["ILO"],
}


async def values_of(apis: ApiClients, operation: Operation, name: str) -> list[str]:
    """Some values of a parameter: those that its schema lists, or codes from the list that its errors name."""
    if words := words_of(operation.query[name]):
        return words
    if name == "fields":
        return operation.members[:MOST_VALUES]
    if name == OWN_CODES:
        path = operation.path.removesuffix("/facets").removesuffix("/totals")
        path = path.replace("/results-progress", "/results-indicators")
        return [row["code"] for row in (await apis[operation.api].get(path)).json()["items"][:MOST_VALUES]]
    refused = error_detail(operation, await ask(apis, operation, f"{name}=No-such-code"), name)
    listed_at = refused["allowed"][0].removeprefix("see ")
    answer = (await apis[listed_at.split("/")[1]].get(listed_at, headers=operation.headers)).json()
    if listed_at.endswith("/facets"):
        listed = [facet["value"] for facet in answer["facets"][name]]
    else:
        listed = [row[member] for row in answer["items"] for member in ("code", name) if row.get(member)]
    known = [code for code in dict.fromkeys([*KNOWN.get(name, ()), *listed]) if isinstance(code, str)]
    found: list[str] = []
    for code in known[:20]:
        if (await ask(apis, operation, f"{name}={code}")).status_code == operation.done:
            found.append(code)
        if len(found) == MOST_VALUES:
            break
    assert found, f"{operation} takes none of the values at {listed_at} as {name}"
    return found


def orders(name: str, values: tuple[str, ...]) -> list[str]:
    """Query strings with the values in every order."""
    return [urlencode([(name, value) for value in each]) for each in permutations(values)]


def spellings(name: str, values: tuple[str, ...], most: int) -> list[str]:
    """Query strings that mean the same set of values, of which an operation takes this many."""
    repeated = orders(name, values)
    return list(
        dict.fromkeys(
            [
                *repeated,
                *([urlencode([(name, value) for value in values * 2])] if 2 * len(values) <= most else []),
                f"{name}={','.join(values)}",
                f"{name}={'%2C'.join(reversed(values))}",
                f"{repeated[0]}&_=1700000000",
            ]
        )
    )


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", TAGGED, ids=str)
async def test_different_answers_have_different_tags_and_equal_questions_one(
    apis: ApiClients, operation: Operation
) -> None:
    answers: dict[str, bytes] = {}
    for name in (name for name, schema in operation.query.items() if is_many(schema) and not has_order(schema)):
        values = await values_of(apis, operation, name)
        most = operation.query[name]["maxItems"]
        single = [(value,) for value in values]
        pairs = list(combinations(values[:MOST_VALUES] if name != "by" else values, 2)) if most > 1 else []
        place = TAGGED.index(operation)
        sets = [*in_turn(single, place, MOST_VALUES), *(in_turn(pairs, place, 2) if pairs else ())]
        # How values are written depends on none of them, so the first value and the first pair are asked in every way.
        written = {sets[0], next((each for each in sets if len(each) == 2), sets[0])}
        for each in sets:
            queries = spellings(name, each, most) if each in written else orders(name, each)
            found = [await ask(apis, operation, query) for query in queries]
            assert {answer.status_code for answer in found} == {200}, [answer.text for answer in found]
            assert len({(answer.headers["etag"], answer.content) for answer in found}) == 1, each
            answers.setdefault(found[0].headers["etag"], found[0].content)
            assert answers[found[0].headers["etag"]] == found[0].content, each
    for order in in_turn(orders_of(operation), TAGGED.index(operation), 6) if operation.is_list else ():
        written = [urlencode([("sort", key) for key in order]), f"sort={','.join(order).upper()}&_=1"]
        found = [await ask(apis, operation, query) for query in written]
        assert {answer.status_code for answer in found} == {200}, [answer.text for answer in found]
        assert len({(answer.headers["etag"], answer.content) for answer in found}) == 1, order
        answers.setdefault(found[0].headers["etag"], found[0].content)
        assert answers[found[0].headers["etag"]] == found[0].content, order
    plain = await ask(apis, operation)
    assert answers.setdefault(plain.headers["etag"], plain.content) == plain.content


def test_every_operation_with_several_values_is_asked() -> None:
    untagged = {o.id for o in SEVERAL if not o.is_versioned}
    assert untagged == {name for api in SERVICES for name in (f"list_{api}_changes", f"get_{api}_audit")}
    assert len(TAGGED) > 20


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", SEVERAL, ids=str)
async def test_other_separators_are_refused_with_what_to_write(apis: ApiClients, operation: Operation) -> None:
    for place, (name, schema) in enumerate(operation.query.items(), SEVERAL.index(operation)):
        if not is_many(schema):
            continue
        for separator in in_turn((";", "%7C", "%3B%20"), place):
            found = error_detail(operation, await ask(apis, operation, f"{name}=A{separator}B"), name)
            assert "separated by commas" in found["detail"]
            assert found["suggestion"] == "A,B"
        found = error_detail(operation, await ask(apis, operation, f"{name}[]=A&{name}[]=B"), f"{name}[]")
        assert (found["code"], found["suggestion"]) == ("unknown_parameter", name)


@pytest.mark.tries_more
@pytest.mark.parametrize(("operation", "name", "words"), ENUMERATIONS, ids=str)
async def test_enumerated_values_are_understood_in_any_case(
    apis: ApiClients, operation: Operation, name: str, words: list[str]
) -> None:
    # Of the indicator there is a table where it is divided.
    asked = f"by=country&{name}" if (operation.id, name) == ("get_indicator", "format") else name
    others = in_turn(words[1:], AT_SERVICES.index(operation)) if operation.is_versioned and words[1:] else []
    for word in (words[0], *others):
        expected = await ask(apis, operation, f"{asked}={word}")
        for written in (word.upper(), word.capitalize())[: 2 if word == words[0] else 1]:
            found = await ask(apis, operation, f"{asked}={written}")
            assert found.status_code == expected.status_code
            if operation.is_versioned:
                assert (found.headers.get("etag"), found.content) == (expected.headers.get("etag"), expected.content)


def test_no_enumeration_has_values_that_differ_in_case_alone_or_hold_a_separator() -> None:
    assert ENUMERATIONS
    for operation, name, words in ENUMERATIONS:
        assert len({word.casefold() for word in words}) == len(words), (operation, name)
        assert not [word for word in words if set(word) & set(",;| ")], (operation, name)


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_no_code_holds_a_separator(apis: ApiClients, operation: Operation) -> None:
    rows = (await ask(apis, operation, "limit=1000")).json()["items"]
    assert not [row["code"] for row in rows if set(row["code"]) & set(",;| ")]


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_the_next_page_is_asked_for_in_canonical_form(apis: ApiClients, operation: Operation) -> None:
    sort = (words_of(operation.query["sort"]) or [])[-1]
    page = (await ask(apis, operation, f"sort={sort.upper()}&format=JSON&limit=1&_=1")).json()
    if page["next"]:
        assert f"sort={sort}" in page["next"] or [sort] == operation.query["sort"]["default"]
        assert "format=json" in page["next"]
        assert "_=" not in page["next"]


def test_arrays_are_declared_as_repeated_parameters_and_by_always_is_one() -> None:
    for operation in SEVERAL:
        for parameter in operation.contract["parameters"]:
            if parameter["in"] == "query" and is_many(parameter["schema"]):
                assert (parameter["style"], parameter["explode"]) == ("form", True)
                assert parameter["schema"]["maxItems"] >= 1
    divided = [schema for o in OPERATIONS for name, schema in o.query.items() if name == "by"]
    assert len(divided) >= 5
    assert all(is_many(schema) for schema in divided)


WRONG_WAY = {"_min": ("2", "1.99"), "_from": ("2024-04-02", "2024-04-01")}
PAIRS = {"_min": "_max", "_from": "_to"}
RANGES = [
    (o, name, name.removesuffix(low) + high)
    for o in OPERATIONS
    for name in o.query
    for low, high in PAIRS.items()
    if name.endswith(low)
]


@pytest.mark.parametrize(("operation", "low", "high"), RANGES, ids=str)
async def test_a_range_turned_round_is_refused(apis: ApiClients, operation: Operation, low: str, high: str) -> None:
    larger, smaller = WRONG_WAY[low[low.rindex("_") :]]
    found = error_detail(operation, await ask(apis, operation, f"{low}={larger}&{high}={smaller}"), low)
    assert found["code"] == "invalid_range"
    assert low in found["detail"]
    assert high in found["detail"]
    assert (await ask(apis, operation, f"{low}={smaller}&{high}={smaller}")).status_code == operation.done


def test_every_bound_has_the_other_one() -> None:
    bounds = [(o, name) for o in OPERATIONS for name in o.query if name.endswith((*PAIRS, *PAIRS.values()))]
    assert len(bounds) == 2 * len(RANGES)


# The bounds of days and moments: those from below, and those from above, which say what of the day they contain.
FROM_BELOW = {"updated_since", "date_from", "value_date_from"}
FROM_ABOVE = {"as_of", "date_to", "value_date_to", "on", "due_before", "status_on", "open_on"}


def _takes_a_day(schema: Contract) -> bool:
    return schema.get("format") == "date" or schema.get("pattern") in (AS_OF_PATTERN, MOMENT_PATTERN)


def test_every_bound_says_what_a_day_means() -> None:
    found = set()
    for operation in OPERATIONS:
        for parameter in operation.contract.get("parameters", ()):
            if parameter["in"] == "query" and _takes_a_day(parameter["schema"]):
                found.add(parameter["name"])
                word = "beginning" if parameter["name"] in FROM_BELOW else "end"
                if parameter["name"] == "due_before":
                    word = "not on it"
                assert word in parameter["description"], (operation, parameter["name"])
    assert found == FROM_BELOW | FROM_ABOVE
