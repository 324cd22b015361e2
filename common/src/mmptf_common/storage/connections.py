"""Connections to the database of a service: every one of them is opened here, from the URL of its setting."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import asyncpg

from mmptf_common.process import telemetry
from mmptf_common.process.database_url import SYSTEM, read_database_url
from mmptf_common.process.secret_files import changing_password

# Seconds in which a connection is opened, or one of those that are open becomes free.
CONNECT_SECONDS = 5

# Seconds without a sign from the other side after which a connection is taken for broken, and how often it is asked.
_SILENT_SECONDS, _PROBE_SECONDS, _PROBES = 30, 5, 3
# In milliseconds, as the system and the server count it.
_USER_TIMEOUT = 1000 * (_SILENT_SECONDS + _PROBE_SECONDS * _PROBES)
# Those that a pooler keeps for each of its clients, whichever of its connections to the server a transaction gets.
_OF_CLIENT = {
    "application_name": "mmptf",
    # Timestamps are read from JSON and from cursors as text, so every connection is in UTC.
    "timezone": "UTC",
}
SERVER_SETTINGS = {
    **_OF_CLIENT,
    # Statements of totals are estimated at more than `jit_above_cost`, and take milliseconds: each time they would be
    # compiled for longer than they run.
    "jit": "off",
    # The databases of the suite are in memory, or on disks that read any page as fast as the next one. With the default
    # of 4, tables are read in place of indexes that have all that is asked for, and are a fifth of their size.
    "random_page_cost": "1.1",
    # The server ends the statement of a caller who has left, and a connection whose other side is gone.
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": f"{_SILENT_SECONDS}",
    "tcp_keepalives_interval": f"{_PROBE_SECONDS}",
    "tcp_keepalives_count": f"{_PROBES}",
    **({"tcp_user_timeout": f"{_USER_TIMEOUT}"} if hasattr(socket, "TCP_USER_TIMEOUT") else {}),
}


class Connection(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that breaks where the other side is silent for too long, also while nothing is asked.

    A pool resets it only after `set_until_released`: nothing else in a read leaves a state behind, and a reset is a
    round trip, which costs as much as a short read.
    local_settings: statements with which each transaction begins; none where the session has its settings already
    """

    __slots__ = ("_settings", "local_settings")

    def __init__(self, protocol: Any, transport: asyncio.Transport, *further: Any) -> None:
        super().__init__(protocol, transport, *further)
        self.local_settings = ""
        self._settings = set[str]()
        if telemetry.is_on():
            self.add_query_logger(_trace)
        found = transport.get_extra_info("socket")
        if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
            return
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Where one is missing, the system's own value holds.
        for name, value in {
            "TCP_KEEPIDLE": _SILENT_SECONDS,
            "TCP_KEEPINTVL": _PROBE_SECONDS,
            "TCP_KEEPCNT": _PROBES,
            "TCP_USER_TIMEOUT": _USER_TIMEOUT,
        }.items():
            if hasattr(socket, name):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    async def set_until_released(self, statement: str) -> None:
        """Execute a statement that changes a setting of the session, which holds until the connection is released."""
        if statement not in self._settings:
            self._settings.add(statement)
            await self.execute(statement)

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # as the driver has it
        if self._settings or self.is_in_transaction():
            await super().reset(timeout=timeout)
            self._settings.clear()


def _trace(statement: Any) -> None:
    """Send the span of a statement, as the driver calls it after each."""
    kind = statement.query.split(maxsplit=1)[0][:16]
    telemetry.call_ended("postgresql", kind, statement.elapsed, failed=statement.exception is not None)


class PooledConnection(Connection):
    """A connection to a pooler, which gives it another one to the server for each transaction.

    Nothing is outside a transaction, and nothing of one is left to the session.
    """

    __slots__ = ()

    def get_reset_query(self) -> str:
        # The transaction of a read is rolled back at its end, and with it what it has set. This would change the
        # session of whoever has that connection of the server next.
        return ""


class Connector:
    """Opens connections to the database of a URL.

    The hosts are tried in their order, beginning with the one that was connected last: after a failover, the one that
    is gone does not keep each new connection waiting.
    """

    def __init__(
        self,
        url: str,
        settings: Mapping[str, str],
        *,
        command_timeout: float | None = None,
        is_pooled: bool = False,
        is_replica: bool = False,
    ) -> None:
        """settings: of the server for these connections, beside those that all have

        command_timeout: seconds for a statement after which the driver gives up, where the server does not end it
        is_pooled: whether a pooler is in between, and the server's connection another one in each transaction
        is_replica: whether the URL is of a replica
        """
        read = read_database_url(url, is_replica=is_replica)
        hosts = read.hosts or ((None, None),)
        tls = dict(read.tls)
        context = None
        if tls.get("sslrootcert") == SYSTEM:
            context = ssl.create_default_context()
            if "sslcert" in tls:
                context.load_cert_chain(tls["sslcert"], tls.get("sslkey"), lambda: tls.get("sslpassword", ""))
            tls = {}
        # Of several hosts each has its part of the time in which a request waits for a connection.
        self._seconds = read.connect_seconds or CONNECT_SECONDS / len(hosts)
        self._hosts = list(hosts)
        self._local_settings = ""
        self.connection_class = PooledConnection if is_pooled else Connection
        settings = {**SERVER_SETTINGS, **settings}
        if is_pooled:
            # Those of TCP are of a connection that is the pooler's.
            local = {
                name: value
                for name, value in settings.items()
                if name not in _OF_CLIENT and not name.startswith("tcp_")
            }
            self._local_settings = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in local.items())
            settings = _OF_CLIENT
        self._arguments: dict[str, Any] = {
            "connection_class": self.connection_class,
            "dsn": f"postgresql://?{urlencode(tls)}" if tls else None,
            "ssl": context,
            "user": read.user,
            "password": changing_password(url) or read.password,
            "passfile": read.passfile,
            "database": read.database,
            "target_session_attrs": read.session_attributes,
            "server_settings": {**settings, **read.server_settings},
            "command_timeout": command_timeout,
            # What one transaction has prepared, the next one does not find.
            "statement_cache_size": 0 if is_pooled else 100,
            "max_cached_statement_lifetime": 0,
        }

    async def open(self, _dsn: None = None, **arguments: Any) -> Connection:
        """A new connection, as the driver's pool and SQLAlchemy ask for one.

        Raises what the driver does at the last host that was tried.
        """
        last: Exception | None = None
        for host, port in tuple(self._hosts):
            try:
                connection: Connection = await asyncpg.connect(
                    host=host, port=port, timeout=self._seconds, **{**self._arguments, **arguments}
                )
            except asyncpg.ProtocolViolationError as error:
                if "unsupported startup parameter" not in str(error):
                    raise
                raise asyncpg.ProtocolViolationError(
                    f"{error}: a pooler is in between, so set DATABASE_DIRECT_URL to the address of PostgreSQL itself"
                ) from None
            except (
                OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
                asyncpg.TargetServerAttributeNotMatched,
            ) as error:  # fmt: skip
                # The host that does not answer says more than one that is a replica.
                if last is None or not isinstance(error, asyncpg.TargetServerAttributeNotMatched):
                    last = error
                continue
            connection.local_settings = self._local_settings
            if self._hosts[0] != (host, port):
                self._hosts.sort(key=lambda each: each != (host, port))
            return connection
        assert last
        raise last
