"""Counts of requests in a sliding window of a minute, alone and exchanged through what stands for Redis."""

from __future__ import annotations

from typing import Any

import pytest

from mmptf_common.storage import request_counts
from mmptf_common.storage.request_counts import MOST_CLIENTS, RequestCounts

BEGIN = 1_800_000_000  # the first second of a minute


class Clock:
    def __init__(self) -> None:
        self.now = float(BEGIN)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    class Time:
        @staticmethod
        def time() -> float:
            return clock.now

    monkeypatch.setattr(request_counts, "time", Time)
    return clock


class Store:
    """Redis as the exchange uses it: integers by key, and the failures that a test asks for."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.fails: Exception | None = None
        self.applies_before_it_fails = False

    def pipeline(self, *, transaction: bool) -> _Pipeline:
        assert not transaction
        return _Pipeline(self)


class _Pipeline:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.commands: list[tuple[str, Any, Any]] = []

    async def __aenter__(self) -> _Pipeline:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def incrby(self, key: str, count: int) -> None:
        self.commands.append(("incrby", key, count))

    def expire(self, key: str, seconds: int) -> None:
        self.commands.append(("expire", key, seconds))

    def get(self, key: str) -> None:
        self.commands.append(("get", key, None))

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        if self.store.fails and not self.store.applies_before_it_fails:
            raise self.store.fails
        answers: list[Any] = []
        for verb, key, value in self.commands:
            stored = self.store.values.get(key, 0)
            if verb == "incrby" and isinstance(stored, int):
                self.store.values[key] = stored + value
                answers.append(stored + value)
            elif verb == "incrby":
                answers.append(ValueError("not an integer"))
            elif verb == "expire":
                answers.append(1)
            else:
                answers.append(str(stored).encode() if key in self.store.values else None)
        if self.store.fails:
            raise self.store.fails
        return answers


def exchanged() -> RequestCounts:
    """Counts that a test exchanges itself."""
    counts = RequestCounts()
    counts._is_exchanged = True
    return counts


def allowed(counts: RequestCounts, times: int, limit: int = 100, client: str = "a") -> int:
    return sum(counts.count("pages", client, limit).allowed for _ in range(times))


def test_as_many_as_the_limit_are_allowed_and_those_refused_do_not_count(clock: Clock) -> None:
    counts = RequestCounts()
    first = counts.count("pages", "a", 100)
    assert (first.allowed, first.remaining, first.seconds) == (True, 99, 60)
    assert allowed(counts, 500) == 99
    refused = counts.count("pages", "a", 100)
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert counts.count("writes", "a", 100).allowed and counts.count("pages", "b", 100).allowed


def test_the_seconds_to_wait_are_those_until_the_next_one_is_allowed(clock: Clock) -> None:
    for began in (0.0, 12.3, 59.9):
        for limit in (1, 3, 100):
            counts = RequestCounts()
            clock.now = BEGIN + began
            allowed(counts, limit, limit)
            for _ in range(5):
                refused = counts.count("pages", "a", limit)
                assert not refused.allowed
                clock.now += max(refused.seconds - 2, 0)
                assert not counts.count("pages", "a", limit).allowed
                clock.now += min(refused.seconds, 2)
                assert counts.count("pages", "a", limit).allowed
                allowed(counts, limit, limit)


def test_bursts_gain_at_most_one_limit_in_a_minute_and_little_in_ten(clock: Clock) -> None:
    """The requests of the window before are taken as evenly spread, which those of a burst are not."""
    counts = RequestCounts()
    sent: list[float] = []
    for step in range(3000):
        clock.now = BEGIN + step / 5
        burst = 50 if step % 97 < 5 else 1
        sent += [clock.now] * allowed(counts, burst)
    most = max(sum(at <= other < at + 60 for other in sent) for at in sent)
    assert 100 <= most <= 200
    per_minute = len(sent) / 10
    assert 80 <= per_minute <= 115


def test_after_a_quiet_minute_everything_is_free_again(clock: Clock) -> None:
    counts = RequestCounts()
    allowed(counts, 100)
    clock.now += 120
    assert counts.count("pages", "a", 100).remaining == 99


def test_a_clock_that_is_set_back_locks_nobody_out(clock: Clock) -> None:
    counts = RequestCounts()
    allowed(counts, 100)
    clock.now -= 86_400
    assert allowed(counts, 100) == 100


async def test_no_more_clients_are_kept_than_the_bound(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_CLIENTS == 100_000
    monkeypatch.setattr(request_counts, "MOST_CLIENTS", 100)
    monkeypatch.setattr(request_counts, "MOST_UNSENT", 50)
    counts = exchanged()
    for number in range(1000):
        counts.count("pages", f"client {number}", 100)
        counts.count("pages", "one that asks all the time", 5000)
    assert len(counts._windows) == 100 and len(counts._unsent) == 50
    assert counts.count("pages", "one that asks all the time", 5000).remaining == 3999
    store = Store()
    await counts.exchange(store)  # type: ignore[arg-type]
    assert not counts._unsent
    counts.count("pages", "client 999", 100)
    await counts.exchange(store)  # type: ignore[arg-type]
    assert 2 in store.values.values(), "what found no room is sent with the next request"


async def test_two_processes_share_a_limit_after_an_exchange(clock: Clock) -> None:
    store, one, two = Store(), exchanged(), exchanged()
    assert (allowed(one, 60), allowed(two, 30)) == (60, 30)
    for _ in range(2):
        for each in (one, two):
            await each.exchange(store)  # type: ignore[arg-type]
        assert (allowed(one, 1), allowed(two, 1)) == (1, 1)
    # One has heard of 30 of the other's, and the other of 61 of one's.
    assert (allowed(one, 50), allowed(two, 50)) == (8, 7)
    clock.now += 60
    for each in (one, two):
        await each.exchange(store)  # type: ignore[arg-type]
    third = exchanged()
    assert allowed(third, 1) == 1
    await third.exchange(store)  # type: ignore[arg-type]
    assert allowed(third, 10) == 0, "the minute before is shared, too"


async def test_who_the_client_is_cannot_be_read_from_the_keys(clock: Clock) -> None:
    store, counts = Store(), exchanged()
    counts.count("subject-writes", "jane.doe@example.org", 100)
    await counts.exchange(store)  # type: ignore[arg-type]
    (key,) = store.values
    assert key.startswith("mmptf-requests:subject-writes:") and "jane" not in key


@pytest.mark.parametrize("applies", [False, True])
async def test_a_store_that_fails_neither_opens_nor_shuts(clock: Clock, applies: bool) -> None:
    store, one, two = Store(), exchanged(), exchanged()
    store.fails, store.applies_before_it_fails = ConnectionError("gone"), applies
    for second in range(20):
        clock.now = BEGIN + second
        for each in (one, two):
            assert allowed(each, 4) == 4
            with pytest.raises(ConnectionError):
                await each.exchange(store)  # type: ignore[arg-type]
    assert allowed(one, 100) == 20, "alone with the same limit"
    store.fails = None
    for each in (one, two):
        await each.exchange(store)  # type: ignore[arg-type]
    assert allowed(two, 100) <= 20


async def test_foreign_values_and_noise_are_passed_over(clock: Clock) -> None:
    store, counts = Store(), exchanged()
    allowed(counts, 10)
    await counts.exchange(store)  # type: ignore[arg-type]
    (key,) = store.values
    store.values[key] = "a text of someone else"
    allowed(counts, 10)
    await counts.exchange(store)  # type: ignore[arg-type]
    assert allowed(counts, 100) == 80


async def test_an_exchange_is_bounded_and_goes_on_where_it_stopped(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_counts, "IN_ONE_EXCHANGE", 250)
    store, counts = Store(), exchanged()
    for number in range(600):
        counts.count("pages", f"client {number}", 100)
    for reached in (250, 500, 600):
        await counts.exchange(store)  # type: ignore[arg-type]
        assert len(store.values) == reached
