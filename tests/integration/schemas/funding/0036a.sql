ALTER TABLE initiative ADD COLUMN area varchar, ADD COLUMN countries text[] NOT NULL DEFAULT '{}';
ALTER TABLE initiative_past ADD COLUMN area varchar, ADD COLUMN countries text[] NOT NULL DEFAULT '{}';
CREATE TABLE partner (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    edition VARCHAR NOT NULL, 
    kind VARCHAR NOT NULL, 
    name VARCHAR NOT NULL, 
    country VARCHAR, 
    position INTEGER NOT NULL, 
    words TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE TABLE partner_past (replaced bigint NOT NULL, LIKE partner, PRIMARY KEY (code, revised));
CREATE INDEX ix_partner_updated ON partner (updated);
CREATE INDEX ix_partner_edition ON partner (edition);
CREATE INDEX partner_words ON partner USING gin (array_to_tsvector(words));
CREATE INDEX partner_lower_code ON partner (lower(code));
CREATE INDEX partner_past_replaced ON partner_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON partner FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON partner REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('partner');
CREATE TRIGGER journal_update AFTER UPDATE ON partner REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('partner');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON partner FOR EACH STATEMENT EXECUTE FUNCTION journal_write('partner');
CREATE TRIGGER journal_delete AFTER DELETE ON partner REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('partner');
