"""Prints docs/problems.md: every error code, its HTTP statuses, what it means and what the caller does."""

from __future__ import annotations

import sys

from mmptf_common.wire.problem_codes import ProblemCode

HEAD = """# Error codes

Every error is a problem document (RFC 9457). Its `code` is one of these, and so is that of each entry of `errors`.
`type` is the path at which a running suite explains the code, `/problems/{code}`; `GET /problems` has all of them. A
wording may change, a code does not; codes may be added, so treat one that you do not know by its HTTP status. Rows of a
batch have the code, and as `status` the status, that they would have had alone. This page is made from the code, by
`make contracts`.

| Code | HTTP status | What it means | What to do |
|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(map(_row, ProblemCode))


def _row(code: ProblemCode) -> str:
    statuses = ", ".join(map(str, code.statuses)) or "none"
    return f"| `{code}` | {statuses} | {_cell(code.meaning)} | {_cell(code.remedy)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
