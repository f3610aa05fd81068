"""Data sets: what is in them, what is wrong with them, and what they can train."""
