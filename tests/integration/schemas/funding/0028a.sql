CREATE TABLE bank_account (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    identification VARCHAR NOT NULL, 
    currency VARCHAR NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (identification)
);
CREATE TABLE bank_account_past (replaced bigint NOT NULL, LIKE bank_account, PRIMARY KEY (code, revised));
CREATE TABLE bank_statement (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    number INTEGER NOT NULL, 
    account VARCHAR NOT NULL, 
    date_from DATE NOT NULL, 
    date_to DATE NOT NULL, 
    opening NUMERIC(18, 2) NOT NULL, 
    closing NUMERIC(18, 2) NOT NULL, 
    digest VARCHAR NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (number), 
    UNIQUE (account, date_from), 
    FOREIGN KEY(account) REFERENCES bank_account (code)
);
CREATE TABLE bank_statement_past (replaced bigint NOT NULL, LIKE bank_statement, PRIMARY KEY (code, revised));
CREATE TABLE bank_entry (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    number INTEGER NOT NULL, 
    account VARCHAR NOT NULL, 
    statement VARCHAR NOT NULL, 
    booking_date DATE NOT NULL, 
    value_date DATE NOT NULL, 
    amount NUMERIC(18, 2) NOT NULL, 
    currency VARCHAR NOT NULL, 
    direction VARCHAR NOT NULL, 
    refs TEXT[] NOT NULL, 
    identity VARCHAR, 
    match VARCHAR, 
    effective DATE, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (number), 
    UNIQUE (account, identity), 
    FOREIGN KEY(account) REFERENCES bank_account (code), 
    FOREIGN KEY(statement) REFERENCES bank_statement (code)
);
CREATE TABLE bank_entry_past (replaced bigint NOT NULL, LIKE bank_entry, PRIMARY KEY (code, revised));
CREATE TABLE bank_match (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    number INTEGER NOT NULL, 
    account VARCHAR NOT NULL, 
    bank_entry VARCHAR NOT NULL, 
    ledger_entries TEXT[] NOT NULL, 
    state VARCHAR NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    UNIQUE (number), 
    FOREIGN KEY(account) REFERENCES bank_account (code), 
    FOREIGN KEY(bank_entry) REFERENCES bank_entry (code)
);
CREATE TABLE bank_match_past (replaced bigint NOT NULL, LIKE bank_match, PRIMARY KEY (code, revised));
CREATE TABLE reconciled_entry (
    code TEXT COLLATE "C" NOT NULL, 
    record JSON NOT NULL, 
    updated TIMESTAMP WITH TIME ZONE NOT NULL, 
    account VARCHAR NOT NULL, 
    match VARCHAR NOT NULL, 
    bank_entry VARCHAR NOT NULL, 
    effective DATE NOT NULL, 
    revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL, 
    PRIMARY KEY (code), 
    FOREIGN KEY(code) REFERENCES ledger_entry (code), 
    FOREIGN KEY(account) REFERENCES bank_account (code), 
    FOREIGN KEY(match) REFERENCES bank_match (code)
);
CREATE TABLE reconciled_entry_past (replaced bigint NOT NULL, LIKE reconciled_entry, PRIMARY KEY (code, revised));
CREATE INDEX ix_bank_entry_statement ON bank_entry (statement);
CREATE INDEX ix_bank_entry_match ON bank_entry (match);
CREATE INDEX bank_entry_account_booking_date ON bank_entry (account, booking_date, code);
CREATE INDEX bank_entry_booking_date ON bank_entry (booking_date, code);
CREATE INDEX bank_entry_amount ON bank_entry (amount, code);
CREATE INDEX bank_entry_refs ON bank_entry USING gin (refs);
CREATE INDEX bank_entry_not_reconciled ON bank_entry (account, booking_date, code) WHERE match IS NULL;
CREATE INDEX ix_bank_match_account ON bank_match (account);
CREATE INDEX ix_bank_match_bank_entry ON bank_match (bank_entry);
CREATE UNIQUE INDEX bank_match_confirmed ON bank_match (bank_entry) WHERE state = 'confirmed';
CREATE INDEX ix_reconciled_entry_account ON reconciled_entry (account);
CREATE INDEX ix_reconciled_entry_match ON reconciled_entry (match);
CREATE INDEX ix_bank_account_updated ON bank_account (updated);
CREATE INDEX bank_account_lower_code ON bank_account (lower(code));
CREATE INDEX bank_account_past_replaced ON bank_account_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON bank_account FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON bank_account REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_account');
CREATE TRIGGER journal_update AFTER UPDATE ON bank_account REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_account');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON bank_account FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_account');
CREATE TRIGGER journal_delete AFTER DELETE ON bank_account REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_account');
CREATE INDEX ix_bank_statement_updated ON bank_statement (updated);
CREATE INDEX bank_statement_lower_code ON bank_statement (lower(code));
CREATE INDEX bank_statement_past_replaced ON bank_statement_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON bank_statement FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON bank_statement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_statement');
CREATE TRIGGER journal_update AFTER UPDATE ON bank_statement REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_statement');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON bank_statement FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_statement');
CREATE TRIGGER journal_delete AFTER DELETE ON bank_statement REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_statement');
CREATE INDEX ix_bank_entry_updated ON bank_entry (updated);
CREATE INDEX bank_entry_lower_code ON bank_entry (lower(code));
CREATE INDEX bank_entry_past_replaced ON bank_entry_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON bank_entry FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON bank_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_entry');
CREATE TRIGGER journal_update AFTER UPDATE ON bank_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_entry');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON bank_entry FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_entry');
CREATE TRIGGER journal_delete AFTER DELETE ON bank_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_entry');
CREATE INDEX ix_bank_match_updated ON bank_match (updated);
CREATE INDEX bank_match_lower_code ON bank_match (lower(code));
CREATE INDEX bank_match_past_replaced ON bank_match_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON bank_match FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON bank_match REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_match');
CREATE TRIGGER journal_update AFTER UPDATE ON bank_match REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_match');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON bank_match FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_match');
CREATE TRIGGER journal_delete AFTER DELETE ON bank_match REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('bank_match');
CREATE INDEX ix_reconciled_entry_updated ON reconciled_entry (updated);
CREATE INDEX reconciled_entry_lower_code ON reconciled_entry (lower(code));
CREATE INDEX reconciled_entry_past_replaced ON reconciled_entry_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON reconciled_entry FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON reconciled_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reconciled_entry');
CREATE TRIGGER journal_update AFTER UPDATE ON reconciled_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reconciled_entry');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON reconciled_entry FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reconciled_entry');
CREATE TRIGGER journal_delete AFTER DELETE ON reconciled_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('reconciled_entry');
