#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "pydantic>=2.11,<3",
#   "python-dotenv>=1,<2",
#   "pyyaml>=6,<7",
#   "sqlalchemy>=2.0.40,<3",
# ]
# ///
"""Runs one job on Hugging Face, and looks at jobs. See --help."""

import sys
from pathlib import Path

# The plugin's own package, never a namesake from an index.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from sweeper.task.door import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
