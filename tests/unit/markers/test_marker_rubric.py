"""Rubrics: the shipped file, its hash, its schema, and every error a rubric can have, reported at once."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml

from mmptf_markers.engine.loading import InvalidRubric, dump_rubric, load_rubric
from mmptf_markers.engine.reading import DocumentError, InvalidDocument, read_document
from mmptf_markers.engine.rubric import STAGES, answers_schema, content_hash, criteria_at, stages_of
from tests.unit.markers.rubrics import CONTENT, OFFICIAL


@pytest.fixture
def document() -> dict[str, Any]:
    return {**json.loads(CONTENT), "hash": None}


def errors_of(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRubric) as caught:
        load_rubric(json.dumps(document).encode())
    return {error.path: error.reason for error in caught.value.errors}


def test_shipped_rubric_round_trips_byte_for_byte() -> None:
    assert dump_rubric(load_rubric(CONTENT)) == CONTENT


def test_shipped_rubric_says_that_it_is_illustrative() -> None:
    rubric = load_rubric(CONTENT)
    assert (rubric.status, rubric.endorsement, rubric.source_document) == ("illustrative", None, None)
    assert "official self-assessment matrix" in rubric.notes[0] and "not held" in rubric.notes[0]
    assert [grade.source.line for grade in rubric.grades] == [40, 40, 40]
    assert stages_of(rubric) == [stage for stage in STAGES if stage != "evaluation"]


def test_hash_is_filled_in_and_does_not_depend_on_layout(document: dict[str, Any]) -> None:
    shuffled = dict(reversed(document.items()))
    assert load_rubric(json.dumps(shuffled).encode()).hash == content_hash(load_rubric(CONTENT))


def test_hash_changes_with_any_text(document: dict[str, Any]) -> None:
    document["criteria"][3]["guidance"] += "!"
    assert load_rubric(json.dumps(document).encode()).hash != load_rubric(CONTENT).hash


def test_a_wrong_hash_is_a_error(document: dict[str, Any]) -> None:
    assert "/hash" in errors_of(document | {"hash": "0" * 64})


@pytest.mark.parametrize("field", ["title", "status", "hash"])
def test_a_rubric_is_frozen(field: str) -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(load_rubric(CONTENT), field, "other")


def test_all_errors_are_reported_at_once(document: dict[str, Any]) -> None:
    document["status"] = "official"
    document["grades"].append(document["grades"][0] | {"code": "E"})
    document["grades"].append(document["grades"][0] | {"code": "B"})
    document["scale"]["levels"][2]["value"] = 1
    document["principles"][1]["code"] = "analysis"
    document["criteria"][0] |= {"weight": 0, "stages": []}
    document["criteria"][1] |= {"code": "obligations-analysis", "weight": "-0.5"}
    document["criteria"][2]["principle"] = "nowhere"
    document["criteria"][3]["stages"] = ["concept_note", "concept_note"]
    document["rule"]["bands"] = [
        {"grade": "B", "minimum": "1/2"},
        {"grade": "A", "minimum": "0.50"},
        {"grade": "C", "minimum": "3/2"},
        {"grade": "Z", "minimum": "1/3"},
    ]
    document["gates"] = [
        {"criterion": "nothing", "below": 9, "cap": "Q", "reason": "x"},
        {"criterion": "equality", "below": 0, "cap": "A", "reason": "x"},
        {"criterion": "equality", "below": 0, "cap": "B", "reason": "x"},
    ]
    errors = errors_of(document)
    assert set(errors) == {
        "/grades/3",
        "/grades/4/code",
        "/scale/levels/2/value",
        "/principles/1/code",
        "/criteria/0/weight",
        "/criteria/0/stages",
        "/criteria/1/code",
        "/criteria/1/weight",
        "/criteria/1/principle",
        "/criteria/2/principle",
        "/criteria/3/stages",
        "/rule/bands",
        "/rule/bands/1/minimum",
        "/rule/bands/1/grade",
        "/rule/bands/2/minimum",
        "/rule/bands/3/grade",
        "/gates/0/criterion",
        "/gates/0/below",
        "/gates/0/cap",
        "/gates/1/below",
        "/gates/1/cap",
        "/gates/2",
        "/gates/2/below",
        "/source_document",
        "/source_document/sha256",
        "/endorsement/date",
    }
    assert "overlaps" in errors["/rule/bands/1/minimum"]
    assert "unreachable" in errors["/grades/3"]
    assert "obligations-analysis" in errors["/gates/0/criterion"]


def test_a_malformed_section_does_not_hide_the_errors_of_others(document: dict[str, Any]) -> None:
    document["criteria"][0]["weight"] = 1.5
    document["criteria"][0]["extra"] = 1
    document["rule"]["bands"][0]["minimum"] = 0.75
    document["grades"][1]["code"] = "A"
    del document["title"]
    assert set(errors_of(document)) == {
        "/criteria/0/weight",
        "/criteria/0/extra",
        "/rule/bands/0/minimum",
        "/grades/1/code",
        "/title",
    }


def test_each_side_of_a_falling_order_of_bands(document: dict[str, Any]) -> None:
    document["rule"]["bands"][0]["minimum"] = "0.4"
    assert errors_of(document) == {"/rule/bands/1/minimum": "is out of order: minima fall from band to band"}


def test_a_grade_between_two_attainable_shares_is_unreachable(document: dict[str, Any]) -> None:
    document["rule"]["bands"][0]["minimum"] = "499/1000"
    document["rule"]["bands"][1]["minimum"] = "498/1000"
    document["gates"] = document["gates"][:1]
    document["endorsement"] = OFFICIAL["endorsement"]
    assert set(errors_of(document)) == {"/grades/1", "/endorsement"}


def test_a_count_above_the_criteria_of_a_stage_is_unreachable(document: dict[str, Any]) -> None:
    bands = [{"grade": "A", "minimum": 8}, {"grade": "B", "minimum": 5}, {"grade": "C", "minimum": 0}]
    document["rule"] = {"type": "count", "level": 2, "bands": bands}
    assert errors_of(document) == {"/rule/bands/0/minimum": "A is unreachable at concept_note: 7 criteria apply there"}


def test_a_count_needs_a_level_of_the_scale(document: dict[str, Any]) -> None:
    bands = [{"grade": "A", "minimum": 7}, {"grade": "B", "minimum": 5}, {"grade": "C", "minimum": 0}]
    document["rule"] = {"type": "count", "level": 7, "bands": bands}
    assert set(errors_of(document)) == {"/rule/level"}
    document["rule"]["level"] = 0
    assert set(errors_of(document)) == {"/rule/level"}


def test_a_manual_rule_takes_no_gates(document: dict[str, Any]) -> None:
    document["rule"] = {"type": "manual"}
    assert set(errors_of(document)) == {"/gates"}
    assert load_rubric(json.dumps(document | {"gates": []}).encode()).rule.type == "manual"


def test_not_applicable_needs_the_scale(document: dict[str, Any]) -> None:
    document["scale"]["not_applicable"] = False
    assert set(errors_of(document)) == {"/criteria/8/not_applicable"}


def test_official_needs_document_file_hash_and_endorsement(document: dict[str, Any]) -> None:
    assert load_rubric(json.dumps(document | OFFICIAL).encode()).status == "official"
    unhashed = copy.deepcopy(document | OFFICIAL)
    unhashed["source_document"]["sha256"] = None
    assert set(errors_of(unhashed)) == {"/source_document/sha256"}
    undated = copy.deepcopy(document | OFFICIAL)
    undated["endorsement"]["date"] = None
    assert set(errors_of(undated)) == {"/endorsement/date"}
    assert set(errors_of((document | OFFICIAL) | {"status": "illustrative"})) == {"/endorsement"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"code": NaN}',
        b'{"title": "\\ud800"}',
        b'{"code": ' + b"9" * 5000 + b"}",
        CONTENT.replace(b'"version": "1"', b'"version": "1", "version": "2"'),
        CONTENT.replace(b'"title": "Human', b'"title": "\\u0000Human'),
    ],
)
def test_hostile_documents_are_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(InvalidRubric) as caught:
        load_rubric(content)
    assert all(error.reason for error in caught.value.errors)


@pytest.mark.parametrize("stage", stages_of(load_rubric(CONTENT)))
def test_answers_schema_of_a_stage(stage: Any) -> None:
    rubric = load_rubric(CONTENT)
    schema = answers_schema(rubric, stage)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    codes = [criterion.code for criterion in criteria_at(rubric, stage)]
    assert list(schema["properties"]) == codes
    assert all(schema["properties"][code]["title"] for code in codes)
    assert validator.is_valid(dict.fromkeys(codes, 3) | {"national-institutions": "not_applicable"})
    assert validator.is_valid({})
    for wrong in ({"equality": 4}, {"equality": "not_applicable"}, {"equality": "2"}, {"nothing": 1}):
        assert not validator.is_valid(wrong)


def test_answers_schema_of_all_stages_holds_every_criterion() -> None:
    rubric = load_rubric(CONTENT)
    schema = answers_schema(rubric, None)
    assert list(schema["properties"]) == [criterion.code for criterion in rubric.criteria]


def test_a_rubric_is_never_superseded_in_its_own_words(document: dict[str, Any]) -> None:
    assert set(errors_of(document | {"status": "superseded"})) == {"/status"}


def test_what_no_database_takes_is_a_error(document: dict[str, Any]) -> None:
    document["grades"][1]["source"]["note"] = "a\0b"
    long = {"code": "a" * 40, "version": "1" * 24}
    assert set(errors_of(document | long)) == {"/grades/1/source/note", "/version"}
    document["grades"][1]["source"]["note"] = None
    assert load_rubric(json.dumps(document | long | {"version": "1" * 23}).encode())


def test_the_first_rubric_keeps_its_hash_and_states_nothing_new() -> None:
    rubric = load_rubric(CONTENT)
    assert rubric.hash == "01000726df4b99ab85424521d0041f2da7597d337f184be6478cd604a6746533"
    assert set(rubric.model_dump()) == set(json.loads(CONTENT))
    assert set(rubric.model_dump()["criteria"][0]) == set(json.loads(CONTENT)["criteria"][0])


@pytest.fixture
def supported(document: dict[str, Any]) -> dict[str, Any]:
    """The shipped rubric with everything that a criterion can ask for beside an answer."""
    texts = [{"value": value, "design": f"plan {value}", "delivery": f"deed {value}"} for value in range(4)]
    document["criteria"][8] |= {
        "applies_if": {"objectives": ["13"], "places": ["LBY"]},
        "core": True,
        "levels": texts,
        "checks": [
            {"code": "rule", "level": 2, "phase": "design", "text": "A rule is written."},
            {"code": "used", "level": 2, "phase": "delivery", "text": "The rule was used."},
            {"code": "budget", "level": 3, "text": "It has a budget."},
        ],
        "justification_min": 80,
        "evidence_from": 2,
        "register_from": 0,
        "action_below": 2,
    }
    document["core_floors"] = [
        {"below": 2, "cap": "B", "reason": "A core criterion is too low."},
        {"below": 1, "cap": "C", "reason": "A core criterion is absent."},
    ]
    return document


def test_what_supports_an_answer_is_read_and_part_of_the_hash(supported: dict[str, Any]) -> None:
    rubric = load_rubric(json.dumps(supported).encode())
    assert {**json.loads(dump_rubric(rubric)), "hash": None} == supported
    criterion = rubric.criteria[8]
    assert (criterion.evidence_from, criterion.register_from, criterion.action_below) == (2, 0, 2)
    hashes = {rubric.hash, load_rubric(CONTENT).hash}
    for member in ("applies_if", "levels", "checks", "justification_min", "evidence_from", "register_from"):
        fewer = copy.deepcopy(supported)
        del fewer["criteria"][8][member]
        hashes.add(load_rubric(json.dumps(fewer).encode()).hash)
    assert len(hashes) == 8


def test_every_error_of_what_supports_an_answer_is_reported(supported: dict[str, Any]) -> None:
    supported["criteria"][8] |= {
        "applies_if": {"objectives": [], "places": ["LBY", "SRB", "LBY"]},
        "evidence_from": 4,
        "register_from": "2",
        "action_below": 0,
    }
    supported["criteria"][8]["levels"][1]["value"] = 2
    del supported["criteria"][8]["levels"][3]["delivery"]
    supported["criteria"][8]["checks"] += [
        {"code": "rule", "level": 0, "text": "x"},
        {"code": "more", "level": 7, "text": "x"},
    ]
    supported["criteria"][0] |= {"applies_if": {}, "stages": ["concept_note"], "core": True}
    supported["criteria"][0]["levels"] = [{"value": value, "delivery": "x"} for value in range(4)]
    supported["criteria"][0]["checks"] = [{"code": "late", "level": 1, "phase": "delivery", "text": "x"}]
    supported["gates"][0] |= {"criterion": "obligations-analysis", "below": 2, "cap": "C"}
    supported["core_floors"] += [
        {"below": 2, "cap": "C", "reason": "x"},
        {"below": 0, "cap": "A", "reason": "x"},
        {"below": 9, "cap": "Z", "reason": "x"},
    ]
    assert set(errors_of(supported)) == {
        "/criteria/8/applies_if/places",
        "/criteria/8/evidence_from",
        "/criteria/8/register_from",
        "/criteria/8/action_below",
        "/criteria/8/levels",
        "/criteria/8/levels/3/delivery",
        "/criteria/8/checks/3/code",
        "/criteria/8/checks/3/level",
        "/criteria/8/checks/4/level",
        "/criteria/0/applies_if",
        *(f"/criteria/0/levels/{at}/{phase}" for at in range(4) for phase in ("design", "delivery")),
        "/criteria/0/checks/0/phase",
        "/gates/0",
        "/core_floors/2",
        "/core_floors/3/below",
        "/core_floors/3/cap",
        "/core_floors/4/below",
        "/core_floors/4/cap",
    }


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"core_floors": []}, {"/criteria/8/core"}),
        ({"rule": {"type": "manual"}, "gates": []}, {"/core_floors"}),
        ({"core_floors": [{"below": 2, "cap": "C", "reason": "x"}, {"below": 1, "cap": "B", "reason": "x"}]},
         {"/core_floors/1/cap"}),
    ],
)  # fmt: skip
def test_floors_belong_to_core_criteria_and_each_has_an_effect(
    supported: dict[str, Any], changes: dict[str, Any], where: set[str]
) -> None:
    assert set(errors_of(supported | changes)) == where
    del supported["criteria"][8]["core"]
    assert set(errors_of(supported)) == {"/core_floors"}


def test_a_malformed_section_does_not_hide_the_errors_of_floors(supported: dict[str, Any]) -> None:
    supported["core_floors"][0]["cap"] = "Z"
    supported["title"] = ""
    assert set(errors_of(supported)) == {"/core_floors/0/cap", "/title"}
    del supported["core_floors"]
    assert set(errors_of(supported)) == {"/criteria/8/core", "/title"}


def test_answers_are_described_by_the_texts_of_the_phase(supported: dict[str, Any]) -> None:
    rubric = load_rubric(json.dumps(supported).encode())
    code = rubric.criteria[8].code
    seen = {}
    for stage in (*stages_of(rubric), None):
        schema: Any = answers_schema(rubric, stage)
        jsonschema.Draft202012Validator.check_schema(schema)
        levels = schema["properties"][code]["oneOf"][:4]
        asked = schema["$defs"]["checks"]["properties"]
        seen[stage] = levels[2]["description"], [choice["const"] for choice in asked[code]["items"]["oneOf"]]
        assert list(asked) == [code]
        ticks = jsonschema.Draft202012Validator(schema["$defs"]["checks"])
        assert ticks.is_valid({code: ["budget"]}) and not ticks.is_valid({code: ["nothing"]})
    general = rubric.scale.levels[2].description
    assert seen == {
        "concept_note": ("plan 2", ["rule", "budget"]),
        "programme_document": ("plan 2", ["rule", "budget"]),
        **dict.fromkeys(stages_of(rubric)[2:], ("deed 2", ["used", "budget"])),
        None: (general, ["rule", "used", "budget"]),
    }
    assert "$defs" not in answers_schema(load_rubric(CONTENT), None)


def as_yaml(document: Any) -> bytes:
    return bytes(yaml.safe_dump(document, allow_unicode=True, sort_keys=False).encode())


def test_a_rubric_in_yaml_is_the_same_rubric(supported: dict[str, Any]) -> None:
    supported = {**supported, **OFFICIAL}
    # The day is plain text there, and stays a text.
    content = as_yaml(supported).replace(b"'2023-02-06'", b"2023-02-06")
    assert b"date: 2023-02-06" in content
    assert load_rubric(content) == load_rubric(json.dumps(supported).encode())
    assert dump_rubric(load_rubric(as_yaml(json.loads(CONTENT)))) == CONTENT


def test_the_errors_of_a_rubric_in_yaml_are_those_in_json(supported: dict[str, Any]) -> None:
    supported["criteria"][8] |= {"evidence_from": 9, "weight": 1.5, "not_applicable": "yes"}
    supported["version"] = 2
    expected = errors_of(supported)
    with pytest.raises(InvalidRubric) as caught:
        load_rubric(as_yaml(supported))
    assert {error.path: error.reason for error in caught.value.errors} == expected
    assert set(expected) == {"/version", "/criteria/8/weight", "/criteria/8/not_applicable"}


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("no", "no"), ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("2023-02-06", "2023-02-06"), ("12:30", "12:30"),
        ("0x1F", "0x1F"), ("010", "010"), ("1_000", "1_000"), ("+1", "+1"), (".5", ".5"), (".inf", ".inf"),
        ("True", "True"), ("=", "="), ("<<", "<<"), ("'2'", "2"), ('"true"', "true"), ("|-\n  a\n  b", "a\nb"),
        ("-2", -2), ("0", 0), ("0.5", 0.5), ("1e3", 1000.0), ("true", True), ("false", False), ("null", None),
        ("~", None), ("", None), ("[1, x]", [1, "x"]), ("{a: 1}", {"a": 1}),
    ],
)  # fmt: skip
def test_plain_text_in_yaml_is_what_it_is_in_json_or_text(plain: str, value: object) -> None:
    errors: list[DocumentError] = []
    found = read_document(f"here: {plain}\n".encode(), errors)
    assert errors == [] and isinstance(found, dict)
    assert found == {"here": value} and type(found["here"]) is type(value)


@pytest.mark.parametrize(
    ("content", "paths"),
    [
        ("a: &x 1\nb: *x\n", ["/a", "/b"]),
        ("a: &x [1, 2]\n", ["/a"]),
        ("a: !!str 1\nb: [!date 2, !!python/object:os.system x]\n", ["/a", "/b/0", "/b/1"]),
        ("a: 1\nb: {c: 1, c: 2}\na: 2\n", ["/b", ""]),
    ],
)
def test_anchors_tags_and_repeated_keys_are_errors_where_they_stand(content: str, paths: list[str]) -> None:
    errors: list[DocumentError] = []
    read_document(content.encode(), errors)
    assert [error.path for error in errors] == paths
    assert all(error.reason.startswith("line ") for error in errors)


@pytest.mark.parametrize(
    "content",
    [
        b"a: 1\n---\nb: 2\n",
        b"---\n---\n",
        b"# nothing\n",
        b"? [a, b]\n: 1\n",
        b"*x : 1\n",
        b"&x a: 1\n",
        b"a: [1\n",
        b"a: \x00\n",
        b"\ta: 1\n",
        b"a: \xff\n",
        b"a:\n" + b"".join(b" " * at + b"- \n" for at in range(1, 60)),
        b"a: " + b"[" * 100_000,
        b"- " * 100_000,
    ],
)
def test_hostile_yaml_is_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(InvalidDocument) as caught:
        load_rubric(content)
    assert all(error.reason for error in caught.value.errors)
