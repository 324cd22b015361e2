"""Drills: real processes with a fault each, under a load whose right answers are known. `make drills` runs them."""
