"""`q` of every operation that takes it: what is sent is understood or refused, and all answers are of the same rows.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest

from mmptf_common.http.search import SYNTAX
from tests.contract.asking import ApiClients, ask, error_detail
from tests.contract.contracts import AT_SERVICES, LISTS, Operation, in_turn

SEARCHES = [o for o in AT_SERVICES if "q" in o.query]
LISTED = [o for o in SEARCHES if o in LISTS]
UNDERSTOOD = (
    "a -zz", '"a b" OR a', "a OR b OR c -d", 'a -"b c"', "Geneva-based", "a or b", "a AND b",
    "Bolivia (Plurinational State of)",
    "a' & 'b", "a\\b", "a:b", "$1", "{a}", "a <-> b",
    "x';DROP TABLE place;--", "été ﬁn ẞ İ", "\N{GRINNING FACE} a", "a-",
)  # fmt: skip
REFUSED = (
    '"a b', "-a", '-"a b" -c', "a OR", "OR a", "a OR OR b", "a OR -b",
    "a NOT b", "a | b", "a & !b", "&|!() a", "(a OR b) c", "a~",
    'a ""', "-(a b) c", "w?m",
)  # fmt: skip
FORBIDDEN = ("a\x00", "%", "\x1b", "a:*", "a" * 5000, '"' * 5000, "...", "a\ud800".encode("utf-8", "surrogatepass"))


def test_every_list_of_texts_is_searched() -> None:
    assert {o.id for o in LISTED} == {
        "list_programmes", "list_programme_drafts", "list_decisions", "list_places", "list_requirements",
        "list_initiatives", "list_edition_partners", "list_edition_frameworks", "list_edition_framework_items",
        "list_edition_groups", "list_edition_acronyms", "list_edition_figures",
    }  # fmt: skip
    assert {o.id for o in SEARCHES} - {o.id for o in LISTED} == {
        "get_programme_facets", "get_programme_totals", "get_decision_facets", "get_requirement_facets",
        "get_initiative_facets", "get_edition_figure_facets", "get_requirement_totals", "get_funding_totals",
    }  # fmt: skip


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", SEARCHES, ids=str)
async def test_a_search_is_understood_or_refused(apis: ApiClients, operation: Operation) -> None:
    for place, q in enumerate(UNDERSTOOD, SEARCHES.index(operation)):
        for representation in in_turn(("json", "csv"), place):
            answer = await ask(apis, operation, urlencode({"q": q, "format": representation}))
            assert answer.status_code == 200, (q, answer.text)
    for q in REFUSED:
        found = error_detail(operation, await ask(apis, operation, urlencode({"q": q})), "q")
        assert found["code"] == "invalid_search", q
        assert SYNTAX in found["detail"], q
    for raw in FORBIDDEN:
        found = error_detail(operation, await ask(apis, operation, f"q={quote(raw)}"), "q")
        assert found["code"] in {"invalid_characters", "invalid_parameter"}, raw


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", LISTED, ids=str)
async def test_what_is_left_out_and_what_is_found_are_all_that_is_searched(
    apis: ApiClients, operation: Operation
) -> None:
    async def codes(q: str) -> set[str]:
        answer = (await ask(apis, operation, urlencode({"q": q, "limit": "1000"}))).json()
        return {row["code"] for row in answer["items"]}

    letters = {letter: await codes(letter) for letter in "abcdefgimnoprstw"}
    for one, found in letters.items():
        for other, also in [*letters.items()][:5]:
            ways = [("-", found - also), ("OR ", found | also), ("", found & also)]
            for words, expected in in_turn(ways, ord(one) + ord(other)):
                assert await codes(f"{one} {words}{other}") == expected, (one, words, other)
    assert any(letters.values())


@pytest.mark.parametrize("operation", [o for o in SEARCHES if o not in LISTS], ids=str)
async def test_facets_and_totals_are_of_the_rows_that_a_search_finds(apis: ApiClients, operation: Operation) -> None:
    noun = operation.id.removeprefix("get_").rpartition("_")[0].replace("funding", "requirement")
    listed = next(o for o in LISTED if o.id == f"list_{noun}s")
    for q in ("a", "a OR b", "m -a", '"human rights"', "türkiye OR kenya", "-kenya a"):
        total = (await ask(apis, listed, urlencode({"q": q, "limit": 0}))).json()["total"]
        answer = (await ask(apis, operation, urlencode({"q": q}))).json()
        assert answer["rows" if "rows" in answer else "total"] == total, q
