"""The statements for a period and of earmarked money, read from sums by day and by month.

PostgreSQL writes the JSON of the statements of parties, of which there may be thousands.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.negotiation import is_csv
from mmptf_common.http.snapshot import Snapshot, answer_computed, answer_computed_bytes
from mmptf_common.lists.codes import codes_in, find_with, suggest
from mmptf_common.lists.tables import cells_of, columns_of, csv_of, selected_columns, table_of
from mmptf_common.wire.codes import NOT_STATED, THEMATIC_AREAS
from mmptf_common.wire.links import link
from mmptf_common.wire.money import Money, money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, error_detail, not_one_of
from mmptf_funding.ledger.domain import CURRENCY, LedgerEntryKind
from mmptf_funding.ledger.json_sql import money_json, object_json, share_json
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.ledger.rules import SOURCES, USES
from mmptf_funding.ledger.schemas import StatementLine
from mmptf_funding.ledger.sums import FIRST_DAY, NO_LIMIT, sums_before
from mmptf_funding.period_statements import rules, schemas
from mmptf_funding.period_statements.rules import Signs
from mmptf_funding.periods.domain import PeriodStatus
from mmptf_funding.periods.queries import PERIODS

# --- the days ---------------------------------------------------------------------------------------------------------


class Days(NamedTuple):
    """The days of a statement, None where there is no limit, and the accounting period that they are."""

    start: date | None
    end: date | None
    period: str | None = None
    status: PeriodStatus | None = None

    def head(self) -> dict[str, Any]:
        """The members of an answer that say which days it is for."""
        return {"period": self.period, "status": self.status, "date_from": self.start, "date_to": self.end}

    def parameters(self) -> dict[str, str]:
        """The parameters of the entries within these days."""
        return ({"date_from": f"{self.start}"} if self.start else {}) | ({"date_to": f"{self.end}"} if self.end else {})

    @property
    def span(self) -> tuple[date, date]:
        """The first and the last day, the earliest and the latest that there is where there is no limit."""
        return self.start or date.min, self.end or date.max


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


async def days_of(data: Snapshot, query: schemas.PeriodStatementQuery) -> Days:
    """The days that a query names; raises InvalidRequest for an unknown period, and for a period with other days."""
    if query.period is None:
        return Days(_day(query.date_from), _day(query.date_to))
    if query.date_from or query.date_to:
        named = "date_from" if query.date_from else "date_to"
        detail = f"{named}: period={query.period} has its own first and last day; state either"
        raise InvalidRequest([error_detail(ProblemCode.NOT_APPLICABLE, detail, parameter=named, allowed=["period"])])
    found = await data.fetchrow(
        "SELECT first_day, last_day, code, status FROM accounting_period WHERE lower(code) = lower($1)", query.period
    )
    if found is None:
        meant = await suggest(find_with(data.connection, codes_in("accounting_period")), query.period)
        raise InvalidRequest([not_one_of("period", query.period, listed_at=PERIODS.path, suggestion=meant)])
    return Days(*found)


def _entries_path(data: Snapshot, *pairs: tuple[str, str]) -> str:
    """The path that lists the entries with these parameters, as of the same revision; braces stay as they are."""
    return link(f"{LEDGER.path}?{urlencode(sorted([*data.as_of_pairs(), *pairs]), safe='{}')}")


def _usd(amount: Decimal) -> Money:
    return money(amount, CURRENCY)


# --- the Fund ---------------------------------------------------------------------------------------------------------


def _after(parameter: str) -> str:
    """SQL of the day after the last one of a statement."""
    return f"least({parameter}::date + 1, {NO_LIMIT})"


def _grouped(*by: str) -> str:
    """SQL of the sums before and within a span, and the numbers of entries, of each kind and value of `by`.

    $1, $2: the first and the last day
    """
    columns = [*by, "kind"]
    named, start = ", ".join(columns), f"greatest($1::date, {FIRST_DAY})"
    return f"""(
        SELECT {named}, sum(opening) AS opening, sum(rows_before)::bigint AS rows_before,
               sum(amount - opening) AS moved, sum(n - rows_before)::bigint AS rows
          FROM (SELECT {named}, n, amount, 0 AS rows_before, 0 AS opening
                  FROM {sums_before(_after("$2"), columns)} AS until_end
                 UNION ALL
                SELECT {named}, 0, 0, n, amount FROM {sums_before(start, columns)} AS until_start) AS sums
         GROUP BY {named} HAVING sum(n) > 0) AS grouped"""


_OF_FUND = f"SELECT kind, opening, rows_before, moved, rows FROM {_grouped()}"


class _Moved(NamedTuple):
    """The sum of the entries of a kind before and within a period, and their numbers."""

    opening: Decimal = Decimal(0)
    rows_before: int = 0
    moved: Decimal = Decimal(0)
    rows: int = 0


@dataclass(frozen=True, slots=True)
class FundSums:
    """The sums of all entries of each kind before and within some days."""

    data: Snapshot
    days: Days
    by_kind: Mapping[str, _Moved]

    @classmethod
    async def read(cls, data: Snapshot, days: Days) -> FundSums:
        """The sums of these days."""
        rows = await data.fetch(_OF_FUND, *days.span)
        return cls(data, days, {row["kind"]: _Moved(*list(row)[1:]) for row in rows})

    def of(self, kind: LedgerEntryKind) -> _Moved:
        """The sums of a kind of entries."""
        return self.by_kind.get(kind, _Moved())

    def line(self, kind: LedgerEntryKind) -> schemas.PeriodLine:
        """The line of a kind of entries."""
        sums = self.of(kind)
        return schemas.PeriodLine(
            kind=kind,
            opening=_usd(sums.opening),
            sum=_usd(sums.moved),
            rows=sums.rows,
            link=self.link([kind]),
            closing=_usd(sums.opening + sums.moved),
        )

    def balance(self, signs: Signs) -> schemas.PeriodBalance:
        """A balance of kinds of entries with their signs."""
        opening = sum((self.of(kind).opening * sign for kind, sign in signs.items()), Decimal(0))
        change = sum((self.of(kind).moved * sign for kind, sign in signs.items()), Decimal(0))
        return schemas.PeriodBalance(opening=_usd(opening), change=_usd(change), closing=_usd(opening + change))

    def link(self, kinds: Iterable[LedgerEntryKind], days: Days | None = None) -> str:
        """The path of the entries of some kinds; days: other days than those of the sums."""
        pairs = (days or self.days).parameters().items()
        return _entries_path(self.data, *pairs, *(("kind", kind) for kind in kinds))


async def answer_fund(request: Request, query: schemas.PeriodStatementQuery) -> Response:
    """The Fund's cash before and after a period, what came in and went out, and the other stages of the same money."""

    async def build(data: Snapshot, revision: int) -> schemas.FundPeriodStatement:
        days = await days_of(data, query)
        sums = await FundSums.read(data, days)
        return schemas.FundPeriodStatement.model_validate(
            {
                **days.head(),
                "sources": [sums.line(kind) for kind in SOURCES],
                "total_sources": sums.balance({kind: rules.CASH[kind] for kind in SOURCES}),
                "uses": [sums.line(kind) for kind in USES],
                "total_uses": sums.balance({kind: -rules.CASH[kind] for kind in USES}),
                "cash": sums.balance(rules.CASH),
                "pledges": sums.line("pledge"),
                "commitments": sums.line("commitment"),
                "commitment_amendments": sums.line("commitment_amendment"),
                "exchange_differences": sums.line("exchange_difference"),
                "allocations": sums.line("allocation"),
                "expenditures": sums.line("expenditure"),
                "not_yet_transferred": sums.balance(rules.NOT_YET_TRANSFERRED),
                "available_to_allocate": sums.balance(rules.AVAILABLE_TO_ALLOCATE),
                "balance_with_organizations": sums.balance(rules.WITH_ORGANIZATIONS),
                "revision": revision,
            }
        )

    return await answer_computed(request, query, build, table=_fund_table)


FUND_COLUMNS = ["section", *columns_of(schemas.PeriodLine), "change_amount", "change_currency"]


def _fund_table(statement: schemas.FundPeriodStatement) -> bytes:
    """The lines of the statement of the Fund as CSV, each with its section, and then its balances."""
    empty = dict.fromkeys(FUND_COLUMNS)
    lines = {
        "sources": statement.sources,
        "uses": statement.uses,
        "pledges": [statement.pledges],
        "commitments": [statement.commitments],
        "commitment_amendments": [statement.commitment_amendments],
        "exchange_differences": [statement.exchange_differences],
        "allocations": [statement.allocations],
        "expenditures": [statement.expenditures],
    }
    rows = [{**empty, "section": section, **cells_of(line)} for section, found in lines.items() for line in found]
    for name in type(statement).model_fields:
        balance = getattr(statement, name)
        if isinstance(balance, schemas.PeriodBalance):
            rows.append({**empty, "section": name, **cells_of(balance)})
    return csv_of(FUND_COLUMNS, rows)


# --- parties ----------------------------------------------------------------------------------------------------------

# What entries of one thematic area have in common, and the area whose money they are: that of their programme, or else
# the one to which they are restricted.
_BY_AREA = ("programme", "earmark")
_AREA = f"""coalesce(CASE WHEN programme IS NULL THEN earmark ELSE (
    SELECT record#>>'{{thematic_area,code}}' FROM programme AS named WHERE named.code = grouped.programme) END,
    '{NOT_STATED}')"""
_NAMES_OF_AREAS = ", ".join(f"('{code}', '{name}')" for code, name in THEMATIC_AREAS.items())


@dataclass(frozen=True, slots=True)
class PartyStatements:
    """A list of statements for a period, one for each party.

    about:   what the list states, for the contract
    page, item: the models of the answer and of one statement
    party:   the parameter of the links to the entries
    by:      the columns that the code of the party depends on
    code:    SQL of the code of the party, over `grouped`; entries without one are in no statement
    members: the members of `item` before its lines -> SQL of the JSON of their values, over `code`
    lines:   the lines in their order -> the kind of their entries
    balances: the balances in their order -> the kinds of their entries with their signs
    order:   SQL of the order of the rows
    """

    about: str
    page: type[BaseModel]
    item: type[BaseModel]
    party: str
    by: Sequence[str]
    code: str
    members: Mapping[str, str]
    lines: Mapping[str, LedgerEntryKind]
    balances: Mapping[str, Signs] = field(default_factory=dict)
    order: str = 'code COLLATE "C"'

    def rows(self) -> str:
        """SQL of a row for each statement: its code, and of each kind the sums and the number of entries."""
        kinds = dict.fromkeys([*self.lines.values(), *(kind for signs in self.balances.values() for kind in signs)])
        sums = ", ".join(
            f"coalesce(sum(opening) FILTER (WHERE kind = '{kind}'), 0) AS {kind}_opening,"
            f" coalesce(sum(moved) FILTER (WHERE kind = '{kind}'), 0) AS {kind}_moved,"
            f" coalesce(sum(rows) FILTER (WHERE kind = '{kind}'), 0)::bigint AS {kind}_rows"
            for kind in kinds
        )
        return f"""(
            SELECT code, {sums}
              FROM (SELECT {self.code} AS code, kind, opening, moved, rows FROM {_grouped(*self.by)}) AS of_kinds
             WHERE code IS NOT NULL GROUP BY 1) AS stated"""

    def json(self) -> str:
        """SQL of the JSON of one statement, from a row of `rows`; $3: the path of the entries of a kind and a party."""
        return object_json(
            **self.members,
            **{name: _line_json(kind) for name, kind in self.lines.items()},
            **{name: _balance_json(signs) for name, signs in self.balances.items()},
        )


def _line_json(kind: LedgerEntryKind) -> str:
    """SQL of `PeriodLine`."""
    opening, moved = f"{kind}_opening", f"{kind}_moved"
    path = f"replace(replace($3::text, '{{kind}}', '{kind}'), '{{code}}', code)"
    return object_json(
        kind=f"'{kind}'",
        opening=money_json(opening),
        sum=money_json(moved),
        rows=f"{kind}_rows",
        link=path,
        closing=money_json(f"({opening} + {moved})"),
    )


def _balance_json(signs: Signs) -> str:
    """SQL of `PeriodBalance`."""
    opening, change = (
        f"({' + '.join(f'{sign} * {kind}_{part}' for kind, sign in signs.items())})" for part in ("opening", "moved")
    )
    return object_json(
        opening=money_json(opening), change=money_json(change), closing=money_json(f"({opening} + {change})")
    )


PROGRAMMES = PartyStatements(
    about="What each programme was allocated, received and spent before, within and up to the end of a period.",
    page=schemas.ProgrammePeriodStatements,
    item=schemas.ProgrammePeriodStatement,
    party="programme",
    by=("programme",),
    code="programme",
    members={
        "programme": "code",
        "title": "(SELECT record->>'title' FROM programme AS named WHERE named.code = stated.code)",
    },
    lines={
        "allocations": "allocation",
        "transfers": "transfer",
        "refunds": "refund",
        "expenditures": "expenditure",
    },
    balances={
        "not_yet_transferred": rules.NOT_YET_TRANSFERRED,
        "balance_with_organizations": rules.WITH_ORGANIZATIONS,
    },
)
ORGANIZATIONS = PartyStatements(
    about="What each organization received, returned and spent before, within and up to the end of a period.",
    page=schemas.OrganizationPeriodStatements,
    item=schemas.OrganizationPeriodStatement,
    party="organization",
    by=("organization",),
    code="organization",
    members={"organization": "code"},
    lines={"transfers": "transfer", "refunds": "refund", "expenditures": "expenditure"},
    balances={"balance_with_organization": rules.WITH_ORGANIZATIONS},
)
CONTRIBUTORS = PartyStatements(
    about="What each contributor has announced, promised and paid before, within and up to the end of a period.",
    page=schemas.ContributorPeriodStatements,
    item=schemas.ContributorPeriodStatement,
    party="contributor",
    by=("contributor",),
    code="contributor",
    members={
        "contributor": "code",
        "name": "(SELECT name FROM contributor AS named WHERE named.code = stated.code)",
    },
    lines={
        "pledges": "pledge",
        "commitments": "commitment",
        "commitment_amendments": "commitment_amendment",
        "deposits": "deposit",
        "exchange_differences": "exchange_difference",
        "refunds": "contributor_refund",
    },
)
AREAS = PartyStatements(
    about="What was restricted to each thematic area, and allocated to its programmes, before, within and up to the"
    " end of a period.",
    page=schemas.ThematicAreaPeriodStatements,
    item=schemas.ThematicAreaPeriodStatement,
    party="earmark",
    by=_BY_AREA,
    code=_AREA,
    members={
        "thematic_area": "code",
        "name": f"(SELECT name FROM (VALUES {_NAMES_OF_AREAS}) AS named(area, name) WHERE area = code)",
    },
    lines={
        "pledges": "pledge",
        "commitments": "commitment",
        "commitment_amendments": "commitment_amendment",
        "deposits": "deposit",
        "contributor_refunds": "contributor_refund",
        "agent_fees": "agent_fee",
        "allocations": "allocation",
        "refunds": "refund",
    },
    balances={"other": rules.OTHER_AVAILABLE, "available": rules.AVAILABLE_TO_ALLOCATE},
    order=f"code = '{NOT_STATED}', code COLLATE \"C\"",
)


async def answer_parties(
    request: Request, query: schemas.PeriodStatementQuery, statements: PartyStatements
) -> Response:
    """The statements of all parties for a period, from one snapshot, cached under its revision."""
    item, rows = statements.json(), statements.rows()
    as_json = f"""
        SELECT convert_to(coalesce(string_agg({item}::text, ',' ORDER BY {statements.order}), ''), 'UTF8')
          FROM {rows}"""
    as_csv = f"""
        SELECT {selected_columns(statements.item, "item")}
          FROM (SELECT {item}::jsonb AS item, row_number() OVER (ORDER BY {statements.order}) AS place
                  FROM {rows}) AS ordered
         ORDER BY place"""

    async def build(data: Snapshot, revision: int, chosen: str) -> bytes:
        days = await days_of(data, query)
        path = _entries_path(data, *days.parameters().items(), ("kind", "{kind}"), (statements.party, "{code}"))
        values = (*days.span, path)
        if is_csv(chosen):
            table = io.BytesIO()
            await data.connection.copy_from_query(
                await data.statement(as_csv), *values, output=table, format="csv", header=True
            )
            return table.getvalue()
        items = await data.fetchval(as_json, *values)
        return _with_items(statements.page, {**days.head(), "revision": revision}, items)

    return await answer_computed_bytes(request, query, build, tabular=True)


def _with_items(page: type[BaseModel], members: Mapping[str, Any], items: bytes) -> bytes:
    """The JSON of an answer whose `items` PostgreSQL has written."""
    answer = page.model_validate({**members, "items": []}).model_dump_json().encode()
    return answer.replace(b'"items":[]', b'"items":[%b]' % items, 1)


# --- earmarked money --------------------------------------------------------------------------------------------------

_OF_AREAS = f"""
    SELECT {_AREA} AS area, kind, sum(moved) AS amount, sum(rows)::bigint AS rows FROM {_grouped(*_BY_AREA)}
     WHERE kind = ANY($3::text[]) GROUP BY 1, 2"""


async def answer_earmarks(request: Request, query: schemas.EarmarkQuery) -> Response:
    """What was received for each thematic area, what is allocated to its programmes, and what is free."""

    async def build(data: Snapshot, revision: int) -> schemas.EarmarkStatement:
        days = Days(None, _day(query.on))
        rows = await data.fetch(_OF_AREAS, *days.span, list(rules.AVAILABLE_TO_ALLOCATE))
        found: dict[str, dict[str, Any]] = {NOT_STATED: {}} if rows else {}
        for row in rows:
            found.setdefault(row["area"], {})[row["kind"]] = row
        pool = _AreaSums(data, days, NOT_STATED, found.get(NOT_STATED, {}))
        areas = [_AreaSums(data, days, code, found[code]) for code in sorted(found.keys() - {NOT_STATED})]
        pool_free = rules.unearmarked_free(pool.earmarked, [area.earmarked for area in areas])
        items = [area.item(area.earmarked.exceeding, area.earmarked.left, pool_free < 0) for area in areas]
        items += [pool.item(Decimal(0), pool_free, False)] if rows else []
        whole = sum((Decimal(item.free.amount) for item in items), Decimal(0))
        return schemas.EarmarkStatement(on=days.end, items=items, available_to_allocate=_usd(whole), revision=revision)

    return await answer_computed(request, query, build, table=table_of(schemas.EarmarkedMoney, "items"))


@dataclass(frozen=True, slots=True)
class _AreaSums:
    """The sums of the entries of one thematic area by kind, on a day."""

    data: Snapshot
    days: Days
    code: str
    by_kind: Mapping[str, Any]

    def amount(self, kind: LedgerEntryKind) -> Decimal:
        return self.by_kind[kind]["amount"] if kind in self.by_kind else Decimal(0)

    @property
    def other(self) -> Decimal:
        return sum((self.amount(kind) * sign for kind, sign in rules.OTHER_AVAILABLE.items()), Decimal(0))

    @property
    def earmarked(self) -> rules.Earmarked:
        received = self.amount("deposit") - self.amount("contributor_refund") - self.amount("agent_fee") + self.other
        return rules.Earmarked(received, self.amount("allocation") - self.amount("refund"))

    def line(self, kind: LedgerEntryKind) -> StatementLine:
        path = _entries_path(self.data, *self.days.parameters().items(), ("kind", kind), ("earmark", self.code))
        rows = self.by_kind[kind]["rows"] if kind in self.by_kind else 0
        return StatementLine(kind=kind, sum=_usd(self.amount(kind)), rows=rows, link=path)

    def item(self, from_unearmarked: Decimal, free: Decimal, is_exhausted: bool) -> schemas.EarmarkedMoney:
        """The statement of the area; is_exhausted: whether areas have used more than the money without an area."""
        earmarked = self.earmarked
        return schemas.EarmarkedMoney(
            thematic_area=self.code,
            name=THEMATIC_AREAS.get(self.code),
            deposits=self.line("deposit"),
            contributor_refunds=self.line("contributor_refund"),
            agent_fees=self.line("agent_fee"),
            other=_usd(self.other),
            received=_usd(earmarked.received),
            allocations=self.line("allocation"),
            refunds=self.line("refund"),
            allocated=_usd(earmarked.allocated),
            from_unearmarked=_usd(from_unearmarked),
            free=_usd(free),
            uses_other_areas=is_exhausted and from_unearmarked > 0,
        )


# --- budgets ----------------------------------------------------------------------------------------------------------

_DIVISIONS = {
    "organization": ("line->>'organization'", "organization", "text"),
    "year": ("(line->>'year')::int", "year", "int"),
    "category": ("line->>'category'", "category", "text"),
}


def _budget_rows(by: Sequence[str]) -> str:
    """SQL of a row for each part of each programme with its budget and expenditure.

    $1: the last day; $2: codes of programmes, or null

    A programme whose copy states no lines has no budget; one that states some has zero where it has none of a part.
    """
    budgeted = ", ".join(
        f"{_DIVISIONS[name][0] if name in by else f'NULL::{_DIVISIONS[name][2]}'} AS {name}" for name in _DIVISIONS
    )
    spent = ", ".join(
        f"{_DIVISIONS[name][1] if name in by else f'NULL::{_DIVISIONS[name][2]}'} AS {name}" for name in _DIVISIONS
    )
    lines = "CASE WHEN json_typeof(record->'budget_lines') = 'array' THEN record->'budget_lines' ELSE '[]' END"
    return f"""(
        WITH described AS (
            SELECT code, lines, json_array_length(lines) > 0 AS has_lines
              FROM (SELECT code, {lines} AS lines FROM programme) AS known
             WHERE $2::text[] IS NULL OR lower(code) = ANY($2::text[])),
        budgeted AS (
            SELECT code, {budgeted}, (line->>'amount')::numeric AS budget, 0 AS spent, 0 AS n
              FROM described, json_array_elements(lines) AS line),
        spent AS (
            SELECT programme AS code, {spent}, 0 AS budget, sum(amount) AS spent, sum(n) AS n
              FROM {sums_before(_after("$1"), ["programme", *_DIVISIONS, "kind"])} AS sums
             WHERE kind = 'expenditure' AND ($2::text[] IS NULL OR lower(programme) = ANY($2::text[]))
             GROUP BY programme, {", ".join(_DIVISIONS)} HAVING sum(n) > 0)
        SELECT whole.code, organization, year, category, sum(spent) AS spent, sum(n)::bigint AS n,
               CASE WHEN has_lines THEN sum(budget) END AS budget
          FROM (SELECT * FROM budgeted UNION ALL SELECT * FROM spent) AS whole
          LEFT JOIN described ON described.code = whole.code
         GROUP BY whole.code, organization, year, category, has_lines) AS compared"""


_EXPENDITURE_PATH = """$3::text || '&programme=' || code
    || CASE WHEN organization IS NULL THEN '' ELSE '&organization=' || organization END
    || CASE WHEN category IS NULL THEN '' ELSE '&category=' || category END
    || CASE WHEN year IS NULL THEN CASE WHEN $1::date < date '9999-12-31' THEN '&date_to=' || $1::date::text ELSE '' END
            ELSE '&date_from=' || year || '-01-01&date_to=' || least(make_date(year, 12, 31), $1::date)::text END"""
_COMPARISON = object_json(
    programme="code",
    organization="organization",
    year="year",
    category="category",
    budget=f"CASE WHEN budget IS NOT NULL THEN {money_json('budget')} END",
    expenditure=object_json(kind="'expenditure'", sum=money_json("spent"), rows="n", link=_EXPENDITURE_PATH),
    remaining=f"CASE WHEN budget IS NOT NULL THEN {money_json('(budget - spent)')} END",
    delivery=f"CASE WHEN spent >= 0 THEN {share_json('spent', 'budget')} END",
)
_COMPARISON_ORDER = 'code COLLATE "C", organization COLLATE "C", year, category COLLATE "C"'


async def answer_budgets(request: Request, query: schemas.BudgetQuery) -> Response:
    """The budget lines of programmes beside what was reported as spent, divided as the query says."""
    rows = _budget_rows(query.by)

    async def build(data: Snapshot, revision: int, chosen: str) -> bytes:
        days = Days(None, _day(query.on))
        codes = await _known_programmes(data, query.programme)
        values = (days.span[1], codes, _entries_path(data, ("kind", "expenditure")))
        if is_csv(chosen):
            table = io.BytesIO()
            statement = f"""
                SELECT {selected_columns(schemas.BudgetComparison, "item")}
                  FROM (SELECT {_COMPARISON}::jsonb AS item, row_number() OVER (ORDER BY {_COMPARISON_ORDER}) AS place
                          FROM {rows}) AS ordered
                 ORDER BY place"""
            await data.connection.copy_from_query(
                await data.statement(statement), *values, output=table, format="csv", header=True
            )
            return table.getvalue()
        items = await data.fetchval(
            f"""SELECT convert_to(coalesce(string_agg({_COMPARISON}::text, ',' ORDER BY {_COMPARISON_ORDER}), ''),
                                  'UTF8') FROM {rows}""",
            *values,
        )
        return _with_items(schemas.BudgetStatement, {"on": days.end, "revision": revision}, items)

    return await answer_computed_bytes(request, query, build, tabular=True)


async def _known_programmes(data: Snapshot, codes: Sequence[str]) -> list[str] | None:
    """The codes in lower case, None where none is asked for; raises InvalidRequest for one that is not known."""
    if not codes:
        return None
    folded = [code.lower() for code in codes]
    statement = "SELECT lower(code) FROM programme WHERE lower(code) = ANY($1::text[])"
    # Those that are known now, as in the filters of lists, and those that were in the state that is asked for.
    known = {code for fetch in (data.connection.fetch, data.fetch) for (code,) in await fetch(statement, folded)}
    if unknown := [code for code in codes if code.lower() not in known]:
        raise InvalidRequest(
            [
                not_one_of("programme", code, listed_at="/catalog/v1/programmes", only="programmes of the ledger")
                for code in unknown
            ]
        )
    return folded
