"""The mixed load: writers, readers and a follower, each of whose answers is compared with the known right one."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx

from mmptf_catalog.programmes.examples import CONTENT
from tests.drills.client import Caller, Check, Tally, new_http, revision_of
from tests.drills.model import Follower, Json, Ledger, Read, Write, without_revision
from tests.drills.stack import Stack
from tests.tokens import bearer

LEDGER, DRAFTS, ASSESSMENT_DRAFTS = "/funding/v1/ledger", "/catalog/v1/drafts", "/markers/v1/drafts"
CHANGES, COPIES = "/funding/v1/changes", "/markers/v1/copies"
FIXED = (
    "/catalog/v1/programmes?limit=5", "/catalog/v1/programmes/ETH-01", "/catalog/v1/programmes/totals?by=country",
    "/catalog/v1/programmes/facets", "/catalog/v1/places?limit=50", "/catalog/v1/programmes?format=csv",
    "/funding/v1/requirements?limit=20&edition=MI-2015", "/funding/v1/requirements/totals?by=area&edition=MI-2015",
    "/funding/v1/requirements?format=ndjson&edition=MI-2015", "/funding/v1/contributions/totals?by=stage",
    "/funding/v1/contributions", "/markers/v1/rubrics", "/markers/v1/criteria", "/markers/v1/indicator",
    "/markers/v1/assessments",
)  # fmt: skip
"""Reads of records that the load does not change."""
VIEW = "/programmes/ETH-01"
SCORE: Json = {
    "rubric": "hr-marker-illustrative", "version": "1", "stage": "concept_note",
    "answers": {
        "obligations-analysis": 2, "due-diligence": 1, "equality": 1, "participation": 2, "rights-holders-capacity": 2,
        "duty-bearers-capacity": 2, "national-institutions": "not_applicable",
    },
}  # fmt: skip
ANSWERS: Json = {"equality": {"answer": 1, "justification": "Data are not yet divided by sex."}}
KEPT_SECONDS = 1.0
"""The time within which every gateway hears of a write."""
WRITES_EACH = 0.15
"""Seconds between two writes of a writer."""
READS_EACH = 0.15
"""Seconds between two reads of a reader."""
BUSY = 0.65
"""The share of the machine's processors that the load may use while nothing is wrong. With a larger one a drill would
measure the queue for them.
"""
SLOWEST = 6.0
"""The most by which the load is slowed on a slow machine."""
SUBJECTS = 16
SETTLE_SECONDS = 40
"""The time within which all is answered again after a fault has ended."""

COPY_SECONDS = 45
"""The time within which the markers have copied everything: their longest pause after failures is 30 s."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

NUMBERS = count(1)


@cache
def token(client: str, organization: str | None = None, number: int = 0) -> dict[str, str]:
    """The header with a token that was issued ten minutes ago, for longer than the drills take.

    number: which of the client's subjects it is; one alone would write more in a minute than it may
    """
    now = int(time.time())
    return bearer(client, organization, iat=now - 600, exp=now + 3_600, sub=f"{client}-{number}")


@dataclass
class Load:
    """What is asked of a stack, with the known right answers, over one drill after the other."""

    stack: Stack
    ledger: Ledger = field(default_factory=Ledger)
    fixed: dict[str, str] = field(default_factory=dict)
    bodies: dict[tuple[str, str], str] = field(default_factory=dict)
    follower: Follower | None = None
    tally: Tally = field(default_factory=Tally)
    spared: frozenset[str] = frozenset()
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    caller: Caller = field(init=False)
    http: httpx.AsyncClient = field(init=False)
    summing: ProcessPoolExecutor = field(init=False)
    is_restored: bool = False
    pace: float = 1.0
    """How many times longer than WRITES_EACH and READS_EACH the writers and readers pause on this machine."""
    quiet: list[float] = field(default_factory=list)
    """The seconds that short right answers took in the quiet periods since the pace is what it is: those of one drill
    are few.
    """

    async def open(self) -> None:
        """Read what the load will not change, which has to stay so."""
        self.http = new_http(self.stack.urls["gateway"])
        self.summing = ProcessPoolExecutor(1, get_context("spawn"))
        await self.markers_caught_up()
        assert not self.tally.findings, self.tally.findings
        for path in (*FIXED, VIEW):
            answer = await self.http.get(path)
            assert answer.status_code == 200, (path, answer.text)
            self.fixed[path] = without_revision(answer.text)
        answer = await self.http.post("/markers/v1/score", json=SCORE)
        assert answer.status_code == 200, answer.text
        self.fixed["score"] = without_revision(answer.text)
        page = (await self.http.get(f"{CHANGES}?limit=1")).json()
        self.follower = Follower(page["revision"])
        self.ledger.last = page["revision"]

    @asynccontextmanager
    async def running(
        self, tally: Tally, *, spared: frozenset[str] = frozenset(), excused: frozenset[str] = frozenset()
    ) -> AsyncIterator[None]:
        """Ask while the block runs; failures of the services in `spared` are wrong, but for the kinds in `excused`."""
        self.tally = tally
        self.caller = Caller(self.http, tally, spared, excused, self.bodies)
        loops: list[Callable[[], Awaitable[None]]] = [
            *(self.write_entries,) * 3, self.write_drafts, self.write_assessments, *(self.read_items,) * 2,
            *(self.read_totals,) * 2, self.read_pages, self.read_exports, *(self.read_fixed,) * 3, self.read_view,
            self.score, self.follow,
        ]  # fmt: skip
        tasks = [asyncio.create_task(self._repeat(loop), name=loop.__name__) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except (KeyError, ValueError, TypeError, IndexError) as error:
                self.tally.fail(f"{step.__name__}: {type(error).__name__} {error}")
            await asyncio.sleep(0.02)

    async def settle(self, seconds: float) -> None:
        """Run for some seconds without a fault, at a pace that leaves the processors free that BUSY does not count."""
        while True:
            before = _processor_seconds()
            await asyncio.sleep(seconds)
            busy, whole = (after - then for after, then in zip(_processor_seconds(), before, strict=True))
            wanted = min(SLOWEST, max(1.0, self.pace * busy / whole / BUSY))
            is_slower = wanted > 1.1 * self.pace
            if is_slower or wanted < 0.8 * self.pace:
                self.pace = wanted
                self.quiet.clear()
            if not is_slower:
                return

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)

    async def close(self) -> None:
        self.summing.shutdown(cancel_futures=True)
        await self.http.aclose()

    def restored(self, revision: int) -> None:
        """Know that the ledger was restored to a revision: the feed is to say so to who has read further."""
        self.is_restored = True
        self.ledger.forget_after(revision)

    # - writers -

    async def write_entries(self) -> None:
        number = next(NUMBERS)
        body = {
            "kind": "interest", "amount": f"{self.chance.randint(1, 99_999) / 100:.2f}", "date": "2024-05-05",
            "reference": f"drill-{number:06}",
        }  # fmt: skip
        write = self.ledger.writes[body["reference"]] = Write(number, body["reference"], body, f"key-{number}")
        while not await self.send_entry(write):
            await asyncio.sleep(0.5)
        await self.pause(WRITES_EACH)

    async def send_entry(self, write: Write) -> bool:
        """Whether the entry was acknowledged, now or before."""

        def check(answer: httpx.Response) -> str | None:
            return self.ledger.acknowledge(write, answer.json(), revision_of(answer))

        answer = await self.caller.ask(
            "entry", LEDGER, method="POST", expect=(201,), check=check, json=write.body,
            headers={**token("agent", number=write.number % SUBJECTS), "idempotency-key": write.key},
        )  # fmt: skip
        return answer is not None

    async def write_drafts(self) -> None:
        """Create a draft, change it, read it and discard it, each repeated until it is answered."""
        number = next(NUMBERS)
        code = f"DRILL-{number:06}"
        who = token("agency", number=number % SUBJECTS)
        made = await self.until_answered(
            "draft", DRAFTS, method="POST", expect=(201,), json={**CONTENT, "programme_code": code},
            headers={**who, "idempotency-key": code}, check=_says(title=CONTENT["title"]),
        )  # fmt: skip
        path, tag = made.headers["location"], made.headers["etag"]
        for title in ("A first title", "A second title"):
            # A change whose answer was lost may have been carried out: the next attempt is a 412 then.
            changed = await self.until_answered(
                "draft", path, method="PATCH", expect=(200, 412), json={"title": title},
                headers={**who, "if-match": tag},
            )  # fmt: skip
            read = await self.until_answered("draft", path, headers=who, check=_says(title=title))
            if changed.status_code == 200 and changed.headers["etag"] != read.headers["etag"]:
                self.tally.fail("draft: read under another ETag than it was written")
            tag = read.headers["etag"]
        await self.until_answered("draft", path, method="DELETE", expect=(204, 404), headers={**who, "if-match": tag})
        await self.until_answered("draft", path, expect=(404,), headers=who)
        await self.pause(WRITES_EACH)

    async def write_assessments(self) -> None:
        who = token("agency", "ILO")
        sent = {"programme": "ETH-01", "stage": "concept_note", "answers": ANSWERS}
        made = await self.until_answered(
            "assessment", ASSESSMENT_DRAFTS, method="POST", expect=(201, 409), json=sent,
            headers={**who, "idempotency-key": f"draft-{next(NUMBERS)}"},
        )  # fmt: skip
        if made.status_code == 409:
            # One that an earlier drill has left: its deletion was cut off.
            listed = await self.until_answered("assessment", ASSESSMENT_DRAFTS, headers=who)
            path = f"{ASSESSMENT_DRAFTS}/{listed.json()['items'][0]['code']}"
        else:
            path = made.headers["location"]
        read = await self.until_answered("assessment", path, headers=who, check=_says(programme="ETH-01"))
        await self.until_answered(
            "assessment", path, method="DELETE", expect=(204, 404, 412),
            headers={**who, "if-match": read.headers["etag"]},
        )  # fmt: skip
        await self.pause(WRITES_EACH)

    async def until_answered(self, kind: str, path: str, **request: Any) -> httpx.Response:
        while True:
            answer = await self.caller.ask(kind, path, **request)
            if answer is not None:
                return answer
            await asyncio.sleep(0.5)

    # - readers -

    async def read_items(self) -> None:
        known = self.ledger.acknowledged
        if not known:
            return
        write = known[-1] if self.chance.random() < 0.5 else self.chance.choice(known)
        record = write.acknowledged
        assert record

        def check(answer: httpx.Response) -> str | None:
            return None if answer.json() == record else "an entry is another one than was acknowledged"

        await self.caller.ask("item", f"{LEDGER}/{record['code']}", check=check)
        await self.pause(READS_EACH)

    def fresh(self, kind: str, read: Callable[[httpx.Response], tuple[int, Decimal | None]]) -> Check:
        """A check that an answer is not older than the last acknowledged write, and that remembers what it says.

        A gateway of which another one has forwarded the write hears of it within a second.
        """
        floor = self.ledger.floor(KEPT_SECONDS)

        def check(answer: httpx.Response) -> str | None:
            revision = revision_of(answer)
            rows, total = read(answer)
            self.ledger.reads.append(Read(kind, revision, rows, total))
            return None if revision >= floor else "older than a write that was acknowledged before"

        return check

    async def read_totals(self) -> None:
        def totals(answer: httpx.Response) -> tuple[int, Decimal]:
            said = answer.json()
            if said["revision"] != revision_of(answer):
                raise ValueError("the body and the ETag have two revisions")
            return said["rows"], Decimal(said["totals"][0]["sum"]["amount"]) if said["totals"] else Decimal(0)

        def statement(answer: httpx.Response) -> tuple[int, Decimal]:
            said = answer.json()
            line = next(line for line in said["sources"] if line["kind"] == "interest")
            return line["rows"], Decimal(said["balance"]["amount"])

        ways = ((f"{LEDGER}/totals?by=kind", totals), ("/funding/v1/statement", statement))
        path, read = self.chance.choice(ways)
        await self.caller.ask("totals", path, check=self.fresh("totals", read))
        await self.pause(READS_EACH)

    async def read_pages(self) -> None:
        def read(answer: httpx.Response) -> tuple[int, None]:
            page = answer.json()
            if page["total"] != int(answer.headers["x-total-count"]) or page["revision"] != revision_of(answer):
                raise ValueError("the page and its headers differ")
            return page["total"], None

        await self.caller.ask("page", f"{LEDGER}?limit=20&sort=-code", check=self.fresh("page", read))
        await self.pause(READS_EACH)

    async def read_exports(self) -> None:
        # No gateway keeps exports.
        floor = self.ledger.floor()

        def check(answer: httpx.Response) -> str | None:
            return None if revision_of(answer) >= floor else "older than a write that was acknowledged before"

        answer = await self.caller.ask("export", f"{LEDGER}?format=ndjson", check=check)
        if answer is not None:
            # Thousands of lines would keep all other answers waiting, whose time is measured here.
            summed = asyncio.get_running_loop().run_in_executor(self.summing, _rows_and_total, answer.content)
            self.ledger.reads.append(Read("export", revision_of(answer), *await summed))
        await self.pause(0.5)

    async def read_fixed(self) -> None:
        await self.ask_fixed(self.chance.choice(FIXED))
        await self.pause(READS_EACH)

    async def ask_fixed(self, path: str, caller: Caller | None = None, **headers: str) -> None:
        """Read something that the load does not change, through the balancer or as another caller."""

        def check(answer: httpx.Response) -> str | None:
            return None if without_revision(answer.text) == self.fixed[path] else f"{path}: another answer than before"

        kind = "export" if "format=" in path else "fixed"
        await (caller or self.caller).ask(kind, path, check=check, headers=headers)

    async def read_view(self) -> None:
        known = {part["service"]: part for part in json.loads(self.fixed[VIEW])["parts"]}

        def check(answer: httpx.Response) -> str | None:
            said = json.loads(without_revision(answer.text))
            for part in said["parts"]:
                service = part["service"]
                if part.get("card") is None and service not in said["missing"]:
                    return f"a part without a card is not named as missing: {service}"
                if part.get("card") is None and known[service].get("card") and service in self.caller.spared:
                    return f"the card of {service} is missing, though it had no fault: {part['missing']}"
                if (
                    part.get("card")
                    and known[service].get("card")
                    and part["card"]["facts"] != known[service]["card"]["facts"]
                ):
                    return f"another card of {service} than before"
            return None

        await self.caller.ask("view", VIEW, check=check)
        await self.pause(0.3)

    async def score(self) -> None:
        def check(answer: httpx.Response) -> str | None:
            return None if without_revision(answer.text) == self.fixed["score"] else "another score than before"

        await self.caller.ask("score", "/markers/v1/score", method="POST", json=SCORE, check=check)
        await self.pause(0.2)

    async def follow(self) -> None:
        follower = self.follower
        assert follower
        expect = (200, 409) if self.is_restored else (200,)
        answer = await self.caller.ask(
            "feed", f"{CHANGES}?after={follower.last}&limit=200&wait=5",
            expect=expect, check=lambda answer: follower.apply(answer.json()) if answer.status_code == 200 else None,
        )  # fmt: skip
        if answer is None:
            await asyncio.sleep(0.5)
        elif answer.status_code == 409:
            self.follower = Follower(0)

    # - afterwards -

    async def recover(self, since: float, quiet: float = 2.0) -> float:
        """Return when nothing has failed for some seconds: the seconds from `since` to the last failure."""
        deadline = since + SETTLE_SECONDS
        while time.monotonic() < max(self.tally.last_failure, since) + quiet:
            if time.monotonic() > deadline:
                self.tally.fail(f"requests still fail {SETTLE_SECONDS} s after the fault has ended")
                break
            await asyncio.sleep(0.1)
        return max(0.0, self.tally.last_failure - since)

    async def verify(self) -> None:
        """Compare everything with the model, when the load has ended and nothing fails any more."""
        for write in self.ledger.unanswered():
            if not await self.send_entry(write) and not await self.send_entry(write):
                self.tally.fail("a write that got no answer cannot be repeated", write.reference)
        await self.account()
        await self.follow_to_the_end()
        export = await self.http.get(f"{LEDGER}?format=ndjson", timeout=60)
        if export.status_code != 200:
            self.tally.fail(f"the export is {export.status_code} after the drill")
            return
        rows = [json.loads(line) for line in export.text.splitlines()]
        self.ledger.check_reads(self.tally)
        self.ledger.check_rows(rows, self.tally, "the export")
        if len(rows) != self.ledger.rows[-1]:
            self.tally.fail("the export and the feed have different numbers of entries")
        assert self.follower
        if {row["code"]: row for row in rows} != self.follower.copy:
            self.tally.fail("the follower's copy is not what the export has")
        await self.markers_caught_up()

    async def account(self) -> None:
        while True:
            answer = await self.http.get(f"{CHANGES}?after={self.ledger.last}&limit=1000", timeout=60)
            page = answer.raise_for_status().json()
            self.ledger.account(page["items"])
            if not page["more"]:
                return

    async def follow_to_the_end(self) -> None:
        for _ in range(1000):
            assert self.follower
            before = self.follower
            page = (await self.http.get(f"{CHANGES}?after={self.follower.last}&limit=1000", timeout=60)).json()
            if page.get("status") == 409 and self.is_restored:
                self.follower = Follower(0)
                continue
            if error := before.apply(page):
                self.tally.fail(f"feed: {error}")
            if not page["more"]:
                return

    async def markers_caught_up(self) -> None:
        """Wait until the markers have copied all that the catalogue and the funding service have."""
        deadline = time.monotonic() + COPY_SECONDS
        while True:
            wanted = {}
            for name in ("catalog", "funding"):
                wanted[name] = (await self.http.get(f"/{name}/v1/status")).json().get("revision")
            copies = (await self.http.get(COPIES)).json().get("copies", [])
            behind = [c["service"] for c in copies if c["reached"] != wanted[c["service"]]]
            if copies and not behind:
                return
            if time.monotonic() > deadline:
                self.tally.fail(
                    f"{COPY_SECONDS} s after the drill the markers are behind: {', '.join(behind) or 'no copies'}"
                )
                return
            await asyncio.sleep(0.3)


def _rows_and_total(export: bytes) -> tuple[int, Decimal]:
    """The number of entries in an export as NDJSON, and their sum."""
    lines = [json.loads(line) for line in export.splitlines()]
    if len({line["code"] for line in lines}) != len(lines):
        raise ValueError("an export has an entry twice")
    return len(lines), sum((Decimal(line["sum"]["amount"]) for line in lines), Decimal(0))


def _processor_seconds() -> tuple[float, float]:
    """How long the processors of the machine have been busy, and how long they have existed (proc_stat(5))."""
    user, nice, system, idle, waiting, *other = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    busy = user + nice + system + sum(other[:3])
    ticks = os.sysconf("SC_CLK_TCK")
    return busy / ticks, (busy + idle + waiting) / ticks


def importing_headers(number: int = 0) -> dict[str, str]:
    """The headers of a new import by one of the subjects of `token`."""
    return {**token("admin", number=number), "content-type": XLSX, "idempotency-key": f"import-{next(NUMBERS)}"}


def _says(**members: str) -> Check:
    def check(answer: httpx.Response) -> str | None:
        if answer.status_code >= 400:
            return None
        said = answer.json()
        wrong = [name for name, value in members.items() if said[name] != value]
        return f"{', '.join(wrong)}: not what was written" if wrong else None

    return check
