"""A process that serves imports nothing that only another verb, or another configuration, needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.suite import SERVICES

# The client of Redis looks whether cryptography is there, without loading its bindings.
MODELS = {"asyncio", "fastapi", "pydantic", "sqlalchemy", "starlette"}
ELSEWHERE = {"alembic", "cryptography.hazmat", "jwt", "openpyxl"}
OF_CLIENTS = {"httpx"}
IMPORTS = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sys.modules)
"""


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        *((f"mmptf_{service}.__main__", ELSEWHERE) for service in SERVICES),
        ("mmptf_catalog.__main__", OF_CLIENTS),
        ("mmptf_gateway.__main__", ELSEWHERE | OF_CLIENTS | {"asyncpg", "redis", "sqlalchemy", "sqlmodel"}),
    ],
)
def test_a_server_imports_what_it_needs(module: str, unneeded: set[str]) -> None:
    imported = imported_with(module)
    assert "fastapi" in imported
    assert not imported & unneeded


def test_the_process_that_reads_an_uploaded_table_starts_without_models() -> None:
    imported = imported_with("mmptf_common.writes.read_tables")
    assert "json" in imported
    assert not imported & (MODELS | {"openpyxl"})


def imported_with(module: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", IMPORTS, module], capture_output=True, text=True, check=True)
    return set(done.stdout.split())
