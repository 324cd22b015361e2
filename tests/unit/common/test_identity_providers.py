"""Tokens as the documented identity providers write them, read with the settings of the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from mmptf_common.http.tokens import open_verifier
from mmptf_common.process.settings import ServiceSettings
from mmptf_local.issuer import AUDIENCE
from tests.unit.common.identity_provider import (
    KEYS,
    SIGNERS,
    Claims,
    ProtectedApp,
    Provider,
    assert_refused,
    described,
    running_provider,
)

PAGE = Path(__file__).parents[3] / "docs" / "identity-providers.md"
_BLOCK = re.compile(r"```(\w+)(?: (\w+))?\n(.*?)```(?:\n\nRead from it: ([^.]*)\.)?", re.DOTALL)


@dataclass(frozen=True)
class Documented:
    """A provider of the page: its settings, the file of organizations, and tokens with what is read from each."""

    settings: dict[str, str]
    organizations: str
    tokens: list[tuple[Claims, str]]


def documented() -> dict[str, Documented]:
    """Every section of the page that has settings."""
    found = {}
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]:
        blocks = _BLOCK.findall(section)
        settings = [body for kind, _, body, _ in blocks if kind == "ini"]
        if settings:
            (lines,) = settings
            found[section.partition("\n")[0]] = Documented(
                dict(line.split("=", 1) for line in lines.splitlines()),
                "".join(body for kind, use, body, _ in blocks if kind in ("toml", "json") and not use),
                [(json.loads(body), read) for _, use, body, read in blocks if use == "claims"],
            )
    return found


PROVIDERS = documented()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider(*KEYS.values()) as running:
        yield running


def settings_of(provider: Provider, **values: Any) -> ServiceSettings:
    return ServiceSettings(
        **{
            "database_url": SecretStr("postgresql://nowhere"),
            "environment": "development",
            "identity_issuer": provider.issuer.url,
            "identity_audience": AUDIENCE,
            **values,
        }
    )


def test_the_page_has_a_provider_of_each_kind() -> None:
    assert [*PROVIDERS] == ["Keycloak", "Microsoft Entra ID", "Auth0", "Okta", "Any other provider"]
    assert all(each.tokens for each in PROVIDERS.values())


def test_what_is_to_be_imported_is_json_with_the_names_of_the_suite() -> None:
    imports = [json.loads(body) for _, use, body, _ in _BLOCK.findall(PAGE.read_text("utf-8")) if use == "import"]
    keycloak, entra = imports
    (account,) = keycloak["users"]
    known = {role["name"] for role in keycloak["roles"]["client"]["mmptf"]}
    assert account["username"] == f"service-account-{account['serviceAccountClientId']}"
    assert set(account["clientRoles"]["mmptf"]) < known
    assert {client["clientId"] for client in keycloak["clients"]} == {"mmptf", account["serviceAccountClientId"]}
    ids = [each["id"] for each in (*entra["appRoles"], *entra["api"]["oauth2PermissionScopes"])]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_token_is_read_with_the_settings_that_are_documented(
    provider: Provider, tmp_path: Path, name: str
) -> None:
    page = PROVIDERS[name]
    values = {name.lower(): value for name, value in page.settings.items()}
    # As it is documented the settings are right; the keys are those of the provider of this test.
    file = values.get("identity_organizations")
    if file:
        here = tmp_path / Path(file).name
        here.write_text(page.organizations, "utf-8")
        values["identity_organizations"] = str(here)
    assert ServiceSettings(database_url=SecretStr("postgresql://nowhere"), **values)
    settings = settings_of(provider, **values | {"identity_issuer": provider.issuer.url})
    async with open_verifier(settings) as verifier:
        for claims, read in page.tokens:
            assert claims["iss"] == values["identity_issuer"]
            stated = {key: value for key, value in provider.claims().items() if key in ("iss", "iat", "exp")}
            # Okta writes no type.
            kind = {"typ": None} if "cid" in claims else {}
            who = await verifier.identity(SIGNERS["RS256"].sign(claims | stated, **kind))
            expected = {"subject": claims["sub"], "organization": None, "roles": [], "scopes": []}
            for part in read.split("; "):
                what, _, values_read = part.partition(" ")
                words = re.findall(r"`([^`]+)`", values_read)
                expected[what] = words[0] if what == "organization" else words
            assert described(who) == expected


@pytest.mark.parametrize(
    ("settings", "claims", "expected"),
    [
        (
            {"identity_scopes_claim": "realm_access.roles", "identity_roles_claim": "resource_access.mmptf.roles"},
            {"realm_access": {"roles": ["admin"]}, "resource_access": {"mmptf": {"roles": ["agent"]}}},
            {"scopes": ["admin"], "roles": ["agent"]},
        ),
        # A client whose id has dots, and a name that Keycloak has split at its dots.
        (
            {"identity_scopes_claim": "resource_access.fund.example.org.roles"},
            {"resource_access": {"fund.example.org": {"roles": ["admin"]}, "fund": {"example": 1}}},
            {"scopes": ["admin"]},
        ),
        (
            {"identity_roles_claim": "https://example.org/roles"},
            {"https://example": {"org/roles": "agent"}},
            {"roles": ["agent"]},
        ),
        # The claim itself comes first.
        ({"identity_roles_claim": "a.b"}, {"a.b": "agent", "a": {"b": "king"}}, {"roles": ["agent"]}),
        # The first that has any counts alone: what a client was not given, its holder's roles do not add.
        ({"identity_scopes_claim": "scp,roles"}, {"scp": "x", "roles": ["admin"]}, {"scopes": ["x"]}),
        ({"identity_scopes_claim": " scp , roles "}, {"scp": "", "roles": ["admin"]}, {"scopes": ["admin"]}),
        # Where nothing is there, nothing is granted.
        ({"identity_scopes_claim": "realm_access.roles"}, {"realm_access": {"roles": None}}, {"scopes": []}),
        ({"identity_scopes_claim": "realm_access.roles"}, {"realm_access": ["roles"]}, {"scopes": []}),
        ({"identity_organization_claim": "org.code"}, {"org": {"code": "undp"}}, {"organization": "UNDP"}),
        ({"identity_audience": "other, mmptf"}, {"aud": ["mmptf", "x"]}, {}),
    ],
)
async def test_claims_are_found_by_name_and_path(
    provider: Provider, settings: dict[str, str], claims: Claims, expected: Claims
) -> None:
    everyday = {"subject": "agency", "organization": "IOM", "roles": [], "scopes": provider.claims()["scope"].split()}
    async with open_verifier(settings_of(provider, **settings)) as verifier:
        who = await verifier.identity(SIGNERS["ES256"].sign(provider.claims(roles=None) | claims))
    found = described(who)
    assert {name: found[name] for name in expected} == expected
    assert found.keys() == everyday.keys()


async def test_a_claim_of_another_type_is_named_by_its_path(provider: Provider) -> None:
    settings = settings_of(
        provider, identity_scopes_claim="scope,realm_access.roles", identity_organization_claim="org"
    )
    async with open_verifier(settings) as verifier:
        claims = provider.claims(realm_access={"roles": {"admin": 1}}, org={"IOM": "x"})
        answer = await ProtectedApp(verifier).ask(SIGNERS["ES256"].sign(claims))
    assert_refused(answer, "token_invalid", "not of their type: org, realm_access.roles.")


async def test_none_of_several_audiences_is_said_so(provider: Provider) -> None:
    async with open_verifier(settings_of(provider, identity_audience="api://a,b")) as verifier:
        answer = await ProtectedApp(verifier).ask(provider.issuer.token("agency"))
    assert_refused(answer, "token_invalid", "not meant for the audience api://a or b, which is expected here")


# --- the file of organizations

MAPPED = """
[azp]
portal = "UNDP"
[groups]
"/unicef" = "UNICEF"
"/unicef/children" = "UNICEF"
"/who" = "who"
["https://example.org/org"]
1a = "ILO"
"""


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"azp": "portal", "groups": ["/unicef"], "organization": "IOM"}, "UNDP"),
        ({"azp": "unknown", "groups": ["/others", "/unicef", "/unicef/children"]}, "UNICEF"),
        ({"groups": "/who"}, "WHO"),
        ({"groups": None, "https://example.org/org": "1a"}, "ILO"),
        ({"azp": "unknown", "groups": [], "organization": "IOM"}, "IOM"),
        ({"azp": "unknown", "organization": None}, None),
    ],
)
async def test_an_organization_is_looked_up(
    provider: Provider, tmp_path: Path, claims: Claims, expected: str | None
) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text(MAPPED, "utf-8")
    async with open_verifier(settings_of(provider, identity_organizations=str(file))) as verifier:
        who = await verifier.identity(SIGNERS["ES256"].sign(provider.claims(**claims)))
    assert who.organization == expected


async def test_groups_of_several_organizations_are_refused(provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text(MAPPED, "utf-8")
    async with open_verifier(settings_of(provider, identity_organizations=str(file))) as verifier:
        token = SIGNERS["ES256"].sign(provider.claims(groups=["/unicef", "/who"]))
        assert_refused(
            await ProtectedApp(verifier).ask(token), "token_invalid", "names 2 organizations in the claim groups"
        )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.yaml", "azp: {}", "a name that ends in .toml or .json is expected"),
        ("missing.toml", None, "missing.toml cannot be read (No such file or directory)"),
        ("a.toml", "[azp", "a.toml is no TOML: "),
        ("a.json", "{", "a.json is no JSON: "),
        ("a.json", "\xff", "a.json is no JSON: "),
        ("a.json", "[]", "a table for each claim is expected"),
        ("a.json", '{"azp": "IOM"}', "'azp' is no table of values of this claim"),
        ("a.json", '{"azp": {"portal": 1}}', "'azp', 'portal': the code of an organization is expected, such as IOM"),
        ("a.toml", '[azp]\nportal = "I O M"', "'azp', 'portal': the code of an organization is expected, such as IOM"),
    ],
)
def test_a_file_that_says_something_else_is_refused_at_the_start(
    provider: Provider, tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValidationError) as caught:
        settings_of(provider, identity_organizations=str(file))
    (error,) = caught.value.errors()
    assert error["loc"] == ("identity_organizations",)
    assert said in error["msg"] and "\n" not in error["msg"]
