"""Reads the engine's JSON and YAML files: repeated keys are errors, and errors have JSON Pointers."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import yaml
from pydantic import JsonValue

from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.texts import fault_of

Item = TypeVar("Item")
# libyaml where it is there: the parser in Python takes a hundred times as long.
_YAML: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_NESTED: Final = 20
_WORDS: Final[dict[str, JsonValue]] = {"": None, "null": None, "~": None, "true": True, "false": False}
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


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


def read_document(content: bytes, errors: list[DocumentError]) -> JsonValue:
    """The content of a document in JSON or YAML (UTF-8); raises InvalidDocument for other text.

    What begins with a brace or a bracket is JSON. Repeated keys are errors in both.
    """
    return read_json(content, errors) if content.lstrip()[:1] in (b"{", b"[") else read_yaml(content, errors)


def read_yaml(content: bytes, errors: list[DocumentError]) -> JsonValue:
    """The content of a YAML document (UTF-8) of what JSON has, too; raises InvalidDocument for other text.

    Anchors, aliases, tags and repeated keys are errors. Numbers, `true`, `false` and `null` are written as in JSON; any
    other plain text is a text, such as a day, `no` or `0x1F`.
    """
    try:
        events = yaml.parse(content.decode(), Loader=_YAML)
        found = [_yaml_node(events, event, (), errors) for event in events if isinstance(event, yaml.NodeEvent)]
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InvalidDocument([DocumentError(path="", reason=f"is neither JSON nor YAML in UTF-8: {reason}")]) from None
    if len(found) != 1:
        raise InvalidDocument([DocumentError(path="", reason=f"is {len(found)} YAML documents, not one")])
    return found[0]


def _yaml_node(
    events: Iterator[Any], event: Any, steps: tuple[int | str, ...], errors: list[DocumentError]
) -> JsonValue:
    """The value of a node, whose first event was read from the events already."""

    def refuse(reason: str) -> None:
        line = event.start_mark.line + 1
        errors.append(DocumentError(path=pointer(steps), reason=f"line {line}: {reason}"))

    if len(steps) > _MOST_NESTED:
        raise ValueError(f"line {event.start_mark.line + 1} is nested more than {_MOST_NESTED} deep")
    if isinstance(event, yaml.AliasEvent):
        refuse(f"the alias *{event.anchor} stands for another part; write it out")
        return None
    if event.anchor:
        refuse(f"the anchor &{event.anchor} is for aliases, which are not read")
    if event.tag:
        refuse(f"the tag {event.tag} is not read")
    if isinstance(event, yaml.ScalarEvent):
        # Only plain text has another type; a style is a kind of quotes or of block.
        return event.value if event.style else _plain(event.value)
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[JsonValue] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_yaml_node(events, event, (*steps, len(items)), errors))
        return items
    members: dict[str, JsonValue] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
            raise ValueError(f"line {event.start_mark.line + 1} has a key that is no text")
        key = event.value
        if key in members:
            refuse(f"key {key!r} stands twice in one object")
        members[key] = _yaml_node(events, next(events), (*steps, key), errors)
    return members


def _plain(text: str) -> JsonValue:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


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
