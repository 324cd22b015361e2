CREATE TABLE transfer_limit (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    number INTEGER NOT NULL, 
    since DATE NOT NULL, 
    amount NUMERIC(18, 2), 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (number)
);
CREATE TABLE transfer_limit_past (replaced bigint NOT NULL, LIKE transfer_limit, PRIMARY KEY (code, revised));
CREATE INDEX ix_transfer_limit_updated ON transfer_limit (updated);
CREATE INDEX transfer_limit_lower_code ON transfer_limit (lower(code));
CREATE INDEX transfer_limit_past_replaced ON transfer_limit_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON transfer_limit FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON transfer_limit REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_limit');
CREATE TRIGGER journal_update AFTER UPDATE ON transfer_limit REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_limit');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON transfer_limit FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_limit');
CREATE TRIGGER journal_delete AFTER DELETE ON transfer_limit REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_limit');
CREATE TABLE transfer_proposal (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    number INTEGER NOT NULL, 
    state VARCHAR NOT NULL, 
    programme VARCHAR NOT NULL, 
    organization VARCHAR NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (number)
);
CREATE TABLE transfer_proposal_past (replaced bigint NOT NULL, LIKE transfer_proposal, PRIMARY KEY (code, revised));
CREATE INDEX ix_transfer_proposal_updated ON transfer_proposal (updated);
CREATE INDEX transfer_proposal_lower_code ON transfer_proposal (lower(code));
CREATE INDEX transfer_proposal_past_replaced ON transfer_proposal_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON transfer_proposal FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON transfer_proposal REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_proposal');
CREATE TRIGGER journal_update AFTER UPDATE ON transfer_proposal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_proposal');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON transfer_proposal FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_proposal');
CREATE TRIGGER journal_delete AFTER DELETE ON transfer_proposal REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('transfer_proposal');
CREATE INDEX transfer_proposal_state_code ON transfer_proposal (state, code);
CREATE TABLE pseudonym (
    subject TEXT NOT NULL, 
    pseudonym TEXT NOT NULL, 
    PRIMARY KEY (subject), 
    UNIQUE (pseudonym)
);
