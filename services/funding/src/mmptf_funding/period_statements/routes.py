"""The routes of statements for a period, of earmarked money, and of budgets against expenditure."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.parameters import StrictQuery, TableQuery
from mmptf_common.lists.tables import columns_of
from mmptf_funding.ledger.routes import STATEMENTS_TAG
from mmptf_funding.period_statements import queries, schemas
from mmptf_funding.period_statements.figures import answer_figures
from mmptf_funding.periods.routes import TAG as PERIODS_TAG
from mmptf_funding.periods.routes import PeriodCode
from mmptf_funding.periods.schemas import PeriodFigure, PeriodFigures

router = openapi.Router()
AS_TABLE = "`text/csv` has a row for each item, and no sums over them."


@router.get(
    "/period-statements/fund",
    tags=[STATEMENTS_TAG.name],
    response_model=schemas.FundPeriodStatement,
    summary="Get the statement of the Fund for a period",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(queries.FUND_COLUMNS)),
)
async def get_fund_period_statement(
    request: PublicReadRequest, query: Annotated[schemas.PeriodStatementQuery, StrictQuery()]
) -> Response:
    """The cash at the beginning of a period, what came in and went out by kind, and the cash at its end. Beside it what
    is available to allocate, and what organizations hold. `text/csv` has a row for each line and each balance.
    """
    return await queries.answer_fund(request, query)


def _add_statements(path: str, name: str, listed: queries.PartyStatements, summary: str) -> None:
    async def statements(
        request: PublicReadRequest, query: Annotated[schemas.PeriodStatementQuery, StrictQuery()]
    ) -> Response:
        return await queries.answer_parties(request, query, listed)

    router.add_api_route(
        f"/period-statements/{path}",
        statements,
        name=name,
        tags=[STATEMENTS_TAG.name],
        response_model=listed.page,
        summary=summary,
        description=f"{listed.about} {AS_TABLE}",
        **openapi.read(media=openapi.TABLE, texts=openapi.table(columns_of(listed.item))),
    )


_add_statements(
    "contributors",
    "list_contributor_period_statements",
    queries.CONTRIBUTORS,
    "List the statements of contributors for a period",
)
_add_statements(
    "programmes",
    "list_programme_period_statements",
    queries.PROGRAMMES,
    "List the statements of programmes for a period",
)
_add_statements(
    "organizations",
    "list_organization_period_statements",
    queries.ORGANIZATIONS,
    "List the statements of organizations for a period",
)
_add_statements(
    "thematic-areas",
    "list_thematic_area_period_statements",
    queries.AREAS,
    "List the statements of thematic areas for a period",
)


@router.get(
    "/statement/earmarks",
    tags=[STATEMENTS_TAG.name],
    response_model=schemas.EarmarkStatement,
    summary="Get the statement of earmarked money",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(columns_of(schemas.EarmarkedMoney))),
)
async def get_earmark_statement(
    request: PublicReadRequest, query: Annotated[schemas.EarmarkQuery, StrictQuery()]
) -> Response:
    """What was received for each thematic area up to a day, what is allocated to its programmes, and what is free, with
    the areas for which money of other areas was used. `text/csv` has a row for each area.
    """
    return await queries.answer_earmarks(request, query)


@router.get(
    "/statement/budgets",
    tags=[STATEMENTS_TAG.name],
    response_model=schemas.BudgetStatement,
    summary="Compare budgets and expenditure",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(columns_of(schemas.BudgetComparison))),
)
async def get_budget_statement(
    request: PublicReadRequest, query: Annotated[schemas.BudgetQuery, StrictQuery()]
) -> Response:
    """The budget lines of each programme beside what was reported as spent, by organization, year and category, or by
    one or two of them. `text/csv` has a row for each item.
    """
    return await queries.answer_budgets(request, query)


@router.get(
    "/periods/{code}/figures",
    tags=[PERIODS_TAG.name],
    response_model=PeriodFigures,
    summary="Compare the certified and the computed figures of a period",
    **openapi.read(missing=True, media=openapi.TABLE, texts=openapi.table(columns_of(PeriodFigure))),
)
async def get_accounting_period_figures(
    request: PublicReadRequest, code: PeriodCode, query: Annotated[TableQuery, StrictQuery()]
) -> Response:
    """Every line of the Fund's statement for the period: the certified figure, the one that the ledger gives, and
    whether a difference is explained. `text/csv` has a row for each line.
    """
    return await answer_figures(request, code, query)
