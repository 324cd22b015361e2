"""Codes are looked up without regard to case, and places are found by former and short names, too."""

import sqlalchemy as sa
from alembic import op

revision = "catalog_0008"
down_revision = "catalog_0007"

RECORDS = (
    "source_document", "thematic_area", "objective", "clustering", "guiding_principle", "place", "organization",
    "programme", "draft",
)  # fmt: skip
# The code of a place, and the words of its other names that are not words of its name.
WORDS = """
ARE uae
BES caribbean netherlands
CIV ivory coast
CMR cameroun
COD dr drc kinshasa zaire
COG republic of the brazzaville
CPV cape
CZE czech republic
FRO faeroe
KOR south
LAO laos pdr
MAC macau
MKD the former yugoslav republic of
MMR burma
PCN islands
PRK north dprk dpr
PSE occupied palestinian territory
RUS russia
SHN ascension and tristan da cunha
SWZ swaziland
SYR syria
TLS east
TUR turkey
VAT vatican city state
VIR us
XKX unsc resolution 1244 administered
"""
# The records stay as they are, so this is no change of the journal.
ADD_WORDS = """
UPDATE place SET words = place.words || ARRAY(
       SELECT word FROM unnest(added.words) WITH ORDINALITY AS more(word, n) WHERE word <> ALL (place.words) ORDER BY n)
  FROM unnest(CAST(:codes AS text[]), CAST(:words AS text[])) AS given(code, line),
       LATERAL (SELECT string_to_array(line, ' ')) AS added(words)
 WHERE place.code = given.code
"""


def upgrade() -> None:  # noqa: D103
    for table in RECORDS:
        op.execute(f"CREATE INDEX {table}_lower_code ON {table} (lower(code))")
    codes, words = zip(*(line.split(" ", 1) for line in WORDS.strip().splitlines()), strict=True)
    op.execute(sa.text(ADD_WORDS).bindparams(codes=list(codes), words=list(words)))
