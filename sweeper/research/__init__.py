"""Reads the world for Claude; knows nothing of sweeps."""
