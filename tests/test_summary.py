"""A look at a sweep says what its database says, cheaply and in the pinned words."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from sweeper.errors import StateError
from sweeper.state import approval
from sweeper.state import process
from sweeper.state import studies
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from sweeper.state.ledger import Ledger
from sweeper.summary import document
from sweeper.summary import findings
from sweeper.summary.forecast import forecast
from sweeper.summary.snapshot import read
from sweeper.summary.snapshot import read_study
from tests.doubles.postgres import PostgresServer
from tests.doubles.postgres import binaries
from tests.doubles.sweeps import ENVELOPE
from tests.doubles.sweeps import NOW
from tests.doubles.sweeps import RecordedSweep


@pytest.fixture
def sweep(tmp_path: Path) -> Any:
    """An approved sweep without trials."""
    recorded = RecordedSweep(tmp_path)
    yield recorded
    recorded.close()


def status(sweep: RecordedSweep) -> dict[str, Any]:
    """Return what `status --json` prints."""
    printed = json.dumps(document.status(read(sweep.folder, now=NOW)), allow_nan=False)
    parsed: dict[str, Any] = json.loads(printed)
    return parsed


def test_status_has_exactly_the_pinned_shape(sweep: RecordedSweep) -> None:
    """Every key of DESIGN.md, section 5, is there with its type and meaning."""
    for value in (0.3, 0.2, 0.1):
        sweep.job(sweep.trial(value=value, origin="model"))
    number = sweep.trial(
        value=0.081,
        params={"learning_rate": 0.003},
        origin="proposal",
        why="LoRA paper, table 9",
        source=["arXiv:2106.09685"],
    )
    sweep.job(number, job_id="65f0")
    sweep.verdict(number, "keep", "better by 0.02")
    said = status(sweep)
    assert said["study"] == "digits"
    assert said["uid"] == "9f3a01bc"
    assert (said["state"], said["stop_reason"]) == ("running", None)
    assert (said["metric"], said["direction"]) == ("val_loss", "minimize")
    assert said["conductor"] is None
    assert {key: said["best"][key] for key in ("trial", "value", "params", "confirmed")} == {
        "trial": 3,
        "value": 0.081,
        "params": {"learning_rate": 0.003},
        "confirmed": None,
    }
    assert said["budget"]["jobs"] == {"used": 4, "reserved": 0, "limit": 12}
    assert said["budget"]["walltime_s"] == {"used": 1084.0, "reserved": 0.0, "limit": 28800.0}
    assert said["budget"]["cost_usd"] == {"used": 0.133332, "reserved": 0.0, "limit": 25.0}
    trial = said["trials"][3]
    wanted = {
        "number": 3,
        "state": "complete",
        "origin": "proposal",
        "value": 0.081,
        "params": {"learning_rate": 0.003},
        "decision": "keep",
        "why": "LoRA paper, table 9",
        "source": ["arXiv:2106.09685"],
        "ended_by": None,
    }
    assert {key: trial[key] for key in wanted} == wanted
    job = {
        "purpose": "digits/3/1",
        "job_id": "65f0",
        "flavor": "t4-small",
        "stage": "COMPLETED",
        "billed_s": 271.0,
        "cost_usd": 0.033333,
        "estimated": False,
    }
    assert {key: trial["jobs"][0][key] for key in job} == job
    assert said["proposals"] == {"queued": 0}


def test_limits_that_are_not_set_are_null(tmp_path: Path) -> None:
    """A limit that program.md does not set is null, whatever was used of it."""
    sweep = RecordedSweep(tmp_path, envelope={"max_jobs": 2, "max_walltime_s": 60.0})
    sweep.job(sweep.trial(value=1.0))
    budget = status(sweep)["budget"]
    assert budget["cost_usd"]["limit"] is None
    assert budget["cost_usd"]["used"] == pytest.approx(0.033333)
    assert budget["jobs"]["limit"] == 2
    sweep.close()


def test_the_newest_approval_is_in_force(sweep: RecordedSweep) -> None:
    """The limits are those of the last approval."""
    covers = json.dumps({"envelope": {"max_jobs": 99}})
    sweep.insert(
        "sweeper_approval",
        uid=sweep.uid,
        version=2,
        covers=covers,
        approved_at=NOW,
        approved_by="somebody",
    )
    assert status(sweep)["budget"]["jobs"]["limit"] == 99


@pytest.mark.parametrize("held", ["reserved", "submitting", "submitted", "cancelling", "terminal"])
def test_a_job_counts_as_reserved_until_it_is_settled(sweep: RecordedSweep, held: str) -> None:
    """From its reservation to its settlement a job holds its whole timeout and price."""
    sweep.job(sweep.trial(TrialState.RUNNING), state=held)
    budget = status(sweep)["budget"]
    assert budget["jobs"] == {"used": 0, "reserved": 1, "limit": 12}
    assert budget["walltime_s"]["reserved"] == 7200.0
    assert budget["cost_usd"]["reserved"] == pytest.approx(0.813374)


def test_an_attempt_that_never_became_a_job_costs_nothing(sweep: RecordedSweep) -> None:
    """A reservation that was given back is listed without a job id and counts nowhere."""
    sweep.job(sweep.trial(TrialState.FAIL), state="given_back")
    said = status(sweep)
    assert said["trials"][0]["jobs"][0]["job_id"] is None
    assert said["trials"][0]["jobs"][0]["cost_usd"] == 0
    assert said["budget"]["jobs"] == {"used": 0, "reserved": 0, "limit": 12}
    assert said["budget"]["walltime_s"]["used"] == 0


def test_jobs_of_another_study_in_the_database_count_nowhere(sweep: RecordedSweep) -> None:
    """In a shared database only the uid's own rows are read."""
    number = sweep.trial(value=1.0)
    sweep.job(number)
    sweep.job(number, uid="00000000", purpose="other/0/1")
    assert status(sweep)["budget"]["jobs"]["used"] == 1
    assert len(status(sweep)["trials"][0]["jobs"]) == 1


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (TrialState.WAITING, "waiting"),
        (TrialState.RUNNING, "running"),
        (TrialState.COMPLETE, "complete"),
        (TrialState.PRUNED, "pruned"),
        (TrialState.FAIL, "failed"),
    ],
)
def test_trial_states_have_their_pinned_words(
    sweep: RecordedSweep, state: TrialState, word: str
) -> None:
    """Optuna's states read as DESIGN.md names them."""
    sweep.trial(state, value=1.0 if state == TrialState.COMPLETE else None)
    assert status(sweep)["trials"][0]["state"] == word


def test_a_trial_set_aside_is_paused_until_it_is_told(sweep: RecordedSweep) -> None:
    """Our row makes a running trial paused; a finished one stays finished."""
    running, pruned = sweep.trial(TrialState.RUNNING), sweep.trial(TrialState.PRUNED)
    for number in (running, pruned):
        sweep.insert(
            "sweeper_paused", uid=sweep.uid, trial=number, paused_at=NOW, reason="ranked low"
        )
    assert [trial["state"] for trial in status(sweep)["trials"]] == ["paused", "pruned"]


def test_origin_is_what_was_written_else_queued_or_model(sweep: RecordedSweep) -> None:
    """What plain Optuna enqueued is queued; a trial without any mark is the model's."""
    sweep.trial(value=1.0, origin="baseline")
    sweep.trial(value=1.0)
    sweep.trial(value=1.0, repeat_of=0)
    sweep.study.enqueue_trial({"learning_rate": 0.01})
    trials = status(sweep)["trials"]
    assert [trial["origin"] for trial in trials] == ["baseline", "model", "repeat", "queued"]
    assert trials[3]["params"] == {"learning_rate": 0.01}


def test_parameters_read_as_optuna_reads_them(sweep: RecordedSweep) -> None:
    """Floats, whole numbers and choices (null and true among them) keep value, type and order."""
    for optimizer in ("adam", "sgd", None, True):
        sweep.trial(
            value=1.0,
            params={"optimizer": optimizer, "batch_size": 16, "learning_rate": 1e-05},
        )
    seen = [trial.params for trial in read(sweep.folder).trials]
    assert seen == [trial.params for trial in sweep.study.trials]
    assert [type(value) for value in seen[3].values()] == [bool, int, float]


def test_times_are_utc_whatever_the_time_zone(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna keeps naive UTC; a machine elsewhere reads the same moment."""
    sweep.trial(value=1.0)
    wanted = sweep.study.trials[0].datetime_start
    assert wanted is not None
    moment = wanted.astimezone().timestamp()
    code = (
        "import sys; from pathlib import Path; from sweeper.summary.snapshot import read;"
        "print(read(Path(sys.argv[1])).trials[0].started_at)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(sweep.folder)],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(printed.stdout) == pytest.approx(moment, abs=1e-3)


def test_curves_leave_out_withdrawn_readings_and_keep_infinities(sweep: RecordedSweep) -> None:
    """NaN marks what a later attempt withdrew; infinity is a reading."""
    sweep.trial(value=1.0, curve={1: 0.5, 2: math.nan, 3: math.inf, 4: -math.inf, 7: 0.25})
    curve = read(sweep.folder).trials[0].curve
    assert curve == ((1, 0.5), (3, math.inf), (4, -math.inf), (7, 0.25))


def test_without_curves_only_those_of_running_trials_are_read(sweep: RecordedSweep) -> None:
    """`status` needs the last readings of what runs, not the history."""
    sweep.trial(value=1.0, curve={1: 0.5})
    sweep.trial(TrialState.RUNNING, curve={1: 0.4})
    trials = read(sweep.folder, curves=False).trials
    assert [trial.curve for trial in trials] == [(), ((1, 0.4),)]


def test_infinite_values_are_null_in_json(sweep: RecordedSweep) -> None:
    """JSON knows no infinity, and an infinite value is never the best."""
    sweep.trial(value=-math.inf)
    said = status(sweep)
    assert said["trials"][0]["value"] is None
    assert said["best"] is None


@pytest.mark.parametrize(("direction", "best"), [("minimize", 1), ("maximize", 2)])
def test_best_is_the_first_of_the_best_complete_trials(
    tmp_path: Path, direction: str, best: int
) -> None:
    """Ties go to the lowest number; pruned, failed and repeated trials are never the best."""
    sweep = RecordedSweep(tmp_path, direction=direction)
    sweep.trial(value=0.5)
    sweep.trial(value=0.2)
    sweep.trial(value=0.8)
    sweep.trial(value=0.2)
    sweep.trial(value=0.8)
    for extreme in (0.01, 0.99):
        sweep.trial(TrialState.PRUNED, curve={1: extreme})
        sweep.trial(value=extreme, origin="repeat", repeat_of=best)
    found = read(sweep.folder).best
    assert found is not None
    assert found.trial == best
    assert sorted(found.repeats) == [0.01, 0.99]
    assert sweep.study.best_trial.number != best, "Optuna knows nothing of repeats"
    sweep.close()


def test_best_ignores_the_decision(sweep: RecordedSweep) -> None:
    """`best` is the best value, whatever `decision` says."""
    sweep.trial(value=0.5)
    sweep.trial(value=0.4)
    sweep.verdict(1, "discard", "within noise", noise_floor=0.2, confirmed=0)
    said = status(sweep)["best"]
    assert (said["trial"], said["confirmed"], said["noise_floor"]) == (1, False, 0.2)


def test_an_evaluation_is_told_beside_the_best_value(sweep: RecordedSweep) -> None:
    """What the evaluation job read stands beside what the trial itself reported."""
    number = sweep.trial(value=0.5)
    sweep.job(number)
    sweep.job(number, attempt="e1", value=0.55)
    said = status(sweep)["best"]
    assert (said["value"], said["evaluated"]) == (0.5, 0.55)


def test_queued_proposals_are_those_without_a_claim(sweep: RecordedSweep) -> None:
    """A claim row, not a trial's state, takes a proposal out of the queue."""
    sweep.proposal("a", {"learning_rate": 0.01}, why="one", source=["arXiv:1"], confidence=0.7)
    sweep.proposal("b", {"learning_rate": 0.02})
    sweep.insert(
        "sweeper_claim", uid=sweep.uid, proposal="a", trial=0, params="{}", claimed_at=NOW
    )
    assert status(sweep)["proposals"]["queued"] == 1
    first, second = read(sweep.folder).proposals
    assert (first.trial, first.why, first.source, first.confidence) == (
        0,
        "one",
        ("arXiv:1",),
        0.7,
    )
    assert (second.id, second.queued) == ("b", True)


def lease(sweep: RecordedSweep, holder: process.Process, **row: Any) -> None:
    """Store who holds the study."""
    sweep.insert(
        "sweeper_lease",
        uid=sweep.uid,
        epoch=1,
        host=holder.host,
        machine_id=holder.machine_id,
        boot_id=holder.boot_id,
        pid=holder.pid,
        process_started=holder.process_started,
        **{"since": NOW - 100, "heartbeat_at": NOW - 50, "ttl_s": 60.0, **row},
    )


def test_a_conductor_on_this_machine_is_alive_while_its_process_is(sweep: RecordedSweep) -> None:
    """The kernel's word counts, not the heartbeat's age."""
    lease(sweep, process.identity(), heartbeat_at=NOW - 9999)
    assert status(sweep)["conductor"] == {
        "alive": True,
        "host": process.identity().host,
        "pid": os.getpid(),
        "heartbeat_at": "2025-12-31T21:13:21Z",
    }


@pytest.mark.parametrize(
    "changed", [{"process_started": "1"}, {"boot_id": "another"}, {"pid": 2**22 + 1}]
)
def test_a_reused_pid_or_another_boot_is_no_conductor(
    sweep: RecordedSweep, changed: dict[str, Any]
) -> None:
    """Start time and boot tell a dead holder from whoever has its pid now."""
    this = process.identity()
    fields = {name: getattr(this, name) for name in this.__slots__} | changed
    lease(sweep, process.Process(**fields))
    assert status(sweep)["conductor"]["alive"] is False


def test_a_released_lease_has_no_living_holder(sweep: RecordedSweep) -> None:
    """Who let go of the study does not conduct it, though the process may go on."""
    lease(sweep, process.identity(), released_at=NOW)
    assert status(sweep)["conductor"]["alive"] is False


@pytest.mark.parametrize(("age_s", "alive"), [(50.0, True), (500.0, False)])
def test_a_conductor_elsewhere_is_judged_by_its_heartbeat(
    sweep: RecordedSweep, age_s: float, alive: bool
) -> None:
    """Another machine's process cannot be asked for; silence beyond the lease means dead."""
    elsewhere = process.Process("far", "another-machine", "boot", 1, "1")
    lease(sweep, elsewhere, heartbeat_at=NOW - age_s)
    assert status(sweep)["conductor"]["alive"] is alive


def test_a_failure_is_read_from_the_ledger(sweep: RecordedSweep) -> None:
    """Cause, sentence, excerpt and fix come from the settled row."""
    failure = {"cause": "oom", "sentence": "No memory.", "excerpt": ["a"], "fix": "Halve it."}
    number = sweep.trial(TrialState.FAIL)
    sweep.job(number, outcome="failed", failure=json.dumps(failure))
    found = read(sweep.folder).trials[number].failure
    assert found is not None
    assert (found.cause, found.excerpt, found.fix) == ("oom", ("a",), "Halve it.")


def test_ended_by_is_known_before_the_attributes_are_written(sweep: RecordedSweep) -> None:
    """A job that is being cancelled already says why."""
    sweep.job(sweep.trial(TrialState.RUNNING), state="cancelling", cancel_reason="person")
    assert read(sweep.folder).jobs[0].ended_by == "person"


def test_improvements_name_what_changed_and_whether_it_is_real(sweep: RecordedSweep) -> None:
    """Only trials that beat all before them are steps; a gain within the noise is not real."""
    sweep.trial(value=0.5, params={"learning_rate": 0.001, "optimizer": "adam"})
    sweep.trial(value=0.6)
    sweep.trial(value=0.4, params={"learning_rate": 0.01, "optimizer": "adam"})
    sweep.trial(value=0.39, params={"learning_rate": 0.01, "momentum": 0.9})
    for number in (2, 3):
        sweep.verdict(number, "keep", "", noise_floor=0.05)
    steps = findings.improvements(read(sweep.folder))
    assert [step.trial.number for step in steps] == [0, 2, 3]
    assert steps[1].changed == (("learning_rate", 0.001, 0.01),)
    assert steps[2].changed == (("momentum", None, 0.9), ("optimizer", "adam", None))
    assert [step.real for step in steps] == [None, True, False]


def test_earnings_tell_literature_from_other_proposals(sweep: RecordedSweep) -> None:
    """A proposal with a citation is literature; gains are over the baseline."""
    sweep.trial(value=0.5, origin="baseline")
    sweep.trial(value=0.3, origin="proposal", source='["arXiv:1"]')
    sweep.trial(value=0.6, origin="proposal")
    sweep.trial(TrialState.FAIL, origin="model")
    earned = {each.origin: each for each in findings.earnings(read(sweep.folder))}
    assert earned["literature"].gain == pytest.approx(0.2)
    assert earned["proposal"].gain == pytest.approx(-0.1)
    assert (earned["model"].trials, earned["model"].best) == (1, None)


def test_the_forecast_names_the_limit_that_binds(sweep: RecordedSweep) -> None:
    """Two done and one of twelve jobs in flight leave nine, two at a time."""
    for value in (0.5, 0.4):
        sweep.job(sweep.trial(value=value))
    sweep.job(sweep.trial(TrialState.RUNNING), state="submitted", started_at=NOW - 71.0)
    ahead = forecast(read(sweep.folder, now=NOW))
    assert ahead is not None
    assert (ahead.trials, ahead.limit) == (10, "jobs")
    assert ahead.done_at == pytest.approx(NOW + (200 + 9 * 271) / 2)


@pytest.mark.parametrize(
    ("envelope", "limit", "trials"),
    [
        ({"max_jobs": 99, "max_walltime_s": 900.0}, "walltime", 2),
        ({"max_jobs": 99, "max_walltime_s": 9e9, "max_cost": 0.2}, "cost", 5),
        ({"max_jobs": 99, "max_walltime_s": 9e9, "max_elapsed_s": 4142.0}, "elapsed", 2),
    ],
)
def test_each_limit_can_end_the_forecast(
    tmp_path: Path, envelope: dict[str, Any], limit: str, trials: int
) -> None:
    """271 s and $0.033333 a job: the scarcest limit decides how many fit."""
    sweep = RecordedSweep(tmp_path, envelope=envelope)
    sweep.job(sweep.trial(value=0.5))
    ahead = forecast(read(tmp_path, now=NOW))
    assert ahead is not None
    assert (ahead.limit, ahead.trials) == (limit, trials)
    sweep.close()


def test_nothing_is_forecast_before_a_duration_is_known(sweep: RecordedSweep) -> None:
    """A guess without a finished job would be an invention."""
    sweep.job(sweep.trial(TrialState.RUNNING), state="submitted")
    assert forecast(read(sweep.folder, now=NOW)) is None


def test_a_study_is_found_by_its_uid_among_namesakes(sweep: RecordedSweep) -> None:
    """In a database with several studies the folder's approval tells which is meant."""
    sweep.trial(value=0.5)
    other = optuna.create_study(storage=sweep.storage, study_name="digits-2")
    other.set_user_attr("sweeper:uid", "11111111")
    columns = "name, folder, metric, direction, executor, created_at, state, stop_reason"
    sweep.connection.execute(
        f"INSERT INTO sweeper_study (uid, {columns}, program_sha256, space, verdict_epoch)"
        f" SELECT '11111111', {columns}, program_sha256, space, 1 FROM sweeper_study"
    )
    approval = sweep.folder / "runs" / "approval.json"
    for uid, trials in (("11111111", 0), (sweep.uid, 1)):
        approval.write_text(json.dumps({"uid": uid}))
        assert len(read(sweep.folder).trials) == trials
        assert len(read_study(sweep.url, uid).trials) == trials


def test_a_lost_study_is_an_error_and_not_a_new_sweep(sweep: RecordedSweep) -> None:
    """A database without the approved uid must not read as `nothing spent`."""
    (sweep.folder / "runs" / "approval.json").write_text(json.dumps({"uid": "deadbeef"}))
    with pytest.raises(StateError, match="deadbeef"):
        read(sweep.folder)
    with pytest.raises(StateError, match="deadbeef"):
        read_study(sweep.url, "deadbeef")


def test_a_newer_schema_is_refused(sweep: RecordedSweep) -> None:
    """Rows that this version does not understand are not guessed at."""
    sweep.connection.execute("UPDATE sweeper_schema SET version = 999")
    with pytest.raises(StateError, match="newer sweeper"):
        read(sweep.folder)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The error names the file; nothing is a traceback."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "sweep.db").write_text("not a database, " * 100)
    with pytest.raises(StateError, match=r"sweep\.db cannot be read"):
        read(tmp_path)


def test_a_look_changes_nothing(sweep: RecordedSweep) -> None:
    """The file is opened read-only."""
    sweep.trial(value=0.5)
    sweep.close()
    before = sweep.file.read_bytes()
    sweep.file.parent.chmod(0o555)
    try:
        read(sweep.folder)
    finally:
        sweep.file.parent.chmod(0o755)
    assert sweep.file.read_bytes() == before


def test_a_look_needs_no_heavy_import(sweep: RecordedSweep) -> None:
    """Of a SQLite study: no Optuna, SQLAlchemy, pydantic, pandas, numpy, plotly or yaml."""
    sweep.job(sweep.trial(value=0.5))
    code = (
        "import sys; from pathlib import Path; from sweeper.summary.snapshot import read;"
        "from sweeper.summary.document import status; from sweeper.views.status import text;"
        "look = read(Path(sys.argv[1])); status(look); text(look);"
        "heavy = {'optuna', 'sqlalchemy', 'pydantic', 'pandas', 'numpy', 'plotly', 'yaml'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(sweep.folder)], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"


def test_events_are_the_latest_in_order(sweep: RecordedSweep) -> None:
    """A look carries what happened lately, oldest first."""
    for number in range(150):
        sweep.insert(
            "sweeper_event",
            uid=sweep.uid,
            at=NOW + number,
            kind="reading",
            trial=None,
            detail=json.dumps({"n": number}),
        )
    events = read(sweep.folder).events
    assert [event.detail["n"] for event in events] == list(range(50, 150))


PROGRAM = """\
# Digits

## Goal
```yaml
metric: val_loss
direction: maximize
patience: 8
```

## Training
```yaml
script: train.py
```

## Search space
```yaml
learning_rate: {low: 1e-5, high: 1e-1, log: true, default: 1e-3}
```

## Budget envelope
```yaml
max_jobs: 12
max_walltime: 8h
max_timeout: 2h
max_cost: 25
```
"""


def test_a_folder_without_a_study_is_new(tmp_path: Path) -> None:
    """Before anything was approved, the program tells goal and limits; nothing is used."""
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "program.md").write_text(PROGRAM)
    for path in (folder, folder / "program.md"):
        said = document.status(read(path, now=NOW))
        assert (said["study"], said["uid"], said["state"]) == ("digits", None, "new")
        assert (said["metric"], said["direction"]) == ("val_loss", "maximize")
        assert (said["conductor"], said["best"], said["trials"]) == (None, None, [])
        assert said["budget"]["jobs"] == {"used": 0, "reserved": 0, "limit": 12}
        assert said["budget"]["walltime_s"]["limit"] == 28800.0
        assert said["budget"]["cost_usd"] == {"used": 0.0, "reserved": 0.0, "limit": 25.0}
        assert said["proposals"] == {"queued": 0}
    assert sorted(each.name for each in folder.iterdir()) == ["program.md"]


def test_a_new_folder_whose_approval_knows_a_study_is_an_error(tmp_path: Path) -> None:
    """A deleted database must not read as a sweep that has spent nothing."""
    (tmp_path / "program.md").write_text(PROGRAM)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "approval.json").write_text(json.dumps({"uid": "9f3a01bc"}))
    with pytest.raises(StateError, match="9f3a01bc"):
        read(tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, on each kind that a study may live in."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "runs" / "sweep.db")
        return
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    server = PostgresServer(programs)
    server.start()
    yield server.new_database()
    server.stop()


def test_the_ledger_and_the_look_count_alike(url: str) -> None:
    """Rows that `state` and Optuna wrote read as they mean them, on either kind of database."""
    database = open_database(url)
    uid = "9f3a01bc"
    studies.create(
        database,
        uid=uid,
        name="digits",
        folder="/a/folder",
        metric="val_loss",
        direction="maximize",
        program_sha256="0" * 64,
        space="{}",
    )
    limits = {"max_jobs": 5, "max_walltime_s": 90000.0, "max_timeout_s": 600.0, "max_cost": 9.5}
    covers = approval.Covers({**ENVELOPE, **limits, "max_parallel": 3}, executor="hf")
    approval.record(database, uid, covers, "somebody", NOW)
    ledger = Ledger(database, uid)
    rows = [
        ledger.reserve(
            database.transaction,
            purpose=f"digits/{trial}/1",
            trial=trial,
            attempt="1",
            executor="hf",
            flavor="t4-small",
            micro_usd_per_minute=6_667,
            params={},
            seed=0,
            now=NOW,
        )
        for trial in range(3)
    ]
    ledger.give_back(database.transaction, rows[0].id, NOW)
    ledger.submitting(database.transaction, rows[1], NOW)
    ledger.submitted(database.transaction, rows[1], "65f0", NOW + 5)
    storage = optuna.storages.RDBStorage(url)
    study = optuna.create_study(storage=storage, study_name="digits", direction="maximize")
    study.set_user_attr("sweeper:uid", uid)
    distribution = optuna.distributions.CategoricalDistribution(["adam", None])
    study.add_trial(
        optuna.trial.create_trial(
            value=math.inf,
            params={"optimizer": None},
            distributions={"optimizer": distribution},
            intermediate_values={1: 0.5, 2: math.nan},
            user_attrs={"origin": "baseline", "source": ["arXiv:1"]},
        )
    )
    proposal = {"params": {"optimizer": "adam"}}
    storage.set_study_system_attr(study._study_id, "sweeper:proposal:a", proposal)
    storage.remove_session()
    storage.engine.dispose()
    usage = ledger.usage()
    found = read_study(url, uid, now=NOW + 65)
    budget = found.budget
    assert (budget.jobs.used, budget.jobs.reserved) == (usage.jobs_used, usage.jobs_reserved)
    assert (budget.jobs.reserved, budget.jobs.limit) == (2, 5)
    assert budget.walltime_s.reserved == usage.walltime_s_reserved
    assert budget.micro_usd.reserved == usage.micro_usd_reserved
    assert budget.micro_usd.limit == 9_500_000
    assert [job.state for job in found.jobs] == ["given_back", "submitted", "reserved"]
    (trial,) = found.trials
    assert (trial.origin, trial.value, trial.params) == ("baseline", math.inf, {"optimizer": None})
    assert (trial.curve, trial.source) == (((1, 0.5),), ("arXiv:1",))
    assert trial.finished_at == pytest.approx(time.time(), abs=60)
    assert [each.params for each in found.queued] == [{"optimizer": "adam"}]
    database.close()


def test_a_server_that_is_away_is_said_without_its_password(tmp_path: Path) -> None:
    """The error names no secret, not even where the driver's own words would."""
    with pytest.raises(StateError) as caught:
        read_study(f"postgres://ada:hunter2@/db?host={tmp_path}", "9f3a01bc")
    assert "hunter2" not in caught.value.message
    assert "doctor" in (caught.value.hint or "")
