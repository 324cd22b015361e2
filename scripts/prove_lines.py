"""Checks an edition's rows against the text of its document: figures and names have to be on the lines of their rows.

    python scripts/prove_lines.py DOCUMENT.txt [REQUIREMENTS.csv]

DOCUMENT.txt is the publication as plain text, which this project does not contain; lines are numbered from 1. The rows
are those of the packaged edition, or of any export of `/funding/v1/requirements?format=csv`, and the packaged
printed totals, initiatives and partners. Prints one line for every row of which a figure or a name is not on its line,
and for every name of the list of partners that no row has, and exits with 1.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parents[1] / "services/funding/src/mmptf_funding/data/MI-2015"
# Names of countries that are no places of the edition, or that its text also prints otherwise.
OTHER_NAMES = {"MWI": ["Malawi"], "SAU": ["Saudi Arabia"], "XKX": ["Kosovo"]}
# A title or a name takes this many lines at most.
MOST_LINES = 6
ENDS = ((min, "source_line"), (max, "source_last_line"))


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def same(text: str) -> str:
    """The text in one form: single spaces, one kind of hyphen and apostrophe, lower case."""
    return re.sub(r"\s+", " ", text.replace("\u2010", "-").replace("\u2019", "'")).strip().casefold()


def errors(lines: list[str], requirements: list[dict[str, str]], others: list[dict[str, str]]) -> Iterator[str]:
    """One line for each row that the document does not confirm."""

    def line(number: str) -> str:
        return lines[int(number) - 1] if number and int(number) <= len(lines) else ""

    def several(first: str, last: str) -> str:
        """The text from one line to another, the same one where there is no other."""
        return " ".join(lines[int(first) - 1 : int(last or first)]) if first else ""

    figures: dict[str, str] = {}
    for row in requirements:
        code, printed, at = row["code"], row["amount_as_printed"], row["source_line"]
        if row["status"] == "missing_in_source":
            if at or printed or row["amount_usd"]:
                yield f"{code}: its status is missing_in_source, but it has a figure"
        elif line(at).strip() != printed:
            yield f"{code}: line {at} is {line(at)!r}, not {printed!r}"
        elif row["status"] == "required" and re.sub(r"\D", "", printed) + ".00" != row["amount_usd"]:
            yield f"{code}: {printed!r} is not {row['amount_usd']}"
        elif row["status"] == "funded" and same(printed) != "funded":
            yield f"{code}: {printed!r} is not 'funded'"
        if at and (first := figures.setdefault(at, code)) != code:
            yield f"{code}: line {at} is used by {first}, too"
        for kind, heading in (("heading", row["area_as_printed"]), ("place", row["place_as_printed"])):
            first, last = row[f"{kind}_line"], row[f"{kind}_last_line"]
            found = same(several(first, last))
            if first and same(heading) not in found:
                yield f"{code}: lines {first} to {last or first} are {found!r}, without {heading!r}"
            if last and same(heading) in same(several(first, str(int(last) - 1))):
                yield f"{code}: {heading!r} ends before line {last}"
        if "target populations" not in same(line(row["target_populations_line"])):
            yield f"{code}: line {row['target_populations_line']} is not a heading of target populations"
    for row in others:
        printed = row.get("as_printed") or row["amount_as_printed"] or ""
        if printed and same(printed) not in same(several(row["source_line"], row.get("source_last_line") or "")):
            yield f"{row['code']}: line {row['source_line']} does not contain {printed!r}"
        target = row.get("target_as_printed") or ""
        if target and target not in line(row["target_line"]):
            yield f"{row['code']}: line {row['target_line']} does not contain {target!r}"


def initiative_errors(
    lines: list[str], initiatives: list[dict[str, str]], vocabulary: list[dict[str, str]]
) -> Iterator[str]:
    """One line for each title without an amount, country, partner or heading of a section that is not where it is said.

    What takes several lines has to begin in the first of them.
    """
    places = [row for row in vocabulary if row["kind"] == "place" and row["country_code"]]
    names = {row["country_code"]: [row["name"], *row["as_printed"].split("|")] for row in places}
    for code, others in OTHER_NAMES.items():
        names.setdefault(code, []).extend(others)

    def begins(name: str, at: str) -> bool:
        first, following = (same(" ".join(lines[int(at) - 1 : int(at) - 1 + n])) for n in (1, MOST_LINES))
        return 0 <= following.find(same(name)) < len(first)

    for row in initiatives:
        code = row["code"]
        if not row["amount"] and not begins(row["name"], row["source_line"]):
            yield f"{code}: {row['name']!r} does not begin in line {row['source_line']}"
        if row["area_line"] and not begins(row["section"], row["area_line"]):
            yield f"{code}: the heading {row['section']!r} does not begin in line {row['area_line']}"
        for country, _, at in (cell.rpartition(":") for cell in filter(None, row["countries"].split("|"))):
            if not any(begins(name, at) for name in names[country]):
                yield f"{code}: line {at} does not name {country}"
        for name, _, at in (cell.rpartition(":") for cell in filter(None, row["partners"].split("|"))):
            if not begins(name, at):
                yield f"{code}: {name!r} does not begin in line {at}"


def partner_errors(lines: list[str], partners: list[dict[str, str]]) -> Iterator[str]:
    """One line for each name that the list of partners has and the rows have not, or have on other lines."""
    first, last = (choose(int(row[line] or row["source_line"]) for row in partners) for choose, line in ENDS)
    printed: list[tuple[str, int, int]] = []
    at = 0
    # Each name ends with the sign that stands before the next one, also where it goes on in the next line.
    words = [(word, number) for number in range(first, last + 1) for word in lines[number - 1].split()]
    for n, (word, _) in enumerate([*words, ("•", last)]):
        if word == "•":
            name = words[at:n]
            printed.append((" ".join(word for word, _ in name), name[0][1], name[-1][1]))
            at = n + 1
    rows = [
        (row["as_printed"], int(row["source_line"]), int(row["source_last_line"] or row["source_line"]))
        for row in partners
    ]
    for missing in Counter(printed) - Counter(rows):
        yield f"{missing} is printed, and no partner"
    for added in Counter(rows) - Counter(printed):
        yield f"{added} is a partner, and not printed"
    if rows != printed and Counter(rows) == Counter(printed):
        yield "the partners are in another order than in the list"


def main() -> int:
    """Print the errors, or the number of checked rows; returns the exit code: 0 all right, 1 errors, 2 usage."""
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    # Not splitlines: it would end a line at a form feed and at other separators, too.
    lines = Path(sys.argv[1]).read_text("utf-8").split("\n")
    requirements = rows_of(Path(sys.argv[2]) if len(sys.argv) == 3 else DATA / "requirements.csv")
    others = [row for name in ("printed-totals", "initiatives") for row in rows_of(DATA / f"{name}.csv")]
    partners, initiatives = rows_of(DATA / "partners.csv"), rows_of(DATA / "initiatives.csv")
    found = [
        *errors(lines, requirements, others),
        *initiative_errors(lines, initiatives, rows_of(DATA / "vocabulary.csv")),
        *partner_errors(lines, partners),
    ]
    counts = f"{len(requirements)} requirements, {len(others)} other figures and {len(partners)} partners"
    print("\n".join(found) or f"{counts} are on their lines")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
