"""The fingerprint of the code that a process runs. ETags and cache keys contain it, so builds never share answers."""

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
    """Return twelve hexadecimal digits that change whenever the answers of a distribution may change.

    A hash of every installed file of its package and of the shared package, and of the versions of the libraries that
    both require. The version number is not enough, since many commits have the same one; neither is the contract,
    since it does not show that a query gives other values. Paths and dates of the files are left out, so every copy
    of one build has the same fingerprint. The migrations are among the files, and a service serves with no other
    schema than its own, or a newer one in which all that it reads is left.
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
    """The text of `--version`: the distribution, its version and its build."""
    return f"{distribution} {version(distribution)} (build {build_of(distribution)})"


def _folder(distribution: str) -> Path:
    spec = find_spec(distribution.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"{distribution} is not installed as a package of files")
    return Path(spec.submodule_search_locations[0])


def _libraries(distribution: str) -> list[str]:
    """The installed libraries that a distribution requires, as `name==version`, in alphabetical order."""
    found = []
    for requirement in requires(distribution) or ():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            # It belongs to an extra that is not installed here.
            continue
    return sorted(found)
