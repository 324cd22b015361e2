"""The change feed: every change of a service in order, and the history of one record."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.parameters import Limit, Seconds, Sequence, canonical
from mmptf_common.http.snapshot import snapshot
from mmptf_common.lists.listing import AS_MOMENT, Listing, with_stored_links
from mmptf_common.lists.pages import fetch_item
from mmptf_common.storage.engines import Database, ReadKind, reading
from mmptf_common.storage.journal import PUBLIC_JOURNAL, Journal
from mmptf_common.storage.notifications import NewestChange
from mmptf_common.storage.shared_results import SharedQuery
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.links import link
from mmptf_common.wire.pages import ChangeRecord
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, error_detail

# While readers wait for a change, and the database does not notify of them, it is queried once in this interval,
# however many of them wait.
LOOK_SECONDS = 0.2
# Where it does, seconds between two looks whether a reader has left or the process ends: each takes a fifth of a
# millisecond, and copies of other services wait all day.
NOTIFIED_LOOK_SECONDS = 1.0


class AuditRecord(ChangeRecord):
    """One change of one record, and who made it in which request."""

    actor: str
    """Who made it: the subject (`sub`) of the access token, or the name of the operator's command."""
    request_id: str | None
    """The `X-Request-ID` of the request that made it; null where a command of the operator did."""


class Following(ResponseModel):
    """How to read on after a page of changes."""

    last: int
    """The `seq` up to which this page reaches, also over changes that `entity` left out. Send it as `after` to read on:
    no change is missed and none comes twice.
    """
    more: bool
    """Whether there are further changes now; false on the last page for the time being."""
    next: str
    """Path of the request that reads on after this page. There always is one: it also finds what is written later."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ChangePage(Following):
    """One page of changes, the earliest first."""

    items: list[ChangeRecord]
    """The changes of this page, in the order in which they were committed."""


class AuditPage(Following):
    """One page of changes, the earliest first, with who made them."""

    items: list[AuditRecord]
    """The changes of this page, in the order in which they were committed."""


class HistoryQuery(BaseModel):
    """The query of a record's history."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Annotated[
        Sequence,
        Field(
            description="Only changes whose `seq` is higher: `last` of the page before, or 0 to begin with the first."
        ),
    ] = 0
    limit: Annotated[
        Limit, Field(description="Largest number of changes on one page, 1 to 1000; 100 if it is not given.")
    ] = 100


class FeedQuery(HistoryQuery):
    """The query of a service's changes, with the time to wait for one."""

    wait: Annotated[
        Seconds,
        Field(
            description="Where there is no further change yet: seconds for which the answer waits for one (long"
            " polling), 0 to 15."
        ),
    ] = 0
    entity: Annotated[
        list[str], Field(default_factory=list, max_length=100, description="Only changes of these kinds of record.")
    ]


_MEMBERS = """
    (SELECT coalesce(json_agg(coalesce(b.key, a.key) ORDER BY coalesce(b.key, a.key)), '[]')
       FROM jsonb_each(earlier.form::jsonb) AS b FULL JOIN jsonb_each(later.form::jsonb) AS a ON a.key = b.key
      WHERE a.value IS DISTINCT FROM b.value AND coalesce(b.key, a.key) <> 'updated')::text"""


def _json_of(value: str) -> str:
    return f"coalesce(to_json({value})::text, 'null')"


# The records are most of a page and are JSON already: put together as text, they are neither parsed nor copied again.
_ITEMS = f"""
    string_agg(
        '{{{{"seq":' || seq || ',"revision":' || number || ',"at":' || to_json({AS_MOMENT.format("at")})
        || ',"entity":' || to_json(entity) || ',"key":' || to_json(key) || ',"action":' || to_json(action)
        || ',"organization":' || {_json_of("organization")}
        || ',"reason":' || {_json_of("coalesce(shown.reason, made.reason)")}
        || ',"changed":' || CASE action WHEN 'amend' THEN {_MEMBERS} ELSE '[]' END
        || ',"before":' || coalesce(earlier.form, 'null')
        || ',"after":' || coalesce(later.form, 'null'){{more}} || '}}}}',
        ',' ORDER BY seq)"""
# SQL of the members of a change that auditors see beside the public ones.
AUTHORS = f""" || ',"actor":' || to_json(actor) || ',"request_id":' || {_json_of("request_id")}"""
_PAGE = """
    SELECT items, last_here,
           (SELECT coalesce(max(number), 0) FROM {revision} WHERE {seen}) AS revision,
           coalesce((SELECT true FROM {change} WHERE seq > last_here AND {where} ORDER BY seq LIMIT 1), false) AS more
      FROM (SELECT convert_to({items}, 'UTF8') AS items, max(seq) AS last_here
              FROM (SELECT * FROM {change} WHERE seq > $1 AND {where} ORDER BY seq LIMIT $2) AS shown
             CROSS JOIN LATERAL ({before}) AS earlier
             CROSS JOIN LATERAL ({after}) AS later
              JOIN LATERAL (SELECT * FROM {revision} WHERE number >= seq ORDER BY number LIMIT 1) AS made ON true
           ) AS page"""


def stored_forms(listings: Iterable[Listing]) -> str:
    """SQL of the JSON text of a stored record as these lists give it, over `entity` and `record`.

    Records stay as they were stored, and reads give earlier forms of them in the present one.
    """
    forms = {listing.entity: listing.in_feed or listing.record for listing in listings}
    cases = [f"WHEN '{entity}' THEN {form}" for entity, form in forms.items() if form != "record::text"]
    return f"CASE entity {' '.join(cases)} ELSE record::text END" if cases else "record::text"


def _form_of(column: str, forms: str) -> str:
    """SQL of a column of `shown` in the form that readers get."""
    return f"SELECT CASE WHEN record IS NOT NULL THEN {forms} END AS form FROM (SELECT shown.{column} AS record) AS one"


class ChangeNotifier:
    """Waits for new changes: the database notifies of them, or else is asked by one query for all who wait."""

    def __init__(self, database: Database) -> None:
        self._asked = SharedQuery(database, _newest_change, LOOK_SECONDS)
        self.newest = NewestChange(database)

    async def after(self, seq: int, seconds: int, request: Request) -> bool:
        """Wait until there is a change after `seq`, the seconds are over, or caller or process ends.

        Returns whether it is known that there is none, so that nobody needs to look.
        """
        until = time.monotonic() + seconds
        with self.newest.needed():
            while time.monotonic() < until:
                if request.app.state.is_ending() or await request.is_disconnected():
                    break
                if self.newest.known is None and await self._asked.result() > seq:
                    return False
                if self.newest.known is not None and self.newest.known != seq:
                    return False
                look = LOOK_SECONDS if self.newest.known is None else NOTIFIED_LOOK_SECONDS
                await self.newest.moved(min(look, max(0.0, until - time.monotonic())))
            return self.newest.known == seq


async def _newest_change(connection: Any) -> int:
    return int(await connection.fetchval("SELECT coalesce(max(seq), 0) FROM change"))


async def answer_history(request: Request, listing: Listing, code: str, query: HistoryQuery) -> Response:
    """The changes of one record in order; raises NotFound when there never was such a record."""
    where, values, journal = "entity = ${0} AND key = ${1}", [listing.entity, code], listing.journal
    if journal.reader is not None:
        # Another organization may have had a draft with this code, when organizations chose the codes of drafts.
        where += " AND " + journal.seen("${2}", f"(coalesce(after, before)->>'{journal.member}')")
        values.append(journal.reader)
    async with reading(request.app.state.database, ReadKind.PAGE) as connection:
        statement = f"SELECT EXISTS (SELECT FROM {journal.change} WHERE {where.format(1, 2, 3)})"
        known = await connection.fetchval(statement, *values)
    if not known:
        # A renamed code is redirected, and an unknown one rejected, as for the record itself.
        async with snapshot(request, ReadKind.PAGE, journal=journal) as data:
            found = await fetch_item(data, listing, code)
        if isinstance(found, Response):
            return found
    path = f"{listing.path}/{code}/history"
    forms = stored_forms([listing])
    return await answer_changes(request, path, query, where.format(3, 4, 5), values, forms, journal=journal)


async def answer_changes(
    request: Request,
    path: str,
    query: HistoryQuery,
    where: str,
    values: list[Any],
    forms: str,
    members: str = "",
    *,
    wait: int = 0,
    journal: Journal = PUBLIC_JOURNAL,
) -> Response:
    """One page of changes; raises Conflict where `after` is beyond the last change.

    where, values: SQL condition with parameters from `$3`, and their values
    forms: SQL of the JSON text of a record, as `stored_forms` writes it
    members: SQL of the text of members of each change beside the public ones
    wait: seconds to wait where there is no change yet
    journal: the one whose changes are read
    """
    values = [*values, *journal.values]
    statement = _PAGE.format(
        change=journal.change,
        revision=journal.revision,
        seen=journal.seen(f"${2 + len(values)}"),
        where=where,
        items=with_stored_links(_ITEMS.format(more=members), path),
        before=_form_of("before", forms),
        after=_form_of("after", forms),
    )

    async def look() -> Any:
        async with reading(request.app.state.database, ReadKind.PAGE) as connection:
            return await connection.fetchrow(statement, query.after, query.limit, *values)

    notifier: ChangeNotifier = request.app.state.change_notifier
    # What is known to be the last change has none after it; who waits for the next one needs no query to find that.
    unchanged: Any = {"items": None, "last_here": None, "more": False, "revision": query.after}
    row = unchanged if wait and notifier.newest.known == query.after else await look()
    if wait and row["revision"] == query.after:
        row = unchanged if await notifier.after(query.after, wait, request) else await look()
    if query.after > row["revision"]:
        newest = row["revision"]
        beyond = error_detail(
            ProblemCode.BEYOND_LAST_CHANGE, f"after: {query.after}", parameter="after", allowed=[f"0 to {newest}"]
        )
        raise Conflict(
            f"The last change is {newest}. Who was given {query.after} here has changes that were undone when the"
            " data were restored to an earlier state: begin again with after=0.",
            code=ProblemCode.BEYOND_LAST_CHANGE,
            errors=[beyond],
        )
    # The last change that was searched, not the last that matched, so that none is searched twice.
    last = row["last_here"] if row["more"] else row["revision"]
    rest = canonical(query, without=frozenset({"after"}))
    next_link = f"{link(path)}?after={last}{'&' if rest else ''}{rest}"
    more = "true" if row["more"] else "false"
    following = f'],"last":{last},"more":{more},"next":"{next_link}","revision":{row["revision"]}}}'
    return Response(
        b'{"items":[%b%b' % (row["items"] or b"", following.encode()),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
