"""GitHub: working code to learn from."""
