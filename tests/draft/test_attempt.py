"""What `sweeper try` finds out about a script that is really run."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sweeper import program
from sweeper.draft import attempt
from sweeper.draft.findings import Findings
from sweeper.errors import ScriptError

PAGE = """
## Goal
```yaml
metric: val_loss
direction: minimize
```
## Training
```yaml
{training}
```
## Search space
```yaml
{space}
```
## Budget envelope
```yaml
max_jobs: 2
max_walltime: 10m
max_timeout: 1m
```
"""
PARSER = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float)\n"


def tried(
    folder: Path,
    source: str,
    *,
    training: str = "script: train.py",
    space: str = "lr: {low: 0.1, high: 1.0, default: 0.5}",
    seconds: float = 20,
) -> Findings:
    """Run a script as its program says and return what was found."""
    (folder / "train.py").write_text(source)
    (folder / "program.md").write_text(PAGE.format(training=training, space=space))
    return attempt.run_briefly(program.load(folder), seconds)


def test_a_script_that_reports_can_be_swept(tmp_path: Path):
    """Metrics with counts and form, the objective among them, the parameters seen to arrive."""
    found = tried(
        tmp_path,
        PARSER + "a = p.parse_args()\nfor i in range(1, 4):\n"
        "    print(f'step={i} val_loss={a.lr / i} grad_norm={i}')\n",
    )

    objective = found.metrics[0]
    assert (objective.name, objective.count, objective.form) == ("val_loss", 3, "printed")
    assert objective.last == pytest.approx(0.5 / 3)
    assert objective.objective
    assert [seen.name for seen in found.metrics if not seen.objective] == ["grad_norm"]
    assert (found.steps, found.axis, found.exit_code) == (3, "step", 0)
    assert found.passing.arrived is True
    assert attempt.worked(found)


def test_the_script_runs_in_the_programs_folder_and_leaves_nothing(tmp_path: Path):
    """Its output folder is temporary and gone afterwards."""
    source = (
        "import os, pathlib\nLR = 1.0\nout = pathlib.Path(os.environ['SWEEPER_OUTPUT_DIR'])\n"
        "assert out.is_dir()\n(out / 'model').write_text('x')\n"
        "pathlib.Path('trace').write_text(str(out))\nprint('val_loss=1')\n"
    )

    found = tried(
        tmp_path,
        source,
        training="script: train.py\nparameters: constants",
        space="LR: {low: 0.5, high: 2.0}",
    )

    assert found.failure is None
    assert not Path((tmp_path / "trace").read_text()).exists()


def test_a_long_script_is_cut_with_everything_it_started(tmp_path: Path):
    """After its seconds the whole group is gone, and that is no failure."""
    source = (
        "import os, subprocess, sys, time\nLR = 1.0\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "for i in range(1, 10**6):\n    print(f'step={i} val_loss=1.5'); time.sleep(0.01)\n"
    )
    started = time.monotonic()

    found = tried(
        tmp_path,
        source,
        training="script: train.py\nparameters: constants\nresource: {name: step, max: 1000}",
        space="LR: {low: 0.5, high: 2.0}",
        seconds=1.5,
    )

    assert time.monotonic() - started < 10
    assert (found.cut, found.failure) == (True, None)
    for pid in (tmp_path / "pids").read_text().split():
        assert not _alive(int(pid))
    assert 0.005 < (found.seconds_per_step or 0) < 0.2
    assert found.proposed_max_timeout_s in {60.0 * minutes for minutes in range(1, 6)}


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_a_script_that_ignores_the_request_to_end_is_ended(tmp_path: Path):
    """A handler for SIGTERM does not keep a try alive."""
    source = (
        "import signal, os, time\nLR = 1.0\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open('pids', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )

    tried(
        tmp_path,
        source,
        training="script: train.py\nparameters: constants",
        space="LR: {low: 0.5, high: 2.0}",
        seconds=1,
    )

    assert not _alive(int((tmp_path / "pids").read_text()))


def test_refused_arguments_are_named(tmp_path: Path):
    """Argparse says which it does not know."""
    found = tried(
        tmp_path,
        PARSER + "p.parse_args()\n",
        space="lr: {low: 0.1, high: 1.0}\nmomentum: {low: 0.1, high: 0.9}",
    )

    assert found.passing.arrived is False
    assert found.passing.lost == ("--momentum",)
    assert found.failure is not None
    assert found.failure.cause == "script"
    assert not attempt.worked(found)


def test_arguments_that_are_dropped_silently_are_named(tmp_path: Path):
    """parse_known_args hides a misspelt parameter: every trial would be the same."""
    found = tried(
        tmp_path,
        PARSER + "p.parse_known_args()\nprint('val_loss=1')\n",
        space="lr: {low: 0.1, high: 1.0}\nmomentun: {low: 0.1, high: 0.9}",
    )

    assert found.failure is None
    assert found.passing.lost == ("momentun",)
    assert not attempt.worked(found)


@pytest.mark.parametrize(
    ("way", "source", "arrived"),
    [
        ("env", "import os\nlr = float(os.environ['lr'])\n", True),
        ("env", "import os\nlr = float(os.environ.get('LR', '1'))\n", False),
        ("json", "import os, json\nlr = json.loads(os.environ['SWEEPER_PARAMS'])['lr']\n", True),
        ("json", "lr = 0.5\n", False),
        ("constants", "lr = 1.0\n", True),
    ],
)
def test_each_way_of_passing_is_judged(tmp_path: Path, way: str, source: str, arrived: bool):
    """A way that the script does not look at is found out before it costs anything."""
    found = tried(
        tmp_path,
        source + "print(f'val_loss={lr}')\n",
        training=f"script: train.py\nparameters: {way}",
    )

    assert found.passing.arrived is arrived
    assert attempt.worked(found) is arrived
    assert (found.metrics[0].last == 0.5) or not arrived


def test_a_missing_objective_is_told_with_what_came_instead(tmp_path: Path):
    """Another name that could be it is proposed."""
    found = tried(tmp_path, PARSER + "p.parse_args()\nprint('valid_loss=0.5')\n")

    assert found.failure is not None
    assert found.failure.cause == "no metric"
    assert "valid_loss" in found.failure.sentence
    assert "Set `metric: valid_loss`" in attempt.text(found)


def test_a_traceback_is_classified_and_shown(tmp_path: Path):
    """The exception's own line, and the way out."""
    found = tried(tmp_path, PARSER + "p.parse_args()\nimport no_such_package\n")

    assert found.failure is not None
    assert "no_such_package" in found.failure.sentence
    assert "no_such_package" in attempt.text(found)
    assert found.exit_code == 1


def test_a_value_that_is_not_finite_is_no_start(tmp_path: Path):
    """The baseline diverges: a sweep should not begin there; the document stays valid JSON."""
    found = tried(tmp_path, PARSER + "p.parse_args()\nprint('val_loss=nan')\n")

    assert not found.metrics[0].finite
    assert not attempt.worked(found)
    assert json.loads(json.dumps(attempt.as_document(found), allow_nan=False))["worked"] is False


def test_progress_bars_and_unfinished_lines_are_read(tmp_path: Path):
    """A carriage return ends a line, and so does the end."""
    lines: list[str] = []
    (tmp_path / "train.py").write_text(
        PARSER + "p.parse_args()\nimport sys\n"
        "sys.stdout.write('10%\\rval_loss=2.0\\r\\nval_loss=1.0')\n"
    )
    (tmp_path / "program.md").write_text(
        PAGE.format(training="script: train.py", space="lr: {low: 0.1, high: 1.0}")
    )

    found = attempt.run_briefly(program.load(tmp_path), 20, lines.append)

    assert lines == ["10%", "val_loss=2.0", "val_loss=1.0"]
    assert (found.metrics[0].count, found.metrics[0].last) == (2, 1.0)


def test_nothing_is_pushed_by_a_try(tmp_path: Path):
    """The output repository's arguments are left out, whatever form they have."""
    source = "import sys, json\nprint(json.dumps(sys.argv[1:]))\nprint('val_loss=1')\n"
    lines: list[str] = []
    (tmp_path / "train.py").write_text(source)
    (tmp_path / "program.md").write_text(
        PAGE.format(
            training='script: train.py\nargs: [--push_to_hub, "true", --keep, a, --hub_model_id,'
            ' "{output_repo}", "--repo={output_repo}", --seed, "{seed}"]',
            space="lr: {low: 0.1, high: 1.0, default: 0.5}",
        )
        + '## Scope\n```yaml\noutput_repos: ["me/x-*"]\n```\n'
    )

    found = attempt.run_briefly(program.load(tmp_path), 20, lines.append)

    assert json.loads(lines[0]) == ["--keep", "a", "--seed", "0", "--lr", "0.5"]
    assert found.left_out == (
        *("--push_to_hub", "true", "--hub_model_id", "{output_repo}", "--repo={output_repo}"),
    )


def test_a_try_is_no_trial_and_leaves_no_runs_folder(tmp_path: Path):
    """No database, no job folder; the script is told that it is nobody's trial."""
    source = (
        "import os\nLR = 1.0\nopen('env', 'w').write(os.environ['SWEEPER_TRIAL'])\n"
        "print('val_loss=1')\n"
    )

    tried(
        tmp_path,
        source,
        training="script: train.py\nparameters: constants",
        space="LR: {low: 0.5, high: 2.0}",
    )

    assert (tmp_path / "env").read_text() == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["env", "program.md", "train.py"]


def test_a_missing_script_is_refused_before_anything_runs(tmp_path: Path):
    """The key is named."""
    (tmp_path / "program.md").write_text(
        PAGE.format(training="script: gone.py", space="lr: {low: 0.1, high: 1.0}")
    )

    with pytest.raises(ScriptError) as caught:
        attempt.run_briefly(program.load(tmp_path), 5)

    assert caught.value.key == "script"


def test_a_launcher_that_is_not_there_is_refused(tmp_path: Path):
    """One sentence instead of a traceback."""
    with pytest.raises(ScriptError, match="cannot be started") as caught:
        tried(tmp_path, "", training="script: train.py\nlauncher: [no-such-launcher]")

    assert caught.value.key == "launcher"
