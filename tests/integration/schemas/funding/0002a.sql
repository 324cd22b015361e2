CREATE TABLE edition (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	name VARCHAR NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_edition_updated ON edition (updated);
CREATE TABLE initiative (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	edition VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	section VARCHAR NOT NULL,
	amount NUMERIC(18, 2),
	currency VARCHAR,
	position INTEGER NOT NULL,
	words TEXT[] NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE INDEX initiative_words ON initiative USING gin (array_to_tsvector(words));
CREATE INDEX ix_initiative_edition ON initiative (edition);
CREATE INDEX ix_initiative_updated ON initiative (updated);
CREATE TABLE printed_total (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	edition VARCHAR NOT NULL,
	division VARCHAR NOT NULL,
	region VARCHAR,
	value VARCHAR NOT NULL,
	unit VARCHAR NOT NULL,
	printed NUMERIC(18, 2),
	position INTEGER NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE INDEX ix_printed_total_edition ON printed_total (edition);
CREATE INDEX ix_printed_total_updated ON printed_total (updated);
CREATE TABLE requirement (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	edition VARCHAR NOT NULL,
	region VARCHAR NOT NULL,
	region_name VARCHAR NOT NULL,
	place VARCHAR NOT NULL,
	place_name VARCHAR NOT NULL,
	place_as_printed VARCHAR,
	country VARCHAR NOT NULL,
	area VARCHAR NOT NULL,
	area_name VARCHAR NOT NULL,
	area_as_printed VARCHAR,
	amount NUMERIC(18, 2),
	status VARCHAR NOT NULL,
	implied NUMERIC(18, 2),
	as_printed VARCHAR,
	populations TEXT[] NOT NULL,
	confidence VARCHAR NOT NULL,
	note VARCHAR,
	source_document VARCHAR NOT NULL,
	source_line INTEGER,
	source_locator VARCHAR,
	heading_line INTEGER,
	place_line INTEGER,
	populations_line INTEGER,
	words TEXT[] NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE INDEX ix_requirement_country ON requirement (country);
CREATE INDEX ix_requirement_edition ON requirement (edition);
CREATE INDEX ix_requirement_place ON requirement (place);
CREATE INDEX ix_requirement_updated ON requirement (updated);
CREATE INDEX requirement_amount ON requirement (coalesce(amount, -1), code);
CREATE INDEX requirement_words ON requirement USING gin (array_to_tsvector(words));
CREATE TABLE results_matrix (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	edition VARCHAR NOT NULL,
	region VARCHAR NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(edition) REFERENCES edition (code)
);
CREATE INDEX ix_results_matrix_edition ON results_matrix (edition);
CREATE INDEX ix_results_matrix_updated ON results_matrix (updated);
CREATE TABLE term (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	edition VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	term VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	region VARCHAR,
	position INTEGER NOT NULL,
	PRIMARY KEY (code),
	FOREIGN KEY(edition) REFERENCES edition (code),
	UNIQUE (edition, kind, term)
);
CREATE INDEX ix_term_kind ON term (kind);
CREATE INDEX ix_term_updated ON term (updated);
