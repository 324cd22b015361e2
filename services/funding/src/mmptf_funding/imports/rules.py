"""Rules for the rows of an edition, alone and against its vocabulary; errors name the row and the column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from mmptf_common.wire.base import words_of
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail
from mmptf_common.wire.suggestions import Suggestion, suggestion_among
from mmptf_common.wire.tables import not_in, repeated, row_error, shown
from mmptf_funding.editions.domain import RequirementStatus, TermKind
from mmptf_funding.imports import template
from mmptf_funding.imports.template import TableName

# Different unknown codes of a file for which the one that was meant is looked for among all terms.
MAX_SUGGESTIONS = 50
# The code of a printed total joins up to four others; its length is limited as that of any code.
MAX_CODE = 64


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the vocabulary, with the members that rows are checked against."""

    code: str
    name: str
    region: str | None = None
    country: str | None = None
    footnote: str | None = None
    # Which countries a region covers is shown by no row of another table.
    covers: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class StoredTerm:
    """A stored term with its edition; `term` is its code."""

    edition: str
    kind: str
    term: str
    name: str
    country: str | None


class Suggestions:
    """Looks for the codes that were meant by unknown ones, for each only once and for the first `MAX_SUGGESTIONS`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Suggestion | None] = {}

    def __call__(self, given: str, known: Iterable[str]) -> Suggestion | None:
        """The known code that was meant; None where it is not nearly certain, or too many were looked for."""
        key = (given, *known)
        if key not in self._found and len(self._found) < MAX_SUGGESTIONS:
            self._found[key] = suggestion_among(given, key[1:])
        return self._found.get(key)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms, by kind and code, and the records that the rows of one edition may name.

    frameworks: the codes of those of the edition, of the file and stored
    contributors: code -> the country of the contributor, None where it is none; empty where none is stored
    organizations: their codes; empty where the catalogue is not known yet
    """

    edition: str
    terms: Mapping[TermKind, Mapping[str, Term]]
    documents: frozenset[str]
    suggestions: Suggestions = field(default_factory=Suggestions)
    contributors: Mapping[str, str | None] = field(default_factory=dict)
    organizations: frozenset[str] = frozenset()
    frameworks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Requirement:
    """A checked requirement: its row, and the vocabulary's terms for its codes."""

    row: template.RequirementRow
    region: Term
    place: Term
    area: Term
    populations: tuple[Term, ...]
    topics: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class SmallTables:
    """The rows, with their numbers, of the tables that are read as a whole: all except the requirements."""

    edition: list[tuple[int, template.EditionRow]]
    vocabulary: list[tuple[int, template.VocabularyRow]]
    printed_totals: list[tuple[int, template.PrintedTotalRow]]
    initiatives: list[tuple[int, template.InitiativeRow]]
    partners: list[tuple[int, template.PartnerRow]]
    figures: list[tuple[int, template.FigureRow]]
    frameworks: list[tuple[int, template.FrameworkRow]]
    framework_items: list[tuple[int, template.FrameworkItemRow]]
    offices: list[tuple[int, template.OfficeRow]]
    groups: list[tuple[int, template.GroupRow]]
    acronyms: list[tuple[int, template.AcronymRow]]


def vocabulary_errors(
    number: int, row: template.VocabularyRow, edition: str, first: int | None, published: Term | None
) -> list[ErrorDetail]:
    """The errors of a term of the vocabulary.

    first: the number of an earlier row with the same code
    published: the stored term, where requirements are published with it and the file has none; it must not change
    """
    errors = []
    if first:
        errors.append(repeated("vocabulary", number, "code", row.code, first))
    errors += other_edition("vocabulary", number, row.edition, edition)
    if published and published != term_of(row):
        detail = f"requirements are published with {row.code} as it was; bring them along"
        errors.append(row_error("vocabulary", number, "code", ProblemCode.REQUIREMENTS_EXPECTED, detail))
    return errors


def term_of(row: template.VocabularyRow) -> Term:
    """The term of a row of the vocabulary."""
    return Term(row.code, row.name, row.region_code, row.country_code, row.footnote, frozenset(row.covers))


def collisions(
    number: int, row: template.VocabularyRow, edition: str, stored: Sequence[StoredTerm]
) -> list[ErrorDetail]:
    """The error of a term with the code of another term of its kind that means something else: filters would mix them.

    stored: the terms of all editions of this kind and code, in any case, the latest edition first
    """
    if any(term == StoredTerm(edition, row.kind, row.code, row.name, row.country_code) for term in stored):
        return []
    if cased := next((term for term in stored if term.term != row.code), None):
        return [other_case("vocabulary", number, row.code, f"{cased.term} of {cased.edition}")]
    other = next((term for term in stored if term.edition != edition and not _same_meaning(row, term)), None)
    if other is None:
        return []
    means = f"{other.name!r}" + (f" ({other.country})" if other.country else "")
    detail = (
        f"{row.code} is {means} in {other.edition}, and filters and totals by {row.kind} take all editions; another"
        " meaning needs another code, the same one the same name or country"
    )
    return [row_error("vocabulary", number, "code", ProblemCode.CODE_TAKEN, detail)]


def _same_meaning(row: template.VocabularyRow, term: StoredTerm) -> bool:
    """Whether two terms are the same country, whose name may have changed, or have the same name."""
    if row.country_code != term.country:
        return False
    return row.country_code is not None or words_of(row.name) == words_of(term.name)


def other_case(table: TableName, row: int, code: str, taken: str) -> ErrorDetail:
    """An error for a code that differs from another one in case alone."""
    detail = f"{code} and {taken} differ in case alone; codes are found in any case"
    return row_error(table, row, "code", ProblemCode.CODE_TAKEN, detail)


def place_errors(
    number: int, row: template.VocabularyRow, regions: Mapping[str, Term], suggestions: Suggestions
) -> list[ErrorDetail]:
    """An error where the region of a place is not in the vocabulary."""
    if row.kind != "place" or row.region_code in regions:
        return []
    return [not_in("vocabulary", number, "region_code", row.region_code or "", regions, suggest=suggestions)]


def requirement_errors(number: int, row: template.RequirementRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a requirement with valid cells: codes, names against codes, amount against status."""
    errors: list[ErrorDetail] = []
    suggest = vocabulary.suggestions

    def add(column: str, code: ProblemCode, detail: str) -> None:
        errors.append(row_error("requirements", number, column, code, detail))

    if row.edition != vocabulary.edition:
        add("edition", ProblemCode.DOES_NOT_MATCH, f"{shown(row.edition)}, and this import is of {vocabulary.edition}")
    codes: dict[TermKind, str] = {"region": row.region_code, "place": row.place_code, "area": row.area_code}
    found: dict[TermKind, Term | None] = {}
    for kind, code in codes.items():
        found[kind] = vocabulary.terms[kind].get(code)
        if found[kind] is None:
            errors.append(not_in("requirements", number, f"{kind}_code", code, vocabulary.terms[kind], suggest=suggest))
    names: dict[TermKind, str | None] = {"region": row.region, "place": row.place, "area": row.area}
    for kind, name in names.items():
        if (term := found[kind]) and name is not None and name != term.name:
            add(kind, ProblemCode.DOES_NOT_MATCH, f"{shown(name)}, and {term.code} is {term.name!r} in the vocabulary")
    if place := found["place"]:
        if place.region != row.region_code:
            add(
                "place_code",
                ProblemCode.DOES_NOT_MATCH,
                f"{place.code} is in region {place.region}, not {row.region_code}",
            )
        if row.country_code is not None and row.country_code != place.country:
            add(
                "country_code",
                ProblemCode.DOES_NOT_MATCH,
                f"{row.country_code}, and the country of {place.code} is {place.country}",
            )
    errors += amount_errors(number, row, row.status)
    errors += _named_errors(number, "target_populations", row.target_populations, "target_population", vocabulary)
    errors += topic_errors(number, row, vocabulary)
    if row.source_document not in vocabulary.documents:
        documents = sorted(vocabulary.documents)
        errors.append(
            not_in("requirements", number, "source_document", row.source_document, documents, suggest=suggest)
        )
    return errors + line_errors(number, row)


def topic_errors(number: int, row: template.RequirementRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a requirement's topics."""
    return _named_errors(number, "topics", [template.located(topic)[0] for topic in row.topics], "topic", vocabulary)


def _named_errors(
    number: int, column: str, codes: Sequence[str], kind: TermKind, vocabulary: Vocabulary
) -> list[ErrorDetail]:
    """The errors of a cell with several codes of the vocabulary."""
    errors = []
    known = vocabulary.terms[kind]
    seen: set[str] = set()
    for code in codes:
        if code not in known:
            errors.append(not_in("requirements", number, column, code, known, suggest=vocabulary.suggestions))
        elif code in seen:
            detail = f"{code} is there twice"
            errors.append(row_error("requirements", number, column, ProblemCode.REPEATED_CODE, detail))
        seen.add(code)
    return errors


def amount_errors(number: int, row: template.RequirementRow, status: RequirementStatus) -> list[ErrorDetail]:
    """The errors of a requirement's amounts, which go by its status."""
    errors = []
    if status == "required" and row.amount_usd is None:
        detail = "status required needs an amount"
        errors.append(row_error("requirements", number, "amount_usd", ProblemCode.EMPTY_CELL, detail))
    if status != "required" and row.amount_usd is not None:
        detail = f"status {status} has no amount"
        errors.append(row_error("requirements", number, "amount_usd", ProblemCode.NOT_APPLICABLE, detail))
    if status != "missing_in_source" and row.implied_amount_usd is not None:
        detail = "only what is missing in the source has an implied amount"
        errors.append(row_error("requirements", number, "implied_amount_usd", ProblemCode.NOT_APPLICABLE, detail))
    return errors


def line_errors(number: int, row: template.RequirementRow) -> list[ErrorDetail]:
    """The errors of the lines on which a requirement's figure and headings stand."""
    errors = []
    if row.source_line is None and row.source_locator is None:
        detail = "a line, or a source_locator, is expected: every figure says where it stands"
        errors.append(row_error("requirements", number, "source_line", ProblemCode.EMPTY_CELL, detail))
    errors += _span_errors("requirements", number, "heading_last_line", row.heading_line, row.heading_last_line)
    errors += _span_errors("requirements", number, "place_last_line", row.place_line, row.place_last_line)
    ranges = [template.line_range(lines) for lines in row.narrative]
    for column, cells in (("topics", row.topics), ("funders_named", row.funders_named)):
        for text, line in map(template.located, cells):
            if line is not None and not any(first <= line <= last for first, last in ranges):
                detail = f"line {line} of {shown(text)} is not in the narrative"
                errors.append(row_error("requirements", number, column, ProblemCode.DOES_NOT_MATCH, detail))
    return errors


def _span_errors(table: TableName, number: int, column: str, first: int | None, last: int | None) -> list[ErrorDetail]:
    """An error where a last line is not after its first one."""
    if last is None or (first is not None and first < last):
        return []
    return [
        row_error(
            table, number, column, ProblemCode.INVALID_VALUE, f"{last} is not after the first line, {first or 'none'}"
        )
    ]


def requirement_of(row: template.RequirementRow, vocabulary: Vocabulary) -> Requirement:
    """A checked row with the terms that it names; raises KeyError for a code that is not in the vocabulary."""
    terms = vocabulary.terms
    place = terms["place"][row.place_code]
    return Requirement(
        row,
        region=terms["region"][place.region or row.region_code],
        place=place,
        area=terms["area"][row.area_code],
        populations=tuple(terms["target_population"][code] for code in row.target_populations),
        topics=tuple(terms["topic"][template.located(topic)[0]] for topic in row.topics),
    )


def small_table_errors(tables: SmallTables, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of all these tables but the vocabulary: first those of each row, then repeated codes."""
    errors: list[ErrorDetail] = []
    for number, edition in tables.edition:
        errors += _span_errors("edition", number, "note_last_line", edition.note_line, edition.note_last_line)
    for number, total in tables.printed_totals:
        errors += printed_total_errors(number, total, vocabulary)
    for number, initiative in tables.initiatives:
        errors += initiative_errors(number, initiative, vocabulary)
    for number, partner in tables.partners:
        errors += partner_errors(number, partner, vocabulary)
    for number, figure in tables.figures:
        errors += figure_errors(number, figure, vocabulary)
    for number, framework in tables.frameworks:
        errors += framework_errors(number, framework, vocabulary)
    errors += framework_item_errors(tables.framework_items, vocabulary)
    for number, office in tables.offices:
        errors += office_errors(number, office, vocabulary)
    for number, group in tables.groups:
        errors += group_errors(number, group, vocabulary)
    for number, acronym in tables.acronyms:
        errors += _printed_errors("acronyms", number, acronym, vocabulary)
    totals = [(number, printed_total_code(total)) for number, total in tables.printed_totals]
    errors += _repeated_codes("printed-totals", totals)
    errors += _repeated_codes("initiatives", [(number, row.code) for number, row in tables.initiatives])
    errors += _repeated_codes("partners", [(number, row.code) for number, row in tables.partners])
    errors += _repeated_codes("figures", [(number, row.code) for number, row in tables.figures])
    errors += _repeated_codes("frameworks", [(number, row.code) for number, row in tables.frameworks])
    errors += _repeated_codes("framework-items", [(number, row.code) for number, row in tables.framework_items])
    errors += _repeated_codes("offices", [(number, row.code) for number, row in tables.offices])
    errors += _repeated_codes("groups", [(number, row.code) for number, row in tables.groups])
    errors += _repeated_codes("acronyms", [(number, row.code) for number, row in tables.acronyms])
    return errors


def _repeated_codes(table: TableName, codes: Iterable[tuple[int, str]]) -> list[ErrorDetail]:
    errors: list[ErrorDetail] = []
    seen: dict[str, int] = {}
    for number, code in codes:
        first = seen.setdefault(code, number)
        if first != number:
            errors.append(repeated(table, number, "code", code, first))
    return errors


def printed_total_errors(number: int, row: template.PrintedTotalRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a printed total with valid cells."""
    errors = other_edition("printed-totals", number, row.edition, vocabulary.edition)
    known = [vocabulary.edition] if row.division == "edition" else vocabulary.terms[row.division]
    regions = vocabulary.terms["region"]
    suggest = vocabulary.suggestions

    def add(column: str, code: ProblemCode, detail: str) -> None:
        errors.append(row_error("printed-totals", number, column, code, detail))

    if row.value not in known:
        errors.append(not_in("printed-totals", number, "value", row.value, known, suggest=suggest))
    if row.region_code is not None and row.region_code not in regions:
        errors.append(not_in("printed-totals", number, "region_code", row.region_code, regions, suggest=suggest))
    if row.region_code is not None and row.division in ("edition", "region"):
        add("region_code", ProblemCode.NOT_APPLICABLE, "only areas and places have one")
    if row.source_document not in vocabulary.documents:
        documents = sorted(vocabulary.documents)
        errors.append(
            not_in("printed-totals", number, "source_document", row.source_document, documents, suggest=suggest)
        )
    if row.repeated_line is not None and row.repeated_line == row.source_line:
        add("repeated_line", ProblemCode.INVALID_VALUE, f"{row.repeated_line} is the line of the figure itself")
    if row.repeated_line is not None and row.source_line is None:
        add("repeated_line", ProblemCode.NOT_APPLICABLE, "only a figure with a line is printed again on another one")
    if row.unit == "per_cent" and row.printed is None:
        add("printed", ProblemCode.EMPTY_CELL, "a percentage is expected")
    if row.unit == "per_cent" and row.printed is not None and row.printed >= 1000:
        add("printed", ProblemCode.INVALID_VALUE, "no percentage is that large")
    code = _whole_code(row)
    if len(code) > MAX_CODE:
        add("value", ProblemCode.INVALID_VALUE, f"{code} is over {MAX_CODE} characters")
    elif row.code not in (None, code):
        add("code", ProblemCode.DOES_NOT_MATCH, f"{row.code}, and {code} is expected")
    return errors


def printed_total_code(row: template.PrintedTotalRow) -> str:
    """The code of a printed total, joined from what it is a total of and cut to the length of a code."""
    code = _whole_code(row)
    return code if len(code) <= MAX_CODE else code[:MAX_CODE].rstrip("-_.")


def _whole_code(row: template.PrintedTotalRow) -> str:
    share = "share" if row.unit == "per_cent" else None
    return ".".join(filter(None, (row.edition, row.division, row.region_code, row.value, share)))


def initiative_errors(number: int, row: template.InitiativeRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of an initiative with valid cells."""
    errors = other_edition("initiatives", number, row.edition, vocabulary.edition)
    if (row.amount is None) != (row.currency is None):
        errors.append(
            row_error("initiatives", number, "currency", ProblemCode.EMPTY_CELL, "amount and currency go together")
        )
    if (row.overall_amount is None) != (row.overall_currency is None):
        detail = "overall_amount and overall_currency go together"
        errors.append(row_error("initiatives", number, "overall_currency", ProblemCode.EMPTY_CELL, detail))
    if (row.target_amount is None) != (row.target_currency is None):
        detail = "target_amount and target_currency go together"
        errors.append(row_error("initiatives", number, "target_currency", ProblemCode.EMPTY_CELL, detail))
    areas = vocabulary.terms["area"]
    if row.area_code is not None and row.area_code not in areas:
        suggest = vocabulary.suggestions
        errors.append(not_in("initiatives", number, "area_code", row.area_code, areas, suggest=suggest))
    if row.area_code is None and row.area_line is not None:
        detail = "the line is that of an area, and there is none"
        errors.append(row_error("initiatives", number, "area_line", ProblemCode.NOT_APPLICABLE, detail))
    for column, cells in (("countries", row.countries), ("partners", row.partners)):
        named = [template.located(cell)[0] for cell in cells]
        for twice in dict.fromkeys(name for name in named if named.count(name) > 1):
            detail = f"{shown(twice)} is there twice"
            errors.append(row_error("initiatives", number, column, ProblemCode.REPEATED_CODE, detail))
    errors += _span_errors("initiatives", number, "source_last_line", row.source_line, row.source_last_line)
    return errors


def partner_errors(number: int, row: template.PartnerRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a donor or partner with valid cells."""
    errors = other_edition("partners", number, row.edition, vocabulary.edition)
    suggest = vocabulary.suggestions

    def add(column: str, code: ProblemCode, detail: str) -> None:
        errors.append(row_error("partners", number, column, code, detail))

    of_country = row.kind in ("state", "territory")
    if of_country and row.country_code is None:
        add("country_code", ProblemCode.EMPTY_CELL, f"a {row.kind} needs its code")
    if not of_country and row.country_code is not None:
        add("country_code", ProblemCode.NOT_APPLICABLE, "only a state or a territory has one")
    if row.kind_as_printed is not None and row.kind_as_printed not in row.as_printed:
        detail = f"{shown(row.kind_as_printed)} is not in {shown(row.as_printed)}"
        add("kind_as_printed", ProblemCode.DOES_NOT_MATCH, detail)
    contributors = vocabulary.contributors
    if contributors and (code := row.contributor_code) is not None:
        if code not in contributors:
            errors.append(not_in("partners", number, "contributor_code", code, contributors, suggest=suggest))
        elif contributors[code] != row.country_code:
            detail = f"the country of {code} is {contributors[code]}, not {row.country_code}"
            add("contributor_code", ProblemCode.DOES_NOT_MATCH, detail)
    organizations = sorted(vocabulary.organizations)
    if organizations and row.organization_code not in (None, *organizations):
        errors.append(
            not_in("partners", number, "organization_code", row.organization_code or "", organizations, suggest=suggest)
        )
    if row.source_document not in vocabulary.documents:
        documents = sorted(vocabulary.documents)
        errors.append(not_in("partners", number, "source_document", row.source_document, documents, suggest=suggest))
    errors += _span_errors("partners", number, "source_last_line", row.source_line, row.source_last_line)
    return errors


def figure_errors(number: int, row: template.FigureRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a figure of the texts with valid cells."""
    errors = other_edition("figures", number, row.edition, vocabulary.edition)
    suggest = vocabulary.suggestions

    def add(column: str, code: ProblemCode, detail: str) -> None:
        errors.append(row_error("figures", number, column, code, detail))

    known: tuple[tuple[str, str | None, Sequence[str]], ...] = (
        ("region_code", row.region_code, list(vocabulary.terms["region"])),
        ("area_code", row.area_code, list(vocabulary.terms["area"])),
        ("source_document", row.source_document, sorted(vocabulary.documents)),
    )
    for column, code, codes in known:
        if code is not None and code not in codes:
            errors.append(not_in("figures", number, column, code, codes, suggest=suggest))
    for twice in dict.fromkeys(code for code in row.countries if row.countries.count(code) > 1):
        add("countries", ProblemCode.REPEATED_CODE, f"{twice} is there twice")
    if (row.value is None) != (row.qualifier is None):
        add("qualifier", ProblemCode.EMPTY_CELL, "value and qualifier go together")
    if row.value_to is not None and (row.value is None or Decimal(row.value_to) <= Decimal(row.value)):
        add("value_to", ProblemCode.INVALID_VALUE, f"{row.value_to} is not above the value, {row.value or 'none'}")
    for column, cell in (("currency", row.currency), ("stage", row.stage)):
        if row.unit == "money" and cell is None:
            add(column, ProblemCode.EMPTY_CELL, "an amount of money needs it")
        if row.unit != "money" and cell is not None:
            add(column, ProblemCode.NOT_APPLICABLE, "only an amount of money has it")
    if row.year_to is not None and (row.year_from is None or row.year_to < row.year_from):
        add("year_to", ProblemCode.INVALID_VALUE, f"{row.year_to} is before the first year, {row.year_from or 'none'}")
    if row.stated_source is None and row.stated_source_line is not None:
        add("stated_source_line", ProblemCode.NOT_APPLICABLE, "the line is that of a source, and there is none")
    if row.stated_source is not None and row.source_line is not None and row.stated_source_line is None:
        add("stated_source_line", ProblemCode.EMPTY_CELL, "the line that names the source is expected")
    errors += _span_errors("figures", number, "source_last_line", row.source_line, row.source_last_line)
    return errors


def framework_errors(number: int, row: template.FrameworkRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a framework with valid cells."""
    errors = _printed_errors("frameworks", number, row, vocabulary)
    if (row.period_from is None) != (row.period_to is None):
        detail = "period_from and period_to go together"
        errors.append(row_error("frameworks", number, "period_to", ProblemCode.EMPTY_CELL, detail))
    elif row.period_from is not None and row.period_to is not None and row.period_to < row.period_from:
        detail = f"{row.period_to} is before {row.period_from}"
        errors.append(row_error("frameworks", number, "period_to", ProblemCode.INVALID_VALUE, detail))
    if row.period_from is None:
        for column in ("period_as_printed", "period_line"):
            if getattr(row, column) is not None:
                detail = "there is no period"
                errors.append(row_error("frameworks", number, column, ProblemCode.NOT_APPLICABLE, detail))
    return errors


def framework_item_errors(
    rows: Sequence[tuple[int, template.FrameworkItemRow]], vocabulary: Vocabulary
) -> list[ErrorDetail]:
    """The errors of all items of frameworks with valid cells: of each, and of the trees that they make."""
    numbers: dict[str, dict[str, tuple[int, str | None]]] = {}
    errors: list[ErrorDetail] = []
    for number, row in rows:
        first, _ = numbers.setdefault(row.framework, {}).setdefault(row.number, (number, row.parent))
        if first != number:
            errors.append(repeated("framework-items", number, "number", row.number, first))
    for number, row in rows:
        errors += _printed_errors("framework-items", number, row, vocabulary)
        if row.framework not in vocabulary.frameworks:
            known = sorted(vocabulary.frameworks)
            suggest = vocabulary.suggestions
            errors.append(not_in("framework-items", number, "framework", row.framework, known, suggest=suggest))
        if row.title is None and row.text is None:
            detail = "an item needs a title or a text"
            errors.append(row_error("framework-items", number, "text", ProblemCode.EMPTY_CELL, detail))
        parents = {code: parent for code, (_, parent) in numbers[row.framework].items()}
        if row.parent is not None and row.parent not in parents:
            detail = f"{row.framework} has no item {shown(row.parent)} in this file"
            errors.append(row_error("framework-items", number, "parent", ProblemCode.UNKNOWN_CODE, detail))
        elif _is_below_itself(row.number, parents):
            detail = f"{row.number} is below itself"
            errors.append(row_error("framework-items", number, "parent", ProblemCode.DOES_NOT_MATCH, detail))
    return errors


def _is_below_itself(number: str, parents: Mapping[str, str | None]) -> bool:
    """Whether the parents of an item lead back to it; parents: number -> that of the parent."""
    seen: set[str] = set()
    above = parents[number]
    while above is not None and above not in seen:
        if above == number:
            return True
        seen.add(above)
        above = parents.get(above)
    return False


def office_errors(number: int, row: template.OfficeRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of an office with valid cells."""
    errors = _printed_errors("offices", number, row, vocabulary)
    for column, cells in (("covers", row.covers), ("member_states", row.member_states)):
        errors += _repeated_countries("offices", number, column, cells)
    region = vocabulary.terms["region"].get(row.region_code or "")
    for code, _ in map(template.located_country, row.covers if region else ()):
        if region and code not in region.covers:
            detail = f"{code} is not among the countries that {region.code} covers in the vocabulary"
            errors.append(row_error("offices", number, "covers", ProblemCode.DOES_NOT_MATCH, detail))
    return errors


def group_errors(number: int, row: template.GroupRow, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a group of States with valid cells."""
    errors = _printed_errors("groups", number, row, vocabulary)
    for column, cells in (("members", row.members), ("observers", row.observers)):
        errors += _repeated_countries("groups", number, column, cells)
    if row.members_stated is not None and row.members_stated < len(row.members):
        detail = f"{len(row.members)} members are named, and {row.members_stated} are stated"
        errors.append(row_error("groups", number, "members_stated", ProblemCode.DOES_NOT_MATCH, detail))
    return errors


def _repeated_countries(table: TableName, number: int, column: str, cells: Sequence[str]) -> list[ErrorDetail]:
    """An error for each country that a cell names twice."""
    named = [template.located_country(cell)[0] for cell in cells]
    return [
        row_error(table, number, column, ProblemCode.REPEATED_CODE, f"{twice} is there twice")
        for twice in dict.fromkeys(code for code in named if named.count(code) > 1)
    ]


# The rows of the tables of regions, which name a document and, but for the items, a region.
_Printed = (
    template.FrameworkRow | template.FrameworkItemRow | template.OfficeRow | template.GroupRow | template.AcronymRow
)


def _printed_errors(table: TableName, number: int, row: _Printed, vocabulary: Vocabulary) -> list[ErrorDetail]:
    """The errors of a row's edition, region, document and lines."""
    errors = other_edition(table, number, row.edition, vocabulary.edition)
    suggest, regions = vocabulary.suggestions, vocabulary.terms["region"]
    if not isinstance(row, template.FrameworkItemRow) and row.region_code not in (None, *regions):
        errors.append(not_in(table, number, "region_code", row.region_code or "", regions, suggest=suggest))
    if row.source_document not in vocabulary.documents:
        documents = sorted(vocabulary.documents)
        errors.append(not_in(table, number, "source_document", row.source_document, documents, suggest=suggest))
    return errors + _span_errors(table, number, "source_last_line", row.source_line, row.source_last_line)


def other_edition(table: TableName, row: int, named: str, edition: str) -> list[ErrorDetail]:
    """An error where a row names another edition than the imported one."""
    if named == edition:
        return []
    return [row_error(table, row, "edition", ProblemCode.DOES_NOT_MATCH, f"{named!r}, and this import is of {edition}")]


def taken(table: TableName, row: int, code: str, edition: str) -> ErrorDetail:
    """An error for a code that a record of another edition has."""
    return row_error(table, row, "code", ProblemCode.CODE_TAKEN, f"{code} belongs to {edition}")
