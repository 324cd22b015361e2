"""Places by every code and name that is held of them: the right one or none, and never another."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from mmptf_common.wire.places import is_place, names_of, place_meant, places

LISTED: list[dict[str, Any]] = json.loads((files("mmptf_catalog") / "data" / "places.json").read_text("utf-8"))
COUNTRIES = [place for place in LISTED if place["kind"] == "country"]


def test_the_table_is_the_catalogues_list_of_places() -> None:
    assert list(places()) == [place["code"] for place in LISTED]
    for listed in LISTED:
        place = places()[listed["code"]]
        assert (place.kind, place.name) == (listed["kind"], listed["name"])
        held = {listed["iso_alpha2"], (listed["m49"] or "").lstrip("0") or None} - {None}
        # Codes that the catalogue does not list.
        beyond = {"TWN": {"158"}, "GBR": {"UK"}, "GRC": {"EL"}, "XKX": {"XK"}}.get(place.code, set())
        assert place.others == held | beyond


def forms(place: dict[str, Any]) -> Iterator[str]:
    """The ways to write a place: its codes, and its name with and without accents, in any case."""
    if place["iso_alpha2"]:
        yield from (place["iso_alpha2"], place["iso_alpha2"].lower())
    if place["m49"]:
        yield from (place["m49"], place["m49"].lstrip("0"), f"0{place['m49']}")
    plain = "".join(c for c in unicodedata.normalize("NFKD", place["name"]) if not unicodedata.combining(c))
    yield from (place["name"], place["name"].upper(), plain, plain.lower(), f" {plain.replace(' ', '  ')} ")
    yield from (place["code"], place["code"].lower())


def test_every_form_of_every_place_is_understood() -> None:
    assert (len(COUNTRIES), sum(1 for place in COUNTRIES if place["iso_alpha2"])) == (250, 249)
    wrong = [
        (form, found and found.code)
        for place in LISTED
        for form in forms(place)
        if (found := place_meant(form)) is None or found.code != place["code"]
    ]
    assert wrong == []


def test_every_name_that_a_source_prints_is_of_its_country_or_of_none() -> None:
    table = files("mmptf_funding") / "data" / "MI-2015" / "vocabulary.csv"
    unknown = set()
    for row in csv.DictReader(table.read_text("utf-8").splitlines()):
        if row["kind"] == "place" and row["country_code"]:
            for name in {row["name"], *row["as_printed"].split("|")}:
                found = place_meant(name)
                assert found is None or found.code == row["country_code"], name
                if found is None:
                    unknown.add(name)
    # A misprint, and a heading that is no name.
    assert unknown == {
        "The former Yugsolav Republic of Macedonia", "Mauritius, Covering for Madagascar, Seychelles and Comoros",
    }  # fmt: skip
    for contributor in json.loads((files("mmptf_funding") / "data" / "contributors.json").read_text("utf-8")):
        if contributor["country"]:
            for name in (contributor["name"], contributor["as_printed"]):
                found = place_meant(name)
                assert found is not None and found.code == contributor["country"], name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Korea, Republic of", "KOR"), ("Iran, Islamic Republic of", "IRN"), ("Turkey", "TUR"), ("turkiye", "TUR"),
        ("czech republic", "CZE"), ("The Gambia", "GMB"), ("St. Lucia", "LCA"), ("Trinidad & Tobago", "TTO"),
        ("Vietnam", "VNM"), ("Ivory Coast", "CIV"), ("Cote d\u2019Ivoire", "CIV"), ("Congo", "COG"),
        ("DR Congo", "COD"),
        ("UK", "GBR"), ("EL", "GRC"), ("XK", "XKX"), ("158", "TWN"), ("Guinea", "GIN"), ("Niger", "NER"),
        ("Africa", "002"), ("2", "002"), ("southern africa", "018"), ("South Africa", "ZAF"),
    ],
)  # fmt: skip
def test_a_place_by_another_name(text: str, code: str) -> None:
    found = place_meant(text)
    assert found is not None and found.code == code


@pytest.mark.parametrize(
    "text",
    ["", " ", "Korea", "Virgin Islands", "the", "412", "0", "ZZ", "KENN", "Kenyaa", "é", "-", "x" * 10_000, "٤٠٤"],
)
def test_what_may_be_several_places_or_none_is_none(text: str) -> None:
    assert place_meant(text) is None


def test_a_place_is_known_by_its_own_code_alone() -> None:
    assert is_place("KEN", "country") and not is_place("ken", "country") and not is_place("KEN", "region")
    assert is_place("002", "region") and not is_place("2", "region")
    assert names_of("TUR") == ("Türkiye", "Turkey")
    assert names_of("none") == ()
