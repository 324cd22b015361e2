"""The URL of a Redis or a Valkey: what it may state, and what is said of one that is wrong."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_catalog.app import SERVICE
from mmptf_common.cli import main
from mmptf_common.process.redis_url import PARAMETERS, RedisUrl, read_redis_url

SECRET = "s3cr3t"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(TEXTS, TEXTS)
def test_names_and_passwords_of_any_characters(user: str, password: str) -> None:
    parts = [quote(part, safe="") for part in (user, password)]
    for url in ("redis://{}:{}@h/2", "redis://h/2?username={}&password={}"):
        read = read_redis_url(url.format(*parts))
        assert (read.username, read.password, read.database) == (user, password, 2)


def url_of(**stated: object) -> RedisUrl:
    given: dict[str, object] = {
        "kind": "server", "hosts": (("h", 6379),), "socket": None, "service": None, "username": None, "password": None,
        "database": 0, "tls": None, "sentinel": {},
    }  # fmt: skip
    return RedisUrl(**{**given, **stated})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("redis://h", url_of()),
        ("redis://:p@h:1/3", url_of(hosts=(("h", 1),), password="p", database=3)),
        ("valkeys://h?ssl_ca_certs=/ca.pem", url_of(tls={"ssl_ca_certs": "/ca.pem"})),
        ("rediss://h?ssl_check_hostname=False", url_of(tls={"ssl_check_hostname": False})),
        ("unix:///run/redis.sock?db=2", url_of(hosts=(), socket="/run/redis.sock", database=2)),
        ("redis+sentinel://:p@a,b:7/the-cache/2?sentinel_password=s",
         url_of(kind="sentinel", hosts=(("a", 26379), ("b", 7)), service="the-cache", password="p", database=2,
                sentinel={"password": "s"})),
        ("rediss+cluster://:p@a,[::1]:7",
         url_of(kind="cluster", hosts=(("a", 6379), ("::1", 7)), password="p", tls={})),
    ],
)  # fmt: skip
def test_what_a_url_states(url: str, read: RedisUrl) -> None:
    assert read_redis_url(url) == read


FORM = (
    "a URL of the form redis://user:password@host:port/0 is expected, with rediss:// for TLS, and"
    " redis+sentinel://…@host,host/name-of-the-master/0 or redis+cluster://…@host,host for several servers"
)
ENCODED = FORM + "; : / ? # [ ] @ and % of a name or a password are written percent-encoded"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"http://:{SECRET}@h", ENCODED),
        (f"redis://:{SECRET}@x@h", ENCODED),
        (f"redis://:a?{SECRET}@h", ENCODED),
        (f"redis://:{SECRET}#x@h", ENCODED),
        (f"redis://:{SECRET}@a,b/0", ENCODED),
        (f"redis://:{SECRET}@h?timeout=3", f"the parameter timeout is none of {', '.join(PARAMETERS)}"),
        (f"redis://:{SECRET}@h/cache", "the number of a database is expected after the last /"),
        (f"redis+cluster://:{SECRET}@h/1", "a cluster has the database 0 alone, and at least one node is named"),
        (f"redis+sentinel://:{SECRET}@h", f"the Sentinels, or the name of the master, are missing: {FORM}"),
        (f"redis://:{SECRET}@h?ssl_ca_certs=/a",
         "ssl_ca_certs: the URL is without TLS; write rediss in place of redis"),
        (f"rediss://:{SECRET}@h?ssl_ca_certs=/missing.pem",
         "ssl_ca_certs: /missing.pem cannot be read (No such file or directory)"),
        (f"rediss://:{SECRET}@h?ssl_cert_reqs=no", "ssl_cert_reqs: one of required, optional, none is expected"),
        (f"redis://:{SECRET}@h?sentinel_password=a",
         "sentinel_username, sentinel_password: the URL names no Sentinels (redis+sentinel://)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    monkeypatch.setenv("REDIS_URL", url)
    assert main(SERVICE, ["serve"]) == 1
    assert capsys.readouterr().err == f"REDIS_URL: {said}\n"
    assert SECRET not in said
