"""Optuna's storage opened our way: same answers, exactly one claim, one transaction."""

import math
import multiprocessing
import random
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.trial import TrialState
from optuna.trial import create_trial

from sweeper.optimizer import loading
from sweeper.optimizer.storage import OWNER
from sweeper.optimizer.storage import create_owned_trial
from sweeper.optimizer.storage import database_of
from sweeper.optimizer.storage import open_storage
from sweeper.optimizer.storage import set_intermediate_values
from sweeper.optimizer.storage import set_trial_attrs

SPACE = {
    "lr": FloatDistribution(1e-6, 1e-2, log=True),
    "layers": IntDistribution(1, 12),
    "act": CategoricalDistribution(["relu", None, True, 3, 0.5]),
}


def url_of(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sweep.db'}"


def new_study(tmp_path: Path, **options: object) -> optuna.Study:
    return optuna.create_study(storage=open_storage(url_of(tmp_path)), study_name="s", **options)


def fill(study: optuna.Study, n: int) -> None:
    rng = random.Random(0)
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    states += [TrialState.RUNNING, TrialState.WAITING]
    for number in range(n):
        state = states[number % 5]
        params = {
            "lr": 10 ** rng.uniform(-6, -2),
            "layers": rng.randint(1, 12),
            "act": SPACE["act"].choices[number % 5],
        }
        if number % 7 == 0:
            del params["layers"]
        curve = {k * 3: v for k, v in enumerate((0.5, math.inf, -math.inf, number / 3))}
        study.add_trial(
            create_trial(
                state=state,
                value=math.inf if number == 0 else number / 7 if number % 5 == 0 else None,
                params=params,
                distributions={name: SPACE[name] for name in params},
                user_attrs={"why": "é", "n": [number]},
                system_attrs={"deep": {"a": None}},
                intermediate_values=curve,
            )
        )


@pytest.mark.parametrize(("n", "most_ids"), [(1, 500), (40, 500), (40, 10)])
def test_loads_what_optuna_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int, most_ids: int
) -> None:
    """Params, values, readings, attributes, distributions and times equal Optuna's own."""
    monkeypatch.setattr(loading, "_MOST_IDS", most_ids)
    study = optuna.create_study()
    fill(study, n)
    optuna.copy_study(
        from_study_name=study.study_name,
        from_storage=study._storage,
        to_storage=url_of(tmp_path),
    )
    plain = optuna.storages.RDBStorage(url_of(tmp_path))
    ours = database_of(open_storage(url_of(tmp_path)))

    assert ours is not None
    study_id = plain.get_all_studies()[0]._study_id
    assert plain.get_all_trials(study_id) == ours.get_all_trials(study_id)
    late = plain._get_trials(study_id, None, set(range(1, n, 2)), n // 2)
    assert late == ours._get_trials(study_id, None, set(range(1, n, 2)), n // 2)
    assert plain.get_trial(1) == ours.get_trial(1)
    done = (TrialState.COMPLETE,)
    assert plain.get_all_trials(study_id, states=done) == ours.get_all_trials(
        study_id, states=done
    )


def test_nan_readings_survive(tmp_path: Path) -> None:
    """A NaN reading is stored as NaN and read back as NaN."""
    study = new_study(tmp_path)
    trial = study.ask()
    set_intermediate_values(study._storage, {trial._trial_id: {2: math.nan, 5: math.inf}})

    readings = study._storage.get_trial(trial._trial_id).intermediate_values

    assert math.isnan(readings[2])
    assert readings[5] == math.inf


def test_missing_things_are_key_errors(tmp_path: Path) -> None:
    """As the storage contract says."""
    storage = open_storage(url_of(tmp_path))
    with pytest.raises(KeyError):
        storage.get_trial(7)
    with pytest.raises(KeyError):
        storage.get_all_trials(7)
    with pytest.raises(KeyError):
        storage.set_trial_state_values(7, TrialState.RUNNING)


def test_finished_trials_cannot_be_claimed(tmp_path: Path) -> None:
    """A running trial is not claimed again, a finished one raises."""
    study = new_study(tmp_path)
    trial = study.ask()

    assert not study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
    study.tell(trial, 1.0)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)


def test_sqlite_is_in_wal_mode_for_everybody(tmp_path: Path) -> None:
    """The mode persists in the file, so that plain Optuna and the dashboard inherit it."""
    open_storage(url_of(tmp_path))
    plain = optuna.storages.RDBStorage(url_of(tmp_path))
    with plain.engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()

    assert mode == "wal"


def pop_all(url: str, barrier: object, results: object) -> None:
    study = optuna.load_study(study_name="s", storage=open_storage(url))
    barrier.wait()
    mine = []
    while (trial := study.ask()).params or "queued" in trial.user_attrs:
        mine.append(trial.number)
    study.tell(trial, state=TrialState.FAIL)
    results.put(mine)


def test_a_queued_trial_starts_once(tmp_path: Path) -> None:
    """Four processes empty one queue and no trial is popped twice."""
    study = new_study(tmp_path)
    for k in range(24):
        study.enqueue_trial({"lr": k}, user_attrs={"queued": True})
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(4), spawn.Queue()
    args = (url_of(tmp_path), barrier, results)
    workers = [spawn.Process(target=pop_all, args=args) for _ in range(4)]
    for worker in workers:
        worker.start()
    popped = [number for _ in workers for number in results.get(timeout=60)]
    for worker in workers:
        worker.join()

    assert sorted(popped) == list(range(24))


def test_readings_overwrite_and_skip_finished_trials(tmp_path: Path) -> None:
    """A later reading of a step wins; finished trials are named and left as they are."""
    study = new_study(tmp_path)
    first, second = study.ask(), study.ask()
    ids = first._trial_id, second._trial_id
    set_intermediate_values(study._storage, {ids[0]: {1: 1.0}, ids[1]: {1: 5.0}})
    study.tell(second, 5.0)

    refused = set_intermediate_values(study._storage, {ids[0]: {1: 2.0, 4: 3.0}, ids[1]: {1: 9.0}})

    assert refused == {ids[1]}
    assert study._storage.get_trial(ids[0]).intermediate_values == {1: 2.0, 4: 3.0}
    assert study.trials[1].intermediate_values == {1: 5.0}


@pytest.mark.parametrize("relational", [True, False])
def test_owner_is_there_from_the_first_instant(tmp_path: Path, relational: bool) -> None:
    """The creating transaction carries owner, fixed values and attributes."""
    study = new_study(tmp_path) if relational else optuna.create_study()

    trial = create_owned_trial(study, 3, fixed_params={"lr": 1e-3}, user_attrs={"origin": "x"})

    assert trial.suggest_float("lr", 1e-6, 1e-2, log=True) == 1e-3
    stored = study.trials[0]
    assert stored.user_attrs == {OWNER: 3, "origin": "x"}
    assert stored.state == TrialState.RUNNING
    assert stored.datetime_start is not None


@pytest.mark.parametrize("relational", [True, False])
def test_attributes_are_written_together(tmp_path: Path, relational: bool) -> None:
    """User and system attributes are set and overwritten on any storage."""
    study = new_study(tmp_path) if relational else optuna.create_study()
    trial = study.ask()
    set_trial_attrs(study._storage, trial._trial_id, user={"a": 1}, system={"b": [2]})
    set_trial_attrs(study._storage, trial._trial_id, user={"a": {"c": None}})

    stored = study.trials[0]

    assert stored.user_attrs == {"a": {"c": None}}
    assert stored.system_attrs["b"] == [2]


LOAD = """
import sys, time, optuna, sqlalchemy.orm, alembic.command, numpy, scipy.linalg, scipy.optimize
from sweeper.optimizer.storage import open_storage
began = time.process_time()
study = optuna.load_study(study_name="s", storage=open_storage(sys.argv[1]))
assert len(study.get_trials(deepcopy=False)) == 10_000
print(time.process_time() - began)
"""


def test_ten_thousand_trials_load_in_a_fresh_process(tmp_path: Path) -> None:
    """Loading 10,000 trials of 8 parameters and 20 readings costs under 2 s CPU."""
    template = optuna.create_study()
    fill(template, 1)
    study = new_study(tmp_path)
    bulk(study, 10_000)
    began = time.monotonic()
    out = subprocess.run(
        [sys.executable, "-c", LOAD, url_of(tmp_path)], capture_output=True, text=True, check=True
    )

    assert float(out.stdout) < 2.0, f"{out.stdout} after {time.monotonic() - began} s"


def bulk(study: optuna.Study, n: int) -> None:
    """Fill the tables directly: through Optuna this takes minutes."""
    database = database_of(study._storage)
    text = optuna.distributions.distribution_to_json(FloatDistribution(0, 1))
    with database.engine.begin() as connection:
        run = connection.exec_driver_sql
        run(
            "INSERT INTO trials (trial_id, number, study_id, state, datetime_start) VALUES"
            " (?, ?, 1, 'COMPLETE', '2026-01-01 00:00:00.000000')",
            [(i + 1, i) for i in range(n)],
        )
        run(
            "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)"
            " VALUES (?, ?, ?, ?)",
            [
                (i + 1, f"x{k}", (i * 7919 + k * 31) % 997 / 997, text)
                for i in range(n)
                for k in range(8)
            ],
        )
        run(
            "INSERT INTO trial_values (trial_id, objective, value, value_type)"
            " VALUES (?, 0, ?, 'FINITE')",
            [(i + 1, (i * 31) % 101 / 7) for i in range(n)],
        )
        run(
            "INSERT INTO trial_intermediate_values"
            " (trial_id, step, intermediate_value, intermediate_value_type)"
            " VALUES (?, ?, ?, 'FINITE')",
            [(i + 1, k, k / 3) for i in range(n) for k in range(20)],
        )


def test_a_trial_that_has_just_begun_sees_those_begun_before_it(tmp_path: Path) -> None:
    """Several trials begun between two results know of each other, as with `study.ask`."""
    study = new_study(tmp_path)
    seen = []
    for _ in range(3):
        create_owned_trial(study, 1)
        seen.append(len(study._get_trials(deepcopy=False, use_cache=True)))

    assert seen == [1, 2, 3]
