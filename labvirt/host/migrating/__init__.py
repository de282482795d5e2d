"""Moving a domain to another host: look first, move, watch, and look again (chapter 12)."""
