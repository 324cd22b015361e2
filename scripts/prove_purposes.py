"""Checks what requirements are for against the text of their document: purposes, topics, narratives and funders.

    python scripts/prove_purposes.py DOCUMENT.txt [REQUIREMENTS.csv]

DOCUMENT.txt is the publication as plain text, which this project does not contain; lines are numbered from 1. The rows
are those of the packaged edition, or of any export of `/funding/v1/requirements?format=csv`. Held against the text are:

- purpose: at most 25 words, no seven words that follow each other in the document, no figure that the narrative lacks
- topics: each line is in the narrative, and one of the topic's words (`topic_words.csv`) begins on it
- narrative: no line is in that of two rows
- funders: each name begins on its line, which is in the narrative

Prints one line for each fault, and exits with 1; else the number of rows that were checked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from own_words import runs_in, runs_of, words_of
from prove_lines import DATA, rows_of

HERE = Path(__file__).parent
MOST_WORDS = 25


def several(cell: str) -> list[tuple[str, int]]:
    """The entries of a cell, each with its line."""
    found = [entry.rpartition(":") for entry in cell.split("|") if entry]
    return [(name, int(line)) for name, _, line in found]


def ranges_of(cell: str) -> list[range]:
    """The line ranges of a narrative."""
    found = [entry.partition("-") for entry in cell.split("|") if entry]
    return [range(int(first), int(last or first) + 1) for first, _, last in found]


def faults(lines: list[str], rows: list[dict[str, str]], topics: dict[str, list[str]]) -> Iterator[str]:
    """One line for each fault; topics: the words of each."""
    copied = runs_in(lines)
    taken: dict[int, str] = {}
    for row in rows:
        code, purpose = row["code"], row["purpose"]
        inside = [line for lines_ in ranges_of(row["narrative"]) for line in lines_]
        text = " ".join(lines[line - 1] for line in inside)
        if not (purpose and inside and row["topics"]):
            yield f"{code}: a purpose, a narrative and a topic are expected"
        if len(purpose.split()) > MOST_WORDS:
            yield f"{code}: its purpose has {len(purpose.split())} words"
        for run in runs_of(words_of(purpose)) & copied:
            yield f"{code}: its purpose has words of the document: {' '.join(run)}"
        for figure in re.findall(r"\d[\d,.]*\d|\d", purpose):
            if figure not in text:
                yield f"{code}: its narrative does not have the figure {figure}"
        for line in inside:
            if (first := taken.setdefault(line, code)) != code:
                yield f"{code}: line {line} is in the narrative of {first}, too"
        for topic, line in several(row["topics"]):
            if line not in inside:
                yield f"{code}: line {line} of {topic} is not in its narrative"
            if topic not in topics:
                yield f"{code}: {topic} has no words"
            elif not begins_on(lines, line, topics[topic]):
                yield f"{code}: no word of {topic} begins on line {line}: {lines[line - 1]!r}"
        for name, line in several(row["funders_named"]):
            printed = " ".join(words_of(" ".join(lines[line - 1 : line + 3])))
            if line not in inside or " ".join(words_of(name)) not in printed:
                yield f"{code}: {name!r} is not on line {line} of its narrative"


def begins_on(lines: list[str], line: int, words: Sequence[str]) -> bool:
    """Whether one of the words, or of the beginnings of words, begins on a line; it may end on the next one."""
    here, following = lines[line - 1], lines[line] if line < len(lines) else ""
    both = here.removesuffix("-") + ("" if here.endswith("-") else " ") + following
    return any(
        found.start() < len(here) for word in words for found in re.finditer(rf"(?i)(?<![a-z]){re.escape(word)}", both)
    )


def main() -> int:
    """Print the faults, or the number of checked rows; returns the exit code: 0 all right, 1 faults, 2 usage."""
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    # Not splitlines: it would end a line at a form feed and at other separators, too.
    lines = Path(sys.argv[1]).read_text("utf-8").split("\n")
    rows = rows_of(Path(sys.argv[2]) if len(sys.argv) == 3 else DATA / "requirements.csv")
    topics = {row["topic"]: row["words"].split("|") for row in rows_of(HERE / "topic_words.csv")}
    found = list(faults(lines, rows, topics))
    named = sum(len(several(row["topics"])) for row in rows)
    print("\n".join(found) or f"{len(rows)} purposes and {named} topics agree with the text")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
