"""What the contract says of filters."""

from __future__ import annotations

import pytest

from tests.integration.lookups import listings
from tests.suite import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_filter_that_finds_records_without_a_value_says_so(service: str) -> None:
    unsaid = [
        (listed.path, name)
        for listed in listings(service)
        for name, taken in listed.filters.items()
        if taken.not_stated and "`not_stated`" not in (listed.query.model_fields[name].description or "")
    ]
    assert unsaid == []
