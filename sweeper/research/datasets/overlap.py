"""Whether two splits or data sets share rows: the first question before an evaluation is believed.

Rows are compared by hash, exactly and up to case and white space, over the columns that both
have; prompts also by themselves. What was not read is said: no overlap found in a part proves
nothing about the rest.
"""

from __future__ import annotations

from sweeper.research.answer import Result
from sweeper.research.datasets import audit
from sweeper.research.datasets.viewer import Row
from sweeper.research.datasets.viewer import Sample
from sweeper.research.faults import NotFoundError


def compare(one: Sample, other: Sample, column: str | None) -> Result:
    """Return what two samples share.

    Raises:
        NotFoundError: They have no column in common, or not the one that was asked for.
    """
    shared = [name for name in one.features if name in other.features]
    if column is not None and column not in shared:
        raise NotFoundError(
            f"Not both have a column {column!r}.",
            hint=f"In common: {', '.join(shared) or 'none'}.",
            key="--column",
        )
    columns = [column] if column else shared
    prompts = (_prompt(one, column), _prompt(other, column))
    if not columns and None in prompts:
        raise NotFoundError(
            f"{one.split} and {other.split} have no column in common.",
            hint=f"They have {', '.join(one.features)} and {', '.join(other.features)}.",
        )
    exact = _shared(one, other, columns, loose=False) if columns else []
    loose = _shared(one, other, columns, loose=True) if columns else []
    same_prompt = _shared_prompts(one, other, prompts)
    return {
        "first": one.coverage(),
        "second": other.coverage(),
        "complete": one.complete and other.complete,
        "columns": columns,
        "exact": len(exact),
        "loose": len(loose),
        "prompt_columns": list(prompts) if None not in prompts else None,
        "same_prompt": len(same_prompt),
        "share_of_second": round(len(loose) / max(1, len(other.rows)), 4),
        "examples": [list(pair) for pair in (loose or same_prompt)[:10]],
        "verdict": _verdict(one, other, len(loose), len(same_prompt)),
    }


def _prompt(sample: Sample, column: str | None) -> str | None:
    return column or audit.prompt_column(sample)


def _verdict(one: Sample, other: Sample, loose: int, prompts: int) -> str:
    if loose or prompts:
        return "overlap"
    return "none" if one.complete and other.complete else "none found in what was read"


def _shared(
    one: Sample, other: Sample, columns: list[str], *, loose: bool
) -> list[tuple[int, int]]:
    def key(row: Row) -> str:
        return audit.fingerprint([row.values.get(name) for name in columns], loose=loose)

    known = {key(row): row.index for row in _usable(one, columns)}
    pairs = [(known.get(key(row)), row.index) for row in _usable(other, columns)]
    return [(first, second) for first, second in pairs if first is not None]


def _usable(sample: Sample, columns: list[str]) -> list[Row]:
    return [row for row in sample.rows if not set(row.cut) & set(columns)]


def _shared_prompts(
    one: Sample, other: Sample, prompts: tuple[str | None, str | None]
) -> list[tuple[int, int]]:
    first, second = prompts
    if first is None or second is None:
        return []
    known = {
        audit.fingerprint(text, loose=True): row.index
        for row in _usable(one, [first])
        if (text := audit.prompt_of(row, first)) not in (None, "")
    }
    pairs = [
        (known.get(audit.fingerprint(audit.prompt_of(row, second), loose=True)), row.index)
        for row in _usable(other, [second])
    ]
    return [(a, b) for a, b in pairs if a is not None]
