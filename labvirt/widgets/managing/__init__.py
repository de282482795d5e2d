"""The manager: hosts, their domains, networks and storage in one view, with everything one does."""
