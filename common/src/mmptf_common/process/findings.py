"""What is found when a process looks whether it could serve: a line for each setting, server and service."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import ssl
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum

from opentelemetry.util.re import parse_env_headers
from pydantic import Secret, SecretStr

from mmptf_common.process import telemetry
from mmptf_common.process.settings import ServerSettings

# Seconds for each question to another service.
_SECONDS = 3


class State(StrEnum):
    """OK; WARNING: it would serve, and not all would be as it should; FAILED: it could not serve."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: its state, what was looked at, in a word, and what was found."""

    state: State
    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.state:<8} {self.what:<9} {self.detail}"


def check(name: str, findings: Coroutine[None, None, list[Finding]]) -> int:
    """Print a line for each finding and one for all; returns the exit code: 0 where the process could serve, else 1."""
    # What fails is in the lines; in the log it would be there twice.
    logging.getLogger().addHandler(logging.NullHandler())
    found = asyncio.run(findings)
    for finding in found:
        print(finding)
    failed = sum(finding.state is State.FAILED for finding in found)
    print(f"{name}: could not serve, {failed} failed" if failed else f"{name}: could serve")
    return 1 if failed else 0


def of_settings(settings: ServerSettings) -> list[Finding]:
    """The settings that are not left to their defaults, as environment variables, without secrets."""
    return [
        Finding(State.OK, "setting", f"{name.upper()}={_shown(getattr(settings, name))}")
        for name in type(settings).model_fields
        if name in settings.model_fields_set
    ]


def _shown(value: object) -> str:
    if isinstance(value, SecretStr | Secret):
        return masked(value.get_secret_value())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        # Of a table of values, as that of organizations, their number.
        return ",".join(f"{key}={len(each) if isinstance(each, Mapping) else each}" for key, each in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    # The address of a collector may have a password.
    return masked(value) if isinstance(value, str) and "://" in value and "@" in value else str(value)


def masked(url: str) -> str:
    """A URL without its password and without the values of its parameters, or *** where it is none."""
    scheme, is_url, rest = url.partition("://")
    if not is_url:
        return "***"
    # A password may have an @ of its own, so what is before the last one is of the user.
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    place, question, parameters = place.partition("?")
    names = "&".join(f"{each.partition('=')[0]}=***" for each in parameters.split("&"))
    return f"{scheme}://{name}{':***' if colon else ''}{at}{place}{question}{names if question else ''}"


def reason(error: BaseException) -> str:
    """Why something failed, in one line: the lines after the first of a message link to a library's documentation."""
    return str(error).partition("\n")[0] or type(error).__name__


async def of_metrics_port(settings: ServerSettings, service: str) -> list[Finding]:
    """Whether the figures could be read at their port, or are read there already; service: the name of the process."""
    port = settings.metrics_port
    if port is None:
        return []
    try:
        family, *_, address = socket.getaddrinfo(settings.host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            # As the server does: connections that have just been closed are none that listens.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        return [Finding(State.OK, "metrics", f"port {port} of {settings.host} is free")]
    except OSError as error:
        taken = error.strerror
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # it is asked there
    name = await _of_figures(f"http://[{host}]:{port}/metrics" if ":" in host else f"http://{host}:{port}/metrics")
    if name == service:
        return [Finding(State.OK, "metrics", f"port {port} of {settings.host} answers for the {service} that runs")]
    by = f"in use by the figures of {name}" if name else f"not to be had ({taken})"
    return [Finding(State.FAILED, "metrics", f"port {port} of {settings.host} is {by}")]


async def _of_figures(url: str) -> str | None:
    """The name of the process of the suite whose figures are at this address; None where there are none."""
    import httpx

    try:
        async with asyncio.timeout(_SECONDS), httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
            answer = await client.get(url)
    except (httpx.HTTPError, OSError, TimeoutError):
        return None
    found = re.search(r'^mmptf_build_info\{[^}]*service="([^"]+)"', answer.text, re.MULTILINE)
    return found[1] if found else None


async def of_telemetry(settings: ServerSettings) -> list[Finding]:
    """Whether the collector takes a request without spans, where one is set; a process serves without it, too."""
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return []
    import httpx

    try:
        with telemetry.sending(endpoint, "check", "check"):
            pass
        certificate = os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE")
        verify = ssl.create_default_context(cafile=certificate)
        headers = parse_env_headers(os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""), liberal=True)
        async with asyncio.timeout(_SECONDS), httpx.AsyncClient(timeout=_SECONDS, verify=verify) as client:
            answer = await client.post(
                f"{endpoint.rstrip('/')}/v1/traces",
                headers={**headers, "Content-Type": "application/x-protobuf"},
                content=b"",
            )
    except telemetry.NoTelemetry as error:
        return [Finding(State.FAILED, "telemetry", str(error))]
    except TimeoutError:
        return [Finding(State.WARNING, "telemetry", f"{masked(endpoint)} does not answer within {_SECONDS} s")]
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return [Finding(State.WARNING, "telemetry", f"{masked(endpoint)} cannot be reached ({reason(error)})")]
    if answer.is_success:
        return [Finding(State.OK, "telemetry", f"{masked(endpoint)} takes spans")]
    return [Finding(State.WARNING, "telemetry", f"{masked(endpoint)} takes no spans ({answer.status_code})")]


async def of_services(addresses: Mapping[str, str]) -> list[Finding]:
    """Whether each of these services answers with its status; name -> address."""
    return [*await asyncio.gather(*(_of_service(name, address) for name, address in addresses.items()))]


async def _of_service(name: str, address: str) -> Finding:
    # Its client takes 14 MB, which no other verb of the gateway needs.
    import httpx

    from mmptf_common.process.client import open_client

    try:
        async with asyncio.timeout(_SECONDS), open_client(seconds=_SECONDS) as client:
            answer = await client.get(f"{address.rstrip('/')}/{name}/v1/status")
        status = answer.json()
        if not answer.is_success or status["service"] != name:
            raise ValueError(f"answers {answer.status_code}: is it {name}?")
    except TimeoutError:
        return Finding(State.WARNING, name, f"{address} does not answer within {_SECONDS} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Finding(State.WARNING, name, f"{address} cannot be reached ({reason(error)})")
    except (ValueError, TypeError, KeyError):
        return Finding(State.WARNING, name, f"{address} answers, and not as {name} does ({answer.status_code})")
    return Finding(
        State.OK, name, f"{address} answers: version {status['version']}, data at revision {status['revision']}"
    )
