"""Import of an edition: checks every row, reconciles the totals, and writes everything or nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import TypeVar, cast, get_args

import sqlalchemy as sa
from asyncpg import Connection
from asyncpg import Record as Found
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.http.search import words
from mmptf_common.storage.engines import driver_connection
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import JsonObject, Record, changed_by_others, derive_again, load, moment_text
from mmptf_common.wire.codes import NONE
from mmptf_common.wire.money import Money, money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.wire.sources import Publication
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.wire.tables import MAX_ERRORS, ImportErrors, Row, errors_of, not_in, read_row, repeated, row_error
from mmptf_common.writes.table_files import Tables
from mmptf_funding.editions import schemas as public
from mmptf_funding.editions.domain import ReconciledTotal, TermKind
from mmptf_funding.editions.queries import reconcile
from mmptf_funding.imports import rules, template
from mmptf_funding.imports.region_rows import region_rows
from mmptf_funding.imports.rules import SmallTables, Term, Vocabulary
from mmptf_funding.imports.schemas import ImportReport, ImportTableReport
from mmptf_funding.imports.sources import source_of
from mmptf_funding.imports.staging import CURRENCY, STAGED, RequirementReader, purpose_words, search_words
from mmptf_funding.imports.template import TableName
from mmptf_funding.models import (
    EditionRow,
    FigureRow,
    InitiativeRow,
    PartnerRow,
    PrintedTotalRow,
    RequirementRow,
    SourceDocumentRow,
    TermRow,
)

# The number of rows that are checked before other requests get a turn.
TURN = 50
# Without an edition table, the edition is taken from the first of this many rows that names one.
FIRST_ROWS = 100
OWN_CLASSIFICATION = "The kind is our own classification; the document prints the name alone."
OWN_AREA = "Which area the section belongs to is our own reading; the document does not say it."
_CONTRIBUTORS = "SELECT code, country FROM contributor"
Progress = Callable[[str, int], None]
AnyRow = TypeVar("AnyRow", bound=Row)
# The rows of the small tables that have a code of their own.
Coded = (
    template.InitiativeRow
    | template.PartnerRow
    | template.FrameworkRow
    | template.FrameworkItemRow
    | template.OfficeRow
    | template.GroupRow
    | template.AcronymRow
    | template.FigureRow
)


@dataclass(frozen=True, slots=True)
class Checked:
    """An edition whose rows are checked, its requirements in the table `staged`; nothing of it is written.

    Those that are stored as they are given are not in the table, since nothing of them is written.
    shown: the terms whose names the rows get; rows: how many requirements there are
    last:  the last change that was there before it was compared with the stored data
    """

    edition: str
    small: SmallTables
    shown: Vocabulary
    rows: int
    last: int


async def import_edition(
    write: Write,
    tables: Tables,
    *,
    packaged: bool = False,
    progress: Progress = lambda phase, rows: None,
) -> ImportReport:
    """Check and write an edition's tables; see `check_edition` and `write_edition`."""
    checked = await check_edition(write.session, tables, packaged=write if packaged else None, progress=progress)
    return await write_edition(write, checked, packaged=packaged, progress=progress)


async def check_edition(
    session: AsyncSession,
    tables: Tables,
    *,
    packaged: Write | None = None,
    progress: Progress = lambda phase, rows: None,
) -> Checked:
    """An edition's tables, checked against the stored data; needs no lock, and writes to a temporary table alone.

    tables:   the template's tables as rows; the stored rows of a table that is left out stay
    packaged: where the tables are those of the package, the write that loads them: rows that others have changed or
              added since they were loaded stay, and errors that follow from such changes do not stop the service from
              starting
    progress: called with the phase and the number of rows processed
    Raises InvalidRequest with every error (row, column, reason).
    """
    last = int(await session.scalar(sa.text("SELECT coalesce(max(seq), 0) FROM change")) or 0)
    errors = ImportErrors()
    small = SmallTables(
        edition=await _read(template.EditionRow, tables, errors),
        vocabulary=await _read(template.VocabularyRow, tables, errors),
        printed_totals=await _read(template.PrintedTotalRow, tables, errors),
        initiatives=await _read(template.InitiativeRow, tables, errors),
        partners=await _read(template.PartnerRow, tables, errors),
        figures=await _read(template.FigureRow, tables, errors),
        frameworks=await _read(template.FrameworkRow, tables, errors),
        framework_items=await _read(template.FrameworkItemRow, tables, errors),
        offices=await _read(template.OfficeRow, tables, errors),
        groups=await _read(template.GroupRow, tables, errors),
        acronyms=await _read(template.AcronymRow, tables, errors),
    )
    requirements = _each(tables.get("requirements", ()))
    first: list[RawRow] = []
    async for raw in requirements:
        first.append(raw)
        if len(first) == FIRST_ROWS:
            break
    connection = await driver_connection(session)
    edition = await _edition_of(connection, small.edition, first, errors)
    if edition is None or errors.any_of("vocabulary"):
        # Without an edition or a sound vocabulary, correct rows would be reported as errors.
        errors.raise_if_any()
    assert edition
    vocabulary = await _vocabulary(connection, edition, small, errors, alone=not first)
    if packaged:
        # Others may have changed or renamed them since the package named them.
        vocabulary = replace(vocabulary, contributors={}, organizations=frozenset())
        shown = await _with_corrections(packaged, vocabulary)
    else:
        shown = vocabulary
        errors.add(await _document_taken(connection, small.edition))
        errors.add(await _edition_in_other_case(connection, small.edition))
        errors.add(await _colliding(connection, edition, small.vocabulary))
    staged = await _stage(connection, first, requirements, vocabulary, shown, errors, progress)
    errors.add(rules.small_table_errors(small, vocabulary))
    await _add_repeated_rows(connection, edition, errors)
    errors.add(await _taken(connection, edition, "initiatives", "initiative", small.initiatives))
    errors.add(await _taken(connection, edition, "partners", "partner", small.partners))
    errors.add(await _taken(connection, edition, "figures", "figure", small.figures))
    errors.add(await _taken(connection, edition, "frameworks", "framework", small.frameworks))
    errors.add(await _taken(connection, edition, "framework-items", "framework_item", small.framework_items))
    errors.add(await _taken(connection, edition, "offices", "regional_office", small.offices))
    errors.add(await _taken(connection, edition, "groups", "regional_group", small.groups))
    errors.add(await _taken(connection, edition, "acronyms", "acronym", small.acronyms))
    if not (errors.found or packaged):
        errors.add(await _rows_left_out(connection, edition))
    errors.raise_if_any()
    await _leave_out_unchanged(connection, packaged)
    return Checked(edition, small, shown, staged, last)


async def changed_since(write: Write, checked: Checked) -> bool:
    """Whether a write has changed anything since then with which an edition was compared."""
    changed: bool = await write.connection.fetchval(
        "SELECT EXISTS (SELECT FROM change WHERE seq > $1 AND entity = ANY($2))",
        checked.last,
        [
            *("document", "edition", "term", "requirement", "printed_total", "initiative", "partner", "contributor"),
            "figure",
            *("framework", "framework_item", "regional_office", "regional_group", "acronym"),
        ],
    )
    return changed


async def write_edition(
    write: Write,
    checked: Checked,
    *,
    packaged: bool = False,
    progress: Progress = lambda phase, rows: None,
) -> ImportReport:
    """Write a checked edition, one journal entry for each row that changes.

    Raises InvalidRequest where its printed totals are not the sums of its rows: nothing is written then. The caller
    commits or rolls back, so a dry run is an import that is rolled back.
    """
    connection = write.connection
    edition, small = checked.edition, checked.small
    report: dict[str, ImportTableReport] = {}
    if small.edition and not packaged:
        documents = [await _document_row(connection, row, write.at) for _, row in small.edition]
        await load(write, documents, keep_corrections=False)
    for name, rows in chain(_rows_of(small, checked.shown, write.at), region_rows(small, write.at)):
        report[name] = _counted(len(rows), await load(write, rows, keep_corrections=packaged))
    await _derive_printed_totals(write)
    progress("writing", 0)
    written = await _write_requirements(write)
    report["requirements"] = _counted(checked.rows, written)
    figures = await reconcile(connection, edition)
    if not packaged:
        errors = ImportErrors()
        errors.add(_mismatch(figure) for figure in figures if figure.agreement == "different")
        errors.raise_if_any()
    counts = Counter(figure.agreement for figure in figures)
    return ImportReport(
        edition=edition,
        dry_run=False,
        tables=report,
        agreement={agreement: counts[agreement] for agreement in ("equal", "explained", "different")},
        explained=[figure for figure in figures if figure.agreement == "explained"],
        revision=await write.revision(),
    )


def _counted(rows: int, actions: Counter[str]) -> ImportTableReport:
    created, amended = actions["create"], actions["amend"]
    return ImportTableReport(rows=rows, created=created, amended=amended, unchanged=rows - created - amended)


def _mismatch(figure: ReconciledTotal) -> ErrorDetail:
    return error_detail(
        ProblemCode.TOTAL_DOES_NOT_MATCH,
        f"printed-totals: {figure.division} {figure.name}: {figure.as_printed} is printed, and the rows add up to"
        f" {figure.computed_figure or 'no amount'}",
        pointer=f"/printed-totals/{figure.printed}",
    )


async def _each(rows: Iterable[RawRow] | AsyncIterator[RawRow]) -> AsyncIterator[RawRow]:
    """The rows of a table, whether they are there or still to come."""
    if isinstance(rows, AsyncIterator):
        async for raw in rows:
            yield raw
    else:
        for raw in rows:
            yield raw


async def _read(model: type[AnyRow], tables: Tables, errors: ImportErrors) -> list[tuple[int, AnyRow]]:
    """The valid rows of a table, with their numbers; adds the errors of the others."""
    found: list[tuple[int, AnyRow]] = []
    number = 0
    async for raw in _each(tables.get(model.table, ())):
        number += 1
        if not number % TURN:
            await asyncio.sleep(0)
        row, wrong = read_row(model, raw)
        errors.add(wrong)
        if row is not None:
            found.append((raw.number, row))
    return found


async def _edition_of(
    connection: Connection,
    described: Sequence[tuple[int, template.EditionRow]],
    first: list[RawRow],
    errors: ImportErrors,
) -> str | None:
    """The code of the edition to import: the one in the edition table, otherwise the one that the requirements name."""
    if len(described) > 1:
        number, _ = described[1]
        errors.add(
            [row_error("edition", number, "code", ProblemCode.SEVERAL_EDITIONS, "one edition is imported at a time")]
        )
    if described:
        _, row = described[0]
        return row.code
    naming = next((row for row in first if "edition" in row.cells), None)
    if naming is None:
        errors.add(wrong for row in first for wrong in errors_of(row.errors))
        errors.add(
            [
                error_detail(
                    ProblemCode.NOTHING_TO_IMPORT, "neither an edition nor requirements that name one are in the file"
                )
            ]
        )
        return None
    code = naming.cells["edition"]
    known = [row["code"] for row in await connection.fetch("SELECT code FROM edition ORDER BY code")]
    if code in known:
        return code
    if not errors.any_of("edition"):
        errors.add([not_in("requirements", naming.number, "edition", code, known)])
    return None


async def _vocabulary(
    connection: Connection, edition: str, given: SmallTables, errors: ImportErrors, *, alone: bool
) -> Vocabulary:
    """The vocabulary of an edition: the stored terms, replaced and extended by those of the file.

    alone: the file has no requirements, so terms that published requirements use must not change
    """
    terms = await _stored_terms(connection, edition)
    published = alone and await connection.fetchval(
        "SELECT EXISTS (SELECT FROM requirement WHERE edition = $1)", edition
    )
    numbers: dict[tuple[TermKind, str], int] = {}
    for number, row in given.vocabulary:
        as_published = terms[row.kind].get(row.code) if published else None
        alike = (row.kind, row.code.lower())
        first = numbers.get(alike)
        errors.add(rules.vocabulary_errors(number, row, edition, first, as_published))
        numbers.setdefault(alike, number)
        terms[row.kind][row.code] = rules.term_of(row)
    suggestions = rules.Suggestions()
    for number, row in given.vocabulary:
        errors.add(rules.place_errors(number, row, terms["region"], suggestions))
    documents = {found["code"] for found in await connection.fetch("SELECT code FROM source_document")}
    documents |= {row.document for _, row in given.edition}
    contributors = {found["code"]: found["country"] for found in await connection.fetch(_CONTRIBUTORS)}
    organizations = frozenset(found["code"] for found in await connection.fetch("SELECT code FROM organization"))
    stored = await connection.fetch("SELECT code FROM framework WHERE edition = $1", edition)
    frameworks = frozenset([*(found["code"] for found in stored), *(row.code for _, row in given.frameworks)])
    return Vocabulary(edition, terms, frozenset(documents), suggestions, contributors, organizations, frameworks)


async def _stored_terms(connection: Connection, edition: str) -> dict[TermKind, dict[str, Term]]:
    """The stored terms of an edition by kind and code, in their order."""
    terms: dict[TermKind, dict[str, Term]] = {kind: {} for kind in get_args(TermKind.__value__)}
    for found in await connection.fetch(
        "SELECT kind, term, name, region, country, record->>'footnote' AS footnote,"
        " ARRAY(SELECT json_array_elements_text(record->'covers')) AS covers"
        " FROM term WHERE edition = $1 ORDER BY position",
        edition,
    ):
        name, region, country, footnote = (found[member] for member in ("name", "region", "country", "footnote"))
        covers = frozenset(found["covers"])
        terms[found["kind"]][found["term"]] = Term(found["term"], name, region, country, footnote, covers)
    return terms


async def _with_corrections(write: Write, packaged: Vocabulary) -> Vocabulary:
    """A packaged vocabulary with the terms that others have changed as they are stored."""
    corrected = await changed_by_others(write, TermRow)
    stored = await _stored_terms(write.connection, packaged.edition)
    terms = {
        kind: {
            **named,
            **{code: term for code, term in stored[kind].items() if f"{packaged.edition}.{kind}.{code}" in corrected},
        }
        for kind, named in packaged.terms.items()
    }
    return replace(packaged, terms=terms)


async def derive_requirements(write: Write) -> None:
    """Store the requirements anew whose terms have other names, regions or countries than they show."""
    terms = await _terms_of_editions(write)
    await derive_again(write, RequirementRow, lambda row: _requirement_with_terms(row, terms[row.edition]))


async def _derive_printed_totals(write: Write) -> None:
    """Store the printed totals anew whose terms have other names; a file may change terms and leave the totals out."""
    terms = await _terms_of_editions(write)
    await derive_again(write, PrintedTotalRow, lambda row: _total_with_terms(row, terms[row.edition]))


async def _terms_of_editions(write: Write) -> dict[str, dict[TermKind, dict[str, Term]]]:
    """The stored terms of every edition."""
    connection = write.connection
    editions = [row["code"] for row in await connection.fetch("SELECT code FROM edition")]
    return {edition: await _stored_terms(connection, edition) for edition in editions}


async def _document_taken(
    connection: Connection, given: Sequence[tuple[int, template.EditionRow]]
) -> list[ErrorDetail]:
    """An error where a document is stored with another title, and not as that of the same edition."""
    titles = await connection.fetch(
        "SELECT (SELECT record->>'title' FROM source_document AS stored WHERE stored.code = given.document"
        " AND NOT EXISTS (SELECT FROM edition AS own WHERE own.code = given.code"
        " AND own.record->>'document' = given.document))"
        " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given(document, code, n) ORDER BY n",
        [row.document for _, row in given],
        [row.code for _, row in given],
    )
    return [
        row_error("edition", number, "document", ProblemCode.DOES_NOT_MATCH, f"{row.document} is {title!r}")
        for (number, row), (title,) in zip(given, titles, strict=True)
        if title not in (None, row.name)
    ]


async def _colliding(
    connection: Connection, edition: str, given: Sequence[tuple[int, template.VocabularyRow]]
) -> list[ErrorDetail]:
    """The errors of terms whose code a stored term of the same kind has, in any case and with another meaning.

    A term that is stored already as it is given is none: editions that collide since before this check can be imported.
    """
    found = await connection.fetch(
        "SELECT stored.edition, stored.kind, stored.term, stored.name, stored.country FROM term AS stored,"
        " (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS named(kind, term)) AS named"
        " WHERE stored.kind = named.kind AND lower(stored.term) = named.term ORDER BY stored.edition DESC, stored.code",
        [row.kind for _, row in given],
        [row.code.lower() for _, row in given],
    )
    alike: dict[tuple[str, str], list[rules.StoredTerm]] = {}
    for stored in found:
        alike.setdefault((stored["kind"], stored["term"].lower()), []).append(rules.StoredTerm(**stored))
    return [
        error
        for number, row in given
        for error in rules.collisions(number, row, edition, alike.get((row.kind, row.code.lower()), []))
    ]


async def _edition_in_other_case(
    connection: Connection, given: Sequence[tuple[int, template.EditionRow]]
) -> list[ErrorDetail]:
    """An error for an edition whose code differs from another one's in case alone."""
    others = await connection.fetch(
        "SELECT (SELECT min(code) FROM edition WHERE lower(code) = lower(given.text) AND code <> given.text)"
        " FROM unnest($1::text[]) WITH ORDINALITY AS given(text, n) ORDER BY n",
        [row.code for _, row in given],
    )
    return [
        rules.other_case("edition", number, row.code, taken)
        for (number, row), (taken,) in zip(given, others, strict=True)
        if taken
    ]


async def _stage(
    connection: Connection,
    first: Sequence[RawRow],
    others: AsyncIterator[RawRow],
    vocabulary: Vocabulary,
    shown: Vocabulary,
    errors: ImportErrors,
    progress: Progress,
) -> int:
    """Check requirements one by one and copy the valid ones into a temporary table; returns the number of rows read.

    first, others: the requirements; vocabulary: what they are checked against; shown: the terms whose names they get
    Only one row is in memory at a time, and the requirement table is not written before every row has been checked.
    """
    # The record is a text without its end, so that it is read as JSON once, when it is written.
    await connection.execute(
        "DROP TABLE IF EXISTS staged; CREATE TEMPORARY TABLE staged (LIKE requirement) ON COMMIT DROP;"
        "ALTER TABLE staged ADD COLUMN row int, ALTER COLUMN record TYPE text, ALTER COLUMN updated DROP NOT NULL,"
        " ALTER COLUMN revised DROP NOT NULL"
    )
    reader = RequirementReader(vocabulary, shown, errors)
    found = 0

    async def checked() -> AsyncIterator[bytes]:
        nonlocal found
        lines: list[str] = []
        async for raw in _chained(first, others):
            found += 1
            if line := reader.line(raw):
                lines.append(line)
            if not found % TURN:
                if lines:
                    yield "".join(lines).encode()
                    lines.clear()
                # Lets other requests run, and a lost connection be noticed; COPY then raises the error.
                await asyncio.sleep(0)
                if connection.is_closed():
                    return
            if not found % 10_000:
                progress("checking", found)
        yield "".join(lines).encode()

    await connection.copy_to_table("staged", source=checked(), columns=STAGED)
    progress("checking", found)
    return found


async def _chained(first: Sequence[RawRow], others: AsyncIterator[RawRow]) -> AsyncIterator[RawRow]:
    for raw in first:
        yield raw
    async for raw in others:
        yield raw


async def _add_repeated_rows(connection: Connection, edition: str, errors: ImportErrors) -> None:
    """Add an error for each staged row with a repeated code, a repeated line, or a code of another edition."""

    async def add(error_of: Callable[[Found], ErrorDetail], query: str, *arguments: str) -> None:
        rows = await connection.fetch(
            f"SELECT *, count(*) OVER () AS found FROM ({query}) AS wrong ORDER BY row LIMIT {MAX_ERRORS}", *arguments
        )
        errors.add(map(error_of, rows))
        errors.found += rows[0]["found"] - len(rows) if rows else 0

    # Of the other columns no plan depends; those of words alone would take seconds.
    await connection.execute("CREATE INDEX ON staged (code); ANALYZE staged (code, row, source_document, source_line)")
    await add(
        lambda r: repeated("requirements", r["row"], "code", r["code"], r["first"]),
        "SELECT * FROM (SELECT row, code, min(row) OVER (PARTITION BY lower(code)) AS first FROM staged) AS coded"
        " WHERE row > first",
    )
    await add(
        lambda r: repeated("requirements", r["row"], "source_line", f"line {r['source_line']}", r["first"]),
        "SELECT * FROM (SELECT row, source_line,"
        " min(row) OVER (PARTITION BY source_document, source_line) AS first FROM staged"
        " WHERE source_line IS NOT NULL AND status <> 'missing_in_source') AS lined WHERE row > first",
    )
    await add(
        lambda r: rules.taken("requirements", r["row"], r["code"], r["edition"]),
        "SELECT row, code, requirement.edition FROM staged JOIN requirement USING (code)"
        " WHERE requirement.edition <> $1",
        edition,
    )
    await add(
        lambda r: rules.other_case("requirements", r["row"], r["code"], r["taken"]),
        "SELECT row, staged.code, requirement.code AS taken FROM staged"
        " JOIN requirement ON lower(requirement.code) = lower(staged.code) AND requirement.code <> staged.code",
    )


async def _taken(
    connection: Connection,
    edition: str,
    table: TableName,
    stored: str,
    given: Sequence[tuple[int, Coded]],
) -> list[ErrorDetail]:
    """An error for each row of a table whose code belongs to another edition; stored: where its rows are stored."""
    rows = {row.code: number for number, row in given}
    found = await connection.fetch(
        f"SELECT code, edition FROM {stored} WHERE code = ANY($1) AND edition <> $2", list(rows), edition
    )
    return [rules.taken(table, rows[code], code, other) for code, other in found]


async def _rows_left_out(connection: Connection, edition: str) -> list[ErrorDetail]:
    """An error for each published requirement that is not staged; none where nothing is staged."""
    absent = await connection.fetch(
        "SELECT code FROM requirement WHERE edition = $1 AND EXISTS (SELECT FROM staged)"
        " AND NOT EXISTS (SELECT FROM staged WHERE staged.code = requirement.code) ORDER BY 1 LIMIT $2",
        edition,
        MAX_ERRORS,
    )
    return [
        error_detail(
            ProblemCode.ROW_LEFT_OUT,
            f"requirements: {row['code']} is published and not in the file; an import brings the whole edition",
            pointer=f"/requirements/{row['code']}",
        )
        for row in absent
    ]


async def _leave_out_unchanged(connection: Connection, packaged: Write | None) -> None:
    """Remove the staged rows that are stored as they are, and those of the package that others have changed.

    Comparing all rows takes longer than writing few, so it is done before the lock of all writers is taken.
    """
    await connection.execute(
        "DELETE FROM staged USING requirement AS stored WHERE stored.code = staged.code"
        " AND (stored.record::jsonb - 'updated' = (staged.record || '}')::jsonb OR ($1 AND EXISTS"
        " (SELECT FROM change JOIN revision ON seq BETWEEN first AND number"
        " WHERE entity = 'requirement' AND key = staged.code COLLATE \"default\" AND actor <> $2)))",
        packaged is not None,
        packaged.author.actor if packaged else "",
    )


async def _write_requirements(write: Write) -> Counter[str]:
    """Write the staged rows; returns the number of changes by action."""
    connection = write.connection
    # The time of the change is the last member of every record.
    stamped = f'(staged.record || \',"updated":"{moment_text(write.at)}"}}\')::json'
    columns = [name for name in STAGED if name not in {"record", "row"}]
    names = ", ".join(columns)
    assignments = ", ".join(f"{name} = excluded.{name}" for name in (*columns, "record", "updated") if name != "code")
    last = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM change")
    # Of an edition that is new, no row is looked for before it is inserted.
    is_stored = await connection.fetchval("SELECT EXISTS (SELECT FROM staged JOIN requirement USING (code))")
    await connection.execute(
        f"INSERT INTO requirement ({names}, record, updated) SELECT {names}, {stamped}, $1 FROM staged"
        + (f" ON CONFLICT (code) DO UPDATE SET {assignments}" if is_stored else ""),
        write.at,
    )
    actions = await connection.fetch("SELECT action, count(*) FROM change WHERE seq > $1 GROUP BY action", last)
    return Counter(dict(actions))


def _rows_of(small: SmallTables, vocabulary: Vocabulary, at: datetime) -> Iterator[tuple[str, Sequence[Record]]]:
    """The rows to store of the small tables, by table, in an order in which each refers only to earlier ones."""
    if small.edition:
        yield "edition", [_edition_row(row, at) for _, row in small.edition]
    if small.vocabulary:
        edition = vocabulary.edition
        yield "vocabulary", [_term_row(row, n, edition, at) for n, (_, row) in enumerate(small.vocabulary, 1)]
    if small.printed_totals:
        numbered = enumerate(small.printed_totals, 1)
        yield "printed-totals", [_printed_total_row(row, n, vocabulary, at) for n, (_, row) in numbered]
    if small.initiatives:
        yield "initiatives", [_initiative_row(row, n, at) for n, (_, row) in enumerate(small.initiatives, 1)]
    if small.partners:
        yield "partners", [_partner_row(row, n, at) for n, (_, row) in enumerate(small.partners, 1)]
    if small.figures:
        yield "figures", [_figure_row(row, n, at) for n, (_, row) in enumerate(small.figures, 1)]


async def _document_row(connection: Connection, row: template.EditionRow, at: datetime) -> SourceDocumentRow:
    """The document of an edition; what the template does not say of it stays as it is stored."""
    stored = await connection.fetchval("SELECT record::text FROM source_document WHERE code = $1", row.document)
    before = whole_record(Publication, stored) if stored else None
    record = Publication(
        code=row.document,
        title=row.name,
        publisher=row.publisher,
        year=row.year,
        kind="publication",
        url=before and before.url,
        note=before and before.note,
        contacts=before.contacts if before else [],
        gaps=before.gaps if before else [],
        updated=at,
    )
    return SourceDocumentRow(code=row.document, updated=at, record=record.model_dump(mode="json"))


def _edition_row(row: template.EditionRow, at: datetime) -> EditionRow:
    annotations = list(map(template.annotation, row.annotations))
    sources = [source_of("note", row.document, row.note_line, None, row.note_last_line)] if row.note_line else []
    for _, first, last in annotations:
        sources.append(source_of("annotations", row.document, first, None, None if last == first else last))
    record = public.Edition(
        code=row.code,
        name=row.name,
        publisher=row.publisher,
        year=row.year,
        document=row.document,
        currency=row.currency,
        note=row.note,
        annotations=[
            public.EditionAnnotation(number=number, text=text, line=first, last_line=last)
            for number, (text, first, last) in enumerate(annotations, 1)
        ],
        sources=sources,
        updated=at,
    )
    return EditionRow(code=row.code, name=row.name, updated=at, record=record.model_dump(mode="json"))


def _term_row(row: template.VocabularyRow, position: int, edition: str, at: datetime) -> TermRow:
    record = public.VocabularyTerm(
        code=row.code,
        edition=edition,
        kind=row.kind,
        name=row.name,
        as_printed=row.as_printed,
        region=row.region_code,
        country=row.country_code,
        covers=row.covers,
        footnote=row.footnote,
        note=row.note,
        position=position,
        updated=at,
    )
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
        record=record.model_dump(mode="json"),
    )


def _printed_total_row(
    row: template.PrintedTotalRow, position: int, vocabulary: Vocabulary, at: datetime
) -> PrintedTotalRow:
    code = rules.printed_total_code(row)
    share = row.unit == "per_cent"
    sources = [source_of("printed", row.source_document, row.source_line, row.as_printed)]
    if row.repeated_line is not None:
        sources.append(source_of("printed", row.source_document, row.repeated_line, row.as_printed))
    record = public.PrintedTotal(
        code=code,
        edition=row.edition,
        division=row.division,
        value=row.value,
        name=vocabulary.edition if row.division == "edition" else vocabulary.terms[row.division][row.value].name,
        region=row.region_code,
        unit=row.unit,
        sum=None if share else _money(row.printed),
        per_cent=str(row.printed) if share else None,
        as_printed=row.as_printed,
        confidence=row.confidence,
        note=row.note,
        sources=sources,
        position=position,
        updated=at,
    )
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
        record=record.model_dump(mode="json"),
    )


def _initiative_row(row: template.InitiativeRow, position: int, at: datetime) -> InitiativeRow:
    stated = "name" if row.amount is None else "amount"
    sources = [source_of(stated, row.source_document, row.source_line, row.amount_as_printed, row.source_last_line)]
    if row.target_amount is not None:
        sources.append(source_of("target", row.source_document, row.target_line, row.target_as_printed))
    if row.area_code is not None:
        area = source_of("area", row.source_document, row.area_line, None)
        sources.append(area.model_copy(update={"verified": False, "note": OWN_AREA}))
    countries = list(map(template.located_country, row.countries))
    record = public.Initiative(
        code=row.code,
        edition=row.edition,
        kind=row.kind,
        section=row.section,
        name=row.name,
        stage="requirement",
        sum=_money(row.amount, row.currency),
        precision=row.precision,
        as_printed=row.amount_as_printed,
        period=row.period,
        overall=_money(row.overall_amount, row.overall_currency),
        overall_as_printed=row.overall_as_printed,
        target=_money(row.target_amount, row.target_currency),
        target_as_printed=row.target_as_printed,
        buys=row.buys,
        instrument=row.instrument,
        area=row.area_code,
        countries=[public.InitiativeCountry(code=code, line=line) for code, line in countries],
        partners=[
            public.NamedPartner(as_printed=name, line=line) for name, line in map(template.located, row.partners)
        ],
        footnote=row.footnote,
        confidence=row.confidence,
        note=row.note,
        reading_note=row.reading_note,
        sources=sources,
        position=position,
        updated=at,
    )
    return InitiativeRow(
        code=row.code,
        edition=row.edition,
        kind=row.kind,
        section=row.section,
        amount=row.amount,
        currency=row.currency,
        area=row.area_code,
        countries=[code for code, _ in countries],
        position=position,
        words=words(" ".join(filter(None, (row.name, row.section, row.buys)))),
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _partner_row(row: template.PartnerRow, position: int, at: datetime) -> PartnerRow:
    document, line, last = row.source_document, row.source_line, row.source_last_line
    kind = source_of("kind", document, line, row.kind_as_printed)
    if row.kind_as_printed is None:
        kind = kind.model_copy(update={"verified": False, "note": OWN_CLASSIFICATION})
    record = public.Partner(
        code=row.code,
        edition=row.edition,
        as_printed=row.as_printed,
        name=row.name,
        kind=row.kind,
        country=row.country_code,
        footnote=row.footnote,
        contributor=row.contributor_code,
        organization=row.organization_code,
        note=row.note,
        sources=[source_of("as_printed", document, line, row.as_printed, last), kind],
        position=position,
        updated=at,
    )
    return PartnerRow(
        code=row.code,
        edition=row.edition,
        kind=row.kind,
        name=row.name,
        country=row.country_code,
        position=position,
        words=words(f"{row.as_printed} {row.name}"),
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _figure_row(row: template.FigureRow, position: int, at: datetime) -> FigureRow:
    document = row.source_document
    sources = [source_of("value", document, row.source_line, row.as_printed, row.source_last_line)]
    if row.stated_source is not None:
        sources.append(source_of("stated_source", document, row.stated_source_line, None))
    record = public.StatedFigure(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        countries=row.countries,
        place=row.place,
        measure=row.measure,
        subject=row.subject,
        value=row.value,
        value_to=row.value_to,
        unit=row.unit,
        currency=row.currency,
        qualifier=row.qualifier,
        stage=row.stage,
        year_from=row.year_from,
        year_to=row.year_to,
        area=row.area_code,
        scope=row.scope,
        as_printed=row.as_printed,
        stated_source=row.stated_source,
        footnote=row.footnote,
        note=row.note,
        reading_note=row.reading_note,
        sources=sources,
        position=position,
        updated=at,
    )
    return FigureRow(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        countries=row.countries,
        measure=row.measure,
        value=None if row.value is None else Decimal(row.value),
        unit=row.unit,
        qualifier=row.qualifier,
        year_from=row.year_from,
        year_to=row.year_to,
        position=position,
        words=words(" ".join(filter(None, (row.subject, row.place)))),
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _requirement_with_terms(row: RequirementRow, terms: Mapping[TermKind, Mapping[str, Term]]) -> RequirementRow:
    """A stored requirement with the names, region and country that its terms have now."""
    place, area = terms["place"][row.place], terms["area"][row.area]
    region = terms["region"][place.region or row.region]
    record = row.record
    populations = cast("list[JsonObject]", record["target_populations"])
    # Records of before have no topics.
    topics = [
        _with(named, name=terms["topic"][str(named["code"])].name)
        for named in cast("list[JsonObject]", record.get("topics", []))
    ]
    found = search_words(place, row.place_as_printed, region, area, row.area_as_printed)
    return RequirementRow(
        **{
            **row.model_dump(),
            "region": region.code,
            "region_name": region.name,
            "place_name": place.name,
            "country": place.country or NONE,
            "area_name": area.name,
            "words": [*dict.fromkeys((*found, *purpose_words(row.purpose, [str(topic["name"]) for topic in topics])))],
            "record": {
                **record,
                "region": _with(record["region"], code=region.code, name=region.name),
                "place": _with(record["place"], name=place.name, country=place.country, footnote=place.footnote),
                "area": _with(record["area"], name=area.name),
                "target_populations": [
                    _with(named, name=terms["target_population"][str(named["code"])].name) for named in populations
                ],
                **({"topics": topics} if topics else {}),
            },
        }
    )


def _total_with_terms(row: PrintedTotalRow, terms: Mapping[TermKind, Mapping[str, Term]]) -> PrintedTotalRow:
    """A stored printed total with the name that its term has now."""
    if row.division == "edition":
        return row
    name = terms[cast("TermKind", row.division)][row.value].name
    return PrintedTotalRow(**{**row.model_dump(), "record": {**row.record, "name": name}})


def _with(record: JsonValue, **members: JsonValue) -> JsonObject:
    """A part of a record with other values of these members."""
    return {**cast("JsonObject", record), **members}


def _money(amount: Decimal | None, currency: str | None = None) -> Money | None:
    """An amount as answers write it; None when there is none."""
    return None if amount is None else money(amount, currency or CURRENCY)
