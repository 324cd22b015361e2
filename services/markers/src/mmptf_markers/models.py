"""The marker service's tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from mmptf_common.feed.replication import replication_table
from mmptf_common.storage.journal_schema import add_journal
from mmptf_common.storage.pseudonyms import pseudonym_table
from mmptf_common.storage.records import Record, codes, renamed_code_table
from mmptf_common.storage.rollups import Rollup, add_rollups
from mmptf_markers.current_grade_rollups import CURRENT_GRADE_BY_GROUP, CURRENT_GRADE_COUNT
from mmptf_markers.current_grades import CURRENT_GRADE, LEVELS, earlier_current_grades


class Base(SQLModel, registry=registry()):
    """The base class of this service's tables; its own registry lets two services run in one process."""


class RubricRow(Record, Base, table=True):
    """One version of a rubric; a trigger rejects another `hash` or content under the same code."""

    __tablename__ = "rubric"

    rubric: str = Field(index=True)
    version: str
    status: str
    hash: str = Field(unique=True)


class TranslationRow(Record, Base, table=True):
    """The texts of one version of a rubric in one language."""

    __tablename__ = "translation"

    rubric: str = Field(foreign_key="rubric.code", index=True)
    language: str


class SourceDocumentRow(Record, Base, table=True):
    """A document that facts were taken from."""

    __tablename__ = "source_document"


class PlaceRow(Record, Base, table=True):
    """A place as the catalogue describes it."""

    __tablename__ = "place"

    kind: str
    regions: list[str] = codes()


class ProgrammeRow(Record, Base, table=True):
    """A programme as the catalogue describes it."""

    __tablename__ = "programme"
    __table_args__ = tuple(
        sa.Index(f"programme_{column}", column, postgresql_using="gin") for column in ("organizations", "countries")
    )

    stage: str = Field(index=True)
    thematic_area: str | None = Field(default=None, index=True)
    organizations: list[str] = codes()
    countries: list[str] = codes()
    amount: Decimal | None = Field(default=None, sa_type=sa.Numeric(18, 2))
    currency: str | None
    budget_stage: str | None


class AllocationRow(Record, Base, table=True):
    """An allocation to a programme as the ledger has it, negative where one is reversed; USD."""

    __tablename__ = "allocation"

    programme: str = Field(sa_type=sa.Text(collation="C"), index=True)
    amount: Decimal = Field(sa_type=sa.Numeric(18, 2))


class AssessorRow(Record, Base, table=True):
    """The organizations that assess a programme, whose code it has, of which the catalogue names none."""

    __tablename__ = "assessor"

    organizations: list[str] = codes()


class DraftRow(Record, Base, table=True):
    """An assessment before it is submitted; visible to the organizations that take part in the programme only.

    organization: the one that began it
    """

    __tablename__ = "draft"
    __table_args__ = (sa.Index("draft_programme_code", "programme", "code"),)

    organization: str
    programme: str
    stage: str
    year: int | None


class AssessmentRow(Record, Base, table=True):
    """A version of an assessment that was submitted, or a grade that was declared without one.

    grade: the grade that the organization reports; once accepted, the grade that counts
    draft: the code of the draft that it was, whose authors may not review it; None for a declared grade, and where the
           draft had the code that the assessment has
    """

    __tablename__ = "assessment"
    __table_args__ = (
        sa.Index("assessment_lower_organization", sa.text("lower(organization)")),
        sa.Index(
            "assessment_version",
            *("programme", "marker", "stage", "year", "version"),
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        # All that filters read, so that counts read no row itself.
        sa.Index(
            "assessment_filters",
            *("marker", "stage", "status", "grade", "rubric", "organization", "programme"),
            postgresql_include=["revised"],
        ),
    )

    # Ordered by programme, so that the index serves queries for one programme.
    programme: str = Field(sa_type=sa.Text(collation="C"))
    marker: str
    stage: str
    year: int | None
    version: int
    organization: str = Field(index=True)
    rubric: str | None = Field(default=None, foreign_key="rubric.code")
    status: str = Field(index=True)
    grade: str | None
    draft: str | None = Field(default=None, sa_type=sa.Text)


class RestrictedRow(Record, Base, table=True):
    """What of an assessment or an action is restricted, under the code of the public record.

    programme: the one whose participating organizations may read it; organization: the one that wrote it
    """

    __tablename__ = "restricted_content"

    programme: str
    organization: str


class ActionRow(Record, Base, table=True):
    """An action or a measure that an assessment planned, which goes on by itself until it is ended."""

    __tablename__ = "action"
    __table_args__ = (
        # The actions of a programme, open ones first, and those that are overdue.
        sa.Index("action_programme_state", "programme", "state", "code"),
        sa.Index("action_state_due", "state", "due", "code"),
        *(
            sa.Index(f"action_due_{order}", sa.text(f"coalesce(due, '{last}'::date)"), "code")
            for order, last in (("ascending", "9999-12-31"), ("descending", "0001-01-01"))
        ),
        # All that filters read, so that counts read no row itself.
        sa.Index(
            "action_filters",
            *("kind", "state", "organization", "criterion", "due", "programme", "marker", "assessment"),
            postgresql_include=["revised"],
        ),
    )

    programme: str = Field(sa_type=sa.Text(collation="C"))
    marker: str
    assessment: str = Field(sa_type=sa.Text(collation="C"), index=True)
    criterion: str | None = Field(default=None, index=True)
    kind: str
    organization: str = Field(index=True)
    state: str
    due: date | None = Field(default=None, sa_type=sa.Date)


class ReviewRow(Record, Base, table=True):
    """The review of an assessment in one round by one reviewer, who may still be sought.

    reviewer: the pseudonym of the reviewer, whose subject is in the table of pseudonyms alone
    due: the day by which the reviewer is to decide
    """

    __tablename__ = "review"
    # All that filters read, so that counts read no row itself.
    __table_args__ = (
        sa.Index(
            "review_filters",
            *("state", "round", "programme", "assessment", "due"),
            postgresql_include=["code", "revised"],
        ),
        # Those of a round in their order, which are neither few nor most.
        sa.Index("review_round_updated", "round", "updated", "code"),
    )

    # In the order of the codes that they name.
    assessment: str = Field(sa_type=sa.Text(collation="C"), index=True)
    programme: str = Field(sa_type=sa.Text(collation="C"))
    round: str
    state: str
    reviewer: str | None = Field(default=None, index=True)
    organization: str | None = None
    due: date | None = None


class ResultsIndicatorRow(Record, Base, table=True):
    """An indicator of the results framework, of the Fund or of a programme."""

    __tablename__ = "results_indicator"
    __table_args__ = (
        # Those with one value of a filter, in the order of a page.
        *(
            sa.Index(f"results_indicator_{column}", column, "code")
            for column in ("scope", "programme", "level", "unit", "organization", "computed")
        ),
        # All that filters read, so that counts read no row itself.
        sa.Index(
            "results_indicator_filters",
            *("scope", "level", "unit", "computed", "organization", "programme", "code"),
            postgresql_include=["revised"],
        ),
        sa.Index("results_indicator_lower_organization", sa.text("lower(organization)")),
    )

    scope: str
    programme: str | None = Field(default=None, sa_type=sa.Text(collation="C"))
    level: str | None = None
    unit: str
    organization: str | None = None
    computed: bool


class ReportedValueRow(Record, Base, table=True):
    """A value of an indicator that an organization reported.

    period_start: None where it is of the day `period_end` alone
    """

    __tablename__ = "reported_value"
    __table_args__ = (
        *(
            sa.Index(f"reported_value_{column}", column, "code")
            for column in ("programme", "organization", "status", "period_end")
        ),
        # The values of an indicator in the order of their days.
        sa.Index("reported_value_indicator", "indicator", "period_end"),
        # All that filters read, so that counts read no row itself.
        sa.Index(
            "reported_value_filters",
            *("status", "indicator", "programme", "organization", "period_end"),
            postgresql_include=["revised"],
        ),
        sa.Index("reported_value_lower_organization", sa.text("lower(organization)")),
    )

    # In the order of the codes that they name.
    indicator: str = Field(sa_type=sa.Text(collation="C"))
    programme: str | None = Field(default=None, sa_type=sa.Text(collation="C"))
    organization: str | None = None
    period_start: date | None = Field(default=None, sa_type=sa.Date)
    period_end: date = Field(sa_type=sa.Date)
    status: str


class TargetRow(Record, Base, table=True):
    """A marker's target."""

    __tablename__ = "target"

    marker: str


current_grade = sa.Table(
    "current_grade",
    Base.metadata,
    sa.Column("code", sa.Text(collation="C"), primary_key=True),
    sa.Column("programme", sa.Text(collation="C"), nullable=False, index=True),
    sa.Column("marker", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("budget_stage", sa.Text),
    sa.Column("currency", sa.Text),
    sa.Column("amount", sa.Numeric(18, 2)),
    sa.Column("allocated", sa.Numeric),
    sa.Column("assessment", sa.Text),
    sa.Column("grade", sa.Text),
    sa.Column("rubric", sa.Text),
    sa.Column("basis", sa.Text),
    sa.Column("under_review", sa.Boolean, nullable=False),
    sa.Column("returned", sa.Boolean, nullable=False),
    sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
    # The parts of `amount` and `allocated`, one for each of the programme's `countries` and `organizations`, or one
    # where there are none. They have no value where no source states them; there are none where others may be missing.
    *(
        sa.Column(name, ARRAY(sa.Numeric))
        for name in ("place_parts", "organization_parts", "allocated_place_parts", "allocated_organization_parts")
    ),
    # By what programmes are divided, as the rollups of groups need it of rows that are replaced; filters read the
    # programme itself. Of each level of regions one for each of the countries, or one without a value.
    sa.Column("thematic_area", sa.Text),
    sa.Column("assessed_stage", sa.Text),
    *(sa.Column(name, ARRAY(sa.Text), nullable=False) for name in ("countries", "organizations", *LEVELS.values())),
    sa.Index("current_grade_updated", "updated", "code"),
    # All that filters read of it, so that counts read no row itself.
    sa.Index("current_grade_filters", *("marker", "stage", "grade", "rubric", "assessment", "programme")),
    sa.Index("current_grade_lower_code", sa.text("lower(code)")),
    info={"derived": CURRENT_GRADE, "as_of": earlier_current_grades, "read_once": {"current_grade_written"}},
)
# What the database itself writes with each row, so that no process has to: whether another version replaces a rubric,
# who leads a programme, and the day of what was assessed, which is the last one of the year of a report, or that of the
# document.
Base.metadata.tables["rubric"].append_column(
    sa.Column("superseded", sa.Boolean, sa.Computed("record->>'superseded_by' IS NOT NULL"))
)
Base.metadata.tables["programme"].append_column(
    sa.Column("lead_organization", sa.Text, sa.Computed("record->>'lead_organization'"))
)
sa.Index("programme_lead_organization", Base.metadata.tables["programme"].c.lead_organization)
_DAY = "coalesce(record->>'document_date', record->>'submitted')"
# SQL over `year` and `record`.
ASSESSED_ON = (
    "CASE WHEN year IS NOT NULL THEN make_date(year, 12, 31)"
    f" ELSE make_date(left({_DAY}, 4)::int, substr({_DAY}, 6, 2)::int, substr({_DAY}, 9, 2)::int) END"
)
Base.metadata.tables["assessment"].append_column(sa.Column("assessed_on", sa.Date, sa.Computed(ASSESSED_ON)))
replication = replication_table(Base.metadata)
renamed_code = renamed_code_table(Base.metadata)
pseudonym = pseudonym_table(Base.metadata)
add_journal(Base.metadata, {"source_document": "document"}, drafts={"draft"})
# Codes of programmes are looked up without regard to case, those of past programmes too.
for programmes in (Base.metadata.tables["programme"], Base.metadata.tables["programme_past"]):
    for lower in ("code", "stage", "thematic_area"):
        if (programmes.name, lower) != ("programme", "code"):
            sa.Index(f"{programmes.name}_lower_{lower}", sa.func.lower(programmes.c[lower]))
    organizations = sa.func.lower_codes(programmes.c.organizations)
    # Without a list of pending entries, which each lookup would read as a whole.
    sa.Index(
        f"{programmes.name}_lower_organizations",
        organizations,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )

ASSESSMENT_ROLLUP = Rollup(
    table="assessment_rollup",
    of="assessment",
    keys=("marker", "stage", "status", "organization", "grade", "rubric"),
)
# How many programmes call an organization by which name.
ORGANIZATION_NAMES = Rollup(
    table="programme_rollup_by_organization",
    of="programme",
    keys=(),
    derived={name: (f"named->>'{name}'", sa.Text()) for name in ("code", "name")},
    parts="CROSS JOIN LATERAL json_array_elements(filtered.record->'organizations') AS named",
    facet="organization",
)
add_rollups(Base.metadata, (ASSESSMENT_ROLLUP, CURRENT_GRADE_COUNT, CURRENT_GRADE_BY_GROUP, ORGANIZATION_NAMES))
# By which those are found that were written since a revision.
sa.Index("allocation_revised", Base.metadata.tables["allocation"].c.revised)
