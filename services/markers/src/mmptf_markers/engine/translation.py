"""Translations of published rubrics: of their texts only; the rubric and its hash never change."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import BaseModel, Field, JsonValue, ValidationError

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_markers.engine.reading import DocumentError, InvalidDocument, pointer, read_document, text_errors
from mmptf_markers.engine.rubric import Language, Rubric, Sha256, SourceDocument, Text

# The JSON Pointers of a rubric's texts that readers see.
_TEXT: Final = re.compile(
    r"/title|/grades/\d+/(name|meaning)|/scale/levels/\d+/(label|description)|/principles/\d+/(name|description)"
    r"|/criteria/\d+/(question|guidance|levels/\d+/(design|delivery)|checks/\d+/text)|/(gates|core_floors)/\d+/reason"
    r"|/notes/\d+"
)


class Translation(ResponseModel):
    """The texts of one version of a rubric in one language, by JSON Pointers into the rubric.

    `source` is the document that they were taken from; `verified` is false where nobody who answers for the rubric
    has confirmed them.
    """

    rubric: Code
    """Code of the rubric."""
    version: Code
    """Version of the rubric."""
    hash: Sha256
    """SHA-256 of the rubric's content, in hexadecimal digits; the same hash is the same rubric."""
    language: Language
    """BCP 47 tag of the language, such as `en`."""
    texts: Annotated[dict[str, Text], Field(min_length=1)]
    """The translated texts, by JSON Pointers into the rubric."""
    source: SourceDocument | None
    """The document that they were taken from; null where there is none."""
    verified: bool
    """Whether a text at hand confirms it; false for what only general knowledge or a submission says."""


class TranslationCoverage(ResponseModel):
    """How many of a rubric's texts a translation has, and the JSON Pointers of those it has not."""

    translated: int
    """Number of texts that are translated."""
    texts: int
    """Number of texts that the rubric has."""
    missing: list[str]
    """Texts that are not translated, as JSON Pointers (RFC 6901) into the rubric's `content`."""


class RubricNamed(BaseModel):
    """The rubric and version that a document translates."""

    rubric: Code
    version: Code


class InvalidTranslation(InvalidDocument):
    """A translation is invalid."""


def is_translation(content: bytes) -> bool:
    """Whether a document is meant as a translation: it has `texts`, which no rubric has."""
    try:
        raw = read_document(content, [])
    except InvalidDocument:
        return False
    return isinstance(raw, dict) and "texts" in raw


def rubric_named(content: bytes) -> RubricNamed:
    """The rubric that a translation names; raises InvalidTranslation when it names none."""
    try:
        return RubricNamed.model_validate(_read(content, []))
    except ValidationError as error:
        raise InvalidTranslation(_errors_of(error)) from None


def load_translation(content: bytes, rubric: Rubric) -> Translation:
    """Read a translation of a rubric from a document in JSON or YAML (UTF-8) and check it as a whole.

    Texts may be missing (see `coverage`). Raises InvalidTranslation with every error found.
    """
    errors: list[DocumentError] = []
    raw = _read(content, errors)
    translation = None
    try:
        translation = Translation.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        errors += _errors_of(error)
    if isinstance(raw, dict):
        errors += _fit_errors(raw, rubric)
    errors += [*text_errors(raw, errors)]
    if translation is None or errors:
        raise InvalidTranslation(errors)
    return translation


def coverage(rubric: Rubric, translation: Translation) -> TranslationCoverage:
    """The number of translated texts of a rubric, and the pointers of the missing ones."""
    texts = list(texts_of(rubric))
    missing = [path for path in texts if path not in translation.texts]
    return TranslationCoverage(translated=len(texts) - len(missing), texts=len(texts), missing=missing)


def translated(rubric: Rubric, translation: Translation) -> Rubric:
    """The rubric with translated texts; texts without a translation stay in the original language.

    Only for display: its hash is still that of the original texts.
    """
    members = rubric.model_dump(mode="json").items()
    content = {name: _replaced(member, f"/{name}", translation.texts) for name, member in members}
    return Rubric.model_validate({**content, "language": translation.language})


def texts_of(rubric: Rubric) -> dict[str, str]:
    """The texts of a rubric that can be translated, by their JSON Pointers."""
    return {
        path: value
        for path, value in _members(rubric.model_dump(mode="json"), "")
        if isinstance(value, str) and _TEXT.fullmatch(path)
    }


def _read(content: bytes, errors: list[DocumentError]) -> JsonValue:
    try:
        return read_document(content, errors)
    except InvalidDocument as error:
        raise InvalidTranslation(error.errors) from None


def _errors_of(error: ValidationError) -> list[DocumentError]:
    details = error.errors(include_url=False)
    return [DocumentError(path=pointer(detail["loc"]), reason=detail["msg"]) for detail in details]


def _fit_errors(raw: dict[str, JsonValue], rubric: Rubric) -> Iterator[DocumentError]:
    """The mismatches between a document, well formed or not, and the rubric."""
    for name in ("rubric", "version", "hash"):
        expected = rubric.code if name == "rubric" else getattr(rubric, name)
        if isinstance(raw.get(name), str) and raw[name] != expected:
            yield DocumentError(path=f"/{name}", reason=f"is not that of {rubric.code}.{rubric.version}: {expected}")
    language = raw.get("language")
    if language == rubric.language:
        yield DocumentError(path="/language", reason=f"is the language of the rubric itself, {language}")
    if isinstance(language, str) and len(f"{rubric.code}.{rubric.version}.{language}") > 64:
        yield DocumentError(path="/language", reason="is longer than 64 characters together with the rubric's code")
    stated = raw.get("texts")
    if isinstance(stated, dict):
        texts, members = texts_of(rubric), dict(_members(rubric.model_dump(mode="json"), ""))
        for path in stated:
            if path in texts:
                continue
            reason = f"{path!r} is not a text of the rubric that readers see"
            if path not in members:
                meant = difflib.get_close_matches(path[:64], texts, n=1)
                reason = f"the rubric has no {path!r}" + (f"; did you mean {meant[0]!r}?" if meant else "")
            yield DocumentError(path=pointer(["texts", path]), reason=reason)


def _members(node: JsonValue, path: str) -> Iterator[tuple[str, JsonValue]]:
    yield path, node
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _members(value, f"{path}/{key}")


def _replaced(node: JsonValue, path: str, texts: Mapping[str, str]) -> JsonValue:
    if isinstance(node, dict):
        return {key: _replaced(value, f"{path}/{key}", texts) for key, value in node.items()}
    if isinstance(node, list):
        return [_replaced(value, f"{path}/{at}", texts) for at, value in enumerate(node)]
    return texts.get(path, node)
