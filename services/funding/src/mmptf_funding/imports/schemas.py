"""The wire shapes of imports: the report of an import or a dry run, with the reconciliation of printed totals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_funding.editions.domain import Agreement, ReconciledTotal


class TableReport(ResponseModel):
    """What an import does with the rows of one table; nothing is ever removed."""

    rows: int
    created: int
    amended: int
    unchanged: int


class ImportReport(ResponseModel):
    """What an import did, or would do as a dry run.

    `agreement` counts the printed totals that the rows add up to, `explained` lists those that differ for a stated
    reason; a difference without one refuses the import. `revision` is null for a dry run.
    """

    edition: Code
    dry_run: bool
    tables: dict[str, TableReport]
    agreement: dict[Agreement, int]
    explained: list[ReconciledTotal]
    revision: int | None


class TemplateQuery(BaseModel):
    """Which form of the template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[
        Literal["csv", "xlsx"], Field(description="The header of one table, or a workbook with a guide and all tables.")
    ] = "csv"
    table: Annotated[
        Literal["edition", "vocabulary", "requirements", "printed-totals", "initiatives"],
        Field(description="The table of a CSV."),
    ] = "requirements"
