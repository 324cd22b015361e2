"""The catalogue's tables: the JSON record that readers get, and the columns for filters, sort orders and totals."""

from __future__ import annotations

from datetime import date
from datetime import date as date_
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from mmptf_common.storage.journal_schema import add_journal
from mmptf_common.storage.records import JsonObject, Record, codes, renamed_code_table


class Base(SQLModel, registry=registry()):
    """The base class of this service's tables; its own registry lets two services run in one process."""


class ThematicAreaRow(Record, Base, table=True):
    __tablename__ = "thematic_area"

    position: int
    name: str


class ObjectiveRow(Record, Base, table=True):
    __tablename__ = "objective"

    position: int
    name: str


class ClusteringRow(Record, Base, table=True):
    __tablename__ = "clustering"

    name: str


class GuidingPrincipleRow(Record, Base, table=True):
    __tablename__ = "guiding_principle"

    position: int
    name: str


class PlaceRow(Record, Base, table=True):
    """A place; `regions` holds its region at every level, for the region filter."""

    __tablename__ = "place"
    __table_args__ = (sa.Index("place_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),)

    kind: str
    name: str
    region: str | None
    regions: list[str] = codes()
    words: list[str] = codes()


class PlaceGroupRow(Record, Base, table=True):
    """A group of places; `members` are the codes of its places."""

    __tablename__ = "place_group"

    name: str
    members: list[str] = codes()


class OrganizationRow(Record, Base, table=True):
    __tablename__ = "organization"
    # COLLATE "C" in the database: Alembic reads an index without its collations.
    __table_args__ = (sa.Index("organization_name", sa.text("lower(name)"), "code"),)

    name: str


class ProgrammeRow(Record, Base, table=True):
    """A programme.

    amount, currency, money_stage, basis: its budget as totals sum it, all null when no source states one
    attribution: division -> {code or "shared" or "not_stated" -> amount}, each adding up to `amount` exactly; of the
                 organizations it counts only where no budget lines state the part of each
    words:       what `q` searches, folded
    stated:      the programme as stated, by codes; `record` is built from it
    """

    __tablename__ = "programme"
    __table_args__ = (
        *(
            sa.Index(f"programme_{column}", column, postgresql_using="gin")
            for column in ("objectives", "countries", "regions", "organizations", "partner_kinds", "beneficiaries")
        ),
        sa.Index("programme_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),
        sa.Index("programme_status", sa.text("(stated->>'status')"), "code"),
        # One for each direction: programmes without a title or a budget are last in both.
        *(
            sa.Index(
                name,
                sa.text(f"coalesce((left(stated->>'title', 0) COLLATE \"C\") || title_order, {last})"),
                "code",
            )
            for name, last in (("programme_title_ascending", "chr(1114111)"), ("programme_title", "''"))
        ),
        *(
            sa.Index(name, sa.text(f"coalesce(amount, {last})"), "code", postgresql_include=["amount"])
            for name, last in (("programme_budget_ascending", "'Infinity'"), ("programme_budget", "-1"))
        ),
    )

    title_order: str
    thematic_area: str | None = Field(default=None, foreign_key="thematic_area.code", index=True)
    objectives: list[str] = codes()
    countries: list[str] = codes()
    regions: list[str] = codes()
    organizations: list[str] = codes()
    partner_kinds: list[str] = codes()
    beneficiaries: list[str] = codes()
    stage: str = Field(index=True)
    amount: Decimal | None = Field(default=None, sa_type=sa.Numeric(18, 2))
    currency: str | None
    money_stage: str | None = Field(default=None, index=True)
    basis: str | None
    attribution: dict[str, dict[str, str]] = Field(sa_type=JSONB)
    words: list[str] = codes()
    stated: JsonObject = Field(sa_type=JSONB)


class DraftRow(Record, Base, table=True):
    """A programme that is not submitted yet; visible to its own organization only."""

    __tablename__ = "draft"
    __table_args__ = (
        sa.Index("draft_organization_code", "organization", "code"),
        sa.Index("draft_organization_updated", "organization", "updated", "code"),
    )

    organization: str = Field(foreign_key="organization.code")
    words: list[str] = codes()


class RenamingRow(Record, Base, table=True):
    """An earlier code of a record, for whoever copies records; the database writes it with a row of `renamed_code`."""

    __tablename__ = "renaming"


class CallRow(Record, Base, table=True):
    """A call for proposals."""

    __tablename__ = "call"
    __table_args__ = (
        # One for each direction: those without a first day are last in both.
        *(
            sa.Index(name, sa.text(f"coalesce(opens, {last}::date)"), "code")
            for name, last in (("call_opens_ascending", "'9999-12-31'"), ("call_opens", "'0001-01-01'"))
        ),
    )

    opens: date | None
    closes: date | None


class MeetingRow(Record, Base, table=True):
    """A meeting of the Steering Committee."""

    __tablename__ = "meeting"
    __table_args__ = (sa.Index("meeting_date_code", "date", "code"),)

    date: date_
    kind: str


class DecisionRow(Record, Base, table=True):
    """A decision; `programmes` are those that it concerns, and those whose changes name it."""

    __tablename__ = "decision"
    __table_args__ = (
        sa.Index("decision_date_code", "date", "code"),
        sa.Index("decision_lower_number", sa.text("lower(number)"), unique=True),
        sa.Index("decision_programmes", "programmes", postgresql_using="gin"),
        sa.Index("decision_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),
    )

    number: str = Field(unique=True)
    meeting: str | None = Field(default=None, foreign_key="meeting.code", index=True)
    call: str | None = Field(default=None, foreign_key="call.code", index=True)
    date: date_
    kind: str = Field(index=True)
    programmes: list[str] = codes()
    words: list[str] = codes()


class SourceDocumentRow(Record, Base, table=True):
    """A document that facts were taken from."""

    __tablename__ = "source_document"


renamed_code = renamed_code_table(Base.metadata)
add_journal(Base.metadata, {"source_document": "document"}, drafts={"draft"})
