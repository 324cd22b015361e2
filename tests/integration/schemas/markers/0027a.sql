CREATE TABLE results_indicator (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    scope VARCHAR NOT NULL, 
    programme TEXT COLLATE "C", 
    level VARCHAR, 
    unit VARCHAR NOT NULL, 
    organization VARCHAR, 
    computed BOOLEAN NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code)
);
CREATE TABLE reported_value (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    indicator TEXT COLLATE "C" NOT NULL, 
    programme TEXT COLLATE "C", 
    organization VARCHAR, 
    period_start DATE, 
    period_end DATE NOT NULL, 
    status VARCHAR NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code)
);
CREATE TABLE results_indicator_past (replaced bigint NOT NULL, LIKE results_indicator, PRIMARY KEY (code, revised));
CREATE INDEX ix_results_indicator_updated ON results_indicator (updated);
CREATE INDEX results_indicator_lower_code ON results_indicator (lower(code));
CREATE INDEX results_indicator_past_replaced ON results_indicator_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON results_indicator FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON results_indicator REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_indicator');
CREATE TRIGGER journal_update AFTER UPDATE ON results_indicator REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_indicator');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON results_indicator FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_indicator');
CREATE TRIGGER journal_delete AFTER DELETE ON results_indicator REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_indicator');
CREATE TABLE reported_value_past (replaced bigint NOT NULL, LIKE reported_value, PRIMARY KEY (code, revised));
CREATE INDEX ix_reported_value_updated ON reported_value (updated);
CREATE INDEX reported_value_lower_code ON reported_value (lower(code));
CREATE INDEX reported_value_past_replaced ON reported_value_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON reported_value FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON reported_value REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reported_value');
CREATE TRIGGER journal_update AFTER UPDATE ON reported_value REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reported_value');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON reported_value FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reported_value');
CREATE TRIGGER journal_delete AFTER DELETE ON reported_value REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reported_value');
CREATE INDEX results_indicator_scope ON results_indicator (scope, code);
CREATE INDEX results_indicator_programme ON results_indicator (programme, code);
CREATE INDEX results_indicator_level ON results_indicator (level, code);
CREATE INDEX results_indicator_unit ON results_indicator (unit, code);
CREATE INDEX results_indicator_organization ON results_indicator (organization, code);
CREATE INDEX results_indicator_computed ON results_indicator (computed, code);
CREATE INDEX results_indicator_filters ON results_indicator (scope, level, unit, computed, organization, programme, code) INCLUDE (revised);
CREATE INDEX results_indicator_lower_organization ON results_indicator (lower(organization));
CREATE INDEX reported_value_programme ON reported_value (programme, code);
CREATE INDEX reported_value_organization ON reported_value (organization, code);
CREATE INDEX reported_value_status ON reported_value (status, code);
CREATE INDEX reported_value_period_end ON reported_value (period_end, code);
CREATE INDEX reported_value_indicator ON reported_value (indicator, period_end);
CREATE INDEX reported_value_filters ON reported_value (status, indicator, programme, organization, period_end) INCLUDE (revised);
CREATE INDEX reported_value_lower_organization ON reported_value (lower(organization));
