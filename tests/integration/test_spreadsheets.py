"""CSV for spreadsheets: stored texts that begin as a formula are defused there, and unchanged everywhere else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from mmptf_common.http.spreadsheets import MARK
from tests.conftest import running_app
from tests.integration.changes import write
from tests.tokens import writing

LIST = "/catalog/v1/programmes"
TITLE = '=HYPERLINK("https://example.org","x")'


async def test_a_stored_formula_is_defused_for_spreadsheets_alone(new_database: Callable[[str], str]) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        plain_before = (await running.client.get(LIST, params={"format": "csv"})).content
        await write(
            running,
            "UPDATE programme SET record = jsonb_set(record::jsonb, '{title}', to_jsonb($t$"
            + TITLE
            + "$t$::text))::json"
            " WHERE code = 'MKD-01'",
        )
        plain = await running.client.get(LIST, params={"format": "csv"})
        sheet = await running.client.get(LIST, params={"format": "csv-spreadsheet"})
        assert plain.content != plain_before
        assert sheet.headers["content-type"] == plain.headers["content-type"] == "text/csv; charset=utf-8"
        assert sheet.headers["content-disposition"].endswith('.csv"')
        assert sheet.headers["etag"] != plain.headers["etag"]
        tag = {"if-none-match": sheet.headers["etag"]}
        again = await running.client.get(LIST, params={"format": "csv-spreadsheet"}, headers=tag)
        assert again.status_code == 304
        assert sheet.content.startswith(MARK)
        assert not plain.content.startswith(MARK)
        rows = list(csv.DictReader(io.StringIO(plain.text)))
        defused = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
        titles = {row["code"]: row["title"] for row in rows}
        assert titles["MKD-01"] == TITLE
        assert {row["code"]: row["title"] for row in defused} == titles | {"MKD-01": f"'{TITLE}"}
        # Numbers, other texts and the order are the same.
        for one, other in zip(rows, defused, strict=True):
            assert {n: v for n, v in one.items() if n != "title"} == {n: v for n, v in other.items() if n != "title"}
        part = await running.client.get(f"{LIST}?format=csv-spreadsheet&fields=code,title&as_of=1")
        assert part.content == MARK + b"code,title\n" or part.content.startswith(MARK + b"code,title\n")


async def test_tables_of_groups_have_the_form_for_spreadsheets(new_database: Callable[[str], str]) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        path = "/catalog/v1/programmes/totals?by=country"
        plain = await running.client.get(path, params={"by": "country", "format": "csv"})
        sheet = await running.client.get(path, params={"by": "country", "format": "csv-spreadsheet"})
        assert sheet.content == MARK + plain.content
        assert sheet.headers["etag"] != plain.headers["etag"]
        assert sheet.headers["content-disposition"].endswith('.csv"')


async def test_a_write_that_begins_as_a_formula_names_its_member(new_database: Callable[[str], str]) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        answer = await running.client.post(
            "/catalog/v1/drafts", json={"title": "=1+1"}, headers=writing("agency", "IOM")
        )
        assert answer.status_code == 422
        (error,) = [e for e in answer.json()["errors"] if e["pointer"] == "/title"]
        assert error["code"] == "invalid_value"
        assert "a text that begins with = is a formula for spreadsheets" in error["detail"]
