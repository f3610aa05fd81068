"""inspect_dataset.py: its operations and their arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from sweeper.research.arguments import add_limit
from sweeper.research.arguments import add_offset
from sweeper.research.arguments import whole
from sweeper.research.datasets import fit
from sweeper.research.datasets import inspecting
from sweeper.research.datasets import showing
from sweeper.research.datasets import viewer
from sweeper.research.door import Operation
from sweeper.research.door import Parser
from sweeper.research.door import Script


def _dataset(text: str) -> str:
    name = re.sub(r"^(https?://(huggingface\.co|hf\.co)/)?(datasets/)?", "", text.strip())
    if not re.fullmatch(r"[\w.-]{1,96}(/[\w.-]{1,96})?", name):
        raise argparse.ArgumentTypeError(f"is no name of a data set: {text!r}")
    return name


def _name(parser: Parser) -> None:
    parser.add_argument("dataset", type=_dataset, help="owner/name on the Hub")


def _arguments(
    *, split: bool = True, rows: int = 0, column: bool = False
) -> Callable[[Parser], None]:
    def declare(parser: Parser) -> None:
        _name(parser)
        parser.add_argument("--config", help="configuration (default: default, or the first)")
        if split:
            parser.add_argument("--split", help="split (default: train, or the first)")
        if rows:
            parser.add_argument(
                "--rows",
                type=whole(1, 20_000),
                default=rows,
                help=f"how many rows are read (default {rows}; all, if there are fewer)",
            )
        if column:
            parser.add_argument("--column", help="only this column")

    return declare


def _samples(parser: Parser) -> None:
    _arguments()(parser)
    add_limit(parser, 3, 100)
    add_offset(parser)


def _overlap(parser: Parser) -> None:
    _arguments(rows=2000, column=True)(parser)
    parser.add_argument("--other-dataset", type=_dataset, help="default: the same")
    parser.add_argument("--other-config", help="default: the same")
    parser.add_argument("--other-split", help="the second split, e.g. test")


def _fit(parser: Parser) -> None:
    _arguments(rows=300)(parser)
    parser.add_argument("--method", choices=fit.METHODS, help="default: all three")


INSPECT_DATASET = Script(
    "inspect_dataset.py",
    "Audits a data set on the Hub before anything is trained on it. "
    "`inspect_dataset.py OWNER/NAME` alone is the report.",
    tuple(
        Operation(name, about, arguments, call, show, viewer.AGE_S)
        for name, about, arguments, call, show in (
            ("report", "the short form of everything", _arguments(rows=300),
             inspecting.report, showing.report),
            ("status", "whether it exists; license, gating, what the viewer offers",
             _name, inspecting.status, showing.status),
            ("configs", "configurations and their splits", _name,
             inspecting.configs, showing.configs),
            ("splits", "splits with row counts", _arguments(split=False),
             inspecting.splits, showing.splits),
            ("schema", "columns and types", _arguments(), inspecting.schema, showing.schema),
            ("samples", "rows", _samples, inspecting.samples, showing.samples),
            ("statistics", "column statistics over the whole split",
             _arguments(column=True), inspecting.statistics, showing.statistics),
            ("nulls", "missing and empty cells", _arguments(rows=500),
             inspecting.nulls, showing.nulls),
            ("duplicates", "rows and prompts that repeat", _arguments(rows=1000, column=True),
             inspecting.duplicates, showing.duplicates),
            ("balance", "class counts", _arguments(rows=500, column=True),
             inspecting.balance, showing.balance),
            ("chat", "what conversations look like", _arguments(rows=300, column=True),
             inspecting.chat, showing.chat),
            ("overlap", "what two splits or data sets share", _overlap,
             inspecting.overlapping, showing.overlap),
            ("fit", "whether it fits SFT, DPO or GRPO, with reasons", _fit,
             inspecting.fitting, showing.fit),
        )
    ),
    "inspect_dataset.json",
    default="report",
)  # fmt: skip
