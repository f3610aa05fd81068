"""From an attempt to the request that starts it: what is shipped, what is said, what is hidden."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeper.errors import ScriptError
from sweeper.jobs import bundle
from sweeper.jobs import command
from sweeper.jobs.aboard import JOB_FOLDER
from sweeper.jobs.aboard import PYTHON
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.hf import submission
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.shipping import Shipment
from sweeper.jobs.hf.shipping import repo_for
from sweeper.jobs.hf.shipping import ship
from sweeper.jobs.hf.submission import Ask
from sweeper.program import Training
from sweeper.state.ledger import Reservation

OUTPUT = f"{JOB_FOLDER}/output"
PUBLIC_HUB = "https://huggingface.co"


class Packing:
    """Builds requests for the jobs of one study, uploading large files once.

    Args:
        connection: The way to the Hub.
        study: Name of the study.
        uid: Its uid.
        output_repos: Scope of the program.
    """

    def __init__(
        self, connection: Connection, study: str, uid: str, output_repos: Sequence[str]
    ) -> None:
        self._connection = connection
        self._study = study
        self._uid = uid
        self._repo = repo_for(connection.namespace, study, uid, output_repos)
        self._bundles: dict[object, bundle.Bundle] = {}
        self._shipments: dict[str, Shipment] = {}
        self._lock = threading.Lock()

    def shipment(self, spec: JobSpec) -> Shipment:
        """Return how an attempt's files travel; uploads them if they are new and large.

        Raises:
            ScriptError: They cannot be shipped.
            UnavailableError: The Hub is away.
            AccountError: The token may not write the repository.
        """
        names = shipped_names(spec.training)
        mark = (spec.folder, *_fingerprint(spec.folder, names))
        with self._lock:
            if mark not in self._bundles:
                self._bundles = {mark: bundle.pack(spec.folder, names)}
            packed = self._bundles[mark]
            if packed.digest not in self._shipments:
                shipped = ship(self._connection, packed, self._repo)
                self._shipments = {packed.digest: shipped}
            return self._shipments[packed.digest]

    def ask(self, spec: JobSpec, paid: Reservation) -> Ask:
        """Return the request for one attempt; raises as `shipment`, and for a missing secret."""
        shipment, training = self.shipment(spec), spec.training
        public, own = submission.split_environment(self._environment(spec, paid))
        inside = {"argv": argv(spec), "env": own, "edits": edits(spec)}
        script = _script_text(spec)
        return Ask(
            image=training.image or submission.UV_IMAGE,
            command=submission.command(training, inside, shipment.arguments, script),
            env=public,
            secrets=self._connection.who.secrets(training.secrets),
            labels=submission.labels(self._study, self._uid, paid.purpose),
            volumes=[*volumes(training), *([shipment.volume] if shipment.volume else [])],
            timeout_s=int(paid.timeout_s),
            flavor=paid.flavor,
            name=submission.safe(paid.purpose.replace("/", "-")),
            resource_group=training.resource_group,
        )

    def _environment(self, spec: JobSpec, paid: Reservation) -> dict[str, str]:
        endpoint = self._connection.endpoint
        elsewhere = {} if endpoint == PUBLIC_HUB else {"HF_ENDPOINT": endpoint}
        own = command.variables(spec, paid, OUTPUT)
        return {**elsewhere, **spec.training.env, **spec.env, **own}


def argv(spec: JobSpec) -> list[str]:
    """Return what is run inside the job, from the folder of the shipped files.

    Raises:
        ScriptError: There is nothing to run.
    """
    training = spec.training
    launcher = command.render(training.launcher, spec, OUTPUT)
    rest = command.arguments(spec, OUTPUT)
    if training.command and not (spec.attempt.startswith("e") and training.evaluate):
        return [*launcher, *command.render(training.command, spec, OUTPUT), *rest]
    path = command.script(spec).relative_to(spec.folder)
    return [*(launcher or [PYTHON]), path.as_posix(), *rest]


def edits(spec: JobSpec) -> dict[str, list[Any]]:
    """Return how the shipped script differs in this attempt (`parameters: constants`).

    The archive stays the same for all attempts: by file, the bytes that stay in front, the bytes
    that stay at the end, and what comes between them.
    """
    text = command.shipped(spec)
    if text is None or spec.training.script is None:
        return {}
    before = command.script(spec).read_bytes()
    front = _common(before, text)
    end = _common(before[front:][::-1], text[front:][::-1])
    between = base64.b64encode(text[front : len(text) - end]).decode("ascii")
    return {spec.training.script: [front, end, between]}


def shipped_names(training: Training) -> list[str]:
    """Return the paths that go along: script, evaluation, files."""
    named = [training.script, training.evaluate, *training.files]
    return list(dict.fromkeys(name for name in named if name))


def volumes(training: Training) -> list[dict[str, Any]]:
    """Return the program's volumes, written `hf://datasets/org/name:/mount:ro`.

    Raises:
        ScriptError: One of them is written in another way.
    """
    from huggingface_hub.utils._hf_uris import parse_hf_mount

    parsed = []
    for text in training.volumes:
        try:
            mount = parse_hf_mount(text)
        except ValueError as error:
            raise ScriptError(
                f"The volume {text!r} cannot be read: {error}",
                key="volumes",
                hint="write it as hf://datasets/org/name:/mount:ro",
            ) from error
        source = mount.source
        parsed.append(
            {
                "type": source.type,
                "source": source.id,
                "mount_path": mount.mount_path,
                "revision": source.revision or None,
                "read_only": mount.read_only,
                "path": source.path_in_repo or None,
            }
        )
    return parsed


def _script_text(spec: JobSpec) -> str | None:
    if not spec.training.script and not spec.attempt.startswith("e"):
        return None
    return command.script(spec).read_text("utf-8", "replace")


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts share at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _fingerprint(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of every file, which tells whether one has changed."""
    for name in names:
        for path in bundle.paths(folder, name):
            status = path.stat()
            yield str(path), status.st_size, status.st_mtime_ns
