"""The whole suite on one machine: PostgreSQL and the cache from wheels, four processes."""
