"""The operations of inspect_dataset.py; a data set that does not exist is an error in each."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.datasets import audit
from sweeper.research.datasets import fit
from sweeper.research.datasets import overlap
from sweeper.research.datasets import viewer
from sweeper.research.datasets.viewer import Sample
from sweeper.research.datasets.viewer import Split
from sweeper.research.faults import BusyError
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.fields import Fields
from sweeper.research.http import Client
from sweeper.research.services import DATASETS_SERVER
from sweeper.research.services import HUB

_LABELS = ("class_label", "bool", "string_label")


def _answer(result: Result, *samples: Sample) -> Answer:
    notes = [f"Based on {sample.coverage()}." for sample in samples]
    return Answer(result, [DATASETS_SERVER.title], notes)


def _chosen(client: Client, args: argparse.Namespace) -> Split:
    viewer.valid(client, args.dataset)
    return viewer.choose(viewer.splits(client, args.dataset), args.config, args.split)


def _sampled(client: Client, args: argparse.Namespace) -> Sample:
    return viewer.sample(client, _chosen(client, args), args.rows)


def _where(split: Split) -> Result:
    return {"dataset": split.dataset, "config": split.config, "split": split.split}


def status(client: Client, args: argparse.Namespace) -> Answer:
    """Return whether a data set exists and what can be seen of it."""
    flags = viewer.valid(client, args.dataset)
    answer = Answer({"dataset": args.dataset, "viewer": dict(flags)}, [DATASETS_SERVER.title])
    try:
        answer.result["page"] = viewer.page(client, args.dataset)
        answer.source.append(HUB.title)
    except ResearchError as exc:
        answer.result["page"] = None
        answer.notes.append(f"License, gating and downloads are unknown: {exc.message}")
        answer.complete = False
    if not flags["viewer"] and not flags["preview"]:
        answer.notes.append("The viewer cannot show this data set; its rows stay unchecked.")
    return answer


def configs(client: Client, args: argparse.Namespace) -> Answer:
    """Return the configurations with their splits."""
    viewer.valid(client, args.dataset)
    known = viewer.splits(client, args.dataset)
    names = list(dict.fromkeys(item.config for item in known))
    listed = [{"config": name, "splits": [s.split for s in known if s.config == name]}
              for name in names]  # fmt: skip
    return _answer({"dataset": args.dataset, "configs": listed})


def splits(client: Client, args: argparse.Namespace) -> Answer:
    """Return every split with its rows and bytes."""
    viewer.valid(client, args.dataset)
    known = viewer.splits(client, args.dataset)
    if args.config is not None:
        viewer.choose(known, args.config, None)
        known = [item for item in known if item.config == args.config]
    answer = _answer({"dataset": args.dataset})
    sizes = _sizes(client, args.dataset, known, answer)
    empty: Result = {"rows": None, "bytes": None, "partial": False}
    answer.result["splits"] = [
        {"config": item.config, "split": item.split, **sizes.get((item.config, item.split), empty)}
        for item in known
    ]
    if any(size["partial"] for size in sizes.values()):
        answer.notes.append("Row counts cover only the part that the viewer has converted.")
    return answer


def _sizes(
    client: Client, dataset: str, known: list[Split], answer: Answer
) -> dict[tuple[str, str], Result]:
    try:
        return viewer.sizes(client, dataset)
    except BusyError:
        raise
    except ResearchError as exc:
        answer.notes.append(f"Sizes come from the data set's own card, because: {exc.message}")
        answer.complete = False
    found: dict[tuple[str, str], Result] = {}
    for config in dict.fromkeys(item.config for item in known):
        counted = viewer.info(client, dataset, config)[1]
        found |= {(config, name): size for name, size in counted.items()}
    return found


def schema(client: Client, args: argparse.Namespace) -> Answer:
    """Return the columns of a configuration with their types."""
    split = _chosen(client, args)
    features, _ = viewer.info(client, split.dataset, split.config)
    columns = [
        {
            "name": name,
            "type": viewer.type_name(feature),
            "classes": viewer.class_names(feature),
            "declared": feature,
        }
        for name, feature in features.items()
    ]
    return _answer({**_where(split), "columns": columns})


def samples(client: Client, args: argparse.Namespace) -> Answer:
    """Return rows."""
    split = _chosen(client, args)
    if args.offset:
        found = viewer.window(client, split, args.offset, args.limit)
    else:
        found = viewer.head(client, split, args.limit)
    rows = [{"index": row.index, "values": row.values, "cut": list(row.cut)} for row in found.rows]
    answer = _answer({**_where(split), "total": found.total, "rows": list(rows)})
    end = args.offset + len(rows)
    if found.total is not None and end < found.total:
        answer.more.append(More(f"rows from {end} of {found.total}", {"--offset": str(end)}))
    if found.total is None:
        answer.notes.append(f"Based on {found.coverage()}.")
    return answer


def statistics(client: Client, args: argparse.Namespace) -> Answer:
    """Return what the viewer computed for each column over the whole split."""
    split = _chosen(client, args)
    count, columns = viewer.statistics(client, split)
    named = [column for column in columns if args.column in (None, column.text("column_name"))]
    if not named:
        raise _no_column(args.column, [column.text("column_name") for column in columns])
    listed = [
        {
            "column": column.text("column_name"),
            "type": column.text("column_type"),
            "statistics": column.raw("column_statistics"),
        }
        for column in named
    ]
    return _answer({**_where(split), "rows": count, "columns": listed})


def _no_column(column: str, known: list[str]) -> NotFoundError:
    return NotFoundError(
        f"There is no column {column!r}.", hint=f"Columns: {', '.join(known)}.", key="--column"
    )


def nulls(client: Client, args: argparse.Namespace) -> Answer:
    """Return missing and empty cells per column: nulls exactly where statistics exist."""
    sample = _sampled(client, args)
    answer = _answer({**_where(sample.split)}, sample)
    exact = _exact_nulls(client, sample, answer)
    found = audit.nulls(sample)
    for column in found:
        column["nulls_in_all"] = exact.get(str(column["column"]))
    answer.result["columns"] = list(found)
    return answer


def _exact_nulls(client: Client, sample: Sample, answer: Answer) -> dict[str, int | None]:
    if sample.complete:
        return {}
    try:
        _, columns = viewer.statistics(client, sample.split)
    except BusyError:
        raise
    except ResearchError as exc:
        answer.notes.append(f"Nulls are counted in the rows read only: {exc.message}")
        answer.complete = False
        return {}
    return {c.text("column_name"): _nan_count(c) for c in columns}


def _nan_count(column: Fields) -> int | None:
    return column.record("column_statistics").whole_or_none("nan_count")


def duplicates(client: Client, args: argparse.Namespace) -> Answer:
    """Return rows that occur more than once."""
    sample = _sampled(client, args)
    _check_column(sample, args.column)
    result = {**_where(sample.split), **audit.duplicates(sample, args.column)}
    return _answer(result, sample)


def _check_column(sample: Sample, column: str | None) -> None:
    if column is not None and column not in sample.features:
        raise _no_column(column, list(sample.features))


def balance(client: Client, args: argparse.Namespace) -> Answer:
    """Return class counts: of the whole split where statistics exist, else of the rows read."""
    split = _chosen(client, args)
    try:
        _, columns = viewer.statistics(client, split)
    except BusyError:
        raise
    except ResearchError as exc:
        return _balance_of_rows(client, args, split, exc)
    found = []
    for column in columns:
        name, kind = column.text("column_name"), column.text("column_type")
        counts = column.record("column_statistics").record_or_none("frequencies")
        if args.column in (None, name) and kind in _LABELS and counts is not None:
            found.append(audit.shares(name, {value: counts.whole(value) for value in counts}))
    if not found and args.column is not None:
        return _balance_of_rows(client, args, split, None)
    answer = _answer({**_where(split), "columns": list(found)})
    if not found:
        answer.notes.append("No column holds classes; name one with --column to count it anyway.")
    return answer


def _balance_of_rows(
    client: Client, args: argparse.Namespace, split: Split, exc: ResearchError | None
) -> Answer:
    if args.column is None:
        raise exc or NotFoundError("No column holds classes.")
    sample = viewer.sample(client, split, args.rows)
    _check_column(sample, args.column)
    answer = _answer({**_where(split), "columns": [audit.balance(sample, args.column)]}, sample)
    if exc is not None:
        answer.notes.append(f"Counted in the rows read only: {exc.message}")
        answer.complete = False
    return answer


def chat(client: Client, args: argparse.Namespace) -> Answer:
    """Return what the conversations look like."""
    sample = _sampled(client, args)
    _check_column(sample, args.column)
    names = [args.column] if args.column else audit.chat_columns(sample)
    found = [audit.chat(sample, name) for name in names]
    answer = _answer({**_where(sample.split), "columns": list(found)}, sample)
    if not found:
        answer.notes.append("No column holds conversations.")
    return answer


def overlapping(client: Client, args: argparse.Namespace) -> Answer:
    """Return what two splits, or splits of two data sets, share."""
    one = _sampled(client, args)
    dataset = args.other_dataset or args.dataset
    config = args.other_config or (None if args.other_dataset else one.split.config)
    viewer.valid(client, dataset)
    split = viewer.choose(viewer.splits(client, dataset), config, args.other_split)
    if split == one.split:
        raise NotFoundError(
            f"Both are {split}.", hint="Name the second with --other-split or --other-dataset."
        )
    other = viewer.sample(client, split, args.rows)
    result = {
        "first_split": _where(one.split),
        "second_split": _where(split),
        **overlap.compare(one, other, args.column),
    }
    return _answer(result, one, other)


def fitting(client: Client, args: argparse.Namespace) -> Answer:
    """Return whether a split can train SFT, DPO or GRPO as it is."""
    sample = _sampled(client, args)
    methods = [args.method] if args.method else list(fit.METHODS)
    verdicts = [fit.verdict(sample, method) for method in methods]
    columns = dict(sample.features)
    return _answer({**_where(sample.split), "columns": columns, "verdicts": verdicts}, sample)


def report(client: Client, args: argparse.Namespace) -> Answer:
    """Return the short form of everything: what it is, what is wrong, what it fits."""
    answer = status(client, args)
    answer.result["splits"] = _part(answer, "split sizes", lambda: splits(client, args))
    sample = _sampled(client, args)
    answer.notes.append(f"Based on {sample.coverage()}.")
    answer.result |= {
        **_where(sample.split),
        "columns": dict(sample.features),
        "rows": [{"index": row.index, "values": row.values, "cut": list(row.cut)}
                 for row in sample.rows[:2]],
        "nulls": list(audit.nulls(sample)),
        "duplicates": audit.duplicates(sample, None),
        "chat": [audit.chat(sample, name) for name in audit.chat_columns(sample)],
        "verdicts": [fit.verdict(sample, method) for method in fit.METHODS],
    }  # fmt: skip
    return answer


def _part(answer: Answer, what: str, call: Callable[[], Answer]) -> object:
    try:
        found = call()
    except ResearchError as exc:
        answer.notes.append(f"{what} are unknown: {exc.message}")
        answer.complete = False
        return None
    answer.notes += found.notes
    answer.complete &= found.complete
    return found.result["splits"]
