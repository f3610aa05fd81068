"""What may be spent, what was spent, and the two answers of `rules`: records without behaviour.

Standard library only and 3.9-clean: the spending guard imports this.
"""

from __future__ import annotations

from sweeper.budget import prices


class _Record:
    """A value with named fields: compared and shown by them."""

    __slots__: tuple[str, ...] = ()

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


class Envelope(_Record):
    """What a person allows a sweep to spend.

    Attributes:
        max_jobs: Jobs that may start; every attempt that ran counts.
        max_walltime_s: Seconds of run time, summed over all jobs.
        max_timeout_s: Seconds that one job may run.
        max_micro_usd: Micro-dollars, or None for no limit of its own.
        max_elapsed_s: Seconds since the first submission, or None for no limit.
        allowed_flavors: Hardware that may be paid for; "local" and "dry" need no mention.
        max_parallel: Jobs in flight at once.
        allow_deletes: Whether what a losing trial left may be deleted.
    """

    __slots__ = (
        "allow_deletes",
        "allowed_flavors",
        "max_elapsed_s",
        "max_jobs",
        "max_micro_usd",
        "max_parallel",
        "max_timeout_s",
        "max_walltime_s",
    )

    def __init__(
        self,
        *,
        max_jobs: int,
        max_walltime_s: float,
        max_timeout_s: float,
        max_micro_usd: int | None = None,
        max_elapsed_s: float | None = None,
        allowed_flavors: tuple[str, ...] | list[str] = (),
        max_parallel: int = 1,
        allow_deletes: bool = False,
    ) -> None:
        self.max_jobs = max_jobs
        self.max_walltime_s = max_walltime_s
        self.max_timeout_s = max_timeout_s
        self.max_micro_usd = max_micro_usd
        self.max_elapsed_s = max_elapsed_s
        self.allowed_flavors = tuple(allowed_flavors)
        self.max_parallel = max_parallel
        self.allow_deletes = allow_deletes

    def as_document(self) -> dict[str, object]:
        """Return the envelope under program.md's keys: seconds under `_s`, max_cost in dollars."""
        cost = self.max_micro_usd
        return {
            "max_jobs": self.max_jobs,
            "max_walltime_s": self.max_walltime_s,
            "max_cost": None if cost is None else cost / prices.MICRO,
            "max_elapsed_s": self.max_elapsed_s,
            "allowed_flavors": list(self.allowed_flavors),
            "max_timeout_s": self.max_timeout_s,
            "max_parallel": self.max_parallel,
            "allow_deletes": self.allow_deletes,
        }

    @classmethod
    def from_document(cls, document: dict[str, object]) -> Envelope:
        """Read what `as_document` wrote.

        Raises:
            ValueError: A limit is missing, of the wrong kind or not known here. Nothing is
                guessed: a limit that is not understood would not bind.
        """
        rest = dict(document)
        cost, elapsed = rest.pop("max_cost", None), rest.pop("max_elapsed_s", None)
        envelope = cls(
            max_jobs=_count(rest, "max_jobs"),
            max_walltime_s=_seconds(rest.pop("max_walltime_s", None), "max_walltime_s"),
            max_timeout_s=_seconds(rest.pop("max_timeout_s", None), "max_timeout_s"),
            max_micro_usd=None if cost is None else prices.parse_usd(cost),
            max_elapsed_s=None if elapsed is None else _seconds(elapsed, "max_elapsed_s"),
            allowed_flavors=_names(rest, "allowed_flavors"),
            max_parallel=_count(rest, "max_parallel"),
            allow_deletes=rest.pop("allow_deletes", False) is True,
        )
        if rest:
            raise ValueError(f"the envelope has unknown limits: {', '.join(sorted(rest))}")
        return envelope


def _count(document: dict[str, object], key: str) -> int:
    value = document.pop(key, None)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{key} in the envelope is {value!r}, not a whole number from 1")
    return value


def _seconds(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"{key} in the envelope is {value!r}, not a number of seconds")
    return float(value)


def _names(document: dict[str, object], key: str) -> tuple[str, ...]:
    value = document.pop(key, None)
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{key} in the envelope is {value!r}, not a list of names")
    return tuple(str(name) for name in value)


class Usage(_Record):
    """What a study has used of its envelope and what it holds reserved.

    Attributes:
        jobs_used: Settled jobs that a platform or this machine created.
        jobs_reserved: Jobs that are reserved and not yet settled.
        walltime_s_used: Run time of settled jobs in seconds.
        walltime_s_reserved: Timeouts of reserved jobs in seconds.
        micro_usd_used: What settled jobs cost.
        micro_usd_reserved: What reserved jobs may cost at most.
        in_flight: Jobs between reservation and settlement that count for max_parallel.
        first_submitted_at: When the first job was submitted, UTC seconds; None before.
    """

    __slots__ = (
        "first_submitted_at",
        "in_flight",
        "jobs_reserved",
        "jobs_used",
        "micro_usd_reserved",
        "micro_usd_used",
        "walltime_s_reserved",
        "walltime_s_used",
    )

    def __init__(
        self,
        *,
        jobs_used: int = 0,
        jobs_reserved: int = 0,
        walltime_s_used: float = 0.0,
        walltime_s_reserved: float = 0.0,
        micro_usd_used: int = 0,
        micro_usd_reserved: int = 0,
        in_flight: int = 0,
        first_submitted_at: float | None = None,
    ) -> None:
        self.jobs_used = jobs_used
        self.jobs_reserved = jobs_reserved
        self.walltime_s_used = walltime_s_used
        self.walltime_s_reserved = walltime_s_reserved
        self.micro_usd_used = micro_usd_used
        self.micro_usd_reserved = micro_usd_reserved
        self.in_flight = in_flight
        self.first_submitted_at = first_submitted_at


class Grant(_Record):
    """One job may start, and this is what must be reserved for it.

    Attributes:
        timeout_s: Seconds it may run; reserved as walltime.
        minutes: Started minutes that it may be charged for.
        micro_usd: What those cost; reserved as money.
        clipped: Whether the budget's tail made the timeout shorter than max_timeout.
    """

    __slots__ = ("clipped", "micro_usd", "minutes", "timeout_s")

    def __init__(self, *, timeout_s: float, minutes: int, micro_usd: int, clipped: bool) -> None:
        self.timeout_s = timeout_s
        self.minutes = minutes
        self.micro_usd = micro_usd
        self.clipped = clipped


class Refusal(_Record):
    """No job may start now.

    Attributes:
        kind: The limit that says no: jobs, walltime, cost, elapsed, parallel, flavor or price.
        sentence: Why, with numbers.
        hint: What to do about it.
        waits: Whether a settlement of what is in flight may turn this into a grant.
    """

    __slots__ = ("hint", "kind", "sentence", "waits")

    def __init__(self, *, kind: str, sentence: str, hint: str, waits: bool) -> None:
        self.kind = kind
        self.sentence = sentence
        self.hint = hint
        self.waits = waits
