"""Repositories on the Hub: files, branches, tags, pull requests, settings."""
