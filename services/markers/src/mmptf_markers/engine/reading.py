"""Reads the engine's JSON files: repeated keys are errors, and errors have JSON Pointers."""

import json
from collections.abc import Iterator, Sequence
from typing import TypeVar

from pydantic import JsonValue

from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.texts import fault_of

Item = TypeVar("Item")


class DocumentError(ResponseModel):
    """One thing wrong with a document: where, as a JSON Pointer into it, and why."""

    path: str
    """JSON Pointer into the document."""
    reason: str
    """What is wrong, for people."""


class InvalidDocument(ValueError):
    """A document is invalid; `errors` lists everything found."""

    def __init__(self, errors: Sequence[DocumentError]) -> None:
        """Store the errors, and list them all in the message."""
        super().__init__("; ".join(f"{error.path or '/'}: {error.reason}" for error in errors))
        self.errors = tuple(errors)


def read_json(content: bytes, errors: list[DocumentError]) -> JsonValue:
    """The content of a JSON document (UTF-8); each repeated key is an error. Raises InvalidDocument for other text."""

    def unrepeated(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        for key in repeated([key for key, _ in pairs]):
            errors.append(DocumentError(path="", reason=f"key {key!r} stands twice in one object"))
        return dict(pairs)

    try:
        found: JsonValue = json.loads(content.decode(), object_pairs_hook=unrepeated)
    except (ValueError, RecursionError) as error:
        raise InvalidDocument([DocumentError(path="", reason=f"is not JSON in UTF-8: {error}")]) from None
    return found


def text_errors(content: JsonValue, known: Sequence[DocumentError]) -> Iterator[DocumentError]:
    """The texts at any depth that would be a formula in a spreadsheet, show nothing, or hold what nobody sees.

    known: what was found so far; nothing more is said of a text of which it says something
    """
    said = {error.path for error in known}
    waiting: list[tuple[str, JsonValue]] = [("", content)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, str) and path not in said and (fault := fault_of(node)):
            yield DocumentError(path=path, reason=fault)
        elif isinstance(node, dict | list):
            members = node.items() if isinstance(node, dict) else enumerate(node)
            waiting += [(path + pointer([name]), member) for name, member in members]


def pointer(steps: Sequence[int | str]) -> str:
    """The JSON Pointer (RFC 6901) of these members and positions."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def repeated(items: Sequence[Item]) -> list[Item]:
    """The items that occur earlier in the sequence."""
    return [item for at, item in enumerate(items) if item in items[:at]]
