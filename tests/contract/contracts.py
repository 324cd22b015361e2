"""The contracts of the suite: every operation of every service, and of the gateway."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations, product
from typing import Any, TypeVar

import jsonschema_rs

from tests.suite import FOLDERS, NAMES, SERVICES
from tests.tokens import bearer, writing

APIS = NAMES
COMMITTED = {name: folder / "openapi.json" for name, folder in FOLDERS.items()}
# Who asks, where it is not the administrator: who has claimed what is decided on.
CALLERS = {"review_assessment": "reviewer", "decide_appeal": "second-reviewer"}
# What a CSV needs that nothing fills in: operationId -> the query.
CSV_NEEDS = {"get_indicator": {"by": "thematic_area"}}
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PROBLEM = "application/problem+json"

Contract = dict[str, Any]
T = TypeVar("T")


@cache
def contract_of(api: str) -> Contract:
    """The contract of a service, or the gateway's merged one, as it is committed.

    That the code makes the same `test_documents.py` tests; every worker reads them to collect the tests.
    """
    found: Contract = json.loads(COMMITTED[api].read_text("utf-8"))
    return found


@cache
def validator(api: str, reference: str) -> jsonschema_rs.Draft202012Validator:
    """A validator of one of a contract's schemas, formats included; it is compiled, since it checks most answers."""
    return jsonschema_rs.Draft202012Validator(
        {"$ref": reference, "components": contract_of(api)["components"]}, validate_formats=True
    )


@dataclass(frozen=True)
class Operation:
    """One operation of one API."""

    api: str
    method: str
    template: str

    def __str__(self) -> str:
        return f"{self.api}:{self.id}"

    @cached_property
    def contract(self) -> Contract:
        found: Contract = contract_of(self.api)["paths"][self.template][self.method]
        return found

    @cached_property
    def id(self) -> str:
        return str(self.contract["operationId"])

    @property
    def is_forwarded(self) -> bool:
        """Whether the gateway passes it on to a service."""
        return self.api == "gateway" and self.template.split("/")[1] in SERVICES

    @property
    def is_read(self) -> bool:
        return self.method == "get"

    @property
    def writes(self) -> bool:
        """Whether it changes what is stored."""
        return "dry_run" in self.query

    @property
    def is_list(self) -> bool:
        return "cursor" in self.query and "sort" in self.query

    @property
    def is_versioned(self) -> bool:
        """Whether the answer is made from stored data, so that it has a revision and an ETag."""
        return self.is_read and "ETag" in self.contract["responses"]["200"].get("headers", {})

    def response(self, status: int | str) -> Contract:
        """What the contract says of a status: its own answer, or that of every other error; references are followed."""
        responses = self.contract["responses"]
        found: Contract = responses.get(str(status), responses["default"])
        if "$ref" in found:
            found = contract_of(self.api)["components"]["responses"][found["$ref"].rpartition("/")[2]]
        return found

    def headers_of(self, status: int | str) -> dict[str, Contract]:
        """The headers that the contract declares for a status, by their names in small letters."""
        shared = contract_of(self.api)["components"]["headers"]
        return {
            name.lower(): shared[header["$ref"].rpartition("/")[2]] if "$ref" in header else header
            for name, header in self.response(status).get("headers", {}).items()
        }

    @property
    def is_open(self) -> bool:
        """Whether anybody may ask, without a token."""
        return not self.contract["security"]

    @property
    def done(self) -> int:
        """The status of its success."""
        return next(int(status) for status in self.contract["responses"] if status.startswith("2"))

    @cached_property
    def query(self) -> dict[str, Contract]:
        """Its query parameters: name -> schema, with the closed values in place of their components."""
        stated = {p["name"]: p["schema"] for p in self.contract.get("parameters", ()) if p["in"] == "query"}
        return {
            name: self._inlined(schema) | ({"items": self._inlined(schema["items"])} if "items" in schema else {})
            for name, schema in stated.items()
        }

    def _inlined(self, schema: Contract) -> Contract:
        """A schema with the component that it refers to in place of the reference."""
        if "$ref" not in schema:
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return contract_of(self.api)["components"]["schemas"][schema["$ref"].rpartition("/")[2]] | beside

    @cached_property
    def path(self) -> str:
        """Its path, with the examples that the contract gives."""
        path = self.template
        for parameter in self.contract.get("parameters", ()):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        return path

    @cached_property
    def members(self) -> list[str]:
        """The members of an item of its pages."""
        schemas = contract_of(self.api)["components"]["schemas"]
        page = schemas[self.schema_of(200)[1]["$ref"].rpartition("/")[2]]
        return list(schemas[page["properties"]["items"]["items"]["$ref"].rpartition("/")[2]]["properties"])

    @property
    def code(self) -> str | None:
        """What its path calls the code of a record; None where the path has none."""
        return next(iter(re.findall(r"{(\w+)}", self.template)), None)

    @cached_property
    def body(self) -> Any:
        """The body that the contract gives as its first example; None where the operation takes none."""
        content = self.contract.get("requestBody", {}).get("content", {})
        # A file has a media type with one example or none.
        if "examples" not in content.get("application/json", {}):
            return None
        return next(iter(content["application/json"]["examples"].values()))["value"]

    @cached_property
    def nullable(self) -> set[str]:
        """The members of the body that the contract lets be null."""
        reference = self.contract["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        members = contract_of(self.api)["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
        return {
            name
            for name, schema in members.items()
            if "null" in [*schema.get("type", ())] or {"type": "null"} in schema.get("anyOf", ())
        }

    @cached_property
    def filled_in(self) -> dict[str, Any]:
        """The query that a documentation page fills in and sends: examples of parameters, defaults of their schemas.

        It also sends the `example` of a schema, and none of its `examples`.
        """
        found: dict[str, Any] = {}
        for parameter in self.contract.get("parameters", ()):
            schema = parameter["schema"]
            shown = [each["value"] for each in parameter.get("examples", {}).values()]
            for place in (parameter, schema):
                shown += [place[name] for name in ("example", "default") if name in place]
            if parameter["in"] == "query" and shown:
                found[parameter["name"]] = shown[0]
        return found

    @cached_property
    def filters(self) -> dict[str, Any]:
        """The examples of its query parameters that nothing fills in: name -> the first example of its schema."""
        return {name: schema["examples"][0] for name, schema in self.query.items() if "examples" in schema}

    @property
    def has_csv(self) -> bool:
        """Whether its answer can also be had as CSV."""
        return self.is_read and "text/csv" in list(self.response(200)["content"])[1:]

    @property
    def headers(self) -> dict[str, str]:
        """Who asks, and for a write its key and its condition: whatever the record is like."""
        if self.is_open:
            return {}
        caller = CALLERS.get(self.id, "admin")
        return writing(caller, "IOM", match="*") if self.writes else bearer(caller, "IOM")

    @property
    def sent(self) -> Contract:
        """The example body as a request sends it."""
        if "requestBody" in self.contract and self.body is None:
            content = self.contract["requestBody"]["content"].items()
            media, file = next((media, each["example"]) for media, each in content if "example" in each)
            return {"content": file, "headers": {**self.headers, "content-type": media}}
        return {"json": self.body, "headers": self.headers}

    def schema_of(self, status: int) -> tuple[str, Contract]:
        """The first media type that the contract gives for a status, and its schema."""
        return next((media, content["schema"]) for media, content in self.response(status)["content"].items())

    def check(self, status: int, answer: Any) -> None:
        """Hold a JSON answer against what the contract says of its status; raises ValidationError."""
        validator(self.api, self.schema_of(status)[1]["$ref"]).validate(answer)


def operations_of(api: str) -> list[Operation]:
    """Every operation of a contract, in its order; of the merged one also those that are forwarded."""
    paths = contract_of(api)["paths"]
    return [
        Operation(api, method, template) for template, item in paths.items() for method in METHODS if method in item
    ]


# The beginnings of the paths that every process has.
OF_EVERY_PROCESS = ("/problems", "/version")


def _walked() -> list[Operation]:
    """Every operation at its service, and at the gateway, which changes nothing, its own and one of each kind."""
    found, kinds = [], set()
    for api in APIS:
        for operation in operations_of(api):
            # What every process has is not stored: see EXPLANATIONS.
            if operation.template.startswith(OF_EVERY_PROCESS) and api != "gateway":
                continue
            service, method = operation.template.split("/")[1], operation.method
            kind = (service, method, operation.is_list, operation.code is None, operation.is_open)
            if not operation.is_forwarded or kind not in kinds:
                found.append(operation)
            if api == "gateway":
                kinds.add(kind)
    return found


OPERATIONS = _walked()
AT_SERVICES = [o for o in OPERATIONS if o.api != "gateway"]
# Each operation of the API that answers it: what the gateway forwards is not its own.
OWN = [o for o in OPERATIONS if not o.is_forwarded]
# What each service answers of the error codes and of its code, as the gateway does, whose answers are among these.
EXPLANATIONS = [
    Operation(api, "get", template)
    for api in SERVICES
    for template in contract_of(api)["paths"]
    if template.startswith(OF_EVERY_PROCESS)
]
READS = [o for o in OWN if o.is_read]
VERSIONED = [o for o in OWN if o.is_versioned]
LISTS = [o for o in OWN if o.is_list]
PARAMETERS = [(o, name) for o in OWN for name in o.query]


def in_turn(values: Sequence[T], place: int, number: int = 1) -> list[T]:
    """As many of the values as `number` says: at each place of a list those that follow the ones of the place before.

    So every place has some of the values, and every value some place. COMBINATIONS=all (`make longer`): all values.
    """
    if os.environ.get("COMBINATIONS") == "all":
        return list(values)
    return [values[(place * number + n) % len(values)] for n in range(min(number, len(values)))]


def ids_in_every_contract() -> set[str]:
    """The operations that every process has."""
    contracts = [contract_of(api)["paths"].values() for api in APIS]
    return set.intersection(*({o["operationId"] for item in paths for o in item.values()} for paths in contracts))


def is_many(schema: Contract) -> bool:
    """Whether a parameter may be repeated."""
    return schema.get("type") == "array"


def words_of(schema: Contract) -> list[str] | None:
    """The values that a parameter's schema closes; None where it closes none."""
    item = schema.get("items", schema)
    found: list[str] | None = ["true", "false"] if item.get("type") == "boolean" else item.get("enum")
    return found


def has_order(schema: Contract) -> bool:
    """Whether the values of a parameter that may be repeated are in an order, so that they are no set."""
    return bool(schema.get("uniqueItems"))


def orders_of(operation: Operation) -> list[tuple[str, ...]]:
    """Orders by one key in each direction, and by two.

    ORDERS=all: each pair of keys, in both turns and all directions; else each key before another one and after another
    one, in both directions, with the same direction for both in every second pair
    """
    words = words_of(operation.query["sort"]) or []
    names = [word for word in words if not word.startswith("-")]
    if os.environ.get("ORDERS") == "all":
        pairs = [(a, b) for pair in permutations(names, 2) for a, b in product(*((name, f"-{name}") for name in pair))]
    else:
        pairs = []
        for n, (a, b) in enumerate(zip(names, names[1:] + names[:1], strict=True)):
            if a != b:
                pairs += [(a, b), (f"-{a}", f"-{b}")] if n % 2 else [(a, f"-{b}"), (f"-{a}", b)]
    return [*((word,) for word in words), *pairs]


# The filter of a list by the codes of its own records: a code that none has is no error.
OWN_CODES = "code"
# Filters that take any text: those of searches, of own codes, and of what others write.
ANY_TEXT = {"q", OWN_CODES, "reference", "bank_reference"}


def takes_codes(schema: Contract) -> bool:
    """Whether a parameter takes codes, closed by its schema or by a code list."""
    return is_many(schema) or words_of(schema) is not None


def references(node: object) -> Iterator[str]:
    """The names of the component schemas that a part of a contract refers to directly."""
    yield from re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(node))
