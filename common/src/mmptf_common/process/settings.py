"""The settings of a process: environment variables, read once at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# Unreserved characters (RFC 3986, section 2.3), without the segments `.` and `..`, which clients take away.
_BASE_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


def _postgres_url(value: SecretStr | None) -> SecretStr | None:
    if value and value.get_secret_value().partition("://")[0] not in {"postgresql", "postgres"}:
        raise ValueError("a URL of the form postgresql://user:password@host:port/database is expected")
    return value


def _base_path(value: str) -> str:
    if not _BASE_PATH.fullmatch(value):
        raise ValueError(
            "a path such as /api is expected: / at its beginning and none at its end, of letters, digits and - . _ ~"
        )
    return value


def _web_address(value: str | None, info: ValidationInfo) -> str | None:
    if value is None:
        return None
    url = urlsplit(value)
    if url.scheme not in {"https", "http"} or not url.hostname or url.port == 0:
        raise ValueError("a URL of the form https://host/path is expected")
    if url.scheme == "http" and info.data.get("environment") == "production":
        raise ValueError("https is needed when ENVIRONMENT is production")
    return value


def _with_its_issuer(value: str | None, info: ValidationInfo) -> str | None:
    # An invalid issuer is missing from the data; it has an error of its own already.
    if "identity_issuer" in info.data and (value is None) != (info.data["identity_issuer"] is None):
        raise ValueError("IDENTITY_ISSUER and IDENTITY_AUDIENCE are set both or neither")
    return value


# The requests that one client may send in a minute, by their kind. No system that polls all day comes near.
RATE_LIMITS: Mapping[str, int] = MappingProxyType(
    {"pages": 6_000, "expensive": 600, "writes": 600, "computations": 600, "imports": 60}
)


def _rate_limits(value: object) -> object:
    """Kind -> requests a minute; empty where the limits are switched off."""
    if not isinstance(value, str):
        return value
    if value.strip() == "off":
        return {}
    stated = dict(RATE_LIMITS)
    for entry in filter(None, map(str.strip, value.split(","))):
        kind, _, requests = entry.partition("=")
        if kind not in RATE_LIMITS or not requests.isdecimal() or not 0 < int(requests[:10]) <= 10**9:
            raise ValueError(
                f"{entry!r} is not of the form kind=requests, with a kind of {', '.join(RATE_LIMITS)} and the requests"
                " in a minute, nor is it off"
            )
        stated[kind] = int(requests)
    return stated


def settings_errors(error: ValidationError) -> str:
    """Lines for standard error: the environment variable of each invalid setting, and what is expected."""
    return "".join(
        f"{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}\n" for each in error.errors()
    )


class ServerSettings(BaseSettings):
    """HOST, PORT, LOG_LEVEL: the address that a process listens on, and the least level that it logs.

    METRICS_PORT
                the port at HOST on which Prometheus reads the figures of the process; without it there is none
    OTEL_EXPORTER_OTLP_ENDPOINT
                http://… of a collector, to which spans are sent over OTLP; without it none are
    BASE_PATH   the path under which callers reach the process, such as /api behind a proxy; every link begins with it
    REDIS_URL   redis://… ; without it rate limits are counted in each process alone, and services compute aggregates at
                each request
    RATE_LIMITS kind=requests, comma-separated: the requests a minute of one client, where not RATE_LIMITS below; or off
    FORWARDED_ALLOW_IPS
                addresses and networks of proxies, comma-separated, whose X-Forwarded-* name the client
    DRAIN_SECONDS
                how long the process answers requests and says that it is not ready, before it ends
    CONNECTIONS, CONNECTIONS_PER_CLIENT
                most connections in all, and of one address that is no trusted proxy; 0 is no limit of the latter
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    otel_exporter_otlp_endpoint: Annotated[str | None, AfterValidator(_web_address)] = None
    metrics_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    base_path: Annotated[str, AfterValidator(_base_path)] = ""
    redis_url: SecretStr | None = None
    rate_limits: Annotated[Mapping[str, int], NoDecode, BeforeValidator(_rate_limits)] = Field(
        default_factory=lambda: RATE_LIMITS
    )
    forwarded_allow_ips: str = "127.0.0.1,::1"
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    connections: Annotated[int, Field(ge=10, le=100_000)] = 800
    # The callers of a service are the gateway and other services, each with one address.
    connections_per_client: Annotated[int, Field(ge=0, le=100_000)] = 0


class ServiceSettings(ServerSettings):
    """A service's own database, the shared cache, and the identity provider whose access tokens it accepts.

    A service that calls or replicates another one adds its address in a subclass.

    DATABASE_URL      postgresql://… of this service's database, for all that reads and writes its data
    MIGRATION_DATABASE_URL
                      the same database under the role that owns its tables, for `migrate` and `erase-subject` alone;
                      by default DATABASE_URL
    DATABASE_POOL     most connections for pages; writes have half as many, exports and computed answers a third each,
                      exports one more
    ENVIRONMENT       development accepts an identity provider without TLS
    RATE_LIMIT_ADDRESSES
                      whether the rate limits count addresses, too, and not only the subjects of tokens: where callers
                      reach the service without the gateway, which counts addresses
    IDENTITY_ISSUER   https://… the identity provider, as in the `iss` of its tokens; without it every operation
                      that needs a token answers 403
    IDENTITY_AUDIENCE the `aud` of its tokens for this suite
    IDENTITY_KEYS_URL its JSON Web Key Set; by default the one in its /.well-known/openid-configuration
    IDENTITY_ORGANIZATION_CLAIM, IDENTITY_ROLES_CLAIM
                      the claims that contain the organization for which the caller acts, and the caller's roles
    """

    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)]
    migration_database_url: Annotated[SecretStr | None, AfterValidator(_postgres_url)] = None
    database_pool: Annotated[int, Field(ge=2, le=100)] = 10
    rate_limit_addresses: bool = False
    environment: Literal["production", "development"] = "production"
    identity_issuer: Annotated[str | None, AfterValidator(_web_address)] = None
    identity_audience: Annotated[str | None, Field(validate_default=True), AfterValidator(_with_its_issuer)] = None
    identity_keys_url: Annotated[str | None, AfterValidator(_web_address)] = None
    identity_organization_claim: str = "organization"
    identity_roles_claim: str = "roles"

    @property
    def owner_url(self) -> str:
        """The URL of the database under the role that owns its tables."""
        return (self.migration_database_url or self.database_url).get_secret_value()
