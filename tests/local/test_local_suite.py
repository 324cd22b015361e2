"""The suite as a whole, with stand-ins for the services, and the command that runs it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from mmptf_local.cache import redis_binary
from mmptf_local.postgres import running_postgres
from mmptf_local.processes import CannotStart, answers_ready, free_port, listening_error
from mmptf_local.suite import Suite, running_suite
from tests.suite import DATABASE_VARIABLES, DEPLOYABLES, NAMES, SERVICES


def seen_by(suite: Suite, name: str) -> dict[str, str]:
    """The environment in which a stand-in runs."""
    with urllib.request.urlopen(suite.urls[name] + "/environment") as response:
        environment: dict[str, str] = json.load(response)
        return environment


async def times_loaded(url: str) -> int:
    """How often a stand-in was asked to load its data."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM loaded"))
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def suite(module_state: Path, environment: dict[str, str]) -> Iterator[Suite]:
    """One suite for the tests of this file."""
    with running_suite(module_state, environment, cache_binary=redis_binary(), durable=False) as running:
        yield running


def test_each_service_gets_its_own_settings_and_nobody_elses(suite: Suite, environment: dict[str, str]) -> None:
    assert list(suite.urls) == ["issuer", *NAMES]
    for name in SERVICES:
        seen = seen_by(suite, name)
        assert seen["DATABASE_URL"] == suite.database_urls[name]
        assert f"//{name}_serve:" in seen["DATABASE_URL"]
        assert "MIGRATION_DATABASE_URL" not in seen
        assert seen["REDIS_URL"] == suite.redis_url
        assert (seen["HOST"], seen["LOG_LEVEL"]) == ("127.0.0.1", "INFO")
        assert suite.urls[name] == f"http://127.0.0.1:{seen['PORT']}"
        assert (seen["IDENTITY_ISSUER"], seen["IDENTITY_AUDIENCE"]) == (suite.urls["issuer"], "mmptf")
        assert asyncio.run(times_loaded(suite.database_urls[name])) == 1
    for each in DEPLOYABLES:
        seen = seen_by(suite, each.name)
        addresses = {other.address_variable: suite.urls[other.name] for other in DEPLOYABLES if other.name in each.asks}
        assert {other.address_variable for other in DEPLOYABLES} & seen.keys() == addresses.keys()
        assert addresses.items() <= seen.items()
    gateway = seen_by(suite, "gateway")
    assert gateway["SERVICES"] == ",".join(f"{name}={suite.urls[name]}" for name in SERVICES)
    assert gateway["PORT"] == environment["PORT"]
    assert gateway["REDIS_URL"] == suite.redis_url
    assert not {"DATABASE_URL", "IDENTITY_ISSUER", "IDENTITY_AUDIENCE"} & gateway.keys()


def test_databases_of_others_are_used_as_they_are(suite: Suite, environment: dict[str, str]) -> None:
    given = {variable: suite.database_urls[name] for name, variable in DATABASE_VARIABLES.items()}
    identity = {"IDENTITY_ISSUER": suite.urls["issuer"], "IDENTITY_AUDIENCE": "other", "IDENTITY_ROLES_CLAIM": "groups"}
    other = environment | given | identity | {"REDIS_URL": suite.redis_url, "PORT": str(free_port())}
    said: list[str] = []
    with running_suite(Path("/nowhere"), other, progress=said.append) as second:
        assert tuple(second.urls) == tuple(second.children) == NAMES
        assert identity.items() <= seen_by(second, "markers").items()
        assert not identity.keys() & seen_by(second, "gateway").keys()
        assert seen_by(second, "markers")["DATABASE_URL"] == suite.database_urls["markers"]
        assert not any(name in seen_by(second, "markers") for name in given)
    assert "neither migrated nor loaded, for its database is yours: " + ", ".join(SERVICES) in said
    assert asyncio.run(times_loaded(suite.database_urls["catalog"])) == 1


def test_a_taken_port_is_found_before_anything_starts(suite: Suite, environment: dict[str, str]) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        for variable in ("PORT", "MARKERS_PORT"):
            message = rf"port {port} is taken by another program; set {variable}=..., e.g. `make up {variable}=(\d+)`"
            asking = environment | {"PORT": str(free_port()), variable: str(port)}
            with pytest.raises(CannotStart) as refusal, running_suite(Path("/nowhere"), asking):
                pass
            offered = re.fullmatch(message, str(refusal.value))
            assert offered and listening_error(int(offered[1])) is None
    taken = str(free_port())
    for value, message in (("http", "is not a port"), ("70000", "is not a port"), (taken, "asked for twice")):
        wrong = environment | {"PORT": taken, "FUNDING_PORT": value}
        with pytest.raises(CannotStart, match=message), running_suite(Path("/nowhere"), wrong):
            pass


# Both steps are run by the same function.
@pytest.mark.parametrize("step", [pytest.param("catalog migrate", marks=pytest.mark.longer), "markers seed"])
def test_a_step_that_fails_stops_the_start_with_its_output(state: Path, environment: dict[str, str], step: str) -> None:
    failing = environment | {"STAND_IN_FAILS": step, "PORT": str(free_port())}
    with (
        pytest.raises(CannotStart, match=rf"(?s){step} failed \(exit code 3\):.*{step} speaking"),
        running_suite(state, failing, durable=False),
    ):
        pass


def test_one_service_down_leaves_the_others_up(suite: Suite) -> None:
    suite.children["funding"].process.kill()
    assert suite.children["funding"].process.wait() == -signal.SIGKILL
    ready = [name for name in NAMES if answers_ready(suite.urls[name] + "/health/ready")]
    assert ready == [name for name in NAMES if name != "funding"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_names_a_child_that_ends_and_stops_the_others_in_reverse_order(
    environment: dict[str, str], stop: signal.Signals
) -> None:
    given = dict.fromkeys(DATABASE_VARIABLES.values(), "postgresql://elsewhere/x")
    gateway = f"http://127.0.0.1:{free_port()}"
    env = environment | given | {"PORT": gateway.rpartition(":")[2]}
    command = [sys.executable, "-m", "mmptf_local", "up"]
    lines: list[str] = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        watchdog = threading.Timer(15, up.kill)
        watchdog.start()
        for line in up.stdout:
            lines.append(line.rstrip())
            if line.startswith("Ctrl-C"):
                spoken = next(each for each in lines if each.startswith("catalog  │ catalog serve"))
                os.kill(int(spoken.rpartition(" ")[2]), signal.SIGKILL)
            if line.startswith("catalog has ended"):
                assert answers_ready(f"{gateway}/health/ready")
                up.send_signal(stop)
        watchdog.cancel()
    assert up.returncode == 0
    assert f"  reference  {gateway}/docs" in lines
    assert any(line.startswith("  agency          TOKEN=$(curl ") for line in lines)
    assert "catalog has ended by itself (killed by SIGKILL); the others keep running" in lines
    stopped = [line.split()[0] for line in lines if line.endswith("asked to stop")]
    assert stopped == [name for name in reversed(NAMES) if name != "catalog"]
    assert lines[-1].endswith("stopped")


UNPRIVILEGED_PORT_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
# What an ordinary user lacks; root's next command lacks it, too.
WITHOUT_LOW_PORTS = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 10, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE
os.execv(sys.executable, [sys.executable, "-m", "mmptf_local", "up"])
"""


@pytest.mark.skipif(
    not UNPRIVILEGED_PORT_START.exists() or int(UNPRIVILEGED_PORT_START.read_text()) <= 80,
    reason="anybody may listen on port 80 here",
)
def test_up_names_a_port_that_its_user_may_not_use(environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", WITHOUT_LOW_PORTS]
    done = subprocess.run(command, env=environment | {"PORT": "80"}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    said = r"cannot start: port 80 may be used by the administrator only; set PORT=..., e.g. `make up PORT=\d{4,}`\n"
    assert re.fullmatch(said, done.stdout)


def test_reset_removes_the_data_of_a_stopped_suite(state: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "mmptf_local", "reset"]
    env = environment | {"MMPTF_STATE_DIR": str(state)}

    def reset() -> tuple[int, str]:
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.stderr == ""
        return done.returncode, done.stdout

    assert reset() == (0, f"there are no data in {state}\n")
    (state / "note").touch()
    with running_postgres(state, databases=["catalog"], durable=False):
        code, said = reset()
        assert code == 1 and said.startswith(f"cannot reset: the data in {state / 'postgres'} are in use by ")
        assert (state / "postgres" / "data").is_dir()
    assert reset() == (0, f"removed the data in {state}\n")
    assert [path.name for path in state.iterdir()] == ["note"]


def test_up_says_plainly_why_it_cannot_start(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "mmptf_local", "up"]
        done = subprocess.run(command, env=environment | {"PORT": port}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.startswith(f"cannot start: port {port} is taken by another program; set PORT=")
    assert done.stderr == ""
