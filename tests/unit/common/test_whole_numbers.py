"""Whole numbers in bodies: JSON has one kind of number, so that 12.0 is as whole as 12."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from mmptf_common.wire.base import WHOLE
from mmptf_markers.engine.results import Answer
from tests.unit.common.request_models import request_models

NUMBER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(strict=True, ge=1), WHOLE])


@pytest.mark.parametrize("text", ["12", "12.0", "1.2e1"])
def test_a_number_without_a_fraction_is_whole(text: str) -> None:
    found = NUMBER.validate_json(text)
    assert (found, type(found)) == (12, int)


@pytest.mark.parametrize("text", ["12.5", '"12"', "true", "null", "[12]", "0.0"])
def test_nothing_else_is(text: str) -> None:
    with pytest.raises(ValidationError):
        NUMBER.validate_json(text)


def test_an_answer_may_have_a_point() -> None:
    answers: TypeAdapter[Answer] = TypeAdapter(Answer)
    found = answers.validate_json("2.0")
    assert (found, type(found)) == (2, int)
    assert answers.validate_json('"2"') == "2"
    for text in ("2.5", "true"):
        with pytest.raises(ValidationError):
            answers.validate_json(text)


def numbers_of_bodies() -> list[Any]:
    """The type of each member of a body that is a whole number, or may be one, and the least that it takes."""
    found = []
    for model in request_models():
        for name, field in model.model_fields.items():
            # An answer may be a text, too, and has a test of its own.
            if field.annotation is Answer:
                continue
            adapter: TypeAdapter[Any] = TypeAdapter(
                Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            )
            schema = adapter.json_schema()
            options = [schema, *schema.get("anyOf", [])]
            if numbers := [each for each in options if each.get("type") == "integer"]:
                found.append(pytest.param(adapter, numbers[0].get("minimum", 1), id=f"{model.__name__}.{name}"))
    return found


def test_the_numbers_of_all_services_are_found() -> None:
    assert len(numbers_of_bodies()) == 8


@pytest.mark.parametrize(("adapter", "least"), numbers_of_bodies())
def test_every_whole_number_of_a_body_may_have_a_point(adapter: TypeAdapter[Any], least: int) -> None:
    found = adapter.validate_json(f"{least}.0")
    assert (found, type(found)) == (least, int)
    for text in (f"{least}.5", f'"{least}"'):
        with pytest.raises(ValidationError):
            adapter.validate_json(text)
