CREATE INDEX contributor_name ON contributor (lower(name) COLLATE "C", code);
