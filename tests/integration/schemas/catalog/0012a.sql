CREATE INDEX programme_title_ascending ON programme (coalesce((left(stated->>'title', 0) COLLATE "C") || title_order, chr(1114111)), code);
CREATE INDEX programme_title ON programme (coalesce((left(stated->>'title', 0) COLLATE "C") || title_order, ''), code);
CREATE INDEX programme_budget_ascending ON programme (coalesce(amount, 'Infinity'), code);
CREATE INDEX programme_budget ON programme (coalesce(amount, -1), code);
