"""Releases to come: the migrations that they add to a service."""

from __future__ import annotations

from pathlib import Path

from mmptf_common.storage.schema_version import oldest_codes, revisions

# One that only adds, and one that removes what the release before may read.
EXPAND = '''"""A column and a table more."""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
oldest_code = "{oldest}"


def upgrade() -> None:
    op.execute("ALTER TABLE source_document ADD COLUMN added text")
    op.execute("ALTER TABLE source_document_past ADD COLUMN added text")
    op.execute("CREATE TABLE added (code text PRIMARY KEY)")
'''
CONTRACT = '''"""Without the table that was added."""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
oldest_code = "{revision}"


def upgrade() -> None:
    op.execute("DROP TABLE added")
'''


def head(service: str) -> str:
    return revisions(f"mmptf_{service}")[-1]


def later(service: str, releases: int) -> str:
    """The revision of a release to come, such as catalog_0020."""
    return f"{service}_{int(head(service)[-4:]) + releases:04}"


def add_migrations(sources: Path, service: str, releases: int) -> None:
    """Make sources of a service those of one release later, whose migration adds, or of two, whose second removes."""
    versions = sources / f"mmptf_{service}" / "migrations" / "versions"
    before = head(service)
    # With what is only added, all code may serve that may with the schema before.
    oldest = oldest_codes(f"mmptf_{service}")[before]
    for place, text in enumerate((EXPAND, CONTRACT)[:releases], 1):
        revision = later(service, place)
        (versions / f"{revision}_to_come.py").write_text(text.format(revision=revision, before=before, oldest=oldest))
        before = revision
