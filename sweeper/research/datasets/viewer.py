"""The Hub's dataset viewer: splits, schema, rows and statistics without a download.

Contract: https://huggingface.co/docs/dataset-viewer. `/rows` gives at most 100 rows; cells that
are too long come back cut and are named in `truncated_cells`.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from functools import partial

from sweeper.research import legs
from sweeper.research.answer import Result
from sweeper.research.faults import DownError
from sweeper.research.faults import ForbiddenError
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.fields import Fields
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.services import DATASETS_SERVER
from sweeper.research.services import HUB

AGE_S = 6 * 3600.0
_WINDOW = 100
_FLAGS = ("viewer", "preview", "search", "filter", "statistics")

Params = dict[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Split:
    """One split of one configuration of one data set."""

    dataset: str
    config: str
    split: str

    def params(self) -> Params:
        """Return it as query parameters."""
        return {"dataset": self.dataset, "config": self.config, "split": self.split}

    def __str__(self) -> str:
        return f"{self.dataset} [{self.config}/{self.split}]"


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        index: Its place in the split.
        values: Its cells by column.
        cut: Columns whose cell came back shortened.
    """

    index: int
    values: Result
    cut: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of a split.

    Attributes:
        split: Which split.
        rows: The rows, in order.
        total: How many the split has; None if only its first rows can be had.
        features: Its columns: name -> type in words.
    """

    split: Split
    rows: list[Row]
    total: int | None
    features: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether these are all rows."""
        return self.total is not None and len(self.rows) >= self.total

    def coverage(self) -> str:
        """Return in words what was read."""
        if self.complete:
            return f"all {self.total} rows of {self.split}"
        if self.total is None:
            return f"only the first {len(self.rows)} rows of {self.split}: the viewer has no more"
        return f"{len(self.rows)} of {self.total} rows of {self.split}, evenly spread"


def _request(path: str, params: Params) -> Request:
    return Request(DATASETS_SERVER, path, params, age_s=AGE_S)


def valid(client: Client, dataset: str) -> dict[str, bool]:
    """Return what the viewer can do with a data set.

    Raises:
        NotFoundError: There is no such data set.
        ForbiddenError: It is private or gated, or does not exist; the service does not say which.
    """
    request = _request("/is-valid", {"dataset": dataset})
    try:
        return client.json(request, _flags)
    except NotFoundError as exc:
        raise NotFoundError(
            f"There is no data set {dataset!r} for this account. {exc.message}",
            hint="Check owner and name; a private one needs HF_TOKEN.",
        ) from exc
    except ForbiddenError as exc:
        raise ForbiddenError(
            f"The data set {dataset!r} does not exist, or is private or gated. {exc.message}",
            hint=f"See https://huggingface.co/datasets/{dataset}; accept its terms and set "
            "HF_TOKEN, or check the name.",
        ) from exc


def _flags(value: object) -> dict[str, bool]:
    answer = Fields(value, "is-valid")
    found = {name: answer.truth_or_none(name) for name in _FLAGS}
    if all(flag is None for flag in found.values()):
        raise StrangeAnswerError("The dataset viewer did not say what it can do.")
    return {name: bool(flag) for name, flag in found.items()}


def splits(client: Client, dataset: str) -> list[Split]:
    """Return all splits, by configuration."""
    return client.json(
        _request("/splits", {"dataset": dataset}), lambda value: _splits(value, dataset)
    )


def _splits(value: object, dataset: str) -> list[Split]:
    found = Fields(value, "splits").records("splits")
    if not found:
        raise StrangeAnswerError(f"The dataset viewer lists no split of {dataset}.")
    return [Split(dataset, item.text("config"), item.text("split")) for item in found]


def choose(known: list[Split], config: str | None, split: str | None) -> Split:
    """Return the split that is meant; a split always belongs to its own configuration.

    Raises:
        NotFoundError: There is none of that name.
    """
    configs = list(dict.fromkeys(item.config for item in known))
    if config is None:
        config = "default" if "default" in configs else configs[0]
        if split is not None and not any(s.config == config and s.split == split for s in known):
            config = next((item.config for item in known if item.split == split), config)
    elif config not in configs:
        raise NotFoundError(
            f"{known[0].dataset} has no configuration {config!r}.",
            hint=f"It has: {', '.join(configs)}.",
            key="--config",
        )
    own = [item for item in known if item.config == config]
    wanted = split or ("train" if any(item.split == "train" for item in own) else own[0].split)
    for item in own:
        if item.split == wanted:
            return item
    raise NotFoundError(
        f"{known[0].dataset} has no split {wanted!r} in configuration {config!r}.",
        hint=f"It has: {', '.join(item.split for item in own)}.",
        key="--split",
    )


def sizes(client: Client, dataset: str) -> dict[tuple[str, str], Result]:
    """Return rows and bytes of each (configuration, split)."""
    return client.json(_request("/size", {"dataset": dataset}), _sizes)


def _sizes(value: object) -> dict[tuple[str, str], Result]:
    answer = Fields(value, "size")
    partial_one = answer.truth_or_none("partial") or False
    return {
        (item.text("config"), item.text("split")): {
            "rows": item.whole("num_rows"),
            "bytes": item.whole_or_none("num_bytes_parquet_files"),
            "partial": partial_one,
        }
        for item in answer.record("size").records("splits")
    }


def info(client: Client, dataset: str, config: str) -> tuple[dict[str, object], dict[str, Result]]:
    """Return a configuration's features as they are declared, and its splits' rows and bytes."""
    request = _request("/info", {"dataset": dataset, "config": config})
    return client.json(request, _info)


def _info(value: object) -> tuple[dict[str, object], dict[str, Result]]:
    answer = Fields(value, "info").record("dataset_info")
    declared = answer.record_or_none("splits")
    counted: dict[str, Result] = {}
    for name in declared or ():
        if declared and (item := declared.record_or_none(name)):
            counted[name] = {
                "rows": item.whole_or_none("num_examples"),
                "bytes": item.whole_or_none("num_bytes"),
                "partial": False,
            }
    return _features(answer.raw("features"), "info.features"), counted


def _features(value: object, where: str) -> dict[str, object]:
    """Return features by name; `/info` gives a map, `/rows` a list, and both occur."""
    if isinstance(value, list):
        items = [Fields(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return {item.text("name"): item.raw("type") for item in items}
    fields = Fields(value, where)
    return {name: fields.raw(name) for name in fields}


def type_name(feature: object) -> str:
    """Return a feature's type in words."""
    if isinstance(feature, list):
        return f"list of {type_name(feature[0])}" if feature else "list"
    if not isinstance(feature, dict):
        return str(feature) if feature else "unknown"
    kind = feature.get("_type")
    if kind == "ClassLabel":
        return _class_label(feature)
    if kind in ("List", "LargeList", "Sequence"):
        return f"list of {type_name(feature.get('feature'))}"
    if kind == "Value":
        return str(feature.get("dtype", "unknown"))
    if isinstance(kind, str):
        return kind.lower()
    return "{" + ", ".join(f"{name}: {type_name(item)}" for name, item in feature.items()) + "}"


def _class_label(feature: dict[str, object]) -> str:
    names = feature.get("names")
    words = [str(name) for name in names] if isinstance(names, list) else []
    shown = ", ".join(words[:12]) + (" …" if len(words) > 12 else "")
    return f"class of {len(words)} ({shown})"


def class_names(feature: object) -> list[str]:
    """Return the names of a ClassLabel, or nothing."""
    names = feature.get("names") if isinstance(feature, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def statistics(client: Client, split: Split) -> tuple[int, list[Fields]]:
    """Return how many rows were counted, and the statistics of each column."""
    return client.json(_request("/statistics", split.params()), _statistics)


def _statistics(value: object) -> tuple[int, list[Fields]]:
    answer = Fields(value, "statistics")
    columns = answer.records("statistics")
    for column in columns:
        column.text("column_name")
        column.text("column_type")
        column.record("column_statistics")
    return answer.whole("num_examples"), columns


def window(client: Client, split: Split, offset: int, length: int) -> Sample:
    """Return up to 100 rows from `offset` on."""
    params: Params = {**split.params(), "offset": offset, "length": length}
    asked = replace(_request("/rows", params), attempts=3)
    return client.json(asked, lambda value: _window(value, split, offset, length))


def head(client: Client, split: Split, length: int) -> Sample:
    """Return a split's first rows; of a split that is not converted, those of the preview."""
    try:
        return window(client, split, 0, length)
    except (NotFoundError, DownError) as exc:
        try:
            found = first_rows(client, split)
        except ResearchError as second:
            raise exc from second
    return replace(found, rows=found.rows[:length])


def first_rows(client: Client, split: Split) -> Sample:
    """Return the few rows that the viewer previews where it has no others."""
    return client.json(
        _request("/first-rows", split.params()), lambda value: _first_rows(value, split)
    )


def _first_rows(value: object, split: Split) -> Sample:
    answer = Fields(value, "first-rows")
    rows = [_row(item) for item in answer.records("rows")]
    features = _features(answer.raw("features"), "first-rows.features")
    return Sample(split, rows, None, {name: type_name(item) for name, item in features.items()})


def _window(value: object, split: Split, offset: int, length: int) -> Sample:
    answer = Fields(value, "rows")
    total = answer.whole("num_rows_total")
    rows = [_row(item) for item in answer.records("rows")]
    expected = max(0, min(length, total - offset))
    if [row.index for row in rows] != list(range(offset, offset + expected)):
        raise StrangeAnswerError(
            f"The dataset viewer gave {len(rows)} rows of {split} where {expected} were due."
        )
    features = _features(answer.raw("features"), "rows.features")
    return Sample(split, rows, total, {name: type_name(item) for name, item in features.items()})


def _row(item: Fields) -> Row:
    values = item.record("row")
    cut = tuple(item.texts_or_empty("truncated_cells"))
    return Row(item.whole("row_idx"), {name: values.raw(name) for name in values}, cut)


def sample(client: Client, split: Split, most: int) -> Sample:
    """Return all rows of a split, or `most` of them in evenly spread windows of 100."""
    first = head(client, split, min(_WINDOW, most))
    if first.total is None or first.complete or len(first.rows) >= most:
        return first
    starts = _starts(first.total, most)
    found, failed = legs.run(
        {str(start): partial(window, client, split, start, size) for start, size in starts}
    )
    for exc in failed.values():
        raise exc
    rows = {row.index: row for part in (first, *found.values()) for row in part.rows}
    client.say(f"read {len(rows)} of {first.total} rows of {split}")
    return Sample(split, [rows[index] for index in sorted(rows)], first.total, first.features)


def _starts(total: int, most: int) -> list[tuple[int, int]]:
    """Return offset and length of the windows after the first."""
    if total <= most:
        offsets = range(_WINDOW, total, _WINDOW)
        return [(offset, min(_WINDOW, total - offset)) for offset in offsets]
    count = max(1, most // _WINDOW - 1)
    step = (total - 2 * _WINDOW) / count
    offsets_spread = {_WINDOW + round(step * (index + 1)) for index in range(count)}
    return [(min(offset, total - _WINDOW), _WINDOW) for offset in sorted(offsets_spread)]


def page(client: Client, dataset: str) -> Result:
    """Return what the Hub's page says: gating, license, downloads, revision."""
    request = Request(HUB, f"/api/datasets/{dataset}", age_s=AGE_S, attempts=1, patience_s=5)
    return client.json(request, lambda value: _page(Fields(value, "dataset")))


def _page(found: Fields) -> Result:
    tags = found.texts_or_empty("tags")
    licenses = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    gated = found.raw("gated")
    return {
        "id": found.text("id"),
        "private": found.truth_or_none("private"),
        "gated": gated if isinstance(gated, str) else bool(gated),
        "license": ", ".join(licenses) or None,
        "downloads": found.whole_or_none("downloads"),
        "likes": found.whole_or_none("likes"),
        "last_modified": found.text_or_none("lastModified"),
        "revision": found.text_or_none("sha"),
        "tags": tags[:30],
    }
