"""Commands: one transaction each, with idempotency keys, preconditions, dry runs and batches."""
