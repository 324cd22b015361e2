"""Base classes of the models of requests and answers, and the types of their texts, codes and days."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from typing_extensions import TypeAliasType

from mmptf_common.wire import texts
from mmptf_common.wire.codes import is_reserved

# What each pattern expects, in words: no error text shows a regular expression.
_IN_WORDS: dict[str, str] = {}


def worded(pattern: str, words: str) -> str:
    """The pattern itself, after which `in_words` returns these words for it."""
    _IN_WORDS[pattern] = words
    return pattern


def in_words(pattern: str) -> str | None:
    """What a pattern expects, with an example; None where nobody has stated it."""
    return _IN_WORDS.get(pattern)


CODE_PATTERN = worded(
    r"^[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*$",
    "a code of letters and digits, with single hyphens, points or underscores between them, such as KEN-UGA-01",
)
COUNTRY_PATTERN = worded(r"^[A-Z]{3}$", "the ISO 3166-1 alpha-3 code of a country, in capitals, such as KEN")
Code = Annotated[str, Field(pattern=CODE_PATTERN, max_length=64)]
# A code that is looked up in a list. Any other text, such as a name, is refused there and not by a pattern, with the
# code that was meant.
ListedCode = Annotated[
    str,
    Field(
        max_length=300,
        pattern=worded(r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$", _IN_WORDS[CODE_PATTERN]),
    ),
    WithJsonSchema({"maxLength": 64, "pattern": CODE_PATTERN, "type": "string"}),
]


# The code of an organization that is written here first: in capitals alone, since the organization that an access token
# names is compared in capitals.
OrganizationCode = Annotated[
    str,
    Field(
        pattern=worded(
            r"^[A-Z0-9]+([-_.][A-Z0-9]+)*$",
            "capitals and digits, with single hyphens, points or underscores between them, such as UN-HABITAT",
        ),
        max_length=64,
    ),
]


def unreserved(code: str) -> str:
    """The code itself; raises PydanticCustomError where it is a reserved word."""
    if is_reserved(code):
        raise PydanticCustomError(
            "reserved", "{code} names a group of totals or a path, and is no code", {"code": code}
        )
    return code


# The code of a record that is written for the first time.
NewCode = Annotated[Code, AfterValidator(unreserved)]

_WORD = re.compile(r"[^\W_]+")


def _on_the_calendar(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value} is not a day of the calendar") from error
    return value


def words_of(text: str) -> list[str]:
    """The words of a text without case and accents, in order."""
    return _WORD.findall(
        "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    )


class _InContracts:
    """The pattern of a text in contracts, which states the part of the rule on formulas that a pattern can."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core_schema), "pattern": worded(texts.PATTERN_IN_CONTRACTS, texts.IN_WORDS)}


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# For a strict whole number in a body, behind its limits: JSON may also write it with a point, such as 12.0.
WHOLE = BeforeValidator(_whole)


# Types of what callers send: text that shows something, is no formula and hides nothing, and a day from 1990 to 2099,
# since a year such as 0 or 9999 is a mistake.
Text = Annotated[
    str,
    Field(min_length=1, pattern=worded(texts.PATTERN, texts.IN_WORDS)),
    AfterValidator(texts.visible_text),
    AfterValidator(texts.not_a_formula),
    _InContracts(),
]
Day = Annotated[
    str,
    Field(
        pattern=worded(
            r"^(199[0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
            "a day from 1990 to 2099, as year, month and day, such as 2025-01-31",
        ),
        json_schema_extra={"format": "date"},
        examples=["2025-01-31"],
    ),
    AfterValidator(_on_the_calendar),
]


class _Described(BaseModel):
    """Base of models whose members are described in a contract by the docstrings below them.

    Pydantic's `use_attribute_docstrings` would read the sources of all models whenever a process starts; here they are
    read when a contract is written.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The JSON Schema of the model, with the descriptions of its members."""
        schema = handler(core_schema)
        members = handler.resolve_ref_schema(schema).get("properties", {})
        for base in reversed(cls.__mro__):
            for name, text in _docstrings(base.__module__).get(base.__name__, {}).items():
                if name in members:
                    members[name]["description"] = text
        for member in filter(_is_text, members.values()):
            member["description"] = " ".join(filter(None, (member.get("description"), texts.IN_CONTRACTS)))
        return schema


def _is_text(node: Any) -> bool:
    """Whether the schema of a member is that of a text, or of several, in a list or by names."""
    if isinstance(node, list):
        return any(map(_is_text, node))
    if not isinstance(node, dict):
        return False
    options = (node.get("items"), node.get("anyOf"), *node.get("patternProperties", {}).values())
    return bool(node.get("pattern") == texts.PATTERN_IN_CONTRACTS or any(map(_is_text, options)))


@cache
def _docstrings(module: str) -> dict[str, Mapping[str, str]]:
    """The docstrings below the members of each class of a module, each as one line."""
    return {
        node.name: {name: " ".join(text.split()) for name, text in _texts_below(node.body)}
        for node in _statements(module)
        if isinstance(node, ast.ClassDef)
    }


def descriptions_of_values() -> dict[str, str]:
    """The descriptions of all closed sets of values that are loaded, by their names: the docstrings below them."""
    return {
        name: inspect.cleandoc(text)
        for module, loaded in list(sys.modules.items())
        if module.startswith("mmptf_") and any(isinstance(value, TypeAliasType) for value in vars(loaded).values())
        for name, text in _texts(module).items()
        if isinstance(getattr(loaded, name), TypeAliasType)
    }


@cache
def _texts(module: str) -> Mapping[str, str]:
    """The names that a module of the suite declares or assigns, with the docstrings below them."""
    return dict(_texts_below(_statements(module)))


def _statements(module: str) -> Sequence[ast.stmt]:
    """The statements of a module of the suite; none of other modules."""
    return ast.parse(inspect.getsource(sys.modules[module])).body if module.startswith("mmptf_") else []


def _texts_below(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The names that are declared or assigned in statements, with the docstrings below them."""
    for statement, below in pairwise(body):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if isinstance(targets[0], ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield targets[0].id, str(below.value.value)


class ResponseModel(_Described):
    """Base of every model of an answer: no other members, frozen, each member present, null where there is no value."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RequestModel(_Described):
    """Base of every model of a body: other members are rejected; a member with a default may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def unset() -> Any:
    """The default of a member of a PatchModel that keeps its value when it is not sent."""
    return None


class PatchModel(RequestModel):
    """Base of every model of a PATCH body: a member whose default is `unset` keeps its value when it is not sent."""

    def stated(self) -> dict[str, Any]:
        """The members with the default `unset` that were sent, as JSON."""
        optional = {name for name, field in type(self).model_fields.items() if field.default_factory is unset}
        return self.model_dump(mode="json", include=self.model_fields_set & optional)
