"""The codes of problems: each is explained, at its path and in docs/problems.md."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI

from mmptf_common.http import openapi, problem_kinds
from mmptf_common.http.app import create_app
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import PROBLEMS, Problem
from scripts.problem_codes import page
from tests.suite import ROOT


def _app(base_path: str = "") -> FastAPI:
    app = create_app(
        "Title",
        "",
        "mmptf-common",
        tags=(),
        lifespan=lambda app: None,
        base_path=base_path,
        segments=("x",),
        max_body=0,
    )
    app.include_router(problem_kinds.router)
    openapi.install(app)
    return app


def _client(base_path: str = "") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(_app(base_path)), base_url="http://test")


@pytest.mark.parametrize("code", ProblemCode)
async def test_every_code_is_explained_at_its_path(code: ProblemCode) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", code)
    assert code.meaning.endswith((".", "-")) and len(code.meaning) > 15
    assert code.remedy.endswith((".", "-"))
    assert code.meaning != code.remedy
    assert all(HTTPStatus(status).value >= 400 for status in code.statuses)
    async with _client() as client:
        answer = await client.get(f"{PROBLEMS}/{code}")
    assert answer.status_code == 200
    assert answer.json() == {
        "code": code,
        "type": f"/problems/{code}",
        "statuses": list(code.statuses),
        "meaning": code.meaning,
        "remedy": code.remedy,
    }


async def test_all_codes_are_listed_in_their_order_below_the_base_path() -> None:
    async with _client("/api") as client:
        items = (await client.get(PROBLEMS)).json()["items"]
        unknown = (await client.get(f"{PROBLEMS}/nothing")).json()
    assert [item["code"] for item in items] == list(ProblemCode)
    assert [item["type"] for item in items] == [f"/api/problems/{code}" for code in ProblemCode]
    assert (unknown["type"], unknown["errors"][0]["allowed"]) == ("/api/problems/not_found", ["see /api/problems"])


async def test_an_unknown_code_names_the_one_that_was_meant() -> None:
    async with _client() as client:
        answer = await client.get(f"{PROBLEMS}/unknow_code")
    assert answer.status_code == 404
    (error,) = answer.json()["errors"]
    assert (error["code"], error["suggestion"], error["parameter"]) == ("unknown_code", "unknown_code", "code")


@pytest.mark.parametrize("path", [PROBLEMS, f"{PROBLEMS}/not_found"])
async def test_a_browser_gets_a_page_and_keeps_it_until_the_next_build(path: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    async with _client() as client:
        shown = await client.get(path, headers=browser)
        data = await client.get(path)
        again = await client.get(path, headers={**browser, "If-None-Match": shown.headers["etag"]})
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert shown.text.startswith("<!DOCTYPE html>")
    assert "not_found" in shown.text
    assert "`" not in shown.text
    assert shown.headers["etag"] != data.headers["etag"]
    assert shown.headers["vary"] == "Accept"
    assert (again.status_code, again.content) == (304, b"")


def test_the_contract_has_one_component_with_every_code_and_its_meaning() -> None:
    schemas = _app().openapi()["components"]["schemas"]
    assert schemas["ProblemCode"]["enum"] == list(ProblemCode)
    meanings = schemas["ProblemCode"]["description"].splitlines()
    assert meanings[-len(ProblemCode) :] == [f"- `{code}`: {code.meaning}" for code in ProblemCode]
    for name in ("Problem", "ErrorDetail"):
        assert "#/components/schemas/ProblemCode" in json.dumps(schemas[name]["properties"]["code"])


def test_a_problem_has_no_other_code() -> None:
    with pytest.raises(ValueError, match="code"):
        Problem.model_validate({**dict.fromkeys(Problem.model_fields, ""), "status": 400, "code": "else", "errors": []})


def test_the_page_of_all_codes_is_current() -> None:
    assert (ROOT / "docs/problems.md").read_text("utf-8") == page()
