"""The roles that the funding service knows, as access tokens name them."""

MANAGEMENT_UNIT = "management_unit"
"""The Fund's management unit."""
AGENT = "agent"
"""The Fund's administrative agent."""
