"""The gateway's settings: the addresses of the services, origins of browsers, time limits and bounds."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from mmptf_common.process.settings import ServerSettings

OWN_SEGMENTS = frozenset({"", "docs", "health", "openapi.json", "problems", "programmes", "status", "version"})
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s,]+")


def _services(value: object) -> object:
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for entry in filter(None, map(str.strip, value.split(","))):
        name, equals, url = entry.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(f"{entry!r} is not of the form name=http://host:port, its name in small letters")
        if name in OWN_SEGMENTS or name == "gateway":
            raise ValueError(f"{name!r} is a path of the gateway itself and cannot name a service")
        if name in found:
            raise ValueError(f"{name!r} is named twice")
        found[name] = _origin_of(name, url)
    if not found:
        raise ValueError("at least one service is expected, as name=http://host:port")
    return found


def _origin_of(name: str, url: str) -> str:
    expected = f"the address of {name!r} is {url!r}, and http://host:port without a path is expected"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{expected}: {error}") from error
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or not bare:
        raise ValueError(expected)
    return f"{parts.scheme}://{parts.netloc}"


def _origins(value: object) -> object:
    if not isinstance(value, str):
        return value
    origins = tuple(filter(None, map(str.strip, value.split(","))))
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is not an origin such as https://example.org, nor *")
    return origins


class GatewaySettings(ServerSettings):
    """The settings of every process, and those of the gateway alone.

    SERVICES          name=http://host:port, comma-separated; the name is the first segment of the service's paths
    CONNECTIONS_PER_CLIENT
                      most connections of one address that is no trusted proxy; 0 is no limit
    CORS_ORIGINS      origins whose pages may call, comma-separated; * is every origin
    CONNECT_SECONDS   how long a connection to a service may take
    ANSWER_SECONDS    how long a service may send nothing, before its answer and between two pieces of it
    IN_FLIGHT         most requests under way to each service at once
    IN_FLIGHT_LONG    the same of those that last, which are counted apart: long polls, exports and uploads
    ANSWERS_BYTES     most bytes of public reads that are kept; 0 keeps none
    CDN_SECONDS       how long a cache in front may use a public read without asking; 0 states nothing
    """

    services: Annotated[dict[str, str], NoDecode, BeforeValidator(_services)]
    connections_per_client: Annotated[int, Field(ge=0, le=100_000)] = 200
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = ("*",)
    connect_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    answer_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    in_flight_long: Annotated[int, Field(ge=1, le=10_000)] = 256
    answers_bytes: Annotated[int, Field(ge=0, le=10**12)] = 33_554_432
    cdn_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
