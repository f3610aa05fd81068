"""Decides what to try; the only wing that imports optuna."""
