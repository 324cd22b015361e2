"""Entity tags as callers and the proxies before them send them."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from mmptf_common.http import conditional
from mmptf_common.http.negotiation import representation
from mmptf_common.http.parameters import ListQuery
from mmptf_common.wire.problems import BadRequest, PreconditionRequired

TAG = '"352-0f1e2d3c4b5a697887"'


def request(*lines: tuple[str, str]) -> Request:
    headers = [(name.encode(), value.encode()) for name, value in lines]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    "lines",
    [
        [TAG], [f"W/{TAG}"], ['"other"', TAG], [TAG, '"other"'], ['"352-0f1e2d3c4b5a697887-gzip"'],
        ['W/"352-0f1e2d3c4b5a697887;gzip"'], ["*"],
    ],
)  # fmt: skip
def test_all_lines_of_if_none_match_are_compared(lines: list[str]) -> None:
    assert conditional.matches(request(*(("if-none-match", line) for line in lines)), TAG)


@pytest.mark.parametrize(
    "line",
    ["", '"other"', TAG.strip('"'), '"352-0f1e2d3c4b5a697887-other"', '"0352-0f1e2d3c4b5a697887"', '"gzip"', '"-gzip"'],
)
def test_another_tag_is_not_the_same(line: str) -> None:
    assert not conditional.matches(request(("if-none-match", line)), TAG)


def test_a_tag_that_names_a_coding_is_compared_as_it_is() -> None:
    assert conditional.matches(request(("if-none-match", '"-gzip"')), '""')


def test_the_tags_of_if_match() -> None:
    assert conditional.expected_tags(request(("if-match", "*"))) is None
    two = request(("if-match", f"W/{TAG}"), ("if-match", '"other", "7-000000000000000000-br"'))
    assert conditional.expected_tags(two) == [TAG, '"7-000000000000000000"']
    with pytest.raises(PreconditionRequired):
        conditional.expected_tags(request())
    with pytest.raises(BadRequest):
        conditional.expected_tags(request(("if-match", "352-0f1e2d3c4b5a697887")))


@pytest.mark.parametrize("size", [10_000, 60_000])
@pytest.mark.parametrize("part", ['"', ",", " ", '" ', '",', 'W/"', '"a-gzip', '"a",'])
def test_a_long_header_is_read_in_time_that_grows_with_it(part: str, size: int) -> None:
    with pytest.raises(BadRequest):
        conditional.tags_in(part * (size // len(part)) + "x", "If-Match")


def test_two_lines_of_accept_are_one_list() -> None:
    both = request(("accept", "text/html"), ("accept", "text/csv"))
    assert representation(both, ListQuery.model_validate({"sort": ["code"]})) == "csv"
