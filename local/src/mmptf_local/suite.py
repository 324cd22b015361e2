"""The suite on one machine: starts a database server, a cache, an issuer, and every process of suite.toml."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmptf_local import state
from mmptf_local.cache import running_cache
from mmptf_local.issuer import AUDIENCE
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.processes import (
    LOOPBACK,
    CannotStart,
    Child,
    Log,
    answers_ready,
    free_port,
    listening_error,
    wait_until,
)
from mmptf_local.suite_map import Deployable, read_map

ISSUER_PORT = "ISSUER_PORT"
GIVEN_TO_CHILDREN = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "HOST", "METRICS_PORT", "SERVICES")


@dataclass(frozen=True)
class Suite:
    """A running suite; a test may kill any of its children."""

    urls: Mapping[str, str]
    """`http://127.0.0.1:port` of every process of the map, and of `issuer` where the runner started it."""
    children: Mapping[str, Child]
    """By the same names, and `postgres` and `cache` where the runner started them."""
    database_urls: Mapping[str, str]
    """Of each service, under the role that serves."""
    redis_url: str
    postgres: Postgres | None
    metrics_urls: Mapping[str, str]
    """Where the figures of a process are, of those whose NAME_METRICS_PORT is set."""


@contextmanager
def running_suite(
    state_dir: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    map_file: Path | None = None,
    cache_binary: Path | None = None,
    durable: bool = True,
    log: Log | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Iterator[Suite]:
    """A running suite, once each `GET /health/ready` is answered by 200; everything is stopped in reverse order.

    `map_file`, by default the checkout's suite.toml, names the processes. Ports and servers come from the
    environment: PORT (gateway), NAME_PORT and ISSUER_PORT (default: the map's, else free ones), NAME_METRICS_PORT
    (default: no figures), NAME_DATABASE_URL and REDIS_URL (default: servers that are started here, with data in
    `state_dir`), IDENTITY_ISSUER and its other settings (default in development: an issuer that is started here).
    Databases of the server that is started here are migrated and loaded; others are not changed. `progress` is called
    with each finished step. Raises CannotStart when a port is taken or a step fails.
    """
    deployables = read_map(map_file)
    ports = _wanted_ports(deployables, environment)
    with ExitStack() as stack:
        children: dict[str, Child] = {}
        postgres: Postgres | None = None
        variables = {each.name: each.database_variable for each in deployables if "database" in each.needs}
        own = [name for name, variable in variables.items() if not environment.get(variable)]
        if own:
            folder = state_dir or state.state_dir()
            postgres = stack.enter_context(
                running_postgres(folder, databases=own, durable=durable, log=_warnings_only(log))
            )
            children["postgres"] = postgres.child
            progress(f"postgres ready, data in {folder}")
        databases = {
            name: postgres.serving_url(name) if postgres and name in own else environment[variable]
            for name, variable in variables.items()
        }
        redis_url = environment.get("REDIS_URL")
        if not redis_url:
            cache = stack.enter_context(running_cache(cache_binary))
            children["cache"] = cache.child
            redis_url = cache.url
            progress("cache ready")

        names = (*(("issuer",) if _needs_issuer(environment) else ()), *(each.name for each in deployables))
        for name in names:
            while name not in ports:
                if (port := free_port()) not in ports.values():
                    ports[name] = port
        urls = {name: f"http://{LOOPBACK}:{ports[name]}" for name in names}
        environments = _environments(deployables, environment, databases, redis_url, urls, ports)
        if postgres:
            owners = {name: {**environments[name], "MIGRATION_DATABASE_URL": postgres.url(name)} for name in own}
            _run_together("migrate", owners)
            progress(f"migrated: {', '.join(own)}")
            _run_together("seed", {name: environments[name] for name in own})
            progress(f"data loaded: {', '.join(own)}")
        if others := [name for name in variables if name not in own]:
            progress(f"neither migrated nor loaded, for its database is yours: {', '.join(others)}")

        for name, env in environments.items():
            command = [sys.executable, "-m", "mmptf_local.issuer"] if name == "issuer" else _command(name, "serve")
            children[name] = stack.enter_context(Child(name, command, env=env, log=log))
        for name, url in urls.items():
            _wait_until_ready(children[name], url)
            progress(f"{name} ready")
        figures = {
            each.name: f"http://{LOOPBACK}:{environment[each.metrics_variable]}/metrics"
            for each in deployables
            if environment.get(each.metrics_variable)
        }
        yield Suite(urls, children, databases, redis_url, postgres, figures)


def _wanted_ports(deployables: Sequence[Deployable], environment: Mapping[str, str]) -> dict[str, int]:
    stated = [(each.name, each.port_variable, each.port) for each in deployables]
    ports: dict[str, int] = {}
    # Those with a default port first, so that the message about a port that is used twice names the other one.
    for name, variable, default in sorted([*stated, ("issuer", ISSUER_PORT, None)], key=lambda each: each[2] is None):
        given = environment.get(variable) or (str(default) if default else None)
        if given is None:
            continue
        if not given.isdecimal() or not 0 < int(given) < 65536:
            raise CannotStart(f"{variable}={given} is not a port")
        port = int(given)
        if port in ports.values():
            raise CannotStart(f"port {port} is asked for twice; set {variable} to another one")
        if error := listening_error(port):
            reason = (
                "may be used by the administrator only"
                if isinstance(error, PermissionError)
                else "is taken by another program"
            )
            other = next(each for each in range(8080, 65536, 10) if not listening_error(each))
            raise CannotStart(f"port {port} {reason}; set {variable}=..., e.g. `make up {variable}={other}`")
        ports[name] = port
    return ports


def _needs_issuer(environment: Mapping[str, str]) -> bool:
    in_development = environment.get("ENVIRONMENT", "development") == "development"
    return in_development and not environment.get("IDENTITY_ISSUER")


def _environments(
    deployables: Sequence[Deployable],
    environment: Mapping[str, str],
    databases: Mapping[str, str],
    redis_url: str,
    urls: Mapping[str, str],
    ports: Mapping[str, int],
) -> dict[str, dict[str, str]]:
    # No child gets a setting that is meant for another one.
    withheld = {*GIVEN_TO_CHILDREN, *(f"{name}_FILE" for name in GIVEN_TO_CHILDREN), ISSUER_PORT}
    for each in deployables:
        withheld |= {each.port_variable, each.metrics_variable, each.address_variable, each.database_variable}
    shared = {"LOG_LEVEL": "INFO", "PYTHONUNBUFFERED": "1", "HOST": LOOPBACK, "ENVIRONMENT": "development"}
    given = {key: value for key, value in environment.items() if key.startswith("IDENTITY_")}
    identity = {"IDENTITY_ISSUER": urls["issuer"], "IDENTITY_AUDIENCE": AUDIENCE} if "issuer" in urls else given
    shared |= {key: value for key, value in environment.items() if key not in withheld | given.keys()}
    result = {name: shared | {"PORT": str(ports[name])} for name in urls}
    for each in deployables:
        own = result[each.name]
        if "database" in each.needs:
            own["DATABASE_URL"] = databases[each.name]
        if "cache" in each.needs:
            own["REDIS_URL"] = redis_url
        if "identity" in each.needs:
            own |= identity
        if port := environment.get(each.metrics_variable):
            own["METRICS_PORT"] = port
        own |= {other.address_variable: urls[other.name] for other in deployables if other.name in each.asks}
    services = [each.name for each in deployables if each.is_service]
    result["gateway"]["SERVICES"] = ",".join(f"{name}={urls[name]}" for name in services)
    return result


def _command(name: str, verb: str) -> list[str]:
    return [sys.executable, "-m", f"mmptf_{name}", verb]


def _run_together(verb: str, environments: Mapping[str, Mapping[str, str]]) -> None:
    with ExitStack() as stack:
        jobs = [
            stack.enter_context(Child(f"{name} {verb}", _command(name, verb), env=env))
            for name, env in environments.items()
        ]
        for job in jobs:
            job.result()


def _wait_until_ready(child: Child, url: str) -> None:
    wait_until(lambda: answers_ready(f"{url}/health/ready"), child, seconds=60)


def _warnings_only(log: Log | None) -> Log | None:
    """The same log without the server's lines of normal operation."""
    if log is None:
        return None
    # The server logs an error when it is asked whether it is ready before it is.
    idle = ("LOG:", "FATAL:  the database system is starting up")
    return lambda label, line: None if line.startswith(idle) else log(label, line)
