"""Scores of the library beside bare arithmetic, and the indicator over many programmes beside that over few."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from fractions import Fraction
from functools import partial
from statistics import median
from typing import Any, get_args

import httpx
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from bench import report
from bench.figures import Figure, Outcome
from bench.scale import Scale
from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage import migrations
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_local.cache import running_cache
from mmptf_local.postgres import running_postgres
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from mmptf_local.state import temporary_state
from mmptf_markers.app import SERVICE
from mmptf_markers.engine.rubric import AssessmentStage, Rubric, criteria_at
from mmptf_markers.engine.scoring import score
from mmptf_markers.indicator.schemas import IndicatorDivision
from mmptf_markers.seed import packaged_rubrics

FEW, MANY = 1_000, 100_000
STAGE: AssessmentStage = "programme_document"
PATH = "/markers/v1/indicator"
REPORT = "/markers/v1/report"
DIVISIONS: tuple[str, ...] = get_args(IndicatorDivision.__value__)
# The same request from the cache, again from the cache (A/A) and computed again; the others are without stored counts.
ASKED = {
    "kept": PATH,
    "again": PATH,
    "anew": PATH,
    **{f"by {division}": f"{PATH}?by={division}" for division in DIVISIONS},
    "past": f"{PATH}?as_of={{past}}",
    **{f"past by {division}": f"{PATH}?by={division}&as_of={{past}}" for division in ("country", "region")},
    "country by organization": f"{PATH}?by=organization&country=C01",
    "report": REPORT,
}
CACHED = ("kept", "again")
# What is requested in turns, so that a slower machine slows all of them.
ALONE = [how for how in ASKED if how not in ("kept", "again", "anew")]
TOGETHER = (("kept", "again", "anew"), *((how,) for how in ALONE))

# What is measured, over how many programmes; and the milliseconds of each, one median for each round.
Which = tuple[str, int]
Times = dict[Which, list[float]]

# So many countries and organizations, of few programmes and of many.
COUNTRIES, ORGANIZATIONS = 90, 40
CRITERIA = ",".join(criterion.code for criterion in criteria_at(next(packaged_rubrics()), STAGE))
_MADE_UP = (
    # In 5 regions, 15 subregions and, a third of them, 10 intermediate regions.
    """INSERT INTO place (code, kind, regions, updated, record)
       SELECT code, 'country', array_remove(ARRAY[region, subregion, intermediate], NULL), now(),
              json_build_object('code', code, 'kind', 'country', 'name', code, 'region', region,
                                'subregion', subregion, 'intermediate_region', intermediate)
         FROM (SELECT 'C' || lpad(n::text, 2, '0') AS code, 'R' || n % 5 AS region, 'S' || n % 15 AS subregion,
                      CASE WHEN n % 3 = 0 THEN 'I' || n % 10 END AS intermediate
                 FROM generate_series(0, {countries} - 1) AS n) AS places""",
    # A fifth are in two countries, and half of these state their shares; all have two organizations, and half of the
    # programmes budget lines of both.
    """INSERT INTO programme (code, stage, thematic_area, organizations, countries, amount, currency, budget_stage,
                              updated, record)
       SELECT 'MADEUP-' || n, CASE WHEN n % 10 = 0 THEN 'pipeline' ELSE 'funded' END, (1 + n % 5)::text,
              organizations, countries, 1000000 + n, 'USD', 'programme_budget', now(),
              json_build_object(
                'code', 'MADEUP-' || n, 'title', 'Made-up programme ' || n, 'partly_stated', '[]'::json,
                'organizations', (SELECT json_agg(json_build_object('code', o, 'name', o))
                                    FROM unnest(organizations) AS o),
                'places', (SELECT json_agg(json_build_object(
                             'code', c, 'name', c, 'share', CASE WHEN n % 2 = 0 THEN 100.00 / cardinality(countries) END
                             )) FROM unnest(countries) AS c),
                'budget_by_organization', CASE WHEN n % 4 < 2 THEN json_build_object(
                             organizations[1], 600000, organizations[2], 400000 + n) ELSE '{{}}' END)
         FROM (SELECT n, ARRAY['ORG-' || lpad((n % {organizations})::text, 2, '0'),
                               'ORG-' || lpad(((n + 1 + n / 7 % 5) % {organizations})::text, 2, '0')] AS organizations,
                      CASE WHEN n % 5 = 4 THEN ARRAY[first, second] ELSE ARRAY[first] END AS countries
                 FROM (SELECT n, 'C' || lpad((n * 7 % {countries})::text, 2, '0') AS first,
                              'C' || lpad(((n * 7 + 5) % {countries})::text, 2, '0') AS second
                         FROM generate_series(1, {number}) AS n) AS places) AS made""",
    f"""INSERT INTO assessment (code, programme, marker, stage, version, organization, rubric, status, grade, updated,
                               record)
       SELECT 'A-' || n, 'MADEUP-' || n, 'human_rights', '{STAGE}', 1, 'IOM', 'hr-marker-illustrative.1',
              CASE WHEN n % 20 = 0 THEN 'submitted' ELSE 'accepted' END, substr('ABBBBBC', 1 + n % 7, 1), now(),
              json_build_object('code', 'A-' || n, 'basis', 'reviewed', 'submitted', '2024-06-30',
                                'organization', 'IOM', 'derived', json_build_object('grade', 'B'),
                                'answers', (SELECT json_object_agg(criterion, json_build_object(
                                    'answer', (n + place) % 4, 'justification', repeat('x', 80), 'evidence', '[]'::json,
                                    'actions', CASE n % 3 WHEN 0 THEN json_build_array(json_build_object(
                                        'due', '2025-01-31', 'done', NULL)) ELSE '[]' END))
                                  FROM unnest('{{{{{CRITERIA}}}}}'::text[]) WITH ORDINALITY AS asked(criterion, place)),
                                'due_diligence', json_build_array(json_build_object('due', '2025-01-31')))
         FROM generate_series(1, {{number}}) AS n""",
)
# Another grade for one programme each time.
_ACCEPTED = """UPDATE assessment SET grade = CASE grade WHEN 'A' THEN 'B' ELSE 'A' END,
                      record = (record::jsonb || jsonb_build_object('at', clock_timestamp()))::json
                WHERE code = 'A-7'"""


NOTES = """
- `score` checks 1,000 different sets of answers under the packaged rubric, explains each criterion by criterion, and
  finds the fewest changes to every better grade; the grade alone is the minimum of computation, as exact fractions, of
  which nothing is checked or explained.
- The indicator is requested in turns, one request each, in a random order for every turn.
- By every division, and as of the revision before the last write, the answer is read from stored counts. With a filter
  by country it reads the programmes, as the report does, which reads all answers behind the grades, ten of each.
"""


def compare(scale: Scale, progress: Callable[[str], None]) -> Outcome:
    """Scores beside plain arithmetic, and the indicator over many programmes beside that over few."""
    scores = _scoring(scale.rounds, scale.seconds)
    progress("markers: scores are measured")
    times = _indicator(scale.rounds, scale.seconds, progress)
    ratios = {how: _ratio(times[how, MANY], times[how, FEW]) for how in (*ASKED, "write") if how != "again"}
    again = _ratio(times["again", FEW], times["kept", FEW])
    found = {
        "scores_per_second": {name: report.spread(values) for name, values in scores.items()},
        "score_to_arithmetic": _ratio(scores["score"], scores["arithmetic"]),
        "many_to_few": ratios,
        "again": again,
        "milliseconds": {f"{how} {number}": report.spread(values) for (how, number), values in times.items()},
    }
    # The one that grows most.
    stored = ("kept", "anew", *(how for how in ratios if how.startswith(("by ", "past"))))
    indicator = Figure.of("indicator-growth", max(ratios[how] for how in stored))
    text = f"{_table(found)}\n\n{NOTES.strip()}"
    return Outcome("markers", "The marker", text, [indicator], [again[0]], details=found)


def _ratio(ours: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """The median of the ratios within each round, and their quartiles."""
    return report.spread([one / other for one, other in zip(ours, others, strict=True)])


def _answers(rubric: Rubric, number: int) -> list[dict[str, int | str]]:
    chance = random.Random(number)
    values = [level.value for level in rubric.scale.levels]
    codes = [criterion.code for criterion in criteria_at(rubric, STAGE)]
    return [{code: chance.choice(values) for code in codes} for _ in range(number)]


def _arithmetic(rubric: Rubric) -> Callable[[dict[str, int | str]], str]:
    """A function that computes the grade alone, without checks, reasons or ways to a better one: the minimum."""
    weights = {criterion.code: Fraction(criterion.weight) for criterion in rubric.criteria}
    values = {level.value: Fraction(level.value) for level in rubric.scale.levels}
    best = max(values.values())
    bands = [(Fraction(band.minimum), band.grade) for band in rubric.rule.bands]  # type: ignore[union-attr]

    def grade(answers: dict[str, int | str]) -> str:
        points = sum((weights[code] * values[answer] for code, answer in answers.items()), Fraction())
        share = points / (best * sum(weights[code] for code in answers))
        return next(grade for minimum, grade in bands if share >= minimum)

    return grade


def _scoring(rounds: int, seconds: float) -> dict[str, list[float]]:
    rubric = next(packaged_rubrics())
    sets = _answers(rubric, 1000)
    contenders: dict[str, Callable[[dict[str, int | str]], Any]] = {
        "score": lambda answers: score(rubric, answers, STAGE),
        "arithmetic": _arithmetic(rubric),
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in sorted(contenders, reverse=bool(number % 2)):
            work = contenders[name]
            done, began = 0, time.perf_counter()
            while (taken := time.perf_counter() - began) < seconds:
                work(sets[done % len(sets)])
                done += 1
            found[name].append(done / taken)
    return found


def _indicator(rounds: int, seconds: float, progress: Callable[[str], None]) -> Times:
    """Milliseconds of each answer, and of a write, over few and many programmes."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        names = {number: f"markers_{number}" for number in (FEW, MANY)}
        postgres = stack.enter_context(running_postgres(folder, databases=list(names.values()), durable=False))
        cache = stack.enter_context(running_cache())
        urls: dict[Which, str] = {}
        for number, name in names.items():
            past = asyncio.run(_fill(postgres.url(name), number))
            progress(f"{number} made-up programmes are loaded")
            cached, alone = (_serve(stack, postgres.url(name), redis_url) for redis_url in (cache.url, None))
            for how, path in ASKED.items():
                urls[how, number] = (cached if how in CACHED else alone) + path.format(past=past)
        del urls["again", MANY]
        databases = {("write", number): postgres.url(name) for number, name in names.items()}
        found = asyncio.run(_reads(urls, rounds, seconds))
        progress("answers are measured")
        # Last: the server would clean up after writes while answers are measured.
        return found | asyncio.run(_writes(databases, rounds, seconds))


def _serve(stack: ExitStack, database_url: str, redis_url: str | None) -> str:
    port = free_port()
    environment = {"DATABASE_URL": database_url, "HOST": LOOPBACK, "PORT": str(port), "LOG_LEVEL": "WARNING"}
    environment |= {"REDIS_URL": redis_url} if redis_url else {}
    command = [sys.executable, "-m", "mmptf_markers", "serve"]
    child = stack.enter_context(Child("markers", command, env={"PATH": os.environ["PATH"], **environment}))
    url = f"http://{LOOPBACK}:{port}"
    wait_until(lambda: answers_ready(f"{url}/health/ready"), child, seconds=60)
    return url


async def _reads(urls: Mapping[Which, str], rounds: int, seconds: float) -> Times:
    """Milliseconds of answers, one after the other on one connection to each service."""
    async with httpx.AsyncClient(timeout=60) as client:

        async def read(url: str) -> None:
            (await client.get(url)).raise_for_status()

        found: Times = defaultdict(list)
        for _ in range(rounds):
            for alike in TOGETHER:
                works = {which: partial(read, url) for which, url in urls.items() if which[0] in alike}
                await _take_turns(works, seconds, found)
    return found


async def _writes(databases: Mapping[Which, str], rounds: int, seconds: float) -> Times:
    """Milliseconds of one more assessment that is accepted, with the journal and the counts that triggers write."""
    found: Times = defaultdict(list)
    async with AsyncExitStack() as stack:
        writers = {which: await stack.enter_async_context(_writer(url)) for which, url in databases.items()}
        works = {which: partial(write, _ACCEPTED) for which, write in writers.items()}
        for _ in range(rounds):
            await _take_turns(works, seconds, found)
    return found


async def _take_turns(works: Mapping[Which, Callable[[], Awaitable[object]]], seconds: float, found: Times) -> None:
    """Run each in turn until the time of all is over, and add the median milliseconds of each to `found`."""
    taken: Times = defaultdict(list)
    for work in works.values():
        await work()
    until = time.perf_counter() + seconds * len(works)
    order = list(works)
    while time.perf_counter() < until:
        # A process that has just answered answers the next request sooner: each is to profit from that as often.
        random.shuffle(order)
        for which in order:
            began = time.perf_counter()
            await works[which]()
            taken[which].append((time.perf_counter() - began) * 1000)
    for which, times in taken.items():
        found[which].append(median(times))


@asynccontextmanager
async def _writer(url: str) -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """A function that carries out statements as one write and returns its revision."""
    engine = write_engine(url, size=1)

    async def write(*statements: str) -> int:
        async with AsyncSession(engine) as session, session.begin():
            begun = await begin_write(session, Author("bench"))
            for statement in statements:
                await session.execute(sa.text(statement))
            return await begun.revision()

    try:
        yield write
    finally:
        await engine.dispose()


async def _fill(url: str, number: int) -> int:
    """Make up so many programmes with an assessment each; returns the revision before the last write."""
    await migrations.migrate(url, SERVICE.package)
    await cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(url)))
    async with _writer(url) as write:
        revision = await write(
            *(text.format(number=number, countries=COUNTRIES, organizations=ORGANIZATIONS) for text in _MADE_UP),
            "ANALYZE",
        )
        await write(_ACCEPTED)
    return revision


def _table(found: dict[str, Any]) -> str:
    shown = report.shown
    speed, ms = found["scores_per_second"], found["milliseconds"]

    def line(what: str, how: str) -> str:
        few, many = (shown(ms[f"{how} {number}"], ".2f") for number in (FEW, MANY))
        return f"| {what} | {few} | {many} | {shown(found['many_to_few'][how], '.2f')} |"

    return "\n".join(
        [
            "| scores | per second |",
            "|---|--:|",
            f"| `score`: checked, explained, with the way to the next grade | {shown(speed['score'], '.0f')} |",
            f"| the grade alone, in exact fractions | {shown(speed['arithmetic'], '.0f')} |",
            f"| speed of `score` : the grade alone | {shown(found['score_to_arithmetic'], '.3f')} |",
            "",
            f"| milliseconds | {FEW} programmes | {MANY} programmes | ratio |",
            "|---|--:|--:|--:|",
            line("the indicator, from the cache", "kept"),
            f"| the same once more (A/A) | {shown(ms[f'again {FEW}'], '.2f')} | | {shown(found['again'], '.2f')} |",
            line("the indicator, computed again", "anew"),
            *(line(f"by {division}, computed again", f"by {division}") for division in DIVISIONS),
            line("as of the revision before, computed again", "past"),
            line("the same by country", "past by country"),
            line("the same by region", "past by region"),
            line("of one country by organization, computed again", "country by organization"),
            line("the report, computed again", "report"),
            line("one assessment accepted, with journal and counts", "write"),
        ]
    )
