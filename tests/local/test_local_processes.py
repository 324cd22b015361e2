"""Child processes: none is left behind, however the runner ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmptf_local.processes import CannotStart, Child, run, wait_until

RUNNER = """
import sys, time
from pathlib import Path
from mmptf_local.cache import running_cache
from mmptf_local.postgres import running_postgres
from mmptf_local.processes import Child
with running_postgres(Path(sys.argv[1]), databases=[], durable=False) as postgres, running_cache() as cache:
    with Child("sleeper", ["/bin/sleep", "60"]) as sleeper:
        print(*(child.process.pid for child in (postgres.child, cache.child, sleeper)), flush=True)
        time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie waiting for somebody else's parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels have no parent death signal")
def test_a_killed_runner_leaves_no_process_behind(state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", RUNNER, str(state)], stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        pids = [int(pid) for pid in runner.stdout.readline().split()]
        assert len(pids) == 3 and all(alive(pid) for pid in pids)
        runner.kill()
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if alive(pid)] == []
    assert not (state / "postgres" / "data" / "postmaster.pid").exists(), "the server was not stopped cleanly"


def test_a_failing_command_is_reported_with_its_output() -> None:
    with pytest.raises(CannotStart, match=r"(?s)job failed \(exit code 3\).*no luck"):
        run("job", ["/bin/sh", "-c", "echo no luck >&2; exit 3"])
    with pytest.raises(CannotStart, match="cannot run /no/such/program"):
        run("job", ["/no/such/program"])


def test_lines_are_passed_on_with_the_label_and_broken_characters_replaced() -> None:
    lines: list[tuple[str, str]] = []
    with Child("speaker", ["/bin/cat"], stdin=b"one\ntw\xff\n", log=lambda *line: lines.append(line)) as child:
        child.result()
    assert lines == [("speaker", "one"), ("speaker", "tw\N{REPLACEMENT CHARACTER}")]


def test_a_child_that_ends_while_it_is_awaited_is_not_awaited_longer() -> None:
    child = Child("short", ["/bin/sh", "-c", "echo bye; kill -9 $$"])
    with (
        child,
        pytest.raises(CannotStart, match=r"(?s)short ended while starting \(killed by SIGKILL\).*bye"),
    ):
        wait_until(lambda: False, child, seconds=30)


def test_a_child_that_ignores_the_request_to_end_is_killed_with_its_own_children() -> None:
    script = "trap '' TERM; sleep 60 & echo $!; while :; do wait; done"
    child = Child("stubborn", ["/bin/sh", "-c", script], grace=0.2)
    wait_until(lambda: bool(child.text()), child, seconds=5)
    grandchild = int(child.text())
    child.stop()
    assert child.process.returncode == -signal.SIGKILL
    time.sleep(0.05)
    assert not alive(grandchild)


def test_a_suspended_child_is_stopped_at_once() -> None:
    child = Child("suspended", ["/bin/sleep", "60"])
    child.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    child.stop()
    assert time.monotonic() - began < 2
