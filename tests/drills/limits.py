"""The limits of a process in the deployment, which the drills measure."""

from __future__ import annotations

import yaml

from tests.suite import ROOT

_PROCESS = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["x-process"]

MEMORY_BYTES = int(_PROCESS["deploy"]["resources"]["limits"]["memory"].removesuffix("M")) * 1_048_576
"""The memory of a container."""

DESCRIPTORS = int(_PROCESS.get("ulimits", {}).get("nofile", 1024))
"""The open files of a process: the deployment's limit, else the one that Linux gives a process by default."""
