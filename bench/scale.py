"""How large and how long a run is."""

from __future__ import annotations

import os
from dataclasses import dataclass

SIZES = (20_000, 1_000_000, 10_000_000)
QUICK_SIZES = (20_000, 100_000)


@dataclass(frozen=True)
class Scale:
    """rounds: of each comparison under load; seconds: of each contender in one; sizes: rows, the fewest first."""

    is_quick: bool
    rounds: int
    seconds: float
    sizes: tuple[int, ...]

    @classmethod
    def of_environment(cls) -> Scale:
        """As QUICK=1 and SIZES=20000,1000000 say; raises SystemExit for sizes that are none."""
        is_quick = os.environ.get("QUICK", "") not in ("", "0")
        given = os.environ.get("SIZES", "")
        try:
            sizes = tuple(sorted(int(each) for each in given.split(",") if each)) or (
                QUICK_SIZES if is_quick else SIZES
            )
        except ValueError as error:
            raise SystemExit(f"SIZES={given} is no list of numbers of rows such as 20000,1000000") from error
        return cls(is_quick, 4 if is_quick else 10, 1.0 if is_quick else 2.0, sizes)
