"""Which process on which machine: an identity that a reused pid cannot take over.

Standard library only: the commands that merely look ask whether a conductor is alive.
"""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

# The kernel's number of the first pid namespace (include/linux/proc_ns.h, PROC_PID_INIT_INO).
_FIRST_PID_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told apart from every other that ever ran.

    Attributes:
        host: Name of the machine, for people.
        machine_id: What stays the same over reboots of one machine.
        boot_id: What changes with each boot.
        pid: Number of the process.
        process_started: When it started, as the kernel tells it; opaque.
    """

    host: str
    machine_id: str
    boot_id: str
    pid: int
    process_started: str


def identity() -> Process:
    """Return the process that calls."""
    pid = os.getpid()
    started = process_started(pid)
    return Process(socket.gethostname(), machine_id(), boot_id(), pid, started or "unknown")


def process_alive(process: Process) -> bool:
    """Tell whether `process`, of this machine, still runs; a zombie does not."""
    return process.boot_id == boot_id() and process.process_started == process_started(process.pid)


def machine_id() -> str:
    """Return the identity of this machine (`SWEEPER_MACHINE_ID` overrides it)."""
    known = os.environ.get("SWEEPER_MACHINE_ID") or _read("/etc/machine-id")
    if known and "SWEEPER_MACHINE_ID" not in os.environ and _in_container():
        # An image's machine-id is shared by all its containers, on every host.
        return f"{known}:{socket.gethostname()}"
    return known or _network_identity()


def boot_id() -> str:
    """Return the identity of this boot (`SWEEPER_BOOT_ID` overrides it)."""
    return (
        os.environ.get("SWEEPER_BOOT_ID")
        or _read("/proc/sys/kernel/random/boot_id")
        or _run("sysctl", "-n", "kern.bootsessionuuid")
        or "unknown"
    )


def process_started(pid: int) -> str | None:
    """Return when process `pid` started, or None where none runs (a zombie does not)."""
    if Path("/proc/self/stat").exists():
        return _started_by_proc(pid)
    state, _, started = _run("ps", "-o", "state=,lstart=", "-p", str(pid)).partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _started_by_proc(pid: int) -> str | None:
    said = _read(f"/proc/{pid}/stat")
    # The name in parentheses may itself hold blanks and parentheses (proc_pid_stat(5)).
    fields = said.rpartition(")")[2].split()
    return None if len(fields) < 20 or fields[0] in "ZXx" else fields[19]


def _in_container() -> bool:
    try:
        return str(Path("/proc/self/ns/pid").readlink()) != _FIRST_PID_NAMESPACE
    except OSError:
        return False


def _network_identity() -> str:
    address = uuid.getnode()
    invented = address >> 40 & 1  # uuid sets this bit where it found no network card
    return platform.node() if invented else f"{platform.node()}:{address:012x}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
