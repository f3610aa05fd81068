"""What the readings mean: which trial to end, which to keep, and when the sweep is over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sweeper.optimizer import verdict as verdicts
from sweeper.state import verdicts as kept
from sweeper.state.ledger import JobRow
from sweeper.sweep import outcome
from sweeper.sweep import stops
from sweeper.sweep.events import Event
from sweeper.sweep.flight import Flight
from sweeper.sweep.session import Session

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: Seconds between two looks of the pruner at one trial.
_JUDGE_EVERY_S = 1.0


class Judge:
    """Judges the trials of one study.

    Attributes:
        best: Number of the trial with the best value so far, or None.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._judged_at: dict[int, float] = {}
        self._known: dict[int, kept.Verdict] = {}
        self._finished: dict[int, verdicts.TrialResult | None] = {}
        self.best: int | None = None
        self._best_value: float | None = None
        self._without_improvement = 0
        self._learned = False

    def anything_measured(self) -> bool:
        """Tell whether any trial has ever printed the objective."""
        trials = self._session.study.get_trials(deepcopy=False)
        return any(t.intermediate_values or t.state.name == "COMPLETE" for t in trials)

    def verdict_on(self, flight: Flight) -> str | None:
        """Return why a running trial is to be ended, or None.

        A NaN or an infinity of the objective is a divergence; all else is the pruner's word, asked
        at most once a second for each trial.
        """
        if flight.curve and not math.isfinite(next(reversed(flight.curve.values()))):
            return outcome.DIVERGED
        now = self._session.now()
        if now - self._judged_at.get(flight.number, -math.inf) < _JUDGE_EVERY_S:
            return None
        self._judged_at[flight.number] = now
        flight.unjudged = False
        study = self._session.study
        trial = self._as_it_stands(flight)
        if trial.state.is_finished() or not study.pruner.prune(study, trial):
            return None
        explain = getattr(study.pruner, "reason", None)
        words = explain(study, trial) if callable(explain) else None
        return f"{outcome.PRUNER}: {words}" if words else outcome.PRUNER

    def _as_it_stands(self, flight: Flight) -> FrozenTrial:
        """Return a running trial with the readings that the study holds.

        The flight knows them; reading thousands back every second would cost more than all else.
        """
        if flight.trial is None:
            flight.trial = self._session.storage.get_trial(flight.trial_id)
        flight.trial.intermediate_values = dict(flight.curve)
        return flight.trial

    def repeated_failure(self, row: JobRow) -> str | None:
        """Return the traceback that ended this trial and the one before it alike, or None."""
        if row.failure is None or row.failure.get("cause") != "script":
            return None
        settled = [
            each
            for each in self._session.ledger.jobs(states=("settled",))
            if each.outcome != "lost" and each.duplicate_of is None and each.id != row.id
        ]
        before = max(settled, key=lambda each: each.settled_at or 0.0, default=None)
        if before is None or before.failure is None:
            return None
        if before.failure.get("signature") != row.failure.get("signature"):
            return None
        sentence = str(row.failure.get("sentence", "the script failed twice in the same way"))
        excerpt = "\n".join(map(str, row.failure.get("excerpt", [])))
        return f"{sentence}\n{excerpt}".strip()

    def renew(self) -> Iterator[Event]:
        """Judge all finished trials anew, as the noise floor may have moved; keep what changed."""
        session = self._session
        goal = session.program.goal
        results = self._results()
        judged = verdicts.judge(results, goal.direction, planned=session.program.budget.max_jobs)
        self._without_improvement = judged.without_improvement
        changed = [new for each in judged.verdicts if (new := self._changed(each)) is not None]
        if changed:
            kept.store(session.transaction, session.opened.uid, changed, session.now())
        yield from self._new_best(results)

    def _results(self) -> list[verdicts.TrialResult]:
        """Return what every finished trial came to; such a trial never changes again."""
        for trial in self._session.study.get_trials(deepcopy=False):
            if trial.state.is_finished() and trial.number not in self._finished:
                started = trial.user_attrs.get("ended_by") != "not started"
                self._finished[trial.number] = _result(trial) if started else None
        ordered = (self._finished[number] for number in sorted(self._finished))
        return [result for result in ordered if result is not None]

    def _changed(self, new: verdicts.TrialVerdict) -> kept.Verdict | None:
        """Return what is to be stored, or None where it is stored already."""
        row = kept.Verdict(
            new.trial,
            new.decision,
            new.reason,
            new.noise_floor,
            new.confirmed,
            new.verdict_epoch,
        )
        if self._known.get(new.trial) == row:
            return None
        self._known[new.trial] = row
        return row

    def _new_best(self, results: list[verdicts.TrialResult]) -> Iterator[Event]:
        """Tell of a best value, unless this conductor only learns of an old one."""
        sign = 1.0 if self._session.program.goal.direction == "minimize" else -1.0
        ranked = [
            (sign * each.value, each.number)
            for each in results
            if each.counts and each.value is not None and each.origin != "repeat"
        ]
        learned, self._learned = self._learned, True
        if not ranked:
            return
        value, number = min(ranked)
        if number != self.best:
            self.best, self._best_value = number, sign * value
            if learned:
                yield Event("new_best", number, {"value": sign * value})

    def stop_reason(self) -> str | None:
        """Return why the sweep is over although its budget is not, or None."""
        goal = self._session.program.goal
        over = stops.reason(goal, self._best_value, self._without_improvement)
        if over is not None or goal.min_gain_per_usd is None:
            return over
        return stops.gain_reason(goal, self._suggestions())

    def _suggestions(self) -> list[stops.Suggestion]:
        """Return what the model promised of each finished trial that it suggested."""
        sign = 1.0 if self._session.program.goal.direction == "minimize" else -1.0
        found, best = [], math.inf
        for trial in self._session.study.get_trials(deepcopy=False):
            attrs = trial.user_attrs
            if trial.state.is_finished() and "expected" in attrs and math.isfinite(best):
                found.append(
                    stops.Suggestion(
                        float(attrs["expected"]),
                        float(attrs["expected_sd"]),
                        sign * best,
                        float(attrs.get("cost_usd", 0.0)),
                    )
                )
            if trial.state.name == "COMPLETE" and trial.value is not None:
                best = min(best, sign * trial.value)
        return found


def _result(trial: FrozenTrial) -> verdicts.TrialResult:
    words = {"COMPLETE": "complete", "PRUNED": "pruned"}
    return verdicts.TrialResult(
        number=trial.number,
        state=words.get(trial.state.name, "failed"),
        origin=str(trial.user_attrs.get("origin", "model")),
        value=trial.value if trial.state.name == "COMPLETE" else None,
        curve={s: v for s, v in trial.intermediate_values.items() if not math.isnan(v)},
        repeat_of=trial.user_attrs.get("repeat_of"),
        verdict_epoch=int(trial.user_attrs.get("verdict_epoch", 1)),
    )
