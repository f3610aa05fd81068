"""Why a job did not yield a result: one cause, one sentence, the lines that show it, one fix."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Literal

from sweeper.budget.prices import format_duration
from sweeper.jobs.crash import Crash
from sweeper.jobs.crash import last_crash
from sweeper.jobs.crash import without_rank
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage

Cause = Literal["oom", "script", "timeout", "killed", "lost", "budget", "no metric", "diverged"]

#: Lines of the log that are shown, and characters of each.
EXCERPT_LINES = 15
EXCERPT_WIDTH = 300

#: What a shell answers for a program that SIGKILL ended, and for one that it could not find.
_SIGKILL, _KILLED_EXIT, _NOT_FOUND_EXIT = 9, 137, 127

_memory = re.compile(
    r"out of memory|OutOfMemoryError|^MemoryError|Cannot allocate memory|can't allocate memory"
    r"|not enough memory|RESOURCE_EXHAUSTED|CUBLAS_STATUS_ALLOC_FAILED|OOMKilled|oom-kill"
    r"|memory ran out",
    re.IGNORECASE,
).search

#: What to do about a line of a crash; the first that matches.
_FIXES = (
    (
        r"No module named '([\w.]+)'",
        "Add {0} to `dependencies`, or install it where sweeper runs.",
    ),
    (
        r"unrecognized arguments: (\S+)",
        "The script does not take {0}; rename the parameter, or set `parameters: env`, `json` or "
        "`constants`.",
    ),
    (r"arguments are required: (.+)", "Give {0} in `args`."),
    (r"No such file or directory: '([^']+)'", "Add {0} to `files`, or correct its path."),
    (r"gated repo|awaiting a review", "Accept the model's terms on its page, with this account."),
    (
        r"401 Client Error|Invalid user token",
        "Log in with `hf auth login`, or name HF_TOKEN in `secrets`.",
    ),
    (r"No space left on device", "Free disk space, or lower how many checkpoints are kept."),
    (r"CUDA.*(?:not available|no kernel image)", "Take hardware that fits this build of torch."),
)
_FIX_BY_CAUSE: dict[Cause, str] = {
    "oom": "Lower the batch size or the sequence length, or take hardware with more memory.",
    "script": "Run `sweeper try` to see the script fail here, and correct it at the line shown.",
    "timeout": "Raise `max_timeout`, or train for fewer steps.",
    "killed": "See who ended it (a memory limit, a restart, a person); `sweeper run` tries again.",
    "lost": "Nothing to do: another attempt follows while the budget allows.",
    "budget": "Raise the limit in program.md and approve it again, or leave the result as it is.",
    "no metric": "Print the metric under the name that Goal gives, or correct `metric` there.",
    "diverged": "Lower the upper bound of the learning rate, or clip the gradients.",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job did not yield a result.

    Attributes:
        cause: Its kind.
        sentence: What happened, for people.
        signature: The same for the same fault: a crash's exception and places, else the cause.
        excerpt: The last lines of the log.
        fix: One thing to do about it.
    """

    cause: Cause
    sentence: str
    signature: str
    excerpt: list[str]
    fix: str

    def as_document(self) -> dict[str, object]:
        """Return the failure as it is kept in the ledger."""
        return asdict(self)


def classify(
    report: JobReport,
    log_tail: Sequence[str],
    cancelled_by_us: str | None = None,
    *,
    metric: str | None = None,
    seen: Collection[str] = (),
) -> Failure:
    """Say why a job that ended yielded no result.

    Args:
        report: How it ended.
        log_tail: The end of its log, 15 lines or more; a whole traceback if there is one.
        cancelled_by_us: The reason we gave for ending it ("diverged …", "budget …"), or None.
        metric: The objective's name.
        seen: Names of the metrics that came instead.
    """
    lines = [without_rank(line) for line in log_tail]
    crash = last_crash(lines)
    cause = _cause(report, lines, crash, cancelled_by_us)
    sentence = _sentence(cause, report, crash, cancelled_by_us, metric, seen)
    return Failure(
        cause, sentence, _signature(cause, crash, lines), _excerpt(lines), _fix(cause, lines)
    )


def _cause(
    report: JobReport, lines: list[str], crash: Crash | None, cancelled_by_us: str | None
) -> Cause:
    if cancelled_by_us:
        return _ours(cancelled_by_us)
    if report.stage in (Stage.LOST, Stage.DELETED):
        return "lost"
    if report.timed_out:
        return "timeout"
    if report.cancel_reason:
        return "budget"
    if report.stage is Stage.COMPLETED:
        return "no metric"
    if _out_of_memory(report, lines, crash):
        return "oom"
    return "killed" if report.signal or report.stage is Stage.CANCELED else "script"


def _ours(reason: str) -> Cause:
    for cause in ("diverged", "budget", "timeout"):
        if reason.startswith(cause):
            return cause
    return "killed"


def _out_of_memory(report: JobReport, lines: list[str], crash: Crash | None) -> bool:
    """Whether memory ended it; a crash that came after a survived shortage is another matter."""
    if _memory(report.message or "") or report.exit_code == _KILLED_EXIT:
        return True
    if crash is not None:
        return _memory(crash.line) is not None
    return any(_memory(line) for line in lines[-EXCERPT_LINES:])


def _sentence(
    cause: Cause,
    report: JobReport,
    crash: Crash | None,
    cancelled_by_us: str | None,
    metric: str | None,
    seen: Collection[str],
) -> str:
    if cancelled_by_us:
        return f"ended by the sweep: {cancelled_by_us}"
    if cause == "oom":
        return f"out of memory: {_memory_words(report, crash)}"
    if cause == "script":
        return f"the script failed: {crash.line if crash else _exit_words(report)}"
    if cause == "timeout":
        after = f" after {format_duration(report.running_s)}" if report.running_s else ""
        return f"cut by its timeout{after}"
    if cause == "no metric":
        return f"metric {metric or 'of the goal'} never came; seen: {', '.join(seen) or 'none'}"
    if cause == "budget":
        return f"the platform ended it: {report.cancel_reason}"
    if cause == "lost":
        return f"lost: {report.message or 'nothing is known of how it ended'}"
    return f"killed from outside{f' by signal {report.signal}' if report.signal else ''}"


def _memory_words(report: JobReport, crash: Crash | None) -> str:
    if crash is not None and _memory(crash.line):
        return crash.line
    if report.exit_code == _KILLED_EXIT:
        return "killed (exit 137), which is how a memory limit ends a process"
    return report.message or "the log says so"


def _exit_words(report: JobReport) -> str:
    if report.exit_code == _NOT_FOUND_EXIT:
        return "its program was not found (exit 127)"
    if report.exit_code is not None:
        return f"exit code {report.exit_code}"
    return report.message or "the platform does not say how"


def _signature(cause: Cause, crash: Crash | None, lines: list[str]) -> str:
    if cause not in ("script", "oom"):
        return cause
    last = next((line for line in reversed(lines) if line.strip()), "")
    shape = crash.shape if crash else re.sub(r"0x[0-9a-f]+|\d+", "#", last)
    return hashlib.sha256(shape.encode("utf-8", "replace")).hexdigest()[:16]


def _excerpt(lines: list[str]) -> list[str]:
    spoken = [line.rstrip() for line in lines if line.strip()]
    return [line[:EXCERPT_WIDTH] for line in spoken[-EXCERPT_LINES:]]


def _fix(cause: Cause, lines: list[str]) -> str:
    if cause == "script":
        text = "\n".join(line[-2000:] for line in lines[-EXCERPT_LINES:])
        for pattern, fix in _FIXES:
            found = re.search(pattern, text)
            if found:
                return fix.format(*found.groups())
    return _FIX_BY_CAUSE[cause]
