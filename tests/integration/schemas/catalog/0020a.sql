ALTER TABLE programme ADD COLUMN partner_kinds text[] NOT NULL DEFAULT '{}', ADD COLUMN beneficiaries text[] NOT NULL DEFAULT '{}';
ALTER TABLE programme_past ADD COLUMN partner_kinds text[] NOT NULL DEFAULT '{}', ADD COLUMN beneficiaries text[] NOT NULL DEFAULT '{}';
CREATE INDEX programme_partner_kinds ON programme USING gin (partner_kinds);
CREATE INDEX programme_beneficiaries ON programme USING gin (beneficiaries);
