ALTER FUNCTION journal_write() SET enable_nestloop = off;
ALTER FUNCTION draft_journal_write() SET enable_nestloop = off;
