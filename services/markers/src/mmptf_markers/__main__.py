"""The marker service's command: mmptf-markers serve | migrate | seed | openapi."""

from __future__ import annotations

import sys

from mmptf_common import cli
from mmptf_markers.app import SERVICE


def main() -> None:
    """Run one verb and exit with its code."""
    sys.exit(cli.main(SERVICE))


if __name__ == "__main__":
    main()
