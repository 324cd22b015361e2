"""The journal as others follow it: changes, history, and copies of another service's records."""
