"""Translations of a rubric: every error at once, what is covered, and the rubric that nobody changes."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmptf_markers.engine.loading import InvalidRubric, dump_rubric, load_rubric
from mmptf_markers.engine.rubric import answers_schema, content_hash
from mmptf_markers.engine.scoring import score
from mmptf_markers.engine.translation import (
    InvalidTranslation,
    coverage,
    is_translation,
    load_translation,
    rubric_named,
    texts_of,
    translated,
)
from tests.unit.markers.rubrics import CONTENT, TEXTS, documents, loaded, pointed_at, small

RUBRIC = load_rubric(CONTENT)
BANDS = [{"grade": "A", "minimum": "1/4"}, {"grade": "B", "minimum": "0"}]


def document(**changes: Any) -> dict[str, Any]:
    """A made-up translation of the shipped rubric."""
    return {
        "rubric": RUBRIC.code,
        "version": RUBRIC.version,
        "hash": RUBRIC.hash,
        "language": "fr",
        "texts": {"/title": "Titre", "/scale/levels/0/label": "Absent", "/criteria/2/question": "Question ?"},
        "source": None,
        "verified": False,
        **changes,
    }


def encoded(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode()


def errors_of(content: bytes) -> dict[str, str]:
    with pytest.raises(InvalidTranslation) as caught:
        load_translation(content, RUBRIC)
    return {error.path: error.reason for error in caught.value.errors}


def test_only_the_texts_of_a_rubric_are_translated() -> None:
    texts = texts_of(RUBRIC)
    kinds = {"/".join("*" if step.isdigit() else step for step in path.split("/")) for path in texts}
    assert kinds == {
        "/title", "/grades/*/name", "/grades/*/meaning", "/scale/levels/*/label", "/scale/levels/*/description",
        "/principles/*/name", "/principles/*/description", "/criteria/*/question", "/criteria/*/guidance",
        "/gates/*/reason", "/notes/*",
    }  # fmt: skip
    assert all(pointed_at(json.loads(CONTENT), path) == text for path, text in texts.items())


def test_the_texts_of_what_supports_an_answer_are_translated_and_shown() -> None:
    document = small({"type": "weighted_share", "bands": BANDS}, ["A", "B"], [1, 1])
    document["criteria"][1] |= {
        "core": True,
        "levels": [{"value": value, "design": f"plan {value}"} for value in range(3)],
        "checks": [{"code": "rule", "level": 2, "text": "A rule is written."}],
    }
    document["core_floors"] = [{"below": 1, "cap": "B", "reason": "Too low."}]
    rubric = loaded(document)
    texts = {
        "/criteria/1/levels/1/design": "projet 1",
        "/criteria/1/checks/0/text": "Une règle est écrite.",
        "/criteria/1/guidance": "Lisez.",
        "/criteria/0/question": "Quoi ?",
        "/scale/levels/1/label": "niveau 1",
        "/core_floors/0/reason": "Trop bas.",
    }
    assert texts.keys() <= texts_of(rubric).keys()
    members = {"rubric": rubric.code, "version": "1", "hash": rubric.hash, "language": "fr", "texts": texts}
    content = json.dumps({**members, "source": None, "verified": False}).encode()
    result = score(translated(rubric, load_translation(content, rubric)), {"c0": 0, "c1": 0}, "programme_document")
    first, second = result.next_steps
    assert (first.criterion, first.text, first.guidance, first.to_label) == ("c1", "projet 1", "Lisez.", "niveau 1")
    # What is not translated stays in the language of the rubric.
    assert (second.question, second.text) == ("Quoi ?", "x")
    assert [floor.reason for floor in result.floors] == ["Trop bas."]
    assert [change.text for way in result.better for change in way.changes if change.criterion == "c1"] == ["projet 1"]
    assert result.rubric.hash == rubric.hash


def test_a_translation_is_read_and_says_what_it_leaves_out() -> None:
    translation = load_translation(encoded(), RUBRIC)
    covered = coverage(RUBRIC, translation)
    assert (covered.translated, covered.texts) == (3, len(texts_of(RUBRIC)))
    assert set(covered.missing) == texts_of(RUBRIC).keys() - translation.texts.keys()


def test_the_answers_are_described_in_the_language() -> None:
    rubric = translated(RUBRIC, load_translation(encoded(), RUBRIC))
    schema = answers_schema(rubric, "programme_document")
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"].startswith("Titre")
    asked = list(schema["properties"].values())
    assert (asked[0]["title"], asked[2]["title"]) == (RUBRIC.criteria[0].question, "Question ?")
    assert {found["oneOf"][0]["title"] for found in asked} == {"Absent"}
    original = answers_schema(RUBRIC, "programme_document")
    assert schema["properties"].keys() == original["properties"].keys()
    assert dump_rubric(RUBRIC) == CONTENT


def test_every_error_is_named_at_once() -> None:
    texts = {
        "/criteria/2/quesiton": "Q",
        "/criteria/2/weight": "2",
        "/criteria": "C",
        "/nothing/like/it/anywhere": "N",
        "/title": 3,
        "/notes/0": " ",
        "a~/b": "x",
        "/gates/0/reason": "R",
    }
    found = errors_of(encoded(texts=texts, hash="0" * 64, language="en", rubric="hr-marker", extra=1, verified="no"))
    assert found.keys() == {
        "/texts/~1criteria~12~1quesiton",
        "/texts/~1criteria~12~1weight",
        "/texts/~1criteria",
        "/texts/~1nothing~1like~1it~1anywhere",
        "/texts/~1title",
        "/texts/~1notes~10",
        "/texts/a~0~1b",
        "/hash",
        "/language",
        "/rubric",
        "/extra",
        "/verified",
    }
    assert "did you mean '/criteria/2/question'?" in found["/texts/~1criteria~12~1quesiton"]
    assert "not a text" in found["/texts/~1criteria~12~1weight"]
    assert RUBRIC.hash in found["/hash"]


@pytest.mark.parametrize("missing", list(document()))
def test_every_member_is_needed(missing: str) -> None:
    given_members = {name: value for name, value in document().items() if name != missing}
    assert f"/{missing}" in errors_of(json.dumps(given_members).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"{" * 100_000,
        encoded(texts={}),
        encoded(language="FRENCH"),
        encoded(language="fr" + "-abcdefgh" * 4),
        encoded(texts=[]),
        encoded().replace(b'"/title": "Titre"', b'"/title": "Titre", "/title": "Titre"'),
        encoded().replace(b"Titre", b"\\u0000Titre"),
        encoded().replace(b"Titre", b"\\ud800"),
    ],
)
def test_hostile_documents_are_refused_with_a_reason(content: bytes) -> None:
    assert all(errors_of(content).values())


def test_a_translation_is_no_rubric_and_names_its_own() -> None:
    assert is_translation(encoded()) and not is_translation(CONTENT) and not is_translation(b"{")
    named = rubric_named(encoded())
    assert f"{named.rubric}.{named.version}" == "hr-marker-illustrative.1"
    with pytest.raises(InvalidTranslation, match="/version"):
        rubric_named(encoded(version=1))


@settings(max_examples=50)
@given(documents(), st.data())
def test_a_translation_replaces_its_texts_and_nothing_else(rubric_document: dict[str, Any], data: Any) -> None:
    try:
        rubric = loaded(rubric_document)
    except InvalidRubric:
        return
    texts = data.draw(st.dictionaries(st.sampled_from(list(texts_of(rubric))), TEXTS, min_size=1))
    members = document(rubric=rubric.code, version=rubric.version, hash=rubric.hash, language="fr", texts=texts)
    seen = translated(rubric, load_translation(json.dumps(members).encode(), rubric))
    assert texts_of(seen) == texts_of(rubric) | texts
    back = seen.model_copy(update={"language": rubric.language})
    original = members | {"language": "fr", "texts": texts_of(rubric)}
    assert translated(back, load_translation(json.dumps(original).encode(), back)) == rubric.model_copy(
        update={"language": "fr"}
    )
    assert content_hash(rubric) == rubric.hash
