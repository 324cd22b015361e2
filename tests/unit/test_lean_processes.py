"""A process that serves imports nothing that only another verb, or another configuration, needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.suite import SERVICES

# The client of Redis looks whether cryptography is there, without loading its bindings.
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
    done = subprocess.run([sys.executable, "-c", IMPORTS, module], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "fastapi" in imported
    assert not imported & unneeded
