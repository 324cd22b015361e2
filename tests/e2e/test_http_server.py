"""HTTP in bytes: every process of the suite reads what clients and proxies really send, or says why it cannot."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx
import pytest

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_gateway import docs
from mmptf_local.suite import Suite
from mmptf_markers.rubrics.routes import EXAMPLE
from tests.suite import NAMES, SERVICES

MAX_BODY = 1_048_576
MAX_HEAD = 65_536
PROBLEM = "application/problem+json"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n"
COMMITMENT = {"kind": "commitment", "date": "2026-01-15", "amount": "1000000.00", "contributor": "DEU"}
JAVA = Path(__file__).with_name("Writer.java")


@dataclass(frozen=True)
class Answer:
    """One answer, its header names in small letters, its body without chunks."""

    version: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all_of(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found == name]

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The problem document, after it was checked that it is one."""
        assert (self.status, self.all_of("content-type")) == (status, [PROBLEM]), self
        assert self.all_of("x-content-type-options") == ["nosniff"]
        found: dict[str, Any] = json.loads(self.body)
        assert (found["status"], found["code"]) == (status, code)
        assert self.all_of("x-request-id") == [found["request_id"]]
        return found


@dataclass(frozen=True)
class Write:
    """A request with a body, as it is sent to its service and to the gateway."""

    path: bytes
    headers: bytes
    body: bytes
    status: int

    def head(self, more: bytes = b"", *, method: bytes = b"POST") -> bytes:
        return b"%b %b HTTP/1.1\r\nHost: fund.example\r\n%b%b" % (method, self.path, self.headers, more)

    def sized(self, more: bytes = b"") -> bytes:
        return self.head(b"%bContent-Length: %d\r\n\r\n%b" % (more, len(self.body), self.body))

    def chunked(self, more: bytes = b"") -> bytes:
        half = len(self.body) // 2
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (self.body[:half], self.body[half:]))
        return self.head(b"%bTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (more, chunks))


class Connection:
    """A connection to one process; it reads the answers one by one."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)
        self._file: BinaryIO = self.socket.makefile("rb")

    def send(self, *pieces: bytes) -> Connection:
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def read(self, *, of_head: bool = False) -> Answer:
        version, status, *_ = self._file.readline().decode().split(" ")
        headers = []
        while line := self._file.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        known = dict(headers)
        if of_head or int(status) in (100, 204, 304):
            body = b""
        elif "content-length" in known:
            body = self._file.read(int(known["content-length"]))
        elif known.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._file.readline(), 16):
                body += self._file.read(size)
                self._file.readline()
            self._file.readline()
        else:
            body = self._file.read()
        return Answer(version, int(status), headers, body)

    def is_closed(self) -> bool:
        """Whether the process sends nothing more and closes the connection; waits for it."""
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


Dial = Callable[[str], Connection]


@pytest.fixture(scope="module")
def paths() -> Mapping[str, bytes]:
    """A list of each API."""
    return {
        "catalog": b"/catalog/v1/programmes",
        "funding": b"/funding/v1/contributions",
        "markers": b"/markers/v1/rubrics",
        "gateway": b"/catalog/v1/programmes",
    }


def token(suite: Suite, client: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client}
    granted: str = httpx.post(f"{suite.urls['issuer']}/token", data=form).json()["access_token"]
    return granted


@pytest.fixture(scope="module")
def writes(suite: Suite) -> Mapping[str, Write]:
    """A write of each API that leaves nothing behind."""

    def write(path: str, client: str, body: Mapping[str, Any], status: int) -> Write:
        headers = f"Authorization: Bearer {token(suite, client)}\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
        headers += "Content-Type: application/json\r\n"
        return Write(path.encode(), headers.encode(), json.dumps(body).encode(), status)

    draft = write("/catalog/v1/drafts?dry_run=true", "agency", {**CONTENT, "programme_code": "WIRE-01"}, 201)
    return {
        "catalog": draft,
        "funding": write("/funding/v1/ledger?dry_run=true", "agent", COMMITMENT, 201),
        "markers": write("/markers/v1/score", "agency", EXAMPLE, 200),
        "gateway": draft,
    }


@pytest.fixture(params=NAMES)
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def path(api: str, paths: Mapping[str, bytes]) -> bytes:
    return paths[api]


@pytest.fixture
def write(api: str, writes: Mapping[str, Write]) -> Write:
    return writes[api]


@pytest.fixture
def dial(suite: Suite) -> Iterator[Dial]:
    with ExitStack() as stack:

        def dial(api: str) -> Connection:
            connection = Connection(suite.urls[api])
            stack.callback(connection.close)
            return connection

        yield dial


def test_bodies_arrive_with_and_without_an_offer_to_upgrade(dial: Dial, api: str, write: Write) -> None:
    connection = dial(api)
    for request in (write.sized(), write.chunked(), write.sized(UPGRADE), write.chunked(UPGRADE), write.sized()):
        answer = connection.send(request).read()
        assert answer.status == write.status, answer


@pytest.mark.parametrize("step", [1, 7, 400])
def test_an_offer_may_arrive_in_pieces_of_any_size(dial: Dial, api: str, write: Write, step: int) -> None:
    connection = dial(api)
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request in (write.sized(UPGRADE), write.chunked(UPGRADE)):
        connection.send(*(request[at : at + step] for at in range(0, len(request), step)))
        assert connection.read().status == write.status


def test_an_offer_without_a_body_is_a_plain_request(dial: Dial, api: str, path: bytes) -> None:
    answer = dial(api).send(b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (path, UPGRADE)).read()
    assert (answer.version, answer.status, answer.all_of("upgrade")) == ("HTTP/1.1", 200, [])
    websocket = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
    assert dial(api).send(b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (path, websocket)).read().status == 200


def test_requests_that_are_sent_at_once_are_answered_in_their_order(
    dial: Dial, api: str, path: bytes, write: Write
) -> None:
    get, nowhere = (b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % pair for pair in ((path, b""), (b"/nowhere", UPGRADE)))
    requests = [get, write.sized(UPGRADE), nowhere, write.chunked(UPGRADE), get, write.sized(), get]
    connection = dial(api).send(b"".join(requests))
    found = [connection.read().status for _ in requests]
    assert found == [200, write.status, 404, write.status, 200, write.status, 200]


def test_a_body_is_never_taken_for_a_request(dial: Dial, api: str, write: Write) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    for more in (b"", UPGRADE):
        connection = dial(api).send(write.head(b"%bContent-Length: %d\r\n\r\n%b" % (more, len(hidden), hidden)))
        connection.read().problem(400, "invalid_json")
        assert connection.send(write.sized(more)).read().status == write.status
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden)
        connection.send(write.head(b"%bTransfer-Encoding: chunked\r\n\r\n%b" % (more, chunks)))
        connection.read().problem(400, "invalid_json")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: 4, 4\r\n",
        b"Content-Length: +4\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: folded\r\n Transfer-Encoding: chunked\r\n",
        b"Content-Length: 4\nX: y\r\n",
    ],
)
@pytest.mark.parametrize("more", [b"", UPGRADE], ids=["", "upgrade"])
def test_a_length_that_can_be_read_in_two_ways_is_refused(
    dial: Dial, api: str, write: Write, framing: bytes, more: bytes
) -> None:
    connection = dial(api).send(write.head(framing + more + b"\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"))
    connection.read().problem(400, "bad_request")
    assert connection.is_closed()


def test_trailers_are_no_headers(dial: Dial, api: str, write: Write) -> None:
    trailers = b"Content-Encoding: gzip\r\nHost: other\r\nAuthorization: none\r\n\r\n"
    connection = dial(api).send(write.chunked()[:-2] + trailers)
    assert connection.read().status == write.status


def test_an_answer_to_http_1_0_is_not_chunked(dial: Dial, api: str, path: bytes) -> None:
    whole = dial(api).send(b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path).read().body
    for query in (b"", b"?format=csv", b"?format=ndjson"):
        for more in (b"", b"Host: x\r\n", b"Connection: keep-alive\r\n", UPGRADE):
            connection = dial(api).send(b"GET %b%b HTTP/1.0\r\n%b\r\n" % (path, query, more))
            answer = connection.read()
            assert (answer.status, answer.all_of("transfer-encoding")) == (200, []), answer
            assert answer.all_of("connection") == ["close"]
            assert answer.body == whole if not query else answer.body.count(b"\n") > 0
            assert connection.is_closed()
    head = dial(api).send(b"HEAD %b?format=csv HTTP/1.0\r\n\r\n" % path)
    assert head.read(of_head=True).status == 200
    assert head.is_closed()


def test_http_1_0_with_a_body(dial: Dial, api: str, write: Write) -> None:
    request = write.sized(b"Expect: 100-continue\r\n").replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    assert dial(api).send(request).read().status == write.status


@pytest.mark.parametrize(
    ("version", "hosts"),
    [
        (b"1.1", b""),
        (b"1.1", b"Host: a\r\nHost: a\r\n"),
        (b"1.1", b"Host:\r\nHost: a\r\n"),
        (b"1.0", b"Host: a\r\nHost: b\r\n"),
        (b"1.1", b"Host: a, b\r\n"),
        (b"1.1", b"Host: a/b\r\n"),
        (b"1.1", b"Host: a@b\r\n"),
        (b"1.1", b"Host: a:port\r\n"),
    ],
)
def test_a_request_has_one_host(dial: Dial, api: str, path: bytes, version: bytes, hosts: bytes) -> None:
    answer = dial(api).send(b"GET %b HTTP/%b\r\n%b\r\n" % (path, version, hosts)).read()
    problem = answer.problem(400, "bad_request")
    assert "Host" in problem["detail"]
    assert problem["instance"] == path.decode()


@pytest.mark.parametrize("host", [b"", b"a", b"fund.example:8000", b"my_service", b"[::1]:80", b"127.0.0.1:8000"])
def test_hosts_that_are_right(dial: Dial, api: str, path: bytes, host: bytes) -> None:
    assert dial(api).send(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, host)).read().status == 200


def test_a_target_may_be_absolute(dial: Dial, api: str, path: bytes) -> None:
    assert dial(api).send(b"GET http://fund.example%b HTTP/1.1\r\nHost: x\r\n\r\n" % path).read().status == 200


@pytest.mark.parametrize("method", [b"FOO", b"get", b"GETS", b"CONNECT"])
def test_a_method_that_is_not_known(dial: Dial, api: str, path: bytes, method: bytes) -> None:
    connection = dial(api).send(b"%b %b?x=1 HTTP/1.1\r\nHost: x\r\n\r\n" % (method, path))
    assert connection.read().problem(501, "method_not_implemented")["instance"] == path.decode()
    assert connection.is_closed()


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (b"GARBAGE\r\n\r\n", ""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ""),
        (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", ""),
        (b"GET /a?b c HTTP/1.1\r\nHost: x\r\n\r\n", "/a"),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", ""),
        (b"GET /a HTTP/1.2\r\nHost: x\r\n\r\n", "/a"),
        (b"GET / HTTP/1.1\nHost: x\n\n", "/"),
        (b"GET /a%20b HTTP/1.1\r\nno header\r\n\r\n", "/a b"),
        (b"GET http://x/a HTTP/1.1\r\nHost : x\r\n\r\n", "/a"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", "/a"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE", ""),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
    ],
)
def test_what_is_no_request_is_a_problem(dial: Dial, api: str, request_: bytes, asked: str) -> None:
    connection = dial(api).send(request_)
    answer = connection.read()
    if request_.startswith(b"OPTIONS"):
        assert answer.status == 404 or answer.status == 405
        answer = connection.read()
    problem = answer.problem(400, "bad_request")
    assert (problem["type"], problem["instance"]) == ("/problems/bad_request", asked)
    assert answer.all_of("connection") == ["close"]
    assert answer.all_of("access-control-allow-origin") == readable_by(api)
    assert connection.is_closed()


def readable_by(api: str) -> list[str]:
    """The origins whose scripts may read an answer of a process: a browser asks the gateway alone."""
    return ["*"] if api == "gateway" else []


def test_a_head_that_is_too_large(dial: Dial, api: str, path: bytes) -> None:
    def request(size: int) -> bytes:
        head = b"GET %b HTTP/1.1\r\nhost: x\r\nx: %%b\r\n\r\n" % path
        return head % (b"y" * size)

    assert dial(api).send(request(MAX_HEAD - 2000)).read().status == 200
    for size in (MAX_HEAD, 4 * MAX_HEAD, 40 * MAX_HEAD):
        connection = dial(api).send(request(size))
        answer = connection.read()
        assert answer.problem(431, "head_too_large")["instance"] == path.decode()
        assert answer.all_of("access-control-allow-origin") == readable_by(api)
        assert connection.is_closed()
    many = b"".join(b"x%d: y\r\n" % n for n in range(10_000))
    dial(api).send(b"GET %b HTTP/1.1\r\nhost: x\r\n%b\r\n" % (path, many)).read().problem(431, "head_too_large")
    long = path + b"?q=" + b"x" * MAX_HEAD
    answer = dial(api).send(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % long).read()
    assert answer.problem(431, "head_too_large")["instance"] == path.decode()


def test_a_large_body_behind_a_head_is_no_large_head(dial: Dial, api: str, path: bytes, write: Write) -> None:
    # The answers of a score take less than other bodies.
    size = 65_500 if b"/score" in write.path else 500_000
    body = write.body.ljust(size)
    get = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path
    connection = dial(api).send(write.head(b"Content-Length: %d\r\n\r\n%b" % (len(body), body)) + get[:20])
    assert connection.read().status == write.status
    assert connection.send(get[20:]).read().status == 200


def test_earlier_requests_are_answered_before_a_refusal(dial: Dial, api: str, path: bytes, write: Write) -> None:
    get = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path
    of_write = write.path.partition(b"?")[0].decode()
    for bad, asked in (
        (b"GARBAGE\r\n\r\n", ""),
        (write.head(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), of_write),
    ):
        connection = dial(api).send(get + write.sized() + get + bad)
        assert [connection.read().status for _ in range(3)] == [200, write.status, 200]
        assert connection.read().problem(400, "bad_request")["instance"] == asked
        assert connection.is_closed()


def test_chunks_that_cannot_be_read(dial: Dial, api: str, write: Write) -> None:
    for body in (b"zz\r\n", b"3\r\nabcd\r\n", b"-1\r\n"):
        connection = dial(api).send(write.head(b"Transfer-Encoding: chunked\r\n\r\n"), body)
        connection.read().problem(400, "bad_request")
        assert connection.is_closed()


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"identity, gzip", b"x-unknown"])
def test_a_compressed_body_is_not_supported(dial: Dial, api: str, write: Write, coding: bytes) -> None:
    connection = dial(api)
    for request in (write.sized, write.chunked):
        answer = connection.send(request(b"Content-Encoding: %b\r\n" % coding)).read()
        assert "Content-Encoding" in answer.problem(415, "unsupported_media_type")["detail"]
        assert answer.all_of("accept-encoding") == ["identity"]
    assert connection.send(write.sized(b"Content-Encoding: Identity\r\n")).read().status == write.status


def test_a_body_that_is_too_large(dial: Dial, api: str, write: Write) -> None:
    stated = dial(api).send(write.head(b"Content-Length: %d\r\n\r\n " % (MAX_BODY + 1)))
    stated.read().problem(413, "payload_too_large")
    body = b" " * (MAX_BODY + 1)
    assert dial(api).send(write.head(b"Content-Length: %d\r\n\r\n" % len(body)), body).read().status == 413
    for more in (b"", UPGRADE):
        chunked = dial(api).send(write.head(more + b"Transfer-Encoding: chunked\r\n\r\n"))
        chunked.send(*[b"10000\r\n%b\r\n" % (b" " * 65_536)] * 17, b"0\r\n\r\n")
        chunked.read().problem(413, "payload_too_large")
        assert chunked.send(write.sized()).read().status == write.status


def test_whoever_waits_for_100_gets_it_or_an_answer(dial: Dial, api: str, write: Write) -> None:
    for more in (b"", UPGRADE):
        head = write.head(b"%bExpect: 100-continue\r\nContent-Length: %%d\r\n%%b\r\n" % more)
        connection = dial(api)
        for _ in range(2):
            assert connection.send(head % (len(write.body), b"")).read().status == 100
            assert connection.send(write.body).read().status == write.status
        # Nobody knows whether the body will follow, so nothing that follows is read.
        refused = connection.send(head % (len(write.body), b"Content-Encoding: gzip\r\n"))
        answer = refused.read()
        answer.problem(415, "unsupported_media_type")
        assert answer.all_of("connection") == ["close"]
        assert refused.is_closed()


def test_no_answer_is_sniffed(dial: Dial, api: str, path: bytes) -> None:
    paths = [path, path + b"?format=csv", path + b"?x=1", b"/health/live", b"/health/ready", b"/openapi.json"]
    paths += [
        b"/nowhere",
        b"/catalog/v1/status",
        b"/docs",
        b"/docs/assets/%b/start.js" % docs.assets()[0].encode(),
        b"/status",
    ]
    connection = dial(api)
    for asked in paths:
        for method in (b"GET", b"HEAD", b"POST", b"OPTIONS", b"PROPFIND"):
            connection.send(b"%b %b HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\r\n" % (method, asked))
            assert connection.read(of_head=method == b"HEAD").all_of("x-content-type-options") == ["nosniff"], asked
    tag = connection.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path).read().all_of("etag")[0].encode()
    again = connection.send(b"GET %b HTTP/1.1\r\nHost: x\r\nIf-None-Match: %b\r\n\r\n" % (path, tag)).read()
    assert (again.status, again.all_of("x-content-type-options")) == (304, ["nosniff"])


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2"])
def test_curl_writes(suite: Suite, api: str, write: Write, version: str, tmp_path: Path) -> None:
    if version == "--http2" and "HTTP2" not in subprocess.check_output(["curl", "--version"], text=True):
        pytest.skip("this curl has no HTTP/2")
    (tmp_path / "body").write_bytes(write.body)
    headers = [word for line in write.headers.decode().splitlines() for word in ("-H", line)]
    command = ["curl", "-sS", version, "-o", str(tmp_path / "answer"), "-w", "%{http_code} %{http_version}", *headers]
    command += ["--data-binary", f"@{tmp_path}/body", suite.urls[api] + write.path.decode()]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    assert said in (f"{write.status} 1.1", f"{write.status} 1")
    assert json.loads((tmp_path / "answer").read_bytes())


@pytest.mark.skipif(shutil.which("javac") is None, reason="there is no JDK here, whose java runs a source file")
def test_the_client_of_the_jdk_writes(suite: Suite, writes: Mapping[str, Write], tmp_path: Path) -> None:
    """Writes of each service, directly and through the gateway, by a client that offers to upgrade with each."""
    asked = [(name, suite.urls[name]) for name in SERVICES] + [(name, suite.urls["gateway"]) for name in SERVICES]
    lines = []
    for n, (name, url) in enumerate(asked):
        (tmp_path / f"{n}.body").write_bytes(writes[name].body)
        (tmp_path / f"{n}.head").write_bytes(writes[name].headers)
        lines += [url + writes[name].path.decode(), str(tmp_path / f"{n}.head"), str(tmp_path / f"{n}.body")]
    command = ["java", "-XX:TieredStopAtLevel=1", str(JAVA), *lines]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert said.stdout.splitlines() == [
        f"{way} {writes[name].status}" for name, _ in asked for way in ("sized", "chunked", "after 100")
    ], said.stderr
