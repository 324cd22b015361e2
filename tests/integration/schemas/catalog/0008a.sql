CREATE INDEX source_document_lower_code ON source_document (lower(code));
CREATE INDEX thematic_area_lower_code ON thematic_area (lower(code));
CREATE INDEX objective_lower_code ON objective (lower(code));
CREATE INDEX clustering_lower_code ON clustering (lower(code));
CREATE INDEX guiding_principle_lower_code ON guiding_principle (lower(code));
CREATE INDEX place_lower_code ON place (lower(code));
CREATE INDEX organization_lower_code ON organization (lower(code));
CREATE INDEX programme_lower_code ON programme (lower(code));
CREATE INDEX draft_lower_code ON draft (lower(code));
UPDATE place SET words = place.words || ARRAY(
       SELECT word FROM unnest(added.words) WITH ORDINALITY AS more(word, n) WHERE word <> ALL (place.words) ORDER BY n)
  FROM unnest(CAST(ARRAY['ARE', 'BES', 'CIV', 'CMR', 'COD', 'COG', 'CPV', 'CZE', 'FRO', 'KOR', 'LAO', 'MAC', 'MKD', 'MMR', 'PCN', 'PRK', 'PSE', 'RUS', 'SHN', 'SWZ', 'SYR', 'TLS', 'TUR', 'VAT', 'VIR', 'XKX'] AS text[]), CAST(ARRAY['uae', 'caribbean netherlands', 'ivory coast', 'cameroun', 'dr drc kinshasa zaire', 'republic of the brazzaville', 'cape', 'czech republic', 'faeroe', 'south', 'laos pdr', 'macau', 'the former yugoslav republic of', 'burma', 'islands', 'north dprk dpr', 'occupied palestinian territory', 'russia', 'ascension and tristan da cunha', 'swaziland', 'syria', 'east', 'turkey', 'vatican city state', 'us', 'unsc resolution 1244 administered'] AS text[])) AS given(code, line),
       LATERAL (SELECT string_to_array(line, ' ')) AS added(words)
 WHERE place.code = given.code;
