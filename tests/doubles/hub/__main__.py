"""Runs the double by itself: `python -m tests.doubles.hub [clock factor]`; ends with its stdin."""

from __future__ import annotations

import json
import sys

from tests.doubles.hub.server import Hub

if __name__ == "__main__":
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with Hub(clock_factor=factor) as hub:
        print(json.dumps({"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": hub.token}), flush=True)
        sys.stdin.read()
