"""The report for the Steering Committee and donors: the portfolio on one page."""
