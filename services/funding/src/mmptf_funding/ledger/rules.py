"""Rules of the ledger: the members of each kind of entry, who writes it, what it follows and may not exceed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol, get_args

from mmptf_common.wire.places import is_place
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail, unknown_code
from mmptf_common.wire.suggestions import Suggestion, country_meant, fold
from mmptf_funding.contributions.domain import Contributor
from mmptf_funding.ledger.domain import (
    CATALOGUE_LISTS,
    CURRENCY,
    Answers,
    Entry,
    LedgerEntryKind,
    LedgerEntryKindSent,
    Original,
    Programme,
    RecordedEntry,
    Sum,
)
from mmptf_funding.roles import AGENT, MANAGEMENT_UNIT

CENT = Decimal("0.01")
# The catalogue's list of countries.
COUNTRIES = "/catalog/v1/places?kind=country"
# The administrative agent's fee, in per cent of each deposit.
FEE_PER_CENT = Decimal(1)

PARTIES = (
    *("contributor", "programme", "organization", "thematic_area", "category", "tranche", "follows", "original"),
    *("value_date", "account", "bank_reference", "instalments"),
)
# What an entry has of the bank's statement, where it moves cash.
BANK = frozenset({"value_date", "account", "bank_reference"})


class Writer(Protocol):
    """The caller of a write: its roles, and the organization on whose behalf it writes."""

    @property
    def organization(self) -> str | None: ...
    def has_role(self, name: str, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class KindRule:
    """The members that entries of a kind have, and who may write them.

    needs, takes: those of `PARTIES` that are required and allowed; follows: the kind of the entry it may follow
    by_agent, by_fund: whether the administrative agent and the Fund's management unit write it
    by_organization: whether an organization writes its own
    referenced: whether it has to name the decision or document behind it
    """

    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    follows: LedgerEntryKind | None = None
    by_agent: bool = True
    by_fund: bool = False
    by_organization: bool = False
    referenced: bool = False


KINDS: Mapping[LedgerEntryKind, KindRule] = {
    "pledge": KindRule(
        frozenset({"contributor"}), frozenset({"thematic_area", "original", "instalments"}), by_fund=True
    ),
    "commitment": KindRule(
        frozenset({"contributor"}),
        frozenset({"thematic_area", "original", "follows", "instalments"}),
        follows="pledge",
    ),
    "deposit": KindRule(
        frozenset({"contributor"}), frozenset({"thematic_area", "original", "follows"}) | BANK, follows="commitment"
    ),
    # Decided by the Steering Committee and entered by the management unit.
    "allocation": KindRule(frozenset({"programme"}), by_agent=False, by_fund=True, referenced=True),
    "transfer": KindRule(frozenset({"programme", "organization"}), frozenset({"tranche"}) | BANK),
    "expenditure": KindRule(frozenset({"programme", "organization", "category"}), by_organization=True),
    "refund": KindRule(frozenset({"programme", "organization"}), BANK, by_organization=True),
    "agent_fee": KindRule(takes=frozenset({"follows"}) | BANK, follows="deposit"),
    "direct_cost": KindRule(takes=BANK, referenced=True),
    "bank_charge": KindRule(takes=BANK),
    "interest": KindRule(takes=BANK),
}


def members_table() -> str:
    """Markdown for the contract: for each kind that can be sent, which members it needs, may have and refuses."""
    columns = (*PARTIES, "reference")
    lines = [f"| kind | {' | '.join(f'`{name}`' for name in columns)} |", f"|---|{'---|' * len(columns)}"]
    for kind in get_args(LedgerEntryKindSent.__value__):
        rule = KINDS[kind]
        needed = rule.needs | ({"reference"} if rule.referenced else set())
        optional = rule.takes | {"reference"}
        cells = ("needed" if name in needed else "optional" if name in optional else "refused" for name in columns)
        lines.append(f"| `{kind}` | {' | '.join(cells)} |")
    return "\n".join(lines)


# The kinds that make up the cash balance with the administrative agent.
SOURCES: tuple[LedgerEntryKind, ...] = ("deposit", "interest")
USES: tuple[LedgerEntryKind, ...] = ("transfer", "refund", "agent_fee", "direct_cost", "bank_charge")
# Refunds reduce the uses.
SIGN = {"refund": -1}
INFLOWS: tuple[LedgerEntryKind, ...] = ("deposit", "interest", "refund")
OUTFLOWS: tuple[LedgerEntryKind, ...] = ("transfer", "agent_fee", "direct_cost", "bank_charge")


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum of entries of some kinds minus that of others.

    members: only entries that have the same values here as the entry that is checked
    code, name: for the error when the balance would fall below zero; the name is a format string for the entry
    """

    plus: tuple[LedgerEntryKind, ...]
    minus: tuple[LedgerEntryKind, ...]
    members: tuple[str, ...] = ()
    code: ProblemCode = ProblemCode.INSUFFICIENT_BALANCE
    name: str = ""


# The balances that no entry may bring below zero, on its day or a later one.
NEVER_BELOW_ZERO = (
    Balance(INFLOWS, OUTFLOWS, (), ProblemCode.INSUFFICIENT_BALANCE, "the balance of the Fund"),
    Balance(
        ("allocation",),
        ("transfer",),
        ("programme",),
        ProblemCode.EXCEEDS_ALLOCATION,
        "what is allocated to {0.programme} and not transferred",
    ),
    Balance(
        ("transfer",),
        ("refund",),
        ("programme", "organization"),
        ProblemCode.EXCEEDS_TRANSFERS,
        "what {0.organization} has received for {0.programme}",
    ),
)
# The amount that an organization has received for a programme and neither spent nor refunded.
UNSPENT = Balance(("transfer",), ("refund", "expenditure"), ("programme", "organization"))
# The deposits for a commitment, as a negative amount.
PAID = Balance((), ("deposit",), ("follows",))


def may_write(who: Writer, kind: LedgerEntryKind, organization: str | None) -> bool:
    """Whether a caller may write and reverse entries of a kind."""
    rule = KINDS[kind]
    own = rule.by_organization and organization is not None and organization == who.organization
    return (rule.by_agent and who.has_role(AGENT)) or (rule.by_fund and who.has_role(MANAGEMENT_UNIT)) or own


def writers(kind: LedgerEntryKind) -> str:
    """Text for errors: who may write entries of a kind."""
    rule = KINDS[kind]
    found = ["the administrative agent"] if rule.by_agent else []
    found += ["the Fund's management unit"] if rule.by_fund else []
    found += ["the organization itself"] if rule.by_organization else []
    return " or ".join(found)


def errors_of(entry: Entry, today: datetime.date) -> list[ErrorDetail]:
    """The errors of an entry that are found without other records."""
    kind = KINDS[entry.kind]
    found = []
    for name in PARTIES:
        stated = getattr(entry, name) not in (None, ())
        if not stated and name in kind.needs:
            found.append(
                error_detail(ProblemCode.MISSING_MEMBER, f"/{name}: a {entry.kind} needs it", pointer=f"/{name}")
            )
        elif stated and name not in kind.needs | kind.takes:
            taken = sorted(kind.needs | kind.takes)
            detail = f"/{name}: a {entry.kind} has none; it takes {', '.join(taken) or 'no party'}"
            found.append(error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer=f"/{name}", allowed=taken))
    if kind.referenced and entry.reference is None:
        detail = f"/reference: a {entry.kind} names the decision or document behind it"
        found.append(error_detail(ProblemCode.MISSING_MEMBER, detail, pointer="/reference"))
    for name in ("date", "value_date"):
        day: datetime.date | None = getattr(entry, name)
        if day and day > today:
            detail = f"/{name}: {day} is not past yet"
            found.append(
                error_detail(ProblemCode.IN_THE_FUTURE, detail, pointer=f"/{name}", allowed=[f"up to {today}"])
            )
    if entry.original:
        found += _errors_of_original(entry, entry.original)
    in_parts = sum((instalment.sum.amount for instalment in entry.instalments), Decimal(0))
    if entry.instalments and in_parts != entry.promised.amount:
        promised = entry.promised
        detail = f"/instalments: they are {in_parts} together, and {promised.amount} {promised.currency} is promised"
        found.append(error_detail(ProblemCode.AMOUNT_DOES_NOT_FOLLOW, detail, pointer="/instalments"))
    return found


def _errors_of_original(entry: Entry, original: Original) -> list[ErrorDetail]:
    found = []
    if original.sum.currency == CURRENCY:
        detail = "/original/currency: an amount in US dollars has no other original"
        found.append(error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer="/original/currency"))
    expected = original.sum.amount * original.rate
    if abs(expected - entry.sum.amount) >= CENT:
        detail = (
            f"/amount: {original.sum.amount} {original.sum.currency} at {original.rate:f} are"
            f" {expected.quantize(CENT, ROUND_HALF_EVEN)} USD, not {entry.sum.amount}"
        )
        found.append(error_detail(ProblemCode.AMOUNT_DOES_NOT_FOLLOW, detail, pointer="/amount"))
    if original.rate_date > entry.date:
        detail = f"/original/rate_date: {original.rate_date} is after the entry's own date"
        found.append(error_detail(ProblemCode.IN_THE_FUTURE, detail, pointer="/original/rate_date"))
    return found


def catalogue_errors(entry: Entry, answers: Answers) -> list[ErrorDetail]:
    """An error for each code that the catalogue does not list, and for an organization outside the programme."""
    found = []
    for noun, code in entry.catalogue_codes().items():
        current = answers.codes[noun, code]
        # The catalogue redirects a code in another case to its own; what is written names it as it is.
        in_other_case = current is not None and current != code and fold(current) == fold(code)
        if current is None or in_other_case:
            meant = Suggestion(current) if current else None
            listed_at = f"/catalog/v1/{CATALOGUE_LISTS[noun]}"
            found.append(unknown_code(f"/{noun}", code, listed_at=listed_at, suggestion=meant))
        elif noun == "programme":
            found += _participation_errors(entry, answers, answers.programmes[code])
    return found


def _participation_errors(entry: Entry, answers: Answers, programme: Programme) -> list[ErrorDetail]:
    partners = [organization.code for organization in programme.organizations]
    if entry.organization is None:
        return []
    # A programme names organizations by their present codes.
    organization = answers.codes["organization", entry.organization] or entry.organization
    # For many programmes no source states who takes part; then any organization is accepted.
    if partners and organization not in partners and entry.kind != "refund":
        detail = f"/organization: {entry.organization} does not take part in {programme.code}"
        return [error_detail(ProblemCode.NOT_TAKING_PART, detail, pointer="/organization", allowed=partners)]
    return []


def predecessor_errors(entry: Entry, earlier: RecordedEntry) -> list[ErrorDetail]:
    """An error where the entry to follow is of another kind or contributor, or was reversed."""
    kind = KINDS[entry.kind].follows
    why = (
        f"is a {earlier.kind}, and a {kind} is expected"
        if earlier.kind != kind or earlier.reverses
        else f"is of {earlier.contributor}"
        if earlier.contributor != entry.contributor
        else f"was reversed by {earlier.reversed_by}"
        if earlier.reversed_by
        else None
    )
    return (
        [error_detail(ProblemCode.DOES_NOT_FOLLOW, f"/follows: {earlier.code} {why}", pointer="/follows")]
        if why
        else []
    )


def reversal_errors(entry: RecordedEntry, day: datetime.date, today: datetime.date) -> list[ErrorDetail]:
    """An error where the day of a reversal is before the entry's own or in the future."""
    if entry.date <= day <= today:
        return []
    code = ProblemCode.IN_THE_FUTURE if day > today else ProblemCode.TOO_EARLY
    detail = f"/date: {day} is not between the entry's own date and today"
    return [error_detail(code, detail, pointer="/date", allowed=[f"{entry.date} to {today}"])]


def contributor_errors(contributor: Contributor) -> list[ErrorDetail]:
    """An error for a Member State without a country's code, for another contributor with one, and for no such code."""
    country = contributor.country
    if country is not None and not is_place(country, "country"):
        return [unknown_code("/country", country, listed_at=COUNTRIES, suggestion=country_meant(country))]
    if (contributor.type == "member_state") == (country is not None):
        return []
    detail = "/country: a Member State has the code of its country, and nobody else has one"
    return [error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer="/country")]


def fee(deposit: Decimal) -> Decimal:
    """The administrative agent's fee for a deposit, rounded half to even to the cent."""
    return (deposit * FEE_PER_CENT / 100).quantize(CENT, ROUND_HALF_EVEN)


def fee_of(deposit: RecordedEntry) -> Entry | None:
    """The entry of the agent's fee that follows a deposit; None where it is less than a cent."""
    amount = fee(deposit.sum.amount)
    if not amount:
        return None
    return Entry(
        kind="agent_fee",
        date=deposit.date,
        sum=Sum(amount=amount, currency=deposit.sum.currency),
        follows=deposit.code,
        value_date=deposit.value_date,
        account=deposit.account,
        note=f"{FEE_PER_CENT} per cent of {deposit.code}, kept at deposit.",
        recorded_by=deposit.recorded_by,
    )


def reversal_of(entry: RecordedEntry, day: datetime.date, reason: str, recorded_by: str | None) -> Entry:
    """The entry that reverses another one from a day on: the same with the opposite sum, and the reason.

    It is in the books alone: of the bank's statement it has the account, so that the sums of each are net.
    """
    original = entry.original
    return Entry(
        kind=entry.kind,
        date=day,
        sum=-entry.sum,
        original=original and original.model_copy(update={"sum": -original.sum}),
        contributor=entry.contributor,
        programme=entry.programme,
        organization=entry.organization,
        thematic_area=entry.thematic_area,
        category=entry.category,
        tranche=entry.tranche,
        follows=entry.follows,
        reverses=entry.code,
        account=entry.account,
        decision=entry.decision,
        reference=entry.reference,
        note=reason,
        recorded_by=recorded_by,
    )
