"""Which build of the code a process runs: answers, ETags and cache keys of one build are no other's."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

SHARED = "mmptf-common"


@cache
def build_of(distribution: str) -> str:
    """Twelve hexadecimal digits that differ whenever what a distribution answers with may differ.

    Made from the bytes of every file of its package and of the shared one, as they are installed, and from the
    versions of the libraries that the two name: a version number is the same in many commits, and a contract does not
    show a query that gives other values. The place of the files is not in it, nor their dates, so that every copy of
    one build has the same fingerprint. Migrations are among the files and a service refuses any other schema than
    theirs: one build is one schema.
    """
    digest = hashlib.blake2b(digest_size=6)

    def add(name: str, content: bytes) -> None:
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)

    for ours in (SHARED, distribution):
        for library in _libraries(ours):
            add(library, b"")
        folder = _folder(ours)
        for file in sorted(folder.rglob("*")):
            if "__pycache__" not in file.parts and file.is_file():
                add(f"{folder.name}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return digest.hexdigest()


def described(distribution: str) -> str:
    """What `--version` prints: the distribution, its version and its build."""
    return f"{distribution} {version(distribution)} (build {build_of(distribution)})"


def _folder(distribution: str) -> Path:
    spec = find_spec(distribution.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"{distribution} is not installed as a package of files")
    return Path(spec.submodule_search_locations[0])


def _libraries(distribution: str) -> list[str]:
    """The libraries that a distribution names and that are installed, as `name==version`, in alphabetical order."""
    found = []
    for requirement in requires(distribution) or ():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            # Of an extra that this environment does without.
            continue
    return sorted(found)
