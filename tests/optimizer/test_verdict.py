"""Verdicts: an improvement only beyond the noise, the winner's luck taken off."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from sweeper.optimizer import noise
from sweeper.optimizer.verdict import Judgement
from sweeper.optimizer.verdict import TrialResult
from sweeper.optimizer.verdict import judge

SD = 0.01


def sweep(
    draw: Callable[[], float], n: int, *, repeats: bool = False, curves: bool = False
) -> list[TrialResult]:
    """Return a sweep over an objective that nothing changes."""
    trials: list[TrialResult] = []
    for number in range(n):
        if repeats and number % 10 == 5:
            own = [t for t in trials if t.origin != "repeat"]
            best = min(own, key=lambda t: t.value or math.inf)
            target = own[0] if number % 20 == 5 else best
            trials.append(TrialResult(number, "repeat", draw(), repeat_of=target.number))
            continue
        curve = {s: draw() for s in range(12)} if curves else {}
        value = curve[11] if curves else draw()
        trials.append(TrialResult(number, "model" if number else "baseline", value, curve=curve))
    return trials


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("curves", [False, True])
def test_luck_is_rarely_taken_for_improvement(repeats: bool, curves: bool) -> None:
    """With a constant objective and noise, fewer than 5 % of 50-trial sweeps claim anything."""
    rng = np.random.default_rng(0)

    def draw() -> float:
        return 1.0 + SD * float(rng.standard_normal())

    claims = [
        bool(
            judge(
                sweep(draw, 50, repeats=repeats, curves=curves), "minimize", planned=50
            ).improvements
        )
        for _ in range(160)
    ]

    assert np.mean(claims) < 0.05


def test_a_real_improvement_is_claimed_in_either_direction() -> None:
    """What lies far beyond the noise of repeats is kept, and the reason says by how much."""
    for direction, sign in (("minimize", 1.0), ("maximize", -1.0)):
        judged = judge(real(sign), direction)
        verdict = judged.verdicts[2]
        assert judged.champion == 2
        assert judged.improvements == [2]
        assert verdict.decision == "keep"
        assert "beyond the noise floor" in verdict.reason
        assert judged.noise_from == "repeats"


def real(sign: float = 1.0, again: tuple[float, ...] = ()) -> list[TrialResult]:
    """Return a baseline with four repeats, a trial that is no better, and one that is."""
    base = [1.0, 1.001, 0.999, 1.0005, 0.9995]
    trials = [TrialResult(0, "baseline", sign * base[0])]
    trials += [TrialResult(1, "model", sign * 0.9991)]
    trials += [TrialResult(2, "proposal", sign * 0.9)]
    for k, value in enumerate(base[1:]):
        trials.append(TrialResult(3 + k, "repeat", sign * value, repeat_of=0))
    for k, value in enumerate(again):
        trials.append(TrialResult(7 + k, "repeat", sign * value, repeat_of=2))
    return trials


def test_within_the_floor_is_discarded() -> None:
    """Better, but not by more than chance: discarded with both numbers."""
    verdict = judge(real(), "minimize").verdicts[1]

    assert verdict.decision == "discard"
    assert "within the noise floor" in verdict.reason
    assert verdict.noise_floor is not None


def test_the_winner_is_confirmed_by_its_own_repeats() -> None:
    """Without repeats nobody knows; agreeing ones confirm, contradicting ones take it back."""
    assert judge(real(), "minimize").confirmed is None

    confirmed = judge(real(again=(0.902, 0.898)), "minimize")
    assert confirmed.confirmed is True
    assert confirmed.champion == 2

    contradicted = judge(real(again=(1.01, 1.02)), "minimize")
    assert contradicted.champion == 0
    assert contradicted.improvements == []


def test_the_reported_value_owes_nothing_to_luck() -> None:
    """Correction takes off at least half of what a lucky winner owes to luck."""
    rng = np.random.default_rng(1)
    raw, corrected = [], []
    for _ in range(60):
        trials = sweep(lambda: 1.0 + SD * float(rng.standard_normal()), 30)
        # Tails of curves show the noise; the first value opens as champion, the best is reported.
        trials = [
            TrialResult(
                t.number,
                t.origin,
                t.value,
                curve={s: 1 + SD * float(rng.standard_normal()) for s in range(20)},
            )
            for t in trials
        ]
        judged: Judgement = judge(trials, "minimize")
        champion = next(t for t in trials if t.number == judged.champion)
        raw.append(abs((champion.value or 0.0) - 1.0))
        corrected.append(abs((judged.corrected or 0.0) - 1.0))

    assert np.mean(corrected) < 0.5 * np.mean(raw)


def test_repeats_replace_a_lucky_value() -> None:
    """A champion with repeats is reported by their mean."""
    assert judge(real(again=(0.92, 0.94)), "minimize").corrected == pytest.approx(0.93)


def test_patience_counts_real_improvements_only() -> None:
    """Complete and pruned trials since the last one count; failures and repeats do not."""
    trials = [
        *real(),
        TrialResult(7, "model", 0.8999),
        TrialResult(8, "model", None, state="pruned"),
        TrialResult(9, "model", None, state="failed"),
        TrialResult(10, "repeat", 0.9, repeat_of=2),
    ]

    assert judge(trials, "minimize").without_improvement == 2


def test_a_new_script_is_judged_anew() -> None:
    """Trials of an older verdict epoch are not compared with those of the newest."""
    trials = [
        TrialResult(0, "baseline", 0.1, verdict_epoch=1),
        TrialResult(1, "baseline", 1.0, verdict_epoch=2),
        TrialResult(2, "model", 1.2, verdict_epoch=2),
    ]
    judged = judge(trials, "minimize")

    assert judged.champion == 1
    assert judged.verdicts[0].reason == "Ran under an older script."


def test_without_any_witness_the_floor_is_unknown() -> None:
    """Two single values show no noise: what is better is kept, and called unconfirmed."""
    judged = judge(
        [TrialResult(0, "baseline", 1.0), TrialResult(1, "model", 0.5)], "minimize", planned=3
    )

    assert judged.noise_floor is None
    assert judged.champion == 1
    assert "unconfirmed" in judged.verdicts[1].reason


def test_an_empty_sweep_has_no_champion() -> None:
    """Nothing, or nothing but failures, is judged without an error."""
    assert judge([], "minimize").champion is None
    assert judge([TrialResult(0, "baseline", math.nan)], "minimize").champion is None


def test_tails_forget_slope_level_and_jumps() -> None:
    """A falling curve with a jump in it shows its noise, not its shape."""
    rng = np.random.default_rng(0)
    curves = []
    for level in (1.0, 5.0):
        values = {s: level - 0.02 * s + SD * float(rng.standard_normal()) for s in range(200)}
        curves.append({s: v - (0.5 if s > 170 else 0.0) for s, v in values.items()})
    estimate = noise.of_tails([noise.of_tail(c) for c in curves])

    assert estimate is not None
    assert estimate.sd == pytest.approx(SD, rel=0.35)
