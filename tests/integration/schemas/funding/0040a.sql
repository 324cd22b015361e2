CREATE INDEX requirement_one_topic ON requirement (coalesce(amount, -1), code) INCLUDE (amount) WHERE cardinality(topics) = 1;
