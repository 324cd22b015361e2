"""Every example of the contracts is valid under the schema that it exemplifies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.contract.contracts import APIS, Contract, contract_of

Shown = tuple[str, Contract, Any]


def of_media(where: str, content: Contract) -> Iterator[Shown]:
    """The examples of a parameter or of a media type, with the schema that they have to fit."""
    schema = content.get("schema", {})
    if "example" in content:
        yield where, schema, content["example"]
    for name, example in content.get("examples", {}).items():
        yield f"{where} {name}", schema, example["value"]


def of_schemas(where: str, node: Any) -> Iterator[Shown]:
    """The examples of a schema and of all schemas in it."""
    if isinstance(node, list):
        for n, each in enumerate(node):
            yield from of_schemas(f"{where}/{n}", each)
    if not isinstance(node, dict):
        return
    if isinstance(examples := node.get("examples"), list):
        yield from ((f"{where}/examples/{n}", node, example) for n, example in enumerate(examples))
    for name, inner in node.items():
        if name in {"properties", "patternProperties", "$defs"}:
            for member, schema in inner.items():
                yield from of_schemas(f"{where}/{member}", schema)
        elif name not in {"examples", "example", "default", "enum", "const"}:
            yield from of_schemas(f"{where}/{name}", inner)


def shown(contract: Contract) -> Iterator[Shown]:
    """Every example of a contract: where it is, its schema, and the value."""
    for name, schema in contract["components"]["schemas"].items():
        yield from of_schemas(name, schema)
    for template, item in contract["paths"].items():
        for method, operation in item.items():
            where = f"{method} {template}"
            for parameter in operation.get("parameters", ()):
                yield from of_media(f"{where} {parameter['name']}", parameter)
                yield from of_schemas(f"{where} {parameter['name']}", parameter["schema"])
            answers = operation["responses"]
            for status, body in (*answers.items(), ("body", operation.get("requestBody", {}))):
                for name, header in body.get("headers", {}).items():
                    yield from of_media(f"{where} {status} {name}", header)
                for media, content in body.get("content", {}).items():
                    yield from of_media(f"{where} {status} {media}", content)
                    yield from of_schemas(f"{where} {status} {media}", content.get("schema", {}))


@pytest.mark.parametrize("api", APIS)
def test_every_example_is_valid_under_its_own_schema(api: str) -> None:
    contract = contract_of(api)
    found = list(shown(contract))
    assert len(found) > 20
    wrong = []
    for where, schema, value in found:
        validator = jsonschema.Draft202012Validator(
            {**schema, "components": contract["components"]},
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        )
        wrong += [f"{where}: {error.message[:200]}" for error in validator.iter_errors(value)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("api", APIS)
def test_what_is_needed_to_send_a_request_is_exemplified(api: str) -> None:
    for template, item in contract_of(api)["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                where = f"{method} {template} {parameter['name']}"
                # Whatever else has an example of its own is filled in by a documentation page, though nobody chose it.
                assert ("example" in parameter) == parameter["required"], where
