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

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from typing_extensions import TypeAliasType

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


def unreserved(code: str) -> str:
    """The code itself; raises PydanticCustomError where it is a reserved word."""
    if is_reserved(code):
        raise PydanticCustomError(
            "reserved", "{code} names a group of totals or a path, and is no code", {"code": code}
        )
    return code


# The code of a record that is written for the first time.
NewCode = Annotated[Code, AfterValidator(unreserved)]

_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
# Characters that show nothing and turn the direction of what follows, so that a text reads otherwise than it is. The
# marks of direction between letters (U+200E, U+200F) stay: texts in Arabic and Hebrew need them.
TURNING = r"\u202a-\u202e\u2066-\u2069"
_WORD = re.compile(r"[^\W_]+")
# Characters that show nothing: a text of them alone is blank.
_UNSEEN = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff9-\ufffb"
)
# What nobody sees in an address.
HIDDEN = _CONTROL + TURNING + _UNSEEN


# What makes a spreadsheet take a cell for a formula, in both widths.
_SIGNS = "+-\uff0b\uff0d"
_FORMULA = "=@\uff1d\uff20"
# After a sign: a number or what is written like one, such as a telephone number; or the item of a list, without what a
# formula needs to call a function, to reach another program or to refer to another file.
_AFTER_A_SIGN = re.compile(r"[\d\s.,/()%\u2013-]*| +[^\W\d_][^(|!#\[]*")


def not_a_formula(text: str) -> str:
    """The text itself; raises PydanticCustomError where a spreadsheet would take it for a formula."""
    shown = re.sub(rf"^[\s{_UNSEEN}]+", "", text)
    first = text[:1] if text[:1] in ("\t", "\r") else shown[:1]
    if (first and first in f"\t\r{_FORMULA}") or (first in _SIGNS and not _AFTER_A_SIGN.fullmatch(shown[1:])):
        raise PydanticCustomError(
            "formula",
            "a text that begins with {first} is a formula for spreadsheets; it may not begin with =, @, a tab or a"
            " carriage return, and with + or - only where a number follows, or a space and words without ( | ! # [",
            {"first": {"\t": "a tab", "\r": "a carriage return"}.get(first, first)},
        )
    return text


def _on_the_calendar(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value} is not a day of the calendar") from error
    return value


# What no text takes, and then what no code and no address takes.
_REFUSED = re.compile(f"[{_CONTROL}{TURNING}]"), re.compile(f"[{_UNSEEN}]")


def hidden_character(text: str) -> str | None:
    """The first character of a refused text that nobody sees, such as `character 3 is U+200B ZERO WIDTH SPACE`.

    One that controls or turns the text comes before one that only shows nothing. None where there is neither.
    """
    found = next(filter(None, (refused.search(text) for refused in _REFUSED)), None)
    if found is None:
        return None
    name = unicodedata.name(found[0], "a control character")
    return f"character {found.start() + 1} is U+{ord(found[0]):04X} {name}"


def words_of(text: str) -> list[str]:
    """The words of a text without case and accents, in order."""
    return _WORD.findall(
        "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    )


# Types of what callers send: text without control characters that is not blank, and a day from 1990 to 2099, since a
# year such as 0 or 9999 is a mistake.
Text = Annotated[
    str,
    Field(
        min_length=1,
        pattern=worded(
            rf"^[^{_CONTROL}{TURNING}]*[^{_CONTROL}{TURNING}\s{_UNSEEN}][^{_CONTROL}{TURNING}]*$",
            'a text that shows something, without characters that control or turn it, such as "Fair recruitment"',
        ),
    ),
    AfterValidator(not_a_formula),
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
        return schema


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
        for name, text in _texts_below(_statements(module))
        if isinstance(getattr(loaded, name), TypeAliasType)
    }


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
