"""The listing of ledger entries, and the statements computed from them for any day."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.snapshot import Snapshot, snapshot
from mmptf_common.lists.codes import codes_among, codes_in, codes_named_in
from mmptf_common.lists.listing import Dimension, Filter, Listing, completed
from mmptf_common.lists.tables import cells_of, columns_of, csv_of, table_of
from mmptf_common.routers.cards import CardData
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.codes import NOT_STATED, THEMATIC_AREAS
from mmptf_common.wire.links import link
from mmptf_common.wire.money import Money, money
from mmptf_common.wire.periods import Interval, ends
from mmptf_common.wire.shares import share
from mmptf_funding.ledger import rules, schemas
from mmptf_funding.ledger.domain import CURRENCY, KnownProgramme, LedgerEntryKind
from mmptf_funding.ledger.schemas import StatementLine

PATH = "/funding/v1"


def _coded(column: str, name: str = "NULL::text") -> Dimension:
    """The dimension of a member that some kinds of entries do not have."""
    return Dimension(f"coalesce(filtered.{column}, '{NOT_STATED}')", name)


LISTED_AT = f"{PATH}/ledger/facets"
_AREA_NAMES = ", ".join(f"('{code}', '{name}')" for code, name in THEMATIC_AREAS.items())
CONTRIBUTOR = _coded("contributor", "(SELECT name FROM contributor AS named WHERE named.code = {})")
PROGRAMME = _coded("programme", "(SELECT record->>'title' FROM programme AS named WHERE named.code = {})")

DIMENSIONS = {
    "kind": Dimension("filtered.kind"),
    "contributor": CONTRIBUTOR,
    "programme": PROGRAMME,
    "organization": _coded("organization"),
    "thematic_area": _coded(
        "thematic_area", f"(SELECT name FROM (VALUES {_AREA_NAMES}) AS named(code, name) WHERE named.code = {{}})"
    ),
    "category": _coded("category"),
}

LEDGER = Listing(
    path=f"{PATH}/ledger",
    entity="ledger_entry",
    item=schemas.LedgerEntry,
    page=schemas.LedgerEntryPage,
    rows=f"(SELECT *, kind AS money_stage, NULL::text AS basis, '{CURRENCY}' AS currency FROM ledger_entry) AS entry",
    # Until reversals amended the reversed entry, its `reversed_by` was looked up; as of then it still is. An index of
    # `reverses` has the order of its own column, and that of `code` is another one.
    record=completed(
        "record::text",
        reversed_by="""coalesce(
            (SELECT to_json(code)::text FROM ledger_entry AS later
              WHERE later.reverses = entry.code COLLATE "default"), 'null')""",
    ),
    in_feed=completed("record::text", reversed_by="'null'"),
    query=schemas.EntryQuery,
    sorts={"code": ("code", "text"), "date": ("date", "date"), "amount": ("amount", "numeric")},
    filters={
        "kind": Filter("kind = ANY({}::text[])"),
        "contributor": Filter(
            "contributor = ANY({}::text[])",
            codes_in("contributor"),
            f"{PATH}/contributors",
            not_stated="contributor IS NULL",
        ),
        **{
            name: Filter(f"{name} = ANY({{}}::text[])", codes, LISTED_AT, not_stated=f"{name} IS NULL", only=only)
            for name, codes, only in (
                ("programme", codes_named_in("ledger_entry", "programme"), "programmes that an entry names"),
                ("organization", codes_named_in("ledger_entry", "organization"), "organizations that an entry names"),
                (
                    "thematic_area",
                    f"{codes_named_in('ledger_entry', 'thematic_area')} UNION {codes_among(THEMATIC_AREAS)}",
                    None,
                ),
            )
        },
        "category": Filter("category = ANY({}::text[])", not_stated="category IS NULL"),
        "flag": Filter("flags && {}::text[]", not_stated="flags = '{}'"),
        "reversal": Filter("(reverses IS NOT NULL)::text = {}::text"),
        "date_from": Filter("date >= {}::text::date"),
        "date_to": Filter("date <= {}::text::date"),
    },
    columns={
        "code": "code",
        "kind": "kind",
        "date": "date",
        "amount": "amount",
        "currency": "currency",
        "original_amount": "record#>>'{original,sum,amount}'",
        "original_currency": "record#>>'{original,sum,currency}'",
        "rate": "record#>>'{original,rate}'",
        "rate_date": "record#>>'{original,rate_date}'",
        "rate_source": "record#>>'{original,rate_source}'",
        "contributor": "contributor",
        "programme": "programme",
        "organization": "organization",
        "thematic_area": "thematic_area",
        "category": "category",
        "tranche": "record->>'tranche'",
        "follows": "follows",
        "reverses": "reverses",
        "reference": "record->>'reference'",
        "note": "record->>'note'",
        "flags": "array_to_string(flags, '|')",
        "recorded_by": "record->>'recorded_by'",
        "updated": "record->>'updated'",
    },
    facets={name: Dimension(f"filtered.{name}", d.name) for name, d in DIMENSIONS.items()}
    | {"flag": Dimension("v.code", join="LEFT JOIN LATERAL unnest(filtered.flags) AS v(code) ON true")},
    ranges={"date": ("filtered.date", "({})::text"), "amount": ("filtered.amount", "({})::text")},
    facet_query=schemas.EntryFilter,
    totals={
        **DIMENSIONS,
        "year": Dimension(
            "to_char(filtered.date, 'YYYY')",
            drilldown=lambda _, year: {"date_from": f"{year}-01-01", "date_to": f"{year}-12-31"},
        ),
    },
    totals_query=schemas.EntryTotalsQuery,
    split_by={"money_stage": "kind"},
)

_PARTIES = ("contributor", "programme", "organization")


class Ledger:
    """Sums of entries up to a day, and statement lines with links to their entries."""

    def __init__(self, rows: Sequence[Any], parameters: dict[str, str]) -> None:
        self._rows = rows
        self._parameters = parameters
        # Indexed by kind and every combination of parties, so that each line of a statement reads its own rows only.
        self._by: dict[tuple[str, frozenset[tuple[str, str]]], list[Any]] = defaultdict(list)
        for row in rows:
            named = [(party, row[party]) for party in _PARTIES if row[party] is not None]
            for number in range(len(named) + 1):
                for parties in combinations(named, number):
                    self._by[row["kind"], frozenset(parties)].append(row)

    def line(self, kind: LedgerEntryKind, **parties: str) -> StatementLine:
        """The statement line of a kind of entries, for the named parties."""
        found = self._found(kind, parties)
        path = f"{LEDGER.path}?{urlencode(sorted({**self._parameters, **parties, 'kind': kind}.items()))}"
        total = sum((row["amount"] for row in found), Decimal(0))
        return StatementLine(kind=kind, sum=_usd(total), rows=sum(row["rows"] for row in found), link=link(path))

    def amount(self, kind: str, **parties: str) -> Decimal:
        """The sum of a kind of entries, for the named parties."""
        return sum((row["amount"] for row in self._found(kind, parties)), Decimal(0))

    def codes(self, party: str) -> list[str]:
        """The codes that entries name as this party, in order."""
        return sorted({row[party] for row in self._rows if row[party] is not None})

    def delivery(self, **parties: str) -> schemas.Delivery:
        """The expenditure, the transfers minus refunds, and the first as a share of the second."""
        net = self.amount("transfer", **parties) - self.amount("refund", **parties)
        spent = self.amount("expenditure", **parties)
        return schemas.Delivery(
            net_funded=_usd(net),
            expenditure=_usd(spent),
            share=share(spent, net) if net > 0 else None,
        )

    def overspent(self, **parties: str) -> bool:
        """Whether any organization has spent more for any programme than it has received and not refunded."""
        pairs = {(row["programme"], row["organization"]) for row in self._found("expenditure", parties)}
        return any(
            self.amount("expenditure", programme=programme, organization=organization)
            > self.amount("transfer", programme=programme, organization=organization)
            - self.amount("refund", programme=programme, organization=organization)
            for programme, organization in pairs
        )

    def commitments(self, paid: Decimal, **parties: str) -> schemas.CommitmentSums:
        """The commitments, the payments for them, and what is outstanding."""
        committed = self.line("commitment", **parties)
        outstanding = Decimal(committed.sum.amount) - paid
        return schemas.CommitmentSums(committed=committed, paid=_usd(paid), outstanding=_usd(outstanding))

    def _found(self, kind: str, parties: dict[str, str]) -> list[Any]:
        return self._by.get((kind, frozenset(parties.items())), [])


def _usd(amount: Decimal) -> Money:
    return money(amount, CURRENCY)


_SUMS = """
    SELECT kind, contributor, programme, organization, sum(amount) AS amount, count(*) AS rows FROM ledger_entry
     WHERE $1::text IS NULL OR date <= $1::text::date GROUP BY 1, 2, 3, 4"""

# Payments count only up to the amount of their commitment.
_PAYMENTS = """
    SELECT commitment.code, commitment.contributor, commitment.date, commitment.amount AS committed,
           least(commitment.amount, coalesce(sum(deposit.amount), 0)) AS paid
      FROM ledger_entry AS commitment
      LEFT JOIN ledger_entry AS deposit ON deposit.follows = commitment.code COLLATE "default"
                                       AND deposit.kind = 'deposit'
                                       AND ($1::text IS NULL OR deposit.date <= $1::text::date)
     WHERE commitment.kind = 'commitment' AND commitment.reverses IS NULL
       AND ($1::text IS NULL OR commitment.date <= $1::text::date)
       AND NOT EXISTS (SELECT FROM ledger_entry AS reversal
                        WHERE reversal.reverses = commitment.code COLLATE "default"
                          AND reversal.kind = 'commitment'
                          AND ($1::text IS NULL OR reversal.date <= $1::text::date))
     GROUP BY commitment.code, commitment.contributor, commitment.date, commitment.amount
     ORDER BY commitment.date, commitment.code"""

# Computes the members of a statement other than its day and revision.
Compute = Callable[[Snapshot, str | None, Ledger], Awaitable[dict[str, Any]]]
# Returns a statement as CSV.
AsCsv = Callable[[Any], bytes]


async def answer_statement(
    request: Request, query: schemas.StatementQuery, model: type[BaseModel], compute: Compute, as_csv: AsCsv
) -> Response:
    """A statement on a day, from one snapshot, cached under its revision."""
    async with snapshot(request, ReadKind.COMPUTED, query) as data:

        async def build(revision: int) -> BaseModel:
            parameters = dict(data.as_of_pairs()) | ({"date_to": query.on} if query.on else {})
            ledger = Ledger(await data.fetch(_SUMS, query.on), parameters)
            members = await compute(data, query.on, ledger)
            return model.model_validate({"on": query.on, "revision": revision, **members})

        return await data.cached(build, table=as_csv)


FUND_COLUMNS = ["section", *columns_of(StatementLine)]


def fund_table(statement: schemas.FundStatement) -> bytes:
    """The lines of the statement of the Fund as CSV, each with the section that it is in; their sums are no lines."""
    sections = {
        "sources": statement.sources,
        "uses": statement.uses,
        "pledges": [statement.pledges],
        "commitments": [statement.commitments.committed],
        "allocations": [statement.allocations],
    }
    return csv_of(
        FUND_COLUMNS,
        ({"section": section, **cells_of(line)} for section, lines in sections.items() for line in lines),
    )


async def fund(data: Snapshot, on: str | None, ledger: Ledger) -> dict[str, Any]:
    """What came in and what went out, the balance of both, and beside it the other stages of the same money."""
    payments = await data.fetch(_PAYMENTS, on)
    sources = sum((ledger.amount(kind) for kind in rules.SOURCES), Decimal(0))
    uses = sum((ledger.amount(kind) * rules.SIGN.get(kind, 1) for kind in rules.USES), Decimal(0))
    return {
        "sources": [ledger.line(kind) for kind in rules.SOURCES],
        "total_sources": _usd(sources),
        "uses": [ledger.line(kind) for kind in rules.USES],
        "total_uses": _usd(uses),
        "balance": _usd(sources - uses),
        "pledges": ledger.line("pledge"),
        "commitments": ledger.commitments(sum((row["paid"] for row in payments), Decimal(0))),
        "allocations": ledger.line("allocation"),
        "not_yet_transferred": _usd(ledger.amount("allocation") - ledger.amount("transfer")),
        "delivery": ledger.delivery(),
    }


async def contributors(data: Snapshot, on: str | None, ledger: Ledger) -> dict[str, Any]:
    """What each contributor has announced, promised in signed arrangements, and paid."""
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for row in await data.fetch(_PAYMENTS, on):
        paid[row["contributor"]] += row["paid"]
    names = dict(await data.fetch("SELECT code, name FROM contributor"))
    return {
        "items": [
            schemas.ContributorStatement(
                contributor=code,
                name=names[code],
                pledges=ledger.line("pledge", contributor=code),
                commitments=ledger.commitments(paid[code], contributor=code),
                deposits=ledger.line("deposit", contributor=code),
            )
            for code in ledger.codes("contributor")
        ]
    }


async def programmes(data: Snapshot, on: str | None, ledger: Ledger) -> dict[str, Any]:
    """What each programme was allocated, received and spent, beside its budget in the catalogue."""
    rows = await data.fetch("SELECT code, record FROM programme")
    known = {row["code"]: KnownProgramme.model_validate_json(row["record"]) for row in rows}
    return {"items": [_programme(code, known[code], ledger) for code in ledger.codes("programme")]}


def _programme(code: str, programme: KnownProgramme, ledger: Ledger) -> schemas.ProgrammeStatement:
    allocated = ledger.amount("allocation", programme=code)
    return schemas.ProgrammeStatement(
        programme=code,
        title=programme.title,
        budget=_budget(programme, allocated),
        allocations=ledger.line("allocation", programme=code),
        transfers=ledger.line("transfer", programme=code),
        refunds=ledger.line("refund", programme=code),
        not_yet_transferred=_usd(allocated - ledger.amount("transfer", programme=code)),
        delivery=ledger.delivery(programme=code),
        overspent=ledger.overspent(programme=code),
    )


async def programme_card(data: Snapshot, code: str) -> CardData | None:
    """A programme's card: its statement, from the entries that name it."""
    rows = await data.fetch(f"SELECT * FROM ({_SUMS}) AS sums WHERE programme = $2", None, code)
    if not rows:
        return None
    programme, changed = await data.fetchrow(
        """
        SELECT record, greatest(updated, (SELECT max(updated) FROM ledger_entry WHERE programme = $1))
          FROM programme WHERE code = $1""",
        code,
    )
    known = KnownProgramme.model_validate_json(programme)
    return CardData(
        facts=_programme(code, known, Ledger(rows, dict(data.as_of_pairs()))),
        changed=changed,
        links={
            "entries": data.link(LEDGER.path, programme=code),
            "statement": data.link(f"{PATH}/statement/programmes"),
        },
    )


def _budget(programme: KnownProgramme, allocated: Decimal) -> schemas.CataloguedBudget | None:
    budget = programme.budget
    if budget is None:
        return None
    return schemas.CataloguedBudget(
        sum=money(budget.amount, budget.currency),
        stage=budget.stage,
        asked=programme.updated,
        allocated=share(allocated, budget.amount),
    )


async def organizations(data: Snapshot, on: str | None, ledger: Ledger) -> dict[str, Any]:
    """What each organization received, returned and spent, over all programmes."""
    return {
        "items": [
            schemas.OrganizationStatement(
                organization=code,
                transfers=ledger.line("transfer", organization=code),
                refunds=ledger.line("refund", organization=code),
                delivery=ledger.delivery(organization=code),
                overspent=ledger.overspent(organization=code),
            )
            for code in ledger.codes("organization")
        ]
    }


async def commitments(data: Snapshot, on: str | None, ledger: Ledger) -> dict[str, Any]:
    """The commitments that are not fully paid, the oldest first, with what is still to come."""
    items = [
        schemas.OutstandingCommitment(
            commitment=row["code"],
            contributor=row["contributor"],
            date=row["date"],
            committed=_usd(row["committed"]),
            paid=_usd(row["paid"]),
            outstanding=_usd(row["committed"] - row["paid"]),
        )
        for row in await data.fetch(_PAYMENTS, on)
        if row["paid"] < row["committed"]
    ]
    return {"items": items, "outstanding": _usd(sum((Decimal(i.outstanding.amount) for i in items), Decimal(0)))}


_BY_DAY = """
    SELECT date, kind, sum(amount) AS amount FROM ledger_entry WHERE kind IN ('pledge', 'commitment', 'deposit')
     GROUP BY 1, 2 ORDER BY 1"""


async def answer_capitalization(request: Request, query: schemas.CapitalizationQuery) -> Response:
    """The sums of pledges, commitments and deposits up to the end of each period."""
    async with snapshot(request, ReadKind.COMPUTED, query) as data:

        async def build(revision: int) -> schemas.Capitalization:
            days = await data.fetch(_BY_DAY)
            targets = await data.fetch("SELECT code, amount FROM target WHERE currency = 'USD' ORDER BY due, code")
            return schemas.Capitalization(periods=_periods(days, targets, query.interval), revision=revision)

        return await data.cached(build, table=table_of(schemas.CapitalizationPeriod, "periods"))


def _periods(days: Sequence[Any], targets: Sequence[Any], interval: Interval) -> list[schemas.CapitalizationPeriod]:
    if not days:
        return []
    sums = dict.fromkeys(("pledge", "commitment", "deposit"), Decimal(0))
    periods: list[schemas.CapitalizationPeriod] = []
    waiting = deque(days)
    for end in ends(days[0]["date"], days[-1]["date"], interval):
        while waiting and waiting[0]["date"] <= end:
            row = waiting.popleft()
            sums[row["kind"]] += row["amount"]
        periods.append(_capitalized(end, sums, targets))
    return periods


def _capitalized(end: date, sums: dict[str, Decimal], targets: Sequence[Any]) -> schemas.CapitalizationPeriod:
    return schemas.CapitalizationPeriod(
        end=end,
        pledges=_usd(sums["pledge"]),
        commitments=_usd(sums["commitment"]),
        deposits=_usd(sums["deposit"]),
        targets=[
            schemas.TargetShare(target=target["code"], share=share(sums["deposit"], target["amount"]))
            for target in targets
        ],
    )
