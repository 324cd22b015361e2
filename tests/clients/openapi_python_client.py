"""A Python client of the gateway's contract, made by openapi-python-client."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.commands import run
from tests.contract.contracts import COMMITTED

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def generate(folder: Path) -> None:
    """Make the package `generated` in a folder."""
    # The generator knows files as octets only.
    media = ("text/csv", _XLSX, "application/yaml", "application/xml", "text/xml")
    overrides = "".join(f"  {each}: application/octet-stream\n" for each in media)
    (folder / "config.yaml").write_text(f"post_hooks: []\ncontent_type_overrides:\n{overrides}")
    options = ["--meta", "none", "--output-path", "generated", "--config", "config.yaml", "--fail-on-warning"]
    generator = Path(sys.executable).with_name("openapi-python-client")
    run(folder, generator, "generate", "--path", COMMITTED["gateway"], *options)
