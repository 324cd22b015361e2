"""The two services beside the model: commands are carried out by both, and every answer is compared."""

from __future__ import annotations

import copy
import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import asyncpg
import httpx

from mmptf_catalog.code_lists.schemas import Objective, Organization, Place, ThematicArea
from mmptf_catalog.programmes.commands import programme_row
from mmptf_catalog.programmes.domain import StatedProgramme
from mmptf_catalog.programmes.schemas import CodeNames
from tests.conftest import RunningApp, pool_of, service_of
from tests.integration import books_periods
from tests.integration.books import PARTIES, Books, Refused, Row
from tests.integration.books_commands import (
    CATALOG,
    CENT,
    DAYS,
    DERIVED,
    FUNDING,
    LEDGER,
    MALFORMED,
    NOT_YET,
    PRECEDED,
    REFERENCED,
    REVIEWER,
    STATEMENT,
    Account,
    Command,
    Compare,
    Correct,
    Enter,
    Json,
    Programme,
    Reverse,
)
from tests.integration.ledger_client import copied
from tests.tokens import bearer, writing

AGES = (
    *("not_due", "past_due_1_to_30", "past_due_31_to_90", "past_due_91_to_180", "past_due_over_180", "no_due_date"),
)


def shown(part: Decimal, whole: Decimal) -> Json:
    """A share as it is sent: exact, and in hundredths of a per cent that are reached."""
    exact = Fraction(part) / Fraction(whole)
    reached = Decimal(math.floor(exact * 10_000)).scaleb(-2)
    return {"numerator": str(exact.numerator), "denominator": str(exact.denominator), "per_cent": f"{reached:.2f}"}


def money(amount: Decimal) -> Json:
    return {"amount": f"{amount:.2f}", "currency": "USD"}


def now_as_of(text: str) -> str:
    """An answer as of a revision without the parameter in its links: as it was when that revision was the newest."""
    return re.sub(r'([?&"])as_of=\d+(&?)', lambda match: match[1] if match[2] else '"' if match[1] == '"' else "", text)


@dataclass
class Suite:
    """The two services, the model after the same commands, and answers to compare later."""

    catalog: RunningApp
    funding: RunningApp
    books: Books = field(default_factory=Books)
    answers: list[tuple[RunningApp, int, str, int, str]] = field(default_factory=list)
    steps: int = 0
    # The code of a programme -> that of the newest draft of it.
    draft_codes: dict[str, str] = field(default_factory=dict)

    async def get(self, running: RunningApp, path: str) -> Any:
        answer = await running.client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    async def revision(self, running: RunningApp) -> int:
        return int(await pool_of(running.app.state.database).fetchval("SELECT coalesce(max(number), 0) FROM revision"))

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
        books = copy.deepcopy(self.books)
        if isinstance(command, Enter):
            answer, refused = await self.enter(command)
        elif isinstance(command, Reverse):
            answer, refused = await self.reverse(command)
        elif isinstance(command, Correct):
            answer, refused = await self.correct(command)
        elif isinstance(command, Account):
            answer, refused = await books_periods.send(self, command)
        else:
            answer, refused = await self.programme(command)
        if refused:
            assert answer.status_code == refused.status, (answer.text, refused)
            problem = answer.json()
            if refused.errors and refused.status == 422:
                assert sorted((e["code"], e["pointer"]) for e in problem["errors"]) == refused.errors
            elif refused.errors:
                assert problem["code"] == refused.errors[0][0]
            assert all(words in problem["detail"] for words in refused.saying), (problem["detail"], refused.saying)
        else:
            assert answer.status_code in (200, 201, 204), answer.text
        if refused or command.dry:
            self.books = books
            assert await self.revision(running) == before
        await copied(self.funding, self.catalog)
        await self.check()

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
        outcomes: list[Row | Refused] = []
        for facts in sent:
            books = copy.deepcopy(self.books)
            try:
                outcomes.append(self.books.enter(command.who, facts, catalogue))
            except Refused as refused:
                self.books = books
                outcomes.append(refused)
        refusals = [(n, outcome) for n, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
        if not command.batch:
            if refusals:
                return answer, refusals[0][1]
            self.check_entry(answer, outcomes[0], catalogue)
            return answer, None
        errors = [(code, f"/entries/{n}{pointer}") for n, outcome in refusals for code, pointer in outcome.errors]
        if refusals and not command.partial:
            return answer, Refused(422, *errors)
        report = answer.json()
        assert [row["code"] for row in report["outcomes"]] == [getattr(outcome, "code", None) for outcome in outcomes]
        assert [row["status"] for row in report["outcomes"]] == [
            getattr(outcome, "status", 200) for outcome in outcomes
        ]
        reported = [(error["code"], error["pointer"]) for row in report["outcomes"] for error in row["errors"]]
        assert sorted(reported) == sorted(errors)
        assert (report["written"], report["refused"]) == (len(sent) - len(refusals), len(refusals))
        assert report["dry_run"] == command.dry
        return answer, None

    async def programmes(self) -> dict[str, Json]:
        listed = await self.get(self.catalog, f"{CATALOG}/programmes?limit=1000")
        return {item["code"]: item for item in listed["items"]}

    def check_entry(self, answer: httpx.Response, row: Row | Refused, catalogue: Mapping[str, Json]) -> None:
        """Check that the answer shows the entry that was sent, under the next code."""
        assert isinstance(row, Row)
        assert answer.status_code == 201, answer.text
        said = answer.json()
        assert (said["code"], said["kind"], said["date"]) == (row.code, row.kind, row.date)
        assert said["sum"] == money(row.amount)
        assert answer.headers["location"] == f"{LEDGER}/{row.code}"
        parties = {"programme": row.programme, "organization": row.organization}
        if row.kind in ("expenditure", "refund") and not row.reverses:
            flag = {"expenditure": "expenditure_exceeds_transfers", "refund": "refund_exceeds_unspent"}[row.kind]
            days = {r.date for r in self.books.rows if r.date >= row.date}
            spent = {
                day: self.books.total("expenditure", day, **parties)
                - self.books.total("transfer", day, **parties)
                + self.books.total("refund", day, **parties)
                for day in days
            }
            if spent[row.date] > 0:
                assert flag in said["flags"]
            elif max(spent.values()) <= 0:
                assert flag not in said["flags"]
        if row.kind == "deposit" and row.follows and not row.reverses:
            commitment = self.books.standing(row.follows)
            assert ("deposit_in_other_currency" in said["flags"]) == (row.currency != commitment.currency)
            left = [
                self.books.promised(commitment, day)
                - sum((self.books.settles(d, commitment) for d in self.books.followers(commitment, "deposit", day)),
                      Decimal(0))
                for day in {r.date for r in self.books.rows if r.date >= row.date}
            ]  # fmt: skip
            assert ("deposit_exceeds_commitment" in said["flags"]) == (min(left) < 0)
        assert [detail["flag"] for detail in said["flag_details"]] == said["flags"]
        others = {
            "expenditure_exceeds_transfers", "refund_exceeds_unspent", "deposit_exceeds_commitment",
            "deposit_in_other_currency",
        }  # fmt: skip
        assert set(said["flags"]) - others == self.books.flags(row, catalogue)

    def completed(self, facts: Json) -> Json:
        """The body of an entry, with the code that `follows` stands for, and an original that matches the amount."""
        sent = dict(facts)
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

    async def reverse(self, command: Reverse) -> tuple[httpx.Response, Refused | None]:
        rows = self.books.rows
        code = rows[command.entry % len(rows)].code if rows else "L-000001"
        # Of two reasons to refuse, either may be named: one at a time.
        date = DAYS[-1] if self.books.reversal_of(code) else command.date
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
        self.check_entry(answer, row, {})
        assert answer.json()["reverses"] == code
        return answer, None

    async def correct(self, command: Correct) -> tuple[httpx.Response, Refused | None]:
        rows = self.books.rows
        row = rows[command.entry % len(rows)] if rows else None
        sent: Json = {"kind": row.kind if row and row.kind not in DERIVED else "interest"}
        if row:
            sent |= {name: getattr(row, name) for name in PARTIES if getattr(row, name) is not None}
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
        catalogue = await self.programmes()
        try:
            right = self.books.correct(command.who, code, sent, day, catalogue)
        except Refused as refused:
            return answer, refused
        self.check_entry(answer, right, catalogue)
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
        match = command.match
        if match == "present":
            known = await self.catalog.client.get(path.removesuffix("/submission"), headers=bearer("admin"))
            match = known.headers.get("etag", "*")
        elif match == "stale":
            match = '"1-000000000000000000"'
        query = {"dry_run": str(command.dry).lower()}
        answer = await self.catalog.client.request(
            method, path, json=sent, params=query, headers=writing(*command.who, match=match)
        )
        try:
            self.books.command(command)
        except Refused as refused:
            return answer, refused
        if do == "draft" and not command.dry and answer.status_code == 201:
            self.draft_codes[code] = answer.json()["code"]
        return answer, None

    # - what has to hold after each of them -

    async def check(self) -> None:
        on = [None, *DAYS][self.steps % (len(DAYS) + 1)]
        await self.check_statements(on)
        await books_periods.check_periods(self)
        if self.steps % 3 == 0:
            await self.check_totals()
        await self.check_programmes()
        for _, parties, signs in self.books.balances():
            if self.books.rows:
                assert self.books.lowest(parties, signs, "")[0] >= 0

    def line(self, kind: str, on: str | None, **parties: str) -> Json:
        rows = self.books.found(kind, on, **parties)
        return {"kind": kind, "sum": money(sum((r.amount for r in rows), Decimal(0))), "rows": len(rows)}

    def delivery(self, on: str | None, **parties: str) -> Json:
        books = self.books
        net = books.total("transfer", on, **parties) - books.total("refund", on, **parties)
        spent = books.total("expenditure", on, **parties)
        return {
            "net_funded": money(net),
            "expenditure": money(spent),
            "share": shown(spent, net) if net else None,
        }

    def commitments(self, on: str | None, contributor: str | None = None) -> Json:
        who = {"contributor": contributor} if contributor else {}
        paid = sum((commitment.paid for commitment in self.books.paid(on, contributor)), Decimal(0))
        committed = self.books.total("commitment", on, **who) + self.books.total("commitment_amendment", on, **who)
        return {
            "committed": self.line("commitment", on, **who),
            "amendments": self.line("commitment_amendment", on, **who),
            "paid": money(paid),
            "outstanding": money(committed - paid),
            "exchange_differences": self.line("exchange_difference", on, **who),
        }

    def overspent(self, on: str | None, **parties: str) -> bool:
        rows = self.books.found("expenditure", on, **parties)
        return any(
            self.books.total("expenditure", on, programme=p, organization=o)
            > self.books.total("transfer", on, programme=p, organization=o)
            - self.books.total("refund", on, programme=p, organization=o)
            for p, o in {(row.programme, row.organization) for row in rows}
        )

    async def check_statements(self, on: str | None) -> None:
        books, query = self.books, f"?on={on}" if on else ""
        fund = await self.get(self.funding, STATEMENT + query)
        links: list[Json] = []
        said = self.without_links(fund, links)
        income = ("deposit", "interest", "transfer_from_fund", "other_income", "opening_balance")
        paid = (
            *("transfer", "refund", "agent_fee", "direct_cost", "bank_charge", "contributor_refund"),
            "transfer_to_fund",
        )
        sources, uses = ([self.line(kind, on) for kind in kinds] for kinds in (income, paid))
        signs = dict.fromkeys((*income, *paid), 1) | {"refund": -1}
        got = sum((signs[line["kind"]] * Decimal(line["sum"]["amount"]) for line in sources), Decimal(0))
        used = sum((signs[line["kind"]] * Decimal(line["sum"]["amount"]) for line in uses), Decimal(0))
        assert said == {
            "on": on,
            "sources": sources,
            "total_sources": money(got),
            "uses": uses,
            "total_uses": money(used),
            "balance": money(got - used),
            "pledges": self.line("pledge", on),
            "commitments": self.commitments(on),
            "allocations": self.line("allocation", on),
            "not_yet_transferred": money(books.total("allocation", on) - books.total("transfer", on)),
            "delivery": self.delivery(on),
            "revision": await self.revision(self.funding),
        }
        counted = [row for row in books.rows if on is None or row.date <= on]
        contributors = await self.items("contributors", query, links)
        assert contributors == [
            {
                "contributor": code,
                "name": {"DEU": "Germany", "USA": "United States of America"}.get(code, ""),
                "pledges": self.line("pledge", on, contributor=code),
                "commitments": self.commitments(on, code),
                "deposits": self.line("deposit", on, contributor=code),
                "refunds": self.line("contributor_refund", on, contributor=code),
            }
            | {"name": contributors[n]["name"]}
            for n, code in enumerate(sorted({row.contributor for row in counted if row.contributor}))
        ]
        programmes = await self.items("programmes", query, links)
        catalogue = await self.programmes()
        for item in programmes:
            budget = item.pop("budget")
            known = catalogue[item["programme"]]
            amount = known["budget"] and known["budget"]["amount"]
            assert item.pop("title") == known["title"]
            assert (budget and budget["sum"]["amount"]) == amount
            if budget:
                granted = books.total("allocation", on, programme=item["programme"])
                assert budget["allocated"] == shown(granted, Decimal(amount or 1))
        assert programmes == [
            {
                "programme": code,
                "allocations": self.line("allocation", on, programme=code),
                "transfers": self.line("transfer", on, programme=code),
                "refunds": self.line("refund", on, programme=code),
                "not_yet_transferred": money(
                    books.total("allocation", on, programme=code) - books.total("transfer", on, programme=code)
                ),
                "delivery": self.delivery(on, programme=code),
                "overspent": self.overspent(on, programme=code),
            }
            for code in sorted({row.programme for row in counted if row.programme})
        ]
        organizations = await self.items("organizations", query, links)
        assert organizations == [
            {
                "organization": code,
                "allocations": self.line("allocation", on, organization=code),
                "direct_costs": self.line("direct_cost", on, organization=code),
                "interest": self.line("interest", on, organization=code),
                "transfers": self.line("transfer", on, organization=code),
                "refunds": self.line("refund", on, organization=code),
                "delivery": self.delivery(on, organization=code),
                "overspent": self.overspent(on, organization=code),
            }
            for code in sorted({row.organization for row in counted if row.organization})
        ]
        self.add_up(said, contributors, programmes, organizations)
        await self.check_outstanding(on, query, said)
        if self.steps % 5 == 0:
            for line in links:
                await self.walk(line)

    def add_up(self, fund: Json, contributors: list[Json], programmes: list[Json], organizations: list[Json]) -> None:
        """Check that the parts that are answered add up to the whole, independently of the model."""

        def whole(line: Json, items: list[Json], name: str) -> None:
            assert sum((Decimal(i[name]["sum"]["amount"]) for i in items), Decimal(0)) == Decimal(line["sum"]["amount"])
            assert sum(i[name]["rows"] for i in items) == line["rows"]

        whole(fund["sources"][0], contributors, "deposits")
        whole(fund["pledges"], contributors, "pledges")
        whole(fund["allocations"], programmes, "allocations")
        for items in (programmes, organizations):
            whole(fund["uses"][0], items, "transfers")
            whole(fund["uses"][1], items, "refunds")
            for name in ("net_funded", "expenditure"):
                parts = sum((Decimal(item["delivery"][name]["amount"]) for item in items), Decimal(0))
                assert parts == Decimal(fund["delivery"][name]["amount"])
        for name in ("paid", "outstanding"):
            parts = sum((Decimal(item["commitments"][name]["amount"]) for item in contributors), Decimal(0))
            assert parts == Decimal(fund["commitments"][name]["amount"])

    async def check_outstanding(self, on: str | None, query: str, fund: Json) -> None:
        outstanding = await self.get(self.funding, f"{STATEMENT}/commitments{query}")

        def of_currency(amount: Decimal, currency: str) -> Json:
            return {"amount": f"{amount:.2f}", "currency": currency}

        whole = [Decimal(0)] * 6
        expected = []
        for found in sorted(self.books.paid(on), key=lambda each: (each.row.date, each.row.code)):
            if found.settled >= found.promised:
                continue
            row, ageing = found.row, self.books.ageing(found, on) if on else []
            whole = [total + part for total, part in zip(whole, ageing or whole, strict=True)]
            expected.append(
                {
                    "commitment": row.code,
                    "contributor": row.contributor,
                    "date": row.date,
                    "committed": money(found.committed),
                    "paid": money(found.paid),
                    "outstanding": money(found.committed - found.paid),
                    "in_own_currency": {
                        "committed": of_currency(found.promised, row.currency),
                        "paid": of_currency(found.settled, row.currency),
                        "outstanding": of_currency(found.promised - found.settled, row.currency),
                    },
                    "received": money(found.received),
                    "ageing": dict(zip(AGES, map(money, ageing), strict=True)) if on else None,
                }
            )
        assert outstanding["items"] == expected
        assert outstanding["outstanding"] == fund["commitments"]["outstanding"]
        assert outstanding["ageing"] == (dict(zip(AGES, map(money, whole), strict=True)) if on else None)

    async def items(self, what: str, query: str, links: list[Json]) -> list[Json]:
        said = await self.get(self.funding, f"{STATEMENT}/{what}{query}")
        found: list[Json] = [self.without_links(item, links) for item in said["items"]]
        return found

    def without_links(self, said: Any, links: list[Json]) -> Any:
        """An answer without the links of its lines, which go into `links`."""
        if isinstance(said, list):
            return [self.without_links(item, links) for item in said]
        if not isinstance(said, dict):
            return said
        if set(said) == {"kind", "sum", "rows", "link"}:
            links.append(said)
        return {name: self.without_links(value, links) for name, value in said.items() if name != "link"}

    async def walk(self, line: Json) -> None:
        """Check that the rows at a line's link are as many as it counts and have its sum."""
        rows, path = [], f"{line['link']}&limit=3"
        while path:
            page = await self.get(self.funding, path)
            rows += page["items"]
            path = page["next"]
        assert len(rows) == line["rows"] == page["total"]
        assert money(sum((Decimal(row["sum"]["amount"]) for row in rows), Decimal(0))) == line["sum"]
        assert {row["kind"] for row in rows} <= {line["kind"]}

    async def check_totals(self) -> None:
        ways = ["kind", "contributor", "programme", "organization", "thematic_area", "category", "account", "year"]
        by = [ways[self.steps // 3 % 8], ways[self.steps // 24 % 8]]
        query = "&".join(f"by={way}" for way in dict.fromkeys(by))
        totals = await self.get(self.funding, f"{LEDGER}/totals?{query}")
        assert totals["rows"] == len(self.books.rows)
        assert [total["stage"] for total in totals["totals"]] == sorted({row.kind for row in self.books.rows})
        for total in totals["totals"]:
            rows = self.books.found(total["stage"])
            assert (total["sum"], total["rows"]) == (money(sum((r.amount for r in rows), Decimal(0))), len(rows))
            sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
            for row in rows:
                keys = {**vars(row), "year": row.date[:4]} if hasattr(row, "__dict__") else {}
                sums[tuple(keys[way] or "not_stated" for way in totals["by"])] += row.amount
            groups = {tuple(key["value"] for key in group["keys"]): group["sum"] for group in total["groups"]}
            assert groups == {key: money(amount) for key, amount in sums.items()}

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
            for path in paths:
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
