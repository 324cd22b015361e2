"""Rollups: how many rows of a table are equal in some columns, and their sums, written by triggers with every change.

The triggers run in the transaction of the change, so a rollup is never behind its table: a statement that reads both
reads the same moment. Their text is in the migrations of each service, as `trigger_statements` makes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import asyncpg
import sqlalchemy as sa

from mmptf_common.storage.engines import SERVER_SETTINGS

# The ends of the values of a column: the name, the aggregate that finds it, and the function that compares two.
_ENDS = (("least", "min", "least"), ("most", "max", "greatest"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """A table with a row for all rows of another one that are equal in its keys.

    Beside the keys it has their number `n`, the sums of columns and of what is computed of rows, and of each column in
    `extremes` the smallest and the largest value, `least_…` and `most_…`. A column in `sums` or `extremes` that may be
    null needs a key that says whether it is: then `amount IS NULL` is true of a row of the rollup where it is of all
    rows that it stands for.

    table:   its name; of: the table whose rows are counted: records, or a table that is derived from records
    keys:    the columns of that table that are compared
    derived: further keys: name -> (SQL over `filtered`, a row of the table; its type). A key may have the name of a
             column and be less than it, where the dimensions and filters that read the column ask for no more
    sums:    the columns of that table that are added up; computed: further sums: name -> (SQL over `filtered` that is
             never null; the type of the sum)
    parts:   SQL of a join by which a row counts in several rows of the rollup
    facet:   the facet whose values are those of the key with the same name, where rows count in several; None where
             each row counts in one
    number:  the name of `n`
    of_records: whether the rows of the other table are records. Those of a derived table that are not as they were at a
             revision are in `…_since`, and those of then in `…_then` (`AsOfTables.at`)
    """

    table: str
    of: str
    keys: Sequence[str]
    derived: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    sums: Sequence[str] = ()
    computed: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    extremes: Sequence[str] = ()
    parts: str = ""
    facet: str | None = None
    number: str = "n"
    of_records: bool = True

    @property
    def compared(self) -> Mapping[str, str]:
        """The name of each key -> its SQL over `filtered`."""
        return {name: f"filtered.{name}" for name in self.keys} | {name: sql for name, (sql, _) in self.derived.items()}

    @property
    def summed(self) -> Sequence[str]:
        """The columns that are sums."""
        return [*self.sums, *self.computed]

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the table, in order."""
        ends = [f"{end}_{name}" for end, *_ in _ENDS for name in self.extremes]
        return [*self.compared, self.number, *self.summed, *ends]

    def rows(self, table: str) -> str:
        """SQL of the rows of the rollup; table: the name of the table that they are made of, or of some of its rows."""
        sums = [f"sum(filtered.{name}) AS {name}" for name in self.sums]
        sums += [f"sum({sql}) AS {name}" for name, (sql, _) in self.computed.items()]
        selected = ", ".join([*self._keys(), f"count(*) AS {self.number}", *sums, *self._ends()])
        return f"SELECT {selected} FROM {self._source(table)} GROUP BY {_numbers(self.compared)}"

    def _keys(self) -> list[str]:
        """SQL of the keys of `filtered`."""
        return [*(f"filtered.{name}" for name in self.keys), *(f"{sql} AS {n}" for n, (sql, _) in self.derived.items())]

    def _source(self, table: str) -> str:
        return f"{table} AS filtered {self.parts}".rstrip()

    def _ends(self) -> list[str]:
        """SQL of the extremes of `filtered`."""
        return [f"{found}(filtered.{name}) AS {end}_{name}" for end, found, _ in _ENDS for name in self.extremes]

    def rows_as_of(self, number: str) -> str:
        """SQL of the rows of the rollup as of a revision: what it has now, without what was written since.

        It reads what was written since, so it costs less the fewer that is. A smallest value that is there no more is
        found in the rows of then alone, so a rollup with extremes is counted in these.

        number: SQL of the number of the revision
        """
        if self.extremes:
            return self.rows(self.of)
        values = ", ".join([*self._keys(), *self._summed_values()])
        sums = [self.number, *self.summed]
        written = ", ".join(["sum(side)", *(f"sum(side * {name})" for name in self.summed)])
        keys = ", ".join(self.compared)
        # The name of the table alone stands for its rows of then.
        gone, come = self._source(f"{self.of}_since"), self._source(f"{self.of}_then")
        if self.of_records:
            gone = f"{self._source(f'public.{self.of}')} WHERE filtered.revised > {number}"
            come = (
                f"{self._source(f'{self.of}_past')} WHERE filtered.revised <= {number} AND filtered.replaced > {number}"
            )
        return f"""
            SELECT {keys}, {self._added_up()} FROM (
                SELECT {", ".join([*self.compared, *sums])} FROM public.{self.table}
                UNION ALL SELECT {keys}, {written} FROM (
                    SELECT -1 AS side, {values} FROM {gone}
                    UNION ALL SELECT 1, {values} FROM {come}) AS written
                 GROUP BY {_numbers(self.compared)}) AS sides
             GROUP BY {_numbers(self.compared)} HAVING sum({self.number}) <> 0"""

    def _added_up(self) -> str:
        """SQL of the number and the sums of some rows of the rollup, of the types of its columns."""
        numbers = {name for name, (_, sql_type) in self.computed.items() if isinstance(sql_type, sa.BigInteger)}
        return ", ".join(
            f"sum({name})::{'bigint' if name in {self.number, *numbers} else 'numeric'} AS {name}"
            for name in (self.number, *self.summed)
        )

    def added(self) -> str:
        """SQL that adds `new_rows`."""
        ends = [f"{end}_{name}" for end, *_ in _ENDS for name in self.extremes]
        functions = [function for *_, function in _ENDS for _ in self.extremes]
        compared = [f"{e} = {f}(kept.{e}, excluded.{e})" for e, f in zip(ends, functions, strict=True)]
        return self._upsert(self.rows("new_rows"), compared)

    def replaced(self, nullable: Collection[str]) -> str:
        """SQL that adds `new_rows` and takes `old_rows` away; what is in both is not written."""
        return self._changed(
            f"come AS ({self._values('new_rows')}),\n    gone AS ({self._values('old_rows')})",
            "SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more"
            " UNION ALL SELECT -1, * FROM (TABLE gone EXCEPT ALL TABLE come) AS less",
            nullable,
        )

    def removed(self, nullable: Collection[str]) -> str:
        """SQL that takes `old_rows` away."""
        return self._changed(f"gone AS ({self._values('old_rows')})", "SELECT -1 AS side, * FROM gone", nullable)

    def _values(self, table: str) -> str:
        """SQL of what the rollup has of each row of a table."""
        ends = [f"filtered.{name}" for name in self.extremes if name not in self.sums]
        return f"SELECT {', '.join([*self._keys(), *self._summed_values(), *ends])} FROM {self._source(table)}"

    def _summed_values(self) -> list[str]:
        """SQL of what of `filtered` is added up."""
        return [*(f"filtered.{n}" for n in self.sums), *(f"{sql} AS {n}" for n, (sql, _) in self.computed.items())]

    def _changed(self, tables: str, rows: str, nullable: Collection[str]) -> str:
        """SQL that adds rows with their `side`, 1 or -1, and deletes the rows of the rollup that nothing is left of.

        Extremes are read from the table, which is as the write leaves it: a value that is gone may have been one.
        tables: of `rows`; nullable: the columns of the table that may be null
        """
        sums = "".join(f", sum(side * {name}) AS {name}" for name in self.summed)
        found = ""
        if self.extremes:
            equal = " AND ".join(
                [
                    f"filtered.{name} {'IS NOT DISTINCT FROM' if name in nullable else '='} changed.{name}"
                    for name in self.keys
                ]
                + [f"({sql}) IS NOT DISTINCT FROM changed.{name}" for name, (sql, _) in self.derived.items()]
            )
            found = (
                f"\n      CROSS JOIN LATERAL (SELECT {', '.join(self._ends())} FROM {self._source(self.of)}\n"
                f"        WHERE {equal}) AS found"
            )
        ends = [f"{end}_{name} = excluded.{end}_{name}" for end, *_ in _ENDS for name in self.extremes]
        return f"""WITH {tables},
    changed AS (
      SELECT {", ".join(self.compared)}, sum(side) AS {self.number}{sums}
      FROM ({rows}) AS sides
      GROUP BY {_numbers(self.compared)}),
    written AS (
      {self._upsert(f"SELECT * FROM changed{found}", ends)}
      RETURNING kept.ctid AS place, kept.{self.number})
    SELECT array_agg(place) INTO emptied FROM written WHERE {self.number} = 0;
    DELETE FROM {self.table} WHERE ctid = ANY(emptied)"""

    def _upsert(self, rows: str, ends: Sequence[str]) -> str:
        """SQL that adds rows of the rollup to it; ends: the assignments of the extremes."""
        added = [f"{name} = kept.{name} + excluded.{name}" for name in (self.number, *self.summed)]
        return (
            f"INSERT INTO {self.table} AS kept ({', '.join(self.columns)})\n"
            f"      {rows}\n"
            f"      ON CONFLICT ({', '.join(self.compared)}) DO UPDATE SET {', '.join([*added, *ends])}"
        )


def _numbers(keys: Collection[str]) -> str:
    """The positions of the keys in a SELECT that begins with them."""
    return ", ".join(str(n) for n in range(1, len(keys) + 1))


def _wrapped(sql: str) -> str:
    """SQL without lines that are too long for a file; no text in it has a space."""
    lines = []
    for line in sql.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        lines += wrap(
            line,
            115,
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def add_rollups(metadata: sa.MetaData, rollups: Iterable[Rollup]) -> None:
    """Declare the tables of rollups; `info["derived"]` is the SQL of their rows, as of all derived tables.

    rollups: of each table the one with the fewest rows first
    """
    for rollup in rollups:
        source = metadata.tables[rollup.of].columns
        # By which those are found that were written since a revision.
        if rollup.of_records and not any(
            index.name == f"{rollup.of}_revised" for index in metadata.tables[rollup.of].indexes
        ):
            sa.Index(f"{rollup.of}_revised", source["revised"])
        sa.Table(
            rollup.table,
            metadata,
            *(sa.Column(name, source[name].type, nullable=source[name].nullable) for name in rollup.keys),
            *(sa.Column(name, sql_type) for name, (_, sql_type) in rollup.derived.items()),
            sa.Column(rollup.number, sa.BigInteger, nullable=False),
            *(sa.Column(name, sa.Numeric) for name in rollup.sums),
            *(sa.Column(name, sql_type, nullable=False) for name, (_, sql_type) in rollup.computed.items()),
            *(sa.Column(f"{end}_{name}", source[name].type) for end, *_ in _ENDS for name in rollup.extremes),
            sa.Index(f"{rollup.table}_keys", *rollup.compared, unique=True, postgresql_nulls_not_distinct=True),
            info={"derived": rollup.rows(rollup.of), "rollup": rollup},
        )


def _rollups_of(metadata: sa.MetaData, table: str) -> list[Rollup]:
    rollups: list[Rollup] = [each.info["rollup"] for each in metadata.tables.values() if "rollup" in each.info]
    return [rollup for rollup in rollups if rollup.of == table]


def smallest_rollup(metadata: sa.MetaData, table: str) -> Rollup | None:
    """The rollup of a table that was declared first, in which each row counts once; None where it has none."""
    return next((rollup for rollup in _rollups_of(metadata, table) if rollup.facet is None), None)


def trigger_statements(metadata: sa.MetaData, table: str) -> list[str]:
    """The statements that create the triggers which write all rollups of a table, for the text of a migration.

    Their function runs as the owner, so that the role that serves need only read rollups. PostgreSQL keeps the plans
    of the first write of a connection, which may have one row and the next one thousands: nested loops would compare
    each with each.
    """
    rollups = _rollups_of(metadata, table)
    nullable = {column.name for column in metadata.tables[table].columns if column.nullable}
    function = f"roll_up_{table}()"
    added = ";\n    ".join(rollup.added() for rollup in rollups)
    replaced = ";\n    ".join(rollup.replaced(nullable) for rollup in rollups)
    removed = ";\n    ".join(rollup.removed(nullable) for rollup in rollups)
    return [
        _wrapped(f"""CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    {added};
  ELSIF TG_OP = 'UPDATE' THEN
    {replaced};
  ELSE
    {removed};
  END IF;
  RETURN NULL;
END $$"""),
        f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC",
        *(
            f"CREATE TRIGGER roll_up_{event.lower()} AFTER {event} ON {table} REFERENCING {rows}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {function}"
            for event, rows in (
                ("INSERT", "NEW TABLE AS new_rows"),
                ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
                ("DELETE", "OLD TABLE AS old_rows"),
            )
        ),
    ]


# The most differing rows of one table that are told.
_TOLD = 20


async def differences(url: str, metadata: sa.MetaData) -> list[str]:
    """The rows of derived tables that differ from those which their SQL gives now, as text; under one snapshot.

    Rollups are derived tables, and so is what else triggers derive from records.
    """
    found = []
    connection = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for table in metadata.tables.values():
                if "derived" in table.info:
                    columns = ", ".join(column.name for column in table.columns)
                    stored, counted = f"SELECT {columns} FROM {table.name}", f"({table.info['derived']})"
                    for what, rows in (
                        ("stored, and not counted", f"{stored} EXCEPT ALL {counted}"),
                        ("counted, and not stored", f"{counted} EXCEPT ALL {stored}"),
                    ):
                        differing = f"SELECT to_json(differing)::text FROM ({rows} LIMIT {_TOLD}) AS differing"
                        found += [f"{table.name}: {what}: {row[0]}" for row in await connection.fetch(differing)]
    finally:
        await connection.close()
    return found
