"""The status of the suite, made of the services' own, which are requested at once."""

from __future__ import annotations

import asyncio
import time

from pydantic import BaseModel, ValidationError

from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.pages import CacheState, CopyInStatus, DatabaseRole, RecordCounts, ReplicaState
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ProblemError
from mmptf_common.wire.sources import Publication
from mmptf_gateway.upstreams import Asking, ServiceAnswer, Upstream

LIMIT_SECONDS = 2.0
# Load balancers wait for two seconds or longer.
READY_SECONDS = 1.5


class ReportedStatus(BaseModel):
    """What the gateway reads of a service's own status."""

    version: str
    # A service that is not upgraded yet does not have it.
    build: str | None = None
    revision: int
    changed: str | None
    counts: dict[str, int]
    vintage: list[Publication]
    cache: CacheState | None = None
    replica: ReplicaState | None = None
    database: DatabaseRole | None = None
    copies: list[CopyInStatus] | None = None


class ServiceInSuite(ResponseModel):
    """The status of one service, as the gateway finds it now."""

    service: str
    """Name of the service, with which its paths begin, such as `catalog`."""
    reachable: bool
    """Whether the service answered in 2 seconds, be it with an error."""
    milliseconds: float
    """Milliseconds until it answered, or until the gateway stopped waiting."""
    error: str | None
    """Why its data cannot be read now: an error code, a colon, and the reason for people; null where they can."""
    breaker_open_since: str | None
    """Since when the gateway sends the service one request in two seconds only and answers the others 503, because
    several in a row were not answered, in UTC; null where it sends them all. The answer that is shown here ends it.
    """
    version: str | None
    """Version of the software of the service, such as `0.1.0`; null where `error` says why."""
    build: str | None
    """Fingerprint of the code of the service; null where `error` says why, or where an old version has none."""
    revision: int | None
    """Number of the last write of the service; null where `error` says why."""
    changed: str | None
    """When its last write was made, in UTC; null where `error` says why, or nothing was written yet."""
    counts: RecordCounts | None
    """Number of its records of each kind; null where `error` says why."""
    vintage: list[Publication] | None
    """The documents that its facts were taken from; null where `error` says why."""
    cache: CacheState | None
    """Whether it stores aggregates in Redis; null where `error` says why, or where an old version does not state it."""
    replica: ReplicaState | None
    """Whether it reads from a replica of its database; null where `error` says why, or where an old version does not
    state it.
    """
    database: DatabaseRole | None
    """Whether its database takes writes; null where `error` says why, or where an old version does not state it."""
    copies: list[CopyInStatus] | None
    """The services whose records it copies; null where `error` says why, or where an old version does not state it."""


class SuiteStatus(ResponseModel):
    """Which services of the suite can be read now."""

    version: str
    """Version of the gateway's software, such as `0.1.0`."""
    build: str
    """Fingerprint of the gateway's code; it changes with every change of it."""
    complete: bool
    """Whether the data of every service can be read now."""
    missing: list[str]
    """Names of the services whose data cannot be read now; empty where `complete` is true."""
    services: list[ServiceInSuite]
    """One entry for each service, also for those that do not answer."""


async def unreachable(asking: Asking) -> dict[str, str]:
    """Name -> reason of every service that does not answer within READY_SECONDS, be it with an error."""
    reasons = await asyncio.gather(*(_why_unreachable(name, asking) for name in asking.upstreams))
    return {name: reason for name, reason in zip(asking.upstreams, reasons, strict=True) if reason is not None}


async def _why_unreachable(name: str, asking: Asking) -> str | None:
    try:
        await asking.check(name, "/health/live", seconds=READY_SECONDS)
    except ProblemError as problem:
        return problem.detail
    return None


async def suite_status(asking: Asking, version: str, build: str) -> SuiteStatus:
    """The status of every service, in the order of the settings, within LIMIT_SECONDS."""
    found = await asyncio.gather(*(_ask(upstream, asking) for upstream in asking.upstreams.values()))
    missing = [status.service for status in found if status.error is not None]
    return SuiteStatus(version=version, build=build, complete=not missing, missing=missing, services=found)


async def _ask(upstream: Upstream, asking: Asking) -> ServiceInSuite:
    name = upstream.name
    began = time.perf_counter()
    open_since = upstream.open_since
    reported: ReportedStatus | None = None
    reachable = False
    error: str | None = None
    try:
        answer = await asking.check(name, f"/{name}/v1/status", seconds=LIMIT_SECONDS)
        reachable = True
        if answer.is_success:
            reported = ReportedStatus.model_validate_json(answer.content)
        else:
            error = _reason(answer)
    except ProblemError as problem:
        error = f"{problem.code}: {problem.detail}"
    except ValidationError:
        error = f"{ProblemCode.INVALID_ANSWER}: The service {name!r} answers, but not with a status."
    return ServiceInSuite(
        service=name,
        reachable=reachable,
        milliseconds=round((time.perf_counter() - began) * 1000, 1),
        error=error,
        breaker_open_since=open_since.isoformat().replace("+00:00", "Z") if open_since else None,
        version=reported and reported.version,
        build=reported and reported.build,
        revision=reported.revision if reported else None,
        changed=reported and reported.changed,
        counts=reported.counts if reported else None,
        vintage=reported.vintage if reported else None,
        cache=reported.cache if reported else None,
        replica=reported.replica if reported else None,
        database=reported.database if reported else None,
        copies=reported.copies if reported else None,
    )


def _reason(answer: ServiceAnswer) -> str:
    """The code and the detail of a problem document, or the status where the answer is none."""
    try:
        problem = answer.json()
        return f"{problem['code']}: {problem['detail']}"
    except (ValueError, LookupError, TypeError):
        return f"{ProblemCode.INVALID_ANSWER}: The service answered {answer.status} {answer.reason}."
