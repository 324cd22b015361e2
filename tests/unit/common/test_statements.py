"""The statements that a list reads by: whole, as PostgreSQL takes them, and nothing of a caller's in their text."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from decimal import Decimal
from textwrap import dedent
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mmptf_common.http.parameters import Amount, ListQuery, PointInTime, Values, canonical, order_by
from mmptf_common.lists.exports import export_statement
from mmptf_common.lists.facets import facets_statement
from mmptf_common.lists.listing import (
    AS_TEXT,
    PRESENTATION,
    Dimension,
    Filter,
    Listing,
    Omission,
    Statement,
    order,
    rows_as_of,
)
from mmptf_common.lists.pages import _belongs_to, item_statement, page_statement
from mmptf_common.lists.totals import groups_statement, wholes_statement
from mmptf_common.storage.journal import REVISION


class GrantFilter(PointInTime):
    country: Annotated[Values, Field()]
    amount_min: Amount | None = None


class GrantQuery(GrantFilter, ListQuery):
    sort: tuple[Literal["code", "-code", "amount", "-amount", "name", "-name"], ...] = order_by("code")


GRANTS = Listing(
    path="/grants",
    entity="grant",
    item=BaseModel,
    page=BaseModel,
    rows="grant",
    record="replace(record::text, '?', '?{as_of}')",
    query=GrantQuery,
    sorts={
        "code": ("code", "text"),
        "amount": ("coalesce(amount, {last})", "numeric"),
        "name": ("name", "text"),
    },
    filters={"country": Filter("countries && {}::text[]"), "amount_min": Filter("amount >= {}::numeric")},
    columns={"code": "code", "amount": "amount"},
    fixed={"organization = {}": "IOM"},
    facets={"country": Dimension("v.code", "upper({})", "CROSS JOIN unnest(filtered.countries) AS v(code)")},
    ranges={"amount": ("filtered.amount", AS_TEXT)},
    totals={"stage": Dimension("filtered.stage")},
    omitted=(Omission("filtered.amount IS NULL", "no amount is stated"),),
)
COUNTRIES, LEAST = ["KEN", "UGA"], Decimal("1.50")
FILTERED = GrantFilter.model_validate({"country": COUNTRIES, "amount_min": "1.50"})


def query(**parameters: object) -> GrantQuery:
    return GrantQuery.model_validate({"country": COUNTRIES, "amount_min": "1.50", **parameters})


def lines(statement: Statement) -> list[str]:
    return dedent(statement.sql).strip().splitlines()


def text(statement: Statement) -> str:
    return " ".join(statement.sql.split())


WHERE = "organization = $1 AND countries && $2::text[] AND amount >= $3::numeric"


def test_a_page_is_one_statement() -> None:
    page = page_statement(GRANTS, query(sort=["-amount"], limit="2"))
    assert lines(page) == [
        "SELECT convert_to(",
        "           '[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE n <= $4::int), '') || ']', 'UTF8'),",
        f"       (SELECT count(*) FROM grant WHERE {WHERE}),",
        f"       {REVISION},",
        "       count(*) > $4::int,",
        "       max(page_position_1) FILTER (WHERE n = $4::int),",
        "       max(page_key) FILTER (WHERE n = $4::int)",
        "  FROM (SELECT replace(record::text, '?', '?') AS item,",
        "               (coalesce(amount, -1))::text AS page_position_1,",
        "               code AS page_key,",
        "               row_number() OVER (ORDER BY coalesce(amount, -1) DESC, code DESC) AS n",
        "          FROM grant",
        "         WHERE code = ANY(ARRAY(SELECT code FROM grant",
        f"         WHERE {WHERE} ORDER BY coalesce(amount, -1) DESC, code DESC LIMIT $4::int + 1))",
        "         ORDER BY coalesce(amount, -1) DESC, code DESC",
        "         LIMIT $4::int + 1) AS page",
    ]
    assert page.values == ["IOM", COUNTRIES, LEAST, 2]


def test_a_page_as_of_an_earlier_revision_puts_the_first_rows_of_two_tables_together() -> None:
    page = page_statement(GRANTS, query(sort=["-amount"], limit="2", as_of="7"))
    first = (
        "(SELECT replace(record::text, '?', '?as_of=7') AS item, (coalesce(amount, -1))::text AS page_position_1,"
        " coalesce(amount, -1) AS page_order_1, code AS page_key"
        f" FROM grant_{{}} AS grant WHERE {WHERE} ORDER BY coalesce(amount, -1) DESC, code DESC LIMIT $4::int + 1)"
    )
    assert text(page).endswith(
        " FROM (SELECT either.*, row_number() OVER (ORDER BY page_order_1 DESC, page_key DESC) AS n"
        f" FROM ({first.format('present')} UNION ALL {first.format('replaced')}) AS either"
        " ORDER BY page_order_1 DESC, page_key DESC LIMIT $4::int + 1) AS page"
    )
    assert f"(SELECT count(*) FROM grant WHERE {WHERE})" in text(page)
    assert page.values == ["IOM", COUNTRIES, LEAST, 2]


def test_a_subquery_of_a_table_is_one_of_each_part_of_it_and_a_join_is_read_as_a_whole() -> None:
    subquery = replace(GRANTS, rows="(SELECT *, 'grant' AS kind FROM grant) AS given", table="grant")
    assert list(rows_as_of(subquery)) == [
        "(SELECT *, 'grant' AS kind FROM grant_present) AS given",
        "(SELECT *, 'grant' AS kind FROM grant_replaced) AS given",
    ]
    join = replace(GRANTS, rows="(SELECT * FROM grant JOIN giver USING (giver)) AS given")
    assert not rows_as_of(join)
    assert "UNION ALL" not in text(page_statement(join, query(as_of="7")))


def test_an_item_is_looked_up_among_those_that_the_list_has() -> None:
    item = item_statement(GRANTS, "X'; DROP TABLE grant", PointInTime())
    assert lines(item) == [
        f"SELECT replace(record::text, '?', '?'), {GRANTS.version}",
        "  FROM grant",
        " WHERE organization = $1 AND code = $2",
    ]
    assert item.values == ["IOM", "X'; DROP TABLE grant"]


def test_an_export_is_the_same_rows_without_pages() -> None:
    for representation, selected in {
        "csv": "code AS code, amount AS amount",
        "ndjson": "replace(record::text, '?', '?')",
    }.items():
        export = export_statement(GRANTS, query(), representation)
        assert lines(export) == [
            f"SELECT {selected}",
            "  FROM grant",
            f" WHERE {WHERE}",
            " ORDER BY code ASC, code ASC",
        ]
        assert export.values == ["IOM", COUNTRIES, LEAST]


def test_rows_without_a_value_are_last_in_both_directions() -> None:
    assert order(GRANTS, ["amount"]) == "coalesce(amount, 'Infinity') ASC, code ASC"
    assert order(GRANTS, ["-amount"]) == "coalesce(amount, -1) DESC, code DESC"


def after(sort: list[str], *values: str) -> str:
    """The condition on the rows of the page after a position."""
    question = canonical(query(sort=sort), without=PRESENTATION)
    cursor = base64.urlsafe_b64encode(json.dumps([_belongs_to(GRANTS, question), *values]).encode()).decode()
    page = page_statement(GRANTS, query(sort=sort, limit="2", cursor=cursor.rstrip("=")))
    assert page.values == ["IOM", COUNTRIES, LEAST, 2, *values]
    return text(page).rpartition(f" FROM grant WHERE {WHERE} AND ")[2].partition(" ORDER BY")[0]


def test_a_page_begins_after_the_row_before_it_by_all_keys_of_its_order() -> None:
    assert after(["code"], "a", "a") == "(code, code) > ($5::text::text, $6::text)"
    assert after(["-amount", "-name"], "1.50", "x", "a") == (
        "(coalesce(amount, -1), name, code) < ($5::text::numeric, $6::text::text, $7::text)"
    )
    assert after(["name", "-amount"], "x", "1.50", "a") == (
        "(name) >= ($5::text::text) AND ((name) > ($5::text::text)"
        " OR (coalesce(amount, -1), code) < ($6::text::numeric, $7::text))"
    )
    assert after(["-name", "amount", "-code"], "x", "1.50", "a", "a") == (
        "(name) <= ($5::text::text) AND ((name) < ($5::text::text)"
        " OR (coalesce(amount, 'Infinity')) >= ($6::text::numeric) AND ((coalesce(amount, 'Infinity')) >"
        " ($6::text::numeric) OR (code, code) < ($7::text::text, $8::text)))"
    )


def test_the_keys_of_an_order_are_compared_in_its_turn() -> None:
    assert order(GRANTS, ["name", "-amount"]) == "name ASC, coalesce(amount, -1) DESC, code DESC"
    page = text(page_statement(GRANTS, query(sort=["-name", "amount"], limit="2")))
    assert (
        "max(page_position_1) FILTER (WHERE n = $4::int), max(page_position_2) FILTER (WHERE n = $4::int),"
        " max(page_key) FILTER (WHERE n = $4::int)"
    ) in page
    assert "(name)::text AS page_position_1, (coalesce(amount, 'Infinity'))::text AS page_position_2," in page


def test_the_named_members_of_an_item_are_taken_from_its_text() -> None:
    picked = (
        "( SELECT '{' || coalesce(string_agg(to_json(name)::text || ':' || value::text, ',' ORDER BY n), '') || '}'"
        " FROM json_each((replace(record::text, '?', '?'))::json) WITH ORDINALITY AS member(name, value, n)"
        " WHERE name = ANY($5::text[]))"
    )
    page = page_statement(GRANTS, query(fields=["code"], limit="2"))
    assert f"FROM (SELECT {picked} AS item," in text(page)
    assert page.values == ["IOM", COUNTRIES, LEAST, 2, ["code"]]
    export = export_statement(GRANTS, query(fields=["code"]), "ndjson")
    assert text(export).startswith(f"SELECT {picked.replace('$5', '$4')} FROM grant")
    columns = export_statement(GRANTS, query(fields=["amount"]), "csv")
    assert lines(columns)[0] == "SELECT amount AS amount"
    assert columns.values == ["IOM", COUNTRIES, LEAST]


def test_ranges_are_of_the_whole_filter_and_a_facet_of_the_filter_without_its_own() -> None:
    facets = facets_statement(GRANTS, FILTERED)
    others = "organization = $4 AND amount >= $5::numeric"
    assert text(facets) == (
        "WITH filtered AS MATERIALIZED ( SELECT count(*) AS n, min(filtered.amount) AS least_0,"
        " max(filtered.amount) AS most_0, count(filtered.amount) AS stated_0"
        f" FROM (SELECT * FROM grant WHERE {WHERE}) AS filtered GROUP BY ()),"
        " without_country AS MATERIALIZED ( SELECT countries, count(*) AS n"
        f" FROM (SELECT * FROM grant WHERE {others}) AS filtered GROUP BY countries)"
        " SELECT (SELECT coalesce(sum(n), 0)::bigint FROM filtered) AS total,"
        " ( SELECT coalesce(json_agg(json_build_object('value', value, 'name', name, 'count', n)"
        " ORDER BY n DESC, value), '[]')"
        " FROM (SELECT value, upper(value) AS name, n FROM (SELECT v.code AS value, sum(filtered.n)::bigint AS n"
        " FROM without_country AS filtered CROSS JOIN unnest(filtered.countries) AS v(code) GROUP BY 1) AS summed)"
        " AS named) AS country,"
        " ( SELECT json_build_object('min', (min(least_0))::text, 'max', (max(most_0))::text,"
        " 'not_stated', coalesce(sum(n - stated_0), 0)::bigint) FROM filtered) AS amount"
    )
    assert facets.values == ["IOM", COUNTRIES, LEAST, "IOM", LEAST]


def test_rows_are_read_once_for_all_facets_under_the_same_filters() -> None:
    facets = facets_statement(GRANTS, GrantFilter.model_validate({}))
    assert text(facets).startswith(
        "WITH filtered AS MATERIALIZED ( SELECT countries, count(*) AS n, min(filtered.amount) AS least_0,"
        " max(filtered.amount) AS most_0, count(filtered.amount) AS stated_0"
        " FROM (SELECT * FROM grant WHERE organization = $1) AS filtered GROUP BY countries) SELECT"
    )
    assert text(facets).count("FROM grant") == 1


def test_the_whole_of_a_total_is_counted_apart_from_its_groups() -> None:
    filtered = f"FROM (SELECT * FROM grant WHERE {WHERE}) AS filtered"
    groups, wholes = groups_statement(GRANTS, FILTERED, ["stage"]), wholes_statement(GRANTS, FILTERED)
    keys = "filtered.money_stage, filtered.basis, filtered.currency"
    assert text(groups) == (
        f"WITH filtered AS ( SELECT {keys}, filtered.stage, sum(filtered.amount) AS amount,"
        " count(*) FILTER (WHERE filtered.amount IS NOT NULL) AS summed,"
        " count(*) FILTER (WHERE filtered.amount IS NULL) AS omitted_0"
        f" {filtered} WHERE filtered.money_stage IS NOT NULL GROUP BY {keys}, filtered.stage),"
        f" part AS MATERIALIZED ( SELECT {keys}, filtered.stage AS value_0,"
        " sum(filtered.amount) AS amount, coalesce(sum(filtered.summed), 0)::bigint AS summed,"
        " coalesce(sum(filtered.omitted_0), 0)::bigint AS omitted_0"
        f" FROM filtered GROUP BY {keys}, value_0)"
        " SELECT part.*, NULL::text AS name_0, true AS exact FROM part ORDER BY part.value_0"
    )
    assert text(wholes) == (
        "SELECT money_stage, basis, currency, sum(amount) AS amount, count(*) AS found,"
        " count(*) FILTER (WHERE filtered.amount IS NOT NULL) AS summed,"
        " count(*) FILTER (WHERE filtered.amount IS NULL) AS omitted_0"
        f" {filtered} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    assert groups.values == wholes.values == ["IOM", COUNTRIES, LEAST]


def test_a_row_whose_money_is_divided_is_a_sum_by_itself() -> None:
    divided = Dimension(
        "v.code", join="CROSS JOIN jsonb_each_text(filtered.parts) AS v(code, amount)", amount="v.amount::numeric"
    )
    groups = text(groups_statement(replace(GRANTS, totals={"part": divided}), FILTERED, ["part"]))
    keys = "filtered.money_stage, filtered.basis, filtered.currency"
    assert groups.startswith(
        f"WITH filtered AS ( SELECT {keys}, filtered.parts, filtered.amount AS amount,"
        " CASE WHEN filtered.amount IS NOT NULL THEN 1 ELSE 0 END AS summed,"
        " CASE WHEN filtered.amount IS NULL THEN 1 ELSE 0 END AS omitted_0"
        f" FROM (SELECT * FROM grant WHERE {WHERE}) AS filtered WHERE filtered.money_stage IS NOT NULL ), part AS"
    )
    assert " sum(v.amount::numeric) AS amount, coalesce(sum(filtered.summed), 0)::bigint AS summed," in groups
