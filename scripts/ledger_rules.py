"""Prints docs/ledger-rules.md: which entries of the ledger are allowed, flagged or refused, for whom and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import get_args

from mmptf_funding.ledger.domain import LedgerEntryKind
from mmptf_funding.ledger.lifecycle import AMOUNT_RULES, BY_STATUS
from mmptf_funding.ledger.rules import KINDS

HEAD = """# Rules of the ledger

What becomes of an entry that is sent, by its kind, the status of its programme and who sends it. This page is made
from the code, by `make contracts`.

- **allowed**: it is written.
- **flagged**: it is written, its `flags` name what is unusual, and its `flag_details` say it in words, with the
  amounts; the list finds it by `flag=`. Ask its author whether it is right.
- **refused**: nothing is written. A caller who may not write the kind gets a 403, and an entry that does not fit the
  status a 422 `status_does_not_allow`.

The status is the one that the catalogue states for the day of the entry (`date`), and not the one of the day on which
it is sent; for a day before the first status that is known, it is the present one. An organization writes its own
entries only. Who is an administrator writes every kind. A reversal is taken from whoever may write the entry,
whatever the status: a mistake can be put right. Once the final figures of a programme are certified, nothing but
refunds is entered for it, and nothing but refunds reversed (`figures_certified`), until the certificate is withdrawn.
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

| Kind | Administrative agent | Management unit | The organization itself |
|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield HEAD
    for kind, rules in BY_STATUS.items():
        yield f"\n## {kind}\n\n"
        yield "| Status of the programme | Administrative agent | Management unit | The organization itself | Why |\n"
        yield "|---|---|---|---|---|\n"
        for status, rule in rules.items():
            cells = " | ".join(rule.outcome if may else "refused" for may in _may_write(kind))
            yield f"| `{status}` | {cells} | {rule.why} |\n"
    yield OTHERS
    for kind in get_args(LedgerEntryKind.__value__):
        if kind not in BY_STATUS:
            cells = " | ".join("allowed" if may else "refused" for may in _may_write(kind))
            yield f"| `{kind}` | {cells} |\n"
    yield AMOUNTS
    for flagged, flag, text in AMOUNT_RULES:
        yield f"| `{flagged}` | `{flag}` | {text} |\n"
    yield "| each with `bank_reference` | `repeated_bank_reference` |"
    yield " another entry of the same kind that is not reversed has the same reference |\n"


def _may_write(kind: LedgerEntryKind) -> tuple[bool, bool, bool]:
    """Whether the agent, the management unit and the organization itself write entries of a kind."""
    rule = KINDS[kind]
    return rule.by_agent, rule.by_fund, rule.by_organization


if __name__ == "__main__":
    sys.stdout.write(page())
