"""The names of the funding service's roles in access tokens."""

MANAGEMENT_UNIT = "management_unit"
"""The Fund's management unit."""
AGENT = "agent"
"""The Fund's administrative agent."""
