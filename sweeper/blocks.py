"""The blocks of program.md as typed records: what each key means, and what it may be.

Pydantic checks types and bounds; its complaints are translated into a sentence with line, key,
value and the fix, and its own words never reach a person.
"""

from __future__ import annotations

import re
from typing import Annotated
from typing import ClassVar
from typing import Literal

from pydantic import AfterValidator
from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field

from sweeper.budget.prices import MICRO
from sweeper.budget.prices import parse_duration
from sweeper.budget.prices import parse_usd
from sweeper.budget.rules import Envelope

#: The domain of one Hub repository, with at most one star in its name.
_REPO = re.compile(r"[\w-][\w.-]*/[\w.-]*\*?[\w.-]*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATABASES = ("sqlite:", "postgresql:", "postgresql+", "postgres:")


# A validator's ValueError is a fault and its fix, with "; " between them.


def _dollars(value: object) -> float:
    micro_usd = parse_usd(value)
    if not micro_usd:
        raise ValueError(f"{value!r} is no money at all; write it like 25")
    return micro_usd / MICRO


def _sweep_name(name: str) -> str:
    if name and not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name; use letters, digits, `.`, `_` and `-`")
    return name


def _database(url: str) -> str:
    if not url.startswith(_DATABASES) or "://" not in url:
        raise ValueError(
            "this is no database; write postgresql+psycopg://user@host/name or sqlite:///file.db"
        )
    return url


def _metric(name: str) -> str:
    if not name or name.split() != [name] or set(name) & set("=:,{}\"'"):
        raise ValueError(f"{name!r} cannot be a metric; write the name that the script prints")
    return name


def _repo(pattern: str) -> str:
    if not _REPO.fullmatch(pattern) or pattern.endswith("/"):
        raise ValueError(
            f"{pattern!r} is no repository; write owner/name, with at most one * in the name"
        )
    return pattern


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(
            "this is no name of an environment variable; write only the name, such as HF_TOKEN"
        )
    if name.startswith("SWEEPER_"):
        raise ValueError(f"{name} is set by sweeper itself; choose another name")
    return name


Duration = Annotated[float, BeforeValidator(parse_duration)]
Dollars = Annotated[float, BeforeValidator(_dollars)]
Text = Annotated[str, Field(min_length=1)]
Variable = Annotated[str, AfterValidator(_variable)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Positive = Annotated[float, Field(gt=0)]


class PageBlock(BaseModel):
    """Base of the blocks: frozen, strict, without unknown keys.

    Attributes:
        heading: The heading under which the block stands.
        written: Keys whose numbers and booleans are taken as they were written.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True
    )
    heading: ClassVar[str] = ""
    written: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def keys(cls) -> dict[str, str]:
        """Return the page's keys with the names of their fields, in order."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}


class Sweep(PageBlock):
    """What the sweep is called, where it runs and where it is kept.

    Attributes:
        name: Of the study; "" until `load` has put in the folder's.
        executor: Where trials run.
        storage: URL of the database, or None for the folder's own SQLite file.
    """

    heading = "Sweep"
    written = frozenset({"name"})

    name: Annotated[str, AfterValidator(_sweep_name)] = ""
    executor: Literal["local", "hf"] = "local"
    storage: Annotated[str, AfterValidator(_database)] | None = None


class Goal(PageBlock):
    """What is optimised, and when it is good enough.

    Attributes:
        metric: The name that the training script reports.
        direction: Which way is better.
        value: Which reading of a trial's curve counts.
        target: Stop when this is reached and confirmed.
        patience: Stop after so many finished trials without a real improvement.
        min_gain_per_usd: Stop when a dollar cannot be expected to buy this much.
    """

    heading = "Goal"

    metric: Annotated[str, AfterValidator(_metric)]
    direction: Literal["minimize", "maximize"]
    value: Literal["last", "best"] = "last"
    target: float | None = None
    patience: Count | None = None
    min_gain_per_usd: Positive | None = None


class Scope(PageBlock):
    """What may be touched; an empty list means nothing of that kind.

    Attributes:
        models: Hub models that trials use.
        datasets: Hub data sets that trials use.
        output_repos: Where trials may push; `*` stands for study, uid and trial.
        frozen_script: Whether a changed script needs a new approval.
    """

    heading = "Scope"
    written = frozenset({"models", "datasets", "output_repos"})

    models: list[Text] = []
    datasets: list[Text] = []
    output_repos: list[Annotated[str, AfterValidator(_repo)]] = []
    frozen_script: bool = False


class Resource(PageBlock):
    """The axis of intermediate values.

    Attributes:
        name: `step`, `epoch` or another number that the script prints beside the metric.
        max: Where a full trial ends on it, or None if that is not known.
    """

    name: Text
    max: Positive | None = None

    @property
    def scaled_max(self) -> int | None:
        """The axis' end in the study's whole steps: epochs count in thousandths."""
        if self.max is None:
            return None
        return round(self.max * (1000 if self.name == "epoch" else 1))


class Training(PageBlock):
    """What is run, and how it gets its parameters.

    Attributes:
        script: Path of a Python script, relative to the page's folder; or None with `command`.
        command: The words of a command; or None with `script`.
        args: Fixed arguments; `{output_repo}`, `{output_dir}`, `{trial}`, `{seed}` are filled in.
        parameters: How a trial's parameters reach the script.
        files: What goes along with the script.
        dependencies: Packages for `uv run`.
        image: Container image of a job.
        python: Version or interpreter.
        env: Further environment variables.
        secrets: Names of secrets that a job gets.
        volumes: What is mounted into a job.
        gpus_per_trial: Devices that each local trial has for its own.
        launcher: Words in front of the script.
        evaluate: Script that confirms the champion.
        namespace: Who pays for the jobs.
        resource_group: The namespace's spending group.
        resource: The axis of intermediate values.
    """

    heading = "Training"
    written = frozenset(
        [
            "script",
            "command",
            "args",
            "files",
            "dependencies",
            "image",
            "python",
            "env",
            "secrets",
            "volumes",
            "launcher",
            "evaluate",
            "namespace",
            "resource_group",
        ]
    )

    script: Text | None = None
    command: Annotated[list[Text], Field(min_length=1)] | None = None
    args: list[str] = []
    parameters: Literal["args", "env", "json", "constants"] = "args"
    files: list[Text] = []
    dependencies: list[Text] = []
    image: Text | None = None
    python: Text | None = None
    env: dict[Variable, str] = {}
    secrets: list[Variable] = []
    volumes: list[Text] = []
    gpus_per_trial: Annotated[int, Field(ge=1, le=1024)] | None = None
    launcher: list[Text] = []
    evaluate: Text | None = None
    namespace: Text | None = None
    resource_group: Text | None = None
    resource: Resource | None = None


class Budget(PageBlock):
    """What may be spent.

    Attributes:
        max_jobs: Jobs that may start; every attempt that ran counts.
        max_walltime_s: Seconds of run time, summed over all jobs.
        max_timeout_s: Seconds that one job may run.
        max_cost_usd: Dollars, or None for no limit of its own.
        max_elapsed_s: Calendar seconds since the first submission, or None.
        allowed_flavors: Hardware: the first is used, the others are fallbacks.
        max_parallel: Jobs in flight at once.
        allow_deletes: Whether what losing trials left may be deleted.
    """

    heading = "Budget envelope"
    written = frozenset({"allowed_flavors"})

    max_jobs: Count
    max_walltime_s: Annotated[Duration, Field(alias="max_walltime")]
    max_timeout_s: Annotated[Duration, Field(alias="max_timeout")]
    max_cost_usd: Annotated[Dollars | None, Field(alias="max_cost")] = None
    max_elapsed_s: Annotated[Duration | None, Field(alias="max_elapsed")] = None
    allowed_flavors: list[Text] = []
    max_parallel: Annotated[int, Field(ge=1, le=10_000)] = 1
    allow_deletes: bool = False

    def envelope(self) -> Envelope:
        """Return the limits as the rules read them."""
        cost = self.max_cost_usd
        return Envelope(
            max_jobs=self.max_jobs,
            max_walltime_s=self.max_walltime_s,
            max_timeout_s=self.max_timeout_s,
            max_micro_usd=None if cost is None else parse_usd(cost),
            max_elapsed_s=self.max_elapsed_s,
            allowed_flavors=tuple(self.allowed_flavors),
            max_parallel=self.max_parallel,
            allow_deletes=self.allow_deletes,
        )


#: Blocks of the page besides the search space, by heading, in the page's order.
BLOCKS: dict[str, type[PageBlock]] = {
    block.heading: block for block in (Sweep, Goal, Scope, Training, Budget)
}
