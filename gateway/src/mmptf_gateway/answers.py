"""Public reads that are kept in this process, each under the revision of its service, and answered from here."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, cast

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from mmptf_common.http import conditional
from mmptf_common.http.compression import preferred_coding, tag_in
from mmptf_common.wire.announcements import GROUP, INVALIDATION, groups_in
from mmptf_gateway.compression import VARY, compressed
from mmptf_gateway.forward import SMALL_BODY, Forwarder, lasts
from mmptf_gateway.revisions import Revisions, State
from mmptf_gateway.upstreams import ServiceAnswer

# Bytes of the largest answer that is kept, and of the memory that one takes beside its body.
MOST_BYTES, OVERHEAD_BYTES = 1_048_576, 4_096
# Bytes of memory of what was read from an answer for a view, for each of its body.
READ_BYTES = 8
# Bytes of the smallest answer that is compressed.
LEAST_COMPRESSED = 1_000
# A question that is longer is forwarded, and so is one with a longer `Accept` or more of them.
LONGEST_QUESTION, LONGEST_ACCEPT = 4_096, 256
# The questions whose answers are not kept that are remembered.
MOST_UNKEPT = 4_096

NAME = "mmptf-gateway"
_READS = frozenset({"GET", "HEAD"})
# What asks for something else than the answer that everybody gets, or for a part of it.
_NEVER_KEPT = frozenset(
    {
        b"authorization", b"cookie", b"expect", b"if-match", b"if-modified-since", b"if-range", b"if-unmodified-since",
        b"range", b"transfer-encoding",
    }
)  # fmt: skip
_AS_NEW = re.compile(rb"(?:^|[,\s])(?:no-cache|no-store|max-age\s*=\s*\"?0+\"?)(?:[\s,;]|$)", re.IGNORECASE)
_NOT_SHARED = re.compile(rb"(?:^|[,\s])(?:no-store|private)", re.IGNORECASE)
# What an answer may depend on: the key of what is kept contains `Accept`, and it is compressed here.
_VARIES = frozenset({b"accept", b"accept-encoding"})
# What only a part, a form or the answer for one caller has.
_NOT_KEPT_WITH = frozenset({b"content-encoding", b"content-range", b"set-cookie"})
# What concerns one request, or is stated anew.
_STATED_ANEW = frozenset({b"age", b"ratelimit", b"ratelimit-policy", b"vary"})
# Those of a 304 (RFC 9110, section 15.4.5).
_OF_NOT_MODIFIED = frozenset({b"cache-control", b"content-location", b"etag", b"expires", b"vary", GROUP})
_STATUS = b"cache-status"
_Headers = list[tuple[bytes, bytes]]
_Key = tuple[bytes, bytes, bytes]
# In the place of `Accept` in the key of a part of a view; no header has this value.
_PART = b"\0part"
P = TypeVar("P")


class Question(NamedTuple):
    """A read that may be answered from here.

    service: that is asked; key: of its answer; known: its If-None-Match; coding: the one that it prefers
    is_for_new: whether it asks for an answer that was not kept
    """

    service: str
    key: _Key
    known: str | None
    coding: str | None
    is_for_new: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """An answer in one coding: its tag, its head, that of a 304, and its body."""

    tag: str
    headers: _Headers
    not_modified: _Headers
    body: bytes
    lines: dict[bool, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, headers: _Headers, body: bytes) -> _Form:
        tag = next(value.decode("latin-1") for name, value in headers if name == b"etag")
        return cls(tag, headers, [header for header in headers if header[0] in _OF_NOT_MODIFIED], body)

    def in_coding(self, coding: str) -> _Form:
        """The same compressed, under a strong tag of its own; itself where that takes no fewer bytes."""
        body = compressed(self.body, coding)
        if len(body) >= len(self.body):
            return self
        changed = {b"etag": tag_in(coding, self.tag).encode("latin-1"), b"content-length": b"%d" % len(body)}
        headers = [(name, changed.get(name, value)) for name, value in self.headers]
        return _Form.of([*headers, (b"content-encoding", coding.encode())], body)


@dataclass(slots=True)
class Kept:
    """An answer that is kept: the state of its service, and its forms by coding, None for the one without.

    part: what was read from it for a view, which is kept alone; part_bytes: of memory, roughly
    compressing: what makes a form that is not there yet, for all who wait for it
    """

    state: State
    forms: dict[str | None, _Form]
    part: Any = None
    part_bytes: int = 0
    compressing: dict[str, asyncio.Task[_Form]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Roughly the bytes of memory that it takes, with its question."""
        return self.part_bytes + sum(len(form.body) + OVERHEAD_BYTES for form in self.forms.values())


class Answers:
    """ASGI app: answers public reads of the services from this process where it may, and forwards all else.

    What is kept is used only while its service announces the revision under which it is kept; a read that finds none is
    sent once for all who ask the same meanwhile. So is one read in ASK_SECONDS that finds one, where no other is sent:
    a service announces while it is asked.

    most_bytes: of memory for what is kept; where a new answer does not fit, those go that were used longest ago
    cdn_seconds: for how long caches in front may use what is in the group of a service without asking; 0 for never
    """

    def __init__(self, forwarder: Forwarder, revisions: Revisions, *, most_bytes: int, cdn_seconds: int) -> None:
        self._forward = forwarder
        self._revisions = revisions
        self._most_bytes = most_bytes
        for_cdn = b"max-age=%d, stale-while-revalidate=%d" % (cdn_seconds, cdn_seconds)
        self._for_cdn: _Headers = [(b"cdn-cache-control", for_cdn)] if cdn_seconds else []
        self._of_hit: _Headers = [(_STATUS, NAME.encode() + b"; hit"), *self._for_cdn, (b"age", b"0")]
        self.bytes = 0
        # How many public reads there were, by the part that this process took.
        self.reads: Counter[str] = Counter(hit=0, miss=0, stale=0, request=0, bypass=0)
        self._kept: OrderedDict[_Key, Kept] = OrderedDict()
        self._unkept: OrderedDict[_Key, State] = OrderedDict()
        self._under_way: dict[_Key, asyncio.Event] = {}
        # Bytes of answers that are being taken from a service in pieces.
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _READS:
            await self._forward(scope, receive, self._noting_write(send))
            return
        question = _question(scope["raw_path"], scope["query_string"], scope["headers"])
        if question is None or not self._most_bytes:
            self.reads["bypass"] += 1
            await self._forward(scope, receive, self.labelled(send, b"fwd=bypass"))
            return
        has_waited = False
        while True:
            state = self._revisions.current(question.service)
            if state is None:
                self.reads["bypass"] += 1
                await self._forward(scope, receive, self.labelled(send, b"fwd=bypass; detail=unavailable"))
                return
            kept = self._kept.get(question.key)
            is_current = kept is not None and kept.state == state
            is_due = is_current and not question.is_for_new and self._revisions.is_due(question.service)
            if kept and is_current and not question.is_for_new and not is_due:
                self._kept.move_to_end(question.key)
                self.reads["hit"] += 1
                await self.send(kept, question, send, b"fwd=uri-miss; collapsed" if has_waited else b"hit")
                return
            other = self._under_way.get(question.key)
            if other is None or question.is_for_new or has_waited:
                break
            # What it brings is used if it is of the state that is announced then, though it was sent before.
            has_waited = True
            await other.wait()
        if question.is_for_new:
            result, why = "request", b"fwd=request"
        elif is_due:
            result, why = "bypass", b"fwd=bypass; detail=confirmation"
            self._revisions.asked(question.service)
        else:
            result, why = ("stale", b"fwd=stale") if kept else ("miss", b"fwd=uri-miss")
        self.reads[result] += 1
        if scope["method"] == "HEAD" or self._unkept.get(question.key) == state or lasts(scope):
            await self._forward(scope, receive, self.labelled(send, why))
        else:
            await self._fetch(question, state, why, scope, receive, send)

    async def _fetch(
        self, question: Question, state: State, why: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Ask the service, for all who ask the same meanwhile, and keep the answer where that may be done."""
        arrived = asyncio.Event()
        is_first = self._under_way.setdefault(question.key, arrived) is arrived
        if question.known is not None:
            # The whole answer is asked for, and compared here.
            headers = [header for header in scope["headers"] if header[0] != b"if-none-match"]
            scope = {**scope, "headers": headers}
        taking = _Taking(self, question, state, why, send, arrived)
        try:
            await self._forward(scope, receive, taking)
        finally:
            taking.end()
            if is_first:
                del self._under_way[question.key]
            arrived.set()

    def question(self, path: bytes, query: bytes, headers: Mapping[bytes, bytes]) -> Question | None:
        """The question of a GET or HEAD, where something is kept for it; else None."""
        found = _question(path, query, headers.items()) if self.bytes else None
        return found if found and found.key in self._kept else None

    async def part(
        self,
        service: str,
        path: str,
        ask: Callable[[], Awaitable[ServiceAnswer]],
        read: Callable[[ServiceAnswer], tuple[P, bool]],
    ) -> P:
        """What is read from the answer of a service to a GET, for a view: kept, or of an answer that is asked for now.

        ask: returns the answer; read: returns what a view needs of it, and whether that holds until the next write of
        the service. What they raise is raised here
        """
        question = Question(service, (path.encode(), b"", _PART), None, None, is_for_new=False)
        state = self._revisions.current(service)
        kept = self._kept.get(question.key)
        if kept and kept.state == state and not self._revisions.is_due(service):
            self._kept.move_to_end(question.key)
            return cast("P", kept.part)
        self._revisions.asked(service)
        answer = await ask()
        found, holds = read(answer)
        # What is no success states no revision; it was read after this state was announced, so it is no older.
        is_of_state = state and (not answer.is_success or _revision_of(answer, service) == state.number)
        if state and is_of_state and holds and answer.path == path and len(answer.content) <= MOST_BYTES:
            self.keep(question, Kept(state, {}, found, len(answer.content) * READ_BYTES + OVERHEAD_BYTES))
        return found

    def at_once(self, question: Question) -> tuple[int, bytes, bytes] | None:
        """The status, the status line with the headers, and the body of an answer that is kept; None where none is."""
        kept = self._kept.get(question.key)
        service = question.service
        if kept is None or question.is_for_new or kept.state != self._revisions.current(service):
            return None
        if self._revisions.is_due(service):
            return None
        plain = kept.forms[None]
        form = kept.forms.get(question.coding)
        if form is None:
            if len(plain.body) >= LEAST_COMPRESSED:
                return None
            form = plain
        self._kept.move_to_end(question.key)
        self.reads["hit"] += 1
        if question.known is not None and conditional.is_known(question.known, plain.tag):
            same = form if form.tag in question.known else plain
            return 304, self._lines(same, is_modified=False), b""
        return 200, self._lines(form, is_modified=True), form.body

    def _lines(self, form: _Form, *, is_modified: bool) -> bytes:
        """The head of a kept answer, which is made once."""
        lines = form.lines.get(is_modified)
        if lines is None:
            headers = [*(form.headers if is_modified else form.not_modified), *self._of_hit]
            start = STATUS_LINE[200 if is_modified else 304]
            lines = form.lines[is_modified] = b"".join([start, *(b"%b: %b\r\n" % header for header in headers)])
        return lines

    def note_asked(self, service: str) -> None:
        """Note that a service has been asked for what may be kept."""
        self._revisions.asked(service)

    def may_take(self, size: int) -> bool:
        """Whether an answer of this size may be kept, and taken in pieces now."""
        return size <= MOST_BYTES and self._arriving + size <= self._most_bytes // 2

    def arriving(self, size: int) -> None:
        """Count bytes that are taken in pieces, or, where negative, are not any more."""
        self._arriving += size

    def keep(self, question: Question, kept: Kept) -> bool:
        """Keep an answer; returns whether it is of the state that is announced now, and fits."""
        if self._revisions.current(question.service) != kept.state or kept.size > self._most_bytes:
            return False
        before = self._kept.pop(question.key, None)
        self.bytes += kept.size - (before.size if before else 0)
        self._kept[question.key] = kept
        self._make_room()
        return True

    def do_not_keep(self, question: Question, state: State) -> None:
        """Remember, until the state changes, that the answer to a question is one that is not kept."""
        self._unkept[question.key] = state
        self._unkept.move_to_end(question.key)
        if len(self._unkept) > MOST_UNKEPT:
            self._unkept.popitem(last=False)

    async def send(self, kept: Kept, question: Question, send: Send, how: bytes) -> None:
        """Send what is kept in the coding that is preferred, or a 304."""
        form = kept.forms.get(question.coding) or await self._compressed(kept, question)
        further = self._of_hit if how == b"hit" else [(_STATUS, NAME.encode() + b"; " + how), *self._for_cdn]
        plain = kept.forms[None]
        if question.known is not None and conditional.is_known(question.known, plain.tag):
            # Under the tag that the caller has: a cache takes no other one for its own.
            same = form if form.tag in question.known else plain
            await send({"type": "http.response.start", "status": 304, "headers": [*same.not_modified, *further]})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [*form.headers, *further]})
        await send({"type": "http.response.body", "body": form.body})

    async def _compressed(self, kept: Kept, question: Question) -> _Form:
        """The form in the coding of a question, which is made once and kept as long as the answer is."""
        plain, coding = kept.forms[None], question.coding
        if coding is None or len(plain.body) < LEAST_COMPRESSED:
            return plain
        task = kept.compressing.get(coding)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(plain.in_coding, coding))
            kept.compressing[coding] = task
        form = await asyncio.shield(task)
        if coding not in kept.forms:
            is_kept = self._kept.get(question.key) is kept
            before = kept.size
            kept.forms[coding] = form
            del kept.compressing[coding]
            if is_kept:
                self.bytes += kept.size - before
                self._make_room()
        return form

    def _make_room(self) -> None:
        while self.bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= oldest.size

    def labelled(self, send: Send, how: bytes) -> Send:
        """Send the answer to a read with how this process took part, where it is one that may be kept by a cache."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and any(name == GROUP for name, _ in message["headers"]):
                label = (_STATUS, NAME.encode() + b"; " + how)
                message["headers"] = [*message["headers"], label, *self._for_cdn]
            await send(message)

        return send_on

    def _noting_write(self, send: Send) -> Send:
        """Send the answer of a write once nothing is used any more that is older than the write."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                for name, value in message["headers"]:
                    if name == INVALIDATION:
                        for service, revision in groups_in(value).items():
                            self._revisions.written(service, revision)
            await send(message)

        return send_on


class _Taking:
    """The receiver of an answer that may be kept. A small one is sent when all of it is there."""

    def __init__(
        self, answers: Answers, question: Question, state: State, why: bytes, send: Send, arrived: asyncio.Event
    ) -> None:
        self._answers = answers
        self._question = question
        self._state = state
        self._why = why
        self._send = send
        self._arrived = arrived
        self._start: Message | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_held = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
            return
        if self._start is None:
            await self._send(message)
            return
        self._pieces.append(message["body"])
        if message.get("more_body"):
            if not self._is_held:
                await self._send(message)
            return
        kept = _kept_from(self._start["headers"], b"".join(self._pieces), self._state)
        is_stored = self._answers.keep(self._question, kept)
        self._arrived.set()
        if self._is_held:
            why = self._why + (b"; stored" if is_stored else b"")
            await self._answers.send(kept, self._question, self._send, why)
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        size, revision = _keepable(message, self._question.service)
        if size is not None:
            self._answers.note_asked(self._question.service)
        if message["status"] == 200 and (size is None or size > MOST_BYTES):
            self._answers.do_not_keep(self._question, self._state)
        # A process of the service may not know of the newest revision yet.
        if size is None or revision != self._state.number or not self._answers.may_take(size):
            self._arrived.set()
            await self._answers.labelled(self._send, self._why)(message)
            return
        self._start = message
        self._is_held = size <= SMALL_BODY
        if not self._is_held:
            self._size = size
            self._answers.arriving(size)
            # Who waits would wait for the reader of this one.
            self._arrived.set()
            await self._answers.labelled(self._send, self._why)(message)

    def end(self) -> None:
        """Give back what was counted."""
        self._answers.arriving(-self._size)
        self._size = 0


def _question(path: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Question | None:
    """The question of a read that may be answered from here; None where its answer is not the one for everybody."""
    accept, known = b"", None
    codings = ""
    is_for_new = False
    for name, value in headers:
        if name in _NEVER_KEPT or (name == b"content-length" and value.strip(b"0")):
            return None
        if name == b"accept":
            accept = accept + b", " + value if accept else value
        elif name == b"if-none-match":
            known = f"{known}, {value.decode('latin-1')}" if known else value.decode("latin-1")
        elif name == b"accept-encoding":
            codings = f"{codings},{value.decode('latin-1')}" if codings else value.decode("latin-1")
        elif name in (b"cache-control", b"pragma"):
            is_for_new = is_for_new or _AS_NEW.search(value) is not None
    if len(path) + len(query) > LONGEST_QUESTION or len(accept) > LONGEST_ACCEPT:
        return None
    if b"&" in query:
        # In the order of the names; the values of one name stay in theirs, which may mean something.
        pairs: list[bytes] = sorted(query.split(b"&"), key=_name)
        query = b"&".join(pairs)
    service = path[1:].partition(b"/")[0].decode("latin-1")
    return Question(service, (path, query, accept), known, preferred_coding(codings) if codings else None, is_for_new)


def _name(pair: bytes) -> bytes:
    return pair.partition(b"=")[0]


def _keepable(message: Message, service: str) -> tuple[int | None, int | None]:
    """The bytes of the body of an answer that may be kept, None where it may not, and the revision that it states."""
    if message["status"] != 200:
        return None, None
    size: int | None = None
    found: dict[bytes, bytes] = {}
    for name, value in message["headers"]:
        if name in _NOT_KEPT_WITH:
            return None, None
        if name == b"content-length" and value.isdigit():
            size = int(value[:15])
        found[name] = found[name] + b"," + value if name in found else value
    groups = groups_in(found.get(GROUP, b""))
    varies = {each.strip().lower() for each in found.get(b"vary", b"").split(b",")} - {b""}
    if (
        service not in groups
        or not found.get(b"etag", b"").startswith(b'"')
        or _NOT_SHARED.search(found.get(b"cache-control", b"private"))
        or not varies <= _VARIES
    ):
        return None, None
    return size, groups[service]


def _revision_of(answer: ServiceAnswer, service: str) -> int | None:
    """The revision that an answer of a service states, where it may be kept."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    _, revision = _keepable({"status": answer.status, "headers": headers}, service)
    return revision


def _kept_from(headers: _Headers, body: bytes, state: State) -> Kept:
    found = [header for header in headers if header[0] not in _STATED_ANEW]
    varies = [value for name, value in headers if name == b"vary"]
    if not any(VARY.lower().encode() in value.lower() for value in varies):
        varies.append(VARY.encode())
    return Kept(state, {None: _Form.of([*found, (b"vary", b", ".join(varies))], body)})
