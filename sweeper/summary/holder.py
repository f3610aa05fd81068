"""Who conducts the sweep, and whether that process still lives.

`state/lease.py` keeps the lease through SQLAlchemy; a look only needs its row and, on the same
machine, the kernel's word on the process.
"""

from __future__ import annotations

from typing import Any

from sweeper.summary.records import Conductor
from sweeper.summary.rows import Rows


def read_conductor(rows: Rows, uid: str, now: float) -> Conductor | None:
    """Return the process that holds or last held the lease; None when nobody ever did."""
    found = rows.select(
        "SELECT host, machine_id, boot_id, pid, process_started, since, heartbeat_at, ttl_s,"
        " released_at FROM sweeper_lease WHERE uid = :uid",
        uid=uid,
    )
    if not found:
        return None
    *process, since, heartbeat_at, ttl_s, released_at = found[0]
    alive = released_at is None and _alive(process, now < heartbeat_at + ttl_s)
    return Conductor(
        alive, host=process[0], pid=process[3], heartbeat_at=heartbeat_at, since=since
    )


def _alive(process: list[Any], heard_of: bool) -> bool:
    """Ask the kernel about a process of this machine; of another only its heartbeat is known."""
    # Imported here because a look at a sweep that nobody conducts has no use for it.
    from sweeper.state.process import Process
    from sweeper.state.process import machine_id
    from sweeper.state.process import process_alive

    holder = Process(*process)
    return process_alive(holder) if holder.machine_id == machine_id() else heard_of
