"""Queries of the portfolio: the indicator, the answers by criterion, the card of a programme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.copies import age_headers, with_ages
from mmptf_common.http.negotiation import TABLE, is_csv, representation
from mmptf_common.http.parameters import (
    TableQuery,
    pairs_of,
)
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.listing import Arguments, condition, with_known_codes
from mmptf_common.lists.tables import table_of
from mmptf_common.routers.cards import Card, CardData
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.codes import NOT_STATED, SHARED
from mmptf_common.wire.links import link
from mmptf_common.wire.money import Money, money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, error_detail
from mmptf_common.wire.shares import share
from mmptf_common.wire.stored_records import read_record
from mmptf_markers.actions.queries import ACTIONS
from mmptf_markers.assessments.queries import ASSESSMENTS, COUNTING_REVIEW
from mmptf_markers.current_grades import LEVELS
from mmptf_markers.engine.rubric import Rubric
from mmptf_markers.indicator import rules, schemas
from mmptf_markers.indicator.attribution import OVERLAPPING
from mmptf_markers.indicator.groups import DIVISIONS, OF_GRADES, fetch_groups
from mmptf_markers.indicator.money import Graded, Stage, Sums
from mmptf_markers.indicator.standings import (
    CURRENT_GRADE_JSON,
    CURRENT_GRADE_ROWS,
    CURRENT_GRADES,
    OF_TARGET,
    CurrentGradeFilter,
    MarkerFilter,
)
from mmptf_markers.indicator.targets import TargetCode, fetch_target, known_target
from mmptf_markers.models import ORGANIZATION_NAMES
from mmptf_markers.replication import CURRENCY as LEDGER_CURRENCY
from mmptf_markers.rubrics.queries import parse_rubric

# Query parameters as pairs of name and value.
Question = list[tuple[str, str]]
# The services whose records are copied here, and the response header with the age of each copy.
AGES = {"catalog": "Catalogue-Age", "funding": "Ledger-Age"}
# What these headers say, for the contract.
AGES_OF_COPIES = age_headers(AGES)


class CriteriaQuery(MarkerFilter, TableQuery):
    """Of which programmes, under which markers."""


class IndicatorQuery(CurrentGradeFilter, TableQuery):
    """Which programmes are looked at, and by what they are divided."""

    target: TargetCode = None
    by: Annotated[
        list[schemas.IndicatorDivision],
        Field(
            default_factory=list,
            max_length=1,
            description="What the programmes are divided by; without it, there are no groups.",
            examples=["thematic_area"],
        ),
    ]


class MarkersProgrammeCard(Card[schemas.MarkerFacts]):
    """The grades of a programme; `changed` is when anything that they show was last written: the programme, an
    allocation, an assessment, or a rubric behind its grades.
    """

    service: Literal["markers"]
    """Name of the service whose facts these are."""


# The filter that finds the programmes of a group, where it has another name; it knows regions of every level.
_FILTERS = {"subregion": "region", "intermediate_region": "region"}
# SQL of the names of the groups: `{}` stands for the array of their codes.
_NAME_OF_PLACE = "SELECT code, record->>'name' AS name FROM place WHERE code = ANY({})"
_NAMES = {
    **dict.fromkeys(("country", *LEVELS), _NAME_OF_PLACE),
    "thematic_area": """
        SELECT asked.code, (SELECT record#>>'{{thematic_area,name}}' FROM programme
                             WHERE thematic_area = asked.code LIMIT 1) AS name
          FROM unnest({}) AS asked(code)""",
    "organization": f"SELECT code, min(name) AS name FROM {ORGANIZATION_NAMES.table} WHERE code = ANY({{}}) GROUP BY 1",
}


async def answer_indicator(request: Request, query: IndicatorQuery) -> Response:
    """The indicator of the target, as a whole and for each group, from one snapshot."""
    if not query.by and is_csv(representation(request, query, TABLE)):
        raise InvalidRequest(
            [
                error_detail(
                    ProblemCode.NOT_APPLICABLE,
                    "format: csv has a row for each group; say by what the indicator is divided (by=)",
                    parameter="format",
                    allowed=["format=json", *(f"by={name}" for name in DIVISIONS if name)],
                )
            ]
        )
    query = await with_known_codes(request, ReadKind.COMPUTED, OF_TARGET, query)
    query = query.model_copy(update={"target": await known_target(request, query.target)})

    async def build(data: Snapshot, revision: int) -> schemas.IndicatorAnswer:
        target = await fetch_target(data, query.target)
        by = query.by[0] if query.by else None
        coverage = await fetch_coverage(data, target)
        groups = await fetch_indicators(data, target, not_held_of(coverage), query, by) if by else {}
        names = await _names(data, by, [code for code in groups if code is not None])
        return schemas.IndicatorAnswer(
            target=target,
            coverage=coverage,
            whole=await fetch_whole(data, target, coverage, query),
            by=by,
            overlapping=by in OVERLAPPING,
            groups=[
                schemas.IndicatorGroup(code=code, name=names.get(code), indicator=found)
                for code, found in groups.items()
            ],
            revision=revision,
        )

    as_csv = table_of(schemas.IndicatorGroup, "groups")
    return await with_ages(request, await answer_computed(request, query, build, table=as_csv), AGES)


async def fetch_coverage(data: Snapshot, target: schemas.IndicatorTarget) -> schemas.HeldProgrammes:
    """How many programmes at the target's stage are held, beside the number that a document prints."""
    held: int = await data.fetchval(
        "SELECT coalesce(sum(programmes), 0)::bigint FROM current_grade_count WHERE marker = $1 AND stage = $2",
        *(target.marker, target.stage),
    )
    printed = target.printed.programmes if target.printed else None
    return schemas.HeldProgrammes(held=held, printed=printed, share=share(held, printed) if printed else None)


def not_held_of(coverage: schemas.HeldProgrammes) -> int:
    """How many programmes a document counts beside those that are recorded here."""
    return max(0, coverage.printed - coverage.held) if coverage.printed is not None else 0


@dataclass(frozen=True, slots=True)
class Counting:
    """What the programmes of an indicator are counted against.

    not_held: programmes that a document counts and that are not recorded here
    programmes: those of the denominator, where the rows are chosen by what is known of grades; None where they are all
    """

    target: schemas.IndicatorTarget
    not_held: int
    programmes: int | None = None


async def fetch_indicators(
    data: Snapshot, target: schemas.IndicatorTarget, not_held: int, query: CurrentGradeFilter, by: str | None
) -> dict[str | None, schemas.Indicator]:
    """The indicator of each group, in the order of their codes; programmes without one are the last group.

    What several groups have together is in a group of its own, `shared`.
    """
    found = await fetch_groups(data, target, query, by)
    rubrics = {row["code"]: row for row in await data.fetch("SELECT code, status, superseded FROM rubric")}
    question = [pair for pair in pairs_of(query) if pair[0] not in ("by", "format", "target")]
    question += [("marker", target.marker), ("stage", target.stage)]
    all_of = found.programmes
    codes = {*(found.counts if all_of is None or by in OF_GRADES else all_of), *found.money}
    return {
        code: indicator_of(
            found.counts.get(code, ()),
            rubrics,
            Counting(target, not_held, None if all_of is None else all_of.get(None if by in OF_GRADES else code, 0)),
            _drilldown(query, question, by, code),
            found.money.get(code, {}),
        )
        for code in sorted(codes, key=lambda code: (code is None, code))
    }


async def fetch_whole(
    data: Snapshot, target: schemas.IndicatorTarget, coverage: schemas.HeldProgrammes, query: CurrentGradeFilter
) -> schemas.Indicator:
    """The indicator of all programmes that match the filters."""
    not_held = not_held_of(coverage)
    found = await fetch_indicators(data, target, not_held, query, None)
    return found.get(None) or indicator_of([], {}, Counting(target, not_held), None, {})


async def _names(data: Snapshot, by: str | None, codes: Sequence[str]) -> dict[str | None, str | None]:
    """The names of groups by their codes; empty where a division has no names."""
    statement = _NAMES.get(by or "")
    if not statement:
        return {}
    return {row["code"]: row["name"] for row in await data.fetch(statement.format("$1::text[]"), codes)}


def _drilldown(query: CurrentGradeFilter, question: Question, by: str | None, code: str | None) -> Question | None:
    """The query parameters that select exactly one group; None where no parameters do."""
    if by is None:
        return question
    name = _FILTERS.get(by, by)
    # What has no sub-region may have a region, and `not_stated` finds what has none of any level.
    if (by in OVERLAPPING and (getattr(query, name) or code == SHARED)) or (code is None and name != by):
        return None
    return _only(question, name, NOT_STATED if code is None else code)


def _only(question: Question, name: str, value: str) -> Question:
    """The query parameters with one value of a parameter in place of all its values."""
    return [*(pair for pair in question if pair[0] != name), (name, value)]


def indicator_of(
    rows: Sequence[Any], rubrics: Mapping[str, Any], counting: Counting, question: Question | None, money_of: Graded
) -> schemas.Indicator:
    """The indicator of rows of counts; rubrics: the status of each, and whether it is superseded."""
    target = counting.target
    grades, behind = Counter[str | None](), Counter[str | None]()
    bases, of_target = Counter[_Basis](), Counter[_Basis]()
    for row in rows:
        grades[row["grade"]] += row["programmes"]
        if row["grade"] is not None:
            behind[row["rubric"]] += row["programmes"]
            basis = row["basis"], rubrics[row["rubric"]]["status"] if row["rubric"] else None
            bases[basis] += row["programmes"]
            of_target[basis] += row["programmes"] if row["grade"] in target.grades else 0
        elif row["under_review"]:
            bases[_SUBMITTED] += row["under_review"]
    found = sum(grades.values())
    programmes = found if counting.programmes is None else counting.programmes
    counted = sum(number for basis, number in of_target.items() if _fulfils(basis))
    undecided = grades[None] + sum(number for basis, number in bases.items() if basis[1] == "illustrative")
    is_chosen = counting.programmes is not None
    minimum = target.minimum.exact
    return schemas.Indicator(
        programmes=programmes,
        assessed=found - grades[None],
        unassessed=grades[None],
        under_review=sum(row["under_review"] for row in rows),
        returned=sum(row["returned"] for row in rows),
        counted=counted,
        illustrative=sum(of_target.values()) - counted,
        not_held=counting.not_held,
        share=share(counted, programmes) if programmes else None,
        standing=None if is_chosen else rules.target_status(counted, undecided, programmes, counting.not_held, minimum),
        short_by=None if is_chosen else rules.short_by(counted, programmes, minimum),
        bases=[
            schemas.BasisShare(
                basis=basis[0],
                rubric_status=basis[1],
                programmes=bases[basis],
                with_grade=of_target[basis],
                fulfils=_fulfils(basis),
            )
            for basis in sorted(bases, key=lambda basis: (basis[0], basis[1] or ""))
        ],
        grades=[
            _grade_share(grade, [row for row in rows if row["grade"] == grade], money_of.get(grade, Sums()), question)
            for grade in sorted({*grades, *money_of}, key=lambda grade: (grade is None, grade))
        ],
        rubrics=[
            schemas.RubricShare(
                rubric=code,
                status=rubrics[code]["status"] if code else None,
                superseded=rubrics[code]["superseded"] if code else None,
                programmes=behind[code],
            )
            for code in sorted(behind, key=lambda code: (code is None, code))
        ],
        mixed=len(behind) > 1,
    )


# On what a grade rests, and the status of the rubric behind it.
_Basis = tuple[schemas.IndicatorBasis, Any]
_SUBMITTED: _Basis = ("submitted", None)


def _fulfils(basis: _Basis) -> bool:
    """Whether a grade of a target counts for it."""
    return basis != _SUBMITTED and basis[1] != "illustrative"


def _grade_share(grade: str | None, rows: Sequence[Any], sums: Sums, question: Question | None) -> schemas.GradeShare:
    drilldown = question and (
        _only(question, "assessed", "false") if grade is None else _only(question, "grade", grade)
    )
    programmes, with_budget, with_allocation = (
        sum(row[name] for row in rows) for name in ("programmes", "with_budget", "with_allocation")
    )
    return schemas.GradeShare(
        grade=grade,
        programmes=programmes,
        budgets=_budget_sums(sums.budgets),
        shared=_budget_sums(sums.shared),
        without_budget=programmes - with_budget,
        allocated=_in_ledger(sums.allocated),
        allocated_shared=_in_ledger(sums.allocated_shared),
        without_allocation=programmes - with_allocation,
        link=drilldown and link(f"{CURRENT_GRADES.path}?{urlencode(sorted(drilldown))}"),
    )


def _budget_sums(sums: Mapping[Stage, tuple[Decimal, int]]) -> list[schemas.BudgetSum]:
    return [
        schemas.BudgetSum(stage=stage, sum=money(amount, currency), programmes=number)
        for (stage, currency), (amount, number) in sorted(sums.items())
    ]


def _in_ledger(amount: Decimal | None) -> Money | None:
    return None if amount is None else money(amount, LEDGER_CURRENCY)


# The writes of everything that a card shows: the programme; its allocations, of which a copy that is made anew may lack
# some; its assessments; the rubrics behind its grades; and the first rubric of each marker, with which it got a grade.
_WRITES_OF_CARD = """
    SELECT revised FROM programme WHERE code = $1
    UNION ALL SELECT revised FROM allocation WHERE programme = $1
    UNION ALL SELECT replaced FROM allocation_past WHERE programme = $1
    UNION ALL SELECT revised FROM assessment WHERE programme = $1
    UNION ALL SELECT revised FROM action WHERE programme = $1
    UNION ALL SELECT revised FROM rubric WHERE code IN (SELECT rubric FROM current_grade WHERE programme = $1)
    UNION ALL SELECT min(least(rubric.revised, earlier.revised)) FROM rubric
      LEFT JOIN rubric_past AS earlier USING (code) GROUP BY rubric.record->>'marker'"""


async def programme_card(data: Snapshot, code: str) -> CardData | None:
    """A programme's card, also without an assessment; None for a programme that is not in the copy of the catalogue."""
    rows = await data.fetch(
        f"SELECT {CURRENT_GRADE_JSON} AS record FROM {CURRENT_GRADE_ROWS} WHERE programme = $1 ORDER BY marker", code
    )
    if not rows:
        return None
    open_actions, changed = await data.fetchrow(
        f"""
        SELECT (SELECT count(*) FROM action WHERE programme = $1 AND state = 'open'),
               (SELECT max(at) FROM revision WHERE first IN ({_WRITES_OF_CARD}))""",
        code,
    )
    current_grades = [read_record(schemas.CurrentGrade, row["record"]) for row in rows]
    return CardData(
        facts=schemas.MarkerFacts(standings=current_grades, open_actions=open_actions),
        changed=changed,
        links={
            "assessments": data.link(ASSESSMENTS.path, programme=code),
            "actions": data.link(ACTIONS.path, programme=code),
        },
    )


async def answer_criteria(request: Request, query: CriteriaQuery) -> Response:
    """The counts of answers to each criterion across the programmes, the weakest criterion first."""
    query = await with_known_codes(request, ReadKind.COMPUTED, CURRENT_GRADES, query)

    async def build(data: Snapshot, revision: int) -> schemas.CriteriaSummaries:
        arguments = Arguments()
        where = condition(CURRENT_GRADES, query, arguments)
        rows = await data.fetch(
            f"""
            SELECT rubric, answer.key AS criterion,
                   coalesce(counting.review->'answers'->answer.key->>'answer',
                            answer.value->>'answer') AS answer,
                   count(*) AS programmes
              FROM {CURRENT_GRADE_ROWS} CROSS JOIN LATERAL json_each(assessment_record->'answers') AS answer
             CROSS JOIN LATERAL (SELECT {COUNTING_REVIEW.format("assessment_record")} AS review OFFSET 0) AS counting
             WHERE rubric IS NOT NULL AND {where}
             GROUP BY 1, 2, 3""",
            *arguments,
        )
        return schemas.CriteriaSummaries(criteria=rules.criteria_of(rows, await fetch_rubrics(data)), revision=revision)

    as_csv = table_of(schemas.CriterionSummary, "criteria")
    return await with_ages(request, await answer_computed(request, query, build, table=as_csv), AGES)


async def fetch_rubrics(data: Snapshot) -> dict[str, Rubric]:
    """All published rubrics, by their codes."""
    return {
        row["code"]: parse_rubric(row["record"]) for row in await data.fetch("SELECT code, record::text FROM rubric")
    }
