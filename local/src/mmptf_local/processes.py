"""Child processes: start them so that they end with the runner, log their lines, wait for them, stop them."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

Log = Callable[[str, str], None]
"""A function that takes the label of a child and one line that it printed, without the line end."""

LOOPBACK = "127.0.0.1"
LAUNCHER = Path(__file__).with_name("launch.py")


class CannotStart(RuntimeError):
    """Something could not be started; the message names it and, where possible, what to do."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which no program listened a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def listening_error(port: int) -> OSError | None:
    """Why a server cannot listen on this port of 127.0.0.1 now; None where it can."""
    with socket.socket() as probe:
        # A server does the same; without it, connections that have just been closed look like a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
    return None


def run(label: str, command: Sequence[str], *, env: Mapping[str, str] = os.environ, uid: int | None = None) -> str:
    """Run a command to its end and return what it printed; raise CannotStart with that when it fails."""
    with Child(label, command, env=env, uid=uid) as child:
        return child.result()


def wait_until(check: Callable[[], bool], child: "Child", *, seconds: float) -> None:
    """Wait for `check` to be true; raise CannotStart when the child ends first or the time has passed."""
    deadline = time.monotonic() + seconds
    while not check():
        if not child.alive:
            raise CannotStart(f"{child.label} ended while starting ({child.ending()}):\n{child.text()}")
        if time.monotonic() > deadline:
            raise CannotStart(f"{child.label} was not ready after {seconds:g} seconds:\n{child.text()}")
        time.sleep(0.03)


def answers_ready(url: str) -> bool:
    """Whether `GET url` is answered by 200 within two seconds."""
    # Without a proxy that the environment names: both processes are on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    # Their logs mark requests by this name as the suite's own.
    opener.addheaders = [("User-Agent", "mmptf-local")]
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError, http.client.HTTPException):
        return False


class Child:
    """One child process; leaving its `with` block stops it.

    Its output goes line by line to `log`, and the last 200 lines are kept for error messages. With `uid` it
    runs as that user and group (root only). When the runner is killed, the kernel sends it `death_signal`
    (Linux), also when the thread that started it ends. It has a session of its own, so
    that a Ctrl-C in the terminal reaches the runner alone, which then stops its children in order.
    """

    def __init__(
        self,
        label: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] = os.environ,
        log: Log | None = None,
        uid: int | None = None,
        stdin: bytes = b"",
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        grace: float = 8.0,
    ) -> None:
        self.label = label
        self.stop_signal = stop_signal
        self.grace = grace
        self._log = log
        self._lines: deque[str] = deque(maxlen=200)
        user = "-" if uid is None else str(uid)
        launcher = (sys.executable, "-I", "-S", str(LAUNCHER))
        self.process = subprocess.Popen(
            [*launcher, str(os.getpid()), user, str(int(death_signal)), *command],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"{label} output", daemon=True)
        self._reader.start()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self.process.stdin:
            self.process.stdin.write(stdin)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    def text(self) -> str:
        """The last lines that it printed; complete once it has ended."""
        if not self.alive:
            self._reader.join(timeout=2)
        return "\n".join(self._lines)

    def ending(self) -> str:
        """How it ended: `exit code 3` or `killed by SIGKILL`."""
        code = self.process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def result(self) -> str:
        """Wait for its end and return its last lines; raise CannotStart with them when it failed."""
        if self.process.wait() != 0:
            raise CannotStart(f"{self.label} failed ({self.ending()}):\n{self.text()}")
        return self.text()

    def stop(self) -> None:
        """Send the stop signal; kill the process and its children when it has not ended after `grace` seconds."""
        if self.alive:
            self.process.send_signal(self.stop_signal)
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(self.grace)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._reader.join(timeout=2)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for raw in output:
                line = raw.decode(errors="replace").rstrip()
                self._lines.append(line)
                if self._log is not None:
                    self._log(self.label, line)
