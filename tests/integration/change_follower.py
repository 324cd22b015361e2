"""A consumer of a service's changes, as another system would write one: a copy of its records."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

Records = dict[tuple[str, str], Any]


class Copy:
    """The copied records and the position in the feed, stored together in a file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        # Several statements are one transaction on the disk or none; what the operating system loses is not at stake.
        self._connection.execute("PRAGMA synchronous = off")
        self._connection.executescript(
            "CREATE TABLE IF NOT EXISTS replica (entity, key, record, PRIMARY KEY (entity, key));"
            "CREATE TABLE IF NOT EXISTS seen (seq INTEGER PRIMARY KEY);"
            "CREATE TABLE IF NOT EXISTS position (after INTEGER)"
        )

    def close(self) -> None:
        self._connection.close()

    @property
    def after(self) -> int:
        row = self._connection.execute("SELECT after FROM position").fetchone()
        return row[0] if row else 0

    @property
    def seen(self) -> list[int]:
        """Every change that was stored; none could be stored twice."""
        return [row[0] for row in self._connection.execute("SELECT seq FROM seen ORDER BY seq")]

    @property
    def records(self) -> Records:
        rows = self._connection.execute("SELECT entity, key, record FROM replica")
        return {(entity, key): json.loads(record) for entity, key, record in rows}

    def store(self, page: dict[str, Any], midway: Callable[[], None]) -> None:
        """Carry out the changes of a page, and note how far it reaches; all of it or nothing."""
        self._connection.execute("BEGIN")
        try:
            for change in page["items"]:
                self._apply(change)
            midway()
            self._connection.execute("DELETE FROM position")
            self._connection.execute("INSERT INTO position VALUES (?)", (page["last"],))
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _apply(self, change: dict[str, Any]) -> None:
        which = change["entity"], change["key"]
        found = self._connection.execute("SELECT record FROM replica WHERE (entity, key) = (?, ?)", which).fetchone()
        if (json.loads(found[0]) if found else None) != change["before"]:
            raise ValueError(f"change {change['seq']} does not begin where the one before it of {which} ended")
        self._connection.execute("INSERT INTO seen VALUES (?)", (change["seq"],))
        if change["after"] is None:
            self._connection.execute("DELETE FROM replica WHERE (entity, key) = (?, ?)", which)
        else:
            self._connection.execute("REPLACE INTO replica VALUES (?, ?, ?)", (*which, json.dumps(change["after"])))


async def follow(
    client: httpx.AsyncClient,
    path: str,
    copy: Copy,
    *,
    until: Callable[[], bool],
    point: Callable[[], None] = lambda: None,
    **query: Any,
) -> None:
    """Follow the changes at a path until nobody will write any more, and all is stored.

    point: called before and after a page is stored, and in the midst of it; may raise
    """
    while True:
        ended = until()
        answer = await client.get(path, params={**query, "after": copy.after})
        if answer.status_code == 503:
            await asyncio.sleep(float(answer.headers["retry-after"]))
            continue
        page = answer.raise_for_status().json()
        point()
        copy.store(page, point)
        point()
        if ended and not page["more"]:
            return
