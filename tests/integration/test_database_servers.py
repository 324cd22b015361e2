"""Databases as operators have them: with TLS alone, and with a replica that takes the place of its primary."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import serving_app
from tests.integration.database_servers import Pair, TlsServer, programs_with_tls, replicated_pair, tls_server
from tests.integration.programme_writes import PROGRAMMES, drafted, submitted
from tests.integration.replicas import until
from tests.tokens import bearer

pytestmark = pytest.mark.longer


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsServer]:
    programs = programs_with_tls()
    if programs is None:
        pytest.skip("no PostgreSQL with TLS is installed: the one of the package has none")
    with tls_server(programs) as server:
        yield server


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with replicated_pair() as pair:
        yield pair


def verb(name: str, url: str, owner: str = "") -> tuple[int, str]:
    """The exit code of a verb, and what it prints."""
    environment = {**os.environ, "DATABASE_URL": url, "MIGRATION_DATABASE_URL": owner, "PORT": "0"}
    command = [sys.executable, "-m", "mmptf_catalog", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


async def test_every_connection_has_tls(tls: TlsServer) -> None:
    verifying = {"sslmode": "verify-full", "sslrootcert": tls.authority.file}
    url, owner = tls.url(**verifying), tls.url(of_owner=True, **verifying)
    assert verb("migrate", url, owner)[0] == 0
    assert verb("seed", url)[1].startswith("catalog: data at revision ")
    assert verb("check-rollups", url) == (0, "catalog: all derived rows equal a recount\n")
    async with serving_app("catalog", url) as (_, client):
        programme = await submitted(client)
        assert (await client.get(f"{PROGRAMMES}/{programme.json()['code']}")).status_code == 200
        assert len((await client.get(f"{PROGRAMMES}?format=csv")).text.splitlines()) > 10


@pytest.mark.parametrize(
    ("host", "mode", "is_taken"),
    [
        ("localhost", "verify-full", True),
        ("127.0.0.1", "verify-full", False),
        ("127.0.0.1", "verify-ca", True),
        ("127.0.0.1", "require", True),
        ("127.0.0.1", "prefer", True),
        ("127.0.0.1", "disable", False),
    ],
)
def test_what_each_mode_of_tls_takes(tls: TlsServer, host: str, mode: str, is_taken: bool) -> None:
    root = tls.authority.file if mode.startswith("verify") else None
    url = tls.url(host, of_owner=True, sslmode=mode, sslrootcert=root)
    code, said = verb("migrate", url)
    assert (code == 0) == is_taken
    assert is_taken or len(said.splitlines()) == 1, said
    assert tls.server.url("catalog").split(":")[2].partition("@")[0] not in said


def test_another_authority_and_a_missing_certificate_are_refused(tls: TlsServer, tmp_path: Path) -> None:
    from tests.certificates import Authority

    other = Authority(tmp_path, "another").file
    code, said = verb("migrate", tls.url(of_owner=True, sslmode="verify-full", sslrootcert=other))
    assert (code, "certificate verify failed" in said, len(said.splitlines())) == (1, True, 1)
    code, said = verb("migrate", tls.url(of_owner=True, sslmode="require", sslcert=None, sslkey=None))
    assert (code, "certificate" in said, len(said.splitlines())) == (1, True, 1)


async def test_writes_go_on_at_the_replica_that_was_promoted() -> None:
    with replicated_pair() as pair:
        # The replica is the first one that is tried, and is not taken while it is one.
        async with serving_app("catalog", pair.url(pair.replica, pair.primary)) as (_, client):
            before = await drafted(client)
            pair.primary.kill()
            pair.replica.promote()

            async def writes() -> bool:
                answer = await client.get(before.headers["location"], headers=bearer("agency"))
                if answer.status_code != 200:
                    assert answer.status_code == 503, answer.text
                    return False
                assert answer.json() == before.json()
                return True

            await until(writes)
            after = await drafted(client)
            assert after.json()["code"] != before.json()["code"]
            assert (await client.get("/health/ready")).status_code == 200
