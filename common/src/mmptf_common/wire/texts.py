"""What a text that callers write may hold: no formula of a spreadsheet, and no character that nobody sees but a few."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from pydantic_core import PydanticCustomError

# Ranges as JavaScript, Python and Rust read them; those beyond U+FFFF stand in no pattern of a contract.
CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
# Characters that show nothing and turn the direction of what follows, so that a text reads otherwise than it is.
TURNING = r"\u202a-\u202e\u2066-\u2069"
# Characters that show nothing and that no text needs: blank letters, joiners that are no longer used, invisible
# operators, marks of annotations, the mark of a file's byte order, and what is no character.
_BLANK = (
    r"\u034f\u115f\u1160\u17b4\u17b5\u2060-\u2065\u206a-\u206f\u2800\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe"
    r"\uffff"
)
# Marks of direction, which texts in Arabic and Hebrew need between letters, numbers and signs.
_DIRECTION = r"\u061c\u200e\u200f"
# What scripts need between or after letters, though it shows nothing: soft hyphens, places of line breaks in Khmer and
# Thai, joiners of Persian, of the scripts of India and of emoji, selectors of Mongolian letters.
_JOINING = r"\xad\u180b-\u180f\u200b-\u200d"
# Selectors of the form of the character before them: of emoji, and (U+E0100 to U+E01EF) of ideographs in names.
_SELECTING = r"\ufe00-\ufe0f"
REFUSED = CONTROL + TURNING + _BLANK
UNSEEN = _DIRECTION + _JOINING + _SELECTING
# What nobody sees in an address.
HIDDEN = REFUSED + UNSEEN

# Beyond U+FFFF: controls of hieroglyphs, shorthand and music, a blank note, planes without characters, tags (of which
# the flags of England, Scotland and Wales are made), private use.
_BEYOND = (
    r"\U00013430-\U00013440\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U00040000-\U000e00ff"
    r"\U000e01f0-\U0010ffff"
)
_NEVER = re.compile(f"[{REFUSED}{_BEYOND}]")
_IDEOGRAPHIC = re.compile(r"[\U000e0100-\U000e01ef]")
_ANY_UNSEEN = re.compile(rf"[{UNSEEN}\U000e0100-\U000e01ef]")
_FIRST_UNSEEN = re.compile(rf"[{UNSEEN}]")
_ZERO_WIDTH_JOINER = "\u200d"
# Emoji that later versions of Unicode name show something already.
_OF_EMOJI = range(0x1F000, 0x1FB00)

# What makes a spreadsheet take a cell for a formula, in both widths.
_SIGNS = "+-\uff0b\uff0d"
_FORMULA = "=@\uff1d\uff20"
# After a sign: a number or what is written like one, such as a telephone number; or the item of a list, without what a
# formula needs to call a function, to reach another program or to refer to another file.
_AFTER_A_SIGN = re.compile(r"[\d\s.,/()%\u2013-]*| +[^\W\d_][^(|!#\[]*")
_BEFORE_A_FORMULA = re.compile(rf"^[\s{HIDDEN}]+")

# White space as JavaScript, Python and Rust know it, without what no text takes, and what a text may not begin with.
_WHITE = r" \n\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Something that is seen; and in contracts, what does not begin with a sign of a formula or with what needs a character
# before it either. The rule for + and - needs more than a pattern.
PATTERN = rf"^[^{REFUSED}]*[^{REFUSED}{UNSEEN}\s][^{REFUSED}]*$"
PATTERN_IN_CONTRACTS = (
    rf"^([{_WHITE}{_DIRECTION}][{_WHITE}\t\r{_DIRECTION}]*)?[^{REFUSED}{UNSEEN}\s{_FORMULA}][^{REFUSED}]*$"
)
IN_WORDS = 'a text that shows something, without characters that nobody sees, such as "Fair recruitment"'
IN_CONTRACTS = "It may not begin as a formula of a spreadsheet or hold hidden characters."


class _Found(NamedTuple):
    """A refused character of a text: its position, and why it is refused where it would be accepted elsewhere."""

    position: int
    reason: str = ""


def visible_text(text: str) -> str:
    """The text itself; raises PydanticCustomError where it shows nothing, or holds what nobody sees."""
    if text.isascii():
        return text
    if found := _hidden_in(text):
        raise _refused(f"{_named(text, found.position)}{found.reason}")
    if not any(unicodedata.category(c)[0] in "LNPS" or unicodedata.category(c) == "Co" for c in text):
        raise _refused("it has marks for letters alone")
    return text


def not_a_formula(text: str) -> str:
    """The text itself; raises PydanticCustomError where a spreadsheet would take it for a formula."""
    shown = _BEFORE_A_FORMULA.sub("", text)
    first = text[:1] if text[:1] in ("\t", "\r") else shown[:1]
    if (first and first in f"\t\r{_FORMULA}") or (first in _SIGNS and not _AFTER_A_SIGN.fullmatch(shown[1:])):
        raise PydanticCustomError(
            "formula",
            "a text that begins with {first} is a formula for spreadsheets; it may not begin with =, @, a tab or a"
            " carriage return, and with + or - only where a number follows, or a space and words without ( | ! # [",
            {"first": {"\t": "a tab", "\r": "a carriage return"}.get(first, first)},
        )
    return text


def fault_of(text: str) -> str | None:
    """What is wrong with a text, in words; None where it may be written."""
    if not re.search(rf"[^{HIDDEN}\s]", text):
        return f"it takes {IN_WORDS}"
    try:
        not_a_formula(visible_text(text))
        found = _NEVER.search(text)
    except PydanticCustomError as error:
        return error.message()
    return f"it takes {IN_WORDS}; {_named(text, found.start())}" if found else None


def hidden_character(text: str) -> str | None:
    """The first character of a refused text that nobody sees, such as `character 3 is U+200B ZERO WIDTH SPACE`.

    One that no text takes comes before one that only shows nothing. None where there is neither.
    """
    found = _NEVER.search(text) or _FIRST_UNSEEN.search(text)
    return _named(text, found.start()) if found else None


def _hidden_in(text: str) -> _Found | None:
    """The first character of a text that no text takes, or not at this place; None where there is none."""
    if found := _NEVER.search(text):
        return _Found(found.start())
    if not text.isprintable():
        for position, character in enumerate(text):
            if _is_unassigned(character):
                return _Found(position, f", and no character of Unicode {unicodedata.unidata_version}")
            if unicodedata.category(character) == "Cs":
                return _Found(position)
    if not _ANY_UNSEEN.search(text):
        return None
    for position, (before, character) in enumerate(pairwise(f" {text}")):
        if _is_unseen(character) and (reason := _misplaced(before, character)):
            return _Found(position, f", which is taken {reason}")
    return None


def _misplaced(before: str, character: str) -> str | None:
    """Where a character that shows nothing may stand, if not after this one; None where it may."""
    if _is_unseen(before):
        # Emoji join what they have selected, such as a heart on fire.
        joined = re.match(f"[{_SELECTING}]", before) and character == _ZERO_WIDTH_JOINER
        return None if joined else "only after a character that shows something"
    if re.match(f"[{_DIRECTION}]", character):
        return None
    if _IDEOGRAPHIC.match(character):
        is_ideograph = unicodedata.name(before, "").startswith("CJK ")
        return None if is_ideograph else "only after an ideograph"
    return "only after a letter or a sign" if before.isspace() else None


@cache
def _is_unseen(character: str) -> bool:
    return bool(_ANY_UNSEEN.match(character))


def _is_unassigned(character: str) -> bool:
    return unicodedata.category(character) == "Cn" and ord(character) not in _OF_EMOJI


def _named(text: str, position: int) -> str:
    number = ord(text[position])
    name = unicodedata.name(text[position], "no character" if number > 0x9F else "a control character")
    return f"character {position + 1} is U+{number:04X} {name}"


def _refused(why: str) -> PydanticCustomError:
    return PydanticCustomError("hidden", "it takes {words}; {why}", {"words": IN_WORDS, "why": why})
