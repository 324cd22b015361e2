"""The accounting periods of the ledger: open, closed, certified; and the figures that were certified."""
