"""Transfers above a limit: proposed by one person, and entered once another one approves."""
