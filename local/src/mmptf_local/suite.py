"""The suite on one machine: a database server, a cache, an issuer, three services, the gateway, started in order."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
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
    is_free,
    wait_until,
)

SERVICES = ("catalog", "funding", "markers")
PORT_VARIABLES = {"gateway": "PORT"} | {name: f"{name.upper()}_PORT" for name in ("issuer", *SERVICES)}
DATABASE_VARIABLES = {name: f"{name.upper()}_DATABASE_URL" for name in SERVICES}
GIVEN_TO_CHILDREN = ("DATABASE_URL", "REDIS_URL", "HOST", "SERVICES", "CATALOG_URL", "FUNDING_URL")


@dataclass(frozen=True)
class Suite:
    """A running suite; a test may kill any of its children."""

    urls: Mapping[str, str]
    """`http://127.0.0.1:port` of `catalog`, `funding`, `markers` and `gateway`, and of `issuer` where it is our own."""
    children: Mapping[str, Child]
    """By the same names, and `postgres` and `cache` where they are our own."""
    database_urls: Mapping[str, str]
    redis_url: str
    postgres: Postgres | None


@contextmanager
def running_suite(
    state_dir: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    cache_binary: Path | None = None,
    durable: bool = True,
    log: Log | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Iterator[Suite]:
    """Start everything, yield once each `GET /health/ready` is answered by 200, stop all in reverse order.

    Ports and servers come from the environment: PORT (gateway, default 8000), CATALOG_PORT, FUNDING_PORT,
    MARKERS_PORT and ISSUER_PORT (default: free ones), CATALOG_DATABASE_URL, FUNDING_DATABASE_URL,
    MARKERS_DATABASE_URL and REDIS_URL (default: servers of our own, with data in `state_dir`), IDENTITY_ISSUER
    and what belongs to it (default in development: an issuer of our own). Databases of our own are migrated and
    loaded; those of others are left as they are. `progress` is told of each step that is done. CannotStart
    when a port is taken or a step fails.
    """
    ports = _wanted_ports(environment)
    with ExitStack() as stack:
        children: dict[str, Child] = {}
        postgres: Postgres | None = None
        own = [name for name, variable in DATABASE_VARIABLES.items() if not environment.get(variable)]
        if own:
            folder = state_dir or state.state_dir()
            postgres = stack.enter_context(
                running_postgres(folder, databases=own, durable=durable, log=_warnings_only(log))
            )
            children["postgres"] = postgres.child
            progress(f"postgres ready, data in {folder}")
        databases = {
            name: postgres.url(name) if postgres and name in own else environment[variable]
            for name, variable in DATABASE_VARIABLES.items()
        }
        redis_url = environment.get("REDIS_URL")
        if not redis_url:
            cache = stack.enter_context(running_cache(cache_binary))
            children["cache"] = cache.child
            redis_url = cache.url
            progress("cache ready")

        names = (*(("issuer",) if _needs_issuer(environment) else ()), *SERVICES, "gateway")
        for name in names:
            while name not in ports:
                if (port := free_port()) not in ports.values():
                    ports[name] = port
        urls = {name: f"http://{LOOPBACK}:{ports[name]}" for name in names}
        environments = _environments(environment, databases, redis_url, urls, ports)
        for verb, done in (("migrate", "migrated"), ("seed", "data loaded")):
            if own:
                _run_together(verb, {name: environments[name] for name in own})
                progress(f"{done}: {', '.join(own)}")
        if others := [name for name in SERVICES if name not in own]:
            progress(f"neither migrated nor loaded, for its database is yours: {', '.join(others)}")

        for name, env in environments.items():
            command = [sys.executable, "-m", "mmptf_local.issuer"] if name == "issuer" else _command(name, "serve")
            children[name] = stack.enter_context(Child(name, command, env=env, log=log))
        for name, url in urls.items():
            _wait_until_ready(children[name], url)
            progress(f"{name} ready")
        yield Suite(urls, children, databases, redis_url, postgres)


def _wanted_ports(environment: Mapping[str, str]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name, variable in PORT_VARIABLES.items():
        given = environment.get(variable) or ("8000" if name == "gateway" else None)
        if given is None:
            continue
        if not given.isdecimal() or not 0 < int(given) < 65536:
            raise CannotStart(f"{variable}={given} is not a port")
        port = int(given)
        if port in ports.values():
            raise CannotStart(f"port {port} is asked for twice; set {variable} to another one")
        if not is_free(port):
            advice = f"set {variable}=..., e.g. `make up {variable}={8080 if port != 8080 else 8090}`"
            raise CannotStart(f"port {port} is taken by another program; {advice}")
        ports[name] = port
    return ports


def _needs_issuer(environment: Mapping[str, str]) -> bool:
    in_development = environment.get("ENVIRONMENT", "development") == "development"
    return in_development and not environment.get("IDENTITY_ISSUER")


def _environments(
    environment: Mapping[str, str],
    databases: Mapping[str, str],
    redis_url: str,
    urls: Mapping[str, str],
    ports: Mapping[str, int],
) -> dict[str, dict[str, str]]:
    # No child sees a setting that is meant for another one.
    withheld = {*GIVEN_TO_CHILDREN, *PORT_VARIABLES.values(), *DATABASE_VARIABLES.values()}
    shared = {"LOG_LEVEL": "INFO", "PYTHONUNBUFFERED": "1", "HOST": LOOPBACK, "ENVIRONMENT": "development"}
    given = {key: value for key, value in environment.items() if key.startswith("IDENTITY_")}
    identity = {"IDENTITY_ISSUER": urls["issuer"], "IDENTITY_AUDIENCE": AUDIENCE} if "issuer" in urls else given
    shared |= {key: value for key, value in environment.items() if key not in withheld | given.keys()}
    result = {name: shared | {"PORT": str(ports[name])} for name in urls}
    for name in SERVICES:
        result[name] |= {"DATABASE_URL": databases[name], "REDIS_URL": redis_url, **identity}
    result["funding"] |= {"CATALOG_URL": urls["catalog"]}
    result["markers"] |= {"CATALOG_URL": urls["catalog"], "FUNDING_URL": urls["funding"]}
    result["gateway"]["SERVICES"] = ",".join(f"{name}={urls[name]}" for name in SERVICES)
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
    """Without the server's lines that tell of normal life."""
    if log is None:
        return None
    # Asking whether it is ready yet makes the server complain that it is not.
    idle = ("LOG:", "FATAL:  the database system is starting up")
    return lambda label, line: None if line.startswith(idle) else log(label, line)
