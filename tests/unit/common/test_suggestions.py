"""A code is suggested only where it is nearly certain that it was meant."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.places import places
from mmptf_common.wire.suggestions import fold, is_typo, neighbours, suggestion_among

WORDS = st.from_regex(r"[a-z]{8,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("MARK-KNOWNN", "MARK-KNOWN"), ("WBALKAN-01", "WBALKANS-01"), ("MARK-KNWON", "MARK-KNOWN"), ("M-011", "M-11"),
        ("UNHCRR", "UNHCR"), ("MKD01", "MKD-01"), ("mkd_01", "MKD-01"), ("ETH-1", "ETH-01"), ("eats", "east"),
        ("soth", "south"), ("healht", "health"), ("human_right", "human_rights"), ("sustainabilety", "sustainability"),
    ],
)  # fmt: skip
def test_a_typo(given: str, code: str) -> None:
    assert is_typo(given, code)
    assert fold(code) in neighbours(given)
    assert str(suggestion_among(given, [code, "another"])) == f"did you mean {code}?"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("KENN", "KEN"), ("KEM", "KEN"), ("EKN", "KEN"), ("UNDP", "UNEP"), ("IMO", "IOM"), ("UNITAD", "UNITAR"),
        ("ETH-02", "ETH-01"), ("MDG-01", "MDA-01"), ("MKD-01x", "MKD-01"), ("MI-2051", "MI-2015"), ("11", "1"),
        ("MARC-KNOWN", "MARK-KNOWN"), ("west", "east"), ("x", "y"), ("", "a"), ("document-l", "document-1"),
        ("K\u00e9nya-east", "Kenya-east"), ("east coast", "eastcoast"), ("a" * 66, "a" * 65),
    ],
)  # fmt: skip
def test_another_code_is_no_typo(given: str, code: str) -> None:
    assert not is_typo(given, code)
    assert suggestion_among(given, [code]) is None


def test_no_country_is_suggested_for_another_countrys_code_or_for_none() -> None:
    countries = [code for code, place in places().items() if place.kind == "country"]
    for code in (f"{a}{b}{c}" for a in "ABK" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for c in "AENRZ"):
        found = suggestion_among(code, countries)
        assert found is None or found.code == code
    # A valid code that a list does not have.
    assert suggestion_among("MDG", [code for code in countries if code != "MDG"]) is None


def test_case_comes_first_then_places_then_typos() -> None:
    assert str(suggestion_among("ken", ["KEN", "Kent"])) == "did you mean KEN?"
    assert suggestion_among("ken", ["KEN", "Ken"]) is None
    found = suggestion_among("KE", ["KEN", "UGA"])
    assert (str(found), found and found.sentence) == ("KEN is the code of Kenya", "KEN is the code of Kenya.")
    assert suggestion_among("KE", ["UGA"]) is None


@given(WORDS, st.integers(0, 30), st.sampled_from("abcxyz"))
def test_every_typo_in_a_word_is_looked_up(code: str, where: int, letter: str) -> None:
    n = where % (len(code) - 1)
    without, added = code[:n] + code[n + 1 :], code[:n] + letter + code[n:]
    swapped, replaced = code[:n] + code[n + 1] + code[n] + code[n + 2 :], code[:n] + letter + code[n + 1 :]
    for written in {without, added, swapped, replaced} - {code}:
        assert is_typo(written, code)
        assert code in neighbours(written)
        # Where two codes are as near, none of them is nearly certain.
        assert suggestion_among(written, [code]) and not suggestion_among(written, [code, f"{written}-", f"-{code}"])


PARTS = st.sampled_from(["ken", "uga", "mark", "known", "x", "1", "0", "01", "010", "007", "2015", "northern", "east"])
JOINS = st.sampled_from(["", "-", "_", ".", "-", "--"])
CODE = re.compile(CODE_PATTERN)
LETTERS, SEPARATORS = string.ascii_lowercase, "-_."


def edited(text: str) -> set[str]:
    """Every text with another character, one more, one less, or two exchanged in one place."""
    cuts = [(text[:n], text[n:]) for n in range(len(text) + 1)]
    found = {before + after[1:] for before, after in cuts if after}
    found |= {before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1}
    found |= {before + c + after[1:] for before, after in cuts if after for c in LETTERS + SEPARATORS}
    return found | {before + c + after for before, after in cuts for c in (*LETTERS, *SEPARATORS, "0", "00")}


@given(st.lists(st.tuples(JOINS, PARTS), min_size=1, max_size=4).map(lambda parts: "".join(map("".join, parts))))
def test_every_code_with_a_typo_in_one_place_is_looked_up(written: str) -> None:
    codes = {text for text in edited(written) - {written} if CODE.fullmatch(text) and is_typo(written, text)}
    if len(written) >= 2:
        assert codes <= {*neighbours(written)}


def test_few_texts_are_looked_up_for_a_code_without_long_words() -> None:
    assert len(neighbours("KEN-UGA-01")) < 30
    assert len(neighbours("ZZZ-0001-NOSUCHONE")) < 600


def test_the_neighbours_of_the_longest_code_are_few() -> None:
    assert len(neighbours("x" * 64)) < 4_000
    assert neighbours("x" * 65) == neighbours("é" * 5) == neighbours("x") == []
