"""Assessments of programmes under a rubric: drafted and submitted by one organization, reviewed by another."""
