"""Storage of a host: pools, volumes, secrets, and who may open an image."""
