"""What is executed: the arguments and the environment of one attempt.

`arguments` and `variables` hold anywhere; `argv` and `environment` are for this machine.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

from sweeper.errors import ScriptError
from sweeper.jobs import constants
from sweeper.jobs.executor import JobSpec
from sweeper.program import Scalar
from sweeper.state.ledger import Reservation

#: What goes on a script's PYTHONPATH.
INSIDE = Path(__file__).parent / "inside"

#: Names the output folder inside a job folder.
OUTPUT = "output"


def argv(spec: JobSpec) -> list[str]:
    """Return the command that runs an attempt on this machine, from the program's folder.

    With `parameters: constants` this writes the attempt's copy of the script.

    Raises:
        ScriptError: The script is missing or cannot take its parameters.
    """
    output = str((spec.job_folder / OUTPUT).absolute())
    if spec.training.command and not _evaluates(spec):
        launcher = render(spec.training.launcher, spec, output)
        words = [*launcher, *render(spec.training.command, spec, output)]
    else:
        words = [*_start(spec, output), str(_script(spec))]
    return [*words, *arguments(spec, output)]


def arguments(spec: JobSpec, output_dir: str) -> list[str]:
    """Return what stands behind the script: the program's own arguments, then the parameters."""
    return [*render(spec.training.args, spec, output_dir), *parameters(spec)]


def parameters(spec: JobSpec) -> list[str]:
    """Return the parameters as arguments; empty when they are passed in another way."""
    if spec.training.parameters != "args":
        return []
    pairs = ((name, text) for name, v in spec.params.items() if (text := spelled(v)) is not None)
    return [word for name, text in pairs for word in _option(name, text)]


def _option(name: str, text: str) -> list[str]:
    # argparse takes "-1e-05" for an option of its own unless it is tied to its name
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]


def spelled(value: Scalar) -> str | None:
    """Return a parameter's value as text, None for null: it is left out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def render(words: Iterable[str], spec: JobSpec, output_dir: str) -> list[str]:
    """Fill in `{output_repo}`, `{output_dir}`, `{trial}` and `{seed}`; other braces stay.

    Raises:
        ScriptError: `{output_repo}` is used but the attempt has no repository.
    """
    values = {
        "{output_repo}": spec.output_repo,
        "{output_dir}": output_dir,
        "{trial}": "task" if spec.trial is None else str(spec.trial),
        "{seed}": str(spec.seed),
    }
    return [_rendered(word, values) for word in words]


def _rendered(word: str, values: Mapping[str, str | None]) -> str:
    for name, value in values.items():
        if name in word and value is None:
            raise ScriptError(
                f"{word!r} needs an output repository, and the program names none",
                key="args",
                hint="Give `output_repos` under Scope, or take the argument out.",
            )
        word = word.replace(name, value or "")
    return word


def script(spec: JobSpec) -> Path:
    """Return the file that this attempt runs: the script, or the evaluation of its result.

    Raises:
        ScriptError: There is no such file.
    """
    evaluates = _evaluates(spec)
    name = spec.training.evaluate if evaluates else spec.training.script
    path = spec.folder / (name or "")
    if not name or not path.is_file():
        key = "evaluate" if evaluates else "script"
        raise ScriptError(
            f"{key}: {name} is not in {spec.folder}",
            key=key,
            hint="Paths are relative to the folder of program.md.",
        )
    return path


def shipped(spec: JobSpec) -> bytes | None:
    """Return the script's text with its constants set, None where the file itself is run.

    Raises:
        ScriptError: The script has no such constant.
    """
    if spec.training.parameters != "constants" or _evaluates(spec) or not spec.training.script:
        return None
    path = script(spec)
    return constants.replaced(path.read_bytes(), spec.params, spec.training.script)


def _evaluates(spec: JobSpec) -> bool:
    return spec.attempt.startswith("e") and spec.training.evaluate is not None


def _script(spec: JobSpec) -> Path:
    path = script(spec)
    text = shipped(spec)
    if text is None:
        return path.absolute()
    copy = spec.job_folder / path.name
    copy.write_bytes(text)
    return copy.absolute()


def _start(spec: JobSpec, output: str) -> list[str]:
    """Return what stands before the script: an environment, then the launcher or Python."""
    training = spec.training
    launcher = render(training.launcher, spec, output)
    if training.dependencies or (training.python and not _interpreter(spec)):
        return [*_uv(), *_uv_options(spec), *(launcher or ["python"])]
    return launcher or [str(_interpreter(spec) or sys.executable)]


def _interpreter(spec: JobSpec) -> Path | None:
    """Return the interpreter that the program names by its path, None for a version."""
    python = spec.training.python
    return (spec.folder / python).absolute() if python and "/" in python else None


def _uv() -> list[str]:
    found = shutil.which("uv")
    if found:
        return [found]
    if importlib.util.find_spec("uv") is None:
        raise ScriptError(
            "`python` and `dependencies` need uv, which is not installed",
            key="dependencies",
            hint="Install it with `pip install uv`, or take both keys out of the Training block "
            "to run with the Python that runs sweeper.",
        )
    return [sys.executable, "-m", "uv"]


def _uv_options(spec: JobSpec) -> list[str]:
    python = ["--python", spec.training.python] if spec.training.python else []
    wanted = [word for name in spec.training.dependencies for word in ("--with", name)]
    # a pyproject.toml somewhere above the program is not the trial's business
    return ["run", "--no-project", *python, *wanted, "--"]


def environment(spec: JobSpec, paid: Reservation | None) -> dict[str, str]:
    """Return the whole environment of an attempt on this machine.

    Args:
        spec: The attempt.
        paid: What was set aside for it; None for a try, which is no job and costs nothing.

    Raises:
        ScriptError: A secret is not to be found.
    """
    given = {**spec.training.env, **secrets(spec.training.secrets, spec.folder)}
    inherited = {**os.environ, **given, **spec.env}
    own = variables(spec, paid, str((spec.job_folder / OUTPUT).absolute()))
    paths = {"PYTHONPATH": _python_path(spec, inherited)}
    return {**inherited, "PYTHONUNBUFFERED": "1", **_search_path(spec, inherited), **paths, **own}


def variables(spec: JobSpec, paid: Reservation | None, output_dir: str) -> dict[str, str]:
    """Return what every attempt finds in its environment, wherever it runs."""
    own = {
        "SWEEPER_TRIAL": "" if spec.trial is None else str(spec.trial),
        "SWEEPER_PARAMS": json.dumps(spec.params),
        "SWEEPER_OUTPUT_REPO": spec.output_repo or "",
        "SWEEPER_OUTPUT_DIR": output_dir,
        "SWEEPER_SEED": str(spec.seed),
        "SWEEPER_ATTEMPT": spec.attempt,
    }
    if paid is not None:
        own["SWEEPER_RESERVATION"] = paid.nonce
    resumes = {"SWEEPER_RESUME_FROM": spec.resume_from} if spec.resume_from else {}
    return {**_as_environment(spec), **own, **resumes}


def _as_environment(spec: JobSpec) -> dict[str, str]:
    if spec.training.parameters != "env":
        return {}
    spelt = {name: spelled(value) for name, value in spec.params.items()}
    return {name: text for name, text in spelt.items() if text is not None}


def secrets(names: Iterable[str], folder: Path) -> dict[str, str]:
    """Return secrets by name, from the environment or the `.env` beside program.md.

    Raises:
        ScriptError: One of them is in neither.
    """
    wanted = list(names)
    if not wanted:
        return {}
    from dotenv import dotenv_values

    known = {**dotenv_values(folder / ".env"), **os.environ}
    for name in wanted:
        if not known.get(name):
            raise ScriptError(
                f"the secret {name} is neither in the environment nor in {folder / '.env'}",
                key="secrets",
                hint=f"Export {name}, or write a line {name}=… into that file.",
            )
    return {name: known[name] or "" for name in wanted}


def _python_path(spec: JobSpec, inherited: Mapping[str, str]) -> str:
    """Put our folder first, then the script's own, which a shipped copy is no longer beside."""
    ships = spec.training.parameters == "constants" and spec.training.script
    beside = [str((spec.folder / str(spec.training.script)).absolute().parent)] if ships else []
    before = [inherited["PYTHONPATH"]] if inherited.get("PYTHONPATH") else []
    return os.pathsep.join([str(INSIDE), *beside, *before])


def _search_path(spec: JobSpec, inherited: Mapping[str, str]) -> dict[str, str]:
    """Let a launcher be found beside the Python that runs sweeper, when that one is used."""
    training = spec.training
    if training.command or training.python or training.dependencies:
        return {}
    beside = str(Path(sys.executable).parent)
    return {"PATH": os.pathsep.join([beside, inherited.get("PATH", os.defpath)])}
