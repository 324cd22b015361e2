"""The commands of the guide for operators: one service, from an empty database server to a restored backup."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmptf_common.storage import migrations
from mmptf_local.postgres import Postgres, _wheel_bin_dir, running_postgres
from mmptf_local.processes import LOOPBACK, free_port
from mmptf_local.state import temporary_state
from tests.e2e.guides import guide_entries, guide_text, run_guide
from tests.suite import ROOT

# Without Docker the service runs as a process, with the settings of the same file.
START = """start() { (set -a; . ./catalog.env; exec python -m mmptf_catalog serve) >> log.txt 2>&1 & SERVER=$!
trap 'kill $SERVER' EXIT; }"""
DEFINITIONS = {
    "docker build": ":",
    "catalog()": 'catalog() (set -a; . ./catalog.env; exec python -m mmptf_catalog "$@")',
    "owner()": 'owner() (set -a; . ./catalog.env; . ./owner.env; exec python -m mmptf_catalog "$@")',
    "start()": START,
    "stop()": "stop() { kill $SERVER; wait $SERVER || true; }",
    # A process writes the lines of the last moment together.
    "logs()": "logs() { sleep 0.1; cat log.txt; }",
}
# They need Docker and its Compose, which no test may use; that Compose accepts the file is tested in tests/deploy.
OF_COMPOSE = re.compile(r"cp \.env\.example |docker compose |curl http://localhost:8000/status$")


@pytest.mark.longer
def test_the_guide_runs_one_service_from_an_empty_server_to_a_restored_backup() -> None:
    commands = [command for command, _ in guide_entries("operations")]
    instead = {
        command: other for command in commands for begin, other in DEFINITIONS.items() if command.startswith(begin)
    }
    assert len(instead) == len(DEFINITIONS)
    of_compose = {command: ":" for command in commands if OF_COMPOSE.match(command)}
    assert len(of_compose) == 9
    port = free_port()
    with temporary_state() as state, running_postgres(state, durable=False) as server:
        run_guide(
            "operations",
            {"5432": f"{LOOPBACK}:{server.port}", "8000": f"{LOOPBACK}:{port}"},
            instead={**instead, **of_compose},
            variables=variables_of(server, port),
        )


@pytest.mark.longer
def test_an_installation_of_one_role_gets_two_as_the_guide_says(tmp_path: Path) -> None:
    (commands,) = re.findall(r"^### From one role to two\n.*?^```sh\n(.*?)^```", guide_text("operations"), re.M | re.S)
    port = free_port()
    ready = f"curl -s --retry 30 --retry-connrefused --retry-delay 1 http://{LOOPBACK}:{port}/health/ready > ready.json"
    with temporary_state() as state, running_postgres(state, durable=False) as server:
        # As the guide of before made it: one role, which owns the tables and serves.
        (tmp_path / "catalog.env").write_text(
            f"DATABASE_URL=postgresql://catalog:first-password@{LOOPBACK}:{server.port}/catalog\n"
        )
        before = (
            "psql -qc \"CREATE ROLE catalog LOGIN PASSWORD 'first-password'\"",
            'psql -qc "CREATE DATABASE catalog OWNER catalog"',
            'psql -qc "REVOKE ALL ON DATABASE catalog FROM PUBLIC"',
            "catalog migrate > migrated.txt && catalog seed > seeded.txt && start",
            ready,
            "grep -c 'may rewrite the journal' log.txt",
        )
        serving = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'catalog' AND usename <> 'postgres'"
        after = (
            ready,
            f'psql -Atc "{serving}" catalog',
            "grep -c 'may rewrite the journal' log.txt",
            "catalog seed",
            "cat migrated.txt",
        )
        script = "\n".join(["set -e", *(v for v in DEFINITIONS.values() if v != ":"), *before, commands, *after])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path, env={**os.environ, **variables_of(server, port)}, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
    head = migrations.head("mmptf_catalog")
    expected = ["1", f"catalog: schema at {head}", "catalog_serve", "1", "catalog: data at revision 353"]
    assert done.stdout.splitlines() == [*expected, f"catalog: schema at {head} (was empty)"], done.stderr


def variables_of(server: Postgres, port: int) -> dict[str, str]:
    """The environment of the guide: the superuser of the server, and the port of the service."""
    credentials, _, _ = server.admin_url().rpartition("@")
    return {
        "PATH": f"{Path(sys.executable).parent}:{_wheel_bin_dir()}:{os.environ['PATH']}",
        "PGHOST": LOOPBACK,
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGPASSWORD": credentials.rpartition(":")[2],
        "PORT": str(port),
    }


def named_beside_other_programs() -> list[str]:
    """The tests that the table of features names, which has 30 rows or more."""
    table = re.findall(
        r"^## Beside other programs\n.*?^\|---[^\n]*\n((?:\|[^\n]*\n)+)", guide_text("operations"), re.M | re.S
    )
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table[0].splitlines()]
    assert len(rows) >= 30
    assert {cell for _, *others, _ in rows for cell in others} <= {"yes", "no", "partly", "?", "n/a"}
    return [own.strip("`") for *_, own in rows if own != "no"]


def test_each_feature_that_the_suite_has_beside_other_programs_has_a_test() -> None:
    named = named_beside_other_programs()
    assert len(named) == len(set(named))
    for test in named:
        file, _, name = test.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.M), test


@pytest.mark.longer
def test_each_of_these_tests_is_collected() -> None:
    tests = named_beside_other_programs()
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-m", "", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
