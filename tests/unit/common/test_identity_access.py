"""What a verified caller may do: scopes, roles and public routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import pytest
from fastapi import Request

from mmptf_common.http.identity import (
    Access,
    Identity,
    PublicRequest,
    access_of,
    require_scope,
)
from tests.unit.common.identity_provider import (
    KEYS,
    ProtectedApp,
    Provider,
    Writer,
    administer,
    everyone,
    judge,
    protected_app,
    running_provider,
    write,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    """A provider whose keys stay as they are: its own, and one for each algorithm."""
    with running_provider(*KEYS.values()) as provider:
        yield provider


@pytest.fixture(scope="module")
async def service(shared: Provider) -> AsyncIterator[ProtectedApp]:
    """A service whose provider is `shared`."""
    async with protected_app(shared, pause=0) as app:
        yield app


async def test_a_missing_scope_is_named(shared: Provider, service: ProtectedApp) -> None:
    for path, scope, said in (
        ("/write", "catalog:write", "'catalog:write'"),
        ("/judge", "markers:assess markers:review", "'markers:assess' or 'markers:review'"),
        ("/administer", "admin", "'admin'"),
    ):
        answer = await service.ask(shared.issuer.token("agent"), path)
        document = answer.json()
        assert (answer.status_code, document["code"]) == (403, "insufficient_scope")
        assert said in document["detail"]
        assert answer.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    assert await service.status(shared.issuer.token("agency", scope="Catalog:write catalog")) == 403
    assert await service.status(shared.issuer.token("agency", scope=None)) == 403


async def test_any_of_several_scopes_is_enough_and_admin_is_enough_everywhere(
    shared: Provider, service: ProtectedApp
) -> None:
    may = {
        client: [
            path for path in ("/write", "/judge", "/administer")
            if (await service.ask(shared.issuer.token(client), path)).status_code == 200
        ]
        for client in ("agency", "reviewer", "management-unit", "agent", "admin")
    }  # fmt: skip
    assert may == {
        "agency": ["/write", "/judge"],
        "reviewer": ["/judge"],
        "management-unit": ["/write", "/judge"],
        "agent": [],
        "admin": ["/write", "/judge", "/administer"],
    }


def test_an_administrator_counts_as_every_role() -> None:
    def person(roles: set[str], scopes: set[str]) -> Identity:
        return Identity("x", None, frozenset(roles), frozenset(scopes))

    def roles_of(who: Identity) -> list[bool]:
        return [who.has_role("management_unit"), who.has_role("agent"), who.is_admin]

    assert roles_of(person({"management_unit"}, set())) == [True, False, False]
    assert roles_of(person({"agent"}, set())) == [False, True, False]
    assert roles_of(person(set(), {"admin"})) == [True, True, True]
    assert person(set(), {"admin"}).may("funding:write")
    assert person(set(), {"funding:write"}).may("funding:write")
    assert not person({"agent", "management_unit"}, {"catalog:write"}).may("funding:write")


async def test_a_public_route_needs_no_token_and_ignores_any(service: ProtectedApp) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await service.client.get("/everyone", headers=headers)
        assert (answer.status_code, answer.json()) == (200, "GET")


async def test_without_a_provider_every_protected_route_is_forbidden(shared: Provider) -> None:
    closed = ProtectedApp(None)
    for token in (shared.issuer.token("admin"), "nonsense"):
        answer = await closed.ask(token)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity_not_configured")
        assert "no identity provider is configured here" in answer.json()["detail"]
    assert (await closed.client.get("/everyone")).status_code == 200


async def contradictory(request: PublicRequest, who: Writer) -> None: ...


async def silent(request: Request, who: Identity, code: Annotated[str, "some text"]) -> None: ...


async def several(code: str, assessor: Annotated[Identity, require_scope("markers:assess")]) -> None: ...


async def of_funding(who: Annotated[Identity, require_scope("funding:write")], code: str = "") -> None: ...


async def of_reviews(who: Annotated[Identity, require_scope("markers:review")]) -> None: ...


def test_a_function_states_its_access_once() -> None:
    assert access_of(everyone) == Access()
    assert access_of(write) == Access(("catalog:write",))
    assert access_of(of_funding) == Access(("funding:write",))
    assert access_of(several) == Access(("markers:assess",))
    assert access_of(of_reviews) == Access(("markers:review",))
    assert access_of(judge) == Access(("markers:assess", "markers:review"))
    assert access_of(administer) == Access(("admin",))
    assert access_of(silent) is None
    with pytest.raises(ValueError, match="contradictory states its access 2 times"):
        access_of(contradictory)
