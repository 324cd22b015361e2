"""The suite beside the thinnest thing that gives the same answers, in one run; README.md says how to read it."""
