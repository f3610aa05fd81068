"""The embedded default really trains."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sweeper import program
from sweeper.draft import attempt
from sweeper.jobs import metrics
from tests.studies.shipped import STUDIES

pytest.importorskip("sklearn", reason="the extra `digits` is not installed")


def losses(*args: str, seed: int = 0) -> list[float]:
    """Return the validation losses that a training prints."""
    done = subprocess.run(
        [sys.executable, "train.py", *args],
        cwd=STUDIES / "digits",
        env={**os.environ, "SWEEPER_SEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    reader = metrics.MetricReader("val_loss", "step")
    readings = [reading for line in done.stdout.splitlines() for reading in reader.feed(line)]
    assert [reading.step for reading in readings] == [*range(1, len(readings) + 1)]
    return [reading.value for reading in readings]


def test_it_learns():
    """The loss on images that are never trained on falls to a fraction of guessing (2.3)."""
    curve = losses("--epochs", "15", "--learning_rate", "0.003")

    assert len(curve) == 15
    assert curve[0] > 0.5
    assert curve[-1] < 0.35


def test_a_seed_decides_everything_and_another_one_something():
    """Runs of one seed agree in every digit; that of another seed differs."""
    first, again, other = (losses("--epochs", "1", seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_the_optimizer_and_its_parameters_matter():
    """A parameter of the other optimizer changes the training too."""
    sgd = ("--epochs", "1", "--optimizer", "sgd", "--learning_rate", "0.1")
    curves = [losses(*sgd), losses(*sgd, "--momentum", "0.5")]

    assert len({curve[-1] for curve in curves}) == 2


def test_a_try_finds_it_ready():
    """`sweeper try` sees the objective, the steps and the parameters."""
    found = attempt.run_briefly(program.load(STUDIES / "digits"), 30)

    assert attempt.worked(found), attempt.text(found)
    assert found.steps == 40
    assert found.passing.arrived is True
    assert (found.proposed_max_timeout_s or 0) <= 60
