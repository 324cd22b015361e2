"""The funding service's tables: a record's document as it is read, and beside it the columns that it is found by."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from mmptf_common.journal import change_table
from mmptf_common.records import Record, renamed_code_table

AMOUNT = sa.Numeric(18, 2)


class Base(SQLModel, registry=registry()):
    """The service's own registry, so that two services can live in one process."""


class MoneyStageRow(Record, Base, table=True):
    __tablename__ = "money_stage"

    position: int


class ContributorRow(Record, Base, table=True):
    __tablename__ = "contributor"

    name: str
    type: str
    country: str | None = Field(default=None, index=True)


class ContributionRow(Record, Base, table=True):
    """A contribution; `money_stage` and `basis` say which money it is, so that no total mixes two."""

    __tablename__ = "contribution"

    contributor: str = Field(foreign_key="contributor.code", index=True)
    contributor_type: str
    country: str | None
    amount: Decimal = Field(sa_type=AMOUNT, index=True)
    currency: str
    money_stage: str = Field(foreign_key="money_stage.code", index=True)
    basis: str
    as_of: date


class TargetRow(Record, Base, table=True):
    __tablename__ = "target"

    amount: Decimal = Field(sa_type=AMOUNT)
    currency: str
    due: date


class FactRow(Record, Base, table=True):
    """A fact; `computed_by` names the way its figure is computed from our rows, null where there is none."""

    __tablename__ = "fact"

    printed: Decimal = Field(sa_type=AMOUNT)
    computed_by: str | None


class SourceDocumentRow(Record, Base, table=True):
    """A document that facts were taken from."""

    __tablename__ = "source_document"


change = change_table(Base.metadata)
renamed_code = renamed_code_table(Base.metadata)
