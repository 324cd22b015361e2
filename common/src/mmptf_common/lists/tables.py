"""Answers that are tables of groups as CSV: one row a group, and a column for each of its members."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel


def table_of(row: type[BaseModel], member: str) -> Callable[[BaseModel], bytes]:
    """A function that returns an answer as CSV: the records of its list `member`, whose model is `row`."""
    columns = columns_of(row)
    return lambda answer: csv_of(columns, map(cells_of, getattr(answer, member)))


def columns_of(model: type[BaseModel]) -> list[str]:
    """The names of the columns of a model: of its members, and for a member that has members both names with `_`.

    A list of values is one column; a list of records is none.
    """
    return [column for column, _ in _paths(model)]


def selected_columns(model: type[BaseModel], record: str) -> str:
    """SQL that selects the columns of a model, as text; record: SQL of the record's JSON, of type jsonb."""
    return ", ".join(f"{record} #>> '{{{','.join(path)}}}' AS {column}" for column, path in _paths(model))


def cells_of(record: BaseModel) -> dict[str, Any]:
    """Column -> the value in JSON of the record, null where it or what contains it is null."""
    return cells_in(type(record), record.model_dump(mode="json"))


def cells_in(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the values in JSON of a record of this model."""
    return {column: _at(values, path) for column, path in _paths(model)}


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The rows as CSV in UTF-8 with a header, as PostgreSQL writes exports: null is empty, several values have `|`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().encode()


@cache
def _paths(model: type[BaseModel]) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, member in model.model_fields.items():
        inner = _inner(member.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += [(f"{name}_{column}", (name, *path)) for column, path in _paths(inner)]
        elif get_origin(inner) is not list or not _is_model(get_args(inner)[0]):
            found.append((name, (name,)))
    return found


def _inner(annotation: Any) -> Any:
    """The type of a member without null."""
    if get_origin(annotation) in (Union, UnionType):
        (inner, *others) = [option for option in get_args(annotation) if option is not NoneType]
        return annotation if others else inner
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if values is None:
            return None
        values = values[name]
    return values


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "|".join(map(_cell, value))
    return str(value)
