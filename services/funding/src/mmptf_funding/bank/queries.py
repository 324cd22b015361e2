"""The lists of bank accounts, statements, entries and matches; proposals, and the reconciliation of an account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.codes import codes_in, find_with, suggest
from mmptf_common.lists.listing import Arguments, Dimension, Filter, Listing
from mmptf_common.lists.pages import no_such_record
from mmptf_common.lists.tables import cells_of, columns_of, csv_of
from mmptf_common.wire.money import Money, money
from mmptf_funding.bank import reconciliation_schemas as reconciliation
from mmptf_funding.bank import rules, schemas
from mmptf_funding.bank.domain import account_number
from mmptf_funding.ledger.domain import CURRENCY
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.ledger.rules import INFLOWS, OUTFLOWS

PATH = "/funding/v1"
ZERO = Decimal("0.00")
# Bank entries for which matches are proposed in one answer.
MAX_PROPOSED = 500
OF_ACCOUNT = Filter("account = ANY({}::text[])", codes_in("bank_account"), f"{PATH}/bank-accounts")

ACCOUNTS = Listing(
    path=f"{PATH}/bank-accounts",
    entity="bank_account",
    item=schemas.BankAccount,
    page=schemas.BankAccountPage,
    rows="bank_account",
    query=schemas.BankAccountQuery,
    sorts={"code": ("code", "text")},
    filters={},
    columns={
        "code": "code",
        "name": "record->>'name'",
        "currency": "currency",
        "number": "record->>'number'",
        "bank": "record->>'bank'",
        "updated": "record->>'updated'",
    },
)

STATEMENTS = Listing(
    path=f"{PATH}/bank-statements",
    entity="bank_statement",
    item=schemas.BankStatement,
    page=schemas.BankStatementPage,
    rows="bank_statement",
    query=schemas.BankStatementQuery,
    sorts={"code": ("code", "text"), "date": ("date_from", "date")},
    filters={
        "account": OF_ACCOUNT,
        "date_from": Filter("date_to >= {}::text::date"),
        "date_to": Filter("date_from <= {}::text::date"),
    },
    columns={
        "code": "code",
        "account": "account",
        "identification": "record->>'identification'",
        "format": "record->>'format'",
        "date_from": "date_from",
        "date_to": "date_to",
        "opening_balance": "opening",
        "closing_balance": "closing",
        "currency": "record#>>'{closing_balance,currency}'",
        "entries": "record->>'entries'",
        "pending": "record->>'pending'",
        "updated": "record->>'updated'",
    },
)

_DIVISIONS = {
    "account": Dimension("filtered.account", "(SELECT record->>'name' FROM bank_account AS named WHERE code = {})"),
    "statement": Dimension("filtered.statement"),
    "reconciled": Dimension("CASE WHEN filtered.match IS NULL THEN 'false' ELSE 'true' END"),
}
ENTRIES = Listing(
    path=f"{PATH}/bank-entries",
    entity="bank_entry",
    item=schemas.BankEntry,
    page=schemas.BankEntryPage,
    # What the bank has added and what it has taken are totals of their own, as the stages of money are.
    rows="(SELECT *, direction AS money_stage, NULL::text AS basis FROM bank_entry) AS entry",
    table="bank_entry",
    query=schemas.BankEntryQuery,
    sorts={"code": ("code", "text"), "date": ("booking_date", "date"), "amount": ("amount", "numeric")},
    filters={
        "account": OF_ACCOUNT,
        "statement": Filter(
            "statement = ANY({}::text[])", codes_in("bank_statement"), f"{PATH}/bank-statements"
        ),
        "direction": Filter("direction = ANY({}::text[])"),
        "reconciled": Filter(lambda value, _: f"match IS {'NOT ' if value == 'true' else ''}NULL"),
        "date_from": Filter("booking_date >= {}::text::date"),
        "date_to": Filter("booking_date <= {}::text::date"),
        "amount": Filter("amount = {}::text::numeric"),
        "reference": Filter("refs @> ARRAY[{}::text]"),
    },
    columns={
        "code": "code",
        "account": "account",
        "statement": "statement",
        "position": "record->>'position'",
        "booking_date": "booking_date",
        "value_date": "value_date",
        "direction": "direction",
        "amount": "amount",
        "currency": "currency",
        "balance": "record#>>'{balance,amount}'",
        "references": "array_to_string(refs, '|')",
        "counterparty": "record->>'counterparty'",
        "counterparty_account": "record->>'counterparty_account'",
        "text": "record->>'text'",
        "match": "match",
        "updated": "record->>'updated'",
    },
    facets={**_DIVISIONS, "direction": Dimension("filtered.direction")},
    ranges={"date": ("filtered.booking_date", "({})::text"), "amount": ("filtered.amount", "({})::text")},
    facet_query=schemas.BankEntryFilter,
    totals={
        **_DIVISIONS,
        "month": Dimension(
            "to_char(filtered.booking_date, 'YYYY-MM')", drilldown=lambda _, month: _days_of(month)
        ),
    },
    totals_query=schemas.BankEntryTotalsQuery,
    split_by={"money_stage": "direction"},
)  # fmt: skip

MATCHES = Listing(
    path=f"{PATH}/bank-matches",
    entity="bank_match",
    item=schemas.BankMatch,
    page=schemas.BankMatchPage,
    rows="bank_match",
    query=schemas.BankMatchQuery,
    sorts={"code": ("code", "text")},
    filters={
        "account": OF_ACCOUNT,
        "bank_entry": Filter("bank_entry = ANY({}::text[])", codes_in("bank_entry"), ENTRIES.path),
        "ledger_entry": Filter("ledger_entries && {}::text[]", codes_in("ledger_entry"), LEDGER.path),
        "state": Filter("state = ANY({}::text[])"),
    },
    columns={
        "code": "code",
        "account": "account",
        "state": "state",
        "bank_entry": "bank_entry",
        "ledger_entries": "array_to_string(ledger_entries, '|')",
        "amount": "record#>>'{sum,amount}'",
        "charges": "record#>>'{charges,amount}'",
        "currency": "record#>>'{sum,currency}'",
        "note": "record->>'note'",
        "cancelled": "record->>'cancelled'",
        "recorded_by": "record->>'recorded_by'",
        "updated": "record->>'updated'",
    },
)


def _days_of(month: str) -> dict[str, str]:
    first = date.fromisoformat(f"{month}-01")
    last = (first + timedelta(days=31)).replace(day=1) - rules.DAY
    return {"date_from": str(first), "date_to": str(last)}


# --- the ledger's side ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountScope:
    """Whose ledger entries belong to an account: those that name its code or number, in any case, and of those that
    name none the ones that a bank entry of it is matched with, and where it is the only account, all.
    """

    code: str
    currency: str
    names: Sequence[str]
    is_only: bool

    @classmethod
    def of(cls, code: str, currency: str, number: str, accounts: int) -> AccountScope:
        """The scope of an account; accounts: how many there are."""
        return cls(code, currency, names_of(code, number), accounts == 1)


def names_of(code: str, number: str) -> list[str]:
    """What ledger entries may call an account, in lower case."""
    return sorted({code.lower(), number.lower(), account_number(number).lower()})


def cash_of(scope: AccountScope, arguments: Arguments) -> str:
    """SQL of the cash entries of an account, each with `moved`, its amount in the account's currency.

    It is negative for what went out, and null where the amount was given in another currency. An entry and the one that
    reverses it are left out where neither is matched; `settled` is the day from which a match has both sides.
    """
    inflows, currency = arguments.bind(list(INFLOWS)), arguments.bind(scope.currency)
    kinds, names = arguments.bind([*INFLOWS, *OUTFLOWS]), arguments.bind(list(scope.names))
    unnamed = "" if scope.is_only else f" AND settled.account = {arguments.bind(scope.code)}::text"
    amount = (
        "entry.amount"
        if scope.currency == CURRENCY
        else f"CASE WHEN entry.record#>>'{{original,sum,currency}}' = {currency}::text"
        " THEN (entry.record#>>'{original,sum,amount}')::numeric END"
    )
    return f"""(
        SELECT entry.code, entry.kind, entry.date, entry.value_date, entry.bank_reference, entry.reverses,
               CASE WHEN entry.kind = ANY({inflows}::text[]) THEN {amount} ELSE -{amount} END AS moved,
               {currency}::text AS currency, settled.match, settled.effective
          FROM ledger_entry AS entry LEFT JOIN reconciled_entry AS settled ON settled.code = entry.code
         WHERE entry.kind = ANY({kinds}::text[])
           AND (lower(entry.account) = ANY({names}::text[]) OR entry.account IS NULL{unnamed})
    )"""


# SQL of the condition that an entry is no half of a pair of entry and reversal, both up to a day, that no bank entry is
# matched with; `cash` is the entry, and `{day}` stands for the day.
# An index of `reverses` has the order of its own column, and that of `code` is another one; without them, all of the
# ledger would be read for each entry.
_COUNTS_ALONE = """(cash.match IS NOT NULL OR NOT EXISTS (
    SELECT FROM ledger_entry AS other
     WHERE (other.reverses = cash.code COLLATE "default" OR other.code = cash.reverses COLLATE "C")
       AND other.date <= {day}
       AND NOT EXISTS (SELECT FROM reconciled_entry AS settled WHERE settled.code = other.code)))"""


async def account_scope(data: Snapshot, code: str) -> AccountScope:
    """The scope of an account; raises NotFound where there is none with this code."""
    row = await data.fetchrow(
        "SELECT code, currency, record->>'number' AS number, (SELECT count(*) FROM bank_account) AS accounts"
        " FROM bank_account WHERE lower(code) = lower($1)",
        code,
    )
    if row is None:
        meant = await suggest(find_with(data.connection, codes_in("bank_account")), code)
        raise no_such_record(ACCOUNTS, code, meant, parameter="account")
    return AccountScope.of(row["code"], row["currency"], row["number"], row["accounts"])


# --- proposals ------------------------------------------------------------------------------------------------------


async def answer_proposals(request: Request, account: str, query: reconciliation.ProposalQuery) -> Response:
    """Proposed matches of an account."""

    async def build(data: Snapshot, revision: int) -> reconciliation.MatchProposals:
        scope = await account_scope(data, account)
        where = "account = $1 AND match IS NULL AND booking_date BETWEEN $2 AND $3"
        days = (
            date.fromisoformat(query.date_from) if query.date_from else date.min,
            date.fromisoformat(query.date_to) if query.date_to else date.max,
        )
        total = await data.fetchval(f"SELECT count(*) FROM bank_entry WHERE {where}", scope.code, *days)
        rows = await data.fetch(
            f"SELECT code, booking_date, value_date, amount, refs FROM bank_entry WHERE {where}"
            f" ORDER BY booking_date, code LIMIT {MAX_PROPOSED}",
            scope.code,
            *days,
        )
        bank = [
            rules.BankMovement(
                row["code"], row["booking_date"], row["value_date"], row["amount"],
                frozenset(text.lower() for text in row["refs"]),
            )
            for row in rows
        ]  # fmt: skip
        proposals = rules.propose(bank, await _candidates(data, scope, bank), query.days)
        certain = rules.unambiguous(proposals)
        return reconciliation.MatchProposals(
            account=scope.code,
            days=query.days,
            bank_entries=len(bank),
            left_out=total - len(bank),
            proposals=[
                reconciliation.MatchProposal(
                    bank_entry=each.bank_entry,
                    ledger_entries=list(each.ledger_entries),
                    bank_sum=money(each.bank, scope.currency),
                    ledger_sum=money(each.ledger, scope.currency),
                    difference=money(each.difference, scope.currency),
                    days=each.days,
                    score=each.score,
                    reasons=list(each.reasons),
                    unambiguous=n in certain,
                )
                for n, each in enumerate(proposals)
            ],
            revision=revision,
        )

    return await answer_computed(request, query, build, table=_proposals_as_csv)


PROPOSAL_COLUMNS = columns_of(reconciliation.MatchProposal)


def _proposals_as_csv(answer: reconciliation.MatchProposals) -> bytes:
    return csv_of(PROPOSAL_COLUMNS, map(cells_of, answer.proposals))


async def _candidates(
    data: Snapshot, scope: AccountScope, bank: Sequence[rules.BankMovement]
) -> list[rules.LedgerMovement]:
    """The ledger entries that are not matched and have the amount or a reference of one of these bank entries.

    Deposits also where what is left of them after the agent's fee is that amount.
    """
    arguments = Arguments()
    cash = cash_of(scope, arguments)
    amounts = arguments.bind(sorted({movement.amount for movement in bank}))
    texts = arguments.bind(sorted({text for movement in bank for text in movement.references}))
    rows = await data.fetch(
        f"""
        SELECT cash.*, fee.code AS fee_code, -fee.amount AS fee
          FROM {cash} AS cash
          LEFT JOIN ledger_entry AS fee
            ON fee.follows = cash.code AND fee.kind = 'agent_fee' AND fee.reverses IS NULL
           AND cash.kind = 'deposit' AND cash.currency = '{CURRENCY}'
           AND NOT EXISTS (SELECT FROM reconciled_entry AS settled WHERE settled.code = fee.code)
         WHERE cash.match IS NULL AND cash.moved IS NOT NULL
           AND (cash.moved = ANY({amounts}::numeric[]) OR cash.moved - fee.amount = ANY({amounts}::numeric[])
                OR lower(cash.bank_reference) = ANY({texts}::text[]))
           AND {_COUNTS_ALONE.format(day="'infinity'::date")}""",
        *arguments,
    )
    return [
        rules.LedgerMovement(
            row["code"], row["kind"], row["date"], row["value_date"] or row["date"], row["moved"],
            row["bank_reference"] and row["bank_reference"].lower(),
            (row["fee_code"], row["fee"]) if row["fee_code"] else None,
        )
        for row in rows
    ]  # fmt: skip


# --- reconciliation -------------------------------------------------------------------------------------------------


async def answer_reconciliation(request: Request, account: str, query: reconciliation.ReconciliationQuery) -> Response:
    """The reconciliation of an account on a day."""

    async def build(data: Snapshot, revision: int) -> reconciliation.BankReconciliation:
        return await reconcile(data, account, query.on, revision)

    return await answer_computed(request, query, build, table=_reconciliation_as_csv)


async def reconcile(data: Snapshot, account: str, on: str | None, revision: int) -> reconciliation.BankReconciliation:
    """The reconciliation of an account at the end of a day; without one, of the last day of its last statement."""
    scope = await account_scope(data, account)
    statements = await data.fetch(
        "SELECT code, date_from, date_to, opening, closing FROM bank_statement WHERE account = $1 ORDER BY date_from",
        scope.code,
    )
    day = date.fromisoformat(on) if on else statements[-1]["date_to"] if statements else None
    until = day or date.max
    periods = [rules.Period(*row) for row in statements if row["date_from"] <= until]
    first, last = (periods[0], periods[-1]) if periods else (None, None)

    def in_currency(amount: Decimal | None) -> Money:
        return money(amount or ZERO, scope.currency)

    arguments = Arguments([until])
    cash = cash_of(scope, arguments)
    begins = arguments.bind(first.date_from if first else date.min)
    alone = _COUNTS_ALONE.format(day="$1")
    # What a match has not settled yet; before the first statement, that makes up its opening balance.
    open_ = f"(cash.effective IS NULL OR cash.effective > $1) AND {alone}"
    carried = f"match IS NULL AND (date < {begins} OR date = {begins} AND kind = 'opening_balance')"
    ledger, opening = await data.fetchrow(
        f"SELECT sum(moved), sum(moved) FILTER (WHERE {carried} AND {alone}) FROM {cash} AS cash WHERE date <= $1",
        *arguments,
    )
    unsettled = await data.fetch(
        f"SELECT cash.* FROM {cash} AS cash WHERE date <= $1 AND {open_} AND NOT ({carried}) ORDER BY date, code",
        *arguments,
    )
    ledger_only = [_ledger_item(data, row, scope.currency) for row in unsettled if row["moved"] is not None]
    others = [_ledger_item(data, row, scope.currency) for row in unsettled if row["moved"] is None]
    bank_rows = await data.fetch(
        "SELECT code, booking_date, value_date, amount, refs, match FROM bank_entry WHERE account = $1"
        " AND booking_date <= $2 AND (effective IS NULL OR effective > $2) ORDER BY booking_date, code",
        scope.code,
        until,
    )
    matched, matches = await data.fetchrow(
        "SELECT sum(amount), count(*) FROM bank_entry WHERE account = $1 AND effective <= $2", scope.code, until
    )
    bank = None
    if last:
        moved = await data.fetchval(
            "SELECT sum(amount) FROM bank_entry WHERE statement = $1 AND booking_date <= $2", last.code, until
        )
        bank = last.opening + (moved or ZERO)
    bank_sum = sum((row["amount"] for row in bank_rows), ZERO)
    ledger_sum = sum((row["moved"] for row in unsettled if row["moved"] is not None), ZERO)
    unexplained = None if bank is None else (ledger or ZERO) - bank - ledger_sum + bank_sum
    return reconciliation.BankReconciliation(
        account=scope.code,
        on=day,
        statement=last.code if last else None,
        complete=last is not None and last.date_to >= until,
        ledger=in_currency(ledger),
        bank=None if bank is None else in_currency(bank),
        matched=in_currency(matched),
        matches=matches,
        opening=first
        and reconciliation.OpeningComparison(
            date=first.date_from,
            ledger=in_currency(opening),
            bank=in_currency(first.opening),
            difference=in_currency((opening or ZERO) - first.opening),
        ),
        gaps=gaps_of(periods, scope.currency),
        ledger_only_sum=in_currency(ledger_sum),
        ledger_only=ledger_only,
        bank_only_sum=in_currency(bank_sum),
        bank_only=[_bank_item(data, row, scope.currency) for row in bank_rows],
        other_currency=others,
        without_account=await _without_account(data, until, scope.currency),
        days=await _days(data, scope, last, until) if last else [],
        unexplained=None if unexplained is None else in_currency(unexplained),
        revision=revision,
    )


def gaps_of(periods: Sequence[rules.Period], currency: str) -> list[schemas.StatementGap]:
    """The gaps between statements, as answers have them."""
    return [
        schemas.StatementGap(date_from=gap.date_from, date_to=gap.date_to, sum=money(gap.amount, currency))
        for gap in rules.gaps_between(periods)
    ]


def _ledger_item(data: Snapshot, row: Any, currency: str) -> reconciliation.LedgerItem:
    return reconciliation.LedgerItem(
        code=row["code"],
        kind=row["kind"],
        date=row["date"],
        value_date=row["value_date"],
        sum=None if row["moved"] is None else money(row["moved"], currency),
        bank_reference=row["bank_reference"],
        match=row["match"],
        link=data.link(f"{LEDGER.path}/{row['code']}"),
    )


def _bank_item(data: Snapshot, row: Any, currency: str) -> reconciliation.BankItem:
    return reconciliation.BankItem(
        code=row["code"],
        booking_date=row["booking_date"],
        value_date=row["value_date"],
        sum=money(row["amount"], currency),
        references=row["refs"],
        match=row["match"],
        link=data.link(f"{ENTRIES.path}/{row['code']}"),
    )


async def _without_account(data: Snapshot, until: date, currency: str) -> list[reconciliation.LedgerItem]:
    """The cash entries up to a day that name none of the bank accounts, in US dollars."""
    accounts = await data.fetch("SELECT code, record->>'number' AS number FROM bank_account")
    names = sorted({name for account in accounts for name in names_of(account["code"], account["number"])})
    unnamed = (
        "false"
        if len(accounts) == 1
        else "entry.account IS NULL AND NOT EXISTS (SELECT FROM reconciled_entry WHERE code = entry.code)"
    )
    rows = await data.fetch(
        f"""
        SELECT code, kind, date, value_date, bank_reference, NULL::text AS match,
               CASE WHEN kind = ANY($1::text[]) THEN amount ELSE -amount END AS moved
          FROM ledger_entry AS entry
         WHERE kind = ANY($2::text[]) AND date <= $3 AND ({unnamed} OR lower(account) <> ALL($4::text[]))
         ORDER BY date, code""",
        list(INFLOWS),
        [*INFLOWS, *OUTFLOWS],
        until,
        names,
    )
    return [_ledger_item(data, row, CURRENCY) for row in rows]


async def _days(
    data: Snapshot, scope: AccountScope, last: rules.Period, until: date
) -> list[reconciliation.ReconciledDay]:
    """Both balances at the end of each day of the last statement, up to a day, on which one of them changed."""
    end = min(until, last.date_to)
    arguments = Arguments([last.date_from, end])
    cash = cash_of(scope, arguments)
    in_ledger = dict(
        await data.fetch(
            f"SELECT greatest(date, $1::date - 1) AS day, sum(moved) FROM {cash} AS cash"
            " WHERE date <= $2 AND moved IS NOT NULL GROUP BY 1",
            *arguments,
        )
    )
    at_bank = dict(
        await data.fetch(
            "SELECT booking_date, sum(amount) FROM bank_entry WHERE statement = $1 AND booking_date <= $2 GROUP BY 1",
            last.code,
            end,
        )
    )
    before = last.date_from - rules.DAY
    ledger, bank = in_ledger.pop(before, ZERO), last.opening
    found = []
    for day in sorted(in_ledger.keys() | at_bank.keys()):
        ledger, bank = ledger + in_ledger.get(day, ZERO), bank + at_bank.get(day, ZERO)
        found.append(
            reconciliation.ReconciledDay(
                date=day,
                ledger=money(ledger, scope.currency),
                bank=money(bank, scope.currency),
                difference=money(ledger - bank, scope.currency),
            )
        )
    return found


RECONCILIATION_COLUMNS = columns_of(reconciliation.ReconciliationLine)


def _reconciliation_as_csv(answer: reconciliation.BankReconciliation) -> bytes:
    """One row for each balance, each entry that only one side has, and the unexplained difference."""
    lines = [_line("ledger", answer.on, answer.ledger), _line("bank", answer.on, answer.bank)]
    if answer.opening:
        lines.append(_line("opening", answer.opening.date, answer.opening.difference))
    lines += [_line("gap", gap.date_from, gap.sum) for gap in answer.gaps]
    for name, items in (
        ("ledger_only", answer.ledger_only),
        ("other_currency", answer.other_currency),
        ("without_account", answer.without_account),
    ):
        lines += [
            reconciliation.ReconciliationLine(
                line=name, code=item.code, kind=item.kind, date=item.date, value_date=item.value_date, sum=item.sum,
                reference=item.bank_reference, match=item.match,
            )
            for item in items
        ]  # fmt: skip
    lines += [
        reconciliation.ReconciliationLine(
            line="bank_only", code=item.code, kind=None, date=item.booking_date, value_date=item.value_date,
            sum=item.sum, reference=item.references[0] if item.references else None, match=item.match,
        )
        for item in answer.bank_only
    ]  # fmt: skip
    lines.append(_line("unexplained", answer.on, answer.unexplained))
    return csv_of(RECONCILIATION_COLUMNS, map(cells_of, lines))


def _line(name: str, day: date | None, amount: Money | None) -> reconciliation.ReconciliationLine:
    return reconciliation.ReconciliationLine(
        line=name, code=None, kind=None, date=day, value_date=None, sum=amount, reference=None, match=None
    )


def link_to_entries(statement: str) -> str:
    """The path that lists the entries of a statement."""
    return f"{ENTRIES.path}?statement={statement}"
