"""What is known to be right: each write that was sent, and what every revision of the ledger holds."""

from __future__ import annotations

import json
import re
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import Any

from tests.drills.client import Tally

Json = dict[str, Any]


@dataclass
class Write:
    """A ledger entry that was sent, and its acknowledgement."""

    number: int
    reference: str
    body: Json
    key: str
    acknowledged: Json | None = None
    revision: int = 0


@dataclass(frozen=True)
class Read:
    """What an answer said of the whole ledger at a revision."""

    kind: str
    revision: int
    rows: int
    total: Decimal | None
    """The sum of all entries; None where the answer has none."""


@dataclass
class Ledger:
    """The known ledger: the entries that were sent, and the feed's account of when each was written."""

    writes: dict[str, Write] = field(default_factory=dict)
    acknowledged: list[Write] = field(default_factory=list)
    """Those of them that were acknowledged, in this order."""
    floors: list[tuple[float, int]] = field(default_factory=list)
    """The moment of each acknowledgement, and the highest revision that was acknowledged until then."""
    reads: list[Read] = field(default_factory=list)
    revisions: list[int] = field(default_factory=lambda: [0])
    """The revisions at which entries were written, with the sums and numbers of entries after each."""
    totals: list[Decimal] = field(default_factory=lambda: [Decimal(0)])
    rows: list[int] = field(default_factory=lambda: [0])
    last: int = 0
    """The last change of the feed that is in the account."""

    def acknowledge(self, write: Write, record: Json, revision: int) -> str | None:
        """Remember an acknowledgement; what is wrong with it, or None."""
        sent = {name: write.body[name] for name in ("kind", "date", "reference")}
        got = {name: record[name] for name in sent}
        amount = {"amount": write.body["amount"], "currency": "USD"}
        if got != sent or record["sum"] != amount:
            return "the entry in the acknowledgement is another one"
        if write.acknowledged is None:
            self.acknowledged.append(write)
        write.acknowledged, write.revision = record, revision
        self.floors.append((time.monotonic(), max(self.floor(), revision)))
        return None

    def floor(self, seconds: float = 0.0) -> int:
        """The highest revision of a write that was acknowledged so many seconds ago: no later answer may be older."""
        until = bisect_right(self.floors, time.monotonic() - seconds, key=itemgetter(0))
        return self.floors[until - 1][1] if until else 0

    def unanswered(self) -> list[Write]:
        return [write for write in self.writes.values() if not write.acknowledged]

    def account(self, changes: list[Json]) -> None:
        """Add changes of the feed to the account."""
        for change in changes:
            self.last = change["seq"]
            if change["entity"] != "ledger_entry" or change["action"] != "create":
                continue
            total = self.totals[-1] + Decimal(change["after"]["sum"]["amount"])
            if change["revision"] == self.revisions[-1]:
                self.totals[-1], self.rows[-1] = total, self.rows[-1] + 1
                continue
            self.revisions.append(change["revision"])
            self.totals.append(total)
            self.rows.append(self.rows[-1] + 1)

    def at(self, revision: int) -> tuple[int, Decimal]:
        """The number of entries at a revision and their sum."""
        place = bisect_right(self.revisions, revision) - 1
        return self.rows[place], self.totals[place]

    def forget_after(self, revision: int) -> None:
        """Know nothing of what was written after a revision, to which a backup was restored."""
        self.writes = {name: each for name, each in self.writes.items() if each.revision <= revision}
        self.acknowledged = [each for each in self.acknowledged if each.revision <= revision]
        self.floors = [(0.0, max((each.revision for each in self.writes.values()), default=0))]
        self.reads.clear()
        while self.revisions[-1] > revision:
            del self.revisions[-1], self.totals[-1], self.rows[-1]
        self.last = min(self.last, revision)

    # - what is checked when the load has ended -

    def check_reads(self, tally: Tally) -> None:
        """Count each answer that is another one than its revision has."""
        for read in self.reads:
            rows, total = self.at(read.revision)
            if read.rows != rows or (read.total is not None and read.total != total):
                tally.fail(
                    f"{read.kind}: not what its revision has",
                    f"revision {read.revision}: {read.rows} rows, {read.total}; right: {rows} rows, {total}",
                )
        self.reads.clear()

    def check_rows(self, rows: list[Json], tally: Tally, source: str) -> None:
        """Count each acknowledged entry that is not among the rows exactly once, and each row that nobody sent."""
        found = Counter(row["reference"] for row in rows)
        by_reference = {row["reference"]: row for row in rows}
        for reference, times in found.items():
            if reference not in self.writes:
                tally.fail(f"{source}: an entry that nobody sent", str(reference))
            elif times > 1:
                tally.lose(f"an entry is {times} times in {source}", str(reference))
        for write in self.acknowledged:
            row = by_reference.get(write.reference)
            if row is None:
                tally.lose(f"an acknowledged entry is not in {source}", f"{write.reference} at {write.revision}")
            elif row != write.acknowledged:
                tally.fail(f"{source}: an entry is another one than was acknowledged", json.dumps(row)[:300])


@dataclass
class Follower:
    """A copy of the ledger that follows the feed."""

    last: int
    copy: dict[str, Json] = field(default_factory=dict)

    def apply(self, page: Json) -> str | None:
        """Apply a page of the feed; what is wrong with it, or None."""
        for change in page["items"]:
            if change["seq"] <= self.last:
                return "the feed repeats a change"
            self.last = change["seq"]
            if change["entity"] != "ledger_entry":
                continue
            if self.copy.get(change["key"]) != change["before"]:
                return "a change does not begin with what the one before it left"
            if change["after"] is None:
                self.copy.pop(change["key"], None)
            else:
                self.copy[change["key"]] = change["after"]
        return None


def without_revision(text: str) -> str:
    """An answer without the revision of the database, which other records may raise."""
    return re.sub(r'"revision" ?: ?\d+', '"revision":0', text)
