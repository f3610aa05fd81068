"""A sweep ends at its target, when patience runs out, or when money buys too little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.program import Goal
from sweeper.sweep import stops
from sweeper.sweep.stops import Suggestion


def goal(**more: object) -> Goal:
    return Goal.model_validate({"metric": "loss", "direction": "minimize", **more})


@pytest.mark.parametrize(
    ("direction", "best", "reached"),
    [("minimize", 0.9, True), ("minimize", 1.1, False), ("maximize", 1.1, True)],
)
def test_the_target_counts_in_the_goals_direction(
    direction: str, best: float, reached: bool
) -> None:
    found = stops.reason(goal(direction=direction, target=1.0), best, 0)

    assert (found is not None) == reached


def test_patience_runs_out_at_its_number() -> None:
    assert stops.reason(goal(patience=3), 1.0, 2) is None
    assert (stops.reason(goal(patience=3), 1.0, 3) or "").startswith("patience")


def test_money_that_buys_too_little_three_times_in_a_row_is_left_unspent() -> None:
    hopeless = Suggestion(expected=2.0, sd=0.1, best=1.0, cost_usd=1.0)
    hopeful = Suggestion(expected=0.5, sd=0.1, best=1.0, cost_usd=1.0)
    asked = goal(min_gain_per_usd=0.01)

    assert stops.gain_reason(asked, [hopeless] * 2) is None
    assert stops.gain_reason(asked, [hopeless, hopeful, hopeless]) is None
    assert (stops.gain_reason(asked, [hopeful, *[hopeless] * 3]) or "").startswith("gain")
    assert stops.gain_reason(goal(), [hopeless] * 5) is None


def test_what_costs_nothing_is_never_too_dear() -> None:
    free = Suggestion(expected=2.0, sd=0.1, best=1.0, cost_usd=0.0)

    assert stops.gain_reason(goal(min_gain_per_usd=1.0), [free] * 5) is None


@given(
    st.floats(-10, 10),
    st.floats(0, 5),
    st.floats(-10, 10),
    st.sampled_from(["minimize", "maximize"]),
)
def test_an_expected_gain_is_never_negative_and_never_below_the_certain_one(
    expected: float, sd: float, best: float, direction: str
) -> None:
    found = stops.expected_gain(goal(direction=direction), Suggestion(expected, sd, best, 1.0))
    ahead = best - expected if direction == "minimize" else expected - best

    assert found >= max(0.0, ahead) - 1e-9
