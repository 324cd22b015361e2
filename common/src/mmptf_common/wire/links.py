"""Links to paths of the suite, as callers reach them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextvars import ContextVar

# The setting BASE_PATH of the process that answers the current request. Outside of requests it is empty, and what is
# stored never contains it, so that it can be changed.
current_base_path: ContextVar[str] = ContextVar("base_path", default="")


def link(path: str) -> str:
    """The path under which callers reach a path of the suite: with the base path of this process before it."""
    return current_base_path.get() + path


def base_path_pattern(base_path: str, segments: Iterable[str]) -> re.Pattern[bytes] | None:
    """Finds the base path at the beginning of a path from which no proxy has taken it; None where there is none.

    segments: the first segments of the app's paths; only before one of them is it the base path, since a base path may
              begin as a path of the app does
    """
    named = "|".join(map(re.escape, segments))
    return re.compile(f"^{re.escape(base_path)}(?=/({named})(/|$))".encode()) if base_path else None
