"""Written for sweeper: parameters as one document, laid over defaults."""

import json
import os

from sweeper_report import report

DEFAULTS = {"learning_rate": 1e-3, "num_layers": 3, "optimizer": "adam", "dropout": 0.1}
config = {**DEFAULTS, **json.loads(os.environ.get("SWEEPER_PARAMS", "{}"))}
clip = float(config.get("grad_clip", 1.0))
for step in range(10):
    report(step=step, val_loss=1.0 / (step + 1))
