"""Every transaction that writes is begun in one way, which has time limits, and so is every migration."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.suite import FOLDERS, ROOT


def begins_transactions(tree: ast.AST) -> Iterator[str]:
    """What begins the transaction of a session, which all writes have."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="autocommit" | "begin" | "sessions"):
                yield node.attr
            case ast.Call(func=ast.Name(id="AsyncSession" | "WriteSession" | "async_sessionmaker" as name)):
                yield name


def test_every_write_has_the_time_limits_of_writes() -> None:
    found = {}
    for folder in (ROOT / "common", *FOLDERS.values()):
        for file in (folder / "src").rglob("*.py"):
            if "versions" not in file.parts and (names := set(begins_transactions(ast.parse(file.read_text())))):
                found[file.name] = names
    assert found == {
        "writing.py": {"WriteSession", "autocommit"},
        # Their limits are others: a migration may take as long as it needs, and waits for no lock for long.
        "migrations.py": {"begin"},
    }
