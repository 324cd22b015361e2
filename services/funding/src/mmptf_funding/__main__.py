"""The funding service's command: mmptf-funding serve | check | migrate | seed | erase-subject | import | openapi."""

from __future__ import annotations

import sys

from mmptf_common import cli
from mmptf_funding.app import SERVICE
from mmptf_funding.imports import command_line

IMPORT = cli.Verb(command_line.HELP, command_line.add_arguments, command_line.run)


def main() -> None:
    """Run one command and exit with its exit code."""
    sys.exit(cli.main(SERVICE, own={"import": IMPORT}))


if __name__ == "__main__":
    main()
