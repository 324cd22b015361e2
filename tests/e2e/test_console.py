"""What `make up` prints of a suite of real processes: short lines on a terminal, JSON lines into a pipe."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import free_port
from tests.conftest import serving_url
from tests.suite import DATABASE_VARIABLES, SERVICES

COMMAND = [sys.executable, "-m", "mmptf_local", "up"]
REQUEST = re.compile(r"\d\d:\d\d:\d\d  (\d{3})  ([A-Z]+) +(\d+) ms  (\w+) +(/.*)")


class Screen:
    """What a process has printed so far; `keys` is where a person types, None without a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], output: int, keys: int | None) -> None:
        self.process, self.keys = process, keys
        self._raw = b""
        self._output = output
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        # The end of a terminal is an error.
        with suppress(OSError):
            while piece := os.read(self._output, 65536):
                self._raw += piece

    @property
    def text(self) -> str:
        return self._raw.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, words: str, *, times: int = 1, seconds: float = 60) -> None:
        """Wait until it has printed these words so many times."""
        end = time.monotonic() + seconds
        while self.text.count(words) < times:
            assert time.monotonic() < end, f"{words!r} was not printed:\n{self.text}"
            assert self.process.poll() is None, self.text
            time.sleep(0.02)


@pytest.fixture(scope="module")
def environment(new_database: Callable[[str], str], redis_server: Cache) -> dict[str, str]:
    databases = {variable: serving_url(new_database(name)) for name, variable in DATABASE_VARIABLES.items()}
    kept = {name: value for name, value in os.environ.items() if not name.endswith("PORT") and name != "LOG_LEVEL"}
    return kept | databases | {"REDIS_URL": redis_server.url, "COLUMNS": "100", "NO_COLOR": "1"}


@contextmanager
def running(environment: dict[str, str], *, terminal: bool) -> Iterator[tuple[Screen, httpx.Client]]:
    """The command on a terminal or into a pipe, once it waits, and a client of its gateway; stopped at the end."""
    environment = environment | {"PORT": str(free_port())}
    output, keys = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        COMMAND,
        env=environment,
        stdin=keys if terminal else subprocess.DEVNULL,
        stdout=keys,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    os.close(keys)
    screen = Screen(process, output, output if terminal else None)
    try:
        screen.wait_for("Ctrl-C stops everything.")
        with httpx.Client(base_url=f"http://127.0.0.1:{environment['PORT']}") as client:
            yield screen, client
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        screen.thread.join(10)
        os.close(output)


def ask(client: httpx.Client, screen: Screen) -> None:
    """Requests of a person: through the gateway, at a service, of several services at once, a wrong one, a long one."""
    assert client.get("/catalog/v1/programmes", params={"country": "SRB"}).status_code == 200
    assert client.get("/catalog/v1/programmes?contry=SRB").status_code == 422
    assert client.get("/programmes/ETH-01").status_code == 200
    assert client.get("/status").status_code == 200
    assert client.get(f"/catalog/v1/programmes?q={'x' * 100}").status_code == 200
    assert client.get("/catalog/v1/programmes/%1B%5B31mred%0Aforged").status_code == 422
    (funding,) = set(re.findall(r"^  funding +(http\S+)", screen.text, re.MULTILINE))
    assert httpx.get(f"{funding}/funding/v1/progress").status_code == 200


def children(pid: int) -> Iterator[tuple[int, str]]:
    """The processes that a process has started, and their commands."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child), Path(f"/proc/{child}/cmdline").read_text()


@dataclass
class Printed:
    """What a terminal shows, one part after the other."""

    gateway: str
    start: str
    requests: str = ""
    on_a_key: str = ""
    warnings: str = ""
    end: str = ""
    code: int | None = None


@pytest.fixture(scope="module")
def printed(environment: dict[str, str]) -> Printed:
    """A person asks, presses a key, loses a service where processes can be found, and stops the suite."""
    with running(environment, terminal=True) as (screen, client):
        found = Printed(str(client.base_url), screen.text)
        ask(client, screen)
        screen.wait_for("/funding/v1/progress")
        found.requests = screen.text.removeprefix(found.start)
        assert screen.keys is not None
        os.write(screen.keys, b"\n")
        screen.wait_for("Ctrl-C stops everything.", times=2, seconds=5)
        before = screen.text
        found.on_a_key = before.removeprefix(found.start).removeprefix(found.requests)
        if sys.platform == "linux":
            (pid,) = (pid for pid, command in children(screen.process.pid) if "mmptf_funding" in command)
            os.kill(pid, signal.SIGKILL)
            screen.wait_for("funding has ended by itself (killed by SIGKILL)")
            assert client.get("/funding/v1/progress").status_code == 502
            screen.wait_for("502  GET")
            found.warnings = screen.text.removeprefix(before)
    found.end, found.code = screen.text, screen.process.returncode
    return found


def test_a_terminal_shows_a_line_for_each_request_of_a_person(printed: Printed) -> None:
    before, shown, again, gateway = printed.start, printed.requests, printed.on_a_key, printed.gateway
    assert "{" not in before, "before anybody asks, there is no line of the suite's own requests"
    assert f"  gateway    {gateway}\n" in before
    assert before.rstrip().splitlines()[-1].startswith("Ctrl-C stops everything. Enter prints")
    lines = shown.strip().splitlines()
    found = [match.groups() for line in lines if (match := REQUEST.fullmatch(line))]
    assert len(found) == len(lines), shown
    assert [(status, method, process, path[:50]) for status, method, _, process, path in found] == [
        ("200", "GET", "gateway", "/catalog/v1/programmes?country=SRB"),
        ("422", "GET", "gateway", "/catalog/v1/programmes?contry=SRB"),
        ("200", "GET", "gateway", "/programmes/ETH-01"),
        ("200", "GET", "gateway", "/status"),
        ("200", "GET", "gateway", f"/catalog/v1/programmes?q={'x' * 25}"),
        (
            "422",
            "GET",
            "gateway",
            "/catalog/v1/programmes/\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}forged",
        ),
        ("200", "GET", "funding", "/funding/v1/progress"),
    ]
    assert [len(line) for line in lines if line.endswith("…")] == [100], "as wide as the terminal"
    assert f"  gateway    {gateway}\n" in again and "client_id=agency" in again
    assert printed.code == 0
    assert printed.end.rstrip().endswith("stopped")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_a_terminal_shows_warnings_in_words(printed: Printed) -> None:
    shown = printed.warnings
    warning = next(line for line in shown.splitlines() if "WARNING  gateway: " in line)
    problem = (
        r"status=502, code=service_unreachable, reason=The service 'funding' cannot be reached., cause=CannotConnect"
    )
    assert re.match(rf"\d\d:\d\d:\d\d  WARNING  gateway: request failed \(.*{problem}", warning)
    assert "{" not in shown


# That a pipe gets the lines as they are printed, `test_local_suite.py` tests with stand-ins; what the lines of a suite
# say, `test_suite.py`.
@pytest.mark.longer
def test_a_pipe_gets_every_line_as_json(environment: dict[str, str]) -> None:
    with running(environment, terminal=False) as (screen, client):
        ask(client, screen)
        screen.wait_for('"message": "GET /funding/v1/progress 200"')
    lines = [line.split(" │ ", 1) for line in screen.text.splitlines() if " │ " in line]
    logged = [(label.strip(), json.loads(text)) for label, text in lines]
    assert {label for label, _ in logged} >= {"gateway", *SERVICES}
    requests = [(label, line) for label, line in logged if line["logger"] == "mmptf.access"]
    internal = {(label, line["message"].split()[1]) for label, line in requests if line["internal"]}
    assert {
        ("gateway", "/health/ready"),
        ("catalog", "/catalog/v1/changes"),
        ("catalog", "/catalog/v1/status"),
    } <= internal
    # What a person sent is the line of the process that they called; that of the service behind it is internal.
    mine = [(label, line["message"].split()[1]) for label, line in requests if not line["internal"]]
    assert mine.count(("gateway", "/catalog/v1/programmes")) == 3
    assert ("catalog", "/catalog/v1/programmes") in internal and ("catalog", "/catalog/v1/programmes") not in mine
    assert mine[-1] == ("funding", "/funding/v1/progress")
    assert "Enter prints" not in screen.text
