"""The copy of a programme has what divides its money."""

from __future__ import annotations

from mmptf_markers.replication import KnownProgramme


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
