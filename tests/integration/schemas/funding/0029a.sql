CREATE TABLE imported_entry (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    entry VARCHAR NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (entry), 
    FOREIGN KEY(entry) REFERENCES ledger_entry (code)
);
CREATE TABLE imported_entry_past (replaced bigint NOT NULL, LIKE imported_entry, PRIMARY KEY (code, revised));
CREATE INDEX ix_imported_entry_updated ON imported_entry (updated);
CREATE INDEX imported_entry_lower_code ON imported_entry (lower(code));
CREATE INDEX imported_entry_past_replaced ON imported_entry_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON imported_entry FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON imported_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('imported_entry');
CREATE TRIGGER journal_update AFTER UPDATE ON imported_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('imported_entry');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON imported_entry FOR EACH STATEMENT EXECUTE FUNCTION journal_write('imported_entry');
CREATE TRIGGER journal_delete AFTER DELETE ON imported_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('imported_entry');
