"""Sampling: the numbers of a host, read on links of their own and handed to whoever listens."""
