"""Prints docs/ledger-rules.md: which entries of the ledger are allowed, flagged or refused, for whom and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import get_args

from mmptf_common.wire.codes import ProgrammeStatus
from mmptf_funding.ledger.domain import LedgerEntryKind, LedgerEntryKindSent
from mmptf_funding.ledger.lifecycle import AMOUNT_RULES, BY_STATUS, Role, cell

HEAD = """# Rules of the ledger

What becomes of an entry that is sent, by its kind, the status of its programme and who sends it. This page is made
from the code, by `make contracts`.

- **allowed**: it is written.
- **flagged**: it is written, its `flags` name what is unusual, and its `flag_details` say it in words, with the
  amounts; the list finds it by `flag=`. Ask its author whether it is right.
- **refused**: nothing is written. A caller who may not write the kind gets a 403 `forbidden`, with the text under the
  table, and an entry that does not fit the status a 422 `status_does_not_allow`, whose text ends with the last column.

The status is the one that the catalogue states for the day of the entry (`date`), and not the one of the day on which
it is sent; for a day before the first status that is known, it is the present one. An organization writes its own
entries only. Who is an administrator writes every kind. A reversal is taken from whoever may write the entry,
whatever the status: a mistake can be put right. Once the final figures of a programme are certified, nothing but
refunds is entered for it, and nothing but refunds reversed (`figures_certified`), until the certificate is withdrawn.

Where the management unit has stated a limit, a transfer above it is a 409 `needs_second_person` in every write but one:
another person of the administrative agent approves what the first one has proposed. A reversal needs no second person.
"""
AMOUNTS = """
## What else is flagged

An organization that does not take part in a programme is refused (`not_taking_part`), but for refunds, and for
expenditure while it has received money that it has not refunded: both are flagged as `no_longer_taking_part`. Amounts
are compared on the day of the entry and on every later one.

| Kind | Flag | When |
|---|---|---|
"""
OTHERS = """
## Kinds that name no programme

The agent's fee and the exchange difference are entered with their deposit, and nobody sends them.

| Kind | Administrative agent | Management unit | The organization itself | Another organization | Text of a refusal |
|---|---|---|---|---|---|
"""
STATUSES = """
| Status | Administrative agent | Management unit | The organization itself | Another organization | Why |
|---|---|---|---|---|---|
"""
ROLES: tuple[Role, ...] = get_args(Role)


def page() -> str:
    """The page as Markdown."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield HEAD
    for kind, of_statuses in BY_STATUS.items():
        yield f"\n## {kind}\n{STATUSES}"
        for status, rule in of_statuses.items():
            yield f"| `{status}` | {_cells(kind, status)} | {rule.why} |\n"
        yield f"\nText for a caller who may not write it: `{_refusal(kind)}`\n"
    yield OTHERS
    for kind in get_args(LedgerEntryKindSent.__value__):
        if kind not in BY_STATUS:
            yield f"| `{kind}` | {_cells(kind, None)} | `{_refusal(kind)}` |\n"
    yield AMOUNTS
    for flagged, flag, text in AMOUNT_RULES:
        yield f"| `{flagged}` | `{flag}` | {text} |\n"
    yield "| each with `bank_reference` | `repeated_bank_reference` |"
    yield " another entry of the same kind that is not reversed has the same reference |\n"


def _cells(kind: LedgerEntryKind, status: ProgrammeStatus | None) -> str:
    """What becomes of an entry by role, with the code of a refusal."""
    found = (cell(kind, status, role) for role in ROLES)
    return " | ".join(f"refused: `{each.code}`" if each.outcome == "refused" else each.outcome for each in found)


def _refusal(kind: LedgerEntryKind) -> str:
    """The text for a caller who may not write entries of a kind; no other organization may write any."""
    return str(cell(kind, None, "another_organization").text)


if __name__ == "__main__":
    sys.stdout.write(page())
