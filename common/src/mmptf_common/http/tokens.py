"""Verification of bearer tokens with the keys that their issuer publishes."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from jwt.algorithms import AllowedPublicKeys
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from mmptf_common.http.claims import ClaimNames, ClaimOfAnotherType, Granted, SeveralOrganizations, Text, granted
from mmptf_common.http.identity import Identity, invalid_token
from mmptf_common.process.client import open_client
from mmptf_common.process.failure_log import report
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ServiceUnavailable

# The accepted signature algorithms, each with the type and the curve of its key. HMAC is not among them: with a shared
# secret, every service that verifies tokens could also issue them.
ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
# The `typ` of an access token's header (RFC 9068, section 2.1), in small letters.
TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
# Claims of which a token without `typ` has to have one: the client that got it (RFC 9068, section 2.2), as Cognito and
# Okta name it, which write no `typ`. ID and logout tokens have neither.
_OF_ACCESS_TOKENS = ("client_id", "cid")
# Claims of other tokens that are signed with the same keys: logout tokens and other security events (RFC 8417), ID
# tokens (OpenID Connect Core, sections 3.1.3.6 and 3.3.2.11).
_OF_OTHER_TOKENS = ("events", "at_hash", "c_hash", "s_hash")
# What providers write as the kind of a token that is no access token: Keycloak as `typ`, Cognito as `token_use`.
_OTHER_KINDS = frozenset({"id", "refresh", "offline", "logout"})
LEEWAY = 30
"""Seconds by which the issuer's clock and this one may differ."""
LARGEST_DOCUMENT = 262_144
# The most tokens whose verified signatures a process remembers.
MOST_VERIFIED = 1000

Seconds = Annotated[float, Field(ge=0, lt=datetime(9999, 1, 1, tzinfo=UTC).timestamp())]


class _Claims(BaseModel):
    """The claims by which a token is accepted (RFC 7519), without conversion of types."""

    model_config = ConfigDict(strict=True)

    iss: str
    aud: str | list[str]
    sub: Text
    exp: Seconds
    nbf: Seconds | None = None
    iat: Seconds | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token whose signature was verified: what its header says, the key that has signed it, its payload."""

    algorithm: str
    key_id: str | None
    key: Key
    payload: bytes
    has_type: bool


class Verifier:
    """Verifies the tokens of one issuer for any of these audiences."""

    def __init__(
        self, keys: KeySet, *, issuer: str, audiences: tuple[str, ...], names: ClaimNames | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = audiences
        self._names = names or ClaimNames()
        # Callers send a token many times, and to verify a signature takes as long as a short write.
        self._verified: OrderedDict[str, _Verified] = OrderedDict()

    async def identity(self, token: str) -> Identity:
        """The holder of a token; raises Unauthorized when it is not valid.

        ServiceUnavailable when the issuer's keys are needed and cannot be fetched.
        """
        payload, has_type = await self._payload(token)
        claims, found = self._read(payload, has_type=has_type)
        now = time.time()
        if claims.iss != self._issuer:
            raise invalid_token(f"The access token was not issued by {self._issuer}, which is expected here.")
        if set(self._audiences).isdisjoint([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            expected = " or ".join(self._audiences)
            raise invalid_token(f"The access token is not meant for the audience {expected}, which is expected here.")
        if claims.exp + LEEWAY <= now:
            raise invalid_token(f"The access token has expired at {_moment(claims.exp)}.", ProblemCode.TOKEN_EXPIRED)
        if (begins := max(claims.nbf or 0, claims.iat or 0)) - LEEWAY > now:
            raise invalid_token(
                f"The access token is valid from {_moment(begins)} only.", ProblemCode.TOKEN_NOT_YET_VALID
            )
        return Identity(claims.sub, found.organization, found.roles, found.scopes)

    async def _payload(self, token: str) -> tuple[bytes, bool]:
        """The payload of a token whose signature is the issuer's, and whether its header says that it is a token.

        Raises Unauthorized where it is another one's, or says something else.
        """
        known = self._verified.get(token)
        if known and await self._keys.fitting(known.algorithm, known.key_id) == [known.key]:
            return known.payload, known.has_type
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise invalid_token(
                "The access token is not a JSON Web Token, or asks for what is not supported."
            ) from None
        if "crit" in header:
            raise invalid_token("The access token has critical header parameters; none is supported.")
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise invalid_token(f"The access token is not signed with one of {', '.join(ALGORITHMS)}.")
        has_type = "typ" in header
        kind = header["typ"] if has_type else "JWT"
        if not isinstance(kind, str) or kind.lower() not in TYPES:
            named = repr(kind[:64]) if isinstance(kind, str) else "no text"
            raise invalid_token(f"The `typ` of the token is {named}; that of an access token is at+jwt or JWT.")
        key_id = header.get("kid")
        keys = await self._keys.fitting(algorithm, key_id)
        if not keys:
            raise invalid_token("The access token is signed with a key that its issuer does not publish.")
        if len(keys) > 1:
            raise invalid_token("The access token does not say which of its issuer's keys has signed it.")
        try:
            payload: bytes = jwt.PyJWS().decode(token, keys[0].public, algorithms=keys[0].algorithms)
        except jwt.PyJWTError:
            raise invalid_token("The signature of the access token does not hold.") from None
        self._verified[token] = _Verified(algorithm, key_id, keys[0], payload, has_type)
        if len(self._verified) > MOST_VERIFIED:
            self._verified.popitem(last=False)
        return payload, has_type

    def _read(self, payload: bytes, *, has_type: bool) -> tuple[_Claims, Granted]:
        """The claims of a payload, and what it grants; raises Unauthorized."""
        try:
            sent = from_json(payload, allow_inf_nan=False)
            if not isinstance(sent, dict):
                raise ValueError("an object is expected")
            _check_kind(sent, has_type=has_type)
            return _Claims.model_validate(sent), granted(sent, self._names)
        except ValidationError as error:
            wrong = {str(each["loc"][0]) for each in error.errors(include_url=False, include_input=False)}
        except ClaimOfAnotherType as error:
            wrong = error.names
        except SeveralOrganizations as error:
            raise invalid_token(
                f"The access token names {error}, and one is expected: ask the identity provider for a token of one."
            ) from None
        except ValueError:
            raise invalid_token("The claims of the access token are no JSON object.") from None
        raise invalid_token(f"Claims of the access token are missing or not of their type: {', '.join(sorted(wrong))}.")


def _check_kind(claims: Mapping[str, Any], *, has_type: bool) -> None:
    """Raise Unauthorized for the claims of a token that is no access token, or of which nothing says that it is one."""
    if not has_type and not any(isinstance(claims.get(name), str) for name in _OF_ACCESS_TOKENS):
        raise invalid_token(
            "The token has no `typ` in its header, which is at+jwt or JWT in an access token, and none of the claims"
            f" {' and '.join(_OF_ACCESS_TOKENS)}, which access tokens without one have."
        )
    for name in _OF_OTHER_TOKENS:
        if name in claims:
            raise invalid_token(f"The token has the claim {name}: it is no access token.")
    for name in ("typ", "token_use"):
        kind = claims.get(name)
        if isinstance(kind, str) and kind.lower() in _OTHER_KINDS:
            raise invalid_token(f"The {name} of the token is {kind}: it is no access token.")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Key:
    """A public key of the issuer, and the algorithms whose signatures it verifies."""

    kid: str | None
    algorithms: tuple[str, ...]
    public: AllowedPublicKeys


class KeySet:
    """The issuer's public keys, fetched when they are needed and cached.

    lifetime: seconds for which cached keys are used; a key that the issuer has withdrawn is rejected after that
    grace: further seconds for which they are used while the issuer cannot be reached
    pause: least seconds between two fetches for a key id that is not cached, since any caller can send one
    retry: seconds after a failed fetch before the next one
    patience: most seconds that a fetch may take
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        issuer: str,
        keys_url: str | None = None,
        *,
        lifetime: float = 300,
        grace: float = 3_600,
        pause: float = 10,
        retry: float = 2,
        patience: float = 3,
    ) -> None:
        self._client = client
        self._issuer = issuer
        self._keys_url = keys_url
        self._lifetime, self._grace, self._pause, self._retry = lifetime, grace, pause, retry
        self._patience = patience
        self._keys: list[Key] = []
        self._fetched = self._failed = self._searched = float("-inf")
        self._cause: Exception | None = None
        self._lock = asyncio.Lock()

    async def fitting(self, algorithm: str, kid: str | None) -> list[Key]:
        """The keys with this id for this algorithm; with any id where `kid` is None.

        Raises ServiceUnavailable when no cached key can be used and the issuer cannot be reached.
        """
        if self._is_old():
            async with self._lock:
                if self._is_old():  # another request may have fetched them while this one waited
                    await self._fetch()
        if time.monotonic() - self._fetched >= self._lifetime + self._grace:
            raise _unreachable() from self._cause
        if not (found := self._cached_keys(algorithm, kid)):
            async with self._lock:
                if self._may_search():
                    self._searched = time.monotonic()
                    await self._fetch()
            found = self._cached_keys(algorithm, kid)
            if not found and self._failed > self._fetched:
                raise _unreachable() from self._cause
        return found

    def _is_old(self) -> bool:
        now = time.monotonic()
        return now - self._fetched >= self._lifetime and now - self._failed >= self._retry

    def _may_search(self) -> bool:
        now = time.monotonic()
        return now - self._searched >= self._pause and now - self._failed >= self._retry

    def _cached_keys(self, algorithm: str, kid: str | None) -> list[Key]:
        return [key for key in self._keys if algorithm in key.algorithms and kid in (None, key.kid)]

    async def published(self) -> list[Key]:
        """The keys that the issuer publishes now; raises httpx's errors, OSError, ValueError."""
        async with asyncio.timeout(self._patience):
            return _keys(await self._document(self._keys_url or await self._published_url()))

    async def _fetch(self) -> None:
        began = time.monotonic()
        try:
            self._keys = await self.published()
            self._fetched = began
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            self._failed = time.monotonic()
            self._cause = error
            report("keys", "the identity provider's keys cannot be had", error)

    async def _published_url(self) -> str:
        """The URL of the keys in the issuer's configuration (OpenID Connect Discovery 1.0, section 4)."""
        document = await self._document(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        url = document.get("jwks_uri")
        if (named := document.get("issuer")) != self._issuer:
            raise ValueError(
                f"its configuration is of {named!r}"[:200] + ", and the same is expected, letter by letter"
            )
        if not isinstance(url, str):
            raise ValueError("its configuration names no keys")
        if self._issuer.startswith("https:") and not url.startswith("https:"):
            raise ValueError("the keys are not offered over https")
        return url

    async def _document(self, url: str) -> dict[str, Any]:
        # Uncompressed, so that the limit of bytes is also one of memory.
        async with self._client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code != 200:
                raise ValueError(f"{url} answers {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > LARGEST_DOCUMENT:
                    raise ValueError(f"{url} answers more than {LARGEST_DOCUMENT} bytes")
        document = from_json(bytes(body))
        if not isinstance(document, dict):
            raise ValueError(f"{url} answers no JSON object")
        return document


def _unreachable() -> ServiceUnavailable:
    return ServiceUnavailable("The identity provider cannot be reached, so the access token cannot be verified.")


def _keys(document: dict[str, Any]) -> list[Key]:
    """The keys of a JSON Web Key Set (RFC 7517) with which a token can be verified, without the others."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError("the key set has no list of keys")
    return [key for entry in entries if isinstance(entry, dict) and (key := _key(entry))]


def _key(entry: dict[str, Any]) -> Key | None:
    kind = entry.get("kty"), entry.get("crv")
    algorithms = tuple(name for name, taken in ALGORITHMS.items() if taken == kind and entry.get("alg", name) == name)
    kid = entry.get("kid")
    if not algorithms or entry.get("use", "sig") != "sig" or not isinstance(kid, str | None):
        return None
    public: dict[str, Any] = {name: entry[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in entry}
    try:
        key = jwt.PyJWK(public, algorithms[0])
    except (jwt.PyJWTError, UnsupportedAlgorithm):  # the latter where the library was built without it
        return None
    return None if key.Algorithm.check_key_length(key.key) else Key(kid, algorithms, key.key)


@asynccontextmanager
async def open_verifier(settings: ServiceSettings) -> AsyncIterator[Verifier]:
    """The verifier of the issuer that the settings state.

    The issuer's keys are fetched when the first token has to be verified.
    """
    assert settings.identity_issuer
    async with open_client(seconds=3) as client:
        yield Verifier(
            KeySet(client, settings.identity_issuer, settings.identity_keys_url),
            issuer=settings.identity_issuer,
            audiences=settings.identity_audience,
            names=ClaimNames(
                scopes=settings.identity_scopes_claim,
                roles=settings.identity_roles_claim,
                organization=settings.identity_organization_claim,
                organizations=settings.identity_organizations,
            ),
        )
