"""What a search asks for: words, phrases, exclusions and alternatives, and nothing that is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.http.search import SYNTAX, SearchError, parse_search, words
from mmptf_common.lists.listing import Arguments
from mmptf_common.lists.search import search_in


def read(text: str) -> tuple[list[list[str]], list[str]]:
    """The groups and the exclusions of a search, each term as text, phrases in quotes."""
    found = parse_search(text)

    def shown(terms: object) -> list[str]:
        return [f'"{" ".join(t.words)}"' if t.phrase else " ".join(t.words) for t in terms]  # type: ignore[attr-defined]

    return [shown(group) for group in found.groups], shown(found.excluded)


@pytest.mark.parametrize(
    ("text", "groups", "excluded"),
    [
        ("Human RIGHTS", [["human"], ["rights"]], []),
        ('"Human Rights" migrants', [['"human rights"'], ["migrants"]], []),
        ("“human rights”", [['"human rights"']], []),
        ("«human rights»", [['"human rights"']], []),
        ("human -rights", [["human"]], ["rights"]),
        ("human \u2212rights", [["human"]], ["rights"]),
        ("-rights human", [["human"]], ["rights"]),
        ('human -"child labour"', [["human"]], ['"child labour"']),
        ("human OR gender", [["human", "gender"]], []),
        ("a OR b OR c d", [["a", "b", "c"], ["d"]], []),
        ('kenya "human rights" OR gender', [["kenya"], ['"human rights"', "gender"]], []),
        ("a AND b", [["a"], ["b"]], []),
        ("a AND -b", [["a"]], ["b"]),
        ("human or gender", [["human"], ["or"], ["gender"]], []),
        ("Geneva-based", [["geneva based"]], []),
        ("SRB-01", [["srb 01"]], []),
        ("human-rights -Geneva-based", [["human rights"]], ["geneva based"]),
        ("human - rights", [["human"], ["rights"]], []),
        ("health & southern!", [["health"], ["southern"]], []),
        ("Bolivia (Plurinational State of)", [["bolivia"], ["plurinational"], ["state"], ["of"]], []),
        ("-a a OR b", [["a", "b"]], ["a"]),
        ("+human +rights", [["human"], ["rights"]], []),
        ("Côte d'Ivoire", [["cote"], ["d ivoire"]], []),
        ('"OR" -"NOT"', [['"or"']], ['"not"']),
        ("women's groups' rights", [["women s"], ["groups"], ["rights"]], []),
    ],
)
def test_a_search_is_read_as_people_expect(text: str, groups: list[list[str]], excluded: list[str]) -> None:
    assert read(text) == (groups, excluded)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('"human rights', "a quotation mark is not closed"),
        ("human “rights", "a quotation mark is not closed"),
        ('human ""', "nothing stands between two quotation marks"),
        ("-rights", "something has to be searched for"),
        ('-rights -"child labour"', "something has to be searched for"),
        ("OR human", "OR stands between"),
        ("human OR", "OR stands between"),
        ("human OR OR gender", "OR stands between"),
        ("human OR -gender", "OR stands between"),
        ("human -gender OR rights", "OR stands between"),
        ("human AND", "AND stands between"),
        ("human AND OR gender", "OR stands between"),
        ("human NOT gender", "NOT is written as a minus"),
        ("(human OR gender) rights", "parentheses do not group"),
        ("human -(gender rights)", "a minus excludes one word or phrase"),
        ("human (-gender)", "a minus excludes one word or phrase"),
        ("human | gender", "| is not understood"),
        ("human || gender", "| is not understood"),
        ("human !gender", "!"),
        ("human~2", "~ is not understood"),
        ("wom?n", "m?n is not understood"),
        ("'human rights'", "a phrase stands in double quotation marks"),
    ],
)
def test_what_is_not_supported_is_refused_with_what_is(text: str, reason: str) -> None:
    with pytest.raises(SearchError) as refused:
        parse_search(text)
    assert str(refused.value).startswith(reason)
    assert str(refused.value).endswith(f"it takes {SYNTAX}")


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\"-() OR'|")), max_size=100))
def test_a_search_is_understood_or_refused_and_no_word_is_dropped(text: str) -> None:
    try:
        found = parse_search(text)
    except ValueError:
        return
    terms = [term for group in found.groups for term in group] + [*found.excluded]
    asked = {word for term in terms for word in term.words}
    assert set(words(text)) - asked <= {"or", "and"}
    arguments = Arguments()
    sql = search_in("title", places="places && {}::text[]").where
    assert callable(sql)
    written = sql(text, arguments)
    assert written.count("$") == len(arguments) and "{" not in written


def test_words_fold_case_and_accents() -> None:
    assert words("Sucumbíos, TÜRKİYE & Côte-d'Ivoire!") == ["sucumbios", "turkiye", "cote", "d", "ivoire"]
