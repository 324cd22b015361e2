"""The portfolio over HTTP: standings, the indicator and its parts, its course, criteria and actions, now and then."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import document_of, put
from mmptf_local.cache import Cache
from mmptf_markers.engine.rubric import NOT_APPLICABLE, STAGES
from mmptf_markers.indicator.schemas import MarkerTarget
from mmptf_markers.models import TargetRow
from tests.conftest import running_app
from tests.integration.marked import (
    ACTIONS,
    API,
    ASSESSMENTS,
    INDICATOR,
    RUBRIC,
    RUBRIC_CODE,
    STANDINGS,
    Facts,
    Markers,
    Who,
    answer,
    answers,
    made,
    place,
    programme,
    refused,
    region,
)
from tests.unit.markers.rubrics import small

CRITERIA, OVER_TIME = f"{API}/criteria", f"{INDICATOR}/over-time"
REGIONS = {"KEN": ("002", "202", "014"), "UGA": ("002", "202", "014"), "SRB": ("150", "039")}
PLACES = [*(place(code, *within) for code, within in REGIONS.items())]
PLACES += [region(code) for code in ("002", "202", "014", "150", "039")]
DIVISIONS = ("thematic_area", "country", "region", "organization", "assessed_stage", "rubric")
OVERLAPPING = {"country", "region", "organization"}
LIFE: list[str] = list(STAGES)


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


def named(*codes: str) -> list[Facts]:
    return [{"code": code, "name": code} for code in codes]


def action(due: str, done: str | None = None) -> Facts:
    return {"action": "Agree on referral.", "owner": "Programme team", "due": due, "done": done}


async def standings(markers: Markers, **query: Any) -> dict[str, Facts]:
    """The standing of each programme, all of them on one page."""
    page = await markers.get(STANDINGS, **{"marker": "human_rights", "limit": 1000, **query})
    assert page["next"] is None
    return {item["programme"]: item for item in page["items"]}


async def whole(markers: Markers, **query: Any) -> Facts:
    found: Facts = (await markers.get(INDICATOR, **query))["whole"]
    return found


async def listed(markers: Markers, link: str) -> list[str]:
    """The programmes that a link leads to."""
    answered = await markers.running.client.get(f"{link}&limit=1000")
    assert answered.status_code == 200, f"{link}: {answered.text}"
    return [item["programme"] for item in answered.json()["items"]]


# --- the target ------------------------------------------------------------------------------------------------------


async def test_nineteen_of_twenty_one_are_enough_and_eighteen_are_not(markers: Markers) -> None:
    codes = [f"P-{n:02}" for n in range(1, 22)]
    await markers.copy(*(programme(code) for code in codes), programme("Q-01", stage="pipeline"))
    none = await whole(markers)
    assert (none["programmes"], none["unassessed"], none["counted"]) == (21, 21, 0)
    assert (none["standing"], none["short_by"], none["share"]["percentage"]) == ("not_met", 19, "0.00")
    for n, code in enumerate(codes[:18]):
        made(await markers.declare(code, "AB"[n % 2]))
    made(await markers.declare(codes[18], "C"))
    # What is not funded counts for nothing.
    made(await markers.declare("Q-01", "A"))
    missed = await whole(markers)
    assert (missed["standing"], missed["short_by"], missed["counted"]) == ("not_met", 1, 18)
    assert missed["share"] == {"numerator": 6, "denominator": 7, "percentage": "85.71"}
    assert (missed["assessed"], missed["unassessed"], missed["under_review"]) == (19, 2, 0)
    submitted = await markers.submitted(codes[19], 2)
    waiting = await whole(markers)
    assert (waiting["standing"], waiting["under_review"], waiting["unassessed"]) == ("not_met", 1, 2)
    await markers.reviewed(submitted)
    met = await whole(markers)
    assert (met["standing"], met["short_by"], met["counted"]) == ("met", 0, 19)
    assert met["share"] == {"numerator": 19, "denominator": 21, "percentage": "90.47"}
    assert (met["assessed"], met["unassessed"], met["under_review"]) == (20, 1, 0)


async def test_a_marker_from_nought_to_three_is_one_like_any_other(markers: Markers) -> None:
    bands = [{"grade": str(grade), "minimum": f"{grade}/3"} for grade in (3, 2, 1, 0)]
    document = small({"type": "weighted_share", "bands": bands}, ["3", "2", "1", "0"], [1, 2], gates=[(1, 1, "0")])
    rubric = await markers.publish({**document, "code": "inclusion", "marker": "inclusion"})
    target = {"code": "inclusion-half", "marker": "inclusion", "name": "Half", "grades": ["3", "2"], "stage": "funded"}
    async with markers.running.app.state.database.sessions() as session, session.begin():
        write = await begin_write(session, Author("test"))
        facts = {**target, "minimum": {"numerator": 1, "denominator": 2}, "sources": []}
        document = document_of(MarkerTarget, facts, write.at)
        await put(write, [TargetRow(code="inclusion-half", marker="inclusion", updated=write.at, document=document)])
    for code, given in {"T-3": (2, 2), "T-2": (0, 2), "T-0": (2, 0), "T-9": None}.items():
        await markers.copy(programme(code))
        if given:
            said = {f"c{at}": answer(level) for at, level in enumerate(given)}
            await markers.accepted(code, answers=said, rubric=rubric)
    graded = {code: item["grade"] for code, item in (await standings(markers, marker="inclusion")).items()}
    assert graded == {"T-3": "3", "T-2": "2", "T-0": "0", "T-9": None}
    found = await whole(markers, target="inclusion-half")
    assert (found["standing"], found["counted"], found["programmes"]) == ("met", 2, 4)
    assert [grade["grade"] for grade in found["grades"]] == ["0", "2", "3", None]
    assert await listed(markers, found["grades"][2]["link"]) == ["T-3"]
    capped = (await markers.get(ASSESSMENTS, programme="T-0"))["items"][0]["derived"]
    assert (capped["grade"], capped["before_gates"]) == ("0", "1")
    # The marker that everybody knows is untouched by it.
    assert (await whole(markers))["unassessed"] == 4


async def test_nothing_is_met_and_nothing_missed_without_programmes(markers: Markers) -> None:
    for n in range(2):
        found = await markers.get(INDICATOR, by="country")
        assert (found["groups"], found["overlapping"]) == ([], True)
        assert {**found["whole"], "target": None} == {
            "programmes": 0, "assessed": 0, "unassessed": 0, "under_review": 0, "counted": 0, "share": None,
            "standing": "not_applicable", "short_by": 0, "grades": [], "rubrics": [], "mixed": False, "target": None,
        }  # fmt: skip
        # The stage of the target is one that is known, though no programme is at it.
        assert (await markers.get(STANDINGS, stage="funded"))["items"] == []
        if not n:
            await markers.copy(programme("Q-01", stage="pipeline"))


# --- a portfolio of every kind ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Portfolio:
    """A portfolio that tests only read."""

    markers: Markers
    documents: Mapping[str, Facts]

    async def standings(self, **query: Any) -> dict[str, Facts]:
        return await standings(self.markers, **query)


def documents() -> list[Facts]:
    """Programmes that differ in whatever the indicator is divided by."""
    one = {"currency": "USD", "stage": "allocation"}
    none: Facts = {"places": [], "thematic_area": None, "budget": None}
    areas = {str(n): {"code": str(n), "name": f"Area {n}"} for n in range(1, 6)}
    return [
        programme("M-01", places=named("KEN"), budget={**one, "amount": "1500000.00"}),
        programme("M-02", places=named("KEN", "UGA"), thematic_area=areas["2"], budget={**one, "amount": "2000000.10"},
                  organizations=named("IOM", "UNHCR")),
        programme("M-03", places=named("SRB"), thematic_area=areas["2"], organizations=named("ILO", "IOM"),
                  budget={**one, "amount": "300000.05", "stage": "requirement"}),
        programme("M-04", organizations=named("IOM"), **none),
        programme("M-05", places=named("UGA"), thematic_area=areas["1"], budget={**one, "amount": "7.00"},
                  duration={"start": "2025-12-31", "end": "2026-01-01"}),
        programme("M-06", places=named("SRB", "KEN"), budget={**one, "amount": "0.95"}),
        programme("M-07", places=named("UGA"), thematic_area=areas["1"], organizations=named("UNHCR", "IOM"),
                  budget={**one, "amount": "40.00", "currency": "EUR"}),
        programme("M-08", stage="closed"),
        programme("M-09", stage="pipeline"),
        programme("M-10", places=named("SRB"), duration=None, lead_organization=None),
        programme("M-11", places=named("KEN", "SRB"), organizations=named("IOM", "ILO", "UNHCR"),
                  duration={"start": "2020-01-01", "end": "2024-12-31"}),
    ]  # fmt: skip


@pytest.fixture(scope="module")
async def portfolio(new_database: Callable[[str], str], redis_server: Cache) -> AsyncIterator[Portfolio]:
    async with running_app("markers", new_database("markers"), redis_server.url) as running:
        markers = Markers(running)
        copied = documents()
        await markers.copy(*copied, places=PLACES)
        for code, amount in ALLOCATIONS:
            await markers.allocate(code, amount)
        await assess(markers)
        yield Portfolio(markers, {document["code"]: document for document in copied})


# What is taken back makes the sum smaller; M-04 has no budget, M-99 is no programme that the catalogue has told of yet.
ALLOCATIONS = [
    ("M-01", "1000000.00"), ("M-01", "-250000.01"), ("M-02", "2000000.10"), ("M-04", "40.50"), ("M-06", "3.00"),
    ("M-06", "-3.00"), ("M-08", "9.99"), ("M-99", "1.00"),
]  # fmt: skip


def allocated(codes: Iterable[str]) -> list[Decimal]:
    """What each of some programmes was allocated, of those that were allocated anything."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for code, amount in ALLOCATIONS:
        sums[code] += Decimal(amount)
    return [sums[code] for code in codes if code in sums]


def in_dollars(amounts: list[Decimal]) -> Facts | None:
    return {"amount": f"{sum(amounts):.2f}", "currency": "USD"} if amounts else None


async def assess(markers: Markers) -> None:
    """Every standing that a programme can have, under two rubrics of the marker and one of another."""
    asked = answers(3, equality=answer(3, actions=[action("2026-01-31"), action("2026-02-01", "2026-01-15")]))
    first = await markers.submitted("M-01", answers=asked)
    await markers.reviewed(first, answers={"equality": {"answer": 1, "reason": "No data by sex."}})
    said = answers(2, participation=answer(1, actions=[action("2025-12-31")]), national_institutions=NOT_APPLICABLE)
    await markers.accepted("M-02", answers=said)
    made(await markers.declare("M-03", "C"))
    await markers.submitted("M-04", answers=answers(3, equality=answer(3, actions=[action("2026-01-01")])))
    await markers.reviewed(await markers.submitted("M-05", 3), decision="return")
    await markers.accepted("M-06", answers=answers(1, equality=answer(1, actions=[action("2024-01-01")])))
    later: Facts = {"stage": "annual_report", "year": 2024}
    annual = answers(3, "annual_report", sustainability=answer(2, actions=[action("2026-06-30", "2026-06-01")]))
    await markers.accepted("M-06", answers=annual, **later)
    await markers.submitted("M-06", 1, answers=answers(1, "annual_report"), **later)
    other = {**small({"type": "manual"}, ["A", "B", "C"], [1, 1]), "code": "other", "marker": "human_rights"}
    rubric = await markers.publish(other)
    said = {"c0": answer(2), "c1": answer(0, actions=[action("2026-03-31")])}
    manual = await markers.submitted("M-07", 0, Who("agency", "UNHCR"), rubric=rubric, answers=said, declared_grade="B")
    await markers.reviewed(manual, grade="B", answers={"c1": {"answer": 1, "reason": "x"}})
    await markers.accepted("M-08", 3, rubric=RUBRIC_CODE)
    gender = await markers.publish({**other, "code": "gender", "marker": "gender"})
    third = await markers.submitted(
        "M-11", rubric=gender, answers={"c0": answer(1), "c1": answer(1)}, declared_grade="A"
    )
    await markers.reviewed(third, grade="A")


async def test_the_standing_is_what_counts_for_each_programme(portfolio: Portfolio) -> None:
    found = await portfolio.standings()
    told = ("grade", "basis", "answered", "assessed_stage", "assessed_year", "rubric", "under_review")
    nothing = (None, None, None, None, None, None)
    first = ("programme_document", None, RUBRIC_CODE)
    assert {code: tuple(item[name] for name in told) for code, item in found.items()} == {
        "M-01": ("B", "reviewed", True, *first, False),
        "M-02": ("B", "reviewed", True, *first, False),
        "M-03": ("C", "declared", False, "programme_document", None, None, False),
        "M-04": (*nothing, True),
        "M-05": (*nothing, False),
        "M-06": ("A", "reviewed", True, "annual_report", 2024, RUBRIC_CODE, True),
        "M-07": ("B", "reviewed", True, "programme_document", None, "other.1", False),
        "M-08": ("A", "reviewed", True, *first, False),
        **{code: (*nothing, False) for code in ("M-09", "M-10", "M-11")},
    }
    for code, item in found.items():
        document = portfolio.documents[code]
        budget = document["budget"]
        assert (item["title"], item["stage"], item["thematic_area"]) == (
            document["title"], document["stage"], document["thematic_area"],
        )  # fmt: skip
        money = budget and {"amount": budget["amount"], "currency": budget["currency"]}
        assert (item["budget"], item["budget_stage"]) == (money, budget and budget["stage"])
        assert item["allocated"] == in_dollars(allocated([code]))
        assert item["rubric_status"] == ("illustrative" if item["rubric"] else None)
    gender = await portfolio.standings(marker="gender")
    assert {code for code, item in gender.items() if item["grade"]} == {"M-11"}
    assert (await portfolio.markers.get(STANDINGS))["total"] == 2 * len(portfolio.documents)


def parts(by: str | None, document: Facts, standing: Facts) -> list[str | None]:
    """The groups that a programme belongs to."""
    countries = [where["code"] for where in document["places"]]
    found: dict[str | None, list[str | None]] = {
        None: [None],
        "thematic_area": [document["thematic_area"] and document["thematic_area"]["code"]],
        "country": [*countries],
        "region": [*{part for country in countries for part in REGIONS[country]}],
        "organization": [organization["code"] for organization in document["organizations"]],
        "assessed_stage": [standing["assessed_stage"]],
        "rubric": [standing["rubric"]],
    }
    return found[by] or [None]


def runs_in(document: Facts, year: int) -> bool:
    during = document["duration"]
    return during is None or int(during["start"][:4]) <= year <= int(during["end"][:4])


# What each question asks for, and which programmes that are.
QUESTIONS: list[tuple[Facts, Callable[[Facts, Facts], bool]]] = [
    ({}, lambda document, standing: True),
    ({"grade": ["A", "B"]}, lambda document, standing: standing["grade"] in ("A", "B")),
    ({"grade": "C"}, lambda document, standing: standing["grade"] == "C"),
    ({"assessed": "false"}, lambda document, standing: standing["grade"] is None),
    ({"assessed": "true"}, lambda document, standing: standing["grade"] is not None),
    ({"country": "KEN"}, lambda document, standing: "KEN" in parts("country", document, standing)),
    ({"country": ["UGA", "SRB"]},
     lambda document, standing: any(c in parts("country", document, standing) for c in ("UGA", "SRB"))),
    ({"region": "150"}, lambda document, standing: "150" in parts("region", document, standing)),
    ({"organization": ["ILO", "UNHCR"]},
     lambda document, standing: any(c in parts("organization", document, standing) for c in ("ILO", "UNHCR"))),
    ({"thematic_area": ["2", "4"]},
     lambda document, standing: parts("thematic_area", document, standing)[0] in ("2", "4")),
    ({"rubric": RUBRIC_CODE}, lambda document, standing: standing["rubric"] == RUBRIC_CODE),
    ({"assessed_stage": ["annual_report", "final_report"]},
     lambda document, standing: standing["assessed_stage"] == "annual_report"),
    ({"programme": ["M-01", "M-08", "M-10"]}, lambda document, standing: document["code"] in ("M-01", "M-08", "M-10")),
    # The annual report of 2024 on M-06 is there, and its correction is on its way.
    ({"due_for": 2024}, lambda document, standing: runs_in(document, 2024) and document["code"] != "M-06"),
    ({"due_for": 2025, "country": "SRB"},
     lambda document, standing: runs_in(document, 2025) and "SRB" in parts("country", document, standing)),
]  # fmt: skip


def expected(found: list[tuple[Facts, Facts]]) -> Facts:
    """The indicator of programmes and their standings, worked out anew, without links."""
    grades = Counter(standing["grade"] for _, standing in found)
    behind = Counter(standing["rubric"] for _, standing in found if standing["grade"])
    counted = grades["A"] + grades["B"]
    short = max(0, ceil(Fraction(9, 10) * len(found)) - counted)
    share = Fraction(counted, len(found)) if found else None
    return {
        "programmes": len(found),
        "assessed": len(found) - grades[None],
        "unassessed": grades[None],
        "under_review": sum(standing["under_review"] for _, standing in found),
        "counted": counted,
        "share": (share.numerator, share.denominator) if share is not None else None,
        "standing": "not_applicable" if share is None else "met" if share >= Fraction(9, 10) else "not_met",
        "short_by": short,
        "grades": [
            {"grade": grade, "programmes": grades[grade], **money([d for d, s in found if s["grade"] == grade])}
            for grade in sorted(grades, key=lambda grade: (grade is None, grade))
            if grades[grade]
        ],
        "rubrics": [
            {"rubric": code, "status": code and "illustrative", "programmes": behind[code]}
            for code in sorted(behind, key=lambda code: (code is None, code))
        ],
        "mixed": len(behind) > 1,
    }


def money(found: list[Facts]) -> Facts:
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for budget in (document["budget"] for document in found if document["budget"]):
        sums[budget["stage"], budget["currency"]].append(Decimal(budget["amount"]))
    granted = allocated(document["code"] for document in found)
    return {
        "budgets": [
            {"stage": stage, "sum": {"amount": f"{sum(amounts):.2f}", "currency": currency}, "programmes": len(amounts)}
            for (stage, currency), amounts in sorted(sums.items())
        ],
        "without_budget": sum(document["budget"] is None for document in found),
        "allocated": in_dollars(granted),
        "without_allocation": len(found) - len(granted),
    }


def unlinked(indicator: Facts) -> Facts:
    share = indicator["share"]
    return {
        **indicator,
        "share": share and (share["numerator"], share["denominator"]),
        "grades": [{name: grade[name] for name in grade if name != "link"} for grade in indicator["grades"]],
    }


@pytest.mark.parametrize("by", [None, *DIVISIONS])
async def test_every_part_of_the_indicator_agrees_with_the_standings(portfolio: Portfolio, by: str | None) -> None:
    markers = portfolio.markers
    known = await portfolio.standings()
    links = 0
    for question, belongs in QUESTIONS:
        found = await markers.get(INDICATOR, **{**question, **({"by": by} if by else {})})
        chosen = [
            (document, known[code])
            for code, document in portfolio.documents.items()
            if document["stage"] == "funded" and belongs(document, known[code])
        ]
        assert unlinked(found["whole"]) == expected(chosen), question
        assert (found["by"], found["overlapping"]) == (by, by in OVERLAPPING)
        groups: dict[str | None, list[tuple[Facts, Facts]]] = defaultdict(list)
        for document, standing in chosen:
            for part in parts(by, document, standing) if by else ():
                groups[part].append((document, standing))
        order = sorted(groups, key=lambda code: (code is None, code))
        assert [group["code"] for group in found["groups"]] == order
        assert [unlinked(group["indicator"]) for group in found["groups"]] == [expected(groups[code]) for code in order]
        for code, members, indicator in [
            (None, chosen, found["whole"]),
            *((g["code"], groups[g["code"]], g["indicator"]) for g in found["groups"]),
        ]:
            part_of_several = by in OVERLAPPING and by in question
            for grade in indicator["grades"]:
                if indicator is not found["whole"] and (code is None or part_of_several):
                    assert grade["link"] is None
                    continue
                rows = [document["code"] for document, standing in members if standing["grade"] == grade["grade"]]
                assert await listed(markers, grade["link"]) == rows, grade["link"]
                links += 1
    assert links > 20


async def test_standings_are_filtered_alike(portfolio: Portfolio) -> None:
    known = await portfolio.standings()
    for question, belongs in QUESTIONS:
        found = await portfolio.standings(**question)
        assert [*found] == [c for c, document in portfolio.documents.items() if belongs(document, known[c])], question
    for stage in ("funded", "closed", "pipeline"):
        found = await portfolio.standings(stage=stage)
        assert [*found] == [c for c, document in portfolio.documents.items() if document["stage"] == stage]


async def test_standings_are_read_by_pages_and_exported(portfolio: Portfolio) -> None:
    client = portfolio.markers.running.client
    everything = (await portfolio.markers.get(STANDINGS, limit=1000))["items"]
    for sort in ("code", "-code", "updated", "-updated"):
        rows, path = [], f"{STANDINGS}?limit=4&sort={sort}"
        while path:
            page = (await client.get(path)).json()
            rows += page["items"]
            path = page["next"]
        name = sort.removeprefix("-")
        ordered = sorted(everything, key=lambda row: (row[name], row["code"]), reverse=sort.startswith("-"))
        assert [row["code"] for row in rows] == [row["code"] for row in ordered]
    lines = (await client.get(f"{STANDINGS}?format=ndjson")).text.splitlines()
    assert len(lines) == len(everything)
    table = (await client.get(f"{STANDINGS}?format=csv&marker=human_rights&grade=A")).text.splitlines()
    assert [line.split(",")[:2] for line in table] == [["code", "programme"], ["M-06.human_rights", "M-06"],
                                                       ["M-08.human_rights", "M-08"]]  # fmt: skip


async def counting(portfolio: Portfolio, **query: Any) -> list[Facts]:
    """The assessments that count, in the order of their programmes."""
    found = await portfolio.standings(**query)
    codes = [standing["assessment"] for standing in found.values() if standing["assessment"]]
    return [await portfolio.markers.get(f"{ASSESSMENTS}/{code}") for code in codes]


@pytest.mark.parametrize("query", [{}, {"stage": "funded"}, {"country": "KEN"}, {"rubric": "other.1"}])
async def test_criteria_are_told_by_the_answers_that_count(portfolio: Portfolio, query: Facts) -> None:
    given: dict[tuple[str, str], Counter[Any]] = defaultdict(Counter)
    behind = set()
    for assessment in await counting(portfolio, **query):
        if assessment["rubric"] is None:
            continue
        rubric = f"{assessment['rubric']['code']}.{assessment['rubric']['version']}"
        behind.add(rubric)
        own = assessment["reviewed"]["answers"]
        for criterion, said in assessment["answers"].items():
            given[rubric, criterion][own.get(criterion, said)["answer"]] += 1
    asked = {RUBRIC_CODE: ([c.code for c in RUBRIC.criteria], 3), "other.1": (["c0", "c1"], 2)}
    rows: list[tuple[Any, ...]] = []
    for rubric in behind:
        criteria, best = asked[rubric]
        for criterion in criteria:
            levels = given[rubric, criterion]
            answered = sum(levels[level] for level in range(best + 1))
            share = (
                Fraction(sum(level * levels[level] for level in range(best + 1)), best * answered) if answered else None
            )
            counts = [levels[level] for level in range(best + 1)]
            rows.append((share is None, share, rubric, criterion, answered, levels[NOT_APPLICABLE], counts))
    found = (await portfolio.markers.get(CRITERIA, marker="human_rights", **query))["criteria"]
    told = [
        (
            c["share"] is None, c["share"] and Fraction(c["share"]["numerator"], c["share"]["denominator"]),
            c["rubric"], c["criterion"], c["answered"], c["not_applicable"], [n["programmes"] for n in c["levels"]],
        )
        for c in found
    ]  # fmt: skip
    assert told == sorted(rows)
    assert told


async def test_answers_of_the_reviewer_count_for_a_criterion(portfolio: Portfolio) -> None:
    query: Facts = {"marker": "human_rights", "programme": "M-01"}
    (equality,) = [
        c for c in (await portfolio.markers.get(CRITERIA, **query))["criteria"] if c["criterion"] == "equality"
    ]
    assert [(level["answer"], level["programmes"]) for level in equality["levels"]] == [(0, 0), (1, 1), (2, 0), (3, 0)]


@pytest.mark.parametrize(
    "query", [{}, {"open": "true"}, {"open": "false"}, {"due_before": "2026-02-01"}, {"programme": ["M-02", "M-06"]},
              {"open": "true", "due_before": "2026-01-01"}, {"marker": "gender"}],
)  # fmt: skip
async def test_actions_are_those_of_the_assessments_that_count(portfolio: Portfolio, query: Facts) -> None:
    rows = []
    for marker in ("human_rights", "gender"):
        for assessment in await counting(portfolio, marker=marker):
            for criterion, said in assessment["answers"].items():
                for n, asked in enumerate(said["actions"], 1):
                    is_open = "true" if asked["done"] is None else "false"
                    if (
                        query.get("open", is_open) == is_open
                        and asked["due"] < query.get("due_before", "9999")
                        and assessment["programme"] in query.get("programme", [assessment["programme"]])
                        and query.get("marker", marker) == marker
                    ):
                        rows.append((asked["due"], f"{assessment['code']}.{criterion}.{n}", criterion, asked["done"]))
    found = (await portfolio.markers.get(ACTIONS, **query))["items"]
    assert [(a["due"], a["code"], a["criterion"], a["done"]) for a in found] == sorted(rows)
    # Nothing of what is submitted, returned, or overtaken by a later stage.
    assert {a["programme"] for a in found} <= {"M-01", "M-02", "M-06", "M-07"}
    assert "2024-01-01" not in {a["due"] for a in found}
    for form in ("csv", "ndjson"):
        answered = await portfolio.markers.running.client.get(ACTIONS, params={**query, "format": form})
        assert len(answered.text.splitlines()) == len(rows) + (form == "csv")


@pytest.mark.parametrize("path", [STANDINGS, INDICATOR, CRITERIA, ACTIONS, OVER_TIME, f"{API}/targets"])
async def test_unknown_questions_are_refused(portfolio: Portfolio, path: str) -> None:
    of_all = ["nonsense=1", "grade=%00", "as_of=999999", "as_of=x", "as_of=2999-01-01"]
    of_standings = [
        "grade=D", "country=KENYA", "region=KEN", "country=002", "organization=NOBODY", "thematic_area=9", "rubric=x.1",
        "programme=M-1", "assessed=maybe", "assessed_stage=pipeline", "due_for=1999", "due_for=2025.5", "due_for=x",
        "grade=A%25", "assessed=true&assessed=false",
    ]  # fmt: skip
    questions = {
        STANDINGS: [*of_standings, "marker=x", "stage=nowhere", "sort=grade", "target=human-rights-90", "limit=0"],
        INDICATOR: [*of_standings, "target=x", "by=grade", "by=", "marker=human_rights", "stage=funded"],
        CRITERIA: [*of_standings, "marker=x", "stage=nowhere"],
        ACTIONS: [
            "programme=M-1",
            "marker=x",
            "open=maybe",
            "due_before=2026-02-30",
            "due_before=tomorrow",
            "sort=owner",
        ],
        OVER_TIME: ["target=x", "interval=week", "by=country"],
        f"{API}/targets": ["marker=x", "sort=name"],
    }
    for question in [*of_all, *questions[path]]:
        answered = await portfolio.markers.running.client.get(f"{path}?{question}")
        assert answered.status_code == 422, question
        assert answered.headers["content-type"] == "application/problem+json"


async def test_an_unknown_code_is_told_what_was_meant(portfolio: Portfolio) -> None:
    for path, question, parameter, suggestion in (
        (INDICATOR, "country=KENN", "country", "KEN"),
        (STANDINGS, "programme=M-011", "programme", "M-11"),
        (STANDINGS, "organization=UNHCRR", "organization", "UNHCR"),
        (INDICATOR, "target=human-right-90", "target", "human-rights-90"),
        (INDICATOR, "by=countries", "by", "country"),
        (CRITERIA, "marker=human_right", "marker", "human_rights"),
    ):
        (error,) = (await portfolio.markers.running.client.get(f"{path}?{question}")).json()["errors"]
        assert (error["code"], error["parameter"], error["suggestion"]) == ("unknown_code", parameter, suggestion)


# --- what counts -----------------------------------------------------------------------------------------------------


async def test_the_newest_accepted_assessment_counts(markers: Markers) -> None:
    code = await markers.copied()
    stages = [("annual_report", 2024), ("concept_note", None), ("annual_report", 2023), ("programme_document", None),
              ("annual_report", 2025), ("final_report", None)]  # fmt: skip
    declared: list[tuple[int, int, str]] = []
    for (stage, year), grade in zip(stages, "BACACB", strict=True):
        said = made(await markers.declare(code, grade, stage=stage, year=year)).json()
        declared.append((LIFE.index(stage), year or 0, said["code"]))
        standing = (await standings(markers))[code]
        assert standing["assessment"] == max(declared)[2]
    # The next version of the same stage; submitted it does not count yet, and returned it never does.
    first = await markers.submitted(code, 1, stage="final_report", answers=answers(1, "final_report"))
    assert ((await standings(markers))[code]["grade"], (await standings(markers))[code]["under_review"]) == ("B", True)
    await markers.reviewed(first, decision="return")
    assert ((await standings(markers))[code]["grade"], (await standings(markers))[code]["under_review"]) == ("B", False)
    second = await markers.accepted(code, 3, stage="final_report", answers=answers(3, "final_report"))
    assert second["version"] == 3
    standing = (await standings(markers))[code]
    assert (standing["assessment"], standing["grade"], standing["answered"]) == (second["code"], "A", True)
    third = await markers.accepted(code, 1, stage="final_report", answers=answers(1, "final_report"))
    assert (await standings(markers))[code]["assessment"] == third["code"]
    # An earlier stage that is assessed later changes nothing.
    await markers.accepted(code, 3)
    assert (await standings(markers))[code]["assessment"] == third["code"]


async def test_a_year_is_due_until_its_report_is_submitted(markers: Markers) -> None:
    code = await markers.copied(duration={"start": "2024-07-01", "end": "2026-06-30"})

    async def due(year: int) -> bool:
        return code in await standings(markers, due_for=year)

    assert [await due(year) for year in (2023, 2024, 2025, 2026, 2027)] == [False, True, True, True, False]
    report: Facts = {"stage": "annual_report", "year": 2025, "answers": answers(3, "annual_report")}
    submitted = await markers.submitted(code, **report)
    assert [await due(year) for year in (2024, 2025, 2026)] == [True, False, True]
    await markers.reviewed(submitted, decision="return")
    assert await due(2025)
    await markers.accepted(code, **report)
    assert not await due(2025)


async def test_versions_of_rubrics_are_not_mixed_unseen(markers: Markers) -> None:
    codes = [await markers.copied() for _ in range(3)]
    await markers.accepted(codes[0], 3)
    one = await whole(markers)
    assert (one["mixed"], one["rubrics"]) == (
        False, [{"rubric": RUBRIC_CODE, "status": "illustrative", "programmes": 1}],
    )  # fmt: skip
    made(await markers.declare(codes[1], "B"))
    declared = await whole(markers)
    assert (declared["mixed"], declared["rubrics"][1]) == (True, {"rubric": None, "status": None, "programmes": 1})
    other = {**small({"type": "manual"}, ["A", "B", "C"], [1]), "code": "other", "marker": "human_rights"}
    rubric = await markers.publish(other, RUBRIC_CODE)
    reviewed = await markers.submitted(codes[2], rubric=rubric, answers={"c0": answer(1)}, declared_grade="A")
    await markers.reviewed(reviewed, grade="C")
    assert (await whole(markers))["rubrics"] == [
        {"rubric": RUBRIC_CODE, "status": "superseded", "programmes": 1},
        {"rubric": "other.1", "status": "illustrative", "programmes": 1},
        {"rubric": None, "status": None, "programmes": 1},
    ]
    assert (await standings(markers))[codes[0]]["rubric_status"] == "superseded"


# --- what was answered then ------------------------------------------------------------------------------------------


QUESTIONS_THEN = (
    f"{INDICATOR}?", f"{INDICATOR}?by=country", f"{INDICATOR}?by=region", f"{INDICATOR}?by=organization",
    f"{INDICATOR}?by=thematic_area", f"{INDICATOR}?by=rubric", f"{STANDINGS}?limit=1000",
    f"{CRITERIA}?marker=human_rights", f"{ACTIONS}?sort=code", f"{ASSESSMENTS}?limit=1000",
)  # fmt: skip


async def test_what_was_answered_at_a_revision_is_answered_again(markers: Markers) -> None:
    client = markers.running.client
    kept: dict[int, list[tuple[Facts, str]]] = {}

    async def keep() -> None:
        answered = [await client.get(question) for question in QUESTIONS_THEN]
        assert {a.status_code for a in answered} == {200}
        kept[answered[0].json()["revision"]] = [(a.json(), a.headers["etag"]) for a in answered]

    first, second = programme("T-01", places=named("KEN")), programme("T-02", places=named("KEN", "SRB"))
    await markers.copy(first, second, places=PLACES)
    await keep()
    said = answers(3, equality=answer(3, actions=[action("2026-01-31")]))
    submitted = await markers.submitted("T-01", answers=said)
    await keep()
    await markers.reviewed(submitted, answers={"equality": {"answer": 0, "reason": "x"}})
    await keep()
    correction = await markers.submitted("T-01", 2, answers=answers(2, equality=answer(2, actions=[])))
    await keep()
    await markers.reviewed(correction)
    await keep()
    # The catalogue's own: nobody is in ILO's place, another area, country, budget and stage.
    changed = {"organizations": named("IOM"), "thematic_area": {"code": "5", "name": "Inclusion"}, "budget": None}
    await markers.copy({**first, **changed}, {**second, "stage": "closed", "organizations": named("IOM")})
    await keep()
    await markers.copy(places=[place("KEN", "150", "039")])
    await keep()
    await markers.allocate("T-01", "1000.00")
    await keep()
    await markers.allocate("T-01", "-999.99")
    await keep()
    await markers.publish(
        {**small({"type": "manual"}, ["A", "B"], [1]), "code": "o", "marker": "human_rights"}, RUBRIC_CODE
    )
    await keep()
    assert len(kept) == 10
    assert len({str(answered[0]["whole"]) for answered in (then[0] for then in kept.values())}) >= 7
    # Another process, which has seen no code before.
    async with running_app("markers", markers.running.database_url, None) as running:
        for number, then in kept.items():
            for question, (before, _) in zip(QUESTIONS_THEN, then, strict=True):
                answered = await running.client.get(f"{question}&as_of={number}")
                assert answered.status_code == 200, answered.text
                links = as_then(answered.json(), number)
                assert links == before
    async with running_app("markers", markers.running.database_url, None) as running:
        for number, then in kept.items():
            for group in then[3][0]["groups"]:
                for grade in group["indicator"]["grades"]:
                    rows = await listed(Markers(running), f"{grade['link']}&as_of={number}")
                    assert len(rows) == grade["programmes"]


def as_then(found: Any, number: int) -> Any:
    """An answer of the past with its links as they were when it was the present."""
    if isinstance(found, dict):
        return {name: as_then(value, number) for name, value in found.items()}
    if isinstance(found, list):
        return [as_then(value, number) for value in found]
    if isinstance(found, str) and found.startswith(f"{STANDINGS}?"):
        assert f"as_of={number}&" in found
        return found.replace(f"as_of={number}&", "")
    return found


def last_days(first: date, last: date, months: int) -> list[date]:
    """The last days of all periods from one day to another."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 400)]
    ends = [day for day in days if (day + timedelta(days=1)).day == 1 and day.month % months == 0]
    return [day for day in ends if day < last] + [next(day for day in ends if day >= last)]


async def test_the_indicator_over_time_is_what_was_known_at_each_end(markers: Markers) -> None:
    codes = [await markers.copied() for _ in range(2)]
    today = datetime.now(UTC).date()
    # Written in the last second of a year, in the first one of a month, and on the last day of that month.
    first, second = date(today.year - 2, 12, 31), date(today.year - 1, 5, 1)
    await written_at(markers, datetime(first.year, 12, 31, 23, 59, 59, tzinfo=UTC))
    made(await markers.declare(codes[0], "A"))
    await written_at(markers, datetime(second.year, 5, 1, tzinfo=UTC))
    made(await markers.declare(codes[1], "C"))
    await written_at(markers, datetime(second.year, 5, 31, 12, tzinfo=UTC))
    made(await markers.declare(codes[1], "B", stage="final_report"))
    for interval, months in (("month", 1), ("quarter", 3), ("year", 12)):
        periods = (await markers.get(OVER_TIME, interval=interval))["periods"]
        assert [period["period_end"] for period in periods] == [d.isoformat() for d in last_days(first, today, months)]
        for period in periods:
            ended = date.fromisoformat(period["period_end"]) < today
            then: Facts = {"as_of": f"{period['period_end']}T23:59:59.999999Z"} if ended else {}
            assert unlinked(period["indicator"]) == unlinked(await whole(markers, **then))
            for grade in period["indicator"]["grades"]:
                assert len(await listed(markers, grade["link"])) == grade["programmes"]
        counted = [period["indicator"]["counted"] for period in periods]
        assert (counted[0], counted[-1], sorted(counted)) == (0, 2, counted)


async def written_at(markers: Markers, moment: datetime) -> None:
    """Let the last write have been at a moment that is past, and all others of today as long before it as they were."""
    async with markers.running.app.state.database.sessions() as session, session.begin():
        await session.execute(
            sa.text("UPDATE revision SET at = at - ((SELECT max(at) FROM revision) - :moment) WHERE at > :after"),
            {"moment": moment, "after": datetime.now(UTC) - timedelta(days=1)},
        )


# --- whether anything is new -----------------------------------------------------------------------------------------


async def test_an_answer_is_asked_for_again_with_its_tag(markers: Markers) -> None:
    code = await markers.copied()
    client = markers.running.client
    paths = (INDICATOR, f"{INDICATOR}?by=country", STANDINGS, CRITERIA, ACTIONS, OVER_TIME)

    async def tags(sent: Mapping[str, str]) -> dict[str, httpx.Response]:
        return {p: await client.get(p, headers={"if-none-match": sent[p]} if sent else {}) for p in paths}

    before = {path: answered.headers["etag"] for path, answered in (await tags({})).items()}
    assert len({*before.values()}) == len(paths)
    assert {(a.status_code, a.content) for a in (await tags(before)).values()} == {(304, b"")}
    # A submission changes what waits for review, and nothing else.
    submitted = await markers.submitted(code)
    found = await tags(before)
    assert {a.status_code for a in found.values()} == {200}
    assert found[INDICATOR].json()["whole"]["under_review"] == 1
    assert found[STANDINGS].json()["items"][0]["under_review"] is True
    await markers.reviewed(submitted)
    assert {a.status_code for a in (await tags({p: a.headers["etag"] for p, a in found.items()})).values()} == {200}


async def test_the_ages_of_the_copies_are_told_with_every_indicator(markers: Markers) -> None:
    client = markers.running.client
    sources = {"catalogue-age": ("catalog", 90), "ledger-age": ("funding", 300)}
    for is_known in (False, True):
        if is_known:
            async with markers.running.app.state.database.sessions() as session, session.begin():
                for service, age in sources.values():
                    followed = sa.text("INSERT INTO followed VALUES (:service, 7, 7, now(), :caught_up)")
                    caught_up = datetime.now(UTC) - timedelta(seconds=age)
                    await session.execute(followed, {"service": service, "caught_up": caught_up})
        for path in (INDICATOR, f"{INDICATOR}?by=region", f"{INDICATOR}?as_of=1", CRITERIA):
            first = await client.get(path)
            again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
            assert (first.status_code, again.status_code) == (200, 304)
            for answered in (first, again):
                for header, (_, age) in sources.items():
                    told = answered.headers[header]
                    assert age <= int(told) < age + 60 if is_known else told == "unknown"
    copies = (await markers.get(f"{API}/copies"))["copies"]
    assert [(copy["service"], copy["reached"]) for copy in copies] == [("catalog", 7), ("funding", 7)]
    for copy, (_, age) in zip(copies, sources.values(), strict=True):
        assert age <= copy["age_seconds"] < age + 60


async def test_an_indicator_that_is_kept_is_the_one_of_its_revision(portfolio: Portfolio) -> None:
    client = portfolio.markers.running.client
    first, second = [await client.get(f"{INDICATOR}?by=organization&grade=A&grade=B") for _ in range(2)]
    assert "hit" in second.headers["cache-status"]
    assert (first.content, first.headers["etag"]) == (second.content, second.headers["etag"])
    months, years = [await client.get(f"{OVER_TIME}?interval={interval}") for interval in ("month", "year")]
    assert months.headers["etag"] != years.headers["etag"]
    assert months.json()["periods"][0]["period_end"] <= years.json()["periods"][0]["period_end"]
    swapped = await client.get(f"{INDICATOR}?grade=B&grade=A&by=organization")
    assert swapped.headers["etag"] == first.headers["etag"]


async def test_a_target_is_read_with_its_source(portfolio: Portfolio) -> None:
    markers = portfolio.markers
    found = await markers.get(f"{API}/targets/human-rights-90")
    assert (found["grades"], found["minimum"]) == (["A", "B"], {"numerator": 9, "denominator": 10})
    assert (found["stage"], found["sources"][0]["verified"]) == ("funded", True)
    assert (await markers.get(INDICATOR))["target"] == found
    unknown = await markers.running.client.get(f"{API}/targets/human-rights-91")
    assert refused(unknown) == (404, "not_found")
