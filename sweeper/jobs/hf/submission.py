"""One request for one job: command, environment, secrets, labels, volumes.

The command is a list and no shell reads it; what a script gets as arguments stands as JSON in one
argument of the bootstrap. So quotes, blanks, `$`, newlines and `torch>=2.4` arrive as written.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sweeper.errors import NothingCreatedError
from sweeper.errors import ScriptError
from sweeper.jobs.aboard import BOOTSTRAP
from sweeper.jobs.aboard import JOB_FOLDER
from sweeper.jobs.bundle import ARGUMENT_LIMIT

if TYPE_CHECKING:
    from sweeper.program import Training

UV_IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
LABEL_STUDY = "sweeper-study"
LABEL_UID = "sweeper-uid"
LABEL_PURPOSE = "sweeper-purpose"
LABEL_LIMIT = 100
# The platform's rule for names in `environment` (facts: request body); others the runner sets.
_environment_name = re.compile(r"[a-zA-Z][_a-zA-Z0-9]+").fullmatch
_header = re.compile(r"(?m)^# /// script\s*$\n(?P<body>(?:^#(?:| .*)$\n)+?)^# ///\s*$")


@dataclass(frozen=True, slots=True)
class Ask:
    """What `HfApi.run_job` is called with, but for the token.

    Attributes:
        image: Image of the container, or a Space.
        command: The command, each item non-empty.
        env: Environment that everybody in the namespace can read.
        secrets: Environment that nobody can read.
        labels: Labels by which the job is found again.
        volumes: What is mounted, as keyword arguments of `huggingface_hub.Volume`.
        timeout_s: Whole seconds.
        flavor: Hardware.
        name: What people see in the list of jobs.
        resource_group: Id of the resource group that pays, or None.
    """

    image: str
    command: list[str]
    env: dict[str, str]
    secrets: dict[str, str]
    labels: dict[str, str]
    volumes: list[dict[str, Any]]
    timeout_s: int
    flavor: str
    name: str
    resource_group: str | None


def labels(study: str, uid: str, purpose: str) -> dict[str, str]:
    """Return the pinned labels of a job (LOOP.md 1).

    Args:
        study: Name of the study.
        uid: The study's uid.
        purpose: `<study>/<trial>/<attempt>`, or `task/<nonce>`.
    """
    return {
        LABEL_STUDY: safe(study),
        LABEL_UID: safe(uid),
        LABEL_PURPOSE: purpose_label(uid, purpose),
    }


def purpose_label(uid: str, purpose: str) -> str:
    """Return the label that carries a purpose: `<uid>-<trial>-<attempt>`."""
    return safe("-".join([uid, *purpose.rsplit("/", 2)[1:]]))


def safe(text: str) -> str:
    """Return a text in the letters that labels and tags share."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", text)[:LABEL_LIMIT]


def command(
    training: Training, spec: Mapping[str, Any], archive: list[str], script: str | None
) -> list[str]:
    """Return the job's command.

    Args:
        training: The program's Training block.
        spec: What `aboard.main` reads.
        archive: The archive as arguments, or the path where it is mounted.
        script: Text of the script, whose PEP 723 header may name dependencies; None without one.

    Raises:
        NothingCreatedError: The spec is longer than an argument may be.
    """
    document = json.dumps(spec, ensure_ascii=True, separators=(",", ":"))
    if len(document) > ARGUMENT_LIMIT:
        raise NothingCreatedError(
            f"The script's arguments and parameters take {len(document)} bytes; "
            f"an argument holds {ARGUMENT_LIMIT}.",
            hint="put long values into a file and name it under `files`",
        )
    python = ["python", "-c", BOOTSTRAP, document, *archive]
    needs, version = requirements(training, script)
    if training.image and not needs and version is None:
        return python
    return [*uv_run(needs, version), *python]


def uv_run(needs: list[str], version: str | None) -> list[str]:
    """Return the start of a command that uv gives an environment."""
    wanted = [item for need in needs for item in ("--with", need)]
    return ["uv", "run", *wanted, *(["--python", version] if version else [])]


def requirements(training: Training, script: str | None) -> tuple[list[str], str | None]:
    """Return the dependencies and the Python version that a job needs.

    What program.md names comes first; a PEP 723 header adds its own, and its Python version if
    program.md names none.

    Raises:
        ScriptError: The header is not TOML, or not what PEP 723 says.
    """
    header = pep723(script) if script else {}
    listed = header.get("dependencies", [])
    if not isinstance(listed, list) or not all(isinstance(need, str) for need in listed):
        raise ScriptError("The script's `# /// script` block names dependencies that are no list.")
    needs = list(dict.fromkeys([*(training.dependencies or []), *listed]))
    named = training.python if training.python and "/" not in training.python else None
    version = named or header.get("requires-python")
    return needs, str(version) if version else None


def pep723(script: str) -> dict[str, Any]:
    """Return the `# /// script` block of a script (PEP 723); empty without one.

    Raises:
        ScriptError: It is not TOML.
    """
    block = _header.search(script)
    if block is None:
        return {}
    body = "\n".join(line[2:] for line in block["body"].splitlines())
    try:
        return tomllib.loads(body)
    except tomllib.TOMLDecodeError as error:
        line = script.count("\n", 0, block.start()) + 1
        raise ScriptError(
            f"The script's `# /// script` block is not TOML: {error}.", line=line
        ) from error


def split_environment(env: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the platform takes as environment, and what the runner must set itself."""
    taken = {
        name: value
        for name, value in env.items()
        if value and _environment_name(name) and JOB_FOLDER not in value
    }
    return taken, {name: value for name, value in env.items() if name not in taken}


def guard_token(ask: Ask, secrets: list[str]) -> None:
    """Refuse a request that would show a secret to everybody who can read the namespace.

    Raises:
        NothingCreatedError: A secret's value stands in command, environment or labels.
    """
    shown = json.dumps([ask.command, ask.env, ask.labels, ask.name])
    for value in secrets:
        if len(value) >= 8 and json.dumps(value)[1:-1] in shown:
            raise NothingCreatedError(
                "A secret's value stands in the job's command, environment or labels, "
                "where others can read it.",
                hint="name it under Training `secrets` and read it from the environment",
            )
