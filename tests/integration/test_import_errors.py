"""Wrong files of editions: every error is reported with its row and column, and nothing is written."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from mmptf_common.writes.bodies import XLSX
from mmptf_funding.imports import routes, template
from tests.conftest import RunningApp
from tests.integration.editions import (
    MADE_UP,
    REQUIREMENTS,
    Edition,
    changed,
    csv_of,
    more,
    packaged,
    read_here,
    refusal,
    send,
    term,
    total,
    workbook_of,
)


@pytest.fixture(autouse=True, scope="module")
def without_a_process() -> Iterator[None]:
    """Files are read here, which takes less time; what is wrong in them is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "tables_of", read_here)
        yield


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"region_code": "eats"}, [("unknown_code", "region_code", "east"), ("does_not_match", "place_code", None)]),
        ({"place_code": "KEM", "place": ""}, [("unknown_code", "place_code", None)]),
        ({"place_code": "404", "place": ""}, [("unknown_code", "place_code", "KEN")]),
        ({"area_code": "healht"}, [("unknown_code", "area_code", "health")]),
        ({"target_populations": "migrants|student"}, [("unknown_code", "target_populations", "students")]),
        ({"region": "The East Side"}, [("does_not_match", "region", None)]),
        ({"place": "KENYA"}, [("does_not_match", "place", None)]),
        ({"area": "Health"}, [("does_not_match", "area", None)]),
        ({"region_code": "west"}, [("does_not_match", "place_code", None)]),
        ({"country_code": "UGA"}, [("does_not_match", "country_code", None)]),
        ({"source_document": "made-up-2061"}, [("unknown_code", "source_document", None)]),
        ({"source_document": "made_up_2016"}, [("unknown_code", "source_document", "made-up-2016")]),
        ({"amount_usd": "-1000000.50"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": "1000000.505"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": "1,000,000.50"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": "1.000.000"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": ""}, [("empty_cell", "amount_usd", None)]),
        ({"status": "funded"}, [("not_applicable", "amount_usd", None)]),
        ({"status": "missing_in_source"}, [("not_applicable", "amount_usd", None)]),
        ({"implied_amount_usd": "1.00"}, [("not_applicable", "implied_amount_usd", None)]),
        ({"code": "ME-2016-KEN-border"}, [("repeated_row", "code", None)]),
        ({"source_line": "13"}, [("repeated_row", "source_line", None)]),
        ({"source_line": ""}, [("empty_cell", "source_line", None)]),
        ({"edition": "MI-2015"}, [("does_not_match", "edition", None)]),
        ({"code": "MI-2015-AFG-assistance"}, [("code_taken", "code", None)]),
        ({"note": "a\x00b"}, [("invalid_value", "note", None)]),
    ],
)
async def test_a_wrong_row_is_refused(
    untouched: RunningApp, cells: dict[str, str], found: list[tuple[str, str, str | None]]
) -> None:
    # The last row, for of two equal rows the later one is reported.
    errors = await refusal(
        untouched, csv_of("requirements", [*MADE_UP["requirements"][1:], MADE_UP["requirements"][0] | cells])
    )
    assert [(e["code"], e["pointer"], e["suggestion"]) for e in errors] == [
        (code, f"/requirements/7/{column}", meant) for code, column, meant in found
    ]
    for error in errors:
        assert error["suggestion"] is None or error["suggestion"] in error["detail"].rpartition("; ")[2]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"", "missing_column", "/requirements/1/code"),
        (template.TEMPLATE.header("requirements").encode(), "nothing_to_import", None),
        (REQUIREMENTS.replace(b"status", b"statu", 1), "unknown_column", "/requirements/1/statu"),
        (REQUIREMENTS.replace(b",area,", b",area_code,", 1), "repeated_column", "/requirements/1/area_code"),
        (REQUIREMENTS.replace(b",12,", b",12", 1), "wrong_number_of_cells", "/requirements/3/funders_named"),
        (REQUIREMENTS.replace(b"Kenya", b"Ken\xffya", 1), "not_utf8", None),
        (REQUIREMENTS.decode().encode("utf-16"), "not_utf8", None),
        (REQUIREMENTS.replace(b"Kenya", b'"Kenya', 1), "not_csv", None),
        (REQUIREMENTS.replace(b"Kenya", b"K" * 3_000_000, 1), "file_too_large", None),
        (REQUIREMENTS.replace(b"Kenya", b"K" * 900_000, 1), "not_csv", None),
        (REQUIREMENTS.replace(b"ME-2016,", b"me-2016,"), "unknown_code", "/requirements/2/edition"),
        (REQUIREMENTS.replace(b"ME-2016,", b","), "nothing_to_import", None),
        (b"\x00" * 1000, "unknown_column", "/requirements/1/" + "\x00" * 64),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xff", "not_utf8", None),
    ],
)
async def test_a_wrong_file_is_refused(untouched: RunningApp, body: bytes, code: str, pointer: str | None) -> None:
    errors = await refusal(untouched, body)
    assert (errors[0]["code"], errors[0]["pointer"]) == (code, pointer)
    assert all("Traceback" not in error["detail"] and len(error["detail"]) < 1000 for error in errors)
    if code == "unknown_code":
        assert errors[0]["suggestion"] == "ME-2016"


async def test_rows_that_are_left_out_are_named(untouched: RunningApp) -> None:
    errors = await refusal(untouched, csv_of("requirements", MADE_UP["requirements"][2:]))
    assert [(e["code"], e["pointer"]) for e in errors] == [
        ("row_left_out", "/requirements/ME-2016-KEN-border"),
        ("row_left_out", "/requirements/ME-2016-KEN-health"),
    ]


async def test_a_row_that_is_wrong_is_not_taken_for_one_that_is_left_out(untouched: RunningApp) -> None:
    rows = changed("requirements", 1, amount_usd="-1")["requirements"]
    (error,) = await refusal(untouched, csv_of("requirements", rows))
    assert error["pointer"] == "/requirements/3/amount_usd"
    unreadable = csv_of("requirements", rows).replace(b"ME-2016-KEN-health,", b"", 1)
    assert [e["pointer"] for e in await refusal(untouched, unreadable)] == [
        "/requirements/2/funders_named",
        "/requirements/3/amount_usd",
    ]


@pytest.mark.parametrize(
    ("edition", "found"),
    [
        (
            {**MADE_UP, "edition": [*MADE_UP["edition"], {**MADE_UP["edition"][0], "code": "ME-2017"}]},
            [("several_editions", "/edition/3/code")],
        ),
        (changed("edition", 0, year="1815"), [("invalid_value", "/edition/2/year")]),
        (changed("edition", 0, currency="EUR"), [("unknown_code", "/edition/2/currency")]),
        (changed("vocabulary", 6, region_code="eats"), [("unknown_code", "/vocabulary/8/region_code")]),
        (changed("vocabulary", 8, region_code=""), [("unknown_code", "/vocabulary/10/region_code")]),
        (changed("vocabulary", 0, edition="MI-2015"), [("does_not_match", "/vocabulary/2/edition")]),
        (changed("vocabulary", 3, kind="aera"), [("unknown_code", "/vocabulary/5/kind")]),
        (more("vocabulary", MADE_UP["vocabulary"][2]), [("repeated_row", "/vocabulary/11/code")]),
        (changed("printed-totals", 0, value="KEM"), [("unknown_code", "/printed-totals/2/value")]),
        (changed("printed-totals", 3, region_code="esat"), [("unknown_code", "/printed-totals/5/region_code")]),
        (changed("printed-totals", 9, value="ME-2015"), [("unknown_code", "/printed-totals/11/value")]),
        (changed("printed-totals", 7, region_code="east"), [("not_applicable", "/printed-totals/9/region_code")]),
        (changed("printed-totals", 4, printed=""), [("empty_cell", "/printed-totals/6/printed")]),
        (changed("printed-totals", 4, printed="1234.5"), [("invalid_value", "/printed-totals/6/printed")]),
        (changed("printed-totals", 0, code="ME-2016.place.UGA"), [("does_not_match", "/printed-totals/2/code")]),
        (
            changed("printed-totals", 0, source_document="other"),
            [("unknown_code", "/printed-totals/2/source_document")],
        ),
        (more("printed-totals", MADE_UP["printed-totals"][1]), [("repeated_row", "/printed-totals/12/code")]),
        (changed("initiatives", 0, currency="EUX"), [("unknown_code", "/initiatives/2/currency")]),
        (
            changed("initiatives", 0, overall_amount="1", overall_currency="DEM"),
            [("unknown_code", "/initiatives/2/overall_currency")],
        ),
        (changed("initiatives", 0, currency=""), [("empty_cell", "/initiatives/2/currency")]),
        (changed("initiatives", 0, edition="MI-2015"), [("does_not_match", "/initiatives/2/edition")]),
        (changed("initiatives", 0, code="MI-2015-co-funding-01"), [("code_taken", "/initiatives/2/code")]),
        (more("initiatives", MADE_UP["initiatives"][0]), [("repeated_row", "/initiatives/3/code")]),
        (changed("initiatives", 0, countries="KEN:7|KNE:8"), [("invalid_value", "/initiatives/2/countries")]),
        (changed("initiatives", 0, partners="Somebody:"), [("invalid_value", "/initiatives/2/partners")]),
        (changed("initiatives", 0, area_code="halth"), [("unknown_code", "/initiatives/2/area_code")]),
        (changed("partners", 0, kind="sate"), [("unknown_code", "/partners/2/kind")]),
        (changed("partners", 0, contributor_code="DEU"), [("does_not_match", "/partners/2/contributor_code")]),
        (changed("partners", 1, contributor_code="UMCORR"), [("unknown_code", "/partners/3/contributor_code")]),
        (changed("partners", 1, code="MI-2015-partner-001"), [("code_taken", "/partners/3/code")]),
        (more("partners", MADE_UP["partners"][0]), [("repeated_row", "/partners/4/code")]),
        (changed("edition", 0, annotations="Amounts:2-1"), [("invalid_value", "/edition/2/annotations")]),
        (changed("printed-totals", 8, repeated_line="22"), [("invalid_value", "/printed-totals/10/repeated_line")]),
        (changed("figures", 0, measure="remitances"), [("unknown_code", "/figures/2/measure")]),
        (changed("figures", 0, value="46,5"), [("invalid_value", "/figures/2/value")]),
        (changed("figures", 0, year_to="2012"), [("invalid_value", "/figures/2/year_to")]),
        (changed("figures", 1, currency=""), [("empty_cell", "/figures/3/currency")]),
        (changed("figures", 1, code="MI-2015-figure-001"), [("code_taken", "/figures/3/code")]),
        (more("figures", MADE_UP["figures"][0]), [("repeated_row", "/figures/4/code")]),
        (changed("frameworks", 0, region_code="eats"), [("unknown_code", "/frameworks/2/region_code")]),
        (changed("frameworks", 1, code="MI-2015-framework-south-america"), [("code_taken", "/frameworks/3/code")]),
        (
            changed("framework-items", 2, framework="ME-2016-framework-al"),
            [("unknown_code", "/framework-items/4/framework")],
        ),
        (changed("framework-items", 1, parent="2"), [("unknown_code", "/framework-items/3/parent")]),
        (
            changed("framework-items", 0, parent="1.1"),
            [
                ("does_not_match", "/framework-items/2/parent"),
                ("does_not_match", "/framework-items/3/parent"),
            ],
        ),
        (changed("offices", 0, covers="KEN:50|UGA|TZA:51"), [("does_not_match", "/offices/2/covers")]),
        (changed("offices", 0, country_code="KENYA"), [("invalid_value", "/offices/2/country_code")]),
        (changed("groups", 0, members="KEN:60|KNE:61"), [("invalid_value", "/groups/2/members")]),
        (changed("acronyms", 0, source_document="other"), [("unknown_code", "/acronyms/2/source_document")]),
        (changed("acronyms", 0, code="MI-2015-acronym-southern-africa-CSO"), [("code_taken", "/acronyms/2/code")]),
    ],
)
async def test_a_wrong_row_of_the_other_tables_is_refused(
    untouched: RunningApp, edition: Edition, found: list[tuple[str, str]]
) -> None:
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    # What is wrong with the vocabulary makes the rows wrong that name it.
    consequence = re.compile(r"/requirements/\d+/place_code")
    errors = [e for e in errors if not (e["code"] == "does_not_match" and consequence.fullmatch(e["pointer"]))]
    assert [(e["code"], e["pointer"]) for e in errors] == found


async def test_codes_that_make_too_long_a_code_are_refused(untouched: RunningApp) -> None:
    long = "x" * 50
    edition = more("vocabulary", term("region", long, "Long"))
    edition["printed-totals"].append(total("area", "health", "", "funded", region_code=long))
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    assert [(e["code"], e["pointer"]) for e in errors] == [("invalid_value", "/printed-totals/12/value")]


async def test_a_share_of_nothing_is_a_difference(untouched: RunningApp) -> None:
    edition = more("vocabulary", term("region", "north", "The North"))
    share = total("area", "health", "5", "5%", region_code="north", unit="per_cent")
    edition["printed-totals"].append(share)
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    assert [(e["code"], e["pointer"]) for e in errors] == [
        ("total_does_not_match", "/printed-totals/ME-2016.area.north.health.share")
    ]


async def test_a_new_edition_needs_its_vocabulary(untouched: RunningApp) -> None:
    text = workbook_of({"edition": MADE_UP["edition"], "requirements": MADE_UP["requirements"]})
    new = {
        "edition": [{**MADE_UP["edition"][0], "code": "ME-2017"}],
        "requirements": [{**row, "edition": "ME-2017"} for row in MADE_UP["requirements"]],
    }
    errors = await refusal(untouched, workbook_of(new), XLSX)  # type: ignore[arg-type]
    assert {e["pointer"].rpartition("/")[2] for e in errors if e["code"] == "unknown_code"} == {
        "region_code", "place_code", "area_code", "target_populations",
    }  # fmt: skip
    # What is stored of a known edition need not be said again.
    answer = await send(untouched, text, XLSX, dry_run=True)
    assert answer.json()["tables"]["requirements"] == {"rows": 6, "created": 0, "amended": 0, "unchanged": 6}


async def test_a_total_that_does_not_match_is_refused_unless_a_note_explains_it(untouched: RunningApp) -> None:
    edition = changed("printed-totals", 0, printed="1500000.49", as_printed="1,500,000.49")
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    assert [(e["code"], e["pointer"]) for e in errors] == [
        ("total_does_not_match", "/printed-totals/ME-2016.place.KEN")
    ]
    assert "1,500,000.49" in errors[0]["detail"] and "1500000.50" in errors[0]["detail"]
    edition["printed-totals"][0]["note"] = "A misprint of one cent."
    answer = (await send(untouched, workbook_of(edition), XLSX, dry_run=True)).json()
    (figure,) = (f for f in answer["explained"] if f["printed"] == "ME-2016.place.KEN")
    assert (figure["difference"], figure["explanations"][0]["detail"]) == ("-0.01", "A misprint of one cent.")
    assert answer["agreement"]["different"] == 0
    # The rows that are not what they were do not add up to the totals that are stored either.
    rows = changed("requirements", 0, amount_usd="1000000.51")["requirements"]
    errors = await refusal(untouched, csv_of("requirements", rows))
    assert {e["pointer"].rpartition("/")[2] for e in errors} == {
        "ME-2016.place.KEN", "ME-2016.area.east.health", "ME-2016.area.health", "ME-2016.region.east",
        "ME-2016.edition.ME-2016",
    }  # fmt: skip


async def test_all_errors_of_a_file_are_named_at_once(untouched: RunningApp) -> None:
    rows = packaged()["requirements"]
    expected = []
    for number, row in enumerate(rows, start=2):
        if number % 2:
            row["area_code"] = "nothing"
            expected.append(("unknown_code", f"/requirements/{number}/area_code"))
        if number % 3 == 0:
            row["source_line"] = "-1"
            expected.append(("invalid_value", f"/requirements/{number}/source_line"))
            if number % 2:
                # A cell that is wrong by itself comes before what is wrong with the row.
                expected.pop(-2)
    errors = await refusal(untouched, csv_of("requirements", rows))
    assert [(e["code"], e["pointer"]) for e in errors] == expected
    assert len(expected) > 500


async def test_of_very_many_errors_the_first_are_listed_and_all_counted(untouched: RunningApp) -> None:
    row = MADE_UP["requirements"][0]
    rows = [{**row, "code": f"ME-2016-{n}", "source_line": str(n), "place_code": "KEM"} for n in range(1, 5001)]
    answer = (await send(untouched, csv_of("requirements", rows))).json()
    assert answer["detail"] == "5000 errors, of which the first 1000 are listed; nothing was written."
    assert [e["pointer"] for e in answer["errors"]] == [f"/requirements/{n}/place_code" for n in range(2, 1002)]
    # So are the errors that show only when all rows are there.
    same = [{**row, "code": f"ME-2016-{n}"} for n in range(1, 5001)]
    answer = (await send(untouched, csv_of("requirements", same))).json()
    assert answer["detail"] == "4999 errors, of which the first 1000 are listed; nothing was written."
    assert [e["pointer"] for e in answer["errors"]] == [f"/requirements/{n}/source_line" for n in range(3, 1003)]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        # The same code in another edition: a term of another name, a place of another country or of none.
        (term("area", "labour", "Hard labour"), ("code_taken", "'Labour Migration and Human Development'")),
        (term("target_population", "media", "Reporters"), ("code_taken", "'Media' in MI-2015")),
        (term("region", "asia-pacific", "Asia"), ("code_taken", "'Asia and the Pacific' in MI-2015")),
        (term("place", "BDI", "Burundi", region_code="east", country_code="RWA"), ("code_taken", "(BDI)")),
        (term("place", "BDI", "Burundi", region_code="east"), ("code_taken", "(BDI)")),
        # In another case, of another edition and of the same.
        (term("area", "LABOUR", "Labour Migration and Human Development"), ("code_taken", "labour of MI-2015")),
        (
            term("place", "Bdi", "Burundi", region_code="east", country_code="BDI"),
            ("code_taken", "BDI of MI-2015"),
        ),
        (term("target_population", "Students", "Students"), ("repeated_row", "row 7")),
        # The same meaning: the same name in another spelling, a country under a new name; another kind of term.
        (term("area", "labour", "Labour migration, and human development"), None),
        (term("place", "BDI", "Burundi, as it is called now", region_code="east", country_code="BDI"), None),
        (term("target_population", "labour", "Workers"), None),
    ],
)
async def test_terms_that_filters_would_mix_are_refused(
    untouched: RunningApp, added: dict[str, str], expected: tuple[str, str] | None
) -> None:
    text = workbook_of(more("vocabulary", added))
    if expected is None:
        answer = await send(untouched, text, XLSX, dry_run=True)
        assert answer.status_code == 200, answer.text
        return
    error, *others = await refusal(untouched, text, XLSX)
    assert (error["code"], error["pointer"]) == (expected[0], f"/vocabulary/{len(MADE_UP['vocabulary']) + 2}/code")
    # A code that the file has already in another case is stored in it, too.
    assert [(other["code"], other["pointer"]) for other in others] in ([], [("code_taken", error["pointer"])])
    assert expected[1] in error["detail"]


async def test_codes_that_differ_in_case_alone_are_refused(untouched: RunningApp) -> None:
    rows = more("requirements", {**MADE_UP["requirements"][0], "code": "me-2016-ken-health", "source_line": "99"})
    errors = await refusal(untouched, workbook_of(rows), XLSX)
    assert {(e["code"], e["pointer"]) for e in errors} == {
        ("repeated_row", f"/requirements/{len(MADE_UP['requirements']) + 2}/code"),
        ("code_taken", f"/requirements/{len(MADE_UP['requirements']) + 2}/code"),
    }
    answer = await send(untouched, workbook_of({"edition": changed("edition", 0, code="me-2016")["edition"]}), XLSX)
    assert [(e["code"], e["pointer"]) for e in answer.json()["errors"]] == [("code_taken", "/edition/2/code")]
