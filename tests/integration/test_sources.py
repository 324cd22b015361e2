"""Provenance: every source that any answer names can be looked up, and what is verified can be found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from mmptf_common.http.identity import access_of
from mmptf_common.wire.pages import Page
from tests.conftest import SERVICES, RunningApp, service_of

# No translation is packaged, no entry of the ledger or assessment and no decision: they are written by those who make
# them.
WITHOUT_PACKAGED_DATA = {
    *("/calls", "/meetings", "/decisions", "/ledger", "/periods", "/closings"),
    *("/translations", "/assessments", "/assessors", "/standings", "/actions", "/reported-values"),
}
# What is read with a token is not packaged.
LISTS = [
    (name, route.path.replace("{edition}", "MI-2015"))
    for name in SERVICES
    for router in service_of(name).routers
    for route in iter_route_contexts(router.routes)
    if route.response_model and issubclass(route.response_model, Page) and not access_of(route.endpoint).scopes
    if route.path not in WITHOUT_PACKAGED_DATA
]
# A term of a vocabulary is printed in many places of the edition's document.
FACTS = [(name, path) for name, path in LISTS if path != "/editions/MI-2015/vocabulary"]


def sources(node: Any) -> Iterator[dict[str, Any]]:
    """Every source reference in an answer, at any depth."""
    if isinstance(node, dict):
        if {"document", "line", "as_printed"} <= set(node):
            yield node
        for value in node.values():
            yield from sources(value)
    elif isinstance(node, list):
        for value in node:
            yield from sources(value)


@pytest.mark.parametrize(("name", "path"), LISTS)
async def test_every_source_is_a_listed_document(apps: dict[str, RunningApp], name: str, path: str) -> None:
    client = apps[name].client
    documents = (await client.get(f"/{name}/v1/documents", params={"limit": 1000})).json()["items"]
    codes = {document["code"] for document in documents}
    page = (await client.get(f"/{name}/v1{path}", params={"limit": 1000})).json()
    assert page["items"]
    for source in sources(page):
        assert source["document"] in codes
        # A printed text stands on a line; what has no line says how else it is found, or that it is our own.
        assert source["as_printed"] is None or source["line"] is not None
        assert source["line"] is not None or source["locator"] or source["note"]


async def test_the_lists_with_facts_all_name_sources(apps: dict[str, RunningApp]) -> None:
    for name, path in FACTS:
        for item in (await apps[name].client.get(f"/{name}/v1{path}", params={"limit": 1000})).json()["items"]:
            assert next(sources(item), None), (name, path, item["code"])


# The documents without lines of which a public copy was compared; the note of each says so.
COPIES: dict[str, set[str]] = {
    "catalog": {"a-res-73-195", "iso-3166-1", "m49", "migrationnetwork-un-org-events"},
    "funding": set(),
    "markers": set(),
}


@pytest.mark.parametrize(("name", "path"), LISTS)
async def test_what_is_verified_stands_in_a_text_at_hand(apps: dict[str, RunningApp], name: str, path: str) -> None:
    client = apps[name].client
    documents = (await client.get(f"/{name}/v1/documents", params={"limit": 1000})).json()["items"]
    notes = {document["code"]: document["note"] or "" for document in documents}
    compared = {code for code, note in notes.items() if any(word in note for word in ("copy", "compilations"))}
    assert compared == COPIES[name]
    page = (await client.get(f"/{name}/v1{path}", params={"limit": 1000})).json()
    for source in sources(page):
        if source["verified"]:
            assert source["document"] not in {"suite", "submission"}, source
            assert source["line"] is not None or source["document"] in compared, source
