CREATE TABLE draft (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	organization VARCHAR NOT NULL,
	words TEXT[] NOT NULL,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(organization) REFERENCES organization (code)
);
CREATE INDEX ix_draft_organization ON draft (organization);
CREATE INDEX ix_draft_updated ON draft (updated);
CREATE TABLE draft_past (replaced bigint NOT NULL, LIKE draft, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON draft FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON draft REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_amended AFTER UPDATE ON draft REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_deleted AFTER DELETE ON draft REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
