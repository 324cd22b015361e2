"""The contracts as documents: committed as the code makes them, valid, and complete enough to generate clients from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import SecretStr

from mmptf_common.http.openapi import dump
from mmptf_common.service import create_service
from mmptf_common.wire.base import words_of
from mmptf_gateway.app import create_app
from mmptf_gateway.merge import merge
from mmptf_gateway.settings import GatewaySettings
from tests.conftest import service_of
from tests.contract.contracts import (
    APIS,
    COMMITTED,
    METHODS,
    OPERATIONS,
    OWN,
    SERVICES,
    Contract,
    Operation,
    contract_of,
    references,
)
from tests.suite import ROOT


@cache
def made(api: str) -> Contract:
    """The contract of a service, or the gateway's merged one, made by the code at hand without a database."""
    if api == "gateway":
        own = create_app(GatewaySettings.model_construct(services={})).openapi()
        return merge({name: made(name) for name in SERVICES}, own)
    service = service_of(api)
    nowhere = service.settings.model_construct(database_url=SecretStr("postgresql://"))
    return create_service(service, nowhere).openapi()


@pytest.mark.parametrize("api", APIS)
def test_the_committed_contract_is_what_the_code_makes(api: str) -> None:
    assert COMMITTED[api].read_text("utf-8") == dump(made(api)), "stale: run `make contracts`"


@pytest.mark.parametrize("api", APIS)
def test_a_contract_is_valid_openapi_3_1(api: str) -> None:
    assert contract_of(api)["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(contract_of(api)).validate()
    # The validator does not look at the schemas of shared headers.
    for header in contract_of(api)["components"]["headers"].values():
        Draft202012Validator.check_schema(header["schema"])


def test_operation_ids_are_unique_over_the_suite_and_stay_the_same_when_contracts_are_merged() -> None:
    ids = [operation.id for operation in OWN]
    assert len(set(ids)) == len(ids)
    for operation in OWN:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation.id)
        if not operation.template.startswith("/health/"):
            merged = contract_of("gateway")["paths"][operation.template][operation.method]
            assert merged["operationId"] == operation.id


def test_summaries_are_unique_over_the_suite_and_descriptions_say_more() -> None:
    summaries = [operation.contract["summary"] for operation in OWN]
    assert len(set(summaries)) == len(summaries)
    for operation in OWN:
        summary, description = operation.contract["summary"], operation.contract["description"]
        assert re.fullmatch(r"[A-Z][^.]+", summary)
        assert set(words_of(description)) - set(words_of(summary)) - EMPTY_WORDS, operation


@pytest.mark.parametrize("api", APIS)
def test_every_write_has_a_key_of_its_own_as_example(api: str) -> None:
    # Whoever tries one operation after the other would otherwise reuse the key of another write, and get a 422.
    operations = [o for item in contract_of(api)["paths"].values() for o in item.values()]
    given = [p for o in operations for p in o.get("parameters", ()) if p["name"] == "Idempotency-Key"]
    keys = [parameter["example"] for parameter in given if parameter["required"]]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(parameter["schema"]["pattern"], key) for parameter in given for key in keys)


@pytest.mark.parametrize("api", APIS)
def test_every_component_is_used(api: str) -> None:
    text = json.dumps(contract_of(api))
    for section, components in contract_of(api)["components"].items():
        for name in components if section != "securitySchemes" else ():
            assert f'"#/components/{section}/{name}"' in text, (section, name)


@pytest.mark.parametrize("api", APIS)
def test_every_tag_is_declared_described_and_used(api: str) -> None:
    declared = {tag["name"]: tag["description"] for tag in contract_of(api)["tags"]}
    assert all(len(set(words_of(text)) - set(words_of(name)) - EMPTY_WORDS) > 3 for name, text in declared.items())
    used = {tag for item in contract_of(api)["paths"].values() for o in item.values() for tag in o["tags"]}
    assert set(declared) == used


# Words that add nothing to a name.
EMPTY_WORDS = {
    "a",
    "an",
    "as",
    "at",
    "by",
    "for",
    "in",
    "is",
    "it",
    "its",
    "of",
    "on",
    "that",
    "the",
    "this",
    "to",
    "what",
}


def described(contract: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """What a contract has to describe: where it is, its name, and its description."""
    for name, schema in contract["components"]["schemas"].items():
        yield f"schema {name}", name, schema.get("description")
        for member, described in schema.get("properties", {}).items():
            yield f"member {member} of {name}", f"{name} {member}", described.get("description")
    for template, item in contract["paths"].items():
        for method in METHODS:
            operation = item.get(method, {})
            for parameter in operation.get("parameters", ()):
                yield (
                    f"parameter {parameter['name']} of {method} {template}",
                    parameter["name"],
                    parameter.get("description"),
                )
            for status, answer in operation.get("responses", {}).items():
                for header, described in answer.get("headers", {}).items():
                    if "$ref" not in described:
                        where = f"header {header} of {status} of {method} {template}"
                        yield where, header, described.get("description")
    for name, header in contract["components"]["headers"].items():
        yield f"header {name}", name, header.get("description")


@pytest.mark.parametrize("api", APIS)
def test_everything_is_described_by_more_than_its_name(api: str) -> None:
    for where, name, description in described(contract_of(api)):
        assert description, where
        words = set(words_of(description)) - EMPTY_WORDS
        assert words - set(words_of(re.sub(r"([a-z])([A-Z])|_|-", r"\1 \2", name))), (where, description)


def schemas_in(node: object, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in the components of a contract, with its place."""
    if isinstance(node, dict):
        yield where, node
        for key, value in node.items():
            if key not in ("example", "examples", "default", "required"):
                yield from schemas_in(value, f"{where}/{key}")
    elif isinstance(node, list):
        for n, value in enumerate(node):
            yield from schemas_in(value, f"{where}/{n}")


# Two components with the same values, and why: they have other meanings.
SAME_VALUES: set[frozenset[str]] = set()


@pytest.mark.parametrize("api", APIS)
def test_closed_sets_of_values_are_components_with_each_value_described(api: str) -> None:
    components = contract_of(api)["components"]["schemas"]
    names: dict[tuple[str, ...], list[str]] = {}
    for where, schema in schemas_in(components):
        values = schema.get("enum")
        if isinstance(values, list) and len(values) > 1:
            assert where.count("/") == 1, f"{where} has values without a name"
            name = where.removeprefix("/")
            names.setdefault(tuple(sorted(values)), []).append(name)
            assert re.findall(r"^- `([^`]+)`: \S", schema["description"], re.M) == values, name
    assert {frozenset(same) for same in names.values() if len(same) > 1} <= SAME_VALUES


@pytest.mark.parametrize("api", APIS)
def test_schemas_have_the_form_that_generators_read(api: str) -> None:
    components = contract_of(api)["components"]["schemas"]
    for name in components:
        assert re.fullmatch(r"([A-Z][a-z0-9]*)+", name), name
        assert not name.endswith(("Input", "Output")), name
    for where, schema in schemas_in(components):
        if not where.endswith("/properties"):
            assert "title" not in schema, where
            assert "patternProperties" not in schema, where
            if isinstance(types := schema.get("type"), list):
                assert types[1:] == ["null"], where
                assert not {"enum", "const"} & schema.keys(), f"{where}: null is a type and no value"
            if "integer" in (types if isinstance(types, list) else [types]):
                assert ("format" in schema) == (schema.get("maximum", 2**31) >= 2**31), where
            assert "nullable" not in schema, where
        if {"type": "null"} in (options := schema.get("anyOf", [])):
            assert options[-1] == {"type": "null"}, where
            assert all("$ref" in option for option in options[:-1]), f"{where}: null is one of two types"


def test_the_merge_gives_no_component_another_name() -> None:
    own = set(create_app(GatewaySettings.model_construct(services={})).openapi()["components"]["schemas"])
    every = own.union(*(contract_of(service)["components"]["schemas"] for service in SERVICES))
    assert set(contract_of("gateway")["components"]["schemas"]) <= every


def test_the_card_in_the_view_is_one_of_those_of_the_services() -> None:
    merged = contract_of("gateway")["components"]["schemas"]
    card = merged["ProgrammeCard"]
    assert card["discriminator"]["propertyName"] == "service"
    mapping = {service: f"#/components/schemas/{service.capitalize()}ProgrammeCard" for service in sorted(SERVICES)}
    assert card["discriminator"]["mapping"] == mapping
    assert card["oneOf"] == [{"$ref": reference} for reference in mapping.values()]
    for service, reference in mapping.items():
        assert merged[reference.rpartition("/")[2]]["properties"]["service"]["const"] == service
    part = merged["ProgrammePart"]["properties"]["card"]
    assert part["anyOf"] == [{"$ref": "#/components/schemas/ProgrammeCard"}, {"type": "null"}]


def test_the_merged_contract_has_every_operation_of_every_service() -> None:
    merged = contract_of("gateway")["paths"]
    for service in SERVICES:
        for template, item in contract_of(service)["paths"].items():
            if not template.startswith("/health/"):
                assert set(merged[template]) == set(item)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_says_what_it_takes(operation: Operation) -> None:
    in_path = [p["name"] for p in operation.contract.get("parameters", ()) if p["in"] == "path"]
    assert in_path == re.findall(r"{(\w+)}", operation.template)
    assert "{" not in operation.path
    for name, schema in operation.query.items():
        assert schema.get("type") in {"string", "integer", "boolean", "array"} or "anyOf" in schema
        assert "default" not in schema or schema["default"] is not None, name
    assert "422" in operation.contract["responses"]
    assert "default" in operation.contract["responses"]
    for status in operation.contract["responses"]:
        answer = operation.response(status)
        assert "X-Request-ID" in answer["headers"], status
        if status >= "400" and (status != "503" or not operation.template.startswith("/health/")):
            ((media, content),) = answer["content"].items()
            assert (media, content["schema"]) == ("application/problem+json", {"$ref": "#/components/schemas/Problem"})
            # Each status has another problem; one is shown for all of them.
            assert ("example" in content) == (status == "default")
    if operation.is_versioned:
        assert {"ETag", "Cache-Control"} <= set(operation.contract["responses"]["200"]["headers"])
        assert "If-None-Match" in {p["name"] for p in operation.contract["parameters"] if p["in"] == "header"}
        assert "304" in operation.contract["responses"]
        # What explains the codes is in the code, and not in a database.
        assert ("503" in operation.contract["responses"]) != operation.template.startswith("/problems")


# Members that an answer leaves out, because records that never change were written before them; their descriptions say
# what their absence means.
LEFT_OUT = {
    "Applicability": {"objectives", "thematic_areas", "places"},
    "Criterion": {
        *("action_below", "applies_if", "checks", "core", "evidence_from", "justification_min", "levels"),
        "register_from",
    },
    "AssessmentDraft": {"earlier_actions"},
    "CriterionAnswer": {"checks", "evidence_restricted"},
    "Evidence": {"kind", "visibility"},
    "LevelCheck": {"phase"},
    "LevelText": {"delivery", "design"},
    "PlannedAction": {"code", "done"},
    "Risk": {"code", "likelihood", "residual", "severity", "suspends_when", "visibility"},
    "Rubric": {"core_floors"},
}


@pytest.mark.parametrize("api", APIS)
def test_what_is_sent_has_every_property_and_no_other(api: str) -> None:
    schemas = contract_of(api)["components"]["schemas"]
    waiting = [
        name
        for item in contract_of(api)["paths"].values()
        for method in METHODS
        if method in item
        for name in references(item[method]["responses"])
    ]
    waiting += references(contract_of(api)["components"]["responses"])
    seen: set[str] = set()
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting.extend(references(schemas[name]))
    for name in seen:
        if "properties" in schemas[name]:
            required = set(schemas[name]["properties"]) - LEFT_OUT.get(name, set())
            assert set(schemas[name].get("required", ())) == required, name
            assert schemas[name]["additionalProperties"] is False, name
    waiting = list(references(contract_of(api)["paths"]))
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting.extend(references(schemas[name]))
    assert set(schemas) == seen


CONVENTIONS = "## What holds for every operation"
# The command of the integrators' guide, which a test runs; its host is that of whoever runs it.
TOKEN_COMMAND = "curl -s -d grant_type=client_credentials -d client_id=agency localhost:8001/token"


@pytest.mark.parametrize("api", APIS)
def test_a_contract_has_a_server_and_a_contact(api: str) -> None:
    (server,) = contract_of(api)["servers"]
    assert server["url"] == "/" and server["description"]
    assert contract_of(api)["info"]["contact"]["name"]


def test_the_server_of_the_merged_contract_is_below_the_base_path_of_the_gateway() -> None:
    own = create_app(GatewaySettings.model_construct(services={}, base_path="/api")).openapi()
    merged = merge({name: contract_of(name) for name in SERVICES}, own)
    assert [server["url"] for server in merged["servers"]] == ["/api"]


@pytest.mark.parametrize("api", APIS)
def test_the_description_says_what_the_api_is_and_then_once_what_holds_for_every_operation(api: str) -> None:
    description = contract_of(api)["info"]["description"]
    headings = re.findall(r"^#+ .*", description, re.M)
    assert len(set(headings)) == len(headings)
    introduction, conventions = description.split(CONVENTIONS)
    services = SERVICES if api == "gateway" else [api]
    for service in services:
        assert service_of(service).description in introduction
    described = [f"## {name}: {contract_of(name)['info']['title']} " for name in sorted(SERVICES)]
    assert re.findall(r"^## \w+: .* (?=\d)", introduction, re.M) == (described if api == "gateway" else [])
    for word in ("next", "limit", "Link", "as_of", "revision", "ETag", "If-None-Match", "Idempotency-Key", "If-Match"):
        assert f"`{word}`" in conventions
    assert "`dry_run=true`" in conventions
    assert conventions.count(TOKEN_COMMAND) == 1
    # Links are relative to the documentation page, which is beside the contract, so that they work below a base path.
    links = re.findall(r"\]\(([^)]+)\)", description)
    assert links
    paths = re.findall(r"`(/[^` ]*)`", description)
    assert {*(f"/{link}" for link in links), *paths} <= set(contract_of(api)["paths"])


def test_the_way_to_a_token_is_beside_the_operations_that_need_one_and_in_the_guide() -> None:
    (scheme,) = contract_of("gateway")["components"]["securitySchemes"].values()
    assert f"`{TOKEN_COMMAND}`" in scheme["description"]
    assert TOKEN_COMMAND in (ROOT / "docs/integrators.md").read_text("utf-8")


def test_nothing_of_a_workplace_is_in_a_contract() -> None:
    for path in COMMITTED.values():
        text = path.read_text("utf-8")
        assert json.loads(text)
        # The command is in the description of the contract and in that of the token, and nowhere else.
        assert text.count(TOKEN_COMMAND) == 2
        assert not re.search(r"127\.0\.0\.1|localhost|/work/|/tmp/", text.replace(TOKEN_COMMAND, ""))
