"""Clones: copies of a domain that are systems of their own."""
