"""Reads that are called directly are those of the contract, and their answers are those that FastAPI would give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mmptf_common.http import openapi, problems
from mmptf_common.http.direct_reads import DirectReads
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.identity import Administrator
from mmptf_common.http.middleware import HeadAsGet
from mmptf_common.http.parameters import NO_PARAMETERS, PointInTimeQuery, canonical
from mmptf_common.service import create_service
from mmptf_common.wire.problems import DatabaseLost, NotFound, ProblemError
from tests.contract.contracts import AT_SERVICES
from tests.suite import SERVICES

Code = Annotated[str, openapi.code_in_path("The code.", "A-1")]
router = openapi.Router()
without = openapi.Router(dependencies=[NO_PARAMETERS])
lost: list[str] = []


@router.get("/v1/grants")
async def grants(request: PublicReadRequest, query: PointInTimeQuery) -> Response:
    return JSONResponse([request.url.path, request.method, canonical(query)])


@router.get("/v1/grants/private")
async def private(request: Request, who: Administrator) -> Response:
    return JSONResponse("private")


@router.get("/v1/grants/{code}")
async def grant(request: PublicReadRequest, code: Code, query: PointInTimeQuery) -> Response:
    if code == "none":
        raise NotFound(f"There is no grant {code!r}.")
    if code in ("lost", "found") and code not in lost:
        lost.append(code)
        raise DatabaseLost("The connection is lost.")
    if code == "lost":
        lost.remove(code)
        raise DatabaseLost("The connection is lost again.")
    return JSONResponse([code, canonical(query)])


@router.get("/v1/grants/{code}/history")
async def history(request: PublicReadRequest, code: Code) -> Response:
    return JSONResponse(["history", code])


@router.post("/v1/grants/batch")
async def batch(request: PublicReadRequest) -> Response:
    return JSONResponse("batch")


@router.get("/v1/any/{text}")
async def any_text(request: PublicReadRequest, text: str) -> Response:
    return JSONResponse(["any", text])


@without.get("/v1/status")
async def status(request: PublicReadRequest) -> Response:
    return JSONResponse("status")


def app_of_grants(*, is_direct: bool) -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    if is_direct:
        app.add_middleware(DirectReads)
    app.add_middleware(HeadAsGet)
    app.include_router(router)
    app.include_router(without)
    for failure in (ProblemError, RequestValidationError, HTTPException):
        app.add_exception_handler(failure, problems.answer)
    app.state.verifier = None
    openapi.install(app)
    return app


@pytest.fixture(scope="module")
async def clients() -> AsyncIterator[tuple[httpx.AsyncClient, ...]]:
    async with AsyncExitStack() as stack:
        yield tuple(
            [
                await stack.enter_async_context(
                    httpx.AsyncClient(
                        transport=httpx.ASGITransport(app=app_of_grants(is_direct=is_direct)), base_url="http://app"
                    )
                )
                for is_direct in (True, False)
            ]
        )


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/grants", "/v1/grants?as_of=3", "/v1/grants?as_of=x", "/v1/grants?asof=3", "/v1/grants/", "/v1/grant",
        "/v1/grants/A-1", "/v1/grants/A-1?as_of=2024-01-31", "/v1/grants/A-1?x=1", "/v1/grants/A-1/", "//v1/grants/A-1",
        "/v1/grants/none", "/v1/grants/lost", "/v1/grants/found", "/v1/grants/private", "/v1/grants/batch",
        "/v1/grants/A-1%0A", "/v1/grants/A%2D1", "/v1/grants/A%2F1", "/v1/grants/A--1", "/v1/grants/\u00e9",
        "/v1/grants/%FF", f"/v1/grants/{'A' * 64}", f"/v1/grants/{'A' * 65}", "/v1/grants/A-1/history",
        "/v1/any/A-1", "/v1/any/%20",
        "/v1/status", "/v1/status?x=1", "/V1/grants", "/",
    ],
)  # fmt: skip
async def test_an_answer_is_that_of_the_framework(
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient], method: str, path: str
) -> None:
    answers = []
    for client in clients:
        lost.clear()
        answers.append(await client.request(method, path))
    direct, framework = answers
    assert direct.status_code == framework.status_code
    assert direct.headers == framework.headers
    assert direct.content == framework.content


def test_the_contract_is_that_of_the_framework() -> None:
    assert app_of_grants(is_direct=True).openapi() == app_of_grants(is_direct=False).openapi()


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_read_most_is_called_directly(service: str) -> None:
    declared = import_module(f"mmptf_{service}.app").SERVICE
    app = create_service(declared, declared.settings.model_construct(database_url=SecretStr("postgresql://")))
    direct = DirectReads(app)
    reads = [o.template for o in AT_SERVICES if o.api == service and o.is_read and o.is_open]
    of_lists = {
        path
        for o in AT_SERVICES
        if o.api == service and o.is_list and o.is_open and "{" not in o.template
        for path in (o.template, *(f"{o.template}/{last}" for last in ("facets", "totals", "{code}")))
        if path in reads
    }
    assert len(of_lists) > 5
    for path in of_lists:
        asked = {"type": "http", "method": "GET", "path": path.replace("{code}", "A-1"), "root_path": "", "app": app}
        assert direct.read_of(asked), path
