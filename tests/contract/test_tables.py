"""Every answer that is a table of groups, as CSV: each cell is the member of the JSON, and the whole is no row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.asking import ApiClients, ask, error_detail, problem
from tests.contract.contracts import AT_SERVICES, LISTS, Contract, Operation, words_of

TABLES = [
    o
    for o in AT_SERVICES
    if o.is_versioned and "text/csv" in o.contract["responses"]["200"].get("content", {}) and o not in LISTS
]


def lines_of_the_fund(answer: Contract) -> Iterator[Contract]:
    for section in ("sources", "uses", "pledges", "commitments", "allocations"):
        found = answer[section]
        if section == "commitments":
            found = [found[name] for name in ("committed", "amendments", "exchange_differences")]
        yield from ({"section": section, **line} for line in (found if isinstance(found, list) else [found]))


def lines_of_a_period(answer: Contract) -> Iterator[Contract]:
    for section in (
        *("sources", "uses", "pledges", "commitments", "commitment_amendments", "exchange_differences", "allocations"),
        "expenditures",
    ):
        found = answer[section]
        yield from ({"section": section, **line} for line in (found if isinstance(found, list) else [found]))
    for section, found in answer.items():
        if isinstance(found, dict) and "change" in found:
            yield {"section": section, **found}


def lines_of_a_reconciliation(answer: Contract) -> Iterator[Contract]:
    for name in ("ledger", "bank"):
        yield {"line": name, "date": answer["on"], "sum": answer[name]}
    opening = answer["opening"]
    yield {"line": "opening", "date": opening["date"], "sum": opening["difference"]}
    for name in ("ledger_only", "bank_only"):
        for item in answer[name]:
            members = {member: item.get(member) for member in ("code", "kind", "value_date", "sum", "match")}
            day, stated = item.get("date", item.get("booking_date")), [item.get("bank_reference")]
            reference = next(iter(item.get("references", stated)), None)
            yield {"line": name, "date": day, "reference": reference} | members
    yield {"line": "unexplained", "date": answer["on"], "sum": answer["unexplained"]}


def groups_of_totals(answer: Contract) -> Iterator[Contract]:
    for total in answer["totals"]:
        for group in total["groups"]:
            yield {
                **{key["by"]: key["value"] for key in group["keys"]},
                **{f"{key['by']}_name": key["name"] for key in group["keys"]},
                "total": {"stage": total["stage"], "basis": total["basis"]},
                **{name: group[name] for name in ("sum", "rows", "link")},
                "left_out": {
                    "rows": sum(each["rows"] for each in group["left_out"]),
                    "reason": [each["reason"] for each in group["left_out"]],
                },
            }


# What figures of the report are of, beside what has a column of its own.
GROUPS = (
    "reported_grade", "answer", "below", "kind", "organization", "stage", "currency", "period_end", "year", "code",
    "between",
)  # fmt: skip


def figures_of_the_report(node: Any, of: Contract, path: tuple[str, ...]) -> Iterator[Contract]:
    """Each number and text of a section with what it is of."""
    if isinstance(node, list):
        for each in node:
            yield from figures_of_the_report(each, of, path)
        return
    columns = {name: node[name] for name in ("rubric", "criterion", "grade", "programme") if name in node}
    groups = [str(node[name]) for name in GROUPS if node.get(name) is not None]
    if isinstance(node.get("sum"), dict):
        # What stands beside it is of its currency.
        groups.append(node["sum"]["currency"])
        node = {**node, "sum": node["sum"]["amount"]}
    of = {**of, **columns, "group": " / ".join(filter(None, (of.get("group"), *groups)))}
    for name, value in node.items():
        if isinstance(value, dict | list):
            yield from figures_of_the_report(value, of, (*path, name))
        elif name not in columns and name not in GROUPS:
            yield {**of, "figure": "_".join((*path, name)), "value": value}


def rows_of_the_matrix(answer: Contract) -> Iterator[Contract]:
    for row in answer["rows"]:
        evidence = [
            ", ".join(e[name] for name in ("title", "document", "locator", "url") if e[name]) for e in row["evidence"]
        ]
        actions = [
            f"{action['action']}, {action['owner']}, due {action['due']}"
            + (f", done {action['done']}" if action.get("done") else "")
            for action in row["actions"]
        ]
        yield {**answer["head"], **row, "evidence": evidence, "actions": actions}


def rows_of(operation: Operation, answer: Contract) -> list[Contract]:
    """The groups of an answer in JSON, in order."""
    if operation.id == "get_assessment_matrix":
        return list(rows_of_the_matrix(answer))
    if operation.id == "get_portfolio_report":
        sections = [name for name in answer if name not in ("target", "coverage", "day", "revision")]
        return [figure for name in sections for figure in figures_of_the_report(answer[name], {"section": name}, ())]
    if operation.id == "get_reconciliation":
        return list(lines_of_a_reconciliation(answer))
    if operation.id == "get_results_progress":
        return list(answer["indicators"])
    for member in ("items", "figures", "periods", "criteria", "groups", "proposals", "statuses"):
        if member in answer:
            return list(answer[member])
    if "facets" in answer:
        return [{"parameter": name, **value} for name, values in answer["facets"].items() for value in values]
    if "cash" in answer:
        return list(lines_of_a_period(answer))
    if "targets" in answer:
        return [{"target": t["target"]["code"], **each} for t in answer["targets"] for each in t["contributed"]]
    return list(groups_of_totals(answer) if "totals" in answer else lines_of_the_fund(answer))


def flat(record: Contract, before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}_")
        elif isinstance(value, list):
            if not any(isinstance(each, dict) for each in value):
                yield f"{before}{name}", "|".join(map(str, value))
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield f"{before}{name}", "" if value is None else text


def questions(operation: Operation) -> list[str]:
    """A query string for each way to divide, with an order and a limit where there are any."""
    by = words_of(operation.query["by"]) or [] if "by" in operation.query else []
    found = [f"by={each}" for each in by] or [""]
    if by and operation.query["by"]["maxItems"] > 1:
        found.append(f"by={by[0]}&by={by[-1]}")
    if "sort" in operation.query:
        found += [f"{found[0]}&sort=-sum&limit=2", f"{found[-1]}&sort=sum"]
    if "interval" in operation.query:
        found += [f"interval={each}" for each in words_of(operation.query["interval"]) or ()]
    if "on" in operation.query:
        found.append("on=2026-03-31")
    return found


def test_every_table_of_groups_is_tested() -> None:
    ids = {o.id for o in TABLES}
    assert ids >= {o.id for o in AT_SERVICES if o not in LISTS and o.id.endswith(("totals", "facets"))}
    assert ids >= {o.id for o in AT_SERVICES if "/statement" in o.template}
    assert ids >= {"get_fund_statement", "get_capitalization_over_time", "list_outstanding_commitments"}
    assert ids >= {
        "get_indicator",
        "get_indicator_over_time",
        "get_answers_by_criterion",
        "get_assessment_matrix",
        "get_portfolio_report",
        "get_capitalization_progress",
        "get_edition_reconciliation",
        "get_results_progress",
    }


@pytest.mark.parametrize("operation", TABLES, ids=str)
async def test_each_cell_is_the_member_of_the_json(apis: ApiClients, operation: Operation) -> None:
    for query in questions(operation):
        answer = await ask(apis, operation, query)
        table = await ask(apis, operation, f"{query}&format=csv" if query else "format=csv")
        assert (table.status_code, table.headers["content-type"]) == (200, "text/csv; charset=utf-8"), table.text
        name = operation.path.strip("/").replace("/", "-")
        assert table.headers["content-disposition"] == f'inline; filename="{name}.csv"'
        assert table.text.endswith("\n") and "\r" not in table.text
        header, *lines = csv.reader(io.StringIO(table.text))
        assert len(set(header)) == len(header)
        groups = rows_of(operation, answer.json())
        assert len(lines) == len(groups), query
        for line, group in zip(lines, groups, strict=True):
            members: dict[str, str] = dict(flat(group))
            cells = dict(zip(header, line, strict=True))
            assert {column: cells[column] for column in members.keys() & cells.keys()} == {
                column: value for column, value in members.items() if column in cells
            }
            # A column that the JSON has not is of a part that is null there.
            assert all(not cells[column] for column in cells.keys() - members.keys()), query
            assert all(not value for column, value in members.items() if column not in cells), query


@pytest.mark.parametrize("operation", TABLES, ids=str)
async def test_a_table_is_negotiated_and_cached_as_the_json_is(apis: ApiClients, operation: Operation) -> None:
    query = questions(operation)[0]
    with_format = f"{query}&format=csv" if query else "format=csv"
    json_, asked = await ask(apis, operation, query), await ask(apis, operation, with_format)
    accepted = await ask(apis, operation, query, headers={"accept": "text/csv"})
    assert asked.content == accepted.content
    assert asked.headers["etag"] == accepted.headers["etag"] != json_.headers["etag"]
    assert {a.headers["vary"].split(",")[0] for a in (json_, asked)} == {"Accept"}
    assert (await ask(apis, operation, f"{query}&format=json".lstrip("&"))).headers["etag"] == json_.headers["etag"]
    again = await ask(apis, operation, with_format, headers={"if-none-match": asked.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await ask(apis, operation, with_format, headers={"if-none-match": json_.headers["etag"]})
    assert other.status_code == 200
    # What is of one record alone has no revision.
    if "as_of" in operation.query and (revision := json_.json().get("revision")):
        then = await ask(apis, operation, f"{with_format}&as_of={revision}")
        assert then.status_code == 200
        assert then.text.partition("\n")[0] == asked.text.partition("\n")[0]
    found = error_detail(operation, await ask(apis, operation, "format=ndjson"), "format")
    assert found["allowed"] == ["json", "csv", "csv-spreadsheet"]
    problem(operation, await ask(apis, operation, query, headers={"accept": "application/x-ndjson"}), 406)


async def test_the_whole_is_no_row_of_a_table(apis: ApiClients) -> None:
    operation = next(o for o in TABLES if o.id == "get_indicator")
    for options in ({"query": "format=csv"}, {"headers": {"accept": "text/csv"}}):
        answer: Any = await ask(apis, operation, **options)  # type: ignore[arg-type]
        found = error_detail(operation, answer, "format")
        assert (found["code"], found["allowed"][0]) == ("not_applicable", "format=json")
