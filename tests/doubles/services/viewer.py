"""The dataset viewer over data sets held in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.doubles.services.loopback import Refused
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import Seen
from tests.doubles.services.loopback import as_json
from tests.doubles.services.loopback import expect

Row = dict[str, Any]
TEXT = {"dtype": "string", "_type": "Value"}
CHAT = {"_type": "List", "feature": {"role": TEXT, "content": TEXT}}
LABEL = {"names": ["neg", "pos"], "_type": "ClassLabel"}


def chat(question: str, answer: str = "Yes.") -> list[Row]:
    """Return a conversation of two turns."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _sft(count: int, start: int = 0) -> list[Row]:
    return [{"messages": chat(f"Question {n}?")} for n in range(start, start + count)]


# data set -> configuration -> (features, split -> rows)
DATA: dict[str, dict[str, tuple[dict[str, Any], dict[str, list[Row]]]]] = {
    "x/sft": {
        "default": ({"messages": CHAT}, {"train": _sft(250), "test": _sft(20, 240)}),
    },
    "x/pairs": {
        "a": (
            {"prompt": TEXT, "chosen": TEXT, "rejected": TEXT},
            {"train": [{"prompt": f"p{n}", "chosen": "yes", "rejected": "no"} for n in range(5)]},
        ),
        "b": (
            {"question": TEXT, "answer": TEXT},
            {"test": [{"question": f"q{n}", "answer": None if n else ""} for n in range(4)]},
        ),
    },
    "x/labels": {
        "default": (
            {"sentence": TEXT, "label": LABEL},
            {"train": [{"sentence": f"s{n % 8}", "label": n % 4 // 3} for n in range(40)]},
        ),
    },
    "x/share": {
        "default": (
            {"conversations": {"_type": "List", "feature": {"from": TEXT, "value": TEXT}}},
            {"train": [{"conversations": [{"from": "human", "value": f"h{n}"},
                                          {"from": "gpt", "value": "g"}]} for n in range(6)]},
        ),
    },
}  # fmt: skip


def viewer(seen: Seen) -> Reply:
    """Answer like datasets-server.huggingface.co."""
    name = seen.query.get("dataset", "")
    if name == "x/gated":
        raise Refused(401, "The dataset does not exist, or is not accessible without "
                           "authentication (private or gated).")  # fmt: skip
    if name not in DATA:
        raise Refused(404, "The dataset does not exist on the Hub.")
    route = _ROUTES.get(seen.path)
    if route is None:
        raise Refused(404, "Not Found")
    return route(seen, name)


def _valid(seen: Seen, name: str) -> Reply:
    expect(seen, required="dataset")
    flags = ("viewer", "preview", "search", "filter", "statistics")
    return as_json({flag: True for flag in flags})


def _splits(seen: Seen, name: str) -> Reply:
    expect(seen, "config", "dataset")
    listed = [
        {"dataset": name, "config": config, "split": split}
        for config, (_, splits) in DATA[name].items()
        for split in splits
    ]
    return as_json({"splits": listed, "pending": [], "failed": []})


def _size(seen: Seen, name: str) -> Reply:
    expect(seen, "config", "dataset")
    listed = [
        {"dataset": name, "config": config, "split": split, "num_rows": len(rows),
         "num_bytes_parquet_files": 1000, "num_columns": 1}
        for config, (_, splits) in DATA[name].items()
        for split, rows in splits.items()
    ]  # fmt: skip
    return as_json({"size": {"splits": listed}, "pending": [], "failed": [], "partial": False})


def _config(seen: Seen, name: str) -> tuple[dict[str, Any], dict[str, list[Row]]]:
    config = seen.query["config"]
    if config not in DATA[name]:
        raise Refused(404, "The config does not exist.")
    return DATA[name][config]


def _info(seen: Seen, name: str) -> Reply:
    expect(seen, required="dataset config")
    features, splits = _config(seen, name)
    counted = {split: {"name": split, "num_examples": len(rows), "num_bytes": 10}
               for split, rows in splits.items()}  # fmt: skip
    info = {"features": features, "splits": counted, "config_name": seen.query["config"]}
    return as_json({"dataset_info": info, "partial": False})


def _rows_of(seen: Seen, name: str) -> tuple[dict[str, Any], list[Row]]:
    features, splits = _config(seen, name)
    if seen.query["split"] not in splits:
        raise Refused(404, "The split does not exist.")
    return features, splits[seen.query["split"]]


def _listed(features: dict[str, Any]) -> list[Row]:
    return [{"feature_idx": i, "name": name, "type": kind}
            for i, (name, kind) in enumerate(features.items())]  # fmt: skip


def _rows(seen: Seen, name: str) -> Reply:
    expect(seen, "offset length", "dataset config split")
    offset, length = int(seen.query.get("offset", 0)), int(seen.query.get("length", 100))
    if not 0 <= length <= 100 or offset < 0:
        raise Refused(422, "Parameter 'length' must not be greater than 100")
    features, rows = _rows_of(seen, name)
    shown = [{"row_idx": offset + i, "row": row, "truncated_cells": []}
             for i, row in enumerate(rows[offset : offset + length])]  # fmt: skip
    return as_json({"features": _listed(features), "rows": shown, "num_rows_total": len(rows),
                    "num_rows_per_page": 100, "partial": False})  # fmt: skip


def _first_rows(seen: Seen, name: str) -> Reply:
    expect(seen, required="dataset config split")
    features, rows = _rows_of(seen, name)
    shown = [{"row_idx": i, "row": row, "truncated_cells": []} for i, row in enumerate(rows[:5])]
    return as_json({"features": _listed(features), "rows": shown, "truncated": False})


def _statistics(seen: Seen, name: str) -> Reply:
    expect(seen, required="dataset config split")
    features, rows = _rows_of(seen, name)
    columns = []
    for column, kind in features.items():
        cells = [row[column] for row in rows]
        found: dict[str, Any] = {"nan_count": sum(cell is None for cell in cells),
                                 "nan_proportion": 0.0}  # fmt: skip
        label = kind.get("_type") == "ClassLabel"
        if label:
            found["frequencies"] = {n: cells.count(i) for i, n in enumerate(kind["names"])}
        columns.append({"column_name": column, "column_statistics": found,
                        "column_type": "class_label" if label else "string_text"})  # fmt: skip
    return as_json({"num_examples": len(rows), "statistics": columns, "partial": False})


_ROUTES: dict[str, Callable[[Seen, str], Reply]] = {
    "/is-valid": _valid,
    "/splits": _splits,
    "/size": _size,
    "/info": _info,
    "/rows": _rows,
    "/first-rows": _first_rows,
    "/statistics": _statistics,
}
