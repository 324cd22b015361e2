"""The figures that the texts of an edition state: what they are of and how they are found; none is a requirement."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import httpx

from tests.integration.requirement_rows import EDITION, Row, lines

FIGURES = f"{EDITION}/figures"


async def test_every_figure_states_what_it_is_of_and_where_it_stands(funding: httpx.AsyncClient) -> None:
    figures = await lines(funding, FIGURES)
    assert [figure["position"] for figure in figures] == list(range(1, len(figures) + 1))
    assert [figure["sources"][0]["line"] for figure in figures] == sorted(f["sources"][0]["line"] for f in figures)
    for figure in figures:
        printed, *others = figure["sources"]
        assert (printed["field"], printed["as_printed"], printed["verified"]) == ("value", figure["as_printed"], True)
        assert [(other["field"], other["verified"]) for other in others] == [
            ("stated_source", True) for _ in range(figure["stated_source"] is not None)
        ]
        is_money = figure["unit"] == "money"
        assert is_money == (figure["currency"] is not None) == (figure["stage"] is not None)
        assert (figure["value"] is None) == (figure["qualifier"] is None)
        assert figure["countries"] or figure["place"]
        # What is asked for is in no figure.
        assert figure["stage"] in (None, "budget", "funding", "other")
    assert sum(figure["measure"] == "other" for figure in figures) < 15
    assert {figure["as_printed"] for figure in figures if figure["value"] is None} == {"\N{EN DASH}"}
    assert {figure["currency"] for figure in figures} == {None, "USD", "EUR"}


async def test_the_budget_of_asia_and_the_pacific_is_a_table_of_two_scopes(funding: httpx.AsyncClient) -> None:
    figures = await lines(funding, f"{FIGURES}?region=asia-pacific&measure=budget&year=2012")
    table = [figure for figure in figures if figure["scope"]]
    assert Counter(figure["scope"] for figure in table) == {"region": 9, "global": 9}
    assert {figure["stage"] for figure in table} == {"budget"}
    for scope, whole in (("region", "201186300"), ("global", "615377000")):
        *rows, total = [Decimal(figure["value"] or 0) for figure in table if figure["scope"] == scope]
        assert sum(rows) == total == Decimal(whole)
    assert {figure["area"] for figure in table} == {None, "emergencies", "health", "research"}


async def test_figures_are_found_by_place_measure_year_and_words(funding: httpx.AsyncClient) -> None:
    figures = await lines(funding, FIGURES)

    async def found(query: str) -> list[str]:
        return [figure["code"] for figure in await lines(funding, f"{FIGURES}?{query}")]

    def among(rows: list[Row]) -> list[str]:
        return [row["code"] for row in rows]

    assert await found("country=tjk&country=KGZ") == among([f for f in figures if {"TJK", "KGZ"} & set(f["countries"])])
    assert await found("country=not_stated&unit=household") == among(
        [f for f in figures if not f["countries"] and f["unit"] == "household"]
    )
    assert await found("region=not_stated") == among([f for f in figures if f["region"] is None])
    assert await found("qualifier=nearly&qualifier=at_most") == among(
        [f for f in figures if f["qualifier"] in ("nearly", "at_most")]
    )

    def includes(figure: Row, year: int) -> bool:
        first, last = figure["year_from"], figure["year_to"]
        return first is not None and first <= year <= (year if last is None else last)

    for year in (1999, 2005, 2012, 2013, 2050):
        assert await found(f"year={year}") == among([f for f in figures if includes(f, year)])
    (tajikistan,) = await lines(funding, f"{FIGURES}?q=tajikistan&measure=remittances_share_of_gdp")
    assert (tajikistan["value"], tajikistan["unit"], tajikistan["region"]) == ("46.5", "per_cent", "see-eeca")
    for wrong in ("country=XXX", "region=see-ecea", "measure=remitances", "unit=USD", "year=20", "year=2013,2014"):
        assert (await funding.get(f"{FIGURES}?{wrong}")).status_code == 422, wrong
    # There are no totals: the figures are of different years, places and ways of counting.
    assert (await funding.get(f"{FIGURES}/totals")).status_code == 404


async def test_figures_are_in_the_order_of_their_values_with_those_without_one_last(funding: httpx.AsyncClient) -> None:
    for sort, reverse in (("value", False), ("-value", True)):
        found = [figure["value"] for figure in await lines(funding, f"{FIGURES}?sort={sort}")]
        stated = [Decimal(value) for value in found if value is not None]
        assert stated == sorted(stated, reverse=reverse)
        assert found[len(stated) :] == [None] * 3


async def test_facets_of_figures_count_what_their_links_list(funding: httpx.AsyncClient) -> None:
    figures = await lines(funding, f"{FIGURES}?unit=person")
    facets = (await funding.get(f"{FIGURES}/facets?unit=person")).json()
    assert facets["total"] == len(figures)
    for name, of in (("region", "region"), ("measure", "measure"), ("country", "countries")):
        expected: Counter[str | None] = Counter()
        for figure in figures:
            values = figure[of] if isinstance(figure[of], list) else [figure[of]]
            expected.update(values or [None])
        assert {value["value"]: value["count"] for value in facets["facets"][name]} == expected
        for value in facets["facets"][name][:3]:
            assert len(await lines(funding, value["link"])) == value["count"]
    names = {value["value"]: value["name"] for value in facets["facets"]["region"]}
    assert names["asia-pacific"] == "Asia and the Pacific"


async def test_an_edition_says_how_it_is_to_be_read(funding: httpx.AsyncClient) -> None:
    edition = (await funding.get(EDITION)).json()
    assert [(a["number"], a["line"], a["last_line"]) for a in edition["annotations"]] == [
        (1, 123, 124), (2, 125, 126), (3, 127, 128),
    ]  # fmt: skip
    assert [(s["field"], s["locator"]) for s in edition["sources"]] == [
        ("note", "lines 125-128"), ("annotations", "lines 123-124"), ("annotations", "lines 125-126"),
        ("annotations", "lines 127-128"),
    ]  # fmt: skip


async def test_each_total_of_a_region_has_both_lines_that_print_it(funding: httpx.AsyncClient) -> None:
    totals = await lines(funding, f"{EDITION}/printed-totals?division=region")
    twice = {total["value"]: [source["line"] for source in total["sources"]] for total in totals}
    assert {value: len(at) for value, at in twice.items()} == dict.fromkeys(twice, 2)
    assert twice["east-horn-africa"] == [592, 589]
    others = await lines(funding, f"{EDITION}/printed-totals?division=place")
    assert {len(total["sources"]) for total in others} == {1}
