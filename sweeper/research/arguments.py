"""Arguments that several operations share, and the checks of their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from sweeper.research.door import Parser


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a check for whole numbers within bounds."""

    def check(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not (least <= value <= most and text.strip().lstrip("-").isdigit()):
            raise argparse.ArgumentTypeError(
                f"should be a whole number from {least} to {most}, not {text!r}"
            )
        return value

    return check


def nonempty(text: str) -> str:
    """Refuse an empty text."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text.strip()


def add_limit(parser: Parser, default: int = 10, most: int = 100) -> None:
    """Add `--limit`."""
    parser.add_argument(
        "--limit",
        type=whole(1, most),
        default=default,
        help=f"how many are shown (default {default}, at most {most})",
    )


def add_offset(parser: Parser) -> None:
    """Add `--offset`."""
    parser.add_argument(
        "--offset", type=whole(0, 100_000), default=0, help="how many are skipped (default 0)"
    )
