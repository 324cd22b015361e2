CREATE TABLE closing (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL, state varchar NOT NULL,
  date date NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE closing_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  state varchar NOT NULL, date date NOT NULL, revised bigint NOT NULL, PRIMARY KEY (code, revised));
CREATE INDEX ix_closing_updated ON closing (updated);
CREATE INDEX ix_closing_date ON closing (date);
CREATE INDEX closing_lower_code ON closing (lower(code));
CREATE INDEX closing_past_replaced ON closing_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON closing FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON closing REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('closing');
CREATE TRIGGER journal_update AFTER UPDATE ON closing REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('closing');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON closing FOR EACH STATEMENT EXECUTE FUNCTION journal_write('closing');
CREATE TRIGGER journal_delete AFTER DELETE ON closing REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('closing');
