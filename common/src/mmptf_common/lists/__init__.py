"""Lists: the declaration of a list, and its pages, exports, facets and totals."""
