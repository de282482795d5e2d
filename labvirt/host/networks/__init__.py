"""Networks of a host: virtual networks, filters, and the addresses of guests."""
