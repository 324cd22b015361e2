"""A plain model of requirements: questions, the rows that fulfil them, and checks of the totals that are answered."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import httpx
from hypothesis import strategies as st

from mmptf_common.lists.totals import FilteredTotals, LeftOut, Total, TotalGroup
from mmptf_common.wire.money import Money
from mmptf_common.wire.places import names_of
from tests.conftest import RunningApp, pool_of

Row = dict[str, Any]
Pairs = list[tuple[str, str]]

FUNDING = "/funding/v1"
REQUIREMENTS = f"{FUNDING}/requirements"
TOTALS = f"{FUNDING}/totals"
WAYS = ("region", "place", "country", "area", "topic", "target_population", "status")
# The kinds of which a row may have several terms -> the filter by their number, and the member of a row.
SEVERAL = {"target_population": ("populations_named", "target_populations"), "topic": ("topics_named", "topics")}
NUMBERS = {number: kind for kind, (number, _) in SEVERAL.items()}
LEFT_OUT = {"funded": "funded: the source prints this word", "missing_in_source": "missing in the source"}


def packaged(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files("mmptf_funding") / f"data/MI-2015/{name}.csv").read_text("utf-8").splitlines()))


PACKAGED = packaged("requirements")
TERMS = packaged("vocabulary")
CODES = {
    "edition": ["MI-2015"],
    "country": ["none", *(term["country_code"] for term in TERMS if term["country_code"])],
    "status": ["required", "funded", "missing_in_source"],
    **{
        kind: [term["code"] for term in TERMS if term["kind"] == kind]
        for kind in ("region", "place", "area", "topic", "target_population")
    },
}
MOMENTS = ("2015-01-01", "2015-06-30T12:00:00+02:00", "2199-12-31T23:59:59.999999Z")
FILTERS = (*CODES, *NUMBERS, "amount_min", "amount_max", "updated_since", "q")


def own_values(row: Mapping[str, str]) -> dict[str, list[str]]:
    """The values of filters that find a packaged row."""
    return {
        "edition": [row["edition"]],
        "region": [row["region_code"]],
        "place": [row["place_code"]],
        "country": [row["country_code"] or "none"],
        "area": [row["area_code"]],
        "status": [row["status"]],
        "topic": [topic.partition(":")[0] for topic in row["topics"].split("|")],
        "target_population": row["target_populations"].split("|"),
    }


BOUNDS = ("amount_min", "amount_max")


@st.composite
def questions(draw: st.DrawFn) -> Pairs:
    """Filters as a query string has them; most find a row that was drawn first, so that few answers are empty."""
    row = draw(st.sampled_from(PACKAGED))
    pairs: Pairs = []
    for name in draw(st.lists(st.sampled_from(FILTERS), unique=True, min_size=1, max_size=5)):
        if name in CODES:
            others = draw(st.lists(st.sampled_from(CODES[name]), max_size=4))
            # A value that is there twice means nothing else.
            values = [*others, *(draw(st.sampled_from(own_values(row)[name])) for _ in range(draw(st.integers(0, 2))))]
        elif name in NUMBERS:
            values = [draw(st.sampled_from(["one", "several", "several", "none"]))]
        elif name == "updated_since":
            values = [draw(st.sampled_from(MOMENTS))]
        elif name == "q":
            words = folded(" ".join(row[text] for text in ("place", "region", "area", "purpose")))
            chosen = draw(st.lists(st.sampled_from(words), min_size=1, max_size=2))
            values = [" ".join(word[: draw(st.integers(1, len(word)))] for word in chosen)]
            cased = draw(st.sampled_from([str.upper, str.title, str.lower]))(values[0])
            # In capitals these are operators, and no words of a row.
            values = [re.sub(r"\b(OR|AND|NOT)\b", lambda operator: operator[0].lower(), cased)]
        else:
            figure = draw(st.one_of(st.just(row["amount_usd"] or "0.00"), st.decimals(0, 10**8, places=2).map(str)))
            values = [draw(st.sampled_from([figure, figure.removesuffix(".00"), figure.removesuffix("0")]))]
        pairs += [(name, value) for value in values]
    # A range that is turned round is refused.
    amounts = sorted((value for name, value in pairs if name in BOUNDS), key=Decimal)
    if len(amounts) == len(BOUNDS):
        pairs = [pair for pair in pairs if pair[0] not in BOUNDS] + list(zip(BOUNDS, amounts, strict=True))
    return pairs


ways = st.lists(st.sampled_from(WAYS), min_size=1, max_size=2, unique=True)


def folded(text: str) -> list[str]:
    bare = unicodedata.normalize("NFD", text).casefold()
    return re.findall(r"\w+", "".join(c for c in bare if not unicodedata.combining(c)))


def terms(row: Row, kind: str) -> list[str]:
    """The codes of a row's terms of a kind of which it may have several."""
    return [term["code"] for term in row[SEVERAL[kind][1]]]


def named(row: Row, kind: str) -> str:
    """How many of them it has, as the filter says it."""
    return {0: "none", 1: "one"}.get(len(terms(row, kind)), "several")


def fulfils(row: Row, name: str, values: list[str]) -> bool:
    """Whether a row is found by one filter."""
    if name in SEVERAL:
        return bool(set(terms(row, name)) & set(values))
    if name in NUMBERS:
        return named(row, NUMBERS[name]) == values[0]
    if name == "amount_min":
        return row["sum"] is not None and Decimal(row["sum"]["amount"]) >= Decimal(values[0])
    if name == "amount_max":
        return row["sum"] is not None and Decimal(row["sum"]["amount"]) <= Decimal(values[0])
    if name == "updated_since":
        since = values[0] if "T" in values[0] else f"{values[0]}T00:00:00Z"
        return datetime.fromisoformat(row["updated"]) >= datetime.fromisoformat(since)
    if name == "q":
        headings = (row["place"], row["region"], row["area"])
        spoken = [word for term in headings for word in folded(f"{term['name']} {term['as_printed'] or ''}")]
        spoken += folded(" ".join(names_of(row["place"]["country"] or "none")))
        spoken += folded(" ".join([row["purpose"] or "", *(topic["name"] for topic in row["topics"])]))
        return all(any(word.startswith(start) for word in spoken) for start in folded(values[0]))
    if name in ("edition", "status"):
        return row[name] in values
    return key_of(row, name) in values


def key_of(row: Row, way: str) -> str:
    """The one group that a row is in."""
    if way in SEVERAL:
        return {"none": "none", "several": "shared"}.get(named(row, way)) or terms(row, way)[0]
    if way == "country":
        return row["place"]["country"] or "none"
    return str(row[way] if way == "status" else row[way]["code"])


def plainly(rows: Iterable[Row], pairs: Pairs) -> list[Row]:
    asked: dict[str, list[str]] = {}
    for name, value in pairs:
        asked.setdefault(name, []).append(value)
    return [row for row in rows if all(fulfils(row, name, values) for name, values in asked.items())]


async def all_pages(client: httpx.AsyncClient, link: str | None) -> list[Row]:
    assert link is not None
    rows: list[Row] = []
    path: str | None = link
    while path:
        page = (await client.get(path)).json()
        rows += page["items"]
        path = page["next"]
        assert (len(rows) == page["total"]) == (path is None)
    return rows


async def export(client: httpx.AsyncClient, link: str) -> list[Row]:
    answer = await client.get(httpx.URL(link).copy_add_param("format", "ndjson"))
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def journalled(running: RunningApp) -> int:
    return int(await pool_of(running.app.state.database).fetchval("SELECT max(seq) FROM change"))


def asking(pairs: Pairs, by: list[str]) -> httpx.URL:
    return httpx.URL(f"{TOTALS}?{urlencode([*pairs, *(('by', way) for way in by)])}")


def codes(rows: Iterable[Row]) -> list[str]:
    return sorted(row["code"] for row in rows)


def summed(rows: Iterable[Row]) -> Money | None:
    """What rows add up to, exactly; None if no row has an amount."""
    amounts = [Decimal(row["sum"]["amount"]) for row in rows if row["sum"]]
    return Money(amount=str(sum(amounts)), currency="USD") if amounts else None


async def check_left_out(client: httpx.AsyncClient, found: list[LeftOut], rows: list[Row]) -> None:
    """Check that the rows without an amount are left out, by reason."""
    states = Counter(row["status"] for row in rows if row["sum"] is None)
    assert [part.rows for part in found] == [states[status] for status in LEFT_OUT if states[status]]
    for part, status in zip(found, (status for status in LEFT_OUT if states[status]), strict=True):
        assert LEFT_OUT[status] in part.reason
        assert codes(await all_pages(client, part.link)) == codes(row for row in rows if row["status"] == status)


async def check_sum(client: httpx.AsyncClient, part: Total | TotalGroup, rows: list[Row]) -> None:
    """Check that a sum is that of the rows at its link, in number and amount, and lists what it leaves out."""
    stating = [row for row in rows if row["sum"]]
    # Where nothing is summed, the question itself may ask for nothing but rows that are left out.
    behind = await all_pages(client, part.link) if part.link or stating else []
    assert part.sum == summed(behind) == summed(rows)
    assert part.rows == len(stating)
    assert codes(behind) == codes(stating)
    await check_left_out(client, part.left_out, rows)


async def check_total(client: httpx.AsyncClient, total: Total, by: list[str], rows: list[Row]) -> None:
    """Check that a total and its groups are the sums of the rows at their links, and no row is in two groups."""
    await check_sum(client, total, rows)
    grouped: list[Row] = []
    for group in total.groups:
        assert [key.by for key in group.keys] == by
        members = [row for row in rows if [key_of(row, key.by) for key in group.keys] == [k.value for k in group.keys]]
        assert members
        await check_sum(client, group, members)
        grouped += members
    assert codes(grouped) == codes(rows)
    parts = [Decimal(group.sum.amount) for group in total.groups if group.sum]
    assert (str(sum(parts)) if parts else None) == (total.sum.amount if total.sum else None)


async def check_totals(running: RunningApp, rows: list[Row], pairs: Pairs, by: list[str]) -> FilteredTotals:
    """The totals that are answered, after every figure was compared with its rows; `rows` are all there are."""
    client = running.client
    answer = await client.get(asking(pairs, by))
    assert answer.status_code == 200, answer.text
    totals = FilteredTotals.model_validate(answer.json())
    filtered = plainly(rows, pairs)
    assert totals.revision == await journalled(running)
    assert totals.by == sorted(by)
    assert totals.rows == len(filtered)
    assert codes(await export(client, totals.link)) == codes(filtered)
    await check_left_out(client, totals.left_out, filtered)
    # Editions are not mixed: each is a total of its own.
    assert [total.basis for total in totals.totals] == sorted({row["edition"] for row in filtered})
    for total in totals.totals:
        assert total.stage == "requirement"
        await check_total(client, total, totals.by, [row for row in filtered if row["edition"] == total.basis])
    # The same question in another order, or as the answer spells it, is the same question.
    spelt = httpx.QueryParams(totals.filter).multi_items()
    assert httpx.URL(totals.link).query.decode() == totals.filter
    twice = [pair for pair in pairs if pair[0] in CODES]
    for same in ((pairs[::-1], by[::-1]), (spelt, by), ([*twice, *pairs], by)):
        again = await client.get(asking(*same))
        assert (again.content, again.headers["ETag"]) == (answer.content, answer.headers["ETag"])
    return totals
