"""The program `sweeper`, also `python -m sweeper`: a glance where it is enough, else commands.

Typer is imported only after the glance, because importing it costs as much as the glance itself.
"""

from __future__ import annotations

import sys

from sweeper.errors import SweeperError
from sweeper.views import glance


def main() -> None:
    """Run the command line."""
    try:
        said = glance.answer(sys.argv[1:])
    except SweeperError:
        # The command meets the same error, and knows how errors are told.
        said = None
    if said is not None:
        sys.stdout.write(said)
        return
    from sweeper import cli

    cli.main()


if __name__ == "__main__":
    main()
