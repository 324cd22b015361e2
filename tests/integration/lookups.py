"""The lists that a service declares, and the SQL by which their filters look codes up."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from mmptf_common.lists.listing import Filter, Listing


def listings(service: str) -> Iterator[Listing]:
    """Every list of a service."""
    package = importlib.import_module(f"mmptf_{service}")
    found: dict[str, Listing] = {}
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith(("queries", "standings", "targets")):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Listing):
                    found[value.path] = value
    assert found
    yield from found.values()


def lookups(service: str) -> dict[str, Filter]:
    """Every filter with codes of a service's lists, by its SQL."""
    return {f.codes: f for listed in listings(service) for f in listed.filters.values() if f.codes}
