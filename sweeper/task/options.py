"""The command line of `scripts/hf_jobs.py`, as people know it from before."""

from __future__ import annotations

import argparse
from pathlib import Path

from sweeper.budget.prices import parse_duration
from sweeper.errors import ScriptError
from sweeper.task.request import Request
from sweeper.task.request import parsed_pairs

DEFAULT_FLAVOR = "cpu-basic"
DEFAULT_TIMEOUT = "30m"
EPILOG = """\
A run takes its money from the approved study that --program names (default: the program.md of the
current folder); without one it is booked in your own ledger (~/.local/share/sweeper, or
SWEEPER_HOME). A command for the image goes behind `--`:

  hf_jobs.py run --script train.py --hardware-flavor t4-small --timeout 2h --dep trl
  hf_jobs.py run --image python:3.12 -- python -c 'print(1)'
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser; every command sets `command`."""
    top = argparse.ArgumentParser(
        prog="hf_jobs.py",
        description="Runs one job on Hugging Face, and looks at jobs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _run(commands.add_parser("run", help="submit one job, once, and follow it to its end"))
    logs = _command(commands, "logs", "what a job said")
    logs.add_argument("job_id")
    logs.add_argument("-n", "--tail", type=int, default=200, help="last lines only; 0 is all")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    inspect = _command(commands, "inspect", "a job's whole record")
    inspect.add_argument("job_ids", nargs="+", metavar="job_id")
    listing = _command(commands, "list", "jobs of the namespace", aliases=["ps", "ls"])
    listing.add_argument("-a", "--all", action="store_true", help="ended ones too")
    listing.add_argument("--status", action="append", default=[], metavar="STAGE")
    listing.add_argument("--label", action="append", default=[], metavar="K=V")
    cancel = _command(commands, "cancel", "end jobs, which stops their billing")
    cancel.add_argument("job_ids", nargs="+", metavar="job_id")
    _command(commands, "hardware", "flavors and what a minute costs")
    _scheduled(commands.add_parser("scheduled", help="jobs that start again and again"))
    return top


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    aliases: list[str] | None = None,
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=summary, aliases=aliases or [])
    _common(made)
    return made


def _common(made: argparse.ArgumentParser) -> None:
    made.add_argument("--namespace", help="user or organisation; default: the token's own user")
    made.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _run(made: argparse.ArgumentParser) -> None:
    _common(made)
    what = made.add_mutually_exclusive_group()
    what.add_argument("--script", type=Path, metavar="FILE")
    what.add_argument("--script-url", metavar="URL")
    what.add_argument("--script-inline", metavar="TEXT")
    made.add_argument("--hardware-flavor", "--flavor", default=DEFAULT_FLAVOR, metavar="FLAVOR")
    made.add_argument("--timeout", default=DEFAULT_TIMEOUT, help="such as 2h30m (default 30m)")
    made.add_argument("--dep", action="append", default=[], metavar="PACKAGE")
    made.add_argument("--python", metavar="VERSION")
    made.add_argument("--script-arg", action="append", default=[], metavar="ARG")
    made.add_argument("--image")
    made.add_argument("--env", action="append", default=[], metavar="K=V")
    made.add_argument("--secret", action="append", default=[], metavar="K[=V]")
    made.add_argument("--volume", "-v", action="append", default=[], metavar="hf://…:/mount[:ro]")
    made.add_argument("--resource-group", metavar="ID")
    made.add_argument("--no-wait", action="store_true", help="return once it is submitted")
    made.add_argument("--program", type=Path, metavar="PATH", help="the study that pays")
    made.add_argument("docker", nargs="*", metavar="-- COMMAND", help="a command for the image")


def _scheduled(made: argparse.ArgumentParser) -> None:
    commands = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    create = commands.add_parser("run", help="create one; it costs money until it is deleted")
    _run(create)
    create.add_argument("--schedule", required=True, help="@hourly, @daily, … or five cron fields")
    create.add_argument("--suspend", action="store_true", help="create it suspended")
    create.add_argument("--concurrency", action="store_true", help="runs may overlap")
    create.add_argument("--yes", action="store_true", help="spend without an end")
    listing = commands.add_parser("list", help="all of the namespace", aliases=["ps", "ls"])
    _common(listing)
    for verb in ("inspect", "delete", "suspend", "resume"):
        one = commands.add_parser(verb, help=f"{verb} one")
        _common(one)
        one.add_argument("scheduled_id")


def request(args: argparse.Namespace) -> Request:
    """Return what `run` asks for.

    Raises:
        ScriptError: Nothing is to be run, or two things are; a pair lacks its value.
        ValueError: The timeout is no duration.
    """
    named = [args.script, args.script_url, args.script_inline]
    given = sum(item is not None for item in named) + bool(args.docker)
    if given != 1:
        raise ScriptError(
            "Nothing is to be run." if not given else "A script and a command cannot both run.",
            hint="--script FILE, --script-url URL, --script-inline TEXT, or a command behind --",
        )
    if args.docker and (args.dep or args.python or args.script_arg):
        raise ScriptError("--dep, --python and --script-arg belong to a script, not a command.")
    secrets = dict(
        item.partition("=")[::2] if "=" in item else (item, None) for item in args.secret
    )
    return Request(
        flavor=args.hardware_flavor,
        timeout_s=parse_duration(args.timeout),
        script=args.script,
        script_url=args.script_url,
        script_inline=args.script_inline,
        command=args.docker,
        args=args.script_arg,
        dependencies=args.dep,
        python=args.python,
        image=args.image,
        env=dict(parsed_pairs(args.env, "--env")),
        secrets=secrets,
        volumes=args.volume,
        resource_group=args.resource_group,
    )
