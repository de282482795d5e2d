"""Moments kept: snapshots, checkpoints, backups, and the block jobs beneath them."""
