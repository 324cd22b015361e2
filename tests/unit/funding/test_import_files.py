"""Files of an import: whatever stands in a CSV or a workbook is read as text or named by row and column."""

from __future__ import annotations

import io
import random
import re
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.chart import BarChart

from mmptf_common.wire.raw_rows import GUIDE, RawRow, ReadingError, UnreadableFile
from mmptf_common.writes import table_files as files
from mmptf_common.writes.table_files import csv_table, open_workbook
from mmptf_funding.imports import template
from mmptf_funding.imports.template import TABLES, TEMPLATE, TableName

HEADER = template.TEMPLATE.columns("edition")
ROW = ["ED-1", "An edition", "a publisher", "2015", "document-1", "USD", "", "", "", ""]
FILLED = {name: cell for name, cell in zip(HEADER, ROW, strict=True) if cell}
SHEET = "xl/worksheets/sheet1.xml"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def rows(text: str | bytes, table: TableName = "edition") -> list[RawRow]:
    return list(csv_table(TEMPLATE.table(table), table, io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def lines(*cells: Sequence[str], end: str = "\n") -> str:
    return end.join([",".join(HEADER), *(",".join(row) for row in cells), ""])


def refused(read: Callable[[], object]) -> list[ReadingError]:
    with pytest.raises(UnreadableFile) as caught:
        read()
    return caught.value.errors


def workbook(*cells: Sequence[Any], name: str = "edition", header: Sequence[Any] = HEADER) -> bytes:
    """A workbook of one sheet, as openpyxl writes it."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = name
    for row in (header, *cells):
        sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def sheet_rows(data: bytes, table: TableName = "edition") -> list[RawRow]:
    with open_workbook(TEMPLATE.of_workbook(), io.BytesIO(data)) as tables:
        return list(tables[table])


def with_parts(data: bytes, parts: Mapping[str, bytes | Callable[[bytes], bytes]]) -> bytes:
    """The same archive with other content in some of its parts."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys([*old.namelist(), *parts]):
            part = parts[name] if name in parts else old.read(name)
            new.writestr(name, part(old.read(name)) if callable(part) else part)
    return changed.getvalue()


def with_sheet(xml: str) -> bytes:
    return with_parts(workbook(ROW), {SHEET: xml.encode()})


def with_shared_strings(xml: str, cell: str = '<c r="{}" t="s"><v>0</v></c>') -> bytes:
    """The edition's row with texts kept apart from the sheet, as spreadsheet programs keep them."""
    part = (
        '<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument'
        '.spreadsheetml.sharedStrings+xml"/></Types>'
    )
    return with_parts(
        with_cell(cell),
        {
            "xl/sharedStrings.xml": xml.encode(),
            "[Content_Types].xml": lambda types: types.replace(b"</Types>", part.encode()),
        },
    )


def with_cell(xml: str, column: int = 3) -> bytes:
    """The edition's row with a cell written by hand in place of one of its own, by default the year."""
    letter = "ABCDEFGHIJ"[column]
    cells = [
        f'<c r="{"ABCDEFGHIJ"[n]}2" t="inlineStr"><is><t>{text}</t></is></c>'
        if n != column
        else xml.format(f"{letter}2")
        for n, text in enumerate(ROW)
    ]
    header = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in HEADER)
    made = f'<row r="1">{header}</row><row r="2">{"".join(cells)}</row>'
    return with_sheet(f"<worksheet {MAIN}><sheetData>{made}</sheetData></worksheet>")


def lying(data: bytes, name: str, size: int) -> bytes:
    """The archive with a part that says it unpacks to `size` bytes, and states the checksum of just these."""
    changed = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start, central = archive.getinfo(name).header_offset + 14, archive.start_dir
        with archive.open(name) as part:
            stated = struct.pack("<I", zlib.crc32(part.read(size)))
    while data[central + 46 : central + 46 + len(name)] != name.encode():
        central = data.index(b"PK\1\2", central + 4)
    for place in (start, central + 16):
        changed[place : place + 4] = stated
        changed[place + 8 : place + 12] = struct.pack("<I", size)
    return bytes(changed)


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    text = lines(ROW, ['"two\nlines"', *ROW[1:]], [""] * len(HEADER), ROW).replace("\nED-1", "\n\nED-1", 1)
    found = rows(text)
    # The blank line is row 2; a cell of two lines is one row; an empty row is none.
    assert [row.number for row in found] == [3, 4, 6]
    assert found[0] == RawRow(3, FILLED) and found[1].cells["code"] == "two\nlines"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_are_no_content(end: str, mark: str) -> None:
    assert rows(mark + lines(ROW, end=end)) == [RawRow(2, FILLED)]
    assert rows((mark + lines(ROW, end=end)).rstrip()) == [RawRow(2, FILLED)]


def test_columns_may_stand_in_any_order_and_the_others_may_be_left_out() -> None:
    assert rows("year,currency,document,name,code\n2015,USD,document-1,An edition,ED-1\n") == [
        RawRow(2, {name: FILLED[name] for name in ("year", "currency", "document", "name", "code")})
    ]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ([], [("missing_column", name, None) for name in template.TEMPLATE.table("edition").required]),
        (
            ["code", "name", "yaer", "document", "currency"],
            [("unknown_column", "yaer", "year"), ("missing_column", "year", None)],
        ),
        ([*HEADER, "amount"], [("unknown_column", "amount", None)]),
        ([*HEADER, "Note"], [("unknown_column", "Note", "note")]),
        ([*HEADER, ""], [("unknown_column", "(empty)", None)]),
        ([*HEADER, "code", "x", "x"], [("repeated_column", "code", None), ("unknown_column", "x", None)]),
    ],
)
def test_every_wrong_column_is_named(header: list[str], found: list[tuple[str, str, str | None]]) -> None:
    for errors in (
        refused(lambda: rows(",".join(header) + "\n" + ",".join(ROW) + "\n")),
        refused(lambda: sheet_rows(workbook(ROW, header=[*header, *[None] * 2]))) if header != [*HEADER, ""] else [],
    ):
        assert not errors or [(f.code, f.pointer, f.suggestion) for f in errors] == [
            (code, f"/edition/1/{column}", meant) for code, column, meant in found
        ]
        for error in errors:
            assert (error.allowed == HEADER) == (error.code == "unknown_column")
            assert error.suggestion is None or f"did you mean {error.suggestion}?" in error.detail


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_another_separator_is_named(separator: str, name: str) -> None:
    (error,) = refused(lambda: rows(separator.join(HEADER) + "\n"))
    assert error.code == "not_csv"
    assert f"separated by {name}; they have to be separated by commas" in error.detail


def test_a_header_without_end_is_one_error() -> None:
    (error,) = refused(lambda: rows("x," * 100_000 + "\n"))
    assert error.code == "file_too_large" and "code, name, publisher" in error.detail


def test_only_a_header_is_no_rows() -> None:
    assert rows(lines()) == []


def test_a_row_of_another_width_is_named_and_the_others_are_read() -> None:
    found = rows(lines(ROW, ROW[:3], [*ROW, "more"], ROW))
    assert [row.number for row in found] == [2, 3, 4, 5]
    assert [[(f.code, f.pointer) for f in row.errors] for row in found] == [
        [],
        [("wrong_number_of_cells", "/edition/3/year")],
        [("wrong_number_of_cells", "/edition/4/annotations")],
        [],
    ]
    assert "10 columns and this row 3 cells" in found[1].errors[0].detail


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (lines(ROW, ROW).encode() + b"ED-2,\xff\xfe,,2015,document-1,USD,\n", "not_utf8", "row 3"),
        (lines(ROW).encode("utf-16"), "not_utf8", "row 1"),
        (lines(ROW).encode() + b"\xe2\x82", "not_utf8", "row 3"),
        (lines(ROW, ['"ED-2', *ROW[1:]]).encode(), "not_csv", "row 3"),
        (lines(ROW, ['"ED"-2', *ROW[1:]]).encode(), "not_csv", "row 3"),
        (lines(ROW, ["x" * 200_000, *ROW[1:]]).encode(), "not_csv", "field limit"),
        (lines(ROW, ["x" * 5_000_000, *ROW[1:]]).encode(), "file_too_large", "1048576 bytes"),
        (b"x" * 5_000_000, "file_too_large", "1048576 bytes"),
    ],
)
def test_a_file_that_is_no_csv_of_utf8_is_refused_with_the_place(content: bytes, code: str, said: str) -> None:
    (error,) = refused(lambda: rows(content))
    assert error.code == code and error.detail.startswith("edition: ") and said in error.detail


def test_a_large_file_is_read_in_constant_memory() -> None:
    file = io.BytesIO(lines(*[ROW] * 60_000).encode())
    tracemalloc.start()
    try:
        assert sum(1 for _ in csv_table(TEMPLATE.table("edition"), "edition", file)) == 60_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000


def test_a_table_may_be_left_half_read_after_its_file_is_closed() -> None:
    file = io.BytesIO(lines(ROW, ROW).encode())
    table = csv_table(TEMPLATE.table("edition"), "edition", file)
    assert next(table).number == 2
    file.close()
    # Warnings are errors: a generator that fails when it is given up is one.
    del table


@given(st.binary(max_size=200), st.sampled_from([b"", lines().encode(), lines(ROW).encode(), b"\xef\xbb\xbf"]))
def test_no_bytes_make_a_csv_fail_otherwise_than_by_errors(content: bytes, before: bytes) -> None:
    try:
        found = rows(before + content)
    except UnreadableFile as problem:
        assert problem.errors
    else:
        assert all(row.cells or row.errors for row in found)


@given(st.lists(st.lists(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=12)), max_size=4))
def test_no_cells_make_a_csv_fail_otherwise_than_by_errors(cells: list[list[str]]) -> None:
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in cells]
    found = rows(lines(*quoted))
    wide = [row for row in cells if len(row) == len(HEADER) and any(row)]
    assert [row.cells for row in found if row.cells] == [
        {name: cell for name, cell in zip(HEADER, row, strict=True) if cell} for row in wide
    ]


@pytest.mark.parametrize("table", TABLES)
def test_the_template_is_a_workbook_of_all_tables_with_nothing_in_them(table: TableName) -> None:
    with open_workbook(TEMPLATE.of_workbook(), io.BytesIO(template.TEMPLATE.workbook())) as tables:
        assert list(tables) == list(TABLES)
        assert list(tables[table]) == []
    book = openpyxl.load_workbook(io.BytesIO(template.TEMPLATE.workbook()))
    assert book.sheetnames == [GUIDE, *TABLES]
    assert [cell.value for cell in book[table][1]] == template.TEMPLATE.columns(table)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (2500000.5, "2500000.5"),
        (2500000.0, "2500000"),
        (0.07, "0.07"),
        (1234567890123.45, "1234567890123.45"),
        (999999999999999, "999999999999999"),
        (-3, "-3"),
        (0, "0"),
        ("0.10", "0.10"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("=", "="),
        ("\u00e9\u2019", "\u00e9\u2019"),
    ],
)
def test_a_cell_is_the_text_a_csv_would_hold(value: object, text: str) -> None:
    (row,) = sheet_rows(workbook([*ROW[:3], value, *ROW[4:]]))
    assert (row.number, row.cells, row.errors) == (2, {**FILLED, "year": text}, ())


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("=1+1", "not_text_or_number"),
        ("=SUM(A1:A9)", "not_text_or_number"),
        ("#VALUE!", "not_text_or_number"),
        ("#REF!", "not_text_or_number"),
        ("#N/A", "not_text_or_number"),
        (date(2015, 1, 1), "not_text_or_number"),
        (timedelta(hours=1), "not_text_or_number"),
        (True, "not_text_or_number"),
        (False, "not_text_or_number"),
        (1234567890123456, "inexact_number"),
        (1e16, "inexact_number"),
        (1e300, "inexact_number"),
        (0.00001, "inexact_number"),
    ],
)
def test_a_cell_that_is_no_exact_text_or_number_is_a_error(value: object, code: str) -> None:
    (row,) = sheet_rows(workbook([*ROW[:3], value, *ROW[4:]]))
    assert row.cells == {name: cell for name, cell in FILLED.items() if name != "year"}
    assert [(f.code, f.pointer) for f in row.errors] == [(code, "/edition/2/year")]


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ('<c r="{}" t="e"><v>#DIV/0!</v></c>', "not_text_or_number"),
        ('<c r="{}" t="b"><v>1</v></c>', "not_text_or_number"),
        ('<c r="{}" t="d"><v>2015-01-01</v></c>', "not_text_or_number"),
        ('<c r="{}"><v>0.30000000000000004</v></c>', "inexact_number"),
        ('<c r="{}"><v>1e999</v></c>', "inexact_number"),
        ('<c r="{}"><v>' + "9" * 400 + "</v></c>", "inexact_number"),
        ('<c r="{}"><f>A1*2</f><v>2015</v></c>', "not_text_or_number"),
        ('<c r="{}"><f t="array" ref="D2">A1*2</f><v>2015</v></c>', "not_text_or_number"),
        ('<c r="{}" t="str"><f>"2015"</f><v>2015</v></c>', "not_text_or_number"),
        ('<c r="{}"><v>2015.0</v></c>', None),
        ('<c r="{}" t="str"><v>2015</v></c>', None),
        ('<c r="{}" t="n"><v>2015</v></c>', None),
        ('<c r="{}" t="inlineStr"><is><r><t>20</t></r><r><t>15</t></r></is></c>', None),
    ],
)
def test_cells_of_other_writers_are_read_or_named(xml: str, code: str | None) -> None:
    (row,) = sheet_rows(with_cell(xml))
    assert [f.code for f in row.errors] == ([code] if code else [])
    assert code or row.cells["year"] in ("2015", "2015.0")


@pytest.mark.parametrize(
    "xml",
    [
        '<c r="{}"><v>abc</v></c>',
        '<c r="{}"><v>' + "9" * 5000 + "</v></c>",
        '<c r="{}" t="s"><v>999</v></c>',
        '<c r="{}" t="s"><v>x</v></c>',
        '<c r="{}" s="x"><v>1</v></c>',
        '<c r="ZZZZ2"><v>1</v></c>',
        '<c r="2"><v>1</v></c>',
        '<c r="{}"><v>1</v>',
        '<c r="{}"><v>&unknown;</v></c>',
        '<c r="{}"><v>\x0b</v></c>',
    ],
)
def test_a_sheet_that_is_no_sheet_is_refused(xml: str) -> None:
    (error,) = refused(lambda: sheet_rows(with_cell(xml)))
    assert error.code == "not_a_workbook" and "\n" not in error.detail


def test_shared_texts_are_read_as_any_other() -> None:
    (row,) = sheet_rows(with_shared_strings(f"<sst {MAIN}><si><r><t>20</t></r><r><t>15</t></r></si></sst>"))
    assert row == RawRow(2, FILLED)
    # A text that looks like a formula is none.
    (row,) = sheet_rows(with_shared_strings(f"<sst {MAIN}><si><t>=1+1</t></si></sst>"))
    assert (row.cells["year"], row.errors) == ("=1+1", ())


@pytest.mark.parametrize("dimension", ["A1", "A1:A1", "C3:D4", "A1:ZZ100000", "nonsense"])
def test_the_size_that_a_sheet_states_is_not_trusted(dimension: str) -> None:
    data = with_parts(
        workbook(ROW, ROW),
        {SHEET: lambda xml: re.sub(rb'<dimension ref="[^"]*"', f'<dimension ref="{dimension}"'.encode(), xml)},
    )
    if dimension == "nonsense":
        assert [f.code for f in refused(lambda: sheet_rows(data))] == ["not_a_workbook"]
    else:
        assert [row.number for row in sheet_rows(data)] == [2, 3]


def test_a_cell_beyond_the_header_is_a_error() -> None:
    for gap in ([], [None], [None] * 40):
        (row,) = sheet_rows(workbook([*ROW, *gap, "more"]))
        assert [(f.code, f.pointer) for f in row.errors] == [("wrong_number_of_cells", "/edition/2/annotations")]
        errors = refused(lambda gap=gap: sheet_rows(workbook(ROW, header=[*HEADER, *gap, "remark"])))  # type: ignore[misc]
        assert ("unknown_column", "/edition/1/remark") in [(f.code, f.pointer) for f in errors]


def test_blank_rows_and_cells_at_the_end_are_nothing() -> None:
    found = sheet_rows(workbook(ROW, [], [None] * 10, ["", ""], ROW, [None]))
    assert [row.number for row in found] == [2, 6]
    assert sheet_rows(workbook(ROW, header=[*HEADER, None, None])) == [RawRow(2, FILLED)]


def test_a_row_far_down_is_refused_before_the_rows_between_are_made_up() -> None:
    header = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in HEADER)
    far = '<row r="2000000000"><c t="inlineStr"><is><t>ED-1</t></is></c></row>'
    data = with_sheet(f'<worksheet {MAIN}><sheetData><row r="1">{header}</row>{far}</sheetData></worksheet>')
    (error,) = refused(lambda: sheet_rows(data))
    assert error.code == "file_too_large" and "100000 rows" in error.detail


def test_sheets_that_are_no_table_are_refused_and_a_chart_is_no_sheet() -> None:
    (error,) = refused(lambda: sheet_rows(workbook(ROW, name="requirement")))
    assert (error.code, error.suggestion, error.allowed) == ("unknown_table", "requirements", list(TABLES))
    book = openpyxl.Workbook()
    book.create_chartsheet("requirements").add_chart(BarChart())
    del book["Sheet"]
    book.create_sheet("edition").append(HEADER)
    file = io.BytesIO()
    book.save(file)
    with open_workbook(TEMPLATE.of_workbook(), file) as tables:
        assert list(tables) == ["edition"]


def test_a_sheet_without_a_header_misses_its_columns() -> None:
    errors = refused(lambda: sheet_rows(workbook(header=[])))
    assert [(f.code, f.pointer) for f in errors] == [
        ("missing_column", f"/edition/1/{name}") for name in template.TEMPLATE.table("edition").required
    ]


def encrypted(data: bytes) -> bytes:
    changed = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start, central = archive.infolist()[0].header_offset, archive.start_dir
    changed[start + 6] |= 1
    changed[central + 8] |= 1
    return bytes(changed)


def packed(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("[Content_Types].xml", b" " * 100_000)
    return file.getvalue()


def with_part_twice() -> bytes:
    file = io.BytesIO(workbook(ROW))
    with zipfile.ZipFile(file, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(SHEET, b"<worksheet/>")
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        lines(ROW).encode(),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000,
        workbook(ROW)[:-1],
        workbook(ROW)[:3000],
        workbook(ROW)[100:],
        packed(zipfile.ZIP_STORED),
        packed(zipfile.ZIP_BZIP2),
        packed(zipfile.ZIP_LZMA),
        encrypted(workbook(ROW)),
        with_part_twice(),
        with_parts(workbook(ROW), {"xl/workbook.xml": b""}),
        with_parts(workbook(ROW), {"[Content_Types].xml": b"<Types/>"}),
        with_parts(workbook(ROW), {"xl/styles.xml": b"<styleSheet>"}),
        with_parts(workbook(ROW), {SHEET: b""}),
    ],
)
def test_what_is_no_workbook_is_refused_in_one_line(data: bytes) -> None:
    (error,) = refused(lambda: sheet_rows(data))
    assert error.code == "not_a_workbook" and "\n" not in error.detail


def test_what_unpacks_to_too_much_is_refused() -> None:
    bomb = with_parts(workbook(ROW), {SHEET: lambda xml: xml + b" " * files.MAX_UNPACKED})
    assert len(bomb) < 200_000
    (error,) = refused(lambda: sheet_rows(bomb))
    assert error.code == "file_too_large" and str(files.MAX_UNPACKED) in error.detail
    (error,) = refused(lambda: sheet_rows(b"PK\3\4" + b"\0" * files.MAX_WORKBOOK))
    assert error.code == "file_too_large" and str(files.MAX_WORKBOOK) in error.detail


def test_an_archive_that_understates_its_parts_unpacks_to_no_more_than_it_states() -> None:
    with zipfile.ZipFile(io.BytesIO(workbook(ROW))) as archive:
        size = archive.getinfo(SHEET).file_size
    large = {
        name: with_parts(workbook(ROW), {name: lambda xml: xml + b" " * files.MAX_UNPACKED})
        for name in (SHEET, "[Content_Types].xml")
    }
    sheet, types = lying(large[SHEET], SHEET, size), lying(large["[Content_Types].xml"], "[Content_Types].xml", 99)
    del large
    tracemalloc.start()
    try:
        assert sheet_rows(sheet) == [RawRow(2, FILLED)]
        assert [f.code for f in refused(lambda: sheet_rows(types))] == ["not_a_workbook"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha ha ha ha ha ha ha ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 20}">' for n in range(1, 10))
    + "]>"
)


@pytest.mark.parametrize("use", ["&a9;", "no laughing matter"])
def test_a_part_that_declares_entities_is_refused(use: str) -> None:
    row = f'<row><c t="inlineStr"><is><t>{use}</t></is></c></row>'
    for data in (
        with_sheet(f"{LAUGHS}<worksheet {MAIN}><sheetData>{row}</sheetData></worksheet>"),
        with_shared_strings(f"{LAUGHS}<sst {MAIN}><si><t>{use}</t></si></sst>"),
        with_parts(workbook(ROW), {"xl/workbook.xml": f"{LAUGHS}<workbook {MAIN}>{use}</workbook>".encode()}),
        with_parts(workbook(ROW), {"[Content_Types].xml": f"{LAUGHS}<Types>{use}</Types>".encode()}),
    ):
        (error,) = refused(lambda data=data: sheet_rows(data))  # type: ignore[misc]
        assert error.code == "not_a_workbook"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.integers(1, 12), st.booleans())
def test_no_damage_makes_a_workbook_fail_otherwise_than_by_errors(seed: int, bytes_changed: int, inside: bool) -> None:
    chance = random.Random(seed)

    def damaged(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(bytes_changed):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)

    whole = with_shared_strings(f"<sst {MAIN}><si><t>2015</t></si></sst>")
    part = chance.choice([SHEET, "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"])
    data = with_parts(whole, {part: damaged}) if inside else damaged(whole)
    try:
        with open_workbook(TEMPLATE.of_workbook(), io.BytesIO(data)) as tables, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [row for table in tables.values() for row in table]
    except UnreadableFile as problem:
        assert problem.errors
    else:
        assert all(row.cells or row.errors for row in found)
