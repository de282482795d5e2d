"""Devices of domains and of the host: plugged in, taken away, changed, converted."""
