"""Texts show something and hide nothing: every code point is either shown, refused, or taken where scripts need it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import unicodedata
from functools import cache
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mmptf_common.wire.base import RequestModel, Text
from mmptf_common.wire.problems import reason_of
from mmptf_common.wire.tables import Text as CellText
from mmptf_common.wire.texts import IN_CONTRACTS, PATTERN_IN_CONTRACTS
from tests.contract.contracts import APIS, contract_of

TEXT: TypeAdapter[str] = TypeAdapter(Text)
CELL: TypeAdapter[str] = TypeAdapter(CellText)
# What shows nothing and is of a category of what is seen or of marks.
BLANK = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159, 0x13440}
# What shows nothing and is taken between letters: the marks of direction, what joins, and what selects.
DIRECTION = {0x061C, 0x200E, 0x200F}
JOINING = {0xAD, 0x200B, 0x200C, 0x200D, 0x180B, 0x180C, 0x180D, 0x180E, 0x180F}
SELECTING = {*range(0xFE00, 0xFE10)}
IDEOGRAPHIC = {*range(0xE0100, 0xE01F0)}
# Signs of numbers, verses and years in Arabic, Syriac and Kaithi: of the category of formats, and seen.
SEEN = {*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
# Emoji to come.
RESERVED = range(0x1F000, 0x1FB00)
WHITE = {0x09, 0x0A, 0x0D, 0x85, 0x2028, 0x2029}


def is_accepted(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        return adapter.validate_python(text) == text
    except ValidationError:
        return False


def is_hidden(number: int) -> bool:
    """Whether a code point shows nothing, by its category."""
    return number in BLANK | SELECTING | JOINING or unicodedata.category(chr(number)) in {"Cc", "Cf", "Cn", "Cs"}


# All of the planes with scripts, and of the plane of tags; of the others, which have no characters, one in 257.
WALKED = (*range(0x40000), *range(0x40000, 0xE0000, 257), *range(0xE0000, 0xE1000), *range(0xE1000, 0x110000, 257))


def test_no_text_holds_what_nobody_sees() -> None:
    allowed = DIRECTION | JOINING | SELECTING
    hidden = [n for n in WALKED if is_hidden(n) and n not in SEEN and n not in WHITE and n not in RESERVED]
    assert len(hidden) > 50_000
    for number in hidden:
        character = chr(number)
        assert not is_accepted(TEXT, character), hex(number)
        for adapter in (TEXT, CELL):
            assert is_accepted(adapter, f"a{character}b") == (number in allowed), hex(number)


def test_selectors_of_ideographs_stand_after_one() -> None:
    for number in IDEOGRAPHIC:
        assert not is_accepted(TEXT, f"a{chr(number)}b")
        assert is_accepted(TEXT, f"葛{chr(number)}城")
        assert not is_accepted(TEXT, f"葛{chr(number) * 2}城")


def test_the_planes_of_private_use_are_refused() -> None:
    for number in range(0xF0000, 0x110000, 257):
        assert not is_accepted(TEXT, f"a{chr(number)}b")


def test_what_joins_or_selects_stands_alone_and_after_something() -> None:
    allowed = sorted(DIRECTION | JOINING | SELECTING)
    for first in allowed:
        for second in allowed:
            joined = first in SELECTING and second == 0x200D
            assert is_accepted(TEXT, f"a{chr(first)}{chr(second)}b") == joined, (hex(first), hex(second))
        assert is_accepted(TEXT, f"a {chr(first)}b") == (first in DIRECTION), hex(first)
        assert is_accepted(TEXT, f"{chr(first)}b") == (first in DIRECTION), hex(first)


def test_marks_alone_are_no_text() -> None:
    marks = [n for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)) in {"Mn", "Mc", "Me"}]
    assert len(marks) > 2_000
    for number in marks:
        assert not is_accepted(TEXT, chr(number)), hex(number)
        assert not is_accepted(TEXT, f" {chr(number)} "), hex(number)


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648", "क्\u200dष", "❤\ufe0f\u200d🔥", "👩\u200d👩\u200d👧 1\ufe0f\u20e3",
        "مرحبا\u200f (2025)",
        "\u200f2025 سنة", "ភាសា\u200bខ្មែរ", "Soft\u00adhyphen", "Côte d\u2019Ivoire", "e\u0301tude", "葛\U000e0100城",
        "“quotes” — dashes…", "🇺🇳 🇰🇪", "€ 5 · ½ ✓", "ᠮᠣᠩᠭᠣᠯ\u180e", "\u0601 12", "one\n\ttwo", "ǆ Ω я 中 ไ",
    ],
)  # fmt: skip
def test_an_honest_text_is_taken(text: str) -> None:
    assert is_accepted(TEXT, text)
    assert re.search(PATTERN_IN_CONTRACTS, text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ab\U000e0041", "character 3 is U+E0041 TAG LATIN CAPITAL LETTER A"),
        # The flag of England.
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "character 2 is U+E0067 TAG LATIN"),
        ("é\u200c\u200d", "character 3 is U+200D ZERO WIDTH JOINER, which is taken only after a character that shows"),
        ("\ufe0fé", "character 1 is U+FE0F VARIATION SELECTOR-16, which is taken only after a letter or a sign"),
        ("é\U000e0100", "character 2 is U+E0100 VARIATION SELECTOR-17, which is taken only after an ideograph"),
        ("a\u0378", "character 2 is U+0378 no character, and no character of Unicode"),
        ("a\u2800", "character 2 is U+2800 BRAILLE PATTERN BLANK"),
        ("\u0301", "it has marks for letters alone"),
    ],
)  # fmt: skip
def test_an_error_names_the_character(text: str, named: str) -> None:
    class Body(RequestModel):
        text: Text

    with pytest.raises(ValidationError) as caught:
        Body(text=text)
    (error,) = caught.value.errors()
    assert named in reason_of(error)


def patterns(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(patterns, node))
    if not isinstance(node, dict):
        return set()
    own = {node["pattern"]} if isinstance(node.get("pattern"), str) else set()
    return own.union(*map(patterns, node.values()))


@cache
def of_contracts() -> list[str]:
    return sorted(set().union(*(patterns(contract_of(api)) for api in APIS)))


def test_patterns_of_contracts_are_those_of_javascript() -> None:
    assert PATTERN_IN_CONTRACTS in of_contracts()
    assert len(of_contracts()) > 20
    for pattern in of_contracts():
        assert not re.search(r"\\[pPUAZzGKQE]|\(\?|[*+?}]\+|\[:|\\x\{|\\u\{", pattern), pattern
        re.compile(pattern)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_takes_the_same_texts() -> None:
    texts = [
        "=1", " =1", "\u200b=1", "@a", "\uff1d1", "\t=1", "\tx", "\rx", "", " ", "\u200b", "\u2800", "a\u202eb", "a",
        " a", "é", "🏴", "-5 %", "a=b",
    ]  # fmt: skip
    script = """
        const [patterns, texts, text] = JSON.parse(require("fs").readFileSync(0))
        for (const flags of ["", "u"]) for (const each of patterns) new RegExp(each, flags)
        console.log(JSON.stringify(["", "u"].map(flags => texts.map(t => new RegExp(text, flags).test(t)))))
    """
    given = json.dumps([of_contracts(), texts, PATTERN_IN_CONTRACTS])
    done = subprocess.run(["node", "-e", script], input=given, capture_output=True, text=True, check=True)
    expected = [is_accepted(TEXT, text) for text in texts]
    assert json.loads(done.stdout) == [expected, expected]


def test_members_of_bodies_state_the_rule() -> None:
    schemas = contract_of("gateway")["components"]["schemas"].values()
    members = [member for schema in schemas for member in schema.get("properties", {}).values()]
    texts = [member for member in members if PATTERN_IN_CONTRACTS in patterns(member)]
    assert len(texts) > 20
    assert {member["description"].count(IN_CONTRACTS) for member in texts} == {1}
