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
CREATE TABLE clustering (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	name VARCHAR NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_clustering_updated ON clustering (updated);
CREATE TABLE guiding_principle (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	position INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_guiding_principle_updated ON guiding_principle (updated);
CREATE TABLE objective (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	position INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_objective_updated ON objective (updated);
CREATE TABLE organization (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	name VARCHAR NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_organization_updated ON organization (updated);
CREATE TABLE place (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	kind VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	region VARCHAR,
	regions TEXT[] NOT NULL,
	words TEXT[] NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_place_updated ON place (updated);
CREATE INDEX place_words ON place USING gin (array_to_tsvector(words));
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
CREATE TABLE thematic_area (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	position INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_thematic_area_updated ON thematic_area (updated);
CREATE TABLE programme (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	title_order VARCHAR NOT NULL,
	thematic_area VARCHAR,
	objectives TEXT[] NOT NULL,
	countries TEXT[] NOT NULL,
	regions TEXT[] NOT NULL,
	organizations TEXT[] NOT NULL,
	stage VARCHAR NOT NULL,
	amount NUMERIC(18, 2),
	currency VARCHAR,
	money_stage VARCHAR,
	basis VARCHAR,
	attribution JSONB NOT NULL,
	words TEXT[] NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(thematic_area) REFERENCES thematic_area (code)
);
CREATE INDEX ix_programme_amount ON programme (amount);
CREATE INDEX ix_programme_stage ON programme (stage);
CREATE INDEX ix_programme_thematic_area ON programme (thematic_area);
CREATE INDEX ix_programme_updated ON programme (updated);
CREATE INDEX programme_countries ON programme USING gin (countries);
CREATE INDEX programme_objectives ON programme USING gin (objectives);
CREATE INDEX programme_organizations ON programme USING gin (organizations);
CREATE INDEX programme_regions ON programme USING gin (regions);
CREATE INDEX programme_words ON programme USING gin (array_to_tsvector(words));
