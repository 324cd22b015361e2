"""Clients of a Redis or a Valkey, from the URL: of one server, of the master that Sentinels name, or of a cluster."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import (
    Connection,
    ConnectionPool,
    Redis,
    RedisCluster,
    Sentinel,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from mmptf_common.process.redis_url import RedisUrl, read_redis_url
from mmptf_common.process.secret_files import changing_text

# Seconds in which one Sentinel says which server is the master; then the next one is asked.
SENTINEL_SECONDS = 0.5


class Client:
    """What the suite asks of a Redis.

    database: its number; 0 of a cluster
    """

    def __init__(self, redis: Redis | RedisCluster, database: int) -> None:
        self.redis = redis
        self.database = database

    async def execute(self, *command: str | bytes | int) -> Any:
        return await self.redis.execute_command(*command)

    async def check(self) -> None:
        """Connect where there is no connection, and raise what the client does where nothing answers."""
        if isinstance(self.redis, RedisCluster):
            # A replica of it may be gone, and is not needed.
            await self.redis.initialize()
        else:
            await self.execute("PING")

    async def disconnect(self) -> None:
        """Close the connections; the next command opens others."""
        if isinstance(self.redis, RedisCluster):
            await self.redis.aclose()
        else:
            await self.redis.connection_pool.disconnect()


class _Credentials(CredentialProvider):
    """Name and password of each new connection: those of the URL that its file has then, or had last."""

    def __init__(self, read: RedisUrl, now: Callable[[], str], *, of_sentinels: bool) -> None:
        self._read, self._now, self._of_sentinels = read, now, of_sentinels

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        with suppress(ValueError):
            self._read = read_redis_url(self._now())
        username, password = _names(self._read, of_sentinels=self._of_sentinels)
        return (username, password or "") if username else (password or "",)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


@asynccontextmanager
async def open_client(url: str, *, seconds: float, parser: Any = None) -> AsyncIterator[Client]:
    """A client that connects when it is first used.

    seconds: for a connection, and for an answer
    parser: the class that reads answers, in place of the client's own, which a cluster always has
    """
    read = read_redis_url(url)
    if read.kind == "cluster":
        # A node that has taken the place of another one is learnt of by the first failure.
        options = {**_options(url, read, seconds), "retry": Retry(NoBackoff(), 1), **_tls(read)}
        cluster = RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in read.hosts], **options)
        try:
            yield Client(cluster, 0)
        finally:
            await cluster.aclose()
        return
    async with _pool(url, read, seconds, parser) as pool:
        yield Client(Redis(connection_pool=pool), read.database)


@asynccontextmanager
async def open_connection(url: str, *, seconds: float, parser: Any) -> AsyncIterator[Connection]:
    """A connection to the server, to the master, or to any node of the cluster, for messages.

    A message that is published at one node of a cluster is sent to all. Raises what the client does where none is to be
    had.
    """
    read = read_redis_url(url)
    if read.kind == "cluster":
        kind = Connection if read.tls is None else SSLConnection
        # At the next attempt another one.
        host, port = random.choice(read.hosts)  # noqa: S311  # nothing is secret in it
        options: dict[str, Any] = {**_options(url, read, seconds), **(read.tls or {})}
        connection: Any = kind(host=host, port=port, parser_class=parser, **options)
        async with _connected(connection):
            yield connection
        return
    async with _pool(url, read, seconds, parser) as pool:
        connection = pool.make_connection()  # type: ignore[no-untyped-call]
        async with _connected(connection):
            yield connection


@asynccontextmanager
async def _connected(connection: Any) -> AsyncIterator[None]:
    try:
        await connection.connect()
        yield
    finally:
        # With TLS the other side is waited for, by the client for as many seconds as for a connection.
        with suppress(Exception):
            await connection.disconnect()


@asynccontextmanager
async def _pool(url: str, read: RedisUrl, seconds: float, parser: Any) -> AsyncIterator[ConnectionPool]:
    options = {**_options(url, read, seconds), "db": read.database}
    if parser:
        options["parser_class"] = parser
    if read.kind == "sentinel":
        assert read.service
        own = {**_options(url, read, SENTINEL_SECONDS, of_sentinels=True), **_tls(read)}
        sentinel = Sentinel(read.hosts, sentinel_kwargs=own)  # type: ignore[no-untyped-call]
        try:
            pool = sentinel.master_for(read.service, **options, **_tls(read)).connection_pool
            try:
                yield pool
            finally:
                await pool.disconnect()
        finally:
            await sentinel.aclose()
        return
    if read.socket:
        options |= {"connection_class": UnixDomainSocketConnection, "path": read.socket}
    else:
        (host, port), *_ = read.hosts
        kind = Connection if read.tls is None else SSLConnection
        options |= {"connection_class": kind, "host": host, "port": port, **(read.tls or {})}
    pool = ConnectionPool(**options)
    try:
        yield pool
    finally:
        await pool.disconnect()


def _tls(read: RedisUrl) -> dict[str, Any]:
    return {} if read.tls is None else {"ssl": True, **read.tls}


def _names(read: RedisUrl, *, of_sentinels: bool) -> tuple[str | None, str | None]:
    """Name and password at the servers, or at the Sentinels."""
    return (read.sentinel.get("username"), read.sentinel.get("password")) if of_sentinels else (
        read.username, read.password
    )  # fmt: skip


def _options(url: str, read: RedisUrl, seconds: float, *, of_sentinels: bool = False) -> dict[str, Any]:
    username, password = _names(read, of_sentinels=of_sentinels)
    credentials: dict[str, Any] = {"username": username, "password": password}
    if password and (now := changing_text(url)):
        credentials = {"credential_provider": _Credentials(read, now, of_sentinels=of_sentinels)}
    return {
        **credentials,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
