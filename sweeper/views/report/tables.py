"""The page's tables and texts, as HTML; every foreign text is escaped here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from sweeper.summary import findings
from sweeper.summary.records import Scalar
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial
from sweeper.views import wording
from sweeper.views.status import ended_by
from sweeper.views.status import latest_value

_ARXIV = re.compile(r"(?:arxiv:)?(\d{4}\.\d{4,5}(?:v\d+)?)", re.IGNORECASE)


_TRIAL_HEAD = (
    "trial",
    "state",
    "origin",
    "decision",
    "configuration",
    "why",
    "source",
    "time",
    "cost",
    "ended by",
)


def text(foreign: object) -> str:
    """Return a foreign text as HTML shows it as it is."""
    return html.escape(wording.plain(str(foreign)))


def instructions(said: str) -> str:
    """Return a text of ours in which commands stand between backticks."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", text(said))


def table(
    head: Iterable[str], rows: Iterable[Iterable[str]], *, name: str = "", ids: bool = False
) -> str:
    """Return a table of cells that are HTML already.

    Args:
        head: Column titles.
        rows: Cells.
        name: A class for the table.
        ids: Whether the first cell of a row is a trial's number that others point to.
    """
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    body = []
    for row in rows:
        cells = list(row)
        anchor = f' id="trial-{cells[0]}"' if ids else ""
        body.append(f"<tr{anchor}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return (
        f'<div class="scroll"><table class="{name}"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def trial_link(number: int) -> str:
    """Return a link to a trial's row."""
    return f'<a href="#trial-{number}">{number}</a>'


def cited(sources: Iterable[str]) -> str:
    """Return citations; arXiv ids and web addresses as links, anything else as text."""
    return ", ".join(_source(source) for source in sources)


def _source(source: str) -> str:
    arxiv = _ARXIV.fullmatch(source.strip())
    address = f"https://arxiv.org/abs/{arxiv[1]}" if arxiv else source.strip()
    if not re.match(r"https?://[^\s\"'<>]+$", address):
        return text(source)
    return f'<a href="{html.escape(address)}" rel="noopener noreferrer">{text(source)}</a>'


def winner(snapshot: Snapshot) -> str:
    """Return how the winner differs from the default, and what it shares with it."""
    best = snapshot.best
    if best is None:
        return ""
    defaults = snapshot.study.defaults or _baseline_params(snapshot)
    changed = [
        (f"<code>{text(name)}</code>", _setting(before), f"<b>{_setting(after)}</b>")
        for name, before, after in findings.changes(dict(defaults), best.params)
    ]
    same = [name for name, value in best.params.items() if defaults.get(name, ...) == value]
    shown = (
        table(("parameter", "default", f"trial {best.trial}"), changed)
        if changed
        else "<p>The default itself is the best so far.</p>"
    )
    kept = f"<p class=quiet>As the default: {text(', '.join(same))}.</p>" if same else ""
    return f"{shown}{kept}<p>Run it again: <code>sweeper reproduce {best.trial}</code></p>"


def _baseline_params(snapshot: Snapshot) -> dict[str, Scalar]:
    reference = findings.baseline(snapshot)
    return {} if reference is None else reference.params


def _setting(setting: Scalar) -> str:
    if setting is None:
        return "-"
    return text(repr(setting) if isinstance(setting, float) else wording.scalar(setting))


def improvements(snapshot: Snapshot) -> str:
    """Return the steps of the staircase as a table: what changed, by how much, whose idea."""
    rows = []
    before: Trial | None = None
    for step in findings.improvements(snapshot):
        trial = step.trial
        gain = "" if before is None else wording.gain(_difference(snapshot, before, trial))
        within = "" if step.real is not False else " <span class=quiet>within noise</span>"
        changed = ", ".join(f"{text(name)} {_change(old, new)}" for name, old, new in step.changed)
        rows.append(
            (
                trial_link(trial.number),
                wording.value(trial.value),
                f"{gain}{within}",
                changed or "first complete trial",
                _badge(findings.origin_label(trial)),
                cited(trial.source),
            )
        )
        before = trial
    if not rows:
        return ""
    return table(("trial", "value", "gain", "what changed", "origin", "source"), rows)


def _change(before: Scalar, after: Scalar) -> str:
    """Write a change; a parameter that another one switched on or off says so."""
    if before is None:
        return text(wording.scalar(after))
    return (
        f"{text(wording.scalar(before))} → {'-' if after is None else text(wording.scalar(after))}"
    )


def _difference(snapshot: Snapshot, before: Trial, after: Trial) -> float:
    return snapshot.study.sign * ((before.value or 0.0) - (after.value or 0.0))


def _badge(word: str) -> str:
    return f'<span class="badge {text(word)}">{text(word)}</span>'


def earnings(snapshot: Snapshot) -> str:
    """Return what each origin earned over the default."""
    rows = [
        (
            _badge(each.origin),
            str(each.trials),
            "" if each.best is None else wording.value(each.best.value),
            "" if each.best is None else trial_link(each.best.number),
            "-" if each.gain is None else wording.gain(each.gain),
        )
        for each in findings.earnings(snapshot)
    ]
    return table(("origin", "finished", "best", "trial", "gain over the default"), rows)


def queue(snapshot: Snapshot) -> str:
    """Return the proposals that wait to be weighed."""
    rows = [
        (text(wording.settings(each.params)), text(each.why or ""), cited(each.source))
        for each in snapshot.queued
    ]
    return table(("queued proposal", "why", "source"), rows) if rows else ""


def failures(snapshot: Snapshot) -> str:
    """Return the failed trials with cause, last log lines and one proposed fix."""
    parts = []
    for trial in snapshot.trials:
        failure = trial.failure
        if trial.state != "failed" or failure is None:
            continue
        lines = "\n".join(html.escape(_printable(line)) for line in failure.excerpt)
        excerpt = f"<pre>{lines}</pre>" if lines else ""
        fix = f"<p>Proposed fix: {text(failure.fix)}</p>" if failure.fix else ""
        parts.append(
            f"<details><summary>Trial {trial_link(trial.number)}: <b>{text(failure.cause)}</b>"
            f" {text(failure.sentence)}</summary>{excerpt}{fix}</details>"
        )
    return "".join(parts[-50:])


def _printable(line: str) -> str:
    return "".join(each if each.isprintable() else " " for each in line)


def trials(snapshot: Snapshot) -> str:
    """Return all trials with their citations."""
    return table(
        (*_TRIAL_HEAD[:3], text(snapshot.study.metric), *_TRIAL_HEAD[3:]),
        (_trial(trial) for trial in snapshot.trials),
        name="trials",
        ids=True,
    )


def _trial(trial: Trial) -> tuple[str, ...]:
    reason = f' <span class="quiet">{text(trial.reason)}</span>' if trial.reason else ""
    again = "" if trial.repeat_of is None else f" of {trial_link(trial.repeat_of)}"
    return (
        str(trial.number),
        _badge(trial.state),
        f"{_badge(findings.origin_label(trial))}{again}",
        wording.value(latest_value(trial)),
        f"{text(trial.decision or '')}{reason}",
        f"<code>{text(wording.settings(trial.params))}</code>",
        text(trial.why or ""),
        cited(trial.source),
        wording.duration(trial.running_s),
        wording.usd(trial.cost_micro_usd),
        text(ended_by(trial)),
    )
