DROP TRIGGER published_rubric_never_changes ON rubric;
CREATE OR REPLACE FUNCTION published_rubric_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE'
                AND (NEW.code, NEW.rubric, NEW.version, NEW.hash) = (OLD.code, OLD.rubric, OLD.version, OLD.hash)
                AND NEW.document->>'hash' = OLD.hash
                AND (NEW.document->'content')::jsonb = (OLD.document->'content')::jsonb
                AND NEW.status IN (OLD.status, 'superseded')
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'rubric % is published and never changes; publish another version', OLD.code
                USING ERRCODE = 'restrict_violation';
        END $$;
CREATE TRIGGER published_rubric_never_changes BEFORE UPDATE OR DELETE ON rubric
        FOR EACH ROW EXECUTE FUNCTION published_rubric_never_changes();
CREATE TABLE translation (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	rubric VARCHAR NOT NULL,
	language VARCHAR NOT NULL,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(rubric) REFERENCES rubric (code)
);
CREATE INDEX ix_translation_rubric ON translation (rubric);
CREATE INDEX ix_translation_updated ON translation (updated);
CREATE TABLE translation_past (replaced bigint NOT NULL, LIKE translation, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON translation FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON translation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
CREATE TRIGGER keep_amended AFTER UPDATE ON translation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON translation FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
CREATE TRIGGER keep_deleted AFTER DELETE ON translation REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
