"""HTTP/1.1 on one connection: uvicorn's protocol with the parser of httptools, and what RFC 9112 asks beyond it."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sized
from dataclasses import dataclass, replace
from http import HTTPMethod
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

import httptools
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from mmptf_common.process.context import current, new_context
from mmptf_common.process.failure_log import report
from mmptf_common.process.logs import log_request
from mmptf_common.process.metrics import NO_OPERATION, counts
from mmptf_common.wire.links import base_path_pattern, current_base_path, link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    MEDIA_TYPE,
    BadRequest,
    HeadTooLarge,
    MethodNotImplemented,
    ProblemError,
    RequestTimeout,
    ServiceUnavailable,
)

MAX_HEAD = 65_536
# The event loop reads no more at once; a head that is not complete is refused when it cannot be within the limit.
MOST_READ = 262_144
# Requests that one connection may send before the one that is being answered is answered.
MAX_PIPELINED = 100
# The heads that are remembered, and the most bytes of each.
MOST_REMEMBERED, LONGEST_REMEMBERED = 2_048, 2_048
# Connections beyond those that are admitted which are answered; further ones are reset.
MAX_REFUSED = 100
LINGER_SECONDS = 2.0
# Bytes that the kernel holds beside those that are on their way. Without this limit it takes megabytes at once, and a
# reader who takes all the time seems to take nothing for minutes.
UNSENT = 65_536
# Bytes of answers that a process holds since their readers have not taken them yet.
HELD_BYTES = 33_554_432
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.[01]\r\n")
_METHODS = {method.value.encode() for method in HTTPMethod}
_EXPOSED = (b"access-control-expose-headers", b"X-Request-ID")

log = logging.getLogger("mmptf.server")
# The ASGI callables as uvicorn types them, with unions of its own dictionaries.
App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow the peer of a connection may be.

    first_seconds: from the connection to its first byte
    head_seconds: from the first byte of a head to its last one
    rest_seconds: for what is left of a body whose request was answered already
    rate, rate_seconds: least bytes a second of a body and of an answer, measured over each so many seconds in which
        the process reads the body, or has something of the answer left to send
    check_seconds: how often all this is checked
    """

    first_seconds: float = 10
    head_seconds: float = 20
    rest_seconds: float = 20
    rate: int = 1024
    rate_seconds: float = 30
    check_seconds: float = 1


class Head(NamedTuple):
    """The head of a request without a body: its target as it was sent, and name in small letters -> value."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]


class Asked(NamedTuple):
    """What a head asks for.

    question: as what answers it has read it
    repeats: whether the same head is likely to come again
    """

    question: Any
    repeats: bool


class AnswersAtOnce(ABC):
    """What answers some requests before there is a task or an app for them. Its methods raise nothing.

    The same bytes at the start of a request are the same head, so those of heads that came before are read no more.
    """

    def __init__(self) -> None:
        self._heads: dict[bytes, _Remembered] = {}

    @abstractmethod
    def asked(self, head: Head) -> Asked | None:
        """What a head asks for; None where the app is to answer."""

    @abstractmethod
    def answer(self, question: Any, client: tuple[str, int] | None) -> tuple[bytes, bytes] | None:
        """The status line and the headers, each with its end of line, but for Date; and the body.

        None where the app is to answer. client: the caller, as trusted proxies say
        """

    def remembered(self, data: bytes) -> _Remembered | None:
        """What is known of a whole head."""
        return self._heads.get(data)

    def remember(self, data: bytes, head: _Remembered) -> None:
        """Keep what is known of a whole head."""
        if len(data) <= LONGEST_REMEMBERED:
            if len(self._heads) >= MOST_REMEMBERED:
                self._heads.clear()
            self._heads[data] = head


class _Remembered(NamedTuple):
    """What was read from a head: what it asks for, its X-Forwarded-For, and whether the answer has a body."""

    asked: Asked
    forwarded: bytes | None
    has_body: bool


class HttpProtocol(HttpToolsProtocol):
    """A connection on which

    - an offer to upgrade is ignored, and the request is read to the end of its body (RFC 9110, section 7.8),
    - the answer to HTTP/1.0 is not chunked,
    - a head has at most MAX_HEAD bytes, the fields after a chunked body as well,
    - at most MAX_PIPELINED requests wait for the answers to those before them, and no more is read meanwhile,
    - a peer who sends or takes more slowly than `pace` loses the connection,
    - a request that cannot be read is answered with a problem document, after the answers to those before it.

    cors_origins: the origins whose scripts may read these problem documents; `*` is every origin
    base_path: the path under which callers reach the process, for the links of these documents
    segments: the first segments of the app's paths
    admission: the limits of the number of connections; None for none
    held: the limit of the bytes of answers that the process holds; None for none
    at_once: what may answer a GET or HEAD before the app does; None for nothing
    """

    at_once: AnswersAtOnce | None = None
    cors_origins: tuple[str, ...] = ()
    base_path: str = ""
    segments: tuple[str, ...] = ()
    pace: Pace = Pace()
    admission: Admission | None = None
    held: HeldAnswers | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.url = b""
        self._in_head = self._in_message = False
        self._received = 0
        self._in_trailers = 0
        self._body_bytes = 0
        self._too_many: ProblemError | None = None
        self._is_released = False
        self._is_at_once = self._has_answered_at_once = False
        # The head that was read last of what was received last, where it was answered at once.
        self._at_once: _Remembered | None = None
        # Whether nothing was received since the end of a head.
        self._is_between_heads = True
        self._refusal = b""
        self._body_rate = _Rate(self.pace)
        self._reader_rate = _Rate(self.pace)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self._written = _CountingTransport(transport, self.held)
        self.transport = cast("asyncio.Transport", self._written)
        if connected := transport.get_extra_info("socket"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        self._since = self.loop.time()
        self._next_check = self.loop.call_later(self.pace.check_seconds, self._check)
        if self.admission:
            self._too_many = self.admission.admit(self.client, self._is_trusted())
            if self._too_many:
                self.pace = replace(self.pace, first_seconds=LINGER_SECONDS, head_seconds=LINGER_SECONDS)
                if self.admission.is_crowded():
                    _reset(transport)
            else:
                self.admission.add_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_check.cancel()
        self._release()
        if self.held:
            self.held.forget(self._written)
        super().connection_lost(exc)

    def _release(self) -> None:
        """Count the connection as closed; the second time it does nothing."""
        if self.admission and not self._is_released:
            self._is_released = True
            self.admission.remove_idle(self)
            self.admission.release(self.client, is_admitted=self._too_many is None)

    def close_idle(self) -> bool:
        """Close the connection, on which no request is under way; returns whether all of its answers were sent."""
        if self.transport.get_write_buffer_size():
            return False
        self.transport.close()
        self._release()
        return True

    def _note_idle(self) -> None:
        """Let the connection be closed for another one, where no request is under way on it."""
        is_answered = self._has_answered_at_once if self.cycle is None else self.cycle.response_complete
        if self.admission and is_answered and not (self._in_message or self._refusal or self.transport.is_closing()):
            self.admission.add_idle(self)

    def _is_trusted(self) -> bool:
        """Whether the peer is a proxy whose X-Forwarded-For is believed, that of many clients."""
        return (
            isinstance(self.app, ProxyHeadersMiddleware)
            and self.client is not None
            and self.client[0] in self.app.trusted_hosts
        )

    def is_draining(self) -> bool:
        """Whether each answer is the last one of its connection, since the process ends soon."""
        return False

    def end_after_answer(self) -> None:
        """Close the connection after the answer that is being made."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _check(self) -> None:
        """Close the connection where its peer is too slow."""
        self._next_check = self.loop.call_later(self.pace.check_seconds, self._check)
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        if self._reader_rate.is_too_low(self._written.bytes - unsent, now, is_measured=unsent > 0):
            log.warning("connection aborted", extra={"reason": "its reader is too slow", "unsent": unsent})
            _reset(self.transport)
        elif not (self._refusal or self.transport.is_closing()):
            self._check_sender(now)

    def _check_sender(self, now: float) -> None:
        pace = self.pace
        cycle = self.cycle
        answered = cycle is None or cycle.response_complete
        if self._in_head:
            if self.flow.read_paused:
                self._since = now
            elif now - self._since > pace.head_seconds:
                self._refuse(RequestTimeout(f"The head of a request has to arrive in {pace.head_seconds:g} s."), b"")
        elif self._in_message and answered:
            if now - self._since > pace.rest_seconds:
                self.transport.close()
        elif self._in_message:
            is_awaited = not (self.flow.read_paused or cycle.waiting_for_100_continue)
            if self._body_rate.is_too_low(self._body_bytes, now, is_measured=is_awaited):
                least = f"{pace.rate} bytes a second, measured over {pace.rate_seconds:g} s"
                self._refuse(RequestTimeout(f"The body of a request has to arrive with at least {least}."), b"")
        elif answered and now - self._since > (
            pace.first_seconds if cycle is None and not self._has_answered_at_once else self.timeout_keep_alive
        ):
            # The server's own limit of idle connections begins again with each empty line before a request.
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            return
        self._unset_keepalive_if_required()
        if (
            self.at_once
            and self._is_between_heads
            and (remembered := self.at_once.remembered(data))
            and self._answer_at_once(self.at_once, remembered)
        ):
            self._since = self.loop.time()
            if self.admission:
                self.admission.remove_idle(self)
            self._note_idle()
            return
        # No fewer than the bytes of the head that is being read, or of the fields behind a chunked body.
        self._received = self._received + len(data) if self._in_message else len(data)
        received = data
        self._at_once = None
        try:
            while data:
                try:
                    self.parser.feed_data(data)
                    break
                except httptools.HttpParserUpgrade as offer:
                    # A parser skips the body of such a request; another one reads the request without the offer.
                    data = self._head_without_upgrade() + data[offer.args[0] :]
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            if self._in_message and self._received > MAX_HEAD + MOST_READ:
                raise _head_too_large()
            began_between, self._is_between_heads = self._is_between_heads, False
            if not self._in_message and _is_one_head(received):
                self._is_between_heads = True
                if began_between and self.at_once and self._at_once and self._at_once.asked.repeats:
                    self.at_once.remember(received, self._at_once)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, ProblemError) else _unreadable(error, data), data)
        except ProblemError as problem:
            self._refuse(problem, data)

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"".join([*lines, b"\r\n"])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._since = self.loop.time()
        if self.admission:
            self.admission.remove_idle(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)
            return
        # Fields after a chunked body (trailers) are dropped: merged into the headers, they would pass for such.
        self._in_trailers += len(name) + len(value) + 4
        if self._in_trailers > MAX_HEAD:
            raise _head_too_large()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._received > MAX_HEAD and self._size_of_head() > MAX_HEAD:
            raise _head_too_large()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise MethodNotImplemented("CONNECT is not implemented: this server is no proxy.")
            return
        if self._too_many:
            raise self._too_many
        if len(self.pipeline) >= MAX_PIPELINED:
            raise BadRequest(f"More than {MAX_PIPELINED} requests wait for their answers on this connection.")
        if self.at_once and (head := self._read_at_once(self.at_once)) and self._answer_at_once(self.at_once, head):
            self._at_once, self._is_at_once = head, True
            return
        super().on_headers_complete()
        self._in_trailers = 0
        self._body_rate.restart()
        if self.is_draining():
            self.end_after_answer()

    def _read_at_once(self, at_once: AnswersAtOnce) -> _Remembered | None:
        """What the head that was read asks for; None where the app has to answer."""
        method = self.parser.get_method()
        if (
            method not in (b"GET", b"HEAD")
            or self.parser.get_http_version() != "1.1"
            or not self.parser.should_keep_alive()
        ):
            return None
        found = dict(self.headers)
        # What is sent twice, and what may have a body, is for the app; so is what is not sent to this server.
        if len(found) != len(self.headers) or b"content-length" in found or b"transfer-encoding" in found:
            return None
        asked = at_once.asked(Head(method, self.url, found))
        return asked and _Remembered(asked, found.get(b"x-forwarded-for"), method == b"GET")

    def _answer_at_once(self, at_once: AnswersAtOnce, head: _Remembered) -> bool:
        """Answer without the app, where that can be done in turn and by the same rules; whether it was done."""
        if (
            not (self.cycle is None or self.cycle.response_complete)
            or self.pipeline
            or self._too_many
            or self.flow.write_paused
            or self.is_draining()
            or self.transport.is_closing()
        ):
            return False
        client = self.client
        if head.forwarded and self._is_trusted():
            named = cast("ProxyHeadersMiddleware", self.app).trusted_hosts.get_trusted_client_address(
                head.forwarded.decode("latin-1")
            )
            client = named if named[0] else client
        answer = at_once.answer(head.asked.question, client)
        if answer is None:
            return False
        lines, body = answer
        dated = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        self._written.write_whole(b"".join([lines, *dated, b"\r\n"]), body if head.has_body else b"")
        self.server_state.total_requests += 1
        self._has_answered_at_once = True
        return True

    def on_body(self, body: bytes) -> None:
        self._received = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_message = False
        self._since = self.loop.time()
        if self._is_at_once:
            self._is_at_once = False
        elif not self.parser.should_upgrade():
            super().on_message_complete()
        self._note_idle()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: App) -> None:
        cycle.__class__ = _Cycle
        if cycle.waiting_for_100_continue or cycle.scope["http_version"] != "1.1":
            app = _with_its_framing(app, cycle)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        if not self._in_head:
            self._since = self.loop.time()
        if self._refusal and not self.pipeline:
            self.server_state.total_requests += 1
            self._send_refusal()
        else:
            super().on_response_complete()
            self._note_idle()

    def _refuse(self, problem: ProblemError, data: bytes) -> None:
        """Answer with a problem and close, once every request before the one that cannot be read is answered."""
        self._refusal = self._answer(problem, data)
        newest = self.cycle
        if newest is not None and not newest.response_complete:
            if not newest.more_body:
                return  # the head of the next request cannot be read; `on_response_complete` sends the refusal
            # It is the body of the newest request that cannot be read.
            if self.pipeline:
                self.pipeline.popleft()
                return
            newest.disconnected = True
            newest.message_event.set()
            if newest.response_started:
                self.transport.close()
                return
        self._send_refusal()

    def _answer(self, problem: ProblemError, data: bytes) -> bytes:
        context = new_context()
        base_path_before = current_base_path.set(self.base_path)
        instance = self._path_asked(data)
        body = problem.document(instance and link(instance), context.request_id).model_dump_json().encode()
        current_base_path.reset(base_path_before)
        token = current.set(context)
        seconds = self.loop.time() - self._since
        counts.request_ended(NO_OPERATION, problem.status, seconds)
        counts.problems[problem.code] += 1
        log_request(
            self.parser.get_method().decode() if self.url else "",
            instance,
            self.url.partition(b"?")[2],
            problem.status,
            ms=seconds * 1000,
            sent=len(body),
            client=self.client,
            reason=problem.detail,
        )
        current.reset(token)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", context.request_id.encode()),
            (b"connection", b"close"),
            *((name.lower().encode(), value.encode()) for name, value in problem.headers.items()),
            *self._cors(),
        ]
        lines = [b"%b: %b\r\n" % header for header in headers]
        return b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", body])

    def _path_asked(self, data: bytes) -> str:
        """The path of the request that cannot be read, without the base path; empty where it was not read to its end.

        data: what was received last
        """
        target = self.url
        if not target:
            # The parser stops at a method that it does not know.
            target = next(iter(_targets_of_unknown_methods(data)), b"")
        elif self._in_head and not self.headers and b"?" not in target and b" %b HTTP/1." % target not in data:
            return ""
        try:
            # It reads no more than 65,535 bytes.
            path = httptools.parse_url(target.partition(b"?")[0]).path or b""
        except httptools.HttpParserInvalidURLError:
            return ""
        below = base_path_pattern(self.base_path, self.segments)
        return unquote(below.sub(b"", path) if below else path)

    def _cors(self) -> list[tuple[bytes, bytes]]:
        """The headers of CORS for a request that is refused before the app, whose middleware writes them else."""
        if "*" in self.cors_origins:
            return [(b"access-control-allow-origin", b"*"), _EXPOSED]
        origin = dict(self.headers or ()).get(b"origin", b"")
        if origin.decode("latin-1") not in self.cors_origins:
            return []
        return [(b"access-control-allow-origin", origin), _EXPOSED, (b"vary", b"Origin")]

    def _send_refusal(self) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(self._refusal)
        # Closed with bytes unread, the connection would be reset, and the caller could miss the answer.
        self.transport.write_eof()
        self.flow.resume_reading()
        self.timeout_keep_alive_task = self.loop.call_later(LINGER_SECONDS, self.timeout_keep_alive_handler)


class _Cycle(RequestResponseCycle):
    """uvicorn's cycle; the names and the values of a head are checked together, which takes a tenth of the time."""

    async def send(self, message: Any) -> None:
        if self.response_started or message["type"] != "http.response.start":
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        self.response_started = True
        self.waiting_for_100_continue = False
        status = message["status"]
        headers = [(name.lower(), value) for name, value in (*self.default_headers, *message.get("headers", ()))]
        if HEADER_RE.search(b"".join([name for name, _ in headers])):
            raise RuntimeError("Invalid HTTP header name.")
        if HEADER_VALUE_RE.search(b"".join([value for _, value in headers])):
            raise RuntimeError("Invalid HTTP header value.")
        lines = [STATUS_LINE[status]]
        is_last = False
        for name, value in headers:
            if name == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
                self.keep_alive = False
                is_last = True
            lines += (name, b": ", value, b"\r\n")
        if not (self.keep_alive or is_last):
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self.transport.write(b"".join(lines))


class Admission:
    """The connections of a process, and whether it accepts another one.

    Where it has as many as it may have, the one on which no request is under way for longest is closed for a new one.

    in_all: most connections; per_client: most of one address that is no trusted proxy, 0 for no limit
    """

    def __init__(self, in_all: int, per_client: int) -> None:
        self._in_all, self._per_client = in_all, per_client
        self._open = self._refused = 0
        self._by_client: Counter[str] = Counter()
        # The one that is idle for longest is the first.
        self._idle: dict[HttpProtocol, str] = {}

    def admit(self, client: tuple[str, int] | None, is_trusted: bool) -> ProblemError | None:
        """Count a new connection; returns why its requests are refused, None where they are not."""
        host = _host(client)
        if (
            self._per_client
            and not is_trusted
            and self._by_client[host] >= self._per_client
            and not self._close_idle(host)
        ):
            detail = f"There are {self._per_client} connections from {host} already, the limit for one address."
        elif self._open >= self._in_all and not self._close_idle():
            detail = f"There are {self._in_all} connections already, the limit of this server."
        else:
            self._open += 1
            self._by_client[host] += 1
            return None
        self._refused += 1
        return ServiceUnavailable(detail, code=ProblemCode.TOO_MANY_CONNECTIONS)

    def release(self, client: tuple[str, int] | None, *, is_admitted: bool) -> None:
        """Count a connection as closed."""
        if not is_admitted:
            self._refused -= 1
            return
        host = _host(client)
        self._open -= 1
        self._by_client[host] -= 1
        if not self._by_client[host]:
            del self._by_client[host]

    def add_idle(self, connection: HttpProtocol) -> None:
        """Note that no request is under way on an admitted connection from now on."""
        self._idle.setdefault(connection, _host(connection.client))

    def remove_idle(self, connection: HttpProtocol) -> None:
        """Note that a request is under way on a connection, or that it is closed."""
        self._idle.pop(connection, None)

    def _close_idle(self, host: str | None = None) -> bool:
        """Close the connection that is idle for longest, of this address where one is named; whether there was one."""
        candidates = [each for each, its_host in self._idle.items() if host in (None, its_host)]
        return any(each.close_idle() for each in candidates)

    def is_crowded(self) -> bool:
        """Whether there are so many connections to refuse that further ones get no answer."""
        return self._refused > MAX_REFUSED


class HeldAnswers:
    """The bytes of answers that a process holds since their readers have not taken them yet.

    They are at most `most` and one answer. Where a new one does not fit, the connections are reset whose readers cost
    most: bytes that are left to take, times the seconds since the oldest of them were written. Who takes an answer at
    an ordinary pace costs little at any time.
    """

    def __init__(self, most: int = HELD_BYTES) -> None:
        self._most = most
        # No fewer than are held: what was taken is found when they seem to be too many.
        self._bytes = 0
        self._holding: set[_CountingTransport] = set()

    def add(self, transport: _CountingTransport, size: int) -> None:
        """Note that an answer, or a part of one, was written."""
        self._holding.add(transport)
        self._bytes += size
        if self._bytes > self._most:
            self._limit(transport)

    def forget(self, transport: _CountingTransport) -> None:
        """Note that a connection is closed."""
        self._holding.discard(transport)

    def _limit(self, written: _CountingTransport) -> None:
        now = time.monotonic()
        found = {each: held for each in self._holding if (held := each.held())}
        self._holding = set(found)
        self._bytes = sum(held.bytes for held in found.values())
        found.pop(written, None)
        while self._bytes > self._most and found:
            costly = max(found, key=lambda each: found[each].unsent * (now - found[each].since))
            held = found.pop(costly)
            self._holding.discard(costly)
            self._bytes -= held.bytes
            reason = f"answers of {self._most} bytes wait for their readers, and of these its reader is the slowest"
            report("held answers", "connection aborted", None, reason=reason, unsent=held.unsent)
            _reset(cast("asyncio.Transport", costly))


def _host(client: tuple[str, int] | None) -> str:
    return client[0] if client else ""


class _Flow(FlowControl):
    """Flow control of a connection from which nothing is read while requests wait for the answers to those before."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class _Held(NamedTuple):
    """The bytes of an answer that a connection holds, those of them that are left to take, and since when."""

    bytes: int
    unsent: int
    since: float


class _CountingTransport:
    """A transport that counts the bytes that are written to it, and those that it holds.

    The server writes the head of an answer and its body one after the other. They are sent together, which takes one
    system call and one packet less; a head whose body comes later is sent before anything else happens.
    account: where those that all connections hold are limited; None where they are not
    """

    __slots__ = ("_account", "_head", "_loop", "_released", "_transport", "_writes", "bytes")

    def __init__(self, transport: asyncio.Transport, account: HeldAnswers | None) -> None:
        self._transport = transport
        self._account = account
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self.bytes = self._released = 0
        # Of each write of which the system has not taken all, the oldest first: the bytes until its end, and its time.
        self._writes: deque[tuple[int, float]] = deque()

    def write(self, data: bytes) -> None:
        if self._head:
            self._send(data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._send)
        elif data:
            self._send(data)

    def write_whole(self, head: bytes, body: bytes) -> None:
        """Write the head of an answer and all of its body."""
        if self._head:
            self._send()
        self._send(head + body)

    def _send(self, data: bytes = b"") -> None:
        """Send a head that waits, and these bytes."""
        head, self._head = self._head, b""
        size = len(head) + len(data)
        if not size or self._transport.is_closing():
            return
        if self._account:
            self.held()
        self.bytes += size
        if self._account:
            self._writes.append((self.bytes, time.monotonic()))
        if head and data:
            self._transport.writelines((head, data))
        else:
            self._transport.write(head or data)
        if self._account:
            self._account.add(self, size)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def write_eof(self) -> None:
        self._send()
        self._transport.write_eof()

    def held(self) -> _Held | None:
        """What is held now; None for nothing. Of a write no part is released before the system has taken all of it."""
        unsent = self._transport.get_write_buffer_size()
        while self._writes and self._writes[0][0] <= self.bytes - unsent:
            self._released, _ = self._writes.popleft()
        return _Held(self.bytes - self._released, unsent, self._writes[0][1]) if self._writes else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Rate:
    """The rate of bytes in one direction, checked over stretches of `pace.rate_seconds`."""

    def __init__(self, pace: Pace) -> None:
        self._seconds = pace.rate_seconds
        self._least = pace.rate * pace.rate_seconds
        self._began: float | None = None
        self._before = 0

    def restart(self) -> None:
        """Leave out what passed until now."""
        self._began = None

    def is_too_low(self, passed: int, now: float, *, is_measured: bool) -> bool:
        """Whether the stretch that ends now had too few bytes.

        passed: the number of bytes until now; is_measured: whether the peer could send or take more now
        """
        if not is_measured or self._began is None:
            self._began = now if is_measured else None
            self._before = passed
            return False
        if now - self._began < self._seconds:
            return False
        is_low = passed - self._before < self._least
        self._began, self._before = now, passed
        return is_low


def _with_its_framing(app: App, cycle: RequestResponseCycle) -> App:
    """The app for a request of HTTP/1.0, or of a caller who waits for 100 (Continue).

    An answer to HTTP/1.0 whose length is not known ends with the connection. A caller who is answered without 100 may
    send the body or not, so the connection is closed.
    """
    is_old = cycle.scope["http_version"] != "1.1"
    until_closed = False
    if is_old:
        cycle.waiting_for_100_continue = False

    async def send(message: Any) -> None:
        nonlocal until_closed
        if message["type"] == "http.response.start":
            if cycle.waiting_for_100_continue:
                cycle.keep_alive = False
            if is_old and all(name != b"content-length" for name, _ in message["headers"]):
                until_closed = True
                cycle.chunked_encoding = False
        elif until_closed:
            cycle.expected_content_length = len(message.get("body", b""))
        await cycle.send(message)

    async def run(scope: Any, receive: Any, _: Any) -> None:
        try:
            await app(scope, receive, send)
        except BaseException:
            if until_closed:
                _reset(cycle.transport)  # closed in the usual way, the answer would look complete
            raise

    return run


def _reset(transport: asyncio.Transport) -> None:
    """Close a connection at once, so that its peer sees it broken, and drop what the kernel has not sent."""
    if connected := transport.get_extra_info("socket"):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request line and the headers are larger than {MAX_HEAD} bytes, the limit of this server.")


def _is_one_head(data: bytes) -> bool:
    """Whether bytes that were read to the end of a message are one head, and nothing behind it."""
    return data.endswith(b"\r\n\r\n") and data.find(b"\r\n\r\n") == len(data) - 4


def _unreadable(error: httptools.HttpParserError, data: bytes) -> ProblemError:
    # The parser does not say where it stopped, and requests that were read may come before.
    if _targets_of_unknown_methods(data) and isinstance(error, httptools.HttpParserInvalidMethodError):
        return MethodNotImplemented("The method of the request is not known here; GET is one, in capital letters.")
    return BadRequest(f"This is not a request of HTTP/1.1: {error}.")


def _targets_of_unknown_methods(data: bytes) -> list[bytes]:
    """The targets in what looks like the lines of requests with a method that HTTP does not define."""
    return [target for method, target in _REQUEST_LINE.findall(data) if method not in _METHODS]
