"""The books under random commands: statements equal a plain model's, rejected commands leave nothing.

`BOOKS_EXAMPLES` is the number of sequences of commands that are tried. With `BOOKS_STEPS` there are as many sequences
as it takes to carry out that many commands, and the number is printed. The same seed draws the same commands:

    BOOKS_STEPS=10000 .venv/bin/python -m pytest -n 0 -m tries_more tests/integration/test_books.py --hypothesis-seed=7
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from mmptf_local.cache import Cache
from tests.conftest import running_app
from tests.integration.books_commands import Compare
from tests.integration.books_sequences import Commands, sequences
from tests.integration.books_suite import Suite
from tests.integration.feed_and_reads import changes_of, require_feed_equals_reads
from tests.integration.ledger_client import running_ledger
from tests.serving import served

STEPS = int(os.environ.get("BOOKS_STEPS", "0"))
# The fewest and the most commands of a sequence: where many are carried out, a new suite is started for more of them.
LENGTH = (90, 150) if STEPS else (12, 40)
EXAMPLES = STEPS // LENGTH[0] + 1 if STEPS else int(os.environ.get("BOOKS_EXAMPLES", "3"))

# A sequence takes seconds: to find a shorter one that fails as well takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if "BOOKS_EXAMPLES" in os.environ else [])]


@dataclass
class Tried:
    """The commands and sequences that were carried out so far, and of each command how often it was written or not."""

    steps: int = 0
    sequences: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def tried(request: pytest.FixtureRequest) -> Iterator[Tried]:
    """Counts what is carried out, and prints it at the end."""
    found, began = Tried(), time.monotonic()
    yield found
    if STEPS:
        rate = found.steps / (time.monotonic() - began)
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{found.steps} commands in {found.sequences} sequences, {rate:.1f} a second")
            print(", ".join(f"{outcome} {count}" for outcome, count in sorted(found.outcomes.items())))


def test_the_model_shares_no_code_with_the_service() -> None:
    folder = Path(__file__).parent
    model = {*folder.glob("books*.py"), folder / "period_model.py"} - {folder / "books_suite.py"}
    assert [path.name for path in sorted(model) if "mmptf_" in path.read_text()] == []


@pytest.mark.tries_more
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(commands=sequences(*LENGTH), seed=st.integers(0, 2**32 - 1))
async def test_the_books_equal_a_plain_model(
    new_database: Callable[[str], str], redis_server: Cache, tried: Tried, commands: Commands, seed: int
) -> None:
    if STEPS and tried.steps >= STEPS:
        return
    # A sequence that was varied from another one often has one command many times.
    assume(not STEPS or len(set(map(repr, commands))) > 0.7 * len(commands))
    async with (
        running_app("catalog", new_database("catalog"), redis_server.url) as catalog,
        served(catalog.app) as catalog_url,
        running_ledger(new_database("funding"), catalog_url, redis_server.url) as ledger,
        served(ledger.running.app) as funding_url,
    ):
        catalog.set(funding_url=funding_url)
        suite = Suite(catalog, ledger.running, Random(seed))
        await suite.decide("SC-2", "SC-3")
        for command in commands:
            note(f"{suite.steps + 1}: {command}")
            await suite.do(command)
        await suite.check()
        await suite.do(Compare())
        await suite.compare_stored()
        # Which compares every record with every list, and takes as long as twenty commands.
        for running in (catalog, ledger.running) if tried.sequences % 10 == 0 else ():
            await require_feed_equals_reads(running)
            revisions = [change["revision"] for change in await changes_of(running.client, running.name)]
            for revision in {revisions[len(revisions) // 2], revisions[-1]}:
                await require_feed_equals_reads(running, revision)
        tried.steps += suite.steps
        tried.outcomes += suite.outcomes
        tried.sequences += 1
