"""Ending the tasks that run beside the requests."""

import asyncio

import pytest

from mmptf_common.process import tasks
from mmptf_common.process.tasks import end_task


async def test_a_task_ends_that_loses_cancellations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    lost = 0

    async def work() -> None:
        nonlocal lost
        while lost < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end_task(task)
    assert lost == 3
    assert task.cancelled()


async def test_what_a_task_raised_stays_in_it() -> None:
    async def fail() -> None:
        raise ValueError("a failure")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await end_task(task)
    assert str(task.exception()) == "a failure"
