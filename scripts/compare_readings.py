"""Compares the two readings of what requirements are for, part by part, and the packaged reading that was settled.

    python scripts/compare_readings.py

`readings.csv` has the topics and narratives of both readers, who did not see each other's; the packaged rows have what
a third one settled with the text at hand. For each region are printed: the rows; the share of the topics of either
reader that both have; the rows with the same topics; the share of narrative lines of either reader that both have; and
of the topics that only one reader has, how many are in the packaged rows.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Set

from prove_lines import DATA, rows_of
from prove_purposes import HERE, ranges_of, several


def topics_of(cell: str) -> set[str]:
    """The codes of the topics of a cell."""
    return {topic for topic, _ in several(cell)}


def lines_of(cell: str) -> set[int]:
    """The lines of a narrative."""
    return {line for lines in ranges_of(cell) for line in lines}


def share(pairs: Iterable[tuple[Set[object], Set[object]]]) -> float:
    """Of all that one or the other has, the share that both have."""
    found = [(len(first & second), len(first | second)) for first, second in pairs]
    return sum(both for both, _ in found) / sum(either for _, either in found)


def main() -> int:
    """Print a line for each region, and one for all."""
    settled = {row["code"]: row for row in rows_of(DATA / "requirements.csv")}
    regions: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(HERE / "readings.csv"):
        regions[settled[row["code"]]["region"]].append(row)
    regions["All"] = [row for rows in [*regions.values()] for row in rows]
    print("| region | rows | topics in both | same topics | narrative lines in both | topics of one reader, kept |")
    print("|---|---|---|---|---|---|")
    for region, rows in regions.items():
        topics = [(topics_of(row["first_topics"]), topics_of(row["second_topics"])) for row in rows]
        lines = [(lines_of(row["first_narrative"]), lines_of(row["second_narrative"])) for row in rows]
        kept = [topics_of(settled[row["code"]]["topics"]) for row in rows]
        alone = [first ^ second for first, second in topics]
        taken = sum(len(one & last) for one, last in zip(alone, kept, strict=True))
        same = sum(first == second for first, second in topics)
        print(
            f"| {region} | {len(rows)} | {share(topics):.0%} | {same} | {share(lines):.1%}"
            f" | {taken} of {sum(map(len, alone))} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
