CREATE TABLE followed (
	service TEXT NOT NULL,
	last BIGINT NOT NULL,
	stored BIGINT NOT NULL,
	stored_at TIMESTAMP WITH TIME ZONE,
	caught_up TIMESTAMP WITH TIME ZONE,
	PRIMARY KEY (service)
);
CREATE TABLE place (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	kind VARCHAR NOT NULL,
	regions TEXT[] NOT NULL,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_place_updated ON place (updated);
CREATE TABLE place_past (replaced bigint NOT NULL, LIKE place, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON place FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON place REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
CREATE TRIGGER keep_amended AFTER UPDATE ON place REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON place FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
CREATE TRIGGER keep_deleted AFTER DELETE ON place REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
CREATE TABLE programme (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	stage VARCHAR NOT NULL,
	thematic_area VARCHAR,
	organizations TEXT[] NOT NULL,
	countries TEXT[] NOT NULL,
	amount NUMERIC(18, 2),
	currency VARCHAR,
	budget_stage VARCHAR,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_programme_updated ON programme (updated);
CREATE TABLE programme_past (replaced bigint NOT NULL, LIKE programme, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON programme FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_amended AFTER UPDATE ON programme REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON programme FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_deleted AFTER DELETE ON programme REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE INDEX ix_programme_stage ON programme (stage);
CREATE TABLE target (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	marker VARCHAR NOT NULL,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_target_updated ON target (updated);
CREATE TABLE target_past (replaced bigint NOT NULL, LIKE target, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON target FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON target REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_amended AFTER UPDATE ON target REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON target FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_deleted AFTER DELETE ON target REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TABLE draft (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	organization VARCHAR NOT NULL,
	programme VARCHAR NOT NULL,
	stage VARCHAR NOT NULL,
	year INTEGER,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_draft_updated ON draft (updated);
CREATE TABLE draft_past (replaced bigint NOT NULL, LIKE draft, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON draft FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON draft REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_amended AFTER UPDATE ON draft REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON draft FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_deleted AFTER DELETE ON draft REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE INDEX ix_draft_organization ON draft (organization);
CREATE TABLE assessment (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	programme TEXT COLLATE "C" NOT NULL,
	marker VARCHAR NOT NULL,
	stage VARCHAR NOT NULL,
	year INTEGER,
	version INTEGER NOT NULL,
	organization VARCHAR NOT NULL,
	rubric VARCHAR,
	status VARCHAR NOT NULL,
	grade VARCHAR,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(rubric) REFERENCES rubric (code)
);
CREATE INDEX ix_assessment_updated ON assessment (updated);
CREATE TABLE assessment_past (replaced bigint NOT NULL, LIKE assessment, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON assessment FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON assessment REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
CREATE TRIGGER keep_amended AFTER UPDATE ON assessment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON assessment FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
CREATE TRIGGER keep_deleted AFTER DELETE ON assessment REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
CREATE INDEX ix_assessment_organization ON assessment (organization);
CREATE INDEX ix_assessment_status ON assessment (status);
CREATE UNIQUE INDEX assessment_version ON assessment (programme, marker, stage, year, version) NULLS NOT DISTINCT;
