"""What is written to the catalogue: programmes and code lists, each with its journal entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_catalog import rules, schemas
from mmptf_catalog.models import (
    ClusteringRow,
    GuidingPrincipleRow,
    ObjectiveRow,
    OrganizationRow,
    PlaceRow,
    ProgrammeRow,
    SourceDocumentRow,
    ThematicAreaRow,
    change,
)
from mmptf_common import documents
from mmptf_common.journal import Author, begin_write, record
from mmptf_common.query import words
from mmptf_common.records import Facts, Record, document_of, load, packaged
from mmptf_common.schemas import Document, Wire

PACKAGE = "mmptf_catalog"
Build = Callable[[Facts, datetime], Record]


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Bring the packaged data into an empty or an older database; returns the revision of the data."""
    at = await begin_write(session)
    facts = {name: packaged(PACKAGE, name) for name in _LISTS}
    changes = []
    for name, (entity, build) in _LISTS.items():
        rows = [build(f, at) for f in facts[name]]
        changes += await load(session, change, entity, rows, author)
    names = {name: {f["code"]: f for f in facts[name]} for name in facts}
    programmes = [programme_row(f, names, at) for f in packaged(PACKAGE, "programmes")]
    changes += await load(session, change, "programme", programmes, author)
    return await record(session, change, changes, author, at)


def _numbered(row: type[ThematicAreaRow | ObjectiveRow | GuidingPrincipleRow], model: type[Wire]) -> Build:
    return lambda f, at: row(
        code=f["code"], position=f["number"], name=f["name"], updated=at, document=document_of(model, f, at)
    )


def _named(row: type[ClusteringRow | OrganizationRow], model: type[Wire]) -> Build:
    return lambda f, at: row(code=f["code"], name=f["name"], updated=at, document=document_of(model, f, at))


def _place(f: Facts, at: datetime) -> PlaceRow:
    return PlaceRow(
        code=f["code"],
        kind=f["kind"],
        name=f["name"],
        region=f["region"],
        regions=regions_of(f),
        words=words(f["name"]),
        updated=at,
        document=document_of(schemas.Place, f, at),
    )


def _source(f: Facts, at: datetime) -> SourceDocumentRow:
    return SourceDocumentRow(code=f["code"], updated=at, document=document_of(Document, f, at))


_LISTS: dict[str, tuple[str, Build]] = {
    "documents": (documents.ENTITY, _source),
    "thematic_areas": ("thematic_area", _numbered(ThematicAreaRow, schemas.ThematicArea)),
    "objectives": ("objective", _numbered(ObjectiveRow, schemas.Objective)),
    "clusterings": ("clustering", _named(ClusteringRow, schemas.Clustering)),
    "guiding_principles": ("guiding_principle", _numbered(GuidingPrincipleRow, schemas.GuidingPrinciple)),
    "places": ("place", _place),
    "organizations": ("organization", _named(OrganizationRow, schemas.Organization)),
}


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
        schemas.Programme,
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
            "stage": rules.STAGE_OF_STATUS[status],
            "budget": budget
            and {
                **budget,
                "stage": "programme_budget",
                "sources": [s for s in facts["sources"] if s["field"] == "budget"],
            },
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
        money_stage=budget and "programme_budget",
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
    country, region = rules.attribute_places(amount, shares, region_of, complete="places" not in partial)
    area = programme["thematic_area"]
    divided = {
        "thematic_area": rules.attribute(amount, [area["code"]] if area else []),
        "objective": rules.attribute(amount, [o["code"] for o in programme["objectives"]]),
        "country": country,
        "region": region,
        "organization": rules.attribute(
            amount, [o["code"] for o in programme["organizations"]], complete="organizations" not in partial
        ),
        "stage": {programme["stage"]: amount},
    }
    return {name: {code: f"{part:.2f}" for code, part in parts.items()} for name, parts in divided.items()}
