"""The results framework: indicators of the Fund and of programmes, reported values, and progress."""
