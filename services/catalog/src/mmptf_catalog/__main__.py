"""The catalogue's command: mmptf-catalog serve | migrate | seed | openapi."""

from __future__ import annotations

import sys

from mmptf_common import cli

from mmptf_catalog.app import SERVICE


def main() -> None:
    sys.exit(cli.main(SERVICE))


if __name__ == "__main__":
    main()
