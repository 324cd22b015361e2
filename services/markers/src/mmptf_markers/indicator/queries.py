"""Queries of the portfolio: current grades of programmes, the indicator now and over time, criteria, actions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import urlencode

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypeAliasType

from mmptf_common.feed.replication import ReplicatedCopy, copy_state
from mmptf_common.http.cache_groups import leave_out
from mmptf_common.http.negotiation import TABLE, is_csv, representation
from mmptf_common.http.parameters import (
    FORMAT,
    Flag,
    ListQuery,
    PointInTime,
    TableQuery,
    Tabular,
    Values,
    canonical,
    order_by,
    pairs_of,
)
from mmptf_common.http.snapshot import Snapshot, answer_computed, snapshot
from mmptf_common.lists.codes import codes_among, codes_in, codes_named_in
from mmptf_common.lists.listing import Arguments, Filter, Listing, completed, condition, known_values, with_known_codes
from mmptf_common.lists.tables import table_of
from mmptf_common.routers.cards import Card, CardData
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_common.wire.base import Code, Day, ResponseModel
from mmptf_common.wire.codes import NOT_STATED, THEMATIC_AREAS, LifecycleStage
from mmptf_common.wire.links import link
from mmptf_common.wire.money import money
from mmptf_common.wire.periods import Interval, ends
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, InvalidRequest, error_detail, raise_if_any
from mmptf_common.wire.shares import share
from mmptf_markers.assessments.queries import ASSESSMENTS, COUNTING_REVIEW, OF_PROGRAMME, ORGANIZATIONS_EVER, PATH, ever
from mmptf_markers.assessments.schemas import Year
from mmptf_markers.current_grades import DECIDED, LATEST_FIRST, counts
from mmptf_markers.engine.rubric import NOT_APPLICABLE
from mmptf_markers.indicator import rules, schemas
from mmptf_markers.models import CURRENT_GRADE_ROLLUP
from mmptf_markers.replication import CURRENCY as LEDGER_CURRENCY
from mmptf_markers.rubrics.queries import parse_rubric

# Query parameters as pairs of name and value.
Question = list[tuple[str, str]]
# The default target.
TARGET = "human-rights-90"
# The services whose records are copied here, and the response header with the age of each copy.
AGES = {"catalog": "Catalogue-Age", "funding": "Ledger-Age"}
# What these headers say, for the contract.
AGES_OF_COPIES = {
    header: {
        "description": f"Seconds since the copy of {service} last had no further changes; `unknown` before the first.",
        "required": True,
        "schema": {"type": "string", "pattern": "^([0-9]+|unknown)$"},
    }
    for service, header in AGES.items()
}
# One row for each programme under each marker, with the assessment that counts.
CURRENT_GRADE_ROWS = """(
    SELECT s.*, p.thematic_area, p.organizations, p.countries, p.record AS programme_record,
           a.stage AS assessed_stage, a.year AS assessed_year, a.assessed_on, a.record AS assessment_record
      FROM current_grade AS s JOIN programme AS p ON p.code = s.programme
      LEFT JOIN assessment AS a ON a.code = s.assessment) AS current_grade"""

_CURRENT_GRADE = """json_build_object(
    'code', code, 'programme', programme, 'title', programme_record->'title', 'marker', marker, 'stage', stage,
    'thematic_area', programme_record->'thematic_area', 'grade', grade, 'basis', basis,
    'answered', assessment_record->'answered',
    'assessment', assessment, 'assessed_stage', assessed_stage, 'assessed_year', assessed_year,
    'assessed_on', assessed_on, 'rubric', rubric,
    'rubric_status', (SELECT status FROM rubric AS behind WHERE behind.code = current_grade.rubric),
    'rubric_superseded', (SELECT superseded FROM rubric AS behind WHERE behind.code = current_grade.rubric),
    'under_review', under_review, 'returned', returned,
    'budget', CASE WHEN amount IS NOT NULL THEN json_build_object('amount', amount::text, 'currency', currency) END,
    'budget_stage', budget_stage,
    'allocated', CASE WHEN allocated IS NOT NULL
                      THEN json_build_object('amount', allocated::text, 'currency', '{ledger}') END,
    'updated', to_char(updated, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text""".replace("{ledger}", LEDGER_CURRENCY)

_REGIONS = "(SELECT unnest(regions) FROM place WHERE place.code = ANY(current_grade.countries))"

TargetCode = Annotated[
    Code | None,
    Field(description="Code of a target, as at `/markers/v1/targets`.", examples=["human-rights-90"]),
]


class TargetQuery(ListQuery):
    """Which targets."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")
    marker: Annotated[Values, Field(description="Code of a marker; a rubric names its own.", examples=["human_rights"])]


AssessmentStageFilter = TypeAliasType(
    "AssessmentStageFilter",
    Literal["concept_note", "programme_document", "annual_report", "final_report", "evaluation", "not_stated"],
)
"""Stage of a programme's life at which it was assessed, by which current grades are found.

- `concept_note`: the idea, before it is worked out
- `programme_document`: the full proposal, as it is approved
- `annual_report`: the report on one year of work
- `final_report`: the report after the end of the work
- `evaluation`: the evaluation of the programme by others
- `not_stated`: programmes without an assessment that counts
"""


class CurrentGradeFilter(PointInTime):
    """Which programmes: any of a repeated filter, all of different ones; `not_stated` finds those without a value."""

    programme: Annotated[Values, Field(description="Code of a programme, as in the catalogue.", examples=["ETH-01"])]
    thematic_area: Annotated[
        Values, Field(description="Code of a thematic area. `not_stated` finds programmes without one.", examples=["3"])
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a country. `not_stated` finds programmes without one.",
            examples=["ETH"],
        ),
    ]
    region: Annotated[
        Values,
        Field(
            description="UN M49 code of a region at any level, such as 002 for Africa; `not_stated` for none.",
            examples=["002"],
        ),
    ]
    organization: Annotated[
        Values,
        Field(
            description="Code of an organization that takes part; `not_stated` finds programmes without one.",
            examples=["ILO"],
        ),
    ]
    grade: Annotated[
        Values,
        Field(description="Code of the current grade. `not_stated` finds programmes without one.", examples=["B"]),
    ]
    rubric: Annotated[
        Values,
        Field(
            description="Code of the rubric behind the grade; `not_stated` finds programmes without one.",
            examples=["hr-marker-illustrative.1"],
        ),
    ]
    assessed_stage: Annotated[
        list[AssessmentStageFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="Stage at which the current grade was given; `not_stated` finds programmes without one.",
            examples=["concept_note"],
        ),
    ]
    assessed: Annotated[
        Flag | None,
        Field(description="`true`: only programmes with a grade; `false`: only those without.", examples=[False]),
    ] = None
    due_for: Annotated[
        Year | None,
        Field(
            description="Only programmes whose annual report of this year is still to be assessed: they ran in it, or"
            " no dates are stated, and no assessment of it is submitted or accepted."
        ),
    ] = None


class MarkerFilter(CurrentGradeFilter):
    """Which programmes, under which markers."""

    marker: Annotated[Values, Field(description="Code of a marker; a rubric names its own.", examples=["human_rights"])]
    stage: Annotated[
        Values,
        Field(description="Part of the life cycle that the programme is in, as in the catalogue.", examples=["funded"]),
    ]


class CriteriaQuery(MarkerFilter, TableQuery):
    """Of which programmes, under which markers."""


class CurrentGradeQuery(MarkerFilter, ListQuery):
    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")


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


TargetedQuery = TypeVar("TargetedQuery", IndicatorQuery, OverTimeQuery)


class ActionQuery(ListQuery):
    """Which actions. Overdue are those with `open=true` and `due_before` today."""

    sort: tuple[Literal["due", "-due", "code", "-code"], ...] = order_by("due")
    programme: Annotated[Values, Field(description="Code of a programme, as in the catalogue.", examples=["ETH-01"])]
    marker: Annotated[Values, Field(description="Code of a marker; a rubric names its own.", examples=["human_rights"])]
    open: Annotated[
        Flag | None,
        Field(description="`true`: only actions that are not done; `false`: only those that are.", examples=[True]),
    ] = None
    due_before: Annotated[
        Day | None,
        Field(
            description="Only actions due before this day, not on it: with `open=true` and today, those overdue.",
            examples=["2027-12-31"],
        ),
    ] = None


class MarkersProgrammeCard(Card[schemas.MarkerFacts]):
    """The grades of a programme; `changed` is when anything that they show was last written: the programme, an
    allocation, an assessment, or a rubric behind its grades.
    """

    service: Literal["markers"]
    """Name of the service whose facts these are."""


class ReplicatedCopies(ResponseModel):
    """The state of each copy of another service's records."""

    copies: list[ReplicatedCopy]
    """One for each service whose records are copied here: the catalogue (`catalog`) and the ledger (`funding`)."""


CURRENT_GRADES = Listing(
    path=f"{PATH}/standings",
    entity="standing",
    item=schemas.CurrentGrade,
    page=schemas.CurrentGradePage,
    rows=CURRENT_GRADE_ROWS,
    keys="current_grade",
    rollups=(CURRENT_GRADE_ROLLUP,),
    record=_CURRENT_GRADE,
    query=CurrentGradeQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "programme": OF_PROGRAMME,
        "marker": ASSESSMENTS.filters["marker"],
        "stage": Filter(
            "stage = ANY({}::text[])",
            " UNION ".join(
                (
                    ever("stage"),
                    codes_named_in("target", "record->>'stage'"),
                    codes_among(get_args(LifecycleStage.__value__)),
                )
            ),
            "/catalog/v1/programmes/facets",
            columns=("stage",),
        ),
        "thematic_area": Filter(
            "thematic_area = ANY({}::text[])",
            f"{ever('thematic_area')} UNION {codes_among(THEMATIC_AREAS)}",
            "/catalog/v1/thematic-areas",
            not_stated="thematic_area IS NULL",
        ),
        "country": Filter(
            "countries && {}::text[]",
            codes_in("place", where="kind = 'country'"),
            "/catalog/v1/places?kind=country",
            places="country",
            not_stated="countries = '{}'",
        ),
        "region": Filter(
            "countries && ARRAY(SELECT code FROM place WHERE regions && {}::text[])",
            codes_in("place", where="kind = 'region'"),
            "/catalog/v1/places?kind=region",
            places="region",
            not_stated=f"NOT EXISTS (SELECT FROM {_REGIONS} AS region)",
        ),
        "organization": Filter(
            "organizations && {}::text[]",
            ORGANIZATIONS_EVER,
            "/catalog/v1/organizations",
            not_stated="organizations = '{}'",
            only="organizations that take part in a programme",
        ),
        "grade": replace(ASSESSMENTS.filters["grade"], not_stated="grade IS NULL"),
        "rubric": replace(ASSESSMENTS.filters["rubric"], not_stated="rubric IS NULL"),
        "assessed_stage": Filter("assessed_stage = ANY({}::text[])", not_stated="assessed_stage IS NULL"),
        "assessed": Filter("(assessment IS NOT NULL) = {}::text::boolean"),
        "due_for": Filter(
            """coalesce(left(programme_record->'duration'->>'start', 4)::int <= {0}::int, true)
           AND coalesce(left(programme_record->'duration'->>'end', 4)::int >= {0}::int, true)
           AND NOT EXISTS (
               SELECT FROM assessment AS given
                WHERE given.programme = current_grade.programme AND given.marker = current_grade.marker
                  AND given.stage = 'annual_report' AND given.year = {0}::int
                  AND given.status IN ('submitted', 'accepted'))"""
        ),
    },
    columns={
        "code": "code",
        "programme": "programme",
        "title": "programme_record->>'title'",
        "marker": "marker",
        "stage": "stage",
        "thematic_area": "thematic_area",
        "grade": "grade",
        "basis": "basis",
        "answered": "assessment_record->>'answered'",
        "assessment": "assessment",
        "assessed_stage": "assessed_stage",
        "assessed_year": "assessed_year",
        "assessed_on": "assessed_on",
        "rubric": "rubric",
        "under_review": "under_review::text",
        "returned": "returned::text",
        "budget": "amount",
        "currency": "currency",
        "budget_stage": "budget_stage",
        "allocated": "allocated",
    },
)

# The target determines the marker and the stage of the programmes, so the indicator has no filters for them.
_OF_TARGET = replace(
    CURRENT_GRADES, filters={n: f for n, f in CURRENT_GRADES.filters.items() if n not in ("marker", "stage")}
)

ACTIONS = Listing(
    path=f"{PATH}/actions",
    entity="action",
    item=schemas.AssessmentAction,
    page=schemas.AssessmentActionPage,
    derived=True,
    rows=f"""(
    SELECT assessment || '.' || answer.key || '.' || n AS code, assessment, programme, marker,
           answer.key AS criterion, entry, (entry->>'due')::date AS due, entry->>'done' AS done, updated
      FROM {CURRENT_GRADE_ROWS}
     CROSS JOIN LATERAL json_each(assessment_record->'answers') AS answer
     CROSS JOIN LATERAL json_array_elements(answer.value->'actions') WITH ORDINALITY AS action(entry, n)) AS action""",
    record="""json_build_object(
    'code', code, 'assessment', assessment, 'programme', programme, 'marker', marker, 'criterion', criterion,
    'action', entry->'action', 'owner', entry->'owner', 'due', due, 'done', done,
    'updated', to_char(updated, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text""",
    query=ActionQuery,
    sorts={"due": ("due", "date"), "code": ("code", "text")},
    filters={
        "programme": OF_PROGRAMME,
        "marker": ASSESSMENTS.filters["marker"],
        "open": Filter("(done IS NULL) = {}::text::boolean"),
        "due_before": Filter("due < {}::text::date"),
    },
    columns={
        "code": "code",
        "assessment": "assessment",
        "programme": "programme",
        "marker": "marker",
        "criterion": "criterion",
        "action": "entry->>'action'",
        "owner": "entry->>'owner'",
        "due": "due",
        "done": "done",
    },
)

# Rewrites a minimum that was stored as two integers into the form of all shares, and states that a target which was
# stored without `printed` and `claims` has none.
_SHARE_AS_SENT = r"""CASE json_typeof(record#>'{minimum,numerator}') WHEN 'number' THEN regexp_replace(
    record::text, '"numerator":([0-9]+),"denominator":([0-9]+)', '"numerator":"\1","denominator":"\2","per_cent":"'
    || trunc((record#>>'{minimum,numerator}')::numeric * 100 / (record#>>'{minimum,denominator}')::numeric, 2)
    || '"') ELSE record::text END"""
_TARGET_AS_SENT = completed(f"({_SHARE_AS_SENT})", claims="'[]'", printed="'null'")

TARGETS = Listing(
    path=f"{PATH}/targets",
    entity="target",
    item=schemas.IndicatorTarget,
    page=schemas.IndicatorTargetPage,
    rows="target",
    record=_TARGET_AS_SENT,
    query=TargetQuery,
    sorts={"code": ("code", "text")},
    filters={"marker": ASSESSMENTS.filters["marker"]},
    columns={
        "code": "code",
        "marker": "marker",
        "name": "record->>'name'",
        "minimum": "record#>>'{minimum,numerator}' || '/' || (record#>>'{minimum,denominator}')",
        "stage": "record->>'stage'",
        "printed": "record#>>'{printed,programmes}'",
        "updated": "record->>'updated'",
    },
)


_TARGET_CODE = Filter("code = {}", codes_in("target"), TARGETS.path)


def _several(codes: str) -> tuple[str, str]:
    return "v.code", f"LEFT JOIN LATERAL {codes} AS v(code) ON true"


def _regions_of(level: str) -> tuple[str, str]:
    return _several(
        f"(SELECT DISTINCT record->>'{level}' FROM place WHERE code = ANY(current_grade.countries)"
        f" AND record->>'{level}' IS NOT NULL)"
    )


# The divisions of the indicator: the SQL of a group's code, and the join that it needs.
DIVISIONS: Mapping[str | None, tuple[str, str]] = {
    None: ("NULL::text", ""),
    "thematic_area": ("current_grade.thematic_area", ""),
    "country": _several("unnest(current_grade.countries)"),
    "region": _regions_of("region"),
    "subregion": _regions_of("subregion"),
    "intermediate_region": _regions_of("intermediate_region"),
    "organization": _several("unnest(current_grade.organizations)"),
    "assessed_stage": ("current_grade.assessed_stage", ""),
    "rubric": ("current_grade.rubric", ""),
}

OVERLAPPING = frozenset({"country", "region", "subregion", "intermediate_region", "organization"})
# The filter that finds the programmes of a group, where it has another name; it knows regions of every level.
_FILTERS = {"subregion": "region", "intermediate_region": "region"}
# SQL of the names of the groups: `{}` stands for the array of their codes.
_NAME_OF_PLACE = "SELECT code, record->>'name' AS name FROM place WHERE code = ANY({})"
_NAMES = {
    **dict.fromkeys(("country", "region", "subregion", "intermediate_region"), _NAME_OF_PLACE),
    "thematic_area": """
        SELECT asked.code, (SELECT record#>>'{{thematic_area,name}}' FROM programme
                             WHERE thematic_area = asked.code LIMIT 1) AS name
          FROM unnest({}) AS asked(code)""",
    "organization": """
        SELECT asked.code, (SELECT named->>'name' FROM programme, json_array_elements(record->'organizations') AS named
                             WHERE organizations @> ARRAY[asked.code] AND named->>'code' = asked.code LIMIT 1) AS name
          FROM unnest({}) AS asked(code)""",
}
# The filters by what is known of grades. Whoever chose the programmes by them could make any share of any target.
_OF_GRADES: Mapping[str, Any] = {"grade": [], "rubric": [], "assessed_stage": [], "assessed": None, "due_for": None}


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
    query = await _with_known_target(request, await with_known_codes(request, ReadKind.COMPUTED, _OF_TARGET, query))

    async def build(data: Snapshot, revision: int) -> schemas.IndicatorAnswer:
        target = await _target(data, query.target)
        by = query.by[0] if query.by else None
        coverage = await _coverage(data, target)
        not_held = _not_held(coverage)
        whole = await _indicators(data, target, not_held, query, None)
        groups = await _indicators(data, target, not_held, query, by) if by else {}
        names = await _names(data, by, [code for code in groups if code is not None])
        return schemas.IndicatorAnswer(
            target=target,
            coverage=coverage,
            whole=whole.get(None) or _folded([], {}, _Counting(target, not_held), None),
            by=by,
            overlapping=by in OVERLAPPING,
            groups=[
                schemas.IndicatorGroup(code=code, name=names.get(code), indicator=found)
                for code, found in groups.items()
            ],
            revision=revision,
        )

    as_csv = table_of(schemas.IndicatorGroup, "groups")
    return await _aged(request, await answer_computed(request, query, build, table=as_csv))


async def _aged(request: Request, answer: Response) -> Response:
    """The response with the headers of the ages of the copies that it is computed from."""
    leave_out(request)
    async with reading(request.app.state.database, ReadKind.COMPUTED) as connection:
        for service, header in AGES.items():
            state = await copy_state(connection, service)
            answer.headers[header] = "unknown" if state.age_seconds is None else str(state.age_seconds)
    return answer


async def _with_known_target(request: Request, query: TargetedQuery) -> TargetedQuery:
    """The query with the code of its target as it is written; raises InvalidRequest where there is no such target."""
    if query.target is None:
        return query
    errors: list[ErrorDetail] = []
    written = await known_values(request, ReadKind.COMPUTED, "target", _TARGET_CODE, [query.target], errors)
    raise_if_any(errors)
    return query.model_copy(update={"target": written[0]})


async def _target(data: Snapshot, code: str | None) -> schemas.IndicatorTarget:
    rows = dict(await data.fetch(f"SELECT code, {_TARGET_AS_SENT} FROM target ORDER BY code"))
    wanted = code or TARGET
    if wanted not in rows:
        when = "was not known at that time" if data.as_of_ctes else "is not loaded"
        raise Conflict(f"The target {wanted} {when}.", code=ProblemCode.NO_TARGET)
    return schemas.IndicatorTarget.model_validate_json(rows[wanted])


async def _coverage(data: Snapshot, target: schemas.IndicatorTarget) -> schemas.HeldProgrammes:
    """How many programmes at the target's stage are held, beside the number that a document prints."""
    held: int = await data.fetchval(
        "SELECT coalesce(sum(programmes), 0)::bigint FROM current_grade_count WHERE marker = $1 AND stage = $2",
        *(target.marker, target.stage),
    )
    printed = target.printed.programmes if target.printed else None
    return schemas.HeldProgrammes(held=held, printed=printed, share=share(held, printed) if printed else None)


def _not_held(coverage: schemas.HeldProgrammes) -> int:
    """How many programmes a document counts beside those that are recorded here."""
    return max(0, coverage.printed - coverage.held) if coverage.printed is not None else 0


@dataclass(frozen=True, slots=True)
class _Counting:
    """What the programmes of an indicator are counted against.

    not_held: programmes that a document counts and that are not recorded here
    programmes: those of the denominator, where the rows are chosen by what is known of grades; None where they are all
    """

    target: schemas.IndicatorTarget
    not_held: int
    programmes: int | None = None


async def _indicators(
    data: Snapshot, target: schemas.IndicatorTarget, not_held: int, query: CurrentGradeFilter, by: str | None
) -> dict[str | None, schemas.Indicator]:
    """The indicator of each group, in the order of their codes; programmes without one are the last group."""
    key, join = DIVISIONS[by]
    question = [pair for pair in pairs_of(query) if pair[0] not in ("by", "format", "target")]
    arguments = Arguments()
    of_target = f"marker = {arguments.bind(target.marker)} AND stage = {arguments.bind(target.stage)}"
    where = condition(_OF_TARGET, query, arguments)
    if by is None and all(name == "as_of" for name, _ in question):
        statement = f"SELECT NULL AS key, * FROM current_grade_count WHERE {of_target}"
    else:
        alike = f"{key} AS key, grade, rubric, basis, budget_stage, currency"
        statement = counts(alike, f"{CURRENT_GRADE_ROWS} {join} WHERE {of_target} AND {where}")
    rows = await data.fetch(statement, *arguments)
    rubrics = {row["code"]: row for row in await data.fetch("SELECT code, status, superseded FROM rubric")}
    groups: dict[str | None, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row["key"]].append(row)
    all_of = await _denominators(data, target, query, by)
    question += [("marker", target.marker), ("stage", target.stage)]
    codes = {*groups} if all_of is None or by in _OF_GRADES else {*all_of}
    return {
        code: _folded(
            groups[code],
            rubrics,
            _Counting(target, not_held, None if all_of is None else all_of[None if by in _OF_GRADES else code]),
            _drilldown(query, question, by, code),
        )
        for code in sorted(codes, key=lambda code: (code is None, code))
    }


async def _denominators(
    data: Snapshot, target: schemas.IndicatorTarget, query: CurrentGradeFilter, by: str | None
) -> dict[str | None, int] | None:
    """The number of programmes by group, whatever is known of their grades; None where nothing chooses by that.

    Groups by what is known of grades have all programmes together as denominator, under None.
    """
    filters = {name: unset for name, unset in _OF_GRADES.items() if getattr(query, name) != unset}
    if not filters and by not in _OF_GRADES:
        return None
    key, join = DIVISIONS[None if by in _OF_GRADES else by]
    arguments = Arguments()
    of_target = f"marker = {arguments.bind(target.marker)} AND stage = {arguments.bind(target.stage)}"
    where = condition(_OF_TARGET, query.model_copy(update=filters), arguments)
    rows = await data.fetch(
        f"SELECT {key} AS key, count(*) FROM {CURRENT_GRADE_ROWS} {join} WHERE {of_target} AND {where} GROUP BY 1",
        *arguments,
    )
    return {row["key"]: row["count"] for row in rows}


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
    if (by in OVERLAPPING and getattr(query, name)) or (code is None and name != by):
        return None
    return _only(question, name, NOT_STATED if code is None else code)


def _only(question: Question, name: str, value: str) -> Question:
    """The query parameters with one value of a parameter in place of all its values."""
    return [*(pair for pair in question if pair[0] != name), (name, value)]


def _folded(
    rows: Sequence[Any], rubrics: Mapping[str, Any], counting: _Counting, question: Question | None
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
            _grade_share(grade, [row for row in rows if row["grade"] == grade], question)
            for grade in sorted(grades, key=lambda grade: (grade is None, grade))
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


def _grade_share(grade: str | None, rows: Sequence[Any], question: Question | None) -> schemas.GradeShare:
    drilldown = question and (
        _only(question, "assessed", "false") if grade is None else _only(question, "grade", grade)
    )
    sums: dict[tuple[str, str], tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for row in rows:
        if row["with_budget"]:
            amount, number = sums[row["budget_stage"], row["currency"]]
            sums[row["budget_stage"], row["currency"]] = amount + row["amount"], number + row["with_budget"]
    programmes, with_allocation = (sum(row[name] for row in rows) for name in ("programmes", "with_allocation"))
    return schemas.GradeShare(
        grade=grade,
        programmes=programmes,
        budgets=[
            schemas.BudgetSum(stage=stage, sum=money(amount, currency), programmes=number)
            for (stage, currency), (amount, number) in sorted(sums.items())
        ],
        without_budget=programmes - sum(row["with_budget"] for row in rows),
        allocated=money(sum(row["allocated"] for row in rows), LEDGER_CURRENCY) if with_allocation else None,
        without_allocation=programmes - with_allocation,
        link=drilldown and link(f"{CURRENT_GRADES.path}?{urlencode(sorted(drilldown))}"),
    )


# The writes of everything that a card shows: the programme; its allocations, of which a copy that is made anew may lack
# some; its assessments; the rubrics behind its grades; and the first rubric of each marker, with which it got a grade.
_WRITES_OF_CARD = """
    SELECT revised FROM programme WHERE code = $1
    UNION ALL SELECT revised FROM allocation WHERE programme = $1
    UNION ALL SELECT replaced FROM allocation_past WHERE programme = $1
    UNION ALL SELECT revised FROM assessment WHERE programme = $1
    UNION ALL SELECT revised FROM rubric WHERE code IN (SELECT rubric FROM current_grade WHERE programme = $1)
    UNION ALL SELECT min(least(rubric.revised, earlier.revised)) FROM rubric
      LEFT JOIN rubric_past AS earlier USING (code) GROUP BY rubric.record->>'marker'"""


async def programme_card(data: Snapshot, code: str) -> CardData | None:
    """A programme's card, also without an assessment; None for a programme that is not in the copy of the catalogue."""
    rows = await data.fetch(
        f"SELECT {_CURRENT_GRADE} AS record FROM {CURRENT_GRADE_ROWS} WHERE programme = $1 ORDER BY marker", code
    )
    if not rows:
        return None
    open_actions, changed = await data.fetchrow(
        f"""
        SELECT (SELECT count(*) FROM {ACTIONS.rows} WHERE programme = $1 AND done IS NULL),
               (SELECT max(at) FROM revision WHERE first IN ({_WRITES_OF_CARD}))""",
        code,
    )
    current_grades = [schemas.CurrentGrade.model_validate_json(row["record"]) for row in rows]
    return CardData(
        facts=schemas.MarkerFacts(standings=current_grades, open_actions=open_actions),
        changed=changed,
        links={
            "assessments": data.link(ASSESSMENTS.path, programme=code),
            "actions": data.link(ACTIONS.path, programme=code),
        },
    )


async def answer_over_time(request: Request, query: OverTimeQuery) -> Response:
    """The indicator at the end of each period, by the date of what was assessed or of entry."""
    query = await _with_known_target(request, query)
    today = datetime.now(UTC).date()
    periods_of = _periods_assessed if query.dated == "assessed" else _periods_entered

    async def build(data: Snapshot, revision: int) -> schemas.IndicatorOverTime:
        target = await _target(data, query.target)
        periods = await periods_of(data, target, query.interval, today)
        return schemas.IndicatorOverTime(target=target, dated=query.dated, periods=periods, revision=revision)

    # The day is part of the cache key: a new day may begin a new period, although nothing was written.
    return await answer_computed(
        request,
        query,
        build,
        question=f"{canonical(query, without=FORMAT)}\n{today}",
        table=table_of(schemas.IndicatorPeriod, "periods"),
    )


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
        not_held = _not_held(await _coverage(past, target))
        whole = (await _indicators(past, target, not_held, then, None)).get(None)
        whole = whole or _folded([], {}, _Counting(target, not_held), None)
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
      CROSS JOIN current_grade AS p
      LEFT JOIN counting ON counting.programme = p.programme
       AND counting.since <= period AND (until IS NULL OR until > period)
      LEFT JOIN (SELECT programme, min(assessed_on) AS since FROM assessment
                  WHERE marker = $1 AND status = 'submitted' GROUP BY 1) AS waiting
             ON waiting.programme = p.programme AND waiting.since <= period
     WHERE p.marker = $1 AND p.stage = $2
     GROUP BY 1, 2, 3, 4, 5, 6"""


async def _periods_assessed(
    data: Snapshot, target: schemas.IndicatorTarget, interval: Interval, today: date
) -> list[schemas.IndicatorPeriod]:
    """The indicator of the end of each period since the first assessment, by the date of what was assessed."""
    first = await data.fetchval("SELECT min(assessed_on) FROM assessment WHERE marker = $1", target.marker)
    periods = ends(first, today, interval) if first and first <= today else []
    rubrics = {row["code"]: row for row in await data.fetch("SELECT code, status, superseded FROM rubric")}
    rows: dict[date, list[Any]] = defaultdict(list)
    for row in await data.fetch(_COUNTED_BY, target.marker, target.stage, periods):
        rows[row["period"]].append(row)
    counting = _Counting(target, _not_held(await _coverage(data, target)))
    return [
        schemas.IndicatorPeriod(period_end=end, at=None, indicator=_folded(rows[end], rubrics, counting, None))
        for end in periods
    ]


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
        rubrics = dict(await data.fetch("SELECT code, record::text FROM rubric"))
        return schemas.CriteriaSummaries(criteria=_criteria(rows, rubrics), revision=revision)

    as_csv = table_of(schemas.CriterionSummary, "criteria")
    return await _aged(request, await answer_computed(request, query, build, table=as_csv))


def _criteria(rows: Iterable[Any], rubrics: Mapping[str, str]) -> list[schemas.CriterionSummary]:
    given: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        given[row["rubric"]][row["criterion"]][row["answer"]] += row["programmes"]
    found = []
    for code, criteria in given.items():
        rubric = parse_rubric(rubrics[code])
        best = Fraction(rubric.scale.levels[-1].value)
        for criterion in rubric.criteria:
            answers = criteria.get(criterion.code, Counter())
            levels = [(level, answers[str(level.value)]) for level in rubric.scale.levels]
            answered = sum(number for _, number in levels)
            points = sum((Fraction(level.value) * number for level, number in levels), Fraction())
            found.append(
                schemas.CriterionSummary(
                    rubric=code,
                    criterion=criterion.code,
                    principle=criterion.principle,
                    question=criterion.question,
                    answered=answered,
                    not_applicable=answers[NOT_APPLICABLE],
                    share=share(points, best * answered) if answered else None,
                    levels=[
                        schemas.AnswerCount(answer=level.value, label=level.label, programmes=number)
                        for level, number in levels
                    ],
                )
            )
    return sorted(found, key=_weakness)


def _weakness(criterion: schemas.CriterionSummary) -> tuple[bool, Fraction, str, str]:
    reached = criterion.share.exact if criterion.share else Fraction(1)
    return criterion.share is None, reached, criterion.rubric, criterion.criterion


async def answer_copies(request: Request) -> Response:
    """The state of the copies of the catalogue and the ledger."""
    async with snapshot(request, ReadKind.PAGE) as data:
        copies = [await copy_state(data.connection, service) for service in AGES]
    return Response(
        ReplicatedCopies(copies=copies).model_dump_json(),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
