"""Programmes of the past, imported with the days of their statuses: the pipeline on any day is what they say."""

from __future__ import annotations

import calendar
import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import openpyxl
import pytest

from mmptf_catalog.imports.template import STATUSES, TEMPLATE
from mmptf_common.writes.bodies import CSV, XLSX
from tests.conftest import running_app
from tests.integration.programmes_client import AGENCY, API, FUND, PROGRAMMES, errors, refused
from tests.tokens import writing

IMPORTS, COLUMNS = f"{API}/imports", TEMPLATE.columns("programmes")
HISTORIES = (
    ("concept_note", "not_selected"),
    ("concept_note", "withdrawn"),
    ("concept_note", "pipeline"),
    ("concept_note", "pipeline", "not_selected"),
    ("concept_note", "withdrawn", "concept_note", "pipeline"),
    ("concept_note", "pipeline", "approved", "implementation"),
    ("concept_note", "pipeline", "approved", "implementation", "suspended", "implementation"),
    ("pipeline", "approved", "implementation", "operationally_closed", "financially_closed"),
    ("pipeline", "approved", "cancelled", "financially_closed"),
)
Row = dict[str, str]
History = list[tuple[str, date]]


def made_up(count: int) -> list[tuple[Row, History]]:
    """Proposals of 2019 to 2026, the same in every run, each with its row and its statuses in order."""
    draw = random.Random(2019)
    first, last = date(2019, 1, 1), date(2026, 6, 30)
    found = []
    for n in range(count):
        statuses = draw.choice(HISTORIES)
        days = sorted(first + timedelta(draw.randrange((last - first).days)) for _ in statuses)
        if n == 0:
            # Two statuses of one day: the later one of the procedure is that of the day.
            days[1] = days[0]
            days.sort()
        history = list(zip(statuses, days, strict=True))
        row = {
            "code": f"PAST-{n:03}",
            "title": f"Proposal {n}",
            "places": draw.choice(["KEN", "KEN|UGA", "PER", ""]),
            "organizations": draw.choice(["IOM", "IOM|ILO", ""]),
            "budget_usd": draw.choice(["", f"{draw.randrange(1, 300_000_000) / 100:.2f}"]),
            "source": "A register that is made up",
        }
        for status, day in history:
            row[status] = "|".join(filter(None, (row.get(status), day.isoformat())))
        found.append((row, history))
    return found


def as_csv(rows: Sequence[Row]) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def as_workbook(rows: Sequence[Row]) -> bytes:
    """The template with the rows; single days are those of a spreadsheet."""
    book = openpyxl.load_workbook(io.BytesIO(TEMPLATE.workbook()))
    for row in rows:
        book["programmes"].append([_typed(name, row.get(name)) for name in COLUMNS])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _typed(name: str, cell: str | None) -> Any:
    if cell and name in STATUSES and len(cell) == 10:
        return date.fromisoformat(cell)
    return cell or None


async def send(
    client: httpx.AsyncClient, content: bytes, media: str = CSV, query: str = "", who: Any = FUND
) -> httpx.Response:
    return await client.post(
        f"{IMPORTS}{query}", content=content, headers={**writing(*who), "Content-Type": media}, timeout=60
    )


async def counted(client: httpx.AsyncClient, day: date) -> Counter[str]:
    answer = (await client.get(f"{API}/pipeline?on={day}")).json()
    return Counter({each["status"]: each["programmes"] for each in answer["statuses"]})


def ends_of_months() -> list[date]:
    return [date(y, m, calendar.monthrange(y, m)[1]) for y in range(2019, 2027) for m in range(1, 13)]


def on_day(before: Counter[str], proposals: Sequence[tuple[Row, History]], day: date) -> Counter[str]:
    """The statuses on a day by a plain model; before: those of the programmes that were there already."""
    expected = Counter(before)
    for _, history in proposals:
        past = [status for status, since in history if since <= day]
        expected[past[-1] if past else "not_stated"] += 1
    return +expected


@pytest.mark.longer
async def test_161_proposals_and_the_pipeline_on_every_day(new_database: Callable[[str], str]) -> None:
    proposals = made_up(161)
    # From the day before the first one on, up to today.
    first, days = date(2018, 12, 31), (datetime.now(UTC).date() - date(2018, 12, 31)).days
    every_day = [first + timedelta(n) for n in range(days + 1)]
    async with running_app("catalog", new_database("catalog"), None) as running:
        before = {day: await counted(running.client, day) for day in every_day}
        done = await send(running.client, as_csv([row for row, _ in proposals]))
        assert (done.status_code, done.json()["created"]) == (200, 161), done.text
        for day in every_day:
            assert +(await counted(running.client, day)) == on_day(before[day], proposals, day), day


async def test_161_proposals_and_the_pipeline_at_the_end_of_every_month(new_database: Callable[[str], str]) -> None:
    proposals = made_up(161)
    rows = [row for row, _ in proposals]
    budget = sum(round(float(row["budget_usd"]) * 100) for row in rows if row["budget_usd"])
    totals = f"?rows=161&budget={budget // 100}.{budget % 100:02}"
    before: dict[date, Counter[str]] = {}
    for content, media in ((as_csv(rows), CSV), (as_workbook(rows), XLSX)):
        async with running_app("catalog", new_database("catalog"), None) as running:
            client = running.client
            before = before or {day: await counted(client, day) for day in ends_of_months()}
            trial = await send(client, content, media, f"{totals}&dry_run=true")
            assert (trial.status_code, trial.json()["created"], trial.json()["revision"]) == (200, 161, None)
            assert await counted(client, max(before)) == before[max(before)]
            done = await send(client, content, media, totals)
            assert {**trial.json(), "dry_run": False, "revision": done.json()["revision"]} == done.json()
            for day in ends_of_months():
                assert +(await counted(client, day)) == on_day(before[day], proposals, day), day
            # Each row is one change of the journal, and a second import of the file changes nothing.
            changes = (await client.get(f"{API}/changes?entity=programme&limit=1000")).json()["items"]
            assert Counter(each["key"] for each in changes if each["key"].startswith("PAST-")) == Counter(
                row["code"] for row in rows
            )
            again = await send(client, content, media)
            assert (again.json()["unchanged"], again.json()["revision"]) == (161, done.json()["revision"])
            # By when it was written, nothing of it was there before.
            early = (await client.get(f"{API}/pipeline?on=2026-06-30&as_of={done.json()['revision'] - 161}")).json()
            assert early["programmes"] == before[date(2026, 6, 30)].total()


async def test_everything_that_is_wrong_is_said_by_row_and_column(client: httpx.AsyncClient) -> None:
    row = {"code": "PAST-1", "title": "A proposal", "concept_note": "2021-03-01"}
    assert refused(await send(client, as_csv([row]), who=AGENCY)) == (403, "forbidden")
    wrong = [
        {**row, "title": ""},
        {**row, "code": "past-1"},
        {**row, "code": "PAST-2", "concept_note": ""},
        {**row, "code": "PAST-3", "approved": "2021-04-01", "places": "KEN|KYA", "shares": "60"},
        {**row, "code": "PAST-4", "pipeline": "2099-01-01|2021-13-01", "lead_organization": "IOM"},
        {**row, "code": "PAST-5", "pipeline": "2099-01-01", "start": "2021-01-01"},
        {**row, "code": "PAST-6", "pipeline": "2021-06-01 SC-99"},
        {**row, "code": "eth-01"},
    ]
    answer = await send(client, as_csv(wrong))
    assert errors(answer) == [
        ("invalid_value", "/programmes/6/pipeline"),
        ("empty_cell", "/programmes/2/title"),
        ("repeated_row", "/programmes/3/code"),
        ("empty_cell", "/programmes/4/concept_note"),
        ("unknown_code", "/programmes/5/places"),
        ("shares_incomplete", "/programmes/5/shares"),
        ("shares_do_not_add_up", "/programmes/5/shares"),
        ("transition_not_allowed", "/programmes/5/approved"),
        ("empty_cell", "/programmes/7/end"),
        ("in_the_future", "/programmes/7/pipeline"),
        ("unknown_code", "/programmes/8/pipeline"),
        ("code_taken", "/programmes/9/code"),
    ]
    for query, parameter in (("?rows=2", "rows"), ("?budget=1.00", "budget")):
        totals = await send(client, as_csv([row]), query=query)
        assert [(e["code"], e["parameter"]) for e in totals.json()["errors"]] == [("total_does_not_match", parameter)]
    assert errors(await send(client, as_csv([]))) == [("nothing_to_import", None)]
    assert errors(await send(client, b"code,titel\n"))[0] == ("unknown_column", "/programmes/1/titel")
    assert (await send(client, b"{}", "application/json")).status_code == 415
    assert (await client.get(f"{PROGRAMMES}/PAST-1")).status_code == 404


async def test_a_programme_that_is_there_gets_its_true_days(client: httpx.AsyncClient) -> None:
    decided = {"code": "SC-2021-02-04", "number": "SC-2021-02/04", "date": "2021-06-15", "kind": "other", "text": "x"}
    sent = await client.post(f"{API}/decisions", json=decided, headers=writing(*FUND))
    assert sent.status_code == 201, sent.text
    stored = (await client.get(f"{PROGRAMMES}/ETH-01")).json()
    row = {
        "code": "ETH-01",
        "concept_note": "2020",
        "pipeline": "2020-11",
        "approved": "2021-06-15 SC-2021-02/04",
        "implementation": "2022-01-10 Steering Committee, by correspondence",
        "source": "Minutes",
    }
    early = {**row, "approved": "2021-06-14 SC-2021-02/04", "title": "Another", "budget_usd": "5.00"}
    assert errors(await send(client, as_csv([early]))) == [
        ("too_early", "/programmes/2/approved"),
        ("does_not_match", "/programmes/2/title"),
        ("does_not_match", "/programmes/2/budget_usd"),
    ]
    done = await send(client, as_csv([row]))
    assert (done.status_code, done.json()["amended"]) == (200, 1), done.text
    now = (await client.get(f"{PROGRAMMES}/ETH-01")).json()
    assert [(h["status"], h["date"], h["date_precision"], h["decision"]) for h in now["status_history"]] == [
        ("concept_note", "2020-01-01", "year", None),
        ("pipeline", "2020-11-01", "month", None),
        ("approved", "2021-06-15", "day", "SC-2021-02-04"),
        ("implementation", "2022-01-10", "day", "Steering Committee, by correspondence"),
    ]
    assert now["status_history"][0]["sources"][0]["note"] == "Minutes"
    assert {name for name in now if now[name] != stored[name]} <= {
        "status", "stage", "status_history", "gaps", "budget", "updated",
    }  # fmt: skip
    effects = (await client.get(f"{API}/decisions/SC-2021-02-04")).json()["effects"]
    assert {each["programme"] for each in effects} == {"ETH-01"}
    assert (await send(client, as_csv([row]))).json()["unchanged"] == 1
    # What is entered to the day stays; what is known better by now takes the place of what was known less well.
    fewer = {**row, "implementation": "2022-01-11"}
    assert errors(await send(client, as_csv([fewer]))) == [("row_left_out", "/programmes/2/implementation")]
    other = {**row, "approved": "2021-06-15 Steering Committee, 15 June"}
    assert errors(await send(client, as_csv([other]))) == [("does_not_match", "/programmes/2/approved")]
    better = {**row, "pipeline": "2020-11-17", "approved": "2021-06-15"}
    assert (await send(client, as_csv([better]))).json()["amended"] == 1
    assert len((await client.get(f"{API}/decisions/SC-2021-02-04")).json()["effects"]) == len(effects)


async def test_the_template_is_one_table_with_a_guide(client: httpx.AsyncClient) -> None:
    header = await client.get(f"{IMPORTS}/template")
    assert header.text == ",".join(COLUMNS) + "\n"
    book = openpyxl.load_workbook(io.BytesIO((await client.get(f"{IMPORTS}/template?format=xlsx")).content))
    assert book.sheetnames == ["guide", "programmes"]
    assert {row[1].value for row in book["guide"].iter_rows(min_row=2)} == set(COLUMNS)
