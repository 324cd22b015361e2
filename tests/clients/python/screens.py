"""The calls of five screens with the client that openapi-python-client makes."""

from __future__ import annotations

import json
import sys

from generated import Client
from generated.api.code_lists import list_places
from generated.api.contributions import list_contributors
from generated.api.indicator import get_indicator, list_indicator_targets
from generated.api.one_programme import get_programme_view
from generated.api.programmes import get_programme_facets, list_programmes
from generated.api.requirements import get_requirement_totals
from generated.api.statements import list_contributor_statements
from generated.models import (
    CatalogProgrammeCard,
    ContributorPage,
    ContributorStatements,
    FacetCounts,
    FilteredTotals,
    FundingProgrammeCard,
    IndicatorAnswer,
    IndicatorTargetPage,
    MarkersProgrammeCard,
    PlaceKind,
    PlacePage,
    Problem,
    ProblemCode,
    ProgrammePage,
    ProgrammeView,
    RequirementDivision,
)

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
LATER = {ProblemCode.UNAVAILABLE, ProblemCode.SERVICE_UNREACHABLE, ProblemCode.SERVICE_TIMEOUT}


def explained(problem: object) -> list[str]:
    """What an answer says that is not the one asked for."""
    if not isinstance(problem, Problem):
        return ["no answer"]
    if problem.code in LATER:
        return ["try again later"]
    details = [error.suggestion or error.detail for error in problem.errors] or [problem.detail]
    return [f"{problem.code}: {details[0]}"]


def programmes(country: str) -> list[str]:
    page = list_programmes.sync(client=client, country=[country], limit=5)
    counts = get_programme_facets.sync(client=client, country=[country])
    if not isinstance(page, ProgrammePage):
        return explained(page)
    if not isinstance(counts, FacetCounts):
        return explained(counts)
    rows = []
    for programme in page.items:
        budget = f"{programme.budget.amount} {programme.budget.currency}" if programme.budget else "no budget"
        year = programme.duration.start.year if programme.duration else "no year"
        rows.append(f"{programme.code} {programme.stage} {budget} {year} {[place.name for place in programme.places]}")
    return rows + [f"{value.name or value.value}: {value.count}" for value in counts.facets["stage"]]


def facts(card: CatalogProgrammeCard | FundingProgrammeCard | MarkersProgrammeCard) -> str:
    """What a card says, which follows from its service."""
    if card.service == "catalog":
        return f"{card.facts.status} in {', '.join(place.name for place in card.facts.places)}"
    if card.service == "funding":
        return f"{card.facts.transfers.sum_.amount} {card.facts.transfers.sum_.currency} transferred"
    grades = ", ".join(f"{each.marker} {each.grade or 'not known'}" for each in card.facts.standings)
    return f"{grades}, {card.facts.open_actions} open"


def programme(code: str) -> list[str]:
    view = get_programme_view.sync(client=client, code=code)
    if not isinstance(view, ProgrammeView):
        return explained(view)
    rows = []
    for part in view.parts:
        if part.card:
            changed = part.card.changed.date().isoformat() if part.card.changed else "no date"
            rows.append(f"{part.service}: {facts(part.card)}, {changed}")
        elif part.missing:
            absent = part.missing.code is ProblemCode.NOT_FOUND
            rows.append(f"{part.service}: {'nothing held' if absent else part.missing.detail}")
    return rows


def country_map() -> list[str]:
    places = list_places.sync(client=client, kind=[PlaceKind.COUNTRY], limit=1000)
    totals = get_requirement_totals.sync(client=client, by=[RequirementDivision.COUNTRY])
    if not isinstance(places, PlacePage):
        return explained(places)
    if not isinstance(totals, FilteredTotals):
        return explained(totals)
    names = {place.code: place.name for place in places.items}
    return [
        f"{names.get(key.value, key.value)}: {total.stage} {group.sum_.amount} {group.sum_.currency}"
        for total in totals.totals
        for group in total.groups
        for key in group.keys
        if group.sum_
    ]


def donors() -> list[str]:
    page = list_contributors.sync(client=client, limit=1000)
    statements = list_contributor_statements.sync(client=client)
    if not isinstance(page, ContributorPage):
        return explained(page)
    if not isinstance(statements, ContributorStatements):
        return explained(statements)
    paid = {item.contributor: item.deposits.sum_ for item in statements.items}
    rows = []
    for contributor in page.items:
        found = paid.get(contributor.code)
        sum_ = f"{found.amount} {found.currency}" if found else "nothing paid"
        rows.append(f"{contributor.name} ({contributor.type_}): {sum_}")
    return rows


def gauge() -> list[str]:
    answer = get_indicator.sync(client=client)
    targets = list_indicator_targets.sync(client=client)
    if not isinstance(answer, IndicatorAnswer):
        return explained(answer)
    if not isinstance(targets, IndicatorTargetPage):
        return explained(targets)
    indicator = answer.whole
    reached = indicator.share.per_cent if indicator.share else "not known"
    grades = [f"{grade.grade or 'none'}: {grade.programmes}" for grade in indicator.grades]
    return [
        f"{target.name} {reached} {target.minimum.per_cent} {indicator.standing} {grades}" for target in targets.items
    ]


shown = {"programmes": programmes("SRB"), "programme": programme("SRB-01"), "map": country_map()}
print(json.dumps({**shown, "donors": donors(), "gauge": gauge(), "refused": programmes("SRV")}))
