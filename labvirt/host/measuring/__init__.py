"""Numbers of a host and its domains: counters read now, tools, alerts, waiting for a number."""
