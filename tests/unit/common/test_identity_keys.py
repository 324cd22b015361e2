"""The issuer's keys: when they are fetched, replaced and withdrawn, and what happens while the issuer fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm
from pydantic import SecretStr
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from mmptf_common.http.tokens import LARGEST_DOCUMENT, open_verifier
from mmptf_common.process import client
from mmptf_common.process.settings import ServiceSettings
from mmptf_local.issuer import AUDIENCE
from tests.unit.common.identity_provider import (
    DISCOVERY,
    KEYS,
    SIGNERS,
    Claims,
    ProtectedApp,
    Provider,
    Signer,
    assert_refused,
    encoded,
    forged,
    listen,
    protected_app,
    provider_away_at_first,
    running_provider,
    serving,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    """A provider whose keys stay as they are: its own, and one for each algorithm."""
    with running_provider(*KEYS.values()) as provider:
        yield provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of this test alone."""
    with running_provider() as provider:
        yield provider


async def test_keys_are_asked_for_once_however_many_wait(provider: Provider) -> None:
    token = provider.issuer.token("agency")
    async with protected_app(provider) as app:
        assert provider.asked == []
        assert await asyncio.gather(*(app.status(token) for _ in range(50))) == [200] * 50
        assert provider.asked == [DISCOVERY, "/keys"]


async def test_a_new_key_is_accepted_at_once_and_the_old_one_no_more(provider: Provider) -> None:
    old = provider.issuer.token("agency")
    async with protected_app(provider) as app:
        assert await app.status(old) == 200
        provider.issuer.rotate()
        assert await app.status(provider.issuer.token("agency")) == 200
        assert_refused(await app.ask(old), "token_invalid", "does not publish")
        assert provider.asked.count("/keys") == 2


async def test_a_withdrawn_key_is_accepted_no_longer_than_keys_are_cached(provider: Provider) -> None:
    lifetime = 0.4
    old = provider.issuer.token("agency")
    async with protected_app(provider, lifetime=lifetime) as app:
        began = time.monotonic()
        assert await app.status(old) == 200
        known = time.monotonic()
        provider.issuer.rotate()
        while time.monotonic() < known + lifetime:
            status = await app.status(old)
            assert status == 200 or time.monotonic() > began + lifetime
        assert_refused(await app.ask(old), "token_invalid", "does not publish")


async def test_unknown_keys_cause_few_requests_to_the_issuer(provider: Provider) -> None:
    pause = 0.5
    signer = SIGNERS["ES256"]
    strange = [signer.sign(provider.claims(), kid=f"unheard of {number}") for number in range(30)]
    async with protected_app(provider, pause=pause) as app:
        assert await app.status(provider.issuer.token("agency")) == 200
        began = time.monotonic()

        def at_most() -> int:
            """For the known keys, for the first stranger's, and once for each pause since."""
            return 2 + int((time.monotonic() - began) / pause)

        assert await asyncio.gather(*(app.status(token) for token in strange)) == [401] * 30
        assert [await app.status(token) for token in strange] == [401] * 30
        assert 2 <= provider.asked.count("/keys") <= at_most()
        provider.issuer.published.append(signer.jwk | {"kid": "unheard of 7"})
        await app.answers(200, strange[7])
        assert await app.status(strange[8]) == 401
        assert 3 <= provider.asked.count("/keys") <= at_most()


async def test_an_issuer_that_is_down_is_needed_only_for_unknown_keys() -> None:
    lifetime, grace = 0.1, 1.0
    with provider_away_at_first() as (provider, start, stop):
        known = provider.issuer.token("agency")
        unknown = SIGNERS["ES256"].sign(provider.claims())
        async with protected_app(provider, lifetime=lifetime, grace=grace, retry=0.05, pause=0) as app:
            answer = await app.ask(known)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert "identity provider cannot be reached" in answer.json()["detail"]
            assert answer.headers["retry-after"] == "2"
            # What can be seen without a key is seen.
            assert await app.status(forged({"alg": "none"}, {})) == 401

            began = time.monotonic()
            start()
            await app.answers(200, known)
            fetched = time.monotonic()
            stop()
            while time.monotonic() < fetched + lifetime + grace:
                # Whether a token of another key is good cannot be known.
                assert await app.status(unknown) == 503
                status = await app.status(known)
                assert status == 200 or time.monotonic() > began + lifetime + grace
            assert await app.status(known) == 503

            start()
            await app.answers(200, known)


async def test_an_issuer_that_failed_is_left_alone_for_a_while(provider: Provider) -> None:
    provider.instead["/keys"] = lambda: Response(status_code=500)
    token = provider.issuer.token("agency")
    async with protected_app(provider, retry=60) as app:
        statuses = await asyncio.gather(*(app.status(token) for _ in range(20)))
        assert [*statuses, await app.status(token)] == [503] * 21
    assert provider.asked == [DISCOVERY, "/keys"]


async def test_an_issuer_that_failed_is_not_asked_for_unknown_keys_either(provider: Provider) -> None:
    stranger = SIGNERS["ES256"].sign(provider.claims())
    async with protected_app(provider, retry=60, pause=0) as app:
        assert await app.status(provider.issuer.token("agency")) == 200
        provider.instead["/keys"] = lambda: Response(status_code=500)
        assert [await app.status(stranger) for _ in range(5)] == [503] * 5
        assert await app.status(provider.issuer.token("agency")) == 200
    assert provider.asked.count("/keys") == 2


async def test_an_issuer_that_never_finishes_is_not_awaited_for_ever(provider: Provider) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(500):
            yield b" "
            await asyncio.sleep(0.02)

    provider.instead["/keys"] = lambda: StreamingResponse(drip())
    began = time.monotonic()
    async with protected_app(provider, patience=0.3) as app:
        assert await app.status(provider.issuer.token("agency")) == 503
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
async def test_an_invalid_key_set_changes_nothing(shared: Provider, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    token = shared.issuer.token("agency")
    monkeypatch.setitem(shared.instead, "/keys2", lambda: JSONResponse({"keys": shared.issuer.published}))
    async with protected_app(shared, lifetime=0, retry=0) as known, protected_app(shared) as unknown:
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
async def test_a_configuration_that_leads_to_no_keys_is_a_503(
    shared: Provider, monkeypatch: pytest.MonkeyPatch, changes: Claims
) -> None:
    right = {"issuer": shared.issuer.url, "jwks_uri": f"{shared.issuer.url}/keys"}
    monkeypatch.setitem(shared.instead, DISCOVERY, lambda: JSONResponse(right | changes))
    async with protected_app(shared) as app:
        assert await app.status(shared.issuer.token("agency")) == 503


async def test_a_server_that_speaks_no_http_is_a_503() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    provider = Provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server, protected_app(provider) as app:
        assert await app.status(provider.issuer.token("agency")) == 503


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
        assert await ProtectedApp(verifier).status(provider.issuer.token("agency")) == 200
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
    async with protected_app(provider, pause=0) as app:
        assert await app.status(provider.issuer.token("agency")) == 200
        assert await app.status(own.sign(provider.claims())) == 200
        for kid in ("encrypts", "other algorithm", "strange algorithm"):
            answer = await app.ask(own.sign(provider.claims(), kid=kid))
            assert_refused(answer, "token_invalid", "does not publish")
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            token = weak.sign(provider.claims())
        assert_refused(await app.ask(token), "token_invalid", "does not publish")
        forgery = forged({"alg": "HS256", "kid": "secret"}, provider.claims(), b"s" * 64)
        assert_refused(await app.ask(forgery), "token_invalid", "is not signed with one of")


async def test_a_token_without_a_key_id_is_accepted_where_one_key_fits(provider: Provider) -> None:
    nameless = {name: Signer(name, SIGNERS[name].private, None) for name in ("ES256", "RS256", "PS384")}
    misnamed = SIGNERS["ES256"].jwk | {"kid": 5}
    provider.issuer.published[:] = [nameless["ES256"].jwk, misnamed, SIGNERS["RS256"].jwk, SIGNERS["ES384"].jwk]
    async with protected_app(provider, lifetime=0) as app:
        for signer in nameless.values():
            assert await app.status(signer.sign(provider.claims())) == 200
        # The set's key has no name, so that nobody can ask for it by one.
        assert await app.status(nameless["ES256"].sign(provider.claims(), kid="x")) == 401
        provider.issuer.published.append(SIGNERS["ES256"].jwk | {"kid": "another"})
        answer = await app.ask(nameless["ES256"].sign(provider.claims()))
        assert_refused(answer, "token_invalid", "does not say which")


async def test_a_published_private_key_verifies_signatures(provider: Provider) -> None:
    private = RSAAlgorithm.to_jwk(SIGNERS["RS256"].private, as_dict=True)
    assert "d" in private
    provider.issuer.published.append(private | {"kid": "rsa"})
    async with protected_app(provider) as app:
        assert await app.status(SIGNERS["RS256"].sign(provider.claims())) == 200


async def test_keys_are_asked_for_uncompressed(provider: Provider) -> None:
    provider.instead["/keys"] = lambda: GZipMiddleware(provider.app, minimum_size=1)
    async with protected_app(provider) as app:
        assert await app.status(provider.issuer.token("agency")) == 200


async def test_an_empty_key_set_withdraws_every_key(provider: Provider) -> None:
    token = provider.issuer.token("agency")
    async with protected_app(provider, lifetime=0) as app:
        assert await app.status(token) == 200
        provider.issuer.published.clear()
        assert_refused(await app.ask(token), "token_invalid", "does not publish")


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
        async with protected_app(safe) as stranger:
            assert await stranger.status(token) == 503
        assert safe.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        # The next process reads them again.
        monkeypatch.setattr(client, "certificates", client.certificates.__wrapped__)
        async with protected_app(safe) as friend:
            assert await friend.status(token) == 200
        safe.instead[DISCOVERY] = lambda: JSONResponse(
            {"issuer": safe.issuer.url, "jwks_uri": f"{provider.issuer.url}/keys"}
        )
        async with protected_app(safe) as downgraded:
            assert await downgraded.status(token) == 503
        assert provider.asked == []
