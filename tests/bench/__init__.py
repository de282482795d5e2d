"""Benchmarks: ratios against a peer in the same run. ``python -m tests.bench`` prints them."""
