"""The routes that every list, draft, card and feed has."""
