"""Money is divided as the catalogue divides it, and what no source states is nobody's alone."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from mmptf_catalog.programmes import rules as catalogue
from mmptf_common.wire.codes import NOT_STATED, SHARED
from mmptf_markers.indicator.attribution import Asked, Attribution, StatedParts, attribute, divide
from mmptf_markers.replication import KnownProgramme

AMOUNT = Decimal("100.01")
HALVES = {"KEN": Decimal(50), "UGA": Decimal(50)}
LINES = {"IOM": Decimal("60.00"), "ILO": Decimal("40.01")}


def stated(
    places: dict[str, Decimal] | tuple[str, ...] = (),
    organizations: tuple[str, ...] = (),
    lines: dict[str, Decimal] | None = None,
    partly: tuple[str, ...] = (),
) -> StatedParts:
    shares = places if isinstance(places, dict) else dict.fromkeys(places)
    return StatedParts(shares, organizations, lines or {}, partly)


def only(part: Decimal) -> Attribution:
    """A part that is certain, where nothing is grouped."""
    return Attribution({None: part}, None, None)


def drawn(draw: random.Random) -> tuple[Decimal, dict[str, Decimal]]:
    """An amount, and shares that add up to 100."""
    number = draw.randrange(1, 8)
    ends = sorted(draw.sample(range(1, 10_000), number - 1))
    shares = [Decimal(end - begin) / 100 for begin, end in zip([0, *ends], [*ends, 10_000], strict=True)]
    codes = draw.sample("ABCDEFGHIJ", number)
    return Decimal(draw.randrange(1, 10**9)) / 100, dict(zip(codes, shares, strict=True))


def test_an_amount_is_divided_as_in_the_catalogue() -> None:
    draw = random.Random(7)
    for _ in range(500):
        amount, shares = drawn(draw)
        assert divide(amount, shares) == catalogue.divide(amount, shares)


def test_countries_and_regions_are_those_of_the_totals_of_the_catalogue() -> None:
    draw = random.Random(8)
    regions = {code: draw.choice(("002", "150", None)) for code in "ABCDEFGHIJ"}
    for _ in range(500):
        amount, shares = drawn(draw)
        is_complete, has_shares = draw.random() < 0.8, draw.random() < 0.7
        places = {code: share if has_shares else None for code, share in shares.items()}
        by_country, by_region = catalogue.attribute_places(amount, places, regions, complete=is_complete)
        known = StatedParts(places, (), {}, () if is_complete else ("places",))
        for expected, group_of in ((by_country, {code: code for code in places}), (by_region, regions)):
            groups: dict[str | None, list[str]] = {}
            for code in places:
                groups.setdefault(group_of[code], []).append(code)
            found = attribute(amount, known, Asked(None, None, groups))
            parts = {code or NOT_STATED: part for code, part in found.parts.items()}
            assert {**parts, **({SHARED: found.shared} if found.shared else {})} == expected


@pytest.mark.parametrize(
    ("known", "asked", "expected"),
    [
        # One place of two, with shares and without.
        (stated(HALVES), Asked(["UGA"], None), only(Decimal("50.00"))),
        (stated(HALVES), Asked(["KEN"], None), only(Decimal("50.01"))),
        (stated(("KEN", "UGA")), Asked(["KEN"], None), Attribution({}, None, AMOUNT)),
        (stated(("KEN", "UGA")), Asked(["KEN", "UGA"], None), only(AMOUNT)),
        # There may be a third place.
        (stated(("KEN", "UGA"), partly=("places",)), Asked(["KEN", "UGA"], None), Attribution({}, None, AMOUNT)),
        # Shares that do not add up are none.
        (stated({"KEN": Decimal(50), "UGA": Decimal(49)}), Asked(["KEN"], None), Attribution({}, None, AMOUNT)),
        # The lines of the budget divide it, and no other amount.
        (
            stated((), ("IOM", "ILO"), LINES),
            Asked(None, None, {"IOM": ["IOM"], "ILO": ["ILO"]}, by_organization=True),
            Attribution(LINES, None, None),
        ),
        (
            stated((), ("IOM", "ILO"), {**LINES, "ILO": Decimal("40.00")}),
            Asked(None, None, {"IOM": ["IOM"], "ILO": ["ILO"]}, by_organization=True),
            Attribution({}, AMOUNT, None),
        ),
        # Of a country by organization: the part of the country is certain, and how it is divided is not.
        (
            stated(HALVES, ("IOM", "ILO"), LINES),
            Asked(["KEN"], None, {"IOM": ["IOM"], "ILO": ["ILO"]}, by_organization=True),
            Attribution({}, Decimal("50.01"), None),
        ),
        (stated(HALVES, ("IOM", "ILO"), LINES), Asked(["KEN"], ["IOM"]), Attribution({}, None, AMOUNT)),
        # What nobody else has is the same by whatever else it is asked for.
        (stated(("KEN",), ("IOM", "ILO"), LINES), Asked(["KEN"], ["ILO"]), only(LINES["ILO"])),
        (stated(), Asked(None, None, {None: [NOT_STATED]}), only(AMOUNT)),
    ],
)  # fmt: skip
def test_a_part_is_told_where_it_is_certain(known: StatedParts, asked: Asked, expected: Attribution) -> None:
    assert attribute(AMOUNT, known, asked) == expected


def test_what_was_taken_back_is_divided_as_what_was_given() -> None:
    taken = attribute(-AMOUNT, stated(HALVES), Asked(None, None, {"KEN": ["KEN"], "UGA": ["UGA"]}))
    assert taken.parts == {"KEN": Decimal("-50.01"), "UGA": Decimal("-50.00")}
    assert attribute(-AMOUNT, stated(("KEN", "UGA")), Asked(["KEN"], None)).undivided == -AMOUNT


def test_the_copy_has_what_divides_the_money() -> None:
    lines = [{"organization": "IOM", "year": year, "category": "travel", "amount": "0.10"} for year in (2025, 2026)]
    gaps = [
        {"field": "places", "kind": "partly_stated", "note": None},
        {"field": "budget_lines", "kind": "not_stated_in_source", "note": None},
    ]
    places = [{"code": "KEN", "name": "Kenya", "share": "60.00"}, {"code": "UGA", "name": "Uganda", "share": None}]
    record = {
        "code": "X-01", "title": None, "place_label": "Kenya, Uganda", "status": "implementation", "stage": "funded",
        "thematic_area": None, "places": places, "lead_organization": None, "organizations": [], "duration": None,
        "budget": None, "budget_lines": lines, "gaps": gaps,
    }  # fmt: skip
    known = KnownProgramme.of(record).model_dump(mode="json")
    assert [(each["code"], each["share"]) for each in known["places"]] == [("KEN", "60.00"), ("UGA", None)]
    assert (known["budget_by_organization"], known["partly_stated"]) == ({"IOM": "0.20"}, ["places"])
