"""Links to paths of the suite, as callers reach them."""

from __future__ import annotations

from contextvars import ContextVar

# The setting BASE_PATH of the process that answers the current request. Outside of requests it is empty, and what is
# stored never contains it, so that it can be changed.
current_base_path: ContextVar[str] = ContextVar("base_path", default="")


def link(path: str) -> str:
    """The path under which callers reach a path of the suite: with the base path of this process before it."""
    return current_base_path.get() + path
