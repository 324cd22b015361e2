"""The wire shapes of imports: the report of an import or a dry run, with the reconciliation of printed totals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_funding.editions.domain import PrintedTotalAgreement, ReconciledTotal


class ImportTableReport(ResponseModel):
    """What an import does with the rows of one table; it never removes any."""

    rows: int
    """Number of rows in the file."""
    created: int
    """Rows whose code was not there before."""
    amended: int
    """Rows whose code was there before, with other values."""
    unchanged: int
    """Rows whose code was there before, with the same values."""


class ImportReport(ResponseModel):
    """What an import did, or would do as a dry run."""

    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    dry_run: bool
    """Whether the request was only checked and nothing written."""
    tables: dict[str, ImportTableReport]
    """What was done with the rows of each table, by its name, such as `requirements`."""
    agreement: dict[PrintedTotalAgreement, int]
    """Number of printed totals by how they agree with the rows; one that is `different` refuses the import."""
    explained: list[ReconciledTotal]
    """Printed totals that differ from the rows for a stated reason."""
    revision: int | None
    """Number of the write, as `revision` of other answers; null for a dry run."""


class TemplateQuery(BaseModel):
    """Which form of the template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[
        Literal["csv", "xlsx"],
        Field(description="`csv`: the header of one table; `xlsx`: a workbook with a guide and all tables."),
    ] = "csv"
    table: Annotated[
        Literal["edition", "vocabulary", "requirements", "printed-totals", "initiatives"],
        Field(description="The table whose header a CSV has; a workbook has all of them."),
    ] = "requirements"


# The example of an import in the contract: invented, except for the codes of regions, places and areas.
EXAMPLE = """\
code,edition,region_code,place_code,area_code,amount_usd,status,amount_as_printed,target_populations,source_document,source_line
EX-2027-KEN-health,EX-2027,east-horn-africa,KEN,health,1500000.00,required,"1,500,000",migrants,example-edition-2027,12
EX-2027-UGA-labour,EX-2027,east-horn-africa,UGA,labour,2200000.00,required,"2,200,000",governments|migrants,example-edition-2027,27
"""
