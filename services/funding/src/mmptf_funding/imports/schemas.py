"""The wire shapes of imports: the report of an import or a dry run, with the reconciliation of printed totals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.money import AMOUNT_SENT_PATTERN, Money
from mmptf_common.writes.commands import WriteQuery
from mmptf_funding.editions.domain import PrintedTotalAgreement, ReconciledTotal
from mmptf_funding.ledger.domain import LedgerEntryKindSent


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


class ImportedTotal(ResponseModel):
    """What the rows of one kind and year add up to; it is the control total of the file."""

    year: int
    """Year of the dates of the rows."""
    kind: LedgerEntryKindSent
    """Kind of the rows."""
    rows: int
    """Number of the rows."""
    sum: Money
    """Sum of their amounts."""


class ImportedEntry(ResponseModel):
    """What became of one row."""

    id: Code
    """The row's own number, in the column `id`."""
    code: Code
    """Code of the ledger entry; in a dry run the one that it would have."""
    created: bool
    """Whether the entry was written now; false where a row with this number was imported before."""


class LedgerImportReport(ResponseModel):
    """What an import of entries of earlier years did, or would do as a dry run."""

    dry_run: bool
    """Whether the request was only checked and nothing written."""
    created: int
    """Rows that became entries."""
    unchanged: int
    """Rows that were imported before, with the same values."""
    totals: list[ImportedTotal]
    """What the rows add up to, by year and kind."""
    entries: list[ImportedEntry]
    """The rows in the order in which they were entered: by date, and of one day in the order of the stages of money."""
    revision: int | None
    """Number of the write, as `revision` of other answers; null for a dry run."""


class LedgerImportQuery(WriteQuery):
    """The query of an import of ledger entries, with the control totals of a CSV."""

    rows: Annotated[
        int | None,
        Field(ge=1, le=5000, description="Number of the rows of a CSV; a workbook has a table of control totals."),
    ] = None
    total: Annotated[
        str | None,
        Field(
            pattern=AMOUNT_SENT_PATTERN,
            description="Sum of all amounts of a CSV in US dollars, as decimal text, such as `542500.00`.",
        ),
    ] = None


class TemplateQuery(BaseModel):
    """Which form of the template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[
        Literal["csv", "xlsx"],
        Field(description="`csv`: the header of one table; `xlsx`: a workbook with a guide and all tables."),
    ] = "csv"
    table: Annotated[
        Literal[
            "edition",
            "vocabulary",
            "requirements",
            "printed-totals",
            "initiatives",
            "partners",
            "figures",
            "frameworks",
            "framework-items",
            "offices",
            "groups",
            "acronyms",
            "ledger-entries",
            "control-totals",
        ],
        Field(
            description="The table whose header a CSV has; a workbook has all of an edition, or `ledger-entries` with"
            " `control-totals`."
        ),
    ] = "requirements"


# The example of an import in the contract: invented, except for the codes of regions, places and areas.
EXAMPLE = """\
code,edition,region_code,place_code,area_code,amount_usd,status,amount_as_printed,target_populations,source_document,source_line
EX-2027-KEN-health,EX-2027,east-horn-africa,KEN,health,1500000.00,required,"1,500,000",migrants,example-edition-2027,12
EX-2027-UGA-labour,EX-2027,east-horn-africa,UGA,labour,2200000.00,required,"2,200,000",governments|migrants,example-edition-2027,27
"""
# Entries of an earlier year; the deposit pays the commitment above it.
LEDGER_EXAMPLE = """\
id,kind,date,amount,contributor,follows,reference
2024-001,commitment,2024-02-01,100000.00,DEU,,Administrative arrangement
2024-002,deposit,2024-03-01,100000.00,DEU,2024-001,Voucher 17
"""
