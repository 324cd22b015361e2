"""Accounting periods and statements for any days beside the plain model of the books."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

import httpx

from tests.integration.books import Books
from tests.integration.books_commands import ADMIN, AGENT, FUNDING, PERIODS, STATEMENT, Account, Json, Refused
from tests.integration.period_model import AVAILABLE, CAME, CASH, WENT, Counted, Model, check, usd, without_links
from tests.tokens import writing

if TYPE_CHECKING:
    from tests.integration.books_suite import Suite, View

PATH = f"{FUNDING}/periods"
SIGNED = "2026-01-31"
WHY = {"reason": "It was asked for."}
EXPLAINED = {"line": "deposit", "explanation": "A deposit was counted a day later."}
# First and last days of periods.
BORDERS = tuple(chain.from_iterable((start, end) for _, start, end in PERIODS[:4]))
# Every line of the certified figures, with the kinds of entries that it is the sum of.
LINES: Mapping[str, Mapping[str, int]] = {
    "opening_cash": CASH, **{kind: {kind: 1} for kind in CAME}, "total_sources": dict.fromkeys(CAME, 1),
    **{kind: {kind: 1} for kind in WENT}, "total_uses": {kind: -CASH[kind] for kind in WENT}, "closing_cash": CASH,
    **{kind: {kind: 1} for kind in (
        "pledge", "commitment", "commitment_amendment", "exchange_difference", "allocation", "expenditure"
    )},
}  # fmt: skip


def code_of(books: Books, command: Account) -> tuple[str, str, str]:
    """Code, first and last day of the period that a command is about."""
    first = len(books.periods) if command.do == "open" else 0
    return PERIODS[min(first + command.period, len(PERIODS) - 1)]


def account(books: Books, command: Account, figures: Mapping[str, str]) -> None:
    """Carry out a command in the model; raises Refused."""
    if command.who not in (AGENT, ADMIN):
        raise Refused(403, ("forbidden", None))
    code, start, end = code_of(books, command)
    known = {period["code"]: period for period in books.periods}
    if command.do == "open":
        if code in known:
            raise Refused(409, ("code_taken", None))
        if books.periods and date.fromisoformat(books.periods[-1]["end"]) + timedelta(1) != date.fromisoformat(start):
            raise Refused(422, ("period_not_contiguous", "/start"))
        books.periods.append({"code": code, "start": start, "end": end, "status": "open", "figures": {}})
        return
    if command.match is None:
        raise Refused(428)
    if code not in known:
        raise Refused(404)
    if command.match == "stale":
        raise Refused(412)
    period, wrong = known[code], Refused(409, ("transition_not_allowed", None))

    def become(**changes: object) -> None:
        books.periods[books.periods.index(period)] = {**period, **changes}

    earlier = [each for each in books.periods if each["end"] < end]
    later = [each for each in books.periods if each["end"] > end]
    if command.do == "close":
        if period["status"] != "open" or code == "later" or any(each["status"] == "open" for each in earlier):
            raise wrong
        become(status="closed")
    elif command.do == "reopen":
        if period["status"] != "closed" or any(each["status"] != "open" for each in later):
            raise wrong
        become(status="open")
    elif command.do == "certify":
        if period["status"] != "closed":
            raise wrong
        become(status="certified", figures={line: (amount, None) for line, amount in figures.items()})
    else:
        if period["status"] != "certified":
            raise wrong
        if "deposit" not in period["figures"]:
            raise Refused(422, ("unknown_code", "/line"))
        amount, _ = period["figures"]["deposit"]
        become(figures={**period["figures"], "deposit": (amount, EXPLAINED["explanation"])})


def model_of(books: Books, catalogue: Mapping[str, Json]) -> Model:
    """The entries of the books as the model of statements reads them."""
    areas = {code: item["thematic_area"] and item["thematic_area"]["code"] for code, item in catalogue.items()}
    return Model(books.rows, areas)


def computed(model: Model, start: str, end: str) -> dict[str, tuple[Decimal, int]]:
    """What the ledger gives for each line of a period, and of how many entries."""
    found = {}
    for line, signs in LINES.items():
        first, last = (None if line.endswith("_cash") else start), end
        if line == "opening_cash":
            last = str(date.fromisoformat(start) - timedelta(1))
        rows = [row for row in model.rows if row.kind in signs and Model.within(row, first, last)]
        found[line] = sum((signs[row.kind] * row.amount for row in rows), Decimal(0)), len(rows)
    return found


async def send(suite: Suite, command: Account) -> tuple[httpx.Response, Refused | None]:
    """Carry out a command by the service and by the model."""
    code, start, end = code_of(suite.books, command)
    found = computed(model_of(suite.books, {}), start, end)
    # All lines are right or some are wrong, and some documents print a few of them only.
    figures = {
        line: f"{amount + (Decimal(command.off) if n % 3 == 0 else 0):.2f}"
        for n, (line, (amount, _)) in enumerate(found.items())
        if command.off != "-7.00" or n % 2
    }
    certification = {
        "document": {"title": "A statement", "url": "https://example.org/statement.pdf", "sha256": "0f" * 32},
        "signatory": {"name": "A. Signatory", "function": "Executive Coordinator"},
        "date": SIGNED,
        "figures": [{"line": line, "amount": amount, "as_printed": amount} for line, amount in figures.items()],
    }
    ways: dict[str, tuple[str, Json]] = {
        "open": (PATH, {"code": code, "start": start, "end": end}),
        "close": (f"{PATH}/{code}/closing", WHY),
        "reopen": (f"{PATH}/{code}/reopening", WHY),
        "certify": (f"{PATH}/{code}/certification", certification),
        "explain": (f"{PATH}/{code}/explanations", EXPLAINED),
    }
    path, sent = ways[command.do]
    match = None if command.do == "open" else await suite.match_of(f"{PATH}/{code}", command.match)
    answer = await suite.funding.client.post(
        path, json=sent, params={"dry_run": str(command.dry).lower()}, headers=writing(*command.who, match=match)
    )
    try:
        account(suite.books, command, figures)
    except Refused as refused:
        return answer, refused
    return answer, None


async def check_periods(view: View, first: str | None, last: str | None, on: str | None, links: list[Json]) -> None:
    """Compare periods with their certified figures, and the statements between two days or of a period.

    on: the day of the statement of earmarked money; links: the lines with their links are added
    """
    books = view.books
    model = model_of(books, view.catalogue)
    listed = (await view.get(PATH))["items"]
    assert [(item["code"], item["start"], item["end"], item["status"]) for item in listed] == [
        (period["code"], period["start"], period["end"], period["status"]) for period in books.periods
    ]
    lot = view.suite.random
    if books.periods:
        await check_figures(view, model, lot.choice(books.periods))
    if first and last and first > last:
        first, last = last, first
    asked: dict[str, str] = {}
    if books.periods and lot.random() < 0.3:
        period = lot.choice(books.periods)
        first, last, asked = period["start"], period["end"], {"period": period["code"]}
    links += await check(view.get, model, first, last, **asked)
    await check_earmarks(view, model, on, links)


async def check_figures(view: View, model: Model, period: Json) -> None:
    """Compare every line of a period: what is certified, what the ledger gives, and whether that is explained."""
    said = await view.get(f"{PATH}/{period['code']}/figures")
    expected = []
    for line, (amount, rows) in computed(model, period["start"], period["end"]).items():
        certified, explanation = period["figures"].get(line, (None, None))
        difference = None if certified is None else Decimal(certified) - amount
        comparison = (
            "not_certified" if difference is None
            else "equal" if not difference
            else "difference_explained" if explanation else "difference_unexplained"
        )  # fmt: skip
        expected.append(
            {
                "line": line,
                "certified": certified and usd(Decimal(certified)),
                "as_printed": certified,
                "computed": usd(amount),
                "difference": None if difference is None else usd(difference),
                "comparison": comparison,
                "explanation": explanation,
                "rows": rows,
            }
        )
    assert [{name: item[name] for name in item if name != "link"} for item in said["items"]] == expected
    assert said["unexplained"] == sum(item["comparison"] == "difference_unexplained" for item in expected)


async def check_earmarks(view: View, model: Model, on: str | None, links: list[Json]) -> None:
    """Compare the money of each thematic area on a day."""
    said = without_links(await view.get(f"{STATEMENT}/earmarks{f'?on={on}' if on else ''}"), links)
    counted = [row for row in model.rows if (on is None or row.date <= on) and row.kind in AVAILABLE]
    by_area: dict[str, list[Counted]] = {"not_stated": []} if counted else {}
    for row in counted:
        by_area.setdefault(model.area(row), []).append(row)
    spent = {"allocation": 1, "refund": -1}
    came = {kind: sign for kind, sign in AVAILABLE.items() if kind not in spent}
    received = {code: model.sums(rows, came) for code, rows in by_area.items()}
    allocated = {code: model.sums(rows, spent) for code, rows in by_area.items()}
    taken = {c: max(Decimal(0), allocated[c] - received[c]) if c != "not_stated" else Decimal(0) for c in by_area}
    pool = received.get("not_stated", Decimal(0)) - allocated.get("not_stated", Decimal(0)) - sum(taken.values())
    free = {c: pool if c == "not_stated" else max(Decimal(0), received[c] - allocated[c]) for c in by_area}
    assert [
        (i["thematic_area"], i["received"], i["allocated"], i["from_unearmarked"], i["free"], i["uses_other_areas"])
        for i in said["items"]
    ] == [
        (c, usd(received[c]), usd(allocated[c]), usd(taken[c]), usd(free[c]), pool < 0 and taken[c] > 0)
        for c in sorted(by_area, key=lambda code: (code == "not_stated", code))
    ]
    assert said["available_to_allocate"] == usd(sum(free.values(), Decimal(0)))
    assert usd(model.sums(counted, AVAILABLE)) == said["available_to_allocate"]
