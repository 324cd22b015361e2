"""Aggregates cached in Redis under their revision; without Redis they are computed at each request."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from typing import Any

from redis._parsers import _AsyncRESP2Parser
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mmptf_common.process import telemetry
from mmptf_common.process.failure_log import report
from mmptf_common.process.findings import Finding, State
from mmptf_common.process.settings import ServerSettings
from mmptf_common.process.tasks import end_task
from mmptf_common.storage.redis_clients import Client, open_client
from mmptf_common.wire.pages import CacheState

log = logging.getLogger(__name__)

# Answers of a revision are rarely read again after the next write; a day limits the memory that they take.
LIFETIME_SECONDS = 86_400
# Seconds for one operation, with the connection that it may need; and for a connection that no request waits for.
OPERATION_SECONDS, CONNECT_SECONDS = 0.25, 2.0
# So many failures between two attempts beside the requests, or the first one of all, and Redis is not asked any more
# until such an attempt succeeds.
MOST_FAILURES = 3
# Seconds between these attempts: while Redis is not used, and while it is.
RETRY_SECONDS, WATCH_SECONDS = 2.0, 15.0
# Bytes of the largest value; a larger answer is computed at each request.
MAX_VALUE_BYTES = 4_194_304
MAX_CONNECTIONS = 20


class _Parser(_AsyncRESP2Parser):
    """Reads the answers that this module's commands have, and no others.

    An announced length takes memory before a byte of it has come, so arrays and values beyond the largest are refused.
    """

    async def _readline(self) -> bytes:
        line: bytes = await super()._readline()
        kind, length = line[:1], line[1:]
        if kind == b"$":
            announced = -1 if length == b"-1" else int(length) if length.isdigit() and len(length) < 10 else None
            if announced is None or announced > MAX_VALUE_BYTES + 100:
                raise InvalidResponse(f"a value of {length[:20]!r} bytes is announced")
        elif kind not in (b"+", b"-", b":"):
            raise InvalidResponse(f"{line[:20]!r} is no answer to a command of the cache")
        return line


class Unavailable(Exception):
    """Redis did not do what it was asked for."""


class Cache:
    """Bytes by key. A key contains the revision and the build of the code, so no entry has to be invalidated.

    Each value begins with its length and a hash of the key, the build and the value, so that what another process has
    stored, or a part of a value, is not used.
    """

    def __init__(self, client: Client | None, name: str, build: str) -> None:
        self._client = client
        self._name = name
        self._build = build
        self._failures = 0
        self._has_worked = False
        self._reason: str | None = None
        # How many values were looked for, by what was found: `hit`, `miss`, or `bypass` where Redis was not used.
        self.reads: Counter[str] = Counter(hit=0, miss=0, bypass=0)
        self._stopped = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)

    def state(self) -> CacheState:
        """Whether Redis is used, and why not."""
        if self._client is None:
            return CacheState(state="off", reason=None)
        return CacheState(state="unavailable" if self._reason else "working", reason=self._reason)

    @property
    def database(self) -> int:
        """The number of the database in Redis."""
        return self._client.database if self._client else 0

    @property
    def takes_messages(self) -> bool:
        """Whether `publish` asks Redis: not before Redis has been used, nor while it is not."""
        return self._has_worked and self._reason is None

    async def publish(self, channel: str, message: str) -> None:
        """Publish a message where Redis is used, which is found out by other means: a failure changes nothing."""
        if self._client is None or not self.takes_messages:
            return
        try:
            async with asyncio.timeout(OPERATION_SECONDS), self._slots:
                await self._client.execute("PUBLISH", channel, message)
        except NoPermissionError as error:
            report("messages", "Redis lets this user publish nothing", error, channel=channel)
        except Exception as error:
            log.debug("not published", extra={"cause": repr(error)})

    async def get(self, key: str) -> tuple[bytes | None, str]:
        """The value, None on a miss, and the Cache-Status header (RFC 9211)."""
        value, how = await self._find(key)
        self.reads[how.removeprefix("fwd=uri-").partition(";")[0].removeprefix("fwd=")] += 1
        return value, f"{self._name}; {how}"

    async def _find(self, key: str) -> tuple[bytes | None, str]:
        if self._client is None or self._reason:
            return None, "fwd=bypass; detail=unavailable"
        try:
            stored = await self._get(self._client, key)
        except Unavailable:
            return None, "fwd=bypass; detail=unavailable"
        if stored is None:
            return None, "fwd=uri-miss"
        header, _, value = stored.partition(b"\n")
        if header != self._header(key, value):
            report("values of the cache", "values of the cache are not those that were stored", None)
            return None, "fwd=bypass; detail=invalid"
        return value, "hit"

    async def put(self, key: str, value: bytes) -> bool:
        """Store a value; returns whether it was stored."""
        if self._client is None or self._reason or len(value) > MAX_VALUE_BYTES:
            return False
        try:
            await self._set(self._client, key, value, LIFETIME_SECONDS)
        except Unavailable:
            return False
        return True

    async def watch(self) -> None:
        """Store and read a value of this process from time to time, until cancelled: whether Redis can be used."""
        if self._client is None:
            return
        key, value = f"probe:{secrets.token_hex(8)}", b"1"
        while True:
            try:
                if self._reason:
                    # Their next answers may be those to earlier commands.
                    await self._client.disconnect()
                async with asyncio.timeout(CONNECT_SECONDS), self._slots:
                    await self._client.check()
                await self._set(self._client, key, value, int(2 * WATCH_SECONDS))
                if await self._get(self._client, key) != self._header(key, value) + b"\n" + value:
                    self._fail(InvalidResponse("a value is not the one that was stored"))
                    raise Unavailable
            except Unavailable:
                pass
            except Exception as error:
                self._fail(error)
            else:
                if self._reason:
                    log.info("the cache is used again")
                self._has_worked, self._reason, self._failures = True, None, 0
            if not self._reason:
                self._stopped.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(WATCH_SECONDS):
                        await self._stopped.wait()
            if self._reason:
                await asyncio.sleep(RETRY_SECONDS)

    def _header(self, key: str, value: bytes) -> bytes:
        digest = blake2b(f"{self._name}\n{key}\n{self._build}\n{len(value)}\n".encode(), digest_size=16)
        digest.update(value)
        return f"{len(value)} {digest.hexdigest()}".encode()

    async def _get(self, client: Client, key: str) -> bytes | None:
        found = await self._answer(client, "GET", f"{self._name}:{key}")
        if found is not None and not isinstance(found, bytes):
            self._fail(InvalidResponse(f"the answer to GET is of the type {type(found).__name__}"))
            raise Unavailable
        return found

    async def _set(self, client: Client, key: str, value: bytes, seconds: int) -> None:
        stored = self._header(key, value) + b"\n" + value
        if await self._answer(client, "SET", f"{self._name}:{key}", stored, "EX", seconds) is not True:
            self._fail(InvalidResponse("the answer to SET is not OK"))
            raise Unavailable

    async def _answer(self, client: Client, *command: str | bytes | int, limit: float = OPERATION_SECONDS) -> Any:
        began = time.monotonic()
        failed = True
        try:
            async with asyncio.timeout(limit), self._slots:
                found = await client.execute(*command)
                failed = False
                return found
        # What is no Redis can send anything, and the client raises other errors than its own for some of it.
        except Exception as error:
            self._fail(error)
            raise Unavailable from error
        finally:
            telemetry.call_ended("redis", str(command[0]), time.monotonic() - began, failed=failed)

    def _fail(self, error: Exception) -> None:
        """Count a failure; from some on Redis is not asked, which is logged once."""
        self._failures += 1
        was_used = self._reason is None
        if was_used and self._has_worked and self._failures < MOST_FAILURES:
            return
        self._reason = reason_of(error)
        self._stopped.set()
        if was_used:
            log.warning("the cache is not used", extra={"reason": self._reason, "cause": repr(error)})


def reason_of(error: BaseException) -> str:
    """Why Redis cannot be used, for people, without the addresses that the error may contain."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for kinds, reason in _REASONS:
        if any(isinstance(each, kinds) for each in chain):
            return reason
    return "What Redis answers is not what was asked for: it is another server, or the address is wrong."


_REASONS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((AuthenticationError, AuthorizationError, NoPermissionError), "Redis refuses the name or the password."),
    ((ssl.SSLError, FileNotFoundError), "The certificate of Redis is not one that is trusted, or TLS fails."),
    ((OutOfMemoryError,), "Redis is full and evicts nothing."),
    ((ReadOnlyError,), "Redis takes no writes, as a replica does."),
    (
        (InvalidResponse,),
        "What Redis answers is not what was asked for: it is another server, or the address is wrong.",
    ),
    ((TimeoutError, RedisTimeoutError), f"Redis does not answer within {OPERATION_SECONDS:g} s."),
    ((RedisConnectionError, OSError), "Redis cannot be reached, or broke the connection."),
)


async def of_redis(settings: ServerSettings) -> list[Finding]:
    """Whether Redis stores a value and returns it; a process serves without it, too."""
    if settings.redis_url is None:
        return [Finding(State.WARNING, "redis", "none: aggregates are computed at each request, limits counted alone")]
    async with open_cache(settings.redis_url.get_secret_value(), "check", "check") as cache:
        # There is no event for the first attempt, which ends by itself.
        while not cache.takes_messages and cache.state().reason is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if why := cache.state().reason:
            return [Finding(State.WARNING, "redis", why)]
    return [Finding(State.OK, "redis", "stores and returns a value")]


@asynccontextmanager
async def open_cache(url: str | None, name: str, build: str) -> AsyncIterator[Cache]:
    """The cache of one service. It connects by itself, and Redis may stop and restart while the service runs."""
    if url is None:
        yield Cache(None, name, build)
        return
    async with open_client(url, seconds=CONNECT_SECONDS, parser=_Parser) as client:
        cache = Cache(client, name, build)
        watching = asyncio.create_task(cache.watch())
        try:
            yield cache
        finally:
            await end_task(watching)
