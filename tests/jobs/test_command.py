"""What is executed: the ways of passing parameters, templates, launchers, secrets."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.errors import ScriptError
from sweeper.jobs import command
from sweeper.jobs.executor import JobSpec
from sweeper.program import Training
from tests.jobs.contract import job_spec
from tests.jobs.contract import reservation

PARAMS = {"lr": 1e-05, "rank": 8, "warm": True, "kind": "a b", "off": False, "none": None}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study's folder with a script, and an environment without what tests set."""
    (tmp_path / "train.py").write_text("lr = 1.0\n")
    for name in ("PYTHONPATH", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def spec(study: Path, *, params: object = None, attempt: str = "1", **training: object) -> JobSpec:
    """Return trial 3 of a study whose Training block says this."""
    if "command" not in training:
        training = {"script": "train.py", **training}
    paid = reservation(3, attempt)
    given = job_spec(study, Training(**training), paid, params=params or {}, output_repo="me/x")
    given.job_folder.mkdir(parents=True, exist_ok=True)
    return given


def environment(given: JobSpec) -> dict[str, str]:
    """Return the environment of an attempt."""
    return command.environment(given, reservation(given.trial, given.attempt))


def test_a_script_runs_with_our_own_python(study: Path) -> None:
    """Nothing is installed and nothing else is needed for the embedded default."""
    assert command.argv(spec(study)) == [sys.executable, str(study / "train.py")]


def test_parameters_become_arguments(study: Path) -> None:
    """Booleans as words, null left out, a text with a blank in one piece."""
    words = command.argv(spec(study, params=PARAMS))[2:]

    assert words == [
        *["--lr", "1e-05", "--rank", "8", "--warm", "true", "--kind", "a b", "--off", "false"]
    ]


def test_a_value_that_looks_like_an_option_is_tied_to_its_name(study: Path) -> None:
    """Argparse would take -1e-05 for an option."""
    words = command.argv(spec(study, params={"shift": -1e-05, "text": "--x"}))[2:]
    parser = argparse.ArgumentParser()
    parser.add_argument("--shift", type=float)
    parser.add_argument("--text")

    assert vars(parser.parse_args(words)) == {"shift": -1e-05, "text": "--x"}


def test_parameters_become_environment_variables(study: Path) -> None:
    """By their own names, and not as arguments."""
    given = spec(study, params=PARAMS, parameters="env")
    found = environment(given)

    assert {name: found.get(name) for name in PARAMS} == {
        **{"lr": "1e-05", "rank": "8", "warm": "true", "kind": "a b", "off": "false"},
        "none": None,
    }
    assert command.argv(given)[2:] == []


def test_parameters_become_constants_of_a_copy(study: Path) -> None:
    """The copy lies in the job's folder; the script and its neighbours stay where they are."""
    given = spec(study, params={"lr": 0.5}, parameters="constants")
    copy = Path(command.argv(given)[1])

    assert copy == given.job_folder / "train.py"
    assert copy.read_text() == "lr = 0.5\n"
    assert (study / "train.py").read_text() == "lr = 1.0\n"
    assert environment(given)["PYTHONPATH"].split(":") == [str(command.INSIDE), str(study)]


@pytest.mark.parametrize("way", ["args", "env", "json", "constants"])
def test_parameters_always_stand_in_the_environment_as_json(study: Path, way: str) -> None:
    """A script may read them there whatever else the program says."""
    given = spec(study, params={"lr": 0.5}, parameters=way)

    assert json.loads(environment(given)["SWEEPER_PARAMS"]) == {"lr": 0.5}


def test_templates_are_filled_in_and_other_braces_stay(study: Path) -> None:
    """An argument may itself be JSON."""
    words = ["{output_repo}", "{output_dir}/{trial}-{seed}", '{"a": {}}', "{unknown}"]
    given = spec(study, args=words)
    output = given.job_folder / "output"

    assert command.argv(given)[2:] == ["me/x", f"{output}/3-7", '{"a": {}}', "{unknown}"]


def test_a_repository_that_is_not_there_is_said(study: Path) -> None:
    """Rather than passing an empty argument."""
    given = spec(study, args=["{output_repo}"])
    given = JobSpec(**{**_fields(given), "output_repo": None})

    with pytest.raises(ScriptError, match="output repository"):
        command.argv(given)


def _fields(given: JobSpec) -> dict[str, object]:
    return {name: getattr(given, name) for name in JobSpec.__dataclass_fields__}


def test_a_command_stands_as_it_is_with_its_own_templates(study: Path) -> None:
    """Its program is looked up on the person's own path, not on ours."""
    given = spec(study, command=["python", "-m", "x", "{seed}"], params={"lr": 1.0})

    assert command.argv(given) == ["python", "-m", "x", "7", "--lr", "1.0"]
    assert not environment(given)["PATH"].startswith(str(Path(sys.executable).parent) + ":")


def test_a_launcher_stands_in_front_and_is_found_beside_our_python(study: Path) -> None:
    """`accelerate launch` takes the script, not another Python."""
    given = spec(study, launcher=["accelerate", "launch"])

    assert command.argv(given) == ["accelerate", "launch", str(study / "train.py")]
    assert environment(given)["PATH"].startswith(str(Path(sys.executable).parent) + ":")


def test_dependencies_and_a_version_are_uvs_business(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's own pyproject.toml is not what the trial asked for."""
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    given = spec(study, dependencies=["trl", 'x; python_version<"3.13"'], python="3.12")

    assert command.argv(given)[:-1] == [
        *["/bin/uv", "run", "--no-project", "--python", "3.12", "--with", "trl"],
        *["--with", 'x; python_version<"3.13"', "--", "python"],
    ]


def test_uv_is_taken_from_our_own_environment_or_missed_with_a_hint(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not be on the path."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert command.argv(spec(study, dependencies=["trl"]))[:3] == [sys.executable, "-m", "uv"]

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScriptError, match="uv, which is not installed") as caught:
        command.argv(spec(study, dependencies=["trl"]))
    assert "pip install uv" in (caught.value.hint or "")


def test_an_interpreter_given_by_its_path_is_used_as_it_is(study: Path) -> None:
    """A person's own virtual environment."""
    words = command.argv(spec(study, python=".venv/bin/python"))

    assert words == [str(study / ".venv/bin/python"), str(study / "train.py")]


def test_an_evaluation_runs_its_own_script(study: Path) -> None:
    """With the same arguments, in a job of its own."""
    (study / "eval.py").write_text("")
    given = spec(study, evaluate="eval.py", attempt="e1", params={"lr": 1.0})

    assert command.argv(given)[1:] == [str(study / "eval.py"), "--lr", "1.0"]


def test_secrets_come_from_the_environment_else_from_the_file_beside_the_program(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name only; what is nowhere is missed before anything starts."""
    (study / ".env").write_text("HF_TOKEN=from-file\nOTHER=not-asked-for\n")
    given = spec(study, secrets=["HF_TOKEN"])
    assert environment(given)["HF_TOKEN"] == "from-file"
    assert "OTHER" not in environment(given)

    monkeypatch.setenv("HF_TOKEN", "from-environment")
    assert environment(given)["HF_TOKEN"] == "from-environment"
    with pytest.raises(ScriptError, match="the secret NOWHERE is neither"):
        environment(spec(study, secrets=["NOWHERE"]))


def test_what_a_job_is_promised_cannot_be_overridden(study: Path) -> None:
    """The reservation is how a job is known again."""
    with pytest.raises(ValueError, match="SWEEPER_RESERVATION"):
        spec(study, env={"SWEEPER_RESERVATION": "forged"})
    given = replace(spec(study, env={"MINE": "1"}), env={"SWEEPER_RESERVATION": "forged"})
    found = environment(given)

    assert found["SWEEPER_RESERVATION"] == reservation(3).nonce
    assert found["MINE"] == "1"


def test_a_python_path_of_the_person_stays_behind_ours(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their modules are still found."""
    monkeypatch.setenv("PYTHONPATH", "/theirs")

    assert environment(spec(study))["PYTHONPATH"] == f"{command.INSIDE}:/theirs"
