"""The word that was meant by a similar one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest_match(word: str, allowed: Iterable[str]) -> str | None:
    """The most similar one of a few words that stay the same, such as names of parameters; None where none is similar.

    For codes see `mmptf_common.wire.suggestions`: similar codes mean other things.
    """
    by_folded = {candidate.casefold(): candidate for candidate in allowed}
    match = difflib.get_close_matches(word.casefold()[:64], by_folded, n=1, cutoff=0.65)
    return by_folded[match[0]] if match else None
