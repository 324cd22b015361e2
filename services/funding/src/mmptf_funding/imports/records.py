"""The records that the small tables of an edition become, and what is wrong with their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mmptf_common.http.parameters import words
from mmptf_common.storage.records import Record, document_of
from mmptf_common.wire.sources import Publication
from mmptf_funding.editions import schemas as wire
from mmptf_funding.imports import rules
from mmptf_funding.imports.errors import ImportErrors, not_in, other_edition, repeated, row_error
from mmptf_funding.imports.files import RawRow
from mmptf_funding.imports.rules import Vocabulary
from mmptf_funding.imports.template import TableName
from mmptf_funding.models import EditionRow, InitiativeRow, PrintedTotalRow, SourceDocumentRow, TermRow

# The code of a printed total is made of up to four others, and is no longer than any.
MAX_CODE = 64
# The tables that are read as a whole: all but the requirements.
Small = dict[TableName, list[tuple[RawRow, Any]]]


def records_of(
    small: Small, vocabulary: Vocabulary, at: datetime, errors: ImportErrors
) -> list[tuple[str, list[Record]]]:
    """The records of the small tables: table and rows, in the order in which they refer to one another."""
    edition = vocabulary.edition
    editions = [row for _, row in small["edition"]]
    totals = [_printed_total(*pair, n, vocabulary, at, errors) for n, pair in enumerate(small["printed-totals"], 1)]
    initiatives = [_initiative(*pair, n, vocabulary, at, errors) for n, pair in enumerate(small["initiatives"], 1)]
    tables: tuple[tuple[TableName, Sequence[Record]], ...] = (("printed-totals", totals), ("initiatives", initiatives))
    for table, rows in tables:
        seen: dict[str, int] = {}
        for (raw, _), row in zip(small[table], rows, strict=True):
            if first := seen.get(row.code):
                errors.add([repeated(table, raw.number, "code", row.code, first)])
            seen.setdefault(row.code, raw.number)
    documents: list[Record] = []
    for row in editions:
        facts = {"code": row.document, "title": row.name, "publisher": row.publisher, "year": row.year}
        facts |= {"kind": "publication", "url": None, "note": None}
        documents.append(SourceDocumentRow(code=row.document, updated=at, document=document_of(Publication, facts, at)))
    found: list[tuple[str, list[Record]]] = [
        ("documents", documents),
        ("edition", [_edition(row, at) for row in editions]),
        ("vocabulary", [_term(row, n, edition, at) for n, (_, row) in enumerate(small["vocabulary"], 1)]),
        ("printed-totals", list(totals)),
        ("initiatives", list(initiatives)),
    ]
    return [(table, rows) for table, rows in found if rows]


def _edition(row: Any, at: datetime) -> EditionRow:
    return EditionRow(
        code=row.code, name=row.name, updated=at, document=document_of(wire.Edition, row.model_dump(), at)
    )


def _term(row: Any, position: int, edition: str, at: datetime) -> TermRow:
    facts = {
        "code": row.code,
        "edition": edition,
        "kind": row.kind,
        "name": row.name,
        "as_printed": row.as_printed,
        "region": row.region_code,
        "country": row.country_code,
        "footnote": row.footnote,
        "note": row.note,
        "position": position,
    }
    return TermRow(
        code=f"{edition}.{row.kind}.{row.code}",
        edition=edition,
        kind=row.kind,
        term=row.code,
        name=row.name,
        region=row.region_code,
        country=row.country_code,
        position=position,
        updated=at,
        document=document_of(wire.Term, facts, at),
    )


def _printed_total(
    raw: RawRow, row: Any, position: int, vocabulary: Vocabulary, at: datetime, errors: ImportErrors
) -> PrintedTotalRow:
    terms = vocabulary.terms
    name = vocabulary.edition
    errors.add(other_edition("printed-totals", raw.number, row.edition, vocabulary.edition))
    if row.division == "edition":
        if row.value != vocabulary.edition:
            errors.add([not_in("printed-totals", raw.number, "value", row.value, [vocabulary.edition])])
    elif (term := terms[row.division].get(row.value)) is None:
        errors.add([not_in("printed-totals", raw.number, "value", row.value, terms[row.division])])
    else:
        name = term.name
    if row.region_code is not None and row.region_code not in terms["region"]:
        errors.add([not_in("printed-totals", raw.number, "region_code", row.region_code, terms["region"])])
    if row.region_code is not None and row.division in ("edition", "region"):
        errors.add([
            row_error("printed-totals", raw.number, "region_code", "not_applicable", "only areas and places have one")
        ])  # fmt: skip
    if row.source_document not in vocabulary.documents:
        errors.add([
            not_in(
                "printed-totals", raw.number, "source_document", row.source_document, sorted(vocabulary.documents)
            )
        ])  # fmt: skip
    share = row.unit == "per_cent"
    if share and row.printed is None:
        errors.add([row_error("printed-totals", raw.number, "printed", "empty_cell", "a percentage is expected")])
    per_cent = row.printed if share else None
    if per_cent is not None and per_cent >= 1000:
        errors.add([row_error("printed-totals", raw.number, "printed", "invalid_value", "no percentage is that large")])
        per_cent = None
    code = ".".join(filter(None, (row.edition, row.division, row.region_code, row.value, "share" if share else None)))
    if len(code) > MAX_CODE:
        errors.add(
            [row_error("printed-totals", raw.number, "value", "invalid_value", f"{code} is over {MAX_CODE} characters")]
        )
        code = code[:MAX_CODE].rstrip("-_.")
    elif row.code not in (None, code):
        errors.add(
            [row_error("printed-totals", raw.number, "code", "other_code", f"{row.code}, and {code} is expected")]
        )
    facts = {
        "code": code,
        "edition": row.edition,
        "division": row.division,
        "value": row.value,
        "name": name,
        "region": row.region_code,
        "unit": row.unit,
        "sum": None if share else rules.money(row.printed),
        "per_cent": None if per_cent is None else str(per_cent),
        "as_printed": row.as_printed,
        "note": row.note,
        "position": position,
        "sources": [rules.source("printed", row.source_document, row.source_line, row.as_printed)],
    }
    return PrintedTotalRow(
        code=code,
        edition=row.edition,
        division=row.division,
        region=row.region_code,
        value=row.value,
        unit=row.unit,
        printed=row.printed,
        position=position,
        updated=at,
        document=document_of(wire.PrintedTotal, facts, at),
    )


def _initiative(
    raw: RawRow, row: Any, position: int, vocabulary: Vocabulary, at: datetime, errors: ImportErrors
) -> InitiativeRow:
    errors.add(other_edition("initiatives", raw.number, row.edition, vocabulary.edition))
    for amount, currency in (("amount", "currency"), ("overall_amount", "overall_currency")):
        if (getattr(row, amount) is None) != (getattr(row, currency) is None):
            errors.add([
                row_error("initiatives", raw.number, currency, "empty_cell", f"{amount} and {currency} go together")
            ])  # fmt: skip
    stated = "name" if row.amount is None else "amount"
    facts = {
        "code": row.code,
        "edition": row.edition,
        "kind": row.kind,
        "section": row.section,
        "name": row.name,
        "stage": "requirement",
        "sum": rules.money(row.amount, row.currency or rules.CURRENCY),
        "precision": row.precision,
        "as_printed": row.amount_as_printed,
        "period": row.period,
        "overall": rules.money(row.overall_amount, row.overall_currency or rules.CURRENCY),
        "overall_as_printed": row.overall_as_printed,
        "buys": row.buys,
        "instrument": row.instrument,
        "confidence": row.confidence,
        "note": row.note,
        "position": position,
        "sources": [rules.source(stated, row.source_document, row.source_line, row.amount_as_printed)],
    }
    return InitiativeRow(
        code=row.code,
        edition=row.edition,
        kind=row.kind,
        section=row.section,
        amount=row.amount,
        currency=row.currency,
        position=position,
        words=words(" ".join(filter(None, (row.name, row.section, row.buys)))),
        updated=at,
        document=document_of(wire.Initiative, facts, at),
    )
