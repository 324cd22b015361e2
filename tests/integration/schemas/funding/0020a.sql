DROP INDEX requirement_place_edition;
DROP INDEX ix_requirement_edition;
CREATE INDEX requirement_region ON requirement (region, code) INCLUDE (area, place, status, edition);
CREATE INDEX requirement_area ON requirement (area, code) INCLUDE (region, place, status, edition);
CREATE INDEX requirement_place ON requirement (place, code) INCLUDE (region, area, status, edition);
CREATE INDEX requirement_status ON requirement (status, code) INCLUDE (region, area, place, edition);
CREATE INDEX requirement_edition ON requirement (edition, code) INCLUDE (region, area, place, status);
