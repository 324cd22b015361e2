"""The folder of the data: `.local` of the checkout; for root, one that an unprivileged user has access to."""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmptf_local.processes import CannotStart

UNPRIVILEGED_UID = 65534
"""PostgreSQL refuses to run as root; under root it runs as this user and group."""

ROOT_STATE = Path("/var/lib/mmptf-suite")


def unprivileged_uid() -> int | None:
    """The user that PostgreSQL must run as: 65534 under root, None for the current user."""
    return UNPRIVILEGED_UID if os.geteuid() == 0 else None


def checkout() -> Path:
    """The folder of the checkout this package is installed from, else the current folder."""
    folder = Path(__file__).resolve().parents[3]
    return folder if (folder / "local" / "pyproject.toml").is_file() else Path.cwd()


def state_dir() -> Path:
    """The folder of the suite's data, which stay from one start to the next; made if it is missing.

    `MMPTF_STATE_DIR` if set; `<checkout>/.local` for an ordinary user; for root
    `/var/lib/mmptf-suite/<instance>`, because the unprivileged user that PostgreSQL then runs as may have no
    access to the checkout. Raises CannotStart when the folder cannot be written.
    """
    named = os.environ.get("MMPTF_STATE_DIR")
    local = checkout() / ".local"
    try:
        if named:
            folder = Path(named).expanduser().absolute()
            missing = [path for path in (folder, *folder.parents) if not path.exists()]
            for path in reversed(missing):
                path.mkdir(mode=0o711)
        elif os.geteuid() == 0:
            folder = ROOT_STATE / _instance(local)
            _own_folder(ROOT_STATE)
            _own_folder(folder)
        else:
            _instance(local)
            folder = local
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder} is not ours to write")
    except OSError as error:
        raise CannotStart(f"no folder for the data: {error}; set MMPTF_STATE_DIR to another") from error
    return folder


@contextmanager
def temporary_state(parent: Path | None = None) -> Iterator[Path]:
    """A state folder for one test run, which PostgreSQL can reach under root as well; removed at the end.

    parent: the folder to make it in, if not the one for temporary files
    """
    folder = Path(tempfile.mkdtemp(prefix="mmptf-", dir=parent))
    try:
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_reachable(folder: Path) -> None:
    """Raise CannotStart when an unprivileged user cannot pass through the folder and all its parents."""
    for path in (folder, *folder.parents):
        if not path.stat().st_mode & 0o001:
            raise CannotStart(
                f"root runs PostgreSQL as user {UNPRIVILEGED_UID}, who cannot pass through {path}; "
                "set MMPTF_STATE_DIR to a folder outside it"
            )


def _instance(local: Path) -> str:
    """The random id of this checkout, made on the first start."""
    file = local / "instance"
    if not file.exists():
        local.mkdir(exist_ok=True)
        file.write_text(secrets.token_hex(8) + "\n")
        if os.geteuid() == 0:
            # The owner of the checkout must be able to start the suite without root later on.
            owner = local.parent.stat()
            os.chown(local, owner.st_uid, owner.st_gid)
            os.chown(file, owner.st_uid, owner.st_gid)
    instance = file.read_text().strip()
    if not re.fullmatch(r"[0-9a-f]{16}", instance):
        raise CannotStart(f"{file} does not hold an instance id; remove it, and a new one is made")
    return instance


def _own_folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
