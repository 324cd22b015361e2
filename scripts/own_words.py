"""Whether texts of our own repeat a document: runs of words that follow each other in both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Shorter runs are names and usual turns of phrase.
COPIED = 7


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return re.findall(r"[a-z0-9]+", text.lower())


def runs_of(words: Sequence[str]) -> set[tuple[str, ...]]:
    """All runs of as many words as count as copied."""
    return {tuple(words[n : n + COPIED]) for n in range(len(words) - COPIED + 1)}


def runs_in(lines: Iterable[str]) -> set[tuple[str, ...]]:
    """Those of a document, whatever lines they are on."""
    return runs_of(words_of(" ".join(lines)))
