"""Checks an edition's rows against the text of its document: figures and names have to be on the lines of their rows.

    python scripts/prove_lines.py DOCUMENT.txt [REQUIREMENTS.csv]

DOCUMENT.txt is the publication as plain text, which this project does not contain; lines are numbered from 1. The rows
are those of the packaged edition, or of any export of `/funding/v1/requirements?format=csv`, and the packaged
printed totals, initiatives, partners, figures of the texts, frameworks, offices, groups, acronyms, annotations and
contacts. Prints one line for every row of which a figure or a name is not on its line, for every text of our own that
has seven words that follow each other in the document, and for every name of the list of partners that no row has, and
exits with 1.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from own_words import runs_in, runs_of, words_of

ROOT = Path(__file__).parents[1]
DATA = ROOT / "services/funding/src/mmptf_funding/data/MI-2015"
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
        again = row.get("repeated_line") or ""
        if again and line(again).strip() != printed:
            yield f"{row['code']}: line {again} is {line(again)!r}, not {printed!r}"
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


WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# The figures that the text writes in words, and what they multiply.
NUMBERS = {
    **{word: Decimal(n) for n, word in enumerate(WORDS, 1)},
    **{"half": Decimal(50), "quarter": Decimal("0.25")},
    **{"third": Decimal("33.3"), "doubled": Decimal(2), "thrice": Decimal(3), "second": Decimal(2)},
}
SCALES = {"million": 10**6, "billion": 10**9}
# Printed in other words than numbers.
PHRASES = {"three quarters": Decimal(75), "six in every 10": Decimal(60), "third most": Decimal(3)}


def figures_in(printed: str) -> set[Decimal]:
    """The figures that a printed text may stand for, with and without the words that multiply them."""
    text = same(printed).replace("million11", "million")
    found = {number for words, number in PHRASES.items() if words in text}
    for digits, scale in re.findall(r"(\d[\d,]*(?:\.\d+)?)\s*(million|billion)?", text):
        found.add(Decimal(digits.replace(",", "")) * SCALES.get(scale, 1))
    for word, number in NUMBERS.items():
        for scale in re.findall(rf"{word}\b ?(million|billion)?", text):
            found.add(number * SCALES.get(scale, 1))
    return found


def figure_errors(lines: list[str], figures: list[dict[str, str]]) -> Iterator[str]:
    """One line for each figure of the texts that is not printed on its lines, or whose source is not named on its."""
    for row in figures:
        first, last = int(row["source_line"]), int(row["source_last_line"] or row["source_line"])
        text, printed = same(" ".join(lines[first - 1 : last])), same(row["as_printed"])
        if printed not in text:
            yield f"{row['code']}: lines {first} to {last} are {text!r}, without {printed!r}"
        for value in filter(None, (row["value"], row["value_to"])):
            if Decimal(value) not in figures_in(row["as_printed"]):
                yield f"{row['code']}: {row['as_printed']!r} is not {value}"
        if at := row["stated_source_line"]:
            named = set(words_of(" ".join(lines[int(at) - 1 : int(at) + 1])))
            if not named & set(words_of(row["stated_source"])):
                yield f"{row['code']}: line {at} does not name {row['stated_source']!r}"


def copied_texts(lines: list[str], texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for each text of our own, with the code of its record, that has a run of words of the document."""
    copied = runs_in(lines)
    for code, text in texts:
        for run in runs_of(words_of(text)) & copied:
            yield f"{code}: its words are those of the document: {' '.join(run)}"


def edition_errors(lines: list[str], edition: dict[str, str], publication: dict[str, Any]) -> Iterator[str]:
    """One line for each annotation without a number before its text, and each contact that is not on its line."""
    for number, cell in enumerate(edition["annotations"].split("|"), 1):
        at = cell.rpartition(":")[2].partition("-")[0]
        if not lines[int(at) - 1].strip().startswith(f"{number}."):
            yield f"{edition['code']}: annotation {number} does not begin in line {at}"
    for contact in publication["contacts"]:
        # The lines of an address are joined with commas.
        at = contact["line"]
        printed, begins = (" ".join(words_of(" ".join(lines[at - 1 : at - 1 + n]))) for n in (MOST_LINES, 1))
        if not 0 <= printed.find(" ".join(words_of(contact["value"]))) < len(begins):
            yield f"{publication['code']}: {contact['value']!r} does not begin in line {at}"
    for gap in publication["gaps"]:
        if gap["line"] and lines[gap["line"] - 1].strip() != gap["as_printed"]:
            yield f"{publication['code']}: line {gap['line']} is not {gap['as_printed']!r}"


def plain(text: str) -> str:
    """The same as `same`, without accents and with one kind of dash."""
    letters = unicodedata.normalize("NFD", same(text).replace("\u2013", "-"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


# What the text prints for these; other names of countries are those of the vocabulary and of `places.csv`.
PRINTED_NAMES = {
    "FSM": "Federate States of Micronesia", "VCT": "Saint Vicent and the Grenadinas",
    "XKX": "UNSC 1244-administered Kosovo",
}  # fmt: skip
STATED = {4: "four", 6: "six", 8: "eight", 9: "nine"}


def region_errors(
    lines: list[str], tables: dict[str, list[dict[str, str]]], vocabulary: list[dict[str, str]]
) -> Iterator[str]:
    """One line for each heading, name, figure, level or word of these tables that is not where it is said.

    tables: the rows of frameworks, framework-items, offices, groups and acronyms
    """
    names: dict[str, list[str]] = {code: [name] for code, name in PRINTED_NAMES.items()}
    for place in rows_of(ROOT / "common/src/mmptf_common/wire/places.csv"):
        names.setdefault(place["code"], []).extend([place["name"], *filter(None, place["other_names"].split("|"))])
    for term in vocabulary:
        if term["country_code"]:
            names[term["country_code"]] += [term["name"], *filter(None, term["as_printed"].split("|"))]
    document = plain(" ".join(lines))

    def between(row: dict[str, str]) -> str:
        first = int(row["source_line"])
        return plain(" ".join(lines[first - 1 : int(row["source_last_line"] or first)]))

    def begins(name: str, at: str) -> bool:
        first, following = (plain(" ".join(lines[int(at) - 1 : int(at) - 1 + n])) for n in (1, MOST_LINES))
        return 0 <= following.find(plain(name)) < len(first)

    def is_stated(figure: str, row: dict[str, str]) -> bool:
        """Whether a figure is on the row's lines, or on those that its note names, as a figure or a word."""
        noted = " ".join(
            lines[int(line) - 1] for line in re.findall(r"\b[0-9]{4,5}\b", row["note"]) if int(line) > 2100
        )
        forms = (figure, f"{int(figure):,}", STATED.get(int(figure), figure))
        return any(re.search(rf"\b{form}\b", f"{between(row)} {plain(noted)}") for form in forms)

    for row in tables["frameworks"]:
        code, period = row["code"], row["period_as_printed"]
        if plain(row["title_as_printed"]) not in between(row):
            yield f"{code}: {row['title_as_printed']!r} is not on line {row['source_line']}"
        if period and plain(period) not in plain(lines[int(row["period_line"]) - 1]):
            yield f"{code}: {period!r} is not on line {row['period_line']}"
        if re.findall("[0-9]{4}", period) not in ([], [row["period_from"]], [row["period_from"], row["period_to"]]):
            yield f"{code}: {period!r} is not {row['period_from']} to {row['period_to']}"
    for row in tables["framework-items"]:
        if plain(row["title"]) not in between(row):
            yield f"{row['code']}: {row['title']!r} is not on its lines, from {row['source_line']}"
        level = plain(row["level_as_printed"])
        if not any(form in document for form in (level, f"{level}s", re.sub("y$", "ies", level))):
            yield f"{row['code']}: no line has the level {level!r}"
    for row in tables["offices"]:
        for member in ("covers_as_printed", "founded"):
            if plain(row[member]) not in between(row):
                yield f"{row['code']}: {row[member]!r} is not on its lines, from {row['source_line']}"
        if row["seat"] and plain(row["seat"]) not in document:
            yield f"{row['code']}: no line has {row['seat']!r}"
    for row in tables["groups"]:
        # A hyphen at the end of a line may be lost.
        if plain(row["name"]).replace("-", "") not in between(row).replace("-", ""):
            yield f"{row['code']}: {row['name']!r} is not on its lines, from {row['source_line']}"
        if plain(row["abbreviation"]) not in document:
            yield f"{row['code']}: no line has {row['abbreviation']!r}"
    for row in tables["acronyms"]:
        if plain(row["acronym"]) != plain(lines[int(row["source_line"]) - 1]):
            yield f"{row['code']}: line {row['source_line']} is not {row['acronym']!r}"
        if plain(row["expansion"]) not in between(row):
            yield f"{row['code']}: {row['expansion']!r} is not on its lines, from {row['source_line']}"
    for row in (*tables["offices"], *tables["groups"]):
        for member in ("offices", "staff", "members_stated"):
            if row.get(member) and not is_stated(row[member], row):
                yield f"{row['code']}: {member} {row[member]} is not on its lines"
        for member in ("covers", "member_states", "members", "observers"):
            for country, _, at in (cell.rpartition(":") for cell in filter(None, row.get(member, "").split("|"))):
                if not any(begins(name, at) for name in names[country]):
                    yield f"{row['code']}: line {at} does not name {country}"


OF_REGIONS = ("frameworks", "framework-items", "offices", "groups", "acronyms")


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
    figures, (edition,) = rows_of(DATA / "figures.csv"), rows_of(DATA / "edition.csv")
    own = [(row["code"], row[column]) for row in figures for column in ("subject", "note", "reading_note")]
    own += [(edition["code"], cell) for cell in [edition["note"], *edition["annotations"].split("|")]]
    documents = json.loads((DATA.parent / "documents.json").read_text("utf-8"))
    (publication,) = (document for document in documents if document["code"] == edition["document"])
    vocabulary = rows_of(DATA / "vocabulary.csv")
    tables = {name: rows_of(DATA / f"{name}.csv") for name in OF_REGIONS}
    own += [
        (row["code"], row.get(member) or "")
        for rows in tables.values()
        for row in rows
        for member in ("text", "role", "note")
    ]
    found = [
        *errors(lines, requirements, others),
        *initiative_errors(lines, initiatives, vocabulary),
        *partner_errors(lines, partners),
        *figure_errors(lines, figures),
        *edition_errors(lines, edition, publication),
        *copied_texts(lines, own),
        *region_errors(lines, tables, vocabulary),
    ]
    counts = f"{len(requirements)} requirements, {len(others)} other figures, {len(partners)} partners"
    counts += f", {len(figures)} figures of the texts"
    counts = ", ".join([counts, *(f"{len(rows)} {name}" for name, rows in tables.items())])
    print("\n".join(found) or f"{counts} are on their lines")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
