"""The indicator at the end of each period, by the day of what was assessed or of entry."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.parameters import Tabular
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.listing import Arguments, condition, given
from mmptf_common.lists.tables import table_of
from mmptf_common.wire.periods import Interval, ends
from mmptf_markers.current_grades import DECIDED, LATEST_FIRST
from mmptf_markers.indicator import schemas
from mmptf_markers.indicator.money import sums_of
from mmptf_markers.indicator.queries import Counting, fetch_coverage, fetch_whole, indicator_of, not_held_of
from mmptf_markers.indicator.standings import CURRENT_GRADE_ROWS, OF_TARGET, CurrentGradeFilter
from mmptf_markers.indicator.targets import TargetCode, fetch_target, known_target


class OverTimeQuery(Tabular):
    """How often the indicator is shown, and by which date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: TargetCode = None
    dated: Annotated[
        schemas.PeriodDate,
        Field(
            description="`assessed`: by the day of what was assessed, with all that is known now; `entered`: as it was"
            " known at the end of each period."
        ),
    ] = "assessed"
    interval: Annotated[Interval, Field(description="Length of the periods.")] = "quarter"


async def answer_over_time(request: Request, query: OverTimeQuery) -> Response:
    """The indicator at the end of each period, by the date of what was assessed or of entry."""
    query = query.model_copy(update={"target": await known_target(request, query.target)})
    today = datetime.now(UTC).date()

    async def build(data: Snapshot, revision: int) -> schemas.IndicatorOverTime:
        target = await fetch_target(data, query.target)
        if query.dated == "assessed":
            periods = await fetch_periods(data, target, query.interval, today, CurrentGradeFilter.model_validate({}))
        else:
            periods = await _periods_entered(data, target, query.interval, today)
        return schemas.IndicatorOverTime(target=target, dated=query.dated, periods=periods, revision=revision)

    # A new day may begin a new period, although nothing was written.
    table = table_of(schemas.IndicatorPeriod, "periods")
    return await answer_computed(request, query, build, beside=str(today), table=table)


async def _periods_entered(
    data: Snapshot, target: schemas.IndicatorTarget, interval: Interval, today: date
) -> list[schemas.IndicatorPeriod]:
    """The indicator as of the end of each period since the first write."""
    first = await data.fetchval("SELECT min(at) FROM revision WHERE repeatable")
    periods = []
    for end in ends(first.date(), today, interval) if first else ():
        number, at = await data.fetchrow(
            "SELECT number, at FROM revision WHERE at < $1::date + 1 ORDER BY at DESC LIMIT 1", end
        )
        past = data.at_revision(number)
        then = CurrentGradeFilter.model_validate({"as_of": str(number)})
        whole = await fetch_whole(past, target, await fetch_coverage(past, target), then)
        periods.append(schemas.IndicatorPeriod(period_end=end, at=at, indicator=whole))
    return periods


# Each version that was decided on counts from its day until that of the next one. What nobody has assessed by a day is
# the rest of the programmes at the target's stage.
_COUNTED_BY = f"""
    WITH counting AS (
      SELECT programme, status, grade, rubric, record->>'basis' AS basis, assessed_on AS since,
             lag(assessed_on) OVER (PARTITION BY programme ORDER BY {LATEST_FIRST}) AS until
        FROM ({DECIDED}) AS decided WHERE marker = $1)
    SELECT period, CASE status WHEN 'accepted' THEN counting.grade END AS grade,
           CASE status WHEN 'accepted' THEN counting.rubric END AS rubric,
           CASE status WHEN 'accepted' THEN counting.basis END AS basis,
           p.budget_stage, p.currency, count(*) AS programmes, count(p.amount) AS with_budget,
           coalesce(sum(p.amount), 0) AS amount, count(p.allocated) AS with_allocation,
           coalesce(sum(p.allocated), 0) AS allocated, count(waiting.since) AS under_review,
           count(*) FILTER (WHERE status = 'returned') AS returned
      FROM unnest($3::date[]) AS period
      CROSS JOIN {{programmes}} AS p
      LEFT JOIN counting ON counting.programme = p.programme
       AND counting.since <= period AND (until IS NULL OR until > period)
      LEFT JOIN (SELECT programme, min(assessed_on) AS since FROM assessment
                  WHERE marker = $1 AND status = 'submitted' GROUP BY 1) AS waiting
             ON waiting.programme = p.programme AND waiting.since <= period
     WHERE p.marker = $1 AND p.stage = $2
     GROUP BY 1, 2, 3, 4, 5, 6"""


async def fetch_periods(
    data: Snapshot, target: schemas.IndicatorTarget, interval: Interval, today: date, query: CurrentGradeFilter
) -> list[schemas.IndicatorPeriod]:
    """The indicator of the end of each period since the first assessment, by the date of what was assessed.

    query: the filters of the programmes
    """
    first = await data.fetchval("SELECT min(assessed_on) FROM assessment WHERE marker = $1", target.marker)
    periods = ends(first, today, interval) if first and first <= today else []
    rubrics = {row["code"]: row for row in await data.fetch("SELECT code, status, superseded FROM rubric")}
    rows: dict[date, list[Any]] = defaultdict(list)
    arguments = Arguments([target.marker, target.stage, periods])
    programmes = "current_grade"
    if given(OF_TARGET, query):
        programmes = f"(SELECT * FROM {CURRENT_GRADE_ROWS} WHERE {condition(OF_TARGET, query, arguments)})"
    for row in await data.fetch(_COUNTED_BY.format(programmes=programmes), *arguments):
        rows[row["period"]].append(row)
    counting = Counting(target, not_held_of(await fetch_coverage(data, target)))
    return [
        schemas.IndicatorPeriod(
            period_end=end, at=None, indicator=indicator_of(rows[end], rubrics, counting, None, sums_of(rows[end]))
        )
        for end in periods
    ]
