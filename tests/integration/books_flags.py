"""What is unusual about an entry, written anew from `docs/ledger-rules.md`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from tests.integration.books_commands import CENT, Json

if TYPE_CHECKING:
    from tests.integration.books import Books, Row

# Each with by how much something is exceeded, where that is an amount.
Flags = dict[str, Decimal | None]

# In which statuses of its programme an entry is usual, and in which it is taken and flagged; else it is refused.
RUNNING = {"approved", "implementation"}
FITTING = {
    "allocation": (RUNNING, {"suspended", "not_stated"}),
    "transfer": (RUNNING, {"suspended", "operationally_closed", "not_stated"}),
    "expenditure": ({"implementation"}, {"approved", "suspended", "operationally_closed", "not_stated"}),
    "refund": (
        RUNNING | {"suspended", "operationally_closed", "cancelled", "not_stated"},
        {"concept_note", "pipeline", "not_selected", "withdrawn", "financially_closed"},
    ),
}


def status_on(programme: Json, day: str) -> str:
    """The status of a programme on a day; of a day before the first one that is known, the present one."""
    known = [record["status"] for record in programme["status_history"] if record["date"] <= day]
    return str(known[-1] if known else programme["status"])


def flags_of(books: Books, row: Row, catalogue: Mapping[str, Json]) -> Flags:
    """The flags of the last entry that was written, with what was written with it."""
    found: Flags = {}
    if row.kind in FITTING and row.programme and not row.reverses:
        found |= of_programme(row, catalogue[row.programme])
    amounts: dict[str, Callable[[str], Decimal]] = {}
    spends = row.kind == "expenditure" and not row.reverses
    if spends or (row.kind == "transfer" and (row.reverses or row.replaces)):
        amounts["expenditure_exceeds_transfers"] = lambda day: -unspent(books, row, day)
    if row.kind == "refund" and not row.reverses:
        amounts["refund_exceeds_unspent"] = lambda day: -unspent(books, row, day)
    if not row.reverses:
        amounts |= of_plans(books, row, catalogue)
    if (commitment := settled_by(books, row)) is not None:
        amounts["deposit_exceeds_commitment"] = lambda day: -left_of(books, commitment, day)
        if row.kind == "deposit" and row.currency != commitment.currency:
            found["deposit_in_other_currency"] = None
    days = [row.date, *sorted({other.date for other in books.rows if other.date > row.date})]
    for flag, exceeding in amounts.items():
        if (most := max(map(exceeding, days))) > 0:
            found[flag] = most
    if row.bank_reference and not row.reverses and any(
        other.code != row.code and other.kind == row.kind and other.bank_reference == row.bank_reference
        and not other.reverses and not books.reversal_of(other.code)
        for other in books.rows
    ):  # fmt: skip
        found["repeated_bank_reference"] = None
    return found


def of_programme(row: Row, programme: Json) -> Flags:
    found: Flags = {}
    if status_on(programme, row.date) in FITTING[row.kind][1]:
        found["unusual_for_status"] = None
    partners = [partner["code"] for partner in programme["organizations"]]
    if row.organization and partners and row.organization not in partners:
        found["no_longer_taking_part"] = None
    return found


def unspent(books: Books, row: Row, day: str) -> Decimal:
    pair = {"programme": row.programme, "organization": row.organization}
    return (
        books.total("transfer", day, **pair) - books.total("refund", day, **pair)
        - books.total("expenditure", day, **pair)
    )  # fmt: skip


def settled_by(books: Books, row: Row) -> Row | None:
    """The commitment of which an entry pays or changes so much that deposits may exceed it."""
    if row.kind == "commitment" and row.replaces and not row.reverses:
        return row
    if row.kind not in ("deposit", "commitment_amendment") or not row.follows:
        return None
    less = row.amount < 0 if row.kind == "commitment_amendment" else not row.reverses
    return books.standing(row.follows) if less else None


def left_of(books: Books, commitment: Row, day: str) -> Decimal:
    deposits = books.followers(commitment, "deposit", day)
    return books.promised(commitment, day) - sum(
        (books.settles(deposit, commitment) for deposit in deposits), Decimal(0)
    )


def of_plans(books: Books, row: Row, catalogue: Mapping[str, Json]) -> dict[str, Callable[[str], Decimal]]:
    """What is exceeded on a day of what was planned for a programme, for each flag."""
    if row.programme is None:
        return {}
    programme, code = catalogue[row.programme], row.programme
    own: dict[str, str | None] = {"programme": code, "organization": row.organization}
    found: dict[str, Callable[[str], Decimal]] = {}
    if row.kind == "allocation" and programme["budget"]:
        budget = Decimal(programme["budget"]["amount"])
        found["allocation_exceeds_budget"] = lambda day: books.total("allocation", day, programme=code) - budget

    def beyond_allocation(day: str) -> Decimal:
        to_none = books.total("allocation", day, programme=code, organization=None)
        # Where no allocation names an organization, nothing is said of how much each of them gets.
        if to_none == books.total("allocation", day, programme=code):
            return Decimal(0)
        return books.total("transfer", day, **own) - books.total("allocation", day, **own) - to_none

    def beyond_indirect(day: str) -> Decimal:
        indirect = books.total("expenditure", day, category="indirect_costs", **own)
        direct = books.total("expenditure", day, **own) - indirect
        return indirect - (direct * Decimal("0.07")).quantize(CENT, ROUND_HALF_UP)

    if row.kind == "transfer":
        found["transfer_exceeds_organization_allocation"] = beyond_allocation
    if row.kind == "expenditure" and row.category == "indirect_costs":
        found["indirect_costs_exceed_limit"] = beyond_indirect
    if row.kind == "expenditure" and programme["budget_lines"]:
        planned = sum(
            Decimal(line["amount"])
            for line in programme["budget_lines"]
            if (line["organization"], line["category"]) == (row.organization, row.category)
        )
        most = (planned * Decimal("1.2")).quantize(CENT, ROUND_HALF_UP)
        found["expenditure_exceeds_budget_line"] = lambda day: (
            books.total("expenditure", day, category=row.category, **own) - most
        )
    return found
