"""What would only fail after it was paid for, found before: one sentence each."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper.budget.prices import UnknownPrice
from sweeper.budget.prices import format_duration
from sweeper.budget.prices import micro_usd_per_minute
from sweeper.errors import AccountError
from sweeper.errors import ExecutorError
from sweeper.errors import UnavailableError
from sweeper.jobs.hf import credentials
from sweeper.jobs.hf import hardware
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.connection import connect
from sweeper.jobs.hf.credentials import TOKEN_NAMES
from sweeper.jobs.hf.refusals import translated
from sweeper.jobs.hf.shipping import inside

if TYPE_CHECKING:
    from sweeper.program import Program

REPO_OPTIONS = {"hub_model_id", "push_to_hub_model_id", "hub_repo_id", "push_to_hub_repo"}
PUSH_OPTIONS = REPO_OPTIONS | {"push_to_hub"}
_option = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?").fullmatch
_off = {"false", "no", "0"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        sentence: What it is.
        hint: What to do about it.
        key: The key of program.md that it hangs on, or None.
        warning: Whether it need not stop anything.
    """

    sentence: str
    hint: str | None = None
    key: str | None = None
    warning: bool = False


def preflight(program: Program, *, measured_s: float | None = None) -> list[Problem]:
    """Return what is wrong with running a program on Hugging Face; [] if nothing is.

    Args:
        program: The program.
        measured_s: Seconds that one trial took or is expected to take, if that is known.
    """
    problems = [*offline(program, measured_s=measured_s)]
    try:
        connection = connect(program.folder, program.training.namespace)
        return [*problems, *_online(connection, program)]
    except ExecutorError as error:
        return [*problems, Problem(error.message, error.hint)]


def offline(program: Program, *, measured_s: float | None = None) -> Iterator[Problem]:
    """Yield what is wrong that no network is needed to see."""
    training, limit_s = program.training, program.budget.max_timeout_s
    tokens = [name for name in TOKEN_NAMES if name in training.secrets]
    if pushes(program) and not tokens:
        yield Problem(
            "The training pushes to the Hub, but the token is not among its secrets.",
            "add `secrets: [HF_TOKEN]` under Training",
            "secrets",
        )
    for repo_id in named_repos(training.args):
        if not inside(repo_id, program.scope.output_repos):
            yield Problem(
                f"The training pushes to {repo_id}, which is outside of output_repos.",
                "use {output_repo} in args, or widen Scope",
                "output_repos",
            )
    for name in training.env:
        if name in TOKEN_NAMES:
            yield Problem(
                f"{name} stands under `env`, which everybody in the namespace can read.",
                "name it under `secrets` instead; its value is taken from the environment",
                "env",
            )
    if measured_s is not None and limit_s < measured_s:
        yield Problem(
            f"max_timeout is {format_duration(limit_s)}, but one trial takes about "
            f"{format_duration(measured_s)}: it would be cut off and paid.",
            f"max_timeout: {format_duration(measured_s * 1.3)}",
            "max_timeout",
        )
    yield from _secrets(program)


def _secrets(program: Program) -> Iterator[Problem]:
    who = credentials.find(program.folder)
    for name in program.training.secrets:
        if not who.secret(name):
            yield Problem(
                f"The secret {name} is neither in the environment nor in a .env file.",
                f"export {name}=…, or write it into .env beside program.md",
                "secrets",
            )


def _online(connection: Connection, program: Program) -> Iterator[Problem]:
    yield from _prices(program)
    yield from _permission(connection)
    yield from _access(connection, program.scope.models, "model")
    yield from _access(connection, program.scope.datasets, "dataset")


def _prices(program: Program) -> Iterator[Problem]:
    """Yield a problem for each flavor that has no price; the live list counts, else a snapshot."""
    known = hardware.catalogue(program.folder)
    for flavor in program.budget.allowed_flavors:
        try:
            micro_usd_per_minute(flavor, known)
        except UnknownPrice:
            offered = ", ".join(sorted(known)) if known else "the price list was not reachable"
            yield Problem(
                f"The price of {flavor!r} is unknown, and unknown is not free.",
                f"offered: {offered}",
                "allowed_flavors",
            )


def _permission(connection: Connection) -> Iterator[Problem]:
    """Yield a problem if the token may not start jobs in the namespace."""
    from huggingface_hub import get_session
    from huggingface_hub.utils._http import hf_raise_for_status

    try:
        with translated(
            f"asking whether jobs may run in {connection.namespace}", connection.endpoint
        ):
            answer = get_session().post(
                f"{connection.jobs}/auth-check/write", headers=connection.headers()
            )
            hf_raise_for_status(answer)
    except UnavailableError as error:
        yield Problem(error.message, error.hint)
    except AccountError as error:
        yield Problem(
            f"The token may not start jobs in {connection.namespace} ({error.message})",
            error.hint,
            "namespace",
        )
    except ExecutorError as error:
        yield Problem(
            f"The namespace {connection.namespace} is unknown to this token ({error.message})",
            "fix `namespace` under Training",
            "namespace",
        )


def _access(connection: Connection, names: Sequence[str], kind: str) -> Iterator[Problem]:
    """Yield a problem for each gated repository without a grant; an unknown one is a warning."""
    from huggingface_hub.errors import GatedRepoError
    from huggingface_hub.errors import RepositoryNotFoundError

    for name in names:
        try:
            with translated(f"asking for access to {name}", connection.endpoint):
                connection.api.auth_check(name, repo_type=kind)
        except ExecutorError as error:
            page = f"{connection.endpoint}/{'' if kind == 'model' else 'datasets/'}{name}"
            if isinstance(error.__cause__, GatedRepoError):
                sentence = f"{name} is gated, and this token has no access to it."
                yield Problem(sentence, f"ask for access: {page}", f"{kind}s")
            elif isinstance(error.__cause__, RepositoryNotFoundError):
                sentence = f"The Hub does not know the {kind} {name}."
                yield Problem(sentence, page, f"{kind}s", warning=True)
            else:
                yield Problem(error.message, error.hint, f"{kind}s", warning=True)


def pushes(program: Program) -> bool:
    """Tell whether a training pushes to the Hub, as far as its arguments and script show."""
    training = program.training
    if any("{output_repo}" in item for item in [*training.args, *training.env.values()]):
        return True
    options = dict(_options(training.args))
    if any(options.get(name, "false").lower() not in _off for name in PUSH_OPTIONS):
        return True
    script = program.folder / training.script if training.script else None
    return script is not None and script.is_file() and _script_pushes(script.read_bytes())


def named_repos(args: Sequence[str]) -> list[str]:
    """Return the repositories that arguments name literally."""
    return [v for name, v in _options(args) if name in REPO_OPTIONS and "{" not in v and "/" in v]


def _options(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    for item, following in itertools.zip_longest(args, args[1:], fillvalue=""):
        if found := _option(item):
            value = found[2]
            if value is None:
                value = "true" if not following or _option(following) else following
            yield found[1].replace("-", "_"), value


def _script_pushes(source: bytes) -> bool:
    """Tell whether a script calls push_to_hub, or switches it on by a keyword."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "push_to_hub":
                return True
            if any(
                k.arg == "push_to_hub" and isinstance(k.value, ast.Constant) and k.value.value
                for k in node.keywords
            ):
                return True
    return False
