"""The marker engine: rubrics as data and scores that explain themselves, without database or HTTP."""
