"""The wire shapes of an import of programmes: its query, and its report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mmptf_common.http.parameters import Amount
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.codes import ProgrammeStatus
from mmptf_common.wire.money import Money
from mmptf_common.writes.commands import WriteQuery


class ProgrammeImportReport(ResponseModel):
    """What an import of programmes did, or would do as a dry run."""

    dry_run: bool
    """Whether the request was only checked and nothing written."""
    rows: int
    """Number of rows in the file: the first control total."""
    budget: Money
    """Sum of the budgets in the file, as it states them: the second control total."""
    created: int
    """Rows whose programme was not there before."""
    amended: int
    """Rows whose programme was there before, with other statuses or days."""
    unchanged: int
    """Rows whose programme was there before, with the same statuses."""
    statuses: dict[ProgrammeStatus, int]
    """Number of rows by the present status of their programmes, also where it is zero."""
    revision: int | None
    """Number of the write, as `revision` of other answers; null for a dry run."""


class ProgrammeTemplateQuery(BaseModel):
    """Which form of the template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[
        Literal["csv", "xlsx"],
        Field(description="`csv`: the header of the table; `xlsx`: a workbook with a guide and the table."),
    ] = "csv"


def _whole(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("a whole number is expected, such as 161")
    return value


class ProgrammeImportQuery(WriteQuery):
    """The control totals of an import; the file is refused where it has others."""

    rows: Annotated[
        Annotated[int, Field(ge=1, le=100_000), BeforeValidator(_whole)] | None,
        Field(description="Control total: number of rows that the file has to have.", examples=[161]),
    ] = None
    budget: Annotated[
        Amount | None,
        Field(description="Control total: sum of the budgets that the file has to have.", examples=["1500000.00"]),
    ] = None
