"""The import template of an edition: its tables, the models of their rows, and the type of each column."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mmptf_common.wire.base import Code, NewCode
from mmptf_common.wire.codes import AmountPrecision, BudgetCategory
from mmptf_common.wire.places import is_place
from mmptf_common.wire.tables import (
    SEVERAL,
    Amount,
    CountryCode,
    DayCell,
    Line,
    Row,
    Several,
    SignedAmount,
    Template,
    Text,
    Whole,
    split_cell,
)
from mmptf_funding.currencies import Currency
from mmptf_funding.editions import domain
from mmptf_funding.ledger.domain import LedgerEntryKindSent
from mmptf_funding.regions.domain import FrameworkKind, FrameworkLevel, GroupKind

TableName = Literal[
    "edition", "vocabulary", "requirements", "printed-totals", "initiatives", "partners",
    "frameworks", "framework-items", "offices", "groups", "acronyms",
    "figures", "bank-statement", "ledger-entries", "control-totals",
]  # fmt: skip
# Those of an edition, which a workbook has.
TABLES: tuple[TableName, ...] = (
    *("edition", "vocabulary", "requirements", "printed-totals", "initiatives", "partners"),
    "figures",
    *("frameworks", "framework-items", "offices", "groups", "acronyms"),
)
# Those of entries of earlier years.
LEDGER_TABLES: tuple[TableName, ...] = ("control-totals", "ledger-entries")
# Populations are in the index of the filters with the other codes of a row, of which it has a third of a page.
MOST_POPULATIONS = 32
# Topics, line ranges and funders of one row.
MOST_LISTED = 32
NOTE = "what whoever uses the figure has to know"
READING_NOTE = "how the row was read from the text, for whoever checks it"
LAST_LINE = "its last line, where it takes several"


_LINE = re.compile("[1-9][0-9]{0,7}")
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,15})(\.[0-9]{1,6})?")


def located(cell: str) -> tuple[str, int | None]:
    """The code or name, and the line of the document that has it; None for a document without lines.

    Raises ValueError with what is expected.
    """
    text, colon, line = cell.rpartition(":")
    if not colon:
        return cell, None
    if not text or not _LINE.fullmatch(line):
        raise ValueError("after the last colon the number of a line is expected, such as hiv:1953")
    return text, int(line)


def located_country(cell: str) -> tuple[str, int | None]:
    """The same of a country: its ISO 3166-1 alpha-3 code, or `XKX`; raises ValueError with what is expected."""
    code, line = located(cell)
    if not is_place(code, "country"):
        raise ValueError("ISO 3166-1 alpha-3 codes of countries are expected, each with its line, such as KEN:1953")
    return code, line


def line_range(cell: str) -> tuple[int, int]:
    """The first and the last line of a range; raises ValueError with what is expected."""
    first, _, last = cell.partition("-")
    if not _LINE.fullmatch(first) or (last and not _LINE.fullmatch(last)):
        raise ValueError("lines such as 1953-1991 are expected")
    if last and int(last) <= int(first):
        raise ValueError(f"{last} is not after the first line, {first}")
    return int(first), int(last or first)


def annotation(cell: str) -> tuple[str, int | None, int | None]:
    """A remark, its first and its last line, None for a document without lines; raises ValueError as `line_range`."""
    text, colon, lines = cell.rpartition(":")
    if not colon:
        return cell, None, None
    if not text:
        raise ValueError("a text before its lines is expected")
    return text, *line_range(lines)


def _number(cell: str) -> str:
    if not _NUMBER.fullmatch(cell):
        raise ValueError("digits are expected, with a point before at most six decimals, such as 2500000 or 46.5")
    return cell


def _read_by(read: Callable[[str], object]) -> AfterValidator:
    """Validates a cell that is read with a function."""

    def validate(cell: str) -> str:
        read(cell)
        return cell

    return AfterValidator(validate)


LocatedText = Annotated[Text, _read_by(located)]
LocatedCountry = Annotated[Text, _read_by(located_country)]
LineRange = Annotated[Text, _read_by(line_range)]
AnnotationCell = Annotated[Text, _read_by(annotation)]
# Kept as text, since a figure has the decimal places that are printed.
NumberCell = Annotated[str, AfterValidator(_number)]
Year = Annotated[Whole, Field(ge=1900, le=2200)]


class EditionRow(Row):
    """The edition: one row."""

    table = "edition"

    code: Annotated[NewCode, Field(description="short and for good", examples=["MI-2015"])]
    name: Annotated[Text, Field(description="the title of the publication")]
    publisher: Annotated[Text | None, Field(description="who published it")] = None
    year: Annotated[int, Field(ge=1951, le=2200, description="the year that the requirements are for")]
    document: Annotated[NewCode, Field(description="code of the document that the sources of all rows name")]
    currency: Annotated[Literal["USD"], Field(description="the currency of the requirements")]
    note: Annotated[Text | None, Field(description="what a reader has to know of it")] = None
    note_line: Annotated[Line | None, Field(description="line of the document that the note goes back to")] = None
    note_last_line: Annotated[Line | None, Field(description="the last such line, where there are several")] = None
    annotations: Annotated[
        list[AnnotationCell],
        BeforeValidator(split_cell),
        Field(
            max_length=MOST_LISTED,
            description="what the edition says on how it is to be read, in words of one's own and in its order, each"
            f" with its lines, such as Amounts are in US dollars:127-128, separated by {SEVERAL}",
        ),
    ] = []


class VocabularyRow(Row):
    """The vocabulary: regions, areas, target populations, places and topics, in their order."""

    table = "vocabulary"

    edition: Annotated[Code, Field(description="code of the edition")]
    kind: Annotated[domain.TermKind, Field(description="what the term is")]
    code: Annotated[NewCode, Field(description="how rows name it; for a country its ISO 3166-1 alpha-3 code")]
    name: Annotated[Text, Field(description="its name")]
    as_printed: Annotated[Several, Field(description=f"the spellings of the edition, separated by {SEVERAL}")] = []
    region_code: Annotated[Code | None, Field(description="the region of a place")] = None
    country_code: Annotated[
        CountryCode | None, Field(description="ISO 3166-1 alpha-3 of a place, empty if it is no single country")
    ] = None
    covers: Annotated[
        Annotated[list[CountryCode], BeforeValidator(split_cell), Field(max_length=100)],
        Field(
            description="ISO 3166-1 alpha-3 codes of other countries that a place covers, or of those that the office"
            f" of a region covers, separated by {SEVERAL}"
        ),
    ] = []
    footnote: Annotated[Text | None, Field(description="what has to be shown with the name")] = None
    note: Annotated[Text | None, Field(description="a remark; of a topic its definition")] = None


class RequirementRow(Row):
    """The requirements: one row for each place and programmatic area."""

    table = "requirements"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition, the same in all rows")]
    region_code: Annotated[Code, Field(description="a region of the vocabulary")]
    region: Annotated[Text | None, Field(description="its name; must be that of the vocabulary if given")] = None
    place_code: Annotated[Code, Field(description="a place of the vocabulary, in that region")]
    place: Annotated[Text | None, Field(description="its name; must be that of the vocabulary if given")] = None
    place_as_printed: Annotated[Text | None, Field(description="the heading")] = None
    country_code: Annotated[CountryCode | None, Field(description="must be that of the place if given")] = None
    area_code: Annotated[Code, Field(description="an area of the vocabulary")]
    area: Annotated[Text | None, Field(description="its name; must be that of the vocabulary if given")] = None
    area_as_printed: Annotated[Text | None, Field(description="the heading")] = None
    amount_usd: Annotated[
        Amount | None, Field(description="exact, such as 2500000.00; if and only if the status is required")
    ] = None
    status: Annotated[domain.RequirementStatus, Field(description="whether an amount is asked for")]
    implied_amount_usd: Annotated[
        Amount | None, Field(description="what printed totals imply for an amount that is missing in the source")
    ] = None
    amount_as_printed: Annotated[Text | None, Field(description="the amount, or the word in its place")] = None
    target_populations: Annotated[
        list[Text],
        BeforeValidator(split_cell),
        Field(max_length=MOST_POPULATIONS, description=f"target populations of the vocabulary, separated by {SEVERAL}"),
    ] = []
    confidence: Annotated[
        domain.ReadingConfidence,
        Field(description="how sure it is that heading, amount and populations belong together"),
    ] = "high"
    note: Annotated[Text | None, Field(description=NOTE)] = None
    reading_note: Annotated[Text | None, Field(description=READING_NOTE)] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of the amount in the document's text, from 1")] = None
    source_locator: Annotated[Text | None, Field(description="where the document has no lines: how to find it")] = None
    heading_line: Annotated[Line | None, Field(description="line of the area's heading")] = None
    heading_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None
    place_line: Annotated[Line | None, Field(description="line of the place's heading")] = None
    place_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None
    target_populations_line: Annotated[Line | None, Field(description="line of the target populations")] = None
    purpose: Annotated[Text | None, Field(description="what the money is for, in words of one's own")] = None
    topics: Annotated[
        list[LocatedText],
        BeforeValidator(split_cell),
        Field(
            max_length=MOST_LISTED,
            description="topics of the vocabulary, each with the line that carries it, such as hiv:1953,"
            f" separated by {SEVERAL}",
        ),
    ] = []
    narrative: Annotated[
        list[LineRange],
        BeforeValidator(split_cell),
        Field(
            max_length=MOST_LISTED,
            description=f"lines that say what the money is for, such as 1953-1991, separated by {SEVERAL}",
        ),
    ] = []
    funders_named: Annotated[
        list[LocatedText],
        BeforeValidator(split_cell),
        Field(
            max_length=MOST_LISTED,
            description=f"who pays already, as printed, each with the line of the name, separated by {SEVERAL}",
        ),
    ] = []


class PrintedTotalRow(Row):
    """The control totals: the totals that the edition prints, which the imported rows have to add up to."""

    table = "printed-totals"

    code: Annotated[Code | None, Field(description="made of the others; must be that if given")] = None
    edition: Annotated[Code, Field(description="code of the edition")]
    division: Annotated[domain.PrintedTotalDivision, Field(description="what it is a total of")]
    region_code: Annotated[Code | None, Field(description="for the total of an area within one region: the region")] = (
        None
    )
    value: Annotated[Code, Field(description="code of that place, area, region or edition")]
    unit: Annotated[domain.PrintedTotalUnit, Field(description="an amount, or a share of the region or the edition")]
    printed: Annotated[
        Amount | None, Field(description="the figure; empty where the word funded stands in its place")
    ] = None
    as_printed: Annotated[Text, Field(description="as it is printed")]
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of the figure in the document's text")] = None
    confidence: Annotated[
        domain.ReadingConfidence, Field(description="how sure it is that the figure is of that place, area or region")
    ] = "high"
    note: Annotated[
        Text | None, Field(description="why the figure cannot agree; without a note a difference refuses the import")
    ] = None
    repeated_line: Annotated[Line | None, Field(description="another line that prints the same figure again")] = None


class InitiativeRow(Row):
    """Initiatives and funds beside the requirements; they have no common total."""

    table = "initiatives"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    kind: Annotated[domain.InitiativeKind, Field(description="what it is")]
    section: Annotated[Text, Field(description="the section it stands in")]
    name: Annotated[Text, Field(description="its title")]
    amount: Annotated[Amount | None, Field(description="what is asked for")] = None
    currency: Annotated[Currency | None, Field(description="ISO 4217 code of the amount's currency")] = None
    amount_as_printed: Annotated[Text | None, Field(description="the amount as it is printed")] = None
    precision: Annotated[AmountPrecision | None, Field(description="whether the print is rounded")] = None
    period: Annotated[Text | None, Field(description="what time the amount is for")] = None
    overall_amount: Annotated[Amount | None, Field(description="the whole budget, where one is stated")] = None
    overall_currency: Annotated[Currency | None, Field(description="ISO 4217 code of its currency")] = None
    overall_as_printed: Annotated[Text | None, Field(description="the whole budget as it is printed")] = None
    target_amount: Annotated[Amount | None, Field(description="what a fund is to reach, where that is stated")] = None
    target_currency: Annotated[Currency | None, Field(description="ISO 4217 code of its currency")] = None
    target_as_printed: Annotated[Text | None, Field(description="the target as it is printed")] = None
    target_line: Annotated[Line | None, Field(description="line of the target")] = None
    buys: Annotated[Text | None, Field(description="what the money is for, in words of one's own")] = None
    instrument: Annotated[Text | None, Field(description="the funding instrument")] = None
    confidence: Annotated[domain.ReadingConfidence, Field(description="how sure the reading is")] = "high"
    note: Annotated[Text | None, Field(description=NOTE)] = None
    reading_note: Annotated[Text | None, Field(description=READING_NOTE)] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of the amount, or of the title without one")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None
    area_code: Annotated[
        Code | None, Field(description="area of the vocabulary that its section fits, where one does")
    ] = None
    area_line: Annotated[Line | None, Field(description="line of the section's heading, for an area")] = None
    countries: Annotated[
        list[LocatedCountry],
        BeforeValidator(split_cell),
        Field(
            max_length=100,
            description="ISO 3166-1 alpha-3 codes of countries where the text places it, each with the line of its"
            f" name, such as KEN:1953, separated by {SEVERAL}",
        ),
    ] = []
    partners: Annotated[
        list[LocatedText],
        BeforeValidator(split_cell),
        Field(
            max_length=MOST_LISTED,
            description="who takes part or pays by the text, as printed, each with the line of the name,"
            f" separated by {SEVERAL}",
        ),
    ] = []
    footnote: Annotated[Text | None, Field(description="what has to be shown with its names")] = None


class PartnerRow(Row):
    """The donors and partners that the edition lists; it does not say what each of them gave."""

    table = "partners"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    as_printed: Annotated[Text, Field(description="the name as the list prints it")]
    name: Annotated[Text, Field(description="its usual name")]
    kind: Annotated[domain.PartnerKind, Field(description="what it is")]
    kind_as_printed: Annotated[
        Text | None, Field(description="the words of the printed name that say so; empty where none does")
    ] = None
    country_code: Annotated[
        CountryCode | None, Field(description="ISO 3166-1 alpha-3; if and only if it is a state or a territory")
    ] = None
    contributor_code: Annotated[Code | None, Field(description="code of the contributor to the Fund that it is")] = None
    organization_code: Annotated[
        Code | None, Field(description="code of the organization that it is, as in the catalogue")
    ] = None
    footnote: Annotated[Text | None, Field(description="what has to be shown with the name")] = None
    note: Annotated[Text | None, Field(description="what a reader has to know of it")] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of the name")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None


class FigureRow(Row):
    """Figures that the edition's texts state, such as statistics and budgets; none of them is a requirement."""

    table = "figures"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    region_code: Annotated[
        Code | None, Field(description="region of the vocabulary in whose part it is printed; empty elsewhere")
    ] = None
    countries: Annotated[
        list[CountryCode],
        BeforeValidator(split_cell),
        Field(
            max_length=100,
            description=f"ISO 3166-1 alpha-3 codes of the countries that it is about, separated by {SEVERAL}",
        ),
    ] = []
    place: Annotated[Text | None, Field(description="what it is about in words, where no code says it")] = None
    measure: Annotated[domain.FigureMeasure, Field(description="what it measures")]
    subject: Annotated[Text, Field(description="what exactly is counted, in words of one's own")]
    value: Annotated[
        NumberCell | None, Field(description="digits, such as 46.5; empty where a table prints a dash in its place")
    ] = None
    value_to: Annotated[NumberCell | None, Field(description="the upper end of a range")] = None
    unit: Annotated[domain.StatedUnit, Field(description="what the value is a number of")]
    currency: Annotated[Currency | None, Field(description="ISO 4217 code, if and only if the unit is money")] = None
    qualifier: Annotated[
        domain.StatedQualifier | None, Field(description="how exact the text says that it is; with every value")
    ] = None
    stage: Annotated[
        domain.StatedStage | None, Field(description="what the money is, if and only if the unit is money")
    ] = None
    year_from: Annotated[Year | None, Field(description="first year that it is about")] = None
    year_to: Annotated[
        Year | None, Field(description="last such year, the first again where it is one; empty if none is stated")
    ] = None
    area_code: Annotated[Code | None, Field(description="area of the vocabulary that a budget is for")] = None
    scope: Annotated[
        domain.StatedScope | None, Field(description="what it is of, in a table of a region beside the world")
    ] = None
    as_printed: Annotated[Text, Field(description="the figure with its words as printed")]
    stated_source: Annotated[Text | None, Field(description="what the text names as its source")] = None
    stated_source_line: Annotated[Line | None, Field(description="line that names it")] = None
    footnote: Annotated[Text | None, Field(description="what has to be shown with its names")] = None
    note: Annotated[Text | None, Field(description=NOTE)] = None
    reading_note: Annotated[Text | None, Field(description=READING_NOTE)] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of the figure")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None


LocatedCountries = Annotated[list[LocatedCountry], BeforeValidator(split_cell), Field(max_length=100)]
_EACH_WITH_LINE = f"ISO 3166-1 alpha-3 codes, each with the line of its name, such as KEN:1953, separated by {SEVERAL}"


class FrameworkRow(Row):
    """The strategies, results matrices and agendas that the edition prints."""

    table = "frameworks"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    region_code: Annotated[Code | None, Field(description="a region of the vocabulary; empty for that of none")] = None
    kind: Annotated[FrameworkKind, Field(description="what it is")]
    title: Annotated[Text, Field(description="its title, in words of one's own")]
    title_as_printed: Annotated[Text, Field(description="its heading")]
    period_from: Annotated[Year | None, Field(description="first year of its period")] = None
    period_to: Annotated[Year | None, Field(description="last year of its period")] = None
    period_as_printed: Annotated[Text | None, Field(description="its period as it is printed")] = None
    period_line: Annotated[Line | None, Field(description="line of the period")] = None
    note: Annotated[Text | None, Field(description="what a reader has to know of it")] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of the heading")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None


class FrameworkItemRow(Row):
    """The items of the frameworks: one row for each objective, result, principle or point."""

    table = "framework-items"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    framework: Annotated[Code, Field(description="code of the framework")]
    number: Annotated[Code, Field(description="its number within the framework, the printed one where there is one")]
    parent: Annotated[Code | None, Field(description="number of the item that it belongs to")] = None
    level: Annotated[FrameworkLevel, Field(description="its level, closest to the printed word")]
    level_as_printed: Annotated[Text | None, Field(description="the printed word for the level")] = None
    title: Annotated[Text | None, Field(description="its heading as it is printed")] = None
    text: Annotated[
        Text | None, Field(description="what it says, in words of one's own; may be empty only with a title")
    ] = None
    note: Annotated[Text | None, Field(description="what a reader has to know of it")] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line where it begins")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None


class OfficeRow(Row):
    """The publisher's offices with a role in a region."""

    table = "offices"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    region_code: Annotated[Code | None, Field(description="the region that it is printed under")] = None
    name: Annotated[Text, Field(description="its name")]
    seat: Annotated[Text | None, Field(description="the city of its seat")] = None
    country_code: Annotated[CountryCode | None, Field(description="ISO 3166-1 alpha-3 of its seat")] = None
    founded: Annotated[Year | None, Field(description="year since which it exists in this form")] = None
    covers: Annotated[
        LocatedCountries, Field(description=f"countries that it covers by the text: {_EACH_WITH_LINE}")
    ] = []
    covers_as_printed: Annotated[Text | None, Field(description="what it covers, as printed")] = None
    member_states: Annotated[
        LocatedCountries, Field(description=f"those that are said to be Member States: {_EACH_WITH_LINE}")
    ] = []
    offices: Annotated[Whole | None, Field(ge=0, description="number of offices in the region")] = None
    staff: Annotated[Whole | None, Field(ge=0, description="number of staff in the region")] = None
    role: Annotated[Text | None, Field(description="what it does, in words of one's own")] = None
    footnote: Annotated[Text | None, Field(description="what has to be shown with its countries")] = None
    note: Annotated[Text | None, Field(description="what a reader has to know of it")] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="first line that speaks of it")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None


class GroupRow(Row):
    """Regional economic communities, consultative processes and other groups that the edition names."""

    table = "groups"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    region_code: Annotated[Code | None, Field(description="the region that it is printed under")] = None
    kind: Annotated[GroupKind, Field(description="what it is")]
    name: Annotated[Text, Field(description="its name")]
    abbreviation: Annotated[Text | None, Field(description="its abbreviation")] = None
    members: Annotated[LocatedCountries, Field(description=f"countries that are members: {_EACH_WITH_LINE}")] = []
    observers: Annotated[LocatedCountries, Field(description=f"countries that are observers: {_EACH_WITH_LINE}")] = []
    members_stated: Annotated[Whole | None, Field(ge=1, description="number of members that is stated")] = None
    footnote: Annotated[Text | None, Field(description="what has to be shown with its countries")] = None
    note: Annotated[Text | None, Field(description="what a reader has to know of it")] = None
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of its name")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None


class AcronymRow(Row):
    """The acronyms that the edition lists, by region."""

    table = "acronyms"

    code: Annotated[NewCode, Field(description="for good, and unique among all editions")]
    edition: Annotated[Code, Field(description="code of the edition")]
    region_code: Annotated[Code | None, Field(description="the region whose list it is in")] = None
    acronym: Annotated[Text, Field(description="the acronym")]
    expansion: Annotated[Text, Field(description="what it stands for, as printed")]
    source_document: Annotated[Code, Field(description="code of the document")]
    source_line: Annotated[Line | None, Field(description="line of the acronym")] = None
    source_last_line: Annotated[Line | None, Field(description=LAST_LINE)] = None


class BankStatementRow(Row):
    """A bank statement: one row for each booked entry, and one without an entry where nothing was booked."""

    table = "bank-statement"

    account: Annotated[Text, Field(description="code, IBAN or number of a bank account that is listed")]
    currency: Annotated[Currency, Field(description="ISO 4217 code of the currency of the account")]
    identification: Annotated[Text | None, Field(description="the bank's own number of the statement")] = None
    date_from: Annotated[DayCell, Field(description="first day of the statement, such as 2026-01-01")]
    date_to: Annotated[DayCell, Field(description="its last day")]
    opening_balance: Annotated[SignedAmount, Field(description="balance before the first entry, such as -12.50")]
    closing_balance: Annotated[SignedAmount, Field(description="balance after the last entry")]
    booking_date: Annotated[DayCell | None, Field(description="day on which the bank booked the entry")] = None
    value_date: Annotated[DayCell | None, Field(description="its value date; empty where that is the same day")] = None
    amount: Annotated[SignedAmount | None, Field(description="amount; negative where the bank took it")] = None
    bank_reference: Annotated[Text | None, Field(description="the bank's reference of the entry")] = None
    other_references: Annotated[Several, Field(description=f"further references, separated by {SEVERAL}")] = []
    counterparty: Annotated[Text | None, Field(description="who paid or was paid")] = None
    counterparty_account: Annotated[Text | None, Field(description="IBAN or number of that party's account")] = None
    text: Annotated[Text | None, Field(description="what the payer or the bank wrote")] = None


class LedgerEntryRow(Row):
    """Entries of earlier years: one row for each entry of the ledger; its members are checked as those of an entry."""

    table = "ledger-entries"

    id: Annotated[NewCode, Field(description="own number of the row for good, such as that of the voucher")]
    kind: Annotated[LedgerEntryKindSent, Field(description="what happened to the money")]
    date: Annotated[Text, Field(description="day from which it counts, such as 2021-03-31")]
    amount: Annotated[Text, Field(description="US dollars, above zero, such as 542500.00")]
    original_amount: Annotated[Text | None, Field(description="the amount as it was given in another currency")] = None
    original_currency: Annotated[Text | None, Field(description="ISO 4217 code of that currency")] = None
    rate: Annotated[Text | None, Field(description="US dollars for one unit of it, such as 1.0850")] = None
    rate_date: Annotated[Text | None, Field(description="day whose rate it is")] = None
    rate_source: Annotated[Text | None, Field(description="who published the rate")] = None
    contributor: Annotated[Text | None, Field(description="code of the contributor")] = None
    programme: Annotated[Text | None, Field(description="code of the programme, as in the catalogue")] = None
    organization: Annotated[Text | None, Field(description="code of the organization, as in the catalogue")] = None
    thematic_area: Annotated[Text | None, Field(description="code of the thematic area of an earmark")] = None
    category: Annotated[BudgetCategory | None, Field(description="UNSDG budget category of an expenditure")] = None
    tranche: Annotated[Text | None, Field(description="number of the instalment of a transfer")] = None
    follows: Annotated[
        Text | None, Field(description="id of an earlier row, or code of a stored entry, that it follows")
    ] = None
    amendment: Annotated[Text | None, Field(description="what an amendment of a commitment does")] = None
    value_date: Annotated[Text | None, Field(description="day on which the bank counts it")] = None
    account: Annotated[Text | None, Field(description="code or number of the Fund's bank account")] = None
    bank_reference: Annotated[Text | None, Field(description="text by which the bank's statement names it")] = None
    fee_amount: Annotated[Text | None, Field(description="fee of a deposit, where it is not 1 %")] = None
    fee_reason: Annotated[Text | None, Field(description="why the fee differs")] = None
    counterpart_fund: Annotated[Text | None, Field(description="name of the other fund")] = None
    decision: Annotated[Text | None, Field(description="code of the decision that it carries out")] = None
    reference: Annotated[Text | None, Field(description="the document or decision behind it")] = None
    note: Annotated[Text | None, Field(description=NOTE)] = None


class ControlTotalRow(Row):
    """Control totals of entries of earlier years: what the rows of one kind and year add up to, by the books."""

    table = "control-totals"

    year: Annotated[Whole, Field(ge=1990, le=2099, description="year of the dates of the rows")]
    kind: Annotated[LedgerEntryKindSent, Field(description="kind of the rows")]
    rows: Annotated[Whole, Field(ge=0, description="number of the rows")]
    amount: Annotated[Amount, Field(description="sum of their amounts in US dollars")]


ROWS: Mapping[TableName, type[Row]] = {
    row.table: row  # type: ignore[misc]  # each names itself by one of `TableName`
    for row in (
        *(EditionRow, VocabularyRow, RequirementRow, PrintedTotalRow, InitiativeRow, PartnerRow),
        FigureRow,
        *(FrameworkRow, FrameworkItemRow, OfficeRow, GroupRow, AcronymRow),
        *(BankStatementRow, LedgerEntryRow, ControlTotalRow),
    )
}
TEMPLATE: Template[TableName] = Template(ROWS, TABLES)
LEDGER_TEMPLATE: Template[TableName] = Template(ROWS, LEDGER_TABLES)
