"""The catalogue's command: mmptf-catalog serve | check | migrate | seed | erase-subject | openapi."""

from __future__ import annotations

import sys

from mmptf_catalog.app import SERVICE
from mmptf_common import cli


def main() -> None:
    """Run one command and exit with its exit code."""
    sys.exit(cli.main(SERVICE))


if __name__ == "__main__":
    main()
