"""Trials as Hugging Face Jobs."""
