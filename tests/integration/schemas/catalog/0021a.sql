CREATE TABLE place_group (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    name VARCHAR NOT NULL, 
    members TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code)
);
CREATE TABLE place_group_past (replaced bigint NOT NULL, LIKE place_group, PRIMARY KEY (code, revised));
CREATE INDEX ix_place_group_updated ON place_group (updated);
CREATE INDEX place_group_lower_code ON place_group (lower(code));
CREATE INDEX place_group_past_replaced ON place_group_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON place_group FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON place_group REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place_group');
CREATE TRIGGER journal_update AFTER UPDATE ON place_group REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place_group');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON place_group FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place_group');
CREATE TRIGGER journal_delete AFTER DELETE ON place_group REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place_group');
