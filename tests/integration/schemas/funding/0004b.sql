CREATE TABLE programme (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_programme_updated ON programme (updated);
CREATE TABLE ledger_entry (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	number INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	date DATE NOT NULL,
	amount NUMERIC(18, 2) NOT NULL,
	contributor VARCHAR,
	programme VARCHAR,
	organization VARCHAR,
	thematic_area VARCHAR,
	category VARCHAR,
	follows VARCHAR,
	reverses VARCHAR,
	flags TEXT[] NOT NULL,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(contributor) REFERENCES contributor (code),
	FOREIGN KEY(follows) REFERENCES ledger_entry (code),
	FOREIGN KEY(programme) REFERENCES programme (code),
	FOREIGN KEY(reverses) REFERENCES ledger_entry (code),
	UNIQUE (number),
	UNIQUE (reverses)
);
CREATE INDEX ix_ledger_entry_updated ON ledger_entry (updated);
CREATE INDEX ix_ledger_entry_contributor ON ledger_entry (contributor);
CREATE INDEX ix_ledger_entry_organization ON ledger_entry (organization);
CREATE INDEX ix_ledger_entry_follows ON ledger_entry (follows);
CREATE INDEX ledger_entry_programme_kind ON ledger_entry (programme, kind, organization);
CREATE INDEX ledger_entry_kind_date ON ledger_entry (kind, date);
CREATE TABLE programme_past (replaced bigint NOT NULL, LIKE programme, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON programme FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_amended AFTER UPDATE ON programme REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON programme FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_deleted AFTER DELETE ON programme REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TABLE ledger_entry_past (replaced bigint NOT NULL, LIKE ledger_entry, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON ledger_entry FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
CREATE TRIGGER keep_amended AFTER UPDATE ON ledger_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
CREATE TRIGGER keep_deleted AFTER DELETE ON ledger_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
