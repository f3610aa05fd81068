"""What is wrong with rows: missing values, duplicates, lopsided classes, odd conversations.

Pure functions over rows; nothing here asks a service.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from itertools import pairwise
from statistics import median

from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.datasets.viewer import Row
from sweeper.research.datasets.viewer import Sample

_ROLE_KEYS = (("role", "content"), ("from", "value"))
_PROMPTS = ("prompt", "question", "instruction", "problem", "query", "input", "text", "messages",
            "conversations")  # fmt: skip


def is_empty(value: object) -> bool:
    """Return whether a cell is there but says nothing."""
    return isinstance(value, str | list | dict) and not (
        value.strip() if isinstance(value, str) else value
    )


def nulls(sample: Sample) -> list[Result]:
    """Return missing and empty cells per column."""
    found: list[Result] = []
    for name in sample.features:
        cells = [row.values.get(name) for row in sample.rows]
        found.append(
            {
                "column": name,
                "nulls": sum(1 for cell in cells if cell is None),
                "empty": sum(1 for cell in cells if is_empty(cell)),
                "rows": len(cells),
            }
        )
    return found


def fingerprint(values: object, *, loose: bool = False) -> str:
    """Return a hash of a JSON value; `loose` ignores case and white space."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    if loose:
        text = " ".join(text.casefold().replace("\\n", " ").replace("\\t", " ").split())
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def whole_rows(sample: Sample) -> list[Row]:
    """Return the rows that came back uncut; a cut cell proves nothing about its end."""
    return [row for row in sample.rows if not row.cut]


def duplicates(sample: Sample, column: str | None) -> Result:
    """Return rows that occur more than once, exactly and up to case and white space."""
    rows = whole_rows(sample)
    exact = _groups(rows, column, loose=False)
    loose = _groups(rows, column, loose=True)
    prompt = column or prompt_column(sample)
    same_prompt = _groups(rows, prompt, loose=True) if prompt else []
    return {
        "column": column,
        "compared": len(rows),
        "cut": len(sample.rows) - len(rows),
        "exact": sum(len(group) - 1 for group in exact),
        "loose": sum(len(group) - 1 for group in loose),
        "prompt_column": prompt,
        "same_prompt": sum(len(group) - 1 for group in same_prompt),
        "examples": [group[:5] for group in sorted(loose, key=len, reverse=True)[:5]],
    }


def _groups(rows: list[Row], column: str | None, *, loose: bool) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for row in rows:
        value = prompt_of(row, column) if column else row.values
        if value is not None:
            groups.setdefault(fingerprint(value, loose=loose), []).append(row.index)
    return [group for group in groups.values() if len(group) > 1]


def prompt_column(sample: Sample) -> str | None:
    """Return the column that holds what a model is asked, or None."""
    return next((name for name in _PROMPTS if name in sample.features), None)


def prompt_of(row: Row, column: str) -> object:
    """Return a row's prompt: the cell, or of a conversation what the user says first."""
    cell = row.values.get(column)
    turns = conversation(cell)
    if turns is None:
        return cell
    return next((text for role, text in turns if role in ("user", "human")), None)


def balance(sample: Sample, column: str) -> Result:
    """Return how often each value of a column occurs."""
    counts = Counter(json.dumps(row.values.get(column)) for row in sample.rows)
    return shares(column, {short(value.strip('"'), 60): n for value, n in counts.items()})


def shares(column: str, counts: dict[str, int]) -> Result:
    """Return class counts with the share of the largest and the smallest class."""
    total = sum(counts.values()) or 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return {
        "column": column,
        "classes": len(ranked),
        "largest_share": round(ranked[0][1] / total, 4) if ranked else None,
        "smallest_share": round(ranked[-1][1] / total, 4) if ranked else None,
        "counts": dict(ranked[:50]),
    }


def conversation(cell: object) -> list[tuple[str, object]] | None:
    """Return a cell's turns as (role, content), or None if it is no conversation."""
    if not isinstance(cell, list) or not cell:
        return None
    turns = []
    for turn in cell:
        if not isinstance(turn, dict):
            return None
        keys = next((keys for keys in _ROLE_KEYS if keys[0] in turn), None)
        if keys is None:
            return None
        turns.append((str(turn[keys[0]]), turn.get(keys[1])))
    return turns


def chat_columns(sample: Sample) -> list[str]:
    """Return the columns whose filled cells are conversations."""
    found = []
    for name in sample.features:
        cells = [cell for row in sample.rows if (cell := row.values.get(name)) not in (None, [])]
        if cells and all(conversation(cell) is not None for cell in cells):
            found.append(name)
    return found


def chat(sample: Sample, column: str) -> Result:
    """Return what the conversations of a column look like, and what is odd about them."""
    cells = [row.values.get(column) for row in sample.rows]
    talks = [turns for cell in cells if (turns := conversation(cell)) is not None]
    roles = Counter(role for turns in talks for role, _ in turns)
    lengths = sorted(len(turns) for turns in talks)
    return {
        "column": column,
        "conversations": len(talks),
        "format": _chat_format(cells),
        "roles": dict(roles.most_common()),
        "turns": [lengths[0], median(lengths), lengths[-1]] if lengths else None,
        "first_roles": dict(Counter(turns[0][0] for turns in talks)),
        "last_roles": dict(Counter(turns[-1][0] for turns in talks)),
        "keys": sorted(_keys(cells)),
        "with_tools": sum(1 for cell in cells if _uses_tools(cell)),
        "empty_turns": sum(1 for turns in talks for _, text in turns if text in (None, "", [])),
        "out_of_turn": sum(1 for turns in talks if _out_of_turn(turns)),
    }


def _chat_format(cells: list[object]) -> str | None:
    keys = _keys(cells)
    if {"role", "content"} <= keys:
        return "role/content"
    return "from/value" if {"from", "value"} <= keys else None


def _keys(cells: list[object]) -> set[str]:
    return {
        key
        for cell in cells
        if isinstance(cell, list)
        for turn in cell
        if isinstance(turn, dict)
        for key, value in turn.items()
        if value is not None
    }


def _uses_tools(cell: object) -> bool:
    turns = [turn for turn in cell if isinstance(turn, dict)] if isinstance(cell, list) else []
    return any(
        turn.get("tool_calls") or turn.get("role", turn.get("from")) in ("tool", "function_call")
        for turn in turns
    )


def _out_of_turn(turns: list[tuple[str, object]]) -> bool:
    """Return whether two turns in a row come from the same side, or the model begins."""
    sides = [role for role, _ in turns if role not in ("system", "tool", "observation")]
    speakers = ["model" if role in ("assistant", "gpt", "model") else "user" for role in sides]
    repeats = any(a == b == "user" for a, b in pairwise(speakers))
    return repeats or not speakers or speakers[0] == "model"
