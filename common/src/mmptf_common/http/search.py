"""What `q` asks for: words by their beginnings, phrases in quotes, exclusions with a minus, alternatives with OR."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mmptf_common.wire.base import words_of

# PostgreSQL does not index longer words.
LONGEST_WORD = 200
SYNTAX = (
    'words, "a phrase" in quotes, -word and -"a phrase" to leave out, OR between two words or phrases, which are then'
    " alternatives; parentheses do not group, and there are no wildcards"
)
# The end of the description of every `q`.
HOW = (
    "Every word has to be found; upper and lower case and accents make no difference. Write a phrase in double quotes,"
    " `-` before a word that must not be there, and `OR` between two alternatives."
)
# Quotation marks of other keyboards and languages, and the minus signs that word processors write.
_TYPED = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("\u2212\u2013", "-"))
_TERM = re.compile(r'(?P<excluded>-)?(?:"(?P<phrase>[^"]*)"|(?P<plain>[^\s"]+))')
_GROUPED = re.compile(r"(^|\s)-\(|\(-[^\s-]")
_OPERATORS = re.compile(r"[|~^]|(^|\s)!|\w\?\w")
_SINGLE_QUOTES = re.compile(r"(^|\s)['\u2018]\w[^'\u2018\u2019]*\s[^'\u2018\u2019]*['\u2019](\s|$)")


class SearchError(ValueError):
    """A search that means something else to its caller than it would find."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; it takes {SYNTAX}")


@dataclass(frozen=True, slots=True)
class Term:
    """Words that a row has, each by its beginning, or as a phrase: exactly these words, one after the other."""

    words: tuple[str, ...]
    phrase: bool


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """A row is found that has one term of every group of alternatives, at least one group, and no excluded term."""

    groups: tuple[tuple[Term, ...], ...]
    excluded: tuple[Term, ...]


def words(text: str) -> list[str]:
    """The words of a text as the search compares them: without case and accents, in order, each once."""
    return list(dict.fromkeys(_words_of(text)))


@lru_cache(maxsize=256)
def parse_search(text: str) -> SearchTerms:
    """The terms of a search; raises SearchError for one that is not complete, or that the search cannot do.

    OR belongs to the two terms beside it: `health kenya OR uganda` has two groups. Punctuation only separates words; a
    minus excludes at the beginning of a term alone, so that `Geneva-based` are two words.
    """
    written = text.translate(_TYPED)
    if written.count('"') % 2:
        raise SearchError("a quotation mark is not closed")
    bare = re.sub(r'"[^"]*"', '""', written)
    if _SINGLE_QUOTES.search(bare):
        raise SearchError("a phrase stands in double quotation marks")
    if _GROUPED.search(bare):
        raise SearchError("a minus excludes one word or phrase")
    if operator := _OPERATORS.search(bare):
        raise SearchError(f"{operator[0].strip()} is not understood")
    groups: list[list[Term]] = []
    excluded: list[Term] = []
    # What stands before a term: a term that an operator can follow, and an operator that needs another one.
    follows, pending = False, None
    for match in _TERM.finditer(written):
        plain = match["plain"]
        excludes = bool(match["excluded"]) and (match.start() == 0 or written[match.start() - 1].isspace())
        if plain in ("OR", "AND") and not match["excluded"]:
            if not follows or pending:
                raise _incomplete(plain)
            pending = plain
            continue
        if plain == "NOT":
            raise SearchError("NOT is written as a minus")
        found = _words_of(match["phrase"] if plain is None else plain)
        if not found and plain is None:
            raise SearchError("nothing stands between two quotation marks")
        if not found:
            continue
        term = Term(tuple(found), plain is None)
        if excludes and pending == "OR":
            raise _incomplete("OR")
        if excludes:
            excluded.append(term)
        elif pending == "OR":
            groups[-1].append(term)
        else:
            groups.append([term])
        follows, pending = not excludes, None
    if pending:
        raise _incomplete(pending)
    if not groups:
        if excluded:
            raise SearchError("something has to be searched for")
        raise ValueError("one or more words are expected, without wildcards")
    if any(len(group) > 1 for group in groups) and re.search(r"[()]", bare):
        raise SearchError("parentheses do not group")
    return SearchTerms(tuple(map(tuple, groups)), tuple(excluded))


def _incomplete(operator: str) -> SearchError:
    return SearchError(f"{operator} stands between two words or phrases that are searched for")


def _words_of(text: str) -> list[str]:
    return [word[:LONGEST_WORD] for word in words_of(text)]
