"""The commands of the guides, run word by word against a running suite."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from urllib.parse import urlsplit

from mmptf_local.suite import Suite

GUIDES = Path(__file__).parents[2] / "docs"
# Programs that a machine may lack. A guide's commands that begin with one are then left out.
OPTIONAL = ("node", "Rscript")


def guide_text(guide: str) -> str:
    return (GUIDES / f"{guide}.md").read_text("utf-8")


def guide_entries(guide: str) -> list[tuple[str, str]]:
    """The commands of a guide, each with the output that stands below it."""
    blocks = "".join(re.findall(r"```console\n(.*?)```", guide_text(guide), re.DOTALL))
    return re.findall(r"^\$ (.+)\n((?:[^$].*\n)*)", blocks, re.MULTILINE)


def guide_files(guide: str) -> dict[str, str]:
    """The files of a guide by their names, which end the line above their block, in backticks and before a colon."""
    return dict(re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", guide_text(guide), re.DOTALL))


def addresses_of(suite: Suite) -> dict[str, str]:
    """Where the processes of a suite listen that the guides name, by the ports that these have there."""
    return {port: urlsplit(suite.urls[name]).netloc for port, name in (("8000", "gateway"), ("8001", "issuer"))}


def run_guide(
    guide: str,
    addresses: Mapping[str, str],
    *,
    curl_options: str = "",
    instead: Mapping[str, str] = MappingProxyType({}),
    variables: Mapping[str, str] = MappingProxyType({}),
    texts: Mapping[str, str] = MappingProxyType({}),
    folder: Path | None = None,
) -> set[str]:
    """Run all commands of a guide in one shell, since each rests on those before it, and compare what they print.

    The shell begins in a new folder, or in `folder`, which is given the guide's files. `python` is the interpreter of
    the tests. What comes back are the programs that are not installed, whose commands were left out.

    addresses: port of the guide's `localhost` -> host and port where that process listens here
    curl_options: options that every curl of the guide gets
    instead: command of the guide -> what is run in its place; such a command prints nothing
    variables: of the environment of the shell, beside those of the tests
    texts: further texts of commands and files, each with what stands for it here
    """
    here = {**texts, **{f"localhost:{port}": address for port, address in addresses.items()}}

    def local(text: str) -> str:
        for written, actual in here.items():
            text = text.replace(written, actual)
        return text

    missing = {program for program in OPTIONAL if not shutil.which(program)}
    assert set(instead) <= {command for command, _ in guide_entries(guide)}
    entries = [(instead.get(c, local(c)), "" if c in instead else o) for c, o in guide_entries(guide)]
    left_out = {c.split()[0] for c, _ in entries} & missing
    entries = [(c, o) for c, o in entries if c.split()[0] not in missing]
    curl = f'curl() {{ command curl {curl_options} "$@"; }}\n'
    script = curl + "\n".join(f"{command}\necho '#'" for command, _ in entries)
    environment = {**os.environ, **variables}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    with TemporaryDirectory() as new:
        folder = folder or Path(new)
        for name, text in guide_files(guide).items():
            (folder / name).write_text(local(text), "utf-8")
        answer = subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=folder,
            env=environment,
        )
    printed = answer.stdout.split("#\n")[:-1]
    others = [(command, found) for (command, output), found in zip(entries, printed, strict=False) if found != output]
    assert len(printed) == len(entries) and not others, f"{len(printed)} commands, {others[:3]}\n{answer.stderr}"
    return left_out
