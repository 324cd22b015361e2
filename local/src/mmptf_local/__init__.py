"""The whole suite on one machine: PostgreSQL and the cache from wheels, every process of the map."""
