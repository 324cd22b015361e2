"""The gateway's command: mmptf-gateway serve | check | openapi."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from mmptf_common.http import openapi
from mmptf_common.process.build import described
from mmptf_common.process.findings import (
    Finding,
    State,
    check,
    of_metrics_port,
    of_services,
    of_settings,
    of_telemetry,
)
from mmptf_common.process.server import serve
from mmptf_common.process.settings import settings_errors
from mmptf_gateway.app import create_app
from mmptf_gateway.merge import merge
from mmptf_gateway.settings import GatewaySettings


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 1 the settings or the given contracts are wrong."""
    parser = argparse.ArgumentParser(prog="mmptf-gateway", description="The entry point to the services of the suite")
    parser.add_argument("--version", action="version", version=described("mmptf-gateway"))
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("serve", help="answer HTTP requests on HOST:PORT for the services in SERVICES")
    verbs.add_parser("check", help="look whether it could serve: settings, Redis, figures, spans, services")
    printing = verbs.add_parser("openapi", help="print the merged contract of the given ones, without a server")
    printing.add_argument("contracts", nargs="+", metavar="NAME=FILE", help="a service and its openapi.json")
    given = parser.parse_args(arguments)
    if given.verb == "openapi":
        return _print_merged(given.contracts)
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        sys.stderr.write(settings_errors(error))
        return 1
    if given.verb == "check":
        return check("gateway", _findings(settings))
    serve(create_app(settings), settings, cors_origins=settings.cors_origins)
    return 0


async def _findings(settings: GatewaySettings) -> list[Finding]:
    """What is found when the gateway looks whether it could serve: it could where one service answers."""
    # Its client takes memory that no other verb needs.
    from mmptf_common.storage.cache import of_redis

    redis, metrics, spans, services = await asyncio.gather(
        of_redis(settings), of_metrics_port(settings, "gateway"), of_telemetry(settings), of_services(settings.services)
    )
    if all(finding.state is not State.OK for finding in services):
        services = [replace(finding, state=State.FAILED) for finding in services]
    return [*of_settings(settings), *redis, *metrics, *spans, *services]


def _print_merged(files: list[str]) -> int:
    own = create_app(GatewaySettings.model_construct(services={})).openapi()
    try:
        named = {name: file for name, _, file in (entry.partition("=") for entry in files)}
        contracts = {name: json.loads(Path(file).read_text(encoding="utf-8")) for name, file in named.items()}
        sys.stdout.write(openapi.dump(merge(contracts, own)))
    except (OSError, ValueError, LookupError) as error:
        print(f"openapi: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
