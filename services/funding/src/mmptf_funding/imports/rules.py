"""What a row of an edition must fulfil, and the record that it becomes; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mmptf_common.http.parameters import words
from mmptf_common.wire.problems import ErrorDetail
from mmptf_funding.imports import template
from mmptf_funding.imports.errors import not_in, row_error, shown
from mmptf_funding.imports.files import RawRow
from mmptf_funding.imports.template import ROWS, RequirementRow, TableName

Facts = dict[str, Any]
NO_COUNTRY = "none"
CURRENCY = "USD"
# The columns of a requirement's table, but for the document and the moment of change.
COLUMNS = (
    "code", "edition", "region", "region_name", "place", "place_name", "place_as_printed", "country", "area",
    "area_name", "area_as_printed", "amount", "status", "implied", "as_printed", "populations", "confidence", "note",
    "source_document", "source_line", "source_locator", "heading_line", "place_line", "populations_line", "words",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """A term as rows refer to it."""

    code: str
    name: str
    region: str | None = None
    country: str | None = None
    footnote: str | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the rows of one edition may name: terms by kind and code, and documents."""

    edition: str
    terms: Mapping[str, Mapping[str, Term]]
    documents: frozenset[str]
    searched: dict[tuple[str | None, ...], list[str]] = field(default_factory=dict)


def read(table: TableName, raw: RawRow) -> tuple[Any, list[ErrorDetail]]:
    """A row as its model, or None and everything that is wrong with its cells."""
    errors = list(raw.errors)
    if errors and not raw.cells:
        return None, errors
    try:
        row = ROWS[table].model_validate(raw.cells)
    except ValidationError as error:
        # A cell that could not be read seems empty; it is named once.
        unread = {error.pointer for error in errors}
        found = [_cell_error(table, raw, dict(e)) for e in error.errors(include_url=False)]
        return None, errors + [error for error in found if error.pointer not in unread]
    return (None, errors) if errors else (row, [])


def _cell_error(table: TableName, raw: RawRow, error: dict[str, Any]) -> ErrorDetail:
    column = str(error["loc"][0]) if error["loc"] else template.columns(table)[0]
    given = raw.cells.get(column)
    if error["type"] == "missing":
        return row_error(table, raw.number, column, "empty_cell", "a value is expected")
    cause = error.get("ctx", {}).get("error")
    detail = str(cause) if isinstance(cause, ValueError) else str(error["msg"])
    if error["type"] == "literal_error":
        allowed = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return not_in(table, raw.number, column, given or "", allowed)
    return row_error(table, raw.number, column, "invalid_value", f"{shown(given)}: {detail}")


def requirement_errors(raw: RawRow, row: RequirementRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """What is wrong with a requirement whose cells are each right: codes, names beside codes, amount and status."""
    errors: list[ErrorDetail] = []

    def add(column: str, code: str, detail: str) -> None:
        errors.append(row_error("requirements", raw.number, column, code, detail))

    if row.edition != vocabulary.edition:
        add("edition", "other_edition", f"{shown(row.edition)}, and this import is of {vocabulary.edition}")
    found: dict[str, Term | None] = {}
    for kind, code in (("region", row.region_code), ("place", row.place_code), ("area", row.area_code)):
        found[kind] = vocabulary.terms[kind].get(code)
        if found[kind] is None:
            errors.append(not_in("requirements", raw.number, f"{kind}_code", code, vocabulary.terms[kind]))
    for kind, name in (("region", row.region), ("place", row.place), ("area", row.area)):
        if (term := found[kind]) and name is not None and name != term.name:
            add(kind, "other_name", f"{shown(name)}, and {term.code} is {term.name!r} in the vocabulary")
    if place := found["place"]:
        if place.region != row.region_code:
            add("place_code", "other_region", f"{place.code} is in region {place.region}, not {row.region_code}")
        if row.country_code is not None and row.country_code != place.country:
            add(
                "country_code",
                "other_country",
                f"{row.country_code}, and the country of {place.code} is {place.country}",
            )
    if row.status == "required" and row.amount_usd is None:
        add("amount_usd", "empty_cell", "status required needs an amount")
    if row.status != "required" and row.amount_usd is not None:
        add("amount_usd", "not_applicable", f"status {row.status} has no amount")
    if row.status != "missing_in_source" and row.implied_amount_usd is not None:
        add("implied_amount_usd", "not_applicable", "only what is missing in the source has an implied amount")
    seen: set[str] = set()
    for code in row.target_populations:
        if code not in vocabulary.terms["target_population"]:
            errors.append(
                not_in("requirements", raw.number, "target_populations", code, vocabulary.terms["target_population"])
            )
        elif code in seen:
            add("target_populations", "repeated_code", f"{code} is there twice")
        seen.add(code)
    if row.source_document not in vocabulary.documents:
        errors.append(
            not_in("requirements", raw.number, "source_document", row.source_document, sorted(vocabulary.documents))
        )
    if row.source_line is None and row.source_locator is None:
        add("source_line", "empty_cell", "a line, or a source_locator, is expected: every figure says where it stands")
    return errors


def requirement_columns(row: RequirementRow, vocabulary: Vocabulary) -> Facts:
    """A checked requirement as `COLUMNS`, in their order."""
    region, place, area = (
        vocabulary.terms[kind][code]
        for kind, code in (("region", row.region_code), ("place", row.place_code), ("area", row.area_code))
    )
    searched = (place.name, row.place_as_printed, region.name, area.name, row.area_as_printed)
    if searched not in vocabulary.searched:
        vocabulary.searched[searched] = words(" ".join(filter(None, searched)))
    return {
        "code": row.code,
        "edition": row.edition,
        "region": region.code,
        "region_name": region.name,
        "place": place.code,
        "place_name": place.name,
        "place_as_printed": row.place_as_printed,
        "country": place.country or NO_COUNTRY,
        "area": area.code,
        "area_name": area.name,
        "area_as_printed": row.area_as_printed,
        "amount": row.amount_usd,
        "status": row.status,
        "implied": row.implied_amount_usd,
        "as_printed": row.amount_as_printed,
        "populations": row.target_populations,
        "confidence": row.confidence,
        "note": row.note,
        "source_document": row.source_document,
        "source_line": row.source_line,
        "source_locator": row.source_locator,
        "heading_line": row.heading_line,
        "place_line": row.place_line,
        "populations_line": row.target_populations_line,
        "words": vocabulary.searched[searched],
    }


def requirement_document(columns: Facts, vocabulary: Vocabulary) -> Facts:
    """What readers get of a requirement, but for the moment of change, which is its last member."""
    terms, document = vocabulary.terms, columns["source_document"]
    place = terms["place"][columns["place"]]
    return {
        "code": columns["code"],
        "edition": columns["edition"],
        "region": {"code": columns["region"], "name": columns["region_name"], "as_printed": None},
        "place": {
            "code": place.code,
            "name": place.name,
            "as_printed": columns["place_as_printed"],
            "country": place.country,
            "footnote": place.footnote,
        },
        "area": {
            "code": columns["area"],
            "name": columns["area_name"],
            "as_printed": columns["area_as_printed"],
        },
        "status": columns["status"],
        "stage": "requirement",
        "sum": money(columns["amount"]),
        "implied": money(columns["implied"]),
        "as_printed": columns["as_printed"],
        "target_populations": [
            {"code": code, "name": terms["target_population"][code].name, "as_printed": None}
            for code in columns["populations"]
        ],
        "confidence": columns["confidence"],
        "note": columns["note"],
        "sources": [
            source("amount", document, columns["source_line"], columns["as_printed"], columns["source_locator"]),
            *(
                source(name, document, columns[line], printed)
                for name, line, printed in (
                    ("area", "heading_line", columns["area_as_printed"]),
                    ("place", "place_line", columns["place_as_printed"]),
                    ("target_populations", "populations_line", None),
                )
                if columns[line] is not None
            ),
        ],
    }


def source(name: str, document: str, line: int | None, printed: str | None, locator: str | None = None) -> Facts:
    """Where one fact of a record stands."""
    return {
        "field": name,
        "document": document,
        "line": line,
        "locator": locator,
        "as_printed": printed,
        "verified": True,
        "note": None,
    }


def money(amount: Any, currency: str = CURRENCY) -> Facts | None:
    """An amount as the wire writes it; null when there is none."""
    return None if amount is None else {"amount": f"{amount:.2f}", "currency": currency}
