"""Behind `scripts/hf_jobs.py`: parse, call, print. Exit 0 done, 1 refused, 2 wrong usage."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweeper import program
from sweeper.budget.prices import UnknownPrice
from sweeper.budget.prices import format_duration
from sweeper.budget.prices import format_usd
from sweeper.budget.prices import micro_usd_per_minute
from sweeper.errors import ExecutorError
from sweeper.errors import RefusedError
from sweeper.errors import SweeperError
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage
from sweeper.jobs.hf import hardware
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.connection import connect
from sweeper.jobs.hf.executor import HfExecutor
from sweeper.state import approval
from sweeper.state import studies
from sweeper.state.database import Database
from sweeper.state.ledger import Reservation
from sweeper.task import account as accounts
from sweeper.task import course
from sweeper.task import desk
from sweeper.task import options
from sweeper.task.account import Account
from sweeper.task.request import Request
from sweeper.task.request import ask
from sweeper.task.request import purpose

SHOWN = 160  # characters of one value that a person is shown


def main(argv: list[str]) -> int:
    """Run one command and return the exit code."""
    args = options.parser().parse_args(argv)
    try:
        return COMMANDS[args.command](args)
    except SweeperError as error:
        return _failed(error, as_json=args.json)
    except (ValueError, UnknownPrice) as error:
        return _failed(SweeperError(str(error)), as_json=args.json)
    except KeyboardInterrupt:
        print("Interrupted; jobs that were submitted go on.", file=sys.stderr)
        return 1


def _failed(error: SweeperError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(error.as_document()))
    print(error.message + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
    return 1


def _run(args: argparse.Namespace) -> int:
    request = options.request(args)
    page = _program(args.program)
    folder = page.folder if page else None
    namespace = args.namespace or (page.training.namespace if page else None)
    connection = connect(folder, namespace)
    _tidy()
    price = micro_usd_per_minute(request.flavor, hardware.catalogue(folder))
    with _account(page, args.namespace, request, connection) as account:
        executor = HfExecutor(connection, uid=account.uid, study=account.study)
        try:
            return _submitted(args, account, executor, request, price)
        finally:
            executor.close()


def _submitted(
    args: argparse.Namespace, account: Account, executor: HfExecutor, request: Request, price: int
) -> int:
    paid = course.reserve(account, purpose(), request.flavor, price)
    if paid.timeout_s < request.timeout_s:
        account.ledger.give_back(account.database.transaction, paid.id, account.database.now())
        raise RefusedError(
            f"The budget that is left covers {format_duration(paid.timeout_s)}, "
            f"not {format_duration(request.timeout_s)}.",
            key="--timeout",
            hint=f"--timeout {format_duration(paid.timeout_s)}",
        )
    job_id = _sent(account, executor, request, paid)
    url = f"{executor.connection.endpoint}/jobs/{executor.connection.namespace}/{job_id}"
    started = {"job_id": job_id, "url": url, "worst_case": format_usd(paid.reserved_micro_usd)}
    print(f"{job_id}  {url}  at most {started['worst_case']}", file=sys.stderr)
    if args.no_wait:
        _show(args, started, [job_id])
        return 0
    return _awaited(args, account, executor, paid, job_id)


def _sent(account: Account, executor: HfExecutor, request: Request, paid: Reservation) -> str:
    """Build the request and send it; what cannot be built frees its money."""
    with tempfile.TemporaryDirectory(prefix="hf-jobs-") as folder:
        try:
            built = ask(request, paid, executor.connection, account.study, Path(folder))
        except SweeperError:
            account.ledger.give_back(account.database.transaction, paid.id, account.database.now())
            raise
        return course.submit_once(account, executor, paid, built)


def _awaited(
    args: argparse.Namespace,
    account: Account,
    executor: HfExecutor,
    paid: Reservation,
    job_id: str,
) -> int:
    """Follow a job to its end, settle it, and return 0 only if it completed."""
    kept: deque[str] = deque(maxlen=50)
    report = _followed(course.watch(executor, job_id), kept, quiet=args.json)
    cost = course.settle(account, account.ledger.job(paid.id), report)
    stage = report.stage.value if report else "vanished"
    seconds = report.charged_s or 0.0 if report else 0.0
    ended = {
        "job_id": job_id,
        "stage": stage,
        "message": report.message if report else None,
        "cancel_reason": report.cancel_reason if report else None,
        "billed_s": report.running_s if report else None,
        "cost_usd": cost / 1_000_000,
        "log_tail": list(kept),
    }
    if args.json:
        print(json.dumps(ended))
    said = f" ({report.message})" if report and report.message else ""
    print(f"{stage}{said} after {format_duration(seconds)}, {format_usd(cost)}", file=sys.stderr)
    return 0 if stage == Stage.COMPLETED else 1


def _followed(lines: Any, kept: deque[str], *, quiet: bool) -> JobReport | None:
    while True:
        try:
            line = next(lines)
        except StopIteration as end:
            report: JobReport | None = end.value
            return report
        kept.append(line)
        if not quiet:
            print(line, flush=True)


@contextmanager
def _account(
    page: program.Program | None,
    namespace: str | None,
    request: Request,
    connection: Connection,
) -> Iterator[Account]:
    names = sorted(request.secrets)
    if page is not None:
        with accounts.of_program(page, namespace=namespace, secrets=names) as found:
            yield found
        return
    with accounts.own_database() as database:
        assert database is not None
        yield accounts.own(
            database,
            flavor=request.flavor,
            timeout_s=request.timeout_s,
            namespace=connection.namespace,
            image=request.image,
            secrets=names,
        )


def _program(named: Path | None) -> program.Program | None:
    """Return the program that pays: the one named, or the current folder's, or none."""
    if named is not None:
        return program.load(named)
    here = Path.cwd() / "program.md"
    return program.load(here) if here.exists() else None


def _tidy() -> None:
    """Settle what earlier tasks left open; what cannot be settled now waits for the next time."""
    with accounts.own_database(create=False) as database:
        if database is None:
            return
        for study in studies.everything(database):
            try:
                _settle_study(database, study)
            except ExecutorError as error:
                print(f"An earlier job is not settled yet: {error.message}", file=sys.stderr)
                return


def _settle_study(database: Database, study: studies.Study) -> None:
    found = approval.current(database, study.uid)
    namespace = found.covers.namespace if found else None
    account = Account(database, study.uid, study.name, namespace)
    if not accounts.unfinished(database, study.uid):
        return
    for row in course.settle_open(account, connect(namespace=namespace)):
        cost = format_usd(row.cost_micro_usd or 0)
        print(f"{row.job_id} ended meanwhile: {row.stage}, {cost}", file=sys.stderr)


def _logs(args: argparse.Namespace) -> int:
    connection = connect(namespace=args.namespace)
    if args.follow and not args.json:
        executor = HfExecutor(connection, uid="", study="")
        try:
            _followed(course.watch(executor, args.job_id), deque(maxlen=1), quiet=False)
        finally:
            executor.close()
        return 0
    desk.inspected(connection, args.job_id)
    lines = deque(desk.said(connection, args.job_id), maxlen=args.tail or None)
    _show(args, {"job_id": args.job_id, "lines": list(lines)}, lines)
    return 0


def _inspect(args: argparse.Namespace) -> int:
    connection = connect(namespace=args.namespace)
    found = [desk.inspected(connection, job_id) for job_id in args.job_ids]
    _show(args, found, [json.dumps(_cut(job), indent=2, ensure_ascii=False) for job in found])
    return 0


def _cut(value: Any) -> Any:
    """Return a record for people: an archive in a command is a screen of letters."""
    if isinstance(value, str) and len(value) > SHOWN:
        return f"{value[:SHOWN]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [_cut(item) for item in value]
    return {k: _cut(v) for k, v in value.items()} if isinstance(value, dict) else value


def _list(args: argparse.Namespace) -> int:
    connection = connect(namespace=args.namespace)
    _tidy()
    stages = [stage.upper() for stage in args.status] or ([] if args.all else list(desk.LIVE))
    jobs = list(desk.listed(connection, stages, args.label))
    rows = [
        f"{j['id']}  {j['stage']:<10}  {j['flavor']:<14}  {j['created_at']}  {j['purpose'] or ''}"
        for j in jobs
    ]
    _show(args, jobs, rows or ["no jobs"])
    return 0


def _cancel(args: argparse.Namespace) -> int:
    connection = connect(namespace=args.namespace)
    executor = HfExecutor(connection, uid="", study="")
    try:
        for job_id in args.job_ids:
            desk.inspected(connection, job_id)
            executor.cancel(job_id)
    finally:
        executor.close()
    _tidy()
    _show(
        args, {"cancelled": args.job_ids}, [f"{job_id} is asked to end" for job_id in args.job_ids]
    )
    return 0


def _hardware(args: argparse.Namespace) -> int:
    rows = [
        {
            "flavor": each.name,
            "usd_per_hour": each.micro_usd_per_minute * 60 / 1_000_000,
            "micro_usd_per_minute": each.micro_usd_per_minute,
            "gpus": each.gpus,
            "description": each.description,
        }
        for each in hardware.live()
    ]
    _show(
        args,
        rows,
        [f"{r['flavor']:<16} ${r['usd_per_hour']:>8.3f}/h  {r['description']}" for r in rows],
    )
    return 0


def _scheduled(args: argparse.Namespace) -> int:
    if args.verb == "run":
        return _schedule(args)
    connection = connect(namespace=args.namespace)
    if args.verb in ("list", "ps", "ls"):
        found = desk.scheduled(connection)
        _show(args, found, [f"{s['id']}  {s['schedule']}  suspend={s['suspend']}" for s in found])
    elif args.verb == "inspect":
        one = desk.scheduled(connection, args.scheduled_id)
        _show(args, one, [json.dumps(_cut(one), indent=2)])
    else:
        desk.steer(connection, args.scheduled_id, args.verb)
        _show(args, {"id": args.scheduled_id, "done": args.verb}, [f"{args.verb}: done"])
    return 0


def _schedule(args: argparse.Namespace) -> int:
    """Create a scheduled job: never from a study's money, and only if a person says so."""
    request = options.request(args)
    if _program(args.program) is not None:
        raise RefusedError(
            "A scheduled job starts again and again, so it has no finite worst case: "
            "no study can pay for it.",
            hint="leave the program's folder and --program, and answer for it yourself",
        )
    connection = connect(namespace=args.namespace)
    price = micro_usd_per_minute(request.flavor, hardware.catalogue())
    with (
        _account(None, None, request, connection) as account,
        tempfile.TemporaryDirectory(prefix="hf-jobs-") as folder,
    ):
        # Nothing stays reserved: the row says who asked for what, and gives the job its name.
        paid = course.reserve(account, purpose(), request.flavor, price)
        account.ledger.give_back(account.database.transaction, paid.id, account.database.now())
        each = format_usd(paid.reserved_micro_usd)
        _confirm(args, f"Each start ({args.schedule}) may cost {each}, until somebody deletes it.")
        built = ask(request, paid, connection, account.study, Path(folder))
    made = desk.schedule(
        connection, built, args.schedule, suspend=args.suspend, concurrency=args.concurrency
    )
    _show(args, made, [f"{made['id']}  {made['schedule']}"])
    return 0


def _confirm(args: argparse.Namespace, sentence: str) -> None:
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError(sentence, hint="a person says --yes, or answers at a terminal")
    if input(f"{sentence} Create it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise RefusedError("Not created.")


def _show(args: argparse.Namespace, document: Any, lines: Iterable[str]) -> None:
    if args.json:
        print(json.dumps(document, ensure_ascii=False))
        return
    for line in lines:
        print(line)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "logs": _logs,
    "inspect": _inspect,
    "list": _list,
    "ps": _list,
    "ls": _list,
    "cancel": _cancel,
    "hardware": _hardware,
    "scheduled": _scheduled,
}
