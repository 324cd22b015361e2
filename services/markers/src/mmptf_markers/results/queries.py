"""The listings of indicators of the results framework and of reported values, and how far the indicators have come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypeAliasType

from mmptf_common.feed.copies import with_ages
from mmptf_common.http.parameters import Flag, ListQuery, PointInTime, TableQuery, Values, order_by, with_codes
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.listing import (
    Arguments,
    Dimension,
    Filter,
    Listing,
    condition,
    own_codes,
    with_known_codes,
)
from mmptf_common.lists.tables import table_of
from mmptf_common.storage.engines import ReadKind
from mmptf_common.storage.journal import Write
from mmptf_common.wire.base import Code, Day
from mmptf_common.wire.stored_records import read_record
from mmptf_markers.filters import OF_PROGRAMME, ORGANIZATIONS_EVER, PATH
from mmptf_markers.indicator.queries import AGES, fetch_coverage, fetch_whole
from mmptf_markers.indicator.standings import CurrentGradeFilter
from mmptf_markers.indicator.targets import fetch_target
from mmptf_markers.results import rules, schemas

ResultLevelFilter = TypeAliasType("ResultLevelFilter", Literal["outcome", "output", "impact", "not_stated"])
"""Level of the results chain, by which indicators are found.

- `outcome`: what changes for people or institutions
- `output`: what the work itself produces
- `impact`: the lasting change to which outcomes contribute
- `not_stated`: indicators of which no source states the level
"""

# The path of what the value of a computed indicator follows from.
MARKER_INDICATOR = f"{PATH}/indicator"


class ResultsIndicatorFilter(PointInTime):
    """Which indicators: any of a repeated filter, all of different ones."""

    code: Annotated[list[Code], with_codes("indicators", "human-rights-90")]
    scope: Annotated[
        list[schemas.ResultsScope],
        Field(
            default_factory=list,
            max_length=100,
            description="Only indicators of the Fund, or only those of programmes.",
            examples=["fund"],
        ),
    ]
    programme: Annotated[
        Values,
        Field(
            description="Code of a programme, as in the catalogue; `not_stated` finds indicators of the Fund.",
            examples=["not_stated"],
        ),
    ]
    level: Annotated[
        list[ResultLevelFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="Level of the results chain; `not_stated` finds indicators of which no source states it.",
            examples=["not_stated"],
        ),
    ]
    unit: Annotated[
        list[schemas.ResultUnit],
        Field(default_factory=list, max_length=100, description="Unit of the values.", examples=["per_cent"]),
    ]
    organization: Annotated[
        Values,
        Field(
            description="Code of the responsible organization; `not_stated` finds indicators without one.",
            examples=["not_stated"],
        ),
    ]
    computed: Annotated[
        Flag | None,
        Field(
            description="`true`: only indicators whose value is computed; `false`: only those that are reported.",
            examples=[True],
        ),
    ] = None
    reported: Annotated[
        Flag | None,
        Field(
            description="`true`: only indicators with a reported value that counts; `false`: only those without any,"
            " among them the computed ones.",
            examples=[False],
        ),
    ] = None


class ResultsIndicatorQuery(ResultsIndicatorFilter, ListQuery):
    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")


class ReportedValueQuery(ListQuery):
    """Which reported values: any of a repeated filter, all of different ones."""

    sort: tuple[Literal["code", "-code", "end", "-end", "updated", "-updated"], ...] = order_by("code")
    indicator: Annotated[
        Values,
        Field(
            description="Code of the indicator, as at `/markers/v1/results-indicators`.",
            examples=["ETH-01-people-trained"],
        ),
    ]
    programme: Annotated[
        Values,
        Field(
            description="Code of a programme, as in the catalogue; `not_stated` finds values of the Fund's indicators.",
            examples=["ETH-01"],
        ),
    ]
    organization: Annotated[
        Values,
        Field(
            description="Code of the organization that reported them; `not_stated` finds those of which none is named.",
            examples=["ILO"],
        ),
    ]
    status: Annotated[
        list[schemas.ReportedValueStatus],
        Field(
            default_factory=list,
            max_length=100,
            description="Only values that count, or only those that were withdrawn.",
            examples=["reported"],
        ),
    ]
    date_from: Annotated[
        Day | None,
        Field(
            description="Only values whose period ends on this day, from its beginning, or later.",
            examples=["2024-01-01"],
        ),
    ] = None
    date_to: Annotated[
        Day | None,
        Field(
            description="Only values whose period ends on this day, to its end, or earlier.", examples=["2024-12-31"]
        ),
    ] = None


class ResultsProgressQuery(ResultsIndicatorFilter, TableQuery):
    """Of which indicators."""


def _reported(value: str, arguments: Arguments) -> str:
    """The condition of the indicators with a value that counts (`true`), or without one."""
    which = "IN" if value == "true" else "NOT IN"
    return f"code {which} (SELECT indicator FROM reported_value WHERE status = 'reported')"


def _organizations_of(table: str, only: str) -> Filter:
    """The filter by the organization in a table; only: which ones it takes, where it does not take one."""
    return Filter(
        "organization = ANY({}::text[])",
        f"{ORGANIZATIONS_EVER} UNION {codes_named_in(table, 'organization')}",
        "/catalog/v1/organizations",
        not_stated="organization IS NULL",
        only=only,
    )


_OF_PROGRAMME = replace(OF_PROGRAMME, not_stated="programme IS NULL")
RESULTS_INDICATORS = Listing(
    path=f"{PATH}/results-indicators",
    entity="results_indicator",
    item=schemas.ResultsIndicator,
    page=schemas.ResultsIndicatorPage,
    rows="results_indicator",
    query=ResultsIndicatorQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "code": own_codes("results_indicator", "results_indicator"),
        "scope": Filter("scope = ANY({}::text[])"),
        "programme": _OF_PROGRAMME,
        "level": Filter("level = ANY({}::text[])", not_stated="level IS NULL"),
        "unit": Filter("unit = ANY({}::text[])"),
        "organization": _organizations_of("results_indicator", "organizations that take part in a programme or report"),
        "computed": Filter("computed = {}::text::boolean"),
        "reported": Filter(_reported),
    },
    columns={
        "code": "code",
        "scope": "scope",
        "programme": "programme",
        "name": "record->>'name'",
        "definition": "record->>'definition'",
        "unit": "unit",
        "direction": "record->>'direction'",
        "aggregation": "record->>'aggregation'",
        "level": "level",
        "baseline": "record#>>'{baseline,value}'",
        "baseline_date": "record#>>'{baseline,date}'",
        "targets": "(SELECT string_agg(target->>'value', '|') FROM jsonb_array_elements(record->'targets') AS target)",
        "target_dates": "(SELECT string_agg(coalesce(target->>'due', ''), '|')"
        " FROM jsonb_array_elements(record->'targets') AS target)",
        "means_of_verification": "record->>'means_of_verification'",
        "responsible_organization": "organization",
        "disaggregations": "(SELECT string_agg(dimension, '|')"
        " FROM json_object_keys(stored->'disaggregations') AS dimension)",
        "computed": "computed::text",
        "marker_target": "record->>'marker_target'",
        "updated": "record->>'updated'",
    },
    facets={
        "scope": Dimension("filtered.scope"),
        "programme": Dimension(
            "filtered.programme", "(SELECT record->>'title' FROM programme AS named WHERE named.code = {})"
        ),
        "level": Dimension("filtered.level"),
        "unit": Dimension("filtered.unit"),
        "organization": Dimension("filtered.organization"),
    },
    facet_query=ResultsIndicatorFilter,
)

REPORTED_VALUES = Listing(
    path=f"{PATH}/reported-values",
    entity="reported_value",
    item=schemas.ReportedValue,
    page=schemas.ReportedValuePage,
    rows="reported_value",
    query=ReportedValueQuery,
    sorts={"code": ("code", "text"), "end": ("period_end", "date"), "updated": ("updated", "timestamptz")},
    filters={
        "indicator": Filter("indicator = ANY({}::text[])", codes_in("results_indicator"), RESULTS_INDICATORS.path),
        "programme": _OF_PROGRAMME,
        "organization": _organizations_of("reported_value", "organizations that take part in a programme or reported"),
        "status": Filter("status = ANY({}::text[])"),
        "date_from": Filter("period_end >= {}::text::date"),
        "date_to": Filter("period_end <= {}::text::date"),
    },
    columns={
        "code": "code",
        "indicator": "indicator",
        "programme": "programme",
        "organization": "organization",
        "start": "period_start",
        "end": "period_end",
        "value": "record->>'value'",
        "disaggregation": "stored->>'disaggregation'",
        "source": "record->>'source'",
        "attachment": "record#>>'{attachment,url}'",
        "note": "record->>'note'",
        "status": "status",
        "updated": "record->>'updated'",
    },
)


async def answer_progress(request: Request, query: ResultsProgressQuery) -> Response:
    """How far the indicators that match the filters have come, from one snapshot."""
    query = await with_known_codes(request, ReadKind.COMPUTED, RESULTS_INDICATORS, query)
    today = datetime.now(UTC).date()

    async def build(data: Snapshot, revision: int) -> schemas.ResultsProgress:
        arguments = Arguments()
        where = condition(RESULTS_INDICATORS, query, arguments)
        rows = await data.fetch(
            f"""
            SELECT record::text, computed, reported.periods
              FROM results_indicator
              LEFT JOIN (SELECT indicator, json_agg(json_build_array(coalesce(period_start, period_end), period_end,
                                                                     record->>'value') ORDER BY period_end)::text
                           FROM reported_value WHERE status = 'reported' GROUP BY indicator)
                AS reported(indicator, periods) ON indicator = code
             WHERE {where} ORDER BY programme NULLS FIRST, code""",
            *arguments,
        )
        day = await _day_of(data, query, today)
        computed = {
            found.code: await _fetch_computed(data, found, query, day)
            for row in rows
            if row["computed"] and (found := read_record(schemas.ResultsIndicator, row["record"]))
        }
        summary = await asyncio.to_thread(_summarize, rows, computed, day)
        return schemas.ResultsProgress(
            day=day,
            whole=summary.whole.answer(),
            groups=[
                schemas.ReportedGroup(
                    scope="programme" if programme else "fund", programme=programme, counts=counts.answer()
                )
                for programme, counts in summary.groups.items()
            ],
            indicators=summary.indicators,
            revision=revision,
        )

    # A target may be due on a new day, although nothing was written.
    table = table_of(schemas.IndicatorProgress, "indicators")
    return await with_ages(request, await answer_computed(request, query, build, beside=str(today), table=table), AGES)


def _summarize(rows: Sequence[Any], computed: dict[Code, schemas.IndicatorProgress], day: date) -> rules.Summary:
    """The progress of all indicators, in the order of the rows; in a thread, since there may be thousands."""
    summary = rules.Summary()
    for row in rows:
        indicator = read_record(schemas.ResultsIndicator, row["record"])
        periods = json.loads(row["periods"]) if row["periods"] else []
        values = [
            rules.Reported(date.fromisoformat(first), date.fromisoformat(end), Decimal(value))
            for first, end, value in periods
        ]
        summary.add(computed.get(indicator.code) or rules.progress_of(indicator, values, day))
    return summary


async def _fetch_computed(
    data: Snapshot, indicator: schemas.ResultsIndicator, query: ResultsProgressQuery, day: date
) -> schemas.IndicatorProgress:
    """The progress of a computed indicator, from the marker's indicator of all programmes."""
    target = await fetch_target(data, indicator.marker_target)
    programmes = CurrentGradeFilter.model_validate({}).model_copy(update={"as_of": query.as_of})
    whole = await fetch_whole(data, target, await fetch_coverage(data, target), programmes)
    return rules.computed_progress(indicator, target.code, whole, data.link(MARKER_INDICATOR, target=target.code), day)


async def _day_of(data: Snapshot, query: PointInTime, today: date) -> date:
    """The day of the query's `as_of`: of a revision that of its write; today without one."""
    if isinstance(query.as_of, datetime):
        return query.as_of.date()
    if isinstance(query.as_of, date):
        return min(query.as_of, today)
    if query.as_of is None:
        return today
    at: datetime | None = await data.fetchval("SELECT max(at) FROM revision")
    return at.astimezone(UTC).date() if at else today


async def fetch_overlapping(write: Write, indicator: Code, first: date, end: date, but: Code) -> Any:
    """The code, first and last day of a value of an indicator that has days in common with a period; None without any.

    but: the code of the value that is written
    """
    return await write.connection.fetchrow(
        "SELECT code, coalesce(period_start, period_end) AS first, period_end FROM reported_value"
        " WHERE indicator = $1 AND status = 'reported' AND code <> $4"
        " AND coalesce(period_start, period_end) <= $3 AND period_end >= $2 ORDER BY period_end LIMIT 1",
        *(indicator, first, end, but),
    )


async def fetch_used_codes(write: Write, indicator: Code) -> list[tuple[Code, Code]]:
    """The dimensions and codes into which reported values of an indicator are divided."""
    rows = await write.connection.fetch(
        "SELECT DISTINCT dimension.key, part.key FROM reported_value"
        " CROSS JOIN LATERAL json_each(record->'disaggregation') AS dimension"
        " CROSS JOIN LATERAL json_object_keys(dimension.value) AS part(key)"
        " WHERE indicator = $1 AND status = 'reported'",
        indicator,
    )
    return [(row[0], row[1]) for row in rows]


async def fetch_next_number(write: Write) -> int:
    """The number of the next reported value, which none has ever had."""
    last = await write.connection.fetchval(
        "SELECT max(substr(key, 4)::int) FROM change WHERE entity = 'reported_value' AND action = 'create'"
    )
    return (last or 0) + 1
