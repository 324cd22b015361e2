"""Whole numbers in bodies: JSON has one kind of number, so that 12.0 is as whole as 12."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from mmptf_common.wire.base import WHOLE

NUMBER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(strict=True, ge=1), WHOLE])


@pytest.mark.parametrize("text", ["12", "12.0", "1.2e1"])
def test_a_number_without_a_fraction_is_whole(text: str) -> None:
    found = NUMBER.validate_json(text)
    assert (found, type(found)) == (12, int)


@pytest.mark.parametrize("text", ["12.5", '"12"', "true", "null", "[12]", "0.0"])
def test_nothing_else_is(text: str) -> None:
    with pytest.raises(ValidationError):
        NUMBER.validate_json(text)
