"""Requirements of a file as rows of COPY, each checked; what many rows have in common is checked and written once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast, get_type_hints

from pydantic import JsonValue, ValidationError, create_model
from pydantic_core import to_json

from mmptf_common.http.search import words
from mmptf_common.wire.codes import NONE
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.places import names_of
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.wire.tables import ImportErrors, read_row
from mmptf_funding.editions.domain import ReadingConfidence, RequirementStatus
from mmptf_funding.imports import rules
from mmptf_funding.imports.rules import Requirement, Term, Vocabulary
from mmptf_funding.imports.template import RequirementRow, line_range, located

CURRENCY = "USD"
# The columns of the template that many rows have in common: no check compares a cell of one group with one of another.
_PLACE = ("edition", "region_code", "region", "place_code", "place", "place_as_printed", "country_code")
_AREA = ("area_code", "area", "area_as_printed")
_POPULATIONS, _STATUS, _CONFIDENCE, _DOCUMENT = "target_populations", "status", "confidence", "source_document"
# Those of each row alone.
_OWN = [
    name
    for name in RequirementRow.model_fields
    if name not in {*_PLACE, *_AREA, _POPULATIONS, _STATUS, _CONFIDENCE, _DOCUMENT}
]
_TYPES = get_type_hints(RequirementRow, include_extras=True)
_FIELDS: dict[str, Any] = {name: (_TYPES[name], RequirementRow.model_fields[name].default) for name in _OWN}
_OwnCells = cast("type[RequirementRow]", create_model("_OwnCells", __config__=RequirementRow.model_config, **_FIELDS))
# The columns of a staged row, in the order of `RequirementReader.line`.
STAGED = (
    "edition", "region", "region_name", "place", "place_name", "place_as_printed", "country", "area", "area_name",
    "area_as_printed", "populations", "words", "code", "amount", "status", "implied", "as_printed", "confidence",
    "note", "source_document", "source_line", "source_locator", "heading_line", "place_line", "populations_line",
    "purpose", "topics", "record", "row",
)  # fmt: skip
# The most combinations of each group that are remembered.
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """What rows with the same cells in the columns of a group have in common.

    columns: their cells of COPY; record: their members of the record; printed: JSON of the heading as it is printed
    found_by: their part of the arguments of `search_words`
    """

    columns: str
    record: str
    printed: str = "null"
    found_by: tuple[Any, ...] = ()


class RequirementReader:
    """Reads the requirements of one edition.

    vocabulary: what rows are checked against; shown: the terms whose names they get
    errors: gets what is wrong with a row
    """

    def __init__(self, vocabulary: Vocabulary, shown: Vocabulary, errors: ImportErrors) -> None:
        self._vocabulary, self._shown, self._errors = vocabulary, shown, errors
        # By the cells of the file; of those of rows that are right.
        self._places: dict[tuple[str | None, ...], _Common] = {}
        self._areas: dict[tuple[str | None, ...], _Common] = {}
        self._populations: dict[str | None, _Common] = {}
        self._statuses: dict[str | None, RequirementStatus] = {}
        self._confidences: dict[str | None, ReadingConfidence] = {}
        self._documents: set[str | None] = set()
        self._words: dict[tuple[_Common, _Common], list[str]] = {}

    def line(self, raw: RawRow) -> str | None:
        """The line of COPY for a row, with the columns `STAGED`; None for a row that is not right.

        The member `updated` of the record, its last one, and the end of it are left out.
        """
        cell = raw.cells.get
        place = self._places.get(tuple(map(cell, _PLACE)))
        area = self._areas.get(tuple(map(cell, _AREA)))
        populations = self._populations.get(cell(_POPULATIONS))
        status = self._statuses.get(cell(_STATUS))
        confidence = self._confidences.get(cell(_CONFIDENCE))
        document = cell(_DOCUMENT)
        if not (place and area and populations and status and confidence and document in self._documents) or raw.errors:
            return self._new(raw)
        try:
            own = _OwnCells.model_validate({name: raw.cells[name] for name in _OWN if name in raw.cells})
        except ValidationError:
            return self._new(raw)
        if (
            rules.amount_errors(raw.number, own, status)
            or rules.line_errors(raw.number, own)
            or rules.topic_errors(raw.number, own, self._vocabulary)
        ):
            return self._new(raw)
        return self._line(raw.number, own, place, area, populations, status, confidence, str(document))

    def _new(self, raw: RawRow) -> str | None:
        """The same of a row with cells that no right row before it had; adds its errors."""
        row, wrong = read_row(RequirementRow, raw)
        if row is not None:
            wrong = rules.requirement_errors(raw.number, row, self._vocabulary)
        if row is None or wrong:
            self._errors.add(wrong)
            return None
        for remembered in (self._places, self._areas, self._populations, self._words):
            if len(remembered) >= MOST_REMEMBERED:
                remembered.clear()
        cell = raw.cells.get
        requirement = rules.requirement_of(row, self._shown)
        place = self._places.setdefault(tuple(map(cell, _PLACE)), _place_of(requirement))
        area = self._areas.setdefault(tuple(map(cell, _AREA)), _area_of(requirement))
        populations = self._populations.setdefault(cell(_POPULATIONS), _populations_of(requirement))
        self._statuses[cell(_STATUS)] = row.status
        self._confidences[cell(_CONFIDENCE)] = row.confidence
        self._documents.add(row.source_document)
        return self._line(raw.number, row, place, area, populations, row.status, row.confidence, row.source_document)

    def _line(
        self,
        number: int,
        own: RequirementRow,
        place: _Common,
        area: _Common,
        populations: _Common,
        status: RequirementStatus,
        confidence: ReadingConfidence,
        document: str,
    ) -> str:
        """own: a row, or its cells that it has in common with none."""
        found = self._words.get((place, area))
        if found is None:
            found = self._words[place, area] = search_words(*place.found_by, *area.found_by)
        topics = [(self._shown.terms["topic"][code], line) for code, line in map(located, own.topics)]
        if own.purpose or topics:
            found = [*dict.fromkeys((*found, *purpose_words(own.purpose, [term.name for term, _ in topics])))]
        printed, note = _json(own.amount_as_printed), _json(own.note)
        sources = [_source("amount", document, own.source_line, printed, _json(own.source_locator))]
        if own.heading_line is not None:
            sources.append(_heading("area", document, own.heading_line, area.printed, own.heading_last_line))
        if own.place_line is not None:
            sources.append(_heading("place", document, own.place_line, place.printed, own.place_last_line))
        if (line := own.target_populations_line) is not None:
            sources.append(_heading("target_populations", document, line, "null", None))
        if narrative := [line_range(lines) for lines in own.narrative]:
            sources.append(_narrative(document, narrative))
        amount, implied = own.amount_usd, own.implied_amount_usd
        named: JsonValue = [{"code": term.code, "name": term.name, "line": at} for term, at in topics]
        lines: JsonValue = [{"first": first, "last": last} for first, last in narrative]
        funders: JsonValue = [{"as_printed": name, "line": at} for name, at in map(located, own.funders_named)]
        record = (
            f'{{"code":"{own.code}",{place.record},{area.record},"status":"{status}","stage":"requirement"'
            f',"sum":{_dollars(amount)},"implied":{_dollars(implied)},"as_printed":{printed},{populations.record}'
            f',"purpose":{_json(own.purpose)},"topics":{_json(named)},"narrative":{_json(lines)}'
            f',"funders_named":{_json(funders)}'
            f',"confidence":"{confidence}","note":{note},"reading_note":{_json(own.reading_note)}'
            f',"sources":[{",".join(sources)}]'
        )
        return (
            f"{place.columns}\t{area.columns}\t{populations.columns}\t{_array(found)}\t{own.code}\t{_value(amount)}"
            f"\t{status}"
            f"\t{_value(implied)}\t{_text(own.amount_as_printed)}\t{confidence}\t{_text(own.note)}\t{document}"
            f"\t{_value(own.source_line)}\t{_text(own.source_locator)}\t{_value(own.heading_line)}"
            f"\t{_value(own.place_line)}\t{_value(own.target_populations_line)}\t{_text(own.purpose)}"
            f"\t{_array(term.code for term, _ in topics)}\t{_text(record)}\t{number}\n"
        )


# Cached, because all rows of the same place and area have the same words.
@lru_cache(maxsize=MOST_REMEMBERED)
def search_words(
    place: Term, place_as_printed: str | None, region: Term, area: Term, area_as_printed: str | None
) -> list[str]:
    """The search words of a requirement's place and area: of headings, terms' names and all names of the country."""
    names = (place.name, place_as_printed, region.name, area.name, area_as_printed, *names_of(place.country or NONE))
    return words(" ".join(filter(None, names)))


def purpose_words(purpose: str | None, topics: Iterable[str]) -> list[str]:
    """The search words of what a requirement is for; topics: their names."""
    return words(" ".join(filter(None, (purpose, *topics))))


def _place_of(requirement: Requirement) -> _Common:
    row, region, place = requirement.row, requirement.region, requirement.place
    cells = (row.edition, region.code, region.name, place.code, place.name, row.place_as_printed, place.country or NONE)
    printed = _json(row.place_as_printed)
    return _Common(
        "\t".join(map(_text, cells)),
        f'"edition":"{row.edition}"'
        f',"region":{{"code":"{region.code}","name":{_json(region.name)},"as_printed":null}}'
        f',"place":{{"code":"{place.code}","name":{_json(place.name)},"as_printed":{printed}'
        f',"country":{_json(place.country)},"footnote":{_json(place.footnote)}}}',
        printed,
        (place, row.place_as_printed, region),
    )


def _area_of(requirement: Requirement) -> _Common:
    area, as_printed = requirement.area, requirement.row.area_as_printed
    printed = _json(as_printed)
    return _Common(
        "\t".join(map(_text, (area.code, area.name, as_printed))),
        f'"area":{{"code":"{area.code}","name":{_json(area.name)},"as_printed":{printed}}}',
        printed,
        (area, as_printed),
    )


def _populations_of(requirement: Requirement) -> _Common:
    terms = requirement.populations
    items = ",".join(f'{{"code":"{term.code}","name":{_json(term.name)},"as_printed":null}}' for term in terms)
    return _Common(_array([term.code for term in terms]), f'"target_populations":[{items}]')


def _heading(field: str, document: str, line: int, printed: str, last: int | None) -> str:
    """JSON of the source of a heading; with a locator where it takes several lines."""
    return _source(field, document, line, printed, "null" if last is None else f'"lines {line}-{last}"')


def _narrative(document: str, ranges: Sequence[tuple[int, int]]) -> str:
    """JSON of the source of what a requirement is for; its locator has all lines."""
    lines = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    return _source("purpose", document, ranges[0][0], "null", f'"lines {lines}"')


def _source(field: str, document: str, line: int | None, printed: str, locator: str) -> str:
    """JSON of the source of one fact; printed, locator: JSON."""
    stated = "null" if line is None else line
    verified = "false" if line is None else "true"
    return (
        f'{{"field":"{field}","document":"{document}","line":{stated},"locator":{locator},"as_printed":{printed}'
        f',"verified":{verified},"note":null}}'
    )


def _dollars(amount: Decimal | None) -> str:
    return "null" if amount is None else f'{{"amount":"{amount_text(amount)}","currency":"{CURRENCY}"}}'


def _json(value: JsonValue) -> str:
    return "null" if value is None else to_json(value).decode()


def _value(value: object) -> str:
    """A number as a cell of COPY."""
    return r"\N" if value is None else str(value)


def _text(text: str | None) -> str:
    """A text in one line as a cell of COPY."""
    return r"\N" if text is None else text.replace("\\", r"\\")


def _array(texts: Iterable[str]) -> str:
    """Codes or words as a cell of COPY for an array; none has a backslash or a quotation mark."""
    return "{" + ",".join(f'"{text}"' for text in texts) + "}"
