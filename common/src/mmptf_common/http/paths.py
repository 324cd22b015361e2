"""The paths of an app's operations: the one that was probably meant, and what can be done at and below a path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from mmptf_common.wire.spelling import closest_match

_PARAMETER = re.compile(r"\{\w+\}")
_VERSION = re.compile(r"v\d+")


class Operation(NamedTuple):
    """One operation of an app; `path` has its parameters in braces."""

    method: str
    path: str
    summary: str


def operations(app: FastAPI) -> list[Operation]:
    """All operations of an app."""
    return [
        Operation(method, route.path, route.summary or "")
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and route.path
        for method in sorted(route.methods or ())
    ]


def operations_of(known: Iterable[Operation], path: str) -> list[Operation]:
    """The operations at a path and below it, such as that which reverses the record at this path."""
    steps = path.strip("/").split("/")
    return [o for o in known if _matches(o.path.strip("/").split("/")[: len(steps)], steps)]


def closest_path(known: Iterable[Operation], path: str) -> str | None:
    """The path of an operation that was probably meant: None where there is none, or more than one.

    The words of the path are compared one by one: without regard to case, plural, `_` for `-` and version, and with
    misspellings; slashes too many are left out.
    """
    steps = [step for step in path.split("/") if step]
    found: dict[int, set[str]] = {}
    for template in {operation.path for operation in known}:
        words = template.strip("/").split("/")
        if len(words) == len(steps):
            differences = [_difference(word, step) for word, step in zip(words, steps, strict=True)]
            if None not in differences:
                meant = [s if _PARAMETER.fullmatch(w) else w for w, s in zip(words, steps, strict=True)]
                found.setdefault(sum(each or 0 for each in differences), set()).add("/" + "/".join(meant))
    best = found[min(found)] if found else set()
    return best.pop() if len(best) == 1 else None


def _matches(words: Sequence[str], steps: Sequence[str]) -> bool:
    return len(words) == len(steps) and all(
        word == step or _PARAMETER.fullmatch(word) for word, step in zip(words, steps, strict=True)
    )


def _difference(word: str, step: str) -> int | None:
    """How much a word of a path differs from the one that was sent: 0 not at all, None where it is another word."""
    if word == step:
        return 0
    if _PARAMETER.fullmatch(word):
        # A word of a path that is there is preferred to any text as a code.
        return 3
    plain = step.casefold().replace("_", "-")
    if word.rstrip("s") == plain.rstrip("s") or (_VERSION.fullmatch(word) and _VERSION.fullmatch(plain)):
        return 1
    return 2 if closest_match(plain, [word]) else None
