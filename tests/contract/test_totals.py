"""Every link of every total lists exactly the rows that it stands for, and their sum is the total's.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations

import pytest

from tests.contract.asking import ApiClients, ask
from tests.contract.contracts import AT_SERVICES, Contract, Operation, in_turn, is_many, words_of

TOTALS = [o for o in AT_SERVICES if o.is_read and o.id.endswith("totals") and "by" in o.query]
LISTED = [o for o in TOTALS if o.id != "get_funding_totals"]
# Groups of one total whose links are followed: where all rows are divided once, and where they are filtered or divided
# twice, in which case as many of its last groups are.
MOST_GROUPS, FIRST_AND_LAST = 25, 3
REQUIREMENTS = "funding:get_requirement_totals"
# Filters that no facet has.
FURTHER = {
    "catalog:get_programme_totals": ("country=SRB&country=KEN", "budget_stage=programme_budget", "q=migrants"),
    "funding:get_ledger_entry_totals": (
        "date_from=2026-02-01&date_to=2026-03-15",
        "date_from=2026-03-01",
        "date_to=2026-03-10&kind=deposit&kind=allocation",
        "reversal=false",
    ),
    "funding:get_bank_entry_totals": ("date_from=2026-03-10", "reference=INV 2026-114"),
    REQUIREMENTS: (
        "status=funded&status=required&country=KEN",
        "amount_min=1000000&populations_named=one",
    ),
}


def divisions(operation: Operation, most: int) -> Iterator[str]:
    """Query strings for each dimension, and for each pair where an operation takes two."""
    words = words_of(operation.query["by"]) or []
    for number in range(1, min(most, operation.query["by"]["maxItems"]) + 1):
        yield from ("&".join(f"by={by}" for by in chosen) for chosen in combinations(words, number))


async def filters(apis: ApiClients, operation: Operation, path: str) -> list[str]:
    """No filter, the first value of each facet, alone and with the second one, and those of `FURTHER`."""
    facets = (await apis[operation.api].get(f"{path}/facets", headers=operation.headers)).json()["facets"]
    found = ["", *FURTHER.get(str(operation), ())]
    for name, counted in facets.items():
        first, *others = [facet["value"] for facet in counted if facet["value"] is not None] or [None]
        if first is not None:
            found.append(f"{name}={first}")
        if others and is_many(operation.query[name]):
            found.append(f"{name}={first}&{name}={others[0]}")
    return found


def links(answer: Contract, *, few: bool) -> Iterator[tuple[Contract, bool]]:
    """Everything in an answer that has rows and a link to them, and whether it has a sum."""
    yield from ((each, False) for each in answer["left_out"])
    for total in answer["totals"]:
        groups = total["groups"]
        if few and len(groups) > 2 * FIRST_AND_LAST:
            groups = [*groups[:FIRST_AND_LAST], *groups[-FIRST_AND_LAST:]]
        for each in (total, *groups[:MOST_GROUPS]):
            yield each, True
            yield from ((left_out, False) for left_out in each["left_out"])


def test_every_list_with_totals_is_asked() -> None:
    assert {str(o) for o in TOTALS} >= {*FURTHER, "funding:get_contribution_totals"}


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", LISTED, ids=str)
async def test_a_link_lists_exactly_its_rows(apis: ApiClients, operation: Operation) -> None:
    client = apis[operation.api]
    path = (await ask(apis, operation)).json()["link"].partition("?")[0]
    listed: dict[str, tuple[int, Contract]] = {}

    async def rows_and_totals(link: str) -> tuple[int, Contract]:
        if link not in listed:
            base, _, query = link.partition("?")
            assert base == path
            rows = f"{path}?{query}&limit=0" if query else f"{path}?limit=0"
            page = await client.get(rows, headers=operation.headers)
            assert page.status_code == 200, page.text
            listed[link] = (
                page.json()["total"],
                (await client.get(f"{operation.path}?{query}", headers=operation.headers)).json(),
            )
        return listed[link]

    followed = 0
    for place, query in enumerate(await filters(apis, operation, path)):
        divided = [*divisions(operation, 1 if query else 2)]
        for by in in_turn(divided, place, 2) if query else divided:
            answer = (await ask(apis, operation, f"{query}&{by}" if query else by)).json()
            operation.check(200, answer)
            assert (await rows_and_totals(answer["link"]))[0] == answer["rows"]
            for each, summed in links(answer, few=bool(query) or by.count("by=") > 1):
                if each["link"] is None:
                    continue
                followed += 1
                total, again = await rows_and_totals(each["link"])
                assert total == each["rows"], (query, by, each)
                if summed:
                    sums = [(t["sum"], t["rows"]) for t in again["totals"]]
                    assert sums == ([(each["sum"], each["rows"])] if total else []), (query, by, each)
    assert followed > 20


async def test_what_several_share_is_in_no_link_to_one_of_them(apis: ApiClients) -> None:
    operation = next(o for o in TOTALS if o.api == "catalog")
    answer = (await ask(apis, operation, "by=country")).json()
    programmes = (await apis["catalog"].get("/catalog/v1/programmes?limit=1000")).json()["items"]
    linked = set()
    for total in answer["totals"]:
        stated = [p for p in programmes if p["budget"] and p["budget"]["stage"] == total["stage"]]
        for group in total["groups"]:
            code = group["keys"][0]["value"]
            there = [p for p in stated if code in [place["code"] for place in p["places"]]]
            if code not in ("shared", "not_stated"):
                money = sum(Decimal(p["budget"]["amount"]) for p in there)
                exact = (len(there), money) == (group["rows"], Decimal(group["sum"]["amount"]))
                assert (group["link"] is not None) == exact, code
                linked.add(group["link"] is not None)
    assert linked == {True, False}


async def test_totals_are_below_their_list_and_those_of_requirements_at_a_second_path(apis: ApiClients) -> None:
    paths = {o.path: o for o in TOTALS}
    for path in paths.keys() - {"/funding/v1/totals"}:
        listed = path.removesuffix("/totals")
        assert (await apis[path.split("/")[1]].get(listed, headers=paths[path].headers)).status_code == 200
    assert {"/funding/v1/totals", "/funding/v1/requirements/totals"} < paths.keys()
    for query in ("", "?by=status,area&region=asia-pacific", "?by=area,region&sort=-sum&limit=2"):
        answers = [
            await apis["funding"].get(f"{path}{query}")
            for path in sorted(p for p in paths if "/v1/t" in p or "req" in p)
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content


async def test_a_year_of_the_ledger_stays_within_the_days_that_were_asked_for(apis: ApiClients) -> None:
    operation = next(o for o in TOTALS if o.id == "get_ledger_entry_totals")
    answer = (await ask(apis, operation, "by=year&date_from=2026-02-01&date_to=2026-03-15")).json()
    found = {group["link"] for total in answer["totals"] for group in total["groups"]}
    assert found
    assert all("date_from=2026-02-01&date_to=2026-03-15" in link for link in found)


@pytest.mark.parametrize("operation", LISTED, ids=str)
async def test_groups_are_in_the_order_asked_for_and_the_rest_is_one_group(
    apis: ApiClients, operation: Operation
) -> None:
    def money(group: Contract) -> Decimal | None:
        return group["sum"] and Decimal(group["sum"]["amount"])

    orders = ("value", "-value", "sum", "-sum")
    for n, by in enumerate(divisions(operation, 2)):
        whole = (await ask(apis, operation, by)).json()
        # Every dimension in each order, every pair in one of them.
        for sort in orders if by.count("by=") == 1 else orders[n % 4 : n % 4 + 1]:
            answer = (await ask(apis, operation, f"{by}&sort={sort}")).json()
            few = (await ask(apis, operation, f"{by}&sort={sort}&limit=2")).json()
            operation.check(200, few)
            assert [{**t, "groups": []} for t in answer["totals"]] == [{**t, "groups": []} for t in whole["totals"]]
            for before, total, short in zip(whole["totals"], answer["totals"], few["totals"], strict=True):
                expected = before["groups"] if sort == "value" else before["groups"][::-1]
                if sort.endswith("sum"):
                    stating = [g for g in before["groups"] if g["sum"]]
                    stating.sort(key=money, reverse=sort == "-sum")
                    assert [money(g) for g in total["groups"][: len(stating)]] == [money(g) for g in stating]
                    assert all(g["sum"] is None for g in total["groups"][len(stating) :])
                    expected = total["groups"]
                    assert sorted(map(str, expected)) == sorted(map(str, before["groups"]))
                assert total["groups"] == expected
                assert short["groups"][:2] == expected[:2]
                assert len(short["groups"]) == min(len(expected), 3)
                for rest in short["groups"][2:]:
                    assert {key["value"] for key in rest["keys"]} == {"rest"}
                    assert rest["link"] is None
                # A budget that is divided by shares is a row of several groups.
                assert sum(g["rows"] for g in short["groups"]) == sum(g["rows"] for g in expected) >= total["rows"]
                assert sum(money(g) or 0 for g in short["groups"]) == (money(total) or 0)
                left_out = [sum(x["rows"] for g in t["groups"] for x in g["left_out"]) for t in (short, total)]
                assert left_out[0] == left_out[1]
