"""Strict loopback doubles of the services that the research tools read."""
