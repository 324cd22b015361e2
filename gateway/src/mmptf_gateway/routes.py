"""The gateway's own routes: index, health, status of the suite, the view of a programme, and the merged contract."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from mmptf_common.http import conditional, openapi
from mmptf_common.http.compression import GZIP, accepts_gzip, tag_in
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import NO_PARAMETERS, Flag, StrictQuery
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.links import link
from mmptf_common.wire.pages import IS_DRAINING, Health
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import BadGateway, GatewayTimeout, NotFound, ServiceUnavailable, error_detail
from mmptf_gateway.compression import VARY
from mmptf_gateway.contracts import MergedContract
from mmptf_gateway.programmes import ProgrammeView, programme_view
from mmptf_gateway.status import SuiteStatus, suite_status, unreachable
from mmptf_gateway.upstreams import Asking

router = openapi.Router(dependencies=[NO_PARAMETERS])
contract_router = openapi.Router()
PLAIN = openapi.plain()
TAG = openapi.Tag(
    "One programme",
    "What all services have on one programme, in a single answer: a page about a programme needs one request.",
)
ProgrammeCode = Annotated[
    str, openapi.code_in_path("Code of the programme, such as `ETH-01`; it is the same in every service.", "ETH-01")
]


class SuiteIndex(ResponseModel):
    """Where to begin: the gateway's own paths, and the first path of each service."""

    title: str
    """Title of the suite, for people."""
    version: str
    """Version of the gateway's software, such as `0.1.0`."""
    links: dict[str, str]
    """The gateway's own paths, by what is there, such as `documentation`."""
    services: dict[str, str]
    """Name of each service -> path of its own index, such as `/catalog/v1`."""


@router.get("/", tags=[openapi.STATUS.name], summary="Get the paths of the suite", response_model=SuiteIndex, **PLAIN)
async def get_index(request: PublicRequest) -> Response:
    """Where to begin: documentation, contract and status of the suite, and the first path of each service."""
    answer = SuiteIndex(
        title=request.app.title,
        version=request.app.version,
        links={
            "documentation": link("/docs"),
            "contract": link("/openapi.json"),
            "status": link("/status"),
            "live": link("/health/live"),
            "ready": link("/health/ready"),
            "version": link("/version"),
        },
        services={name: link(f"/{name}/v1") for name in request.app.state.asking.upstreams},
    )
    return _json(answer)


@router.get(
    "/health/live", tags=[openapi.STATUS.name], summary="Check that the gateway runs", response_model=Health, **PLAIN
)
async def get_gateway_liveness(request: PublicRequest) -> Response:
    """For an orchestrator: 200 while the process of the gateway runs."""
    return _json(Health(ready=True, reason=None))


@router.get(
    "/health/ready",
    tags=[openapi.STATUS.name],
    summary="Check that the gateway can forward requests",
    response_model=Health,
    responses={
        **PLAIN["responses"],
        503: {
            "description": "No service answers, or the gateway is about to end; `reason` says why.",
            "model": Health,
            "headers": openapi.header_references("Cache-Control"),
        },
    },
)
async def get_gateway_readiness(request: PublicRequest) -> Response:
    """For a load balancer: 200 while one service answers, be it with an error, and else 503, both within two seconds;
    503 also from the moment at which the process begins to end. `reason` names the services that do not answer;
    `/status` has the state of each.
    """
    if request.app.state.is_draining():
        return _json(Health(ready=False, reason=IS_DRAINING), 503)
    asking: Asking = request.app.state.asking
    reasons = await unreachable(asking)
    is_ready = len(reasons) < len(asking.upstreams)
    return _json(Health(ready=is_ready, reason=" ".join(reasons.values()) or None), 200 if is_ready else 503)


@router.get(
    "/status", tags=[openapi.STATUS.name], summary="Get the status of the suite", response_model=SuiteStatus, **PLAIN
)
async def get_suite_status(request: PublicRequest) -> Response:
    """Version, last write, number of records and documents of each service, or why they are missing. The answer is 200
    also where a service is down.
    """
    app = request.app
    return _json(await suite_status(app.state.asking, app.version, app.state.build))


@router.get(
    "/programmes/{code}",
    tags=[TAG.name],
    response_model=ProgrammeView,
    summary="Get what every service has on a programme",
    responses={
        **PLAIN["responses"],
        **openapi.problems(NotFound, BadGateway, GatewayTimeout),
    },
)
async def get_programme_view(request: PublicRequest, code: ProgrammeCode) -> Response:
    """A card of the programme from each service: what it is, how it is funded, how it is graded. The answer is 200 as
    soon as one service has a card; `missing` names those without, and their `parts` the reason.
    """
    return _json(await programme_view(request.app.state.asking, request.app.state.answers, code))


class ContractQuery(BaseModel):
    """The query of the merged contract.

    partial: answer with the contracts that are known, where others are missing
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    partial: Flag = "false"


@contract_router.get("/openapi.json", include_in_schema=False, tags=["contract"])
async def contract(request: PublicRequest, query: Annotated[ContractQuery, StrictQuery()]) -> Response:
    """The contracts of all services as one; raises ServiceUnavailable where one was never fetched.

    With `partial`, that of the others is answered, for no cache to store; `x-missing-services` names what it lacks.
    """
    merged: MergedContract = await request.app.state.contracts.merged()
    if merged.missing and query.partial == "true":
        unstored = {"Cache-Control": "no-store", "Vary": VARY}
        return merged.text.response(request, "application/json", unstored)
    if merged.missing:
        raise ServiceUnavailable(
            f"The contract of {', '.join(merged.missing)} could not be fetched yet; ?partial=true gives the others.",
            errors=[
                error_detail(ProblemCode.MISSING_CONTRACT, f"The service {name!r} gave no contract that can be used.")
                for name in merged.missing
            ],
        )
    # The bytes of each coding have a strong tag of their own; both stand for the same contract.
    tag = tag_in(GZIP, merged.tag) if accepts_gzip(request) else merged.tag
    headers = {**conditional.headers(tag), "Vary": f"Accept, {VARY}"}
    if conditional.matches(request, merged.tag):
        return Response(status_code=304, headers=headers)
    return merged.text.response(request, "application/json", headers)


def _json(answer: ResponseModel, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(answer.model_dump_json(), status, media_type="application/json", headers=headers)
