ALTER TABLE followed RENAME TO replication;
ALTER INDEX followed_pkey RENAME TO replication_pkey;
