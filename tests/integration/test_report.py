"""The report: every section against a count by hand over random portfolios, and what it says in words."""

from __future__ import annotations

import csv
import io
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from mmptf_markers.engine.rubric import NOT_APPLICABLE, STAGES, YEARLY
from mmptf_markers.report import rules
from tests.conftest import running_app
from tests.integration.assessments import RISK
from tests.integration.indicator import OVER_TIME, PLACES, action, named, whole
from tests.integration.marked import (
    ACTIONS,
    API,
    ASSESSMENTS,
    DOCUMENT_DATES,
    DRAFTS,
    INDICATOR,
    IOM,
    OF_OFFICIAL,
    OFFICIAL,
    OFFICIAL_CODE,
    RUBRIC_CODE,
    Json,
    Markers,
    answer,
    answers,
    made,
    programme,
)
from tests.integration.recounted import Recount
from tests.integration.test_actions import DONE, DROPPED, REPLACED
from tests.unit.markers.rubrics import small

REPORT = f"{API}/report"
CRITERIA = f"{API}/criteria"
# An official rubric with core floors, asked at every stage.
FLOORS: Json = {
    **small(
        {
            "type": "weighted_share",
            "bands": [
                {"grade": "A", "minimum": "3/4"}, {"grade": "B", "minimum": "1/2"}, {"grade": "C", "minimum": "0"},
            ],
        },
        ["A", "B", "C"],
        [2, 1, 1, 1, 1],
    ),
    **OF_OFFICIAL,
    "code": "floors",
    "marker": "human_rights",
    "core_floors": [{"below": 2, "cap": "B", "reason": "x"}, {"below": 1, "cap": "C", "reason": "x"}],
}  # fmt: skip
for each in FLOORS["criteria"]:
    each["stages"] = list(STAGES)
    each["core"] = each["code"] in ("c0", "c1")
FLOORS_CODE = "floors.1"
ORGANIZATIONS = (named("IOM", "ILO"), named("IOM"))
CHANGES = 90


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


class Portfolio:
    """A portfolio that grows by random changes, and what is known of it outside of the service."""

    def __init__(self, markers: Markers, seed: int) -> None:
        self.markers, self.chance, self.ends = markers, random.Random(seed), random.Random(seed)
        self.programmes: dict[str, Json] = {}
        self.allocated: dict[str, Decimal] = {}

    async def begin(self, number: int) -> None:
        await self.markers.publish(FLOORS)
        for n in range(number):
            budget = {
                "amount": f"{self.chance.randint(1, 10**9)}.{n:02}",
                "currency": self.chance.choice(("USD", "EUR")),
            }
            made_up = programme(
                f"R-{n:02}",
                stage=self.chance.choices(("funded", "pipeline"), (6, 1))[0],
                organizations=self.chance.choice(ORGANIZATIONS),
                places=self.chance.choice((named("KEN"), named("SRB", "KEN"), [])),
                duration=self.chance.choice(
                    (
                        None,
                        {"start": "2023-01-01", "end": "2026-12-31"},
                        {"start": "2099-01-01", "end": "2100-01-01"},
                        {"start": "2020-05-01", "end": "2022-04-30"},
                    )
                ),
                budget=self.chance.choice(
                    (None, {**budget, "stage": "allocation"}, {**budget, "stage": "requirement"})
                ),
            )
            self.programmes[made_up["code"]] = made_up
        await self.markers.copy(*self.programmes.values(), places=PLACES)

    async def change(self) -> None:
        code = self.chance.choice(list(self.programmes))
        stage = self.chance.choice(STAGES)
        year = self.chance.choice((2023, 2024, 2025)) if stage in YEARLY else None
        match self.chance.choice(("declaration", "allocation", *(5 * ("submission",)))):
            case "declaration":
                day = f"{self.chance.randint(2020, 2025)}-06-30"
                await self.markers.declare(code, self.chance.choice("ABC"), stage=stage, year=year, date=day)
            case "allocation":
                amount = Decimal(self.chance.randint(1, 10**8)) / 100
                await self.markers.allocate(code, f"{amount:.2f}")
                self.allocated[code] = self.allocated.get(code, Decimal(0)) + amount
            case "submission":
                await self.submit(code, stage, year)
        if self.ends.random() < 0.3:
            await self.end_one()

    async def end_one(self) -> None:
        """End one of the open actions in one of the three ways."""
        open_ones = (await self.markers.get(ACTIONS, state="open", limit=1000))["items"]
        if open_ones:
            code = self.ends.choice(open_ones)["code"]
            sent = self.ends.choice((DONE, DROPPED, REPLACED))
            made(await self.markers.send("POST", f"{ACTIONS}/{code}/end", IOM, sent, match="*"), 200)

    async def submit(self, code: str, stage: Any, year: int | None) -> None:
        choices = (FLOORS_CODE, FLOORS_CODE, *[RUBRIC_CODE] * (stage != "evaluation"))
        rubric = self.chance.choice(choices)
        if rubric == RUBRIC_CODE:
            given = answers(self.chance.choice([1, 2, 3]), stage)
        else:
            given = {f"c{n}": answer(self.level(n)) for n in range(5)}
        for each in given.values():
            each["actions"] = [
                action(f"{self.chance.randint(2024, 2028)}-01-31") for _ in range(self.chance.choice((0, 0, 1, 2)))
            ]
        # A corrected assessment begins with all that the earlier one had.
        sent = {
            "programme": code,
            "stage": stage,
            "year": year,
            "rubric": rubric,
            "document_date": self.chance.choice((DOCUMENT_DATES[stage], "2024-02-29")) if year is None else None,
            "answers": given,
            "due_diligence": [RISK | {"due": due} for due in self.chance.sample(("2025-01-31", "2030-01-31", None), 2)],
        }
        draft = await self.markers.send("POST", DRAFTS, IOM, sent)
        if draft.status_code != 201:
            assert draft.status_code == 409, draft.text
            return
        submitted = made(await self.markers.submit(draft))
        if decision := self.chance.choice(("accept", "accept", "accept", "return", None)):
            own = {}
            if rubric == FLOORS_CODE:
                for criterion in self.chance.sample(sorted(given), self.chance.choice((0, 1, 2))):
                    other = self.chance.choice(
                        [v for v in (0, 1, 2, NOT_APPLICABLE) if v != given[criterion]["answer"]]
                    )
                    own[criterion] = {"answer": other, "reason": "x"}
            reviewed = await self.markers.review(submitted, decision=decision, answers=own)
            # All five may have been said not to apply.
            assert reviewed.status_code in (200, 422), reviewed.text

    def level(self, criterion: int) -> Any:
        """Mostly high, so that there is an A now and then."""
        return (
            self.chance.choice((0, 1, 2, 2, 2, 2, NOT_APPLICABLE)) if criterion else self.chance.choice((0, 1, 2, 2, 2))
        )

    async def recount(self, day: date, wanted: Callable[[Json], bool] = lambda _: True, **query: Any) -> Recount:
        records = (await self.markers.get(ASSESSMENTS, limit=1000, **query))["items"]
        found = (await self.markers.get(f"{API}/rubrics", limit=1000))["items"]
        rubrics = {each["code"]: each["content"] for each in found}
        actions = (await self.markers.get(ACTIONS, limit=1000))["items"]
        return Recount(filter(wanted, self.programmes.values()), records, rubrics, day, self.allocated, actions)


def without(record: Json, *names: str) -> Json:
    return {name: value for name, value in record.items() if name not in names}


def require_equal(report: Json, expected: Recount) -> None:
    """Fail unless every figure of every section is the one that was counted by hand."""
    headline = report["headline"]
    assert {name: headline[name] for name in expected.headline()} == expected.headline()
    others = ("another_grade", "waiting", "returned", "nothing", "with_grade")
    assert sum(headline[name] for name in others) == headline["programmes"]
    funnel = report["funnel"]
    states = ("submitted", "waiting", "returned", "accepted")
    editions = {each["rubric"]: {name: each[name] for name in states} for each in funnel["editions"]}
    assert {**funnel, "editions": editions} == expected.funnel()
    for each in funnel["editions"]:
        assert each["status"] == (each["rubric"] and expected.rubrics[each["rubric"]]["status"])
    reviews = {
        each["rubric"]: {
            **without(each, "rubric", "status"),
            "grades": [tuple(grade.values()) for grade in each["grades"]],
            "pairs": [tuple(pair.values()) for pair in each["pairs"]],
            "criteria": {
                c["criterion"]: (c["programmes"], c["lowered"], c["raised"], c["applicability"])
                for c in each["criteria"]
            },
        }
        for each in report["reviews"]
    }
    assert reviews == expected.reviews()
    criteria = {
        each["rubric"]: {
            "programmes": each["programmes"],
            **{name: [summary(one) for one in each[name]] for name in ("weakest", "strongest")},
            "missed_floors": [
                (
                    floor["below"],
                    floor["cap"],
                    floor["programmes"],
                    {criterion["criterion"]: criterion["programmes"] for criterion in floor["criteria"]},
                )
                for floor in each["missed_floors"]
            ],
        }
        for each in report["criteria"]
    }
    assert criteria == expected.criteria()
    delivery = report["delivery"]
    listed = {
        each["programme"]: (each["design_grade"], each["delivery_grade"], each["change"], each["fell_below"])
        for each in delivery["listed"]
    }
    assert {**delivery, "listed": listed} == expected.delivery()
    assert [each["fell_below"] for each in delivery["listed"]] == sorted(
        (each["fell_below"] for each in delivery["listed"]), reverse=True
    )
    actions = {
        (each["kind"], each["organization"]): tuple(
            each[name] for name in ("planned", "open", "done", "replaced", "dropped", "overdue")
        )
        for each in report["actions"]
    }
    assert actions == expected.actions()
    assert report["agreement"]["open_appeals"] == 0
    agreement = {
        each["rubric"]: (each["n"], each["exact"] and Fraction("{numerator}/{denominator}".format(**each["exact"])))
        for each in report["agreement"]["groups"]
    }
    assert agreement == expected.agreement()
    course = {each["period_end"]: (each["with_grade"], each["counted"]) for each in report["course"]}
    # It begins with the first assessment of all programmes, also of those that the filters leave out.
    mine = expected.course()
    assert {day: figures for day, figures in course.items() if day in mine or any(figures)} == mine
    # No source of these programmes states a part: what filters do not choose as a whole is shared.
    money = {
        each["grade"]: {
            "programmes": each["programmes"],
            "budgets": in_all(each["budgets"], each["shared"]),
            "without_budget": each["without_budget"],
            "allocated": in_ledger(each["allocated"], each["allocated_shared"]),
            "without_allocation": each["without_allocation"],
        }
        for each in report["money"]
    }
    assert money == expected.money()


def in_all(*found: list[Json]) -> dict[tuple[str, str], Decimal]:
    """Sums of budgets by stage of money and currency."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for each in (each for sums_ in found for each in sums_):
        sums[each["stage"], each["sum"]["currency"]] += Decimal(each["sum"]["amount"])
    return dict(sums)


def in_ledger(*found: Json | None) -> Decimal | None:
    amounts = [Decimal(each["amount"]) for each in found if each]
    return sum(amounts, Decimal(0)) if amounts else None


def summary(criterion: Json) -> tuple[Fraction, str, int]:
    share = criterion["share"]
    return Fraction(int(share["numerator"]), int(share["denominator"])), criterion["criterion"], criterion["answered"]


FILTERS: tuple[tuple[Json, Callable[[Json], bool]], ...] = (
    ({}, lambda _: True),
    ({"organization": "ILO"}, lambda each: len(each["organizations"]) == 2),
    ({"country": "SRB"}, lambda each: len(each["places"]) == 2),
    ({"country": "not_stated"}, lambda each: not each["places"]),
    ({"region": "150", "organization": "ILO"}, lambda each: len(each["places"]) + len(each["organizations"]) == 4),
    ({"programme": ["R-01", "R-02", "R-03"]}, lambda each: each["code"] in ("R-01", "R-02", "R-03")),
)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.longer) for seed in (2, 3))])
async def test_every_section_is_what_a_count_by_hand_finds(markers: Markers, seed: int) -> None:
    portfolio = Portfolio(markers, seed)
    await portfolio.begin(16)
    kept: dict[int, Json] = {}
    for number in range(CHANGES):
        await portfolio.change()
        if number % 14 == 13:
            report = await markers.get(REPORT)
            day = date.fromisoformat(report["day"])
            assert day == datetime.now(UTC).date()
            require_equal(report, await portfolio.recount(day))
            kept[report["revision"]] = report
    seen = kept[max(kept)]
    assert {each["rubric"] for each in seen["reviews"]} == {FLOORS_CODE, RUBRIC_CODE}
    assert all(seen["headline"][name] for name in ("with_grade", "reviewed", "another_grade", "counted"))
    for query, wanted in FILTERS:
        report = await markers.get(REPORT, **query)
        require_equal(report, await portfolio.recount(date.fromisoformat(report["day"]), wanted))
        require_consistent(
            report, (await markers.get(INDICATOR, **query)), await markers.get(CRITERIA, **query, **WHICH)
        )
    # As it was, and as of the day.
    for revision, report in kept.items():
        then = await markers.get(REPORT, as_of=revision)
        for grade in then["money"]:
            grade["link"] = grade["link"].replace(f"as_of={revision}&", "")
        assert then == report


WHICH = {"marker": "human_rights", "stage": "funded"}


def require_consistent(report: Json, indicator: Json, criteria: Json) -> None:
    """Fail unless the report says what the indicator and the criteria say of the same programmes."""
    found, headline = indicator["whole"], report["headline"]
    assert report["money"] == found["grades"]
    assert {name: headline[name] for name in ("programmes", "counted", "standing", "short_by", "not_held")} == {
        name: found[name] for name in ("programmes", "counted", "standing", "short_by", "not_held")
    }
    assert headline["with_grade"] == found["counted"] + found["illustrative"]
    assert headline["waiting"] + headline["returned"] + headline["nothing"] == found["unassessed"]
    assert (report["target"], report["coverage"]) == (indicator["target"], indicator["coverage"])
    of_all = {(each["rubric"], each["criterion"]): each for each in criteria["criteria"]}
    for edition in report["criteria"]:
        for each in (*edition["weakest"], *edition["strongest"]):
            assert of_all[each["rubric"], each["criterion"]] == each


async def test_the_course_is_that_of_the_indicator(markers: Markers) -> None:
    portfolio = Portfolio(markers, 7)
    await portfolio.begin(8)
    for _ in range(20):
        await portfolio.change()
    course = (await markers.get(REPORT))["course"]
    periods = (await markers.get(OVER_TIME, interval="year"))["periods"]
    assert [each["period_end"] for each in course] == [each["period_end"] for each in periods] != []
    for mine, other in zip(course, (each["indicator"] for each in periods), strict=True):
        assert (mine["programmes"], mine["counted"], mine["share"]) == (
            other["programmes"], other["counted"], other["share"],
        )  # fmt: skip
        assert mine["with_grade"] == other["counted"] + other["illustrative"]


async def test_the_csv_has_every_figure_of_the_json(markers: Markers) -> None:
    portfolio = Portfolio(markers, 11)
    await portfolio.begin(8)
    for _ in range(25):
        await portfolio.change()
    report = await markers.get(REPORT)
    answered = await markers.running.client.get(REPORT, params={"format": "csv"})
    header, *lines = csv.reader(io.StringIO(answered.text))
    assert tuple(header) == rules.COLUMNS
    cells = [dict(zip(header, line, strict=True)) for line in lines]
    assert {each["section"] for each in cells} == {*rules.SECTIONS}
    # Of one kind there may be several caveats.
    figures = [each for each in cells if each["section"] != "caveats"]
    keys = [tuple(value for name, value in each.items() if name != "value") for each in figures]
    assert len({*keys}) == len(keys)

    def cell(section: str, figure: str, **of: str) -> str:
        (found,) = [
            each["value"]
            for each in cells
            if {**each, "value": ""} == {**dict.fromkeys(header, ""), "section": section, "figure": figure, **of}
        ]
        return found

    headline, funnel = report["headline"], report["funnel"]
    assert cell("headline", "text") == headline["text"]
    assert cell("headline", "short_by") == str(headline["short_by"])
    assert cell("funnel", "annual_report_due", group=str(funnel["annual_report"]["year"])) == str(
        funnel["annual_report"]["due"]
    )
    for edition in report["reviews"]:
        for pair in edition["pairs"]:
            of = {"rubric": edition["rubric"], "grade": pair["grade"], "group": pair["reported_grade"]}
            assert cell("reviews", "pairs_programmes", **of) == str(pair["programmes"])
    for edition in report["criteria"]:
        for each in edition["weakest"]:
            of = {"rubric": edition["rubric"], "criterion": each["criterion"]}
            assert cell("criteria", "weakest_share_per_cent", **of) == each["share"]["per_cent"]
        for floor in edition["missed_floors"]:
            assert cell(
                "criteria", "missed_floors_programmes", rubric=edition["rubric"], group=str(floor["below"])
            ) == str(floor["programmes"])
    for grade in report["money"]:
        for budget in grade["budgets"]:
            of = {"grade": grade["grade"] or "", "group": f"{budget['stage']} / {budget['sum']['currency']}"}
            assert cell("money", "budgets_sum", **of) == budget["sum"]["amount"]
    for planned in report["actions"]:
        group = " / ".join(filter(None, (planned["kind"], planned["organization"])))
        assert cell("actions", "planned", group=group) == str(planned["planned"])
    said = [(each["group"], each["value"]) for each in cells if each["section"] == "caveats"]
    assert said == [(caveat["code"], caveat["text"]) for caveat in report["caveats"]]


# --- in words --------------------------------------------------------------------------------------------------------


async def test_the_headline_says_what_counts_and_what_does_not(markers: Markers) -> None:
    """Nine funded programmes: two reviewed under an illustrative rubric, one under an official one, one declared."""
    assert (await markers.get(REPORT))["headline"]["text"] == (
        "There are no funded programmes to count. 21 more programmes are known and not recorded here."
    )
    await markers.copy(*(programme(f"P-{n}") for n in range(1, 10)))
    said = await markers.get(REPORT)
    assert said["headline"]["text"] == (
        "Of 9 funded programmes none has a grade of A or B. 9 have sent nothing. Target 9: undetermined, 9 short."
        " 12 more programmes are known and not recorded here."
    )
    assert [each["code"] for each in said["caveats"]] == [
        "no_official_rubric", "not_held", "claim_not_shown", "copy_not_current", "copy_not_current",
    ]  # fmt: skip
    await markers.publish(OFFICIAL)
    await markers.accepted("P-1", 3, rubric=RUBRIC_CODE)
    await markers.accepted("P-2", 2, rubric=RUBRIC_CODE)
    await markers.accepted("P-3", 3)
    made(await markers.declare("P-4", "A"))
    await markers.accepted("P-5", 1)
    await markers.submitted("P-6")
    await markers.submitted("P-7")
    await markers.reviewed(await markers.submitted("P-8"), decision="return")
    said = await markers.get(REPORT)
    assert said["headline"]["text"] == (
        "Of 9 funded programmes 4 have a grade of A or B: 3 reviewed, 1 declared without answers; 1 under an official"
        " rubric. 1 has another grade (C), 2 wait for a review, 1 was returned and not answered, 1 has sent nothing."
        " Target 9: undetermined, 7 short. 2 under an illustrative rubric do not count for it."
        " 12 more programmes are known and not recorded here."
    )
    caveats = {each["code"]: each["text"] for each in said["caveats"]}
    assert [*caveats] == [
        "illustrative_grades", "mixed_rubrics", "unverified_declarations", "not_held", "claim_not_shown",
        "copy_not_current",
    ]  # fmt: skip
    assert caveats["illustrative_grades"].startswith("2 grades rest on an illustrative rubric")
    assert f"{RUBRIC_CODE} and {OFFICIAL_CODE} and declarations" in caveats["mixed_rubrics"]
    assert caveats["claim_not_shown"].endswith("at its end 2 of 9 programmes counted.")
    assert "has not been complete yet" in caveats["copy_not_current"]


async def test_filters_by_grades_are_no_filters_of_the_report(markers: Markers) -> None:
    for query in (
        "grade=A",
        "assessed=true",
        f"rubric={RUBRIC_CODE}",
        "assessed_stage=evaluation",
        "due_for=2024",
        "by=country",
    ):
        refused = await markers.running.client.get(f"{REPORT}?{query}")
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_parameter")
    unknown = await markers.running.client.get(f"{REPORT}?target=human-rights")
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (422, "unknown_code")


async def test_a_report_is_answered_again_and_not_computed(markers: Markers) -> None:
    await markers.copied()
    client = markers.running.client
    first = await client.get(REPORT)
    assert {"catalogue-age", "ledger-age", "etag"} <= {*first.headers}
    again = await client.get(REPORT, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await markers.copied()
    changed = await client.get(REPORT, headers={"if-none-match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["headline"]["programmes"]) == (200, 2)
    assert (await whole(markers))["programmes"] == 2
