"""Checks that no text of the project repeats the sentences of its documents.

    python scripts/prove_wording.py DOCUMENT.txt...

DOCUMENT.txt is a source document as plain text, which this project does not contain. All files that git lists are read:
of CSV and JSON each value, of all others the whole text. Names, headings and what is quoted as printed are those of
the packaged data, and may stand anywhere; beside and between them no seven words may follow each other as they do in
a document. Prints one line for each run of words that does, and exits with 1.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from own_words import runs_in, runs_of, words_of

ROOT = Path(__file__).parents[1]
LISTING = ["git", "ls-files", "-z"]
# Members of packaged records that hold names, headings, addresses and quotations.
PRINTED = {"name", "title", "short_name", "section", "place", "place_label", "expansion", "url", "value"}
PRINTED |= {"partners", "footnote", "stated_source", "funders_named", "event", "instrument", "locator", "publisher"}
# A name of one or two words could be any words of a sentence, but for those of countries.
NAME = 3
OF_COUNTRIES = "places"
# Terms of the field that are no name in the data.
TERMS = ("protection from sexual exploitation and abuse",)

Words = tuple[str, ...]


def values_of(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each text in a JSON value, with the name of its member."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from values_of(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from values_of(member, key)


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """The texts of a file, each with the name of its column or member; a file of another form is one text."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        yield from values_of(json.loads(text))
    elif path.suffix == ".csv":
        for row in csv.DictReader(io.StringIO(text, newline="")):
            yield from ((name or "", cell) for name, cell in row.items() if isinstance(cell, str))
    else:
        yield "", text


def is_printed(key: str) -> bool:
    """Whether a column or member holds what a document prints."""
    return key in PRINTED or key.endswith("as_printed")


def names_in(texts: Iterable[tuple[Path, str, str]]) -> dict[str, list[Words]]:
    """The names, headings and quotations of the packaged data, the longest first, by their first word."""
    names = {tuple(words_of(term)) for term in TERMS}
    for path, key, text in texts:
        if "data" in path.parts and is_printed(key):
            for printed in text.split("|"):
                words = tuple(words_of(printed))
                if len(words) >= NAME or (words and path.stem == OF_COUNTRIES and key == "name"):
                    names.add(words)
    by_first: dict[str, list[Words]] = {}
    for words in sorted(names, key=len, reverse=True):
        by_first.setdefault(words[0], []).append(words)
    return by_first


def beside_names(words: list[str], names: dict[str, list[Words]]) -> Iterator[list[str]]:
    """The words before, between and after the names in a text."""
    start = at = 0
    while at < len(words):
        name = next((each for each in names.get(words[at], ()) if words[at : at + len(each)] == list(each)), None)
        if name is None:
            at += 1
            continue
        yield words[start:at]
        start = at = at + len(name)
    yield words[start:]


def main() -> int:
    """Print the runs of words that a document has; returns the exit code: 0 none, 1 some, 2 usage."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    copied: set[Words] = set()
    for document in sys.argv[1:]:
        copied |= runs_in(Path(document).read_text("utf-8").split("\n"))
    listed = subprocess.run(LISTING, cwd=ROOT, check=True, capture_output=True).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    texts = [(path, *each) for path in files if b"\0" not in path.read_bytes()[:1000] for each in texts_of(path)]
    names = names_in(texts)
    found = [
        f"{path.relative_to(ROOT)}: {key or 'text'}: {' '.join(run)}"
        for path, key, text in texts
        for words in beside_names(words_of(text), names)
        for run in sorted(runs_of(words) & copied)
    ]
    print("\n".join(found) or f"{len(files)} files repeat no seven words of {len(sys.argv) - 1} documents but names")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
