ALTER TABLE programme ADD COLUMN stated jsonb;
UPDATE programme SET stated =
        '{"lead_organization": null, "duration": null, "budget_lines": []}'
        || (document::jsonb - 'stage' - 'updated')
        || jsonb_build_object(
            'thematic_area', document::jsonb #> '{thematic_area,code}',
            'objectives', (SELECT coalesce(jsonb_agg(entry->'code' ORDER BY n), '[]')
                             FROM jsonb_array_elements(document::jsonb->'objectives') WITH ORDINALITY AS o(entry, n)),
            'organizations', (SELECT coalesce(jsonb_agg(entry->'code' ORDER BY n), '[]')
                                FROM jsonb_array_elements(document::jsonb->'organizations')
                                     WITH ORDINALITY AS o(entry, n)),
            'places', (SELECT coalesce(jsonb_agg(entry - 'name' - 'footnote' ORDER BY n), '[]')
                         FROM jsonb_array_elements(document::jsonb->'places') WITH ORDINALITY AS p(entry, n)),
            'budget', nullif(document::jsonb->'budget', 'null') - 'sources',
            'status_history', (SELECT coalesce(jsonb_agg('{"decision": null}' || entry ORDER BY n), '[]')
                                 FROM jsonb_array_elements(document::jsonb->'status_history')
                                      WITH ORDINALITY AS h(entry, n)),
            'sources', document::jsonb->'sources' || coalesce(document::jsonb #> '{budget,sources}', '[]')
        );
ALTER TABLE programme ALTER COLUMN stated SET NOT NULL;
ALTER TABLE programme_past ADD COLUMN stated jsonb;
UPDATE programme_past SET stated =
        '{"lead_organization": null, "duration": null, "budget_lines": []}'
        || (document::jsonb - 'stage' - 'updated')
        || jsonb_build_object(
            'thematic_area', document::jsonb #> '{thematic_area,code}',
            'objectives', (SELECT coalesce(jsonb_agg(entry->'code' ORDER BY n), '[]')
                             FROM jsonb_array_elements(document::jsonb->'objectives') WITH ORDINALITY AS o(entry, n)),
            'organizations', (SELECT coalesce(jsonb_agg(entry->'code' ORDER BY n), '[]')
                                FROM jsonb_array_elements(document::jsonb->'organizations')
                                     WITH ORDINALITY AS o(entry, n)),
            'places', (SELECT coalesce(jsonb_agg(entry - 'name' - 'footnote' ORDER BY n), '[]')
                         FROM jsonb_array_elements(document::jsonb->'places') WITH ORDINALITY AS p(entry, n)),
            'budget', nullif(document::jsonb->'budget', 'null') - 'sources',
            'status_history', (SELECT coalesce(jsonb_agg('{"decision": null}' || entry ORDER BY n), '[]')
                                 FROM jsonb_array_elements(document::jsonb->'status_history')
                                      WITH ORDINALITY AS h(entry, n)),
            'sources', document::jsonb->'sources' || coalesce(document::jsonb #> '{budget,sources}', '[]')
        );
ALTER TABLE programme_past ALTER COLUMN stated SET NOT NULL;
