"""Access tokens: which are accepted, and what is answered to every other."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mmptf_common.http.identity import LONGEST_TOKEN
from mmptf_common.http.tokens import LEEWAY, KeySet, Verifier, open_verifier
from mmptf_common.process.client import open_client
from mmptf_common.process.settings import ServiceSettings
from mmptf_local.issuer import AUDIENCE
from tests.unit.common.identity_provider import (
    CHALLENGE,
    KEYS,
    SIGNERS,
    Claims,
    ProtectedApp,
    Provider,
    Signer,
    assert_refused,
    challenge,
    encoded,
    forged,
    protected_app,
    running_provider,
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


# --- what is let in


@pytest.mark.parametrize("algorithm", [*SIGNERS, "the issuer's own"])
async def test_a_signature_of_each_kind_of_key_is_accepted(
    shared: Provider, service: ProtectedApp, algorithm: str
) -> None:
    claims = shared.claims(sub="anna")
    signer = SIGNERS.get(algorithm)
    answer = await service.ask(signer.sign(claims) if signer else shared.issuer.token("agency", sub="anna"))
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
        ({"scope": ["catalog:write", "not admin"]}, {"scopes": ["catalog:write", "not admin"]}),
        ({"scope": None, "scp": "catalog:write  x"}, {"scopes": ["catalog:write", "x"]}),
        ({"scope": None, "scp": ["catalog:write"]}, {"scopes": ["catalog:write"]}),
        ({"scope": "catalog:write", "scp": "admin"}, {"scopes": ["catalog:write"]}),
        ({"roles": ["agent", "king", "management_unit"]}, {"roles": ["agent", "king", "management_unit"]}),
        ({"roles": "agent"}, {"roles": ["agent"]}),
        ({"roles": None, "organization": None}, {"organization": None}),
        ({"organization": []}, {"organization": None}),
        ({"organization": ["undp"]}, {"organization": "UNDP"}),
        ({"organization": {"undp": {"id": "42c3e46f"}}}, {"organization": "UNDP"}),
        ({"iat": None}, {}),
        ({"sub": "Ünal, 山田 🙂"}, {"subject": "Ünal, 山田 🙂"}),
        ({"anything": {"else": [1, {}]}}, {}),
    ],
)
async def test_claims_are_read_in_the_forms_that_issuers_write(
    shared: Provider, service: ProtectedApp, changes: Claims, expected: Claims
) -> None:
    everyday = {
        "subject": "agency",
        "organization": "IOM",
        "roles": [],
        "scopes": ["catalog:write", "funding:write", "markers:assess"],
    }
    answer = await service.ask(SIGNERS["ES256"].sign(shared.claims(**changes)))
    assert (answer.status_code, answer.json()) == (200, everyday | expected)


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt", "JWT", "jwt", None])
async def test_the_types_of_access_tokens(shared: Provider, service: ProtectedApp, kind: str | None) -> None:
    token = SIGNERS["ES256"].sign(shared.claims(), typ=kind)
    assert ("typ" in jwt.get_unverified_header(token)) is (kind is not None)
    assert await service.status(token) == 200


@pytest.mark.parametrize("claims", [{"client_id": "portal"}, {"client_id": None, "cid": "portal"}])
async def test_a_token_without_a_type_names_its_client(shared: Provider, service: ProtectedApp, claims: Claims) -> None:
    """As those of Cognito and of Okta do."""
    assert await service.status(SIGNERS["ES256"].sign(shared.claims(**claims), typ=None)) == 200


@pytest.mark.parametrize("claims", [{"typ": "Bearer"}, {"token_use": "access"}, {"nonce": "x"}, {"auth_time": 1}])
async def test_claims_that_access_tokens_of_some_providers_have(
    shared: Provider, service: ProtectedApp, claims: Claims
) -> None:
    assert await service.status(SIGNERS["ES256"].sign(shared.claims(**claims))) == 200


async def test_a_token_of_several_organizations_is_refused(shared: Provider, service: ProtectedApp) -> None:
    values: tuple[Any, ...] = (["IOM", "UNDP"], {"iom": {}, "undp": {}})
    for value in values:
        answer = await service.ask(SIGNERS["ES256"].sign(shared.claims(organization=value)))
        assert_refused(answer, "token_invalid", "names 2 organizations in the claim organization, and one is expected")


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
        answer = await ProtectedApp(verifier).ask(shared.issuer.token("agency", groups=7))
        assert_refused(answer, "token_invalid", "not of their type: groups.")


async def test_clocks_may_differ_by_half_a_minute(shared: Provider, service: ProtectedApp) -> None:
    now = time.time()
    within: list[Claims] = [{"exp": now - LEEWAY + 5}, {"nbf": now + LEEWAY - 5}, {"iat": now + LEEWAY - 5}]
    early: list[Claims] = [{"nbf": now + LEEWAY + 5}, {"iat": now + LEEWAY + 5}]
    for changes in within:
        assert await service.status(shared.issuer.token("agency", **changes)) == 200, changes
    ended = datetime.fromtimestamp(int(now) - LEEWAY - 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = await service.ask(shared.issuer.token("agency", exp=int(now) - LEEWAY - 1))
    assert_refused(answer, "token_expired", f"has expired at {ended}.")
    for changes in early:
        answer = await service.ask(shared.issuer.token("agency", **changes))
        assert_refused(answer, "token_not_yet_valid", "is valid from ")


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
    service: ProtectedApp, sent: list[bytes], code: str, said: str
) -> None:
    answer = await service.client.post("/write", headers=[(b"Authorization", value) for value in sent])
    if code == "token_missing":
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert said in answer.json()["detail"]
        # RFC 6750, 3.1: who has sent no token has made no error.
        assert answer.headers["www-authenticate"] == CHALLENGE
    else:
        assert_refused(answer, code, said)


async def test_the_scheme_is_read_in_any_case(shared: Provider, service: ProtectedApp) -> None:
    for scheme in ("bearer ", "BEARER   ", " Bearer "):
        answer = await service.client.post(
            "/write", headers={"Authorization": f"{scheme}{shared.issuer.token('agency')} "}
        )
        assert answer.status_code == 200, scheme


def refusals(provider: Provider) -> Mapping[str, tuple[str, str]]:
    """Tokens that are not good, with what is said of them."""
    issuer, claims = provider.issuer, provider.claims()
    anybody = {name: value for name, value in claims.items() if name != "client_id"}
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
        **{
            f"of the type {kind}": (es.sign(claims, typ=kind), "that of an access token is at+jwt or JWT")
            for kind in (
                "logout+jwt",
                "secevent+jwt",
                "id+jwt",
                "at+jwt ",
                "dpop+jwt",
                "application/jwt",
                1,
                ["JWT"],
                {"at+jwt": 1},
            )
        },
        **{
            f"no type, and the client is {client!r}": (
                es.sign(anybody | client, typ=None),
                "The token has no `typ` in its header, which is at+jwt or JWT in an access token",
            )
            for client in (Claims(), {"client_id": None}, {"cid": 1}, {"azp": "portal"})
        },
        "a logout token": (
            es.sign(claims | {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
            "has the claim events: it is no access token",
        ),
        **{
            f"an ID token with {name}": (es.sign(claims | {name: "x"}), f"has the claim {name}: it is no access token")
            for name in ("at_hash", "c_hash", "s_hash")
        },
        **{
            f"{name} {kind}": (
                es.sign(claims | {name: kind}),
                f"The {name} of the token is {kind}: it is no access token",
            )
            for name, kind in (("typ", "ID"), ("typ", "Refresh"), ("typ", "Logout"), ("token_use", "id"))
        },
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
    refused: Mapping[str, tuple[str, str]], service: ProtectedApp, name: str
) -> None:
    token, said = refused[name]
    answer = await service.ask(token)
    assert_refused(answer, "token_invalid", said)
    assert token not in answer.text and token.split(".")[1] not in answer.text


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"null", b'"text"', b"\xff", b"{", b"[" * 3000, b'{"sub":NaN}'])
async def test_a_signed_payload_that_is_no_object_is_refused(service: ProtectedApp, payload: bytes) -> None:
    signer = SIGNERS["ES256"]
    answer = await service.ask(jwt.PyJWS().encode(payload, signer.private, "ES256", {"kid": signer.kid}))
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
    "organization": (1, "", [1], [""], [["IOM"]], {"IOM": 1}, {"a\0b": {}}, "a\0b", "a" * 256, True),
    "roles": (1, {}, [1], [["agent"]], True),
}


@pytest.mark.parametrize("claim", WRONG)
async def test_a_claim_of_another_type_is_refused_by_its_name(
    shared: Provider, service: ProtectedApp, claim: str
) -> None:
    for value in WRONG[claim]:
        answer = await service.ask(shared.issuer.token("agency", **{claim: value}))
        # What JSON itself does not allow is not looked at any further.
        no_json = value == "\ud800" or isinstance(value, float)
        said = "no JSON object" if no_json else f"missing or not of their type: {claim}."
        assert_refused(answer, "token_invalid", said)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp"])
async def test_a_claim_that_is_needed_is_missed_by_its_name(
    shared: Provider, service: ProtectedApp, claim: str
) -> None:
    token = shared.issuer.token("agency", **{claim: None})
    assert_refused(await service.ask(token), "token_invalid", f"missing or not of their type: {claim}.")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(WRONG)), ANY_JSON, min_size=1))
async def test_any_claims_of_a_signed_token_are_accepted_or_rejected(
    shared: Provider, service: ProtectedApp, changes: Claims
) -> None:
    signer = SIGNERS["EdDSA"]
    claims = shared.claims() | changes
    answer = await service.ask(signer.sign(claims))
    assert answer.status_code in {200, 401, 403}
    if answer.status_code == 200:
        who = answer.json()
        assert claims["iss"] == shared.issuer.url and AUDIENCE in claims["aud"]
        assert claims["exp"] > time.time() - LEEWAY - 1
        written = claims["organization"]
        # A text, a list, an object, or nothing.
        named = {written} if isinstance(written, str) else set(written or [None])
        assert who["subject"] == claims["sub"]
        assert {who["organization"]} == {name.upper() if name and name.isascii() else name for name in named}
    elif answer.status_code == 401:
        assert challenge(answer)


@given(header=ANY_JSON | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "b64", "crit", "cty", "zip"]), ANY_JSON))
async def test_every_unsigned_token_is_rejected(service: ProtectedApp, header: Any) -> None:
    answer = await service.ask(forged(header, {}, b"secret"))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


@given(st.text(st.sampled_from("ey.AZ09-_~+/="), min_size=1, max_size=40))
async def test_every_text_like_a_token_is_rejected(service: ProtectedApp, token: str) -> None:
    assert (await service.ask(token)).status_code == 401


async def test_the_description_of_a_rejected_token_fits_into_a_header(shared: Provider) -> None:
    async with open_client(seconds=3) as client:
        verifier = Verifier(KeySet(client, shared.issuer.url), issuer=shared.issuer.url, audiences=('a"b\\é\n',))
        answer = await ProtectedApp(verifier).ask(shared.issuer.token("agency"))
    assert 'the audience a"b\\é\n,' in answer.json()["detail"]
    assert "the audience a?b???," in challenge(answer)
