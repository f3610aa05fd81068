"""Runs things; the only wing that submits."""
