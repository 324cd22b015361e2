CREATE TABLE figure (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    edition VARCHAR NOT NULL, 
    region VARCHAR, 
    countries TEXT[] NOT NULL, 
    measure VARCHAR NOT NULL, 
    value NUMERIC(22, 6), 
    unit VARCHAR NOT NULL, 
    qualifier VARCHAR, 
    year_from INTEGER, 
    year_to INTEGER, 
    position INTEGER NOT NULL, 
    words TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE TABLE figure_past (replaced bigint NOT NULL, LIKE figure, PRIMARY KEY (code, revised));
CREATE INDEX ix_figure_updated ON figure (updated);
CREATE INDEX ix_figure_edition ON figure (edition);
CREATE INDEX figure_words ON figure USING gin (array_to_tsvector(words));
CREATE INDEX figure_lower_code ON figure (lower(code));
CREATE INDEX figure_past_replaced ON figure_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON figure FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON figure REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('figure');
CREATE TRIGGER journal_update AFTER UPDATE ON figure REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('figure');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON figure FOR EACH STATEMENT EXECUTE FUNCTION journal_write('figure');
CREATE TRIGGER journal_delete AFTER DELETE ON figure REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('figure');
