"""Codes that callers send, looked up in the database: a known one in any case, or the one that was meant.

A lookup takes an index of the lower-case codes and reads no more rows than it finds, however many codes there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from mmptf_common.wire.places import Place, PlaceKind, is_place, place_meant
from mmptf_common.wire.problems import ErrorDetail, unknown_code
from mmptf_common.wire.suggestions import Suggestion, fold, neighbours, typed

# The most unknown codes of one write for which the ones that were meant are looked up.
MOST_MEANT = 20
# Returns the codes that are, in lower case, among the given texts.
Find = Callable[[Sequence[str]], Awaitable[list[str]]]


def codes_in(rows: str, code: str = "code", where: str = "true") -> str:
    """SQL of the codes of records that are, in lower case, among the texts of an array; `{}` stands for the array.

    Of a column of other records, in which a code may stand many times, `codes_named_in` writes it.
    """
    # Each text is looked up by itself: for an array, the planner may read all of the primary key of a vacuumed table.
    return (
        f"SELECT DISTINCT found.code FROM unnest({{}}) AS given(text), LATERAL"
        f" (SELECT DISTINCT {code} AS code FROM {rows} WHERE lower({code}) = given.text AND {where}) AS found"
    )


def codes_named_in(rows: str, column: str, where: str = "true") -> str:
    """SQL as of `codes_in`, of a column in which a code may stand in many rows."""
    # For one text after the other the planner would expect the rows of an average code, and read the whole table.
    return f"SELECT DISTINCT {column} FROM {rows} WHERE lower({column}) = ANY({{}}) AND {where}"


def codes_among(codes: Iterable[str]) -> str:
    """SQL as of `codes_in`, of a closed list that the code contains; the codes are none of a caller."""
    rows = ", ".join(f"('{code}')" for code in codes)
    return codes_in(f"(VALUES {rows}) AS listed(code)")


def find_with(connection: Any, sql: str, *values: object) -> Find:
    """The lookup by an SQL as `codes_in` writes it, whose other bound values are `values`."""

    async def find(texts: Sequence[str]) -> list[str]:
        statement = sql.replace("{}", f"${len(values) + 1}::text[]")
        return [row[0] for row in await connection.fetch(statement, *values, texts)]

    return find


async def in_other_case_or_meant(find: Find, given: str) -> tuple[str | None, Suggestion | None]:
    """The only code that differs from an unknown one in case alone; else the one that `suggest` finds."""
    meant = await suggest(find, given)
    return (meant.code, None) if meant and fold(meant.code) == fold(given) else (None, meant)


async def suggest(find: Find, given: str, places: PlaceKind | None = None) -> Suggestion | None:
    """The code that was meant by one that does not exist, None where that is not nearly certain.

    A code in another case, then the code of the country or region with this name or this code in another scheme, then
    the only code that differs by a typo. places: a kind of places of which every one is taken, also without a row
    """
    place = place_meant(given)
    found = await find(_texts(given, place))
    if given in found:
        return None
    if same := [code for code in found if fold(code) == fold(given)]:
        return Suggestion(same[0]) if len(same) == 1 else None
    if place and (place.kind == places or place.code in found):
        return Suggestion(place.code, place.name)
    return typed(given, found)


def _texts(given: str, place: Place | None) -> list[str]:
    """The texts in lower case among which a code is that was meant."""
    return [fold(given), *neighbours(given), *([fold(place.code)] if place else [])]


async def suggest_each(find: Find, given: Iterable[str]) -> dict[str, Suggestion | None]:
    """The codes that were meant by unknown ones, as `suggest` finds them: of the first MOST_MEANT, with one lookup."""
    few = list(dict.fromkeys(given))[:MOST_MEANT]
    texts = sorted({text for code in few for text in _texts(code, place_meant(code))})
    found: dict[str, list[str]] = {}
    for each in await find(texts) if texts else ():
        found.setdefault(fold(each), []).append(each)

    async def among(texts: Sequence[str]) -> list[str]:
        return [code for text in dict.fromkeys(texts) for code in found.get(text, ())]

    return {code: await suggest(among, code) for code in few}


async def known_codes(find: Find, given: Sequence[str], places: PlaceKind | None = None) -> dict[str, str]:
    """Each of the given codes that exists, in any case -> the code as it is written."""
    known = {code: code.upper() for code in given if places and is_place(code.upper(), places)}
    if not (others := [code for code in given if code not in known]):
        return known
    written: dict[str, list[str]] = {}
    for code in await find([fold(code) for code in others]):
        written.setdefault(fold(code), []).append(code)
    for code in others:
        same = written.get(fold(code), [])
        if code in same:
            known[code] = code
        elif len(same) == 1:
            known[code] = same[0]
    return known


async def unknown_in(
    connection: Any, pointer: str, code: str, sql: str, *, listed_at: str | None = None
) -> ErrorDetail:
    """The error for an unknown code in a body, with the one that was meant where that is nearly certain.

    sql: of the known codes, as `codes_in` writes it; listed_at: the path of their list
    """
    meant = await suggest(find_with(connection, sql), code)
    return unknown_code(pointer, code, listed_at=listed_at, suggestion=meant)
