"""The agreement of raters from stored assessments, compared with scikit-learn over random ratings of all of them."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sklearn.metrics import accuracy_score, cohen_kappa_score

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_markers.engine.rubric import NOT_APPLICABLE
from tests.conftest import running_app
from tests.integration.assessments import graded
from tests.integration.marked import (
    ADMIN,
    API,
    FUND,
    IOM,
    OHCHR,
    RUBRIC_CODE,
    Json,
    Markers,
    Who,
    answer,
    made,
    refused,
)
from tests.integration.test_reviews import OTHER

AGREEMENT = f"{API}/reviews/agreement"
OF_REVIEWERS = f"{AGREEMENT}/reviewers"
# Rubric -> the values of its levels.
SCALES = {RUBRIC_CODE: [0, 1, 2, 3], "rated.1": [0, 1, 2]}
CRITERIA = {RUBRIC_CODE: ("equality", "participation", "due-diligence"), "rated.1": ("c0", "c1", "c2")}
NUMBER = 240


def one_of(levels: list[int], near: Any, chance: random.Random) -> int | str:
    """An answer that is often the same as another one, sometimes near it, and sometimes that it does not apply."""
    drawn = chance.random()
    if drawn < 0.1:
        return NOT_APPLICABLE
    if near == NOT_APPLICABLE or drawn < 0.3:
        return chance.choice(levels)
    moved = near + chance.choice((0, 0, 0, 1, -1))
    return min(max(moved, levels[0]), levels[-1])


def rated(n: int, template: Json, chance: random.Random) -> Json:
    """A record with random answers of the assessor and of one reviewer or two, who differ as often as they like."""
    rubric = chance.choice(sorted(SCALES))
    levels = SCALES[rubric]
    own = {criterion: one_of(levels, chance.choice(levels), chance) for criterion in CRITERIA[rubric]}

    def review(year: int) -> Json:
        given = {criterion: one_of(levels, value, chance) for criterion, value in own.items()}
        changed = {c: {"answer": v, "instead_of": own[c], "reason": "x"} for c, v in given.items() if v != own[c]}
        return {**template["reviewed"], "at": f"{year}-05-01T12:00:00Z", "answers": changed}

    year = chance.choice((2024, 2025))
    second = review(year + 1) if chance.random() < 0.5 else None
    return {
        **template,
        "code": f"A-{100_000 + n}",
        "version": 10 + n,
        "organization": chance.choice(("IOM", "ILO", "WHO")),
        "answers": {criterion: answer(value) for criterion, value in own.items()},
        "reviewed": review(year) if chance.random() < 0.9 or second else None,
        "second_review": second,
        "rubric": {**template["rubric"], "code": rubric.rpartition(".")[0], "version": "1"},
    }


@pytest.fixture(scope="module")
def records() -> list[Json]:
    return []


@pytest.fixture(scope="module")
async def markers(new_database: Callable[[str], str], records: list[Json]) -> AsyncIterator[Markers]:
    """A service with as many random ratings; who has rated is random, too, where it is known."""
    chance = random.Random(17)
    async with running_app("markers", new_database("markers"), None) as running:
        markers = Markers(running)
        await markers.publish(graded("rated", {"type": "manual"}))
        template = await markers.accepted(await markers.copied())
        records += [rated(n, template, chance) for n in range(NUMBER)]
        async with writing(running.app.state.database) as session:
            write = await begin_write(session, Author("test"), "random ratings")
            for record in records:
                rubric = f"{record['rubric']['code']}.{record['rubric']['version']}"
                columns = {
                    **{name: record[name] for name in ("code", "programme", "marker", "stage", "version")},
                    **{name: record[name] for name in ("organization", "status", "grade")},
                    "rubric": rubric, "record": json.dumps(record), "updated": write.at,
                }  # fmt: skip
                await insert(session, "assessment", columns)
            for n, record in enumerate(records):
                raters = chance.sample(("one", "two", "three"), 2)
                for name, rater in zip(("reviewed", "second_review"), raters, strict=True):
                    if record[name] and n % 10:
                        record[f"{name} by"] = rater
                        columns = {
                            "code": f"R-{200_000 + 2 * n + (name != 'reviewed')}", "record": json.dumps({"n": n}),
                            "assessment": record["code"], "programme": record["programme"], "state": "done",
                            "round": "first" if name == "reviewed" else "second", "reviewer": rater,
                            "updated": write.at,
                        }  # fmt: skip
                        await insert(session, "review", columns)
        yield markers


async def insert(session: Any, table: str, columns: Json) -> None:
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    await session.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), columns)


def answers_of(record: Json, rating: str | None) -> Json:
    own = {criterion: given["answer"] for criterion, given in record["answers"].items()}
    changed = record[rating]["answers"] if rating else {}
    return own | {criterion: given["answer"] for criterion, given in changed.items()}


def pairs_of(records: list[Json], between: str, by: str | None) -> Iterator[tuple[tuple[str, str | None], Any, Any]]:
    """Rubric and group, and the answers of both, one pair after the other."""
    one, other = {
        "assessor_and_reviewer": (None, "reviewed"),
        "first_and_second": ("reviewed", "second_review"),
    }[between]
    for record in records:
        if record[other] is None:
            continue
        rubric = f"{record['rubric']['code']}.{record['rubric']['version']}"
        first, second = answers_of(record, one), answers_of(record, other)
        for criterion in record["answers"]:
            found = {
                None: None, "criterion": criterion, "organization": record["organization"],
                "year": record[other]["at"][:4], "reviewer": record.get(f"{one or other} by"),
            }[by]  # fmt: skip
            yield (rubric, found), first[criterion], second[criterion]
            if by == "reviewer" and between == "first_and_second" and found:
                yield (rubric, record[f"{other} by"]), second[criterion], first[criterion]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("between", ["assessor_and_reviewer", "first_and_second"])
@pytest.mark.parametrize("by", [None, "criterion", "organization", "year", "reviewer"])
async def test_figures_are_those_of_scikit_learn(
    markers: Markers, records: list[Json], between: str, by: str | None
) -> None:
    asked = {"between": between, **({"by": by} if by not in (None, "reviewer") else {})}
    path, who = (OF_REVIEWERS, FUND) if by == "reviewer" else (AGREEMENT, None)
    found = await markers.get(path, who, **asked)
    assert (found["between"], found["by"]) == (between, by)
    expected: dict[Any, list[tuple[Any, Any]]] = defaultdict(list)
    real = await markers.get(f"{API}/assessments/A-000001")
    (review,) = (await markers.get(f"{API}/reviews", FUND, assessment="A-000001"))["items"]
    everything = [{**real, "reviewed by": review["reviewer"]}, *records]
    for key, first, second in pairs_of(everything, between, by):
        expected[key].append((first, second))
    assert {(group["rubric"], group["code"]) for group in found["groups"]} == set(expected)
    assert len(found["groups"]) >= 2
    for group in found["groups"]:
        pairs = expected[group["rubric"], group["code"]]
        on_scale = [pair for pair in pairs if NOT_APPLICABLE not in pair]
        one, other = zip(*on_scale, strict=True)
        assert (group["n"], group["too_few"]) == (len(on_scale), len(on_scale) < 20)
        exact = int(group["exact"]["numerator"]) / int(group["exact"]["denominator"])
        assert math.isclose(exact, accuracy_score(one, other), abs_tol=1e-12)
        kappa = cohen_kappa_score(one, other, labels=SCALES[group["rubric"]], weights="quadratic")
        if group["kappa"] is None:
            assert math.isnan(kappa)
        else:
            # A kappa halfway between two figures is rounded to either.
            assert math.isclose(float(group["kappa"]), kappa, abs_tol=0.51e-4)
        assert group["difference"]["sum"] == str(sum(one) - sum(other))
        alone = [sum(pair[n] == NOT_APPLICABLE != pair[1 - n] for pair in pairs) for n in (0, 1)]
        assert [group["not_applicable_one"], group["not_applicable_other"]] == alone
        assert group["not_applicable"] == pairs.count((NOT_APPLICABLE, NOT_APPLICABLE))
        counts = {(cell["one"], cell["other"]): cell["count"] for cell in group["counts"]}
        assert counts == {pair: on_scale.count(pair) for pair in set(on_scale)}


async def test_a_table_has_a_row_for_each_group_and_as_of_the_groups_of_then(markers: Markers) -> None:
    found = await markers.get(AGREEMENT, by="criterion")
    table = await markers.send("GET", f"{AGREEMENT}?by=criterion&format=csv", None)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["rubric"], row["code"], row["n"], row["kappa"]) for row in rows] == [
        (group["rubric"], group["code"], str(group["n"]), group["kappa"] or "") for group in found["groups"]
    ]
    revision = found["revision"]
    assert (await markers.get(AGREEMENT, by="criterion", as_of=revision)) == found
    before = await markers.get(AGREEMENT, by="criterion", as_of=1)
    assert before["groups"] == []
    named = await markers.get(OF_REVIEWERS, FUND, as_of=revision)
    assert named["groups"] == (await markers.get(OF_REVIEWERS, FUND))["groups"]


async def test_who_rates_how_is_for_the_management_unit(markers: Markers) -> None:
    for who, expected in (
        (None, (401, "token_missing")),
        (IOM, (403, "insufficient_scope")),
        (OHCHR, (403, "forbidden")),
    ):
        assert refused(await markers.send("GET", OF_REVIEWERS, who)) == expected
    answered = await markers.send("GET", OF_REVIEWERS, ADMIN)
    assert answered.headers["cache-control"] == "private, no-cache"
    assert refused(await markers.send("GET", f"{AGREEMENT}?by=reviewer", FUND))[0] == 422


async def test_reviews_as_they_are_made_are_counted(markers: Markers) -> None:
    """A rating is counted once it is published, and a settlement or an appeal is no rating."""

    async def number(**asked: str) -> int:
        found = await markers.get(AGREEMENT, **asked)
        return sum(group["n"] for group in found["groups"] if group["rubric"] == RUBRIC_CODE)

    asked = {"between": "first_and_second"}
    before = await number(), await number(**asked)
    submitted = await markers.submitted(await markers.copied())
    criteria = len(submitted.json()["answers"])
    markers.running.set(second_ratings=1)
    await markers.reviewed(submitted)
    assert (await number(), await number(**asked)) == before
    made(await markers.claim(submitted, OTHER))
    made(await markers.decide(submitted, OTHER, decision="return"), 200)
    assert (await number(), await number(**asked)) == before
    third = Who("reviewer", "UNDP", "third")
    made(await markers.claim(submitted, third))
    made(await markers.decide(submitted, third), 200)
    markers.running.set(second_ratings=0)
    assert (await number(), await number(**asked)) == (before[0] + criteria, before[1] + criteria)
