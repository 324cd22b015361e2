"""Rollups: how many rows of a table are equal in some columns, and their sums, written by triggers with every change.

The triggers run in the transaction of the change, so a rollup is never behind its table: a statement that reads both
reads the same moment. Their text is in the migrations of each service, as `trigger_statements` makes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import sqlalchemy as sa

from mmptf_common.storage.connections import Connector

# The most rows of a write that are added one by one where that is faster.
_FEW = 3
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
    ends_of_now: whether extremes are read as of now alone; else a rollup as of an earlier revision is counted for them
    derived: further keys: name -> (SQL over `filtered`, a row of the table; its type). A key may have the name of a
             column and be less than it, where the dimensions and filters that read the column ask for no more
    sums:    the columns of that table that are added up; computed: further sums: name -> (SQL over `filtered` that is
             never null; the type of the sum)
    parts:   SQL of a join by which a row counts in several rows of the rollup
    facet:   the facet whose values are those of the key with the same name, where rows count in several; None where
             each row counts in one
    number:  the name of `n`
    of_some: SQL over `filtered` of the condition under which a row counts; empty where each one does
    by_month: SQL over `filtered` of the number of a month, of which `n` and the sums are known, too: `n_01` to `n_12`
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
    ends_of_now: bool = False
    parts: str = ""
    facet: str | None = None
    number: str = "n"
    of_some: str = ""
    by_month: str | None = None
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
        return [*self.compared, self.number, *self.summed, *self.monthly, *self._named_ends]

    @property
    def _named_ends(self) -> list[str]:
        return [f"{end}_{name}" for end, *_ in _ENDS for name in self.extremes]

    @property
    def known(self) -> Collection[str]:
        """What a statement may read: the columns, and as the ends of a key, `least_…` and `most_…`, the key itself."""
        return {*self.columns, *(f"{end}_{name}" for end, *_ in _ENDS for name in self.compared)}

    @property
    def is_counted_then(self) -> bool:
        """Whether all rows of an earlier revision are counted to read it as of then."""
        return bool(self.extremes) and not self.ends_of_now

    @property
    def known_as_of(self) -> Collection[str]:
        """What a statement may read as of an earlier revision."""
        return [name for name in self.columns if name not in self._named_ends]

    def end_of(self, end: str, column: str) -> str:
        """The column with the smallest or the largest value of a column; end: `least` or `most`."""
        return column if column in self.compared else f"{end}_{column}"

    @property
    def monthly(self) -> Sequence[str]:
        """The columns of the number and the sums of each month, in order."""
        return [column for name in ("n", *self.sums) for column in _months_of(name)] if self.by_month else []

    def rows(self, table: str) -> str:
        """SQL of the rows of the rollup; table: the name of the table that they are made of, or of some of its rows."""
        sums = [f"sum(filtered.{name}) AS {name}" for name in self.sums]
        sums += [f"sum({sql}) AS {name}" for name, (sql, _) in self.computed.items()]
        months = self._monthly_sums(self.by_month, "count(*)", {name: f"filtered.{name}" for name in self.sums})
        selected = ", ".join([*self._keys(), f"count(*) AS {self.number}", *sums, *months, *self._ends()])
        return f"SELECT {selected} FROM {self._source(table)} GROUP BY {_numbers(self.compared)}"

    def _keys(self) -> list[str]:
        """SQL of the keys of `filtered`."""
        return [*(f"filtered.{name}" for name in self.keys), *(f"{sql} AS {n}" for n, (sql, _) in self.derived.items())]

    def _monthly_sums(self, month: str | None, number: str, values: Mapping[str, str]) -> list[str]:
        """SQL of the number and the sums of each month; month: SQL of that of a row; number: SQL of the number of rows.

        values: SQL of what is summed, by the name of its column
        """
        if month is None:
            return []
        sums = {"n": number} | {name: f"sum({value})" for name, value in values.items()}
        return [
            f"coalesce({sum_} FILTER (WHERE {month} = {n}), 0) AS {column}"
            for name, sum_ in sums.items()
            for n, column in enumerate(_months_of(name), 1)
        ]

    def _source(self, table: str) -> str:
        rows = f"(SELECT * FROM {table} AS filtered WHERE {self.of_some})" if self.of_some else table
        return f"{rows} AS filtered {self.parts}".rstrip()

    def _ends(self) -> list[str]:
        """SQL of the extremes of `filtered`."""
        return [f"{found}(filtered.{name}) AS {end}_{name}" for end, found, _ in _ENDS for name in self.extremes]

    def rows_as_of(self, number: str) -> str:
        """SQL of the rows of the rollup as of a revision: what it has now, without what was written since.

        It reads what was written since, so it costs less the fewer that is. A smallest value that is there no more is
        found in the rows of then alone: it is left out, or a rollup is counted in these.

        number: SQL of the number of the revision
        """
        if self.is_counted_then:
            return self.rows(self.of)
        month = [f"{self.by_month} AS month"] if self.by_month else []
        values = ", ".join([*self._keys(), *month, *self._summed_values()])
        sums = [self.number, *self.summed, *self.monthly]
        changes = [*(f"sum(side * {name})" for name in self.summed), *self._monthly_changes()]
        written = ", ".join(["sum(side)", *changes])
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
        numbers |= {self.number, *_months_of("n")}
        return ", ".join(
            f"sum({name})::{'bigint' if name in numbers else 'numeric'} AS {name}"
            for name in (self.number, *self.summed, *self.monthly)
        )

    def added_alone(self) -> str:
        """SQL that adds one row, the variable `filtered`: nothing is grouped, and nothing to group is prepared."""
        month = [f"CASE WHEN {self.by_month} = {n} THEN 1 ELSE 0 END" for n in range(1, 13)] if self.by_month else []
        months = [
            f"CASE WHEN {self.by_month} = {n} THEN coalesce(filtered.{name}, 0) ELSE 0 END"
            for name in (self.sums if self.by_month else ())
            for n in range(1, 13)
        ]
        values = [*self.compared.values(), "1", *self._summed_values(), *month, *months]
        values += [f"filtered.{name}" for _ in _ENDS for name in self.extremes]
        source = f"FROM (SELECT 1) AS one {self.parts}" if self.parts else ""
        added = self._upsert(f"SELECT {', '.join(values)} {source}".rstrip(), self._compared_ends())
        return f"IF {self.of_some} THEN\n      {added};\n      END IF" if self.of_some else added

    def added(self) -> str:
        """SQL that adds `new_rows`."""
        added = self._upsert(self.rows("new_rows"), self._compared_ends())
        if not self.of_some:
            return added
        # Most writes have no such row.
        return f"IF EXISTS (SELECT FROM new_rows AS filtered WHERE {self.of_some}) THEN\n    {added};\n    END IF"

    def _compared_ends(self) -> list[str]:
        """SQL of the assignments of extremes, which are those of the rows before and of what is added."""
        functions = [function for *_, function in _ENDS for _ in self.extremes]
        return [f"{e} = {f}(kept.{e}, excluded.{e})" for e, f in zip(self._named_ends, functions, strict=True)]

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
        month = [f"{self.by_month} AS month"] if self.by_month else []
        return f"SELECT {', '.join([*self._keys(), *month, *self._summed_values(), *ends])} FROM {self._source(table)}"

    def _summed_values(self) -> list[str]:
        """SQL of what of `filtered` is added up."""
        return [*(f"filtered.{n}" for n in self.sums), *(f"{sql} AS {n}" for n, (sql, _) in self.computed.items())]

    def _changed(self, tables: str, rows: str, nullable: Collection[str]) -> str:
        """SQL that adds rows with their `side`, 1 or -1, and deletes the rows of the rollup that nothing is left of.

        Extremes are read from the table, which is as the write leaves it: a value that is gone may have been one.
        tables: of `rows`; nullable: the columns of the table that may be null
        """
        changes = [*(f"sum(side * {name}) AS {name}" for name in self.summed), *self._monthly_changes()]
        sums = "".join(f", {change}" for change in changes)
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
        ends = [f"{name} = excluded.{name}" for name in self._named_ends]
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

    def _monthly_changes(self) -> list[str]:
        """SQL of the changes of the number and the sums of each month, over rows with their `month` and `side`."""
        month = "month" if self.by_month else None
        return self._monthly_sums(month, "sum(side)", {name: f"side * {name}" for name in self.sums})

    def _upsert(self, rows: str, ends: Sequence[str]) -> str:
        """SQL that adds rows of the rollup to it; ends: the assignments of the extremes."""
        added = [f"{name} = kept.{name} + excluded.{name}" for name in (self.number, *self.summed, *self.monthly)]
        return (
            f"INSERT INTO {self.table} AS kept ({', '.join(self.columns)})\n"
            f"      {rows}\n"
            f"      ON CONFLICT ({', '.join(self.compared)}) DO UPDATE SET {', '.join([*added, *ends])}"
        )


def _months_of(name: str) -> list[str]:
    """The columns of a number or a sum by month."""
    return [f"{name}_{month:02d}" for month in range(1, 13)]


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
            *(sa.Column(name, sa.Integer if name in _months_of("n") else sa.Numeric) for name in rollup.monthly),
            *(sa.Column(f"{end}_{name}", source[name].type) for end, *_ in _ENDS for name in rollup.extremes),
            sa.Index(f"{rollup.table}_keys", *rollup.compared, unique=True, postgresql_nulls_not_distinct=True),
            # The total of a page of one of the values is read from it.
            *(
                [sa.Index(f"{rollup.table}_{rollup.facet}", rollup.facet)]
                if rollup.facet and rollup.facet in rollup.derived
                else []
            ),
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
    if any(rollup.by_month for rollup in rollups):
        # The sums of months are prepared for longer than a few rows are added.
        alone = ";\n      ".join(rollup.added_alone() for rollup in rollups)
        added = (
            f"IF (SELECT count(*) FROM new_rows) <= {_FEW} THEN\n    DECLARE\n      filtered {table}%ROWTYPE;\n"
            f"    BEGIN\n      FOR filtered IN SELECT * FROM new_rows LOOP\n      {alone};\n      END LOOP;\n    END;\n"
            f"    ELSE\n    {added};\n    END IF"
        )
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
    connection = await Connector(url, {}).open()
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
