"""The verbs of a service's command: those of every service, such as serve and migrate, and those of single services."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import asyncpg
from pydantic import SecretStr, ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from mmptf_common.http import openapi
from mmptf_common.process.build import described
from mmptf_common.process.findings import check
from mmptf_common.process.server import serve
from mmptf_common.process.settings import ServiceSettings, settings_errors
from mmptf_common.service import Service, create_service
from mmptf_common.storage.engines import open_database
from mmptf_common.storage.erasure import erase_subject
from mmptf_common.storage.journal import Author
from mmptf_common.storage.privileges import role_of
from mmptf_common.storage.rollups import differences
from mmptf_common.storage.schema_version import SchemaError, is_newer, require_database
from mmptf_common.storage.writing import writing
from mmptf_common.wire.problems import ProblemError


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb that only one service has; `run` takes the service's settings and returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Any, argparse.Namespace], int]


@dataclass(frozen=True, slots=True)
class OfflineVerb:
    """A verb that needs no settings and no database; `run` returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(
    service: Service[Any],
    arguments: list[str] | None = None,
    *,
    own: Mapping[str, Verb | OfflineVerb] = MappingProxyType({}),
) -> int:
    """Run one verb; returns the exit code: 0 done, 1 when the settings, the database or the input are not usable.

    3 when `serve` cannot start: a setting is not wrong then, and it may be able to start later.
    """
    parser = argparse.ArgumentParser(prog=f"mmptf-{service.name}", description=service.title)
    parser.add_argument("--version", action="version", version=described(f"mmptf-{service.name}"))
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("serve", help="answer HTTP requests on HOST:PORT")
    verbs.add_parser("check", help="look whether it could serve: settings, database, Redis, keys, other services")
    verbs.add_parser("migrate", help="bring the schema to this version's head, as the owner of its tables")
    verbs.add_parser("seed", help="load the packaged data; what others have changed is left as it is")
    erasing = verbs.add_parser(
        "erase-subject", help="put a pseudonym in the place of a person, as the owner of the tables"
    )
    erasing.add_argument("subject", metavar="SUBJECT", help="the person's id at the identity provider (sub)")
    verbs.add_parser("check-rollups", help="compare every stored number and sum with a recount of the rows")
    verbs.add_parser("openapi", help="print the contract, without a database")
    for name, more in own.items():
        more.add_arguments(verbs.add_parser(name, help=more.help))
    parsed = parser.parse_args(arguments)
    verb = parsed.verb
    special = own.get(verb)
    if isinstance(special, OfflineVerb):
        return special.run(parsed)
    if verb == "openapi":
        nowhere = service.settings.model_construct(database_url=SecretStr("postgresql://"))
        sys.stdout.write(openapi.dump(create_service(service, nowhere).openapi()))
        return 0
    try:
        settings = service.settings()
    except ValidationError as error:
        sys.stderr.write(settings_errors(error))
        return 1
    failed = 3 if verb == "serve" else 1
    try:
        if verb == "serve":
            url = settings.database_url.get_secret_value()
            asyncio.run(require_database(url, service.package, is_pooled=settings.is_pooled))
            serve(create_service(service, settings), settings)
        elif verb == "check":
            # Its client and the libraries for keys take 30 MB, and no other verb needs all of them.
            from mmptf_common.check import findings_of

            return check(service.name, findings_of(service, settings))
        elif verb == "migrate":
            # Alembic takes 10 MB, and no other verb needs it.
            from mmptf_common.storage import migrations

            role = role_of(settings.database_url.get_secret_value())
            before, after = asyncio.run(migrations.migrate(settings.owner_url, service.package, serving_role=role))
            if is_newer(after, service.package):
                print(f"{service.name}: schema at {after}, of a newer version; this one may serve with it")
            else:
                print(f"{service.name}: schema at {after}" + ("" if before == after else f" (was {before or 'empty'})"))
        else:
            # Every other verb needs a database with a schema that this version may serve with, and the one that erases
            # a person the one of this version, since it has to know all tables.
            is_exact = verb == "erase-subject"
            if verb == "erase-subject":
                owner = SecretStr(settings.owner_url)
                settings = settings.model_copy(update={"database_url": owner, "database_direct_url": None})
            asyncio.run(require_database(settings.session_url, service.package, is_exact=is_exact))
            if special:
                return special.run(settings, parsed)
            if verb == "erase-subject":
                return _erase(service.name, settings, parsed.subject)
            if verb == "check-rollups":
                return _check_rollups(service, settings)
            print(f"{service.name}: data at revision {asyncio.run(seed(service, settings))}")
    except ProblemError as problem:
        cause = f" ({_first_line(problem.__cause__)})" if problem.__cause__ else ""
        print(f"{service.name}: {verb} failed: {problem.detail}{cause}", file=sys.stderr)
        return failed
    except (OSError, SQLAlchemyError, SchemaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        print(f"{service.name}: {verb} failed: {_first_line(error)}", file=sys.stderr)
        return failed
    return 0


def _first_line(error: BaseException) -> str:
    """The message; the lines after the first link to a library's documentation. A time-out has none."""
    if isinstance(error, DBAPIError) and error.orig and error.orig.__cause__:
        # What the driver itself said.
        error = error.orig.__cause__
    return str(error).partition("\n")[0] or type(error).__name__


def _erase(name: str, settings: ServiceSettings, subject: str) -> int:
    """Erase a subject; returns 0, or 1 where the texts of records contain it still, which are printed."""
    done = asyncio.run(erase_subject(settings, subject))
    if not (done.writes or done.answers or done.named):
        print(f"{name}: nothing is held of this subject")
    else:
        print(f"{name}: {done.pseudonym} has {done.writes} writes and {done.answers} stored answers")
    if done.mentions:
        print(f"{name}: still in texts, now or earlier: {', '.join(done.mentions)}", file=sys.stderr)
    return 1 if done.mentions else 0


def _check_rollups(service: Service[Any], settings: ServiceSettings) -> int:
    """Compare derived tables with the rows that they are of; returns 0, or 1 where some differ, which are printed."""
    differing = asyncio.run(differences(settings.session_url, service.metadata))
    for line in differing:
        print(f"{service.name}: {line}", file=sys.stderr)
    if not differing:
        print(f"{service.name}: all derived rows equal a recount")
    return 1 if differing else 0


async def seed(service: Service[Any], settings: ServiceSettings) -> int:
    """Load the packaged data in one transaction; returns the revision of the data."""
    async with open_database(settings) as database, writing(database, is_long=True) as session:
        return await service.seed(session, Author(actor="seed"))
