"""A service's database and its cache: engines, the journal, records, reads of earlier revisions, migrations."""
