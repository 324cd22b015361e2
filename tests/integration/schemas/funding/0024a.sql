ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_programme_fkey;
CREATE TABLE organization (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE organization_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL, PRIMARY KEY (code, revised));
CREATE INDEX ix_organization_updated ON organization (updated);
CREATE INDEX organization_lower_code ON organization (lower(code));
CREATE INDEX organization_past_replaced ON organization_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON organization FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON organization REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
CREATE TRIGGER journal_update AFTER UPDATE ON organization REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON organization FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
CREATE TRIGGER journal_delete AFTER DELETE ON organization REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
CREATE TABLE thematic_area (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE thematic_area_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL, PRIMARY KEY (code, revised));
CREATE INDEX ix_thematic_area_updated ON thematic_area (updated);
CREATE INDEX thematic_area_lower_code ON thematic_area (lower(code));
CREATE INDEX thematic_area_past_replaced ON thematic_area_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON thematic_area FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON thematic_area REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
CREATE TRIGGER journal_update AFTER UPDATE ON thematic_area REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON thematic_area FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
CREATE TRIGGER journal_delete AFTER DELETE ON thematic_area REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
CREATE TABLE renaming (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE renaming_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL, PRIMARY KEY (code, revised));
CREATE INDEX ix_renaming_updated ON renaming (updated);
CREATE INDEX renaming_lower_code ON renaming (lower(code));
CREATE INDEX renaming_past_replaced ON renaming_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON renaming FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON renaming REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE TRIGGER journal_update AFTER UPDATE ON renaming REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON renaming FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE TRIGGER journal_delete AFTER DELETE ON renaming REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE TABLE replication (service text PRIMARY KEY, last bigint NOT NULL, stored bigint NOT NULL, stored_at timestamptz, caught_up timestamptz);
