ALTER TABLE ledger_entry ADD COLUMN corrects varchar, ADD COLUMN value_date date, ADD COLUMN account varchar, ADD COLUMN bank_reference varchar, ADD COLUMN decision varchar;
ALTER TABLE ledger_entry_past ADD COLUMN corrects varchar, ADD COLUMN value_date date, ADD COLUMN account varchar, ADD COLUMN bank_reference varchar, ADD COLUMN decision varchar;
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_corrects_fkey FOREIGN KEY (corrects) REFERENCES ledger_entry (code);
CREATE INDEX ledger_entry_value_date ON ledger_entry (value_date, code) WHERE value_date IS NOT NULL;
CREATE INDEX ledger_entry_account ON ledger_entry (lower(account), code) WHERE account IS NOT NULL;
CREATE INDEX ledger_entry_bank_reference ON ledger_entry (lower(bank_reference), code) WHERE bank_reference IS NOT NULL;
CREATE INDEX ledger_entry_decision ON ledger_entry (lower(decision), code) WHERE decision IS NOT NULL;
CREATE INDEX ledger_entry_corrects ON ledger_entry (lower(corrects), code) WHERE corrects IS NOT NULL;
