"""Hostprep: the files of a host by which others reach it: SSH, certificates, SASL, NFS (guide 12.2, 13)."""
