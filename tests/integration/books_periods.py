"""Accounting periods and statements for any days beside the plain model of the books."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx

from tests.integration.books import Books, Refused
from tests.integration.books_commands import ADMIN, AGENT, CATALOG, DAYS, FUNDING, PERIODS, STATEMENT, Account, Json
from tests.integration.period_model import AVAILABLE, CASH, Model, check, usd, walk, without_links
from tests.tokens import bearer, writing

if TYPE_CHECKING:
    from tests.integration.books_suite import Suite

PATH = f"{FUNDING}/periods"
SIGNED = "2026-01-31"
WHY = {"reason": "It was asked for."}
EXPLAINED = {"line": "deposit", "explanation": "A deposit was counted a day later."}
# First days of months and others, with and without a limit.
SPANS = (
    (None, None), ("2024-02-29", "2024-02-29"), ("2024-01-01", "2024-12-31"), ("2024-03-01", None),
    (None, "2024-02-28"), ("2024-02-29", "2025-12-30"), ("2023-12-31", "2024-02-28"),
)  # fmt: skip


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
    earlier = [each for each in books.periods if each["end"] < end]
    later = [each for each in books.periods if each["end"] > end]
    if command.do == "close":
        if period["status"] != "open" or code == "later" or any(each["status"] == "open" for each in earlier):
            raise wrong
        period["status"] = "closed"
    elif command.do == "reopen":
        if period["status"] != "closed" or any(each["status"] != "open" for each in later):
            raise wrong
        period["status"] = "open"
    elif command.do == "certify":
        if period["status"] != "closed":
            raise wrong
        period["status"] = "certified"
        period["figures"] = {line: (amount, None) for line, amount in figures.items()}
    else:
        if period["status"] != "certified":
            raise wrong
        period["figures"]["deposit"] = (period["figures"]["deposit"][0], EXPLAINED["explanation"])


def model_of(books: Books, areas: Mapping[str, str | None]) -> Model:
    """The entries of the books as the model of statements reads them."""
    names = ("code", "kind", "date", "contributor", "programme", "organization", "thematic_area", "follows")
    rows = [{**{name: getattr(r, name) for name in names}, "sum": usd(r.amount)} for r in books.rows]
    return Model(rows, areas)


async def areas_of(suite: Suite) -> dict[str, str | None]:
    """The thematic area of each programme of the catalogue."""
    listed = await suite.get(suite.catalog, f"{CATALOG}/programmes?limit=1000")
    return {item["code"]: item["thematic_area"] and item["thematic_area"]["code"] for item in listed["items"]}


def computed(model: Model, period: Json) -> dict[str, Decimal]:
    """What the ledger gives for two lines of a period."""
    start, end = period["start"], period["end"]
    deposits = model.line(model.rows, "deposit", start, end)["sum"]["amount"]
    cash = model.balance(model.rows, CASH, start, end)["closing"]["amount"]
    return {"deposit": Decimal(deposits), "closing_cash": Decimal(cash)}


async def send(suite: Suite, command: Account) -> tuple[httpx.Response, Refused | None]:
    """Carry out a command by the service and by the model."""
    code, start, end = code_of(suite.books, command)
    found = computed(model_of(suite.books, await areas_of(suite)), {"start": start, "end": end})
    figures = {line: f"{amount + Decimal(command.off):.2f}" for line, amount in found.items()}
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
    match = None if command.do == "open" else command.match
    if match == "present":
        known = await suite.funding.client.get(f"{PATH}/{code}", headers=bearer("admin"))
        match = known.headers.get("etag", "*")
    elif match == "stale":
        match = '"1-000000000000000000"'
    answer = await suite.funding.client.post(
        path, json=sent, params={"dry_run": str(command.dry).lower()}, headers=writing(*command.who, match=match)
    )
    try:
        account(suite.books, command, figures)
    except Refused as refused:
        return answer, refused
    return answer, None


async def check_periods(suite: Suite) -> None:
    """Compare the periods, their certified figures, and after every other command the statements for some days."""
    books = suite.books
    model = model_of(books, await areas_of(suite))
    listed = (await suite.get(suite.funding, PATH))["items"]
    assert [(item["code"], item["start"], item["end"], item["status"]) for item in listed] == [
        (period["code"], period["start"], period["end"], period["status"]) for period in books.periods
    ]
    for period in books.periods[suite.steps % 3 :: 3]:
        said = await suite.get(suite.funding, f"{PATH}/{period['code']}/figures")
        for line, amount in computed(model, period).items():
            (item,) = [item for item in said["items"] if item["line"] == line]
            assert item["computed"] == usd(amount)
            certified, explanation = period["figures"].get(line, (None, None))
            assert (item["certified"] and item["certified"]["amount"], item["explanation"]) == (certified, explanation)
            if certified is not None:
                # Nothing changes a closed period.
                assert item["difference"] == usd(Decimal(certified) - amount)
    if suite.steps % 2:
        return
    start, end = SPANS[suite.steps // 2 % len(SPANS)]
    links = await check(lambda path: suite.get(suite.funding, path), model, start, end)
    await check_earmarks(suite, model, DAYS[suite.steps % len(DAYS)], links)
    if suite.steps % 14 == 0:
        await walk(lambda path: suite.get(suite.funding, path), links)


async def check_earmarks(suite: Suite, model: Model, on: str, links: list[Json]) -> None:
    """Compare the money of each thematic area on a day."""
    said = without_links(await suite.get(suite.funding, f"{STATEMENT}/earmarks?on={on}"), links)
    counted = [row for row in model.rows if row["date"] <= on and row["kind"] in AVAILABLE]
    by_area: dict[str, list[Json]] = {"not_stated": []} if counted else {}
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
