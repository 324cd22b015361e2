CREATE TABLE accounting_period (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  first_day date NOT NULL UNIQUE, last_day date NOT NULL UNIQUE, status varchar NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE accounting_period_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  first_day date NOT NULL, last_day date NOT NULL, status varchar NOT NULL, revised bigint NOT NULL,
  PRIMARY KEY (code, revised));
CREATE INDEX ix_accounting_period_updated ON accounting_period (updated);
CREATE INDEX accounting_period_lower_code ON accounting_period (lower(code));
CREATE INDEX accounting_period_past_replaced ON accounting_period_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON accounting_period FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON accounting_period REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('accounting_period');
CREATE TRIGGER journal_update AFTER UPDATE ON accounting_period REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('accounting_period');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON accounting_period  FOR EACH STATEMENT EXECUTE FUNCTION journal_write('accounting_period');
CREATE TRIGGER journal_delete AFTER DELETE ON accounting_period REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('accounting_period');
