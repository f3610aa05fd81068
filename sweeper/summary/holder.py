"""Who conducts the sweep, and whether that process still lives.

`state/lease.py` keeps the lease through SQLAlchemy; a look only needs its row and, on the same
machine, the kernel's word on the process.
"""

from __future__ import annotations

import os
from pathlib import Path

from sweeper.summary.records import Conductor
from sweeper.summary.rows import Rows

#: A holder on another machine counts as alive this long after its last heartbeat, seconds
#: (LOOP.md, section 2: the lease's time to live plus the time limit of a request).
REMOTE_PATIENCE_S = 80.0


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
    alive = released_at is None and _alive(machine, boot, pid, started, heartbeat_at, now)
    return Conductor(alive=alive, host=host, pid=pid, heartbeat_at=heartbeat_at, since=since)


def _alive(
    machine: str, boot: str, pid: int, started: str, heartbeat_at: float, now: float
) -> bool:
    if machine != machine_id():
        return now - heartbeat_at < REMOTE_PATIENCE_S
    return boot == boot_id() and process_started(pid) == started


def machine_id() -> str:
    """Return what names this machine across boots."""
    for place in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            return Path(place).read_text(encoding="ascii").strip()
        except OSError:
            continue
    return os.uname().nodename


def boot_id() -> str:
    """Return what names this boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def process_started(pid: int) -> str | None:
    """Return the start time of a process as the kernel tells it; None when it is gone."""
    try:
        # The command's name stands in parentheses and may hold spaces (proc(5)).
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[19]
    except OSError:
        return None
