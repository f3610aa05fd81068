"""Report metrics from a training script, in full precision.

A job that `sweeper` starts can import this module; copied beside a script it works there too,
because it needs nothing but the standard library. The reader of these lines is
`sweeper/jobs/metrics.py`.

    from sweeper_report import report
    report(step=100, eval_loss=1.2345)
"""

from __future__ import annotations

import json
import sys

#: Stands in front of every line that is meant for the sweep.
MARK = "[sweeper] "

#: Names on a line that are not metrics.
RESERVED = ("seq", "reports")


def report(step: int | None = None, **metrics: object) -> None:
    """Print one reading of one or more metrics, at once.

    Args:
        step: Where the training stands; without it the readings are counted 1, 2, 3, …
        metrics: Numbers by name; whatever `float()` takes, such as a tensor of one element.

    Raises:
        TypeError: A value is not a number.
        ValueError: A name is reserved.
    """
    for name in RESERVED:
        if name in metrics:
            raise ValueError(f"{name!r} cannot be the name of a metric; choose another one")
    write(metrics if step is None else {"step": step, **metrics})


def write(values: dict[str, object]) -> None:
    """Print one line of values on the process's real standard output.

    A script may have replaced `sys.stdout`; the sweep reads what the process was started with.
    """
    stream = sys.__stdout__ or sys.stdout
    stream.write(format_line(**values) + "\n")
    stream.flush()


def format_line(**values: object) -> str:
    """Return the line that says `values`, in ASCII and without a line end.

    Raises:
        TypeError: A value is neither a number nor text.
    """
    return MARK + json.dumps({name: _plain(name, value) for name, value in values.items()})


def _plain(name: str, value: object) -> float | int | str:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        # json spells subclasses (numpy's float64 is one) by float.__repr__, in full
        return value
    try:
        return float(value)  # type: ignore[arg-type]  # whatever has __float__
    except (TypeError, ValueError, RuntimeError):
        kind = type(value).__name__
        raise TypeError(f"{name!r} is not a number but a {kind}") from None
