"""The import template of programmes: one table with a row for each, and the days of all its statuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common.wire.base import Code, NewCode
from mmptf_common.wire.codes import DatePrecision
from mmptf_common.wire.tables import SEVERAL, Amount, DayCell, Row, Several, Template, Text, split_cell

# In the order of the procedure.
STATUSES: tuple[ProgrammeStatusSent, ...] = (
    "concept_note", "pipeline", "approved", "implementation", "suspended", "operationally_closed",
    "financially_closed", "not_selected", "withdrawn", "cancelled",
)  # fmt: skip
# Days of one status of a programme.
MOST_DAYS = 20
_DAY = re.compile(r"([0-9]{4})(-[0-9]{2})?(-[0-9]{2})?(?: +(\S.*))?")
_SHARE = re.compile(r"(100|[0-9]{1,2})(\.[0-9]{1,2})?")
HOW = "year, month and day, such as 2021-06-15, or as far as they are known, such as 2021-06 or 2021"


@dataclass(frozen=True, slots=True)
class StatusDay:
    """A day on which a programme got a status, how exactly it is known, and the decision behind it."""

    day: date
    precision: DatePrecision
    decision: str | None


def _status_days(value: object) -> tuple[StatusDay, ...]:
    """The days of a cell; raises ValueError for one that is none, or after which no space is before the decision."""
    parts = str(value).split(SEVERAL)
    if len(parts) > MOST_DAYS:
        raise ValueError(f"at most {MOST_DAYS} days are expected")
    return tuple(_status_day(part.strip()) for part in parts)


def _status_day(text: str) -> StatusDay:
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError(f"a day is expected: {HOW}; after it, with a space between, the decision")
    year, month, day, decision = match.groups()
    precision: DatePrecision = "day" if day else "month" if month else "year"
    written = f"{year}{month or '-01'}{day or '-01'}"
    try:
        found = date.fromisoformat(written)
    except ValueError as error:
        raise ValueError(f"{text.partition(' ')[0]} is not a day of the calendar") from error
    if not 1990 <= found.year <= 2099:
        raise ValueError("a day from 1990 to 2099 is expected")
    if decision and len(decision) > 300:
        raise ValueError("a decision of at most 300 characters is expected")
    return StatusDay(found, precision, decision)


def _share(value: object) -> object:
    if isinstance(value, str) and not _SHARE.fullmatch(value):
        raise ValueError("shares in per cent are expected, at most 100 and with at most two decimals, such as 60.00")
    return Decimal(value) if isinstance(value, str) else value


StatusDays = Annotated[tuple[StatusDay, ...], PlainValidator(_status_days)]
Shares = Annotated[list[Annotated[Decimal, BeforeValidator(_share)]], BeforeValidator(split_cell), Field(max_length=60)]


def _of_status(status: str) -> Any:
    return Field(
        default=(),
        description=f"first day of the status {status}: {HOW}; after it, with a space between, the decision behind it:"
        f" its code or number, or words. Several, of a programme that had the status more than once, with {SEVERAL}"
        " between them",
    )


class PastProgrammeRow(Row):
    """A programme with the days of its statuses."""

    table = "programmes"
    days = frozenset({"start", "end", *STATUSES})

    code: Annotated[NewCode, Field(description="code of the programme, for good; or of one that is there already")]
    title: Annotated[Text | None, Field(max_length=300, description="its title; needed for a new programme")] = None
    summary: Annotated[Text | None, Field(description="what it does, in a few sentences")] = None
    thematic_area: Annotated[Code | None, Field(description="code of its thematic area")] = None
    objectives: Annotated[
        Several, Field(description=f"codes of objectives of the Global Compact, separated by {SEVERAL}")
    ] = []
    places: Annotated[Several, Field(description=f"ISO 3166-1 alpha-3 codes of countries, separated by {SEVERAL}")] = []
    shares: Annotated[
        Shares, Field(description=f"per cent of the budget for each of the places, separated by {SEVERAL}; or none")
    ] = []
    lead_organization: Annotated[Code | None, Field(description="code of the organization that leads it")] = None
    organizations: Annotated[
        Several, Field(description=f"codes of the organizations that take part, separated by {SEVERAL}")
    ] = []
    start: Annotated[DayCell | None, Field(description="first day of the programme")] = None
    end: Annotated[DayCell | None, Field(description="last day of the programme")] = None
    budget_usd: Annotated[Amount | None, Field(description="budget in US dollars, such as 1500000.00")] = None
    concept_note: StatusDays = _of_status("concept_note")
    pipeline: StatusDays = _of_status("pipeline")
    approved: StatusDays = _of_status("approved")
    implementation: StatusDays = _of_status("implementation")
    suspended: StatusDays = _of_status("suspended")
    operationally_closed: StatusDays = _of_status("operationally_closed")
    financially_closed: StatusDays = _of_status("financially_closed")
    not_selected: StatusDays = _of_status("not_selected")
    withdrawn: StatusDays = _of_status("withdrawn")
    cancelled: StatusDays = _of_status("cancelled")
    source: Annotated[
        Text | None, Field(max_length=300, description="what the row was taken from, such as a register")
    ] = None


TableName = Literal["programmes"]
TEMPLATE: Template[TableName] = Template({"programmes": PastProgrammeRow}, ("programmes",))
# The example of an import in the contract: invented, except for the codes of places and organizations.
EXAMPLE = """\
code,title,places,organizations,budget_usd,concept_note,pipeline,not_selected,source
EX-KEN-01,Fair recruitment,KEN,IOM|ILO,1500000.00,2019-05-20,2019-11-12,,Register of proposals
EX-UGA-01,Safe return,UGA,IOM,,2019-05-22,,2020-02 Steering Committee of February 2020,Register of proposals
"""
