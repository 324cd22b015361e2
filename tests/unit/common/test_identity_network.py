"""The identity provider's keys through a proxy, and from a server whose certificate is of an authority of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr, ValidationError

from mmptf_common.http.tokens import open_verifier
from mmptf_common.process import client
from mmptf_common.process.settings import ServiceSettings
from mmptf_local.issuer import AUDIENCE
from tests.unit.common.identity_provider import ProtectedApp, Provider, listen, serving


class Authority:
    """An authority that nobody knows, and the certificates that it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Authority")
        key = self._key.public_key()
        self._certificate = self._signed(
            _valid(self._name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def certificate(self) -> Path:
        """A certificate of 127.0.0.1 with its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._signed(
            _valid(_name("127.0.0.1"), key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        file = self.folder / "server.pem"
        file.write_bytes(
            signed.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return file

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.issuer_name(self._name).sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _valid(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def provider(authority: Authority) -> Iterator[Provider]:
    """A provider over TLS, whose certificate the authority has signed."""
    listening, where = listen()
    found = Provider(f"https://{where}")
    with serving(found, listening, ssl_certfile=str(authority.certificate())):
        yield found


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of this machine, and certificates that are read again, as the next process does."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(client, "certificates", client.certificates.__wrapped__)


def settings_of(provider: Provider) -> ServiceSettings:
    """The settings of a service in this environment."""
    return ServiceSettings(
        database_url=SecretStr("postgresql://nowhere"),
        identity_issuer=provider.issuer.url,
        identity_audience=(AUDIENCE,),
    )


async def status(provider: Provider) -> int:
    """What a service answers to a good token."""
    async with open_verifier(settings_of(provider)) as verifier:
        return await ProtectedApp(verifier).status(provider.issuer.token("agency"))


async def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    provider: Provider, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await status(provider), provider.asked) == (503, [])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await status(provider) == 200


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates_is_refused_at_the_start(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(ValidationError) as caught:
        settings_of(provider)
    (error,) = caught.value.errors()
    assert error["loc"] == ("ssl_cert_file",)
    assert error["msg"] == f"Value error, {file} cannot be read as a file of certificates"


@asynccontextmanager
async def running_proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a proxy that connects to whatever it is asked for, and the heads of what it was asked."""
    heads: list[str] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heads.append(head)
        host, _, port = head.split()[1].partition(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(relay(reader, there_writer), relay(there_reader, writer))

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


async def test_keys_are_fetched_through_the_proxy(
    provider: Provider, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    where = provider.issuer.url.removeprefix("https://")
    async with running_proxy() as (proxy, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@{proxy}")
        assert await status(provider) == 200
        assert [head.splitlines()[0] for head in heads] == [f"CONNECT {where} HTTP/1.1"]
        assert "\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" in heads[0]
        # Without a scheme it is the same.
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert await status(provider) == 200
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert await status(provider) == 200
        assert len(heads) == 2


async def test_without_the_proxy_there_are_no_keys(
    provider: Provider, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    listening, where = listen()
    listening.close()
    monkeypatch.setenv("HTTPS_PROXY", f"http://{where}")
    assert (await status(provider), provider.asked) == (503, [])


@pytest.mark.parametrize("name", ["https_proxy", "http_proxy", "all_proxy"])
@pytest.mark.parametrize("value", ["socks5://secret@proxy:1080", "http://", "http://proxy:0"])
def test_a_proxy_that_cannot_be_used_is_refused_at_the_start(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        settings_of(provider)
    (error,) = caught.value.errors()
    assert error["loc"] == (name,)
    assert error["msg"] == "Value error, a URL of the form http://host:port is expected"
