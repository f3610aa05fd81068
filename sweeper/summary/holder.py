"""Who conducts the sweep, and whether that process still lives.

`state/lease.py` keeps the lease through SQLAlchemy; a look only needs its row and, on the same
machine, the kernel's word on the process.
"""

from __future__ import annotations

import os

from sweeper.summary.records import Conductor
from sweeper.summary.rows import Rows

#: Time limit of one request and margin, seconds, on top of the lease's time to live (LOOP.md,
#: section 2): a holder elsewhere that is silent for longer has lost its lease.
_MARGIN_S = 30.0


def read_conductor(rows: Rows, uid: str, now: float) -> Conductor | None:
    """Return the process that holds or last held the lease; None when nobody ever did."""
    found = rows.select(
        "SELECT host, machine_id, boot_id, pid, process_started, since, heartbeat_at, released_at"
        " FROM sweeper_lease WHERE uid = :uid",
        uid=uid,
    )
    if not found:
        return None
    host, machine, boot, pid, started, since, heartbeat_at, released_at = found[0]
    alive = released_at is None and _alive((host, machine, boot, pid, started), heartbeat_at, now)
    return Conductor(alive, host, pid, heartbeat_at, since)


def _alive(process: tuple[str, str, str, int, str], heartbeat_at: float, now: float) -> bool:
    # Imported here because a look at a sweep that nobody conducts has no use for it.
    from sweeper.state.process import Process
    from sweeper.state.process import machine_id
    from sweeper.state.process import process_alive

    holder = Process(*process)
    if holder.machine_id == machine_id():
        return process_alive(holder)
    return now - heartbeat_at < float(os.environ.get("SWEEPER_LEASE_TTL_S", "60")) + _MARGIN_S
