"""The wire shapes of imports: the report of an import or a dry run, with the reconciliation of printed totals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_funding.editions.domain import PrintedTotalAgreement, ReconciledTotal


class ImportTableReport(ResponseModel):
    """What an import does with the rows of one table; nothing is ever removed."""

    rows: int
    """Number of rows in the file."""
    created: int
    """Rows that were not there before."""
    amended: int
    """Rows that differ from those that were there."""
    unchanged: int
    """Rows that were there already, with the same values."""


class ImportReport(ResponseModel):
    """What an import did, or would do as a dry run.

    `agreement` counts the printed totals that the rows add up to, `explained` lists those that differ for a stated
    reason; a difference without one refuses the import. `revision` is null for a dry run.
    """

    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    dry_run: bool
    """Whether the request was only checked and nothing written."""
    tables: dict[str, ImportTableReport]
    """What was done with the rows of each table, by its name."""
    agreement: dict[PrintedTotalAgreement, int]
    """Number of printed totals by how they agree with the rows."""
    explained: list[ReconciledTotal]
    """Printed totals that differ for a stated reason."""
    revision: int | None
    """Number of the write; null for a dry run."""


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


# The example of an import in the contract: invented, except for the codes of regions, places and areas.
EXAMPLE = """\
code,edition,region_code,place_code,area_code,amount_usd,status,amount_as_printed,target_populations,source_document,source_line
EX-2027-KEN-health,EX-2027,east-horn-africa,KEN,health,1500000.00,required,"1,500,000",migrants,example-edition-2027,12
EX-2027-UGA-labour,EX-2027,east-horn-africa,UGA,labour,2200000.00,required,"2,200,000",governments|migrants,example-edition-2027,27
"""
