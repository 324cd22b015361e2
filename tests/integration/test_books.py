"""The books under random commands: statements equal a plain model's, rejected commands leave nothing.

`BOOKS_EXAMPLES` is the number of sequences of commands that are tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from mmptf_local.cache import Cache
from tests.conftest import running_app
from tests.integration.books_commands import Command, Compare, sequences
from tests.integration.books_suite import Suite
from tests.integration.feed_and_reads import changes_of, require_feed_equals_reads
from tests.integration.ledger_client import running_ledger
from tests.serving import served

EXAMPLES = int(os.environ.get("BOOKS_EXAMPLES", "3"))

# A sequence takes seconds: to find a shorter one that fails as well takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if "BOOKS_EXAMPLES" in os.environ else [])]


@pytest.mark.tries_more
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(commands=sequences)
async def test_the_books_equal_a_plain_model(
    new_database: Callable[[str], str], redis_server: Cache, commands: list[Command]
) -> None:
    async with (
        running_app("catalog", new_database("catalog"), redis_server.url) as catalog,
        served(catalog.app) as catalog_url,
        running_ledger(new_database("funding"), catalog_url, redis_server.url) as ledger,
    ):
        suite = Suite(catalog, ledger.running)
        await suite.decide("SC-2", "SC-3")
        for command in commands:
            note(f"{command}")
            await suite.do(command)
        await suite.do(Compare())
        await suite.compare_stored()
        for running in (catalog, ledger.running):
            await require_feed_equals_reads(running)
            revisions = [change["revision"] for change in await changes_of(running.client, running.name)]
            for revision in {revisions[len(revisions) // 2], revisions[-1]}:
                await require_feed_equals_reads(running, revision)
