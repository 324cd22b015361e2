"""The merged contract: a valid contract in which nothing collides and nothing is lost."""

import copy
import itertools
import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from mmptf_gateway.__main__ import run
from mmptf_gateway.app import create_app
from mmptf_gateway.merge import merge
from mmptf_gateway.settings import GatewaySettings

MONEY = {"type": "object", "properties": {"amount": {"type": "string"}}}
OWN = create_app(GatewaySettings(services={"catalog": "http://localhost"})).openapi()


def service(name: str, schemas: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A contract with one list, whose answer is the schema `Page`."""
    answer = {"description": "ok", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"The {name}", "version": "1.2.3", "description": "Every fact names its source."},
        "tags": [{"name": "things", "description": "Things."}],
        "paths": {
            f"/{name}/v1/things": {
                "get": {"operationId": f"list_{name}_things", "tags": ["things"], "responses": {"200": answer}}
            },
            "/health/live": {
                "get": {"operationId": f"get_{name}_liveness", "responses": {"200": {"description": "ok"}}}
            },
        },
        "components": {"schemas": {"Page": {"type": "object"}, **schemas}},
        **more,
    }


def valid(contract: dict[str, Any]) -> dict[str, Any]:
    OpenAPIV31SpecValidator(contract).validate()
    ids = [
        operation["operationId"]
        for item in contract["paths"].values()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    assert len(ids) == len(set(ids))
    for reference in (text for text in json.dumps(contract).split('"') if text.startswith("#/")):
        section, name = reference.removeprefix("#/components/").split("/")[:2]
        assert name in contract["components"][section], reference
    return contract


def page_of(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"items": {"type": "array", "items": {"$ref": name}}}}


def test_tags_that_support_others_come_last() -> None:
    drafts, health = {"name": "drafts", "x-supporting": True}, {"name": "health", "x-supporting": True}
    first = service("catalog", {}, tags=[drafts, health, {"name": "things"}])
    second = service("funding", {}, tags=[{"name": "amounts"}, health])
    for contract, names in ((first, ["things", "drafts", "health"]), (second, ["amounts", "health"])):
        (item,) = (item for path, item in contract["paths"].items() if path.endswith("/things"))
        item["get"]["tags"] = names
    merged = valid(merge({"catalog": first, "funding": second}, OWN))
    names = [tag["name"] for tag in merged["tags"]]
    assert names == ["One programme", "things", "amounts", "Status", "Problems", "drafts", "health"]


def test_paths_tags_and_ids_belong_to_their_service() -> None:
    merged = valid(merge({"catalog": service("catalog", {}), "funding": service("funding", {})}, OWN))
    assert list(merged["paths"]) == [*OWN["paths"], "/catalog/v1/things", "/funding/v1/things"]
    operation = merged["paths"]["/funding/v1/things"]["get"]
    assert (operation["operationId"], operation["tags"]) == ("list_funding_things", ["things"])
    assert [tag["name"] for tag in merged["tags"]] == ["One programme", "things", "Status", "Problems"]
    assert merged["tags"][1] == {"name": "things", "description": "Things."}
    assert merged["paths"]["/status"]["get"]["operationId"] == "get_suite_status"
    assert "## catalog: The catalog 1.2.3\n\nEvery fact names its source." in merged["info"]["description"]
    assert merged["info"]["version"] == OWN["info"]["version"]


def test_what_holds_for_every_operation_is_said_once_whatever_a_service_says_below_a_heading() -> None:
    older = service("catalog", {}, servers=[{"url": "/elsewhere"}])
    older["info"]["description"] = (
        "Programmes.\n\nEach has a code, #1 or so.\n\n## Pages\n\nAs they were in an older version."
    )
    bare = service("funding", {})
    del bare["info"]["description"]
    merged = valid(merge({"catalog": older, "funding": bare}, OWN))
    introduction, heading, conventions = OWN["info"]["description"].partition("## What holds for every operation")
    assert merged["info"]["description"] == (
        f"{introduction}## catalog: The catalog 1.2.3\n\nProgrammes.\n\nEach has a code, #1 or so.\n\n"
        f"## funding: The funding 1.2.3\n\n{heading}{conventions}"
    )
    assert (merged["servers"], merged["info"]["contact"]) == (OWN["servers"], OWN["info"]["contact"])


def test_only_an_operation_id_that_several_contracts_use_gets_the_name_of_the_service() -> None:
    def using(name: str, used: str) -> dict[str, Any]:
        contract = service(name, {})
        contract["paths"][f"/{name}/v1/things"]["get"]["operationId"] = used
        return contract

    contracts = {
        "catalog": using("catalog", "list_things"),
        "new-one": using("new-one", "list_things"),
        "old": using("old", "catalog_list_things"),
        "other": using("other", "get_suite_status"),
    }
    merged = valid(merge(contracts, OWN))["paths"]
    assert merged["/catalog/v1/things"]["get"]["operationId"] == "catalog_list_things_"
    assert merged["/new-one/v1/things"]["get"]["operationId"] == "new_one_list_things"
    assert merged["/old/v1/things"]["get"]["operationId"] == "catalog_list_things"
    assert merged["/other/v1/things"]["get"]["operationId"] == "other_get_suite_status"
    assert merged["/status"]["get"]["operationId"] == "gateway_get_suite_status"


def test_a_path_outside_the_prefix_is_left_out() -> None:
    merged = merge({"catalog": service("catalog", {}), "funding": service("catalog", {})}, OWN)
    assert [path for path in merged["paths"] if "things" in path] == ["/catalog/v1/things"]


def test_equal_components_are_shared_and_unused_ones_dropped() -> None:
    schemas = {"Page": page_of("#/components/schemas/Money"), "Money": MONEY, "Unused": {"type": "null"}}
    merged = valid(merge({"catalog": service("catalog", schemas), "funding": service("funding", schemas)}, OWN))
    found = merged["components"]["schemas"]
    assert found["Page"] == schemas["Page"]
    assert "Unused" not in found
    assert not [name for name in found if name.startswith(("Catalog", "Funding"))]


def test_differing_components_are_renamed_everywhere_and_so_is_what_refers_to_them() -> None:
    page = page_of("#/components/schemas/Thing")
    contracts = {
        "catalog": service("catalog", {"Page": page, "Thing": {"type": "string"}, "Money": MONEY}),
        "new-one": service("new-one", {"Page": page, "Thing": {"type": "integer"}, "Money": MONEY}),
    }
    before = copy.deepcopy(contracts)
    merged = valid(merge(contracts, OWN))
    schemas = merged["components"]["schemas"]
    assert schemas["CatalogThing"] == {"type": "string"}
    assert schemas["NewOneThing"] == {"type": "integer"}
    assert schemas["NewOnePage"] == page_of("#/components/schemas/NewOneThing")
    assert not {"Page", "Thing"} & set(schemas)
    used = merged["paths"]["/new-one/v1/things"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert used == {"$ref": "#/components/schemas/NewOnePage"}
    assert contracts == before


def test_a_new_name_never_hits_an_old_one() -> None:
    catalog = {"Page": page_of("#/components/schemas/CatalogPage"), "CatalogPage": {"type": "string"}}
    merged = valid(merge({"catalog": service("catalog", catalog), "funding": service("funding", {})}, OWN))
    assert merged["components"]["schemas"]["CatalogPage"] == {"type": "string"}
    assert merged["components"]["schemas"]["CatalogPage_"] == page_of("#/components/schemas/CatalogPage")


def test_cycles_discriminators_and_deep_references_keep_their_meaning() -> None:
    def schemas(kind: str) -> dict[str, Any]:
        return {
            "Page": {
                "oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}],
                "discriminator": {"propertyName": "kind", "mapping": {"a": "#/components/schemas/A"}},
            },
            "A": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Page"}}},
            "B": {
                "type": "object",
                "properties": {"kind": {"type": kind}, "other": {"$ref": "#/components/schemas/B/properties/kind"}},
            },
        }

    contracts = {"catalog": service("catalog", schemas("string")), "funding": service("funding", schemas("integer"))}
    found = valid(merge(contracts, OWN))["components"]["schemas"]
    assert found["FundingPage"]["discriminator"]["mapping"] == {"a": "#/components/schemas/FundingA"}
    assert found["FundingA"]["properties"]["next"] == {"$ref": "#/components/schemas/FundingPage"}
    assert found["CatalogB"]["properties"]["other"] == {"$ref": "#/components/schemas/CatalogB/properties/kind"}


def with_card(name: str) -> dict[str, Any]:
    """A contract with the card of a programme, whose component each service calls its own."""
    component = f"{name.capitalize()}ProgrammeCard"
    card = {"type": "object", "properties": {"service": {"const": name}}, "required": ["service"]}
    contract = service(name, {component: card})
    schema = {"$ref": f"#/components/schemas/{component}"}
    answer = {"description": "ok", "content": {"application/json": {"schema": schema}}}
    contract["paths"][f"/{name}/v1/cards/programmes/{{code}}"] = {
        "parameters": [{"name": "code", "in": "path", "required": True, "schema": {"type": "string"}}],
        "get": {"operationId": f"get_{name}_card", "responses": {"200": answer}},
    }
    return contract


def test_a_card_in_the_view_of_a_programme_is_that_of_one_of_the_services() -> None:
    merged = valid(merge({"catalog": with_card("catalog"), "funding": with_card("funding")}, OWN))
    cards = {name: f"#/components/schemas/{name.capitalize()}ProgrammeCard" for name in ("catalog", "funding")}
    union = merged["components"]["schemas"]["ProgrammeCard"]
    assert union["oneOf"] == [{"$ref": reference} for reference in cards.values()]
    assert union["discriminator"] == {"propertyName": "service", "mapping": cards}
    assert "properties" not in union
    part = merged["components"]["schemas"]["ProgrammePart"]["properties"]["card"]
    assert part["anyOf"] == [{"$ref": "#/components/schemas/ProgrammeCard"}, {"type": "null"}]


def test_without_cards_of_services_the_view_of_a_programme_has_the_gateways_own() -> None:
    merged = valid(merge({"catalog": service("catalog", {})}, OWN))
    assert merged["components"]["schemas"]["ProgrammeCard"] == OWN["components"]["schemas"]["ProgrammeCard"]
    assert "oneOf" not in OWN["components"]["schemas"]["ProgrammeCard"]


def test_security_stays_with_its_service() -> None:
    def secured(name: str, scheme: str) -> dict[str, Any]:
        contract = service(name, {}, security=[{"key": []}])
        contract["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": scheme}}
        return contract

    merged = valid(merge({"catalog": secured("catalog", "basic"), "funding": secured("funding", "bearer")}, OWN))
    assert merged["paths"]["/funding/v1/things"]["get"]["security"] == [{"Fundingkey": []}]
    assert merged["paths"]["/status"]["get"]["security"] == []
    assert merged["components"]["securitySchemes"]["Catalogkey"]["scheme"] == "basic"


def test_the_order_of_services_does_not_matter() -> None:
    contracts = {
        "catalog": service("catalog", {"Page": MONEY}),
        "funding": service("funding", {}),
        "markers": service("markers", {"Page": {"type": "string"}}),
    }
    texts = {json.dumps(merge(dict(order), OWN)) for order in itertools.permutations(contracts.items())}
    assert len(texts) == 1


def test_the_verb_prints_the_merged_contract(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(service("catalog", {})))
    assert run(["openapi", f"catalog={file}"]) == 0
    assert "/catalog/v1/things" in valid(json.loads(capsys.readouterr().out))["paths"]


@pytest.mark.parametrize("given", ["catalog", "catalog=missing.json", "=x"])
def test_the_verb_says_what_it_cannot_read(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["openapi", given]) == 1
    assert capsys.readouterr().err.startswith("openapi: ")
