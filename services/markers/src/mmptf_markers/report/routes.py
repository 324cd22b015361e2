"""The route of the report."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_markers.indicator.queries import AGES_OF_COPIES
from mmptf_markers.indicator.routes import TAG
from mmptf_markers.report import queries, rules, schemas

router = openapi.Router()


@router.get(
    "/report",
    tags=[TAG.name],
    response_model=schemas.PortfolioReport,
    summary="Get the report on the portfolio",
    **openapi.read(
        media=openapi.TABLE,
        conflicts=True,
        headers=AGES_OF_COPIES,
        texts=openapi.table(
            rules.COLUMNS,
            f" A row for each figure: `section` is {', '.join(rules.SECTIONS)}; `figure` is the names of the members"
            " that lead to it, joined by `_`; `group` is what else it is of, such as an organization or a year.",
        ),
    ),
)
async def get_portfolio_report(
    request: PublicReadRequest, query: Annotated[queries.ReportQuery, StrictQuery()]
) -> Response:
    """The portfolio on one page: the headline in words and figures, how far the programmes have come, reported beside
    reviewed grades, money, the weakest criteria, delivery beside design, actions, the course, and caveats.

    It is about all programmes at the target's stage, or about those of the filters; no filter chooses by grades.
    """
    return await queries.answer_report(request, query)
