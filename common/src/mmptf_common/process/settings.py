"""The settings of a process: environment variables, read once at start."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Secret,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from mmptf_common.process.database_url import read_database_url
from mmptf_common.process.misspelt import MisspeltNames
from mmptf_common.process.organizations import read_organizations
from mmptf_common.process.redis_url import read_redis_url
from mmptf_common.process.secret_files import NoValue, SecretFiles

# Unreserved characters (RFC 3986, section 2.3), without the segments `.` and `..`, which clients take away.
_BASE_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


def _postgres_url(value: SecretStr | None) -> SecretStr | None:
    if value:
        read_database_url(value.get_secret_value()).require_files()
    return value


def _redis_url(value: SecretStr | None) -> SecretStr | None:
    if value:
        read_redis_url(value.get_secret_value()).require_files()
    return value


def _replica_url(value: SecretStr | None) -> SecretStr | None:
    if value:
        read_database_url(value.get_secret_value(), is_replica=True).require_files()
    return value


def _beside_a_pooler(value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    # An invalid URL is missing from the data; it has an error of its own already.
    url: SecretStr | None = info.data.get("database_url")
    if value and url and "options" in read_database_url(url.get_secret_value()).server_settings:
        raise ValueError(
            "DATABASE_URL leads to a pooler then, which takes no options: set them for the role, by ALTER ROLE"
        )
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


def _with_its_issuer(value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    # An invalid issuer is missing from the data; it has an error of its own already.
    if "identity_issuer" in info.data and (not value) != (info.data["identity_issuer"] is None):
        raise ValueError("IDENTITY_ISSUER and IDENTITY_AUDIENCE are set both or neither")
    return value


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not (names := tuple(filter(None, map(str.strip, value.split(","))))):
        raise ValueError("a name is expected, or several, comma-separated")
    return names


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


def _proxy(value: Secret[str] | None) -> Secret[str] | None:
    # As the client takes it, a proxy without a scheme is one of http.
    if value and (text := value.get_secret_value()):
        url = urlsplit(text if "://" in text else f"http://{text}")
        if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0:
            raise ValueError("a URL of the form http://host:port is expected")
    return value


def _certificates(value: str | None) -> str | None:
    if value:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
        except OSError:
            raise ValueError(f"{value} cannot be read as a file of certificates") from None
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


def _service_address(value: str | None) -> str | None:
    if value is not None:
        url = urlsplit(value)
        bare = not (url.path.strip("/") or url.query or url.fragment or url.username or url.password)
        if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0 or not bare:
            raise ValueError("the address of a service is expected, of the form http://host:port, without a path")
    return value


_SERVICE_ADDRESS = AfterValidator(_service_address)
ServiceAddress = Annotated[str | None, _SERVICE_ADDRESS]
"""The address of another service, in a setting NAME_URL."""


class ServerSettings(BaseSettings):
    """HOST, PORT, LOG_LEVEL: the address that a process listens on, and the least level that it logs.

    A secret may be in a file, which NAME_FILE names (`SecretFiles`).

    METRICS_PORT
                the port at HOST on which Prometheus reads the figures of the process; without it there is none
    OTEL_EXPORTER_OTLP_ENDPOINT
                http://… of a collector, to which spans are sent over OTLP; without it none are
    BASE_PATH   the path under which callers reach the process, such as /api behind a proxy; every link begins with it
    REDIS_URL   redis://… (`read_redis_url`); without it rate limits are counted in each process alone, and services
                compute aggregates at each request
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
    redis_url: Annotated[SecretStr | None, AfterValidator(_redis_url)] = None
    rate_limits: Annotated[Mapping[str, int], NoDecode, BeforeValidator(_rate_limits)] = Field(
        default_factory=lambda: RATE_LIMITS
    )
    forwarded_allow_ips: str = "127.0.0.1,::1"
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    connections: Annotated[int, Field(ge=10, le=100_000)] = 800
    # The callers of a service are the gateway and other services, each with one address.
    connections_per_client: Annotated[int, Field(ge=0, le=100_000)] = 0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a caller states, then secrets in files, then the environment; last what stands there under a typo."""
        return init_settings, SecretFiles(settings_cls), env_settings, MisspeltNames(settings_cls)

    @field_validator("*", mode="before")
    @classmethod
    def _readable(cls, value: object) -> object:
        if isinstance(value, NoValue):
            raise ValueError(value.reason)
        return value


class ServiceSettings(ServerSettings):
    """A service's own database, the shared cache, and the identity provider whose access tokens it accepts.

    A service that calls or replicates another one adds its address in a subclass.

    DATABASE_URL      postgresql://… of this service's database (`read_database_url`), for all that reads and writes
                      its data
    DATABASE_DIRECT_URL
                      where DATABASE_URL leads to a pooler that gives each transaction another connection: the URL of
                      the server itself, for what needs a session
    DATABASE_READ_URL
                      the same database at a streaming replica, without a pooler, for reads as long as it has all that
                      DATABASE_URL has
    MIGRATION_DATABASE_URL
                      the same database under the role that owns its tables, for `migrate` and `erase-subject` alone,
                      without a pooler; by default DATABASE_DIRECT_URL or DATABASE_URL
    DATABASE_POOL     most connections for pages; writes have half as many, exports and computed answers a third each,
                      exports one more
    ENVIRONMENT       development accepts an identity provider without TLS
    RATE_LIMIT_ADDRESSES
                      whether the rate limits count addresses, too, and not only the subjects of tokens: where callers
                      reach the service without the gateway, which counts addresses
    IDENTITY_ISSUER   https://… the identity provider, as in the `iss` of its tokens; without it every operation
                      that needs a token answers 403
    IDENTITY_AUDIENCE the `aud` of its tokens for this suite, any one of several
    IDENTITY_KEYS_URL its JSON Web Key Set; by default the one in its /.well-known/openid-configuration
    IDENTITY_SCOPES_CLAIM, IDENTITY_ROLES_CLAIM
                      the claims that contain scopes and roles, by name or path; of several the first that has any
    IDENTITY_ORGANIZATION_CLAIM
                      the claim that contains the organization for which the caller acts, by name or path
    IDENTITY_ORGANIZATIONS
                      a file that says which values of which claims stand for which organizations
    SSL_CERT_FILE     the authorities that are trusted over https, in place of those of Mozilla
    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                      the proxies for requests over https, over http and for all, and the hosts without one
    """

    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)]
    database_direct_url: Annotated[
        SecretStr | None, AfterValidator(_postgres_url), AfterValidator(_beside_a_pooler)
    ] = None
    database_read_url: Annotated[SecretStr | None, AfterValidator(_replica_url)] = None
    migration_database_url: Annotated[SecretStr | None, AfterValidator(_postgres_url)] = None
    database_pool: Annotated[int, Field(ge=2, le=100)] = 10
    rate_limit_addresses: bool = False
    environment: Literal["production", "development"] = "production"
    identity_issuer: Annotated[str | None, AfterValidator(_web_address)] = None
    identity_audience: Annotated[Names, Field(validate_default=True), AfterValidator(_with_its_issuer)] = ()
    identity_keys_url: Annotated[str | None, AfterValidator(_web_address)] = None
    identity_scopes_claim: Names = ("scope", "scp")
    identity_roles_claim: Names = ("roles",)
    identity_organization_claim: str = "organization"
    identity_organizations: Annotated[
        Mapping[str, Mapping[str, str]], NoDecode, BeforeValidator(read_organizations)
    ] = Field(default_factory=dict)
    ssl_cert_file: Annotated[str | None, AfterValidator(_certificates)] = None
    # In no file: the client reads them from the environment itself.
    https_proxy: Annotated[Secret[str] | None, AfterValidator(_proxy)] = None
    http_proxy: Annotated[Secret[str] | None, AfterValidator(_proxy)] = None
    all_proxy: Annotated[Secret[str] | None, AfterValidator(_proxy)] = None
    no_proxy: str | None = None

    @property
    def called(self) -> Mapping[str, str]:
        """The services that this one calls or copies: name -> address, of those whose setting is set."""
        named = {
            name.removesuffix("_url"): getattr(self, name)
            for name, field in type(self).model_fields.items()
            if _SERVICE_ADDRESS in field.metadata
        }
        return {name: address for name, address in named.items() if address}

    @property
    def is_pooled(self) -> bool:
        """Whether DATABASE_URL leads to a pooler that gives each transaction another connection."""
        return self.database_direct_url is not None

    @property
    def session_url(self) -> str:
        """The URL of the database for connections whose session has a state."""
        return (self.database_direct_url or self.database_url).get_secret_value()

    @property
    def owner_url(self) -> str:
        """The URL of the database under the role that owns its tables."""
        return self.migration_database_url.get_secret_value() if self.migration_database_url else self.session_url
