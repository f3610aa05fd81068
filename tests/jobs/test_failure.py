"""A failure has one cause, the lines that show it, and a signature that repeats with the fault."""

from __future__ import annotations

import json

import pytest

from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage
from sweeper.jobs.failure import classify

CRASH = """\
step=1 loss=2.0
Traceback (most recent call last):
  File "/home/me/runs/trials/3/attempt-1/train.py", line 12, in <module>
    main(0x7f01)
  File "/home/me/model.py", line 40, in forward
    return self.layer(x)
           ^^^^^^^^^^^^^
{last}
""".splitlines()


def crash(last: str) -> list[str]:
    """Return a log that ends in an exception."""
    return [line.format(last=last) if line == "{last}" else line for line in CRASH]


def error(**changes: object) -> JobReport:
    """Return the report of a job that ended by itself and not well."""
    values = {"stage": Stage.ERROR, "exit_code": 1, **changes}
    return JobReport("job", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("report", "log", "reason", "cause"),
    [
        (error(), crash("torch.OutOfMemoryError: CUDA out of memory. Tried"), None, "oom"),
        (error(), crash("torch.cuda.OutOfMemoryError: CUDA out of memory."), None, "oom"),
        (error(), crash("MemoryError"), None, "oom"),
        (error(), crash("RuntimeError: [enforce fail] can't allocate memory"), None, "oom"),
        (error(exit_code=137), ["loss=1", "Killed"], None, "oom"),
        (error(message="Job failed: OOMKilled"), [], None, "oom"),
        (
            error(exit_code=None, signal=9, message="a process died because memory ran out"),
            ["loss=1"],
            None,
            "oom",
        ),
        (error(), ["CUDA out of memory, halving", *crash("ValueError: x")], None, "script"),
        (error(), crash("ValueError: bad shape"), None, "script"),
        (error(exit_code=2), ["train.py: error: unrecognized arguments: --lr 1"], None, "script"),
        (error(exit_code=127), ["sweeper: cannot start"], None, "script"),
        (error(timed_out=True, running_s=7200.0), ["loss=1"], None, "timeout"),
        (error(timed_out=True, signal=9, exit_code=None), ["loss=1"], None, "timeout"),
        (error(signal=9, exit_code=None), ["loss=1"], None, "killed"),
        (error(signal=15, exit_code=None), [], None, "killed"),
        (JobReport("job", Stage.CANCELED), [], None, "killed"),
        (JobReport("job", Stage.CANCELED, cancel_reason="NO_CREDITS"), [], None, "budget"),
        (JobReport("job", Stage.LOST), [], None, "lost"),
        (JobReport("job", Stage.DELETED), [], None, "lost"),
        (JobReport("job", Stage.COMPLETED, exit_code=0), ["loss=1"], None, "no metric"),
        (JobReport("job", Stage.CANCELED), ["loss=nan"], "diverged: loss is nan", "diverged"),
        (JobReport("job", Stage.CANCELED), ["loss=1"], "budget: walltime", "budget"),
    ],
)
def test_each_kind_of_end_has_its_cause(
    report: JobReport, log: list[str], reason: str | None, cause: str
) -> None:
    """By stage, exit code, signal, message and the log, in this order of trust."""
    failure = classify(report, log, reason, metric="eval_loss", seen=["loss"])

    assert failure.cause == cause
    assert failure.sentence
    assert failure.fix.endswith(".")
    json.dumps(failure.as_document())


def test_a_metric_that_never_came_is_said_with_those_that_did() -> None:
    """Most often the name is spelt differently."""
    report = JobReport("job", Stage.COMPLETED, exit_code=0)
    failure = classify(report, [], metric="eval_loss", seen=["loss", "acc"])

    assert failure.sentence == "metric eval_loss never came; seen: loss, acc"


def test_the_same_fault_has_the_same_signature() -> None:
    """In another trial's folder, with other addresses and other words in the message."""
    one = crash("ValueError: bad shape 3 at 0x7f01")
    two = [line.replace("trials/3", "trials/9") for line in crash("ValueError: bad shape 4")]
    three = [f"[rank0]: {line}" for line in one]
    moved = [line.replace("line 40", "line 41") for line in one]
    signatures = [classify(error(), log).signature for log in (one, two, three, moved)]

    assert signatures[0] == signatures[1] == signatures[2] != signatures[3]
    assert classify(error(), crash("KeyError: 'x'")).signature != signatures[0]


def test_of_chained_exceptions_the_last_one_counts() -> None:
    """It is the one that ended the script."""
    log = [*crash("KeyError: 'x'"), "", "During handling of the above exception:", ""]
    failure = classify(error(), [*log, *crash("RuntimeError: no data")])

    assert failure.sentence == "the script failed: RuntimeError: no data"
    assert failure.signature == classify(error(), crash("RuntimeError: no data")).signature


def test_a_syntax_error_is_a_crash_too() -> None:
    """Python shows it without the word traceback."""
    log = ['  File "train.py", line 3', "    x = = 1", "        ^", "SyntaxError: invalid syntax"]

    assert classify(error(), log).sentence == "the script failed: SyntaxError: invalid syntax"


def test_the_excerpt_is_the_last_fifteen_lines_that_say_something() -> None:
    """What follows a failure on the page must fit it."""
    log = [f"line {n}" for n in range(40)] + ["", "x" * 10_000, "  "]
    excerpt = classify(error(), log).excerpt

    assert len(excerpt) == 15
    assert excerpt[0] == "line 26"
    assert len(excerpt[-1]) == 300


@pytest.mark.parametrize(
    ("last", "fix"),
    [
        ("ModuleNotFoundError: No module named 'peft'", "Add peft to `dependencies`"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'data/a.txt'", "Add data/a.txt"),
        ("OSError: You are trying to access a gated repo.", "Accept the model's terms"),
    ],
)
def test_a_usual_fault_gets_its_own_fix(last: str, fix: str) -> None:
    """One fix, about the thing that is named in the log."""
    assert classify(error(), crash(last)).fix.startswith(fix)
