"""Servers of PostgreSQL as operators have them: with TLS alone, with a streaming replica, behind a PgBouncer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.storage import migrations
from mmptf_common.storage.privileges import role_of
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.processes import Child, free_port, listening_error, wait_until
from mmptf_local.state import temporary_state, unprivileged_uid
from tests.certificates import Authority
from tests.conftest import asyncio_run, execute, service_of
from tests.drills.servers import PASSWORD, Cluster, set_one_password

SERVICE = "catalog"


def programs_with_tls() -> Path | None:
    """The programs of a PostgreSQL of the system, which has TLS; None where there is none of 15 or newer."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if int(path.parent.name) >= 15]
    return max(found, key=lambda path: int(path.parent.name), default=None)


@dataclass(frozen=True)
class TlsServer:
    """A server that takes connections with TLS alone, whose certificate is for `localhost` and not for 127.0.0.1.

    client: the certificate, and the key, without which a connection is refused, too
    """

    server: Postgres
    authority: Authority
    client: tuple[Path, Path]

    def url(self, host: str = "localhost", *, of_owner: bool = False, **parameters: object) -> str:
        """The URL with these parameters, of the role that serves, or of the owner of the tables."""
        url = self.server.url(SERVICE) if of_owner else self.server.serving_url(SERVICE)
        stated = {"sslcert": self.client[0], "sslkey": self.client[1], **parameters}
        query = "&".join(f"{name}={value}" for name, value in stated.items() if value)
        return f"{url.replace('127.0.0.1', host)}?{query}"


@contextmanager
def tls_server(programs: Path) -> Iterator[TlsServer]:
    with (
        temporary_state() as state,
        running_postgres(state, bin_dir=programs, databases=[SERVICE]) as server,
    ):
        data = state / "postgres" / "data"
        authority = Authority(state)
        certificate, key = authority.certificate("server", "localhost", uid=unprivileged_uid())
        rules = "hostssl all all all scram-sha-256 clientcert=verify-ca\n"
        statements = [
            f"ALTER SYSTEM SET {name} = '{value}'"
            for name, value in {
                "ssl_cert_file": certificate, "ssl_key_file": key, "ssl_ca_file": authority.file, "ssl": "on",
            }.items()
        ]  # fmt: skip
        # The file is the server's own, and keeps its owner.
        (data / "pg_hba.conf").write_text(rules, "utf-8")
        asyncio_run(execute(server.admin_url(), *statements, "SELECT pg_reload_conf()"))
        yield TlsServer(server, authority, authority.certificate("client"))


@dataclass
class Pair:
    """A primary server and its streaming replica, with the migrated and filled database of a service."""

    primary: Cluster
    replica: Cluster

    def url(self, *servers: Cluster, of_owner: bool = False, query: str = "") -> str:
        """The URL of these servers, in their order."""
        role = SERVICE if of_owner else f"{SERVICE}_serve"
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        return f"postgresql://{role}:{PASSWORD}@{hosts}/{SERVICE}{query}"


@contextmanager
def replicated_pair() -> Iterator[Pair]:
    """A pair whose writes wait until the replica has them, though not until it shows them."""
    with temporary_state() as state:
        with running_postgres(state, databases=[SERVICE], durable=False) as server:
            definition, url = service_of(SERVICE), server.serving_url(SERVICE)
            asyncio_run(migrations.migrate(server.url(SERVICE), definition.package, serving_role=role_of(url)))
            asyncio_run(cli.seed(definition, definition.settings(database_url=SecretStr(url))))
            programs = Path(os.readlink(f"/proc/{server.child.process.pid}/exe")).parent
            asyncio_run(set_one_password(server.admin_url(), [SERVICE]))
        # Its program makes the replica's data itself.
        folder = state / "replica"
        folder.mkdir()
        if (uid := unprivileged_uid()) is not None:
            os.chown(folder, uid, uid)
        primary = Cluster(programs, state / "postgres" / "data", free_port(), uid, state / "log")
        primary.start()
        replica = None
        try:
            replica = primary.standby(folder / "data", free_port())
            yield Pair(primary, replica)
        finally:
            for server in (replica, primary):
                if server:
                    server.stop()


def pgbouncer_program() -> str | None:
    """The program of the system, which is not in the path of every user; None where there is none."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(program: str, url: str, *settings: str) -> Iterator[str]:
    """The URL of the same database through a PgBouncer, of whose three connections a transaction gets any.

    settings: further lines of its configuration
    """
    target = urlsplit(url)
    port = free_port()
    with temporary_state() as state:
        users = state / "users.txt"
        users.write_text(f'"{target.username}" "{target.password}"\n', "utf-8")
        file = state / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n* = host={target.hostname} port={target.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\n"
            "default_pool_size = 3\nserver_round_robin = 1\n" + "\n".join(settings or ["pool_mode = transaction"]),
            "utf-8",
        )
        # Root may not run it.
        with Child("pgbouncer", [program, str(file)], uid=unprivileged_uid()) as child:
            wait_until(lambda: listening_error(port) is not None, child, seconds=10)
            yield f"postgresql://{target.username}:{target.password}@127.0.0.1:{port}{target.path}"
