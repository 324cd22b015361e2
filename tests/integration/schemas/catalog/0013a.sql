CREATE INDEX organization_name ON organization (lower(name) COLLATE "C", code);
