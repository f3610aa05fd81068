"""Twelve-factor style: everything comes from the environment."""

import os

lr = float(os.environ.get("LR", "0.05"))
MOMENTUM_VALUE = os.getenv("MOMENTUM", "0.9")
batch = int(os.getenv("BATCH_SIZE", 128))
decay = float(os.environ["WEIGHT_DECAY"])
token = os.environ.get("HF_TOKEN")
out = os.environ.get("OUTPUT_DIR", "out")
for epoch in range(3):
    print("val_rmse: %.3f" % (lr * epoch))
