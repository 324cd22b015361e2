CREATE INDEX ledger_entry_date_code ON ledger_entry (date, code);
CREATE INDEX ledger_entry_amount_code ON ledger_entry (amount, code);
CREATE INDEX ledger_entry_past_reverses ON ledger_entry_past (reverses) WHERE reverses IS NOT NULL;
