"""What a service says of its copies of other services' records: how complete they are, and how old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.replication import ReplicatedCopy, copy_state
from mmptf_common.http.cache_groups import leave_out
from mmptf_common.http.snapshot import snapshot
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_common.wire.base import ResponseModel


class ReplicatedCopies(ResponseModel):
    """The state of each copy of another service's records."""

    copies: list[ReplicatedCopy]
    """One for each service whose records are copied here."""


def age_headers(ages: Mapping[str, str]) -> dict[str, Any]:
    """The headers of the ages of copies, for the contract; ages: service -> header."""
    return {
        header: {
            "description": f"Seconds since the copy of {service} last had no further changes; `unknown` before the"
            " first.",
            "required": True,
            "schema": {"type": "string", "pattern": "^([0-9]+|unknown)$"},
        }
        for service, header in ages.items()
    }


async def with_ages(request: Request, answer: Response, ages: Mapping[str, str]) -> Response:
    """The response with the headers of the ages of the copies that it is computed from; ages: service -> header."""
    leave_out(request)
    async with reading(request.app.state.database, ReadKind.COMPUTED) as connection:
        for service, header in ages.items():
            state = await copy_state(connection, service)
            answer.headers[header] = "unknown" if state.age_seconds is None else str(state.age_seconds)
    return answer


async def answer_copies(request: Request, services: Iterable[str]) -> Response:
    """The state of the copies of these services' records."""
    async with snapshot(request, ReadKind.PAGE) as data:
        copies = [await copy_state(data.connection, service) for service in services]
    return Response(
        ReplicatedCopies(copies=copies).model_dump_json(),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
