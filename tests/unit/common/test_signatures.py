"""What an operation takes stands in its signature: it is held to it, and the contract says the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import FastAPI, Path
from starlette.responses import JSONResponse, Response

from mmptf_common.http import openapi, problems
from mmptf_common.http.headers import ChangeRequest, PublicReadRequest
from mmptf_common.http.parameters import NO_PARAMETERS, ListQuery, PointInTimeQuery, StrictQuery, canonical, order_by
from mmptf_common.wire.problems import ProblemError


class GrantQuery(ListQuery):
    sort: tuple[Literal["code", "-code"], ...] = order_by("code")


router = openapi.Router()
without = openapi.Router(dependencies=[NO_PARAMETERS])


@router.get("/grants")
async def grants(request: PublicReadRequest, query: Annotated[GrantQuery, StrictQuery()]) -> Response:
    return JSONResponse([type(query).__name__, canonical(query)])


# The annotation says what the function needs, the dependency what the operation takes.
@router.get("/restricted")
async def restricted(request: PublicReadRequest, query: Annotated[ListQuery, StrictQuery(GrantQuery)]) -> Response:
    return JSONResponse([type(query).__name__, canonical(query)])


@router.post("/grants/{code}")
async def change(request: ChangeRequest, code: Annotated[str, Path()], query: PointInTimeQuery) -> Response:
    return JSONResponse([code, canonical(query)])


@without.get("/status")
async def status(request: PublicReadRequest) -> Response:
    return JSONResponse([])


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router)
    app.include_router(without)
    app.add_exception_handler(ProblemError, problems.answer)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app") as client:
        yield client


@pytest.mark.parametrize("path", ["/grants", "/restricted"])
async def test_a_route_gets_the_query_that_it_states(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{path}?sort=-code&limit=2")
    assert answer.json() == ["GrantQuery", "limit=2&sort=-code"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/grants?sort=title", "unknown_code"),
        ("/restricted?sort=title", "unknown_code"),
        ("/restricted?limit=1&limit=2", "repeated_parameter"),
        ("/grants?q=x", "unknown_parameter"),
        ("/status?limit=1", "unknown_parameter"),
    ],
)
async def test_nothing_else_is_taken(client: httpx.AsyncClient, path: str, code: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, [error["code"] for error in answer.json()["errors"]]) == (422, [code])


def stated(path: str, method: str) -> list[tuple[str, str, bool]]:
    app = FastAPI()
    app.include_router(router)
    app.include_router(without)
    found: list[dict[str, Any]] = app.openapi()["paths"][path][method]["parameters"]
    return [(parameter["in"], parameter["name"], parameter["required"]) for parameter in found]


def test_the_contract_says_what_the_signature_says() -> None:
    listed = [("query", name, False) for name in ("as_of", "limit", "cursor", "format", "sort", "fields")]
    assert stated("/grants", "get") == stated("/restricted", "get") == [*listed, ("header", "If-None-Match", False)]
    assert stated("/grants/{code}", "post") == [
        ("path", "code", True),
        ("query", "as_of", False),
        ("header", "Idempotency-Key", True),
        ("header", "If-Match", True),
    ]
    assert stated("/status", "get") == [("header", "If-None-Match", False)]
