"""The statements that are computed from the ledger for any day: of the Fund, and of each party that entries name.

There may be a statement of each of thousands of programmes: PostgreSQL writes their JSON, in the form of the models in
`schemas`, so that no answer keeps the event loop from others.
"""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.copies import with_ages
from mmptf_common.http.negotiation import is_csv
from mmptf_common.http.snapshot import Snapshot, answer_computed, answer_computed_bytes
from mmptf_common.lists.tables import cells_of, columns_of, csv_of, selected_columns, table_of
from mmptf_common.routers.cards import CardData
from mmptf_common.wire.links import link
from mmptf_common.wire.money import Money, money
from mmptf_common.wire.periods import Interval, ends
from mmptf_common.wire.shares import share
from mmptf_funding.contributions.queries import fetch_printed
from mmptf_funding.ledger import rules, schemas
from mmptf_funding.ledger.catalogue import SOURCE
from mmptf_funding.ledger.domain import CURRENCY, LedgerEntryKind
from mmptf_funding.ledger.json_sql import money_json, object_json, share_json
from mmptf_funding.ledger.queries import LEDGER, PATH, PRECISE, settled_amount
from mmptf_funding.ledger.schemas import StatementLine
from mmptf_funding.ledger.sums import NO_LIMIT, commitments_before, sums_before
from mmptf_funding.models import LEDGER_ROLLUP_BY_PARTY

# The service whose records are copied here, and the response header with the age of the copy.
AGES = {SOURCE: "Catalogue-Age"}


def _until(row: str) -> str:
    """SQL of whether an entry is of the day of a statement or earlier."""
    return f"($1::text IS NULL OR {row}.date <= $1::text::date)"


def _sum_of(column: str, kind: LedgerEntryKind) -> str:
    """SQL of the sum of a column of the entries of a kind that follow another entry."""
    return f"coalesce(sum({column}) FILTER (WHERE later.kind = '{kind}'), 0)"


# The entries up to the day of a statement.
_UNTIL = "($1::text IS NULL OR date <= $1::text::date)"
# The parts of what is still to be paid by how many days ago it was due; null for what is due on no day.
_AGES = {
    "not_due": "age <= 0",
    "past_due_1_to_30": "age BETWEEN 1 AND 30",
    "past_due_31_to_90": "age BETWEEN 31 AND 90",
    "past_due_91_to_180": "age BETWEEN 91 AND 180",
    "past_due_over_180": "age > 180",
    "no_due_date": "age IS NULL",
}

# The day after that of a statement.
_AFTER = f"coalesce($1::text::date + 1, {NO_LIMIT})"

# What the entries of one kind that follow a commitment, or what it replaces, settle or change of it, in its own
# currency. Amounts in another one are converted entry by entry; to US dollars they all are already.
_SETTLED = f"""CASE
    WHEN coalesce(later.original_currency, '{CURRENCY}') = commitment.own_currency
    THEN coalesce(later.original_amount, later.amount)
    WHEN commitment.own_currency = '{CURRENCY}' THEN later.amount
    ELSE (SELECT coalesce(sum({settled_amount("entry", "commitment")}), 0) FROM ledger_entry AS entry
           WHERE entry.follows = named COLLATE "default" AND entry.kind = later.kind AND {_until("entry")}
             AND entry.original_currency IS NOT DISTINCT FROM later.original_currency) END"""
# Of each commitment, with its amendments, what is promised and what of it is settled, in its own currency; and in US
# dollars at its rate, where `paid` is the part of `committed` that is settled. Payments count only up to the promise.
_PAYMENTS = f"""
    SELECT *, CASE WHEN promised = 0 THEN 0 ELSE round(committed * settled * {PRECISE} / promised, 2) END AS paid
      FROM (SELECT code, replaces, contributor, date, own_currency, own_amount + amended_own AS promised,
                   greatest(0, least(own_amount + amended_own, deposited_own)) AS settled,
                   amount + amended AS committed, received
              FROM (SELECT commitment.code, commitment.replaces, commitment.contributor, commitment.date,
                           commitment.amount, own_amount, own_currency,
                           {_sum_of("later.amount", "commitment_amendment")} AS amended,
                           {_sum_of("settled", "commitment_amendment")} AS amended_own,
                           {_sum_of("settled", "deposit")} AS deposited_own,
                           {_sum_of("later.amount", "deposit")} AS received
                      FROM (SELECT code, replaces, contributor, date, amount,
                                   coalesce(original_currency, '{CURRENCY}') AS own_currency,
                                   coalesce(original_amount, amount) AS own_amount
                              FROM ledger_entry AS entry
                             WHERE kind = 'commitment' AND reverses IS NULL AND {_UNTIL}
                               AND NOT EXISTS (SELECT FROM ledger_entry AS reversal
                                                WHERE reversal.reverses = entry.code COLLATE "default"
                                                  AND reversal.kind = 'commitment' AND {_until("reversal")})
                           ) AS commitment
                     CROSS JOIN LATERAL unnest(array_append(replaces, code)) AS standing(named)
                      LEFT JOIN {commitments_before(_AFTER)} AS later ON later.follows = named COLLATE "default"
                     CROSS JOIN LATERAL (SELECT {_SETTLED} AS settled) AS own
                     GROUP BY 1, 2, 3, 4, 5, 6, 7) AS summed) AS agreed
     ORDER BY date, code"""


# --- of the Fund -----------------------------------------------------------------------------------------------------

_OF_FUND = f"""
    SELECT kind, sum(amount) AS amount, sum(n)::bigint AS rows
      FROM {sums_before(_AFTER, ["kind"])} AS entry GROUP BY 1"""
FUND_COLUMNS = ["section", *columns_of(StatementLine)]


class _Sums:
    """The sums of all entries of each kind; parameters: those of the links to the entries."""

    def __init__(self, rows: Sequence[Any], parameters: Mapping[str, str]) -> None:
        self._by_kind = {row["kind"]: row for row in rows}
        self._parameters = parameters

    def amount(self, kind: LedgerEntryKind) -> Decimal:
        """The sum of a kind of entries."""
        return self._by_kind[kind]["amount"] if kind in self._by_kind else Decimal(0)

    def line(self, kind: LedgerEntryKind) -> StatementLine:
        """The statement line of a kind of entries."""
        rows = self._by_kind[kind]["rows"] if kind in self._by_kind else 0
        path = _entries_path({**self._parameters, "kind": kind})
        return StatementLine(kind=kind, sum=_usd(self.amount(kind)), rows=rows, link=path)


def _entries_path(parameters: Mapping[str, str]) -> str:
    """The path that lists the entries; braces in a value stay as they are."""
    return link(f"{LEDGER.path}?{urlencode(sorted(parameters.items()), safe='{}')}")


def _link_parameters(data: Snapshot, query: schemas.StatementQuery) -> dict[str, str]:
    return dict(data.as_of_pairs()) | ({"date_to": query.on} if query.on else {})


def _usd(amount: Decimal) -> Money:
    return money(amount, CURRENCY)


async def answer_fund(request: Request, query: schemas.StatementQuery) -> Response:
    """What came in and what went out, the balance of both, and beside it the other stages of the same money."""

    async def build(data: Snapshot, revision: int) -> schemas.FundStatement:
        sums = _Sums(await data.fetch(_OF_FUND, query.on), _link_parameters(data, query))
        paid = await data.fetchval(f"SELECT coalesce(sum(paid), 0) FROM ({_PAYMENTS}) AS payment", query.on)
        return _fund(query.on, sums, paid, revision)

    return await answer_computed(request, query, build, table=_fund_table)


def _fund(on: str | None, sums: _Sums, paid: Decimal, revision: int) -> schemas.FundStatement:
    sources = sum((sums.amount(kind) for kind in rules.SOURCES), Decimal(0))
    uses = sum((sums.amount(kind) * rules.SIGN.get(kind, 1) for kind in rules.USES), Decimal(0))
    net, spent = sums.amount("transfer") - sums.amount("refund"), sums.amount("expenditure")
    return schemas.FundStatement.model_validate(
        {
            "on": on,
            "sources": [sums.line(kind) for kind in rules.SOURCES],
            "total_sources": _usd(sources),
            "uses": [sums.line(kind) for kind in rules.USES],
            "total_uses": _usd(uses),
            "balance": _usd(sources - uses),
            "pledges": sums.line("pledge"),
            "commitments": schemas.CommitmentSums(
                committed=sums.line("commitment"),
                amendments=sums.line("commitment_amendment"),
                paid=_usd(paid),
                outstanding=_usd(sums.amount("commitment") + sums.amount("commitment_amendment") - paid),
                exchange_differences=sums.line("exchange_difference"),
            ),
            "allocations": sums.line("allocation"),
            "not_yet_transferred": _usd(sums.amount("allocation") - sums.amount("transfer")),
            "delivery": schemas.Delivery(
                net_funded=_usd(net), expenditure=_usd(spent), share=share(spent, net) if net > 0 else None
            ),
            "revision": revision,
        }
    )


def _fund_table(statement: schemas.FundStatement) -> bytes:
    """The lines of the statement of the Fund as CSV, each with the section that it is in; their sums are no lines."""
    sections = {
        "sources": statement.sources,
        "uses": statement.uses,
        "pledges": [statement.pledges],
        "commitments": [
            statement.commitments.committed,
            statement.commitments.amendments,
            statement.commitments.exchange_differences,
        ],
        "allocations": [statement.allocations],
    }
    return csv_of(
        FUND_COLUMNS,
        ({"section": section, **cells_of(line)} for section, lines in sections.items() for line in lines),
    )


# --- of each party ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PartyStatements:
    """A list of statements, one for each contributor, programme or organization, or one for each commitment.

    about:   what the list states, for the contract
    page, item: the models of the answer and of one statement
    party:   the parameter of the links to the entries; None where there are none
    rows:    SQL of a row for each statement; `$1` is the day, and `$2` the path of the entries of one kind and party
    members: the members of `item` in their order -> SQL of the JSON of their values
    order:   SQL of the order of the rows
    whole:   the members of `page` over all statements -> SQL of the JSON of their values
    ages:    the copies that the statements are computed from: service -> header with its age
    """

    about: str
    page: type[BaseModel]
    item: type[BaseModel]
    party: str | None
    rows: str
    members: Mapping[str, str]
    order: str
    whole: Mapping[str, str] = field(default_factory=dict)
    ages: Mapping[str, str] = field(default_factory=dict)

    def values(self, on: str | None, parameters: Mapping[str, str]) -> list[str | None]:
        """The bound values of `rows` for a day; parameters: those of the links to the entries."""
        if self.party is None:
            return [on]
        return [on, _entries_path({**parameters, "kind": "{kind}", self.party: "{code}"})]


def _line(kind: LedgerEntryKind) -> str:
    """SQL of `StatementLine`, from a row with the sum of the kind, its number of entries, and the code of the party."""
    path = f"replace(replace($2::text, '{{kind}}', '{kind}'), '{{code}}', code)"
    return object_json(kind=f"'{kind}'", sum=money_json(kind), rows=f"{kind}_rows", link=path)


def _sums(*kinds: LedgerEntryKind) -> str:
    """SQL of the columns of sums of entries: for each kind the amount, and the number of entries as `…_rows`."""
    return ", ".join(
        f"coalesce(sum(amount) FILTER (WHERE kind = '{kind}'), 0) AS {kind},"
        f" coalesce(sum(n) FILTER (WHERE kind = '{kind}'), 0)::bigint AS {kind}_rows"
        for kind in kinds
    )


_DELIVERY = object_json(
    net_funded=money_json("transfer - refund"), expenditure=money_json("expenditure"),
    share=share_json("expenditure", "transfer - refund"),
)  # fmt: skip


def _delivered(party: str) -> str:
    """SQL of the sums of each programme or organization, and whether any of the other has spent more than it received.

    party: `programme` or `organization`
    """
    kinds: tuple[LedgerEntryKind, ...] = (
        *("allocation", "transfer", "refund", "expenditure", "direct_cost", "interest"),
    )
    sums = ", ".join(f"sum({kind}) AS {kind}, sum({kind}_rows)::bigint AS {kind}_rows" for kind in kinds)
    return f"""(
        SELECT {party} AS code, {sums},
               bool_or(expenditure_rows > 0 AND expenditure > transfer - refund) AS overspent
          FROM (SELECT programme, organization, {_sums(*kinds)}
                  FROM {sums_before(_AFTER, ["programme", "organization", "kind"])} AS entry
                 WHERE {party} IS NOT NULL GROUP BY 1, 2 HAVING sum(n) > 0) AS pair
         GROUP BY 1) AS delivered"""


_CONTRIBUTED: tuple[LedgerEntryKind, ...] = (
    *("pledge", "commitment", "commitment_amendment", "deposit", "exchange_difference", "contributor_refund"),
)
CONTRIBUTORS = PartyStatements(
    about="What each contributor has announced, promised in signed arrangements, and paid.",
    page=schemas.ContributorStatements,
    item=schemas.ContributorStatement,
    party="contributor",
    rows=f"""(
        SELECT sums.*, coalesce(paid, 0) AS paid,
               (SELECT name FROM contributor WHERE contributor.code = sums.code) AS name
          FROM (SELECT contributor AS code, {_sums(*_CONTRIBUTED)}
                  FROM {sums_before(_AFTER, ["contributor", "kind"])} AS entry
                 WHERE contributor IS NOT NULL GROUP BY 1 HAVING sum(n) > 0) AS sums
          LEFT JOIN (SELECT contributor AS code, sum(paid) AS paid FROM ({_PAYMENTS}) AS payment GROUP BY 1) AS payments
              USING (code)) AS contributed""",
    members={
        "contributor": "code",
        "name": "name",
        "pledges": _line("pledge"),
        "commitments": object_json(
            committed=_line("commitment"),
            amendments=_line("commitment_amendment"),
            paid=money_json("paid"),
            outstanding=money_json("commitment + commitment_amendment - paid"),
            exchange_differences=_line("exchange_difference"),
        ),
        "deposits": _line("deposit"),
        "refunds": _line("contributor_refund"),
    },
    order='code COLLATE "C"',
)
_COPIED = "replace(to_char(copied AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '.000000', '') || 'Z'"
_BUDGET = "(record#>>'{budget,amount}')::numeric"
# Whether the budget is at the same stage of money and in the same currency as allocations of the ledger.
_IS_APPROVED = f"(record#>>'{{budget,stage}}' = 'allocation' AND record#>>'{{budget,currency}}' = '{CURRENCY}')"
_REASON = f"""CASE
    WHEN NOT {_IS_APPROVED} THEN 'The catalogue does not have this budget as approved, or in another currency.'
    WHEN {_BUDGET} > allocation THEN 'A part of the approved budget is not allocated yet, or an entry is missing.'
    WHEN {_BUDGET} < allocation THEN 'More is allocated than the budget that the catalogue has as approved.' END"""
PROGRAMMES = PartyStatements(
    about="What each programme was allocated, received and spent, beside its budget in the catalogue.",
    page=schemas.ProgrammeStatements,
    item=schemas.ProgrammeStatement,
    party="programme",
    rows=f"""{_delivered("programme")}
          LEFT JOIN (SELECT code AS named, record, updated AS copied FROM programme) AS known
            ON named = code""",
    members={
        "programme": "code",
        "title": "record->>'title'",
        "budget": f"""CASE WHEN {_BUDGET} IS NOT NULL THEN {
            object_json(
                sum=money_json(_BUDGET, "record#>>'{budget,currency}'"),
                stage="record#>>'{budget,stage}'",
                copied=_COPIED,
                allocated=share_json("allocation", _BUDGET),
                difference=f"CASE WHEN {_IS_APPROVED} THEN {money_json(f'{_BUDGET} - allocation')} END",
                reason=_REASON,
            )
        } END""",
        "allocations": _line("allocation"),
        "transfers": _line("transfer"),
        "refunds": _line("refund"),
        "not_yet_transferred": money_json("allocation - transfer"),
        "delivery": _DELIVERY,
        "overspent": "overspent",
    },
    order='code COLLATE "C"',
    whole={
        "compared": f"""(
            SELECT row_to_json(made)
              FROM (SELECT {money_json("budgets")} AS budgets, programmes, {money_json("allocations")} AS allocations,
                           {money_json("budgets - allocations")} AS difference,
                           CASE WHEN budgets <> allocations THEN format(
                               'The ledger has no allocation for %s of the %s programmes with an approved budget. Of'
                               ' others a part of the budget may be still to be allocated, an entry may be missing, or'
                               ' the catalogue may not state that the budget is approved.', unnamed, programmes) END
                           AS reason
                      FROM (SELECT coalesce(sum({_BUDGET}), 0) AS budgets, count(*) AS programmes,
                                   count(*) FILTER (WHERE NOT EXISTS (
                                       SELECT FROM ledger_entry_rollup_by_party AS named
                                        WHERE named.programme = approved.code AND named.kind = 'allocation'))
                                   AS unnamed
                              FROM programme AS approved WHERE {_IS_APPROVED}) AS catalogued,
                           (SELECT coalesce(sum(amount), 0) AS allocations FROM {sums_before(_AFTER, ["kind"])} AS entry
                             WHERE kind = 'allocation') AS entered) AS made)"""
    },
    ages=AGES,
)
ORGANIZATIONS = PartyStatements(
    about="What each organization received, returned and spent, over all programmes.",
    page=schemas.OrganizationStatements,
    item=schemas.OrganizationStatement,
    party="organization",
    rows=_delivered("organization"),
    members={
        "organization": "code",
        "allocations": _line("allocation"),
        "transfers": _line("transfer"),
        "refunds": _line("refund"),
        "delivery": _DELIVERY,
        "direct_costs": _line("direct_cost"),
        "interest": _line("interest"),
        "overspent": "overspent",
    },
    order='code COLLATE "C"',
)
# What is still to be paid of the commitments in `payment`, rows of `_PAYMENTS`, by the days on which their instalments
# are due. They are paid in the order of these days; what is in no instalment comes last, and where an amendment takes
# from the promise, less is due last. Each part is in US dollars at the rate of the commitment, as the whole is.
_PLANNED = """
    SELECT payment.code, (instalment->>'due')::date AS due, (instalment#>>'{sum,amount}')::numeric AS part"""
_AGED = f"""
    SELECT code, {
    ", ".join(f"coalesce(sum(still) FILTER (WHERE {condition}), 0) AS {name}" for name, condition in _AGES.items())
}
      FROM (SELECT code, $1::text::date - due AS age,
                   round(committed * least(until, promised) * {PRECISE} / promised, 2)
                   - round(committed * least(greatest(until - part, settled), promised) * {PRECISE} / promised, 2)
                   AS still
              FROM (SELECT code, due, sum(part) AS part,
                           sum(sum(part)) OVER (PARTITION BY code ORDER BY due NULLS LAST) AS until
                      FROM ({_PLANNED} FROM payment JOIN ledger_entry AS planned
                                ON planned.code = payment.code AND planned.kind = 'commitment'
                             CROSS JOIN LATERAL json_array_elements(planned.record->'instalments') AS instalment
                             UNION ALL {_PLANNED}
                              FROM payment CROSS JOIN LATERAL unnest(array_append(replaces, code)) AS standing(named)
                              JOIN ledger_entry AS planned ON planned.follows = named COLLATE "default"
                                                          AND planned.kind = 'commitment_amendment' AND {
    _until("planned")
}
                             CROSS JOIN LATERAL json_array_elements(planned.record->'instalments') AS instalment
                             WHERE NOT EXISTS (SELECT FROM ledger_entry AS reversal
                                                WHERE reversal.reverses = planned.code COLLATE "default"
                                                  AND {_until("reversal")})
                             UNION ALL SELECT code, NULL, promised FROM payment) AS planned
                     WHERE $1::text IS NOT NULL GROUP BY code, due) AS due JOIN payment USING (code)
             WHERE until > settled) AS still_due
     GROUP BY code"""
COMMITMENTS = PartyStatements(
    about="The commitments that are not fully paid, the oldest first, with what is still to come.",
    page=schemas.OutstandingCommitments,
    item=schemas.OutstandingCommitment,
    party=None,
    rows=f"""(
        WITH payment AS MATERIALIZED (SELECT * FROM ({_PAYMENTS}) AS payment WHERE settled < promised)
        SELECT * FROM payment LEFT JOIN ({_AGED}) AS aged USING (code)) AS outstanding""",
    members={
        "commitment": "code",
        "contributor": "contributor",
        "date": "date",
        "committed": money_json("committed"),
        "paid": money_json("paid"),
        "outstanding": money_json("committed - paid"),
        "in_own_currency": object_json(
            committed=money_json("promised", "own_currency"),
            paid=money_json("settled", "own_currency"),
            outstanding=money_json("promised - settled", "own_currency"),
        ),
        "received": money_json("received"),
        "ageing": f"""CASE WHEN $1::text IS NOT NULL THEN {
            object_json(**{name: money_json(name) for name in _AGES})
        } END""",
    },
    order="date, code",
    whole={
        "outstanding": money_json("coalesce(sum(committed - paid), 0)"),
        "ageing": f"""CASE WHEN $1::text IS NOT NULL THEN {
            object_json(**{name: money_json(f"coalesce(sum({name}), 0)") for name in _AGES})
        } END""",
    },
)


async def answer_parties(request: Request, query: schemas.StatementQuery, statements: PartyStatements) -> Response:
    """The statements of all parties on a day, from one snapshot, cached under its revision."""
    item = object_json(**statements.members)
    as_json = f"""
        SELECT convert_to(coalesce(string_agg({item}::text, ',' ORDER BY {statements.order}), ''), 'UTF8') AS items,
               {f"{object_json(**statements.whole)}::text" if statements.whole else "NULL"} AS whole
          FROM {statements.rows}"""
    as_csv = f"""
        SELECT {selected_columns(statements.item, "item")}
          FROM (SELECT {item}::jsonb AS item, row_number() OVER (ORDER BY {statements.order}) AS place
                  FROM {statements.rows}) AS ordered
         ORDER BY place"""

    async def build(data: Snapshot, revision: int, chosen: str) -> bytes:
        values = statements.values(query.on, _link_parameters(data, query))
        if is_csv(chosen):
            table = io.BytesIO()
            await data.connection.copy_from_query(
                await data.statement(as_csv), *values, output=table, format="csv", header=True
            )
            return table.getvalue()
        items, whole = await data.fetchrow(as_json, *values)
        members: dict[str, Any] = {"on": query.on, "items": [], "revision": revision}
        if statements.whole:
            members |= json.loads(whole)
        answer = statements.page.model_validate(members).model_dump_json().encode()
        return answer.replace(b'"items":[]', b'"items":[%b]' % items, 1)

    answer = await answer_computed_bytes(request, query, build, tabular=True)
    return await with_ages(request, answer, statements.ages) if statements.ages else answer


async def programme_card(data: Snapshot, code: str) -> CardData | None:
    """A programme's card: its statement, from the entries that name it."""
    found = await data.fetchval(
        f"SELECT {object_json(**PROGRAMMES.members)}::text FROM {PROGRAMMES.rows} WHERE code = $3",
        *PROGRAMMES.values(None, dict(data.as_of_pairs())),
        code,
    )
    if found is None:
        return None
    changed = await data.fetchval(
        """
        SELECT greatest((SELECT updated FROM programme WHERE code = $1),
                        (SELECT max(updated) FROM ledger_entry WHERE programme = $1))""",
        code,
    )
    return CardData(
        facts=schemas.ProgrammeStatement.model_validate_json(found),
        changed=changed,
        links={
            "entries": data.link(LEDGER.path, programme=code),
            "statement": data.link(f"{PATH}/statement/programmes"),
        },
    )


# --- over time -------------------------------------------------------------------------------------------------------

# A row for each month with entries, which `day` is in.
_BY_MONTH = f"""
    SELECT make_date(year, month, 1) AS day,
           CASE kind WHEN 'commitment_amendment' THEN 'commitment' ELSE kind END AS kind, sum(amount) AS amount
      FROM (SELECT year, kind, {", ".join(f"sum({name}) AS {name}" for name in LEDGER_ROLLUP_BY_PARTY.monthly)}
              FROM ledger_entry_rollup_by_party
             WHERE kind IN ('pledge', 'commitment', 'commitment_amendment', 'deposit') GROUP BY 1, 2) AS of_year
     CROSS JOIN LATERAL (VALUES {
    ", ".join(f"({month}, n_{month:02d}, amount_{month:02d})" for month in range(1, 13))
}) AS of_month(month, n, amount)
     WHERE n > 0 GROUP BY 1, 2 ORDER BY 1"""


async def answer_capitalization(request: Request, query: schemas.CapitalizationQuery) -> Response:
    """The sums of pledges, commitments and deposits up to the end of each period."""

    async def build(data: Snapshot, revision: int) -> schemas.Capitalization:
        months = await data.fetch(_BY_MONTH)
        targets = await data.fetch("SELECT code, amount FROM target WHERE currency = 'USD' ORDER BY due, code")
        periods = _periods(months, targets, query.interval)
        return schemas.Capitalization(periods=periods, printed=await fetch_printed(data), revision=revision)

    return await answer_computed(request, query, build, table=table_of(schemas.CapitalizationPeriod, "periods"))


def _periods(months: Sequence[Any], targets: Sequence[Any], interval: Interval) -> list[schemas.CapitalizationPeriod]:
    if not months:
        return []
    sums = dict.fromkeys(("pledge", "commitment", "deposit"), Decimal(0))
    periods: list[schemas.CapitalizationPeriod] = []
    waiting = deque(months)
    for end in ends(months[0]["day"], months[-1]["day"], interval):
        while waiting and waiting[0]["day"] <= end:
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
