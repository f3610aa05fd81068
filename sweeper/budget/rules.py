"""The envelope, and the only place that says no: numbers in, a reason out.

The rule is that of the durable loop: money is reserved before it is spent, for as long as the job
may run at the most, and a job starts only where what is left pays for one of useful length.

Standard library only, and light: the spending guard imports this on every shell command.
"""

from __future__ import annotations

from sweeper.budget.prices import MICRO
from sweeper.budget.prices import format_duration
from sweeper.budget.prices import format_usd

#: Seconds that money is set aside for beyond a job's timeout: starting up and being ended.
SLACK_S = 120

_NEVER = float("inf")


class _Record:
    """A value with named parts, equal to another with the same parts."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({parts})"


class Envelope(_Record):
    """What a person allows a sweep to spend.

    Attributes:
        max_jobs: Jobs that may be started; every attempt that ran counts.
        max_walltime_s: Sum of the jobs' running seconds.
        max_timeout_s: Seconds that one job may run.
        max_micro_usd: Money in micro-dollars, or None for no limit.
        max_elapsed_s: Calendar seconds since the first submission, or None.
        allowed_flavors: Hardware that may be used; the first is preferred.
        max_parallel: Jobs that may be in flight at once.
        allow_deletes: Whether losers' output may be removed.
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
        allowed_flavors: tuple[str, ...] = (),
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
        """Return the limits as plain data under program.md's keys; money in dollars."""
        return {
            "max_jobs": self.max_jobs,
            "max_walltime_s": self.max_walltime_s,
            "max_cost": None if self.max_micro_usd is None else self.max_micro_usd / MICRO,
            "max_elapsed_s": self.max_elapsed_s,
            "allowed_flavors": list(self.allowed_flavors),
            "max_timeout_s": self.max_timeout_s,
            "max_parallel": self.max_parallel,
            "allow_deletes": self.allow_deletes,
        }

    @classmethod
    def from_document(cls, document: dict[str, object]) -> Envelope:
        """Return the envelope that `as_document` wrote."""
        cost = document["max_cost"]
        return cls(
            max_jobs=int(document["max_jobs"]),  # type: ignore[call-overload]
            max_walltime_s=float(document["max_walltime_s"]),  # type: ignore[arg-type]
            max_timeout_s=float(document["max_timeout_s"]),  # type: ignore[arg-type]
            max_micro_usd=None if cost is None else round(float(cost) * MICRO),  # type: ignore[arg-type]
            max_elapsed_s=document["max_elapsed_s"],  # type: ignore[arg-type]
            allowed_flavors=tuple(document["allowed_flavors"]),  # type: ignore[arg-type]
            max_parallel=int(document["max_parallel"]),  # type: ignore[call-overload]
            allow_deletes=bool(document["allow_deletes"]),
        )


class Usage(_Record):
    """What a sweep has used, and what its open reservations hold.

    Attributes:
        jobs_used: Jobs settled.
        jobs_reserved: Jobs reserved or in flight.
        walltime_s_used: Running seconds of settled jobs.
        walltime_s_reserved: Timeouts of the others.
        micro_usd_used: Cost of settled jobs.
        micro_usd_reserved: What the others may cost at the most.
        in_flight: Jobs whose reservation is open.
        first_submitted_at: UTC seconds of the first submission, or None.
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
    """A yes to one job.

    Attributes:
        timeout_s: Seconds that it may run, whole.
        minutes: Started minutes that are set aside.
        micro_usd: Money that is set aside.
        clipped: Whether the budget's tail made the timeout shorter than the envelope allows.
    """

    __slots__ = ("clipped", "micro_usd", "minutes", "timeout_s")

    def __init__(self, *, timeout_s: float, minutes: int, micro_usd: int, clipped: bool) -> None:
        self.timeout_s = timeout_s
        self.minutes = minutes
        self.micro_usd = micro_usd
        self.clipped = clipped


class Refusal(_Record):
    """A no, and why.

    Attributes:
        kind: jobs, walltime, cost, elapsed, parallel, flavor or price.
        sentence: The reason as people read it.
        hint: What would change it.
        waits: Whether the end of a job in flight may turn it into a yes.
    """

    __slots__ = ("hint", "kind", "sentence", "waits")

    def __init__(self, *, kind: str, sentence: str, hint: str, waits: bool) -> None:
        self.kind = kind
        self.sentence = sentence
        self.hint = hint
        self.waits = waits


def decide(
    envelope: Envelope,
    usage: Usage,
    flavor: str,
    micro_usd_per_minute: int | None,
    completed_s: list[float],
    now: float,
    held_back_jobs: int = 0,
) -> Grant | Refusal:
    """Say whether one more job may start, and for how long.

    Args:
        envelope: What a person allowed.
        usage: What is used and reserved, this job not included.
        flavor: Hardware asked for.
        micro_usd_per_minute: Its price; None when nobody knows it, which refuses.
        completed_s: Running seconds of the jobs that completed, in any order.
        now: UTC seconds.
        held_back_jobs: Jobs kept for confirming the winner, not to be given out here.

    Returns:
        The grant with its timeout, or the refusal with its reason.
    """
    no = _refused_outright(envelope, usage, flavor, micro_usd_per_minute, held_back_jobs)
    if no is not None:
        return no
    price = micro_usd_per_minute or 0
    limits = _seconds_left(envelope, usage, price, now)
    kind = min(limits, key=lambda each: limits[each])
    timeout_s = float(int(min(envelope.max_timeout_s, limits[kind])))
    if timeout_s < shortest_useful_s(envelope, completed_s) or timeout_s < 1:
        return _too_little_left(kind, limits[kind], envelope, usage, completed_s)
    minutes = -(-(int(timeout_s) + SLACK_S) // 60)
    return Grant(
        timeout_s=timeout_s,
        minutes=minutes,
        micro_usd=minutes * price,
        clipped=timeout_s < int(envelope.max_timeout_s),
    )


def refusal(
    envelope: Envelope,
    usage: Usage,
    flavor: str,
    micro_usd_per_minute: int | None,
    completed_s: list[float],
    now: float,
    held_back_jobs: int = 0,
) -> Refusal | None:
    """Return why no further job may start, or None where one may; see `decide`."""
    answer = decide(
        envelope, usage, flavor, micro_usd_per_minute, completed_s, now, held_back_jobs
    )
    return answer if isinstance(answer, Refusal) else None


def shortest_useful_s(envelope: Envelope, completed_s: list[float]) -> float:
    """Return the least seconds that a job must be given: 1.3 times the 90th percentile so far.

    Before two jobs have completed nobody knows, and the full timeout is asked for.
    """
    longest = float(int(envelope.max_timeout_s))
    if len(completed_s) < 2:
        return longest
    ranked = sorted(completed_s)
    position = 0.9 * (len(ranked) - 1)
    below = int(position)
    above = min(below + 1, len(ranked) - 1)
    percentile = ranked[below] + (position - below) * (ranked[above] - ranked[below])
    return min(longest, 1.3 * percentile)


def _refused_outright(
    envelope: Envelope,
    usage: Usage,
    flavor: str,
    micro_usd_per_minute: int | None,
    held_back_jobs: int,
) -> Refusal | None:
    if envelope.allowed_flavors and flavor not in (*envelope.allowed_flavors, "local"):
        allowed = ", ".join(envelope.allowed_flavors)
        return Refusal(
            kind="flavor",
            sentence=f"{flavor} is not among the allowed flavors ({allowed}).",
            hint="Add it to allowed_flavors and approve again.",
            waits=False,
        )
    if micro_usd_per_minute is None:
        return Refusal(
            kind="price",
            sentence=f"The price of {flavor} is unknown, and unknown is not free.",
            hint="Check the flavor's name, or come back when the price list can be read.",
            waits=False,
        )
    left = envelope.max_jobs - held_back_jobs - usage.jobs_used - usage.jobs_reserved
    if left < 1:
        return Refusal(
            kind="jobs",
            sentence=f"All {envelope.max_jobs} jobs of the envelope are used or in flight.",
            hint="Raise max_jobs and approve again.",
            waits=False,
        )
    if usage.in_flight >= envelope.max_parallel:
        return Refusal(
            kind="parallel",
            sentence=f"{usage.in_flight} of {envelope.max_parallel} jobs are in flight.",
            hint="Wait for one of them, or raise max_parallel and approve again.",
            waits=True,
        )
    return None


def _seconds_left(envelope: Envelope, usage: Usage, price: int, now: float) -> dict[str, float]:
    """Return for each limit the seconds that one more job could run under it."""
    left = {
        "walltime": envelope.max_walltime_s - usage.walltime_s_used - usage.walltime_s_reserved
    }
    if envelope.max_micro_usd is not None and price > 0:
        money = envelope.max_micro_usd - usage.micro_usd_used - usage.micro_usd_reserved
        left["cost"] = 60.0 * (money // price) - SLACK_S
    if envelope.max_elapsed_s is not None:
        begun = now if usage.first_submitted_at is None else usage.first_submitted_at
        left["elapsed"] = begun + envelope.max_elapsed_s - now
    return left


def _too_little_left(
    kind: str, seconds: float, envelope: Envelope, usage: Usage, completed_s: list[float]
) -> Refusal:
    key = {"walltime": "max_walltime", "cost": "max_cost", "elapsed": "max_elapsed"}[kind]
    left = format_duration(max(0.0, float(int(seconds))))
    needed = format_duration(shortest_useful_s(envelope, completed_s))
    spent = (
        f" ({format_usd(usage.micro_usd_used + usage.micro_usd_reserved)} of"
        f" {format_usd(envelope.max_micro_usd or 0)} is used or reserved)"
        if kind == "cost"
        else ""
    )
    return Refusal(
        kind=kind,
        sentence=f"What is left of {key} pays for {left} of a job; one needs {needed}{spent}.",
        hint=f"Raise {key} and approve again.",
        # Calendar time comes back with no settlement.
        waits=usage.in_flight > 0 and kind != "elapsed",
    )


def widened(old: Envelope, new: Envelope) -> list[str]:
    """Return one sentence for every limit that `new` widens; none when `old` covers it."""
    found = []
    for key, was, now, text in (
        ("max_jobs", old.max_jobs, new.max_jobs, str),
        ("max_walltime", old.max_walltime_s, new.max_walltime_s, format_duration),
        ("max_timeout", old.max_timeout_s, new.max_timeout_s, format_duration),
        ("max_cost", old.max_micro_usd, new.max_micro_usd, format_usd),
        ("max_elapsed", old.max_elapsed_s, new.max_elapsed_s, format_duration),
        ("max_parallel", old.max_parallel, new.max_parallel, str),
    ):
        if (_NEVER if now is None else now) > (_NEVER if was is None else was):
            shown = "no limit" if now is None else text(now)  # type: ignore[arg-type]
            found.append(f"{key} rises from {text(was)} to {shown}.")  # type: ignore[arg-type]
    found += _widened_sets(old, new)
    return found


def _widened_sets(old: Envelope, new: Envelope) -> list[str]:
    found = []
    added = [each for each in new.allowed_flavors if each not in old.allowed_flavors]
    if old.allowed_flavors and not new.allowed_flavors:
        found.append("allowed_flavors no longer names any flavor.")
    elif added and (old.allowed_flavors or new.allowed_flavors):
        found.append(f"allowed_flavors gains {', '.join(added)}.")
    if new.allow_deletes and not old.allow_deletes:
        found.append("allow_deletes is switched on.")
    return found


def worst_case(
    envelope: Envelope, micro_usd_per_minute: int | None
) -> tuple[int, float, int | None]:
    """Return the most that the envelope can cost: jobs, running seconds, micro-dollars.

    The money is None where neither a price nor max_cost bounds it.
    """
    seconds = min(envelope.max_walltime_s, envelope.max_jobs * envelope.max_timeout_s)
    bounds = [] if envelope.max_micro_usd is None else [envelope.max_micro_usd]
    if micro_usd_per_minute is not None:
        # Every job may begin one minute more than it runs, and its start-up is paid too.
        minutes = seconds / 60 + envelope.max_jobs * (SLACK_S / 60 + 1)
        bounds.append(int(minutes * micro_usd_per_minute) + (1 if micro_usd_per_minute else 0))
    return envelope.max_jobs, seconds, min(bounds) if bounds else None
