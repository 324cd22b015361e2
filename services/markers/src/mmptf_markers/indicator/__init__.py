"""The portfolio: which programmes report which grade, and whether the target is met."""
