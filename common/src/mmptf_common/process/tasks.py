"""Ending the tasks that run beside the requests."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_SECONDS = 1.0


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and return when it has ended; what it raised stays in the task.

    One cancellation may be lost in a library: `asyncio.wait_for` of Python 3.11, with which the client of Redis sends,
    drops one that comes with the result. So it is repeated until the task has ended.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
    if not task.cancelled():
        task.exception()  # so that it is not logged as one that nobody has read
