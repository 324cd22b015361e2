"""A collection that Postman makes of the merged contract, run by Newman: the values that it fills in are accepted.

Postman's settings of an import are its own but for two. "Parameter generation" is by example, since it makes a code in
a path up from its pattern otherwise; optional parameters are not enabled, since every filter at once, with texts that
are made up and a cursor of no page, is nothing that anybody asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmptf_funding.bank.schemas import CAMT
from tests.commands import NPM, run
from tests.contract.contracts import CALLERS, COMMITTED
from tests.tokens import bearer
from tests.validators.requests import OPERATIONS

OPTIONS = "parametersResolution=Example,enableOptionalParameters=false"
pytestmark = NPM
# What only who has claimed it may do: path as Postman writes it -> the token of that person.
TOKENS = {
    operation.template.strip("/").replace("{code}", ":code"): bearer(CALLERS[operation.id], "IOM")[
        "authorization"
    ].removeprefix("Bearer ")
    for operation in OPERATIONS
    if operation.id in CALLERS
}


def requests_in(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The requests of a collection, whose folders nest."""
    for item in items:
        if "item" in item:
            yield from requests_in(item["item"])
        else:
            yield item["request"]


@pytest.fixture(scope="module")
def collection(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as it is imported, with `dry_run` checked, so that no write changes what the next one needs.

    What only one person may do has the token of that person.
    """
    file = tmp_path_factory.mktemp("postman") / "collection.json"
    run(
        file.parent, tools / "openapi2postmanv2", "--spec", COMMITTED["gateway"], "--output", file, "--options", OPTIONS
    )
    made = json.loads(file.read_text("utf-8"))
    for request in requests_in(made["item"]):
        for parameter in request["url"].get("query", ()):
            if parameter["key"] in ("dry_run", "partial"):
                parameter |= {"value": "true", "disabled": False}
        if request.get("body", {}).get("options", {}).get("raw", {}).get("language") == "xml":
            # It takes no example of XML, and makes up an element.
            request["body"]["raw"] = CAMT
        if token := TOKENS.get("/".join(request["url"]["path"])):
            request["auth"] = {"type": "bearer", "bearer": [{"key": "token", "value": token, "type": "string"}]}
    file.write_text(json.dumps(made))
    return file


def test_every_request_of_the_collection_succeeds(tools: Path, gateway: str, collection: Path) -> None:
    report = collection.with_name("report.json")
    token = bearer("admin", "IOM")["authorization"].removeprefix("Bearer ")
    variables = ["--env-var", f"baseUrl={gateway}", "--env-var", f"bearerToken={token}"]
    reporter = ["--reporters", "json", "--reporter-json-export", report]
    run(collection.parent, tools / "newman", "run", collection, *variables, *reporter)
    executions = json.loads(report.read_text("utf-8"))["run"]["executions"]
    assert len(executions) == len(OPERATIONS)
    refused = [
        (each["item"]["name"], each["response"]["code"], bytes(each["response"]["stream"]["data"]).decode())
        for each in executions
        if each["response"]["code"] >= 400
    ]
    assert refused == []
