"""The marker service's tables."""

from __future__ import annotations

from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from mmptf_common.journal_schema import add_journal
from mmptf_common.records import Record, renamed_code_table


class Base(SQLModel, registry=registry()):
    """The service's own registry, so that two services can live in one process."""


class RubricRow(Record, Base, table=True):
    """One version of a rubric; the database itself refuses another `hash` under the same code."""

    __tablename__ = "rubric"

    rubric: str = Field(index=True)
    version: str
    status: str
    hash: str = Field(unique=True)


class SourceDocumentRow(Record, Base, table=True):
    """A document that facts were taken from."""

    __tablename__ = "source_document"


renamed_code = renamed_code_table(Base.metadata)
add_journal(Base.metadata, {"source_document": "document"})
