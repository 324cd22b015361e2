CREATE INDEX requirement_amount_ascending ON requirement (coalesce(amount, 'Infinity'), code);
