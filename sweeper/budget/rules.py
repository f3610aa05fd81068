"""The only place that says no: numbers in, a grant or a reason out.

Pure arithmetic, without clock, file or database: the ledger asks `decide` inside the transaction
that writes the reservation. Standard library only and 3.9-clean: the spending guard imports this.
"""

from __future__ import annotations

from sweeper.budget import prices
from sweeper.budget.envelope import Envelope as Envelope
from sweeper.budget.envelope import Grant as Grant
from sweeper.budget.envelope import Refusal as Refusal
from sweeper.budget.envelope import Usage as Usage

#: Seconds that the platform may charge beyond a job's timeout: its start and its end.
OVERHEAD_S = 120

#: Jobs that run shorter than this teach nothing about how long the next one must be let.
SHORTEST_S = 1.0

#: Float sums of seconds read back from a database differ in their last digits.
_TOLERANCE_S = 1e-6

_WAIT_HINT = "Wait until a job in flight is settled."
_RAISE_HINT = "Raise {key} in program.md, then run `sweeper approve`."


def decide(
    envelope: Envelope,
    usage: Usage,
    flavor: str,
    micro_usd_per_minute: int | None,
    completed_s: tuple[float, ...] | list[float],
    now: float,
    held_back_jobs: int = 0,
) -> Grant | Refusal:
    """Say whether one more job may start, and with what reservation.

    Args:
        envelope: What a person approved, or something narrower.
        usage: What was used and is reserved, read in the transaction that will write.
        flavor: The hardware asked for.
        micro_usd_per_minute: Price of a started minute; None when it is not known.
        completed_s: Run times of the jobs that completed, in seconds.
        now: UTC seconds.
        held_back_jobs: Jobs kept for something else, such as the champion's confirmation.

    Returns:
        A grant, or the refusal that no settlement can lift before one that waits.
    """
    price = _known_price(flavor, micro_usd_per_minute)
    if price is None or flavor not in (*envelope.allowed_flavors, *prices.FREE):
        return _hardware_refusal(envelope, flavor)
    refusals = [
        _jobs_refusal(envelope, usage, held_back_jobs),
        _time_refusal(envelope, usage, price, completed_s, now),
        _parallel_refusal(envelope, usage),
    ]
    said_no = sorted((refusal for refusal in refusals if refusal), key=lambda no: no.waits)
    return said_no[0] if said_no else _grant(envelope, usage, price, now)


def refusal(
    envelope: Envelope,
    usage: Usage,
    flavor: str,
    micro_usd_per_minute: int | None,
    completed_s: tuple[float, ...] | list[float],
    now: float,
    held_back_jobs: int = 0,
) -> Refusal | None:
    """Return why no job may start, or None if one may; arguments as for `decide`."""
    decision = decide(
        envelope, usage, flavor, micro_usd_per_minute, completed_s, now, held_back_jobs
    )
    return decision if isinstance(decision, Refusal) else None


def shortest_start_s(max_timeout_s: float, completed_s: tuple[float, ...] | list[float]) -> float:
    """Return how many seconds a job must be given for its start to be worth the money.

    1.3 times the 90th percentile of completed run times; max_timeout before two have completed.
    """
    if len(completed_s) < 2:
        return max_timeout_s
    return min(max_timeout_s, max(SHORTEST_S, 1.3 * _percentile_90(sorted(completed_s))))


def _percentile_90(ordered: list[float]) -> float:
    position = 0.9 * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def _known_price(flavor: str, micro_usd_per_minute: int | None) -> int | None:
    """Return the price, or None where zero would mean that nobody knows it."""
    if flavor in prices.FREE:
        return max(0, micro_usd_per_minute or 0)
    return micro_usd_per_minute if micro_usd_per_minute and micro_usd_per_minute > 0 else None


def _hardware_refusal(envelope: Envelope, flavor: str) -> Refusal:
    if flavor not in (*envelope.allowed_flavors, *prices.FREE):
        allowed = ", ".join(envelope.allowed_flavors) or "none"
        sentence = f"{flavor} is not among the allowed_flavors ({allowed})."
        hint = f"Add {flavor} to allowed_flavors in program.md, then run `sweeper approve`."
        return Refusal(kind="flavor", sentence=sentence, hint=hint, waits=False)
    sentence = f"The price of {flavor} is unknown, and unknown is not free."
    hint = "Check the flavor's name, or come back when the price list can be read."
    return Refusal(kind="price", sentence=sentence, hint=hint, waits=False)


def _jobs_refusal(envelope: Envelope, usage: Usage, held_back: int) -> Refusal | None:
    left = envelope.max_jobs - usage.jobs_used - held_back
    if left - usage.jobs_reserved >= 1:
        return None
    kept = f", {held_back} held back" if held_back else ""
    taken = f"{usage.jobs_used} used, {usage.jobs_reserved} reserved{kept}"
    # A reservation whose request created no job is given back and counts as none.
    return _refusal(
        "jobs",
        f"No job is left of max_jobs {envelope.max_jobs} ({taken}).",
        "max_jobs",
        waits=_in_flight(usage) and left >= 1,
    )


def _parallel_refusal(envelope: Envelope, usage: Usage) -> Refusal | None:
    if usage.in_flight < envelope.max_parallel:
        return None
    sentence = (
        f"{usage.in_flight} jobs are in flight, and max_parallel is {envelope.max_parallel}."
    )
    return _refusal("parallel", sentence, "max_parallel", waits=True)


def _time_refusal(
    envelope: Envelope,
    usage: Usage,
    price: int,
    completed_s: tuple[float, ...] | list[float],
    now: float,
) -> Refusal | None:
    left = _time_left(envelope, usage, price, now)
    kind = min(left, key=lambda limit: left[limit])
    needed = shortest_start_s(envelope.max_timeout_s, completed_s)
    if left[kind] > 0 and left[kind] + _TOLERANCE_S >= needed:
        return None
    # At best everything reserved comes back and the trials turn out to be short.
    freed = _time_left(envelope, usage, price, now, nothing_reserved=True)
    at_best = min(freed.values()) >= min(SHORTEST_S, envelope.max_timeout_s)
    sentence = (
        f"What is left of max_{kind} gives a job {prices.format_duration(left[kind])}; "
        f"one needs {prices.format_duration(needed)}."
    )
    return _refusal(kind, sentence, f"max_{kind}", waits=_in_flight(usage) and at_best)


def _time_left(
    envelope: Envelope, usage: Usage, price: int, now: float, nothing_reserved: bool = False
) -> dict[str, float]:
    """Return for each limit how many seconds a job started now may run under it."""
    kept = 0 if nothing_reserved else 1
    walltime_s = usage.walltime_s_used + kept * usage.walltime_s_reserved
    left = {"walltime": envelope.max_walltime_s - walltime_s}
    if envelope.max_micro_usd is not None and price:
        spent = usage.micro_usd_used + kept * usage.micro_usd_reserved
        left["cost"] = 60.0 * ((envelope.max_micro_usd - spent) // price) - OVERHEAD_S
    if envelope.max_elapsed_s is not None:
        since = now if usage.first_submitted_at is None else usage.first_submitted_at
        left["elapsed"] = since + envelope.max_elapsed_s - now
    # In this order, NaN becomes zero: what cannot be determined leaves nothing.
    return {kind: max(0.0, seconds) for kind, seconds in left.items()}


def _in_flight(usage: Usage) -> bool:
    return usage.in_flight > 0 or usage.jobs_reserved > 0


def _refusal(kind: str, sentence: str, key: str, waits: bool) -> Refusal:
    hint = _WAIT_HINT if waits else _RAISE_HINT.format(key=key)
    return Refusal(kind=kind, sentence=sentence, hint=hint, waits=waits)


def _grant(envelope: Envelope, usage: Usage, price: int, now: float) -> Grant:
    left = min(_time_left(envelope, usage, price, now).values())
    timeout_s = min(envelope.max_timeout_s, left)
    minutes = prices.started_minutes(timeout_s + OVERHEAD_S)
    return Grant(
        timeout_s=timeout_s,
        minutes=minutes,
        micro_usd=minutes * price,
        clipped=timeout_s + _TOLERANCE_S < envelope.max_timeout_s,
    )


def widened(old: Envelope, new: Envelope) -> list[str]:
    """Say, one sentence a limit, where a new envelope allows more than the old one.

    Returns:
        Sentences; none when whoever approved the old envelope has approved the new one.
    """
    sentences = [
        f"{key} rises from {_shown(key, before)} to {_shown(key, after)}."
        for key, before, after in _limits(old, new)
        if before is not None and (after is None or after > before)
    ]
    added = [name for name in new.allowed_flavors if name not in old.allowed_flavors]
    if added:
        sentences.append(f"allowed_flavors gains {', '.join(added)}.")
    if new.allow_deletes and not old.allow_deletes:
        sentences.append("allow_deletes is switched on.")
    return sentences


def _limits(old: Envelope, new: Envelope) -> list[tuple[str, float | None, float | None]]:
    return [
        ("max_jobs", old.max_jobs, new.max_jobs),
        ("max_walltime", old.max_walltime_s, new.max_walltime_s),
        ("max_cost", old.max_micro_usd, new.max_micro_usd),
        ("max_elapsed", old.max_elapsed_s, new.max_elapsed_s),
        ("max_timeout", old.max_timeout_s, new.max_timeout_s),
        ("max_parallel", old.max_parallel, new.max_parallel),
    ]


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "no limit"
    if key == "max_cost":
        return prices.format_usd(int(value))
    return str(value) if key in ("max_jobs", "max_parallel") else prices.format_duration(value)


def worst_case(
    envelope: Envelope, micro_usd_per_minute: int | None
) -> tuple[int, float, int | None]:
    """Return the most that an envelope can cost: jobs, seconds of run time, micro-dollars.

    Args:
        envelope: The limits.
        micro_usd_per_minute: Price of the dearest allowed flavor; None when it is not known.

    Returns:
        Money is None when neither a price nor max_cost bounds it. Each job is reckoned with the
        overhead that its reservation holds, so no sequence of jobs can cost more.
    """
    jobs, most = envelope.max_jobs, envelope.max_micro_usd
    seconds = min(envelope.max_walltime_s, jobs * envelope.max_timeout_s)
    if micro_usd_per_minute is None:
        return jobs, seconds, most
    one = prices.started_minutes(envelope.max_timeout_s + OVERHEAD_S)
    together = prices.started_minutes(seconds) + jobs * (1 + OVERHEAD_S // 60)
    cost = min(jobs * one, together) * micro_usd_per_minute
    return jobs, seconds, cost if most is None else min(cost, most)
