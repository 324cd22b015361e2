CREATE TABLE review (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    assessment TEXT COLLATE "C" NOT NULL, 
    programme TEXT COLLATE "C" NOT NULL, 
    round VARCHAR NOT NULL, 
    state VARCHAR NOT NULL, 
    reviewer VARCHAR, 
    organization VARCHAR, 
    due DATE, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code)
);
CREATE TABLE review_past (replaced bigint NOT NULL, LIKE review, PRIMARY KEY (code, revised));
CREATE INDEX ix_review_assessment ON review (assessment);
CREATE INDEX ix_review_reviewer ON review (reviewer);
CREATE INDEX ix_review_updated ON review (updated);
CREATE INDEX review_filters ON review (state, round, programme, assessment, due) INCLUDE (code, revised);
CREATE INDEX review_round_updated ON review (round, updated, code);
CREATE INDEX review_lower_code ON review (lower(code));
CREATE INDEX review_past_replaced ON review_past (replaced);
CREATE TABLE pseudonym (
    subject TEXT NOT NULL, 
    pseudonym TEXT NOT NULL, 
    PRIMARY KEY (subject), 
    UNIQUE (pseudonym)
);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON review FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON review REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('review');
CREATE TRIGGER journal_update AFTER UPDATE ON review REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('review');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON review FOR EACH STATEMENT EXECUTE FUNCTION journal_write('review');
CREATE TRIGGER journal_delete AFTER DELETE ON review REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('review');
