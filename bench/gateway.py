"""The gateway beside nginx and beside FastAPI with httpx, and the memory of the suite's processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import peers, processes, report
from bench.figures import Bars, Figure, Outcome
from bench.rounds import Contender, Rounds, fetch, measure, request
from bench.scale import Scale
from mmptf_local.processes import LOOPBACK
from mmptf_local.state import temporary_state
from mmptf_local.suite import Suite, running_suite

PAGE, REPEATED = "/funding/v1/requirements", "/funding/v1/requirements?limit=10"
RECORD = "/funding/v1/requirements/MI-2015-KEN-health"
CONNECTIONS, CALLERS = 64, 16
PROCESSES = ("catalog", "funding", "markers", "gateway")
_LOG = "access_log {folder}/access.log combined buffer=64k flush=1s; sendfile on; tcp_nopush on;"
_CACHE = """
proxy_cache_path {folder}/kept levels=1:2 keys_zone=kept:10m max_size=100m inactive=1h use_temp_path=off;
open_file_cache max=1000 inactive=1h;
upstream service {{ server {host}:{port}; keepalive 16; }}
"""
_CACHED = """
location / {
  proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_cache kept; proxy_cache_valid 200 1h; proxy_cache_key $request_uri;
  proxy_ignore_headers Cache-Control Expires Vary Set-Cookie;
}
"""
_PROXY = "upstream service {{ server {host}:{port}; keepalive 64; keepalive_requests 1000000; }}"
_PROXIED = """
location / {
  proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_busy_buffers_size 64k;
}
"""
NOTES = f"""
- Each contender is one process on one core; the services, PostgreSQL, Redis and the load are on the other. Requests
  per second of one core are a second over the CPU time of a request; what was reached is less where the load, the
  services or another program had the processor, which the share of its core shows. The load's own time is in the last
  column.
- A repeated read is one page of 10 requirements on {CONNECTIONS} connections. nginx has `proxy_cache` in front of the
  same service, one worker, `sendfile`, `open_file_cache` and a buffered log, and never looks whether the service has
  changed.
- With Redis gone the same answer is labelled (`detail=unavailable`): the gateway hears of no revision, keeps nothing,
  and asks the service, which asks PostgreSQL. The CPU of all three is in that row; `redis-gone-rps-vs-hit` is the
  share of the requests that is left.
- A forwarded read comes from an nginx that answers from a file and forbids to store it: of a page of 50 and of a
  record. The figure is the larger of the two ratios to `proxy_pass` with connections kept alive and its usual log.
- The view is every programme of the catalogue in turn, for {CALLERS} callers, from the three running services, and its
  figure is of the requests that were reached. The gateway keeps the cards; the peer is a FastAPI route that requests
  the same three at once from one `httpx.AsyncClient` each time, and declares its answer as Pydantic models.
- Memory is the sum of the proportional set sizes (PSS) of the three services and the gateway once each is ready.
- What this does not show: TLS, HTTP/2, a network, several processes of a kind.
"""


def compare(scale: Scale, progress: Callable[[str], None]) -> Outcome:
    """Repeated reads, 304, forwarded reads and the view, and the memory of the four processes."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        suite = stack.enter_context(running_suite(folder, {"IN_FLIGHT": "256"}, durable=False))
        memory = {name: processes.proportional_memory(suite.children[name].process.pid) for name in PROCESSES}
        progress("gateway: the suite runs")
        groups = {
            "hit": _reads(stack, folder, suite, 200),
            "304": _reads(stack, folder, suite, 304),
            **_forwards(stack, folder, suite),
            "view": _views(stack, suite),
        }
        gateways = {child.process.pid: child for each in groups.values() for one in each for child in one.children}
        processes.pin_apart(
            list(gateways.values()), [suite.children[each] for each in suite.children if each != "gateway"]
        )
        measured = {
            name: measure(group, scale.rounds, scale.seconds, progress, name)
            for name, group in groups.items()
            if len(group) > 1
        }
    return _outcome({name: groups[name] for name in measured}, measured, memory)


def _port_of(suite: Suite, name: str) -> int:
    return int(suite.urls[name].rpartition(":")[2])


def _reads(stack: ExitStack, folder: Path, suite: Suite, status: int) -> list[Contender]:
    """One page again and again, whole or, with its ETag, as 304."""
    found = [("gateway", "gateway", _port_of(suite, "gateway"), suite.children["gateway"])]
    for name, label in (("nginx", "nginx `proxy_cache`"), ("nginx_again", "the same once more (A/A)")):
        own = folder / f"{name}-{status}"
        http = _CACHE.format(folder=own, host=LOOPBACK, port=_port_of(suite, "funding"))
        if started := peers.nginx(stack, own, http=http, server=_LOG.format(folder=own) + _CACHED):
            found.append((name, label, *started))
    contenders = []
    for name, label, port, child in found:
        first, again = fetch(port, REPEATED), fetch(port, REPEATED)
        if first.status != 200 or first.body != again.body:
            raise SystemExit(f"{name} answers {REPEATED} with {first.status}, or with two bodies")
        tag = first.headers["etag"]
        asked = request(REPEATED, if_none_match=tag) if status == 304 else request(REPEATED)
        contenders.append(Contender(name, label, port, (child,), (asked,), status=status, connections=CONNECTIONS))
    if status == 200:
        contenders.append(_without_redis(stack, suite, first.body))
    return contenders


def _without_redis(stack: ExitStack, suite: Suite, body: bytes) -> Contender:
    """A gateway that hears of no revision, so that it asks the service each time; the service has no Redis either."""
    postgres = suite.children["postgres"]
    settings = {"DATABASE_URL": suite.database_urls["funding"]}
    service, funding = peers.python(stack, "funding", ["-m", "mmptf_funding", "serve"], settings)
    settings = {"SERVICES": f"funding=http://{LOOPBACK}:{service}", "IN_FLIGHT": "256"}
    port, gateway = peers.python(stack, "unheard", ["-m", "mmptf_gateway", "serve"], settings)
    answer = fetch(port, REPEATED)
    if answer.body != body or "detail=unavailable" not in answer.headers["cache-status"]:
        raise SystemExit(f"without Redis the answer is another one, or not labelled: {answer.headers}")
    return Contender(
        "unheard", "gateway and service, Redis gone", port, (gateway, funding), (request(REPEATED),), postgres,
        connections=CONNECTIONS,
    )  # fmt: skip


def _forwards(stack: ExitStack, folder: Path, suite: Suite) -> dict[str, list[Contender]]:
    """A page and a record that may not be stored, from an nginx in the place of the service."""
    port = _port_of(suite, "funding")
    own = folder / "upstream"
    own.mkdir()
    blocks = []
    for name, target in (("page", PAGE), ("record", RECORD)):
        (own / f"{name}.json").write_bytes(fetch(port, target).body)
        blocks.append(f'location = {target} {{ alias {own}/{name}.json; add_header cache-control "no-store"; }}')
    blocks.append("location = /health/live { return 200; }")
    log = "access_log off; default_type application/json; sendfile on; tcp_nopush on; open_file_cache max=10;"
    upstream = peers.nginx(stack, own, server=f"{log} keepalive_requests 1000000; {' '.join(blocks)}")
    if upstream is None:
        return {}
    settings = {"SERVICES": f"funding=http://{LOOPBACK}:{upstream[0]}"}
    contenders = [("gateway", "gateway", *peers.python(stack, "forwarder", ["-m", "mmptf_gateway", "serve"], settings))]
    for name, label in (("nginx", "nginx `proxy_pass`"), ("nginx_again", "the same once more (A/A)")):
        http = _PROXY.format(host=LOOPBACK, port=upstream[0])
        if started := peers.nginx(stack, folder / f"{name}-forward", http=http, server=_PROXIED):
            contenders.append((name, label, *started))
    # The load's side: it answers for all of them.
    processes.pin_apart([], [upstream[1]])
    groups = {}
    for name, target in (("forward-page", PAGE), ("forward-record", RECORD)):
        bodies = {contender: fetch(port, target).body for contender, _, port, _ in contenders}
        if len(set(bodies.values())) != 1:
            raise SystemExit(f"{target} is forwarded differently: {bodies}")
        groups[name] = [
            Contender(contender, label, port, (child,), (request(target),), connections=CALLERS)
            for contender, label, port, child in contenders
        ]
    return groups


def _views(stack: ExitStack, suite: Suite) -> list[Contender]:
    """Every programme as a view, from the gateway and from FastAPI with httpx."""
    listed = json.loads(fetch(_port_of(suite, "catalog"), "/catalog/v1/programmes?limit=1000").body)
    codes = [item["code"] for item in listed["items"]]
    services = ",".join(f"{name}={suite.urls[name]}" for name in PROCESSES if name != "gateway")
    port, child = peers.python(stack, "composer", ["-m", "bench.composed"], {"SERVICES": services})
    requests = tuple(request(f"/programmes/{code}") for code in codes)
    gateway = Contender(
        "gateway", "gateway", _port_of(suite, "gateway"), (suite.children["gateway"],), requests, connections=CALLERS
    )
    composer = Contender("httpx", "FastAPI + httpx", port, (child,), requests, connections=CALLERS)
    for code in codes[:3]:
        ours, theirs = (json.loads(fetch(each.port, f"/programmes/{code}").body) for each in (gateway, composer))
        cards = [[part["card"] for part in view["parts"]] for view in (ours, theirs)]
        if cards[0] != cards[1]:
            raise SystemExit(f"the views of {code} have other cards: {cards}")
    return [gateway, composer, replace(composer, name="httpx_again", label="the same once more (A/A)")]


def _outcome(groups: dict[str, list[Contender]], measured: dict[str, Rounds], memory: dict[str, float]) -> Outcome:
    titles = {
        "hit": "a page again and again",
        "304": "the same, not modified",
        "forward-page": "a page that is forwarded",
        "forward-record": "a record that is forwarded",
        "view": "a programme as a view",
    }
    gone = report.ratios(measured["hit"], "unheard", "gateway", lambda m: m.capacity)
    figures = [Figure.of("redis-gone-rps-vs-hit", gone)]
    again = []
    has_nginx = "304" in measured
    if has_nginx:
        figures += [
            Figure.of(
                f"gateway-{name}-rps-vs-nginx", report.ratios(measured[name], "gateway", "nginx", lambda m: m.capacity)
            )
            for name in ("hit", "304")
        ]
        forwards = [
            report.ratios(measured[name], "gateway", "nginx", lambda m: m.server)
            for name in ("forward-page", "forward-record")
        ]
        figures.append(Figure.of("gateway-forward-cpu-vs-nginx", max(forwards)))
        again += [
            report.ratios(measured[name], "nginx_again", "nginx", lambda m: m.server)[0]
            for name in ("hit", "forward-page")
        ]
    figures.append(
        Figure.of("view-rps-vs-httpx", report.ratios(measured["view"], "gateway", "httpx", lambda m: m.rate))
    )
    again.append(report.ratios(measured["view"], "httpx_again", "httpx", lambda m: m.server)[0])
    total = sum(memory.values())
    figures.append(Figure("pss-mb", total, total, total))
    text = [report.table(titles[name], group, measured[name], group[1].name) for name, group in groups.items()]
    text.append(_memory_table(memory))
    text.append(NOTES.strip())
    bars = [
        Bars(
            f"Behind one address: {titles[name]}",
            "requests per second" if name == "view" else "requests per second of one core",
            [
                (
                    each.label.replace("`", ""),
                    report.spread(
                        [one[each.name].rate if name == "view" else one[each.name].capacity for one in measured[name]]
                    ),
                )
                for each in group
            ],
        )
        for name, group in groups.items()
    ]
    details = {"memory": memory, **{name: report.each_round(rounds) for name, rounds in measured.items()}}
    missing = {} if has_nginx else {"nginx": peers.NO_NGINX}
    return Outcome("gateway", "The gateway", "\n\n".join(text), figures, again, bars, missing, details)


def _memory_table(memory: dict[str, float]) -> str:
    names: Sequence[str] = (*memory, "all")
    values = [*memory.values(), sum(memory.values())]
    return "\n".join(
        [
            f"| memory, PSS in MB | {' | '.join(names)} |",
            f"|---|{'--:|' * len(names)}",
            f"| fresh, ready | {' | '.join(f'{value:.0f}' for value in values)} |",
        ]
    )
