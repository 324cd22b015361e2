"""The commands of the guide for operators: one service, from an empty database server to a restored backup."""

from __future__ import annotations

import os
import re

import pytest

from mmptf_local.postgres import _wheel_bin_dir, running_postgres
from mmptf_local.processes import LOOPBACK, free_port
from mmptf_local.state import temporary_state
from tests.e2e.guides import guide_entries, run_guide

# Without Docker the service runs as a process, with the settings of the same file.
START = """start() { (set -a; . ./catalog.env; exec python -m mmptf_catalog serve) >> log.txt 2>&1 & SERVER=$!
trap 'kill $SERVER' EXIT; }"""
DEFINITIONS = {
    "docker build": ":",
    "catalog()": 'catalog() (set -a; . ./catalog.env; exec python -m mmptf_catalog "$@")',
    "start()": START,
    "stop()": "stop() { kill $SERVER; wait $SERVER || true; }",
    "logs()": "logs() { cat log.txt; }",
}
# They need Docker and its Compose, which no test may use; that Compose accepts the file is tested in tests/deploy.
OF_COMPOSE = re.compile(r"cp \.env\.example |docker compose |curl http://localhost:8000/status$")


@pytest.mark.drills
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
        credentials, _, _ = server.admin_url().rpartition("@")
        run_guide(
            "operations",
            {"5432": f"{LOOPBACK}:{server.port}", "8000": f"{LOOPBACK}:{port}"},
            instead={**instead, **of_compose},
            variables={
                "PATH": f"{_wheel_bin_dir()}:{os.environ['PATH']}",
                "PGHOST": LOOPBACK,
                "PGPORT": str(server.port),
                "PGUSER": "postgres",
                "PGPASSWORD": credentials.rpartition(":")[2],
                "PORT": str(port),
            },
        )
