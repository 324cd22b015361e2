"""Bearer tokens, verified against an issuer that is served over HTTP: who may come in, and who may not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any

import httpx
import jwt
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from pydantic import SecretStr, ValidationError
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mmptf_common.http import problems
from mmptf_common.http.identity import (
    LARGEST_DOCUMENT,
    LEEWAY,
    LONGEST_TOKEN,
    Access,
    Administrator,
    Identity,
    KeySet,
    PublicRequest,
    Verifier,
    access_of,
    open_verifier,
    require_scope,
)
from mmptf_common.process.client import open_client
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.wire.problems import MEDIA_TYPE, ProblemError
from mmptf_local.issuer import AUDIENCE, Issuer, create_app

DISCOVERY = "/.well-known/openid-configuration"
CHALLENGE = 'Bearer realm="mmptf"'
Claims = dict[str, Any]
Writer = Annotated[Identity, require_scope("catalog:write")]


class Signer:
    """A key of the tests' own, which an issuer may publish."""

    def __init__(self, algorithm: str, private: Any, kid: str | None) -> None:
        self.algorithm, self.private, self.kid = algorithm, private, kid
        families: dict[str, Any] = {"ES": ECAlgorithm, "Ed": OKPAlgorithm, "RS": RSAAlgorithm, "PS": RSAAlgorithm}
        self.jwk: Claims = families[algorithm[:2]].to_jwk(private.public_key(), as_dict=True)
        if kid is not None:
            self.jwk["kid"] = kid

    def sign(self, claims: Claims, **header: Any) -> str:
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.PyJWS().encode(json.dumps(claims).encode(), self.private, self.algorithm, named | header)


SIGNERS = {
    "ES256": Signer("ES256", ec.generate_private_key(ec.SECP256R1()), "p-256"),
    "ES384": Signer("ES384", ec.generate_private_key(ec.SECP384R1()), "p-384"),
    "ES512": Signer("ES512", ec.generate_private_key(ec.SECP521R1()), "p-521"),
    "EdDSA": Signer("EdDSA", ed25519.Ed25519PrivateKey.generate(), "edwards"),
    "RS256": Signer("RS256", rsa.generate_private_key(65537, 2048), "rsa"),
}
SIGNERS["PS384"] = Signer("PS384", SIGNERS["RS256"].private, "rsa")
KEYS = {signer.kid: signer.jwk for signer in SIGNERS.values()}


class Provider:
    """An issuer which counts what it is asked, and which can be told to answer something else."""

    def __init__(self, url: str) -> None:
        self.issuer = Issuer(url)
        self.app = create_app(self.issuer)
        self.asked: list[str] = []
        self.instead: dict[str, Callable[[], ASGIApp]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        made = self.instead.get(scope["path"])
        await (made() if made else self.app)(scope, receive, send)

    def claims(self, **changes: Any) -> Claims:
        """Those of an agency's good token."""
        good: Claims = jwt.decode(self.issuer.token("agency"), options={"verify_signature": False})
        return {name: value for name, value in (good | changes).items() if value is not None}


@contextmanager
def serving(provider: Provider, listening: socket.socket, **tls: Any) -> Iterator[None]:
    """Answer what comes in at the socket, in a thread, and close it at the end."""
    config = uvicorn.Config(
        provider, http="httptools", ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1, **tls
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def listen(port: int = 0) -> tuple[socket.socket, str]:
    listening = socket.create_server(("127.0.0.1", port), backlog=128)
    return listening, f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    """A provider whose keys stay as they are: its own, and one for each algorithm."""
    listening, where = listen()
    provider = Provider(f"http://{where}")
    provider.issuer.published.extend(KEYS.values())
    with serving(provider, listening):
        yield provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of this test alone."""
    listening, where = listen()
    provider = Provider(f"http://{where}")
    with serving(provider, listening):
        yield provider


@contextmanager
def provider_that_comes_and_goes() -> Iterator[tuple[Provider, Callable[[], None], Callable[[], None]]]:
    """A provider that is away at first, with what lets it come and go."""
    listening, where = listen()
    listening.close()
    provider = Provider(f"http://{where}")
    running: list[Any] = []

    def come() -> None:
        running.append(serving(provider, listen(int(where.rpartition(":")[2]))[0]))
        running[-1].__enter__()

    def go() -> None:
        running.pop().__exit__(None, None, None)

    try:
        yield provider, come, go
    finally:
        for each in running:
            each.__exit__(None, None, None)


def described(who: Identity) -> Claims:
    return {
        "subject": who.subject,
        "organization": who.organization,
        "roles": sorted(who.roles),
        "scopes": sorted(who.scopes),
    }


async def everyone(request: PublicRequest) -> str:
    return request.method


async def write(request: Request, who: Writer) -> Claims:
    return described(who)


async def judge(who: Annotated[Identity, require_scope("markers:assess", "markers:review")]) -> Claims:
    return described(who)


async def administer(who: Administrator) -> Claims:
    return described(who)


class Dispatch:
    """A service with one route for each kind of access."""

    def __init__(self, verifier: Verifier | None) -> None:
        app = FastAPI()
        app.add_exception_handler(ProblemError, problems.answer)
        app.add_api_route("/everyone", everyone)
        for endpoint in (write, judge, administer):
            app.add_api_route(f"/{endpoint.__name__}", endpoint, methods=["POST"])
        app.state.verifier = verifier
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")

    async def ask(self, token: str, path: str = "/write") -> httpx.Response:
        return await self.client.post(path, headers={"Authorization": f"Bearer {token}"})

    async def status(self, token: str) -> int:
        return (await self.ask(token)).status_code

    async def answers(self, status: int, token: str) -> None:
        """Ask until this is the answer."""
        deadline = time.monotonic() + 5
        while (answered := await self.status(token)) != status:
            assert time.monotonic() < deadline, answered


@asynccontextmanager
async def door(provider: Provider, *, keys_url: str | None = None, **ages: float) -> AsyncIterator[Dispatch]:
    async with open_client(seconds=3) as client:
        keys = KeySet(client, provider.issuer.url, keys_url, **ages)
        yield Dispatch(Verifier(keys, issuer=provider.issuer.url, audience=AUDIENCE))


@pytest.fixture(scope="module")
async def entrance(shared: Provider) -> AsyncIterator[Dispatch]:
    """A service whose provider is `shared`."""
    async with door(shared, pause=0) as opened:
        yield opened


def challenge(answer: httpx.Response) -> str:
    """The description of a challenge that calls the token invalid."""
    stated: str = answer.headers["www-authenticate"]
    beginning = f'{CHALLENGE}, error="invalid_token", error_description="'
    assert stated.startswith(beginning) and stated.endswith('"'), stated
    description = stated.removeprefix(beginning)[:-1]
    assert description.isascii() and description.isprintable() and not {'"', "\\"} & set(description)
    return description


def assert_refused(answer: httpx.Response, code: str, said: str) -> None:
    """401, as RFC 6750 and RFC 9457 say it."""
    document = answer.json()
    assert (answer.status_code, document["code"]) == (401, code), document
    assert document["type"] == f"urn:mmptf:problem:{code}"
    assert said in document["detail"]
    assert challenge(answer) == document["detail"]
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def forged(header: Any, claims: Any, secret: bytes = b"") -> str:
    """Three segments as the header and the claims come, with an HMAC for a signature, or none."""
    start = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{start}.{encoded(hmac.digest(secret, start.encode(), hashlib.sha256)) if secret else ''}"


# --- what is let in


@pytest.mark.parametrize("algorithm", [*SIGNERS, "the issuer's own"])
async def test_a_signature_of_each_kind_of_key_is_believed(
    shared: Provider, entrance: Dispatch, algorithm: str
) -> None:
    claims = shared.claims(sub="anna")
    signer = SIGNERS.get(algorithm)
    answer = await entrance.ask(signer.sign(claims) if signer else shared.issuer.token("agency", sub="anna"))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "subject": "anna",
        "organization": "IOM",
        "roles": [],
        "scopes": ["catalog:write", "funding:write", "markers:assess"],
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": ["other", AUDIENCE]}, {}),
        ({"scope": ["catalog:write", "more than:one"]}, {"scopes": ["catalog:write", "more", "than:one"]}),
        ({"scope": None, "scp": "catalog:write  x"}, {"scopes": ["catalog:write", "x"]}),
        ({"scope": None, "scp": ["catalog:write"]}, {"scopes": ["catalog:write"]}),
        ({"scope": "catalog:write", "scp": "admin"}, {"scopes": ["catalog:write"]}),
        ({"roles": ["agent", "king", "management_unit"]}, {"roles": ["agent", "king", "management_unit"]}),
        ({"roles": "agent"}, {"roles": ["agent"]}),
        ({"roles": None, "organization": None}, {"organization": None}),
        ({"iat": None}, {}),
        ({"sub": "Ünal, 山田 🙂"}, {"subject": "Ünal, 山田 🙂"}),
        ({"anything": {"else": [1, {}]}}, {}),
    ],
)
async def test_claims_are_read_in_the_forms_that_issuers_write(
    shared: Provider, entrance: Dispatch, changes: Claims, expected: Claims
) -> None:
    everyday = {
        "subject": "agency",
        "organization": "IOM",
        "roles": [],
        "scopes": ["catalog:write", "funding:write", "markers:assess"],
    }
    answer = await entrance.ask(SIGNERS["ES256"].sign(shared.claims(**changes)))
    assert (answer.status_code, answer.json()) == (200, everyday | expected)


async def test_claims_of_other_names_are_read_where_they_are_configured(shared: Provider) -> None:
    settings = ServiceSettings(
        database_url=SecretStr("postgresql://nowhere"),
        environment="development",
        identity_issuer=shared.issuer.url,
        identity_audience=AUDIENCE,
        identity_organization_claim="https://fund.example/organization",
        identity_roles_claim="groups",
    )
    changes: Claims = {"https://fund.example/organization": "UNICEF", "groups": ["agent"], "roles": 7}
    async with open_verifier(settings) as verifier:
        assert verifier is not None
        who = await verifier.identity(shared.issuer.token("agency", **changes))
        assert (who.organization, who.roles) == ("UNICEF", frozenset({"agent"}))
        answer = await Dispatch(verifier).ask(shared.issuer.token("agency", groups=7))
        assert_refused(answer, "token_invalid", "not of their type: groups.")


async def test_clocks_may_differ_by_half_a_minute(shared: Provider, entrance: Dispatch) -> None:
    now = time.time()
    within: list[Claims] = [{"exp": now - LEEWAY + 5}, {"nbf": now + LEEWAY - 5}, {"iat": now + LEEWAY - 5}]
    early: list[Claims] = [{"nbf": now + LEEWAY + 5}, {"iat": now + LEEWAY + 5}]
    for changes in within:
        assert await entrance.status(shared.issuer.token("agency", **changes)) == 200, changes
    ended = datetime.fromtimestamp(int(now) - LEEWAY - 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = await entrance.ask(shared.issuer.token("agency", exp=int(now) - LEEWAY - 1))
    assert_refused(answer, "token_expired", f"has expired at {ended}.")
    for changes in early:
        answer = await entrance.ask(shared.issuer.token("agency", **changes))
        assert_refused(answer, "token_not_yet_valid", "is valid from ")


# --- what each may do


async def test_too_little_is_said_with_the_scope_that_is_needed(shared: Provider, entrance: Dispatch) -> None:
    for path, scope, said in (
        ("/write", "catalog:write", "'catalog:write'"),
        ("/judge", "markers:assess markers:review", "'markers:assess' or 'markers:review'"),
        ("/administer", "admin", "'admin'"),
    ):
        answer = await entrance.ask(shared.issuer.token("agent"), path)
        document = answer.json()
        assert (answer.status_code, document["code"]) == (403, "insufficient_scope")
        assert said in document["detail"]
        assert answer.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    assert await entrance.status(shared.issuer.token("agency", scope="Catalog:write catalog")) == 403
    assert await entrance.status(shared.issuer.token("agency", scope=None)) == 403


async def test_any_of_several_scopes_is_enough_and_admin_is_enough_everywhere(
    shared: Provider, entrance: Dispatch
) -> None:
    may = {
        client: [
            path for path in ("/write", "/judge", "/administer")
            if (await entrance.ask(shared.issuer.token(client), path)).status_code == 200
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


async def test_what_anyone_may_ask_needs_no_token_and_looks_at_none(entrance: Dispatch) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await entrance.client.get("/everyone", headers=headers)
        assert (answer.status_code, answer.json()) == (200, "GET")


async def test_without_a_provider_nobody_may(shared: Provider) -> None:
    settings = ServiceSettings(database_url=SecretStr("postgresql://nowhere"))
    async with open_verifier(settings) as verifier:
        closed = Dispatch(verifier)
        for token in (shared.issuer.token("admin"), "nonsense"):
            answer = await closed.ask(token)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
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


# --- what is not let in


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        ([], "token_missing", "Authorization: Bearer <token>"),
        ([b""], "token_missing", ""),
        ([b"Bearer"], "token_missing", ""),
        ([b"Bearer "], "token_missing", ""),
        ([b"Basic YTpi"], "token_missing", ""),
        ([b"Bearer\tabc"], "token_missing", ""),
        ([b"\xffearer abc"], "token_missing", ""),
        ([b"Bearer a b"], "token_invalid", "no access token"),
        ([b"Bearer a,b"], "token_invalid", "no access token"),
        ([b"Bearer \xc3\xa9.\xff.x"], "token_invalid", "no access token"),
        ([b'Bearer "a"'], "token_invalid", "no access token"),
        ([b"Bearer a", b"Bearer a"], "token_invalid", "more than once"),
        ([b"Bearer a", b"Basic YTpi"], "token_invalid", "more than once"),
        ([b"Bearer " + b"a" * (LONGEST_TOKEN + 1)], "token_invalid", f"longer than {LONGEST_TOKEN}"),
        ([b"Bearer " + b"a" * LONGEST_TOKEN], "token_invalid", "not a JSON Web Token"),
        ([b"Bearer a.b.c"], "token_invalid", "not a JSON Web Token"),
        ([b"Bearer ...."], "token_invalid", "not a JSON Web Token"),
    ],
)
async def test_a_header_that_brings_no_token_is_refused(
    entrance: Dispatch, sent: list[bytes], code: str, said: str
) -> None:
    answer = await entrance.client.post("/write", headers=[(b"Authorization", value) for value in sent])
    if code == "token_missing":
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert said in answer.json()["detail"]
        # RFC 6750, 3.1: who has sent no token has made no error.
        assert answer.headers["www-authenticate"] == CHALLENGE
    else:
        assert_refused(answer, code, said)


async def test_the_scheme_is_read_in_any_case(shared: Provider, entrance: Dispatch) -> None:
    for scheme in ("bearer ", "BEARER   ", " Bearer "):
        answer = await entrance.client.post(
            "/write", headers={"Authorization": f"{scheme}{shared.issuer.token('agency')} "}
        )
        assert answer.status_code == 200, scheme


def refusals(provider: Provider) -> Mapping[str, tuple[str, str]]:
    """Tokens that are not good, with what is said of them."""
    issuer, claims = provider.issuer, provider.claims()
    good = issuer.token("agency")
    header, payload, signature = good.split(".")
    es, rs = SIGNERS["ES256"], SIGNERS["RS256"]
    stranger = Signer("ES256", ec.generate_private_key(ec.SECP256R1()), "p-256")
    pem = rs.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    more = encoded(json.dumps(claims | {"scope": "admin"}).encode())
    no_algorithm, no_signature = "is not signed with one of RS256", "signature of the access token does not hold"
    no_key, no_token = "a key that its issuer does not publish", "is not a JSON Web Token"
    audience = f"not meant for the audience {AUDIENCE}, which is expected here"
    expected_issuer = f"was not issued by {issuer.url}, which is expected here"
    return {
        "audience": (issuer.token("agency", aud="mmptf2"), audience),
        "audiences": (issuer.token("agency", aud=["MMPTF", "other"]), audience),
        "no audiences": (issuer.token("agency", aud=[]), audience),
        "issuer": (issuer.token("agency", iss="http://elsewhere"), expected_issuer),
        "issuer with a slash": (issuer.token("agency", iss=f"{issuer.url}/"), expected_issuer),
        "unsigned": (forged({"alg": "none"}, claims), no_algorithm),
        "unsigned, in capitals": (forged({"alg": "NONE", "kid": es.kid}, claims), no_algorithm),
        "the public key as a secret": (forged({"alg": "HS256", "kid": rs.kid}, claims, pem), no_algorithm),
        "its JSON as a secret": (
            forged({"alg": "HS256", "kid": rs.kid}, claims, json.dumps(rs.jwk).encode()),
            no_algorithm,
        ),
        "a secret with another algorithm's name": (forged({"alg": "RS256", "kid": rs.kid}, claims, pem), no_signature),
        "no algorithm": (forged({"kid": es.kid}, claims), no_algorithm),
        "an algorithm that is no text": (forged({"alg": ["ES256"], "kid": es.kid}, claims), no_algorithm),
        "a name of no signature": (forged({"alg": "ES256K", "kid": es.kid}, claims), no_algorithm),
        "a key id that is no text": (forged({"alg": "ES256", "kid": 1}, claims), no_token),
        "its own key": (
            forged({"alg": "ES256", "jwk": stranger.jwk, "jku": "http://127.0.0.1:1/"}, claims),
            "does not say which of its issuer's keys",
        ),
        "payload": (f"{header}.{more}.{signature}", no_signature),
        "signature": (f"{header}.{payload}.{encoded(b'0' * 64)}", no_signature),
        "no signature": (f"{header}.{payload}.", no_signature),
        "a stranger's key": (stranger.sign(claims), no_signature),
        "an unknown key": (stranger.sign(claims, kid="unheard of"), no_key),
        "a key of another kind": (es.sign(claims, kid=rs.kid), no_key),
        "several keys fit": (Signer("ES256", es.private, None).sign(claims), "which of its issuer's keys"),
        "critical, unknown": (es.sign(claims, crit=["exp"], exp=1), no_token),
        "critical, known": (es.sign(claims, crit=["b64"], b64=True), no_token),
        "no claims": (f"{header}.{encoded(b'[]')}.{signature}", no_signature),
        "four segments": (f"{good}.x", no_token),
        "two segments": (f"{header}.{payload}", no_token),
        "deep": (f"{encoded(b'[' * 3000)}.{payload}.{signature}", no_token),
    }


@pytest.fixture(scope="module")
def refused(shared: Provider) -> Mapping[str, tuple[str, str]]:
    return refusals(shared)


NAMES_OF_REFUSALS = tuple(refusals(Provider("http://nowhere")))


@pytest.mark.parametrize("name", NAMES_OF_REFUSALS)
async def test_a_token_that_is_not_good_is_refused(
    refused: Mapping[str, tuple[str, str]], entrance: Dispatch, name: str
) -> None:
    token, said = refused[name]
    answer = await entrance.ask(token)
    assert_refused(answer, "token_invalid", said)
    assert token not in answer.text and token.split(".")[1] not in answer.text


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"null", b'"text"', b"\xff", b"{", b"[" * 3000, b'{"sub":NaN}'])
async def test_a_signed_payload_that_is_no_object_is_refused(entrance: Dispatch, payload: bytes) -> None:
    signer = SIGNERS["ES256"]
    answer = await entrance.ask(jwt.PyJWS().encode(payload, signer.private, "ES256", {"kid": signer.kid}))
    assert_refused(answer, "token_invalid", "no JSON object")


TOO_LARGE = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
NO_TIME: tuple[Any, ...] = (str(TOO_LARGE - 1), "", [], {}, True, -1, TOO_LARGE, 10**40, float("inf"), float("nan"))
WRONG: Mapping[str, tuple[Any, ...]] = {
    "iss": (1, [], {}, True),
    "aud": (1, {}, [1], [[AUDIENCE]], True),
    "sub": ("", " ", " a", "a\0b", "a\nb", "\ud800", "\u200b", "a" * 256, 1, [], {}, True),
    "exp": NO_TIME,
    "nbf": NO_TIME,
    "iat": NO_TIME,
    "scope": (1, {}, [1], [["catalog:write"]], True),
    "scp": (1, {}, [None], {"catalog:write": 1}),
    "organization": (1, "", [], ["IOM"], {}, "a\0b", "a" * 256, True),
    "roles": (1, {}, [1], [["agent"]], True),
}


@pytest.mark.parametrize("claim", WRONG)
async def test_a_claim_of_another_type_is_refused_by_its_name(shared: Provider, entrance: Dispatch, claim: str) -> None:
    for value in WRONG[claim]:
        answer = await entrance.ask(shared.issuer.token("agency", **{claim: value}))
        # What JSON itself does not allow is not looked at any further.
        no_json = value == "\ud800" or isinstance(value, float)
        said = "no JSON object" if no_json else f"missing or not of their type: {claim}."
        assert_refused(answer, "token_invalid", said)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp"])
async def test_a_claim_that_is_needed_is_missed_by_its_name(shared: Provider, entrance: Dispatch, claim: str) -> None:
    token = shared.issuer.token("agency", **{claim: None})
    assert_refused(await entrance.ask(token), "token_invalid", f"missing or not of their type: {claim}.")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(WRONG)), ANY_JSON, min_size=1))
async def test_whatever_a_signed_token_claims_the_answer_is_yes_or_no(
    shared: Provider, entrance: Dispatch, changes: Claims
) -> None:
    signer = SIGNERS["EdDSA"]
    claims = shared.claims() | changes
    answer = await entrance.ask(signer.sign(claims))
    assert answer.status_code in {200, 401, 403}
    if answer.status_code == 200:
        who = answer.json()
        assert claims["iss"] == shared.issuer.url and AUDIENCE in claims["aud"]
        assert claims["exp"] > time.time() - LEEWAY - 1
        assert (who["subject"], who["organization"]) == (claims["sub"], claims["organization"])
    elif answer.status_code == 401:
        assert challenge(answer)


@given(header=ANY_JSON | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "b64", "crit", "cty", "zip"]), ANY_JSON))
async def test_whatever_an_unsigned_header_says_the_answer_is_no(entrance: Dispatch, header: Any) -> None:
    answer = await entrance.ask(forged(header, {}, b"secret"))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


@given(st.text(st.sampled_from("ey.AZ09-_~+/="), min_size=1, max_size=40))
async def test_whatever_looks_like_a_token_the_answer_is_no(entrance: Dispatch, token: str) -> None:
    assert (await entrance.ask(token)).status_code == 401


async def test_what_is_said_of_a_token_fits_into_a_header(shared: Provider) -> None:
    async with open_client(seconds=3) as client:
        verifier = Verifier(KeySet(client, shared.issuer.url), issuer=shared.issuer.url, audience='a"b\\é\n')
        answer = await Dispatch(verifier).ask(shared.issuer.token("agency"))
    assert 'the audience a"b\\é\n,' in answer.json()["detail"]
    assert "the audience a?b???," in challenge(answer)


# --- the issuer's keys


async def test_keys_are_asked_for_once_however_many_wait(provider: Provider) -> None:
    token = provider.issuer.token("agency")
    async with door(provider) as opened:
        assert provider.asked == []
        assert await asyncio.gather(*(opened.status(token) for _ in range(50))) == [200] * 50
        assert provider.asked == [DISCOVERY, "/keys"]


async def test_a_new_key_is_believed_at_once_and_the_old_one_no_more(provider: Provider) -> None:
    old = provider.issuer.token("agency")
    async with door(provider) as opened:
        assert await opened.status(old) == 200
        provider.issuer.rotate()
        assert await opened.status(provider.issuer.token("agency")) == 200
        assert_refused(await opened.ask(old), "token_invalid", "does not publish")
        assert provider.asked.count("/keys") == 2


async def test_a_withdrawn_key_is_believed_no_longer_than_keys_are_kept(provider: Provider) -> None:
    keep = 0.4
    old = provider.issuer.token("agency")
    async with door(provider, keep=keep) as opened:
        began = time.monotonic()
        assert await opened.status(old) == 200
        known = time.monotonic()
        provider.issuer.rotate()
        while time.monotonic() < known + keep:
            status = await opened.status(old)
            assert status == 200 or time.monotonic() > began + keep
        assert_refused(await opened.ask(old), "token_invalid", "does not publish")


async def test_strangers_keys_do_not_make_us_hammer_the_issuer(provider: Provider) -> None:
    pause = 0.5
    signer = SIGNERS["ES256"]
    strange = [signer.sign(provider.claims(), kid=f"unheard of {number}") for number in range(30)]
    async with door(provider, pause=pause) as opened:
        assert await opened.status(provider.issuer.token("agency")) == 200
        began = time.monotonic()

        def at_most() -> int:
            """For the known keys, for the first stranger's, and once for each pause since."""
            return 2 + int((time.monotonic() - began) / pause)

        assert await asyncio.gather(*(opened.status(token) for token in strange)) == [401] * 30
        assert [await opened.status(token) for token in strange] == [401] * 30
        assert 2 <= provider.asked.count("/keys") <= at_most()
        provider.issuer.published.append(signer.jwk | {"kid": "unheard of 7"})
        await opened.answers(200, strange[7])
        assert await opened.status(strange[8]) == 401
        assert 3 <= provider.asked.count("/keys") <= at_most()


async def test_an_issuer_that_is_away_is_needed_only_for_keys_that_are_not_known() -> None:
    keep, grace = 0.1, 1.0
    with provider_that_comes_and_goes() as (provider, come, go):
        known = provider.issuer.token("agency")
        unknown = SIGNERS["ES256"].sign(provider.claims())
        async with door(provider, keep=keep, grace=grace, retry=0.05, pause=0) as opened:
            answer = await opened.ask(known)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert "identity provider cannot be reached" in answer.json()["detail"]
            assert answer.headers["retry-after"] == "2"
            # What can be seen without a key is seen.
            assert await opened.status(forged({"alg": "none"}, {})) == 401

            began = time.monotonic()
            come()
            await opened.answers(200, known)
            fetched = time.monotonic()
            go()
            while time.monotonic() < fetched + keep + grace:
                # Whether a token of another key is good cannot be known.
                assert await opened.status(unknown) == 503
                status = await opened.status(known)
                assert status == 200 or time.monotonic() > began + keep + grace
            assert await opened.status(known) == 503

            come()
            await opened.answers(200, known)


async def test_an_issuer_that_failed_is_left_alone_for_a_while(provider: Provider) -> None:
    provider.instead["/keys"] = lambda: Response(status_code=500)
    token = provider.issuer.token("agency")
    async with door(provider, retry=60) as opened:
        statuses = await asyncio.gather(*(opened.status(token) for _ in range(20)))
        assert [*statuses, await opened.status(token)] == [503] * 21
    assert provider.asked == [DISCOVERY, "/keys"]


async def test_an_issuer_that_failed_is_not_asked_for_strangers_keys_either(provider: Provider) -> None:
    stranger = SIGNERS["ES256"].sign(provider.claims())
    async with door(provider, retry=60, pause=0) as opened:
        assert await opened.status(provider.issuer.token("agency")) == 200
        provider.instead["/keys"] = lambda: Response(status_code=500)
        assert [await opened.status(stranger) for _ in range(5)] == [503] * 5
        assert await opened.status(provider.issuer.token("agency")) == 200
    assert provider.asked.count("/keys") == 2


async def test_an_issuer_that_never_finishes_is_not_awaited_for_ever(provider: Provider) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(500):
            yield b" "
            await asyncio.sleep(0.02)

    provider.instead["/keys"] = lambda: StreamingResponse(drip())
    began = time.monotonic()
    async with door(provider, patience=0.3) as opened:
        assert await opened.status(provider.issuer.token("agency")) == 503
    assert time.monotonic() - began < 5


def bytes_of(body: bytes, status: int = 200) -> Callable[[], ASGIApp]:
    return lambda: Response(body, status, media_type="application/json")


NO_KEY_SETS: Mapping[str, Callable[[], ASGIApp]] = {
    "empty": bytes_of(b""),
    "no JSON": bytes_of(b"<html>"),
    "no UTF-8": bytes_of(b"\xff\xfe"),
    "a list": bytes_of(b"[]"),
    "no keys": bytes_of(b"{}"),
    "keys of another type": bytes_of(b'{"keys": {"kty": "EC"}}'),
    "deep": bytes_of(b'{"keys": ' + b"[" * 100_000),
    "a number that no machine holds": bytes_of(b'{"keys": ' + b"9" * 100_000 + b"}"),
    "huge": bytes_of(b'{"keys": []' + b" " * LARGEST_DOCUMENT + b"}"),
    "created": bytes_of(b'{"keys": []}', 201),
    "gone": bytes_of(b'{"keys": []}', 404),
    "moved": lambda: RedirectResponse("/keys2"),
}


@pytest.mark.parametrize("name", NO_KEY_SETS)
async def test_what_is_no_key_set_changes_nothing(shared: Provider, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    token = shared.issuer.token("agency")
    monkeypatch.setitem(shared.instead, "/keys2", lambda: JSONResponse({"keys": shared.issuer.published}))
    async with door(shared, keep=0, retry=0) as known, door(shared) as unknown:
        assert await known.status(token) == 200
        monkeypatch.setitem(shared.instead, "/keys", NO_KEY_SETS[name])
        before = shared.asked.count("/keys")
        assert await known.status(token) == 200
        assert await unknown.status(token) == 503
        assert shared.asked[-1] == "/keys" and shared.asked.count("/keys") == before + 2


NO_URLS = (
    "",
    "/keys",
    "nonsense",
    "file:///etc/passwd",
    "http://[",
    "http://a\0",
    f"http://{'a' * 80}",
    "http://a:99999",
)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://127.0.0.1/other"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 1},
        *({"jwks_uri": url} for url in NO_URLS),
    ],
)
async def test_a_configuration_that_leads_to_no_keys_is_no_way_in(
    shared: Provider, monkeypatch: pytest.MonkeyPatch, changes: Claims
) -> None:
    right = {"issuer": shared.issuer.url, "jwks_uri": f"{shared.issuer.url}/keys"}
    monkeypatch.setitem(shared.instead, DISCOVERY, lambda: JSONResponse(right | changes))
    async with door(shared) as opened:
        assert await opened.status(shared.issuer.token("agency")) == 503


async def test_a_server_that_speaks_no_http_is_as_good_as_away() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    provider = Provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server, door(provider) as opened:
        assert await opened.status(provider.issuer.token("agency")) == 503


async def test_where_the_keys_are_may_be_configured(provider: Provider) -> None:
    provider.instead[DISCOVERY] = bytes_of(b"", 404)
    settings = ServiceSettings(
        database_url=SecretStr("postgresql://nowhere"),
        environment="development",
        identity_issuer=provider.issuer.url,
        identity_audience=AUDIENCE,
        identity_keys_url=f"{provider.issuer.url}/keys",
    )
    async with open_verifier(settings) as verifier:
        assert await Dispatch(verifier).status(provider.issuer.token("agency")) == 200
    assert provider.asked == ["/keys"]


async def test_keys_that_are_none_are_passed_over(provider: Provider) -> None:
    own = SIGNERS["ES256"]
    weak = Signer("RS256", rsa.generate_private_key(65537, 1024), "weak")  # noqa: S505
    secret = {"kty": "oct", "k": encoded(b"s" * 64), "kid": "secret", "alg": "HS256"}
    published: list[Any] = provider.issuer.published
    published += [
        None, 1, "key", [], {},
        weak.jwk, secret,
        {"kty": "EC", "kid": 1}, {"kty": [], "crv": {}, "kid": "x"}, {"kty": "RSA", "kid": "x", "n": "", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {**own.jwk, "x": encoded(b"1" * 32)}, {**own.jwk, "y": 5},
        {"kty": "OKP", "crv": "Ed25519", "x": "!"}, {"kty": "OKP", "crv": "X25519", "x": encoded(b"1" * 32)},
        {**own.jwk, "kid": "encrypts", "use": "enc"}, {**own.jwk, "kid": "other algorithm", "alg": "ES384"},
        {**own.jwk, "kid": "strange algorithm", "alg": {}}, {**own.jwk, "kid": ["ours"]},
        own.jwk,
    ]  # fmt: skip
    async with door(provider, pause=0) as opened:
        assert await opened.status(provider.issuer.token("agency")) == 200
        assert await opened.status(own.sign(provider.claims())) == 200
        for kid in ("encrypts", "other algorithm", "strange algorithm"):
            answer = await opened.ask(own.sign(provider.claims(), kid=kid))
            assert_refused(answer, "token_invalid", "does not publish")
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            token = weak.sign(provider.claims())
        assert_refused(await opened.ask(token), "token_invalid", "does not publish")
        forgery = forged({"alg": "HS256", "kid": "secret"}, provider.claims(), b"s" * 64)
        assert_refused(await opened.ask(forgery), "token_invalid", "is not signed with one of")


async def test_a_token_without_a_key_id_is_believed_where_one_key_fits(provider: Provider) -> None:
    nameless = {name: Signer(name, SIGNERS[name].private, None) for name in ("ES256", "RS256", "PS384")}
    misnamed = SIGNERS["ES256"].jwk | {"kid": 5}
    provider.issuer.published[:] = [nameless["ES256"].jwk, misnamed, SIGNERS["RS256"].jwk, SIGNERS["ES384"].jwk]
    async with door(provider, keep=0) as opened:
        for signer in nameless.values():
            assert await opened.status(signer.sign(provider.claims())) == 200
        # The set's key has no name, so that nobody can ask for it by one.
        assert await opened.status(nameless["ES256"].sign(provider.claims(), kid="x")) == 401
        provider.issuer.published.append(SIGNERS["ES256"].jwk | {"kid": "another"})
        answer = await opened.ask(nameless["ES256"].sign(provider.claims()))
        assert_refused(answer, "token_invalid", "does not say which")


async def test_a_key_that_should_have_been_kept_secret_verifies_all_the_same(provider: Provider) -> None:
    private = RSAAlgorithm.to_jwk(SIGNERS["RS256"].private, as_dict=True)
    assert "d" in private
    provider.issuer.published.append(private | {"kid": "rsa"})
    async with door(provider) as opened:
        assert await opened.status(SIGNERS["RS256"].sign(provider.claims())) == 200


async def test_keys_are_asked_for_uncompressed(provider: Provider) -> None:
    provider.instead["/keys"] = lambda: GZipMiddleware(provider.app, minimum_size=1)
    async with door(provider) as opened:
        assert await opened.status(provider.issuer.token("agency")) == 200


async def test_an_empty_key_set_withdraws_every_key(provider: Provider) -> None:
    token = provider.issuer.token("agency")
    async with door(provider, keep=0) as opened:
        assert await opened.status(token) == 200
        provider.issuer.published.clear()
        assert_refused(await opened.ask(token), "token_invalid", "does not publish")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


async def test_over_https_the_certificate_counts_and_the_keys_come_over_https_too(
    certificate: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening, where = listen()
    safe = Provider(f"https://{where}")
    safe.issuer.published.extend(provider.issuer.published)
    token = safe.issuer.token("agency")
    with serving(safe, listening, ssl_certfile=str(certificate)):
        async with door(safe) as stranger:
            assert await stranger.status(token) == 503
        assert safe.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with door(safe) as friend:
            assert await friend.status(token) == 200
        safe.instead[DISCOVERY] = lambda: JSONResponse(
            {"issuer": safe.issuer.url, "jwks_uri": f"{provider.issuer.url}/keys"}
        )
        async with door(safe) as downgraded:
            assert await downgraded.status(token) == 503
        assert provider.asked == []


# --- settings

ISSUER, NOWHERE = "https://login.example/", SecretStr("postgresql://nowhere")


GOOD = {"identity_issuer": ISSUER, "identity_audience": "a"}
AT_HOME = GOOD | {"identity_issuer": "http://127.0.0.1:9000"}


@pytest.mark.parametrize(
    ("environment", "values"),
    [("production", {}), ("production", GOOD), ("development", GOOD), ("development", AT_HOME)],
)
def test_an_issuer_is_taken_letter_by_letter(environment: Any, values: Claims) -> None:
    settings = ServiceSettings(database_url=NOWHERE, environment=environment, **values)
    assert settings.identity_issuer == values.get("identity_issuer")


@pytest.mark.parametrize(
    ("environment", "values", "field", "said"),
    [
        ("production", AT_HOME, "identity_issuer", "https is needed when ENVIRONMENT is production"),
        ("production", GOOD | {"identity_keys_url": "http://x/keys"}, "identity_keys_url", "https is needed"),
        ("development", GOOD | {"identity_issuer": "login.example"}, "identity_issuer", "form https://"),
        ("development", GOOD | {"identity_issuer": "ftp://x"}, "identity_issuer", "form https://"),
        ("development", GOOD | {"identity_issuer": "http:///x"}, "identity_issuer", "form https://"),
        ("development", GOOD | {"identity_issuer": "http://x:y"}, "identity_issuer", "Port"),
        ("production", {"identity_issuer": ISSUER}, "identity_audience", "set both or neither"),
        ("production", {"identity_audience": "a"}, "identity_audience", "set both or neither"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(
    environment: Any, values: Claims, field: str, said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        ServiceSettings(database_url=NOWHERE, environment=environment, **values)
    (error,) = caught.value.errors()
    assert error["loc"] == (field,)
    assert said in error["msg"]
