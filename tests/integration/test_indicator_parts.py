"""The parts of the indicator agree with the current grades of a portfolio that has programmes of every kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest

from mmptf_local.cache import Cache
from mmptf_markers.engine.rubric import NOT_APPLICABLE
from tests.conftest import running_app
from tests.integration.indicator import (
    CRITERIA,
    OVER_TIME,
    PLACES,
    REGIONS,
    action,
    current_grades,
    listed,
    named,
    unlinked,
)
from tests.integration.marked import (
    ACTIONS,
    API,
    ASSESSMENTS,
    CURRENT_GRADES,
    INDICATOR,
    OF_OFFICIAL,
    RUBRIC,
    RUBRIC_CODE,
    Json,
    Markers,
    Who,
    answer,
    answers,
    made,
    programme,
    refused,
)
from tests.unit.markers.rubrics import small

DIVISIONS = (
    "thematic_area", "country", "region", "subregion", "intermediate_region", "organization", "assessed_stage",
    "rubric",
)  # fmt: skip
OVERLAPPING = {"country", "region", "subregion", "intermediate_region", "organization"}
# What chooses programmes by what is known of their grades.
OF_GRADES = {"grade", "assessed", "rubric", "assessed_stage", "due_for"}
# The status of each rubric; and how many of the 21 programmes that a document counts are not among the nine here.
STATUSES = {RUBRIC_CODE: "illustrative", "other.1": "official", None: None}
NOT_HELD = 21 - 9
# Filters with which only a part of a programme's money may be asked for.
OF_PARTS = {"country", "region", "organization"}


@dataclass(frozen=True)
class Portfolio:
    """A portfolio that tests only read."""

    markers: Markers
    documents: Mapping[str, Json]

    async def current_grades(self, **query: Any) -> dict[str, Json]:
        return await current_grades(self.markers, **query)


def documents() -> list[Json]:
    """Programmes that differ in whatever the indicator is divided by."""
    one = {"currency": "USD", "stage": "allocation"}
    none: Json = {"places": [], "thematic_area": None, "budget": None}
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
                  lead_organization="UNHCR",
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


def in_dollars(amounts: list[Decimal]) -> Json | None:
    return {"amount": f"{sum(amounts):.2f}", "currency": "USD"} if amounts else None


async def assess(markers: Markers) -> None:
    """Every current grade that a programme can have, under two rubrics of the marker and one of another."""
    asked = answers(3, equality=answer(3, actions=[action("2026-01-31"), action("2026-02-01")]))
    first = await markers.submitted("M-01", answers=asked)
    await markers.reviewed(first, answers={"equality": {"answer": 1, "reason": "No data by sex."}})
    said = answers(2, participation=answer(1, actions=[action("2025-12-31")]), national_institutions=NOT_APPLICABLE)
    await markers.accepted("M-02", answers=said)
    made(await markers.declare("M-03", "C"))
    await markers.submitted("M-04", answers=answers(3, equality=answer(3, actions=[action("2026-01-01")])))
    await markers.reviewed(await markers.submitted("M-05", 3), decision="return")
    await markers.accepted("M-06", answers=answers(1, equality=answer(1, actions=[action("2024-01-01")])))
    later: Json = {"stage": "annual_report", "year": 2024}
    annual = answers(3, "annual_report", sustainability=answer(2, actions=[action("2026-06-30")]))
    await markers.accepted("M-06", answers=annual, **later)
    await markers.submitted("M-06", 1, answers=answers(1, "annual_report"), **later)
    other = {**small({"type": "manual"}, ["A", "B", "C"], [1, 1]), "code": "other", "marker": "human_rights"}
    rubric = await markers.publish({**other, **OF_OFFICIAL})
    said = {"c0": answer(2), "c1": answer(0, actions=[action("2026-03-31")])}
    manual = await markers.submitted("M-07", 0, Who("agency", "UNHCR"), rubric=rubric, answers=said, declared_grade="B")
    await markers.reviewed(manual, grade="B", answers={"c1": {"answer": 1, "reason": "x"}})
    await markers.accepted("M-08", 3, rubric=RUBRIC_CODE)
    gender = await markers.publish({**other, "code": "gender", "marker": "gender"})
    third = await markers.submitted(
        "M-11", rubric=gender, answers={"c0": answer(1), "c1": answer(1)}, declared_grade="A"
    )
    await markers.reviewed(third, grade="A")


async def test_the_current_grade_of_each_programme_is_the_one_that_counts(portfolio: Portfolio) -> None:
    found = await portfolio.current_grades()
    names = ("grade", "basis", "answered", "assessed_stage", "assessed_year", "rubric", "under_review", "returned")
    nothing = (None, None, None, None, None, None)
    first = ("programme_document", None, RUBRIC_CODE)
    assert {code: tuple(item[name] for name in names) for code, item in found.items()} == {
        "M-01": ("B", "reviewed", True, *first, False, False),
        "M-02": ("B", "reviewed", True, *first, False, False),
        "M-03": ("C", "declared", False, "programme_document", None, None, False, False),
        "M-04": (*nothing, True, False),
        "M-05": (*nothing, False, True),
        "M-06": ("A", "reviewed", True, "annual_report", 2024, RUBRIC_CODE, True, False),
        "M-07": ("B", "reviewed", True, "programme_document", None, "other.1", False, False),
        "M-08": ("A", "reviewed", True, *first, False, False),
        **{code: (*nothing, False, False) for code in ("M-09", "M-10", "M-11")},
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
        assert item["rubric_status"] == STATUSES[item["rubric"]]
        assert item["rubric_superseded"] == (False if item["rubric"] else None)
    gender = await portfolio.current_grades(marker="gender")
    assert {code for code, item in gender.items() if item["grade"]} == {"M-11"}
    assert (await portfolio.markers.get(CURRENT_GRADES))["total"] == 2 * len(portfolio.documents)


def parts(by: str | None, document: Json, current: Json) -> list[str | None]:
    """The groups that a programme belongs to."""
    countries = [where["code"] for where in document["places"]]
    found: dict[str | None, list[str | None]] = {
        None: [None],
        "thematic_area": [document["thematic_area"] and document["thematic_area"]["code"]],
        "country": [*countries],
        **{
            level: [*{REGIONS[country][n] for country in countries if n < len(REGIONS[country])}]
            for n, level in enumerate(("region", "subregion", "intermediate_region"))
        },
        "organization": [organization["code"] for organization in document["organizations"]],
        "assessed_stage": [current["assessed_stage"]],
        "rubric": [current["rubric"]],
    }
    return found[by] or [None]


def name_of(by: str | None, code: str | None) -> str | None:
    """The name of a group: places and organizations are named by their codes here."""
    if code is None or by in ("assessed_stage", "rubric"):
        return None
    names = {document["thematic_area"]["code"]: document["thematic_area"]["name"]
             for document in documents() if document["thematic_area"]}  # fmt: skip
    return names[code] if by == "thematic_area" else code


def runs_in(document: Json, year: int) -> bool:
    during = document["duration"]
    return during is None or int(during["start"][:4]) <= year <= int(during["end"][:4])


# What each question asks for, and which programmes that are.
QUESTIONS: list[tuple[Json, Callable[[Json, Json], bool]]] = [
    ({}, lambda document, current: True),
    ({"grade": ["A", "B"]}, lambda document, current: current["grade"] in ("A", "B")),
    ({"grade": "C"}, lambda document, current: current["grade"] == "C"),
    ({"assessed": "false"}, lambda document, current: current["grade"] is None),
    ({"assessed": "true"}, lambda document, current: current["grade"] is not None),
    ({"country": "KEN"}, lambda document, current: "KEN" in parts("country", document, current)),
    ({"country": "SRB"}, lambda document, current: "SRB" in parts("country", document, current)),
    ({"country": ["UGA", "SRB"]},
     lambda document, current: any(c in parts("country", document, current) for c in ("UGA", "SRB"))),
    ({"region": "150"}, lambda document, current: "150" in parts("region", document, current)),
    ({"region": "014"}, lambda document, current: "014" in parts("intermediate_region", document, current)),
    ({"organization": ["ILO", "UNHCR"]},
     lambda document, current: any(c in parts("organization", document, current) for c in ("ILO", "UNHCR"))),
    ({"thematic_area": ["2", "4"]},
     lambda document, current: parts("thematic_area", document, current)[0] in ("2", "4")),
    ({"rubric": RUBRIC_CODE}, lambda document, current: current["rubric"] == RUBRIC_CODE),
    ({"assessed_stage": ["annual_report", "final_report"]},
     lambda document, current: current["assessed_stage"] == "annual_report"),
    ({"programme": ["M-01", "M-08", "M-10"]}, lambda document, current: document["code"] in ("M-01", "M-08", "M-10")),
    # The annual report of 2024 on M-06 is there, and its correction is on its way.
    ({"due_for": 2024}, lambda document, current: runs_in(document, 2024) and document["code"] != "M-06"),
    ({"due_for": 2025, "country": "SRB"},
     lambda document, current: runs_in(document, 2025) and "SRB" in parts("country", document, current)),
]  # fmt: skip


def expected(found: list[tuple[Json, Json]], of: int | None) -> Json:
    """The indicator of programmes and their current grades, worked out anew, without links.

    of: the number of all programmes, where these are chosen by what is known of their grades
    """
    grades = Counter(current["grade"] for _, current in found)
    behind = Counter(current["rubric"] for _, current in found if current["grade"])
    programmes = len(found) if of is None else of
    bases: Counter[tuple[str, str | None]] = Counter()
    reached: Counter[tuple[str, str | None]] = Counter()
    for _, current in found:
        if current["grade"]:
            bases[current["basis"], STATUSES[current["rubric"]]] += 1
            reached[current["basis"], STATUSES[current["rubric"]]] += current["grade"] in ("A", "B")
        elif current["under_review"]:
            bases["submitted", None] += 1
    fulfils = {basis: basis[0] != "submitted" and basis[1] != "illustrative" for basis in bases}
    counted = sum(reached[basis] for basis in bases if fulfils[basis])
    undecided = grades[None] + bases["reviewed", "illustrative"]
    share = Fraction(counted, programmes) if programmes else None
    status = "not_applicable" if share is None else standing(counted, undecided, programmes)
    return {
        "programmes": programmes,
        "assessed": len(found) - grades[None],
        "unassessed": grades[None],
        "under_review": sum(current["under_review"] for _, current in found),
        "returned": sum(current["returned"] for _, current in found),
        "counted": counted,
        "illustrative": sum(reached.values()) - counted,
        "not_held": NOT_HELD,
        "share": (str(share.numerator), str(share.denominator)) if share is not None else None,
        "standing": status if of is None else None,
        "short_by": max(0, ceil(Fraction(9, 10) * programmes) - counted) if of is None else None,
        "bases": [
            {
                "basis": basis[0],
                "rubric_status": basis[1],
                "programmes": bases[basis],
                "with_grade": reached[basis],
                "fulfils": fulfils[basis],
            }
            for basis in sorted(bases, key=str)
            if bases[basis]
        ],
        "grades": [
            {"grade": grade, "programmes": grades[grade], **money([d for d, s in found if s["grade"] == grade])}
            for grade in sorted(grades, key=lambda grade: (grade is None, grade))
            if grades[grade]
        ],
        "rubrics": [
            {
                "rubric": code,
                "status": STATUSES[code],
                "superseded": False if code else None,
                "programmes": behind[code],
            }
            for code in sorted(behind, key=lambda code: (code is None, code))
        ],
        "mixed": len(behind) > 1,
    }


def standing(counted: int, undecided: int, programmes: int) -> str:
    possible = {10 * (counted + more) >= 9 * (programmes + NOT_HELD) for more in (0, undecided + NOT_HELD)}
    return "undetermined" if len(possible) == 2 else "met" if possible == {True} else "not_met"


def money(found: list[Json]) -> Json:
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for budget in (document["budget"] for document in found if document["budget"]):
        sums[budget["stage"], budget["currency"]].append(Decimal(budget["amount"]))
    granted = allocated(document["code"] for document in found)
    return {
        "budgets": [
            {"stage": stage, "sum": {"amount": f"{sum(amounts):.2f}", "currency": currency}, "programmes": len(amounts)}
            for (stage, currency), amounts in sorted(sums.items())
        ],
        "shared": [],
        "without_budget": sum(document["budget"] is None for document in found),
        "allocated": in_dollars(granted),
        "allocated_shared": None,
        "without_allocation": len(found) - len(granted),
    }


def of_numbers(indicator: Json, is_divided: bool) -> Json:
    return without_money(unlinked(indicator), is_divided)


def without_money(indicator: Json, is_divided: bool) -> Json:
    """The indicator without its money, where that is divided, and without grades that are there for money alone."""
    if not is_divided:
        return indicator
    numbers = ("grade", "programmes", "without_budget", "without_allocation")
    grades = [{name: each[name] for name in numbers} for each in indicator["grades"] if each["programmes"]]
    return {**indicator, "grades": grades}


@pytest.mark.parametrize("by", [None, *DIVISIONS])
async def test_every_part_of_the_indicator_agrees_with_the_current_grades(portfolio: Portfolio, by: str | None) -> None:
    markers = portfolio.markers
    known = await portfolio.current_grades()
    links = 0
    for question, belongs in QUESTIONS:
        found = await markers.get(INDICATOR, **{**question, **({"by": by} if by else {})})
        chosen = [
            (document, known[code])
            for code, document in portfolio.documents.items()
            if document["stage"] == "funded" and belongs(document, known[code])
        ]
        # Who chooses by what is known of grades chooses of all the programmes that the other filters find.
        is_chosen = any(name in OF_GRADES for name in question)
        others = {name: value for name, value in question.items() if name not in OF_GRADES}
        (of_others,) = [belongs for asked, belongs in QUESTIONS if asked == others]
        everyone = [
            (document, known[code])
            for code, document in portfolio.documents.items()
            if document["stage"] == "funded" and of_others(document, known[code])
        ]
        of = len(everyone) if is_chosen else None
        # Of money that is divided test_money_by_group.py tells.
        is_divided = not OF_PARTS.isdisjoint(question)
        assert of_numbers(found["whole"], is_divided) == without_money(expected(chosen, of), is_divided), question
        assert (found["by"], found["overlapping"]) == (by, by in OVERLAPPING)
        groups: dict[str | None, list[tuple[Json, Json]]] = defaultdict(list)
        for document, current in chosen:
            for part in parts(by, document, current) if by else ():
                groups[part].append((document, current))
        all_of = Counter(
            part for document, current in everyone for part in (parts(by, document, current) if by else ())
        )
        order = sorted(all_of if is_chosen and by not in OF_GRADES else groups, key=lambda code: (code is None, code))
        found["groups"] = [group for group in found["groups"] if group["code"] != "shared"]
        assert [group["code"] for group in found["groups"]] == order
        is_divided = is_divided or by in OVERLAPPING
        for group in found["groups"]:
            members = len(everyone) if by in OF_GRADES else all_of[group["code"]] if is_chosen else None
            numbers = without_money(expected(groups[group["code"]], members), is_divided)
            assert of_numbers(group["indicator"], is_divided) == numbers, (question, group["code"])
            assert group["name"] == name_of(by, group["code"])
        for members, indicator in [
            (chosen, found["whole"]),
            *((groups[g["code"]], g["indicator"]) for g in found["groups"]),
        ]:
            filter_ = "region" if by in ("subregion", "intermediate_region") else by
            no_filter = by in OVERLAPPING and filter_ in question
            for grade in indicator["grades"]:
                is_group = indicator is not found["whole"]
                if is_group and (no_filter or (filter_ != by and grade["link"] is None)):
                    assert grade["link"] is None
                    continue
                rows = [document["code"] for document, current in members if current["grade"] == grade["grade"]]
                assert await listed(markers, grade["link"]) == rows, grade["link"]
                links += 1
    assert links > 20


async def test_current_grades_are_filtered_like_the_indicator(portfolio: Portfolio) -> None:
    known = await portfolio.current_grades()
    for question, belongs in QUESTIONS:
        found = await portfolio.current_grades(**question)
        assert [*found] == [c for c, document in portfolio.documents.items() if belongs(document, known[c])], question
    for stage in ("funded", "closed", "pipeline"):
        found = await portfolio.current_grades(stage=stage)
        assert [*found] == [c for c, document in portfolio.documents.items() if document["stage"] == stage]


async def test_current_grades_are_read_by_pages_and_exported(portfolio: Portfolio) -> None:
    client = portfolio.markers.running.client
    everything = (await portfolio.markers.get(CURRENT_GRADES, limit=1000))["items"]
    for sort in ("code", "-code", "updated", "-updated"):
        rows, path = [], f"{CURRENT_GRADES}?limit=4&sort={sort}"
        while path:
            page = (await client.get(path)).json()
            rows += page["items"]
            path = page["next"]
        name = sort.removeprefix("-")
        ordered = sorted(everything, key=lambda row: (row[name], row["code"]), reverse=sort.startswith("-"))
        assert [row["code"] for row in rows] == [row["code"] for row in ordered]
    lines = (await client.get(f"{CURRENT_GRADES}?format=ndjson")).text.splitlines()
    assert len(lines) == len(everything)
    table = (await client.get(f"{CURRENT_GRADES}?format=csv&marker=human_rights&grade=A")).text.splitlines()
    assert [line.split(",")[:2] for line in table] == [["code", "programme"], ["M-06.human_rights", "M-06"],
                                                       ["M-08.human_rights", "M-08"]]  # fmt: skip


async def counting(portfolio: Portfolio, **query: Any) -> list[Json]:
    """The assessments that count, in the order of their programmes."""
    found = await portfolio.current_grades(**query)
    codes = [current["assessment"] for current in found.values() if current["assessment"]]
    return [await portfolio.markers.get(f"{ASSESSMENTS}/{code}") for code in codes]


@pytest.mark.parametrize("query", [{}, {"stage": "funded"}, {"country": "KEN"}, {"rubric": "other.1"}])
async def test_criteria_count_the_answers_of_the_current_grades(portfolio: Portfolio, query: Json) -> None:
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
    counted = [
        (
            c["share"] is None, c["share"] and Fraction("{numerator}/{denominator}".format(**c["share"])),
            c["rubric"], c["criterion"], c["answered"], c["not_applicable"], [n["programmes"] for n in c["levels"]],
        )
        for c in found
    ]  # fmt: skip
    assert counted == sorted(rows)
    assert counted


async def test_answers_of_the_reviewer_count_for_a_criterion(portfolio: Portfolio) -> None:
    query: Json = {"marker": "human_rights", "programme": "M-01"}
    (equality,) = [
        c for c in (await portfolio.markers.get(CRITERIA, **query))["criteria"] if c["criterion"] == "equality"
    ]
    assert [(level["answer"], level["programmes"]) for level in equality["levels"]] == [(0, 0), (1, 1), (2, 0), (3, 0)]


@pytest.mark.parametrize("path", [CURRENT_GRADES, INDICATOR, CRITERIA, ACTIONS, OVER_TIME, f"{API}/targets"])
async def test_unknown_parameters_are_rejected(portfolio: Portfolio, path: str) -> None:
    of_all = ["nonsense=1", "grade=%00", "as_of=999999", "as_of=x", "as_of=2999-01-01"]
    of_current_grades = [
        "grade=D", "country=KENYA", "region=KEN", "country=002", "organization=NOBODY", "thematic_area=9", "rubric=x.1",
        "programme=M-1", "assessed=maybe", "assessed_stage=pipeline", "due_for=1999", "due_for=2025.5", "due_for=x",
        "grade=A%25", "assessed=true&assessed=false",
    ]  # fmt: skip
    questions = {
        CURRENT_GRADES: [
            *of_current_grades,
            "marker=x",
            "stage=nowhere",
            "sort=grade",
            "target=human-rights-90",
            "limit=1001",
        ],
        INDICATOR: [*of_current_grades, "target=x", "by=grade", "by=", "marker=human_rights", "stage=funded"],
        CRITERIA: [*of_current_grades, "marker=x", "stage=nowhere"],
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


async def test_an_unknown_code_is_rejected_with_the_one_that_was_meant(portfolio: Portfolio) -> None:
    for path, question, parameter, suggestion in (
        (INDICATOR, "country=KENN", "country", None),
        (INDICATOR, "country=KE", "country", "KEN"),
        (CURRENT_GRADES, "programme=M-011", "programme", "M-11"),
        (CURRENT_GRADES, "organization=UNHCRR", "organization", "UNHCR"),
        (INDICATOR, "target=human-right-90", "target", "human-rights-90"),
        (INDICATOR, "by=countries", "by", "country"),
        (CRITERIA, "marker=human_right", "marker", "human_rights"),
    ):
        (error,) = (await portfolio.markers.running.client.get(f"{path}?{question}")).json()["errors"]
        assert (error["code"], error["parameter"], error["suggestion"]) == ("unknown_code", parameter, suggestion)


async def test_a_cached_indicator_is_the_one_of_its_revision(portfolio: Portfolio) -> None:
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
    assert found["grades"] == ["A", "B"]
    assert found["minimum"] == {"numerator": "9", "denominator": "10", "per_cent": "90.00"}
    assert (found["stage"], found["sources"][0]["verified"]) == ("funded", True)
    assert (await markers.get(INDICATOR))["target"] == found
    unknown = await markers.running.client.get(f"{API}/targets/human-rights-91")
    assert refused(unknown) == (404, "not_found")
