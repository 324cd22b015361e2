"""Databases with many rows, made by statements from those of the packaged data, for tests of plans."""

from __future__ import annotations

import importlib

import asyncpg

# Statements for each service, in which `{many}` is the number of rows of its largest tables, and `{fewer}` a fifth of
# it. They are carried out without triggers, so what those would write is written here.
_CATALOG = (
    """
    INSERT INTO organization (code, name, updated, record, revised)
    SELECT 'ORG-' || n, 'Organization ' || n, now(),
           json_build_object('code', 'ORG-' || n, 'name', 'Organization ' || n, 'updated', now()), 1
      FROM generate_series(1, {fewer} / 10) AS n""",
    """
    INSERT INTO programme (code, title_order, thematic_area, objectives, countries, regions, organizations, stage,
                           amount, currency, money_stage, basis, attribution, words, stated, updated, record, revised)
    SELECT 'MANY-' || n, 'many ' || n, (1 + n % 5)::text, objectives, countries, regions,
           ARRAY['IOM', 'ORG-' || 1 + n % ({fewer} / 10)], stage, 1000 + n, 'USD', coalesce(money_stage, 'allocation'),
           basis, attribution, words || ('w' || n), stated, now() - n * interval '1 second',
           replace(record::text, '"code":"' || code || '"', '"code":"MANY-' || n || '"')::json, 1
      FROM (SELECT *, row_number() OVER (ORDER BY code) - 1 AS place FROM programme WHERE amount IS NOT NULL) AS first
      JOIN generate_series(1, {fewer}) AS n
        ON place = n % (SELECT count(*) FROM programme WHERE amount IS NOT NULL)""",
    """
    INSERT INTO draft (code, organization, words, updated, record, revised)
    SELECT 'DRAFT-' || n, CASE n % 100 WHEN 0 THEN 'IOM' ELSE 'ORG-' || 1 + n % ({fewer} / 10) END, words,
           now() - n * interval '1 second',
           json_build_object('code', 'DRAFT-' || n, 'organization', 'IOM', 'updated', now()), 1
      FROM (SELECT words FROM programme LIMIT 1) AS first, generate_series(1, {fewer}) AS n""",
)
_FUNDING = (
    """
    INSERT INTO contributor (code, name, type, country, updated, record, revised)
    SELECT 'GIVER-' || n, 'Giver ' || n, type, NULL, now(),
           replace(record::text, '"code":"' || code || '"', '"code":"GIVER-' || n || '"')::json, 1
      FROM (SELECT * FROM contributor LIMIT 1) AS first, generate_series(1, {fewer} / 25) AS n""",
    """
    INSERT INTO contribution (code, contributor, contributor_type, country, amount, currency, money_stage, basis, as_of,
                              updated, record, revised)
    SELECT 'GIFT-' || n, 'GIVER-' || 1 + n % ({fewer} / 25), contributor_type, country, n, currency, money_stage, basis,
           as_of, now() - n * interval '1 second',
           replace(record::text, '"code":"' || code || '"', '"code":"GIFT-' || n || '"')::json, 1
      FROM (SELECT * FROM contribution LIMIT 1) AS first, generate_series(1, {fewer}) AS n""",
    """
    INSERT INTO requirement
    SELECT made.* FROM (SELECT *, row_number() OVER (ORDER BY code) - 1 AS position FROM requirement) AS first
      JOIN generate_series(1, {many}) AS n ON position = n % (SELECT count(*) FROM requirement)
     CROSS JOIN LATERAL jsonb_populate_record(NULL::requirement, to_jsonb(first) || jsonb_build_object(
               'code', 'MANY-' || n, 'source_line', n, 'updated', now() - n * interval '1 second', 'amount', amount + n,
               'record', to_jsonb(first)->'record' || jsonb_build_object('code', 'MANY-' || n))) AS made""",
    """
    INSERT INTO programme (code, updated, record, revised)
    SELECT 'MANY-' || n, now(), json_build_object(
           'code', 'MANY-' || n, 'title', 'Programme ' || n, 'status', 'implementation', 'status_history', '[]'::json,
           'thematic_area', NULL, 'budget_lines', '[]'::json,
           'organizations', '[{{"code": "ILO", "name": "ILO"}}]'::json,
           'budget', CASE n % 3 WHEN 0 THEN json_build_object('amount', (1500 + n)::text, 'currency', 'EUR',
                                                              'stage', 'requirement') END), 1
      FROM generate_series(1, {fewer}) AS n""",
    # A tenth of them without `reversed_by`, as they were stored before its first version; in ten a commitment and the
    # deposit that follows it and pays it in part, and one entry that a later one reverses.
    """
    INSERT INTO ledger_entry (code, number, kind, date, amount, contributor, programme, organization, thematic_area,
                              category, follows, reverses, flags, reversed_by, account, value_date, bank_reference,
                              decision, corrects, updated, record, revised)
    SELECT code, n, kind, day, amount, contributor, programme, organization, area, category, follows, reverses, '{{}}',
           reversed_by, account, value_date, bank_reference, decision, corrects, now() - n * interval '1 second',
           CASE n % 10 WHEN 9 THEN (record - 'reversed_by')::json ELSE record::json END, 1
      FROM (SELECT *, jsonb_build_object(
                   'code', code, 'kind', kind, 'date', day, 'original', NULL, 'contributor', contributor,
                   'sum', jsonb_build_object('amount', amount::text, 'currency', 'USD'),
                   'programme', programme, 'organization', organization, 'thematic_area', area, 'category', category,
                   'tranche', NULL, 'follows', follows, 'reverses', reverses, 'reference', 'Decision ' || n,
                   'note', NULL, 'flags', '{{}}'::text[], 'recorded_by', 'IOM', 'sources', '{{}}'::text[],
                   'updated', now(), 'reversed_by', reversed_by, 'account', account, 'value_date', value_date,
                   'bank_reference', bank_reference, 'decision', decision, 'corrects', corrects, 'replaced_by', NULL,
                   'amendment', NULL, 'fee', NULL, 'counterpart_fund', NULL, 'replaces', '{{}}'::text[],
                   'instalments', '{{}}'::text[], 'attachments', '{{}}'::text[]) AS record
              FROM (SELECT n, 'L-' || lpad(n::text, 6, '0') AS code, kind, date '2019-05-07' + n % 2500 AS day,
                           CASE n % 10 WHEN 8 THEN -(996.25 + n) WHEN 2 THEN 900.25 + n ELSE 1000.25 + n END AS amount,
                           CASE WHEN kind IN ('pledge', 'commitment', 'deposit')
                                THEN 'GIVER-' || 1 + n / 10 % ({fewer} / 25) END AS contributor,
                           CASE WHEN kind IN ('allocation', 'transfer', 'expenditure', 'refund')
                                THEN 'MANY-' || 1 + n / 10 % {fewer} END AS programme,
                           CASE WHEN kind IN ('transfer', 'expenditure', 'refund') THEN 'ILO' END AS organization,
                           CASE WHEN n % 50 = 0 THEN '4' END AS area,
                           CASE kind WHEN 'expenditure' THEN 'supplies' END AS category,
                           CASE n % 10 WHEN 2 THEN 'L-' || lpad((n - 1)::text, 6, '0') END AS follows,
                           CASE n % 10 WHEN 8 THEN 'L-' || lpad((n - 4)::text, 6, '0') END AS reverses,
                           CASE n % 10 WHEN 4 THEN 'L-' || lpad((n + 4)::text, 6, '0') END AS reversed_by,
                           CASE n % 10 WHEN 2 THEN 'ACCOUNT-' || 1 + n / 10 % ({fewer} / 25) END AS account,
                           CASE n % 10 WHEN 2 THEN date '2019-05-07' + n % 2500 END AS value_date,
                           CASE n % 10 WHEN 2 THEN 'Reference ' || n END AS bank_reference,
                           CASE n % 10 WHEN 3 THEN 'SC-' || n / 10 % {fewer} END AS decision,
                           CASE WHEN n % 1000 = 5 THEN 'L-000011' END AS corrects
                      FROM (SELECT n, (ARRAY['pledge', 'commitment', 'deposit', 'allocation', 'transfer', 'expenditure',
                                             'refund', 'transfer', 'transfer', 'deposit'])[1 + n % 10] AS kind
                              FROM generate_series(1, {many}) AS n) AS kinds) AS members) AS entries""",
    # What was there of them before they were reversed.
    """
    INSERT INTO ledger_entry_past (replaced, code, number, kind, date, amount, contributor, programme, organization,
                                   thematic_area, category, follows, reverses, flags, updated, record, revised)
    SELECT 2, code, number, kind, date, amount, contributor, programme, organization, thematic_area, category, follows,
           reverses, flags, updated, (record::jsonb - 'reversed_by')::json, 1
      FROM ledger_entry WHERE reversed_by IS NOT NULL""",
)
_MARKERS = (
    """
    INSERT INTO place (code, kind, regions, updated, record, revised)
    SELECT code, 'country', ARRAY['002', '202'], now(), json_build_object('code', code, 'name', code), 1
      FROM unnest(ARRAY['KEN', 'ETH', 'SOM', 'UGA']) AS code ON CONFLICT DO NOTHING""",
    """
    INSERT INTO programme (code, stage, thematic_area, organizations, countries, amount, currency, budget_stage,
                           updated, record, revised)
    SELECT 'MANY-' || n, CASE n % 4 WHEN 0 THEN 'pipeline' ELSE 'funded' END, (1 + n % 5)::text,
           ARRAY['IOM', 'ORG-' || n % 200], ARRAY[(ARRAY['KEN', 'ETH', 'SOM', 'UGA'])[1 + n % 4]], 1000 + n, 'USD',
           'allocation', now() - n * interval '1 second',
           json_build_object('code', 'MANY-' || n, 'title', 'Programme ' || n, 'thematic_area', NULL,
                             'duration', json_build_object('start', '2023-01-01', 'end', '2026-01-01')), 1
      FROM generate_series(1, {fewer}) AS n""",
    """
    INSERT INTO allocation (code, programme, amount, updated, record, revised)
    SELECT 'L-' || n, 'MANY-' || 1 + n % {fewer}, n, now(), json_build_object('code', 'L-' || n, 'updated', now()), 1
      FROM generate_series(1, {fewer}) AS n""",
    # Five of each programme: the grade that counts, earlier ones, and one that waits for its review.
    """
    INSERT INTO assessment (code, programme, marker, stage, year, version, organization, rubric, status, grade, updated,
                            record, revised)
    SELECT code, programme, marker, stage, year, 1, 'IOM', rubric, status, grade, now() - n * interval '1 second',
           json_build_object('code', code, 'programme', programme, 'marker', marker, 'stage', stage, 'year', year,
                             'version', 1, 'organization', 'IOM', 'rubric', rubric, 'status', status, 'grade', grade,
                             'basis', CASE status WHEN 'accepted' THEN 'reviewed' ELSE 'derived' END,
                             'derived', json_build_object('grade', 'B'), 'answered', true, 'answers', json_build_object(
                                 'C1', json_build_object('answer', '2', 'actions', json_build_array(json_build_object(
                                       'action', 'Train', 'owner', 'IOM', 'due', '2027-01-01', 'done', NULL))),
                                 'C2', json_build_object('answer', '1', 'actions', json_build_array())),
                             'updated', now()), 1
      FROM (SELECT n, 'A-' || lpad(n::text, 6, '0') AS code, 'MANY-' || 1 + n / 5 AS programme,
                   rubric.record->>'marker' AS marker, rubric.code AS rubric,
                   CASE n % 5 WHEN 0 THEN 'concept_note' ELSE 'annual_report' END AS stage,
                   CASE n % 5 WHEN 0 THEN NULL ELSE 2020 + n % 5 END AS year,
                   CASE n % 5 WHEN 4 THEN 'submitted' ELSE 'accepted' END AS status,
                   CASE n % 5 WHEN 4 THEN NULL ELSE 'B' END AS grade
              FROM generate_series(0, {many} - 1) AS n,
                   (SELECT * FROM rubric ORDER BY code LIMIT 1) AS rubric) AS made""",
    # One of each assessment; few are measures, dropped, or of another organization, and those are not the same.
    """
    INSERT INTO action (code, programme, marker, assessment, criterion, kind, organization, state, due, updated, record,
                        revised)
    SELECT code, programme, marker, assessment, criterion, kind, organization, state, due,
           now() - n * interval '1 second',
           json_build_object('code', code, 'kind', kind, 'programme', programme, 'marker', marker,
                             'assessment', assessment, 'criterion', criterion, 'organization', organization,
                             'visibility', 'public', 'action', 'Train', 'owner', 'IOM', 'due', due, 'state', state,
                             'ended', NULL, 'reason', NULL, 'replaces', NULL, 'replaced_by', NULL,
                             'evidence', '[]'::json, 'evidence_restricted', 0, 'updated', now()), 1
      FROM (SELECT n, 'ACT-' || lpad(n::text, 6, '0') AS code, 'MANY-' || 1 + n / 5 AS programme,
                   rubric.record->>'marker' AS marker, 'A-' || lpad(n::text, 6, '0') AS assessment,
                   CASE WHEN n % 1000 = 7 THEN NULL ELSE rubric.record#>>'{{content,criteria,0,code}}' END AS criterion,
                   CASE WHEN n % 1000 = 7 THEN 'measure' ELSE 'action' END AS kind,
                   CASE WHEN n % 1000 = 9 THEN 'ORG-7' ELSE 'IOM' END AS organization,
                   CASE WHEN n % 1000 = 11 THEN 'dropped' ELSE 'open' END AS state,
                   date '2020-01-01' + n / 10 AS due
              FROM generate_series(0, {many} - 1) AS n,
                   (SELECT * FROM rubric ORDER BY code LIMIT 1) AS rubric) AS made""",
    """
    INSERT INTO restricted_content (code, programme, organization, updated, record, revised)
    SELECT code, programme, organization, updated,
           json_build_object('code', code, 'programme', programme, 'evidence', '{{}}'::json,
                             'due_diligence', '[]'::json, 'updated', updated), 1
      FROM (SELECT code, programme, organization, updated FROM assessment
             UNION ALL SELECT code, programme, organization, updated FROM action) AS public""",
    # One of each assessment; few of them, however many there are, are of the reviewer who asks or have one sought.
    "INSERT INTO pseudonym VALUES ('reviewer', 'one who asks')",
    """
    INSERT INTO review (code, assessment, programme, round, state, reviewer, organization, due, updated, record,
                        revised)
    SELECT 'R-' || lpad(n::text, 6, '0'), 'A-' || lpad(n::text, 6, '0'), 'MANY-' || 1 + n / 5,
           CASE n % 100 WHEN 0 THEN 'second' ELSE 'first' END,
           CASE few WHEN 0 THEN 'open' WHEN 3 THEN 'claimed' ELSE 'done' END,
           CASE few WHEN 0 THEN NULL WHEN 77 THEN 'one who asks' ELSE 'reviewer ' || n % 100 END,
           CASE few WHEN 0 THEN NULL ELSE 'OHCHR' END, date '2024-01-01' + n, now() - n * interval '1 second',
           json_build_object('code', 'R-' || lpad(n::text, 6, '0'), 'updated', now()), 1
      FROM generate_series(0, {many} - 1) AS n, LATERAL (SELECT CASE WHEN n < 10000 THEN n % 500 END AS few) AS one""",
    # One of each programme; few are the Fund's, or of another organization, level or unit.
    """
    INSERT INTO results_indicator (code, scope, programme, level, unit, organization, computed, updated, record,
                                   revised)
    SELECT code, scope, programme, level, unit, organization, false, now() - n * interval '1 second',
           json_build_object('code', code, 'scope', scope, 'programme', programme, 'name', 'People',
                             'definition', 'People', 'unit', unit, 'direction', 'increase', 'aggregation', 'latest',
                             'level', level, 'baseline', NULL, 'targets', json_build_array(json_build_object(
                                 'value', '100', 'due', '2025-12-31')), 'means_of_verification', NULL,
                             'responsible_organization', organization, 'disaggregations', '{{}}'::json,
                             'computed', false, 'marker_target', NULL, 'sources', '[]'::json, 'updated', now()), 1
      FROM (SELECT n, 'IND-' || n AS code, CASE n % 500 WHEN 3 THEN 'fund' ELSE 'programme' END AS scope,
                   CASE n % 500 WHEN 3 THEN NULL ELSE 'MANY-' || n END AS programme,
                   CASE n % 500 WHEN 5 THEN 'impact' ELSE 'output' END AS level,
                   CASE n % 500 WHEN 7 THEN 'yes_no' ELSE 'people' END AS unit,
                   CASE n % 500 WHEN 9 THEN 'ORG-7' ELSE 'IOM' END AS organization
              FROM generate_series(1, {fewer}) AS n) AS made""",
    # Five of each indicator but few.
    """
    INSERT INTO reported_value (code, indicator, programme, organization, period_start, period_end, status, updated,
                                record, revised)
    SELECT code, indicator, programme, organization, day, day + 30, status, now() - n * interval '1 second',
           json_build_object('code', code, 'indicator', indicator, 'programme', programme, 'organization', organization,
                             'start', day, 'end', day + 30, 'value', n::text, 'disaggregation', '{{}}'::json,
                             'source', 'A report', 'attachment', NULL, 'note', NULL, 'status', status,
                             'sources', '[]'::json, 'updated', now()), 1
      FROM (SELECT n, 'RV-' || lpad(n::text, 6, '0') AS code, 'IND-' || 1 + n / 5 AS indicator,
                   'MANY-' || 1 + n / 5 AS programme, CASE n % 1000 WHEN 9 THEN 'ORG-7' ELSE 'IOM' END AS organization,
                   CASE n % 1000 WHEN 11 THEN 'withdrawn' ELSE 'reported' END AS status,
                   date '2000-01-01' + (n::bigint * 30000 / {many})::int AS day
              FROM generate_series(0, {many} - 1) AS n WHERE n / 5 % 500 <> 9) AS made""",
    """
    INSERT INTO draft (code, organization, programme, stage, year, updated, record, revised)
    SELECT 'A-9' || lpad(n::text, 5, '0'), CASE n % 100 WHEN 0 THEN 'IOM' ELSE 'ORG-' || n % 200 END, 'MANY-' || n,
           'annual_report', 2026, now(), json_build_object('code', 'A-9' || lpad(n::text, 5, '0')), 1
      FROM generate_series(1, {fewer}) AS n""",
)
STATEMENTS = {"catalog": _CATALOG, "funding": _FUNDING, "markers": _MARKERS}
# Journal of all records but drafts: a change for each, a thousand to a write, as an import writes them.
_JOURNAL = """
    INSERT INTO change (seq, entity, key, action, after)
    SELECT (SELECT coalesce(max(seq), 0) FROM change) + row_number() OVER (ORDER BY code), '{entity}', code, 'create',
           record
      FROM {table} WHERE revised = 1 AND code NOT IN (SELECT key FROM change WHERE entity = '{entity}')"""
_REVISIONS = """
    INSERT INTO revision (first, number, at, actor)
    SELECT min(seq), max(seq), (SELECT max(at) FROM revision) + max(seq) * interval '1 microsecond', 'test'
      FROM change WHERE seq > (SELECT max(number) FROM revision) GROUP BY seq / 1000"""
# The journal of drafts: a write for each, under numbers that are made from moments.
_DRAFTS = """
    INSERT INTO draft_change (seq, entity, key, action, after)
    SELECT 1700000000000 + row_number() OVER (ORDER BY code), 'draft', code, 'create', record FROM draft;
    INSERT INTO draft_revision (first, number, at, actor, owner)
    SELECT seq, seq, to_timestamp(seq / 1000.0), 'test', {owner} FROM draft_change JOIN draft ON code = key;
    UPDATE draft SET revised = seq FROM draft_change WHERE key = code"""
# The column of a draft that names its owner.
OWNERS = {"catalog": "organization", "markers": "programme"}
ENTITIES = {
    "catalog": {"organization": "organization", "programme": "programme"},
    "funding": {"contribution": "contribution", "requirement": "requirement", "ledger_entry": "ledger_entry"},
    "markers": {
        "programme": "programme",
        "allocation": "allocation",
        "assessment": "assessment",
        "action": "action",
        "restricted_content": "restricted_content",
        "review": "review",
        "results_indicator": "results_indicator",
        "reported_value": "reported_value",
    },
}


async def grow(url: str, service: str, many: int) -> None:
    """Fill the database of a service, and bring its statistics up to date; many: the rows of its largest tables."""
    metadata = importlib.import_module(f"mmptf_{service}.app").SERVICE.metadata
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            for statement in STATEMENTS[service]:
                await connection.execute(statement.format(many=many, fewer=many // 5))
            for derived in metadata.tables.values():
                if rows := derived.info.get("derived"):
                    columns = ", ".join(column.name for column in derived.columns)
                    await connection.execute(
                        f"DELETE FROM {derived.name}; INSERT INTO {derived.name} ({columns}) {rows}"
                    )
            for table, entity in ENTITIES[service].items():
                await connection.execute(_JOURNAL.format(table=table, entity=entity))
            await connection.execute(_REVISIONS)
            if service in OWNERS:
                await connection.execute(_DRAFTS.format(owner=OWNERS[service]))
        # As autovacuum leaves the tables: only then may an index be read without its table.
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
