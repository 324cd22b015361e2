"""The URL of a database: what it may state, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_catalog.app import SERVICE
from mmptf_common.cli import main
from mmptf_common.process.database_url import PARAMETERS, read_database_url

SECRET = "s3cr3t"  # it opens nothing
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(TEXTS, TEXTS, TEXTS)
def test_names_and_passwords_of_any_characters(user: str, password: str, database: str) -> None:
    parts = [quote(part, safe="") for part in (user, password, database)]
    read = read_database_url("postgresql://{}:{}@db/{}".format(*parts))
    assert (read.user, read.password, read.database) == (user, password, database)
    read = read_database_url("postgresql://db/?user={}&password={}&dbname={}".format(*parts))
    assert (read.user, read.password, read.database) == (user, password, database)


def test_what_is_read_does_not_show_the_password() -> None:
    assert SECRET not in repr(read_database_url(f"postgresql://u:{SECRET}@h/d?sslcert=a&sslpassword={SECRET}"))


def test_everything_that_a_url_may_state() -> None:
    read = read_database_url(
        "postgres://u:p@first:6000,[::1]:6001,second/catalog?sslmode=require&connect_timeout=3&application_name=a%20b"
        "&options=-c%20geqo%3Doff%20-c%20work_mem=8MB&target_session_attrs=read-write"
    )
    assert read.hosts == (("first", 6000), ("::1", 6001), ("second", 5432))
    assert (read.user, read.password, read.database) == ("u", "p", "catalog")
    assert (read.connect_seconds, read.session_attributes) == (3, "read-write")
    assert read.server_settings == {"application_name": "a b", "options": "-c geqo=off -c work_mem=8MB"}
    assert read.tls == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql:///catalog", ()),
        ("postgresql:///catalog?host=/run/postgresql", (("/run/postgresql", 5432),)),
        ("postgresql://%2Frun%2Fpostgresql/catalog", (("/run/postgresql", 5432),)),
        ("postgresql:///catalog?host=a,b&port=1,2", (("a", 1), ("b", 2))),
        ("postgresql://a,b:7/catalog?port=6", (("a", 6), ("b", 7))),
    ],
)
def test_the_hosts_of_a_url(url: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert read_database_url(url).hosts == hosts


def test_of_several_hosts_the_one_that_may_be_written_to_is_meant() -> None:
    assert read_database_url("postgresql://a,b/c").session_attributes == "primary"
    assert read_database_url("postgresql://a/c").session_attributes == "any"
    assert read_database_url("postgresql://a,b/c", is_replica=True).session_attributes == "standby"


FORM = (
    "a URL of the form postgresql://user:password@host:port/database is expected"
    "; : / ? # [ ] @ and % of a name or a password are written percent-encoded"
)
ALLOWED = (
    "application_name, connect_timeout, dbname, host, options, passfile, password, port, sslcert, sslcrl, sslkey,"
    " sslmode, sslpassword, sslrootcert, target_session_attrs, user"
)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://u:{SECRET}@h/d?sslmod=require", f"the parameter sslmod is none of {ALLOWED}"),
        (f"postgresql://u:{SECRET}@h/d?statement_timeout=5", f"the parameter statement_timeout is none of {ALLOWED}"),
        (f"postgresql://u:a?{SECRET}=b@h/d", FORM),
        (f"postgresql://u:12?{SECRET}=b@h/d", FORM),
        (f"postgresql://u:12?{SECRET}", f"the parameter is none of {ALLOWED}"),
        (f"postgresql://u:{SECRET}@x@h/d", FORM),
        (f"postgresql://u:{SECRET}/x@h/d", FORM),
        (f"postgresql://u:{SECRET}#x@h/d", FORM),
        (f"postgresql://u:[{SECRET}", FORM),
        (f"postgresql+asyncpg://u:{SECRET}@h/d", FORM.partition(";")[0]),
        ("postgresql://h:0/d", "port: a number from 1 to 65535 is expected"),
        ("postgresql://a,b,c/d?port=1,2", "port: as many ports as hosts are expected, or one"),
        ("postgresql://h/d?sslmode=on",
         "sslmode: one of disable, allow, prefer, require, verify-ca, verify-full is expected"),
        ("postgresql://h/d?sslmode=verify-full",
         "sslmode: verify-full needs sslrootcert, the file of the authority, or system for those that the system"
         " trusts"),
        ("postgresql://h/d?sslrootcert=/ca.pem",
         "sslrootcert: nothing is verified unless sslmode is one of require, verify-ca, verify-full"),
        ("postgresql://h/d?sslrootcert=system&sslmode=require",
         "sslrootcert: with system, sslmode=verify-full is expected"),
        ("postgresql://h/d?sslkey=/key.pem", "sslkey: the certificate is missing, sslcert"),
        ("postgresql://h/d?connect_timeout=soon",
         "connect_timeout: a number of seconds for one host is expected, 1 to 999"),
        ("postgresql://h/d?target_session_attrs=standby",
         "target_session_attrs: one of any, read-write, primary is expected"),
        ("postgresql://h/d?user=a&user=b", "the parameter user is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("MIGRATION_DATABASE_URL", "postgresql://h/d")
    assert main(SERVICE, ["serve"]) == 1
    assert capsys.readouterr().err == f"DATABASE_URL: {said}\n"
    assert SECRET not in said


def test_the_allowed_parameters_are_told() -> None:
    assert ", ".join(PARAMETERS) == ALLOWED


def test_a_file_of_a_certificate_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("nothing", "utf-8")
    for file, reason in ((missing, "No such file or directory"), (empty, "no certificate or crl found")):
        monkeypatch.setenv("DATABASE_URL", f"postgresql://h/d?sslmode=verify-full&sslrootcert={file}")
        assert main(SERVICE, ["serve"]) == 1
        assert capsys.readouterr().err == (
            f"DATABASE_URL: sslrootcert: {file} cannot be read as certificates ({reason})\n"
        )
    monkeypatch.setenv("DATABASE_URL", f"postgresql://h/d?sslmode=require&sslcert={empty}")
    assert main(SERVICE, ["serve"]) == 1
    assert capsys.readouterr().err.startswith(f"DATABASE_URL: sslcert, sslkey: {empty} and {empty} cannot be read as")


def test_a_url_of_a_pooler_states_no_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d?options=-c%20work_mem=8MB")
    monkeypatch.setenv("DATABASE_DIRECT_URL", "postgresql://h/d?options=-c%20work_mem=8MB")
    assert main(SERVICE, ["serve"]) == 1
    assert capsys.readouterr().err == (
        "DATABASE_DIRECT_URL: DATABASE_URL leads to a pooler then, which takes no options: set them for the role, by"
        " ALTER ROLE\n"
    )
