"""The scopes, the roles and the organization that an access token has, in the forms in which providers write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter, ValidationError

# Text that can be stored, logged and read: it begins with a visible character and has no control characters.
Text = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\p{C}\p{Z}]\P{C}*$")]
_TEXT: TypeAdapter[str] = TypeAdapter(Text)


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where a token has what is read of its holder. Each name is that of a claim, or a path to a member of one.

    scopes, roles: of several claims the first one counts that has any
    organizations: name -> value of that claim -> code of an organization; they count before the claim `organization`
    """

    scopes: tuple[str, ...] = ("scope", "scp")
    roles: tuple[str, ...] = ("roles",)
    organization: str = "organization"
    organizations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Granted:
    """The scopes, the roles and the organization of a token; the latter in capitals, None where there is none."""

    scopes: frozenset[str]
    roles: frozenset[str]
    organization: str | None


class ClaimOfAnotherType(Exception):
    """Claims are not of the type that is expected of them."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names


class SeveralOrganizations(Exception):
    """A token that names several organizations."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"{number} organizations in the claim {name}")


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The value of a claim, or of a member of one by its path such as `realm_access.roles`; None where there is none.

    Names may have dots of their own, as URLs do: the longest name that the token has is taken.
    """
    if name in claims:
        return claims[name]
    end = len(name)
    while (end := name.rfind(".", 0, end)) >= 0:
        inner = claims.get(name[:end])
        if isinstance(inner, dict) and (found := claim(inner, name[end + 1 :])) is not None:
            return found
    return None


def granted(claims: Mapping[str, Any], names: ClaimNames) -> Granted:
    """What a token grants to its holder; raises ClaimOfAnotherType, SeveralOrganizations."""
    wrong: set[str] = set()
    found = Granted(
        scopes=_first(claims, names.scopes, wrong),
        roles=_first(claims, names.roles, wrong),
        organization=_organization(claims, names, wrong),
    )
    if wrong:
        raise ClaimOfAnotherType(wrong)
    return found


def _first(claims: Mapping[str, Any], names: tuple[str, ...], wrong: set[str]) -> frozenset[str]:
    """The words of the first claim that has any."""
    found: frozenset[str] = frozenset()
    for name in names:
        value = claim(claims, name)
        if isinstance(value, str):
            words = frozenset(value.split())
        elif value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            # Each is a name as a whole: of a role `not admin`, `admin` is no part.
            words = frozenset(value or ())
        else:
            wrong.add(name)
            continue
        found = found or words
    return found


def _organization(claims: Mapping[str, Any], names: ClaimNames, wrong: set[str]) -> str | None:
    for name, codes in names.organizations.items():
        known = {codes[value] for value in _named(claims, name, wrong) if value in codes}
        if known:
            return _only(name, known)
    return _only(names.organization, set(_named(claims, names.organization, wrong)))


def _only(name: str, found: set[str]) -> str | None:
    if len(found) > 1:
        raise SeveralOrganizations(name, len(found))
    for code in found:
        # Identity providers write codes as they like; that of an organization has capitals everywhere in the suite.
        return code.upper() if code.isascii() else code
    return None


def _named(claims: Mapping[str, Any], name: str, wrong: set[str]) -> list[str]:
    """What a claim names: a text, a list of texts, or the members of an object that are objects themselves.

    Keycloak writes organizations as such an object: {"iom": {"id": "42c3e46f-…"}}.
    """
    value = claim(claims, name)
    if value is None:
        return []
    if isinstance(value, dict):
        texts = list(value) if all(isinstance(each, dict) for each in value.values()) else [None]
    else:
        texts = value if isinstance(value, list) else [value]
    try:
        return [_TEXT.validate_python(each, strict=True) for each in texts]
    except ValidationError:
        wrong.add(name)
        return []
