"""The commands of the guides, run word by word against a running suite."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

GUIDES = Path(__file__).parents[2] / "docs"


def guide_entries(guide: str) -> list[tuple[str, str]]:
    """The commands of a guide, each with the output that stands below it."""
    text = (GUIDES / f"{guide}.md").read_text("utf-8")
    blocks = "".join(re.findall(r"```console\n(.*?)```", text, re.DOTALL))
    return re.findall(r"^\$ (.+)\n((?:[^$].*\n)*)", blocks, re.MULTILINE)


def run_guide(guide: str, addresses: Mapping[str, str], *, curl_options: str = "") -> None:
    """Run all commands of a guide in one shell, since each rests on those before it, and compare what they print.

    addresses: port of the guide's `localhost` -> host and port where that process listens here
    curl_options: options that every curl of the guide gets
    """
    entries = guide_entries(guide)
    for port, address in addresses.items():
        entries = [(c.replace(f"localhost:{port}", address), o) for c, o in entries]
    curl = f'curl() {{ command curl {curl_options} "$@"; }}\n'
    script = curl + "\n".join(f"{command}\necho '#'" for command, _ in entries)
    answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert answer.stdout.split("#\n")[:-1] == [output for _, output in entries], answer.stderr
