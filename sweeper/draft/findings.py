"""What a try of the script showed, as data, as a JSON document and as text."""

from __future__ import annotations

import math
from dataclasses import asdict
from dataclasses import dataclass

from sweeper.budget.prices import format_duration
from sweeper.draft import reported
from sweeper.jobs.failure import Failure

#: Names of the forms of a metric line, by strength.
FORMS = {3: "reported", 2: "trainer", 1: "printed"}


@dataclass(frozen=True, slots=True)
class SeenMetric:
    """A number that the script printed by name.

    Attributes:
        name: The name.
        count: How often it came.
        last: Its last value.
        form: "reported", "trainer" or "printed", the strongest in which it came.
        finite: Whether every value was a finite number.
        objective: Whether it can be what the sweep optimises.
    """

    name: str
    count: int
    last: float
    form: str
    finite: bool
    objective: bool


@dataclass(frozen=True, slots=True)
class Passing:
    """How the parameters reached the script.

    Attributes:
        way: args, env, json or constants.
        arrived: Whether they did; None where only the script's author can tell.
        sentence: The same in words, with what to change.
        lost: Names that the script refused or does not look at.
    """

    way: str
    arrived: bool | None
    sentence: str
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What a try showed.

    Attributes:
        metric: The objective that program.md names.
        metrics: Every number printed by name, the likeliest objectives first.
        passing: How the parameters reached the script.
        ran_s: Seconds it ran.
        cut: Whether it was ended because its time was over.
        exit_code: The script's exit code; None if it was cut or a signal ended it.
        steps: The axis' last value that was seen, or None.
        axis: "epoch" or the name of the steps that the readings stand on.
        seconds_per_step: Seconds between neighbouring values of the axis, or None.
        startup_s: Seconds before the first step, or None.
        proposed_max_timeout_s: A `max_timeout` with half of a run's time in reserve, or None.
        timeout_reason: What the proposal rests on, or why there is none.
        failure: Why it failed, or None.
        left_out: Arguments that were not given, because a try pushes nothing.
    """

    metric: str
    metrics: tuple[SeenMetric, ...]
    passing: Passing
    ran_s: float
    cut: bool
    exit_code: int | None
    steps: float | None
    axis: str
    seconds_per_step: float | None
    startup_s: float | None
    proposed_max_timeout_s: float | None
    timeout_reason: str
    failure: Failure | None
    left_out: tuple[str, ...] = ()


def worked(found: Findings) -> bool:
    """Tell whether a sweep could start: the objective came, finite, and the parameters arrived."""
    objective = _objective(found)
    came = objective is not None and objective.finite
    return came and found.failure is None and found.passing.arrived is not False


def can_be_objective(name: str, last: float) -> bool:
    """Tell whether a number looks like a result rather than a clock, a step or a rate."""
    return math.isfinite(last) and reported.worth(name) > 0


def as_document(found: Findings) -> dict[str, object]:
    """Return what was found as plain data; a value that is no finite number is text."""
    document = asdict(found)
    for metric in document["metrics"]:
        if not math.isfinite(metric["last"]):
            metric["last"] = repr(metric["last"])
    return {**document, "worked": worked(found)}


def text(found: Findings) -> str:
    """Return what was found in words."""
    parts = [
        _ending(found),
        found.passing.sentence,
        *_metric_lines(found),
        _pace(found),
        _timeout(found),
        *_failure(found),
    ]
    if found.left_out:
        parts.insert(1, f"Left out here, so that nothing is pushed: {' '.join(found.left_out)}")
    return "\n".join(part for part in parts if part)


def _objective(found: Findings) -> SeenMetric | None:
    return next((seen for seen in found.metrics if seen.name == found.metric), None)


def _ending(found: Findings) -> str:
    ran = f"{found.ran_s:.0f} s"
    if found.cut:
        return f"The script ran for {ran} and was ended then."
    if found.exit_code == 0:
        return f"The script ended by itself after {ran}."
    how = "by a signal" if found.exit_code is None else f"with exit code {found.exit_code}"
    return f"The script failed after {ran}, {how}."


def _metric_lines(found: Findings) -> list[str]:
    if not found.metrics:
        return [
            "No metric was seen. Print one per line, such as `val_loss=0.123`, or with a step:"
            " `step=100 val_loss=0.123`."
        ]
    lines = ["Metrics seen:"]
    for seen in found.metrics:
        role = "  <- the objective" if seen.name == found.metric else ""
        role = role or ("  (could be the objective)" if seen.objective else "")
        broken = "" if seen.finite else "  NOT FINITE"
        lines.append(
            f"  {seen.name} = {seen.last:.6g}  ({seen.count} x, {seen.form}){broken}{role}"
        )
    if _objective(found) is None:
        lines.append(f"The objective, {found.metric}, was not among them.{_advice(found)}")
    return lines


def _advice(found: Findings) -> str:
    usable = [seen.name for seen in found.metrics if seen.objective]
    if usable:
        return f" Set `metric: {usable[0]}` in Goal, or let the script print {found.metric}."
    return " Let it run longer with --seconds." if found.cut else ""


def _pace(found: Findings) -> str:
    if found.seconds_per_step is None:
        return ""
    unit = "an epoch" if found.axis == "epoch" else "a step"
    return f"{found.seconds_per_step:.3g} s {unit}; {found.axis} {found.steps:g} was reached."


def _timeout(found: Findings) -> str:
    if found.proposed_max_timeout_s is None:
        return f"No max_timeout is proposed: {found.timeout_reason}."
    proposed = format_duration(found.proposed_max_timeout_s)
    return f"Proposed max_timeout: {proposed} ({found.timeout_reason}, on this machine)."


def _failure(found: Findings) -> list[str]:
    if found.failure is None:
        return []
    shown = [f"  | {line}" for line in found.failure.excerpt]
    return [f"Why: {found.failure.sentence}", *shown, f"Fix: {found.failure.fix}"]
