ALTER FUNCTION journal_write() SET enable_nestloop = off;
