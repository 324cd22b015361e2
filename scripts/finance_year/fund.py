"""The invented fund: who gives to it, which programmes it pays for, and at which rates it counts in US dollars."""

from __future__ import annotations

import calendar
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

YEAR = 2024
CENT = Decimal("0.01")
MAIN, COSTS = "XF-MAIN", "XF-COSTS"
OPENING = {MAIN: Decimal("3000000.00"), COSTS: Decimal("500000.00")}
# IBANs of no bank: their check digits are right, and the rest is a count.
NUMBERS = {MAIN: "CH0900000000000000001", COSTS: "CH7900000000000000002"}


def draw(label: str, low: int, high: int) -> int:
    """A number from low to high that is always the same for a label, on every machine and version of Python."""
    return low + int.from_bytes(hashlib.sha256(label.encode()).digest()[:6], "big") % (high - low + 1)


def workday(day: date) -> date:
    """The day, or the Monday after it."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def month_end(month: int) -> date:
    """The last day of a month of the year."""
    return date(YEAR, month, calendar.monthrange(YEAR, month)[1])


def dollars(amount: Decimal, rate: Decimal) -> Decimal:
    """An amount in another currency in US dollars."""
    return (amount * rate).quantize(CENT, ROUND_HALF_EVEN)


def fee(deposit: Decimal) -> Decimal:
    """The agent's fee of 1 % of a deposit."""
    return (deposit / 100).quantize(CENT, ROUND_HALF_UP)


# --- rates ----------------------------------------------------------------------------------------------------------

# The rate in January as a count of 1/10,000 US dollars, and the most by which it changes in a month.
_JANUARY = {"EUR": (11_000, 150), "GBP": (13_000, 180), "SEK": (1_000, 20), "CHF": (12_000, 160)}
RATE_SOURCE = "Made-up monthly rates"


def rates() -> dict[tuple[str, int], Decimal]:
    """US dollars for one unit of a currency in each month of the year."""
    found = {}
    for currency, (first, most) in _JANUARY.items():
        count = first
        for month in range(1, 13):
            found[currency, month] = Decimal(count).scaleb(-4)
            count += draw(f"rate {currency} {month}", -most, most) or 1
    return found


RATES = rates()


# --- contributors ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contributor:
    """Who gives: the currency, the thousands of it that are promised, and the area to which they are restricted."""

    number: int
    currency: str
    thousands: int
    area: str | None = None

    @property
    def code(self) -> str:
        return f"XC-{self.number:02d}"

    @property
    def name(self) -> str:
        return f"Made-up contributor {self.number}"

    @property
    def type(self) -> str:
        return "foundation" if self.number % 3 == 0 else "non_governmental_organization"


_PROMISED = {"USD": 2_400, "EUR": 2_100, "GBP": 1_800, "SEK": 24_000, "CHF": 1_900}
_CURRENCIES = ("USD", "EUR", "USD", "GBP", "EUR", "SEK", "USD", "CHF", "EUR", "GBP", "SEK", "USD")
_AREAS = {3: "2", 5: "4", 8: "5"}
CONTRIBUTORS = [
    Contributor(n, currency, _PROMISED[currency] + 10 * draw(f"promised {n}", 1, 30), _AREAS.get(n))
    for n, currency in enumerate(_CURRENCIES, start=1)
]


# --- programmes and organizations -----------------------------------------------------------------------------------

ORGANIZATIONS = [f"XO-{n:02d}" for n in range(1, 24)]


def organization_name(code: str) -> str:
    """The name of an organization."""
    return f"Made-up organization {int(code[3:])}"


@dataclass(frozen=True)
class Programme:
    """A programme, who takes part in it, and how it went."""

    number: int

    @property
    def code(self) -> str:
        return f"XP-{self.number:02d}"

    @property
    def organizations(self) -> list[str]:
        places = [self.number, self.number + 8] + ([self.number + 15] if self.number % 3 == 0 else [])
        return [ORGANIZATIONS[(place - 1) % len(ORGANIZATIONS)] for place in places]

    @property
    def is_late(self) -> bool:
        """Whether it was approved within the year."""
        return self.number > 18

    @property
    def is_suspended(self) -> bool:
        return self.number == 5

    @property
    def has_ended(self) -> bool:
        return self.number in (7, 12)

    @property
    def approved(self) -> date:
        return date(YEAR, 5, 28) if self.is_late else date(YEAR - 1, 11, 15)

    @property
    def decision(self) -> str:
        return f"Steering Committee of {self.approved:%B %Y}"

    @property
    def begins(self) -> date:
        return date(YEAR, 7, 1) if self.is_late else date(YEAR, 1, 15)

    def allocated(self, organization: str) -> Decimal:
        """What is approved for an organization."""
        return Decimal(1000 * draw(f"allocated {self.code} {organization}", 300, 600))

    def budget(self) -> Decimal:
        allocated = sum((self.allocated(code) for code in self.organizations), Decimal(0))
        return allocated + 50_000

    def statuses(self) -> dict[str, str]:
        """The cells of the catalogue's template with the days of each status."""
        found = {
            "concept_note": f"{YEAR - 2}-{1 + self.number % 9:02d}-10",
            "pipeline": f"{YEAR - 1}-0{1 + self.number % 6}-20",
            "approved": f"{self.approved} {self.decision}",
            "implementation": f"{self.begins}",
        }
        if self.is_suspended:
            found["suspended"] = f"{YEAR}-06-10"
            found["implementation"] += f"|{YEAR}-09-02"
        if self.has_ended:
            found["operationally_closed"] = f"{YEAR}-10-31"
        return found


PROGRAMMES = [Programme(n) for n in range(1, 22)]


def participations() -> Iterator[tuple[Programme, str]]:
    """Each programme with each of its organizations."""
    for programme in PROGRAMMES:
        for organization in programme.organizations:
            yield programme, organization
