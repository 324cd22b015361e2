"""Sequences of random commands to the ledger and the catalogue."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.integration.books_commands import (
    ADMIN,
    AGENT,
    CLOSED,
    DAYS,
    ILO,
    IOM,
    UNIT,
    Command,
    Compare,
    Confirm,
    Correct,
    Enter,
    ImportStatement,
    ListAccount,
    Programme,
    Reverse,
    Who,
    accounting,
    banking,
    closing,
    correcting,
    entering,
    full,
    importing,
    of_programme,
    reversing,
)

LED = (
    Programme("draft", IOM, "TST-01", full(10)),
    Programme("submit", IOM, "TST-01"),
    Enter(
        UNIT, ({"kind": "allocation", "date": DAYS[1], "amount": "30.00", "programme": "ETH-01", "reference": "SC"},)
    ),
    Enter(
        AGENT,
        (
            {
                "kind": "commitment",
                "date": DAYS[1],
                "amount": "50.00",
                "contributor": "DEU",
                "original": "twice",
                "instalments": "halves",
            },
        ),
    ),
    Enter(AGENT, ({"kind": "deposit", "date": DAYS[2], "amount": "40.50", "contributor": "DEU", "follows": 0},)),
    Enter(
        AGENT, ({"kind": "transfer", "date": DAYS[3], "amount": "20.00", "programme": "ETH-01", "organization": "ILO"},)
    ),
    Enter(
        AGENT,
        (
            {
                "kind": "commitment_amendment",
                "date": DAYS[3],
                "amount": "10.00",
                "contributor": "DEU",
                "follows": 0,
                "amendment": "increase",
                "original": "terms",
            },
        ),
    ),
    Enter(
        AGENT,
        (
            {
                "kind": "commitment_amendment",
                "date": DAYS[4],
                "amount": "2.50",
                "contributor": "DEU",
                "follows": 0,
                "amendment": "cancellation",
                "original": "terms",
            },
        ),
    ),
    Enter(
        AGENT,
        (
            {
                "kind": "deposit",
                "date": DAYS[4],
                "amount": "3.30",
                "contributor": "DEU",
                "follows": 0,
                "original": "thrice",
            },
        ),
    ),
    Correct(ADMIN, 1, "same", "same", "amount", "44.00"),
    Reverse(AGENT, 3, DAYS[4]),
    Reverse(AGENT, 3, DAYS[5]),
)


def one(who: Who, kind: str, day: str, amount: str, **members: Any) -> Enter:
    return Enter(who, ({"kind": kind, "date": day, "amount": amount, **members},))


def to_status(status: str) -> Programme:
    return Programme("status", UNIT, CLOSED, {"status": status, "decision": "Meeting 2", "date": "today"})


# A programme is carried out to its end, and a bank has booked some of the money.
CARRIED_OUT = (
    *(Programme("draft", IOM, CLOSED, full(25)), Programme("submit", IOM, CLOSED)),
    *map(to_status, ("pipeline", "approved", "implementation")),
    ListAccount(AGENT, 0),
    one(AGENT, "opening_balance", DAYS[0], "500.00", account="USD-1", reference="Statement 12"),
    one(AGENT, "deposit", DAYS[1], "250.00", contributor="USA", bank_reference="INV-1"),
    one(UNIT, "allocation", DAYS[1], "100.00", programme=CLOSED, organization="IOM", reference="SC-1"),
    one(UNIT, "allocation", DAYS[1], "50.00", programme=CLOSED, reference="SC-1"),
    one(AGENT, "transfer", DAYS[2], "100.00", programme=CLOSED, organization="IOM", bank_reference="INV-2"),
    one(AGENT, "transfer", DAYS[3], "50.00", programme=CLOSED, organization="ILO"),
    one(IOM, "expenditure", DAYS[4], "90.00", programme=CLOSED, organization="IOM", category="staff_and_personnel"),
    one(ILO, "expenditure", DAYS[4], "50.00", programme=CLOSED, organization="ILO", category="travel"),
    ImportStatement(AGENT, 0, 1, (("ledger", 1, 58), ("ledger", 2, 58), ("other", 5, 3)), "camt", "none"),
    Confirm(AGENT, 0, ()),
    to_status("operationally_closed"),
)


class Commands(list[Command]):
    """Commands of which each is told as it is carried out, and not all of them with what failed."""

    def __repr__(self) -> str:
        return f"{len(self)} commands"


def sequences(least: int, most: int) -> st.SearchStrategy[Commands]:
    """Sequences of commands, of which the first make that money is there and a programme is on its way, or nothing."""
    command = st.one_of(
        *(entering(), entering(), entering(), entering(), entering(), reversing, correcting, correcting),
        *(of_programme(), of_programme(), accounting, closing, importing, banking, banking, st.just(Compare())),
    )
    first = st.sampled_from([LED, LED, CARRIED_OUT, CARRIED_OUT, ()])
    then = st.lists(command, min_size=least, max_size=most)
    return st.tuples(first, then).map(lambda parts: Commands([*parts[0], *parts[1]]))
