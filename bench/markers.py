"""Scores of the library beside bare arithmetic, and the indicator over many programmes beside that over few."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from bench import report
from mmptf_common import cli, migrations
from mmptf_common.db import write_engine
from mmptf_common.journal import Author, begin_write
from mmptf_common.settings import ServiceSettings
from mmptf_local.cache import running_cache
from mmptf_local.postgres import running_postgres
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from mmptf_local.state import temporary_state
from mmptf_markers.app import SERVICE
from mmptf_markers.commands import packaged_rubrics
from mmptf_markers.engine.rubric import Rubric, criteria_at
from mmptf_markers.engine.scoring import score
from mmptf_markers.models import AssessmentRow, ProgrammeRow

FEW, MANY = 1_000, 100_000
STAGE = "programme_document"
PATH = "/markers/v1/indicator"
# An answer for many programmes may take this many times as long as one for few, when nothing was written in between.
LIMIT = 1.5
PAGE = 1_000


def run(rounds: int, seconds: float, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure both, print the tables, write the results; leaves nothing else behind."""
    scores = _scoring(rounds, seconds)
    progress("scores are measured")
    times = _indicator(rounds, seconds, progress)
    flat = report.spread([many / few for many, few in zip(times["kept", MANY], times["kept", FEW], strict=True)])
    again = report.spread([a / b for a, b in zip(times["again", FEW], times["kept", FEW], strict=True)])
    anew = report.spread([many / few for many, few in zip(times["anew", MANY], times["anew", FEW], strict=True)])
    found = {
        "scores_per_second": {name: report.spread(values) for name, values in scores.items()},
        "arithmetic_to_score": report.spread(
            [ours / bare for ours, bare in zip(scores["score"], scores["arithmetic"], strict=True)]
        ),
        "flat": flat,
        "again": again,
        "anew": anew,
        "milliseconds": {f"{how} {number}": report.spread(values) for (how, number), values in times.items()},
        "limit": LIMIT,
        "kept": flat[0] <= LIMIT,
        "noisy": not 0.75 <= again[0] <= 1.25,
    }
    print(_table(found))
    report.keep("markers", found)
    return found


def _answers(rubric: Rubric, number: int) -> list[dict[str, int | str]]:
    chance = random.Random(number)
    values = [level.value for level in rubric.scale.levels]
    codes = [criterion.code for criterion in criteria_at(rubric, STAGE)]
    return [{code: chance.choice(values) for code in codes} for _ in range(number)]


def _arithmetic(rubric: Rubric) -> Callable[[dict[str, int | str]], str]:
    """The grade alone, without a check, a reason or a way to a better one: the least that has to be computed."""
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


def _indicator(rounds: int, seconds: float, progress: Callable[[str], None]) -> dict[tuple[str, int], list[float]]:
    """Milliseconds of an answer: kept in the cache, the same once more (A/A), and computed anew each time."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        names = {number: f"markers_{number}" for number in (FEW, MANY)}
        postgres = stack.enter_context(running_postgres(folder, databases=list(names.values()), durable=False))
        cache = stack.enter_context(running_cache())
        urls: dict[tuple[str, int], str] = {}
        for number, name in names.items():
            asyncio.run(_fill(postgres.url(name), number))
            progress(f"{number} made-up programmes are loaded")
            for how in ("kept", "again", "anew"):
                urls[how, number] = _serve(stack, postgres.url(name), None if how == "anew" else cache.url)
        del urls["again", MANY]
        found: dict[tuple[str, int], list[float]] = {which: [] for which in urls}
        for number in range(rounds):
            order = sorted(urls, reverse=bool(number % 2))
            for which in order:
                found[which].append(_milliseconds(urls[which], seconds))
            progress(f"round {number + 1} of {rounds}")
    return found


def _serve(stack: ExitStack, database_url: str, redis_url: str | None) -> str:
    port = free_port()
    environment = {"DATABASE_URL": database_url, "HOST": LOOPBACK, "PORT": str(port), "LOG_LEVEL": "WARNING"}
    environment |= {"REDIS_URL": redis_url} if redis_url else {}
    command = [sys.executable, "-m", "mmptf_markers", "serve"]
    child = stack.enter_context(Child("markers", command, env={"PATH": os.environ["PATH"], **environment}))
    url = f"http://{LOOPBACK}:{port}"
    wait_until(lambda: answers_ready(f"{url}/health/ready"), child, seconds=60)
    return url


def _milliseconds(url: str, seconds: float) -> float:
    """The median time of an answer, one after the other on one connection."""
    taken = []
    with httpx.Client(base_url=url, timeout=60) as client:
        client.get(PATH).raise_for_status()
        until = time.perf_counter() + seconds
        while not taken or time.perf_counter() < until:
            began = time.perf_counter()
            client.get(PATH).raise_for_status()
            taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


async def _fill(url: str, number: int) -> None:
    await migrations.migrate(url, SERVICE.package)
    await cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(url)))
    engine = write_engine(url, size=1)
    try:
        async with AsyncSession(engine) as session, session.begin():
            await begin_write(session, Author("bench"))
            for first in range(0, number, PAGE):
                numbers = range(first, min(first + PAGE, number))
                for row in (ProgrammeRow, AssessmentRow):
                    made = [_programme(n) if row is ProgrammeRow else _assessment(n) for n in numbers]
                    await session.execute(sa.insert(row).values([m.model_dump() for m in made]))
        async with engine.begin() as connection:
            await connection.execute(sa.text("ANALYZE"))
    finally:
        await engine.dispose()


def _programme(n: int) -> ProgrammeRow:
    return ProgrammeRow(
        code=f"MADEUP-{n:06d}",
        stage="funded" if n % 10 else "pipeline",
        thematic_area=str(1 + n % 5),
        organizations=["IOM", "ILO"],
        countries=["KEN"],
        amount=Decimal(1_000_000 + n),
        currency="USD",
        budget_stage="programme_budget",
        updated=datetime.now(UTC),
        document={"code": f"MADEUP-{n:06d}", "title": f"Made-up programme {n}"},
    )


def _assessment(n: int) -> AssessmentRow:
    return AssessmentRow(
        code=f"A-{n:06d}",
        programme=f"MADEUP-{n:06d}",
        marker="human_rights",
        stage=STAGE,
        year=None,
        version=1,
        organization="IOM",
        rubric="hr-marker-illustrative.1",
        status="accepted" if n % 20 else "submitted",
        grade="ABBBBBC"[n % 7],
        updated=datetime.now(UTC),
        document={"code": f"A-{n:06d}", "answers": {}},
    )


def _table(found: dict[str, Any]) -> str:
    shown = report.shown
    speed, ms = found["scores_per_second"], found["milliseconds"]
    return "\n".join(
        [
            "| scores | per second |",
            "|---|--:|",
            f"| `score`: checked, explained, with the way to the next grade | {shown(speed['score'], '.0f')} |",
            f"| the grade alone, in exact fractions | {shown(speed['arithmetic'], '.0f')} |",
            f"| speed of `score` : the grade alone | {shown(found['arithmetic_to_score'], '.3f')} |",
            "",
            f"| the indicator | {FEW} programmes, ms | {MANY} programmes, ms | ratio |",
            "|---|--:|--:|--:|",
            f"| nothing was written since it was asked for | {shown(ms[f'kept {FEW}'], '.2f')}"
            f" | {shown(ms[f'kept {MANY}'], '.2f')} | {shown(found['flat'], '.2f')} |",
            f"| the same once more (A/A) | {shown(ms[f'again {FEW}'], '.2f')} | | {shown(found['again'], '.2f')} |",
            f"| computed anew | {shown(ms[f'anew {FEW}'], '.2f')} | {shown(ms[f'anew {MANY}'], '.2f')}"
            f" | {shown(found['anew'], '.2f')} |",
            "",
            f"indicator of {MANY} : of {FEW} = {found['flat'][0]:.2f}, limit {LIMIT:.2f}:"
            f" {'kept' if found['kept'] else 'NOT KEPT'}{' (noisy)' if found['noisy'] else ''}",
        ]
    )
