"""The records that the facts of programmes and drafts become, and the facts that a record was made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from mmptf_catalog.models import DraftRow, ProgrammeRow
from mmptf_catalog.programmes.rules import STAGE_OF_STATUS, attribute, attribute_places
from mmptf_catalog.programmes.schemas import Draft, Programme
from mmptf_common.http.parameters import words
from mmptf_common.storage.records import Facts, document_of


def regions_of(place: Facts) -> list[str]:
    """A place's regions at every level, widest first."""
    return [code for code in (place["region"], place["subregion"], place["intermediate_region"]) if code]


def programme_row(facts: Facts, names: Mapping[str, Mapping[str, Facts]], at: datetime) -> ProgrammeRow:
    """A programme's row from its facts, with the names of its codes; raises KeyError for a code that is not listed."""
    places = names["places"]

    def named(kind: str, code: str) -> Facts:
        return {"code": code, "name": names[kind][code]["name"]}

    status = facts["status"] or "not_stated"
    budget = facts["budget"]
    document = document_of(
        Programme,
        {
            **facts,
            "thematic_area": facts["thematic_area"] and named("thematic_areas", facts["thematic_area"]),
            "objectives": [named("objectives", code) for code in facts["objectives"]],
            "organizations": [named("organizations", code) for code in facts["organizations"]],
            "places": [
                {**p, "name": places[p["code"]]["name"], "footnote": places[p["code"]]["footnote"]}
                for p in facts["places"]
            ],
            "status": status,
            "stage": STAGE_OF_STATUS[status],
            "budget": budget and {**budget, "sources": [s for s in facts["sources"] if s["field"] == "budget"]},
            "sources": [s for s in facts["sources"] if s["field"] != "budget"],
        },
        at,
    )
    countries = [p["code"] for p in facts["places"]]
    return ProgrammeRow(
        code=facts["code"],
        # As much as an order needs: a cursor carries it, and has to fit into a URL.
        title_order=(facts["title"] or facts["place_label"]).casefold()[:200],
        thematic_area=facts["thematic_area"],
        objectives=facts["objectives"],
        countries=countries,
        regions=sorted({region for code in countries for region in regions_of(places[code])}),
        organizations=facts["organizations"],
        stage=document["stage"],
        amount=budget and Decimal(budget["amount"]),
        currency=budget and budget["currency"],
        money_stage=budget and budget["stage"],
        basis=None,
        attribution=_attribution(document, {code: places[code]["region"] for code in countries}) if budget else {},
        words=words(f"{facts['title'] or ''} {facts['summary']}"),
        updated=at,
        document=document,
    )


def _attribution(programme: Facts, region_of: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
    """How the budget divides, by each division that totals offer."""
    amount = Decimal(programme["budget"]["amount"])
    partial = {gap["field"] for gap in programme["gaps"] if gap["kind"] == "partly_stated"}
    shares = {p["code"]: p["share"] and Decimal(p["share"]) for p in programme["places"]}
    country, region = attribute_places(amount, shares, region_of, complete="places" not in partial)
    area = programme["thematic_area"]
    divided = {
        "thematic_area": attribute(amount, [area["code"]] if area else []),
        "objective": attribute(amount, [o["code"] for o in programme["objectives"]]),
        "country": country,
        "region": region,
        "organization": attribute(
            amount, [o["code"] for o in programme["organizations"]], complete="organizations" not in partial
        ),
        "stage": {programme["stage"]: amount},
    }
    return {name: {code: f"{part:.2f}" for code, part in parts.items()} for name, parts in divided.items()}


def facts_of(programme: Facts) -> Facts:
    """The facts that a programme's document was made of, with codes in place of names."""
    budget, area = programme["budget"], programme["thematic_area"]
    sources = programme["sources"] + (budget["sources"] if budget else [])
    return {
        **{name: value for name, value in programme.items() if name not in ("stage", "updated")},
        "thematic_area": area and area["code"],
        "objectives": [objective["code"] for objective in programme["objectives"]],
        "organizations": [organization["code"] for organization in programme["organizations"]],
        "places": [{name: place[name] for name in ("code", "as_printed", "share")} for place in programme["places"]],
        "budget": budget and {name: value for name, value in budget.items() if name != "sources"},
        "sources": sources,
    }


def draft_row(draft: Facts, at: datetime) -> DraftRow:
    """A draft's row."""
    return DraftRow(
        code=draft["code"],
        organization=draft["organization"],
        words=words(f"{draft['title'] or ''} {draft['summary'] or ''}"),
        updated=at,
        document=document_of(Draft, draft, at),
    )
