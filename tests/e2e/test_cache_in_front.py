"""A cache in front of the gateway, as the guide for operators configures it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.issuer import AUDIENCE
from mmptf_local.processes import LOOPBACK
from tests.nginx import nginx_program, running_nginx
from tests.serving import packaged_suite
from tests.suite import ROOT
from tests.tokens import bearer, issuer, writing

LEDGER = "/funding/v1/ledger"
ENTRY = {"kind": "interest", "amount": "0.01", "date": "2024-05-05", "reference": "behind a cache"}


def configuration(gateway: str, folder: Path) -> tuple[str, str]:
    """The lines of the guide for the blocks `http` and `server`, with this gateway and folder."""
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    found = re.search(r"```nginx\n(proxy_cache_path.*?)server \{\n    listen 80;\n(.*?)\n\}\n```", text, re.DOTALL)
    assert found
    http, server = found.groups()
    return http.replace("/var/cache/nginx/mmptf", str(folder)), server.replace("gateway:8000", gateway)


@pytest.fixture(scope="module")
def cache(
    new_database: Callable[[str], str], redis_server: Cache, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    program, folder = nginx_program(), tmp_path_factory.mktemp("nginx")
    assert program, "nginx is installed with the test tools"
    identity = {"IDENTITY_ISSUER": issuer().url, "IDENTITY_AUDIENCE": AUDIENCE}
    with packaged_suite(new_database, redis_server.url, CDN_SECONDS="2", **identity) as suite:
        http, server = configuration(urlsplit(suite.urls["gateway"]).netloc, folder / "cache")
        with (
            running_nginx(program, folder, http=http, server=server) as (port, _),
            httpx.Client(base_url=f"http://{LOOPBACK}:{port}", headers={"accept-encoding": "gzip"}) as client,
        ):
            yield client


@pytest.mark.longer
def test_the_cache_of_the_guide_keeps_public_reads_for_a_second(cache: httpx.Client) -> None:
    def asked(path: str, **headers: str) -> str:
        answer = cache.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.status_code == 200, answer.text
        return answer.headers["x-cache"]

    first = cache.get(LEDGER)
    assert first.headers["cdn-cache-control"] == "max-age=2, stale-while-revalidate=2"
    assert first.headers["cache-control"] == "public, no-cache"
    assert asked(LEDGER) == "HIT"
    again = cache.get(LEDGER, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.headers["x-cache"]) == (304, "HIT")
    assert cache.get(LEDGER, headers={"accept-encoding": "identity"}).json() == first.json()
    # Nothing of one caller's, nothing that depends on more than the data, and nothing for who asks anew.
    assert [asked(LEDGER, **bearer("agent")) for _ in range(2)] == ["BYPASS", "BYPASS"]
    assert asked(LEDGER, cache_control="no-cache") == "BYPASS"
    assert [asked("/markers/v1/indicator") for _ in range(2)] == ["MISS", "MISS"]
    assert [asked("/funding/v1/status") for _ in range(2)] == ["MISS", "MISS"]
    # A write is there after a second here, and one more at the most.
    written = cache.post(LEDGER, json=ENTRY, headers=writing("agent"))
    assert (written.status_code, '"funding";revision=' in written.headers["cache-group-invalidation"]) == (201, True)
    time.sleep(1.2)
    asked(LEDGER)
    time.sleep(0.2)
    assert ENTRY["reference"] in [item["reference"] for item in cache.get(f"{LEDGER}?sort=-code").json()["items"]]
    assert cache.get(LEDGER).json()["total"] == first.json()["total"] + 1
