"""Events of the conductor as single lines, for logs and for terminals that are none.

What a line takes from an event's `detail`, where it is there: `value`, `step`, `origin`,
`attempt`, `params`, `job_id`, `flavor`, `url`, `failure` (cause, sentence), `ended_by`,
`running_s`, `cost_micro_usd`, `verb`, `by`, `answer` and, as the words for why, `sentence`,
`reason` or `message`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sweeper.summary.records import Event
from sweeper.views import wording

Detail = dict[str, Any]


def line(event: Event) -> str | None:
    """Say an event in one line; None for what is too frequent for a log.

    An unknown kind is said by its name rather than swallowed.
    """
    if event.kind == "reading":
        return None
    say = _LINES.get(event.kind, _other(event.kind))
    said = wording.plain(say(event.detail))
    return said if event.trial is None else f"trial {event.trial}: {said}"


def stamped(event: Event, at: float) -> str | None:
    """Say an event in one line with its time of day on this machine in front."""
    said = line(event)
    return None if said is None else f"{datetime.fromtimestamp(at):%H:%M:%S} {said}"


def _started(detail: Detail) -> str:
    attempt = detail.get("attempt")
    again = "" if attempt in (None, 1, "1") else f", attempt {attempt}"
    origin = f" ({detail['origin']}{again})" if detail.get("origin") else again
    job = " ".join(["", *_present(detail, "job_id")])
    return f"started{origin}{job} {wording.settings(detail.get('params') or {})}"


def _submitted(detail: Detail) -> str:
    return " ".join(["job submitted", *_present(detail, "job_id", "flavor", "url")])


def _first_metric(detail: Detail) -> str:
    return f"first reading {_reading(detail)}"


def _finished(detail: Detail) -> str:
    return f"finished {wording.value(detail.get('value'))}{_spent(detail)}"


def _pruned(detail: Detail) -> str:
    by = f" by {detail['ended_by']}" if detail.get("ended_by") else ""
    return f"pruned{by} at {_reading(detail)}{_spent(detail)}{_because(detail)}"


def _failed(detail: Detail) -> str:
    failure = detail.get("failure") or detail
    cause = failure.get("cause") or detail.get("ended_by") or "no cause known"
    return f"failed, {cause}{_because(failure) or _because(detail)}"


def _lost(detail: Detail) -> str:
    return f"attempt lost{_because(detail.get('failure') or detail)}"


def _spent(detail: Detail) -> str:
    seconds, cost = detail.get("running_s"), detail.get("cost_micro_usd")
    parts = [wording.duration(seconds)] if seconds is not None else []
    parts += [wording.usd(cost)] if cost else []
    return f" ({', '.join(parts)})" if parts else ""


def _new_best(detail: Detail) -> str:
    gain = f", {detail['gain']:.3g} better" if detail.get("gain") else ""
    return f"new best {wording.value(detail.get('value'))}{gain}"


def _waiting(detail: Detail) -> str:
    return f"waiting{_because(detail)}"


def _request(detail: Detail) -> str:
    asked = " ".join(["asked to", *_present(detail, "verb", "argument")])
    answer = f": {detail['answer']}" if detail.get("answer") else ""
    by = f" (by {detail['by']})" if detail.get("by") else ""
    return f"{asked}{by}{answer}"


def _warning(detail: Detail) -> str:
    return f"warning{_because(detail)}"


def _sweep_started(detail: Detail) -> str:
    return " ".join(["sweep started", *_present(detail, "study", "uid", "executor")])


def _sweep_finished(detail: Detail) -> str:
    return f"sweep ended{_because(detail)}"


def _other(kind: str) -> Callable[[Detail], str]:
    return lambda detail: f"{kind.replace('_', ' ')}{_because(detail)}"


def _because(detail: Detail) -> str:
    said = _present(detail, "sentence", "reason", "message", "stop_reason")
    hint = " ".join(["", *_present(detail, "hint")])
    return f": {said[0]}{hint}" if said else ""


def _reading(detail: Detail) -> str:
    step = f" (step {detail['step']})" if detail.get("step") is not None else ""
    return f"{wording.value(detail.get('value'))}{step}"


def _present(detail: Detail, *keys: str) -> list[str]:
    return [str(detail[key]) for key in keys if detail.get(key) not in (None, "")]


_LINES: dict[str, Callable[[Detail], str]] = {
    "sweep_started": _sweep_started,
    "trial_started": _started,
    "job_submitted": _submitted,
    "first_metric": _first_metric,
    "pruned": _pruned,
    "trial_finished": _finished,
    "trial_failed": _failed,
    "attempt_lost": _lost,
    "new_best": _new_best,
    "waiting": _waiting,
    "request": _request,
    "warning": _warning,
    "sweep_finished": _sweep_finished,
}
