"""`status` without a command-line framework: the look that is taken most often stays cheap.

Typer (0.29) imports pydantic as soon as a command with any parameter is invoked, which costs more
than reading a study of 1,000 trials. The plain forms of `status` are therefore answered before it
is asked; whatever else stands on the command line is left to it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sweeper.summary import document
from sweeper.summary import snapshot
from sweeper.views import status


def answer(arguments: Sequence[str]) -> str | None:
    """Return what `status [PROGRAM] [--json]` prints; None for any other command line.

    Args:
        arguments: The command line behind the program's name.

    Raises:
        SweeperError: The sweep cannot be read.
    """
    if not arguments or arguments[0] != "status":
        return None
    rest = [word for word in arguments[1:] if word != "--json"]
    if len(rest) > 1 or any(word.startswith("-") for word in rest):
        return None
    look = snapshot.read(Path(*rest), curves=False)
    if "--json" in arguments:
        return json.dumps(document.status(look), allow_nan=False) + "\n"
    return status.text(look)
