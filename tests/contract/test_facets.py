"""What a facet counts can be listed: every value of every facet, also where none is stated."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.contract.asking import ApiClients, ask
from tests.contract.contracts import AT_SERVICES, Operation, is_many

FACETS = [o for o in AT_SERVICES if o.id.endswith("_facets")]
# A filter of each list beside the values of its facets.
BESIDE = {
    "catalog:get_programme_facets": "updated_since=2020-01-01",
    "catalog:get_meeting_facets": "date_from=2020-01-01",
    "catalog:get_decision_facets": "date_from=2020-01-01",
    "funding:get_contribution_facets": "amount_min=100000",
    "funding:get_requirement_facets": "region=asia-pacific",
    "funding:get_initiative_facets": "q=migration",
    "funding:get_edition_figure_facets": "year=2013",
    "funding:get_ledger_entry_facets": "date_from=2026-02-01",
    "funding:get_bank_entry_facets": "date_from=2026-03-10",
    "markers:get_results_indicator_facets": "reported=false",
}
# The facets that count rows without a value.
LACKING = {
    ("get_programme_facets", "thematic_area"), ("get_programme_facets", "objective"),
    ("get_programme_facets", "organization"), ("get_programme_facets", "partner_kind"),
    ("get_programme_facets", "beneficiary"), ("get_contribution_facets", "country"),
    ("get_ledger_entry_facets", "contributor"), ("get_ledger_entry_facets", "programme"),
    ("get_ledger_entry_facets", "organization"), ("get_ledger_entry_facets", "thematic_area"),
    ("get_ledger_entry_facets", "account"), ("get_ledger_entry_facets", "category"),
    ("get_ledger_entry_facets", "decision"),
    ("get_ledger_entry_facets", "flag"),
    *(("get_results_indicator_facets", name) for name in ("programme", "level", "organization")),
    *(("get_initiative_facets", name) for name in ("area", "country", "region")),
    *(("get_edition_figure_facets", name) for name in ("country", "region")),
}  # fmt: skip


def test_every_list_with_facets_is_asked() -> None:
    assert {str(o) for o in FACETS} == set(BESIDE)


async def _codes(apis: ApiClients, operation: Operation, link: str) -> set[str]:
    page = (await apis[operation.api].get(f"{link}{'&' if '?' in link else '?'}limit=1000")).json()
    assert page["next"] is None
    return {item["code"] for item in page["items"]}


@pytest.mark.parametrize("operation", FACETS, ids=str)
async def test_each_value_finds_what_is_counted(apis: ApiClients, operation: Operation) -> None:
    lacking = set()
    for query in ("", BESIDE[str(operation)]):
        answer = (await ask(apis, operation, query)).json()
        operation.check(200, answer)
        for name, values in answer["facets"].items():
            for counted in values:
                value = "not_stated" if counted["value"] is None else counted["value"]
                link = f"{counted['link']}&limit=0"
                page = (await apis[operation.api].get(link, headers=operation.headers)).json()
                assert page["total"] == counted["count"], (name, counted)
                assert urlencode({name: value}) in counted["link"]
                if counted["value"] is None:
                    lacking.add((operation.id, name))
    assert lacking == {(o, name) for o, name in LACKING if o == operation.id}


@pytest.mark.parametrize("operation", FACETS, ids=str)
async def test_a_facet_counts_without_its_own_filter(apis: ApiClients, operation: Operation) -> None:
    whole = (await ask(apis, operation)).json()
    for name, values in whole["facets"].items():
        value = values[0]["value"] or "not_stated"
        answer = (await ask(apis, operation, urlencode({name: value}))).json()
        assert answer["facets"][name] == values
        assert answer["total"] == values[0]["count"]


@pytest.mark.parametrize("operation", FACETS, ids=str)
async def test_rows_without_a_value_are_found_beside_others(apis: ApiClients, operation: Operation) -> None:
    whole = (await ask(apis, operation)).json()
    for name, values in whole["facets"].items():
        if None not in (stated := {v["value"]: v["link"] for v in values}) or not is_many(operation.query[name]):
            continue
        lacking = stated.pop(None)
        path = lacking.partition("?")[0]
        for written in ("Not_Stated", "NOT_STATED"):
            assert await _codes(apis, operation, f"{path}?{name}={written}") == await _codes(apis, operation, lacking)
        for value, link in list(stated.items())[:3]:
            both = await _codes(apis, operation, f"{path}?{name}=not_stated,{value}")
            assert both == await _codes(apis, operation, lacking) | await _codes(apis, operation, link), (name, value)
