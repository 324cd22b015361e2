DROP TABLE results_matrix_past;
DROP TABLE results_matrix;
CREATE TABLE framework (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    edition VARCHAR NOT NULL, 
    region VARCHAR, 
    kind VARCHAR NOT NULL, 
    position INTEGER NOT NULL, 
    words TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE TABLE framework_past (replaced bigint NOT NULL, LIKE framework, PRIMARY KEY (code, revised));
CREATE INDEX ix_framework_updated ON framework (updated);
CREATE INDEX ix_framework_edition ON framework (edition);
CREATE INDEX framework_lower_code ON framework (lower(code));
CREATE INDEX framework_past_replaced ON framework_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON framework FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON framework REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework');
CREATE TRIGGER journal_update AFTER UPDATE ON framework REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON framework FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework');
CREATE TRIGGER journal_delete AFTER DELETE ON framework REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework');
CREATE TABLE framework_item (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    edition VARCHAR NOT NULL, 
    framework VARCHAR NOT NULL, 
    level VARCHAR NOT NULL, 
    position INTEGER NOT NULL, 
    words TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(edition) REFERENCES edition (code), 
    FOREIGN KEY(framework) REFERENCES framework (code)
);
CREATE TABLE framework_item_past (replaced bigint NOT NULL, LIKE framework_item, PRIMARY KEY (code, revised));
CREATE INDEX ix_framework_item_updated ON framework_item (updated);
CREATE INDEX ix_framework_item_edition ON framework_item (edition);
CREATE INDEX framework_item_lower_code ON framework_item (lower(code));
CREATE INDEX framework_item_past_replaced ON framework_item_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON framework_item FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON framework_item REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework_item');
CREATE TRIGGER journal_update AFTER UPDATE ON framework_item REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework_item');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON framework_item FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework_item');
CREATE TRIGGER journal_delete AFTER DELETE ON framework_item REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('framework_item');
CREATE INDEX framework_item_words ON framework_item USING gin (array_to_tsvector(words));
CREATE TABLE regional_office (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    edition VARCHAR NOT NULL, 
    region VARCHAR, 
    countries TEXT[] NOT NULL, 
    position INTEGER NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE TABLE regional_office_past (replaced bigint NOT NULL, LIKE regional_office, PRIMARY KEY (code, revised));
CREATE INDEX ix_regional_office_updated ON regional_office (updated);
CREATE INDEX ix_regional_office_edition ON regional_office (edition);
CREATE INDEX regional_office_lower_code ON regional_office (lower(code));
CREATE INDEX regional_office_past_replaced ON regional_office_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON regional_office FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON regional_office REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_office');
CREATE TRIGGER journal_update AFTER UPDATE ON regional_office REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_office');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON regional_office FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_office');
CREATE TRIGGER journal_delete AFTER DELETE ON regional_office REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_office');
CREATE TABLE regional_group (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    edition VARCHAR NOT NULL, 
    region VARCHAR, 
    kind VARCHAR NOT NULL, 
    name VARCHAR NOT NULL, 
    countries TEXT[] NOT NULL, 
    position INTEGER NOT NULL, 
    words TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE TABLE regional_group_past (replaced bigint NOT NULL, LIKE regional_group, PRIMARY KEY (code, revised));
CREATE INDEX ix_regional_group_updated ON regional_group (updated);
CREATE INDEX ix_regional_group_edition ON regional_group (edition);
CREATE INDEX regional_group_lower_code ON regional_group (lower(code));
CREATE INDEX regional_group_past_replaced ON regional_group_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON regional_group FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON regional_group REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_group');
CREATE TRIGGER journal_update AFTER UPDATE ON regional_group REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_group');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON regional_group FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_group');
CREATE TRIGGER journal_delete AFTER DELETE ON regional_group REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('regional_group');
CREATE INDEX regional_group_words ON regional_group USING gin (array_to_tsvector(words));
CREATE TABLE acronym (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    edition VARCHAR NOT NULL, 
    region VARCHAR, 
    acronym VARCHAR NOT NULL, 
    position INTEGER NOT NULL, 
    words TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE TABLE acronym_past (replaced bigint NOT NULL, LIKE acronym, PRIMARY KEY (code, revised));
CREATE INDEX ix_acronym_updated ON acronym (updated);
CREATE INDEX ix_acronym_edition ON acronym (edition);
CREATE INDEX acronym_lower_code ON acronym (lower(code));
CREATE INDEX acronym_past_replaced ON acronym_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON acronym FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON acronym REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('acronym');
CREATE TRIGGER journal_update AFTER UPDATE ON acronym REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('acronym');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON acronym FOR EACH STATEMENT EXECUTE FUNCTION journal_write('acronym');
CREATE TRIGGER journal_delete AFTER DELETE ON acronym REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('acronym');
CREATE INDEX acronym_words ON acronym USING gin (array_to_tsvector(words));
CREATE INDEX ix_framework_item_framework ON framework_item (framework);
