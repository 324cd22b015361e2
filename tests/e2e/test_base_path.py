"""The suite below a path of another server: an nginx takes the path off, and every link still leads to its answer."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import LOOPBACK, free_port
from mmptf_local.suite import Suite, running_suite
from tests.conftest import serving_url
from tests.contract.asking import ApiClients, ask
from tests.contract.contracts import LISTS, OWN, PROBLEM, Operation
from tests.contract.prelude import prepare
from tests.e2e.conftest import whole_contract
from tests.e2e.guides import GUIDES, run_guide
from tests.e2e.test_http_server import Connection
from tests.nginx import nginx_program, running_nginx
from tests.suite import DATABASE_VARIABLES, NAMES, NO_LOTS, SERVICES
from tests.tokens import bearer, identity, issuer

BASE_PATH = "/api"
GZIP = "gzip on; gzip_types application/json application/problem+json text/csv; gzip_min_length 1; gzip_proxied any;"
# A path of a service without the base path, wherever in an answer it stands.
BARE = re.compile(rf"(?<!{BASE_PATH})/(?:{'|'.join(SERVICES)})/v[0-9][^\s\"'<>]*")
# What describes the paths has them as they are, and is asked for by tests of its own.
CONTRACT = {f"{BASE_PATH}/openapi.json", f"{BASE_PATH}/docs"}
READS = [o for o in OWN if o.is_read]


@pytest.fixture(scope="module")
def suite(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[Suite]:
    environment = {variable: serving_url(new_database(name)) for name, variable in DATABASE_VARIABLES.items()}
    environment |= NO_LOTS | identity()
    environment |= {"REDIS_URL": redis_server.url, "PORT": str(free_port()), "BASE_PATH": BASE_PATH}
    with running_suite(Path("/nowhere"), environment) as running:
        yield running


@pytest.fixture(scope="module")
def written(suite: Suite) -> None:
    """The records that no package has and that the examples of the contract name."""
    prepare(suite)


@pytest.fixture(scope="module")
def proxy(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the nginx."""
    program = nginx_program()
    assert program, "nginx is installed with the test tools"
    # The lines that the guide for operators gives.
    (location,) = re.findall(r"```nginx\n(location .*?)```", (GUIDES / "operations.md").read_text("utf-8"), re.DOTALL)
    location = location.replace("gateway:8000", urlsplit(suite.urls["gateway"]).netloc)
    with running_nginx(program, tmp_path_factory.mktemp("nginx"), server=GZIP + location) as (port, _):
        yield f"{LOOPBACK}:{port}"


@pytest.fixture(scope="module")
def client(proxy: str) -> Iterator[httpx.Client]:
    """A caller who knows the nginx only, and may read everything."""
    with httpx.Client(base_url=f"http://{proxy}", headers=bearer("admin", "IOM"), timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
async def callers(proxy: str) -> AsyncIterator[ApiClients]:
    """A client for each API, all of them at the nginx."""
    async with httpx.AsyncClient(base_url=f"http://{proxy}{BASE_PATH}", timeout=30) as client:
        yield dict.fromkeys(NAMES, client)


def strings(node: Any) -> Iterator[str]:
    """Every text in a JSON value, at any depth."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def links_in(answer: httpx.Response) -> set[str]:
    """The links of an answer, as a caller may follow them; asserts that no path in it lacks the base path."""
    heads = [answer.headers[name] for name in ("link", "location") if name in answer.headers]
    media = answer.headers.get("content-type", "").partition(";")[0]
    if media == "application/x-ndjson":
        texts = [text for line in answer.text.splitlines() for text in strings(json.loads(line))]
    elif media == "text/csv":
        texts = [cell for row in csv.reader(answer.text.splitlines()) for cell in row]
    else:
        texts = list(strings(answer.json())) if answer.content else []
    bare = [found[0] for text in (*heads, *texts) for found in BARE.finditer(text)]
    assert not bare, (str(answer.url), bare[:5])
    found = {text for text in texts if text.startswith(f"{BASE_PATH}/")}
    return found | {part for head in heads for part in re.findall(rf"(?<![^<]){BASE_PATH}/[^>\s]*", head)}


@pytest.mark.longer
@pytest.mark.usefixtures("written")
def test_every_link_leads_to_its_answer(client: httpx.Client) -> None:
    exports = [f"{o.path}?format={form}" for o in LISTS if o in READS for form in ("csv", "ndjson")]
    earlier = [f"/funding/v1/facts?as_of=1&format={form}" for form in ("json", "csv", "ndjson")]
    waiting = [f"{BASE_PATH}{path}" for path in ("/", *(o.path for o in READS), *exports, *earlier)]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        further = links_in(answer) - seen
        seen |= further
        waiting += further - CONTRACT
    # Links of every kind were there: of indexes, facets, totals, further pages, histories of stored facts, and schemas.
    for part in ("/docs", "=not_stated", "kind=", "cursor=", "/history?after=", "/answers-schema", "as_of="):
        assert any(part in path for path in seen), part


@pytest.mark.longer
@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("operation", OWN, ids=str)
async def test_no_answer_has_a_path_without_the_base_path(callers: ApiClients, operation: Operation) -> None:
    answers = [await ask(callers, operation)]
    assert answers[0].is_success
    if operation.code:
        # A code that nothing has: the answer says where those that there are can be read.
        answers.append(await callers[operation.api].get(re.sub(r"{\w+}", "ZZZ-404", operation.template)))
    if operation.is_read:
        answers += [await ask(callers, operation, f"{name}=zzz-404") for name in operation.query]
    answers.append(await ask(callers, operation, method="PUT"))
    for answer in answers:
        links_in(answer)
        if answer.headers.get("content-type") == PROBLEM:
            assert answer.json()["instance"] == answer.request.url.path
        if answer.status_code == 201 and "location" in answer.headers:
            assert answer.headers["location"].startswith(f"{BASE_PATH}/")


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/catalog/v1/programme", "/catalog/v1/programmes"),
        ("/catalog/v1/nothing/there", "/catalog/v1/nothing/there"),
        ("/catalogue/v1/programmes", "/"),
        ("/status/", "/status"),
    ],
)
def test_an_unknown_path_is_named_as_it_was_asked_for(client: httpx.Client, path: str, named: str) -> None:
    answer = client.get(f"{BASE_PATH}{path}")
    assert answer.status_code == 404
    assert re.search(rf"{BASE_PATH}{named}(?![\w/-])", answer.json()["detail"])
    links_in(answer)


@pytest.mark.longer
@pytest.mark.usefixtures("written")
def test_a_redirect_is_followed_by_a_caller_and_within_the_suite(client: httpx.Client) -> None:
    moved = client.get(f"{BASE_PATH}/catalog/v1/programmes/eth-01", params={"as_of": 1})
    assert (moved.status_code, moved.headers["location"]) == (308, f"{BASE_PATH}/catalog/v1/programmes/ETH-01?as_of=1")
    # The gateway asks the services for their cards, and each redirects it to the code in capitals.
    view = client.get(f"{BASE_PATH}/programmes/eth-01").json()
    assert (view["code"], view["complete"]) == ("ETH-01", True)


# What is refused by the server or by the first checks, before a route is looked for: the request, whose path is `%b`,
# and the code of the problem. The gateway leaves bodies to the services, whose problems it forwards.
REFUSED = [
    (b"GET %b?x=1 HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "head_too_large"),
    (b"GET %b HTTP/1.1\r\nHost: a/b\r\n\r\n", "bad_request"),
    (b"GET %b HTTP/1.1\r\n\r\n", "bad_request"),
    (b"GET %b HTTP/1.1\r\nno header\r\n\r\n", "bad_request"),
    (b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad_request"),
    (b"FOO %b HTTP/1.1\r\nHost: a\r\n\r\n", "method_not_implemented"),
    (b"CONNECT %b HTTP/1.1\r\nHost: a\r\n\r\n", "method_not_implemented"),
    (b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n ", "payload_too_large"),
    (b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n ", "unsupported_media_type"),
]


@pytest.mark.parametrize(("request_", "code"), REFUSED)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused_before_a_route_names_paths_below_the_base_path(
    suite: Suite, client: httpx.Client, name: str, request_: bytes, code: str
) -> None:
    path = f"/{name}/v1/no-such%20list" if name in SERVICES else f"/{SERVICES[0]}/v1/no-such%20list"
    for before in ("", BASE_PATH):
        with closing(Connection(suite.urls[name])) as connection:
            problem = json.loads(connection.send(request_ % (before + path).encode()).read().body)
        assert (problem["code"], problem["type"]) == (code, f"{BASE_PATH}/problems/{code}")
        assert problem["instance"] == BASE_PATH + path.replace("%20", " ")
        for origin in (str(client.base_url), suite.urls[name]):
            assert client.get(f"{origin}{problem['type']}").status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_a_request_whose_path_was_not_read_has_no_instance(suite: Suite, name: str) -> None:
    with closing(Connection(suite.urls[name])) as connection:
        problem = json.loads(connection.send(b"GARBAGE\r\n\r\n").read().body)
    assert (problem["type"], problem["instance"]) == (f"{BASE_PATH}/problems/bad_request", "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_path_with_the_base_path_is_the_same_at_every_process(suite: Suite, name: str) -> None:
    for origin in (suite.urls["gateway"], suite.urls[name]):
        with_it, without = (httpx.get(f"{origin}{before}/{name}/v1") for before in (BASE_PATH, ""))
        assert with_it.status_code == 200
        assert with_it.json() == without.json()


def test_the_contract_says_where_its_paths_begin(suite: Suite, proxy: str) -> None:
    with httpx.Client(base_url=f"http://{proxy}{BASE_PATH}") as client:
        merged = whole_contract(client).json()
    services = [httpx.get(f"{suite.urls[name]}/openapi.json").json() for name in SERVICES]
    for contract in (merged, *services):
        assert [server["url"] for server in contract["servers"]] == [BASE_PATH]


def test_the_page_of_the_contract_loads_what_it_needs(client: httpx.Client) -> None:
    page = client.get(f"{BASE_PATH}/docs")
    needed = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert len(needed) == 5
    for path in needed:
        assert client.get(str(page.url.join(path))).status_code == 200


def test_the_guide_for_integrators(proxy: str) -> None:
    # curl asks for a compressed answer, and decompresses it, as most clients do.
    addresses = {"8000": f"{proxy}{BASE_PATH}", "8001": urlsplit(issuer().url).netloc}
    run_guide("integrators", addresses, curl_options="--compressed")
