"""The checks of the drills: a suite that answers wrongly, or loses a write, is found out."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from mmptf_local.processes import Child, wait_until
from tests.drills.client import Caller, Tally, problem_error
from tests.drills.limits import SERVERS
from tests.drills.load import Load
from tests.drills.model import Follower, Ledger, Read, Write
from tests.drills.stack import Process, Stack, Use

Json = dict[str, Any]
PROBLEM = {"content-type": "application/problem+json", "retry-after": "2"}
BUSY = {"status": 503, "code": "busy", "detail": "Other writes are under way."}


def entry(number: int, amount: str = "1.00") -> Json:
    reference = f"drill-{number}"
    return {
        "code": f"L-{number}", "kind": "interest", "date": "2024-05-05", "reference": reference,
        "sum": {"amount": amount, "currency": "USD"},
    }  # fmt: skip


def change(seq: int, record: Json, before: Json | None = None) -> Json:
    return {
        "seq": seq, "revision": seq, "entity": "ledger_entry", "key": record["code"],
        "action": "amend" if before else "create", "before": before, "after": record,
    }  # fmt: skip


def ledger(*numbers: int) -> Ledger:
    """A ledger with these entries, acknowledged at the revisions of the same numbers."""
    known = Ledger()
    for number in numbers:
        record = entry(number)
        body = {"kind": "interest", "amount": "1.00", "date": "2024-05-05", "reference": record["reference"]}
        write = known.writes[record["reference"]] = Write(number, record["reference"], body, f"key-{number}")
        assert known.acknowledge(write, record, number) is None
    known.account([change(number, entry(number)) for number in numbers])
    return known


def asking(*answers: httpx.Response | Exception, spared: frozenset[str] = frozenset()) -> Caller:
    """A caller of a suite that gives these answers, one after the other."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://suite")
    return Caller(http, Tally(), spared)


async def test_an_answer_is_right_labelled_a_transport_error_or_wrong() -> None:
    caller = asking(
        httpx.Response(200, json={}),
        httpx.Response(503, json=BUSY, headers=PROBLEM),
        httpx.ConnectError("refused"),
        httpx.Response(500, json={"status": 500, "code": "internal_error", "detail": "…"}, headers=PROBLEM),
        httpx.Response(200, json={"sum": 2}),
    )
    for _ in range(4):
        await caller.ask("item", "/funding/v1/ledger/L-1")
    await caller.ask("item", "/funding/v1/ledger/L-1", check=lambda answer: "another sum")
    tally = caller.tally
    assert (tally.sent, tally.right, tally.labelled, tally.transport, tally.wrong) == (5, 1, 1, 1, 2)
    assert set(tally.findings) == {"item: status 500 internal_error", "item: another sum"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, text="<html>"),
        httpx.Response(503, json=BUSY, headers={**PROBLEM, "retry-after": "soon"}),
        httpx.Response(503, json={**BUSY, "status": 500}, headers=PROBLEM),
        httpx.Response(504, json={}, headers=PROBLEM),
        httpx.Response(404, json={**BUSY, "status": 404}, headers=PROBLEM),
        httpx.Response(200, json={}),
    ],
)
def test_a_failure_that_does_not_say_properly_that_it_is_one_is_wrong(answer: httpx.Response) -> None:
    assert problem_error(answer)
    assert problem_error(httpx.Response(503, json=BUSY, headers=PROBLEM)) is None


async def test_a_failure_of_a_service_without_a_fault_is_wrong() -> None:
    busy = httpx.Response(503, json=BUSY, headers=PROBLEM)
    caller = asking(busy, busy, busy, spared=frozenset({"catalog", "gateway"}))
    await caller.ask("fixed", "/catalog/v1/programmes")
    assert (caller.tally.labelled, caller.tally.wrong) == (1, 1)
    await caller.ask("view", "/programmes/ETH-01")
    await caller.ask("item", "/funding/v1/ledger/L-1")
    assert (caller.tally.labelled, caller.tally.wrong) == (3, 2)


@pytest.mark.parametrize(
    ("pace", "shares", "found"),
    [
        (1.0, [0.4], 1.0), (1.0, [0.975, 0.78, 0.65], 1.8), (2.0, [0.65], 2.0),
        (2.0, [0.975, 0.975, 0.975, 0.975], 6.0), (2.0, [0.39], 1.2), (2.0, [0.1], 1.0),
    ],
)  # fmt: skip
async def test_the_load_is_slowed_until_it_leaves_enough_of_the_processors_free(
    monkeypatch: pytest.MonkeyPatch, pace: float, shares: list[float], found: float
) -> None:
    seen = iter([seconds for share in shares for seconds in ((0.0, 0.0), (share, 1.0))])
    monkeypatch.setattr("tests.drills.load._processor_seconds", lambda: next(seen))
    load = Load(cast("Any", None), pace=pace, quiet=[0.1])
    await load.settle(0)
    assert load.pace == pytest.approx(found) and not list(seen)
    assert load.quiet == ([0.1] if found == pace else []), "what another pace has shown does not count any more"


def test_answers_of_500_and_errors_in_the_logs_are_found(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"level": "ERROR", "message": "before"}\n')
    place = log.stat().st_size
    with log.open("a") as stream:
        for line in (
            '{"level": "INFO", "method": "GET", "path": "/a", "status": 500}',
            '{"level": "INFO", "method": "GET", "path": "/a", "status": 200, "bytes": 500}',
            '{"level": "ERROR", "message": "unhandled failure"}',
            "Traceback (most recent call last):",
        ):
            stream.write(f"{line}\n")
    process = Process("catalog-1", "catalog", 0, {}, log, 1024)
    stack = Stack.__new__(Stack)
    stack.processes = {"catalog-1": process}
    messages, answers = stack.error_lines({"catalog-1": place})
    assert messages == {"catalog: unhandled failure": 1, "catalog: a traceback beside the log": 1}
    assert answers == {"catalog: GET /a": 1}


def test_the_memory_and_the_descriptors_of_a_process_and_of_its_children_are_found() -> None:
    use = Use()
    block = "block = bytes(range(250)) * 80_000"
    script = f"import subprocess, sys; {block}; subprocess.run(sys.argv[1:])"
    # It ends when its parent has.
    waiting = "parent = os.getppid()\nwhile os.getppid() == parent: time.sleep(0.1)"
    inner = f"import os, time; {block}; print('ready', flush=True); {waiting}"
    with Child("parent", [sys.executable, "-c", script, sys.executable, "-c", inner]) as child:
        wait_until(lambda: "ready" in child.text(), child, seconds=30)
        use.sample(child)
    assert 40_000_000 < use.memory_bytes < 100_000_000
    assert 3 <= use.descriptors < 100
    assert {name: memory for name, (memory, _) in SERVERS.items()} == {"postgres": 2**30, "redis": 2**28}


async def test_two_bodies_under_one_etag_are_wrong() -> None:
    tag = {"etag": '"7-0123456789abcdef01"'}
    caller = asking(httpx.Response(200, text="a", headers=tag), httpx.Response(200, text="b", headers=tag))
    for _ in range(2):
        await caller.ask("page", "/funding/v1/ledger")
    assert caller.tally.findings == {"page: another body under the same ETag": 1}


async def test_what_may_be_sent_twice_is_when_an_old_connection_was_closed() -> None:
    caller = asking(
        httpx.RemoteProtocolError("closed"), httpx.Response(200, json={}), httpx.RemoteProtocolError("closed")
    )
    assert await caller.ask("item", "/funding/v1/ledger/L-1") is not None
    assert await caller.ask("draft", "/catalog/v1/drafts/A", method="PATCH", json={}) is None
    assert (caller.tally.repeated, caller.tally.right, caller.tally.transport) == (1, 1, 1)


def test_a_lost_a_doubled_an_altered_and_a_foreign_entry_are_found() -> None:
    tally = Tally()
    ledger(1, 2).check_rows([entry(1), entry(2)], tally, "the export")
    assert (tally.wrong, tally.lost) == (0, 0)
    ledger(1, 2).check_rows([entry(1)], tally, "the export")
    assert (tally.wrong, tally.lost) == (0, 1)
    ledger(1, 2).check_rows([entry(1), entry(2), {**entry(2), "code": "L-3"}], tally, "the export")
    assert (tally.lost, tally.wrong) == (2, 1)
    ledger(1).check_rows([entry(1, "2.00")], tally, "the export")
    ledger(1).check_rows([entry(1), entry(9)], tally, "the export")
    assert (tally.lost, tally.wrong) == (2, 3)


def test_an_answer_that_is_not_that_of_its_revision_is_found() -> None:
    known = ledger(3, 5, 8)
    known.reads = [
        Read("page", 2, 0, None), Read("totals", 5, 2, Decimal("2.00")), Read("totals", 7, 2, Decimal("2.00")),
        Read("export", 9, 3, Decimal("3.00")),
    ]  # fmt: skip
    tally = Tally()
    known.check_reads(tally)
    assert tally.wrong == 0
    known.reads = [Read("page", 5, 3, None), Read("totals", 8, 3, Decimal("2.00"))]
    known.check_reads(tally)
    assert tally.wrong == 2


def test_what_was_written_after_a_backup_is_forgotten_and_what_got_no_answer_is_not() -> None:
    known = ledger(1, 2, 3)
    known.writes["open"] = Write(0, "open", {}, "key-open")
    known.forget_after(2)
    assert sorted(known.writes) == ["drill-1", "drill-2", "open"]
    assert (known.floor(), known.at(9)) == (2, (2, Decimal("2.00")))


def test_a_follower_finds_a_repeated_change_and_a_missing_one() -> None:
    first, second = entry(1), {**entry(1), "reversed_by": "L-2"}
    follower = Follower(0)
    assert follower.apply({"items": [change(1, first)]}) is None
    assert follower.apply({"items": [change(1, first)]}) == "the feed repeats a change"
    assert follower.apply({"items": [change(3, second, {**first, "note": "missed"})]})
    assert json.dumps(follower.copy["L-1"]) == json.dumps(first)


def test_an_acknowledgement_of_another_entry_is_found() -> None:
    known = Ledger()
    write = Write(
        1, "drill-1", {"kind": "interest", "amount": "2.00", "date": "2024-05-05", "reference": "drill-1"}, "k"
    )
    assert known.acknowledge(write, entry(1), 1)
    assert write.acknowledged is None
