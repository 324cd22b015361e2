"""The URL of a database, as libpq defines it: read once, for every connection that a process opens."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from urllib.parse import unquote

from mmptf_common.process.urls import ENCODED, hosts_in, parameters_in, port_of, reason_of

# What a URL may have after `?`. Other parameters of libpq are of things that no connection of a service has.
PARAMETERS = (
    "application_name", "connect_timeout", "dbname", "host", "options", "passfile", "password", "port", "sslcert",
    "sslcrl", "sslkey", "sslmode", "sslpassword", "sslrootcert", "target_session_attrs", "user",
)  # fmt: skip
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Those of a server that is written to, and of a replica. With several hosts the last one holds: others may be there.
SESSION_ATTRIBUTES = ("any", "read-write", "primary")
REPLICA_ATTRIBUTES = ("any", "read-only", "standby")
# In place of the file of an authority: those that the system trusts.
SYSTEM = "system"
_FORM = "a URL of the form postgresql://user:password@host:port/database is expected"
_URL = re.compile(r"(?:postgresql|postgres)://(?:([^@/?#]*)@)?([^@/?#]*)(?:/([^?#]*))?(?:\?([^#]*))?", re.DOTALL)
_VERIFYING = ("require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """What the URL of a database states; where it states nothing, the driver takes what libpq does.

    hosts: each with its port, in the order in which they are tried; empty for the driver's default
    connect_seconds: for one host; None where none are stated
    server_settings: `application_name` and `options`, as the server takes them
    tls: the parameters whose names begin with `ssl`
    """

    hosts: tuple[tuple[str, int], ...]
    user: str | None
    password: str | None = field(repr=False)
    database: str | None
    session_attributes: str
    connect_seconds: int | None
    server_settings: Mapping[str, str]
    tls: Mapping[str, str] = field(repr=False)
    passfile: str | None = None

    def require_files(self) -> None:
        """Raise ValueError where a file of a certificate is missing or is none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for name in ("sslrootcert", "sslcrl"):
            file = self.tls.get(name)
            if file and file != SYSTEM:
                try:
                    context.load_verify_locations(file)
                except OSError as error:
                    raise ValueError(f"{name}: {file} cannot be read as certificates ({reason_of(error)})") from None
        if certificate := self.tls.get("sslcert"):
            key = self.tls.get("sslkey")
            try:
                context.load_cert_chain(certificate, key, lambda: self.tls.get("sslpassword", ""))
            except OSError as error:
                raise ValueError(
                    f"sslcert, sslkey: {certificate} and {key or certificate} cannot be read as a certificate and its"
                    f" key ({reason_of(error)})"
                ) from None


def read_database_url(text: str, *, is_replica: bool = False) -> DatabaseUrl:
    """What a URL of a database states; raises ValueError in one line, which repeats nothing that may be secret.

    is_replica: whether a replica is meant, which is never written to
    """
    if not (found := _URL.fullmatch(text)):
        is_url = text.partition("://")[0] in ("postgresql", "postgres") and "://" in text
        raise ValueError(_FORM + (ENCODED if is_url else ""))
    given, authority, database, query = found.groups()
    if given is None and query and "@" in query:
        # A password with a ? of its own.
        raise ValueError(_FORM + ENCODED)
    stated = parameters_in(query or "", PARAMETERS)
    user, _, password = (given or "").partition(":")
    hosts = _hosts(authority, stated.pop("host", ""), stated.pop("port", ""))
    allowed = REPLICA_ATTRIBUTES if is_replica else SESSION_ATTRIBUTES
    attributes = stated.pop("target_session_attrs", allowed[-1 if len(hosts) > 1 else 0])
    if attributes not in allowed:
        raise ValueError(f"target_session_attrs: one of {', '.join(allowed)} is expected")
    tls = {name: stated.pop(name) for name in PARAMETERS if name.startswith("ssl") and name in stated}
    _require_tls(tls)
    seconds = stated.pop("connect_timeout", None)
    if seconds is not None and not re.fullmatch(r"[1-9][0-9]{0,2}", seconds):
        raise ValueError("connect_timeout: a number of seconds for one host is expected, 1 to 999")
    return DatabaseUrl(
        hosts=hosts,
        user=stated.pop("user", unquote(user)) or None,
        password=stated.pop("password", unquote(password)) or None,
        database=stated.pop("dbname", unquote(database or "")) or None,
        session_attributes=attributes,
        connect_seconds=int(seconds) if seconds else None,
        passfile=stated.pop("passfile", None),
        server_settings=stated,
        tls=tls,
    )


def _hosts(authority: str, hosts: str, ports: str) -> tuple[tuple[str, int], ...]:
    """The hosts of a URL with their ports; hosts, ports: of its parameters, comma-separated."""
    found = hosts_in(authority)
    if found is None:
        raise ValueError(_FORM + ENCODED)
    if hosts:
        if found:
            raise ValueError("host: the URL names hosts already")
        found = [(host, "") for host in hosts.split(",")]
    given = ports.split(",") if ports else []
    if len(given) > 1 and len(given) != len(found):
        raise ValueError("port: as many ports as hosts are expected, or one")
    chosen: Iterable[str] = repeat(given[0]) if len(given) == 1 else given or repeat("")
    if given and not found:
        raise ValueError("port: there is no host")
    return tuple(
        (host or "localhost", port_of(own or port, 5432)) for (host, own), port in zip(found, chosen, strict=False)
    )


def _require_tls(tls: Mapping[str, str]) -> None:
    """Raise ValueError where the parameters of TLS contradict each other."""
    mode, root = tls.get("sslmode", "prefer"), tls.get("sslrootcert")
    if mode not in SSL_MODES:
        raise ValueError(f"sslmode: one of {', '.join(SSL_MODES)} is expected")
    if root == SYSTEM and mode != "verify-full":
        raise ValueError("sslrootcert: with system, sslmode=verify-full is expected")
    if root and mode not in _VERIFYING:
        raise ValueError(f"sslrootcert: nothing is verified unless sslmode is one of {', '.join(_VERIFYING)}")
    if mode.startswith("verify-") and not root:
        raise ValueError(
            f"sslmode: {mode} needs sslrootcert, the file of the authority, or system for those that the system trusts"
        )
    if "sslkey" in tls and "sslcert" not in tls:
        raise ValueError("sslkey: the certificate is missing, sslcert")
