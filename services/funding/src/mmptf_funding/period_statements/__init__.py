"""Statements for a period, earmarked money, and budgets against expenditure: what the ledger adds up to."""
