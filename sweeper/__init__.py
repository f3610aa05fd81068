"""Budget-bounded sweeps that run unattended: `program.md` in, the best configuration out."""
