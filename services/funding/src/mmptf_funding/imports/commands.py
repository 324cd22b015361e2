"""Bringing an edition in: every row checked, totals reconciled, all of it committed or nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain, islice
from typing import Any

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import load, moment_text
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_funding.editions import schemas as wire
from mmptf_funding.editions.queries import reconcile
from mmptf_funding.imports import rules
from mmptf_funding.imports.errors import MAX_ERRORS, ImportErrors, not_in, other_edition, repeated, row_error, taken
from mmptf_funding.imports.files import RawRow, Tables
from mmptf_funding.imports.records import Small, records_of
from mmptf_funding.imports.rules import Term, Vocabulary
from mmptf_funding.imports.schemas import ImportReport, TableReport
from mmptf_funding.imports.template import TABLES, TableName

# So many rows are checked at a stretch.
TURN = 500
# The first of these rows that can be read names the edition, where no table describes it.
FIRST_ROWS = 100
KINDS = ("region", "area", "target_population", "place")
Progress = Callable[[str, int], None]


async def import_edition(
    write: Write,
    tables: Tables,
    *,
    packaged: bool = False,
    progress: Progress = lambda phase, rows: None,
) -> ImportReport:
    """Write an edition's tables, one journal entry for each row that changes.

    tables:   the template's tables as rows; a table that is left out keeps what is stored of it
    packaged: the tables are those of the package: what somebody else has changed or added since they were loaded
              stays as it is, and nothing that follows from it keeps the service from starting
    progress: told the phase and how many rows it has done
    Raises InvalidRequest with every fault (row, column, reason): nothing is written then. Whether the transaction is
    committed is the caller's choice, so a dry run is an import that is rolled back.
    """
    errors = ImportErrors()
    small: Small = {name: _read(name, tables.get(name, iter(())), errors) for name in TABLES if name != "requirements"}
    requirements = tables.get("requirements", iter(()))
    first = list(islice(requirements, FIRST_ROWS))
    connection = await _driver(write.session)
    edition = await _edition_of(connection, small["edition"], first, errors)
    if edition is None or errors.any_of("vocabulary"):
        # Without them rows that are right would seem wrong.
        errors.raise_if_any()
    assert edition
    vocabulary = await _vocabulary(connection, edition, small, errors, alone=not first)
    errors.add(await _document_taken(connection, small["edition"]))
    staged = await _stage(connection, chain(first, requirements), vocabulary, errors, progress)
    records = records_of(small, vocabulary, write.at, errors)
    await _add_repeated_rows(connection, edition, errors)
    errors.add(await _initiatives_taken(connection, edition, small["initiatives"]))
    if not (errors.found or packaged):
        errors.add(await _rows_left_out(connection, edition))
    errors.raise_if_any()
    report: dict[str, TableReport] = {}
    for name, rows in records:
        actions = await load(write, rows, keep_corrections=packaged)
        if name != "documents":
            report[name] = _counted(len(rows), actions)
    progress("writing", 0)
    written = await _write_requirements(write, keep_corrections=packaged)
    report["requirements"] = _counted(staged, written)
    figures = await reconcile(connection, edition)
    if not packaged:
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


def _counted(rows: int, actions: Counter[str]) -> TableReport:
    created, amended = actions["create"], actions["amend"]
    return TableReport(rows=rows, created=created, amended=amended, unchanged=rows - created - amended)


def _mismatch(figure: wire.ReconciledTotal) -> ErrorDetail:
    return error_detail(
        "total_does_not_match",
        f"printed-totals: {figure.division} {figure.name}: {figure.as_printed} is printed, and the rows add up to"
        f" {figure.computed_figure or 'no amount'}",
        pointer=f"/printed-totals/{figure.printed}",
    )


async def _driver(session: AsyncSession) -> Any:
    """The driver's own connection within the session's transaction, for COPY."""
    connection = await session.connection()
    return (await connection.get_raw_connection()).driver_connection


def _read(table: TableName, rows: Iterator[RawRow], errors: ImportErrors) -> list[tuple[RawRow, Any]]:
    found = []
    for raw in rows:
        row, wrong = rules.read(table, raw)
        errors.add(wrong)
        if row is not None:
            found.append((raw, row))
    return found


async def _edition_of(
    connection: Any, given: list[tuple[RawRow, Any]], first: list[RawRow], errors: ImportErrors
) -> str | None:
    """The edition that is imported: the one the file describes, or else the one its rows name."""
    if len(given) > 1:
        raw = given[1][0]
        errors.add([row_error("edition", raw.number, "code", "one_row", "one edition is imported at a time")])
    if given:
        return str(given[0][1].code)
    naming = next((row for row in first if "edition" in row.cells), None)
    if naming is None:
        errors.add(wrong for row in first for wrong in row.errors)
        errors.add(
            [error_detail("nothing_to_import", "neither an edition nor requirements that name one are in the file")]
        )
        return None
    code = naming.cells["edition"]
    known = [row["code"] for row in await connection.fetch("SELECT code FROM edition ORDER BY code")]
    if code in known:
        return code
    if not errors.any_of("edition"):
        errors.add([not_in("requirements", naming.number, "edition", code, known)])
    return None


async def _vocabulary(connection: Any, edition: str, given: Small, errors: ImportErrors, *, alone: bool) -> Vocabulary:
    """The vocabulary of an edition: what is stored of it, and over it what the file brings.

    alone: the file brings no requirements, so what published ones say of a term has to stay as it is
    """
    terms: dict[str, dict[str, Term]] = {kind: {} for kind in KINDS}
    for row in await connection.fetch(
        "SELECT kind, term, name, region, country, document->>'footnote' AS footnote"
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
            errors.add([repeated("vocabulary", raw.number, "code", row.code, first)])
        rows.setdefault((row.kind, row.code), raw.number)
        errors.add(other_edition("vocabulary", raw.number, row.edition, edition))
        term = Term(row.code, row.name, row.region_code, row.country_code, row.footnote)
        if published and terms[row.kind].get(row.code, term) != term:
            detail = f"requirements are published with {row.code} as it was; bring them along"
            errors.add([row_error("vocabulary", raw.number, "code", "requirements_expected", detail)])
        terms[row.kind][row.code] = term
    for raw, row in given["vocabulary"]:
        if row.kind == "place" and row.region_code not in terms["region"]:
            errors.add([not_in("vocabulary", raw.number, "region_code", row.region_code or "", terms["region"])])
    documents = {row["code"] for row in await connection.fetch("SELECT code FROM source_document")}
    documents |= {row.document for _, row in given["edition"]}
    return Vocabulary(edition, terms, frozenset(documents))


async def _document_taken(connection: Any, given: list[tuple[RawRow, Any]]) -> list[ErrorDetail]:
    """An edition whose document is stored under another title, and not as this edition's own."""
    errors = []
    for raw, row in given:
        title = await connection.fetchval(
            "SELECT document->>'title' FROM source_document WHERE code = $1"
            " AND NOT EXISTS (SELECT FROM edition WHERE code = $2 AND document->>'document' = $1)",
            row.document,
            row.code,
        )
        if title not in (None, row.name):
            detail = f"{row.document} is {title!r}"
            errors.append(row_error("edition", raw.number, "document", "other_document", detail))
    return errors


async def _stage(
    connection: Any, rows: Iterator[RawRow], vocabulary: Vocabulary, errors: ImportErrors, progress: Progress
) -> int:
    """Check requirements one after the other and copy them beside the table; returns how many rows there are.

    Only one row is in memory at a time, and the table itself is not touched before every row is known to be right.
    """
    await connection.execute(
        "CREATE TEMPORARY TABLE staged (LIKE requirement) ON COMMIT DROP;"
        "ALTER TABLE staged ADD COLUMN row int, ALTER COLUMN updated DROP NOT NULL, ALTER COLUMN revised DROP NOT NULL"
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
                wrong = rules.requirement_errors(raw, row, vocabulary)
            if wrong:
                errors.add(wrong)
            else:
                columns = rules.requirement_columns(row, vocabulary)
                document = rules.requirement_document(columns, vocabulary)
                yield (*columns.values(), to_json(document).decode(), raw.number)

    await connection.copy_records_to_table("staged", records=checked(), columns=[*rules.COLUMNS, "document", "row"])
    progress("checking", found)
    return found


async def _add_repeated_rows(connection: Any, edition: str, errors: ImportErrors) -> None:
    """Staged rows that are there already: the same code or the same line twice, a code of another edition."""

    async def add(error_of: Callable[[Any], ErrorDetail], query: str, *arguments: str) -> None:
        rows = await connection.fetch(
            f"SELECT *, count(*) OVER () AS found FROM ({query}) AS wrong ORDER BY row LIMIT {MAX_ERRORS}", *arguments
        )
        errors.add(map(error_of, rows))
        errors.found += rows[0]["found"] - len(rows) if rows else 0

    await connection.execute("CREATE INDEX ON staged (code); ANALYZE staged")
    await add(
        lambda r: repeated("requirements", r["row"], "code", r["code"], r["first"]),
        "SELECT * FROM (SELECT row, code, min(row) OVER (PARTITION BY code) AS first FROM staged) AS coded"
        " WHERE row > first",
    )
    await add(
        lambda r: repeated("requirements", r["row"], "source_line", f"line {r['source_line']}", r["first"]),
        "SELECT * FROM (SELECT row, source_line,"
        " min(row) OVER (PARTITION BY source_document, source_line) AS first FROM staged"
        " WHERE source_line IS NOT NULL AND status <> 'missing_in_source') AS lined WHERE row > first",
    )
    await add(
        lambda r: taken("requirements", r["row"], r["code"], r["edition"]),
        "SELECT row, code, requirement.edition FROM staged JOIN requirement USING (code)"
        " WHERE requirement.edition <> $1",
        edition,
    )


async def _initiatives_taken(connection: Any, edition: str, given: list[tuple[RawRow, Any]]) -> list[ErrorDetail]:
    """Initiatives whose code another edition has."""
    rows = {row.code: raw.number for raw, row in given}
    found = await connection.fetch(
        "SELECT code, edition FROM initiative WHERE code = ANY($1) AND edition <> $2", list(rows), edition
    )
    return [taken("initiatives", rows[code], code, other) for code, other in found]


async def _rows_left_out(connection: Any, edition: str) -> list[ErrorDetail]:
    """Published requirements that are not among the staged ones, where any are."""
    absent = await connection.fetch(
        "SELECT code FROM requirement WHERE edition = $1 AND EXISTS (SELECT FROM staged)"
        " AND NOT EXISTS (SELECT FROM staged WHERE staged.code = requirement.code) ORDER BY 1 LIMIT $2",
        edition,
        MAX_ERRORS,
    )
    return [
        error_detail(
            "row_is_left_out",
            f"requirements: {row['code']} is published and not in the file; an import brings the whole edition",
            pointer=f"/requirements/{row['code']}",
        )
        for row in absent
    ]


async def _write_requirements(write: Write, *, keep_corrections: bool) -> Counter[str]:
    """Move the staged rows into the table, those that change anything."""
    connection = await _driver(write.session)
    await connection.execute(
        "DELETE FROM staged USING requirement AS stored WHERE stored.code = staged.code"
        " AND (stored.document::jsonb - 'updated' = staged.document::jsonb OR ($1 AND EXISTS"
        " (SELECT FROM change JOIN revision ON seq BETWEEN first AND number"
        " WHERE entity = 'requirement' AND key = staged.code AND actor <> $2)))",
        keep_corrections,
        write.author.actor,
    )
    # The moment is the last member of every document.
    stamped = f'(left(staged.document::text, -1) || \',"updated":"{moment_text(write.at)}"}}\')::json'
    names = ", ".join(rules.COLUMNS)
    assignments = ", ".join(f"{name} = excluded.{name}" for name in (*rules.COLUMNS, "document", "updated"))
    last = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM change")
    await connection.execute(
        f"INSERT INTO requirement ({names}, document, updated) SELECT {names}, {stamped}, $1 FROM staged"
        f" ON CONFLICT (code) DO UPDATE SET {assignments}",
        write.at,
    )
    actions = await connection.fetch("SELECT action, count(*) FROM change WHERE seq > $1 GROUP BY action", last)
    return Counter(dict(actions))
