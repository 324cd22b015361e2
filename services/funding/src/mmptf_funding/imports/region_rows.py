"""The rows to store of what an edition says about its regions: frameworks, offices, groups of States, acronyms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mmptf_common.http.search import words
from mmptf_common.storage.records import Record
from mmptf_funding.imports import template
from mmptf_funding.imports.rules import SmallTables
from mmptf_funding.imports.sources import source_of
from mmptf_funding.models import AcronymRow, FrameworkItemRow, FrameworkRow, RegionalGroupRow, RegionalOfficeRow
from mmptf_funding.regions import schemas as public


def region_rows(small: SmallTables, at: datetime) -> Iterator[tuple[str, Sequence[Record]]]:
    """The rows by table, in an order in which each refers only to earlier ones."""
    if small.frameworks:
        yield "frameworks", [_framework_row(row, n, at) for n, (_, row) in enumerate(small.frameworks, 1)]
    if small.framework_items:
        yield "framework-items", [_item_row(row, n, at) for n, (_, row) in enumerate(small.framework_items, 1)]
    if small.offices:
        yield "offices", [_office_row(row, n, at) for n, (_, row) in enumerate(small.offices, 1)]
    if small.groups:
        yield "groups", [_group_row(row, n, at) for n, (_, row) in enumerate(small.groups, 1)]
    if small.acronyms:
        yield "acronyms", [_acronym_row(row, n, at) for n, (_, row) in enumerate(small.acronyms, 1)]


def _framework_row(row: template.FrameworkRow, position: int, at: datetime) -> FrameworkRow:
    document = row.source_document
    sources = [source_of("title_as_printed", document, row.source_line, row.title_as_printed, row.source_last_line)]
    if row.period_from is not None:
        sources.append(source_of("period_from", document, row.period_line, row.period_as_printed))
    record = public.StoredFramework(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        kind=row.kind,
        title=row.title,
        title_as_printed=row.title_as_printed,
        period_from=row.period_from,
        period_to=row.period_to,
        note=row.note,
        sources=sources,
        position=position,
        updated=at,
    )
    return FrameworkRow(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        kind=row.kind,
        position=position,
        words=words(row.title),
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _item_row(row: template.FrameworkItemRow, position: int, at: datetime) -> FrameworkItemRow:
    document, line, last = row.source_document, row.source_line, row.source_last_line
    printed = {"title": row.title, "text": None}
    record = public.FrameworkItem(
        code=row.code,
        edition=row.edition,
        framework=row.framework,
        number=row.number,
        parent=row.parent,
        level=row.level,
        level_as_printed=row.level_as_printed,
        title=row.title,
        text=row.text,
        note=row.note,
        sources=[
            source_of(member, document, line, words_, last)
            for member, words_ in printed.items()
            if getattr(row, member) is not None
        ],
        position=position,
        updated=at,
    )
    return FrameworkItemRow(
        code=row.code,
        edition=row.edition,
        framework=row.framework,
        level=row.level,
        position=position,
        words=words(" ".join(filter(None, (row.title, row.text)))),
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _office_row(row: template.OfficeRow, position: int, at: datetime) -> RegionalOfficeRow:
    record = public.RegionalOffice(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        name=row.name,
        seat=row.seat,
        country=row.country_code,
        founded=row.founded,
        covers=_located(row.covers),
        covers_as_printed=row.covers_as_printed,
        member_states=_located(row.member_states),
        offices=row.offices,
        staff=row.staff,
        role=row.role,
        footnote=row.footnote,
        note=row.note,
        sources=[source_of("name", row.source_document, row.source_line, None, row.source_last_line)],
        position=position,
        updated=at,
    )
    return RegionalOfficeRow(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        countries=[country.code for country in record.covers],
        position=position,
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _group_row(row: template.GroupRow, position: int, at: datetime) -> RegionalGroupRow:
    record = public.RegionalGroup(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        kind=row.kind,
        name=row.name,
        abbreviation=row.abbreviation,
        members=_located(row.members),
        observers=_located(row.observers),
        members_stated=row.members_stated,
        footnote=row.footnote,
        note=row.note,
        sources=[source_of("name", row.source_document, row.source_line, row.name, row.source_last_line)],
        position=position,
        updated=at,
    )
    return RegionalGroupRow(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        kind=row.kind,
        name=row.name,
        countries=[country.code for country in (*record.members, *record.observers)],
        position=position,
        words=words(" ".join(filter(None, (row.name, row.abbreviation)))),
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _acronym_row(row: template.AcronymRow, position: int, at: datetime) -> AcronymRow:
    record = public.PrintedAcronym(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        acronym=row.acronym,
        expansion=row.expansion,
        sources=[source_of("expansion", row.source_document, row.source_line, row.expansion, row.source_last_line)],
        position=position,
        updated=at,
    )
    return AcronymRow(
        code=row.code,
        edition=row.edition,
        region=row.region_code,
        acronym=row.acronym,
        position=position,
        words=words(f"{row.acronym} {row.expansion}"),
        updated=at,
        record=record.model_dump(mode="json"),
    )


def _located(cells: Sequence[str]) -> list[public.CoveredCountry]:
    """The countries of a cell, each with its line."""
    return [public.CoveredCountry(code=code, line=line) for code, line in map(template.located_country, cells)]
