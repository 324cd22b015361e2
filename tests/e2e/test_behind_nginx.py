"""The suite behind an nginx that compresses: tags arrive weak, and records can be read and changed all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from mmptf_local.processes import LOOPBACK
from mmptf_local.suite import Suite
from tests.e2e.conftest import whole_contract
from tests.e2e.guides import run_guide
from tests.nginx import nginx_program, running_nginx

SERVER = """
gzip on; gzip_types application/json application/problem+json text/csv; gzip_min_length 1; gzip_proxied any;
location / {{ proxy_pass http://{gateway}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
"""


def until_kept(client: httpx.Client, path: str) -> None:
    """Ask until the gateway has heard of the service, and keeps the answer."""
    end = time.monotonic() + 5
    while "mmptf-gateway; hit" not in client.get(path).headers["cache-status"]:
        assert time.monotonic() < end, path
        time.sleep(0.05)


@pytest.fixture(scope="module")
def proxy(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the nginx."""
    program = nginx_program()
    assert program, "nginx is installed with the test tools"
    server = SERVER.format(gateway=urlsplit(suite.urls["gateway"]).netloc)
    with running_nginx(program, tmp_path_factory.mktemp("nginx"), server=server) as (port, _):
        yield f"{LOOPBACK}:{port}"


# What the gateway compresses itself, the contract and what it keeps, nginx does not, and its tag stays strong.
@pytest.mark.parametrize(
    ("path", "weak"),
    [
        ("/catalog/v1/programmes", False),
        ("/funding/v1/requirements/totals", False),
        ("/markers/v1/indicator", True),
        ("/openapi.json", False),
    ],
)
def test_a_compressed_answer_is_read_again_as_304(proxy: str, path: str, weak: bool) -> None:
    with httpx.Client(base_url=f"http://{proxy}") as client:
        whole_contract(client)
        if path.endswith(("programmes", "totals")):
            until_kept(client, path)
        first = client.get(path)
        assert (first.status_code, first.headers["content-encoding"]) == (200, "gzip")
        assert first.headers["etag"].startswith("W/") == weak
        again = client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_guide_for_integrators_through_a_compressing_proxy(suite: Suite, proxy: str) -> None:
    # curl asks for a compressed answer, and decompresses it, as most clients do.
    run_guide(
        "integrators", {"8000": proxy, "8001": urlsplit(suite.urls["issuer"]).netloc}, curl_options="--compressed"
    )
