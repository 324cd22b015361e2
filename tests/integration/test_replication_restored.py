"""Replication of a source that was restored to an earlier state starts again with a whole copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import pytest

from tests.conftest import RunningApp, running_app
from tests.integration.changes import amend, delete, write
from tests.integration.replicas import (
    Databases,
    Pair,
    age,
    audited,
    copy_state,
    failures,
    programme,
    retitled,
    revision,
    until,
)

pytestmark = pytest.mark.usefixtures("short_intervals")


@pytest.fixture(scope="module")
async def earlier(pair: Pair, new_database: Databases) -> AsyncIterator[tuple[RunningApp, RunningApp]]:
    """Two catalogues in the state of before, and changes of the pair's own catalogue since then."""
    await fill(pair.home, await revision(pair.home) + 20)
    async with (
        running_app("catalog", new_database("catalog"), None) as first,
        running_app("catalog", new_database("catalog"), None) as second,
    ):
        yield first, second


async def fill(catalog: RunningApp, last: int) -> None:
    """Bring the journal of a catalogue to a length with changes of its own."""
    lacking = last - await revision(catalog)
    assert lacking > 0
    title = retitled("SRB-01", f"Instead, up to {last}")
    await write(catalog, title, *(amend("IOM", note=f"{last}.{number}") for number in range(lacking - 1)))
    assert await revision(catalog) == last


async def test_a_source_restored_to_before_the_last_replicated_change_is_noticed(
    synced: Pair, earlier: tuple[RunningApp, RunningApp]
) -> None:
    """Their last change stands before the last replicated one: changes are numbered alike and differ."""
    first, second = earlier
    assert await revision(first) == await revision(second)
    await write(first, *(amend("IOM", note=f"{number}") for number in range(3)))
    await write(second, retitled("MKD-01", "Instead"))
    await write(second, *(amend("IOM", note=f"{number}") for number in range(4)))
    for catalog in earlier:
        beginning = await synced.last_change()
        await synced.source.become(catalog)
        await synced.is_copied_anew(beginning)
        await synced.catch_up()


async def test_a_source_that_was_restored_is_copied_again(synced: Pair, earlier: tuple[RunningApp, RunningApp]) -> None:
    home, other = synced.home, earlier[0]
    undone = [f"UNDONE-{number}" for number in range(5)]
    title = retitled("MKD-01", "Undone")
    await write(home, *map(programme, undone), title, delete("PER-01", "programme"))
    # Both catalogues can then have fewer, as many and more changes.
    await fill(home, await revision(home) + 10)
    await synced.catch_up()
    known = await revision(home)
    # Fewer than are known; as many, which are others; more, which are others.
    for length in (None, known, known + 3):
        if length is not None:
            await fill(other, length)
        for catalog in (other, home):
            before, beginning = await synced.copied(), await synced.last_change()
            if catalog is other:
                # Between two requests, so that no request fails.
                await synced.source.become(other)
            else:
                await synced.source.fail("503")
                synced.source.catalog = home
                synced.source.mend()
            await synced.is_copied_anew(beginning)
            after, entries = await synced.copied(), await audited(synced.markers, beginning)
            assert len({entry["revision"] for entry in entries}) == 1
            assert {(entry["entity"], entry["key"]) for entry in entries} == {
                which for which in before.keys() | after.keys() if before.get(which) != after.get(which)
            }
            deleted = {entry["key"] for entry in entries if entry["action"] == "delete"}
            assert deleted >= (set(undone) if catalog is other else {"PER-01"})
            # Later changes are replicated as before.
            await write(catalog, retitled("MKD-01", f"Afterwards {length}"))
            await synced.catch_up()
    await write(home, *(delete(code, "programme") for code in undone))


async def test_a_source_that_is_restored_while_the_own_database_is_away_is_copied_again(
    synced: Pair, earlier: tuple[RunningApp, RunningApp], caplog: pytest.LogCaptureFixture
) -> None:
    await write(synced.home, programme("MORE-01"))
    await fill(synced.home, max(await revision(synced.home), await revision(earlier[1])) + 5)
    await synced.catch_up()
    held, beginning = await synced.copied(), await synced.last_change()
    synced.source.when_asked = synced.to_database.cut
    await synced.source.become(earlier[1])
    await until(lambda: len(failures(caplog)) >= 3)
    assert await synced.copied() == held
    synced.source.when_asked = lambda: None
    synced.to_database.mend()
    await synced.is_copied_anew(beginning)


async def test_while_a_restored_source_fails_the_copy_stays_and_its_age_is_known(
    synced: Pair, earlier: tuple[RunningApp, RunningApp]
) -> None:
    await write(synced.home, programme("MORE-02"))
    await fill(synced.home, max(await revision(synced.home), await revision(earlier[1])) + 5)
    await synced.catch_up()
    held, state, beginning = (
        await synced.copied(),
        await copy_state(synced.markers),
        await synced.last_change(),
    )
    questions = count()

    def fail_later() -> None:
        # The first answer shows that the source was restored.
        if synced.source.catalog is earlier[1] and next(questions):
            synced.source.error = "503"

    synced.source.when_asked = fail_later
    await synced.source.become(earlier[1])
    await until(synced.source.was_asked(3))
    assert await synced.copied() == held
    now = await copy_state(synced.markers)
    assert now == {**state, "reached": 0, "age_seconds": now["age_seconds"]}
    assert state["age_seconds"] <= now["age_seconds"] <= await age(synced.markers)
    synced.source.when_asked = lambda: None
    synced.source.mend()
    await synced.is_copied_anew(beginning)
