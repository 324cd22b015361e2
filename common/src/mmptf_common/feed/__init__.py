"""The journal for readers: the change feed, histories, and replication of another service's records."""
