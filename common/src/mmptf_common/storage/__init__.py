"""A service's database and its cache: engines, the journal, records, the data as they were, migrations."""
