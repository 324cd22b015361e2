"""Comparisons of the suite with the smallest programs that give the same answers, in one run; see README.md."""
