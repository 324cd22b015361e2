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
CREATE TABLE contributor (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	name VARCHAR NOT NULL,
	type VARCHAR NOT NULL,
	country VARCHAR,
	PRIMARY KEY (code)
);
CREATE INDEX ix_contributor_country ON contributor (country);
CREATE INDEX ix_contributor_updated ON contributor (updated);
CREATE TABLE fact (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	printed NUMERIC(18, 2) NOT NULL,
	computed_by VARCHAR,
	PRIMARY KEY (code)
);
CREATE INDEX ix_fact_updated ON fact (updated);
CREATE TABLE money_stage (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_money_stage_updated ON money_stage (updated);
CREATE TABLE source_document (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_source_document_updated ON source_document (updated);
CREATE TABLE renamed_code (
	entity TEXT NOT NULL,
	code TEXT NOT NULL,
	current TEXT NOT NULL,
	PRIMARY KEY (entity, code)
);
CREATE TABLE target (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	amount NUMERIC(18, 2) NOT NULL,
	currency VARCHAR NOT NULL,
	due DATE NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_target_updated ON target (updated);
CREATE TABLE contribution (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	contributor VARCHAR NOT NULL,
	contributor_type VARCHAR NOT NULL,
	country VARCHAR,
	amount NUMERIC(18, 2) NOT NULL,
	currency VARCHAR NOT NULL,
	money_stage VARCHAR NOT NULL,
	basis VARCHAR NOT NULL,
	as_of DATE NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(contributor) REFERENCES contributor (code),
	FOREIGN KEY(money_stage) REFERENCES money_stage (code)
);
CREATE INDEX ix_contribution_amount ON contribution (amount);
CREATE INDEX ix_contribution_contributor ON contribution (contributor);
CREATE INDEX ix_contribution_money_stage ON contribution (money_stage);
CREATE INDEX ix_contribution_updated ON contribution (updated);
