"""A list declared once: its pages, exports, facets and totals."""
