"""The report: each section from a statement or two over one snapshot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.copies import with_ages
from mmptf_common.feed.replication import ReplicatedCopy, copy_state
from mmptf_common.http.parameters import TableQuery
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.listing import Arguments, condition, with_known_codes
from mmptf_common.lists.tables import csv_of
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_markers.assessments.queries import COUNTING_REVIEW
from mmptf_markers.current_grades import DECIDED, LATEST_FIRST
from mmptf_markers.engine.rubric import Rubric
from mmptf_markers.indicator.over_time import fetch_periods
from mmptf_markers.indicator.queries import (
    AGES,
    fetch_coverage,
    fetch_rubrics,
    fetch_whole,
)
from mmptf_markers.indicator.schemas import IndicatorTarget
from mmptf_markers.indicator.standings import CURRENT_GRADE_ROWS, OF_PROGRAMMES, CurrentGradeFilter, ProgrammeFilter
from mmptf_markers.indicator.targets import TargetCode, fetch_target, known_target
from mmptf_markers.report import rules, schemas
from mmptf_markers.reviews.queries import fetch_groups, pairs_between
from mmptf_markers.reviews.schemas import AgreementGroup, ComparedRaters

# A copy that was complete longer ago is named in the caveats.
CURRENT_FOR = timedelta(days=1)


class ReportQuery(ProgrammeFilter, TableQuery):
    """Which programmes the report is of; it has no filters by what is known of their grades."""

    target: TargetCode = None


async def answer_report(request: Request, query: ReportQuery) -> Response:
    """The report of the programmes that match the filters, all of it from one snapshot."""
    query = await with_known_codes(request, ReadKind.COMPUTED, OF_PROGRAMMES, query)
    query = query.model_copy(update={"target": await known_target(request, query.target)})
    today = datetime.now(UTC).date()
    outdated = await _outdated_copies(request)

    async def build(data: Snapshot, revision: int) -> schemas.PortfolioReport:
        return await _report(data, query, today, outdated, revision)

    # Both change although nothing is written.
    answer = await answer_computed(request, query, build, beside=f"{today}\n{outdated}", table=_table)
    return await with_ages(request, answer, AGES)


def _table(report: schemas.PortfolioReport) -> bytes:
    return csv_of(rules.COLUMNS, rules.lines_of(report))


async def _outdated_copies(request: Request) -> dict[str, date | None]:
    """The services whose copy is not current, and the day on which it last was; None where it never was complete."""
    async with reading(request.app.state.database, ReadKind.COMPUTED) as connection:
        copies = [await copy_state(connection, service) for service in AGES]
    return {copy.service: copy.caught_up.date() if copy.caught_up else None for copy in copies if not _is_current(copy)}


def _is_current(copy: ReplicatedCopy) -> bool:
    return copy.age_seconds is not None and copy.age_seconds <= CURRENT_FOR.total_seconds()


@dataclass(frozen=True, slots=True)
class _Portfolio:
    """The programmes of a report: those at the target's stage that match the filters."""

    data: Snapshot
    target: IndicatorTarget
    query: ReportQuery
    day: date

    async def fetch(self, statement: str, *values: object) -> list[Any]:
        """The rows of a statement; `{programmes}` in it stands for a row for each programme with its current grade.

        values: those of `{0}`, `{1}` … in it
        """
        arguments = Arguments()
        of_target = f"marker = {arguments.bind(self.target.marker)} AND stage = {arguments.bind(self.target.stage)}"
        where = condition(OF_PROGRAMMES, self.query, arguments)
        programmes = f"(SELECT * FROM {CURRENT_GRADE_ROWS} WHERE {of_target} AND {where}) AS chosen"
        bound = [arguments.bind(value) for value in values]
        rows: list[Any] = await self.data.fetch(statement.format(*bound, programmes=programmes), *arguments)
        return rows


async def _report(
    data: Snapshot, query: ReportQuery, today: date, outdated: dict[str, date | None], revision: int
) -> schemas.PortfolioReport:
    target = await fetch_target(data, query.target)
    coverage = await fetch_coverage(data, target)
    day = await _day(data, query, today)
    portfolio = _Portfolio(data, target, query, day)
    of_programmes = _without_presentation(query)
    rubrics = await fetch_rubrics(data)
    indicator = await fetch_whole(data, target, coverage, of_programmes)
    states = (await portfolio.fetch(_STATES, day))[0]
    grades = await portfolio.fetch(_GRADES, json.dumps(rules.core_positions(rubrics)))
    answers = [dict(row) for row in await portfolio.fetch(_ANSWERS)]
    course = rules.course_of(await fetch_periods(data, target, "year", day, of_programmes))
    return schemas.PortfolioReport(
        target=target,
        coverage=coverage,
        day=day,
        headline=rules.headline_of(target, indicator, states),
        funnel=await _funnel(portfolio, states),
        reviews=rules.reviews_of(grades, answers, rubrics),
        money=indicator.grades,
        criteria=rules.criteria_by_edition(answers, grades, rubrics),
        delivery=await _delivery(portfolio, rubrics),
        actions=await _actions(portfolio),
        course=course,
        agreement=await _agreement(portfolio),
        caveats=rules.caveats_of(
            target,
            indicator,
            course,
            has_official=any(each.status == "official" and each.marker == target.marker for each in rubrics.values()),
            outdated=outdated,
        ),
        revision=revision,
    )


def _without_presentation(query: ReportQuery) -> CurrentGradeFilter:
    """The filters of a report as those of the indicator."""
    stated = query.model_fields_set & CurrentGradeFilter.model_fields.keys()
    return CurrentGradeFilter.model_construct(stated, **{name: getattr(query, name) for name in stated})


async def _day(data: Snapshot, query: ReportQuery, today: date) -> date:
    """The day of which a report is: today, or that of `as_of`."""
    match query.as_of:
        case None:
            return today
        case datetime():
            return query.as_of.date()
        case date():
            return query.as_of
        case number:
            # As the write of the revision is dated.
            at = await data.connection.fetchval("SELECT max(at) FROM revision WHERE number <= $1", number)
            return at.date() if at else today


# --- headline and funnel ---------------------------------------------------------------------------------------------

_STATES = """
    SELECT count(*) AS funded,
           count(*) FILTER (WHERE coalesce((programme_record->'duration'->>'start')::date <= {0}::date, true)) AS due,
           count(*) FILTER (WHERE grade IS NULL AND under_review) AS waiting,
           count(*) FILTER (WHERE grade IS NULL AND NOT under_review AND returned) AS returned,
           count(*) FILTER (WHERE grade IS NULL AND NOT under_review AND NOT returned) AS nothing
      FROM {programmes}"""
# Of each assessment the newest version; one that was withdrawn takes the place of those before it.
_NEWEST = """
    SELECT * FROM (SELECT DISTINCT ON (programme, marker, stage, year) * FROM assessment
                    ORDER BY programme, marker, stage, year, version DESC) AS newest
     WHERE status <> 'withdrawn'"""
_BY_STATE = """
    count(DISTINCT programme) AS submitted,
    count(DISTINCT programme) FILTER (WHERE status = 'submitted') AS waiting,
    count(DISTINCT programme) FILTER (WHERE status = 'returned') AS returned,
    count(DISTINCT programme) FILTER (WHERE status = 'accepted') AS accepted"""
_DOCUMENTS = f"""
    WITH document AS (
      SELECT programme, newest.rubric, status, newest.rubric IS NULL AS is_declared
        FROM {{programmes}} JOIN ({_NEWEST}) AS newest USING (programme, marker))
    SELECT rubric, false AS is_whole, {_BY_STATE} FROM document GROUP BY rubric
     UNION ALL SELECT NULL, true, {_BY_STATE} FROM document WHERE NOT is_declared"""
_ANNUAL = f"""
    WITH ran AS (
      SELECT programme, marker FROM {{programmes}}
       WHERE coalesce(left(programme_record->'duration'->>'start', 4)::int <= {{0}}::int, true)
         AND coalesce(left(programme_record->'duration'->>'end', 4)::int >= {{0}}::int, true))
    SELECT {{0}}::int AS year, (SELECT count(*) FROM ran) AS due, {_BY_STATE}
      FROM ran JOIN ({_NEWEST}) AS newest USING (programme, marker)
     WHERE newest.stage = 'annual_report' AND newest.year = {{0}}::int"""


async def _funnel(portfolio: _Portfolio, states: Any) -> schemas.ReportFunnel:
    rubrics = {row["code"]: row for row in await portfolio.data.fetch("SELECT code, status, superseded FROM rubric")}
    documents = await portfolio.fetch(_DOCUMENTS)
    (annual,) = await portfolio.fetch(_ANNUAL, portfolio.day.year - 1)
    return rules.funnel_of(states, documents, annual, rubrics)


# --- reviews and criteria --------------------------------------------------------------------------------------------

# Read as jsonb once, since each access to a record of json reads all of it.
_REVIEW = COUNTING_REVIEW.format("record").replace("{", "{{").replace("}", "}}")
_RECORDS = f"""
    (SELECT *, {_REVIEW}::jsonb AS review
       FROM (SELECT rubric, grade, assessment_record::jsonb AS record FROM {{programmes}} WHERE rubric IS NOT NULL
             OFFSET 0) AS stored OFFSET 0) AS counting"""
# Both grades, and the position of the lowest answer to a core criterion.
_GRADES = f"""
    SELECT rubric, coalesce(record#>>'{{{{derived,grade}}}}', record->>'declared_grade') AS reported, grade,
           (SELECT min(({{0}}::jsonb #>> ARRAY[rubric, answer.key, coalesce(
                         review->'answers'->answer.key->>'answer', answer.value->>'answer')])::int)
              FROM jsonb_each(record->'answers') AS answer) AS position,
           count(*) AS programmes
      FROM {_RECORDS} GROUP BY 1, 2, 3, 4"""
# The answer of the organization, and that of the review in place of it.
_ANSWERS = f"""
    SELECT rubric, answer.key AS criterion, answer.value->>'answer' AS given,
           review->'answers'->answer.key->>'answer' AS own, count(*) AS programmes
      FROM {_RECORDS} CROSS JOIN LATERAL jsonb_each(record->'answers') AS answer GROUP BY 1, 2, 3, 4"""

# --- design and delivery ---------------------------------------------------------------------------------------------

# Of each programme one row for each phase, and then both beside each other; a join of the table with itself would be
# expected to have few rows, and compare each with each.
_BOTH_PHASES = f"""
    WITH graded AS (
      SELECT DISTINCT ON (programme, is_design) programme, is_design, status, grade, rubric, stage, year
        FROM (SELECT *, stage IN ('concept_note', 'programme_document') AS is_design
                FROM ({DECIDED}) AS decided WHERE marker = {{0}}) AS of_phase
       ORDER BY programme, is_design, {LATEST_FIRST}),
    both_phases AS (
      SELECT programme, max(grade) FILTER (WHERE is_design) AS design_grade,
             max(stage) FILTER (WHERE is_design) AS design_stage, max(rubric) FILTER (WHERE is_design) AS design_rubric,
             max(grade) FILTER (WHERE NOT is_design) AS delivery_grade,
             max(stage) FILTER (WHERE NOT is_design) AS delivery_stage,
             max(year) FILTER (WHERE NOT is_design) AS delivery_year,
             max(rubric) FILTER (WHERE NOT is_design) AS delivery_rubric
        FROM graded GROUP BY programme HAVING count(*) = 2 AND bool_and(status = 'accepted')),
    pairs AS (
      SELECT both_phases.*, programme_record->>'title' AS title,
             design_grade = ANY({{1}}::text[]) AND delivery_grade <> ALL({{1}}::text[]) AS fell_below
        FROM both_phases JOIN {{programmes}} USING (programme))"""
_PHASES_COUNTED = f"""{_BOTH_PHASES}
    SELECT design_grade, design_rubric, delivery_grade, delivery_rubric, fell_below, count(*) AS programmes
      FROM pairs GROUP BY 1, 2, 3, 4, 5"""
_PHASES_LISTED = f"""{_BOTH_PHASES}
    SELECT * FROM pairs ORDER BY fell_below DESC, programme LIMIT {rules.MOST_LISTED}"""


async def _delivery(portfolio: _Portfolio, rubrics: dict[str, Rubric]) -> schemas.DesignAndDelivery:
    values = (portfolio.target.marker, portfolio.target.grades)
    counts = await portfolio.fetch(_PHASES_COUNTED, *values)
    return rules.delivery_of(counts, await portfolio.fetch(_PHASES_LISTED, *values), rubrics)


# --- actions and measures --------------------------------------------------------------------------------------------

# Those of the programmes, whatever became of the assessments that planned them.
_ACTIONS = """
    SELECT kind, organization, count(*) AS planned, count(*) FILTER (WHERE state = 'open') AS open,
           count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'replaced') AS replaced,
           count(*) FILTER (WHERE state = 'dropped') AS dropped,
           count(*) FILTER (WHERE state = 'open' AND due < {0}::date) AS overdue
      FROM action WHERE (programme, marker) IN (SELECT programme, marker FROM {programmes})
     GROUP BY GROUPING SETS ((kind), (kind, organization)) ORDER BY kind, organization NULLS FIRST"""


async def _actions(portfolio: _Portfolio) -> list[schemas.ActionCounts]:
    """How far actions and measures have come, of all organizations together, and then of each."""
    none = dict.fromkeys(("planned", "open", "done", "replaced", "dropped", "overdue"), 0)
    wholes: dict[str, Any] = {kind: {"kind": kind, "organization": None, **none} for kind in ("action", "measure")}
    rows = [dict(row) for row in await portfolio.fetch(_ACTIONS, portfolio.day)]
    wholes |= {row["kind"]: row for row in rows if row["organization"] is None}
    found = [*wholes.values(), *(row for row in rows if row["organization"] is not None)]
    return [schemas.ActionCounts.model_validate(row) for row in found]


# --- agreement -------------------------------------------------------------------------------------------------------

_OPEN_APPEALS = """
    SELECT count(*) FROM assessment AS appealed
     WHERE marker = {0} AND programme IN (SELECT programme FROM {programmes})
       AND record->>'appeal' IS NOT NULL AND record#>>'{{appeal,decided}}' IS NULL"""


async def _agreement(portfolio: _Portfolio) -> schemas.ReportAgreement:
    """How far raters agree on the assessments of the programmes, and the appeals that wait for their decision."""
    groups: list[schemas.EditionAgreement] = []
    for between in get_args(ComparedRaters.__value__):
        rated = "rated.marker = {0} AND rated.programme IN (SELECT programme FROM {programmes})"
        # Formatted once: what else is in braces in it stays.
        statement = (
            pairs_between(between, where="CHOSEN").replace("{", "{{").replace("}", "}}").replace("CHOSEN", rated)
        )
        found = await fetch_groups(portfolio.data, await portfolio.fetch(statement, portfolio.target.marker))
        groups += [schemas.EditionAgreement.model_validate(_stated(between, group)) for group in found]
    (appeals,) = await portfolio.fetch(_OPEN_APPEALS, portfolio.target.marker)
    return schemas.ReportAgreement(open_appeals=appeals[0], groups=groups)


def _stated(between: ComparedRaters, group: AgreementGroup) -> dict[str, Any]:
    """The figures of a group that the report has."""
    names = schemas.EditionAgreement.model_fields.keys() - {"between"}
    return {"between": between, **group.model_dump(include=names)}
