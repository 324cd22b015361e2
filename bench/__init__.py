"""Comparison of the suite with the thinnest thing that could answer the same, in one run; README.md says how to read it."""
