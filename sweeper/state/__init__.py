"""Our tables beside Optuna's: money, lease, claims, cursors, verdicts, requests, events."""
