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


def rarest_of(table: str, words: Sequence[str], phrases: Sequence[str], arguments: Arguments) -> str:
    """SQL of the tsquery of the words of which the index is asked, where rows need several.

    words: by their beginnings; phrases: words that are whole

    Of each word the index reads all entries that begin so. A word that fifty times as many rows have as the rarest one
    is left out: it is cheaper to compare the rows of the others. The statistics of PostgreSQL have the share of rows of
    every word but rare ones; of a table without statistics no word is left out.
    """
    lexemes = [*map(_lexeme, words), *(_lexeme(word, whole=True) for word in phrases)]
    return f"""(
        SELECT string_agg(lexeme, ' & ')::tsquery
          FROM (SELECT lexeme, share, min(share) OVER () AS least
                  FROM (SELECT lexeme, greatest(sum(frequency), 0.001) AS share
                          FROM unnest({arguments.bind([*words, *phrases])}::text[], {arguments.bind(lexemes)}::text[])
                               AS asked (word, lexeme)
                               LEFT JOIN (SELECT unnest(most_common_elems::text::text[]),
                                                 unnest(most_common_elem_freqs)
                                            FROM pg_stats
                                           WHERE schemaname = current_schema AND tablename = '{table}'
                                             AND attname = 'words') AS common (known, frequency)
                                      ON starts_with(known, word)
                         GROUP BY lexeme) AS shares) AS compared
         WHERE share <= 50 * least)"""


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


def search_in(table: str, *texts: str, places: str | None = None, named: bool = False) -> Filter:
    """The filter of `q` over a column `words` of a table, which has the words of texts, and the names of places.

    table: the table with the column; texts: SQL of the texts, in which phrases are looked for
    places: SQL condition of the rows of places, which are found by every name; `{}` stands for an array of their codes
    named: whether `words` has the words of those names already
    """

    def with_all(words: Sequence[str], phrases: Sequence[str], arguments: Arguments) -> str:
        """SQL of the rows that have all these words by their beginnings; phrases: whole words that they need, too."""
        found = _INDEXED.format(arguments.bind(" & ".join(map(_lexeme, words))))
        if len(words) + len(phrases) == 1:
            return found
        # The index is not asked for what IS TRUE.
        return f"array_to_tsvector(words) @@ {rarest_of(table, words, phrases, arguments)} AND ({found}) IS TRUE"

    def with_words(term: Term, arguments: Arguments, phrases: Sequence[str] = ()) -> str:
        """SQL of the rows that have all words of a term, or a place with the word in a name; phrases: as above."""
        clauses, indexed = [], []
        for word in term.words:
            codes = _with_word(word, whole=term.phrase) if places and not named else []
            if places and codes:
                here = _INDEXED.format(arguments.bind(_lexeme(word, whole=term.phrase)))
                clauses.append(f"({here} OR {places.format(arguments.bind(codes))})")
            else:
                indexed.append(word)
        if indexed and term.phrase:
            lexemes = " & ".join(_lexeme(word, whole=True) for word in indexed)
            clauses.insert(0, _INDEXED.format(arguments.bind(lexemes)))
        elif indexed:
            clauses.insert(0, with_all(indexed, phrases, arguments))
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
        needed = [group[0] for group in asked.groups if len(group) == 1]
        plain, phrases = (
            tuple(dict.fromkeys(word for term in needed if term.phrase is phrase for word in term.words))
            for phrase in (False, True)
        )
        clauses = []
        if plain:
            clauses.append(with_words(Term(plain, phrase=False), arguments, phrases))
        for group in asked.groups:
            if len(group) > 1 or group[0].phrase:
                clauses.append(f"({' OR '.join(find(term, arguments) for term in group)})")
        clauses += [f"NOT {find(term, arguments)}" for term in asked.excluded]
        return " AND ".join(clauses)

    return Filter(condition)


def _lexeme(word: str, *, whole: bool = False) -> str:
    """A word as the text of a tsquery has it, by its beginning or whole; letters and digits need no escapes."""
    return f"'{word}'" if whole else f"'{word}':*"


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
