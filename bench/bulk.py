"""Import and export of a large edition beside PostgreSQL's own COPY of the same rows, in one run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any

from bench import copying, report
from bench.copying import Imported, Taken
from bench.edition import write_edition
from bench.figures import Figure, Outcome
from bench.scale import Scale
from mmptf_common.storage import migrations
from mmptf_local.postgres import running_postgres
from mmptf_local.state import temporary_state

# An even number: every second round runs backwards, so that no pass is always first.
ROUNDS = 4
# Peak memory is compared: of an import with that of a tenth of the rows, and of the service after exports with before.
TIMES = 10
LABELS = {
    "import": "import command",
    "plain": "COPY of the same file, table of texts",
    "plain_again": "the same once more (A/A)",
    "indexed": "COPY of finished rows, all indexes",
    "csv": "GET ?format=csv",
    "copy_csv": "COPY (SELECT the same) TO STDOUT csv",
    "copy_csv_again": "the same once more (A/A)",
    "ndjson": "GET ?format=ndjson",
    "copy_ndjson": "COPY (SELECT record) TO STDOUT",
}
Passes = dict[str, Callable[[], Taken]]
Round = dict[str, Taken]


NOTES = """
- COPY of the same file is into an ordinary table of text columns: no check, no index, no record, no journal. COPY of
  finished rows is into a table with the same indexes: the minimum for storing them, without the journal. The import
  checks every row, reconciles printed totals and writes one entry of the journal for each row, in one transaction; it
  runs once, so the brackets of its share are the spread of the reference.
- The export must be the imported file byte for byte, and the journal must have as many entries as there are rows, or
  the run fails.
- "CPU s" is the process on our side (the command, the service, or the benchmark that copies), next to it PostgreSQL's,
  which runs without fsync. Peak memory is the kernel's high-water mark of the process (`VmHWM`).
"""


def compare(scale: Scale, progress: Callable[[str], None]) -> Outcome:
    """Import and export of an edition: of a tenth of a million rows in a quick run, else of a million."""
    rows = 100_000 if scale.is_quick else 1_000_000
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        postgres = stack.enter_context(running_postgres(folder, databases=["funding"], durable=False))
        asyncio.run(migrations.migrate(postgres.url("funding"), "mmptf_funding"))
        files = {}
        for name, number in (("small", rows // TIMES), ("large", rows)):
            (folder / name).mkdir()
            files[name] = write_edition(folder / name, number)
            postgres.create_database(name, template="funding")
        postgres.create_database("copies", template="funding")
        requirements = folder / "large" / "requirements.csv"
        progress(f"{rows:,} made-up requirements are {requirements.stat().st_size / 1e6:.0f} MB of CSV")

        copies: Passes = {
            name: partial(copying.copy_plain, postgres, "copies", requirements) for name in ("plain", "plain_again")
        }
        into = [_round(copies, number) for number in range(ROUNDS // 2)]
        imported = {}
        for name in files:
            imported[name] = copying.import_files(postgres, name, files[name])
            progress(f"{name} import: {imported[name].taken.seconds:.0f} s")
        if imported["large"].entries != rows:
            raise SystemExit(f"{imported['large'].entries} entries are in the journal, and {rows} rows were imported")
        finished = folder / "finished"
        copying.settle(postgres, "large", finished)
        copies = {**copies, "indexed": partial(copying.copy_indexed, postgres, "copies", finished)}
        for number in range(ROUNDS // 2, ROUNDS):
            into.append(_round(copies, number))
            progress(f"copies in: round {number + 1} of {ROUNDS}")

        service = stack.enter_context(copying.running_service(postgres, "large"))
        sum(map(len, service.pieces("limit=50")))
        before = service.peak_mb
        copying.check_exports(service, requirements, rows)
        progress("the export is the imported file, byte for byte")
        exports: Passes = {
            "csv": partial(service.export, "csv"),
            "copy_csv": partial(copying.copy_out, postgres, "large", "csv"),
            "copy_csv_again": partial(copying.copy_out, postgres, "large", "csv"),
            "ndjson": partial(service.export, "ndjson"),
            "copy_ndjson": partial(copying.copy_out, postgres, "large", "ndjson"),
        }
        out = []
        for number in range(ROUNDS):
            out.append(_round(exports, number))
            progress(f"exports: round {number + 1} of {ROUNDS}")
        memory = (before, service.peak_mb)
    found = _summary(rows, imported, into, out, memory)
    each = {name: [{n: asdict(taken) for n, taken in one.items()} for one in rounds]
            for name, rounds in (("into", into), ("out", out))}  # fmt: skip
    figures = [
        Figure.of("export-csv-vs-copy", found["out"]["csv"]["share_of_copy"]),
        Figure.of("export-ndjson-vs-copy", found["out"]["ndjson"]["share_of_copy"]),
        Figure.of("import-vs-copy", found["into"]["import"]["share_of_indexed"]),
        *(Figure(f"{name}-memory-growth", value, value, value) for name, value in found["memory_ratios"].items()),
    ]
    again = [found["into"]["plain_again"]["share_of_plain"][0], found["out"]["copy_csv_again"]["share_of_copy"][0]]
    text = f"{_table(rows, found)}\n\n{NOTES.strip()}"
    return Outcome("bulk", "Import and export", text, figures, again, details={**found, "each_round": each})


def _round(passes: Passes, number: int) -> Round:
    """Every pass once; every second round backwards."""
    return {name: passes[name]() for name in (reversed(passes) if number % 2 else passes)}


def _summary(
    rows: int, imported: Mapping[str, Imported], into: list[Round], out: list[Round], memory: tuple[float, float]
) -> dict[str, Any]:
    small, large = imported["small"], imported["large"]
    # The import runs once, and is compared with every round.
    into = [{**one, "import": large.taken} for one in into]
    entering = {
        name: _figures(rows, name, {"plain": "plain", "indexed": "indexed"}, into)
        for name in ("import", "plain", "plain_again", "indexed")
    }
    leaving = {
        name: _figures(rows, name, {"copy": f"copy_{name.removeprefix('copy_').removesuffix('_again')}"}, out)
        for name in out[0]
    }
    ratios = {"import": large.peak_mb / small.peak_mb, "export": memory[1] / memory[0]}
    return {
        "rows": rows,
        "into": entering,
        "out": leaving,
        "imported": {name: asdict(one) for name, one in imported.items()},
        "service_peak_mb": memory,
        "memory_ratios": ratios,
    }


def _figures(rows: int, name: str, references: Mapping[str, str], rounds: list[Round]) -> dict[str, Any]:
    """One contender's medians, and its speed as a share of each reference's within the rounds that have both."""
    taken = [one[name] for one in rounds if name in one]
    shares = {
        f"share_of_{label}": report.spread(
            [one[of].seconds / one[name].seconds for one in rounds if name in one and of in one]
        )
        for label, of in references.items()
    }
    return {
        **shares,
        "seconds": report.spread([one.seconds for one in taken]),
        "rows_per_second": rows / median(one.seconds for one in taken),
        "cpu": median(one.cpu for one in taken),
        "database_cpu": median(one.database for one in taken),
        "megabytes": taken[0].size / 1e6,
    }


def _table(rows: int, found: Mapping[str, Any]) -> str:
    lines = [
        f"| {rows:,} requirements in | seconds | rows/s | speed : COPY, table of texts | : COPY, all indexes"
        " | CPU s | PostgreSQL CPU s | MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in found["into"].items():
        shares = [report.shown(row[f"share_of_{of}"], ".2f") for of in ("plain", "indexed")]
        lines.append(_line(name, row, shares))
    lines += [
        "",
        f"| {rows:,} requirements out | seconds | rows/s | speed : COPY | CPU s | PostgreSQL CPU s | MB |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_line(name, row, [report.shown(row["share_of_copy"], ".2f")]) for name, row in found["out"].items()]
    small, large = found["imported"]["small"], found["imported"]["large"]
    ratios, (before, after) = found["memory_ratios"], found["service_peak_mb"]
    lines += [
        "",
        "import: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in large["phases"].items()),
        f"journal: {large['entries']:,} entries for {rows:,} rows; the export is the imported file, byte for byte",
        f"import, peak memory: {large['peak_mb']:.1f} MB : {small['peak_mb']:.1f} MB for a tenth of the rows"
        f" = {ratios['import']:.2f}",
        f"service, peak memory: {after:.1f} MB after all exports : {before:.1f} MB before = {ratios['export']:.2f}",
    ]
    return "\n".join(lines)


def _line(name: str, row: Mapping[str, Any], shares: list[str]) -> str:
    cells = [
        LABELS[name],
        report.shown(row["seconds"], ".1f"),
        f"{row['rows_per_second']:,.0f}",
        *shares,
        f"{row['cpu']:.1f}",
        f"{row['database_cpu']:.1f}",
        f"{row['megabytes']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"
