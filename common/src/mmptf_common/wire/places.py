"""Countries and regions by every code and name that callers use for them, to say which code was meant.

Codes and names of `places.csv` are those of ISO 3166-1 and M49; `number` is the M49 number, for Taiwan the one of ISO
3166-1. `alpha_2` also has UK and EL, which the European Union uses, and XK for Kosovo. `other_names` are former and
short English names, which no standard states. A name or a code implies no opinion on the legal status of a place.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from typing_extensions import TypeAliasType

from mmptf_common.wire.base import words_of

PlaceKind = TypeAliasType(
    "PlaceKind",
    Literal["country", "region"],
)
"""What a place is.

- `country`: a country or territory, by its ISO 3166-1 alpha-3 code
- `region`: a region with countries in it, such as Africa, by its UN M49 code
"""

# Words that names are written with or without.
_OPTIONAL = frozenset({"the", "and"})


@dataclass(frozen=True, slots=True)
class Place:
    """A country by its ISO 3166-1 alpha-3 code, or a region by its M49 code; `name` is that of M49.

    others: its codes in other schemes, upper case, numbers without leading zeros; names: all its names, `name` first
    """

    code: str
    kind: PlaceKind
    name: str
    others: frozenset[str]
    names: tuple[str, ...]


@cache
def places() -> Mapping[str, Place]:
    """All places by their codes."""
    found = {}
    for row in csv.DictReader((files("mmptf_common.wire") / "places.csv").read_text("utf-8").splitlines()):
        alpha_2, others = ([part for part in row[name].split("|") if part] for name in ("alpha_2", "other_names"))
        numbers = [row["number"].lstrip("0")] if row["number"] else []
        found[row["code"]] = Place(
            code=row["code"],
            kind="region" if row["kind"] == "region" else "country",
            name=row["name"],
            others=frozenset([*alpha_2, *numbers]),
            names=(row["name"], *others),
        )
    return found


def is_place(code: str, kind: PlaceKind) -> bool:
    """Whether there is a country or a region with exactly this code."""
    place = places().get(code)
    return place is not None and place.kind == kind


def names_of(code: str) -> tuple[str, ...]:
    """All names of the place with exactly this code; none where there is no such place."""
    place = places().get(code)
    return place.names if place else ()


def place_meant(text: str) -> Place | None:
    """The one place with this code in another scheme or another case, or with this name; None where there is none.

    Names are compared without case, accents, punctuation and the words `the` and `and`, in any order of their words.
    """
    bare = text.strip()
    code = bare.lstrip("0") if bare.isdecimal() else bare.upper()
    by_code, by_name = _index()
    if len(bare) <= 300 and (found := by_code.get(code)):
        return found
    return next((by_name[key] for key in _keys(bare[:300]) if key in by_name), None)


@cache
def _index() -> tuple[Mapping[str, Place], Mapping[str, Place]]:
    """The places by their codes in every scheme, and by their names as they are compared."""
    by_code = {code: place for place in places().values() for code in (*place.others, place.code)}
    by_name = {key: place for place in places().values() for name in place.names for key in _keys(name)}
    return by_code, by_name


def _keys(name: str) -> Iterator[str]:
    """The forms in which names are compared: one word, and its words in order; none for a text without letters."""
    found = [{"st": "saint"}.get(word, word) for word in words_of(name) if word not in _OPTIONAL]
    if any(word.isalpha() for word in found):
        yield "".join(found)
        yield " ".join(sorted(found))
