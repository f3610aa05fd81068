"""The process around a training script: one of it beside each job, so that jobs outlive the sweep.

Started by path with `python -I -S runner.py FOLDER`, where FOLDER holds `spec.json`; the script
gets this process's environment, so secrets never reach a file. What it leaves in FOLDER:

    claim.json   linked into place, so it is whole and there is one: who runs this attempt
    group.json   the script's process group, written before the script is let go
    log          what the script says, straight from the script
    exit.json    how it ended, written atomically

Every file carries the study's uid and the reservation; files that bear others are not ours.
Standard library only, and little of it: this starts beside every job. Linux (`/proc`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

SPEC, CLAIM, GROUP, LOG, CANCEL, EXIT = (
    "spec.json",
    "claim.json",
    "group.json",
    "log",
    "cancel.json",
    "exit.json",
)

#: Exit codes of the process that the executor starts, which leaves the runner behind.
CLAIMED, CLAIMED_BEFORE, FAILED = 0, 3, 1
#: What a shell answers when a program cannot be started; 125: let go by nobody.
NOT_STARTED, NEVER_RELEASED = 127, 125

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_AGAIN_S = 0.02
#: More file descriptors than this process ever has.
_DESCRIPTORS = 1024


def main(folder: str) -> int:
    """Leave a detached runner behind; return once it has the claim, or why it has not.

    Returns:
        CLAIMED, CLAIMED_BEFORE (another runner has it) or FAILED (it died; see its error).
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        answer = os.read(reading, 1)
        return answer[0] if answer else FAILED
    os.close(reading)
    os.setsid()
    # From here on a request to stop waits until there is something to end.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOPPING, signal.SIGCHLD})
    spec = read(folder, SPEC)
    if spec is None:
        raise SystemExit(f"{folder}/{SPEC} is missing")
    if not claim(folder, spec):
        os.write(writing, bytes([CLAIMED_BEFORE]))
        return CLAIMED_BEFORE
    _redirect(folder)
    os.write(writing, bytes([CLAIMED]))
    os.close(writing)
    run(folder, spec, before)
    return CLAIMED


def claim(folder: str, spec: dict[str, object]) -> bool:
    """Claim the attempt for this process; False if another one did before.

    Machine and boot come with the spec, as the sweep names them; the rest is this process.
    """
    if spec["reservation"] != os.environ.get("SWEEPER_RESERVATION"):
        raise SystemExit(f"{folder}/{SPEC} bears another reservation than this process")
    names = ("uid", "reservation", "purpose", "created_at", "machine_id", "boot_id")
    pid = os.getpid()
    me = {"pid": pid, "process_started": process_started(pid)}
    return write_once(folder, CLAIM, {**{name: spec[name] for name in names}, **me})


def run(folder: str, spec: dict[str, object], mask: set[int]) -> None:
    """Start the script, wait for its end, its timeout or a request, and write how it ended."""
    oom_kills = _oom_kills()
    child, release = _start(spec, mask)
    started_at = time.time()
    mine = {"uid": spec["uid"], "reservation": spec["reservation"]}
    group = {"pgid": child, "process_started": process_started(child), "started_at": started_at}
    write(folder, GROUP, {**mine, **group})
    os.write(release, b"\n")
    os.close(release)
    started = _clock()
    ended = _Watch(folder, child).wait(started + float(str(spec["timeout_s"])))
    times = {
        "started_at": started_at,
        "finished_at": time.time(),
        "running_s": _clock() - started,
        "oom_kill": _oom_kills() > oom_kills,
    }
    # Whoever reads that the job has ended may hand out its devices, which inherited locks hold.
    os.closerange(3, _DESCRIPTORS)
    write(folder, EXIT, {**mine, **ended, **times})


class _Watch:
    """Waits for one script and ends it when it is time, with everything it started."""

    def __init__(self, folder: str, child: int) -> None:
        self._folder = folder
        self._child = child
        self._status: int | None = None
        self._rss = 0

    def wait(self, deadline: float) -> dict[str, object]:
        """Return how the script ended, once nothing of it is left."""
        cause = self._until(deadline)
        self._end()
        code = os.waitstatus_to_exitcode(self._status or 0)
        return {
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "timed_out": cause == "timeout",
            "cancelled": cause == "cancel",
            "max_rss_bytes": self._rss,
        }

    def _until(self, deadline: float) -> str:
        """Wait for the first of: the script's end, the deadline, a request."""
        awaited = {*_STOPPING, signal.SIGCHLD}
        while not self._reaped():
            left = deadline - _clock()
            if left <= 0:
                return "timeout"
            arrived = signal.sigtimedwait(awaited, left)
            if arrived is not None and arrived.si_signo in _STOPPING and not self._reaped():
                asked = os.path.exists(os.path.join(self._folder, CANCEL))
                return "cancel" if asked else "signal"
        return "end"

    def _reaped(self) -> bool:
        """Whether the script's first process has ended."""
        if self._status is None:
            pid, status, usage = os.wait4(self._child, os.WNOHANG)
            if pid:
                self._status, self._rss = status, usage.ru_maxrss * 1024
        return self._status is not None

    def _end(self) -> None:
        """Ask the group to end, then make it; what left the group is found by its environment."""
        deadline = _clock() + float(os.environ.get("SWEEPER_GRACE_S") or 10)
        self._signal(signal.SIGTERM)
        while (not self._reaped() or self._group_alive()) and _clock() < deadline:
            # The group's other members are nobody's children here: only looking tells.
            signal.sigtimedwait({signal.SIGCHLD}, _LOOK_AGAIN_S)
        self._signal(signal.SIGKILL)
        if self._status is None:
            _, self._status, usage = os.wait4(self._child, 0)
            self._rss = usage.ru_maxrss * 1024
        while end_bearers(os.environ.get("SWEEPER_RESERVATION", "")) and _clock() < deadline + 1:
            time.sleep(_LOOK_AGAIN_S)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._child, number)
        except (ProcessLookupError, PermissionError):
            return

    def _group_alive(self) -> bool:
        try:
            os.killpg(self._child, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _start(spec: dict[str, object], mask: set[int]) -> tuple[int, int]:
    """Fork the script's process; it waits until a byte comes through the pipe.

    Returns:
        Its process id and the pipe's writing end. When that end is closed, also by this process's
        death, the script never starts.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        _become(spec, reading, mask)
    _make_group(child)
    os.close(reading)
    return child, writing


def _make_group(child: int) -> None:
    """Give the script's process a group; both sides do, so it is there whoever comes first."""
    try:
        os.setpgid(child, child)
    except ProcessLookupError:
        return  # killed already; waiting for it tells how


def _become(spec: dict[str, object], released: int, mask: set[int]) -> None:
    """Turn this forked process into the script; never returns."""
    code = NEVER_RELEASED
    try:
        os.setpgid(0, 0)
        if os.read(released, 1):
            code = NOT_STARTED
            _execute(spec, mask)
    except OSError as error:
        os.write(2, f"sweeper: cannot start {spec['argv']}: {error}\n".encode())
    finally:
        os._exit(code)


def _execute(spec: dict[str, object], mask: set[int]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    # Python ignores these two for itself; a program expects to be told.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(str(spec["cwd"]))
    argv = [str(part) for part in spec["argv"]]  # type: ignore[attr-defined]
    os.execvp(argv[0], argv)


def _redirect(folder: str) -> None:
    """Let go of what the executor reads; from here on everything goes to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(os.path.join(folder, LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)


def process_started(pid: int) -> str:
    """Return a process's start time in the kernel's ticks, "" when it has ended.

    A process that is dead but not yet reaped has ended.
    """
    # proc(5): field 2 is the name in parentheses, which may hold blanks; 3 the state; 22 the start
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""


def end_bearers(reservation: str) -> int:
    """Kill every other process whose environment bears a reservation; return how many.

    So a process that left the group (its own session, a launcher's workers) is found too.
    """
    if not reservation:
        return 0
    mark = b"SWEEPER_RESERVATION=" + reservation.encode()
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    bearers = [pid for pid in found if pid != os.getpid() and mark in _environment(pid)]
    return sum(_kill(pid) for pid in bearers)


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started."""
    for line in _text("/proc/vmstat").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _clock() -> float:
    """Return seconds on a clock that stands still while the machine sleeps (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def read(folder: str, name: str) -> dict[str, object] | None:
    """Return a job's document, or None if there is none."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            document = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return document if isinstance(document, dict) else None


def write(folder: str, name: str, document: dict[str, object]) -> None:
    """Write a job's document; whoever reads it sees all of it or none, also after a power cut."""
    os.replace(_write_temporary(folder, name, document), os.path.join(folder, name))


def write_once(folder: str, name: str, document: dict[str, object]) -> bool:
    """Write a job's document unless there is one; False if there was.

    A link can be made only once and only to a file that is whole, so no document is ever empty.
    """
    temporary = _write_temporary(folder, name, document)
    try:
        os.link(temporary, os.path.join(folder, name))
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True


def _write_temporary(folder: str, name: str, document: dict[str, object]) -> str:
    temporary = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    return temporary


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
