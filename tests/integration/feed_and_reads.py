"""What the changes of a service say of its records beside what reads of them give, now and as of a revision."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx

from mmptf_common.storage.journal import PUBLIC_JOURNAL
from tests.conftest import RunningApp, service_of
from tests.integration.lookups import listings

Json = dict[str, Any]
Records = dict[str, dict[str, Json]]

# Entities that no list gives: earlier codes are redirected where they are asked for.
UNLISTED = {"catalog": {"renaming"}, "funding": set[str](), "markers": set[str]()}
# Members of the items of a list that are records of their own, which the feed gives by themselves.
COMPOSED = {"framework": ("levels", "items")}
# How many records of a list are also read by themselves.
SINGLE = 40


async def changes_of(client: httpx.AsyncClient, service: str, until: int | None = None) -> list[Json]:
    """Every change of a service in order, up to a revision."""
    found: list[Json] = []
    path, more = f"/{service}/v1/changes?limit=1000", True
    while more:
        page = (await client.get(path)).raise_for_status().json()
        found += page["items"]
        path, more = page["next"], page["more"]
    return [change for change in found if until is None or change["revision"] <= until]


def replayed(changes: list[Json]) -> Records:
    """The records of each entity by their codes after the changes, each of which begins where the one before ended."""
    records: Records = {}
    for change in changes:
        of = records.setdefault(change["entity"], {})
        assert of.get(change["key"]) == change["before"], (change["entity"], change["key"], change["seq"])
        if change["after"] is None:
            del of[change["key"]]
        else:
            of[change["key"]] = change["after"]
    return records


async def listed(client: httpx.AsyncClient, path: str, as_of: str) -> list[Json]:
    """Every item of a list, over all its pages."""
    items: list[Json] = []
    following: str | None = f"{path}?limit=1000{as_of}"
    while following:
        page = (await client.get(following)).raise_for_status().json()
        items += page["items"]
        following = page["next"]
    return items


async def paths_of(client: httpx.AsyncClient, service: str, as_of: str) -> Mapping[str, list[tuple[str, bool]]]:
    """The paths of the public lists of each entity, and whether a record has a path of its own below it."""
    known = client_paths((await client.get("/openapi.json")).json())
    paths: dict[str, list[tuple[str, bool]]] = {"document": [(f"/{service}/v1/documents", True)]}
    for listing in listings(service):
        if listing.journal is not PUBLIC_JOURNAL:
            continue
        if "{edition}" in listing.path:
            editions = await listed(client, f"/{service}/v1/editions", as_of)
            paths[listing.entity] = [(listing.path.format(edition=edition["code"]), False) for edition in editions]
        else:
            paths[listing.entity] = [(listing.path, f"{listing.path}/{{code}}" in known)]
    return paths


def client_paths(contract: Json) -> set[str]:
    """The paths of a contract that can be read."""
    return {path for path, operations in contract["paths"].items() if "get" in operations}


async def require_feed_equals_reads(running: RunningApp, revision: int | None = None) -> int:
    """Compare the replayed changes with every list, and the newest records with their own paths; returns how many.

    revision: as of which the lists are read, and up to which the changes are replayed; None for all of them
    """
    service, client = running.name, running.client
    as_of = "" if revision is None else f"&as_of={revision}"
    changes = await changes_of(client, service, revision)
    records = replayed(changes)
    newest = {(change["entity"], change["key"]): None for change in reversed(changes)}
    paths = await paths_of(client, service, as_of)
    declared = service_of(service)
    tables = declared.metadata.tables.values()
    public = {table.info["entity"] for table in tables if table.info.get("journal") is PUBLIC_JOURNAL}
    public -= declared.private
    assert public - set(paths) == UNLISTED[service]
    compared = 0
    for entity in public & set(paths):
        items = [item for path, _ in paths[entity] for item in await listed(client, path, as_of)]
        for item in items:
            for member in COMPOSED.get(entity, ()):
                del item[member]
        told = records.get(entity, {})
        # As text, so that members and their order are the same. A term's key is longer than its code in its edition.
        found = sorted(text_of(item, revision) for item in items)
        assert found == sorted(json.dumps(record) for record in told.values()), entity
        compared += len(found)
        path, alone = paths[entity][0] if paths[entity] else ("", False)
        for code in [key for of, key in newest if of == entity and key in told][:SINGLE] if alone else []:
            one = (await client.get(f"{path}/{code}{as_of.replace('&', '?')}")).raise_for_status().json()
            assert text_of(one, revision) == json.dumps(told[code])
    return compared


def text_of(record: Json, revision: int | None) -> str:
    """A record as JSON text, without the `as_of` that the links of a read as of a revision have."""
    return re.sub(rf'[?&]as_of={revision}(?=")', "", json.dumps(record))
