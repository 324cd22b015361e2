"""The two services beside the model: commands are carried out by both, and every answer is compared."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import asyncpg
import httpx

from mmptf_catalog.code_lists.schemas import Objective, Organization, Place, ThematicArea
from mmptf_catalog.programmes.commands import programme_row
from mmptf_catalog.programmes.domain import StatedProgramme
from mmptf_catalog.programmes.schemas import CodeNames
from tests.conftest import RunningApp, pool_of, service_of
from tests.integration import books_closings, books_imports, books_periods, books_reconciliation
from tests.integration.books import PARTIES, Books, Row
from tests.integration.books_commands import (
    CATALOG,
    CENT,
    DAYS,
    DERIVED,
    FUNDING,
    LEDGER,
    MALFORMED,
    NOT_YET,
    OTHER_DAYS,
    PRECEDED,
    REFERENCED,
    REVIEWER,
    STATEMENT,
    Account,
    Certify,
    Command,
    Compare,
    Confirm,
    Correct,
    Enter,
    Import,
    Json,
    Programme,
    Refused,
    Reverse,
    Withdraw,
)
from tests.integration.books_programmes import carry_out
from tests.integration.books_statements import (
    DIVISIONS,
    check_budgets,
    check_entries,
    check_statements,
    check_totals,
    money,
    walk,
)
from tests.integration.ledger_client import copied
from tests.tokens import bearer, writing

# The statements are compared after every fifth command; earlier revisions are asked as well, so that none is left out.
EVERY = 5
# How many answers of each service are stored at a time, to be asked again at the end as of their revision.
STORED = {"funding": 8, "catalog": 2}


def now_as_of(text: str) -> str:
    """An answer as of a revision without the parameter in its links: as it was when that revision was the newest."""
    return re.sub(r'([?&"])as_of=\d+(&?)', lambda match: match[1] if match[2] else '"' if match[1] == '"' else "", text)


@dataclass(frozen=True)
class View:
    """The ledger at a revision: how it is asked, and what the model has for it."""

    suite: Suite
    books: Books
    catalogue: Mapping[str, Json]
    revision: int
    is_past: bool

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        if self.is_past:
            path = f"{path}{'&' if '?' in path else '?'}as_of={self.revision}"
        return await self.suite.get(self.suite.funding, path, headers)


@dataclass
class Suite:
    """The two services, the model after the same commands, and answers to compare later.

    random: by which the days and revisions are drawn that are asked
    """

    catalog: RunningApp
    funding: RunningApp
    random: Random
    books: Books = field(default_factory=Books)
    # After each command that wrote something, by the revision of the funding service.
    past: dict[int, tuple[Books, Mapping[str, Json]]] = field(default_factory=dict)
    answers: list[tuple[RunningApp, int, str, int, str]] = field(default_factory=list)
    steps: int = 0
    # The code of a programme -> that of the newest draft of it.
    draft_codes: dict[str, str] = field(default_factory=dict)
    last_import: list[Json] = field(default_factory=list)
    # How many commands were written, tried without writing, or refused with a status.
    outcomes: Counter[str] = field(default_factory=Counter)
    _template: bytes = b""
    _programmes: tuple[int, Mapping[str, Json]] = (-1, {})

    async def get(self, running: RunningApp, path: str, headers: dict[str, str] | None = None) -> Any:
        answer = await running.client.get(path, headers=headers)
        for _ in range(5):
            # A busy machine is no finding.
            if answer.status_code != 503:
                break
            await asyncio.sleep(float(answer.headers["retry-after"]))
            answer = await running.client.get(path, headers=headers)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    async def revision(self, running: RunningApp) -> int:
        return int(await pool_of(running.app.state.database).fetchval("SELECT coalesce(max(number), 0) FROM revision"))

    async def programmes(self) -> Mapping[str, Json]:
        """The programmes of the catalogue, which is asked after a write to it."""
        revision = await self.revision(self.catalog)
        if self._programmes[0] != revision:
            listed = await self.get(self.catalog, f"{CATALOG}/programmes?limit=1000")
            self._programmes = revision, {item["code"]: item for item in listed["items"]}
        return self._programmes[1]

    async def template(self) -> bytes:
        """The empty workbook of entries of earlier years."""
        if not self._template:
            answer = await self.funding.client.get(f"{FUNDING}/imports/template?format=xlsx&table=ledger-entries")
            self._template = answer.content
        return self._template

    async def match_of(self, path: str, match: str | None) -> str | None:
        """What a change of a record has in `If-Match`."""
        if match == "present":
            running = self.catalog if path.startswith(CATALOG) else self.funding
            known = await running.client.get(path, headers=bearer("admin"))
            return str(known.headers.get("etag", "*"))
        return '"1-000000000000000000"' if match == "stale" else match

    @staticmethod
    def day(text: str) -> str:
        return f"{datetime.now(UTC):%Y-%m-%d}" if text == "today" else text

    async def decide(self, *codes: str) -> None:
        """Enter the decisions of the Steering Committee that the commands name."""
        for code in codes:
            sent = {"code": code, "date": "2023-12-31", "kind": "other", "text": "As the committee decided."}
            answer = await self.catalog.client.post(f"{CATALOG}/decisions", json=sent, headers=writing("admin"))
            assert answer.status_code == 201, answer.text

    # - commands -

    async def do(self, command: Command) -> None:
        self.steps += 1
        if isinstance(command, Compare):
            await self.store_answers()
            await self.replay()
            return
        running = self.catalog if isinstance(command, Programme) else self.funding
        before = await self.revision(running)
        books = self.books.copy()
        answer, refused = await self.carry_out(command)
        if refused:
            assert answer.status_code == refused.status, (answer.text, refused)
            problem = answer.json()
            if refused.errors and refused.status == 422:
                assert sorted((e["code"], e["pointer"] or "") for e in problem["errors"]) == refused.errors
            elif refused.errors:
                assert problem["code"] == refused.errors[0][0], (problem, refused)
            assert all(words in problem["detail"] for words in refused.saying), (problem["detail"], refused.saying)
        else:
            assert answer.status_code in (200, 201, 204), answer.text
        outcome = refused.status if refused else "tried" if command.dry else "written"
        self.outcomes[f"{type(command).__name__} {outcome}"] += 1
        if refused or command.dry:
            self.books = books
            assert await self.revision(running) == before
        else:
            if running is self.catalog:
                await copied(self.funding, self.catalog)
                await self.check_programmes()
            self.past[await self.revision(self.funding)] = self.books.copy(), await self.programmes()
        if self.steps % EVERY == 0:
            await self.check()

    async def carry_out(self, command: Command) -> tuple[httpx.Response, Refused | None]:
        if isinstance(command, Enter):
            return await self.enter(command)
        if isinstance(command, Reverse):
            return await self.reverse(command)
        if isinstance(command, Correct):
            return await self.correct(command)
        if isinstance(command, Account):
            return await books_periods.send(self, command)
        if isinstance(command, Certify | Withdraw):
            return await books_closings.send(self, command)
        if isinstance(command, Import):
            return await books_imports.send(self, command)
        if isinstance(command, Programme):
            return await self.programme(command)
        assert not isinstance(command, Compare)
        return await books_reconciliation.send(self, command)

    async def enter(self, command: Enter) -> tuple[httpx.Response, Refused | None]:
        sent = [self.completed(facts) for facts in command.entries]
        query = {"dry_run": str(command.dry).lower()}
        headers = writing(*command.who)
        if command.batch:
            query["partial"] = str(command.partial).lower()
            answer = await self.funding.client.post(
                f"{LEDGER}/batch", json={"entries": sent}, params=query, headers=headers
            )
        else:
            answer = await self.funding.client.post(LEDGER, json=sent[0], params=query, headers=headers)
        if command.who == REVIEWER:
            return answer, Refused(403, ("insufficient_scope", None))
        if any((name, facts.get(name)) in MALFORMED for facts in sent for name in ("date", "amount")):
            return answer, Refused(422)
        catalogue = await self.programmes()
        outcomes: list[str | Refused] = []
        for facts in sent:
            kept = len(self.books.rows)
            try:
                outcomes.append(self.books.enter(command.who, facts, catalogue).code)
            except Refused as refused:
                del self.books.rows[kept:]
                outcomes.append(refused)
        if command.batch:
            return answer, self.compare_batch(answer, outcomes, "/entries", command)
        (outcome,) = outcomes
        if isinstance(outcome, Refused):
            return answer, outcome
        self.check_entry(answer, self.books.row(outcome))
        return answer, None

    def compare_batch(
        self, answer: httpx.Response, outcomes: Sequence[str | Refused], pointer: str, command: Enter | Confirm
    ) -> Refused | None:
        """Compare the report of a batch with what the model did with each part; returns why all of it is rejected."""
        refusals = [(n, outcome) for n, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
        errors = [(code, f"{pointer}/{n}{path}") for n, outcome in refusals for code, path in outcome.errors]
        if refusals and not command.partial:
            return Refused(422, *errors)
        report = answer.json()
        assert answer.status_code == 200, answer.text
        assert [row["code"] for row in report["outcomes"]] == [
            None if isinstance(outcome, Refused) else outcome for outcome in outcomes
        ]
        assert [row["status"] for row in report["outcomes"]] == [
            getattr(outcome, "status", 200) for outcome in outcomes
        ]
        reported = [(error["code"], error["pointer"]) for row in report["outcomes"] for error in row["errors"]]
        assert sorted(reported) == sorted(errors)
        assert (report["written"], report["refused"]) == (len(outcomes) - len(refusals), len(refusals))
        assert report["dry_run"] == command.dry
        return None

    def check_entry(self, answer: httpx.Response, row: Row) -> None:
        """Check that the answer shows the entry that was sent, under the next code, with its flags."""
        assert answer.status_code == 201, answer.text
        said = answer.json()
        assert (said["code"], said["kind"], said["date"]) == (row.code, row.kind, row.date)
        assert said["sum"] == money(row.amount)
        assert answer.headers["location"] == f"{LEDGER}/{row.code}"
        assert sorted(said["flags"]) == [flag for flag, _ in row.flags], (row, said["flag_details"])
        assert [detail["flag"] for detail in said["flag_details"]] == said["flags"]

    def completed(self, facts: Json) -> Json:
        """The body of an entry, with the code that `follows` stands for, and an original that matches the amount."""
        sent = {name: self.day(value) if name == "date" else value for name, value in facts.items()}
        if sent["amount"] == "rest":
            sent["amount"] = f"{max(self.rest_of(sent), CENT):.2f}"
        if (place := sent.get("corrects")) is not None:
            sent["corrects"] = self.books.rows[-1 - place].code if place < len(self.books.rows) else "L-999999"
        followed = None
        if (place := sent.get("follows")) is not None:
            wanted = [row for row in self.books.rows if row.kind == PRECEDED.get(sent["kind"])] or self.books.rows
            followed = wanted[place % len(wanted)] if wanted and place < 3 else None
            sent["follows"] = followed.code if followed else "L-999999"
        if how := sent.pop("original", None):
            rate, currency = {"thrice": "0.3333", "euros": "1.2500"}.get(how, "0.5000"), "CHF"
            if how == "terms" and followed:
                rate, currency = followed.rate or "", followed.currency
            if how in ("euros", "dollars"):
                currency = "EUR" if how == "euros" else "USD"
            if rate:
                amount = Decimal(sent["amount"]) / Decimal(rate) + (Decimal("0.03") if how == "wrong" else 0)
                sent["original"] = {
                    "amount": f"{max(amount, CENT):.2f}",
                    "currency": currency,
                    "rate": rate,
                    "rate_date": NOT_YET if how == "later" else DAYS[0],
                    "rate_source": "a table of rates",
                }
        if how := sent.get("instalments"):
            whole = Decimal(sent["original"]["amount"] if "original" in sent else sent["amount"])
            parts = [(whole / 2).quantize(CENT), whole - (whole / 2).quantize(CENT) + (CENT if how == "wrong" else 0)]
            sent["instalments"] = [
                {"due": day, "amount": f"{part:.2f}"}
                for day, part in zip((DAYS[3], "2025-09-30"), parts, strict=True)
                if part
            ]
        return sent

    def rest_of(self, sent: Json) -> Decimal:
        """What may still be paid, spent or returned."""
        total, programme, contributor = self.books.total, sent.get("programme"), sent.get("contributor")
        if sent["kind"] == "transfer":
            return total("allocation", programme=programme) - total("transfer", programme=programme)
        if sent["kind"] == "contributor_refund":
            paid = total("deposit", contributor=contributor)
            return paid - total("contributor_refund", contributor=contributor)
        pair = {"programme": programme, "organization": sent.get("organization")}
        return total("transfer", **pair) - total("refund", **pair) - total("expenditure", **pair)

    async def reverse(self, command: Reverse) -> tuple[httpx.Response, Refused | None]:
        rows = self.books.rows
        code = rows[command.entry % len(rows)].code if rows else "L-000001"
        # Of two reasons to refuse, either may be named: one at a time.
        date = DAYS[-1] if self.books.reversal_of(code) else self.day(command.date)
        answer = await self.funding.client.post(
            f"{LEDGER}/{code}/reversal",
            json={"date": date, "reason": "It was wrong."},
            params={"dry_run": str(command.dry).lower()},
            headers=writing(*command.who),
        )
        try:
            row = self.books.reverse(command.who, code, date)
        except Refused as refused:
            return answer, refused
        self.check_entry(answer, row)
        assert answer.json()["reverses"] == code
        return answer, None

    async def correct(self, command: Correct) -> tuple[httpx.Response, Refused | None]:
        rows = self.books.rows
        row = rows[command.entry % len(rows)] if rows else None
        sent: Json = {"kind": row.kind if row and row.kind not in DERIVED else "interest"}
        if row:
            sent |= {n: getattr(row, n) for n in (*PARTIES, "bank_reference") if getattr(row, n) is not None}
        if sent["kind"] in REFERENCED:
            sent["reference"] = "SC-1"
        if sent["kind"] in ("interest", "commitment_amendment"):
            sent.pop("thematic_area", None)
        if sent["kind"] == "interest":
            sent = {"kind": "interest"}
        if sent["kind"].endswith("_fund"):
            sent["counterpart_fund"] = "Another fund"
        if sent["kind"] == "commitment_amendment":
            sent["amendment"] = "decrease" if row and row.amount < 0 else "increase"
        sent["date"] = (
            row.date if row and command.date == "same" else DAYS[5] if command.date == "same" else command.date
        )
        sent["amount"] = command.amount
        change = command.change
        if change == "contributor" and "contributor" in sent:
            sent["contributor"] = "USA" if sent["contributor"] == "DEU" else "DEU"
        elif change == "kind":
            sent = {"kind": "bank_charge", "date": sent["date"], "amount": sent["amount"]}
        elif change == "follows":
            sent.pop("follows", None) if sent["kind"] != "commitment_amendment" else None
        if row and row.rate and "contributor" in sent and change != "dollars":
            rate = "0.6250" if change == "original" else row.rate
            own = max((Decimal(sent["amount"]) / Decimal(rate)).quantize(CENT), CENT)
            sent["original"] = {
                "amount": f"{own:.2f}", "currency": row.currency, "rate": rate, "rate_date": DAYS[0],
                "rate_source": "a table of rates",
            }  # fmt: skip
        code = row.code if row else "L-000001"
        day = command.reversal_date if command.reversal_date != "same" else row.date if row else DAYS[5]
        # Of two reasons to refuse, either may be named: one at a time.
        day = DAYS[-1] if self.books.reversal_of(code) else day
        answer = await self.funding.client.post(
            f"{LEDGER}/{code}/correction",
            json={**sent, "reversal_date": day, "reason": "It was mistyped."},
            params={"dry_run": str(command.dry).lower()},
            headers=writing(*command.who),
        )
        try:
            right = self.books.correct(command.who, code, sent, day, await self.programmes())
        except Refused as refused:
            return answer, refused
        self.check_entry(answer, right)
        assert answer.json()["replaces"] == [*right.replaces]
        return answer, None

    async def programme(self, command: Programme) -> tuple[httpx.Response, Refused | None]:
        do, code = command.do, command.code
        noun = "drafts" if do in ("draft", "amend_draft", "discard", "submit") else "programmes"
        path = f"{CATALOG}/{noun}/{self.draft_codes.get(code, code) if noun == 'drafts' else code}"
        ways: dict[str, tuple[str, str, Json | None]] = {
            "draft": ("POST", f"{CATALOG}/drafts", {**command.sent, "programme_code": code}),
            "amend_draft": ("PATCH", path, command.sent),
            "discard": ("DELETE", path, None),
            "submit": ("POST", f"{path}/submission", None),
            "amend": ("PATCH", path, {**command.sent, "reason": "It was asked for.", "decision": "SC-3"}),
            "status": ("POST", f"{path}/status", {**command.sent, "reason": "It was decided."}),
            "extend": ("POST", f"{path}/extensions", {**command.sent, "reason": "It takes longer."}),
        }
        method, path, sent = ways[do]
        if sent and sent.get("date") == "today":
            sent["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
        match = await self.match_of(path.removesuffix("/submission"), command.match)
        query = {"dry_run": str(command.dry).lower()}
        answer = await self.catalog.client.request(
            method, path, json=sent, params=query, headers=writing(*command.who, match=match)
        )
        try:
            carry_out(self.books, command)
        except Refused as refused:
            return answer, refused
        if do == "draft" and not command.dry and answer.status_code == 201:
            self.draft_codes[code] = answer.json()["code"]
        return answer, None

    # - what has to hold -

    async def check(self) -> None:
        """Compare all statements as they are now, and as of an earlier revision, each of days drawn by lot."""
        catalogue, revision = await self.programmes(), await self.revision(self.funding)
        await self.check_at(View(self, self.books, catalogue, revision, is_past=False))
        if self.past:
            revision = self.random.choice([*self.past])
            await self.check_at(View(self, *self.past[revision], revision, is_past=True))

    async def check_at(self, view: View) -> None:
        links = await check_statements(view, self.a_day())
        by = self.random.sample(("organization", "year", "category"), self.random.randint(1, 3))
        await check_budgets(view, self.a_day(), tuple(by))
        await check_totals(view, (self.random.choice(DIVISIONS), self.random.choice(DIVISIONS)))
        await check_entries(view)
        await books_periods.check_periods(view, self.a_day(), self.a_day(), self.a_day(), links)
        await books_closings.check_closings(view)
        await books_reconciliation.check_bank(view, self.a_day())
        if links:
            await walk(view, self.random.choice(links))
        for _, parties, signs in view.books.balances():
            assert all(amount >= 0 for _, amount in view.books.daily(parties, signs))

    def a_day(self) -> str | None:
        """A day of the past, today, a day on the border of a period or beside one with entries, or none."""
        lot = self.random.random()
        if lot < 0.1:
            return None
        if lot < 0.2:
            return self.day("today")
        near = date.fromisoformat(self.day(self.random.choice((*DAYS, *OTHER_DAYS, *books_periods.BORDERS))))
        if lot < 0.8:
            return str(min(near + timedelta(self.random.choice((-1, 0, 0, 1))), datetime.now(UTC).date()))
        return str(date(2023, 12, 1) + timedelta(self.random.randrange(800)))

    async def check_programmes(self) -> None:
        for code, said in self.books.programmes.items():
            item = await self.get(self.catalog, f"{CATALOG}/programmes/{code}")
            assert (item["status"], item["title"]) == (said["status"], said["title"])
            assert (item["budget"]["amount"], item["budget_lines"]) == (said["budget"], said["budget_lines"])
            assert [{"code": p["code"], "share": p["share"]} for p in item["places"]] == said["places"]
            duration = {name: item["duration"][name] for name in ("start", "end")}
            assert duration == said["duration"]
            shares = [Decimal(place["share"]) for place in item["places"] if place["share"]]
            assert sum(shares) in (0, 100)
            lines = [Decimal(line["amount"]) for line in item["budget_lines"]]
            assert sum(lines) in (0, Decimal(item["budget"]["amount"]))
        drafts = await self.catalog.client.get(f"{CATALOG}/drafts", headers=bearer("admin"))
        expected = sorted([*self.books.drafts, *self.books.older_drafts])
        assert sorted(draft["programme_code"] for draft in drafts.json()["items"]) == expected
        ways = ("country", "region", "stage", "organization", "thematic_area")
        totals = await self.get(self.catalog, f"{CATALOG}/programmes/totals?by={ways[self.steps % 5]}")
        for total in totals["totals"]:
            parts = sum((Decimal(group["sum"]["amount"]) for group in total["groups"]), Decimal(0))
            assert parts == Decimal(total["sum"]["amount"])

    # - nothing is lost -

    async def store_answers(self) -> None:
        """Store the present answers; `compare_stored` compares them with those as of this revision."""
        last = f"L-{max(len(self.books.rows), 1):06d}"
        by_ledger = (
            STATEMENT, f"{STATEMENT}?on={DAYS[2]}", f"{STATEMENT}/contributors", f"{STATEMENT}/programmes",
            f"{STATEMENT}/organizations", f"{STATEMENT}/commitments", f"{FUNDING}/capitalization?interval=month",
            f"{LEDGER}?limit=1000", f"{LEDGER}/totals?by=programme&by=year", f"{LEDGER}/facets",
            f"{LEDGER}/{last}", f"{LEDGER}?format=csv", f"{FUNDING}/periods", f"{STATEMENT}/earmarks?on={DAYS[3]}",
            f"{FUNDING}/period-statements/fund?date_from={DAYS[2]}",
            f"{FUNDING}/period-statements/programmes?date_from={DAYS[1]}&date_to={DAYS[4]}",
            f"{FUNDING}/period-statements/thematic-areas?date_to={DAYS[3]}",
            f"{FUNDING}/period-statements/contributors?date_from={DAYS[2]}&format=csv", f"{STATEMENT}/budgets",
        )  # fmt: skip
        by_catalogue = (
            f"{CATALOG}/programmes?limit=1000",
            f"{CATALOG}/programmes/totals?by=country",
            f"{CATALOG}/programmes/TST-01",
        )
        for running, paths in ((self.funding, by_ledger), (self.catalog, by_catalogue)):
            revision = await self.revision(running)
            for path in self.random.sample(paths, STORED[running.name]):
                answer = await running.client.get(path)
                self.answers.append((running, revision, path, answer.status_code, answer.text))

    async def compare_stored(self) -> None:
        for running, revision, path, status, text in self.answers:
            again = await running.client.get(f"{path}{'&' if '?' in path else '?'}as_of={revision}")
            assert again.status_code == status, (path, revision, again.text)
            if status == 200:
                assert now_as_of(again.text) == text, (path, revision)

    async def replay(self) -> None:
        """Check that the journal, replayed from the start, gives every table, present and past, as text."""
        for running in (self.catalog, self.funding):
            pool = pool_of(running.app.state.database)
            changes = []
            for prefix in ("", "draft_") if running is self.catalog else ("",):
                changes += await pool.fetch(
                    f"SELECT entity, key, action, before::text, after::text, first, at FROM {prefix}change"
                    f" JOIN {prefix}revision ON seq BETWEEN first AND number ORDER BY seq"
                )
            now: dict[tuple[str, str], str] = {}
            versions: dict[tuple[str, str], list[tuple[int, str | None]]] = defaultdict(list)
            for change in changes:
                record = (change["entity"], change["key"])
                assert now.get(record) == change["before"]
                assert change["action"] == ("create" if record not in now else "amend" if change["after"] else "delete")
                now[record] = change["after"]
                if change["after"] is None:
                    del now[record]
                if versions[record] and versions[record][-1][0] == change["first"]:
                    versions[record].pop()
                versions[record].append((change["first"], change["after"]))
            await self.compare(running, pool, now, versions)
        await self.check_derived(now)

    async def compare(
        self,
        running: RunningApp,
        pool: asyncpg.Pool,
        now: Mapping[tuple[str, str], str],
        versions: Mapping[tuple[str, str], list[tuple[int, str | None]]],
    ) -> None:
        seen = set()
        for table in service_of(running.name).metadata.sorted_tables:
            if "entity" not in table.info:
                continue
            entity = table.info["entity"]
            seen.add(entity)
            mine = {record: said for record, said in versions.items() if record[0] == entity}
            rows = await pool.fetch(f"SELECT code, record::text AS record, revised FROM {table.name}")
            assert {row["code"]: row["record"] for row in rows} == {
                key: record for (of, key), record in now.items() if of == entity
            }
            assert {row["code"]: row["revised"] for row in rows} == {
                key: said[-1][0] for (_, key), said in mine.items() if said[-1][1] is not None
            }
            past = await pool.fetch(f"SELECT code, record::text, revised, replaced FROM {table.name}_past")
            assert sorted(tuple(row) for row in past) == sorted(
                (key, record, first, after[0])
                for (_, key), said in mine.items()
                for (first, record), after in pairwise(said)
                if record is not None
            )
        assert {entity for entity, _ in now} <= seen

    async def check_derived(self, now: Mapping[tuple[str, str], str]) -> None:
        """Check that the columns of entries and programmes equal what their records state."""
        stated = {key: json.loads(text) for (entity, key), text in now.items() if entity == "ledger_entry"}
        rows = await pool_of(self.funding.app.state.database).fetch("SELECT * FROM ledger_entry ORDER BY number")
        assert [row["code"] for row in rows] == sorted(stated) == [row.code for row in self.books.rows]
        same = ("kind", *PARTIES, "reverses")
        for row, kept in zip(rows, self.books.rows, strict=True):
            said = stated[row["code"]]
            assert {name: row[name] for name in (*same, "flags")} == {name: said[name] for name in (*same, "flags")}
            assert (row["number"], row["amount"]) == (int(row["code"][2:]), Decimal(said["sum"]["amount"]))
            assert row["date"].isoformat() == said["date"]
            assert row["updated"] == datetime.fromisoformat(said["updated"])
            assert [getattr(kept, name) for name in same] == [said[name] for name in same]
            assert (kept.date, kept.amount) == (said["date"], Decimal(said["sum"]["amount"]))
        pool = pool_of(self.catalog.app.state.database)
        lists = []
        for kind, model in (
            ("thematic_area", ThematicArea), ("objective", Objective), ("organization", Organization), ("place", Place),
        ):  # fmt: skip
            rows = await pool.fetch(f"SELECT record::text FROM {kind}")
            lists.append([model.model_validate_json(text) for (text,) in rows])
        names = CodeNames.of(*lists)
        for row in await pool.fetch("SELECT *, record::text AS text FROM programme"):
            built = programme_row(StatedProgramme.model_validate_json(row["stated"]), names, row["updated"])
            assert built.record == json.loads(row["text"])
            derived = set(type(built).model_fields) - {"record", "attribution", "stated"}
            assert {name: row[name] for name in derived} == {name: getattr(built, name) for name in derived}
            assert json.loads(row["attribution"]) == built.attribution
            assert json.loads(row["stated"]) == built.stated
