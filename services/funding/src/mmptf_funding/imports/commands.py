"""Bringing an edition in: every row checked, totals reconciled, all of it committed or nothing."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.journal import Author, begin_write, record, record_from
from mmptf_common.problems import InvalidRequest, fault
from mmptf_common.query import words
from mmptf_common.records import Facts, Record, document_of, load, moment_text
from mmptf_common.schemas import Document, Fault
from mmptf_funding.editions import schemas as wire
from mmptf_funding.editions.queries import reconcile
from mmptf_funding.imports import rules
from mmptf_funding.imports.files import RawRow, Tables, row_fault
from mmptf_funding.imports.rules import Term, Vocabulary
from mmptf_funding.imports.schemas import ImportReport, TableReport
from mmptf_funding.imports.template import TABLES, TableName
from mmptf_funding.models import (
    EditionRow,
    InitiativeRow,
    PrintedTotalRow,
    SourceDocumentRow,
    TermRow,
    change,
)

# A report of more faults than anybody reads is cut; how many there are in all is said.
MAX_FAULTS = 1000
# So many rows are checked at a stretch.
TURN = 500
# The first of these rows that can be read names the edition, where no table describes it.
FIRST_ROWS = 100
# The code of a printed total is made of up to four others, and is no longer than any.
MAX_CODE = 64
KINDS = ("region", "area", "target_population", "place")
Progress = Callable[[str, int], None]
# The tables that are read as a whole: all but the requirements.
Small = dict[TableName, list[tuple[RawRow, Any]]]


class InvalidImport(InvalidRequest):
    """422: what is wrong with the rows of an import; nothing was written."""

    code = "invalid_import"
    title = "The import is not valid"

    def __init__(self, faults: list[Fault], found: int) -> None:
        super().__init__(faults)
        listed = "" if found == len(faults) else f", of which the first {len(faults)} are listed"
        self.detail = f"{found} {'fault' if found == 1 else 'faults'}{listed}; nothing was written."
        self.code = "invalid_import"


class _Faults:
    """The faults of an import as they are found: the first of them, and how many there are."""

    def __init__(self) -> None:
        self.listed: list[Fault] = []
        self.found = 0

    def add(self, faults: Iterable[Fault]) -> None:
        for found in faults:
            self.found += 1
            if len(self.listed) < MAX_FAULTS:
                self.listed.append(found)

    def any_of(self, table: TableName) -> bool:
        return any(str(found.pointer).startswith(f"/{table}/") for found in self.listed)

    def refuse(self) -> None:
        if self.found:
            raise InvalidImport(self.listed, self.found)


async def import_edition(
    session: AsyncSession,
    author: Author,
    tables: Tables,
    *,
    packaged: bool = False,
    progress: Progress = lambda phase, rows: None,
) -> ImportReport:
    """Write an edition's tables in the session's transaction, one journal entry for each row that changes.

    tables:   the template's tables as rows; a table that is left out keeps what is stored of it
    packaged: the tables are those of the package: what somebody else has changed or added since they were loaded
              stays as it is, and nothing that follows from it keeps the service from starting
    progress: told the phase and how many rows it has done
    Raises InvalidRequest with every fault (row, column, reason): nothing is written then. Whether the transaction is
    committed is the caller's choice, so a dry run is an import that is rolled back.
    """
    at = await begin_write(session)
    faults = _Faults()
    small: Small = {name: _read(name, tables.get(name, iter(())), faults) for name in TABLES if name != "requirements"}
    requirements = tables.get("requirements", iter(()))
    first = list(islice(requirements, FIRST_ROWS))
    connection = await _driver(session)
    edition = await _edition_of(connection, small["edition"], first, faults)
    if edition is None or faults.any_of("vocabulary"):
        # Without them rows that are right would seem wrong.
        faults.refuse()
    assert edition
    vocabulary = await _vocabulary(connection, edition, small, faults, alone=not first)
    faults.add(await _document_taken(connection, small["edition"]))
    staged = await _stage(connection, chain(first, requirements), vocabulary, faults, progress)
    records = _records(small, vocabulary, at, faults)
    await _add_repeated_rows(connection, edition, faults)
    faults.add(await _initiatives_taken(connection, edition, small["initiatives"]))
    if not (faults.found or packaged):
        faults.add(await _rows_left_out(connection, edition))
    faults.refuse()
    report: dict[str, TableReport] = {}
    changes = []
    for name, entity, rows in records:
        found = await load(session, change, entity, rows, author, keep_corrections=packaged)
        changes += found
        if entity != "document":
            report[name] = _counted(len(rows), Counter(c.action for c in found))
    await record(session, change, changes, author, at)
    progress("writing", 0)
    written = await _write_requirements(session, author, at, keep_corrections=packaged)
    report["requirements"] = _counted(staged, written)
    figures = await reconcile(connection, edition)
    if not packaged:
        faults.add(_mismatch(figure) for figure in figures if figure.agreement == "different")
        faults.refuse()
    counts = Counter(figure.agreement for figure in figures)
    return ImportReport(
        edition=edition,
        dry_run=False,
        tables=report,
        agreement={agreement: counts[agreement] for agreement in ("equal", "explained", "different")},
        explained=[figure for figure in figures if figure.agreement == "explained"],
        revision=int(await connection.fetchval("SELECT max(seq) FROM change")),
    )


def _counted(rows: int, actions: Counter[str]) -> TableReport:
    created, amended = actions["create"], actions["amend"]
    return TableReport(rows=rows, created=created, amended=amended, unchanged=rows - created - amended)


def _mismatch(figure: wire.ReconciledTotal) -> Fault:
    return fault(
        "total_does_not_match",
        f"printed-totals: {figure.division} {figure.name}: {figure.as_printed} is printed, and the rows add up to"
        f" {figure.computed_figure or 'no amount'}",
        pointer=f"/printed-totals/{figure.printed}",
    )


async def _driver(session: AsyncSession) -> Any:
    """The driver's own connection within the session's transaction, for COPY."""
    connection = await session.connection()
    return (await connection.get_raw_connection()).driver_connection


def _read(table: TableName, rows: Iterator[RawRow], faults: _Faults) -> list[tuple[RawRow, Any]]:
    found = []
    for raw in rows:
        row, wrong = rules.read(table, raw)
        faults.add(wrong)
        if row is not None:
            found.append((raw, row))
    return found


async def _edition_of(
    connection: Any, given: list[tuple[RawRow, Any]], first: list[RawRow], faults: _Faults
) -> str | None:
    """The edition that is imported: the one the file describes, or else the one its rows name."""
    if len(given) > 1:
        raw = given[1][0]
        faults.add([row_fault("edition", raw.number, "code", "one_row", "one edition is imported at a time")])
    if given:
        return str(given[0][1].code)
    naming = next((row for row in first if "edition" in row.cells), None)
    if naming is None:
        faults.add(wrong for row in first for wrong in row.faults)
        faults.add([fault("nothing_to_import", "neither an edition nor requirements that name one are in the file")])
        return None
    code = naming.cells["edition"]
    known = [row["code"] for row in await connection.fetch("SELECT code FROM edition ORDER BY code")]
    if code in known:
        return code
    if not faults.any_of("edition"):
        faults.add([rules.not_in("requirements", naming.number, "edition", code, known)])
    return None


async def _vocabulary(connection: Any, edition: str, given: Small, faults: _Faults, *, alone: bool) -> Vocabulary:
    """The vocabulary of an edition: what is stored of it, and over it what the file brings.

    alone: the file brings no requirements, so what published ones say of a term has to stay as it is
    """
    terms: dict[str, dict[str, Term]] = {kind: {} for kind in KINDS}
    for row in await connection.fetch(
        "SELECT kind, term, name, region, document->>'country' AS country, document->>'footnote' AS footnote"
        " FROM term WHERE edition = $1 ORDER BY position",
        edition,
    ):
        terms[row["kind"]][row["term"]] = Term(row["term"], row["name"], row["region"], row["country"], row["footnote"])
    published = alone and await connection.fetchval(
        "SELECT EXISTS (SELECT FROM requirement WHERE edition = $1)", edition
    )
    rows: dict[tuple[str, str], int] = {}
    for raw, row in given["vocabulary"]:
        if first := rows.get((row.kind, row.code)):
            faults.add([_repeated("vocabulary", raw.number, "code", row.code, first)])
        rows.setdefault((row.kind, row.code), raw.number)
        faults.add(_of_edition("vocabulary", raw, row.edition, edition))
        term = Term(row.code, row.name, row.region_code, row.country_code, row.footnote)
        if published and terms[row.kind].get(row.code, term) != term:
            detail = f"requirements are published with {row.code} as it was; bring them along"
            faults.add([row_fault("vocabulary", raw.number, "code", "requirements_expected", detail)])
        terms[row.kind][row.code] = term
    for raw, row in given["vocabulary"]:
        if row.kind == "place" and row.region_code not in terms["region"]:
            faults.add([rules.not_in("vocabulary", raw.number, "region_code", row.region_code or "", terms["region"])])
    documents = {row["code"] for row in await connection.fetch("SELECT code FROM source_document")}
    documents |= {row.document for _, row in given["edition"]}
    return Vocabulary(edition, terms, frozenset(documents))


def _of_edition(table: TableName, raw: RawRow, named: str, edition: str) -> list[Fault]:
    if named == edition:
        return []
    return [row_fault(table, raw.number, "edition", "other_edition", f"{named!r}, and this import is of {edition}")]


async def _document_taken(connection: Any, given: list[tuple[RawRow, Any]]) -> list[Fault]:
    """An edition whose document is stored under another title, and not as this edition's own."""
    faults = []
    for raw, row in given:
        title = await connection.fetchval(
            "SELECT document->>'title' FROM source_document WHERE code = $1"
            " AND NOT EXISTS (SELECT FROM edition WHERE code = $2 AND document->>'document' = $1)",
            row.document,
            row.code,
        )
        if title not in (None, row.name):
            detail = f"{row.document} is {title!r}"
            faults.append(row_fault("edition", raw.number, "document", "other_document", detail))
    return faults


def _taken(table: TableName, row: int, code: str, edition: str) -> Fault:
    return row_fault(table, row, "code", "code_of_other_edition", f"{code} belongs to {edition}")


def _repeated(table: TableName, row: int, column: str, value: object, first: int) -> Fault:
    return row_fault(table, row, column, "repeated_row", f"{value} is in row {first} already")


def _records(
    small: Small, vocabulary: Vocabulary, at: datetime, faults: _Faults
) -> list[tuple[str, str, list[Record]]]:
    """The records of the small tables: table, entity and rows, in the order in which they refer to one another."""
    edition = vocabulary.edition
    editions = [row for _, row in small["edition"]]
    totals = [_printed_total(*pair, n, vocabulary, at, faults) for n, pair in enumerate(small["printed-totals"])]
    initiatives = [_initiative(*pair, n, vocabulary, at, faults) for n, pair in enumerate(small["initiatives"])]
    tables: tuple[tuple[TableName, Sequence[Record]], ...] = (("printed-totals", totals), ("initiatives", initiatives))
    for table, rows in tables:
        seen: dict[str, int] = {}
        for (raw, _), row in zip(small[table], rows, strict=True):
            if first := seen.get(row.code):
                faults.add([_repeated(table, raw.number, "code", row.code, first)])
            seen.setdefault(row.code, raw.number)
    documents: list[Record] = []
    for row in editions:
        facts = {"code": row.document, "title": row.name, "publisher": row.publisher, "year": row.year}
        facts |= {"kind": "publication", "url": None, "note": None}
        documents.append(SourceDocumentRow(code=row.document, updated=at, document=document_of(Document, facts, at)))
    found: list[tuple[str, str, list[Record]]] = [
        ("documents", "document", documents),
        ("edition", "edition", [_edition(row, at) for row in editions]),
        (
            "vocabulary",
            "term",
            [_term(row, n, edition, at) for n, (_, row) in enumerate(small["vocabulary"])],
        ),
        ("printed-totals", "printed_total", list(totals)),
        ("initiatives", "initiative", list(initiatives)),
    ]
    return [(table, entity, rows) for table, entity, rows in found if rows]


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
    }
    return TermRow(
        code=f"{edition}.{row.kind}.{row.code}",
        edition=edition,
        kind=row.kind,
        term=row.code,
        name=row.name,
        region=row.region_code,
        position=position,
        updated=at,
        document=document_of(wire.Term, facts, at),
    )


def _source(name: str, row: Any, line: int | None, printed: str | None) -> Facts:
    return {
        "field": name,
        "document": row.source_document,
        "line": line,
        "locator": None,
        "as_printed": printed,
        "verified": True,
        "note": None,
    }


def _printed_total(
    raw: RawRow, row: Any, position: int, vocabulary: Vocabulary, at: datetime, faults: _Faults
) -> PrintedTotalRow:
    terms = vocabulary.terms
    name = vocabulary.edition
    faults.add(_of_edition("printed-totals", raw, row.edition, vocabulary.edition))
    if row.division == "edition":
        if row.value != vocabulary.edition:
            faults.add([rules.not_in("printed-totals", raw.number, "value", row.value, [vocabulary.edition])])
    elif (term := terms[row.division].get(row.value)) is None:
        faults.add([rules.not_in("printed-totals", raw.number, "value", row.value, terms[row.division])])
    else:
        name = term.name
    if row.region_code is not None and row.region_code not in terms["region"]:
        faults.add([rules.not_in("printed-totals", raw.number, "region_code", row.region_code, terms["region"])])
    if row.region_code is not None and row.division in ("edition", "region"):
        faults.add([
            row_fault("printed-totals", raw.number, "region_code", "not_applicable", "only areas and places have one")
        ])  # fmt: skip
    if row.source_document not in vocabulary.documents:
        faults.add([
            rules.not_in(
                "printed-totals", raw.number, "source_document", row.source_document, sorted(vocabulary.documents)
            )
        ])  # fmt: skip
    share = row.unit == "per_cent"
    if share and row.printed is None:
        faults.add([row_fault("printed-totals", raw.number, "printed", "empty_cell", "a percentage is expected")])
    per_cent = row.printed if share else None
    if per_cent is not None and per_cent >= 1000:
        faults.add([row_fault("printed-totals", raw.number, "printed", "invalid_value", "no percentage is that large")])
        per_cent = None
    code = ".".join(filter(None, (row.edition, row.division, row.region_code, row.value, "share" if share else None)))
    if len(code) > MAX_CODE:
        faults.add(
            [row_fault("printed-totals", raw.number, "value", "invalid_value", f"{code} is over {MAX_CODE} characters")]
        )
        code = code[:MAX_CODE].rstrip("-_.")
    elif row.code not in (None, code):
        faults.add(
            [row_fault("printed-totals", raw.number, "code", "other_code", f"{row.code}, and {code} is expected")]
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
        "sources": [_source("printed", row, row.source_line, row.as_printed)],
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
    raw: RawRow, row: Any, position: int, vocabulary: Vocabulary, at: datetime, faults: _Faults
) -> InitiativeRow:
    faults.add(_of_edition("initiatives", raw, row.edition, vocabulary.edition))
    for amount, currency in (("amount", "currency"), ("overall_amount", "overall_currency")):
        if (getattr(row, amount) is None) != (getattr(row, currency) is None):
            faults.add([
                row_fault("initiatives", raw.number, currency, "empty_cell", f"{amount} and {currency} go together")
            ])  # fmt: skip
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
        "sources": [
            _source("amount" if row.amount is not None else "name", row, row.source_line, row.amount_as_printed)
        ],
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


async def _stage(
    connection: Any, rows: Iterator[RawRow], vocabulary: Vocabulary, faults: _Faults, progress: Progress
) -> int:
    """Check requirements one after the other and copy them beside the table; returns how many rows there are.

    Only one row is in memory at a time, and the table itself is not touched before every row is known to be right.
    """
    await connection.execute(
        "CREATE TEMPORARY TABLE staged (LIKE requirement) ON COMMIT DROP;"
        "ALTER TABLE staged ADD COLUMN row int, ALTER COLUMN updated DROP NOT NULL"
    )
    found = 0

    async def checked() -> AsyncIterator[tuple[Any, ...]]:
        nonlocal found
        for raw in rows:
            found += 1
            if not found % TURN:
                # Other requests have their turn, and a connection that is lost is noticed: then COPY says so.
                await asyncio.sleep(0)
                if connection.is_closed():
                    return
            if not found % 10_000:
                progress("checking", found)
            row, wrong = rules.read("requirements", raw)
            if row is not None:
                wrong = rules.requirement_faults(raw, row, vocabulary)
            if wrong:
                faults.add(wrong)
            else:
                columns = rules.requirement_columns(row, vocabulary)
                document = rules.requirement_document(columns, vocabulary)
                yield (*columns.values(), json.dumps(document, ensure_ascii=False, separators=(",", ":")), raw.number)

    await connection.copy_records_to_table("staged", records=checked(), columns=[*rules.COLUMNS, "document", "row"])
    progress("checking", found)
    return found


async def _add_repeated_rows(connection: Any, edition: str, faults: _Faults) -> None:
    """Staged rows that are there already: the same code or the same line twice, a code of another edition."""

    async def add(fault_of: Callable[[Any], Fault], query: str, *arguments: str) -> None:
        rows = await connection.fetch(
            f"SELECT *, count(*) OVER () AS found FROM ({query}) AS wrong ORDER BY row LIMIT {MAX_FAULTS}", *arguments
        )
        faults.add(map(fault_of, rows))
        faults.found += rows[0]["found"] - len(rows) if rows else 0

    await connection.execute("CREATE INDEX ON staged (code); ANALYZE staged")
    await add(
        lambda r: _repeated("requirements", r["row"], "code", r["code"], r["first"]),
        "SELECT * FROM (SELECT row, code, min(row) OVER (PARTITION BY code) AS first FROM staged) AS coded"
        " WHERE row > first",
    )
    await add(
        lambda r: _repeated("requirements", r["row"], "source_line", f"line {r['source_line']}", r["first"]),
        "SELECT * FROM (SELECT row, source_line,"
        " min(row) OVER (PARTITION BY source_document, source_line) AS first FROM staged"
        " WHERE source_line IS NOT NULL AND status <> 'missing_in_source') AS lined WHERE row > first",
    )
    await add(
        lambda r: _taken("requirements", r["row"], r["code"], r["edition"]),
        "SELECT row, code, requirement.edition FROM staged JOIN requirement USING (code)"
        " WHERE requirement.edition <> $1",
        edition,
    )


async def _initiatives_taken(connection: Any, edition: str, given: list[tuple[RawRow, Any]]) -> list[Fault]:
    """Initiatives whose code another edition has."""
    rows = {row.code: raw.number for raw, row in given}
    taken = await connection.fetch(
        "SELECT code, edition FROM initiative WHERE code = ANY($1) AND edition <> $2", list(rows), edition
    )
    return [_taken("initiatives", rows[code], code, other) for code, other in taken]


async def _rows_left_out(connection: Any, edition: str) -> list[Fault]:
    """Published requirements that are not among the staged ones, where any are."""
    absent = await connection.fetch(
        "SELECT code FROM requirement WHERE edition = $1 AND EXISTS (SELECT FROM staged)"
        " AND NOT EXISTS (SELECT FROM staged WHERE staged.code = requirement.code) ORDER BY 1 LIMIT $2",
        edition,
        MAX_FAULTS,
    )
    return [
        fault(
            "row_is_left_out",
            f"requirements: {row['code']} is published and not in the file; an import brings the whole edition",
            pointer=f"/requirements/{row['code']}",
        )
        for row in absent
    ]


async def _write_requirements(
    session: AsyncSession, author: Author, at: datetime, *, keep_corrections: bool
) -> Counter[str]:
    """Move the staged rows into the table, those that change anything, each with its journal entry."""
    connection = await _driver(session)
    await connection.execute(
        "DELETE FROM staged USING requirement AS stored WHERE stored.code = staged.code"
        " AND (stored.document::jsonb - 'updated' = staged.document::jsonb OR ($1 AND EXISTS"
        " (SELECT FROM change WHERE entity = 'requirement' AND key = staged.code AND actor <> $2)))",
        keep_corrections,
        author.actor,
    )
    # The moment is the last member of every document.
    stamped = f'(left(staged.document::text, -1) || \',"updated":"{moment_text(at)}"}}\')::json'
    # The journal first, while the table still holds what was before.
    written = await record_from(
        session,
        change,
        f"SELECT 'requirement' AS entity, staged.code AS key, stored.document AS before, {stamped} AS after"
        " FROM staged LEFT JOIN requirement AS stored ON stored.code = staged.code",
        author,
        at,
    )
    names = ", ".join(rules.COLUMNS)
    assignments = ", ".join(f"{name} = excluded.{name}" for name in (*rules.COLUMNS, "document", "updated"))
    await connection.execute(
        f"INSERT INTO requirement ({names}, document, updated) SELECT {names}, {stamped}, $1 FROM staged"
        f" ON CONFLICT (code) DO UPDATE SET {assignments}",
        at,
    )
    return written
