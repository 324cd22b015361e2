"""An identity provider that counts its requests, keys to sign tokens with, and an app with protected routes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import FastAPI, Request
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.types import ASGIApp, Receive, Scope, Send

from mmptf_common.http import problems
from mmptf_common.http.identity import (
    Administrator,
    Identity,
    PublicRequest,
    require_scope,
)
from mmptf_common.http.tokens import KeySet, Verifier
from mmptf_common.process.client import open_client
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
    """An issuer that records the paths it is asked for; `instead` replaces the answer of a path."""

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


@contextmanager
def running_provider(*keys: Claims) -> Iterator[Provider]:
    """A provider that answers on a port of its own and publishes these keys besides its own."""
    listening, where = listen()
    provider = Provider(f"http://{where}")
    provider.issuer.published.extend(keys)
    with serving(provider, listening):
        yield provider


@contextmanager
def provider_away_at_first() -> Iterator[tuple[Provider, Callable[[], None], Callable[[], None]]]:
    """A provider that does not run yet, and the functions that start and stop it."""
    listening, where = listen()
    listening.close()
    provider = Provider(f"http://{where}")
    running: list[Any] = []

    def start() -> None:
        running.append(serving(provider, listen(int(where.rpartition(":")[2]))[0]))
        running[-1].__enter__()

    def stop() -> None:
        running.pop().__exit__(None, None, None)

    try:
        yield provider, start, stop
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


class ProtectedApp:
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
async def protected_app(
    provider: Provider, *, keys_url: str | None = None, **ages: float
) -> AsyncIterator[ProtectedApp]:
    async with open_client(seconds=3) as client:
        keys = KeySet(client, provider.issuer.url, keys_url, **ages)
        yield ProtectedApp(Verifier(keys, issuer=provider.issuer.url, audiences=(AUDIENCE,)))


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
    assert document["type"] == f"/problems/{code}"
    assert said in document["detail"]
    assert challenge(answer) == document["detail"]
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def forged(header: Any, claims: Any, secret: bytes = b"") -> str:
    """Three segments as the header and the claims are, with an HMAC for a signature, or none."""
    start = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{start}.{encoded(hmac.digest(secret, start.encode(), hashlib.sha256)) if secret else ''}"
