"""The app of a service: its lifespan, and the routes of health, status, contract and changes of every service."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastapi import APIRouter, FastAPI
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.middleware import Middleware
from starlette.responses import Response

from mmptf_common.feed.changes import ChangeNotifier
from mmptf_common.http import conditional, openapi, problem_kinds, versions
from mmptf_common.http.app import create_app
from mmptf_common.http.cache_groups import CacheGroupsMiddleware, leave_out
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import NO_PARAMETERS
from mmptf_common.http.paths import operations
from mmptf_common.http.rate_limits import RateLimitMiddleware, rate_limits_of
from mmptf_common.http.snapshot import Computing
from mmptf_common.lists import publications
from mmptf_common.lists.export_places import ExportPlaces
from mmptf_common.lists.exports import ExportMemory
from mmptf_common.lists.listing import Listing, number_of
from mmptf_common.process.failure_log import report
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.routers.changes import TAG as CHANGES
from mmptf_common.routers.changes import add_feed
from mmptf_common.routers.lists import add_listing
from mmptf_common.storage.announcements import announcing
from mmptf_common.storage.as_of import AsOfTables, SettledMoments
from mmptf_common.storage.cache import open_cache
from mmptf_common.storage.engines import Database, ReadKind, export_places, open_database, reading
from mmptf_common.storage.journal import PUBLIC_JOURNAL, REVISION, Author
from mmptf_common.storage.metrics import COPIES, READ_ONLY, figures_of
from mmptf_common.storage.privileges import warn_of_owner
from mmptf_common.storage.records import moment_text
from mmptf_common.storage.replica import Replica, reading_from_replica
from mmptf_common.storage.rollups import smallest_rollup
from mmptf_common.storage.schema_version import require_schema, warn_of_pooler
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.links import link
from mmptf_common.wire.pages import (
    IS_DRAINING,
    CacheState,
    CopyInStatus,
    DatabaseRole,
    Health,
    RecordCounts,
    ReplicaState,
)
from mmptf_common.wire.problems import ProblemError
from mmptf_common.wire.sources import Publication
from mmptf_common.wire.stored_records import read_record

if TYPE_CHECKING:
    from mmptf_common.feed.replication import Replication

MAX_BODY = 1_048_576
# Seconds in which the database has to answer for a process to be ready.
READY_SECONDS = 2
DOCUMENTS = openapi.Tag(
    "Documents",
    "The documents that facts were taken from, under the codes by which `sources` of records name them.",
    supporting=True,
)
Settings = TypeVar("Settings", bound=ServiceSettings)


def _replicates_nothing(settings: ServiceSettings) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Service(Generic[Settings]):
    """The declaration of one service: its names, tables, routes and settings.

    settings: the class of its settings, with the addresses of the services that it calls or replicates
    routers: of its features, one each; the one whose lists are read most comes first, since routes are tried in order
    tags: the groups of their operations, in the order in which the contract shows them
    publication: the code of a packaged publication, the example in the contract of the list of publications
    counts: name -> table whose rows the service's status counts
    seed: loads the packaged data, returns the revision
    body_limits: path -> most bytes of a body, where it is not MAX_BODY
    private: the entities whose changes only auditors may read; drafts have a journal of their own
    listings: the lists that give records in another form than the stored one, as the change feed does then
    replicates: the replications of other services, each with the address of its source, or None where none is set
    """

    name: str
    title: str
    description: str
    package: str
    settings: type[Settings]
    metadata: MetaData
    routers: Sequence[APIRouter]
    tags: Sequence[openapi.Tag]
    publication: str
    seed: Callable[[AsyncSession, Author], Awaitable[int]]
    counts: Mapping[str, str]
    body_limits: Mapping[str, int] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    listings: Sequence[Listing] = ()
    replicates: Callable[[Settings], Iterable[tuple[Replication, str | None]]] = _replicates_nothing


class ServiceStatus(ResponseModel):
    """Which version of a service answers, how many records it has, and how old its data and their sources are."""

    service: str
    """Name of the service, with which its paths begin."""
    version: str
    """Version of the software that answers, such as `0.1.0`."""
    build: str
    """Fingerprint of the code that answers, such as `0123456789ab`; it changes with every change of the code, and with
    it every `ETag`.
    """
    revision: int
    """Number of the last write of the service; it only grows, and `as_of` takes it to read the same data again."""
    changed: str | None
    """When the last write was made, in UTC; null where nothing was written yet."""
    counts: RecordCounts
    """Number of records of each kind."""
    vintage: list[Publication]
    """The documents that the facts were taken from: their years say how old the facts are."""
    cache: CacheState
    """Whether the process that answers stores aggregates in Redis."""
    replica: ReplicaState
    """Whether the process that answers reads from a replica of its database."""
    database: DatabaseRole
    """Whether the database of the service takes writes."""
    copies: list[CopyInStatus]
    """The services whose records are copied, each with the age of the copy; empty where none are."""


class ServiceIndex(ResponseModel):
    """Where to begin with a service: its name, and the paths that can be read at once."""

    service: str
    """Name of the service, with which its paths begin."""
    title: str
    """Title of the service, for people."""
    version: str
    """Version of the software that answers, such as `0.1.0`."""
    links: dict[str, str]
    """Paths that need no code of a record, by what is there, such as `programmes/facets`."""


def create_service(service: Service[Settings], settings: Settings) -> FastAPI:
    """The app of one service.

    It opens connections when it starts, and does not start unless the database is its own and has a schema that this
    code may serve with.
    """
    limits = rate_limits_of(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.database = await stack.enter_async_context(open_database(settings))
            async with app.state.database.engine.connect() as connection:
                await require_schema(connection, service.package)
                await warn_of_owner(connection)
                if not settings.is_pooled:
                    await warn_of_pooler(connection)
            await stack.enter_async_context(reading_from_replica(app.state.database, settings, service.metadata))
            redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
            app.state.cache = await stack.enter_async_context(
                open_cache(redis_url, f"mmptf-{service.name}", app.state.build)
            )
            app.state.announcer = await stack.enter_async_context(
                announcing(app.state.database, app.state.cache, service.name, app.state.build)
            )
            if limits:
                await stack.enter_async_context(limits.shared(redis_url))
            app.state.verifier = None
            if settings.identity_issuer:
                # Its libraries take 20 MB, which a process that accepts no tokens does not need.
                from mmptf_common.http.tokens import open_verifier

                app.state.verifier = await stack.enter_async_context(open_verifier(settings))
            app.state.computing = Computing()
            app.state.known_codes = {}
            app.state.change_notifier = ChangeNotifier(app.state.database)
            stack.push_async_callback(app.state.change_notifier.newest.close)
            app.state.settled_moments = SettledMoments(app.state.database)
            app.state.export_memory = ExportMemory()
            app.state.export_places = ExportPlaces(export_places(settings.database_pool))
            app.state.as_of_tables = AsOfTables(service.metadata)
            for replication, address in service.replicates(settings):
                if address:
                    # Its client takes 14 MB, which a service that copies no records does not need.
                    from mmptf_common.feed.replication import replicating

                    await stack.enter_async_context(replicating(replication, address, app.state.database))
            app.state.exposition.ask(lambda: figures_of(app.state.database, app.state.cache, service.metadata))
            # Objects made at start-up exist until the process ends; leaving them out of collections shortens pauses.
            gc.collect()
            gc.freeze()
            yield

    app = create_app(
        service.title,
        service.description,
        f"mmptf-{service.name}",
        tags=(*service.tags, DOCUMENTS, CHANGES, openapi.STATUS),
        lifespan=lifespan,
        base_path=settings.base_path,
        segments=(service.name, "health", "openapi.json", "version"),
        max_body=MAX_BODY,
        body_limits=service.body_limits,
        inside=[
            *(
                [Middleware(RateLimitMiddleware, limits=limits, addresses=settings.rate_limit_addresses)]
                if limits
                else []
            ),
            Middleware(CacheGroupsMiddleware, service=service.name),
        ],
    )
    app.state.settings = settings
    app.state.contract = openapi.WrittenContract(app)
    app.state.rate_limits = limits
    app.state.is_ending = lambda: False
    documents, listed_documents = openapi.Router(), publications.publications_of(service.name)
    add_listing(
        documents,
        listed_documents,
        noun=f"{service.name} document",
        tag=DOCUMENTS,
        about=publications.ABOUT,
        example=service.publication,
    )
    for router in (*service.routers, documents):
        app.include_router(router, prefix=f"/{service.name}/v1")
    app.include_router(_own_routes(service))
    entities = {
        table.info["entity"]
        for table in service.metadata.tables.values()
        if table.info.get("journal") is PUBLIC_JOURNAL
    }
    feed = openapi.Router()
    public = entities - service.private
    add_feed(feed, service.name, public=public, private=service.private, listings=(*service.listings, listed_documents))
    app.include_router(feed)
    app.include_router(problem_kinds.router)
    app.include_router(versions.router)
    openapi.install(app, service.package)
    return app


def _own_routes(service: Service[Any]) -> APIRouter:
    router = openapi.Router(dependencies=[NO_PARAMETERS])
    status_path = f"/{service.name}/v1/status"
    plain = openapi.plain()

    def name(what: str) -> str:
        return openapi.operation_id(f"get {service.name} {what}")

    @router.get(
        "/health/live",
        name=name("liveness"),
        tags=[openapi.STATUS.name],
        response_model=Health,
        summary=f"Check that the {service.name} service runs",
        **plain,
    )
    async def live(request: PublicRequest) -> Response:
        """For an orchestrator: 200 while the process runs. The database is not checked, so that its loss does not
        restart the process.
        """
        return _health(True, None)

    @router.get(
        "/health/ready",
        name=name("readiness"),
        summary=f"Check that the {service.name} service can answer",
        tags=[openapi.STATUS.name],
        response_model=Health,
        responses={
            **plain["responses"],
            503: {
                "description": "The service cannot answer now; `reason` says what is missing.",
                "model": Health,
                "headers": openapi.header_references("Cache-Control"),
            },
        },
    )
    async def ready(request: PublicRequest) -> Response:
        """For a load balancer: 200 while the database answers within two seconds, else 503 with the reason, and 503
        from the moment at which the process begins to end. Where the database takes no writes, `reason` says so, and
        reads go on. The cache is not checked, since answers are only slower without it.
        """
        if request.app.state.is_draining():
            return _health(False, IS_DRAINING)
        question = asyncio.create_task(_ask(request.app.state.database))
        # What a server that does not answer leaves behind takes longer to clean up than a probe waits.
        answered, _ = await asyncio.wait({question}, timeout=READY_SECONDS)
        if not answered:
            question.cancel()
            return _health(False, f"The database of this service does not answer within {READY_SECONDS} s.")
        return _health(*question.result())

    @router.get(
        status_path,
        name=name("status"),
        tags=[openapi.STATUS.name],
        response_model=ServiceStatus,
        **openapi.read(),
        summary=f"Get the status of the {service.name} service",
    )
    async def status(request: PublicReadRequest) -> Response:
        """Version and build of the software, number and time of the last write, number of records, the documents that
        facts were taken from, whether the cache and a replica of the database are used, whether the database takes
        writes, and how old copies are.
        """
        counts = ", ".join(
            f"(SELECT {number_of(rollup)} FROM {rollup.table if rollup else table}) AS {name}"
            for name, table in service.counts.items()
            for rollup in [smallest_rollup(service.metadata, table)]
        )
        copies = COPIES if "replication" in service.metadata.tables else "'{}'"
        async with reading(request.app.state.database, ReadKind.PAGE) as connection:
            row = await connection.fetchrow(
                f"""
                SELECT {REVISION} AS revision,
                       {READ_ONLY} AS read_only,
                       {copies} AS copies,
                       (SELECT max(at) FROM revision) AS changed,
                       (SELECT coalesce(json_agg(record ORDER BY code), '[]') FROM {publications.TABLE}) AS vintage,
                       {counts}"""
            )
        cache: CacheState = request.app.state.cache.state()
        replica: Replica | None = request.app.state.database.replica
        reads = replica.state() if replica else ReplicaState(state="off", reason=None, behind=None)
        # What changes without a write is part of what the tag stands for.
        leave_out(request)
        state = f"{cache.model_dump_json()}\n{reads.model_dump_json()}\n{row['read_only']}\n{row['copies']}"
        tag = conditional.etag(request, row["revision"], state)
        if conditional.matches(request, tag):
            return conditional.not_modified(tag)
        answer = ServiceStatus(
            service=service.name,
            version=request.app.version,
            build=request.app.state.build,
            revision=conditional.number_of(row["revision"]),
            changed=moment_text(row["changed"]) if row["changed"] else None,
            counts={name: row[name] for name in service.counts},
            vintage=[read_record(Publication, document) for document in json.loads(row["vintage"])],
            cache=cache,
            replica=reads,
            database="read_only" if row["read_only"] else "primary",
            copies=[
                CopyInStatus(service=replication.service, caught_up=json.loads(row["copies"]).get(replication.service))
                for replication, address in service.replicates(request.app.state.settings)
                if address
            ],
        )
        return Response(answer.model_dump_json(), media_type="application/json", headers=conditional.headers(tag))

    @router.get(
        f"/{service.name}/v1",
        name=name("index"),
        tags=[openapi.STATUS.name],
        response_model=ServiceIndex,
        **plain,
        summary=f"Get the paths of the {service.name} service",
    )
    async def index(request: PublicRequest) -> Response:
        """Where to begin: the paths of the lists, totals and other answers that need no code of a record."""
        base = f"/{service.name}/v1"
        found = [o.path for o in operations(request.app) if o.method == "GET" and "{" not in o.path]
        answer = ServiceIndex(
            service=service.name,
            title=request.app.title,
            version=request.app.version,
            links={path.removeprefix(f"{base}/"): link(path) for path in found if path.startswith(f"{base}/")},
        )
        return Response(answer.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})

    @router.get("/openapi.json", tags=["contract"], include_in_schema=False)
    async def contract(request: PublicRequest) -> Response:
        """This service's own contract; it changes with the build only."""
        tag = conditional.etag(request, "0", "")
        if conditional.matches(request, tag):
            return conditional.not_modified(tag)
        written: openapi.WrittenContract = request.app.state.contract
        return Response(await written.text(), media_type="application/json", headers=conditional.headers(tag))

    return router


async def _ask(database: Database) -> tuple[bool, str | None]:
    """Whether the database answers, and what it cannot do now."""
    try:
        async with reading(database, ReadKind.PROBE) as connection:
            read_only = await connection.fetchval(f"SELECT {READ_ONLY}")
    except ProblemError as problem:
        return False, problem.detail
    return True, "The database of this service takes no writes." if read_only else None


def _health(ready: bool, reason: str | None) -> Response:
    if not ready:
        report(("not ready", reason), "not ready", None, status=503, reason=reason)
    return Response(
        Health(ready=ready, reason=reason).model_dump_json(),
        status_code=200 if ready else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
