"""`q` on every list that has it: each answer compared with the rows themselves, word by word."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest

from mmptf_catalog.programmes.queries import PROGRAMMES as PROGRAMMES_LISTING
from mmptf_common.http.search import Term, parse_search
from mmptf_common.lists.listing import Arguments, Listing
from mmptf_common.lists.pages import page_statement
from mmptf_common.lists.search import rarest_of
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_common.wire.base import words_of
from mmptf_common.wire.places import names_of
from mmptf_funding.editions.queries import REQUIREMENTS as REQUIREMENTS_LISTING
from tests.conftest import RunningApp
from tests.integration.programmes_client import AGENCY, DRAFTS, drafted
from tests.tokens import bearer

Row = dict[str, Any]
PROGRAMMES, PLACES = "/catalog/v1/programmes", "/catalog/v1/places"
FUNDING = "/funding/v1"


def named(*codes: str | None) -> list[str]:
    return [name for code in codes if code for name in names_of(code)]


# Path -> the texts of a row that `q` searches.
TEXTS: dict[str, Callable[[Row], list[str]]] = {
    PROGRAMMES: lambda row: [
        row["title"] or "",
        row["summary"],
        *(entry["name"] for name in ("partners", "localities") for entry in row[name]),
        *(text for entry in row["components"] for text in (entry["name"], entry["text"]) if text),
        *named(*(p["code"] for p in row["places"])),
    ],
    PLACES: lambda row: [row["name"], *named(row["code"])],
    f"{FUNDING}/requirements": lambda row: [
        *(row[term][name] or "" for term in ("place", "region", "area") for name in ("name", "as_printed")
          if name in row[term]),
        *named(row["place"]["country"]),
        row["purpose"],
        *(topic["name"] for topic in row["topics"]),
    ],
    f"{FUNDING}/initiatives": lambda row: [row["name"], row["section"], row["buys"] or ""],
    f"{FUNDING}/editions/MI-2015/frameworks": lambda row: [
        row["title"], *(text for item in row["items"] for text in (item["title"], item["text"]) if text)
    ],
    f"{FUNDING}/editions/MI-2015/framework-items": lambda row: [row["title"] or "", row["text"] or ""],
    f"{FUNDING}/editions/MI-2015/groups": lambda row: [row["name"], row["abbreviation"] or ""],
    f"{FUNDING}/editions/MI-2015/acronyms": lambda row: [row["acronym"], row["expansion"]],
    f"{FUNDING}/editions/MI-2015/partners": lambda row: [row["as_printed"], row["name"], *named(row["country"])],
    f"{FUNDING}/editions/MI-2015/figures": lambda row: [row["subject"], row["place"] or "", *named(*row["countries"])],
}  # fmt: skip


def has(texts: list[str], term: Term) -> bool:
    spoken = [words_of(text) for text in texts]
    if term.phrase:
        return any(f" {' '.join(term.words)} " in f" {' '.join(each)} " for each in spoken)
    return all(any(word.startswith(start) for each in spoken for word in each) for start in term.words)


def is_found(texts: list[str], q: str) -> bool:
    asked = parse_search(q)
    return all(any(has(texts, term) for term in group) for group in asked.groups) and not any(
        has(texts, term) for term in asked.excluded
    )


def searches(texts: list[list[str]], seed: int) -> list[str]:
    """Searches with words that stand in the rows, most of which find some of them."""
    dice = random.Random(seed)  # no secret

    def term() -> str:
        spoken = [word for text in dice.choice(texts) for word in words_of(text)] or ["none"]
        first = dice.randrange(len(spoken))
        few = spoken[first : first + dice.randint(1, 3)]
        return dice.choice([spoken[first], few[0][: dice.randint(1, 9)], f'"{" ".join(few)}"', "-".join(few)])

    def search() -> str:
        kinds = [term(), f"{term()} {term()}", f"{term()} OR {term()}", f"{term()} -{term()}"]
        return dice.choice([*kinds, f"{term()} {term()} OR {term()} -{term()}"])

    return [search().replace(" or ", " ") for _ in range(60)]


async def rows_of(client: httpx.AsyncClient, path: str) -> list[Row]:
    found: list[Row] = (await client.get(f"{path}?limit=1000")).json()["items"]
    return found


async def analyze(running: RunningApp) -> None:
    """Make the statistics that PostgreSQL makes of a table once enough was written."""
    connection = await asyncpg.connect(running.database_url)
    await connection.execute("ANALYZE")
    await connection.close()


@pytest.fixture(scope="module")
async def analyzed(apps: dict[str, RunningApp]) -> None:
    """Words that few rows have are known, so that the index is not asked for the others beside them."""
    for name in ("catalog", "funding"):
        await analyze(apps[name])


@pytest.mark.parametrize("path", TEXTS)
async def test_a_search_finds_the_rows_that_it_asks_for(
    analyzed: None, catalog: httpx.AsyncClient, funding: httpx.AsyncClient, path: str
) -> None:
    client = catalog if path.startswith("/catalog") else funding
    rows = await rows_of(client, path)
    texts = {row["code"]: TEXTS[path](row) for row in rows}
    nonempty = 0
    for q in searches([*texts.values()], len(path)):
        answer = await client.get(f"{path}?{urlencode({'q': q, 'limit': 1000})}")
        assert answer.status_code == 200, (q, answer.text)
        found = {row["code"] for row in answer.json()["items"]}
        assert found == {code for code, each in texts.items() if is_found(each, q)}, q
        nonempty += bool(found)
    assert nonempty > 20


async def test_a_minus_leaves_out_and_or_adds(catalog: httpx.AsyncClient) -> None:
    async def codes(q: str) -> set[str]:
        return {row["code"] for row in (await catalog.get(PROGRAMMES, params={"q": q})).json()["items"]}

    people, young = await codes("people"), await codes("young")
    assert people & young and people - young
    assert await codes("people -young") == people - young
    assert await codes("people OR young") == people | young
    assert await codes("people or young") == people & young & await codes("or")
    assert await codes('"people people"') == set()
    assert await codes('"people"') == people


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("Türkiye", "TUR"), ("turkiye", "TUR"), ("turkey", "TUR"), ("north macedonia", "MKD"), ("macedonia", "MKD"),
        ('"north macedonia"', "MKD"), ("moldova", "MDA"), ("Republic of Moldova", "MDA"), ("gambia", "GMB"),
        ("kosovo", "XKX"), ('"trinidad and tobago"', "TTO"),
    ],
)  # fmt: skip
async def test_a_programme_is_found_by_all_names_of_its_places(
    catalog: httpx.AsyncClient, client: httpx.AsyncClient, asked: str, code: str
) -> None:
    there = {row["code"] for row in (await catalog.get(PROGRAMMES, params={"country": code})).json()["items"]}
    query = {"q": asked, "limit": 1000}
    found = {row["code"] for row in (await catalog.get(PROGRAMMES, params=query)).json()["items"]}
    assert there and there <= found
    facets = (await catalog.get(f"{PROGRAMMES}/facets", params={"q": asked})).json()
    assert facets["total"] == len(found)
    totals = (await catalog.get(f"{PROGRAMMES}/totals", params={"q": asked, "by": "stage"})).json()
    assert totals["rows"] == len(found)
    exported = (await catalog.get(PROGRAMMES, params={"q": asked, "format": "csv"})).text
    assert {line.partition(",")[0] for line in exported.splitlines()[1:]} == found
    draft = await drafted(client, places=[{"code": code, "share": "100.00"}])
    mine = (await client.get(DRAFTS, params=query, headers=bearer(*AGENCY))).json()["items"]
    assert draft.json()["code"] in {each["code"] for each in mine}
    without = f"a -{asked if asked.startswith(chr(34)) else asked.split()[0]}"
    none = (await client.get(DRAFTS, params={"q": without, "limit": 1000}, headers=bearer(*AGENCY))).json()
    assert draft.json()["code"] not in {each["code"] for each in none["items"]}


async def test_phrases_are_compared_without_case_and_accents_in_every_script(client: httpx.AsyncClient) -> None:
    for title, phrase in (
        ("Protección de los Niños", '"proteccion de los ninos"'), ("Große Straßen der Stadt", '"GROSSE STRASSEN"'),
        ("Поддержка Мигрантов в городе", '"поддержка мигрантов"'), ("Προστασία Μεταναστών", '"προστασια μεταναστων"'),
        ("حقوق الإنسان للمهاجرين", '"حقوق الانسان"'), ("मानव अधिकार योजना", '"मानव अधिकार"'),
        ("Youth—Employment; ﬁnance", '"youth employment finance"'), ("İstanbul Şehri", '"istanbul sehri"'),
    ):  # fmt: skip
        draft = await drafted(client, title=title)
        answer = await client.get(DRAFTS, params={"q": phrase}, headers=bearer(*AGENCY))
        assert [each["code"] for each in answer.json()["items"]] == [draft.json()["code"]], phrase
        turned = '"' + " ".join(phrase.strip('"').split()[::-1]) + '"'
        answer = await client.get(DRAFTS, params={"q": turned}, headers=bearer(*AGENCY))
        assert answer.json()["total"] == 0, turned


async def test_a_phrase_does_not_reach_from_one_text_to_another(client: httpx.AsyncClient) -> None:
    draft = await drafted(client, title="Zebra crossing", summary="Yonder begins the summary.")
    both = await client.get(DRAFTS, params={"q": "crossing yonder"}, headers=bearer(*AGENCY))
    assert [each["code"] for each in both.json()["items"]] == [draft.json()["code"]]
    across = await client.get(DRAFTS, params={"q": '"crossing yonder"'}, headers=bearer(*AGENCY))
    assert across.json()["total"] == 0


@pytest.mark.parametrize(
    ("words", "phrases", "rarest"),
    [
        (["migrants", "unheard"], [], "'unheard':*"),
        (["m", "unheard"], [], "'unheard':*"),
        (["migrants"], ["unheard"], "'unheard'"),
        (["unheard", "unspoken"], ["migrants"], "'unheard':* & 'unspoken':*"),
        (["migrants", "health"], [], "'health':* & 'migrants':*"),
        (["migrants"], ["health"], "'health' & 'migrants':*"),
    ],
)  # fmt: skip
async def test_the_index_is_asked_for_the_rarest_words(
    two_editions: RunningApp, words: list[str], phrases: list[str], rarest: str
) -> None:
    arguments = Arguments()
    sql = rarest_of("requirement", words, phrases, arguments)
    await analyze(two_editions)
    async with reading(two_editions.app.state.database, ReadKind.PAGE) as connection:
        found = await connection.fetchval(f"SELECT {sql}::text", *arguments)
    assert set(found.split(" & ")) == set(rarest.split(" & "))


async def test_the_index_is_asked_for_all_words_of_a_table_without_statistics(two_editions: RunningApp) -> None:
    arguments = Arguments()
    sql = rarest_of("no_such_table", ["migrants", "unheard"], [], arguments)
    async with reading(two_editions.app.state.database, ReadKind.PAGE) as connection:
        found = await connection.fetchval(f"SELECT {sql}::text", *arguments)
    assert set(found.split(" & ")) == {"'migrants':*", "'unheard':*"}


async def plan_of(running: RunningApp, listing: Listing, q: str) -> str:
    """The plan of a page of a search, where the planner takes an index if it can; the packaged rows are few."""
    page = page_statement(listing, listing.query.model_validate({"q": q, "limit": "5"}))
    async with reading(running.app.state.database, ReadKind.PAGE) as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {page.sql}", *page.values))


@pytest.mark.parametrize(
    "q", ["health", '"health promotion"', 'health -"health promotion"', '"a b" OR health', "health migrants"]
)
async def test_a_search_of_requirements_reads_the_index_of_words(two_editions: RunningApp, q: str) -> None:
    assert "requirement_words" in await plan_of(two_editions, REQUIREMENTS_LISTING, q)


@pytest.mark.parametrize("q", ["health", "macedonia", '"north macedonia"', "macedonia OR health", "health -macedonia"])
async def test_a_search_of_programmes_reads_indexes_of_words_and_places(catalog_service: RunningApp, q: str) -> None:
    plan = await plan_of(catalog_service, PROGRAMMES_LISTING, q)
    assert "Bitmap Index Scan on programme_words" in plan, plan
    assert ("Bitmap Index Scan on programme_countries" in plan) == ("macedonia" in q.replace("-macedonia", "")), plan
