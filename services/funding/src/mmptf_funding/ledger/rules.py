"""What the ledger takes: which members a kind of entry has, who writes it, and what an amount has to be; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from mmptf_common.http.identity import Identity
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_funding.access import AGENT, MANAGEMENT_UNIT
from mmptf_funding.ledger.schemas import Kind as KindName

CENT = Decimal("0.01")
# The administrative agent keeps one per cent of each deposit.
FEE_PER_CENT = Decimal(1)

Facts = Mapping[str, Any]
PARTIES = ("contributor", "programme", "organization", "thematic_area", "category", "tranche", "follows", "original")


@dataclass(frozen=True, slots=True)
class Kind:
    """What entries of a kind have, and who writes them.

    needs, takes: members of the parties above that it must and may have; follows: the kind of the entry it may follow
    by_agent, by_fund: whether the administrative agent and the Fund's management unit write it
    by_organization: whether an organization writes its own
    referenced: whether it has to name the decision or document behind it
    """

    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    follows: str | None = None
    by_agent: bool = True
    by_fund: bool = False
    by_organization: bool = False
    referenced: bool = False


KINDS: Mapping[str, Kind] = {
    "pledge": Kind(frozenset({"contributor"}), frozenset({"thematic_area", "original"}), by_fund=True),
    "commitment": Kind(
        frozenset({"contributor"}), frozenset({"thematic_area", "original", "follows"}), follows="pledge"
    ),
    "deposit": Kind(
        frozenset({"contributor"}), frozenset({"thematic_area", "original", "follows"}), follows="commitment"
    ),
    # Decided by the Steering Committee, for which the management unit writes it down.
    "allocation": Kind(frozenset({"programme"}), by_agent=False, by_fund=True, referenced=True),
    "transfer": Kind(frozenset({"programme", "organization"}), frozenset({"tranche"})),
    "expenditure": Kind(frozenset({"programme", "organization", "category"}), by_organization=True),
    "refund": Kind(frozenset({"programme", "organization"}), by_organization=True),
    "agent_fee": Kind(takes=frozenset({"follows"}), follows="deposit"),
    "direct_cost": Kind(referenced=True),
    "bank_charge": Kind(),
    "interest": Kind(),
}
# The cash with the agent: what comes in, and what goes out.
SOURCES: tuple[KindName, ...] = ("deposit", "interest")
USES: tuple[KindName, ...] = ("transfer", "refund", "agent_fee", "direct_cost", "bank_charge")
# What is given back makes the uses smaller.
SIGN = {"refund": -1}
INFLOWS = ("deposit", "interest", "refund")
OUTFLOWS = ("transfer", "agent_fee", "direct_cost", "bank_charge")


def may_write(who: Identity, kind: str, organization: str | None) -> bool:
    """Whether a caller writes entries of a kind, and reverses them."""
    rule = KINDS[kind]
    own = rule.by_organization and organization is not None and organization == who.organization
    return (rule.by_agent and who.has_role(AGENT)) or (rule.by_fund and who.has_role(MANAGEMENT_UNIT)) or own


def writers(kind: str) -> str:
    """Who writes entries of a kind, in words."""
    rule = KINDS[kind]
    found = ["the administrative agent"] if rule.by_agent else []
    found += ["the Fund's management unit"] if rule.by_fund else []
    found += ["the organization itself"] if rule.by_organization else []
    return " or ".join(found)


def errors_of(entry: Facts, today: date) -> list[ErrorDetail]:
    """Everything that is wrong with an entry by itself."""
    kind = KINDS[entry["kind"]]
    found = []
    for name in PARTIES:
        if entry[name] is None and name in kind.needs:
            found.append(error_detail("missing", f"/{name}: a {entry['kind']} needs it", pointer=f"/{name}"))
        elif entry[name] is not None and name not in kind.needs | kind.takes:
            taken = sorted(kind.needs | kind.takes)
            detail = f"/{name}: a {entry['kind']} has none; it takes {', '.join(taken) or 'no party'}"
            found.append(error_detail("not_applicable", detail, pointer=f"/{name}", allowed=taken))
    if kind.referenced and entry["reference"] is None:
        detail = f"/reference: a {entry['kind']} names the decision or document behind it"
        found.append(error_detail("missing", detail, pointer="/reference"))
    if entry["date"] > today.isoformat():
        detail = f"/date: {entry['date']} is not past yet"
        found.append(error_detail("in_the_future", detail, pointer="/date", allowed=[f"up to {today}"]))
    return [*found, *_of_original(entry)]


def _of_original(entry: Facts) -> list[ErrorDetail]:
    original = entry["original"]
    if original is None:
        return []
    found = []
    if original["currency"] == "USD":
        detail = "/original/currency: an amount in US dollars has no other original"
        found.append(error_detail("not_applicable", detail, pointer="/original/currency"))
    expected = Decimal(original["amount"]) * Decimal(original["rate"])
    if abs(expected - Decimal(entry["amount"])) >= CENT:
        detail = (
            f"/amount: {original['amount']} {original['currency']} at {original['rate']} are"
            f" {expected.quantize(CENT, ROUND_HALF_EVEN)} USD, not {entry['amount']}"
        )
        found.append(error_detail("amount_does_not_follow", detail, pointer="/amount"))
    if original["rate_date"] > entry["date"]:
        detail = f"/original/rate_date: {original['rate_date']} is after the entry's own date"
        found.append(error_detail("in_the_future", detail, pointer="/original/rate_date"))
    return found


def fee(deposit: Decimal) -> Decimal:
    """What the administrative agent keeps of a deposit, rounded half to even to the cent."""
    return (deposit * FEE_PER_CENT / 100).quantize(CENT, ROUND_HALF_EVEN)
