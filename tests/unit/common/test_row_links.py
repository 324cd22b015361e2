"""The links of totals and facets: the canonical query of the request with other values of some filters."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.http.parameters import pairs_of
from mmptf_common.lists.listing import OF_GROUPS, RowLinks
from mmptf_common.wire.links import current_base_path
from mmptf_funding.editions.queries import REQUIREMENTS
from mmptf_funding.editions.schemas import RequirementTotalsQuery

TEXTS = st.text(alphabet=st.sampled_from("AZaz09-_.~ +&=%/?#éß中"), min_size=1, max_size=6)
NAMES = ("area", "country", "edition", "place", "populations_named", "region", "status", "target_population")
MANY = st.lists(TEXTS, max_size=3)


@given(st.dictionaries(st.sampled_from(["area", "country", "place", "region"]), MANY), TEXTS, st.data())
def test_a_link_is_the_query_with_these_values(given: dict[str, list[str]], words: str, data: st.DataObject) -> None:
    query = RequirementTotalsQuery.model_construct(
        by=["region"], limit=3, q=words, **given, _fields_set={"by", "limit", "q", *given}
    )
    links = RowLinks(REQUIREMENTS, query)
    for _ in range(3):
        filters = data.draw(st.dictionaries(st.sampled_from(NAMES), TEXTS))
        others = [pair for pair in pairs_of(query, without=OF_GROUPS) if pair[0] not in filters]
        expected = sorted([*others, *filters.items()])
        path, _, text = links.path(filters).partition("?")
        assert (path, parse_qsl(text)) == (REQUIREMENTS.path, expected)
        assert text == urlencode(expected)


def test_a_link_without_filters_is_the_path_of_the_list() -> None:
    token = current_base_path.set("/api")
    links = RowLinks(REQUIREMENTS, RequirementTotalsQuery(by=["region"]))
    current_base_path.reset(token)
    assert links.path({}) == f"/api{REQUIREMENTS.path}"
    assert links.path({"region": "R 1"}) == f"/api{REQUIREMENTS.path}?region=R+1"
