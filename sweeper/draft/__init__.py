"""Reads a training script and drafts its program.md; tries the script for a minute."""
