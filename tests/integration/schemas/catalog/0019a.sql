CREATE TABLE call (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    opens DATE, 
    closes DATE, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code)
);
CREATE TABLE call_past (replaced bigint NOT NULL, LIKE call, PRIMARY KEY (code, revised));
CREATE TABLE meeting (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    date DATE NOT NULL, 
    kind VARCHAR NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code)
);
CREATE TABLE meeting_past (replaced bigint NOT NULL, LIKE meeting, PRIMARY KEY (code, revised));
CREATE TABLE decision (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    number VARCHAR NOT NULL, 
    meeting VARCHAR, 
    call VARCHAR, 
    date DATE NOT NULL, 
    kind VARCHAR NOT NULL, 
    programmes TEXT[] NOT NULL, 
    words TEXT[] NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (number), 
    FOREIGN KEY(meeting) REFERENCES meeting (code), 
    FOREIGN KEY(call) REFERENCES call (code)
);
CREATE TABLE decision_past (replaced bigint NOT NULL, LIKE decision, PRIMARY KEY (code, revised));
CREATE INDEX call_opens_ascending ON call (coalesce(opens, '9999-12-31'::date), code);
CREATE INDEX call_opens ON call (coalesce(opens, '0001-01-01'::date), code);
CREATE INDEX meeting_date_code ON meeting (date, code);
CREATE INDEX ix_decision_meeting ON decision (meeting);
CREATE INDEX ix_decision_call ON decision (call);
CREATE INDEX ix_decision_kind ON decision (kind);
CREATE INDEX decision_date_code ON decision (date, code);
CREATE UNIQUE INDEX decision_lower_number ON decision (lower(number));
CREATE INDEX decision_programmes ON decision USING gin (programmes);
CREATE INDEX decision_words ON decision USING gin (array_to_tsvector(words));
CREATE INDEX programme_status ON programme ((stated->>'status'), code);
CREATE INDEX ix_call_updated ON call (updated);
CREATE INDEX call_lower_code ON call (lower(code));
CREATE INDEX call_past_replaced ON call_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON call FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON call REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('call');
CREATE TRIGGER journal_update AFTER UPDATE ON call REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('call');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON call FOR EACH STATEMENT EXECUTE FUNCTION journal_write('call');
CREATE TRIGGER journal_delete AFTER DELETE ON call REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('call');
CREATE INDEX ix_meeting_updated ON meeting (updated);
CREATE INDEX meeting_lower_code ON meeting (lower(code));
CREATE INDEX meeting_past_replaced ON meeting_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON meeting FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON meeting REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('meeting');
CREATE TRIGGER journal_update AFTER UPDATE ON meeting REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('meeting');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON meeting FOR EACH STATEMENT EXECUTE FUNCTION journal_write('meeting');
CREATE TRIGGER journal_delete AFTER DELETE ON meeting REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('meeting');
CREATE INDEX ix_decision_updated ON decision (updated);
CREATE INDEX decision_lower_code ON decision (lower(code));
CREATE INDEX decision_past_replaced ON decision_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON decision FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON decision REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('decision');
CREATE TRIGGER journal_update AFTER UPDATE ON decision REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('decision');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION journal_write('decision');
CREATE TRIGGER journal_delete AFTER DELETE ON decision REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('decision');
