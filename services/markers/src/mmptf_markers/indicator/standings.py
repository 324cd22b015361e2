"""The current grades of programmes: their listing, and the filters that choose among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, get_args

from pydantic import Field
from typing_extensions import TypeAliasType

from mmptf_common.http.parameters import Flag, ListQuery, PointInTime, Values, order_by
from mmptf_common.lists.codes import codes_among, codes_in, codes_named_in
from mmptf_common.lists.listing import Filter, Listing
from mmptf_common.wire.codes import THEMATIC_AREAS, LifecycleStage
from mmptf_markers.assessments.queries import ASSESSMENTS
from mmptf_markers.current_grade_rollups import CURRENT_GRADE_COUNT
from mmptf_markers.filters import OF_MARKER, OF_PROGRAMME, ORGANIZATIONS_EVER, PATH, ever
from mmptf_markers.indicator import schemas
from mmptf_markers.replication import CURRENCY as LEDGER_CURRENCY

# One row for each programme under each marker, with the assessment that counts. What programmes are filtered by is
# read of the programme, which has the indexes.
CURRENT_GRADE_ROWS = """(
    SELECT s.code, s.programme, s.marker, s.stage, s.budget_stage, s.currency, s.amount, s.allocated, s.assessment,
           s.grade, s.rubric, s.basis, s.under_review, s.returned, s.updated, s.place_parts, s.organization_parts,
           s.allocated_place_parts, s.allocated_organization_parts,
           p.thematic_area, p.organizations, p.countries, p.record AS programme_record,
           a.stage AS assessed_stage, a.year AS assessed_year, a.assessed_on, a.record AS assessment_record
      FROM current_grade AS s JOIN programme AS p ON p.code = s.programme
      LEFT JOIN assessment AS a ON a.code = s.assessment) AS current_grade"""

CURRENT_GRADE_JSON = """json_build_object(
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


class ProgrammeFilter(PointInTime):
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


class CurrentGradeFilter(ProgrammeFilter):
    """Which programmes, also by what is known of their grades."""

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
        int | None,
        Field(
            ge=2000,
            le=2100,
            examples=[2025],
            description="Only programmes whose annual report of this year is still to be assessed: they ran in it, or"
            " no dates are stated, and no assessment of it is submitted or accepted.",
        ),
    ] = None


class MarkerFilter(CurrentGradeFilter):
    """Which programmes, under which markers."""

    marker: Annotated[Values, Field(description="Code of a marker; a rubric names its own.", examples=["human_rights"])]
    stage: Annotated[
        Values,
        Field(description="Part of the life cycle that the programme is in, as in the catalogue.", examples=["funded"]),
    ]


class CurrentGradeQuery(MarkerFilter, ListQuery):
    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")


CURRENT_GRADES = Listing(
    path=f"{PATH}/standings",
    entity="standing",
    item=schemas.CurrentGrade,
    page=schemas.CurrentGradePage,
    rows=CURRENT_GRADE_ROWS,
    keys="current_grade",
    rollups=(CURRENT_GRADE_COUNT,),
    record=CURRENT_GRADE_JSON,
    query=CurrentGradeQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "programme": OF_PROGRAMME,
        "marker": OF_MARKER,
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
OF_TARGET = replace(
    CURRENT_GRADES, filters={n: f for n, f in CURRENT_GRADES.filters.items() if n not in ("marker", "stage")}
)
# What the report is of is chosen by nothing that is known of grades.
OF_PROGRAMMES = replace(
    CURRENT_GRADES, filters={n: f for n, f in CURRENT_GRADES.filters.items() if n in ProgrammeFilter.model_fields}
)
