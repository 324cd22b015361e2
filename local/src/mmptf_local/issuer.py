"""An issuer of access tokens for development: it gives a token to any caller, so it refuses to run anywhere else."""

import json
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from re import fullmatch
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mmptf_common.process.server import serve
from mmptf_common.process.settings import ServerSettings, settings_errors
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_local.processes import LOOPBACK

AUDIENCE = "mmptf"
LIFETIME = 3_600
"""Seconds for which a token is valid."""


@dataclass(frozen=True)
class Client:
    """A client that can get tokens: its scopes and roles, and its organization where the request names none."""

    scopes: tuple[str, ...]
    organization: str | None = None
    roles: tuple[str, ...] = ()


CLIENTS = {
    "agency": Client(("catalog:write", "funding:write", "markers:assess"), "IOM"),
    "reviewer": Client(("markers:review",), "OHCHR"),
    "second-reviewer": Client(("markers:review",), "UNHCR"),
    "management-unit": Client(("catalog:write", "funding:write", "markers:review"), "MMPTF-FMU", ("management_unit",)),
    "agent": Client(("funding:write",), "MPTFO", ("agent",)),
    "admin": Client(("admin",)),
}


class Issuer:
    """Signs tokens with a private key of its own, whose public part it publishes."""

    published: list[dict[str, Any]]
    """The keys of the published key set; keys that a test adds are published, too."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rotate()

    def rotate(self) -> None:
        """Withdraw the key and sign with a new one."""
        self._key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self._kid = _thumbprint(public)
        self.published = [public | {"kid": self._kid, "use": "sig", "alg": "ES256"}]

    def token(self, client: str, *, organization: str | None = None, **claims: Any) -> str:
        """A signed token of one of CLIENTS; `claims` replace those of the client, and a claim of None is left out."""
        known = CLIENTS[client]
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": client,
            "client_id": client,
            "jti": secrets.token_hex(12),
            "iat": now,
            "exp": now + LIFETIME,
            "scope": " ".join(known.scopes),
            "organization": known.organization if organization is None else organization,
            "roles": list(known.roles),
        } | claims
        stated = {name: value for name, value in payload.items() if value is not None}
        header = {"kid": self._kid, "typ": "at+jwt"}
        # As a JWS, since the library checks some claims of a JSON Web Token: tests sign wrong ones as well.
        return jwt.PyJWS().encode(json.dumps(stated).encode(), self._key, "ES256", header)


def _thumbprint(public: Mapping[str, Any]) -> str:
    """The thumbprint of an elliptic curve key by RFC 7638."""
    members = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return urlsafe_b64encode(sha256(members.encode()).digest()).rstrip(b"=").decode()


class Refusal(Exception):
    """A request for a token that is not granted, with an error code of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


def create_app(issuer: Issuer) -> Starlette:
    """The issuer's app: OpenID Connect Discovery, keys (RFC 7517) and tokens (RFC 6749, client credentials)."""

    async def configuration(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": issuer.url,
                "jwks_uri": f"{issuer.url}/keys",
                "token_endpoint": f"{issuer.url}/token",
                "token_endpoint_auth_methods_supported": ["none"],
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": [],
                "scopes_supported": sorted({scope for client in CLIENTS.values() for scope in client.scopes}),
            }
        )

    async def keys(request: Request) -> JSONResponse:
        return JSONResponse({"keys": issuer.published})

    async def token(request: Request) -> JSONResponse:
        try:
            status, answer = 200, _granted(issuer, await _form(request))
        except Refusal as refusal:
            status, answer = 400, {"error": refusal.error, "error_description": refusal.description}
        return JSONResponse(answer, status, headers={"Cache-Control": "no-store"})

    async def ready(request: Request) -> JSONResponse:
        return JSONResponse({"ready": True})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", configuration),
            Route("/keys", keys),
            Route("/token", token, methods=["POST"]),
            Route("/health/ready", ready),
        ]
    )


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refusal("invalid_request", "the body must be application/x-www-form-urlencoded")
    try:
        sent = parse_qsl((await request.body()).decode(), max_num_fields=20, errors="strict")
    except ValueError:
        raise Refusal("invalid_request", "the body is not a form") from None
    form = dict(sent)
    if len(form) < len(sent):
        raise Refusal("invalid_request", "a parameter is sent more than once")
    return form


def _granted(issuer: Issuer, form: Mapping[str, str]) -> dict[str, Any]:
    for name in ("grant_type", "client_id"):
        if name not in form:
            raise Refusal("invalid_request", f"{name} is missing")
    if form["grant_type"] != "client_credentials":
        raise Refusal("unsupported_grant_type", "only client_credentials is offered")
    if (client := CLIENTS.get(form["client_id"])) is None:
        raise Refusal("invalid_client", f"client_id is one of {', '.join(CLIENTS)}")
    scopes = form["scope"].split() if "scope" in form else list(client.scopes)
    if not scopes or not set(scopes) <= set(client.scopes):
        raise Refusal("invalid_scope", f"{form['client_id']} may ask for {' '.join(client.scopes)}")
    organization = form.get("organization")
    if organization is not None and not (len(organization) <= 64 and fullmatch(CODE_PATTERN, organization)):
        raise Refusal("invalid_request", "organization is the code of one, such as IOM")
    scope = " ".join(scopes)
    return {
        "access_token": issuer.token(form["client_id"], organization=organization, scope=scope),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": scope,
    }


class IssuerSettings(ServerSettings):
    """HOST, PORT, LOG_LEVEL, and ENVIRONMENT, which must be `development`."""

    environment: str = "production"


def main() -> int:
    """Serve until SIGTERM and return the exit code; 1 where ENVIRONMENT is not development."""
    try:
        settings = IssuerSettings()
    except ValidationError as error:
        sys.stderr.write(settings_errors(error))
        return 1
    if settings.environment != "development":
        print(
            "This issuer gives anybody a token for anything; it runs only where ENVIRONMENT is development.",
            file=sys.stderr,
        )
        return 1
    serve(create_app(Issuer(f"http://{LOOPBACK}:{settings.port}")), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
