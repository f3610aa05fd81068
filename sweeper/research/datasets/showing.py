"""How the findings of inspect_dataset.py read as text."""

from __future__ import annotations

import json

from sweeper.research.answer import Result
from sweeper.research.answer import short

_CELL = 400


def _items(value: object) -> list[Result]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _where(result: Result) -> str:
    return f"{result['dataset']} [{result['config']}/{result['split']}]"


def status(result: Result) -> str:
    """Show whether it exists and what can be seen."""
    flags = result["viewer"] if isinstance(result["viewer"], dict) else {}
    able = [name for name, flag in flags.items() if flag]
    lines = [f"{result['dataset']}: exists; the viewer offers {', '.join(able) or 'nothing'}"]
    page = result["page"]
    if isinstance(page, dict):
        for name in ("license", "gated", "private", "downloads", "likes", "last_modified",
                     "revision"):  # fmt: skip
            if page[name] is not None:
                lines.append(f"  {name.replace('_', ' ')}: {page[name]}")
    return "\n".join(lines)


def configs(result: Result) -> str:
    """Show configurations."""
    entries = _items(result["configs"])
    return "\n".join(f"{entry['config']}: {_joined(entry['splits'])}" for entry in entries)


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def splits(result: Result) -> str:
    """Show splits with their sizes."""
    return _split_lines(result["splits"])


def _split_lines(value: object) -> str:
    lines = ["| config | split | rows | parquet bytes |", "|---|---|--:|--:|"]
    for item in _items(value):
        rows = "unknown" if item["rows"] is None else f"{item['rows']:,}"
        size = "unknown" if item["bytes"] is None else f"{item['bytes']:,}"
        lines.append(f"| {item['config']} | {item['split']} | {rows} | {size} |")
    return "\n".join(lines)


def schema(result: Result) -> str:
    """Show columns and types."""
    lines = [_where(result)]
    lines += [f"- {item['name']}: {item['type']}" for item in _items(result["columns"])]
    return "\n".join(lines)


def samples(result: Result) -> str:
    """Show rows."""
    total = "unknown" if result["total"] is None else result["total"]
    return f"{_where(result)}, {total} rows\n{_rows(result['rows'], _CELL)}"


def _rows(value: object, most: int) -> str:
    lines = []
    for row in _items(value):
        lines.append(f"row {row['index']}:")
        values = row["values"] if isinstance(row["values"], dict) else {}
        for name, cell in values.items():
            text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
            lines.append(f"  {name}: {short(text, most)}")
    return "\n".join(lines)


def statistics(result: Result) -> str:
    """Show column statistics."""
    lines = [f"{_where(result)}, {result['rows']} rows"]
    for item in _items(result["columns"]):
        found = item["statistics"] if isinstance(item["statistics"], dict) else {}
        facts = [
            f"{name} {_figure(value)}"
            for name, value in found.items()
            if not isinstance(value, dict | list) and value is not None
        ]
        lines.append(f"- {item['column']} ({item['type']}): {', '.join(facts)}")
        counts = found.get("frequencies")
        if isinstance(counts, dict):
            ranked = sorted(counts.items(), key=lambda entry: -float(entry[1]))[:12]
            lines.append("    " + ", ".join(f"{short(k, 40)}: {v}" for k, v in ranked))
    return "\n".join(lines)


def _figure(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def nulls(result: Result) -> str:
    """Show missing and empty cells."""
    return f"{_where(result)}\n{_null_lines(result['columns'])}"


def _null_lines(value: object) -> str:
    lines = []
    for item in _items(value):
        exact = item.get("nulls_in_all")
        extra = f"; {exact} nulls in the whole split" if exact is not None else ""
        lines.append(
            f"- {item['column']}: {item['nulls']} null and {item['empty']} empty of "
            f"{item['rows']} read{extra}"
        )
    return "\n".join(lines)


def duplicates(result: Result) -> str:
    """Show repeated rows."""
    return f"{_where(result)}\n{_duplicate_lines(result)}"


def _duplicate_lines(found: Result) -> str:
    over = f"column {found['column']}" if found["column"] else "whole rows"
    lines = [
        f"{found['compared']} rows compared by {over}: {found['exact']} exact repeats, "
        f"{found['loose']} up to case and white space"
    ]
    if found["cut"]:
        lines.append(f"{found['cut']} rows with shortened cells were left out")
    if found["prompt_column"]:
        lines.append(f"{found['same_prompt']} repeat the same {found['prompt_column']}")
    if found["examples"]:
        lines.append(f"rows that are the same: {found['examples']}")
    return "\n".join(lines)


def balance(result: Result) -> str:
    """Show class counts."""
    lines = [_where(result)]
    for item in _items(result["columns"]):
        counts = item["counts"] if isinstance(item["counts"], dict) else {}
        lines.append(
            f"- {item['column']}: {item['classes']} classes, largest {item['largest_share']}, "
            f"smallest {item['smallest_share']}"
        )
        lines += [f"    {short(str(name), 60)}: {count}" for name, count in counts.items()]
    return "\n".join(lines)


def chat(result: Result) -> str:
    """Show what conversations look like."""
    return f"{_where(result)}\n{_chat_lines(result['columns'])}"


def _chat_lines(value: object) -> str:
    lines = []
    for item in _items(value):
        lines.append(f"- {item['column']}: {item['conversations']} conversations, "
                     f"{item['format'] or 'unknown form'}")  # fmt: skip
        for name, label in (
            ("roles", "roles"), ("turns", "turns (least, median, most)"),
            ("first_roles", "first turn"), ("last_roles", "last turn"), ("keys", "keys"),
            ("with_tools", "with tools"), ("empty_turns", "empty turns"),
            ("out_of_turn", "out of turn"),
        ):  # fmt: skip
            lines.append(f"    {label}: {json.dumps(item[name], ensure_ascii=False)}")
    return "\n".join(lines)


def overlap(result: Result) -> str:
    """Show what two splits share."""
    lines = [
        f"verdict: {result['verdict']}",
        f"first: {result['first']}",
        f"second: {result['second']}",
        f"compared columns: {_joined(result['columns'])}",
        f"rows of the second that stand in the first: {result['exact']} exactly, "
        f"{result['loose']} up to case and white space ({result['share_of_second']:.2%})",
        f"prompts in common: {result['same_prompt']} ({_joined(result['prompt_columns'])})",
    ]
    if result["examples"]:
        lines.append(f"row pairs (first, second): {result['examples']}")
    if not result["complete"]:
        lines.append("Not all rows were read: --rows N reads more.")
    return "\n".join(lines)


def fit(result: Result) -> str:
    """Show verdicts."""
    columns = result["columns"] if isinstance(result["columns"], dict) else {}
    names = ", ".join(f"{name}: {kind}" for name, kind in columns.items())
    return f"{_where(result)}\ncolumns: {short(names, 600)}\n{_verdict_lines(result['verdicts'])}"


def _verdict_lines(value: object) -> str:
    lines = []
    for item in _items(value):
        lines.append(f"- {str(item['method']).upper()}: {item['verdict']}")
        reasons = item["reasons"] if isinstance(item["reasons"], list) else []
        lines += [f"    {reason}" for reason in reasons]
        if item["mapping"]:
            lines.append(f"    mapping: {item['mapping']}")
    return "\n".join(lines)


def report(result: Result) -> str:
    """Show the short form of everything."""
    chats = _chat_lines(result["chat"])
    duplicates = result["duplicates"]
    columns = result["columns"] if isinstance(result["columns"], dict) else {}
    parts = [
        status(result),
        _split_lines(result["splits"]) if result["splits"] is not None else "splits: unknown",
        f"{_where(result)}\n" + "\n".join(f"- {name}: {kind}" for name, kind in columns.items()),
        _verdict_lines(result["verdicts"]),
        _null_lines(result["nulls"]),
        _duplicate_lines(duplicates) if isinstance(duplicates, dict) else "",
        chats or "no conversations",
        _rows(result["rows"], 200),
    ]
    return "\n\n".join(part for part in parts if part)
