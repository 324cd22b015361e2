"""Rules of entries over the life of a programme: whether they fit its status on their day, and what they exceed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from mmptf_common.wire.codes import BudgetCategory, ProgrammeStatus
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_funding.ledger.domain import CENT, CURRENCY, Entry, FlagDetail, LedgerEntryKind, LedgerFlag, Sum
from mmptf_funding.ledger.programmes import Programme
from mmptf_funding.ledger.rules import KINDS, NEVER_BELOW_ZERO, Balance, not_written_by

Outcome = Literal["allowed", "flagged", "refused"]


@dataclass(frozen=True, slots=True)
class StatusRule:
    """What becomes of entries of a kind for a programme of a status, and why."""

    outcome: Outcome
    why: str


def _allowed(why: str) -> StatusRule:
    return StatusRule("allowed", why)


def _flagged(why: str) -> StatusRule:
    return StatusRule("flagged", why)


def _refused(why: str) -> StatusRule:
    return StatusRule("refused", why)


_NOT_APPROVED = _refused("the Steering Committee has not approved it; the catalogue has to state the approval first")
_DROPPED: Mapping[ProgrammeStatus, StatusRule] = {
    "not_selected": _refused("it was not selected for the Fund"),
    "withdrawn": _refused("its organization has withdrawn it"),
    "cancelled": _refused("it was ended for good; what is left is refunded"),
}
_CLOSED = _refused("its accounts are closed")
_UNKNOWN = _flagged("no source states its status")
# By the kinds that name a programme. The status is that on the day of the entry.
BY_STATUS: Mapping[LedgerEntryKind, Mapping[ProgrammeStatus, StatusRule]] = {
    "allocation": {
        "concept_note": _NOT_APPROVED,
        "pipeline": _NOT_APPROVED,
        "approved": _allowed("the Steering Committee has approved it"),
        "implementation": _allowed("a further part of what is approved, or more by a decision"),
        "suspended": _flagged("it is suspended; the decision has to say why it is allocated money"),
        "operationally_closed": _refused("its activities have ended"),
        "financially_closed": _CLOSED,
        **_DROPPED,
        "not_stated": _UNKNOWN,
    },
    "transfer": {
        "concept_note": _NOT_APPROVED,
        "pipeline": _NOT_APPROVED,
        "approved": _allowed("an instalment before it begins"),
        "implementation": _allowed("an instalment while it is carried out"),
        "suspended": _flagged("it is suspended; instalments wait until it goes on"),
        "operationally_closed": _flagged("its activities have ended: only what they have cost already is still paid"),
        "financially_closed": _CLOSED,
        **_DROPPED,
        "not_stated": _UNKNOWN,
    },
    "expenditure": {
        "concept_note": _NOT_APPROVED,
        "pipeline": _NOT_APPROVED,
        "approved": _flagged("it has not begun"),
        "implementation": _allowed("it is being carried out"),
        "suspended": _flagged("it is suspended: only what cannot be stopped is still spent"),
        "operationally_closed": _flagged("its activities have ended: final expenditure"),
        "financially_closed": _CLOSED,
        **_DROPPED,
        "not_stated": _UNKNOWN,
    },
    "refund": {
        "concept_note": _flagged("it is not approved, and has received money"),
        "pipeline": _flagged("it is not approved, and has received money"),
        "approved": _allowed("what was not needed is returned"),
        "implementation": _allowed("what was not needed is returned"),
        "suspended": _allowed("what was not needed is returned"),
        "operationally_closed": _allowed("what was not spent is returned"),
        "financially_closed": _flagged("a late refund: its accounts are closed, and the certified figures change"),
        "not_selected": _flagged("it was not selected, and has received money"),
        "withdrawn": _flagged("it was withdrawn, and has received money"),
        "cancelled": _allowed("what was not spent is returned"),
        "not_stated": _allowed("what was not needed is returned"),
    },
}

# By how much expenditure on a category may exceed its budget line, in per cent of the line, without a revised budget.
# The practice of the United Nations Sustainable Development Group as this project knows it; not verified.
LINE_TOLERANCE = Decimal(20)
INDIRECT: BudgetCategory = "indirect_costs"
# The limit of an organization's indirect costs, in per cent of its direct costs.
INDIRECT_PER_CENT = Decimal(7)

# As negative amounts: what is allocated to a programme, and what an organization has spent on it, in all and on one
# category. The lowest of them from a day on is the most that there is from then on.
ALLOCATED = Balance((), ("allocation",), ("programme",))
SPENT = Balance((), ("expenditure",), ("programme", "organization"))
SPENT_ON_CATEGORY = Balance((), ("expenditure",), ("programme", "organization", "category"))
# What is allocated to an organization, or to none in particular, and not transferred.
ALLOCATED_TO_ORGANIZATION = Balance(
    ("allocation",), ("transfer",), ("programme", "organization"), optional=frozenset({"organization"})
)
# What an organization has received for a programme and not refunded.
(RECEIVED,) = (balance for balance in NEVER_BELOW_ZERO if balance.plus == ("transfer",))
BALANCES = (ALLOCATED, SPENT, SPENT_ON_CATEGORY, ALLOCATED_TO_ORGANIZATION)

# What else is flagged: by kind, the flag and the rule in words, for the documentation.
AMOUNT_RULES: tuple[tuple[LedgerEntryKind, LedgerFlag, str], ...] = (
    ("allocation", "allocation_exceeds_budget", "more is allocated to the programme than its budget in the catalogue"),
    (
        "transfer",
        "transfer_exceeds_organization_allocation",
        "where allocations of the programme name organizations: more is transferred to the organization than is"
        " allocated to it or to none in particular",
    ),
    (
        "transfer",
        "transfers_of_day_exceed_limit",
        "where a limit holds above which a second person approves a transfer: the transfers of the day for the same"
        " programme and organization that nobody has approved, and were not reversed, are above it together",
    ),
    (
        "expenditure",
        "expenditure_exceeds_transfers",
        "more is spent by the organization than was transferred to it for the programme and not refunded",
    ),
    (
        "expenditure",
        "expenditure_exceeds_budget_line",
        "where the programme has budget lines: more is spent on a category by the organization than its lines of all"
        f" years and {LINE_TOLERANCE} % of them (practice of the United Nations Sustainable Development Group as this"
        " project knows it; not verified)",
    ),
    (
        "expenditure",
        "indirect_costs_exceed_limit",
        f"the indirect costs of the organization are more than {INDIRECT_PER_CENT} % of its direct costs so far",
    ),
    ("refund", "refund_exceeds_unspent", "more is returned than was transferred to the organization and not spent"),
    ("deposit", "deposit_exceeds_commitment", "more is deposited than the commitment in `follows` promises"),
    ("deposit", "deposit_in_other_currency", "it is in another currency than the commitment in `follows`"),
)


Role = Literal["agent", "management_unit", "organization", "another_organization"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What becomes of an entry of a kind for a programme of a status when a role sends it.

    code: of the error, or the flag; None for what is allowed
    text: of the error's or the flag's detail, or how that ends; None where there is none
    """

    outcome: Outcome
    code: ProblemCode | LedgerFlag | None = None
    text: str | None = None


def cell(kind: LedgerEntryKind, status: ProgrammeStatus | None, role: Role) -> Cell:
    """The cell of the table of rules; status: None for a kind that names no programme."""
    rule = KINDS[kind]
    may = {"agent": rule.by_agent, "management_unit": rule.by_fund, "organization": rule.by_organization}
    if not may.get(role):
        return Cell("refused", ProblemCode.FORBIDDEN, not_written_by(kind))
    if status is None:
        return Cell("allowed")
    of_status = BY_STATUS[kind][status]
    codes: Mapping[Outcome, ProblemCode | LedgerFlag] = {
        "refused": ProblemCode.STATUS_DOES_NOT_ALLOW,
        "flagged": "unusual_for_status",
    }
    return Cell(of_status.outcome, codes.get(of_status.outcome), of_status.why)


def keys_read(entry: Entry) -> Iterable[tuple[Balance, tuple[str | None, ...]]]:
    """The balances that flags and errors of an entry depend on, beside those that it is part of."""
    if entry.kind == "transfer":
        yield ALLOCATED, (entry.programme,)
        yield ALLOCATED_TO_ORGANIZATION, (entry.programme, None)
    elif entry.kind == "expenditure":
        yield RECEIVED, (entry.programme, entry.organization)
        yield SPENT_ON_CATEGORY, (entry.programme, entry.organization, INDIRECT)


def status_rule(entry: Entry, programme: Programme) -> StatusRule | None:
    """The rule for the status that a programme had on the day of an entry; None for a kind without one."""
    rules = BY_STATUS.get(entry.kind)
    return rules[programme.status_on(entry.date)] if rules else None


def status_errors(entry: Entry, programme: Programme) -> list[ErrorDetail]:
    """An error where the status of the programme on the entry's day does not allow it."""
    rule = status_rule(entry, programme)
    if rule is None or rule.outcome != "refused":
        return []
    status = programme.status_on(entry.date)
    detail = f"/programme: no {entry.kind} on {entry.date}, when {programme.code} was {status}: {rule.why}"
    others = [status for status, other in BY_STATUS[entry.kind].items() if other.outcome != "refused"]
    return [error_detail(ProblemCode.STATUS_DOES_NOT_ALLOW, detail, pointer="/programme", allowed=others)]


def certified_errors(entry: Entry, programme: Programme, certified: Iterable[str]) -> list[ErrorDetail]:
    """An error for anything but a refund of a programme whose final figures are certified.

    certified: the codes of those programmes
    """
    if entry.kind not in BY_STATUS or entry.kind == "refund" or programme.code not in certified:
        return []
    detail = f"/programme: the final figures of {programme.code} are certified; nothing but refunds is entered for it"
    return [error_detail(ProblemCode.FIGURES_CERTIFIED, detail, pointer="/programme")]


def takes_part(organization: str, programme: Programme) -> bool:
    """Whether an organization takes part; any does where no source states who."""
    partners = [partner.code for partner in programme.organizations]
    return not partners or organization in partners


def participation_errors(
    entry: Entry, programme: Programme, organization: str | None, received: Decimal
) -> list[ErrorDetail]:
    """An error for an organization outside the programme, unless it accounts for what it has received.

    organization: the present code of the entry's; received: what it has received for the programme and not refunded
    """
    if organization is None or takes_part(organization, programme) or entry.kind == "refund":
        return []
    if entry.kind == "expenditure" and received > 0:
        return []
    detail = f"/organization: {entry.organization} does not take part in {programme.code}"
    partners = [partner.code for partner in programme.organizations]
    return [error_detail(ProblemCode.NOT_TAKING_PART, detail, pointer="/organization", allowed=partners)]


def flags_of_programme(entry: Entry, programme: Programme) -> list[FlagDetail]:
    """What is unusual about an entry for the programme's status, and about its organization."""
    found = []
    rule = status_rule(entry, programme)
    if rule and rule.outcome == "flagged":
        status = programme.status_on(entry.date)
        found.append(flag("unusual_for_status", f"{programme.code} was {status} on {entry.date}: {rule.why}."))
    if entry.organization and not takes_part(entry.organization, programme):
        detail = f"{entry.organization} does not take part in {programme.code} any more."
        found.append(flag("no_longer_taking_part", detail))
    return found


def flags_of_allocation(programme: Programme, allocated: Decimal) -> list[FlagDetail]:
    """Whether more is allocated than the budget; allocated: with the entry."""
    budget = programme.budget
    if budget is None or budget.currency != CURRENCY or allocated <= budget.amount:
        return []
    detail = f"{usd(allocated)} are allocated to {programme.code}, and its budget is {usd(budget.amount)}."
    return [flag("allocation_exceeds_budget", detail, allocated - budget.amount)]


def flags_of_transfer(entry: Entry, most: Decimal) -> list[FlagDetail]:
    """Whether more is transferred than is allocated to the organization.

    most: what may be transferred to it, before the entry, on the day on which that is the least
    """
    if entry.sum.amount <= most:
        return []
    excess = entry.sum.amount - most
    detail = (
        f"{usd(max(most, Decimal(0)))} of what is allocated to {entry.programme} may be transferred to"
        f" {entry.organization}."
    )
    return [flag("transfer_exceeds_organization_allocation", detail, excess)]


def flags_of_day(entry: Entry, together: Decimal, limit: Decimal) -> list[FlagDetail]:
    """Whether a transfer is above the limit with others of its day; together: with the entry."""
    if together <= limit:
        return []
    detail = (
        f"{usd(together)} are transferred to {entry.organization} for {entry.programme} on {entry.date} in several"
        f" parts, none of which was approved; one of more than {usd(limit)} needs a second person."
    )
    return [flag("transfers_of_day_exceed_limit", detail, together - limit)]


def flags_of_spending(entry: Entry, programme: Programme, spent: Decimal) -> list[FlagDetail]:
    """Whether expenditure exceeds its budget line by more than the tolerance.

    spent: by the organization on the entry's category, with the entry
    """
    if not programme.budget_lines:
        return []
    line = sum(
        (
            line.amount
            for line in programme.budget_lines
            if (line.organization, line.category) == (entry.organization, entry.category)
        ),
        Decimal(0),
    )
    most = _with_per_cent(line, 100 + LINE_TOLERANCE)
    if spent <= most:
        return []
    detail = (
        f"{entry.organization} has spent {usd(spent)} on {entry.category}, and its budget lines are"
        f" {usd(line)}, with {LINE_TOLERANCE} per cent more {usd(most)}."
    )
    return [flag("expenditure_exceeds_budget_line", detail, spent - most)]


def flags_of_indirect_costs(entry: Entry, costs: Iterable[tuple[Decimal, Decimal]]) -> list[FlagDetail]:
    """Whether the indirect costs of an organization exceed their limit.

    costs: its indirect costs with the entry, and its direct costs, on the entry's day and later ones
    """
    exceeding = [(indirect - _with_per_cent(direct, INDIRECT_PER_CENT), indirect, direct) for indirect, direct in costs]
    excess, indirect, direct = max(exceeding, key=lambda each: each[0])
    if excess <= 0:
        return []
    detail = (
        f"The indirect costs of {entry.organization} are {usd(indirect)}; {INDIRECT_PER_CENT} per cent of its"
        f" direct costs of {usd(direct)} are {usd(indirect - excess)}."
    )
    return [flag("indirect_costs_exceed_limit", detail, excess)]


def flag(code: LedgerFlag, detail: str, excess: Decimal | None = None, currency: str = CURRENCY) -> FlagDetail:
    """A flag with what is unusual in words, and by how much something is exceeded where it is an amount."""
    return FlagDetail(
        flag=code, detail=detail, excess=None if excess is None else Sum(amount=excess, currency=currency)
    )


def usd(amount: Decimal) -> str:
    """An amount for a sentence."""
    return f"{amount_text(amount)} {CURRENCY}"


def _with_per_cent(amount: Decimal, per_cent: Decimal) -> Decimal:
    # Half up: a limit is an amount in cents.
    return (amount * per_cent / 100).quantize(CENT, ROUND_HALF_UP)
