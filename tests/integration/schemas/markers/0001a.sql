CREATE TABLE change (
	seq BIGINT NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	actor TEXT NOT NULL,
	entity TEXT NOT NULL,
	key TEXT NOT NULL,
	action TEXT NOT NULL,
	before JSONB,
	after JSONB,
	reason TEXT,
	request_id TEXT,
	PRIMARY KEY (seq),
	CONSTRAINT change_before CHECK ((action = 'create') = (before IS NULL)),
	CONSTRAINT change_after CHECK ((action = 'delete') = (after IS NULL)),
	CONSTRAINT change_action CHECK (action IN ('create', 'amend', 'delete'))
);
CREATE INDEX change_entity_key_seq ON change (entity, key, seq);
CREATE TABLE renamed_code (
	entity TEXT NOT NULL,
	code TEXT NOT NULL,
	current TEXT NOT NULL,
	PRIMARY KEY (entity, code)
);
CREATE TABLE rubric (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	rubric VARCHAR NOT NULL,
	version VARCHAR NOT NULL,
	status VARCHAR NOT NULL,
	hash VARCHAR NOT NULL,
	PRIMARY KEY (code),
	UNIQUE (hash)
);
CREATE INDEX ix_rubric_rubric ON rubric (rubric);
CREATE INDEX ix_rubric_updated ON rubric (updated);
CREATE FUNCTION published_rubric_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rubric % is published and never changes; publish another version', OLD.code
                USING ERRCODE = 'restrict_violation';
        END $$;
CREATE TRIGGER published_rubric_never_changes
        BEFORE UPDATE OF code, rubric, version, hash OR DELETE ON rubric
        FOR EACH ROW EXECUTE FUNCTION published_rubric_never_changes();
