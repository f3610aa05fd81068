"""Doubles of the services that a sweep talks to."""
