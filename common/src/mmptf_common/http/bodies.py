"""JSON bodies: strict reading, and Pydantic's errors of a body as those of a problem document."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from pydantic import TypeAdapter
from starlette.requests import Request

from mmptf_common.wire.base import in_words
from mmptf_common.wire.money import AMOUNT_SENT_PATTERN
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import MAX_ERRORS, BadRequest, ErrorDetail, InvalidRequest, error_detail, reason_of
from mmptf_common.wire.spelling import closest_match

MAX_POINTER = 1000
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
}
# Pydantic's errors of values of another type, beside those whose names end with `_type`.
_OF_TYPES = {"int_parsing", "int_from_float", "int_parsing_size", "finite_number"}

# Those of validators of the suite, whose types are codes.
_OWN_TYPES = {str(code): code for code in (ProblemCode.UNKNOWN_CODE, ProblemCode.RESERVED)}

Schema = Mapping[str, Any]


class JsonRequest(Request):
    """A request whose JSON is read strictly: see `parse_json`."""

    async def json(self) -> Any:
        """The body as JSON; raises InvalidRequest, BadRequest or JSONDecodeError as `parse_json` does."""
        return parse_json(await self.body())


def parse_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises InvalidRequest where an object names a member twice, since readers of JSON differ in which one counts;
    BadRequest for NaN and Infinity, text in no encoding of Unicode, too many digits and too deep nesting;
    JSONDecodeError for what is no JSON otherwise.
    """
    try:
        return json.loads(body, object_pairs_hook=_without_repetition, parse_constant=_refuse_constant)
    except _Repeated:
        found = json.loads(body, object_pairs_hook=_Pairs)
        raise InvalidRequest(_repeated_members(found)) from None
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError:
        raise BadRequest("The body is not JSON: its bytes are not UTF-8.", code=ProblemCode.INVALID_JSON) from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.", code=ProblemCode.INVALID_JSON) from None
    except ValueError:
        # The only other one: Python converts no more digits, so that a number cannot occupy a process.
        raise BadRequest("The body has a number with too many digits.", code=ProblemCode.INVALID_JSON) from None


class _Repeated(Exception):
    """An object has a member twice."""


class _Pairs(list[tuple[str, Any]]):
    """The members of an object with the repeated ones."""


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise BadRequest(f"The body is not JSON: {word} is no value of JSON.", code=ProblemCode.INVALID_JSON)


def _repeated_members(value: Any) -> list[ErrorDetail]:
    """The error of each repeated member at any depth, without recursion."""
    errors: list[ErrorDetail] = []
    waiting: deque[tuple[str, Any]] = deque([("", value)])
    while waiting and len(errors) < MAX_ERRORS:
        where, value = waiting.popleft()
        if isinstance(value, _Pairs):
            seen: dict[str, int] = {}
            for name, member in value:
                seen[name] = seen.get(name, 0) + 1
                at = pointer_of([name], where)
                waiting.append((at, member))
                if seen[name] == 2:
                    detail = f"{_shown(at)}: this member is there more than once, and which one is meant is not known"
                    errors.append(error_detail(ProblemCode.REPEATED_MEMBER, detail, pointer=at))
        elif isinstance(value, list):
            waiting.extend((f"{where}/{n}", item) for n, item in enumerate(value) if isinstance(item, list))
    return errors[:MAX_ERRORS]


def pointer_of(steps: Iterable[str | int], below: str = "") -> str:
    """The JSON Pointer (RFC 6901) of members and positions; half of a surrogate pair in a name becomes `?`.

    It ends where it would be longer than any that a model has, since each error below a long name has it.
    """
    pointer = below + "".join("/" + str(step)[:200].replace("~", "~0").replace("/", "~1") for step in steps)
    return pointer[:MAX_POINTER].encode("utf-8", "replace").decode()


def _shown(pointer: str) -> str:
    """A pointer as error texts show it."""
    return pointer if len(pointer) <= 200 else f"{pointer[:200]}…"


def errors_of_body(model: Any, errors: Sequence[Mapping[str, Any]]) -> list[ErrorDetail]:
    """Pydantic's errors of a body as those of a problem document, the first `MAX_ERRORS`; of a union's only one.

    model: the annotation of the body
    """
    schema = _schema_of(model)
    found: dict[tuple[str, str], ErrorDetail] = {}
    for error in errors[:MAX_ERRORS]:
        detail = _error_of(schema, error)
        # Each alternative of a union has an error of its own, at the same place.
        found.setdefault((detail.pointer or "", detail.code), detail)
    return list(found.values())


@lru_cache
def _schema_of(model: Any) -> Schema:
    return TypeAdapter(model).json_schema()


def _error_of(schema: Schema, error: Mapping[str, Any]) -> ErrorDetail:
    steps, node, parent = _place(schema, error["loc"][1:])
    pointer = pointer_of(steps)
    where, kind, value = _shown(pointer) or "body", str(error["type"]), error.get("input")
    if kind == "missing" and steps:
        return error_detail(ProblemCode.MISSING_MEMBER, f"{where}: this member is missing", pointer=pointer)
    if kind == "extra_forbidden":
        return _unknown_member(pointer, str(steps[-1]), list(parent.get("properties", ())))
    allowed = [str(each) for each in node["enum"]] if "enum" in node else None
    if kind == "missing":
        return error_detail(
            ProblemCode.INVALID_VALUE, f"{where}: it takes {_expected(node)}, and nothing was sent", pointer=""
        )
    if "anyOf" in node or kind in _OF_TYPES or kind.endswith("_type") or (allowed and not isinstance(value, str)):
        inexact = ": numbers of JSON are not exact" if _is_inexact_amount(node, value) else ""
        detail = f"{where}: it takes {_expected(node)}, and {_kind(value)} was sent{inexact}"
        return error_detail(ProblemCode.INVALID_TYPE, detail, pointer=pointer, allowed=allowed)
    if kind in _OWN_TYPES:
        suggestion = error["ctx"].get("suggestion")
        return error_detail(_OWN_TYPES[kind], f"{where}: {reason_of(error)}", pointer=pointer, suggestion=suggestion)
    if allowed:
        meant = closest_match(str(value), allowed)
        hint = f"; did you mean {meant}?" if meant else ""
        detail = f"{where}: it takes {_expected(node)}{hint}"
        return error_detail(ProblemCode.UNKNOWN_CODE, detail, pointer=pointer, allowed=allowed, suggestion=meant)
    return error_detail(ProblemCode.INVALID_VALUE, f"{where}: {reason_of(error)}", pointer=pointer)


def _unknown_member(pointer: str, name: str, allowed: list[str]) -> ErrorDetail:
    meant = closest_match(name, allowed)
    hint = f"; did you mean {meant}?" if meant else "."
    return error_detail(
        ProblemCode.UNKNOWN_MEMBER,
        f"{_shown(pointer)}: this is not a member here{hint} The object takes: {', '.join(allowed)}.",
        pointer=pointer,
        allowed=allowed,
        suggestion=meant,
    )


def _place(schema: Schema, location: Sequence[str | int]) -> tuple[list[str | int], Schema, Schema]:
    """The steps of a JSON Pointer for a location of Pydantic's, the schema there and that of the object around it.

    A location also names the alternatives of unions, and `[key]` for the key of a member.
    """
    steps: list[str | int] = []
    node, parent = _resolved(schema, schema), schema
    for step in location:
        if "anyOf" in node:
            named = (option for option in node["anyOf"] if str(option.get("$ref", "")).endswith(f"/{step}"))
            node = _resolved(schema, next(named, node))
        elif step != "[key]":
            steps.append(step)
            parent, node = node, _resolved(schema, _below(node, step))
    return steps, node, parent


def _below(node: Schema, step: str | int) -> Schema:
    """The schema of a member or an item."""
    if isinstance(step, int):
        return node.get("items") or {}
    others = iter(node.get("patternProperties", {}).values())
    found = node.get("properties", {}).get(step) or next(others, None) or node.get("additionalProperties")
    return found if isinstance(found, Mapping) else {}


def _resolved(schema: Schema, node: Schema) -> Schema:
    """The schema that a reference names, and without null where it has one alternative beside."""
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif len(options := [each for each in node.get("anyOf", ()) if each != {"type": "null"}]) == 1:
            node = options[0]
        else:
            return node


def _expected(node: Schema) -> str:
    """What a schema expects, in words."""
    if "enum" in node:
        return f"one of {', '.join(map(str, node['enum']))}"
    if words := in_words(str(node.get("pattern"))):
        return words
    names = dict.fromkeys(_types(node))
    return " or ".join(names) or "another value"


def _types(node: Schema) -> Iterator[str]:
    for option in node.get("anyOf", [node]):
        yield _TYPES.get(option.get("type", "object"), "null")


def _is_inexact_amount(node: Schema, value: Any) -> bool:
    return node.get("pattern") == AMOUNT_SENT_PATTERN and isinstance(value, int | float)


def _kind(value: Any) -> str:
    """The type of a JSON value, as error texts say it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number" if isinstance(value, int) or value.is_integer() else "a number with decimals"
    return _TYPES["string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"]
