"""Rows of an import: what a cell may hold, what belongs together, and that whatever passes fits what readers get."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.wire.base import CODE_PATTERN, COUNTRY_PATTERN, in_words
from mmptf_common.wire.problems import ErrorDetail
from mmptf_common.wire.raw_rows import RawRow, cell_error
from mmptf_common.wire.tables import ImportErrors, not_in, read_row
from mmptf_funding.editions import schemas as wire
from mmptf_funding.imports import rules, template
from mmptf_funding.imports.rules import SmallTables, Term, Vocabulary
from mmptf_funding.imports.staging import STAGED, RequirementReader
from mmptf_funding.imports.template import TABLES, RequirementRow, TableName

VOCABULARY = Vocabulary(
    "ED-1",
    {
        "region": {"north": Term("north", "The North"), "south": Term("south", "The South")},
        "area": {"health": Term("health", "Health"), "border": Term("border", "Border Management")},
        "target_population": {"migrants": Term("migrants", "Migrants"), "students": Term("students", "Students")},
        "topic": {"hiv": Term("hiv", "HIV and AIDS"), "diaspora": Term("diaspora", "Diaspora engagement")},
        "place": {
            "KEN": Term("KEN", "Kenya", region="south", country="KEN"),
            "RP-south": Term("RP-south", "Regional Programmes", region="south", footnote="for several countries"),
        },
    },
    frozenset({"document-1"}),
)
ROW = {
    "code": "ED-1-KEN-health",
    "edition": "ED-1",
    "region_code": "south",
    "region": "The South",
    "place_code": "KEN",
    "place": "Kenya",
    "place_as_printed": "KENYA",
    "country_code": "KEN",
    "area_code": "health",
    "area": "Health",
    "amount_usd": "2500000.50",
    "status": "required",
    "amount_as_printed": "2,500,000.5",
    "target_populations": "migrants|students",
    "source_document": "document-1",
    "source_line": "7",
    "heading_line": "6",
    "target_populations_line": "8",
    "purpose": "Tests for HIV in ports.",
    "topics": "hiv:10|diaspora:14",
    "narrative": "9-12|14",
    "funders_named": "Government of Kenya: its ministry:11",
}


def read(**cells: str | None) -> tuple[RequirementRow | None, list[ErrorDetail]]:
    """The row with other cells, None for an empty one, as its model and what is wrong with it."""
    raw = RawRow(5, {name: cell for name, cell in {**ROW, **cells}.items() if cell is not None})
    row, errors = read_row(RequirementRow, raw)
    return row, errors if row is None else rules.requirement_errors(5, row, VOCABULARY)


def checked(**cells: str | None) -> list[ErrorDetail]:
    """What is wrong with the row with other cells."""
    return read(**cells)[1]


def right(**cells: str | None) -> dict[str, str]:
    """The row with other cells, with which nothing is wrong, as it is staged."""
    errors = ImportErrors()
    reader = RequirementReader(VOCABULARY, VOCABULARY, errors)
    raw = RawRow(5, {name: cell for name, cell in {**ROW, **cells}.items() if cell is not None})
    line = reader.line(raw)
    assert line is not None and not errors.found
    # Also where all that it has in common with others was there before.
    assert reader.line(raw) == line
    return dict(zip(STAGED, line.removesuffix("\n").split("\t"), strict=True))


def named(errors: list[ErrorDetail]) -> list[tuple[str, str | None]]:
    return [(error.code, error.pointer) for error in errors]


def stated(requirement: dict[str, str]) -> wire.Requirement:
    """What a reader gets of a requirement, held against the contract."""
    record = requirement["record"].replace(r"\\", "\\") + ',"updated":"2024-01-01T00:00:00Z"}'
    found = wire.Requirement.model_validate_json(record)
    # The same members in the same order, as every other record has them.
    assert found.model_dump_json() == record
    return found


def test_a_right_row_is_what_readers_get() -> None:
    requirement = right()
    found = stated(requirement)
    assert found.sum and (found.sum.amount, found.sum.currency) == ("2500000.50", "USD")
    assert (found.place.country, found.place.as_printed, found.area.as_printed) == ("KEN", "KENYA", None)
    assert [term.code for term in found.target_populations] == ["migrants", "students"]
    assert [(s.field, s.line) for s in found.sources] == [
        ("amount", 7), ("area", 6), ("target_populations", 8), ("purpose", 9),
    ]  # fmt: skip
    assert found.purpose == "Tests for HIV in ports."
    assert [(t.code, t.name, t.line) for t in found.topics] == [
        ("hiv", "HIV and AIDS", 10), ("diaspora", "Diaspora engagement", 14),
    ]  # fmt: skip
    assert [(lines.first, lines.last) for lines in found.narrative] == [(9, 12), (14, 14)]
    assert [(f.as_printed, f.line) for f in found.funders_named] == [("Government of Kenya: its ministry", 11)]
    assert found.sources[-1].locator == "lines 9-12, 14"
    assert requirement["topics"] == '{"hiv","diaspora"}'
    # As a search compares words.
    assert {'"ports"', '"aids"', '"engagement"', '"kenya"'} <= set(requirement["words"].strip("{}").split(","))
    assert (requirement["country"], requirement["populations"]) == ("KEN", '{"migrants","students"}')


def test_a_heading_of_several_lines_says_so_and_ends_after_it_begins() -> None:
    place = right(heading_last_line="7", place_line="2", place_last_line="4", reading_note="By elimination.")
    found = stated(place)
    assert {s.field: (s.line, s.locator) for s in found.sources} == {
        "amount": (7, None), "area": (6, "lines 6-7"), "place": (2, "lines 2-4"), "target_populations": (8, None),
        "purpose": (9, "lines 9-12, 14"),
    }  # fmt: skip
    assert (found.note, found.reading_note) == (None, "By elimination.")
    for cells in ({"heading_last_line": "6"}, {"heading_last_line": "5"}, {"place_last_line": "4"}):
        (column,) = cells
        assert named(checked(**cells)) == [("invalid_value", f"/requirements/5/{column}")]


def test_a_figure_without_a_line_is_not_verified() -> None:
    (amount,) = stated(right(source_line=None, source_locator="page 3", heading_line=None,
                             target_populations_line=None, narrative=None, topics=None,
                             funders_named=None)).sources  # fmt: skip
    assert (amount.locator, amount.verified) == ("page 3", False)
    assert all(source.verified for source in stated(right()).sources)


def test_a_place_that_is_no_country_is_said_to_be_none() -> None:
    requirement = right(place_code="RP-south", place=None, country_code=None)
    assert requirement["country"] == "none"
    assert (stated(requirement).place.country, stated(requirement).place.footnote) == (None, "for several countries")


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"region_code": "soth"}, [("unknown_code", "region_code", "south"), ("does_not_match", "place_code", None)]),
        ({"place_code": "KEM"}, [("unknown_code", "place_code", None)]),
        ({"place_code": "KE"}, [("unknown_code", "place_code", "KEN")]),
        ({"place_code": "ken"}, [("unknown_code", "place_code", "KEN")]),
        ({"area_code": "heath"}, [("unknown_code", "area_code", "health")]),
        ({"target_populations": "migrants|migrant"}, [("unknown_code", "target_populations", "migrants")]),
        ({"target_populations": "migrants|migrants"}, [("repeated_code", "target_populations", None)]),
        ({"source_document": "document-l"}, [("unknown_code", "source_document", None)]),
        ({"source_document": "documents-1"}, [("unknown_code", "source_document", "document-1")]),
        ({"status": "requested"}, [("unknown_code", "status", "required")]),
        ({"confidence": "sure"}, [("unknown_code", "confidence", None)]),
        ({"region": "The north"}, [("does_not_match", "region", None)]),
        ({"place": "KENYA"}, [("does_not_match", "place", None)]),
        ({"area": "Migration Health"}, [("does_not_match", "area", None)]),
        (
            {"region_code": "north", "region": "The North"},
            [("does_not_match", "place_code", None)],
        ),
        ({"country_code": "TZA"}, [("does_not_match", "country_code", None)]),
        ({"country_code": "ken"}, [("invalid_value", "country_code", None)]),
        ({"edition": "ED-2"}, [("does_not_match", "edition", None)]),
        ({"amount_usd": None}, [("empty_cell", "amount_usd", None)]),
        ({"status": "funded"}, [("not_applicable", "amount_usd", None)]),
        ({"status": "missing_in_source"}, [("not_applicable", "amount_usd", None)]),
        ({"implied_amount_usd": "1.00"}, [("not_applicable", "implied_amount_usd", None)]),
        (
            {"status": "funded", "amount_usd": None, "implied_amount_usd": "1.00"},
            [("not_applicable", "implied_amount_usd", None)],
        ),
        ({"source_line": None}, [("empty_cell", "source_line", None)]),
        ({"source_line": "0"}, [("invalid_value", "source_line", None)]),
        ({"source_line": "9" * 5000}, [("invalid_value", "source_line", None)]),
        ({"code": None}, [("empty_cell", "code", None)]),
        ({"code": "no spaces here"}, [("invalid_value", "code", None)]),
        ({"code": "x" * 65}, [("invalid_value", "code", None)]),
        ({"note": "a\x00b"}, [("invalid_value", "note", None)]),
        ({"note": "a\nb"}, [("invalid_value", "note", None)]),
        ({"note": "x" * 1001}, [("invalid_value", "note", None)]),
        ({"topics": "diaspore:14"}, [("unknown_code", "topics", "diaspora")]),
        ({"topics": "hiv:10|hiv:11"}, [("repeated_code", "topics", None)]),
        ({"topics": "hiv:13"}, [("does_not_match", "topics", None)]),
        ({"topics": "hiv:0"}, [("invalid_value", "topics", None)]),
        ({"topics": "hiv:x"}, [("invalid_value", "topics", None)]),
        ({"topics": ":10"}, [("invalid_value", "topics", None)]),
        ({"topics": "hiv:10||diaspora:14"}, [("invalid_value", "topics", None)]),
        ({"narrative": "12-9|14"}, [("invalid_value", "narrative", None)]),
        ({"narrative": "9-12-14"}, [("invalid_value", "narrative", None)]),
        ({"narrative": "all"}, [("invalid_value", "narrative", None)]),
        ({"funders_named": "Government of Kenya:8"}, [("does_not_match", "funders_named", None)]),
        ({"target_populations": "migrants||students"}, [("invalid_value", "target_populations", None)]),
        (
            {"target_populations": "|".join(["migrants"] * (template.MOST_POPULATIONS + 1))},
            [("invalid_value", "target_populations", None)],
        ),
        (
            {"target_populations": "|".join(["migrants"] * template.MOST_POPULATIONS)},
            [("repeated_code", "target_populations", None)] * (template.MOST_POPULATIONS - 1),
        ),
        (
            {"code": "a b", "status": "requested", "amount_usd": "-1", "source_line": "x"},
            [
                ("invalid_value", "code", None),
                ("invalid_value", "amount_usd", None),
                ("unknown_code", "status", "required"),
                ("invalid_value", "source_line", None),
            ],
        ),
    ],
)
def test_every_wrong_cell_is_named(cells: dict[str, str | None], found: list[tuple[str, str, str | None]]) -> None:
    errors = checked(**cells)
    assert [(f.code, f.pointer, f.suggestion) for f in errors] == [
        (code, f"/requirements/5/{column}", meant) for code, column, meant in found
    ]
    for error in errors:
        assert error.detail.startswith(f"requirements, row 5, column {str(error.pointer).rpartition('/')[2]}: ")
        assert len(error.detail) < 400
        assert error.suggestion is None or error.suggestion in error.detail.rpartition("; ")[2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("-1", "never negative"),
        ("-0.01", "never negative"),
        ("1.005", "a fraction of a cent"),
        ("0.001", "a fraction of a cent"),
        ("1,000", "without separators"),
        ("1.000.000", "without separators"),
        ("1 000", "without separators"),
        ("1'000", "without separators"),
        ("1_000", "without separators"),
        ("2.5M", "digits are expected"),
        ("1e6", "digits are expected"),
        ("1.", "digits are expected"),
        (".5", "digits are expected"),
        ("+5", "digits are expected"),
        ("\u0661\u0662", "digits are expected"),
        (" 5", "digits are expected"),
        ("USD 5", "digits are expected"),
        ("NaN", "digits are expected"),
        ("Infinity", "digits are expected"),
        ("1" * 17, "digits are expected"),
        ("funded", "digits are expected"),
    ],
)
def test_an_amount_that_is_not_exact_digits_says_why(given: str, said: str) -> None:
    errors = checked(amount_usd=given)
    assert named(errors) == [("invalid_value", "/requirements/5/amount_usd")]
    assert said in errors[0].detail


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        ("0", "0.00"),
        ("0.1", "0.10"),
        ("2500000.5", "2500000.50"),
        ("0.01", "0.01"),
        ("9999999999999999.99", "9999999999999999.99"),
        ("007", "7.00"),
    ],
)
def test_an_amount_is_exact(given: str, exact: str) -> None:
    assert (found := stated(right(amount_usd=given)).sum) and found.amount == exact


def test_a_code_of_a_long_list_is_suggested_without_the_list() -> None:
    places = {f"P-{n:03d}": Term(f"P-{n:03d}", str(n)) for n in range(100)}
    long = not_in("requirements", 2, "place_code", "P-07", places)
    assert (long.allowed, str(long.suggestion)[:3]) == (None, "P-0")
    short = not_in("requirements", 2, "region_code", "xyz", VOCABULARY.terms["region"])
    assert (short.allowed, short.suggestion) == (["north", "south"], None)
    assert "north, south" in short.detail


def test_what_cannot_be_read_of_a_row_does_not_hide_the_rest() -> None:
    unread = cell_error("requirements", 5, "amount_usd", "not_text_or_number", "a formula")
    cells = {name: cell for name, cell in ROW.items() if name != "amount_usd"}
    row, errors = read_row(RequirementRow, RawRow(5, cells, (unread,)))
    assert row is None
    assert named(errors) == [("not_text_or_number", "/requirements/5/amount_usd")]
    _, errors = read_row(RequirementRow, RawRow(5, {**cells, "status": "requested"}, (unread,)))
    assert named(errors) == [
        ("not_text_or_number", "/requirements/5/amount_usd"),
        ("unknown_code", "/requirements/5/status"),
    ]
    # A required cell that could not be read is not said to be empty as well.
    unread = cell_error("requirements", 5, "code", "not_text_or_number", "a formula")
    without = {name: cell for name, cell in ROW.items() if name != "code"}
    # Nor is any cell of a row of which nothing could be read.
    for read in (without, {}):
        _, errors = read_row(RequirementRow, RawRow(5, read, (unread,)))
        assert named(errors) == [("not_text_or_number", "/requirements/5/code")]


def test_a_cell_of_another_form_is_refused_in_words() -> None:
    _, errors = read_row(RequirementRow, RawRow(5, {**ROW, "code": "a b", "country_code": "ken", "note": "\x07"}))
    assert [(error.pointer, error.detail.rpartition(": it takes ")[2]) for error in errors] == [
        ("/requirements/5/code", in_words(CODE_PATTERN)),
        ("/requirements/5/country_code", in_words(COUNTRY_PATTERN)),
        (
            "/requirements/5/note",
            "text in one line that shows something, without characters that nobody sees; character 1 is U+0007 a"
            " control character",
        ),
    ]


def test_the_guide_names_every_column_and_what_it_takes() -> None:
    guide = list(template.TEMPLATE.guide())
    assert [(table, column) for table, column, *_ in guide] == [
        (table, column) for table in TABLES for column in template.TEMPLATE.columns(table)
    ]
    takes = {(table, column): (required, holds) for table, column, required, holds in guide}
    assert takes["requirements", "status"][0] == "yes"
    assert takes["requirements", "status"][1].endswith(": required, funded, missing_in_source")
    assert takes["requirements", "confidence"][0] == "no"
    assert takes["initiatives", "precision"][1].endswith(": exact, rounded")
    assert all(holds and "None" not in holds for _, holds in takes.values())
    for table in TABLES:
        assert template.TEMPLATE.header(table).removesuffix("\n").split(",") == template.TEMPLATE.columns(table)
        assert set(template.TEMPLATE.table(table).required) == {
            c for t, c, required, _ in guide if (t, required) == (table, "yes")
        }


TOTAL = {
    "edition": "ED-1", "division": "place", "region_code": "south", "value": "KEN", "unit": "USD", "printed": "5.00",
    "as_printed": "5", "source_document": "document-1",
}  # fmt: skip
INITIATIVE = {
    "code": "ED-1-fund", "edition": "ED-1", "kind": "fund", "section": "Funds", "name": "A fund", "amount": "5.00",
    "currency": "EUR", "source_document": "document-1",
}  # fmt: skip
PARTNER = {
    "code": "ED-1-partner", "edition": "ED-1", "as_printed": "Kenya, Republic of", "name": "Kenya", "kind": "state",
    "country_code": "KEN", "source_document": "document-1", "source_line": "7",
}  # fmt: skip
FIGURE = {
    "code": "ED-1-figure", "edition": "ED-1", "measure": "budget", "subject": "A budget", "value": "5", "unit": "money",
    "currency": "USD", "qualifier": "exact", "stage": "budget", "as_printed": "USD 5", "source_document": "document-1",
    "source_line": "7",
}  # fmt: skip
FRAMEWORK = {
    "code": "ED-1-framework", "edition": "ED-1", "region_code": "south", "kind": "strategy", "title": "A strategy",
    "title_as_printed": "STRATEGY", "period_from": "2014", "period_to": "2016", "source_document": "document-1",
}  # fmt: skip
ITEM = {
    "code": "ED-1-framework.1", "edition": "ED-1", "framework": "ED-1-framework", "number": "1", "level": "goal",
    "text": "A goal", "source_document": "document-1", "source_line": "7",
}  # fmt: skip
OFFICE = {"code": "ED-1-office", "edition": "ED-1", "name": "An office", "source_document": "document-1"}
GROUP = {
    "code": "ED-1-group", "edition": "ED-1", "kind": "other", "name": "A group", "source_document": "document-1",
}  # fmt: skip
ACRONYM = {
    "code": "ED-1-AG", "edition": "ED-1", "acronym": "AG", "expansion": "A group", "source_document": "document-1",
}  # fmt: skip


def errors_of(
    totals: list[dict[str, str | None]] | None = None,
    initiatives: list[dict[str, str | None]] | None = None,
    partners: list[dict[str, str | None]] | None = None,
    figures: list[dict[str, str | None]] | None = None,
    frameworks: list[dict[str, str | None]] | None = None,
    items: list[dict[str, str | None]] | None = None,
    offices: list[dict[str, str | None]] | None = None,
    groups: list[dict[str, str | None]] | None = None,
    acronyms: list[dict[str, str | None]] | None = None,
    vocabulary: Vocabulary = VOCABULARY,
) -> list[tuple[str, str | None]]:
    """What is wrong with these small tables, each row that of the table above with other cells; the first is row 2."""

    def rows(
        model: type[rules.AnyRow], base: dict[str, str], changes: list[dict[str, str | None]]
    ) -> list[tuple[int, rules.AnyRow]]:
        return [
            (n, model.model_validate({name: cell for name, cell in {**base, **cells}.items() if cell is not None}))
            for n, cells in enumerate(changes, 2)
        ]

    tables = SmallTables(
        edition=[],
        vocabulary=[],
        printed_totals=rows(template.PrintedTotalRow, TOTAL, totals or []),
        initiatives=rows(template.InitiativeRow, INITIATIVE, initiatives or []),
        partners=rows(template.PartnerRow, PARTNER, partners or []),
        figures=rows(template.FigureRow, FIGURE, figures or []),
        frameworks=rows(template.FrameworkRow, FRAMEWORK, frameworks or []),
        framework_items=rows(template.FrameworkItemRow, ITEM, items or []),
        offices=rows(template.OfficeRow, OFFICE, offices or []),
        groups=rows(template.GroupRow, GROUP, groups or []),
        acronyms=rows(template.AcronymRow, ACRONYM, acronyms or []),
    )
    return named(rules.small_table_errors(tables, vocabulary))


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({}, []),
        ({"code": "ED-1.place.south.KEN"}, []),
        ({"division": "edition", "value": "ED-1", "region_code": None}, []),
        ({"unit": "per_cent", "code": "ED-1.place.south.KEN.share"}, []),
        ({"edition": "ED-2"}, [("does_not_match", "edition")]),
        ({"value": "KEM"}, [("unknown_code", "value")]),
        ({"division": "edition", "region_code": None}, [("unknown_code", "value")]),
        ({"region_code": "soth"}, [("unknown_code", "region_code")]),
        ({"division": "region", "value": "south"}, [("not_applicable", "region_code")]),
        ({"source_document": "document-l"}, [("unknown_code", "source_document")]),
        ({"source_line": "9", "repeated_line": "7"}, []),
        ({"source_line": "9", "repeated_line": "9"}, [("invalid_value", "repeated_line")]),
        ({"repeated_line": "9"}, [("not_applicable", "repeated_line")]),
        ({"unit": "per_cent", "printed": None}, [("empty_cell", "printed")]),
        ({"unit": "per_cent", "printed": "1000"}, [("invalid_value", "printed")]),
        ({"code": "ED-1.place.KEN"}, [("does_not_match", "code")]),
        ({"edition": "E" * 60}, [("does_not_match", "edition"), ("invalid_value", "value")]),
    ],
)
def test_every_wrong_cell_of_a_printed_total_is_named(
    cells: dict[str, str | None], found: list[tuple[str, str]]
) -> None:
    assert errors_of(totals=[cells]) == [(code, f"/printed-totals/2/{column}") for code, column in found]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({}, []),
        ({"amount": None, "currency": None}, []),
        ({"edition": "ED-2"}, [("does_not_match", "edition")]),
        ({"currency": None}, [("empty_cell", "currency")]),
        ({"amount": None}, [("empty_cell", "currency")]),
        ({"overall_amount": "1"}, [("empty_cell", "overall_currency")]),
        ({"area_code": "health", "area_line": "9", "countries": "KEN:7|UGA", "partners": "UN: a part:8"}, []),
        ({"area_code": "helth"}, [("unknown_code", "area_code")]),
        ({"area_line": "9"}, [("not_applicable", "area_line")]),
        ({"countries": "KEN:7|UGA|KEN:8"}, [("repeated_code", "countries")]),
        ({"partners": "WHO|WHO:9"}, [("repeated_code", "partners")]),
    ],
)
def test_every_wrong_cell_of_an_initiative_is_named(cells: dict[str, str | None], found: list[tuple[str, str]]) -> None:
    assert errors_of(initiatives=[cells]) == [(code, f"/initiatives/2/{column}") for code, column in found]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({}, []),
        ({"kind_as_printed": "Republic", "source_last_line": "8"}, []),
        ({"kind": "academia", "country_code": None, "source_line": None}, []),
        ({"contributor_code": "KEN", "organization_code": "IOM"}, []),
        ({"edition": "ED-2"}, [("does_not_match", "edition")]),
        ({"country_code": None}, [("empty_cell", "country_code")]),
        ({"kind": "territory", "country_code": None}, [("empty_cell", "country_code")]),
        ({"kind": "foundation"}, [("not_applicable", "country_code")]),
        ({"kind_as_printed": "Kingdom"}, [("does_not_match", "kind_as_printed")]),
        ({"contributor_code": "KNE"}, [("unknown_code", "contributor_code")]),
        ({"contributor_code": "NOR"}, [("does_not_match", "contributor_code")]),
        ({"organization_code": "OIM"}, [("unknown_code", "organization_code")]),
        ({"source_document": "document-l"}, [("unknown_code", "source_document")]),
        ({"source_last_line": "7"}, [("invalid_value", "source_last_line")]),
    ],
)
def test_every_wrong_cell_of_a_partner_is_named(cells: dict[str, str | None], found: list[tuple[str, str]]) -> None:
    known = replace(VOCABULARY, contributors={"KEN": "KEN", "NOR": "NOR"}, organizations=frozenset({"IOM"}))
    assert errors_of(partners=[cells], vocabulary=known) == [(code, f"/partners/2/{column}") for code, column in found]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({}, []),
        ({"value_to": "5.5", "year_from": "2013", "source_last_line": "8"}, []),
        ({"region_code": "south", "area_code": "health", "countries": "KEN|NOR", "scope": "region"}, []),
        ({"value": None, "qualifier": None, "as_printed": "-"}, []),
        ({"unit": "person", "currency": None, "stage": None, "year_from": "2013", "year_to": "2013"}, []),
        ({"stated_source": "UNHCR", "stated_source_line": "9"}, []),
        ({"edition": "ED-2"}, [("does_not_match", "edition")]),
        ({"region_code": "suoth"}, [("unknown_code", "region_code")]),
        ({"area_code": "helth"}, [("unknown_code", "area_code")]),
        ({"countries": "KEN|KEN"}, [("repeated_code", "countries")]),
        ({"value": None}, [("empty_cell", "qualifier")]),
        ({"qualifier": None}, [("empty_cell", "qualifier")]),
        ({"value_to": "5.0"}, [("invalid_value", "value_to")]),
        ({"currency": None}, [("empty_cell", "currency")]),
        ({"stage": None}, [("empty_cell", "stage")]),
        ({"unit": "person", "stage": None}, [("not_applicable", "currency")]),
        ({"year_to": "2013"}, [("invalid_value", "year_to")]),
        ({"year_from": "2013", "year_to": "2012"}, [("invalid_value", "year_to")]),
        ({"stated_source": "UNHCR"}, [("empty_cell", "stated_source_line")]),
        ({"stated_source_line": "9"}, [("not_applicable", "stated_source_line")]),
        ({"source_document": "document-l"}, [("unknown_code", "source_document")]),
        ({"source_last_line": "7"}, [("invalid_value", "source_last_line")]),
    ],
)
def test_every_wrong_cell_of_a_figure_is_named(cells: dict[str, str | None], found: list[tuple[str, str]]) -> None:
    assert errors_of(figures=[cells]) == [(code, f"/figures/2/{column}") for code, column in found]


def test_codes_of_contributors_and_organizations_are_taken_where_none_is_known() -> None:
    assert errors_of(partners=[{"contributor_code": "NOR", "organization_code": "IOM"}]) == []


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({}, []),
        ({"region_code": None, "period_from": None, "period_to": None}, []),
        ({"edition": "ED-2"}, [("does_not_match", "edition")]),
        ({"region_code": "soutH"}, [("unknown_code", "region_code")]),
        ({"period_to": None}, [("empty_cell", "period_to")]),
        ({"period_to": "2013"}, [("invalid_value", "period_to")]),
        (
            {"period_from": None, "period_to": None, "period_as_printed": "2014", "period_line": "7"},
            [("not_applicable", "period_as_printed"), ("not_applicable", "period_line")],
        ),
        ({"source_document": "document-l"}, [("unknown_code", "source_document")]),
        ({"source_line": "7", "source_last_line": "7"}, [("invalid_value", "source_last_line")]),
    ],
)
def test_every_wrong_cell_of_a_framework_is_named(cells: dict[str, str | None], found: list[tuple[str, str]]) -> None:
    assert errors_of(frameworks=[cells]) == [(code, f"/frameworks/2/{column}") for code, column in found]


def numbered(number: str, parent: str | None = None, **cells: str | None) -> dict[str, str | None]:
    return {"code": f"ED-1-framework.{number}", "number": number, "parent": parent, **cells}


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([numbered("1"), numbered("1.1", "1"), numbered("1.1.1", "1.1")], []),
        # A parent may stand behind what is below it.
        ([numbered("1.1", "1"), numbered("1", text=None, title="A title")], []),
        ([numbered("1", text=None)], [("empty_cell", "2/text")]),
        ([numbered("1", framework="ED-1-framwork")], [("unknown_code", "2/framework")]),
        ([numbered("1"), numbered("2", "1.1")], [("unknown_code", "3/parent")]),
        ([numbered("1", "1")], [("does_not_match", "2/parent")]),
        (
            [numbered("1", "3"), numbered("2", "1"), numbered("3", "2"), numbered("4", "3")],
            [("does_not_match", f"{n}/parent") for n in (2, 3, 4)],
        ),
        ([numbered("1"), numbered("1", code="ED-1-framework.one")], [("repeated_row", "3/number")]),
        ([numbered("1", source_last_line="6")], [("invalid_value", "2/source_last_line")]),
    ],
)
def test_the_items_of_a_framework_are_a_tree(items: list[dict[str, str | None]], found: list[tuple[str, str]]) -> None:
    known = replace(VOCABULARY, frameworks=frozenset({"ED-1-framework"}))
    assert errors_of(items=items, vocabulary=known) == [(code, f"/framework-items/{at}") for code, at in found]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"covers": "KEN:7|UGA"}, []),
        ({"region_code": "south", "covers": "KEN:7"}, []),
        ({"region_code": "south", "covers": "KEN:7|UGA"}, [("does_not_match", "covers")]),
        ({"member_states": "KEN:7|KEN:8"}, [("repeated_code", "member_states")]),
        ({"region_code": "sooth"}, [("unknown_code", "region_code")]),
        ({"source_last_line": "6"}, [("invalid_value", "source_last_line")]),
    ],
)
def test_every_wrong_cell_of_an_office_is_named(cells: dict[str, str | None], found: list[tuple[str, str]]) -> None:
    region = Term("south", "The South", covers=frozenset({"KEN"}))
    known = replace(VOCABULARY, terms={**VOCABULARY.terms, "region": {"south": region}})
    assert errors_of(offices=[cells], vocabulary=known) == [(code, f"/offices/2/{column}") for code, column in found]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"members": "KEN:7|UGA", "observers": "TZA", "members_stated": "8"}, []),
        ({"members": "KEN:7|UGA", "members_stated": "1"}, [("does_not_match", "members_stated")]),
        ({"observers": "KEN:7|UGA|KEN:7"}, [("repeated_code", "observers")]),
        ({"edition": "ED-2"}, [("does_not_match", "edition")]),
    ],
)
def test_every_wrong_cell_of_a_group_is_named(cells: dict[str, str | None], found: list[tuple[str, str]]) -> None:
    assert errors_of(groups=[cells]) == [(code, f"/groups/2/{column}") for code, column in found]


def test_every_wrong_cell_of_an_acronym_is_named() -> None:
    cells: dict[str, str | None] = {"region_code": "sooth", "source_document": "document-l"}
    assert errors_of(acronyms=[cells]) == [
        ("unknown_code", "/acronyms/2/region_code"),
        ("unknown_code", "/acronyms/2/source_document"),
    ]


def test_rows_whose_code_is_there_already_are_named_after_all_others() -> None:
    assert errors_of(
        totals=[{}, {"value": "RP-south"}, {}, {}],
        initiatives=[{}, {}, {"currency": None}],
        partners=[{}, {}],
        figures=[{}, {}],
        frameworks=[{}, {}],
        offices=[{}, {}],
        groups=[{}, {}],
        acronyms=[{}, {}],
    ) == [
        ("empty_cell", "/initiatives/4/currency"),
        ("repeated_row", "/printed-totals/4/code"),
        ("repeated_row", "/printed-totals/5/code"),
        ("repeated_row", "/initiatives/3/code"),
        ("repeated_row", "/initiatives/4/code"),
        *(
            ("repeated_row", f"/{name}/3/code")
            for name in ("partners", "figures", "frameworks", "offices", "groups", "acronyms")
        ),
    ]


def test_a_code_made_of_long_ones_is_cut_to_what_a_code_may_be() -> None:
    row = template.PrintedTotalRow.model_validate({**TOTAL, "edition": "E" * 58})
    assert rules.printed_total_code(row) == "E" * 58 + ".place"


ANY = st.text(max_size=40)
# Cells that are right by themselves, so that what is made of them is wrong, or right, as a whole.
LIKELY = st.sampled_from([
    *ROW.values(), "north", "The North", "RP-south", "border", "funded", "missing_in_source", "low", "TZA", "0.1", "-1",
    "1", "per_cent", "USD", "place", "area", "target_population", "2016", "fund", "rounded", "migrants|students|x",
])  # fmt: skip


@given(st.sampled_from(TABLES), st.data())
def test_no_cell_makes_a_row_fail_otherwise_than_by_errors(table: TableName, data: st.DataObject) -> None:
    columns = template.TEMPLATE.columns(table)
    cells = data.draw(st.dictionaries(st.sampled_from(columns), st.one_of(ANY, LIKELY)))
    row, errors = read_row(template.ROWS[table], RawRow(9, {name: cell for name, cell in cells.items() if cell}))
    assert (row is None) == bool(errors)
    for error in errors:
        prefix, number, column = str(error.pointer).strip("/").split("/")
        assert (prefix, number) == (table, "9") and column in columns


@given(st.dictionaries(st.sampled_from(template.TEMPLATE.columns("requirements")), st.one_of(ANY, LIKELY, st.none())))
def test_whatever_passes_fits_what_readers_get(cells: dict[str, str | None]) -> None:
    if not checked(**cells):
        requirement = stated(right(**cells))
        assert (requirement.sum is None) == (requirement.status != "required")
        assert requirement.sources[0].line or requirement.sources[0].locator
        assert requirement.place.code in VOCABULARY.terms["place"]
