"""What a person asks to run: a script or a command, and on what."""

from __future__ import annotations

import secrets as random_bits
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from sweeper.errors import ScriptError
from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.hf import submission
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.packing import Packing
from sweeper.jobs.hf.packing import volumes
from sweeper.jobs.hf.record import RESERVATION
from sweeper.jobs.hf.submission import Ask
from sweeper.program import Training
from sweeper.state.ledger import Reservation

SCRIPT = "script.py"
DOWNLOAD_LIMIT = 10 * 1024 * 1024
DOCKER_IMAGE = "python:3.12"


@dataclass(frozen=True, slots=True)
class Request:
    """One task.

    Attributes:
        flavor: Hardware.
        timeout_s: Longest running time.
        script: A file of this machine, or None.
        script_url: Address of a script, or None.
        script_inline: Text of a script, or None.
        command: A command for the image as it is, or [].
        args: Arguments of the script.
        dependencies: For `uv run --with`.
        python: Python version for `uv run`, or None.
        image: Image, or None for the default.
        env: Environment that everybody in the namespace can read.
        secrets: Secrets by name; None takes the value from the environment or a .env.
        volumes: As program.md writes them.
        resource_group: Resource group that pays, or None.
    """

    flavor: str
    timeout_s: float
    script: Path | None = None
    script_url: str | None = None
    script_inline: str | None = None
    command: list[str] = field(default_factory=list)
    args: list[str] = field(default_factory=list)
    dependencies: list[str] = field(default_factory=list)
    python: str | None = None
    image: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str | None] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    resource_group: str | None = None


def purpose() -> str:
    """Return the purpose of a new task."""
    return f"task/{random_bits.token_hex(8)}"


def ask(
    request: Request, paid: Reservation, connection: Connection, study: str, folder: Path
) -> Ask:
    """Return the request for a task's job.

    Args:
        request: What is to run.
        paid: What was set aside for it.
        connection: The way to the Hub.
        study: Name of the study that pays.
        folder: An empty folder for a script that lies in no file.

    Raises:
        ScriptError: There is nothing to run, or it cannot be shipped.
        AccountError: A secret is missing.
    """
    built = (_docker if request.command else _script)(request, paid, connection, study, folder)
    given = {name: value for name, value in request.secrets.items() if value is not None}
    timeout_s = int(min(request.timeout_s, paid.timeout_s))
    return replace(built, secrets={**built.secrets, **given}, timeout_s=timeout_s)


def _training(request: Request, script: str | None) -> Training:
    return Training(
        script=script,
        args=request.args,
        dependencies=request.dependencies,
        python=request.python,
        image=request.image,
        env=request.env,
        secrets=[name for name, value in request.secrets.items() if value is None],
        volumes=request.volumes,
        resource_group=request.resource_group,
    )


def _script(
    request: Request, paid: Reservation, connection: Connection, study: str, folder: Path
) -> Ask:
    file = _file(request, folder)
    spec = JobSpec(
        study=study,
        uid=paid.uid,
        trial=None,
        attempt=paid.attempt,
        folder=file.parent,
        job_folder=folder,
        training=_training(request, file.name),
        params={},
        metric="",
        seed=paid.seed,
    )
    return Packing(connection, study, paid.uid, []).ask(spec, paid)


def _docker(
    request: Request, paid: Reservation, connection: Connection, study: str, folder: Path
) -> Ask:
    """Return the request for a command that the image runs as it is, without our runner."""
    training = _training(request, None)
    taken, refused = submission.split_environment({**request.env, RESERVATION: paid.nonce})
    if refused:
        raise ScriptError(
            f"The platform does not take the variable {min(refused)}: names have two letters or "
            "more and begin with one, values are not empty.",
            key="env",
        )
    return Ask(
        image=request.image or DOCKER_IMAGE,
        command=request.command,
        env=taken,
        secrets=connection.who.secrets(training.secrets),
        labels=submission.labels(study, paid.uid, paid.purpose),
        volumes=volumes(training),
        timeout_s=int(paid.timeout_s),
        flavor=paid.flavor,
        name=submission.safe(paid.purpose.replace("/", "-")),
        resource_group=request.resource_group,
    )


def _file(request: Request, folder: Path) -> Path:
    if request.script is not None:
        if not request.script.is_file():
            raise ScriptError(f"{request.script} is not a file.", key="--script")
        return request.script.absolute()
    text = request.script_inline
    data = text.encode() if text is not None else download(request.script_url or "")
    file = folder / SCRIPT
    file.write_bytes(data)
    return file


def download(address: str) -> bytes:
    """Fetch a script; no token goes along, whatever the address.

    Raises:
        ScriptError: The address is none, or what lies there is too large.
        UnavailableError: It cannot be had.
    """
    import httpx2

    if urlsplit(address).scheme not in ("http", "https"):
        raise ScriptError(f"{address!r} is no http address.", key="--script-url")
    try:
        answer = httpx2.get(raw_address(address), timeout=20.0, follow_redirects=True)
        answer.raise_for_status()
    except httpx2.HTTPError as error:
        raise UnavailableError(f"The script at {address} cannot be had: {error}.") from error
    if len(answer.content) > DOWNLOAD_LIMIT:
        raise ScriptError(f"The script at {address} is larger than {DOWNLOAD_LIMIT >> 20} MiB.")
    return bytes(answer.content)


def raw_address(address: str) -> str:
    """Return the address of the file behind a page that shows it."""
    parts = urlsplit(address)
    if parts.hostname == "github.com" and "/blob/" in parts.path:
        path = parts.path.replace("/blob/", "/", 1)
        return parts._replace(netloc="raw.githubusercontent.com", path=path).geturl()
    if parts.hostname in ("huggingface.co", "hf.co"):
        return parts._replace(path=parts.path.replace("/blob/", "/resolve/", 1)).geturl()
    return address


def parsed_pairs(items: list[str], option: str) -> Mapping[str, str]:
    """Return `K=V` items as a mapping.

    Raises:
        ScriptError: One has no `=`.
    """
    for item in items:
        if "=" not in item:
            raise ScriptError(f"{option} {item} lacks its value.", hint=f"{option} {item}=…")
    return dict(item.split("=", 1) for item in items)
