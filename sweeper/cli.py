"""The command line: the door for people. Doors are thin: parse, call, print; exit 0, 1 or 2.

Heavy rooms are imported by the command that needs them, so that `--help` and `status` feel
instant. Every command takes a program.md or its folder; with `--json` it prints one JSON document
on stdout and nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated
from typing import Any

import typer

from sweeper.errors import ProgramError
from sweeper.errors import SweeperError

app = typer.Typer(
    name="sweeper",
    help="Budget-bounded sweeps that run unattended, on this machine or as Hugging Face Jobs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Where = Annotated[Path, typer.Argument(help="A program.md, or its folder.", metavar="[PROGRAM]")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Trial = Annotated[int, typer.Argument(help="Number of a trial.", metavar="N", min=0)]
HERE = Path()


def main() -> None:
    """Run the command line; every foreseen error becomes one sentence and exit code 1."""
    try:
        code = app(standalone_mode=False)
    except SweeperError as error:
        _complain(error)
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(1)
    except Exception as error:
        _exit_on_usage(error)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def _exit_on_usage(error: Exception) -> None:
    """Wrong usage is shown as typer shows it, with exit code 2."""
    show = getattr(error, "show", None)
    if callable(show):
        show()
        sys.exit(getattr(error, "exit_code", 2))
    if type(error).__name__ == "Exit":
        sys.exit(getattr(error, "exit_code", 0))


def _complain(error: SweeperError) -> None:
    if "--json" in sys.argv:
        print(json.dumps(error.as_document()))
    on_page = isinstance(error, ProgramError) and error.line is not None
    place = f"program.md:{error.line}: " if on_page else ""
    hint = f"\n  {error.hint}" if error.hint else ""
    print(f"{place}{error.message}{hint}", file=sys.stderr)


def _print(document: Any) -> None:
    print(json.dumps(document, allow_nan=False))


# ---- drafting


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Folder for program.md.")] = HERE,
    script: Annotated[Path | None, typer.Option(help="The training script.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite a program.md.")] = False,
    as_json: Json = False,
) -> None:
    """Draft program.md from a training script's own arguments."""
    from sweeper.draft.page import write_draft

    target = write_draft(path, script, overwrite=force)
    if as_json:
        _print({"program": str(target)})
    else:
        print(f"Drafted {target}. Read it, edit it, then run `sweeper check`.")


@app.command("try")
def try_(
    path: Where = HERE,
    seconds: Annotated[float, typer.Option(help="How long to run.", min=1)] = 60,
    as_json: Json = False,
) -> None:
    """Run the script here for a minute with the defaults, and say what was seen."""
    from sweeper.draft import findings
    from sweeper.draft.attempt import run_briefly
    from sweeper.program import load

    found = run_briefly(load(path), seconds)
    if as_json:
        _print(findings.as_document(found))
    else:
        print(findings.text(found))
    if not findings.worked(found):
        raise typer.Exit(1)


@app.command()
def check(path: Where = HERE, as_json: Json = False) -> None:
    """Validate program.md, the script, prices and the filesystem; show the worst case."""
    from sweeper.doctor import check_program
    from sweeper.program import load

    program = load(path)
    warnings = check_program(program)
    if as_json:
        _print({"program": program.as_document(), "warnings": warnings})
        return
    from sweeper.sweep.approving import Asked

    print(f"{program.path.name} is a sweep of {len(program.search_space)} parameters.")
    print(Asked(program, None).worst_case())
    for warning in warnings:
        print(f"warning: {warning}")


# ---- running


@app.command()
def approve(
    path: Where = HERE,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without a terminal.")] = False,
    executor: Annotated[str | None, typer.Option(help="local, hf or dry.")] = None,
    as_json: Json = False,
) -> None:
    """Show the budget and its worst case, and record your approval."""
    from sweeper.program import load
    from sweeper.sweep import approving

    program = load(path)
    asked = approving.Asked(program, executor)
    if not as_json:
        print(asked.text())
    if not yes:
        approving.require_terminal()
        if not typer.confirm("Approve this?", default=False):
            print("Not approved; nothing was changed.", file=sys.stderr)
            raise typer.Exit(1)
    version, uid = asked.approve()
    if as_json:
        _print({"uid": uid, "version": version, "approved": True})
    else:
        print(f"Approved (study {uid}, version {version}). Start it with `sweeper run`.")


@app.command()
def run(
    path: Where = HERE,
    executor: Annotated[str | None, typer.Option(help="local, hf or dry.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background.")] = False,
    max_parallel: Annotated[int | None, typer.Option(help="Jobs in flight.", min=1)] = None,
    trials: Annotated[int | None, typer.Option(help="Stop after so many.", min=1)] = None,
    join: Annotated[str | None, typer.Option(help="Join the study of this uid.")] = None,
    as_json: Json = False,
) -> None:
    """Run or resume the sweep until target, patience or budget ends it."""
    from sweeper.program import load
    from sweeper.sweep.conductor import Options
    from sweeper.views import running

    program = load(path)
    options = Options(max_parallel=max_parallel, trials=trials)
    if detach:
        document = running.detach(program, sys.argv[1:])
        _print(document) if as_json else print(running.detached_text(document))
        return
    try:
        state, reason = running.run(program, executor, options, quiet=as_json, join=join)
    except KeyboardInterrupt:
        print("Interrupted. Running jobs go on; `sweeper run` takes them up.", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        _print(_status_document(path))
    else:
        print(_summary_line(path))
    if state == "paused" or (reason or "").startswith("script error"):
        raise typer.Exit(1)


@app.command()
def propose(
    path: Where = HERE,
    params: Annotated[str | None, typer.Option(help="JSON of parameter values.")] = None,
    why: Annotated[str, typer.Option(help="Why it is worth a trial.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="URL or arXiv id.")] = None,
    confidence: Annotated[float | None, typer.Option(help="0 to 1.")] = None,
    file: Annotated[Path | None, typer.Option(help="A proposals file.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Run it next, unweighed.")] = False,
    as_json: Json = False,
) -> None:
    """Queue configurations to be weighed against the model's suggestions."""
    from sweeper.program import load
    from sweeper.sweep import proposing

    answers = proposing.propose(
        load(path),
        params=params,
        why=why,
        source=source or [],
        confidence=confidence,
        file=file,
        now=now,
    )
    if as_json:
        _print({"proposals": answers})
    else:
        for answer in answers:
            print(answer["text"])
    if not any(answer["accepted"] for answer in answers):
        raise typer.Exit(1)


# ---- steering


@app.command()
def stop(
    path: Where = HERE,
    cancel: Annotated[bool, typer.Option("--cancel", help="End running trials too.")] = False,
    as_json: Json = False,
) -> None:
    """End the sweep once its running trials have finished."""
    _ask(path, "stop_cancel" if cancel else "stop", None, as_json)


@app.command()
def pause(path: Where = HERE, as_json: Json = False) -> None:
    """Submit nothing more until `resume`; running trials go on."""
    _ask(path, "pause", None, as_json)


@app.command()
def resume(path: Where = HERE, as_json: Json = False) -> None:
    """Go on submitting after a pause."""
    _ask(path, "resume", None, as_json)


@app.command("cancel")
def cancel_trial(trial: Trial, path: Where = HERE, as_json: Json = False) -> None:
    """End one running trial."""
    _ask(path, "cancel", str(trial), as_json)


def _ask(path: Path, verb: str, argument: str | None, as_json: bool) -> None:
    from sweeper.sweep.asking import ask

    answer = ask(path, verb, argument)
    _print({"answer": answer}) if as_json else print(answer)


# ---- looking


def _status_document(path: Path) -> dict[str, Any]:
    from sweeper.summary import document
    from sweeper.summary import snapshot

    return document.status(snapshot.read(path, curves=False))


def _summary_line(path: Path) -> str:
    from sweeper.summary import snapshot
    from sweeper.views import status as view

    return view.text(snapshot.read(path, curves=False), latest=8)


@app.command()
def status(
    path: Where = HERE,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it.")] = False,
    as_json: Json = False,
) -> None:
    """Show how the sweep stands."""
    if as_json:
        _print(_status_document(path))
    elif watch:
        from sweeper.views import running

        running.watch(path)
    else:
        from sweeper.summary import snapshot
        from sweeper.views import status as view

        print(view.text(snapshot.read(path, curves=False)), end="")


@app.command()
def summary(path: Where = HERE, as_json: Json = False) -> None:
    """Print what was found and what it cost."""
    if as_json:
        _print(_status_document(path))
        return
    from sweeper.summary import snapshot
    from sweeper.views import page

    print(page.text(snapshot.read(path)), end="")


@app.command()
def report(path: Where = HERE, as_json: Json = False) -> None:
    """Write runs/report.html, one page that opens without network."""
    from sweeper.views import running

    written = running.write_report(path)
    _print({"report": str(written)}) if as_json else print(written)


@app.command()
def reproduce(
    trial: Annotated[
        int | None, typer.Argument(help="Number of a trial; default the winner.", min=0)
    ] = None,
    path: Where = HERE,
    as_json: Json = False,
) -> None:
    """Print the exact command, seed and parameters of a trial."""
    from sweeper.views import reproduction

    found = reproduction.reproduction(path, trial)
    _print(found) if as_json else print(reproduction.text(found))


@app.command()
def logs(
    trial: Trial,
    path: Where = HERE,
    attempt: Annotated[str | None, typer.Option(help="Default: the newest.")] = None,
    lines: Annotated[int, typer.Option("-n", help="Last lines; 0: all.", min=0)] = 200,
    as_json: Json = False,
) -> None:
    """Print the log of a trial."""
    from sweeper.views.logs import read_log

    found = read_log(path, trial, attempt, lines)
    if as_json:
        _print({"trial": trial, "attempt": found.attempt, "lines": found.lines})
    else:
        print("\n".join(found.lines))


@app.command()
def doctor(path: Where = HERE, as_json: Json = False) -> None:
    """Say what is installed, logged in and reachable."""
    from sweeper.doctor import examine

    findings = examine(path)
    if as_json:
        _print({"findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            print(f"{finding.mark} {finding.subject}: {finding.sentence}")
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)
