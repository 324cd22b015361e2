"""Rules of the ledger: the members of each kind of entry, who writes it, what it follows and may not exceed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Protocol, get_args

from mmptf_common.wire.places import is_place
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, error_detail, unknown_code
from mmptf_common.wire.suggestions import country_meant
from mmptf_funding.contributions.domain import Contributor
from mmptf_funding.ledger.domain import (
    CATALOGUE_LISTS,
    CENT,
    CURRENCY,
    Entry,
    LedgerEntryKind,
    LedgerEntryKindSent,
    Original,
    RecordedEntry,
    Sum,
)
from mmptf_funding.ledger.programmes import CatalogueCodes
from mmptf_funding.roles import AGENT, MANAGEMENT_UNIT

# The catalogue's list of countries.
COUNTRIES = "/catalog/v1/places?kind=country"
# Where the Fund's bank accounts are listed.
ACCOUNTS = "/funding/v1/bank-accounts"
# Where transfers are proposed that a second person has to approve.
PROPOSALS = "/funding/v1/transfer-proposals"
# The administrative agent's fee, in per cent of each deposit.
FEE_PER_CENT = Decimal(1)

PARTIES = (
    *("contributor", "programme", "organization", "thematic_area", "category", "tranche", "follows", "original"),
    *("amendment", "value_date", "account", "bank_reference", "instalments", "fee", "counterpart_fund"),
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
    "commitment_amendment": KindRule(
        frozenset({"contributor", "follows", "amendment"}),
        frozenset({"original", "instalments"}),
        follows="commitment",
    ),
    "deposit": KindRule(
        frozenset({"contributor"}),
        frozenset({"thematic_area", "original", "follows", "fee"}) | BANK,
        follows="commitment",
    ),
    "exchange_difference": KindRule(frozenset({"contributor"}), frozenset({"follows"}), follows="deposit"),
    "contributor_refund": KindRule(
        frozenset({"contributor"}), frozenset({"thematic_area", "original"}) | BANK, referenced=True
    ),
    # Decided by the Steering Committee and entered by the management unit.
    "allocation": KindRule(
        frozenset({"programme"}), frozenset({"organization"}), by_agent=False, by_fund=True, referenced=True
    ),
    "transfer": KindRule(frozenset({"programme", "organization"}), frozenset({"tranche"}) | BANK),
    "expenditure": KindRule(frozenset({"programme", "organization", "category"}), by_organization=True),
    "refund": KindRule(frozenset({"programme", "organization"}), BANK, by_organization=True),
    "transfer_from_fund": KindRule(frozenset({"counterpart_fund"}), BANK, referenced=True),
    "transfer_to_fund": KindRule(frozenset({"counterpart_fund"}), BANK, referenced=True),
    "agent_fee": KindRule(takes=frozenset({"follows"}) | BANK, follows="deposit"),
    "direct_cost": KindRule(takes=frozenset({"organization"}) | BANK, referenced=True),
    "bank_charge": KindRule(takes=BANK),
    "interest": KindRule(takes=frozenset({"organization"}) | BANK),
    "other_income": KindRule(takes=BANK, referenced=True),
    # By the statement of the bank, or the certified one of the year before.
    "opening_balance": KindRule(frozenset({"account"}), frozenset({"value_date"}), referenced=True),
}
# The kinds that are entered, reversed and corrected with the entry that they follow.
DERIVED: tuple[LedgerEntryKind, ...] = ("agent_fee", "exchange_difference")


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
SOURCES: tuple[LedgerEntryKind, ...] = ("deposit", "interest", "transfer_from_fund", "other_income", "opening_balance")
USES: tuple[LedgerEntryKind, ...] = (
    *("transfer", "refund", "agent_fee", "direct_cost", "bank_charge", "contributor_refund", "transfer_to_fund"),
)
# Refunds of organizations reduce the uses.
SIGN = {"refund": -1}
INFLOWS: tuple[LedgerEntryKind, ...] = (*SOURCES, "refund")
OUTFLOWS: tuple[LedgerEntryKind, ...] = tuple(kind for kind in USES if kind not in SIGN)


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum of entries of some kinds minus that of others.

    members: only entries that have the same values here as the entry that is checked
    optional: those of the members that entries may have not
    code, name: for the error when the balance would fall below zero; the name is a format string for the entry
    """

    plus: tuple[LedgerEntryKind, ...]
    minus: tuple[LedgerEntryKind, ...]
    members: tuple[str, ...] = ()
    code: ProblemCode = ProblemCode.INSUFFICIENT_BALANCE
    name: str = ""
    optional: frozenset[str] = frozenset()


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
    Balance(
        ("deposit",),
        ("contributor_refund",),
        ("contributor",),
        ProblemCode.EXCEEDS_DEPOSITS,
        "what {0.contributor} has deposited",
    ),
)
# The amount that an organization has received for a programme and neither spent nor refunded.
UNSPENT = Balance(("transfer",), ("refund", "expenditure"), ("programme", "organization"))


def may_write(who: Writer, kind: LedgerEntryKind, organization: str | None) -> bool:
    """Whether a caller may write and reverse entries of a kind."""
    rule = KINDS[kind]
    own = rule.by_organization and organization is not None and organization == who.organization
    return (rule.by_agent and who.has_role(AGENT)) or (rule.by_fund and who.has_role(MANAGEMENT_UNIT)) or own


def not_written_by(kind: LedgerEntryKind) -> str:
    """Text of the error for a caller who may not write entries of a kind."""
    return f"{kind}: entered by {writers(kind)}."


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
    if entry.instalments and entry.amendment not in (None, "increase"):
        detail = f"/instalments: a {entry.amendment} takes from what is due last, and has none"
        found.append(error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer="/instalments"))
    elif entry.instalments and in_parts != entry.promised.amount:
        promised = entry.promised
        detail = f"/instalments: they are {in_parts} together, and {promised.amount} {promised.currency} is promised"
        found.append(error_detail(ProblemCode.AMOUNT_DOES_NOT_FOLLOW, detail, pointer="/instalments"))
    if entry.fee and entry.fee.sum.amount > entry.sum.amount:
        detail = f"/fee/amount: {entry.fee.sum.amount} is more than the deposit"
        allowed = [f"up to {entry.sum.amount}"]
        found.append(error_detail(ProblemCode.INVALID_VALUE, detail, pointer="/fee/amount", allowed=allowed))
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


def catalogue_errors(entry: Entry, catalogue: CatalogueCodes) -> list[ErrorDetail]:
    """An error for each code that the catalogue does not list."""
    found = []
    for noun, code in entry.catalogue_codes().items():
        if catalogue.codes[noun, code] is None:
            listed_at = f"/catalog/v1/{CATALOGUE_LISTS[noun]}"
            meant = catalogue.meant.get((noun, code))
            found.append(unknown_code(f"/{noun}", code, listed_at=listed_at, suggestion=meant))
    return found


def account_of(text: str, accounts: Mapping[str, str]) -> str | None:
    """The code of the bank account that a text names, None for none.

    accounts: their codes, by codes and numbers in small letters, numbers without what separates their digits
    """
    number = "".join(character for character in text if character.isalnum())
    return accounts.get(text.lower()) or accounts.get(number.lower())


def account_errors(entry: Entry, accounts: Mapping[str, str]) -> list[ErrorDetail]:
    """An error for an account that is none of those listed; accounts: as of `account_of`, none where none is listed."""
    if entry.account is None or not accounts or account_of(entry.account, accounts):
        return []
    return [unknown_code("/account", entry.account, listed_at=ACCOUNTS)]


def predecessor_errors(entry: Entry, earlier: RecordedEntry) -> list[ErrorDetail]:
    """An error where the entry to follow is of another kind or contributor, or was reversed."""
    kind = KINDS[entry.kind].follows
    why = (
        f"is a {earlier.kind}, and a {kind} is expected"
        if earlier.kind != kind or earlier.reverses
        else f"is of {earlier.contributor}"
        if earlier.contributor != entry.contributor
        else f"was replaced by {earlier.replaced_by}"
        if earlier.replaced_by
        else f"was reversed by {earlier.reversed_by}"
        if earlier.reversed_by
        else None
    )
    if why:
        return [error_detail(ProblemCode.DOES_NOT_FOLLOW, f"/follows: {earlier.code} {why}", pointer="/follows")]
    return _errors_of_amendment(entry, earlier) if entry.kind == "commitment_amendment" else []


def _errors_of_amendment(amendment: Entry, commitment: Entry) -> list[ErrorDetail]:
    """The errors of an amendment of another currency or rate than its commitment, or of an earlier day."""
    found = []
    if amendment.date < commitment.date:
        detail = f"/date: {amendment.date} is before the commitment, which is of {commitment.date}"
        allowed = [f"from {commitment.date}"]
        found.append(error_detail(ProblemCode.TOO_EARLY, detail, pointer="/date", allowed=allowed))
    if _terms(amendment) != _terms(commitment):
        detail = f"/original: the commitment is in {_terms(commitment)}, and so are its amendments"
        found.append(error_detail(ProblemCode.DOES_NOT_FOLLOW, detail, pointer="/original"))
    return found


def _terms(entry: Entry) -> str:
    """The currency in which an entry is given, and its rate where there is one."""
    original = entry.original
    return f"{original.sum.currency} at {original.rate.normalize():f}" if original else entry.sum.currency


def require_open(day: datetime.date, closed_to: datetime.date | None) -> None:
    """Raise Conflict, with the first open day, for a day up to the end of the last closed period.

    closed_to: that end; None where no period is closed. Earlier days are closed as well, whether a period has them or
    not: an entry there would change the opening balance.
    """
    if closed_to is not None and day <= closed_to:
        raise Conflict(
            f"{day} is closed: the first open day is {closed_to + datetime.timedelta(days=1)}. What was wrong is"
            " corrected by an entry of an open day that names in `corrects` what it corrects.",
            code=ProblemCode.PERIOD_CLOSED,
        )


def require_second_person(entry: Entry, limit: Decimal | None) -> None:
    """Raise Conflict for a transfer above a limit that no second person has approved; limit: None where there is none.

    The limit is the one of the day of the write: by an earlier day nobody gets around it.
    """
    if entry.kind == "transfer" and limit is not None and entry.sum.amount > limit and entry.proposal is None:
        raise Conflict(
            f"A transfer of more than {limit} {CURRENCY} is proposed at {PROPOSALS}, and entered once another person of"
            " the administrative agent approves it.",
            code=ProblemCode.NEEDS_SECOND_PERSON,
        )


def reversal_errors(
    entry: RecordedEntry, day: datetime.date, today: datetime.date, pointer: str = "/date"
) -> list[ErrorDetail]:
    """An error where the day of a reversal is before the entry's own or in the future."""
    if entry.date <= day <= today:
        return []
    code = ProblemCode.IN_THE_FUTURE if day > today else ProblemCode.TOO_EARLY
    detail = f"{pointer}: {day} is not between the entry's own date and today"
    return [error_detail(code, detail, pointer=pointer, allowed=[f"{entry.date} to {today}"])]


def correction_errors(
    wrong: RecordedEntry, right: Entry, reversed_on: datetime.date, resting: Sequence[RecordedEntry]
) -> list[ErrorDetail]:
    """The errors of an entry that takes the place of a wrong one from a day on, on which others rest."""
    found = []
    if right.kind != wrong.kind:
        detail = f"/kind: {wrong.code} is a {wrong.kind}; reverse it, and enter a {right.kind} by itself"
        found.append(error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer="/kind", allowed=[wrong.kind]))
    # On no day do both count.
    if right.date < reversed_on > wrong.date:
        detail = f"/date: {right.date} is before {reversed_on}, until when {wrong.code} counts"
        allowed = [f"from {reversed_on}"]
        found.append(error_detail(ProblemCode.TOO_EARLY, detail, pointer="/date", allowed=allowed))
    for other in resting:
        if other.contributor != right.contributor:
            detail = f"/contributor: {other.code} rests on {wrong.code} and is of {other.contributor}"
            found.append(error_detail(ProblemCode.DOES_NOT_FOLLOW, detail, pointer="/contributor"))
        elif other.kind == "commitment_amendment":
            found += _errors_of_amendment(other, right)
    return found


def contributor_errors(contributor: Contributor) -> list[ErrorDetail]:
    """An error for a Member State without a country's code, for another contributor with one, and for no such code."""
    country = contributor.country
    if country is not None and not is_place(country, "country"):
        return [unknown_code("/country", country, listed_at=COUNTRIES, suggestion=country_meant(country))]
    if (contributor.type == "member_state") == (country is not None):
        return []
    detail = "/country: a Member State has the code of its country, and nobody else has one"
    return [error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer="/country")]


def converted(amount: Decimal, numerator: Decimal, denominator: Decimal) -> Decimal:
    """An amount times a fraction, exactly, rounded to the cent and half a cent away from zero."""
    cents = abs(int(amount * 100) * int(numerator * 100))
    parts = abs(int(denominator * 100))
    found = Decimal((2 * cents + parts) // (2 * parts)).scaleb(-2)
    return found if (amount < 0) == ((numerator < 0) != (denominator < 0)) else -found


def settled(entry: Entry, commitment: Entry) -> Decimal:
    """What a deposit or an amendment settles or changes of a commitment, in the commitment's own currency.

    In another currency it counts by its US dollars at the rate of the commitment.
    """
    own = commitment.promised
    if entry.promised.currency == own.currency:
        return entry.promised.amount
    return converted(entry.sum.amount, own.amount, commitment.sum.amount)


def exchange_difference_of(deposit: RecordedEntry, commitment: Entry) -> Entry | None:
    """The entry of what a deposit is more or less in US dollars than at the rate of its commitment; None for nothing.

    There is none for a commitment in US dollars, and for a deposit in another currency than the commitment's.
    """
    own = commitment.promised
    if own.currency == CURRENCY or deposit.promised.currency != own.currency:
        return None
    difference = deposit.sum.amount - converted(deposit.promised.amount, commitment.sum.amount, own.amount)
    if not difference:
        return None
    return Entry(
        kind="exchange_difference",
        date=deposit.date,
        sum=Sum(amount=difference, currency=CURRENCY),
        contributor=deposit.contributor,
        follows=deposit.code,
        note=f"{deposit.code} at the rate of its own day, less at that of its commitment.",
        recorded_by=deposit.recorded_by,
    )


def fee(deposit: Decimal) -> Decimal:
    """The administrative agent's fee for a deposit, rounded to the cent as merchants do: half a cent away from zero."""
    return (deposit * FEE_PER_CENT / 100).quantize(CENT, ROUND_HALF_UP)


def fee_of(deposit: RecordedEntry) -> Entry | None:
    """The entry of the agent's fee that follows a deposit: the one that was agreed, or the usual one; None for none."""
    agreed = deposit.fee
    amount = agreed.sum.amount if agreed else fee(deposit.sum.amount)
    if not amount:
        return None
    return Entry(
        kind="agent_fee",
        date=deposit.date,
        sum=Sum(amount=amount, currency=deposit.sum.currency),
        follows=deposit.code,
        value_date=deposit.value_date,
        account=deposit.account,
        note=agreed.reason if agreed else f"{FEE_PER_CENT} per cent of {deposit.code}, kept at deposit.",
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
        counterpart_fund=entry.counterpart_fund,
        decision=entry.decision,
        reference=entry.reference,
        note=reason,
        recorded_by=recorded_by,
    )
