"""The code that was meant by one that does not exist, where it is nearly certain: a caller may follow it unread.

Codes that are near to one another mean other things: KEN and GEN, UNDP and UNEP, ETH-01 and ETH-02. A typo is therefore
only seen in words: one letter too many or too few, or two neighbours exchanged, in a word of four letters (five in an
acronym), or one other letter in a word of seven. Other separators and leading zeros of a number are typos in any code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mmptf_common.wire.places import place_meant

LONGEST_CODE = 64
_SEPARATORS = "-_."
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PARTS = re.compile(r"[a-z]+|[0-9]+")
_CODE_LIKE = re.compile(rf"[a-z0-9{re.escape(_SEPARATORS)}]{{2,{LONGEST_CODE}}}")


class Suggestion(NamedTuple):
    """The code that was meant, and the name of the place of which it is the code, where that is why it was found."""

    code: str
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.code} is the code of {self.name}" if self.name else f"did you mean {self.code}?"

    @property
    def sentence(self) -> str:
        """The suggestion as a sentence of its own."""
        return f"{self}." if self.name else f"Did you mean {self.code}?"


def suggestion_among(given: str, known: Iterable[str]) -> Suggestion | None:
    """The one of a few known codes that was meant by another text; None where it is not nearly certain."""
    codes = sorted(set(known))
    folded = fold(given)
    if same := [code for code in codes if fold(code) == folded]:
        return Suggestion(same[0]) if len(same) == 1 else None
    place = place_meant(given)
    if place and place.code in codes:
        return Suggestion(place.code, place.name)
    return typed(given, codes)


def country_meant(given: str) -> Suggestion | None:
    """The country with this name, or this code in another case or scheme; None where there is none."""
    place = place_meant(given)
    if place is None or place.kind != "country":
        return None
    return Suggestion(place.code, None if fold(place.code) == fold(given) else place.name)


def fold(code: str) -> str:
    """A code without case; a text with other characters than those of codes stays as it is and equals none."""
    return code.lower() if code.isascii() else code


def typed(given: str, codes: Iterable[str]) -> Suggestion | None:
    """The only one of the codes from which a text differs by a typo; None where there is none, or several."""
    near = [code for code in codes if is_typo(given, code)]
    return Suggestion(near[0]) if len(near) == 1 else None


def is_typo(given: str, code: str) -> bool:
    """Whether a text differs from a code by one typo."""
    if not given.isascii() or max(len(given), len(code)) > LONGEST_CODE:
        return False
    written, meant = _PARTS.findall(given.lower()), _PARTS.findall(code.lower())
    if "".join(_PARTS.split(given.lower())).strip(_SEPARATORS) or len(written) != len(meant):
        return False
    different = [(a, b) for a, b in zip(written, meant, strict=True) if a != b]
    words = [pair for pair in different if not all(part.isdecimal() for part in pair)]
    numbers_agree = all(a.lstrip("0") == b.lstrip("0") for a, b in different if a.isdecimal() and b.isdecimal())
    if not numbers_agree or len(words) > 1:
        return False
    return not words or _is_misspelt(*words[0], is_acronym=code.isupper())


def _is_misspelt(written: str, meant: str, *, is_acronym: bool) -> bool:
    shorter, longer = sorted((written, meant), key=len)
    if not (written.isalpha() and meant.isalpha()) or len(shorter) < (5 if is_acronym else 4):
        return False
    if len(longer) - len(shorter) == 1:
        return any(longer[:n] + longer[n + 1 :] == shorter for n in range(len(longer)))
    if len(longer) != len(shorter):
        return False
    places = [n for n in range(len(meant)) if written[n] != meant[n]]
    if len(places) == 1:
        return len(meant) >= 7
    return (
        len(places) == 2
        and places[1] == places[0] + 1
        and written[places[0] : places[1] + 1] == meant[places[0] : places[1] + 1][::-1]
    )


def neighbours(given: str) -> list[str]:
    """The texts in lower case, a few hundred for a long word, among which every code is from which a text differs by
    one typo in one place.

    A number may have up to two leading zeros more than what was written.
    """
    text = given.lower()
    if not _CODE_LIKE.fullmatch(text):
        return []
    edits = [*_edits_of_parts(text), *_edits_between_parts(text)]
    return sorted({text[:start] + put + text[end:] for start, end, texts in edits for put in texts} - {text})


# The beginning and the end of what is taken out of a text, and what is put in its place.
_Edit = tuple[int, int, Iterable[str]]


def _edits_of_parts(text: str) -> Iterator[_Edit]:
    """The edits of a text within its words and numbers that `is_typo` accepts, some of them for words in small letters
    only.
    """
    for part in _PARTS.finditer(text):
        start, end = part.span()
        size = end - start
        if part[0].isdecimal():
            yield start, start, ("0", "00")
            if text[start] == "0" and size > 1:
                yield start, start + 1, ("", *_SEPARATORS, *_letters_between(text, start, start + 1))
            if size > 1 and not part[0].strip("0"):
                # The last of several zeros may stand for something else: the number stays what it was.
                yield end - 1, end, (*_SEPARATORS, *_letters_between(text, end - 1, end))
            # A zero may be on the other side of a word of one letter.
            yield from ((n, n + 2, (text[n + 1] + text[n],)) for n in (start - 1, end - 1) if 0 <= n < len(text) - 1)
            continue
        if size >= 4:
            yield from ((n, n, _LETTERS) for n in range(start, end + 1))
            yield from ((n, n + 2, (text[n + 1] + text[n],)) for n in range(start, end - 1))
        if size >= 5:
            yield from ((n, n + 1, ("",)) for n in range(start, end))
            yield from ((n, n + 1, _SEPARATORS) for n in (start, end - 1))
        if size >= 7:
            yield from ((n, n + 1, _LETTERS) for n in range(start, end))


def _edits_between_parts(text: str) -> Iterator[_Edit]:
    """The edits of the separators of a text, and where two parts meet without one, that `is_typo` accepts, and a few
    more.
    """
    for n, character in enumerate(text):
        if character in _SEPARATORS:
            yield n, n + 1, ("", *_SEPARATORS, *_letters_between(text, n, n + 1))
            # A part of one character may be on the other side.
            yield from ((m, m + 2, (text[m + 1] + text[m],)) for m in (n - 1, n) if 0 <= m < len(text) - 1)
        elif n and text[n - 1].isalnum() and text[n - 1].isalpha() != character.isalpha():
            yield n, n, _SEPARATORS


def _letters_between(text: str, start: int, end: int) -> str:
    """The letters by which one word gets longer in place of a part of a text; none where no word or two are there."""
    before, after = text[max(start - 4, 0) : start], text[end : end + 4]
    is_before, is_after = before[-1:].isalpha(), after[:1].isalpha()
    word = before if is_before else after
    return _LETTERS if is_before != is_after and len(word) == 4 and word.isalpha() else ""
