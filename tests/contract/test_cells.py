"""Every list as CSV, NDJSON and JSON: a cell is the text of the member that it comes from, and a line is an item."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.asking import ApiClients, ask
from tests.contract.contracts import AT_SERVICES, LISTS, Contract, Operation

# Returns the value behind a cell: a text, a number, a truth value or null.
Value = Callable[[Contract], Any]


def at(path: str) -> Value:
    """The value at a path such as `sources.0.line`, of lists what is left after the path joined; null where there is
    none."""
    steps = path.split(".")

    def value(item: Any) -> Any:
        for step in steps:
            if isinstance(item, list) and re.fullmatch(r"-?[0-9]+", step):
                number = int(step)
                item = item[number] if -len(item) <= number < len(item) else None
            elif isinstance(item, list):
                item = [each[step] for each in item]
            elif item is not None:
                item = item[step]
        return item

    return value


def last_line(path: str) -> Value:
    """The last of several lines that a locator names."""

    def value(item: Contract) -> Any:
        found = re.fullmatch(r"lines [0-9]+-([0-9]+)", at(path)(item) or "")
        return found and found[1]

    return value


def of_field(field: str, then: Callable[[str], Value]) -> Value:
    """The value at a path in the only source of a requirement that is for a field."""

    def value(item: Contract) -> Any:
        places = [n for n, source in enumerate(item["sources"]) if source["field"] == field]
        return then(f"sources.{places[0]}")(item) if places else None

    return value


def located(member: str) -> Value:
    """The codes of a member, each with its line."""
    return lambda item: [f"{each['code']}:{each['line']}" for each in item[member]]


SOURCED = {f"source_{name}": at(f"sources.0.{name}") for name in ("document", "line", "verified")}
MONEY = {"amount": at("sum.amount"), "currency": at("sum.currency")}
BUDGET = ("amount", "currency", "stage", "precision", "as_printed")
# The columns that are no member of the same name, or one text of a member with several: what they are of.
COLUMNS: dict[str, dict[str, Value]] = {
    "catalog:list_clusterings": {"areas": lambda item: json.dumps(item["areas"], separators=(",", ":"))},
    "catalog:list_calls_for_proposals": {"documents": at("documents.url"), **SOURCED},
    "catalog:list_meetings": {"documents": at("documents.url"), **SOURCED},
    "catalog:list_decisions": {
        "programmes": at("programmes.programme"),
        "document": at("document.url"),
        **SOURCED,
    },
    "catalog:list_place_groups": {"members": at("members.code")},
    **{
        f"{service}:list_{service}_documents": {"contacts": at("contacts.value"), "gaps": at("gaps.note")}
        for service in ("catalog", "funding", "markers")
    },
    "catalog:list_programmes": {
        "thematic_area": at("thematic_area.code"),
        "thematic_area_name": at("thematic_area.name"),
        "objectives": at("objectives.code"),
        "countries": at("places.code"),
        "organizations": at("organizations.code"),
        "partners": at("partners.name"),
        "partner_kinds": at("partners.kind"),
        "beneficiaries": at("beneficiaries.name"),
        "beneficiary_groups": at("beneficiaries.group"),
        "components": at("components.text"),
        "localities": at("localities.name"),
        "figures": lambda item: [f"{e['subject']}: {e['as_printed'] or e['value']}" for e in item["figures"]],
        **{
            f"budget_{name}": at(f"budget.{name}")
            for name in ("amount", "currency", "stage", "precision", "as_printed")
        },
        "budget_source_document": at("budget.sources.0.document"),
        "budget_source_line": at("budget.sources.0.line"),
        "start_date": at("duration.start"),
        "end_date": at("duration.end"),
        "status_date": at("status_history.-1.date"),
        "not_stated": at("gaps.field"),
    },
    "funding:list_contributions": {
        **MONEY,
        "contributor": at("contributor.code"),
        "contributor_name": at("contributor.name"),
        "contributor_type": at("contributor.type"),
        "country": at("contributor.country"),
    },
    "funding:list_capitalization_targets": MONEY,
    "funding:list_fund_facts": {
        "printed": at("printed.value"),
        "unit": at("printed.unit"),
        "qualifier": at("printed.qualifier"),
        "as_printed": at("printed.as_printed"),
        "computed": at("computed.value"),
        "difference": at("computed.difference"),
        "computed_from": at("computed.link"),
    },
    "funding:list_ledger_entries": {
        **MONEY,
        "original_amount": at("original.sum.amount"),
        "original_currency": at("original.sum.currency"),
        **{name: at(f"original.{name}") for name in ("rate", "rate_date", "rate_source")},
    },
    "funding:list_transfer_limits": {"amount": at("amount.amount"), "currency": at("amount.currency")},
    "funding:list_transfer_proposals": {
        **{name: at(f"transfer.{name}") for name in ("date", "programme", "organization")},
        "amount": at("transfer.sum.amount"),
        "currency": at("transfer.sum.currency"),
        **{f"{step}_{name}": at(f"{step}.{name}") for step in ("proposed", "decided") for name in ("person", "at")},
        "reason": at("decided.reason"),
    },
    "funding:list_accounting_periods": {
        "certified_on": at("certification.date"),
        "signatory": at("certification.signatory.name"),
        "signatory_function": at("certification.signatory.function"),
        **{f"document_{name}": at(f"certification.document.{name}") for name in ("title", "url", "sha256")},
    },
    "funding:list_bank_statements": {
        **{name: at(f"{name}.amount") for name in ("opening_balance", "closing_balance")},
        "currency": at("closing_balance.currency"),
    },
    "funding:list_bank_entries": {**MONEY, "balance": at("balance.amount")},
    "funding:list_bank_matches": {**MONEY, "charges": at("charges.amount")},
    "funding:list_requirements": {
        **{name: at(f"{name}.name") for name in ("region", "place", "area")},
        **{f"{name}_code": at(f"{name}.code") for name in ("region", "place", "area")},
        "place_as_printed": at("place.as_printed"),
        "area_as_printed": at("area.as_printed"),
        "country_code": at("place.country"),
        "amount_usd": at("sum.amount"),
        "implied_amount_usd": at("implied.amount"),
        "amount_as_printed": at("as_printed"),
        "target_populations": at("target_populations.code"),
        "source_locator": at("sources.0.locator"),
        "heading_line": of_field("area", lambda source: at(f"{source}.line")),
        "heading_last_line": of_field("area", lambda source: last_line(f"{source}.locator")),
        "place_line": of_field("place", lambda source: at(f"{source}.line")),
        "place_last_line": of_field("place", lambda source: last_line(f"{source}.locator")),
        "target_populations_line": of_field("target_populations", lambda source: at(f"{source}.line")),
        "topics": lambda item: [f"{each['code']}:{each['line']}" for each in item["topics"]],
        "narrative": lambda item: [
            "-".join(map(str, dict.fromkeys((each["first"], each["last"])))) for each in item["narrative"]
        ],
        "funders_named": lambda item: [f"{each['as_printed']}:{each['line']}" for each in item["funders_named"]],
    },
    "funding:list_initiatives": {
        **MONEY,
        "amount_as_printed": at("as_printed"),
        "overall_amount": at("overall.amount"),
        "overall_currency": at("overall.currency"),
        "target_amount": at("target.amount"),
        "target_currency": at("target.currency"),
        "target_line": of_field("target", lambda source: at(f"{source}.line")),
        "source_last_line": last_line("sources.0.locator"),
        "area_code": at("area"),
        "area_line": of_field("area", lambda source: at(f"{source}.line")),
        "countries": lambda item: [f"{each['code']}:{each['line']}" for each in item["countries"]],
        "partners": lambda item: [f"{each['as_printed']}:{each['line']}" for each in item["partners"]],
    },
    "funding:list_editions": {
        "note_line": at("sources.0.line"),
        "note_last_line": last_line("sources.0.locator"),
        "annotations": lambda item: [f"{a['text']}:{a['line']}-{a['last_line']}" for a in item["annotations"]],
    },
    "funding:list_edition_partners": {
        "kind_as_printed": at("sources.1.as_printed"),
        **{f"{name}_code": at(name) for name in ("country", "contributor", "organization")},
        "source_last_line": last_line("sources.0.locator"),
    },
    "funding:list_edition_figures": {
        **{f"{name}_code": at(name) for name in ("region", "area")},
        "stated_source_line": at("sources.1.line"),
        "source_last_line": last_line("sources.0.locator"),
    },
    "funding:list_edition_frameworks": {
        "region_code": at("region"),
        "period_as_printed": at("sources.1.as_printed"),
        "period_line": at("sources.1.line"),
        "source_last_line": last_line("sources.0.locator"),
    },
    "funding:list_edition_framework_items": {"source_last_line": last_line("sources.0.locator")},
    "funding:list_edition_offices": {
        "region_code": at("region"),
        "country_code": at("country"),
        "covers": located("covers"),
        "member_states": located("member_states"),
        "source_last_line": last_line("sources.0.locator"),
    },
    "funding:list_edition_groups": {
        "region_code": at("region"),
        "members": located("members"),
        "observers": located("observers"),
        "source_last_line": last_line("sources.0.locator"),
    },
    "funding:list_edition_acronyms": {
        "region_code": at("region"),
        "source_last_line": last_line("sources.0.locator"),
    },
    "funding:list_edition_vocabulary": {"region_code": at("region"), "country_code": at("country")},
    "funding:list_edition_printed_totals": {
        "region_code": at("region"),
        "printed": lambda item: at("sum.amount" if item["unit"] == "USD" else "per_cent")(item),
        "repeated_line": at("sources.1.line"),
    },
    "markers:list_assessments": {
        "rubric": lambda item: item["rubric"] and "{code}.{version}".format(**item["rubric"]),
        "rubric_status": at("rubric.status"),
        "derived_grade": at("derived.grade"),
        "reviewed_grade": at("reviewed.grade"),
        "second_grade": at("second_review.grade"),
        "settlement_grade": at("settlement.grade"),
        "appealed": at("appeal.at"),
        "appeal_grade": at("appeal.decided.grade"),
    },
    "markers:list_reviews": {"decision": at("outcome.decision"), "grade": at("outcome.grade")},
    "markers:list_current_grades": {
        "thematic_area": at("thematic_area.code"),
        "budget": at("budget.amount"),
        "currency": at("budget.currency"),
        "allocated": at("allocated.amount"),
    },
    "markers:list_indicator_targets": {
        "minimum": lambda item: "{numerator}/{denominator}".format(**item["minimum"]),
        "printed": at("printed.programmes"),
    },
    "markers:list_rubrics": {"criteria": lambda item: len(item["content"]["criteria"])},
    "markers:list_rubric_translations": {
        "coverage_translated": at("coverage.translated"),
        "coverage_texts": at("coverage.texts"),
    },
    "markers:list_results_indicators": {
        "baseline": at("baseline.value"),
        "baseline_date": at("baseline.date"),
        "targets": at("targets.value"),
        "target_dates": lambda item: [target["due"] or "" for target in item["targets"]],
        "disaggregations": lambda item: [*item["disaggregations"]],
    },
    "markers:list_reported_values": {
        "disaggregation": lambda item: json.dumps(item["disaggregation"], separators=(",", ":")),
        "attachment": at("attachment.url"),
    },
}


def cell(value: Any) -> str:
    """The text of a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "|".join(value)
    assert isinstance(value, str | int), value
    return str(value)


CSV_LISTS = [o for o in LISTS if o in AT_SERVICES]


@pytest.mark.parametrize("operation", CSV_LISTS, ids=str)
async def test_cells_are_the_members_of_the_items(apis: ApiClients, operation: Operation) -> None:
    items = (await ask(apis, operation, "limit=1000")).json()["items"]
    lines = (await ask(apis, operation, "format=ndjson")).text.splitlines()
    assert [json.loads(line) for line in lines] == items
    rows = list(csv.DictReader(io.StringIO((await ask(apis, operation, "format=csv")).text)))
    assert len(rows) == len(items)
    assert items
    values = SOURCED | COLUMNS.get(str(operation), {})
    for row, item in zip(rows, items, strict=True):
        assert row == {name: cell(values.get(name, at(name))(item)) for name in row}
