"""The contracts of all services as one OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Contract = dict[str, Any]
Component = tuple[str, str]

OWN = "gateway"
# The component of the gateway that stands for the card of any service, and the paths of the services' cards.
CARD = "ProgrammeCard"
_CARDS = re.compile(r"/([^/]+)/v1/cards/programmes/\{code\}")
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
# The beginning of a line that is a heading in Markdown.
_HEADING = re.compile(r"^(?=#{1,6} )", re.MULTILINE)
_REFERENCE = re.compile(r"#/components/([^/]+)/([^/]+)(.*)", re.DOTALL)


def merge(contracts: Mapping[str, Contract], own: Contract) -> Contract:
    """One valid OpenAPI 3.1 document of the gateway and all services; neither argument is changed.

    contracts: name of a service -> its contract. Of each only the paths under /<name>/ are taken, with the
    components that they use. A component that is the same in all contracts is shared; one that differs gets the
    service's name in front of its own, and so does an operation id that several contracts use; all others stay as they
    are. A tag is one for all contracts that use it; those with `x-supporting` come last. own: the gateway's contract,
    from which title, version, contact and servers are taken. Before the first heading in its description are put the
    descriptions of the services, each up to its own first heading, since what holds for every operation follows there
    in each. The order of services does not matter. The card in the view of a programme is one of those that the
    services have at `/<name>/v1/cards/programmes/{code}`.
    """
    parts = {OWN: own} | {name: _of_service(name, contracts[name]) for name in sorted(contracts)}
    used = {name: _used(part) for name, part in parts.items()}
    names = _names(parts, used)
    ids = _operation_ids(parts)
    paths: Contract = {}
    components: Contract = {}
    for service, part in parts.items():
        rewrite = _rewriter(service, names, ids)
        for path, item in part["paths"].items():
            paths[path] = _with_security(rewrite(item), rewrite({"security": part.get("security", [])})["security"])
        for section, name in used[service]:
            components.setdefault(section, {})[names[service, section, name]] = rewrite(
                part["components"][section][name]
            )
    merged = {
        "openapi": own["openapi"],
        "info": {**own["info"], "description": _description(own, contracts)},
        "servers": own["servers"],
        "paths": paths,
        "tags": _tags(parts),
    }
    _unite_cards(components, paths)
    if components:
        merged["components"] = {section: dict(sorted(components[section].items())) for section in sorted(components)}
    return merged


def _unite_cards(components: dict[str, Contract], paths: Contract) -> None:
    """Put the cards of all services in the place of the gateway's own, which describes no service's facts."""
    schemas = components.get("schemas", {})
    found = {
        match[1]: item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        for path, item in paths.items()
        if (match := _CARDS.fullmatch(path))
    }
    if found and CARD in schemas:
        schemas[CARD] = {
            "description": "What one service has on a programme; `service` says which service, and so which members"
            " `facts` has.",
            "oneOf": [{"$ref": reference} for reference in found.values()],
            "discriminator": {"propertyName": "service", "mapping": found},
        }


def _of_service(name: str, contract: Contract) -> Contract:
    return {**contract, "paths": {p: i for p, i in contract["paths"].items() if p.startswith(f"/{name}/")}}


def _values(node: object) -> Iterator[tuple[str, Any]]:
    """Every member of every object in a contract, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from _values(value)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value)


def _references(node: object) -> Iterator[Component]:
    for key, value in _values(node):
        if key == "$ref" and isinstance(value, str):
            if match := _REFERENCE.fullmatch(value):
                yield match[1], match[2]
        elif key == "mapping" and isinstance(value, dict):
            for target in value.values():
                if isinstance(target, str) and (match := _REFERENCE.fullmatch(target)):
                    yield match[1], match[2]
        elif key == "security" and isinstance(value, list):
            for requirement in value:
                if isinstance(requirement, dict):
                    yield from (("securitySchemes", scheme) for scheme in requirement)


def _used(part: Contract) -> list[Component]:
    """The components that a contract's paths refer to, directly or through others."""
    components = part.get("components", {})
    waiting = list(_references([part["paths"], {"security": part.get("security", [])}]))
    found: set[Component] = set()
    while waiting:
        component = section, name = waiting.pop()
        if component not in found and name in components.get(section, {}):
            found.add(component)
            waiting.extend(_references(components[section][name]))
    return sorted(found)


def _names(parts: Mapping[str, Contract], used: Mapping[str, list[Component]]) -> dict[tuple[str, str, str], str]:
    """(service, section, name) -> the name in the merged contract."""
    holders: dict[Component, list[str]] = {}
    for service, components in used.items():
        for component in components:
            holders.setdefault(component, []).append(service)
    bodies = {
        component: [parts[service]["components"][component[0]][component[1]] for service in services]
        for component, services in holders.items()
    }
    differing = {component for component, found in bodies.items() if any(body != found[0] for body in found)}
    # A component that refers to a differing one differs, too, even if its own text is the same everywhere.
    while follows := {
        component
        for component, found in bodies.items()
        if component not in differing and len(found) > 1 and not differing.isdisjoint(_references(found[0]))
    }:
        differing |= follows
    names: dict[tuple[str, str, str], str] = {}
    taken = set(holders) - differing
    for section, name in sorted(holders):
        for service in holders[section, name]:
            new = name
            if (section, name) in differing:
                new = "".join(part.capitalize() for part in service.split("-")) + name
                while (section, new) in taken:
                    new += "_"
                taken.add((section, new))
            names[service, section, name] = new
    return names


def _operations(part: Contract) -> Iterator[Contract]:
    for item in part["paths"].values():
        yield from (operation for method, operation in item.items() if method in _METHODS)


def _operation_ids(parts: Mapping[str, Contract]) -> dict[tuple[str, str], str]:
    """(service, operation id) -> the id in the merged contract, which is another one where several services use it."""
    found = {
        (service, operation["operationId"])
        for service, part in parts.items()
        for operation in _operations(part)
        if "operationId" in operation
    }
    uses = Counter(name for _, name in found)
    ids: dict[tuple[str, str], str] = {}
    taken = {name for name, count in uses.items() if count == 1}
    for service, name in sorted(found):
        new = name
        if uses[name] > 1:
            new = f"{service.replace('-', '_')}_{name}"
            while new in taken:
                new += "_"
            taken.add(new)
        ids[service, name] = new
    return ids


def _rewriter(
    service: str, names: Mapping[tuple[str, str, str], str], ids: Mapping[tuple[str, str], str]
) -> Callable[[Any], Any]:
    """A function that copies a part of one service's contract, with the names of the merged contract in it."""

    def reference(text: str) -> str:
        if match := _REFERENCE.fullmatch(text):
            return f"#/components/{match[1]}/{names.get((service, match[1], match[2]), match[2])}{match[3]}"
        return text

    def member(key: str, value: Any) -> Any:
        if key == "$ref" and isinstance(value, str):
            return reference(value)
        if key == "operationId" and isinstance(value, str):
            return ids.get((service, value), value)
        if key == "mapping" and isinstance(value, dict):
            return {k: reference(v) if isinstance(v, str) else copy(v) for k, v in value.items()}
        if key == "security" and isinstance(value, list):
            return [
                {names.get((service, "securitySchemes", s), s): scopes for s, scopes in requirement.items()}
                if isinstance(requirement, dict)
                else requirement
                for requirement in value
            ]
        return copy(value)

    def copy(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: member(key, value) for key, value in node.items()}
        if isinstance(node, list):
            return [copy(value) for value in node]
        return node

    return copy


def _with_security(item: Contract, security: list[Any]) -> Contract:
    """A path whose operations each have the `security` that their contract declared for all."""
    if security:
        for method, operation in item.items():
            if method in _METHODS:
                operation.setdefault("security", security)
    return item


def _tags(parts: Mapping[str, Contract]) -> list[Contract]:
    """The tags of all operations: first what callers come for, then what supports it (`x-supporting`).

    Among each, those that fewer contracts declare come first, in the order of the contracts. A tag that several
    contracts declare has the description of the first.
    """
    described: dict[str, Contract] = {}
    declarations = Counter(tag["name"] for part in parts.values() for tag in part.get("tags", []))
    for part in parts.values():
        used = dict.fromkeys(tag for operation in _operations(part) for tag in operation.get("tags", []))
        declared = {tag["name"]: tag for tag in part.get("tags", []) if tag["name"] in used}
        for name in (*declared, *(name for name in used if name not in declared)):
            described.setdefault(name, declared.get(name, {"name": name}))
    return sorted(described.values(), key=lambda tag: (tag.get("x-supporting", False), declarations[tag["name"]]))


def _description(own: Contract, contracts: Mapping[str, Contract]) -> str:
    introduction, conventions = _parts_of_description(own)
    parts = [introduction]
    for name in sorted(contracts):
        info = contracts[name]["info"]
        parts.append(f"## {name}: {info['title']} {info['version']}\n\n{_parts_of_description(contracts[name])[0]}")
    return "\n\n".join(part.strip() for part in (*parts, conventions) if part)


def _parts_of_description(contract: Contract) -> tuple[str, str]:
    """What the description of a contract says before its first heading, and the rest of it."""
    introduction, *rest = _HEADING.split(contract["info"].get("description", ""), maxsplit=1)
    return introduction, "".join(rest)
