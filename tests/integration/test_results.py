"""The results framework: who may write indicators and values, what is refused, histories, and progress."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from mmptf_markers.results.schemas import EXAMPLE_INDICATOR, EXAMPLE_PROGRAMME_INDICATOR, EXAMPLE_VALUE
from tests.conftest import running_app
from tests.integration.assessments import NOBODYS, history
from tests.integration.marked import (
    ADMIN,
    API,
    FUND,
    ILO,
    INDICATOR,
    IOM,
    NUMBERS,
    OFFICIAL,
    OHCHR,
    WHO,
    Json,
    Markers,
    Who,
    errors,
    made,
    programme,
    refused,
)

INDICATORS, VALUES, PROGRESS = f"{API}/results-indicators", f"{API}/reported-values", f"{API}/results-progress"
TARGET = "human-rights-90"


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


async def describe(markers: Markers, who: Who | None = IOM, **members: Any) -> httpx.Response:
    """The answer to a new indicator, of a programme led by IOM with ILO unless it is said otherwise."""
    stated = {**EXAMPLE_PROGRAMME_INDICATOR, "code": f"people-{next(NUMBERS)}", "responsible_organization": None}
    return await markers.send("POST", INDICATORS, who, {**stated, **members})


async def described(markers: Markers, **members: Any) -> str:
    """The code of a new indicator of a new programme."""
    members = {"programme": await markers.copied(), **members}
    return str(made(await describe(markers, **members)).json()["code"])


async def report(markers: Markers, indicator: str, who: Who | None = IOM, /, **members: Any) -> httpx.Response:
    stated = {**EXAMPLE_VALUE, "attachment": None, "disaggregation": {}, "indicator": indicator}
    return await markers.send("POST", VALUES, who, {**stated, **members})


async def change(
    markers: Markers, value: httpx.Response, step: str, who: Who | None = IOM, /, **members: Any
) -> httpx.Response:
    """The answer to the correction or withdrawal of a reported value."""
    path = f"{VALUES}/{value.json()['code']}/{step}"
    return await markers.send("POST", path, who, {"reason": "As agreed.", **members}, match=value.headers["etag"])


async def progress(markers: Markers, code: str, **query: Any) -> Json:
    found = await markers.get(PROGRESS, code=code, **query)
    (one,) = found["indicators"]
    assert found["whole"] == found["groups"][0]["counts"]
    return {**one, "whole": found["whole"]}


async def test_an_indicator_of_a_programme_has_values_a_history_and_progress(marker_service: Markers) -> None:
    code = await marker_service.copied()
    sent = {**EXAMPLE_PROGRAMME_INDICATOR, "code": f"trained-{code}", "programme": code}
    indicator = made(await marker_service.send("POST", INDICATORS, ILO, sent))
    said = indicator.json()
    assert indicator.headers["location"] == f"{INDICATORS}/trained-{code}"
    assert (said["scope"], said["programme"], said["computed"], said["marker_target"]) == (
        "programme", code, False, None,
    )  # fmt: skip
    assert (said["targets"], said["baseline"]) == (sent["targets"], sent["baseline"])
    assert said["disaggregations"] == sent["disaggregations"]
    before = await progress(marker_service, said["code"])
    assert (before["value"], before["standing"], before["fraction"], before["values"]) == (None, "unreported", None, 0)
    assert before["whole"]["with_value"] == 0 and before["whole"]["share"]["numerator"] == "0"
    assert [target["value"] for target in before["unreported_targets"]] == ["300"]
    value = made(await marker_service.send("POST", VALUES, IOM, {**EXAMPLE_VALUE, "indicator": said["code"]}))
    reported = value.json()
    assert (reported["organization"], reported["programme"], reported["status"]) == ("IOM", code, "reported")
    assert reported["attachment"] == EXAMPLE_VALUE["attachment"]
    assert reported["disaggregation"] == EXAMPLE_VALUE["disaggregation"]
    await report(marker_service, said["code"], start="2023-01-01", end="2023-12-31", value="120")
    now = await progress(marker_service, said["code"])
    assert (now["value"], now["value_end"], now["values"]) == ("300", "2025-12-31", 2)
    assert now["fraction"] == {"numerator": "1", "denominator": "2", "decimal": "0.5000"}
    assert (now["next_target"], now["standing"]) == ({"value": "600", "due": "2027-12-31"}, "not_met")
    assert now["unreported_periods"] == [{"start": "2024-01-01", "end": "2024-12-31"}]
    assert (now["targets_due"], now["targets_due_unreported"]) == (1, 0)
    # A correction replaces the value; its history has both, and an answer of then the first one.
    then = await marker_service.revision()
    stated = {name: reported[name] for name in ("start", "end", "disaggregation", "source")}
    corrected = made(await change(marker_service, value, "correction", ILO, **{**stated, "value": "180"}), 200)
    assert corrected.json()["organization"] == "ILO"
    stated |= {
        "value": "700",
        "disaggregation": {"sex": {"women": "400", "not_stated": "300"}},
        "note": "Counted anew.",
    }
    corrected = made(await change(marker_service, corrected, "correction", ILO, **stated), 200)
    now = await progress(marker_service, said["code"])
    assert (now["value"], now["fraction"]["decimal"], now["standing"]) == ("820", "1.3666", "met")
    assert (await progress(marker_service, said["code"], as_of=then))["value"] == "300"
    first, second, third = await history(marker_service, f"{VALUES}/{reported['code']}")
    assert (first["action"], first["organization"]) == ("create", "IOM")
    assert (third["organization"], third["reason"]) == ("ILO", "As agreed.")
    assert {"value", "disaggregation", "note"} <= set(third["changed"]) and "value" not in second["changed"]
    assert third["before"]["value"] == "180"
    # What is withdrawn counts no longer, and its days are free again.
    withdrawn = made(await change(marker_service, corrected, "withdrawal", IOM), 200)
    assert withdrawn.json()["status"] == "withdrawn"
    assert (await progress(marker_service, said["code"]))["value"] == "120"
    again = await change(marker_service, withdrawn, "withdrawal", IOM)
    assert refused(again) == (409, "value_withdrawn")
    made(await report(marker_service, said["code"]))
    listed = await marker_service.get(VALUES, indicator=said["code"], status="withdrawn")
    assert [item["code"] for item in listed["items"]] == [reported["code"]]
    feed = await marker_service.get(f"{API}/changes", after=then, limit=1000)
    assert ("reported_value", reported["code"]) in {(each["entity"], each["key"]) for each in feed["items"]}


async def test_only_those_who_take_part_and_the_unit_write(marker_service: Markers) -> None:
    code = await marker_service.copied()
    for who, status in ((None, 401), (WHO, 403), (OHCHR, 403), (Who("agent"), 403), (IOM, 201), (ILO, 201), (FUND, 201),
                        (ADMIN, 201), (Who("reviewer", "IOM"), 403), (NOBODYS, 403)):  # fmt: skip
        answer = await describe(marker_service, who, programme=code)
        assert answer.status_code == status, (who, answer.text)
    refusal = await describe(marker_service, WHO, programme=code)
    assert "ILO, IOM, the Fund's management unit" in refusal.json()["detail"]
    for who, status in ((IOM, 403), (OHCHR, 403), (FUND, 201), (ADMIN, 201)):
        answer = await describe(marker_service, who, programme=None, disaggregations={})
        assert answer.status_code == status, (who, answer.text)
    of_fund = answer.json()
    assert (of_fund["scope"], of_fund["programme"]) == ("fund", None)
    indicator = await described(marker_service, programme=code)
    value = made(await report(marker_service, indicator))
    for who in (None, WHO, OHCHR):
        status = 401 if who is None else 403
        assert (
            await report(marker_service, indicator, who, start="2023-01-01", end="2023-12-31")
        ).status_code == status
        assert (await change(marker_service, value, "withdrawal", who)).status_code == status
        stated = {"end": "2025-12-31", "start": "2025-01-01", "value": "1", "source": "A report"}
        assert (await change(marker_service, value, "correction", who, **stated)).status_code == status
        sent = {"name": "Another", "reason": "As agreed."}
        answer = await marker_service.send("PATCH", f"{INDICATORS}/{indicator}", who, sent, match="*")
        assert answer.status_code == status
    assert refused(await report(marker_service, of_fund["code"], IOM)) == (403, "forbidden")
    by_unit = made(await report(marker_service, of_fund["code"], FUND)).json()
    assert (by_unit["organization"], by_unit["programme"]) == ("MMPTF-FMU", None)
    found = await marker_service.get(VALUES, programme="not_stated", organization="MMPTF-FMU")
    assert by_unit["code"] in {item["code"] for item in found["items"]}


async def test_who_reports_follows_a_settlement(marker_service: Markers) -> None:
    nobody = programme(lead_organization=None, organizations=[])
    await marker_service.copy(nobody)
    assert refused(await describe(marker_service, programme=nobody["code"])) == (403, "forbidden")
    settled = {"programme": nobody["code"], "organizations": ["WHO"], "reason": "As signed."}
    made(await marker_service.send("POST", f"{API}/assessors", FUND, settled))
    made(await describe(marker_service, WHO, programme=nobody["code"]))
    assert refused(await describe(marker_service, IOM, programme=nobody["code"])) == (403, "forbidden")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"code": "not_stated"}, [("reserved", "/code")]),
        ({"disaggregations": {"sex": ["women", "not_stated"]}}, [("reserved", "/disaggregations/sex/1")]),
        ({"disaggregations": {"sex": ["women", "women"]}}, [("repeated_code", "/disaggregations/sex/1")]),
        ({"disaggregations": {"sex": []}}, [("invalid_value", "/disaggregations/sex")]),
        ({"unit": "kilograms"}, [("unknown_code", "/unit")]),
        ({"unit": "per_cent"}, [("not_applicable", "/aggregation")]),
        ({"baseline": {"value": "1.5"}, "targets": [{"value": "-1", "due": "2026-12-31"}]},
         [("invalid_value", "/baseline/value"), ("invalid_value", "/targets/0/value")]),
        ({"targets": [{"value": "1", "due": "2026-12-31"}, {"value": "2", "due": "2026-12-31"}]},
         [("repeated_code", "/targets/1/due")]),
        ({"targets": [{"value": "1,000", "due": "2026-12-31"}]}, [("invalid_value", "/targets/0/value")]),
        ({"targets": [{"value": "1"}]}, [("missing_member", "/targets/0/due")]),
        ({"responsible_organization": "WHO"}, [("not_taking_part", "/responsible_organization")]),
        ({"programme": "NOBODY-KNOWS"}, [("unknown_code", "/programme")]),
        ({"computed": True}, [("unknown_member", "/computed")]),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_an_indicator_is_named(
    marker_service: Markers, members: Json, expected: list[tuple[str, str]]
) -> None:
    members = {"programme": await marker_service.copied(), **members}
    assert errors(await describe(marker_service, **members)) == expected


async def test_no_organization_reports_an_indicator_of_the_fund(marker_service: Markers) -> None:
    answer = await describe(marker_service, FUND, programme=None, responsible_organization="ILO")
    assert errors(answer) == [("not_applicable", "/responsible_organization")]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"value": "12.5"}, [("invalid_value", "/value")]),
        ({"value": "1e3"}, [("invalid_value", "/value")]),
        ({"value": 12}, [("invalid_type", "/value")]),
        ({"start": "2025-12-31", "end": "2025-01-01"}, [("invalid_range", "/end")]),
        ({"start": None}, [("missing_member", "/start")]),
        ({"end": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"}, [("in_the_future", "/end")]),
        ({"disaggregation": {"sex": {"women": "100"}}}, [("parts_do_not_add_up", "/disaggregation/sex")]),
        ({"disaggregation": {"sex": {"girls": "180"}}}, [("unknown_code", "/disaggregation/sex/girls")]),
        ({"disaggregation": {"status": {"regular": "180"}}}, [("unknown_code", "/disaggregation/status")]),
        ({"disaggregation": {"sex": {"women": "180"}, "age": {"15-17": "180.5"}}},
         [("invalid_value", "/disaggregation/age/15-17"), ("parts_do_not_add_up", "/disaggregation/age")]),
        ({"attachment": {"title": "A", "url": "http://docs.example.org", "sha256": "0"}},
         [("invalid_value", "/attachment/url"), ("invalid_value", "/attachment/sha256")]),
        ({"source": ""}, [("invalid_value", "/source")]),
        ({"indicator": "nothing-known"}, [("unknown_code", "/indicator")]),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_value_is_named(
    marker_service: Markers, members: Json, expected: list[tuple[str, str]]
) -> None:
    answer = await report(marker_service, await described(marker_service), **members)
    assert errors(answer) == expected
    assert all(error["detail"] for error in answer.json()["errors"])


async def test_days_of_another_value_are_refused(marker_service: Markers) -> None:
    code = await described(marker_service)
    first = made(await report(marker_service, code))
    for start, end in (("2025-12-31", "2026-01-31"), ("2024-06-01", "2025-01-01"), ("2024-01-01", "2026-01-31"),
                       ("2025-03-01", "2025-03-31")):  # fmt: skip
        answer = await report(marker_service, code, start=start, end=end)
        assert errors(answer) == [("period_overlaps", "/start")]
        assert first.json()["code"] in answer.json()["errors"][0]["detail"]
    second = made(await report(marker_service, code, start="2024-01-01", end="2024-12-31"))
    # A correction may move a value, but not onto the days of another one.
    stated = {"value": "1", "source": "A report"}
    moved = await change(marker_service, second, "correction", start="2024-01-01", end="2025-01-01", **stated)
    assert errors(moved) == [("period_overlaps", "/start")]
    made(await change(marker_service, second, "correction", start="2024-02-01", end="2024-12-31", **stated), 200)
    # Those of another indicator are no matter, and two days that are not the same are apart.
    state = await described(marker_service, aggregation="latest")
    made(await report(marker_service, state, start=None, end="2025-06-30"))
    assert errors(await report(marker_service, state, start=None, end="2025-06-30")) == [("period_overlaps", "/end")]
    made(await report(marker_service, state, start=None, end="2025-07-01", value="7"))
    assert (await progress(marker_service, state))["value"] == "7"


async def test_a_write_is_repeated_with_its_key_and_refused_when_outdated(marker_service: Markers) -> None:
    code = await described(marker_service)
    sent = {**EXAMPLE_VALUE, "indicator": code}
    first = made(await marker_service.send("POST", VALUES, IOM, sent, key="once"))
    again = made(await marker_service.send("POST", VALUES, IOM, sent, key="once"))
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    other = await marker_service.send("POST", VALUES, IOM, {**sent, "value": "181"}, key="once")
    assert refused(other) == (422, "idempotency_key_reused")
    assert (await marker_service.get(VALUES, indicator=code))["total"] == 1
    withdrawn = made(await change(marker_service, first, "withdrawal"), 200)
    assert refused(await change(marker_service, first, "withdrawal")) == (412, "precondition_failed")
    path = f"{VALUES}/{first.json()['code']}/withdrawal"
    assert refused(await marker_service.send("POST", path, IOM, {"reason": "x"})) == (428, "precondition_required")
    tried = await marker_service.send("POST", f"{VALUES}?dry_run=true", IOM, sent)
    assert made(tried).json()["status"] == "reported"
    assert (await marker_service.get(VALUES, indicator=code, status="reported"))["total"] == 0
    assert withdrawn.json()["status"] == "withdrawn"


async def test_of_two_who_report_the_same_days_at_once_one_is_refused(marker_service: Markers) -> None:
    code = await described(marker_service)
    answers = await asyncio.gather(*(report(marker_service, code, who) for who in (IOM, ILO, FUND)))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422]


async def test_an_indicator_is_changed_as_far_as_its_values_allow(marker_service: Markers) -> None:
    code = await described(marker_service)
    path = f"{INDICATORS}/{code}"

    async def amend(**members: Any) -> httpx.Response:
        return await marker_service.send("PATCH", path, IOM, {"reason": "As agreed.", **members}, match="*")

    parts = {"sex": {"women": "100", "not_stated": "80"}}
    made(await report(marker_service, code, disaggregation=parts))
    answer = await amend(disaggregations={"sex": ["men"], "age": ["18-24"]})
    assert errors(answer) == [("missing_member", "/disaggregations/sex")]
    assert answer.json()["errors"][0]["allowed"] == ["women"]
    made(await amend(disaggregations={"sex": ["women", "men", "other"]}), 200)
    targets = [{"value": "900", "due": "2028-12-31"}, {"value": "300", "due": "2025-12-31"}]
    amended = made(await amend(targets=targets, level="outcome", baseline=None), 200).json()
    assert amended["targets"] == targets[::-1]
    assert (amended["level"], amended["baseline"], amended["unit"]) == ("outcome", None, "people")
    assert (await progress(marker_service, code))["fraction"] is None
    assert errors(await amend(unit="number")) == [("unknown_member", "/unit")]
    assert errors(await amend(targets=[{"value": "0.5", "due": "2026-01-01"}])) == [
        ("invalid_value", "/targets/0/value")
    ]
    before = await marker_service.revision()
    made(await amend(level="outcome"), 200)
    assert await marker_service.revision() == before
    changed = [entry["changed"] for entry in await history(marker_service, path)]
    assert "disaggregations" in changed[1] and {"targets", "level", "baseline"} <= set(changed[2])
    taken = await describe(marker_service, IOM, code=code.upper(), programme=amended["programme"])
    assert refused(taken) == (409, "code_taken")


async def test_filters_facets_and_exports_have_the_same_indicators(markers: Markers) -> None:
    codes = [await markers.copied() for _ in range(2)]
    people = await described(markers, programme=codes[0], responsible_organization="ILO")
    await described(markers, programme=codes[1], unit="score", aggregation="latest", level="impact", code="score-1")
    made(await describe(markers, FUND, **{**EXAMPLE_INDICATOR, "programme": None, "code": "fund-1"}))
    made(await report(markers, people))
    for query, expected in (
        ({}, ["fund-1", TARGET, people, "score-1"]),
        ({"scope": "fund"}, ["fund-1", TARGET]),
        ({"programme": codes[0]}, [people]),
        ({"programme": "not_stated", "computed": "false"}, ["fund-1"]),
        ({"level": "impact"}, ["score-1"]),
        ({"level": "not_stated"}, [TARGET]),
        ({"unit": "per_cent"}, [TARGET]),
        ({"organization": "ilo"}, [people]),
        ({"reported": "true"}, [people]),
        ({"reported": "false", "scope": "programme"}, ["score-1"]),
        ({"computed": "true"}, [TARGET]),
        ({"code": f"{people.upper()},nothing"}, [people]),
    ):  # fmt: skip
        page = await markers.get(INDICATORS, **query)
        assert sorted(item["code"] for item in page["items"]) == sorted(expected), query
        lines = (await markers.send("GET", str(httpx.URL(INDICATORS, params={**query, "format": "ndjson"})), None)).text
        assert [json.loads(line) for line in lines.splitlines()] == page["items"]
        table = (await markers.send("GET", str(httpx.URL(INDICATORS, params={**query, "format": "csv"})), None)).text
        assert [row["code"] for row in csv.DictReader(io.StringIO(table))] == [i["code"] for i in page["items"]]
        told = await markers.get(PROGRESS, **query)
        assert sorted(each["code"] for each in told["indicators"]) == sorted(expected)
        assert told["whole"]["indicators"] == len(expected)
    facets = (await markers.get(f"{INDICATORS}/facets"))["facets"]
    assert [(v["value"], v["count"]) for v in facets["scope"]] == [("fund", 2), ("programme", 2)]
    assert {v["value"]: v["count"] for v in facets["organization"]} == {None: 3, "ILO": 1}
    groups = (await markers.get(PROGRESS))["groups"]
    assert [(group["scope"], group["programme"]) for group in groups] == [
        ("fund", None), *(("programme", code) for code in sorted(codes)),
    ]  # fmt: skip
    assert [group["counts"]["with_value"] for group in groups] == [0, 1, 0]
    table = (await markers.send("GET", f"{PROGRESS}?format=csv", None)).text
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO(table))}
    assert (rows[people]["value"], rows["score-1"]["value"], rows[people]["fraction_decimal"]) == ("180", "", "0.3000")
    assert errors_of(await markers.send("GET", f"{INDICATORS}?reportet=true", None)) == ["reportet"]


def errors_of(answer: httpx.Response) -> list[str | None]:
    assert answer.status_code == 422, answer.text
    return [error["parameter"] for error in answer.json()["errors"]]


async def test_the_target_of_the_marker_is_computed_and_never_reported(markers: Markers) -> None:
    codes = [f"P-{n:02}" for n in range(1, 22)]
    await markers.publish(OFFICIAL)
    none = await progress(markers, TARGET)
    assert (none["value"], none["computed"]["programmes"]) == (None, 0)
    await markers.copy(*(programme(code) for code in codes))
    unassessed = await progress(markers, TARGET)
    # Nothing is assessed: no value, which is not zero, although the held share is.
    assert (unassessed["value"], unassessed["standing"], unassessed["fraction"]) == (None, "undetermined", None)
    assert unassessed["computed"]["share"]["per_cent"] == "0.00"
    assert (unassessed["computed"]["unassessed"], unassessed["whole"]["with_value"]) == (21, 0)
    then = await markers.revision()
    for n, code in enumerate(codes[:19]):
        made(await markers.declare(code, "AB"[n % 2]))
    met = await progress(markers, TARGET)
    whole = (await markers.get(INDICATOR))["whole"]
    assert (met["value"], met["standing"], met["values"]) == ("90.47", "met", 0)
    assert (met["computed"]["share"], met["computed"]["standing"]) == (whole["share"], whole["standing"])
    assert met["final_target"] == met["next_target"] == {"value": "90", "due": None}
    assert (met["baseline"], met["fraction"], met["targets_due"]) == (None, None, 0)
    assert met["whole"]["with_value"] == met["whole"]["met"] == 1
    assert (await markers.get(met["computed"]["link"]))["whole"] == whole
    assert (await progress(markers, TARGET, as_of=then))["standing"] == "undetermined"
    for who in (FUND, ADMIN):
        refusal = await report(markers, TARGET, who, start="2022-01-01", end="2022-12-31", value="90")
        assert refused(refusal) == (409, "value_computed")
        sent = {"targets": [{"value": "80", "due": "2026-12-31"}], "reason": "Lower."}
        assert refused(await markers.send("PATCH", f"{INDICATORS}/{TARGET}", who, sent, match="*")) == (
            409, "value_computed",
        )  # fmt: skip
    # The claim of 2022 stays what a document says, and is no value.
    assert (await markers.get(VALUES))["total"] == 0
    (target,) = (await markers.get(f"{API}/targets"))["items"]
    assert [(claim["year"], claim["standing"]) for claim in target["claims"]] == [(2022, "met")]


async def test_targets_are_due_on_the_day_of_the_answer(markers: Markers) -> None:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=1), today, today + timedelta(days=1)]
    targets = [{"value": f"{n}", "due": f"{day}"} for n, day in enumerate(days, 1)]
    code = await described(markers, targets=targets)
    now = await progress(markers, code)
    assert (now["targets_due"], now["next_target"]) == (1, targets[1])
    assert now["unreported_targets"] == targets[:1]
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert (await progress(markers, code, as_of=moment))["targets_due"] == 1
    revision = await markers.revision()
    assert (await markers.get(PROGRESS, code=code, as_of=revision))["day"] == f"{today}"
