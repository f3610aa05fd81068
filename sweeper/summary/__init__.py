"""What was found and what it cost: plain data, read with plain SQL, without Optuna."""
