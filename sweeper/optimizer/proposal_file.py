"""A file of proposals, as Claude's researcher or a person writes it; see schemas/proposals.json.

A recipe file holds more keys in each entry; what is no part of a proposal is left unread here.
The parameters of a recipe may be empty: it then says nothing that could be tried.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sweeper.errors import ProposalError
from sweeper.optimizer.checking import SCHEMA

#: The largest file that is read, in bytes.
MAX_BYTES = 4 << 20

_HINT = f"The form is described by {SCHEMA.name}: a list of params, why, source, confidence."


def load_file(path: Path) -> list[dict[str, Any]]:
    """Return the proposals of a file: `params`, `why`, `source` and `confidence` of each.

    Raises:
        ProposalError: The file cannot be read or has not this form; with its line, or with the
            entry's number, counted from 1.
    """
    entries = _json(path)
    if not isinstance(entries, list) or not entries:
        raise ProposalError(f"{path.name} is no list of proposals.", hint=_HINT)
    return [_entry(path, number, entry) for number, entry in enumerate(entries, start=1)]


def _json(path: Path) -> object:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ProposalError(f"{path.name} has more than {MAX_BYTES:,} bytes.", hint=_HINT)
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ProposalError(
            f"{path.name} is not JSON: {error.msg}.", line=error.lineno, hint=_HINT
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ProposalError(f"{path.name} cannot be read: {error}.", hint=_HINT) from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _entry(path: Path, number: int, entry: object) -> dict[str, Any]:
    place = f"Entry {number} of {path.name}"
    if not isinstance(entry, dict):
        raise ProposalError(f"{place} is {entry!r}, not an object.", hint=_HINT)
    params = entry.get("params")
    if not isinstance(params, dict):
        raise ProposalError(f"{place} has no `params` object.", key="params", hint=_HINT)
    source = entry.get("source", [])
    source = [source] if isinstance(source, str) else source
    if not isinstance(source, list):
        raise ProposalError(f"{place} has source {source!r}.", key="source", hint=_HINT)
    why = entry.get("why")
    if not isinstance(why, str) or not why.strip():
        raise ProposalError(f"{place} has no reason (`why`).", key="why", hint=_HINT)
    return {
        "params": params,
        "why": why,
        "source": source,
        "confidence": entry.get("confidence"),
    }
