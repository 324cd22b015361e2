"""The URL of a Redis or a Valkey: one server, servers of which a Sentinel names the master, or a cluster."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from mmptf_common.process.urls import ENCODED, hosts_in, parameters_in, port_of, reason_of

PARAMETERS = (
    "db", "password", "sentinel_password", "sentinel_username", "ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile",
    "ssl_check_hostname", "ssl_keyfile", "username",
)  # fmt: skip
_FORM = (
    "a URL of the form redis://user:password@host:port/0 is expected, with rediss:// for TLS, and"
    " redis+sentinel://…@host,host/name-of-the-master/0 or redis+cluster://…@host,host for several servers"
)
_URL = re.compile(
    r"(?:(?:redis|valkey)(s?)(?:\+(sentinel|cluster))?|(unix))://(?:([^@/?#]*)@)?([^@/?#]*)(/[^?#]*)?(?:\?([^#]*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """What the URL of a Redis states.

    hosts: the server; the Sentinels; or some nodes of the cluster, each with its port; none where there is a socket
    socket: the file of a socket; service: the name under which the Sentinels know the master
    database: its number, which a cluster does not have
    tls: the options of TLS, as the client names them; None for a connection without
    sentinel: what the Sentinels themselves take, in place of the master's: `username`, `password`
    """

    kind: Literal["server", "sentinel", "cluster"]
    hosts: tuple[tuple[str, int], ...]
    socket: str | None
    service: str | None
    username: str | None
    password: str | None = field(repr=False)
    database: int
    tls: Mapping[str, str | bool] | None
    sentinel: Mapping[str, str] = field(repr=False)

    def require_files(self) -> None:
        """Raise ValueError where a file of a certificate is missing or is none."""
        context, tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self.tls or {}
        for names, load in (
            (("ssl_ca_certs",), context.load_verify_locations),
            (("ssl_certfile", "ssl_keyfile"), context.load_cert_chain),
        ):
            files = [str(tls[name]) for name in names if name in tls]
            try:
                if files:
                    load(*files)
            except OSError as error:
                raise ValueError(f"{', '.join(names)}: {files[0]} cannot be read ({reason_of(error)})") from None


def read_redis_url(text: str) -> RedisUrl:
    """What the URL of a Redis states; raises ValueError in one line, which repeats nothing that may be secret."""
    if not (found := _URL.fullmatch(text)):
        raise ValueError(_FORM + ENCODED)
    with_tls, several, unix, given, authority, path, query = found.groups()
    if given is None and query and "@" in query:
        raise ValueError(_FORM + ENCODED)
    stated = parameters_in(query or "", PARAMETERS)
    user, _, password = (given or "").partition(":")
    parts = [unquote(part) for part in (path or "").split("/")[1:]]
    hosts = hosts_in(authority)
    if hosts is None or (not several and len(hosts) > 1):
        raise ValueError(_FORM + ENCODED)
    service = None
    if unix:
        parts = []
    elif several == "sentinel":
        service = parts.pop(0) if parts else ""
        if not service or not hosts:
            raise ValueError(f"the Sentinels, or the name of the master, are missing: {_FORM}")
    database = stated.pop("db", parts.pop(0) if parts else "") or "0"
    if parts or not re.fullmatch(r"[0-9]{1,5}", database):
        raise ValueError("the number of a database is expected after the last /")
    if several == "cluster" and (int(database) or not hosts):
        raise ValueError("a cluster has the database 0 alone, and at least one node is named")
    default = 26379 if several == "sentinel" else 6379
    sentinel = {
        name: stated.pop(f"sentinel_{name}") for name in ("username", "password") if f"sentinel_{name}" in stated
    }
    if sentinel and several != "sentinel":
        raise ValueError("sentinel_username, sentinel_password: the URL names no Sentinels (redis+sentinel://)")
    tls = _tls({name: stated.pop(name) for name in PARAMETERS if name.startswith("ssl_") and name in stated})
    if tls and not with_tls:
        raise ValueError(f"{', '.join(tls)}: the URL is without TLS; write rediss in place of redis")
    if not unix:
        hosts = hosts or [("", "")]
    return RedisUrl(
        kind="sentinel" if several == "sentinel" else "cluster" if several else "server",
        hosts=()
        if unix
        else tuple((host or "localhost", port_of(port, default)) for host, port in hosts or [("", "")]),
        socket=unquote(path or "") if unix else None,
        service=service,
        username=stated.pop("username", unquote(user)) or None,
        password=stated.pop("password", unquote(password)) or None,
        database=int(database),
        tls=tls if with_tls else None,
        sentinel=sentinel,
    )


def _tls(stated: dict[str, str]) -> dict[str, str | bool]:
    """The options of TLS as the client takes them; raises ValueError where one has another value."""
    if stated.get("ssl_cert_reqs", "required") not in ("required", "optional", "none"):
        raise ValueError("ssl_cert_reqs: one of required, optional, none is expected")
    checks = stated.get("ssl_check_hostname", "true").lower()
    if checks not in ("true", "false"):
        raise ValueError("ssl_check_hostname: true or false is expected")
    return {name: value if name != "ssl_check_hostname" else checks == "true" for name, value in stated.items()}
