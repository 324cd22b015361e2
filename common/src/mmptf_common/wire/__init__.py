"""What crosses a service boundary: money, sources, pages, problems, code lists."""
