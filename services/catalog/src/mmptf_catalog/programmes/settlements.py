"""HTTP client of the ledger, which says whether the money of a programme is settled before its accounts are closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mmptf_catalog.settings import CatalogSettings
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import BadGateway, Conflict, ProblemError, ServiceUnavailable, error_detail

ANSWER_SECONDS = 3.0


class _Missing(BaseModel):
    """What is not settled, in words."""

    detail: str


class _Settlement(BaseModel):
    """The members of a settlement that the catalogue uses."""

    settled: bool
    missing: list[_Missing]


async def ask(request: Request, programmes: Iterable[str]) -> Mapping[str, ProblemError | None]:
    """Why each of some programmes cannot be closed financially; None where nothing is missing.

    It is asked before the write takes its lock; what comes between is refused by the ledger, which takes no entries but
    refunds once the figures are certified.
    """
    wanted = sorted(set(programmes))
    settings: CatalogSettings = request.app.state.settings
    if wanted and settings.funding_url is None:
        problem = ServiceUnavailable(
            "FUNDING_URL is not set, so nothing is known of the money of programmes here.",
            code=ProblemCode.NOT_CONFIGURED,
        )
        return dict.fromkeys(wanted, problem)
    if not wanted:
        return {}
    # Its client takes 14 MB, which a catalogue that closes no programme does not need.
    import httpx

    from mmptf_common.process.client import failure, open_client

    found: dict[str, ProblemError | None] = {}
    async with open_client(seconds=ANSWER_SECONDS) as client:
        for code in wanted:
            try:
                answer = await client.get(f"{settings.funding_url}/funding/v1/settlements/{code}")
            except httpx.HTTPError as error:
                found[code] = failure("funding", error)
                continue
            found[code] = _problem_of(code, answer.status_code, answer.content)
    return found


def _problem_of(code: str, status: int, content: bytes) -> ProblemError | None:
    if status == 404:
        return Conflict(f"The ledger does not know {code} yet.", code=ProblemCode.NOT_SETTLED)
    try:
        settlement = _Settlement.model_validate_json(content)
    except ValidationError:
        return BadGateway(f"The ledger answered with {status}, and no settlement.", code=ProblemCode.INVALID_ANSWER)
    if settlement.settled:
        return None
    return Conflict(
        f"{code} is not settled: {' '.join(gap.detail for gap in settlement.missing)}",
        code=ProblemCode.NOT_SETTLED,
        errors=[error_detail(ProblemCode.NOT_SETTLED, gap.detail, pointer="/status") for gap in settlement.missing],
    )
