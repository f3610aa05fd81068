"""Only dashed spellings: nothing that a parameter could be called."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--weight-decay", type=float, default=0.0)
args = parser.parse_args()
print(f"loss={args.learning_rate}")
