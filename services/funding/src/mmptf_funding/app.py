"""The funding service: contributions, targets and the Fund's figures; the ledger; requirements by edition."""

from __future__ import annotations

from fastapi import FastAPI

from mmptf_common.service import Service, create_service
from mmptf_common.writes import bodies
from mmptf_funding.approvals import routes as approvals
from mmptf_funding.bank import routes as bank
from mmptf_funding.closings import routes as closings
from mmptf_funding.contributions import routes as contributions
from mmptf_funding.contributions.queries import FACTS
from mmptf_funding.editions import routes as editions
from mmptf_funding.editions.queries import EDITIONS, INITIATIVES, PRINTED_TOTALS, REQUIREMENTS, VOCABULARY
from mmptf_funding.imports import ledger_routes as ledger_imports
from mmptf_funding.imports import routes as imports
from mmptf_funding.ledger import routes as ledger
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.models import Base
from mmptf_funding.period_statements import routes as period_statements
from mmptf_funding.periods import routes as periods
from mmptf_funding.regions import routes as regions
from mmptf_funding.regions.queries import FRAMEWORKS
from mmptf_funding.replication import CATALOGUE
from mmptf_funding.seed import load_packaged_data
from mmptf_funding.settings import FundingSettings

SERVICE = Service(
    name="funding",
    title="Migration MPTF funding",
    description=(
        "Contributions to the Migration Multi-Partner Trust Fund, and the amounts that it is to raise (capitalization"
        " targets); the ledger of its money from pledge to expenditure; and what migration programmes ask for, by the"
        " editions of a publication. Printed and computed figures stand side by side. Amounts are exact; a total names"
        " its stage of money, and stages are never added together."
    ),
    package="mmptf_funding",
    settings=FundingSettings,
    metadata=Base.metadata,
    tags=(
        editions.TAG,
        contributions.TAG,
        ledger.TAG,
        ledger.STATEMENTS_TAG,
        periods.TAG,
        approvals.TAG,
        bank.TAG,
        closings.TAG,
        editions.EDITIONS_TAG,
    ),
    routers=(
        contributions.router,
        ledger.router,
        periods.router,
        period_statements.router,
        approvals.router,
        bank.router,
        closings.router,
        editions.router,
        regions.router,
        imports.router,
        ledger_imports.router,
    ),
    publication="mptf-human-rights-brochure-2024",
    seed=load_packaged_data,
    counts={
        "documents": "source_document",
        "contributions": "contribution",
        "contributors": "contributor",
        "targets": "target",
        "facts": "fact",
        "money_stages": "money_stage",
        "editions": "edition",
        "requirements": "requirement",
        "printed_totals": "printed_total",
        "initiatives": "initiative",
        "partners": "partner",
        "figures": "figure",
        "frameworks": "framework",
        "framework_items": "framework_item",
        "offices": "regional_office",
        "groups": "regional_group",
        "acronyms": "acronym",
        "ledger_entries": "ledger_entry",
        "closings": "closing",
    },
    body_limits={
        imports.PATH: bodies.MAX_BODY,
        ledger_imports.PATH: bodies.MAX_BODY,
        bank.STATEMENTS_PATH: bank.MAX_STATEMENT,
    },
    private=frozenset(
        {
            *("programme", "organization", "thematic_area", "renaming"),
            *("bank_account", "bank_statement", "bank_entry", "bank_match", "reconciled_entry", "imported_entry"),
            *("transfer_limit", "transfer_proposal"),
        }
    ),
    listings=(FACTS, LEDGER, EDITIONS, VOCABULARY, PRINTED_TOTALS, REQUIREMENTS, INITIATIVES, FRAMEWORKS),
    replicates=lambda settings: ((CATALOGUE, settings.catalog_url),),
)


def create_app(settings: FundingSettings) -> FastAPI:
    """The funding service's app; it opens no connection before its lifespan begins."""
    return create_service(SERVICE, settings)
