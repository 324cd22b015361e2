"""Runs the whole suite on one machine: PostgreSQL and the cache from wheels, every process of suite.toml."""
