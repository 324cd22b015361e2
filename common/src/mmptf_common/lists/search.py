"""The filter of `q` as SQL: the rows whose words, and names of places, are those that a search asks for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

from mmptf_common.http.search import Term, parse_search
from mmptf_common.lists.listing import Arguments, Filter
from mmptf_common.wire.base import words_of
from mmptf_common.wire.places import places

_INDEXED = "array_to_tsvector(words) @@ {}::text::tsquery"


@cache
def _alphabet() -> tuple[str, str, str]:
    """The arguments of `translate` that fold letters and drop accents, and the ranges of letters, after NFKD.

    Made with the first phrase that is looked for: they are found among all characters, which takes longer than the
    start of a process should.
    """
    characters = [chr(n) for n in range(0x10000) if not 0xD800 <= n < 0xE000]
    written = [c for c in characters if unicodedata.is_normalized("NFKD", c)]
    accents = "".join(c for c in written if unicodedata.combining(c))
    folded = {c: c.casefold() for c in written if c not in accents and c.casefold() != c and len(c.casefold()) == 1}
    # Beyond the Basic Multilingual Plane, the letters that are in use are ideographs.
    letters = _ranges(c for c in characters if c.isalnum()) + r"\U00020000-\U0003ffff"
    return "".join(folded) + accents, "".join(folded.values()), letters


@cache
def _spoken(texts: Sequence[str]) -> str:
    """SQL of the words of texts, as `words_of` has them, each between spaces; no phrase reaches from one to another.

    It says itself what a letter, an accent and its lower case are: what a server takes for them depends on its locale.
    """
    replaced, by, letters = _alphabet()
    together = f"normalize(concat_ws(' ' || chr(1) || ' ', {', '.join(texts)}), NFKD)"
    for sharp in "ßẞ":
        together = f"replace({together}, '{sharp}', 'ss')"
    together = f"translate({together}, '{replaced}', '{by}')"
    return rf"' ' || regexp_replace({together}, '[^\u0001{letters}]+', ' ', 'g') || ' '"


def _ranges(characters: Iterable[str]) -> str:
    """Characters in their order as the inside of a bracket of a regular expression."""
    ranges: list[list[int]] = []
    for n in map(ord, characters):
        if ranges and n == ranges[-1][1] + 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    return "".join(rf"\u{first:04x}-\u{last:04x}" for first, last in ranges)


def search_in(*texts: str, places: str | None = None, named: bool = False) -> Filter:
    """The filter of `q` over a column `words`, which has the words of texts, and the names of places.

    texts: SQL of the texts, in which phrases are looked for
    places: SQL condition of the rows of places, which are found by every name; `{}` stands for an array of their codes
    named: whether `words` has the words of those names already
    """

    def with_words(term: Term, arguments: Arguments) -> str:
        """SQL of the rows that have all words of a term, or a place with the word in a name."""
        clauses, indexed = [], []
        for word in term.words:
            lexeme = f"'{word}'" if term.phrase else f"'{word}':*"
            codes = _with_word(word, whole=term.phrase) if places and not named else []
            if places and codes:
                here = _INDEXED.format(arguments.bind(lexeme))
                clauses.append(f"({here} OR {places.format(arguments.bind(codes))})")
            else:
                indexed.append(lexeme)
        if indexed:
            clauses.insert(0, _INDEXED.format(arguments.bind(" & ".join(indexed))))
        return f"({' AND '.join(clauses)})"

    def with_phrase(term: Term, arguments: Arguments) -> str:
        """SQL of the rows with a phrase in one text, or in a name of a place; the index finds those with its words."""
        phrase = arguments.bind(f" {' '.join(term.words)} ")
        found = [f"strpos({_spoken(texts)}, {phrase}::text) > 0"]
        if places and (codes := _with_phrase(term.words)):
            found.append(places.format(arguments.bind(codes)))
        return f"({with_words(term, arguments)} AND ({' OR '.join(found)}))"

    def find(term: Term, arguments: Arguments) -> str:
        if term.phrase and len(term.words) > 1:
            return with_phrase(term, arguments)
        return with_words(term, arguments)

    def condition(text: str, arguments: Arguments) -> str:
        asked = parse_search(text)
        # Words that all have to be there are one question to the index.
        plain = [group[0] for group in asked.groups if len(group) == 1 and not group[0].phrase]
        clauses = []
        if plain:
            together = Term(tuple(dict.fromkeys(word for term in plain for word in term.words)), phrase=False)
            clauses.append(with_words(together, arguments))
        for group in asked.groups:
            if len(group) > 1 or group[0].phrase:
                clauses.append(f"({' OR '.join(find(term, arguments) for term in group)})")
        clauses += [f"NOT {find(term, arguments)}" for term in asked.excluded]
        return " AND ".join(clauses)

    return Filter(condition)


@cache
def _names() -> Sequence[tuple[str, Sequence[Sequence[str]]]]:
    """The code of every place, and the words of each of its names."""
    return [(place.code, [words_of(name) for name in place.names]) for place in places().values()]


def _with_word(word: str, *, whole: bool) -> list[str]:
    """The codes of the places with this word in a name; not whole: with a word that begins so."""
    return [
        code
        for code, names in _names()
        if any(each == word if whole else each.startswith(word) for name in names for each in name)
    ]


def _with_phrase(words: Sequence[str]) -> list[str]:
    """The codes of the places with these words in a name, one after the other."""
    phrase = f" {' '.join(words)} "
    return [code for code, names in _names() if any(phrase in f" {' '.join(name)} " for name in names)]
