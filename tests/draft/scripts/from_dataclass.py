"""A dataclass that is filled from the document."""

import json
import os
from dataclasses import dataclass


@dataclass
class Config:
    """Settings."""

    lr: float = 3e-4
    d_model: int = 128
    n_heads: int = 4
    n_layers: int = 4
    name: str = "run"


params = json.loads(os.environ.get("SWEEPER_PARAMS", "{}"))
config = Config(**params)
print(f"{config.lr=}")
