"""Texts that a spreadsheet would take for a formula are refused in every body, and honest texts are not."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypeAliasType

from mmptf_common.http.spreadsheets import MARK, defused
from mmptf_common.wire.base import ListedCode, Text
from mmptf_funding.imports import template
from mmptf_funding.ledger.schemas import CountrySent
from mmptf_markers.engine.results import Answer
from tests.unit.common.request_models import request_models

FORMULAS = [
    "=1+1", "=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0", "+1-cmd", "-1+cmd|' /C calc'!A0", "-2+3+cmd|'x'!A",
    "+cmd|' /C calc'!A0", "-cmd", "- cmd|' /C calc'!A0", '- HYPERLINK("https://example.org?x="&A1)', "- A.A!B1", "-=1",
    " =1+1", "\u200b=1+1", "\u00a0=1", "\uff1d1+1", "\uff0b1-cmd", "\uff0d1+cmd", "\uff20SUM(1)", "--cmd",
]  # fmt: skip
BROKEN = ["\t=1", "\rx", "\tx", "\n=1+1"]
HONEST = [
    "-5", "-5.25 %", "+41 22 717 91 11", "+41 (0)22 717-9111", "- trained staff", "- one\n- two", "+ more",
    "1 = 1", "a@example.org", "Côte d'Ivoire", "x =1+1", "'=1+1", "(=1)", "+", "-", "\u2013", "— said so", "•= x",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS + BROKEN)
def test_a_formula_is_refused(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Text).validate_python(text)
    (error,) = caught.value.errors()
    if error["type"] == "formula":
        assert "it may not begin with =, @, a tab or a carriage return" in error["msg"]


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_text_is_accepted(text: str) -> None:
    assert TypeAdapter(Text).validate_python(text) == text


def bodies() -> list[type[BaseModel]]:
    """The models of all bodies, and of the rows of all tables of an import."""
    rows = [m for m in vars(template).values() if isinstance(m, type) and issubclass(m, template.Row)]
    return [
        model for model in [*request_models(), *rows] if model.__module__.startswith("mmptf_") and model.model_fields
    ]


LISTED = {id(each) for kind in (ListedCode, CountrySent) for each in kind.__metadata__}


def texts_in(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[Any]:
    """The types of the texts in a type; those of models are found with their own."""
    # An answer is compared with the levels of its rubric.
    if annotation is Answer:
        return
    if isinstance(annotation, TypeAliasType):
        yield from texts_in(annotation.__value__, metadata)
    elif get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from texts_in(inner, (*more, *metadata))
    elif get_origin(annotation) in (Union, UnionType):
        for option in get_args(annotation):
            yield from texts_in(option, metadata)
    elif annotation is str:
        # A listed code is compared with a list, and any other text is refused there.
        if not LISTED.intersection(map(id, metadata)):
            yield Annotated[str, *metadata] if metadata else str
    elif get_origin(annotation) is not Literal:
        for inner in get_args(annotation):
            yield from texts_in(inner)


FIELDS = [
    pytest.param(kind, id=f"{model.__module__}.{model.__name__}.{name}.{number}")
    for model in bodies()
    for name, field in model.model_fields.items()
    for number, kind in enumerate(texts_in(field.annotation, tuple(field.metadata)))
]


def test_the_texts_of_all_services_are_found() -> None:
    assert len(FIELDS) > 60


@pytest.mark.parametrize("kind", FIELDS)
def test_no_text_of_a_body_takes_a_formula(kind: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    for text in FORMULAS + BROKEN:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


def test_a_table_for_spreadsheets_is_defused() -> None:
    table = 'a,b\n=1+1,-5.25\n"x;=1,""y",+1-cmd\n"- one\n- two",Plain\n'
    expected = 'a,b\n\'=1+1,-5.25\n"x;\'=1,""y",\'+1-cmd\n"\'- one\n- two",Plain\n'
    assert defused(table.encode()) == MARK + expected.encode()
